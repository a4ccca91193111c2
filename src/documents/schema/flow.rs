//! Trees of actions: the shape of their nodes, depth, size, and each known module's data.

use serde_json::{Map, Value};

use super::fault::Fault;
use super::{Strictness, against, catalogue};

/// Nodes from the root of a flow to its deepest leaf.
pub const FLOW_DEPTH_MAX: usize = 200;

/// A flow as JSON, in bytes.
pub const FLOW_BYTES_MAX: usize = 1 << 20;

/// Longest name of a module, in characters.
const MODULE_MAX: usize = 64;

fn below(path: &[String], key: &str) -> Vec<String> {
    path.iter().cloned().chain([key.to_owned()]).collect()
}

pub(super) fn faults(flow: &Value, at: Vec<String>, strictness: Strictness) -> Vec<Fault> {
    let size = serde_json::to_vec(flow).map_or(usize::MAX, |json| json.len());
    if size > FLOW_BYTES_MAX {
        let expected = format!("a flow of at most {FLOW_BYTES_MAX} bytes, this one has {size}");
        return vec![Fault::new(&at, "invalid", expected)];
    }
    let mut faults = Vec::new();
    // A stack of its own: a flow is as deep as its author likes.
    let mut nodes = vec![(flow, at, 1_usize)];
    while let Some((value, at, depth)) = nodes.pop() {
        if depth > FLOW_DEPTH_MAX {
            let expected = format!("a flow of at most {FLOW_DEPTH_MAX} nodes in depth");
            faults.push(Fault::new(&at, "invalid", expected));
            continue;
        }
        let Some(node) = value.as_object() else {
            let mut fault = Fault::wrong_type(&at, &["object"], value);
            fault.expected = "a node: an object with module, data, children".to_owned();
            faults.push(fault);
            continue;
        };
        // `{}` is a node too: reached, it stops the flow (callflow spec 1.4). The API wants it said.
        if !node.is_empty() || strictness == Strictness::Api {
            node_faults(node, value, &at, strictness, &mut faults);
        }
        if let Some(children) = node.get("children").and_then(Value::as_object) {
            let at = below(&at, "children");
            let children = children.iter().rev();
            nodes.extend(children.map(|(key, child)| (child, below(&at, key), depth + 1)));
        }
    }
    faults
}

fn node_faults(
    node: &Map<String, Value>,
    value: &Value,
    at: &[String],
    strictness: Strictness,
    faults: &mut Vec<Fault>,
) {
    let module = node.get("module");
    let expected = format!("the name of an action, 1 to {MODULE_MAX} characters");
    let path = below(at, "module");
    let length = module
        .and_then(Value::as_str)
        .map(|name| name.chars().count());
    let fault = match (module, length) {
        (None, _) => Some(Fault::missing(&path, value)),
        (Some(other), None) => Some(Fault::wrong_type(&path, &["string"], other)),
        (Some(given), Some(0)) => {
            let message = "String must be at least 1 characters";
            let fault = Fault::new(&path, "minLength", "").with("message", message);
            Some(
                fault
                    .with("target", 1)
                    .with("cause", given.clone())
                    .with("value", given.clone()),
            )
        }
        (Some(given), Some(length)) if length > MODULE_MAX => {
            let message = format!("String must not be more than {MODULE_MAX} characters");
            let fault = Fault::new(&path, "maxLength", "")
                .with("message", message)
                .with("target", MODULE_MAX);
            Some(
                fault
                    .with("cause", given.clone())
                    .with("value", given.clone()),
            )
        }
        _ => None,
    };
    faults.extend(fault.map(|fault| Fault { expected, ..fault }));
    for field in ["data", "children"] {
        if let Some(other) = node.get(field).filter(|v| !v.is_object()) {
            faults.push(Fault::wrong_type(&below(at, field), &["object"], other));
        }
    }
    let Some(module) = module.and_then(Value::as_str) else {
        return;
    };
    if catalogue::text(&format!("actions/{module}")).is_none() {
        return;
    }
    let nothing = Value::Object(Map::new());
    let data = node.get("data").unwrap_or(&nothing);
    if data.is_object() {
        let name = format!("callflows.{module}");
        faults.extend(against(&name, data, below(at, "data"), strictness));
    }
}

/// Goes through the `data` of all nodes: its module, itself, and its path. Nodes deeper than a flow may be are left out.
pub(super) fn each_data(
    flow: &Value,
    mut visit: impl FnMut(&str, &Map<String, Value>, Vec<String>),
) {
    let mut nodes = vec![(flow, vec!["flow".to_owned()], 1_usize)];
    while let Some((node, at, depth)) = nodes.pop() {
        let text = node.get("module").and_then(Value::as_str);
        let data = node.get("data").and_then(Value::as_object);
        if let (Some(module), Some(data)) = (text, data) {
            visit(module, data, below(&at, "data"));
        }
        if let Some(children) = node.get("children").and_then(Value::as_object)
            && depth < FLOW_DEPTH_MAX
        {
            let at = below(&at, "children");
            let children = children.iter().rev();
            nodes.extend(children.map(|(key, child)| (child, below(&at, key), depth + 1)));
        }
    }
}

/// Every node gets the `data` that it lacks.
pub(super) fn fill(flow: &mut Value) {
    let mut nodes = vec![flow];
    while let Some(node) = nodes.pop() {
        let Some(node) = node.as_object_mut() else {
            continue;
        };
        if !node.contains_key("data") {
            node.insert("data".to_owned(), Value::Object(Map::new()));
        }
        if let Some(Value::Object(children)) = node.get_mut("children") {
            nodes.extend(children.values_mut());
        }
    }
}
