//! Phone numbers: which account has which, and in which state.

use hyper::StatusCode;
use serde_json::{Map, Value, json};

use super::{flags, ownership};
use crate::api::listing::{Row, list};
use crate::api::reply::{Data, Outcome, Refusal, Reply, unreadable};
use crate::api::request::{Asked, Request};
use crate::api::resource::{Draft, Mode, StoredResource, fetch, insert, public, remove, save};
use crate::api::routes::{Access, Gives, On, Routes, Takes};
use crate::documents::DocumentType;
use crate::routing::numbers::Classifiers;
use crate::store::{StoreError, Stored};
use crate::types::DocumentId;

pub(super) const NUMBERS: StoredResource = StoredResource {
    normalise,
    rules,
    view,
    ..StoredResource::plain(DocumentType::Number, "phone_numbers")
};

/// The state of a number that nobody has put into service.
pub(super) const RESERVED: &str = "reserved";

/// Classes of numbers, as restrictions and carriers name them, with words for people.
const CLASSES: &[(&str, &str)] = &[
    ("tollfree_us", "US TollFree"),
    ("toll_us", "US Toll"),
    ("emergency", "Emergency Dispatcher"),
    ("caribbean", "Caribbean"),
    ("did_us", "US DID"),
    ("international", "International"),
];

pub(super) fn routes(routes: &mut Routes) {
    const ALL: &str = "/accounts/{account}/phone_numbers";
    const ITEM: &str = "/accounts/{account}/phone_numbers/{number}";
    routes.at("/phone_numbers").get(
        On::new("Search for numbers that can be had", |_| async {
            Ok(Reply::rows(Vec::new()))
        })
        .access(Access::Open)
        .gives(Gives::Rows),
    );
    routes
        .at(ALL)
        .get(On::new("List the account's numbers", all));
    let item = |on: On| on.gives(Gives::Item("phone_numbers"));
    NUMBERS.history_shown_of(routes, ITEM, "number", |asked| canonical(&asked));
    routes
        .at(ITEM)
        .get(item(On::new("Fetch a number", |asked| async move {
            let asked = canonical(&asked)?;
            fetch(&NUMBERS, &asked, "number")
        })))
        .put(
            item(On::new("Add a number to the account", create))
                .takes(Takes::Data("phone_numbers"))
                .status(201),
        )
        .post(item(
            On::new("Replace a number's settings", |asked| async move {
                save(&NUMBERS, canonical(&asked)?, Mode::Replace("number")).await
            })
            .takes(Takes::Data("phone_numbers")),
        ))
        .patch(item(
            On::new("Change some of a number's settings", |asked| async move {
                save(&NUMBERS, canonical(&asked)?, Mode::Patch("number")).await
            })
            .takes(Takes::Anything),
        ))
        .delete(item(On::new("Take a number from the account", delete)));
    let state = |says, state: &'static str| {
        let on = On::new(
            says,
            move |asked| async move { put_into(asked, state).await },
        );
        item(on).takes(Takes::Anything).status(201)
    };
    let paths = [
        (
            "/accounts/{account}/phone_numbers/{number}/activate",
            "Put a number into service",
            "in_service",
        ),
        (
            "/accounts/{account}/phone_numbers/{number}/reserve",
            "Reserve a number",
            RESERVED,
        ),
        (
            "/accounts/{account}/phone_numbers/{number}/port",
            "Have a number ported in",
            "port_in",
        ),
    ];
    for (path, says, to) in paths {
        routes.at(path).put(state(says, to));
    }
    routes
        .at("/accounts/{account}/phone_numbers/{number}/identify")
        .get(On::new("Whose number it is", |asked| async move {
            identify(&asked)
        }));
    let classes = || {
        On::new("List the classes of numbers", |_| async {
            Ok(Reply::ok(classes()))
        })
    };
    routes
        .at("/accounts/{account}/phone_numbers/classifiers")
        .get(classes());
    routes.at("/phone_numbers/classifiers").get(classes());
    let class = || {
        On::new(
            "The class of a number",
            |asked| async move { classify(&asked) },
        )
    };
    routes
        .at("/accounts/{account}/phone_numbers/classifiers/{number}")
        .get(class());
    routes
        .at("/phone_numbers/classifiers/{number}")
        .get(class());
}

/// The request with its number in E.164.
pub(super) fn canonical(asked: &Asked) -> Result<Asked, Refusal> {
    let number = asked.parameter("number");
    let normalizer = ownership::normalizer(asked)?;
    let e164 = ownership::e164(&normalizer, number);
    let e164 = e164.filter(|e164| DocumentId::new(e164).is_ok());
    let Some(e164) = e164 else {
        let data = json!({"message": "number is not reconcilable", "cause": number});
        return Err(Refusal::new(
            StatusCode::NOT_FOUND,
            "not_reconcilable",
            data,
        ));
    };
    let mut request = Request::clone(asked);
    for (name, value) in &mut request.parameters {
        if *name == "number" {
            value.clone_from(&e164);
        }
    }
    Ok(Asked::new(request))
}

/// What can't be written, but is posted back with the rest.
fn normalise(_: &Request, data: &mut Map<String, Value>) {
    for name in [
        "state",
        "features",
        "used_by",
        "created",
        "updated",
        "assigned_to",
    ] {
        data.shift_remove(name);
    }
}

/// A number's state changes by actions of its own.
fn rules(_: &Request, draft: &mut Draft) -> Result<(), Refusal> {
    let wanted = draft.body.shift_remove("create_with_state");
    let before = draft
        .before
        .as_ref()
        .and_then(|before| before.document.body.get("state").cloned());
    let new = wanted
        .filter(Value::is_string)
        .unwrap_or_else(|| RESERVED.into());
    draft.body.insert("state".to_owned(), before.unwrap_or(new));
    Ok(())
}

fn view(asked: &Request, stored: &Stored, shown: &mut Map<String, Value>) -> Result<(), Refusal> {
    let facts = Facts::of(asked, stored)?;
    let read_only =
        json!({"created": facts.created, "modified": facts.updated, "state": facts.state});
    shown.insert("state".to_owned(), facts.state);
    shown.insert("_read_only".to_owned(), read_only);
    if let Some(user) = facts.used_by {
        shown.insert("used_by".to_owned(), user.into());
    }
    Ok(())
}

/// What is known of a number beyond what its account says of it.
struct Facts {
    state: Value,
    /// Gregorian seconds.
    created: Value,
    updated: Value,
    used_by: Option<&'static str>,
}

impl Facts {
    fn of(asked: &Request, stored: &Stored) -> Result<Facts, Refusal> {
        let of = |name: &str| stored.document.body.get(name).cloned();
        let number = stored.document.key.id.as_str();
        Ok(Facts {
            state: of("state").unwrap_or_else(|| "in_service".into()),
            created: of("pvt_created").unwrap_or(json!(0)),
            updated: of("pvt_modified").unwrap_or(json!(0)),
            used_by: used_by(asked, number).map_err(unreadable)?,
        })
    }
}

/// The row of a listing.
fn row(asked: &Request, stored: &Stored) -> Result<Value, Refusal> {
    let facts = Facts::of(asked, stored)?;
    let features = stored
        .document
        .body
        .get("features")
        .filter(|features| features.is_array());
    let row = json!({
        "assigned_to": stored.document.key.account.as_str(),
        "created": facts.created,
        "updated": facts.updated,
        "state": facts.state,
        "features": features.unwrap_or(&json!([])),
    });
    let used_by = facts.used_by.map(Value::from);
    Ok(match used_by {
        Some(user) => flags::and(row, [("used_by", user)]),
        None => row,
    })
}

/// What of the account takes the number's calls.
fn used_by(asked: &Request, number: &str) -> Result<Option<&'static str>, StoreError> {
    let (store, owner) = (&asked.context.store, asked.owner());
    if !store.callflows_by_number(&owner, number)?.is_empty() {
        return Ok(Some("callflow"));
    }
    let trunks = store.did(number)?;
    let own = trunks.iter().any(|(account, ..)| *account == owner);
    Ok(own.then_some("trunkstore"))
}

async fn all(asked: Asked) -> Outcome {
    let owner = asked.owner();
    let summary = |asked: &Request, row: &Row<'_>| {
        let told = self::row(asked, row.stored)?;
        Ok(Some(json!({row.id: told})))
    };
    let rows = list(
        &asked,
        move |store, from, ascending| store.page(DocumentType::Number, &owner, from, ascending),
        summary,
    );
    let mut reply = rows.await?;
    let mut numbers = Map::new();
    if let Data::Rows(rows) = &mut reply.data {
        for row in std::mem::take(rows) {
            if let Value::Object(row) = row {
                numbers.extend(row);
            }
        }
    }
    reply.data = Data::Json(json!({"cascade_quantity": 0, "numbers": numbers}));
    Ok(reply)
}

/// A number that somebody has already, whoever that is.
fn exists(number: &str) -> Refusal {
    let message = format!("number {number} already exists");
    let data = json!({"cause": number, "code": 409, "error": "number_exists", "message": message});
    Refusal::new(StatusCode::CONFLICT, "number_exists", data)
}

fn stored(asked: &Request) -> Result<Option<Stored>, Refusal> {
    let key = asked.key(DocumentType::Number, asked.parameter("number"))?;
    asked.context.store.stored(&key).map_err(unreadable)
}

pub(super) async fn create(asked: Asked) -> Outcome {
    let asked = canonical(&asked)?;
    if stored(&asked)?.is_some() {
        return Err(exists(asked.parameter("number")));
    }
    let data = asked.data()?;
    add(&asked, data).await
}

async fn add(asked: &Asked, data: Map<String, Value>) -> Outcome {
    let number = asked.parameter("number");
    let store = &asked.context.store;
    let taken = store.number(number).map_err(unreadable)?;
    if taken.is_some_and(|(owner, _)| owner != asked.owner()) {
        return Err(exists(number));
    }
    ownership::may_use(asked, number)?;
    let draft = Draft {
        key: asked.key(DocumentType::Number, number)?,
        before: None,
        body: data,
        private: Map::new(),
        also: Vec::new(),
        faults: Vec::new(),
    };
    let location = format!("/v2/accounts/{}/phone_numbers/{number}", asked.owner());
    match insert(&NUMBERS, asked, draft, &location).await {
        Err(refusal) if refusal.status() == StatusCode::CONFLICT => Err(exists(number)),
        outcome => outcome,
    }
}

/// Brings a number, new to the account or not, into a state.
pub(super) async fn put_into(asked: Asked, state: &'static str) -> Outcome {
    let asked = canonical(&asked)?;
    let mut data = asked.data()?;
    let Some(before) = stored(&asked)? else {
        data.insert("create_with_state".to_owned(), state.into());
        return add(&asked, data).await;
    };
    let mut body = public(&before.document.body);
    body.extend(data);
    let private = before
        .document
        .body
        .iter()
        .filter(|(name, _)| name.starts_with("pvt_"));
    let private = private
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    let mut draft = Draft {
        key: before.document.key.clone(),
        before: Some(before),
        body,
        private,
        also: Vec::new(),
        faults: Vec::new(),
    };
    // the rules keep the state that was there before
    if let Some(before) = &mut draft.before {
        before
            .document
            .body
            .insert("state".to_owned(), state.into());
    }
    let mut reply = insert(&NUMBERS, &asked, draft, "").await?;
    reply.headers.clear();
    Ok(reply)
}

pub(super) async fn delete(asked: Asked) -> Outcome {
    let mut reply = remove(&NUMBERS, canonical(&asked)?, "number").await?;
    if let Data::Json(Value::Object(number)) = &mut reply.data {
        number.insert("state".to_owned(), "deleted".into());
    }
    Ok(reply)
}

fn identify(asked: &Asked) -> Outcome {
    let asked = canonical(asked)?;
    let number = asked.parameter("number");
    let found = stored(&asked)?.ok_or_else(|| Refusal::bad_identifier(number))?;
    let state = Facts::of(&asked, &found)?.state;
    Ok(Reply::ok(json!({
        "account_id": asked.owner().as_str(),
        "number": number,
        "state": state,
    })))
}

fn classes() -> Value {
    let known = Classifiers::us();
    let class = |(name, words): &(&str, &str)| {
        let told = json!({"friendly_name": words, "regex": known.pattern(name)?});
        Some(((*name).to_owned(), told))
    };
    Value::Object(CLASSES.iter().filter_map(class).collect())
}

fn classify(asked: &Asked) -> Outcome {
    let number = asked.parameter("number");
    let e164 = ownership::normalizer(asked)?.e164(number);
    let class = Classifiers::us().classify(&e164);
    let words = CLASSES
        .iter()
        .find(|(name, _)| *name == class)
        .map(|(_, words)| *words);
    Ok(Reply::ok(
        json!({"e164": e164, "name": class, "number": number, "friendly_name": words}),
    ))
}
