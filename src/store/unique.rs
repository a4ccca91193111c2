//! Refusing what would be there twice.

use super::change::Rules;
use super::error::{Clash, StoreError};
use super::index_keys::{self, ACCOUNT_USERNAME, REALM, REALM_USERNAME, SERVER_USER};
use super::indexes::{self, IndexEntry, Rivals, Unique};
use super::prepare::PreparedDocument;
use super::view::View;
use super::{keys, reads};
use crate::documents::{DocumentKey, DocumentType};

/// Clashes of one document that are told at once.
const TOLD: usize = 100;

/// Everything that clashes in the first document that clashes at all.
#[derive(Default)]
pub(super) struct Clashes {
    first: Option<StoreError>,
    also: Vec<Clash>,
}

impl Clashes {
    /// True when there is no clash.
    ///
    /// # Errors
    /// Anything but a clash.
    pub(super) fn gather(&mut self, checked: Result<(), StoreError>) -> Result<bool, StoreError> {
        let error = match checked {
            Ok(()) => return Ok(true),
            Err(error @ StoreError::Duplicate { .. }) => error,
            Err(error) => return Err(error),
        };
        let Some(StoreError::Duplicate {
            key: of,
            field: first,
            ..
        }) = &self.first
        else {
            self.first = Some(error);
            return Ok(false);
        };
        if let StoreError::Duplicate {
            key,
            field,
            value,
            owner,
            holder,
            ..
        } = error
            && key == *of
            && field != *first
            && self.also.len() < TOLD
            && self.also.iter().all(|known| known.field != field)
        {
            self.also.push(Clash {
                field,
                value,
                owner,
                holder,
            });
        }
        Ok(false)
    }

    /// # Errors
    /// The clashes, if there are any.
    pub(super) fn refuse(mut self) -> Result<(), StoreError> {
        if let Some(StoreError::Duplicate { also, .. }) = &mut self.first {
            *also = self.also.into();
        }
        self.first.map_or(Ok(()), Err)
    }
}

/// Refuses an entry that another document has, or that is too much like another's.
///
/// # Errors
/// [`StoreError::Duplicate`]; the disk.
pub(super) fn refuse_taken(
    view: &View<'_>,
    key: &DocumentKey,
    entry: &IndexEntry,
    rules: Rules,
) -> Result<(), StoreError> {
    let Some(unique) = entry.unique.as_deref() else {
        return Ok(());
    };
    let by_rule = match rules {
        Rules::Api => unique.api.as_slice(),
        Rules::Import => &[],
    };
    for rivals in unique.always.iter().chain(by_rule) {
        if let Some(rival) = rival_of(view, entry, rivals)? {
            return Err(duplicate(key, unique, rival));
        }
    }
    Ok(())
}

/// Key and payload of an index entry.
type Found = (Vec<u8>, Vec<u8>);

fn duplicate(key: &DocumentKey, unique: &Unique, rival: Found) -> StoreError {
    let holder = index_keys::document_of(&rival.0, &rival.1);
    StoreError::duplicate(key, unique.field.clone(), unique.value.clone(), holder)
}

fn rival_of(
    view: &View<'_>,
    entry: &IndexEntry,
    rivals: &Rivals,
) -> Result<Option<Found>, StoreError> {
    let (prefix, own) = match rivals {
        Rivals::At(at) => {
            let found = view.payload(at)?;
            let other = |payload: &Vec<u8>| *at != entry.key || *payload != entry.value;
            return Ok(found.filter(other).map(|payload| (at.clone(), payload)));
        }
        Rivals::Under(prefix) => (prefix, None),
        Rivals::Outside { prefix, own } => (prefix, Some(own)),
    };
    for other in view.keys(prefix) {
        let other = other?;
        let mine = own.is_some_and(|own| other.starts_with(own));
        if other != entry.key && !mine {
            return Ok(Some((other, Vec::new())));
        }
    }
    Ok(None)
}

/// `username@realm` of a device that names its realm may be the address of one, or of a server, that takes it from its account; they are filed apart.
///
/// # Errors
/// [`StoreError::Duplicate`]; the disk.
pub(super) fn refuse_same_address(
    view: &View<'_>,
    key: &DocumentKey,
    document: &PreparedDocument,
    entry: &IndexEntry,
    rules: Rules,
) -> Result<(), StoreError> {
    let mut parts = index_keys::parts(&entry.key);
    let (first, second) = (parts.next(), parts.next());
    let (first, username) = (first.unwrap_or_default(), second.unwrap_or_default());
    let tag = entry.key.first().copied().unwrap_or_default();
    let rival = match tag {
        ACCOUNT_USERNAME => device_abroad(view, key, username)?,
        SERVER_USER if rules == Rules::Api => device_abroad(view, key, username)?,
        REALM_USERNAME => someone_at_home(view, first, username, rules)?,
        REALM => return refuse_realm(view, key, document, rules),
        _ => None,
    };
    match (rival, entry.unique.as_deref()) {
        (Some(rival), Some(unique)) if rival.1 != entry.value => Err(duplicate(key, unique, rival)),
        _ => Ok(()),
    }
}

/// A device that names the realm of this document's account and has the user name.
fn device_abroad(
    view: &View<'_>,
    key: &DocumentKey,
    username: &str,
) -> Result<Option<Found>, StoreError> {
    let Some(realm) = realm_of_account(view, key)? else {
        return Ok(None);
    };
    let at = index_keys::entry(REALM_USERNAME, &[&realm, username]);
    Ok(view.payload(&at)?.map(|payload| (at, payload)))
}

/// A device or a server of the account that has the realm.
fn someone_at_home(
    view: &View<'_>,
    realm: &str,
    username: &str,
    rules: Rules,
) -> Result<Option<Found>, StoreError> {
    let account = view.payload(&index_keys::entry(REALM, &[realm]))?;
    let Some((account, _)) = account.as_deref().and_then(keys::owner) else {
        return Ok(None);
    };
    let at = index_keys::entry(ACCOUNT_USERNAME, &[account.as_str(), username]);
    if let Some(payload) = view.payload(&at)? {
        return Ok(Some((at, payload)));
    }
    if rules == Rules::Import {
        return Ok(None);
    }
    let servers = index_keys::under(SERVER_USER, &[account.as_str(), username]);
    let server = view.keys(&servers).next().transpose()?;
    Ok(server.map(|key| (key, Vec::new())))
}

/// An account that takes a realm makes all its user names addresses in it.
fn refuse_realm(
    view: &View<'_>,
    key: &DocumentKey,
    document: &PreparedDocument,
    rules: Rules,
) -> Result<(), StoreError> {
    let realm = document.realm.as_deref().unwrap_or_default();
    for taken in view.keys(&index_keys::under(REALM_USERNAME, &[realm])) {
        let taken = taken?;
        let username = index_keys::parts(&taken).next_back().unwrap_or_default();
        let own = index_keys::entry(ACCOUNT_USERNAME, &[key.account.as_str(), username]);
        let servers = index_keys::under(SERVER_USER, &[key.account.as_str(), username]);
        let clash = view.holds(&own)?
            || rules == Rules::Api && view.keys(&servers).next().transpose()?.is_some();
        if clash {
            let payload = view.payload(&taken)?.unwrap_or_default();
            let holder = index_keys::document_of(&taken, &payload);
            let value = format!("{username}@{realm}");
            return Err(StoreError::duplicate(key, "realm", value, holder));
        }
    }
    Ok(())
}

fn realm_of_account(view: &View<'_>, key: &DocumentKey) -> Result<Option<String>, StoreError> {
    let account = key.account.as_str();
    let stored = keys::document_parts(DocumentType::Account, account, account);
    let body = reads::body_in(view, &stored)?;
    Ok(body.and_then(|b| indexes::realm_of(DocumentType::Account, &b)))
}
