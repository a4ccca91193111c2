//! The tree of accounts: who is below and above, moving, resellers.

use serde_json::{Map, Value, json};

use super::accounts::{account_key, shown_account};
use crate::api::auth::{self, AccountFacts, RESELLER, TREE};
use crate::api::listing::{Row, list};
use crate::api::reply::{Audit, Outcome, Refusal, Reply, of_store, unreadable};
use crate::api::request::{Asked, Request};
use crate::api::resource::{pick, revision};
use crate::api::routes::{Access, Gives, On, Routes, Takes};
use crate::documents::{Document, DocumentType};
use crate::store::{Change, Expect, StoreError, Stored, Tree, Write};
use crate::types::AccountId;

/// How often a change is tried again because somebody else changed the account in between.
const TRIES: usize = 20;

pub(super) fn routes(routes: &mut Routes) {
    let rows = |on: On| on.gives(Gives::Rows);
    routes
        .at("/accounts/{account}/children")
        .get(rows(On::new("Accounts right below", |asked| {
            below(asked, Tree::Children)
        })));
    routes
        .at("/accounts/{account}/descendants")
        .get(rows(On::new("Accounts below, all levels", |asked| {
            below(asked, Tree::Descendants)
        })));
    routes
        .at("/accounts/{account}/siblings")
        .get(rows(On::new("Accounts beside", siblings)));
    routes.at("/accounts/{account}/parents").get(rows(On::new(
        "Accounts above, from the caller's down",
        parents,
    )));
    routes.at("/accounts/{account}/tree").get(rows(On::new(
        "Accounts above, from the caller's down",
        parents,
    )));
    routes.at("/accounts/{account}/move").post(
        On::new("Put an account below another one", shift)
            .access(Access::Superduper)
            .takes(Takes::Anything),
    );
    routes
        .at("/accounts/{account}/reseller")
        .put(
            On::new("Make the account a reseller", |asked| reseller(asked, true))
                .access(Access::Superduper)
                .status(201),
        )
        .delete(
            On::new("The account is no reseller any more", |asked| {
                reseller(asked, false)
            })
            .access(Access::Superduper),
        );
}

async fn below(asked: Asked, tree: Tree) -> Outcome {
    let of = asked.account()?.id.clone();
    rows_below(&asked, of, tree, None).await
}

async fn siblings(asked: Asked) -> Outcome {
    let account = asked.account()?;
    let parent = account
        .tree
        .last()
        .cloned()
        .ok_or_else(Refusal::forbidden)?;
    let above = asked
        .context
        .account(&parent)?
        .ok_or_else(Refusal::forbidden)?;
    if !asked.caller()?.reaches(&above) {
        return Err(Refusal::forbidden());
    }
    let itself = account.id.clone();
    rows_below(&asked, parent, Tree::Children, Some(itself)).await
}

async fn rows_below(
    asked: &Asked,
    of: AccountId,
    tree: Tree,
    without: Option<AccountId>,
) -> Outcome {
    list(
        asked,
        move |store, from, ascending| store.accounts(tree, &of, from, ascending),
        move |request, row| {
            if without
                .as_ref()
                .is_some_and(|without| without.as_str() == row.id)
            {
                return Ok(None);
            }
            summary(request, row, tree).map(Some)
        },
    )
    .await
}

fn summary(request: &Request, row: &Row<'_>, tree: Tree) -> Result<Value, Refusal> {
    let mut summary = pick(row, &["id", "name", "realm"]);
    if let Value::Object(members) = &mut summary {
        match tree {
            Tree::Children => {
                let account = &row.stored.document.key.account;
                let count = request
                    .context
                    .store
                    .descendants_count(account)
                    .map_err(unreadable)?;
                members.insert("descendants_count".to_owned(), count.into());
            }
            Tree::Descendants => {
                let above = row.body.get(TREE).cloned().unwrap_or_else(|| json!([]));
                members.insert("tree".to_owned(), above);
            }
        }
        let flags = row.body.get("flags").cloned().unwrap_or_else(|| json!([]));
        members.insert("flags".to_owned(), flags);
    }
    Ok(summary)
}

/// Ancestors, topmost first, as far up as the caller reaches.
async fn parents(asked: Asked) -> Outcome {
    let caller = asked.caller()?;
    let mut rows = Vec::new();
    for id in &asked.account()?.tree {
        if let Some(above) = asked.context.account(id)?
            && caller.reaches(&above)
        {
            rows.push(json!({"id": above.id.as_str(), "name": above.name}));
        }
    }
    Ok(Reply::rows(rows))
}

async fn reseller(asked: Asked, is: bool) -> Outcome {
    let mut reply = change(&asked, |private| {
        if is {
            private.insert(RESELLER.to_owned(), true.into());
        } else {
            private.shift_remove(RESELLER);
        }
        Ok(())
    })
    .await?;
    if is {
        reply.status = hyper::StatusCode::CREATED;
    }
    Ok(reply)
}

/// Moves an account, and with it all that is below.
async fn shift(asked: Asked) -> Outcome {
    let data = asked.data()?;
    let Some(to) = data.get("to").and_then(Value::as_str) else {
        return Err(Refusal::required("to"));
    };
    let to = account_key(to)?.account;
    let to = asked
        .context
        .account(&to)?
        .ok_or_else(|| Refusal::bad_identifier(to.as_str()))?;
    let account = asked.account()?.clone();
    if account.superduper || to.is_within(&account.id) {
        let message = "An account can't be put below itself";
        let body = json!({"message": message, "cause": to.id.as_str()});
        return Err(Refusal::fault("to", "invalid", body));
    }
    for _ in 0..TRIES {
        let own = asked.document(DocumentType::Account, "account")?;
        let moved = moved(&asked, &account, &to, own)?;
        let mut change = Change::default().by(asked.author());
        for (document, before) in moved {
            let key = document.key.clone();
            change = change.expecting(key, Expect::Revision(before));
            change.writes.push(Write::Put(document));
        }
        match asked.context.store.apply(change).await {
            Ok(_) => {
                let stored = asked.document(DocumentType::Account, "account")?;
                return answer(&asked, &stored, None);
            }
            Err(StoreError::Conflict { .. }) => {}
            Err(error) => return Err(of_store(DocumentType::Account, error)),
        }
    }
    Err(Refusal::conflict())
}

/// The account and those below it with their new ancestors, and the state in which each was read.
fn moved(
    asked: &Request,
    account: &AccountFacts,
    to: &AccountFacts,
    own: Stored,
) -> Result<Vec<(Document, u64)>, Refusal> {
    let mut above = to.tree.clone();
    above.push(to.id.clone());
    let mut moved = Vec::new();
    let rows = asked
        .context
        .store
        .accounts(Tree::Descendants, &account.id, None, true);
    let below = rows.map(|row| row.map(|(_, stored)| stored).map_err(unreadable));
    for stored in std::iter::once(Ok(own)).chain(below) {
        let stored = stored?;
        let old = auth::tree(&stored.document.body);
        let kept = old.iter().skip_while(|id| **id != account.id);
        let tree: Vec<Value> = above
            .iter()
            .chain(kept)
            .map(|id| id.as_str().into())
            .collect();
        let mut document = stored.document;
        document.body.insert(TREE.to_owned(), tree.into());
        moved.push((document, stored.revision.sequence));
    }
    Ok(moved)
}

/// Changes private fields of the account in the path.
///
/// # Errors
/// Those of `edit`; the store.
pub(super) async fn change(
    asked: &Asked,
    edit: impl Fn(&mut Map<String, Value>) -> Result<(), Refusal>,
) -> Outcome {
    for _ in 0..TRIES {
        let before = asked.document(DocumentType::Account, "account")?;
        let mut document = before.document.clone();
        edit(&mut document.body)?;
        let key = document.key.clone();
        let change = Change::from(Write::Put(document))
            .by(asked.author())
            .expecting(key, Expect::Revision(before.revision.sequence));
        match asked.context.store.apply(change).await {
            Ok(_) => {
                let stored = asked.document(DocumentType::Account, "account")?;
                return answer(asked, &stored, Some(&before));
            }
            Err(StoreError::Conflict { .. }) => {}
            Err(error) => return Err(of_store(DocumentType::Account, error)),
        }
    }
    Err(Refusal::conflict())
}

fn answer(asked: &Request, stored: &Stored, before: Option<&Stored>) -> Outcome {
    let key = &stored.document.key;
    let new = revision(&asked.context, key, stored.revision);
    let mut reply = Reply::ok(shown_account(asked, stored)?).with_revision(new.clone());
    reply.audit = Audit {
        document: Some(key.to_string()),
        old: before.map(|before| revision(&asked.context, key, before.revision)),
        new: Some(new),
        ..Audit::default()
    };
    Ok(reply)
}
