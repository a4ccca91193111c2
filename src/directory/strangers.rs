//! Addresses that ask for users who aren't there: scanners, and phones with a slip in their name. FreeSWITCH asks about
//! each of their tries (event socket specification 6.4); the answer is one look into an index, and the operator gets one
//! line for many.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Tries of one address within a [`WINDOW`] that are worth a line.
const TELLING: u32 = 20;

const WINDOW: Duration = Duration::from_secs(60);

/// Addresses that are counted at once: what an attacker can make us hold.
const ADDRESSES: usize = 4096;

#[derive(Debug, Default)]
pub(super) struct Strangers(Mutex<HashMap<Box<str>, Tries>>);

#[derive(Debug)]
struct Tries {
    since: Instant,
    count: u32,
}

impl Strangers {
    /// Counts a try; the number of tries when it is worth a line, once for each window.
    pub(super) fn tried(&self, address: &str, now: Instant) -> Option<u32> {
        let mut table = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let old = |tries: &Tries| now.duration_since(tries.since) >= WINDOW;
        if let Some(tries) = table.get_mut(address) {
            if old(tries) {
                *tries = Tries {
                    since: now,
                    count: 0,
                };
            }
            tries.count = tries.count.saturating_add(1);
            return (tries.count == TELLING).then_some(TELLING);
        }
        if table.len() >= ADDRESSES {
            table.retain(|_, tries| !old(tries));
        }
        if table.len() < ADDRESSES {
            let tries = Tries {
                since: now,
                count: 1,
            };
            table.insert(Box::from(address), tries);
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_tries_are_one_line_a_window() {
        let strangers = Strangers::default();
        let start = Instant::now();
        let told = |from: u64, to: u64| {
            let tries = from..to;
            tries
                .filter_map(|second| {
                    strangers.tried("127.0.0.66", start + Duration::from_secs(second))
                })
                .count()
        };
        for _ in 0..19 {
            assert_eq!(strangers.tried("127.0.0.66", start), None);
        }
        assert_eq!(strangers.tried("127.0.0.67", start), None);
        assert_eq!(strangers.tried("127.0.0.66", start), Some(20));
        assert_eq!(told(1, 50), 0);
        assert_eq!(told(60, 100), 1);
    }

    #[test]
    fn the_table_is_bounded() {
        let strangers = Strangers::default();
        let start = Instant::now();
        for number in 0..2 * ADDRESSES {
            strangers.tried(&number.to_string(), start);
        }
        assert_eq!(strangers.0.lock().unwrap().len(), ADDRESSES);
        strangers.tried("late", start + WINDOW);
        assert_eq!(strangers.0.lock().unwrap().len(), 1);
    }
}
