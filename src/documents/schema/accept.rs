//! What the API does with the data of a request before anything is stored: api spec 5.2.

use serde_json::{Map, Value};

use super::catalogue::CATALOGUE;
use super::fault::FieldError;
use super::{Strictness, flow, whole};

/// Members of a request's data that belong to the daemon, whatever a client sends.
fn private(name: &str) -> bool {
    name.starts_with('_') || name.starts_with("pvt_")
}

/// Takes the members that are null out of every object. In a list, null is a value of its place, and stays.
fn drop_nulls(members: &mut Map<String, Value>) {
    members.retain(|_, value| !value.is_null());
    members.values_mut().for_each(drop_nulls_below);
}

fn drop_nulls_below(value: &mut Value) {
    match value {
        Value::Object(members) => drop_nulls(members),
        Value::Array(items) => items.iter_mut().for_each(drop_nulls_below),
        _ => {}
    }
}

/// The data as it is to be stored: private and null members gone, texts turned into the values that they stand for, defaults
/// in place, unknown members kept in order. `name` is the schema's: `devices`, `callflows.device`.
///
/// # Errors
/// Everything that is wrong with the data.
pub fn accept(
    name: &str,
    mut data: Map<String, Value>,
) -> Result<Map<String, Value>, Vec<FieldError>> {
    data.retain(|name, _| !private(name));
    drop_nulls(&mut data);
    CATALOGUE.shapes.fill(name, &mut data);
    if name == "callflows"
        && let Some(flow) = data.get_mut("flow")
    {
        flow::fill(flow);
    }
    let value = Value::Object(data);
    let faults = whole(name, &value, Strictness::Api);
    match value {
        Value::Object(data) if faults.is_empty() => Ok(data),
        _ => Err(faults
            .into_iter()
            .map(|fault| fault.field_error())
            .collect()),
    }
}
