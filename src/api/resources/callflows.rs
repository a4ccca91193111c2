//! Callflows: the numbers that lead to a flow, and the flow.

use serde_json::{Map, Value, json};

use super::{expressions, flags, metadata, ownership};
use crate::api::listing::Row;
use crate::api::reply::Refusal;
use crate::api::request::{Request, Verb};
use crate::api::resource::{Draft, StoredResource};
use crate::api::routes::Routes;
use crate::documents::DocumentType;
use crate::store::Stored;

const CALLFLOWS: StoredResource = StoredResource {
    summary,
    normalise,
    rules,
    view,
    ..StoredResource::plain(DocumentType::Callflow, "callflows")
};

pub(super) fn routes(routes: &mut Routes) {
    CALLFLOWS.routes(
        routes,
        "/accounts/{account}/callflows",
        "/accounts/{account}/callflows/{callflow}",
    );
}

fn summary(_: &Request, row: &Row<'_>) -> Result<Option<Value>, Refusal> {
    let fields = [
        "id", "name", "type", "numbers", "patterns", "owner_id", "group_id",
    ];
    let code = row.body.get("featurecode").filter(|code| code.is_object());
    let flow = row.body.get("flow").unwrap_or(&Value::Null);
    let more = [
        ("featurecode", code.cloned().unwrap_or(json!(false))),
        ("modules", metadata::modules(flow).into()),
    ];
    Ok(Some(flags::and(flags::with(row, &fields), more)))
}

/// `metadata` is worked out, and a client that posts back what it fetched sends it along.
fn normalise(asked: &Request, data: &mut Map<String, Value>) {
    data.shift_remove("metadata");
    let Some(numbers) = data.get_mut("numbers").and_then(Value::as_array_mut) else {
        return;
    };
    // a store that can't be read is told by the rules
    let Ok(normalizer) = ownership::normalizer(asked) else {
        return;
    };
    for number in numbers {
        let e164 = number
            .as_str()
            .and_then(|text| ownership::e164(&normalizer, text));
        if let Some(e164) = e164 {
            *number = e164.into();
        }
    }
}

fn rules(asked: &Request, draft: &mut Draft) -> Result<(), Refusal> {
    let empty = |field: &str| match draft.body.get(field) {
        None => true,
        Some(Value::Array(items)) => items.is_empty(),
        Some(_) => false,
    };
    if empty("numbers") && empty("patterns") {
        let message = "Callflows must be assigned at least one number or pattern";
        draft.fault("numbers", "required", message);
    }
    expressions::check(draft, "patterns");
    let numbers = draft.body.get("numbers").and_then(Value::as_array);
    let numbers = numbers.into_iter().flatten().filter_map(Value::as_str);
    for number in numbers.filter(|number| number.starts_with('+')) {
        ownership::may_use(asked, number)?;
    }
    Ok(())
}

/// One that is fetched tells of the documents that its flow names.
fn view(asked: &Request, stored: &Stored, shown: &mut Map<String, Value>) -> Result<(), Refusal> {
    if asked.verb == Verb::Get {
        let flow = stored.document.body.get("flow").unwrap_or(&Value::Null);
        shown.insert("metadata".to_owned(), metadata::of(asked, flow)?.into());
    }
    Ok(())
}
