//! One call's events, in order, between the connection that reads them and the task that acts.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use tokio::sync::Notify;

use crate::esl::Event;

/// Events that may wait for one call. A call makes a few a second; this many waiting ones
/// mean that its task is stuck.
const CAPACITY: usize = 256;

/// The mailbox had no room for another event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Full;

/// Bounded, ordered, and empty of memory while nothing waits in it.
#[derive(Default)]
pub(crate) struct Mailbox {
    events: Mutex<VecDeque<Event>>,
    arrived: Notify,
}

impl Mailbox {
    /// Never waits: the reader of a node's connection has other calls to serve.
    pub(crate) fn push(&self, event: Event) -> Result<(), Full> {
        let mut events = self.events.lock().unwrap_or_else(PoisonError::into_inner);
        if events.len() >= CAPACITY {
            return Err(Full);
        }
        events.push_back(event);
        drop(events);
        self.arrived.notify_one();
        Ok(())
    }

    /// The oldest event. For one reader.
    pub(crate) async fn next(&self) -> Event {
        loop {
            if let Some(event) = self.pop() {
                return event;
            }
            self.arrived.notified().await;
        }
    }

    fn pop(&self) -> Option<Event> {
        let mut events = self.events.lock().unwrap_or_else(PoisonError::into_inner);
        let first = events.pop_front();
        if events.is_empty() {
            *events = VecDeque::new();
        }
        first
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbered(number: usize) -> Event {
        let text = number.to_string();
        Event::from_headers([("Event-Name", "DTMF"), ("Number", text.as_str())], None)
    }

    #[tokio::test]
    async fn keeps_order_and_refuses_what_does_not_fit() {
        let mailbox = Mailbox::default();
        for number in 0..CAPACITY {
            assert_eq!(mailbox.push(numbered(number)), Ok(()));
        }
        assert_eq!(mailbox.push(numbered(CAPACITY)), Err(Full));
        for number in 0..CAPACITY {
            let event = mailbox.next().await;
            assert_eq!(event.header("Number").unwrap(), number.to_string());
        }
        assert_eq!(mailbox.push(numbered(0)), Ok(()));
    }
}
