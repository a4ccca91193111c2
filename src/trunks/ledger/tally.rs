//! What one account uses.

use std::collections::HashMap;

use super::unit::{Claim, Direction};
use crate::types::CallId;

/// What is in use, as limits count it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    /// Units of calls to the account.
    pub inbound: u32,
    /// Units of calls from the account.
    pub outbound: u32,
    /// Calls, both legs of a bridge being one.
    pub calls: u32,
    /// Calls that use a carrier.
    pub consuming: u32,
    /// Calls to the number that is asked about.
    pub of_number: u32,
}

#[derive(Debug, Default)]
pub(super) struct Tally {
    inbound: u32,
    outbound: u32,
    /// Entries of each call; a call may have several.
    calls: HashMap<CallId, u32>,
    consuming: HashMap<CallId, u32>,
    numbers: HashMap<Box<str>, u32>,
}

/// The part of a unit that is counted.
pub(super) struct Counted<'a> {
    pub(super) call: &'a CallId,
    pub(super) direction: Direction,
    pub(super) number: &'a str,
    pub(super) counted: bool,
    pub(super) consuming: bool,
}

impl Tally {
    pub(super) fn add(&mut self, unit: &Counted<'_>) {
        if unit.counted {
            *self.of(unit.direction) += 1;
        }
        *self.calls.entry(unit.call.clone()).or_default() += 1;
        if unit.consuming {
            *self.consuming.entry(unit.call.clone()).or_default() += 1;
        }
        if unit.direction == Direction::In {
            *self.numbers.entry(Box::from(unit.number)).or_default() += 1;
        }
    }

    pub(super) fn remove(&mut self, unit: &Counted<'_>) {
        if unit.counted {
            let count = self.of(unit.direction);
            *count = count.saturating_sub(1);
        }
        less(&mut self.calls, unit.call);
        if unit.consuming {
            less(&mut self.consuming, unit.call);
        }
        if unit.direction == Direction::In {
            less(&mut self.numbers, unit.number);
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.calls.is_empty()
    }

    /// What everybody uses.
    pub(super) fn all(&self) -> Usage {
        Usage {
            inbound: self.inbound,
            outbound: self.outbound,
            calls: count(self.calls.len()),
            consuming: count(self.consuming.len()),
            of_number: 0,
        }
    }

    /// What the others use, seen by a call that asks for a unit.
    pub(super) fn others(&self, claim: &Claim<'_>) -> Usage {
        let except = |calls: &HashMap<CallId, u32>| {
            count(calls.len()) - u32::from(calls.contains_key(claim.call))
        };
        Usage {
            calls: except(&self.calls),
            consuming: except(&self.consuming),
            of_number: self.numbers.get(claim.number).copied().unwrap_or_default(),
            ..self.all()
        }
    }

    fn of(&mut self, direction: Direction) -> &mut u32 {
        match direction {
            Direction::In => &mut self.inbound,
            Direction::Out => &mut self.outbound,
        }
    }
}

fn count(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

fn less<K, Q>(counts: &mut HashMap<K, u32>, key: &Q)
where
    K: std::borrow::Borrow<Q> + Eq + std::hash::Hash,
    Q: Eq + std::hash::Hash + ?Sized,
{
    if let Some(left) = counts.get_mut(key) {
        *left = left.saturating_sub(1);
        if *left == 0 {
            counts.remove(key);
        }
    }
}
