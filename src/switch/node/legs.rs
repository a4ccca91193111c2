//! The legs that are driven over one node's connection, by their uuid.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::super::leg::{Full, LegState, Mailbox};
use crate::esl::Event;

/// A leg that the node has parked for us.
pub(super) struct ParkedLeg {
    pub(super) state: Arc<LegState>,
    pub(super) mailbox: Mailbox,
    /// The fallback timer that the handoff armed: with the uuid it names this handoff. A leg
    /// may be handed over more than once (esl spec 4.1).
    pub(super) timer: Box<str>,
    /// The claim has been asked for, so that the leg may have no fallback any more.
    pub(super) asked: AtomicBool,
}

/// What became of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Delivery {
    Delivered,
    /// No leg of ours.
    Nobody,
    /// The leg's mailbox was full; it is no longer ours. `asked`: its claim has been asked for,
    /// so that it may have no fallback any more.
    Overflowed {
        asked: bool,
    },
}

#[derive(Default)]
pub(super) struct Legs(Mutex<HashMap<Box<str>, Arc<ParkedLeg>>>);

impl Legs {
    fn lock(&self) -> MutexGuard<'_, HashMap<Box<str>, Arc<ParkedLeg>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn len(&self) -> usize {
        self.lock().len()
    }

    /// A place for a handoff; None if this very handoff has one. An earlier handoff of the same
    /// leg comes out: it is over.
    pub(super) fn enter(
        &self,
        uuid: &str,
        timer: &str,
    ) -> Option<(Arc<ParkedLeg>, Option<Arc<ParkedLeg>>)> {
        let mut legs = self.lock();
        if legs.get(uuid).is_some_and(|leg| *leg.timer == *timer) {
            return None;
        }
        let leg = Arc::new(ParkedLeg {
            state: Arc::new(LegState::new(uuid)),
            mailbox: Mailbox::default(),
            timer: Box::from(timer),
            asked: AtomicBool::new(false),
        });
        let earlier = legs.insert(Box::from(uuid), Arc::clone(&leg));
        Some((leg, earlier))
    }

    /// Takes the handoff out, unless its place belongs to a later one by now.
    pub(super) fn leave(&self, leg: &Arc<ParkedLeg>) {
        let uuid = leg.state.uuid();
        let mut legs = self.lock();
        if legs.get(&uuid).is_some_and(|held| Arc::ptr_eq(held, leg)) {
            legs.remove(&uuid);
        }
        if legs.is_empty() {
            *legs = HashMap::new();
        }
    }

    pub(super) fn holds(&self, uuid: &str) -> bool {
        self.lock().contains_key(uuid)
    }

    /// Puts the event into its leg's mailbox, in order.
    pub(super) fn deliver(&self, event: Event) -> Delivery {
        let Some(uuid) = event.unique_id().map(|uuid| Box::<str>::from(&*uuid)) else {
            return Delivery::Nobody;
        };
        let mut legs = self.lock();
        if event.name() == "CHANNEL_UUID" {
            rename(&mut legs, &event, &uuid);
        }
        let Some(leg) = legs.get(&uuid) else {
            return Delivery::Nobody;
        };
        match leg.mailbox.push(event) {
            Ok(()) => Delivery::Delivered,
            Err(Full) => {
                let full = legs.remove(&uuid);
                drop(legs);
                let mut asked = false;
                if let Some(leg) = full {
                    leg.state.lose(super::super::call::CallError::Overflow);
                    leg.state.finish();
                    asked = leg.asked.load(Ordering::Relaxed);
                }
                Delivery::Overflowed { asked }
            }
        }
    }

    /// Everything, taken out: the connection is gone.
    pub(super) fn take_all(&self) -> HashMap<Box<str>, Arc<ParkedLeg>> {
        std::mem::take(&mut *self.lock())
    }

    pub(super) fn all(&self) -> Vec<Arc<ParkedLeg>> {
        self.lock().values().cloned().collect()
    }
}

/// A leg may change its uuid after some attended transfers (esl spec 4.6).
fn rename(legs: &mut HashMap<Box<str>, Arc<ParkedLeg>>, event: &Event, uuid: &str) {
    let old = event.header("Old-Unique-ID");
    if let Some(leg) = old.and_then(|old| legs.remove(old.as_ref())) {
        legs.insert(Box::from(uuid), leg);
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::call::CallError;
    use super::*;

    fn event(name: &str, uuid: &str) -> Event {
        Event::from_headers([("Event-Name", name), ("Unique-ID", uuid)], None)
    }

    #[test]
    fn one_handoff_has_one_place() {
        let legs = Legs::default();
        let (first, _) = legs.enter("u", "1").unwrap();
        assert!(legs.enter("u", "1").is_none());
        let (second, earlier) = legs.enter("u", "2").unwrap();
        assert!(Arc::ptr_eq(&earlier.unwrap(), &first));
        // The end of the earlier handoff does not touch the later one.
        legs.leave(&first);
        assert!(legs.holds("u"));
        legs.leave(&second);
        assert!(!legs.holds("u"));
    }

    #[test]
    fn an_overflow_ends_one_call_and_no_other() {
        let legs = Legs::default();
        let (stuck, _) = legs.enter("stuck", "1").unwrap();
        let (well, _) = legs.enter("well", "2").unwrap();
        let mut last = Delivery::Delivered;
        let mut sent = 0;
        while last == Delivery::Delivered {
            last = legs.deliver(event("DTMF", "stuck"));
            sent += 1;
            assert!(sent < 10_000, "the mailbox has no bound");
        }
        assert_eq!(last, Delivery::Overflowed { asked: false });
        assert!(stuck.state.gone().is_cancelled());
        assert_eq!(stuck.state.refusal(), Some(CallError::Overflow));
        assert_eq!(legs.deliver(event("DTMF", "stuck")), Delivery::Nobody);
        assert_eq!(legs.deliver(event("DTMF", "well")), Delivery::Delivered);
        assert!(!well.state.gone().is_cancelled());
    }

    #[test]
    fn a_new_uuid_is_followed() {
        let legs = Legs::default();
        legs.enter("old", "1").unwrap();
        let renamed = Event::from_headers(
            [
                ("Event-Name", "CHANNEL_UUID"),
                ("Unique-ID", "new"),
                ("Old-Unique-ID", "old"),
            ],
            None,
        );
        assert_eq!(legs.deliver(renamed), Delivery::Delivered);
        assert_eq!(legs.deliver(event("DTMF", "new")), Delivery::Delivered);
        assert_eq!(legs.deliver(event("DTMF", "old")), Delivery::Nobody);
    }
}
