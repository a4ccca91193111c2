//! Creating, replacing and patching, in the order of API specification 5.2.

use hyper::header::{IF_MATCH, LOCATION};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Map, Value};

use super::public::{private, storable};
use super::{Draft, Saved, StoredResource, matches, merged, public, revision, shown};
use crate::api::reply::{Audit, Outcome, Refusal, Reply, Warning, of_store, unreadable};
use crate::api::request::{Asked, Request};
use crate::api::time;
use crate::documents::{Document, DocumentKey, DocumentType, schema};
use crate::store::{Change, Clash, Expect, StoreError, Stored, Write};

/// How often a change is tried again because somebody else changed the document in between.
const TRIES: usize = 20;

/// Characters of an id that a client chooses.
const ID_MAX: usize = 64;

/// What is to become of what was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// All public fields of the document that this parameter names are replaced.
    Replace(&'static str),
    /// They are merged.
    Patch(&'static str),
}

/// PUT on a collection.
///
/// # Errors
/// What was sent is not fit to be stored, or the store.
pub async fn create(resource: &StoredResource, asked: Asked) -> Outcome {
    let data = asked.data()?;
    let id = chosen_id(&data)?;
    let key = asked.key(resource.kind, &id)?;
    if data.get("id").is_some_and(|id| !id.is_null()) {
        free(&asked, &key)?;
    }
    let draft = Draft {
        key,
        before: None,
        body: data,
        private: Map::new(),
        also: Vec::new(),
        faults: Vec::new(),
    };
    let location = location(&asked, &id);
    insert(resource, &asked, draft, &location).await
}

/// The same with a draft that is made already, and the path of what becomes of it.
///
/// # Errors
/// As [`create`].
pub async fn insert(
    resource: &StoredResource,
    asked: &Asked,
    draft: Draft,
    location: &str,
) -> Outcome {
    let reply = store(resource, asked, draft).await?;
    let mut reply = reply.with_header(LOCATION, location);
    reply.status = hyper::StatusCode::CREATED;
    Ok(reply)
}

/// POST and PATCH on an item.
///
/// # Errors
/// As [`create`], and when the document is not there or not in the state that the client wants to change.
pub async fn save(resource: &StoredResource, asked: Asked, mode: Mode) -> Outcome {
    let (Mode::Replace(parameter) | Mode::Patch(parameter)) = mode;
    let data = asked.data()?;
    for _ in 0..TRIES {
        let before = asked.document(resource.kind, parameter)?;
        let found = revision(&asked.context, &before.document.key, before.revision);
        if !matches(&asked.headers, &found) {
            return Err(Refusal::precondition_failed());
        }
        let body = match mode {
            Mode::Replace(_) => data.clone(),
            Mode::Patch(_) => merged(public(&before.document.body), data.clone()),
        };
        let draft = Draft {
            key: before.document.key.clone(),
            private: private(&before.document.body),
            body,
            before: Some(before),
            also: Vec::new(),
            faults: Vec::new(),
        };
        match store(resource, &asked, draft).await {
            Err(refusal) if refusal.status() == hyper::StatusCode::CONFLICT => {}
            outcome => return outcome,
        }
    }
    if asked.headers.contains_key(IF_MATCH) {
        return Err(Refusal::precondition_failed());
    }
    Err(Refusal::conflict())
}

/// Checks a draft and writes it; answers with the document as it is then.
pub(super) async fn store(resource: &StoredResource, asked: &Asked, mut draft: Draft) -> Outcome {
    draft.body.shift_remove("id");
    (resource.normalise)(asked, &mut draft.body);
    let sent = std::mem::take(&mut draft.body);
    let warnings = warnings(resource, &sent);
    match schema::accept(resource.schema, sent.clone()) {
        Ok(accepted) => draft.body = accepted,
        Err(faults) => {
            draft.faults = faults;
            draft.body = sent;
        }
    }
    (resource.rules)(asked, &mut draft)?;
    if !draft.faults.is_empty() {
        return Err(Refusal::invalid(draft.faults).with_warnings(warnings));
    }
    stamp(asked, &mut draft);
    let Draft {
        key,
        before,
        body,
        private,
        also,
        ..
    } = draft;
    let mut whole = storable(body);
    whole.extend(private);
    let document = Document {
        key: key.clone(),
        body: whole,
    };
    let expect = match &before {
        None => Expect::Absent,
        Some(before) => Expect::Revision(before.revision.sequence),
    };
    let mut writes = vec![Write::Put(document.clone())];
    writes.extend(also);
    let change = Change::from(writes)
        .by(asked.author())
        .expecting(key.clone(), expect);
    let applied = asked.context.store.apply(change).await;
    let applied = applied.map_err(|error| refused(asked, &document, error))?;
    let own = applied
        .stored
        .into_iter()
        .find(|(stored, _)| *stored == key);
    let Some((_, new)) = own else {
        return Err(Refusal::unspecified_fault());
    };
    let after = Stored {
        document,
        revision: new,
    };
    let mut reply = written(resource, asked, before.as_ref(), &after)?;
    reply.warnings = warnings;
    let saved = Saved {
        before,
        after: Some(after),
    };
    (resource.saved)(Asked::clone(asked), saved).await;
    Ok(reply)
}

/// Unknown members are kept (API specification 5.2), so a misspelt one is no error: but whoever sent it ought to know.
fn warnings(resource: &StoredResource, sent: &Map<String, Value>) -> Vec<Warning> {
    let found = schema::misspelt(resource.schema, sent).into_iter();
    found.map(Warning::from).collect()
}

fn written(
    resource: &StoredResource,
    asked: &Request,
    before: Option<&Stored>,
    after: &Stored,
) -> Outcome {
    let key = &after.document.key;
    let new = revision(&asked.context, key, after.revision);
    let mut reply = Reply::ok(shown(resource, asked, after)?).with_revision(new.clone());
    reply.audit = Audit {
        document: Some(key.to_string()),
        old: before.map(|before| revision(&asked.context, key, before.revision)),
        new: Some(new),
        ..Audit::default()
    };
    Ok(reply)
}

/// Who wrote it and when, in fields that no client sees.
fn stamp(asked: &Request, draft: &mut Draft) {
    let now = time::gregorian();
    let private = &mut draft.private;
    private.entry("pvt_created").or_insert_with(|| now.into());
    private.insert("pvt_modified".to_owned(), now.into());
    private.insert(
        "pvt_request_id".to_owned(),
        asked.request_id.as_str().into(),
    );
    if let Some(caller) = &asked.caller {
        let account = caller.account.id.as_str();
        private.insert("pvt_auth_account_id".to_owned(), account.into());
        match &caller.user {
            Some(user) => private.insert("pvt_auth_user_id".to_owned(), user.as_str().into()),
            None => private.shift_remove("pvt_auth_user_id"),
        };
    }
}

/// The store's refusal; a value that clashes is told as it was sent, and a callflow by its name.
fn refused(asked: &Request, document: &Document, error: StoreError) -> Refusal {
    let StoreError::Duplicate {
        key,
        field,
        value,
        owner,
        holder,
        also,
    } = error
    else {
        return of_store(document.key.kind, error);
    };
    let first = Clash {
        field,
        value,
        owner,
        holder,
    };
    let Clash {
        field,
        value,
        owner,
        holder,
    } = as_sent(asked, document, first);
    let also = also.into_vec().into_iter();
    let told = StoreError::Duplicate {
        key,
        field,
        value,
        owner,
        holder,
        also: also.map(|clash| as_sent(asked, document, clash)).collect(),
    };
    of_store(document.key.kind, told)
}

fn as_sent(asked: &Request, document: &Document, clash: Clash) -> Clash {
    let Clash {
        field,
        value,
        mut owner,
        holder,
    } = clash;
    let mut parts = field.split('.');
    let first = parts.next().and_then(|part| document.body.get(part));
    let sent = parts.fold(first, |found, part| match found? {
        Value::Array(list) => list.get(part.parse::<usize>().ok()?),
        other => other.get(part),
    });
    let value = sent.and_then(Value::as_str).map_or(value, str::to_owned);
    if let Some(holder) = &holder {
        owner = named(asked, holder).unwrap_or(owner);
    }
    Clash {
        field,
        value,
        owner,
        holder,
    }
}

/// `callflow <id> <name>`, for a holder within the caller's own account only.
fn named(asked: &Request, holder: &DocumentKey) -> Option<String> {
    let kind = holder.kind;
    if holder.account != asked.owner() {
        return Some(format!("another account's {kind}"));
    }
    let document = asked
        .context
        .store
        .document(holder)
        .map_err(unreadable)
        .ok()??;
    let name = document
        .body
        .get("name")
        .and_then(Value::as_str)
        .unwrap_or_default();
    Some(format!("{kind} {} {name}", holder.id).trim_end().to_owned())
}

/// The id that a client wants, or a new one of 128 random bits.
fn chosen_id(data: &Map<String, Value>) -> Result<String, Refusal> {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    match data.get("id") {
        None | Some(Value::Null) => fresh_id(),
        Some(Value::String(id))
            if !id.is_empty() && id.len() <= ID_MAX && id.chars().all(plain) =>
        {
            Ok(id.clone())
        }
        Some(other) => {
            let target = "^[A-Za-z0-9_-]{1,64}$";
            let message = format!("Failed to match pattern '{target}'");
            let body = serde_json::json!({"message": message, "target": target, "value": other});
            Err(Refusal::fault("id", "pattern", body))
        }
    }
}

/// An id that a client chooses names nothing else of the account yet: flows name documents by id alone.
fn free(asked: &Request, wanted: &DocumentKey) -> Result<(), Refusal> {
    for kind in DocumentType::ALL {
        let key = DocumentKey {
            kind: *kind,
            ..wanted.clone()
        };
        if asked
            .context
            .store
            .stored(&key)
            .map_err(unreadable)?
            .is_some()
        {
            return Err(Refusal::conflict());
        }
    }
    Ok(())
}

/// 32 hexadecimal digits.
///
/// # Errors
/// The system gives no random bytes.
pub fn fresh_id() -> Result<String, Refusal> {
    let bytes = crate::api::auth::random::<16>().map_err(|error| {
        tracing::error!(%error, "no id can be made");
        Refusal::unspecified_fault()
    })?;
    Ok(crate::api::auth::hex(&bytes))
}

/// What a path segment keeps as it is (RFC 3986, unreserved; and `+`, which means itself in a path).
const KEPT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~')
    .remove(b'+');

fn location(asked: &Request, id: &str) -> String {
    let mut location = "/v2".to_owned();
    for segment in asked.path.iter().map(String::as_str).chain([id]) {
        location.push('/');
        location.extend(utf8_percent_encode(segment, KEPT));
    }
    location
}
