//! `/recordings`: recorded calls, newest first, within a window of time (API specification 4.10).

use hyper::header::ACCEPT;
use serde_json::{Map, Value, json};

use super::attaching::detach;
use crate::api::files::Attachment;
use crate::api::listing::{Row, list};
use crate::api::reply::{Outcome, Refusal};
use crate::api::request::{Asked, Request};
use crate::api::resource::{StoredResource, fetch, remove};
use crate::api::routes::{Gives, On, Routes};
use crate::api::{sound, time};
use crate::documents::DocumentType;
use crate::store::{Rows, Store, StoreError, Stored};
use crate::types::AccountId;

/// Seconds that a listing may span: 31 days.
const WINDOW_S: i64 = 31 * 24 * 3600;

const RECORDINGS: StoredResource = StoredResource {
    view: |_, stored, shown| {
        contents(&stored.document.body, shown);
        Ok(())
    },
    saved: detach,
    ..StoredResource::plain(DocumentType::Recording, "recordings")
};

const ITEM: &str = "/accounts/{account}/recordings/{recording}";

pub(super) fn routes(routes: &mut Routes) {
    routes.at("/accounts/{account}/recordings").get(
        On::new("Recordings within a window of time", |asked| async move {
            listed(asked, None).await
        })
        .gives(Gives::Rows),
    );
    routes
        .at("/accounts/{account}/users/{user}/recordings")
        .get(
            On::new("Recordings of a user", |asked| async move {
                let user = asked.document(DocumentType::User, "user")?;
                let user = user.document.key.id.as_str().to_owned();
                listed(asked, Some(user)).await
            })
            .gives(Gives::Rows),
        );
    routes
        .at(ITEM)
        .get(On::new("A recording, or its sound", one).gives(Gives::Bytes))
        .delete(On::new("Delete", |asked| async move {
            shaped(&asked)?;
            remove(&RECORDINGS, asked, "recording").await
        }));
}

/// What there is of it besides the document.
fn contents(body: &Map<String, Value>, shown: &mut Map<String, Value>) {
    let kinds: Vec<String> = Attachment::of(body)
        .map(|attachment| attachment.content_type)
        .into_iter()
        .collect();
    shown.insert("_read_only".to_owned(), json!({"content_types": kinds}));
}

/// Ids look like `202601-<hex>`.
fn shaped(asked: &Request) -> Result<(), Refusal> {
    let id = asked.parameter("recording");
    let fits = id.split_once('-').is_some_and(|(month, rest)| {
        let hex = |c: char| c.is_ascii_hexdigit();
        let dated = month.len() == 6 && month.chars().all(|c| c.is_ascii_digit());
        dated && !rest.is_empty() && rest.chars().all(hex)
    });
    if fits {
        Ok(())
    } else {
        Err(Refusal::bad_identifier(id))
    }
}

/// Gregorian seconds, both included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Window {
    from: i64,
    to: i64,
}

impl Window {
    /// One end gives the other; none gives the last 31 days.
    fn of(from: Option<&str>, to: Option<&str>, now: i64) -> Result<Window, Refusal> {
        let to = bound("created_to", to)?.unwrap_or(now);
        let from = bound("created_from", from)?.unwrap_or(to.saturating_sub(WINDOW_S));
        let fault = |field: &str, message: String, cause: i64| {
            let body = json!({"message": message, "cause": cause});
            Err(Refusal::fault(field, "date_range", body))
        };
        if to < from {
            let message = format!("created_to {to} is prior to created_from {from}");
            return fault("created_from", message, from);
        }
        if to.saturating_sub(from) > WINDOW_S {
            let message =
                format!("created_to {to} is more than {WINDOW_S} seconds from created_from {from}");
            return fault("created_from", message, from);
        }
        Ok(Window { from, to })
    }

    fn holds(self, at: i64) -> bool {
        (self.from..=self.to).contains(&at)
    }
}

fn bound(field: &str, text: Option<&str>) -> Result<Option<i64>, Refusal> {
    let Some(text) = text.filter(|text| !text.is_empty()) else {
        return Ok(None);
    };
    match text.parse::<i64>() {
        Ok(at) if at >= 0 => Ok(Some(at)),
        _ => {
            let message = "Value did not match type(s): integer";
            let body = json!({"message": message, "target": "integer", "value": text});
            Err(Refusal::fault(field, "type", body))
        }
    }
}

/// When the recording began; lists are in order of it.
fn at(body: &Map<String, Value>) -> i64 {
    let seconds = |name: &str| body.get(name).and_then(Value::as_i64);
    seconds("start")
        .or_else(|| seconds("pvt_created"))
        .unwrap_or_default()
}

async fn listed(asked: Asked, user: Option<String>) -> Outcome {
    let named = |name: &str| asked.query.last(name);
    let window = Window::of(
        named("created_from"),
        named("created_to"),
        time::gregorian(),
    )?;
    let owner = asked.owner();
    // The bounds mean when the call was, and not when its document was written.
    let mut request = Request::clone(&asked);
    request.query = request.query.without(&["created_from", "created_to"]);
    let summary = move |_: &Request, row: &Row<'_>| {
        let theirs = row.body.get("owner_id").and_then(Value::as_str);
        if !window.holds(at(row.body)) || user.as_deref().is_some_and(|user| theirs != Some(user)) {
            return Ok(None);
        }
        let mut shown = crate::api::resource::public(row.body);
        shown.insert("id".to_owned(), row.id.into());
        contents(row.body, &mut shown);
        Ok(Some(Value::Object(shown)))
    };
    list(
        &Asked::new(request),
        move |store, from, ascending| within(store, &owner, window, from, ascending),
        summary,
    )
    .await
}

/// Reads no more than the window, however much there is beside it. Sort keys begin with the time in twelve digits.
fn within<'a>(
    store: &'a Store,
    owner: &AccountId,
    window: Window,
    from: Option<&[u8]>,
    ascending: bool,
) -> Rows<'a> {
    let edge = match ascending {
        true => format!("{:012}", window.from).into_bytes(),
        false => [format!("{:012}", window.to).as_bytes(), &[0xFF]].concat(),
    };
    let begin = match (from, ascending) {
        (None, _) => edge,
        (Some(from), true) => edge.max(from.to_vec()),
        (Some(from), false) => edge.min(from.to_vec()),
    };
    let inside = move |row: &Result<(Vec<u8>, Stored), StoreError>| match row {
        Ok((_, stored)) if ascending => at(&stored.document.body) <= window.to,
        Ok((_, stored)) => at(&stored.document.body) >= window.from,
        Err(_) => true,
    };
    let rows = store.page(DocumentType::Recording, owner, Some(&begin), ascending);
    Box::new(rows.take_while(inside))
}

async fn one(asked: Asked) -> Outcome {
    shaped(&asked)?;
    let accept = asked.option("accept");
    let header = asked
        .headers
        .get(ACCEPT)
        .and_then(|accept| accept.to_str().ok());
    if !wants_sound(accept.as_deref().or(header).unwrap_or_default()) {
        return fetch(&RECORDINGS, &asked, "recording");
    }
    let stored = asked.document(DocumentType::Recording, "recording")?;
    sound::told(&asked, &stored).await
}

/// Whether a sound is wanted more than JSON; of two that are wanted alike the first.
fn wants_sound(accept: &str) -> bool {
    let mut best: Option<(f32, bool)> = None;
    for range in accept.split(',') {
        let mut parts = range.split(';').map(str::trim);
        let kind = parts.next().unwrap_or_default().to_ascii_lowercase();
        let weight = parts
            .find_map(|part| part.strip_prefix("q=")?.parse::<f32>().ok())
            .unwrap_or(1.0);
        let sound = kind.starts_with("audio/")
            || kind.starts_with("video/")
            || kind == "application/octet-stream";
        if !kind.is_empty() && weight > 0.0 && best.is_none_or(|(most, _)| weight > most) {
            best = Some((weight, sound));
        }
    }
    best.is_some_and(|(_, sound)| sound)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows() {
        let of = |from, to| Window::of(from, to, 100_000_000).ok();
        let window = |from, to| Some(Window { from, to });
        assert_eq!(of(None, None), window(100_000_000 - WINDOW_S, 100_000_000));
        assert_eq!(
            of(None, Some("90000000")),
            window(90_000_000 - WINDOW_S, 90_000_000)
        );
        assert_eq!(of(Some("99999999"), None), window(99_999_999, 100_000_000));
        assert_eq!(of(Some("5"), Some("5")), window(5, 5));
        for (from, to) in [
            (Some("1"), None),
            (Some("6"), Some("5")),
            (Some("x"), None),
            (Some("-1"), Some("2")),
        ] {
            assert_eq!(of(from, to), None, "{from:?} {to:?}");
        }
    }

    #[test]
    fn what_is_accepted() {
        for sound in [
            "audio/mpeg",
            "audio/*",
            "audio/mpeg, */*;q=0.1",
            "application/octet-stream",
        ] {
            assert!(wants_sound(sound), "{sound}");
        }
        for json in [
            "",
            "*/*",
            "application/json",
            "application/json, audio/mpeg",
            "audio/mpeg;q=0",
            "*/*, audio/*;q=0.5",
        ] {
            assert!(!wants_sound(json), "{json}");
        }
    }

    #[test]
    fn a_window_is_read_and_no_more() {
        use crate::documents::{Document, DocumentKey};
        use crate::store::{Change, Rules, Write};
        use crate::types::DocumentId;

        let store = Store::temporary().unwrap();
        let owner = AccountId::new("acc").unwrap();
        let put = |kind, id: &str, body: Value| {
            let key = DocumentKey {
                kind,
                account: owner.clone(),
                id: DocumentId::new(id).unwrap(),
            };
            let Value::Object(body) = body else {
                panic!("an object")
            };
            let mut change = Change::from(Write::Put(Document { key, body }));
            change.rules = Rules::Import;
            store.apply_blocking(change).unwrap();
        };
        put(
            DocumentType::Account,
            "acc",
            json!({"name": "Acc", "realm": "acc.test"}),
        );
        for (id, start) in [
            ("202601-a", 10),
            ("202601-b", 20),
            ("202601-c", 20),
            ("202601-d", 30),
            ("202601-e", 40),
        ] {
            put(DocumentType::Recording, id, json!({"start": start}));
        }
        let read = |from, to, ascending| -> Vec<String> {
            let rows = within(&store, &owner, Window { from, to }, None, ascending);
            rows.map(|row| row.unwrap().1.document.key.id.to_string())
                .collect()
        };
        assert_eq!(read(20, 30, false), ["202601-d", "202601-c", "202601-b"]);
        assert_eq!(read(20, 30, true), ["202601-b", "202601-c", "202601-d"]);
        assert_eq!(read(41, 50, true), [""; 0]);
        assert_eq!(read(0, 9, false), [""; 0]);
        // On from a page's end, and not beyond the window if the key lies there.
        let keys: Vec<Vec<u8>> = within(&store, &owner, Window { from: 0, to: 99 }, None, false)
            .map(|row| row.unwrap().0)
            .collect();
        let on = within(
            &store,
            &owner,
            Window { from: 0, to: 99 },
            keys.get(3).map(Vec::as_slice),
            false,
        );
        assert_eq!(on.count(), 2);
        let on = within(
            &store,
            &owner,
            Window { from: 20, to: 20 },
            keys.first().map(Vec::as_slice),
            false,
        );
        assert_eq!(on.count(), 2);
    }
}
