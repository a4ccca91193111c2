//! `history`: who changed a document, when and what, and going back.

use serde_json::{Value, json};

use super::arguments::History;
use super::exit::{Exit, Failure, Outcome};
use super::output::{Output, visible};
use super::premises::Premises;
use crate::console::Desk;
use crate::documents::{DocumentKey, DocumentType};
use crate::store::{Author, DocumentChange, FieldChange, Store, Via};
use crate::types::{AccountId, DocumentId};

/// Characters of a value that are shown.
const VALUE_MAX: usize = 60;

pub fn history(on: &Premises, desk: &mut dyn Desk, asked: &History) -> Outcome {
    let store = &on.store;
    let key = key_of(store, asked)?;
    let mut out = Output::at(desk);
    if let Some(count) = asked.undo {
        let applied = store.revert_blocking(&key, count, Author::via(Via::Cli))?;
        let text = match applied.stored.first() {
            Some((_, now)) => format!(
                "{key} is as it was at {count}; that is revision {}",
                now.count
            ),
            None => format!("{key} is at revision {count} already"),
        };
        out.line(text)?;
        return Ok(out.finish()?);
    }
    let changes = store.document_changes(&key, asked.limit)?;
    if asked.of.json {
        let rows: Vec<Value> = changes.iter().map(as_json).collect();
        let text = serde_json::to_string_pretty(&rows)
            .map_err(|error| Failure::new(Exit::Software, error))?;
        out.line(text)?;
        return Ok(out.finish()?);
    }
    for change in &changes {
        out.line(visible(&headline(change)))?;
        for field in &change.fields {
            out.line(visible(&format!("      {}", difference(field))))?;
        }
    }
    if changes.is_empty() {
        out.line(format_args!(
            "{key} has no history: it was imported, and not changed since"
        ))?;
    }
    Ok(out.finish()?)
}

fn key(kind: DocumentType, account: AccountId, id: &DocumentId) -> DocumentKey {
    DocumentKey {
        kind,
        account,
        id: id.clone(),
    }
}

/// The document that is meant: in the account that was given, else in the only one that has such a document.
fn key_of(store: &Store, asked: &History) -> Result<DocumentKey, Failure> {
    if let Some(account) = &asked.account {
        return found(store, key(asked.kind, account.clone(), &asked.id));
    }
    if asked.kind == DocumentType::Account {
        let account = AccountId::new(asked.id.as_str());
        let account = account.map_err(|error| Failure::new(Exit::Usage, error))?;
        return found(store, key(asked.kind, account, &asked.id));
    }
    let mut holders = Vec::new();
    for account in store.scan(DocumentType::Account, None) {
        let key = key(asked.kind, account?.key.account, &asked.id);
        if store.revision(&key)?.is_some() {
            holders.push(key);
        }
    }
    let installation = key(asked.kind, AccountId::installation(), &asked.id);
    if store.revision(&installation)?.is_some() {
        holders.push(installation);
    }
    if holders.len() > 1 {
        let accounts: Vec<&str> = holders.iter().map(|key| key.account.as_str()).collect();
        let message = format!(
            "several accounts have a {} {}: choose one with --account ({})",
            asked.kind,
            asked.id,
            accounts.join(", ")
        );
        return Err(Failure::new(Exit::Usage, message));
    }
    holders.pop().ok_or_else(|| {
        let message = format!(
            "no account has a {} {}; if it was deleted, name its account with --account",
            asked.kind, asked.id
        );
        Failure::new(Exit::Data, message)
    })
}

fn found(store: &Store, key: DocumentKey) -> Result<DocumentKey, Failure> {
    if store.revision(&key)?.is_none() && store.history(&key, 1)?.is_empty() {
        let message = format!("there is no {key}, and no history of it");
        return Err(Failure::new(Exit::Data, message));
    }
    Ok(key)
}

fn time(at: i64) -> String {
    match jiff::Timestamp::from_second(at) {
        Ok(time) => time.to_string(),
        Err(_) => at.to_string(),
    }
}

fn who(author: Option<&Author>) -> String {
    let Some(author) = author else {
        return "by the daemon".to_owned();
    };
    let via = match author.via {
        Via::Api => "api",
        Via::Cli => "command line",
        Via::Daemon => "daemon",
        Via::Import => "import",
    };
    let mut text = format!("by {via}");
    if let Some(user) = &author.user {
        text.push_str(&format!(", user {user}"));
    }
    if let Some(account) = &author.account {
        text.push_str(&format!(", account {account}"));
    }
    if let Some(from) = author.from {
        text.push_str(&format!(", from {from}"));
    }
    if let Some(request) = &author.request_id {
        text.push_str(&format!(", request {request}"));
    }
    text
}

fn headline(change: &DocumentChange) -> String {
    let what = match change {
        change if change.deleted => "deleted",
        change if change.created => "created",
        _ => "changed",
    };
    let who = who(change.author.as_ref());
    format!(
        "{:>4}  {}  {what} {who}",
        change.revision.count,
        time(change.at)
    )
}

fn short(value: Option<&Value>) -> String {
    let Some(value) = value else {
        return "nothing".to_owned();
    };
    let text = value.to_string();
    match text.char_indices().nth(VALUE_MAX) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text,
    }
}

fn difference(field: &FieldChange) -> String {
    let (before, after) = (short(field.before.as_ref()), short(field.after.as_ref()));
    match before == after {
        true => format!("{}: changed", field.field),
        false => format!("{}: {before} -> {after}", field.field),
    }
}

fn as_json(change: &DocumentChange) -> Value {
    let fields = change
        .fields
        .iter()
        .map(|field| json!({"field": field.field, "before": field.before, "after": field.after}));
    json!({
        "revision": change.revision.count,
        "sequence": change.revision.sequence,
        "at": time(change.at),
        "author": change.author,
        "created": change.created,
        "deleted": change.deleted,
        "fields": fields.collect::<Vec<_>>(),
    })
}
