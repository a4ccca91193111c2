//! Whose a number is (trunkstore specification 1.2, 1.3).

use std::sync::{Arc, LazyLock};

use regex::Regex;

use super::settings::Settings;
use super::world::{Place, Unreadable, World};
use crate::documents::{Account, NumberRecord, NumberState};
use crate::routing::Explain;
use crate::routing::numbers::{Classifiers, Normalizer};
use crate::types::AccountId;

/// The application of numbers that PBXs take.
const TRUNKSTORE: &str = "trunkstore";

/// Numbers that no carrier can carry otherwise: extensions and feature codes fail this. It is
/// tested on the normalised number.
static RECONCILABLE: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r"^(\+?1)?[0-9]{10}$|^\+[2-9][0-9]{7,}$|^011[0-9]*$|^00[0-9]*$").ok()
});

/// Whether a normalised number may be sent to carriers as it is.
#[must_use]
pub fn is_reconcilable(number: &str) -> bool {
    RECONCILABLE.as_ref().is_some_and(|r| r.is_match(number))
}

/// The class of a normalised number.
#[must_use]
pub fn class(number: &str) -> &'static str {
    Classifiers::us().classify(number)
}

/// The user part of a URI without its parameters.
#[must_use]
pub fn without_parameters(user: &str) -> &str {
    user.split(';').next().unwrap_or_default().trim()
}

/// The normal form of a key of `DIDs`; None for keys that are no number.
#[must_use]
pub fn did(key: &str) -> Option<String> {
    let digits: String = key.chars().filter(|c| !c.is_whitespace()).collect();
    let bare = digits.strip_prefix('+').unwrap_or(&digits);
    let plain = !bare.is_empty() && bare.bytes().all(|b| b.is_ascii_digit());
    plain.then(|| Normalizer::us().e164(&digits))
}

/// A number that somebody here owns.
#[derive(Debug, Clone)]
pub struct Owned {
    pub account_id: AccountId,
    pub account: Arc<Account>,
    pub record: Option<Arc<NumberRecord>>,
    /// Servers of the owner that list it, in the order of the index.
    pub places: Vec<Place>,
}

impl Owned {
    /// No PBX takes its calls.
    #[must_use]
    pub fn is_elsewhere(&self) -> bool {
        let used_by = self.record.as_ref().and_then(|r| r.used_by.as_deref());
        self.places.is_empty() || used_by.is_some_and(|by| by != TRUNKSTORE)
    }

    /// Whether the number itself wants its calls to go over carriers.
    #[must_use]
    pub fn is_forced_out(&self, settings: &Settings) -> bool {
        let Some(record) = &self.record else {
            return settings.default_force_outbound;
        };
        let ported = match record.state {
            NumberState::PortIn => settings.force_port_in_outbound,
            NumberState::PortOut => settings.force_port_out_outbound,
            _ => false,
        };
        let own = record.force_outbound;
        ported || own.unwrap_or(settings.default_force_outbound)
    }
}

/// What is known of a number.
#[derive(Debug, Clone)]
pub enum Owner {
    /// Nobody's here, or out of service.
    Nobody,
    /// Its account is disabled, or has no document.
    Disabled(AccountId),
    Account(Owned),
}

impl Owner {
    /// The owner of a normalised number.
    ///
    /// # Errors
    /// The store can't be read.
    pub fn of(
        number: &str,
        world: &dyn World,
        explain: &mut dyn Explain,
    ) -> Result<Self, Unreadable> {
        let mut places = world.did(number)?;
        let (account_id, record) = match world.number(number)? {
            Some((account, _)) if account.is_installation() => {
                explain.note("number", format_args!("{number} is not assigned"));
                return Ok(Self::Nobody);
            }
            Some((account, record)) => (account, Some(record)),
            None => match places.first() {
                // Listed, and nobody has said otherwise: in service, and its document's.
                Some(place) => (place.account.clone(), None),
                None => {
                    explain.note("number", format_args!("{number} is nobody's here"));
                    return Ok(Self::Nobody);
                }
            },
        };
        if record.as_ref().is_some_and(|r| !r.state.is_served()) {
            explain.note("number", format_args!("{number} is not in service"));
            return Ok(Self::Nobody);
        }
        places.retain(|place| {
            let own = place.account == account_id;
            if !own {
                let (foreign, id) = (&place.account, &place.connectivity);
                tracing::warn!(number, account_id = %account_id, foreign_account = %foreign, connectivity = %id,
                    "a connectivity document lists a number of another account; its entry is ignored");
                explain.note("number", format_args!("{number} in {id} of {foreign} is ignored"));
            }
            own
        });
        explain.note("number", format_args!("{number} belongs to {account_id}"));
        Ok(match world.account(&account_id)? {
            Some(account) if account.is_enabled() => Self::Account(Owned {
                account_id,
                account,
                record,
                places,
            }),
            _ => {
                explain.note(
                    "number",
                    format_args!("the account {account_id} is disabled"),
                );
                Self::Disabled(account_id)
            }
        })
    }
}

/// Whether a number is in service with this account.
///
/// # Errors
/// The store can't be read.
pub fn is_of(number: &str, account: &AccountId, world: &dyn World) -> Result<bool, Unreadable> {
    if let Some((owner, record)) = world.number(number)? {
        return Ok(owner == *account && record.state.is_served());
    }
    let places = world.did(number)?;
    Ok(places
        .first()
        .is_some_and(|place| place.account == *account))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extensions_are_not_for_carriers() {
        for number in [
            "+12125551234",
            "2125551234",
            "+442071234567",
            "0119",
            "00",
            "1234567890",
        ] {
            assert!(is_reconcilable(number), "{number}");
        }
        for number in ["4567", "911", "+1212", "+0123456789", "5551234", "", "*98"] {
            assert!(!is_reconcilable(number), "{number}");
        }
    }

    #[test]
    fn keys_of_dids_are_normalised_or_refused() {
        for (key, number) in [
            ("2125551234", Some("+12125551234")),
            ("1 212 555 1234", Some("+12125551234")),
            ("+442071234567", Some("+442071234567")),
            ("", None),
            ("+", None),
            ("abc", None),
        ] {
            assert_eq!(did(key).as_deref(), number, "{key:?}");
        }
    }

    #[test]
    fn parameters_of_a_user_part_are_no_digits() {
        assert_eq!(
            without_parameters("+12125551234;npdi;rn=+1"),
            "+12125551234"
        );
    }
}
