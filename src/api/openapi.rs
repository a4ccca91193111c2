//! The OpenAPI document: made of the routes and the schemas, so that it can't say anything else than they do.

use serde_json::{Map, Value, json};

use super::request::Verb;
use super::routes::{Access, Gives, On, Route, Routes, Takes};
use crate::documents::schema;

/// Where schemas lie within the document.
const COMPONENTS: &str = "#/components/schemas/";

/// The API as OpenAPI 3.1 describes it.
#[must_use]
pub fn document(routes: &Routes) -> Value {
    let mut paths = Map::new();
    for route in routes.iter() {
        // what is answered 501 is there for clients that ask, and not to be asked for
        if route.verbs.values().any(On::is_provided) {
            paths.insert(route.path.clone(), path(route, &links(routes, route)));
        }
    }
    paths.sort_keys();
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Linefinder",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "PUT creates and POST replaces; PATCH merges, and null removes. Data goes and comes in an envelope, \
                as the member data.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/v2"}],
        "security": [{"token": []}],
        "paths": paths,
        "components": {
            "securitySchemes": {
                "token": {
                    "type": "apiKey", "in": "header", "name": "X-Auth-Token",
                    "description": "From PUT /api_auth or PUT /user_auth.",
                },
            },
            "schemas": components(),
            "responses": {
                "error": {
                    "description": "Why nothing was done.",
                    "content": {"application/json": {"schema": {"$ref": format!("{COMPONENTS}error")}}},
                },
            },
        },
    })
}

/// The envelopes, and every schema by its name.
fn components() -> Map<String, Value> {
    let mut found = Map::new();
    found.insert("envelope".to_owned(), envelope());
    found.insert("error".to_owned(), error());
    for name in schema::names(true) {
        if let Some(mut served) = schema::served(name) {
            if let Some(members) = served.as_object_mut() {
                for own in ["id", "$id", "$schema"] {
                    members.shift_remove(own);
                }
            }
            refer(&mut served);
            found.insert(name.to_owned(), served);
        }
    }
    found.sort_keys();
    found
}

/// What every success has, the data aside.
fn envelope() -> Value {
    json!({
        "type": "object",
        "properties": {
            "status": {"const": "success"},
            "request_id": {"type": "string"},
            "auth_token": {"type": "string"},
            "revision": {"type": "string", "description": "Which state of the document this is."},
            "version": {"type": "string"},
            "node": {"type": "string"},
            "timestamp": {"type": "string"},
            "tokens": {"type": "object"},
            "page_size": {"type": "integer", "description": "Rows of this page."},
            "start_key": {"type": "string"},
            "next_start_key": {"type": "string", "description": "start_key of the next page; absent on the last one."},
            "warnings": warnings(),
        },
        "required": ["data", "status", "request_id", "node", "timestamp"],
    })
}

fn warnings() -> Value {
    json!({
        "description": "Members of the data that no schema knows and that are probably misspelt; they were kept.",
        "type": "array",
        "items": {
            "type": "object",
            "properties": {
                "field": {"type": "string", "description": "Dotted path, as it was sent."},
                "message": {"type": "string"},
                "nearest": {"type": "string", "description": "Dotted path of what was probably meant."},
            },
            "required": ["field", "message", "nearest"],
        },
    })
}

fn error() -> Value {
    json!({
        "type": "object",
        "properties": {
            "data": {
                "description": "Of a validation error: the fields, by dotted path, and the rules that each one breaks.",
                "type": ["object", "array"],
            },
            "status": {"enum": ["error", "fatal"]},
            "error": {"type": "string", "pattern": "^[45][0-9][0-9]$"},
            "message": {"type": "string"},
            "request_id": {"type": "string"},
            "node": {"type": "string"},
            "timestamp": {"type": "string"},
            "warnings": warnings(),
        },
        "required": ["data", "status", "error", "message", "request_id", "node", "timestamp"],
    })
}

/// Schemas refer to one another by name; here they lie elsewhere.
fn refer(schema: &mut Value) {
    match schema {
        Value::Object(members) => {
            if let Some(Value::String(name)) = members.get_mut("$ref")
                && !name.starts_with('#')
            {
                *name = format!("{COMPONENTS}{name}");
            }
            members.values_mut().for_each(refer);
        }
        Value::Array(items) => items.iter_mut().for_each(refer),
        _ => {}
    }
}

/// What can be done with what this route creates: the operations below it, each with the new id.
fn links(routes: &Routes, route: &Route) -> Map<String, Value> {
    let mut links = Map::new();
    for below in routes.iter() {
        let Some(rest) = below
            .path
            .strip_prefix(&route.path)
            .and_then(|rest| rest.strip_prefix("/{"))
        else {
            continue;
        };
        let Some((name, rest)) = rest.split_once('}').filter(|(_, rest)| !rest.contains('{'))
        else {
            continue;
        };
        let mut parameters = Map::new();
        let above = route.path.split('/');
        for known in above.filter_map(|part| part.strip_prefix('{')?.strip_suffix('}')) {
            parameters.insert(known.to_owned(), format!("$request.path.{known}").into());
        }
        parameters.insert(name.to_owned(), "$response.body#/data/id".into());
        for (verb, _) in below.verbs.iter().filter(|(_, on)| on.is_provided()) {
            let told = json!({"operationId": operation_id(below, *verb), "parameters": parameters});
            let label = format!("{}{}", verb.as_str().to_lowercase(), rest.replace('/', "_"));
            links.insert(label, told);
        }
    }
    links
}

fn path(route: &Route, links: &Map<String, Value>) -> Value {
    let names = route
        .path
        .split('/')
        .filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
    let parameters: Vec<Value> = names.map(parameter).collect();
    let mut item = Map::new();
    if !parameters.is_empty() {
        item.insert("parameters".to_owned(), parameters.into());
    }
    for (verb, on) in route.verbs.iter().filter(|(_, on)| on.is_provided()) {
        let mut told = operation(route, *verb, on);
        if *verb == Verb::Put
            && matches!(on.gives, Gives::Item(_))
            && !links.is_empty()
            && let Some(Value::Object(created)) = told.pointer_mut("/responses/201")
        {
            created.insert("links".to_owned(), Value::Object(links.clone()));
        }
        item.insert(verb.as_str().to_lowercase(), told);
    }
    Value::Object(item)
}

fn parameter(name: &str) -> Value {
    let schema = match name {
        "account" => {
            json!({"type": "string", "minLength": 1, "description": "32 hexadecimal digits."})
        }
        _ => json!({"type": "string", "minLength": 1}),
    };
    json!({"name": name, "in": "path", "required": true, "schema": schema})
}

/// `get_accounts_account_devices`: a name for those who generate code.
fn operation_id(route: &Route, verb: Verb) -> String {
    let plain = route.path.replace(['{', '}'], "");
    let parts = plain.split('/').filter(|part| !part.is_empty());
    std::iter::once(verb.as_str().to_lowercase())
        .chain(parts.map(|part| part.replace('-', "_")))
        .collect::<Vec<_>>()
        .join("_")
}

fn operation(route: &Route, verb: Verb, on: &On) -> Value {
    let mut told = Map::new();
    told.insert("operationId".to_owned(), operation_id(route, verb).into());
    told.insert("summary".to_owned(), on.says.into());
    told.insert("tags".to_owned(), json!([tag(route)]));
    match on.access {
        Access::Open => {
            told.insert("security".to_owned(), json!([]));
        }
        Access::Token => {}
        Access::Admin => {
            told.insert(
                "description".to_owned(),
                "For admins of the account, and everybody from above it.".into(),
            );
        }
        Access::Superduper => {
            told.insert("description".to_owned(), "For the master account.".into());
        }
    }
    if on.gives == Gives::Rows && verb == Verb::Get {
        told.insert("parameters".to_owned(), paging());
    }
    if let Some(body) = body(on) {
        told.insert("requestBody".to_owned(), body);
    }
    told.insert("responses".to_owned(), responses(on));
    Value::Object(told)
}

/// The resource: the first segment behind the account.
fn tag(route: &Route) -> &str {
    let path = route
        .path
        .strip_prefix("/accounts/{account}/")
        .unwrap_or(&route.path);
    path.split('/')
        .find(|part| !part.is_empty())
        .unwrap_or("accounts")
}

fn paging() -> Value {
    let query = |name: &str, schema: Value, says: &str| json!({"name": name, "in": "query", "required": false, "schema": schema, "description": says});
    json!([
        query(
            "page_size",
            json!({"type": "integer", "minimum": 1, "maximum": 1000}),
            "Rows of a page; 50 without it."
        ),
        query(
            "start_key",
            json!({"type": "string"}),
            "The next_start_key of the page before."
        ),
        query(
            "paginate",
            json!({"type": "boolean"}),
            "false: everything at once."
        ),
        query(
            "ascending",
            json!({"type": "boolean"}),
            "true: the other order."
        ),
    ])
}

fn body(on: &On) -> Option<Value> {
    let (data, required) = match on.takes {
        Takes::Nothing => return None,
        Takes::Data(name) => (json!({"$ref": format!("{COMPONENTS}{name}")}), true),
        Takes::Anything => (json!({"type": "object"}), false),
        Takes::Upload => {
            let bytes = json!({"schema": {}});
            let content = json!({"audio/*": bytes, "video/*": bytes, "multipart/form-data": {"schema": {"type": "object"}}});
            return Some(json!({"required": true, "content": content}));
        }
    };
    let envelope = json!({"type": "object", "properties": {"data": data}, "required": ["data"]});
    Some(json!({"required": required, "content": {"application/json": {"schema": envelope}}}))
}

fn responses(on: &On) -> Value {
    let error = json!({"$ref": "#/components/responses/error"});
    let mut responses = Map::new();
    responses.insert(on.status.to_string(), success(on));
    if let Some(status) = on.also {
        responses.insert(status.to_string(), success(&On::plainly(on)));
    }
    responses.insert("default".to_owned(), error);
    Value::Object(responses)
}

fn success(on: &On) -> Value {
    let data = match on.gives {
        Gives::Bytes => {
            return json!({"description": "The bytes.", "content": {"*/*": {"schema": {}}}});
        }
        Gives::Anything => json!({}),
        Gives::Item(name) => json!({"$ref": format!("{COMPONENTS}{name}")}),
        Gives::Rows => json!({"type": "array"}),
    };
    let schema = json!({
        "allOf": [{"$ref": format!("{COMPONENTS}envelope")}],
        "properties": {"data": data},
    });
    let mut content = Map::new();
    content.insert("application/json".to_owned(), json!({"schema": schema}));
    if on.gives == Gives::Rows {
        content.insert("text/csv".to_owned(), json!({"schema": {"type": "string"}}));
    }
    json!({"description": "Done.", "content": content})
}
