//! `/phone_numbers/collection`: the same for many numbers, with the outcome of each (API specification 4.7).

use futures_util::StreamExt as _;
use futures_util::stream;
use serde_json::{Map, Value, json};

use super::phone_numbers::{NUMBERS, RESERVED, canonical, create, delete, put_into};
use crate::api::reply::{Data, Outcome, Refusal, Reply};
use crate::api::request::{Asked, Envelope, Request};
use crate::api::resource::{Mode, save};
use crate::api::routes::{On, Routes, Takes};

/// Numbers of one request.
const NUMBERS_MAX: usize = 1000;

/// Numbers that are worked on at once; their writes share flushes.
const AT_ONCE: usize = 32;

/// What is done to each.
#[derive(Debug, Clone, Copy)]
enum Deed {
    Create,
    PutInto(&'static str),
    Replace,
    Patch,
    Delete,
}

pub(super) fn routes(routes: &mut Routes) {
    let on = |says, deed| {
        let on = On::new(says, move |asked| each(asked, deed));
        on.takes(Takes::Anything)
    };
    routes
        .at("/accounts/{account}/phone_numbers/collection")
        .put(on("Add many numbers to the account", Deed::Create).status(201))
        .post(on("Replace the settings of many numbers", Deed::Replace))
        .patch(on("Change some settings of many numbers", Deed::Patch))
        .delete(on("Take many numbers from the account", Deed::Delete));
    let states = [
        (
            "/accounts/{account}/phone_numbers/collection/activate",
            "Put many numbers into service",
            "in_service",
        ),
        (
            "/accounts/{account}/phone_numbers/collection/reserve",
            "Reserve many numbers",
            RESERVED,
        ),
    ];
    for (path, says, state) in states {
        routes
            .at(path)
            .put(on(says, Deed::PutInto(state)).status(201));
    }
}

/// `{"success": {"+1...": the number}, "error": {"+1...": {code, error, message}}}`; one that fails holds up no other.
async fn each(asked: Asked, deed: Deed) -> Outcome {
    let mut data = asked.data()?;
    let numbers = numbers(data.shift_remove("numbers"))?;
    let settings = Value::Object(data);
    let outcomes = numbers.into_iter().map(|number| {
        let (asked, settings) = (&asked, &settings);
        async move {
            let outcome = one(asked, deed, &number, settings).await;
            (number, outcome)
        }
    });
    let outcomes: Vec<(String, Outcome)> = stream::iter(outcomes).buffered(AT_ONCE).collect().await;
    let (mut success, mut error) = (Map::new(), Map::new());
    for (number, outcome) in outcomes {
        match outcome {
            Ok(reply) => {
                let Data::Json(told) = reply.data else {
                    continue;
                };
                let name = told.get("id").and_then(Value::as_str).unwrap_or(&number);
                success.insert(name.to_owned(), told);
            }
            Err(refusal) => {
                error.insert(number, failure(&refusal));
            }
        }
    }
    let mut reply = Reply::ok(json!({"success": success, "error": error}));
    if matches!(deed, Deed::Create | Deed::PutInto(_)) {
        reply.status = hyper::StatusCode::CREATED;
    }
    Ok(reply)
}

fn failure(refusal: &Refusal) -> Value {
    let data = refusal.data();
    let mut told = json!({
        "code": refusal.status().as_u16(),
        "error": refusal.message(),
        "message": data.get("message").unwrap_or(&json!(refusal.message())),
    });
    if let Some(told) = told.as_object_mut() {
        let more = ["cause"]
            .into_iter()
            .filter_map(|name| Some((name, data.get(name)?)));
        told.extend(more.map(|(name, value)| (name.to_owned(), value.clone())));
        if refusal.status() == hyper::StatusCode::BAD_REQUEST {
            told.insert("fields".to_owned(), data.clone());
        }
    }
    told
}

fn numbers(given: Option<Value>) -> Result<Vec<String>, Refusal> {
    let wrong = |code, message: String, target: Value| {
        let body = json!({"message": message, "target": target});
        Refusal::fault("numbers", code, body)
    };
    let list = match given {
        None | Some(Value::Null) => return Err(Refusal::required("numbers")),
        Some(Value::Array(list)) => list,
        Some(_) => {
            let message = "Value did not match type(s): array".to_owned();
            return Err(wrong("type", message, json!("array")));
        }
    };
    if list.is_empty() {
        let message = "The list must have at least 1 items".to_owned();
        return Err(wrong("minItems", message, json!(1)));
    }
    if list.len() > NUMBERS_MAX {
        let message = format!("The list is more than {NUMBERS_MAX} items");
        return Err(wrong("maxItems", message, json!(NUMBERS_MAX)));
    }
    let text = |(at, item): (usize, Value)| match item {
        Value::String(number) => Ok(number),
        other => {
            let message = "Value did not match type(s): string";
            let body = json!({"message": message, "target": "string", "value": other});
            Err(Refusal::fault(&format!("numbers.{at}"), "type", body))
        }
    };
    list.into_iter().enumerate().map(text).collect()
}

/// The same request for one number, with the settings as its data.
async fn one(asked: &Asked, deed: Deed, number: &str, settings: &Value) -> Outcome {
    let mut request = Request::clone(asked);
    request.parameters.push(("number", number.to_owned()));
    request.envelope = Envelope::of(json!({ "data": settings }))?;
    let asked = Asked::new(request);
    match deed {
        Deed::Create => create(asked).await,
        Deed::PutInto(state) => put_into(asked, state).await,
        Deed::Replace => save(&NUMBERS, canonical(&asked)?, Mode::Replace("number")).await,
        Deed::Patch => save(&NUMBERS, canonical(&asked)?, Mode::Patch("number")).await,
        Deed::Delete => delete(asked).await,
    }
}
