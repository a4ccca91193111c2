//! Connectivity: the trunks of an account, listed by id alone.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::ownership;
use crate::api::reply::Refusal;
use crate::api::request::Request;
use crate::api::resource::{Draft, StoredResource};
use crate::api::routes::Routes;
use crate::documents::DocumentType;

const CONNECTIVITY: StoredResource = StoredResource {
    summary: |_, row| Ok(Some(row.id.into())),
    rules,
    ..StoredResource::plain(DocumentType::Connectivity, "connectivity")
};

pub(super) fn routes(routes: &mut Routes) {
    CONNECTIVITY.routes(
        routes,
        "/accounts/{account}/connectivity",
        "/accounts/{account}/connectivity/{connectivity}",
    );
}

fn rules(asked: &Request, draft: &mut Draft) -> Result<(), Refusal> {
    // Servers register in their account's realm and in no other, whatever is sent.
    let realm = asked.account()?.realm.clone();
    if let Some(Value::Object(account)) = draft.body.get_mut("account") {
        account.insert("auth_realm".to_owned(), json!(realm));
    }
    let normalizer = ownership::normalizer(asked)?;
    let servers = draft.body.get("servers").and_then(Value::as_array);
    let listed = servers
        .into_iter()
        .flatten()
        .filter_map(|server| server.get("DIDs")?.as_object());
    let numbers: BTreeSet<String> = listed
        .flat_map(|numbers| numbers.keys())
        .filter_map(|number| ownership::e164(&normalizer, number))
        .collect();
    for number in &numbers {
        ownership::may_use(asked, number)?;
    }
    Ok(())
}
