//! Voicemail boxes.

use serde_json::{Value, json};

use super::flags;
use crate::api::listing::Row;
use crate::api::reply::{Refusal, unreadable};
use crate::api::request::Request;
use crate::api::resource::StoredResource;
use crate::api::routes::Routes;
use crate::documents::DocumentType;

const VMBOXES: StoredResource = StoredResource {
    summary,
    ..StoredResource::plain(DocumentType::Vmbox, "vmboxes")
};

pub(super) fn routes(routes: &mut Routes) {
    VMBOXES.routes(
        routes,
        "/accounts/{account}/vmboxes",
        "/accounts/{account}/vmboxes/{vmbox}",
    );
}

fn summary(asked: &Request, row: &Row<'_>) -> Result<Option<Value>, Refusal> {
    let shown = flags::with(row, &["id", "name", "mailbox", "owner_id"]);
    let messages = json!(messages(asked, row.id)?);
    Ok(Some(flags::and(shown, [("messages", messages)])))
}

/// Messages of a box that are not deleted.
fn messages(asked: &Request, vmbox: &str) -> Result<usize, Refusal> {
    let count = asked.context.store.message_count(&asked.owner(), vmbox);
    count.map_err(unreadable)
}
