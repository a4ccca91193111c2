//! Schemas: what data must look like, and a check of data that is not to be stored.

use serde_json::Value;

use crate::api::reply::{Outcome, Refusal, Reply};
use crate::api::request::Asked;
use crate::api::routes::{Access, On, Routes, Takes};
use crate::documents::schema;

pub(super) fn routes(routes: &mut Routes) {
    let places = [
        [
            "/schemas",
            "/schemas/{schema}",
            "/schemas/{schema}/validation",
        ],
        [
            "/accounts/{account}/schemas",
            "/accounts/{account}/schemas/{schema}",
            "/accounts/{account}/schemas/{schema}/validation",
        ],
    ];
    for [all, one, validation] in places {
        routes.at(all).get(
            On::new("List the names of all schemas", |asked| async move {
                list(&asked)
            })
            .access(Access::Open),
        );
        routes.at(one).get(
            On::new("Fetch a schema", |asked| async move { fetch(&asked) }).access(Access::Open),
        );
        routes.at(validation).put(
            On::new("Check data against a schema", |asked| async move {
                validate(&asked)
            })
            .takes(Takes::Anything)
            .status(201),
        );
    }
}

fn list(asked: &Asked) -> Outcome {
    let internals = asked.flag("internals") == Some(true);
    let names = schema::names(internals).into_iter().map(Value::from);
    Ok(Reply::ok(names.collect::<Vec<Value>>()))
}

fn fetch(asked: &Asked) -> Outcome {
    let name = asked.parameter("schema");
    let served = schema::served(name).ok_or_else(|| Refusal::bad_identifier(name))?;
    Ok(Reply::ok(served))
}

/// The data as it would be stored; nothing is stored, and nothing else is looked at.
fn validate(asked: &Asked) -> Outcome {
    let name = asked.parameter("schema");
    if schema::served(name).is_none() {
        return Err(Refusal::bad_identifier(name));
    }
    let accepted = schema::accept(name, asked.data()?).map_err(Refusal::invalid)?;
    Ok(Reply::created(accepted))
}
