//! Numbers of the world belong to one account each.

use std::collections::BTreeSet;

use crate::api::reply::{Refusal, unreadable};
use crate::api::request::Request;
use crate::api::settings::FreeNumbers;
use crate::routing::dialing;
use crate::routing::numbers::Normalizer;
use crate::store::StoreError;
use crate::types::AccountId;

/// Digits of the shortest number of the world that a `+` makes of dialled ones.
const DIGITS_MIN: usize = 8;

/// E.164 of what can be somebody's number in the world; None for extensions and codes.
pub(super) fn e164(normalizer: &Normalizer, text: &str) -> Option<String> {
    // As people write them: +1 (415) 555-0100.
    let plain: String = text.chars().filter(|c| !" ()-./".contains(*c)).collect();
    let number = normalizer.e164(&plain);
    let digits = number.strip_prefix('+')?;
    let is_number = digits.len() >= DIGITS_MIN && digits.bytes().all(|b| b.is_ascii_digit());
    is_number.then_some(number)
}

/// How numbers are written in the account of the path.
///
/// # Errors
/// The store.
pub(super) fn normalizer(asked: &Request) -> Result<Normalizer, Refusal> {
    let account = asked
        .context
        .store
        .account(&asked.owner())
        .map_err(unreadable)?;
    Ok(account.map_or_else(Normalizer::us, |account| dialing::normalizer(&account)))
}

/// The accounts that a number of the world belongs to. The number's own record decides; without one, whoever lists it in
/// trunks or callflows has it (trunkstore specification 1.2).
fn owners(asked: &Request, number: &str) -> Result<BTreeSet<AccountId>, StoreError> {
    let store = &asked.context.store;
    if let Some((owner, _)) = store.number(number)? {
        return Ok(BTreeSet::from([owner]));
    }
    let trunks = store.did(number)?.into_iter().map(|(account, ..)| account);
    Ok(trunks.chain(store.accounts_by_number(number)?).collect())
}

/// Whether the account in the path may use a number that is E.164 already.
///
/// # Errors
/// 403: it is another account's, or nobody's and not to be taken. Or the store.
pub(super) fn may_use(asked: &Request, number: &str) -> Result<(), Refusal> {
    let owners = owners(asked, number).map_err(unreadable)?;
    let free = owners.is_empty()
        && (asked.context.settings.free_numbers == FreeNumbers::Anyone || asked.is_superduper());
    if free || owners.contains(&asked.owner()) {
        return Ok(());
    }
    Err(Refusal::forbidden_because(format!(
        "unauthorized to use {number}"
    )))
}
