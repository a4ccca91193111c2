//! A user's name and password on their way into the store: neither is kept in clear (API specification 4.2 and 7).

use serde_json::{Map, Value};

use crate::api::auth::{CREDENTIALS, credentials};
use crate::api::reply::Refusal;
use crate::api::request::Request;
use crate::api::resource::{Draft, fresh_id};

pub(super) fn normalise(data: &mut Map<String, Value>) {
    // Repeated for the eyes of whoever typed it.
    data.shift_remove("confirm_password");
    if let Some(Value::String(name)) = data.get_mut("username") {
        *name = name.trim().to_lowercase();
    }
    // An empty one is none.
    for name in ["username", "password"] {
        if data.get(name).and_then(Value::as_str) == Some("") {
            data.shift_remove(name);
        }
    }
}

/// A new name wants a password, as its digest covers both; a password without a name gets one.
pub(super) fn rules(request: &Request, draft: &mut Draft) -> Result<(), Refusal> {
    let password = match draft.body.shift_remove("password") {
        Some(Value::String(password)) => Some(password),
        _ => None,
    };
    let before = draft.text_before("username").map(str::to_lowercase);
    match (draft.text("username").map(str::to_owned), password) {
        (Some(name), Some(password)) => remember(request, draft, &name, &password),
        (None, Some(password)) if !draft.body.contains_key("username") => {
            let start: String = fresh_id()?.chars().take(12).collect();
            let name = format!("user_{start}");
            draft
                .body
                .insert("username".to_owned(), name.as_str().into());
            remember(request, draft, &name, &password);
        }
        // An undo brings the digests of then, which clients can't.
        (Some(_), None) if brings_credentials(draft) => {}
        (Some(name), None) if before.as_deref() != Some(name.as_str()) => {
            let message = "The password must be provided when creating / updating the user name";
            draft.fault("password", "required", message);
        }
        (Some(_), None) => {}
        (None, _) => {
            draft.private.shift_remove(CREDENTIALS);
        }
    }
    Ok(())
}

/// Whether digests come with the document that are not those of the one before.
fn brings_credentials(draft: &Draft) -> bool {
    let brought = draft.private.get(CREDENTIALS);
    let before = draft.before.as_ref();
    let before = before.and_then(|before| before.document.body.get(CREDENTIALS));
    let some = |kept: &Value| kept.as_array().is_some_and(|kept| !kept.is_empty());
    brought.is_some_and(some) && brought != before
}

fn remember(request: &Request, draft: &mut Draft, name: &str, password: &str) {
    // As it was typed: the Python SDK digests it so.
    let data = request.data().unwrap_or_default();
    let typed = data.get("username").and_then(Value::as_str).map(str::trim);
    let typed = typed
        .filter(|typed| typed.to_lowercase() == name)
        .unwrap_or(name);
    let kept = credentials(&request.context.secrets, typed, password);
    draft.private.insert(CREDENTIALS.to_owned(), kept.into());
}
