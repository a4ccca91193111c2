//! Which calls are alive, and who takes part in them: what call waiting asks.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::types::{AccountId, CallId, DocumentId};

/// Somebody who can be busy: a user on any device, or a device without owner.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Party {
    Owner(DocumentId),
    Device(DocumentId),
}

impl Party {
    /// Call waiting looks at the owner's calls on all devices; a device without owner stands
    /// for itself (device specification 7).
    #[must_use]
    pub fn of(device: &DocumentId, owner: Option<&DocumentId>) -> Self {
        match owner {
            Some(owner) => Party::Owner(owner.clone()),
            None => Party::Device(device.clone()),
        }
    }
}

type Seat = (AccountId, Party);

#[derive(Default)]
struct Table {
    calls: usize,
    /// Who is in which calls, and how many legs of each.
    seats: HashMap<Seat, HashMap<CallId, usize>>,
}

/// The live calls of this daemon. Cheap to clone; all clones are one table.
#[derive(Clone, Default)]
pub struct LiveCalls(Arc<Mutex<Table>>);

impl LiveCalls {
    /// Counts a call until the guard is dropped.
    #[must_use]
    pub fn enter(&self) -> LiveCall {
        self.table().calls += 1;
        LiveCall(self.clone())
    }

    /// How many calls are being handled.
    #[must_use]
    pub fn count(&self) -> usize {
        self.table().calls
    }

    /// The party takes part in a call until the guard is dropped.
    #[must_use]
    pub fn seat(&self, account: &AccountId, party: Party, call: &CallId) -> Seated {
        let seat = (account.clone(), party);
        let mut table = self.table();
        let calls = table.seats.entry(seat.clone()).or_default();
        *calls.entry(call.clone()).or_default() += 1;
        Seated {
            live: self.clone(),
            seat,
            call: call.clone(),
        }
    }

    /// The party is in a live call other than `except`.
    #[must_use]
    pub fn is_busy(&self, account: &AccountId, party: Party, except: &CallId) -> bool {
        let table = self.table();
        let calls = table.seats.get(&(account.clone(), party));
        calls.is_some_and(|calls| calls.keys().any(|call| call != except))
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        // Nothing can panic half-way through a change of the table, so a poisoned one is whole.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A call being handled; dropping it takes it off the table.
pub struct LiveCall(LiveCalls);

impl Drop for LiveCall {
    fn drop(&mut self) {
        let mut table = self.0.table();
        table.calls = table.calls.saturating_sub(1);
    }
}

/// A party's place in a call; dropping it frees the place.
pub struct Seated {
    live: LiveCalls,
    seat: Seat,
    call: CallId,
}

impl Drop for Seated {
    fn drop(&mut self) {
        let mut table = self.live.table();
        let Some(calls) = table.seats.get_mut(&self.seat) else {
            return;
        };
        if let Some(legs) = calls.get_mut(&self.call) {
            *legs -= 1;
            if *legs == 0 {
                calls.remove(&self.call);
            }
        }
        if calls.is_empty() {
            table.seats.remove(&self.seat);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids() -> (AccountId, DocumentId, CallId, CallId) {
        (
            AccountId::new("acc").unwrap(),
            DocumentId::new("alice").unwrap(),
            CallId::new("c1").unwrap(),
            CallId::new("c2").unwrap(),
        )
    }

    #[test]
    fn the_call_being_routed_does_not_count() {
        let (account, alice, one, two) = ids();
        let live = LiveCalls::default();
        let seat = live.seat(&account, Party::Owner(alice.clone()), &one);
        assert!(!live.is_busy(&account, Party::Owner(alice.clone()), &one));
        assert!(live.is_busy(&account, Party::Owner(alice.clone()), &two));
        assert!(!live.is_busy(&account, Party::Device(alice.clone()), &two));
        drop(seat);
        assert!(!live.is_busy(&account, Party::Owner(alice), &two));
        assert!(live.table().seats.is_empty());
    }

    #[test]
    fn two_legs_of_one_call_free_the_seat_with_the_second() {
        let (account, alice, one, two) = ids();
        let live = LiveCalls::default();
        let first = live.seat(&account, Party::Owner(alice.clone()), &one);
        let second = live.seat(&account, Party::Owner(alice.clone()), &one);
        drop(first);
        assert!(live.is_busy(&account, Party::Owner(alice.clone()), &two));
        drop(second);
        assert!(!live.is_busy(&account, Party::Owner(alice), &two));
    }

    #[test]
    fn calls_are_counted_while_they_live() {
        let live = LiveCalls::default();
        let guard = live.enter();
        assert_eq!(live.count(), 1);
        drop(guard);
        assert_eq!(live.count(), 0);
    }
}
