//! One unit: what is asked for, and the guard that holds it.

use std::fmt;

use super::Ledger;
use crate::types::{AccountId, CallId, NodeName};

/// Which trunks a unit is of, seen from the account: calls to it, or calls from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Direction {
    In,
    Out,
}

impl Direction {
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Direction::In => "in",
            Direction::Out => "out",
        }
    }
}

impl fmt::Display for Direction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A unit that is asked for.
#[derive(Debug, Clone, Copy)]
pub struct Claim<'a> {
    pub node: &'a NodeName,
    /// The caller's leg.
    pub call: &'a CallId,
    pub account: &'a AccountId,
    /// Counts the calls of its accounts, too.
    pub reseller: Option<&'a AccountId>,
    pub direction: Direction,
    /// The number that is called, for rules by number.
    pub number: &'a str,
    /// False for a call that takes no trunk (toll-free, exempt): it counts among the calls alone.
    pub counted: bool,
    /// It uses a carrier.
    pub consuming: bool,
}

impl<'a> Claim<'a> {
    /// The reseller, where it is somebody else.
    pub(super) fn reseller(&self) -> Option<&'a AccountId> {
        self.reseller.filter(|reseller| *reseller != self.account)
    }
}

/// Where a unit stands in the ledger.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Key {
    pub(super) call: CallId,
    pub(super) account: AccountId,
    pub(super) direction: Direction,
}

/// A unit's place and the turn in which it was taken: who takes it again takes it over.
#[derive(Debug, Clone)]
pub(super) struct Place {
    pub(super) key: Key,
    pub(super) turn: u64,
}

/// A unit in use. Dropped without a word it stays in use as long as its leg lives, which the
/// node's events and the reaper tell: a task that ends is no call that ends.
#[must_use]
pub struct Unit {
    ledger: Ledger,
    place: Place,
}

impl Unit {
    pub(super) fn new(ledger: Ledger, place: Place) -> Self {
        Self { ledger, place }
    }

    /// Gives it back: what it was taken for did not happen, or is over.
    pub fn release(self) {
        self.ledger.lock().release(&self.place);
    }
}

impl Drop for Unit {
    fn drop(&mut self) {
        self.ledger.lock().leave(&self.place);
    }
}

impl fmt::Debug for Unit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Unit").field(&self.place.key).finish()
    }
}
