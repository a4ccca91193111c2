//! `/users`: people, their logins, their devices (API specification 4.2).

use serde_json::{Map, Value, json};

use super::attaching::detach;
use super::devices;
use super::user_login;
use crate::api::listing::{Row, list};
use crate::api::reply::{Outcome, Refusal, Reply};
use crate::api::request::{Asked, Request};
use crate::api::resource::{StoredResource, pick};
use crate::api::routes::{Gives, On, Routes};
use crate::documents::DocumentType;
use crate::store::Stored;

pub(super) const USERS: StoredResource = StoredResource {
    summary: |_, row| Ok(Some(summary(row))),
    normalise: |_, data| user_login::normalise(data),
    rules: user_login::rules,
    view,
    // his picture
    saved: detach,
    ..StoredResource::plain(DocumentType::User, "users")
};

pub(super) fn routes(routes: &mut Routes) {
    USERS.routes(
        routes,
        "/accounts/{account}/users",
        "/accounts/{account}/users/{user}",
    );
    let rows =
        |says, on: fn(Asked) -> crate::api::routes::Answering| On::new(says, on).gives(Gives::Rows);
    routes
        .at("/accounts/{account}/users/{user}/devices")
        .get(rows(
            "Devices of a user: owned, or hotdesked into",
            |asked| Box::pin(owned(asked)),
        ));
    routes
        .at("/accounts/{account}/users/{user}/hotdesks")
        .get(rows("Devices that a user is hotdesked into", |asked| {
            Box::pin(hotdesks(asked))
        }));
    for path in [
        "/accounts/{account}/users/hotdesks",
        "/accounts/{account}/hotdesks",
    ] {
        routes.at(path).get(rows("All hotdesked devices", |asked| {
            Box::pin(hotdesks(asked))
        }));
    }
    routes
        .at("/accounts/{account}/devices/{device}/hotdesks")
        .get(rows("Users hotdesked into a device", |asked| {
            Box::pin(hotdesks(asked))
        }));
    routes
        .at("/accounts/{account}/users/{user}/vcard")
        .get(On::new("A user's business card", vcard).gives(Gives::Bytes));
}

fn summary(row: &Row<'_>) -> Value {
    let names = [
        "username",
        "email",
        "first_name",
        "last_name",
        "priv_level",
        "presence_id",
        "timezone",
        "flags",
    ];
    let mut summary = Map::new();
    summary.insert("id".to_owned(), row.id.into());
    summary.insert("features".to_owned(), features(row.body).into());
    if let Value::Object(picked) = pick(row, &names) {
        summary.extend(picked);
    }
    summary.entry("flags").or_insert(json!([]));
    Value::Object(summary)
}

/// What is switched on for a user, in words that clients know.
fn features(user: &Map<String, Value>) -> Vec<&'static str> {
    let at = |path: &[&str]| {
        let mut parts = path.iter();
        let first = parts.next().and_then(|part| user.get(*part));
        parts.fold(first, |found, part| found?.get(*part))
    };
    let on = |path: &[&str]| at(path).and_then(Value::as_bool) == Some(true);
    let set = |path: &[&str]| {
        at(path)
            .and_then(Value::as_str)
            .is_some_and(|text| !text.is_empty())
    };
    let features = [
        ("hotdesk", on(&["hotdesk", "enabled"])),
        ("call_forward", on(&["call_forward", "enabled"])),
        ("call_forward_failover", on(&["call_forward", "failover"])),
        ("caller_id", set(&["caller_id", "internal", "number"])),
        ("vm_to_email", on(&["vm_to_email_enabled"])),
        ("music_on_hold", set(&["music_on_hold", "media_id"])),
        ("do_not_disturb", on(&["do_not_disturb", "enabled"])),
    ];
    features
        .into_iter()
        .filter(|(_, on)| *on)
        .map(|(name, _)| name)
        .collect()
}

fn view(
    _request: &Request,
    _stored: &Stored,
    shown: &mut Map<String, Value>,
) -> Result<(), Refusal> {
    // Imported documents may have one in clear.
    for secret in ["password", "confirm_password"] {
        shown.shift_remove(secret);
    }
    Ok(())
}

/// Owned devices, and those that the user is hotdesked into; an owned one is listed once, as owned.
async fn owned(asked: Asked) -> Outcome {
    let user = asked
        .document(DocumentType::User, "user")?
        .document
        .key
        .id
        .to_string();
    let owner = asked.owner();
    list(
        &asked,
        move |store, from, ascending| store.page(DocumentType::Device, &owner, from, ascending),
        move |_, row| {
            let own = row.body.get("owner_id").and_then(Value::as_str) == Some(user.as_str());
            if !own && !hotdesked(row.body).any(|id| *id == user) {
                return Ok(None);
            }
            let mut summary = devices::summary(row);
            if let Value::Object(members) = &mut summary {
                members.shift_remove("username");
                members.shift_remove("flags");
                members.insert("hotdesked".to_owned(), (!own).into());
            }
            Ok(Some(summary))
        },
    )
    .await
}

fn hotdesked(device: &Map<String, Value>) -> impl Iterator<Item = &String> {
    let users = device
        .get("hotdesk")
        .and_then(|hotdesk| hotdesk.get("users"));
    users
        .and_then(Value::as_object)
        .into_iter()
        .flat_map(Map::keys)
}

/// A row for each user of each hotdesked device; of one user or one device where the path names it.
async fn hotdesks(asked: Asked) -> Outcome {
    for (kind, parameter) in [
        (DocumentType::User, "user"),
        (DocumentType::Device, "device"),
    ] {
        if !asked.parameter(parameter).is_empty() {
            asked.document(kind, parameter)?;
        }
    }
    let owner = asked.owner();
    let read = tokio::task::spawn_blocking(move || {
        let (user, device) = (asked.parameter("user"), asked.parameter("device"));
        let mut rows = Vec::new();
        for found in asked
            .context
            .store
            .page(DocumentType::Device, &owner, None, false)
        {
            let (_, stored) = found.map_err(crate::api::reply::unreadable)?;
            let (id, body) = (stored.document.key.id.as_str(), &stored.document.body);
            if !device.is_empty() && device != id {
                continue;
            }
            for of in hotdesked(body).filter(|of| user.is_empty() || *of == user) {
                let name = body.get("name").cloned().unwrap_or_default();
                rows.push(json!({"device_id": id, "device_name": name, "owner_id": of}));
            }
        }
        Ok(Reply::rows(rows))
    });
    read.await
        .unwrap_or_else(|_| Err(Refusal::unspecified_fault()))
}

/// RFC 2426, the version that phones and mail programs read.
async fn vcard(asked: Asked) -> Outcome {
    let user = asked.document(DocumentType::User, "user")?;
    let body = &user.document.body;
    let text = |path: &[&str]| {
        let mut parts = path.iter();
        let first = parts.next().and_then(|part| body.get(*part));
        parts
            .fold(first, |found, part| found?.get(*part))
            .and_then(Value::as_str)
            .unwrap_or_default()
    };
    let (first, last) = (text(&["first_name"]), text(&["last_name"]));
    let mut card = vec!["BEGIN:VCARD".to_owned(), "VERSION:3.0".to_owned()];
    card.push(format!("FN:{}", escaped(format!("{first} {last}").trim())));
    card.push(format!("N:{};{}", escaped(last), escaped(first)));
    card.push(format!("ORG:{}", escaped(&asked.account()?.name)));
    for (kind, number) in [
        ("work", text(&["caller_id", "external", "number"])),
        ("work", text(&["caller_id", "internal", "number"])),
    ] {
        if !number.is_empty() {
            card.push(format!("TEL;TYPE={kind}:{}", escaped(number)));
        }
    }
    if !text(&["email"]).is_empty() {
        card.push(format!("EMAIL:{}", escaped(text(&["email"]))));
    }
    card.push("END:VCARD\r\n".to_owned());
    Ok(Reply::bytes(
        "text/x-vcard; charset=utf-8",
        card.join("\r\n"),
    ))
}

fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\\' | ';' | ',' => escaped.extend(['\\', c]),
            '\n' => escaped.push_str("\\n"),
            c if c.is_control() => {}
            c => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn features_follow_the_document() {
        let user = json!({"vm_to_email_enabled": true, "hotdesk": {"enabled": false}, "call_forward": {"failover": true},
            "caller_id": {"internal": {"number": "1001"}}, "music_on_hold": {"media_id": ""}, "do_not_disturb": {"enabled": true}});
        assert_eq!(
            features(user.as_object().unwrap()),
            [
                "call_forward_failover",
                "caller_id",
                "vm_to_email",
                "do_not_disturb"
            ]
        );
    }

    #[test]
    fn a_card_is_not_broken_out_of() {
        assert_eq!(escaped("a;b,c\\d\r\nBEGIN:X"), "a\\;b\\,c\\\\d\\nBEGIN:X");
    }
}
