//! Failed logins in a row lock an account for an address, for a little longer each time (API specification 7).

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// Failures in a row that cost nothing.
const FREE: u32 = 4;
const FIRST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(60);

/// After so long without a failure, earlier ones are forgotten.
const FORGOTTEN_AFTER: Duration = Duration::from_secs(900);

/// Pairs kept.
const PAIRS_MAX: usize = 100_000;

/// An address, and what it tried to log in to: an account, or a name that is none.
type Pair = (IpAddr, String);

#[derive(Default)]
pub struct Lockout {
    failures: Mutex<HashMap<Pair, Failures>>,
}

struct Failures {
    count: u32,
    last: Instant,
    until: Instant,
}

impl Lockout {
    /// How long the pair has to wait still.
    #[must_use]
    pub fn remaining(&self, pair: &Pair, now: Instant) -> Option<Duration> {
        let failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        let until = failures.get(pair)?.until;
        let left = until.saturating_duration_since(now);
        (!left.is_zero()).then_some(left)
    }

    pub fn failed(&self, pair: Pair, now: Instant) {
        let mut failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        if failures.len() >= PAIRS_MAX {
            failures.retain(|_, known| now.saturating_duration_since(known.last) < LONGEST);
            if failures.len() >= PAIRS_MAX {
                failures.clear();
            }
        }
        let known = failures.entry(pair).or_insert(Failures {
            count: 0,
            last: now,
            until: now,
        });
        if now.saturating_duration_since(known.last) > FORGOTTEN_AFTER {
            known.count = 0;
        }
        known.count = known.count.saturating_add(1);
        known.last = now;
        if known.count > FREE {
            let doublings = (known.count - FREE - 1).min(10);
            known.until = now + (FIRST * 2_u32.pow(doublings)).min(LONGEST);
        }
    }

    pub fn succeeded(&self, pair: &Pair) {
        let mut failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        failures.remove(pair);
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    #[test]
    fn the_fifth_failure_locks_and_success_forgets() {
        let lockout = Lockout::default();
        let pair = || (IpAddr::V4(Ipv4Addr::LOCALHOST), "acme".to_owned());
        let start = Instant::now();
        for _ in 0..4 {
            lockout.failed(pair(), start);
            assert_eq!(lockout.remaining(&pair(), start), None);
        }
        let mut waits = Vec::new();
        for _ in 0..8 {
            lockout.failed(pair(), start);
            waits.push(lockout.remaining(&pair(), start).unwrap().as_secs());
        }
        assert_eq!(waits, [1, 2, 4, 8, 16, 32, 60, 60]);
        assert_eq!(lockout.remaining(&(pair().0, "other".into()), start), None);
        assert_eq!(lockout.remaining(&pair(), start + LONGEST), None);
        lockout.succeeded(&pair());
        lockout.failed(pair(), start);
        assert_eq!(lockout.remaining(&pair(), start), None);
    }

    #[test]
    fn old_failures_are_forgotten() {
        let lockout = Lockout::default();
        let pair = || (IpAddr::V4(Ipv4Addr::LOCALHOST), "acme".to_owned());
        let start = Instant::now();
        (0..4).for_each(|_| lockout.failed(pair(), start));
        let later = start + FORGOTTEN_AFTER + Duration::from_secs(1);
        lockout.failed(pair(), later);
        assert_eq!(lockout.remaining(&pair(), later), None);
    }
}
