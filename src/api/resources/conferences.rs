//! Conferences, and what is to happen in their rooms.

use serde_json::Value;

use super::flags;
use crate::api::reply::{Outcome, Refusal, Reply};
use crate::api::request::Asked;
use crate::api::resource::StoredResource;
use crate::api::routes::{On, Routes, Takes};
use crate::documents::DocumentType;

const CONFERENCES: StoredResource = StoredResource {
    summary: |_, row| {
        let fields = [
            "id",
            "name",
            "owner_id",
            "member",
            "moderator",
            "conference_numbers",
        ];
        Ok(Some(flags::with(row, &fields)))
    },
    ..StoredResource::plain(DocumentType::Conference, "conferences")
};

/// What can be done to a room.
const OF_ROOM: &[&str] = &["lock", "unlock", "play", "record", "dial"];

/// What can be done to those in it.
const OF_PARTICIPANTS: &[&str] = &["mute", "unmute", "deaf", "undeaf", "kick"];

pub(super) fn routes(routes: &mut Routes) {
    const ITEM: &str = "/accounts/{account}/conferences/{conference}";
    CONFERENCES.routes(routes, "/accounts/{account}/conferences", ITEM);
    let action = |says, known: &'static [&'static str]| {
        let on = On::new(says, move |asked| async move { act(&asked, known) });
        on.takes(Takes::Anything).status(202)
    };
    routes
        .at(ITEM)
        .put(action("Do something to the room", OF_ROOM));
    routes
        .at("/accounts/{account}/conferences/{conference}/participants")
        .put(action(
            "Do something to everybody in the room",
            OF_PARTICIPANTS,
        ));
    routes
        .at("/accounts/{account}/conferences/{conference}/participants/{participant}")
        .put(action(
            "Do something to somebody in the room",
            OF_PARTICIPANTS,
        ));
}

/// An empty room has nobody to do it to; that is no error, as for a phone that is not registered.
fn act(asked: &Asked, known: &[&str]) -> Outcome {
    asked.document(DocumentType::Conference, "conference")?;
    let data = asked.data()?;
    let within = data
        .get("action")
        .and_then(Value::as_str)
        .map(str::to_owned);
    let action = asked.option("action").or(within);
    let action = action.ok_or_else(|| Refusal::bad_request("action required"))?;
    if !known.contains(&action.as_str()) {
        return Err(Refusal::bad_request("invalid action"));
    }
    Ok(Reply::accepted(format!("{action} initiated")))
}
