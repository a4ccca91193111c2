//! What an operator can set about the fraud guard: the `[fraud]` table.

use serde::{Deserialize, Serialize};

/// The class of numbers that the guard never touches.
pub(super) const EMERGENCY: &str = "emergency";

/// Limits for an account and for each of its devices and servers. 0 switches a limit off.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Settings {
    pub enabled: bool,
    /// Calls to carriers that an account may begin in a minute.
    pub account_calls_per_minute: u32,
    /// The same for one device or server.
    pub calls_per_minute: u32,
    /// Classes of numbers whose calls are worth a fraudster's while.
    pub costly_classes: Vec<String>,
    /// Calls to them at once, for an account.
    pub account_costly_calls: u32,
    /// The same for one device or server.
    pub costly_calls: u32,
    /// Countries that an account may call for the first time within an hour.
    pub account_new_countries: u32,
    /// The same for one device or server.
    pub new_countries: u32,
    /// Share of a limit from which on the log warns, percent.
    pub warn_percent: u32,
    /// Calls refused within ten minutes after which every call is.
    pub block_after: u32,
    /// Seconds that a block lasts.
    pub block_s: u32,
    /// Seconds after the start in which new countries are only noted: nothing is known of the past then.
    pub learn_s: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            enabled: true,
            account_calls_per_minute: 600,
            calls_per_minute: 120,
            costly_classes: ["international", "caribbean", "toll_us", "unknown"]
                .map(str::to_owned)
                .to_vec(),
            account_costly_calls: 60,
            costly_calls: 20,
            account_new_countries: 12,
            new_countries: 6,
            warn_percent: 80,
            block_after: 30,
            block_s: 900,
            learn_s: 3600,
        }
    }
}

/// The limits of one subject.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    pub(super) calls_per_minute: u32,
    pub(super) costly_calls: u32,
    pub(super) new_countries: u32,
}

impl Settings {
    pub(super) const fn of_account(&self) -> Limits {
        Limits {
            calls_per_minute: self.account_calls_per_minute,
            costly_calls: self.account_costly_calls,
            new_countries: self.account_new_countries,
        }
    }

    pub(super) const fn of_party(&self) -> Limits {
        Limits {
            calls_per_minute: self.calls_per_minute,
            costly_calls: self.costly_calls,
            new_countries: self.new_countries,
        }
    }

    /// From this value on the log warns.
    pub(super) fn warns_at(&self, limit: u32) -> u32 {
        let share = u64::from(limit) * u64::from(self.warn_percent.min(100));
        u32::try_from(share.div_ceil(100)).unwrap_or(limit).max(1)
    }
}
