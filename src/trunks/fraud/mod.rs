//! The fraud guard: a stolen password or a hacked PBX calls the world at its account's expense
//! within minutes. Calls to carriers are watched for each account and for each device or server:
//! how many a minute, how many at once to costly classes of numbers, and to how many countries
//! that were never called before.
//!
//! What is unusual is first told, then let through only up to the limit, then barred for a while.
//! Calls to emergency numbers are not even looked at. The figures are generous: an account that
//! never comes near them never notices.

mod book;
mod countries;
mod rate;
mod settings;
mod subject;
#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::sync::watch;
use tokio::time::Instant;

use crate::types::{AccountId, CallId};

use book::Book;
pub use settings::Settings;

/// What is watched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Measure {
    CallsPerMinute,
    CostlyCalls,
    NewCountry,
}

impl Measure {
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Measure::CallsPerMinute => "calls_per_minute",
            Measure::CostlyCalls => "costly_calls",
            Measure::NewCountry => "new_country",
        }
    }
}

impl fmt::Display for Measure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What the guard does about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Measured {
    /// The call passes.
    Warned,
    /// This call is refused; others pass as far as the limit goes.
    Throttled,
    /// Every call is refused for a while.
    Blocked,
}

impl Measured {
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Measured::Warned => "warned",
            Measured::Throttled => "throttled",
            Measured::Blocked => "blocked",
        }
    }
}

/// One action of the guard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    pub action: Measured,
    pub measure: Measure,
    /// The device or server; None: the account as a whole.
    pub party: Option<String>,
    /// What was counted, this call included.
    pub value: u32,
    pub limit: u32,
}

/// A call to a carrier that wants to begin.
#[derive(Debug, Clone, Copy)]
pub struct Attempt<'a> {
    pub call: &'a CallId,
    pub account: &'a AccountId,
    /// The device or server that calls.
    pub party: Option<&'a str>,
    /// Class of the number: `emergency`, `international`, ...
    pub class: &'a str,
    /// The number, in E.164 as far as it is one.
    pub number: &'a str,
}

/// Why a call is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "the fraud guard {} {}: {} over the limit of {} ({})",
    .0.action.as_str(),
    .0.party.as_deref().unwrap_or("the account"),
    .0.value,
    .0.limit,
    .0.measure
)]
pub struct Suspicion(pub Notice);

/// The guard of the installation. Cheap to clone; all clones are one guard.
#[derive(Clone)]
pub struct Guard(Arc<Inner>);

struct Inner {
    settings: Settings,
    book: Mutex<Book>,
    /// Counts the countries that were called for the first time.
    learnt: watch::Sender<u64>,
}

/// Countries that an account, or one device or server of it, has called.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KnownCountries {
    pub account_id: AccountId,
    /// None: the account as a whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub party: Option<Box<str>>,
    /// Calling codes.
    pub countries: Vec<Box<str>>,
}

impl Guard {
    /// `now` is when the daemon started: for a while after it every country is new.
    #[must_use]
    pub fn new(settings: Settings, now: Instant) -> Self {
        Self(Arc::new(Inner {
            settings,
            book: Mutex::new(Book::new(now)),
            learnt: watch::Sender::new(0),
        }))
    }

    /// All known countries, in order of accounts, devices and servers.
    #[must_use]
    pub fn known(&self) -> Vec<KnownCountries> {
        self.book().known()
    }

    /// Counts changes of [`Guard::known`].
    #[must_use]
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.0.learnt.subscribe()
    }

    /// Takes in what was known before; `past` is for how long the guard had been learning then.
    pub fn recall(&self, known: &[KnownCountries], past: Duration) {
        self.book().recall(known, past);
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        // Nothing under the lock panics half-way through a change, so a poisoned book is whole.
        self.0.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets the call pass or refuses it; what the guard does is logged and counted.
    ///
    /// # Errors
    /// The call is refused.
    pub fn admit(&self, attempt: &Attempt<'_>, now: Instant) -> Result<Passed, Suspicion> {
        let (notices, verdict) = self.consider(attempt, now);
        notices.iter().for_each(|notice| tell(attempt, notice));
        match verdict {
            None => Ok(Passed {
                guard: self.clone(),
                account: attempt.account.clone(),
                party: attempt.party.map(str::to_owned),
                costly: self.is_costly(attempt.class),
            }),
            Some(notice) => Err(Suspicion(notice)),
        }
    }

    fn consider(&self, attempt: &Attempt<'_>, now: Instant) -> (Vec<Notice>, Option<Notice>) {
        let settings = &self.0.settings;
        if !settings.enabled || attempt.class == settings::EMERGENCY {
            return (Vec::new(), None);
        }
        let costly = self.is_costly(attempt.class);
        let (notices, verdict, learnt) = {
            let mut book = self.book();
            let before = book.learnt();
            let (notices, verdict) = book.consider(settings, attempt, costly, now);
            (notices, verdict, book.learnt() > before)
        };
        if learnt {
            self.0.learnt.send_modify(|count| *count += 1);
        }
        (notices, verdict)
    }

    /// What [`Guard::admit`] would say now; the call is not counted, and nothing is told.
    #[must_use]
    pub fn foresee(&self, attempt: &Attempt<'_>, now: Instant) -> Option<Suspicion> {
        let settings = &self.0.settings;
        if !settings.enabled || attempt.class == settings::EMERGENCY {
            return None;
        }
        let costly = self.is_costly(attempt.class);
        let found = self.book().foresee(settings, attempt, costly, now);
        found.map(Suspicion)
    }

    fn is_costly(&self, class: &str) -> bool {
        let settings = &self.0.settings;
        settings.enabled && settings.costly_classes.iter().any(|costly| costly == class)
    }
}

/// A call that was let through; it counts among those at once until this is dropped.
#[must_use]
pub struct Passed {
    guard: Guard,
    account: AccountId,
    party: Option<String>,
    costly: bool,
}

impl Drop for Passed {
    fn drop(&mut self) {
        if self.costly {
            self.guard
                .book()
                .less_costly(&self.account, self.party.as_deref());
        }
    }
}

fn tell(attempt: &Attempt<'_>, notice: &Notice) {
    metrics::counter!(
        "linefinder_fraud_actions_total",
        "action" => notice.action.as_str(),
        "measure" => notice.measure.as_str(),
    )
    .increment(1);
    tracing::warn!(
        call_id = %attempt.call,
        account_id = %attempt.account,
        action = notice.action.as_str(),
        measure = notice.measure.as_str(),
        party = notice.party,
        class = attempt.class,
        number = attempt.number,
        value = notice.value,
        limit = notice.limit,
        "fraud guard"
    );
}

/// How many new countries a call to this number would make.
#[cfg(test)]
pub(super) fn new_countries(guard: &Guard, number: &str) -> u32 {
    let attempt = Attempt {
        call: &CallId::new("probe").unwrap(),
        account: &AccountId::new("acme").unwrap(),
        party: None,
        class: "international",
        number,
    };
    let (notices, _) = guard.consider(&attempt, Instant::now());
    let new = notices.iter().filter(|n| n.measure == Measure::NewCountry);
    new.map(|notice| notice.value).max().unwrap_or(0)
}
