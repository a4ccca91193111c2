//! Pages: so many rows from a key on, and the key at which the next page begins.

use std::num::IntErrorKind;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

use super::filter::Filters;
use crate::api::reply::{Outcome, Paging, Refusal, Reply, unreadable};
use crate::api::request::{Asked, Request};
use crate::store::{Rows, Store, Stored};

const ROWS: usize = 50;
const ROWS_MAX: usize = 1000;

/// Bytes of JSON that a listing without pages may come to.
const WHOLE_MAX: usize = 64 * 1024 * 1024;

/// A row as summaries are made of it.
pub struct Row<'a> {
    pub id: &'a str,
    pub stored: &'a Stored,
    pub body: &'a Map<String, Value>,
}

/// What part of a listing is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Wanted {
    /// None: everything.
    rows: Option<usize>,
    from: Option<Vec<u8>>,
    ascending: bool,
}

impl Wanted {
    fn of(request: &Request) -> Result<Wanted, Refusal> {
        let whole = request.flag("paginate") == Some(false);
        let rows = match request.option("page_size") {
            Some(text) if !whole => match text.parse::<usize>() {
                Ok(rows) if rows > 0 => Some(rows.min(ROWS_MAX)),
                // larger than any number that we hold
                Err(error) if *error.kind() == IntErrorKind::PosOverflow => Some(ROWS_MAX),
                _ => return Err(Refusal::faulty_request("invalid page size")),
            },
            _ => (!whole).then_some(ROWS),
        };
        // Clients that keep the key in a variable send it empty for the first page.
        let from = request.option("start_key");
        let from = from.filter(|text| !whole && !text.is_empty());
        Ok(Wanted {
            rows,
            from: from.map(|text| URL_SAFE_NO_PAD.decode(&text).unwrap_or(text.into_bytes())),
            ascending: request.flag("ascending") == Some(true)
                || request.flag("descending") == Some(false),
        })
    }
}

/// Answers with the rows that the query wants. `rows` begins to read at a sort key, in ascending order or the other;
/// `summary` makes a row of a document, or none of one that is not to be listed.
///
/// # Errors
/// A page size that is none, more than memory holds, the store.
pub async fn list<R, S>(asked: &Asked, rows: R, summary: S) -> Outcome
where
    R: for<'a> FnOnce(&'a Store, Option<&[u8]>, bool) -> Rows<'a> + Send + 'static,
    S: Fn(&Request, &Row<'_>) -> Result<Option<Value>, Refusal> + Send + 'static,
{
    let wanted = Wanted::of(asked)?;
    let asked = Asked::clone(asked);
    // The rows of a large account may take long to filter.
    let read = tokio::task::spawn_blocking(move || fill(&asked, wanted, rows, summary));
    match read.await {
        Ok(outcome) => outcome,
        Err(_) => Err(Refusal::unspecified_fault()),
    }
}

fn fill<R, S>(asked: &Request, wanted: Wanted, rows: R, summary: S) -> Outcome
where
    R: for<'a> FnOnce(&'a Store, Option<&[u8]>, bool) -> Rows<'a>,
    S: Fn(&Request, &Row<'_>) -> Result<Option<Value>, Refusal>,
{
    let filters = Filters::of(&asked.query);
    let mut found = Vec::new();
    let (mut first, mut next) = (None, None);
    let mut bytes = 0;
    for row in rows(
        &asked.context.store,
        wanted.from.as_deref(),
        wanted.ascending,
    ) {
        let (key, stored) = row.map_err(unreadable)?;
        let row = Row {
            id: stored.document.key.id.as_str(),
            body: &stored.document.body,
            stored: &stored,
        };
        if !filters.pass(row.id, row.body) {
            continue;
        }
        let Some(summary) = summary(asked, &row)? else {
            continue;
        };
        if wanted.rows == Some(found.len()) {
            next = Some(URL_SAFE_NO_PAD.encode(&key));
            break;
        }
        if found.is_empty() {
            first = Some(URL_SAFE_NO_PAD.encode(&key));
        }
        if wanted.rows.is_none() {
            bytes += weight(&summary);
            if bytes > WHOLE_MAX {
                let words = "too many rows for one answer; ask for pages";
                return Err(Refusal::range_not_satisfiable(words));
            }
        }
        found.push(summary);
    }
    let paging = wanted.rows.map(|_| Paging {
        rows: found.len(),
        start_key: first,
        next_start_key: next,
    });
    let mut reply = Reply::rows(found);
    reply.paging = paging;
    Ok(reply)
}

/// About how many bytes of JSON.
fn weight(value: &Value) -> usize {
    match value {
        Value::String(text) => text.len() + 3,
        Value::Array(list) => list.iter().map(weight).sum::<usize>() + 2,
        Value::Object(object) => {
            let members = object
                .iter()
                .map(|(name, value)| name.len() + 4 + weight(value));
            members.sum::<usize>() + 2
        }
        _ => 8,
    }
}
