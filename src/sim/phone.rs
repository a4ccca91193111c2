//! Simulated phones: what happens when one is dialled.

use std::collections::{HashMap, VecDeque};
use std::sync::Mutex;
use std::time::Duration;

use super::lock::lock;
use super::sip::Refusal;

/// One step of a phone.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Step {
    Wait(Duration),
    /// 180.
    Ring,
    /// 183 with a session description.
    EarlyMedia,
    /// 200.
    Answer,
    Refuse(Refusal),
    /// BYE.
    HangUp,
    /// Digits typed during the call.
    Press(String),
}

/// How a phone behaves when it is dialled. Durations are those of life; a node's `speed` divides them.
///
/// ```
/// use std::time::Duration;
/// use linefinder::sim::PhoneScript;
///
/// let brisk = PhoneScript::answers_after(Duration::from_millis(300))
///     .then_hangs_up_after(Duration::from_secs(2));
/// let busy = PhoneScript::refuses(486);
/// ```
#[derive(Debug, Clone, Default, PartialEq)]
pub struct PhoneScript {
    steps: VecDeque<Step>,
}

impl PhoneScript {
    fn of(steps: impl IntoIterator<Item = Step>) -> PhoneScript {
        PhoneScript {
            steps: steps.into_iter().collect(),
        }
    }

    /// Rings, and answers after a while.
    #[must_use]
    pub fn answers_after(ring: Duration) -> PhoneScript {
        Self::of([Step::Ring, Step::Wait(ring), Step::Answer])
    }

    /// Rings for ever.
    #[must_use]
    pub fn rings() -> PhoneScript {
        Self::of([Step::Ring])
    }

    /// Never says anything: the network swallows the INVITE.
    #[must_use]
    pub fn is_silent() -> PhoneScript {
        Self::of([])
    }

    /// Rings, sends early media (183), and answers later.
    #[must_use]
    pub fn early_media_then_answers(media: Duration, answer: Duration) -> PhoneScript {
        Self::of([
            Step::Wait(media),
            Step::EarlyMedia,
            Step::Wait(answer),
            Step::Answer,
        ])
    }

    /// Sends early media (183) and refuses later: an announcement, then the cause.
    #[must_use]
    pub fn early_media_then_refuses(media: Duration, refuse: Duration, status: u16) -> PhoneScript {
        Self::of([
            Step::Wait(media),
            Step::EarlyMedia,
            Step::Wait(refuse),
            Step::Refuse(Refusal::status(status)),
        ])
    }

    /// Refuses at once with a SIP status.
    #[must_use]
    pub fn refuses(status: u16) -> PhoneScript {
        Self::of([Step::Refuse(Refusal::status(status))])
    }

    /// Nobody listens at the address any more: the network says so.
    #[must_use]
    pub fn is_unreachable() -> PhoneScript {
        Self::of([Step::Refuse(Refusal::unreachable())])
    }

    /// Rings, and refuses after a while (the user presses the red button: 603, or 486).
    #[must_use]
    pub fn refuses_after(ring: Duration, status: u16) -> PhoneScript {
        Self::of([
            Step::Ring,
            Step::Wait(ring),
            Step::Refuse(Refusal::status(status)),
        ])
    }

    /// Refuses with a SIP status and a Reason header whose Q.850 cause replaces the status's own (capture fact 37).
    #[must_use]
    pub fn refuses_for(status: u16, cause: crate::types::HangupCause) -> PhoneScript {
        Self::of([Step::Refuse(Refusal::with_cause(status, cause))])
    }

    /// After the answer: hangs up after a while.
    #[must_use]
    pub fn then_hangs_up_after(mut self, talk: Duration) -> PhoneScript {
        self.steps.extend([Step::Wait(talk), Step::HangUp]);
        self
    }

    /// After the answer: types digits after a while.
    #[must_use]
    pub fn then_presses(mut self, after: Duration, digits: &str) -> PhoneScript {
        self.steps
            .extend([Step::Wait(after), Step::Press(digits.to_owned())]);
        self
    }

    pub(super) fn into_steps(self) -> VecDeque<Step> {
        self.steps
    }
}

/// The phones of a node, by address.
#[derive(Default)]
pub(super) struct Phones {
    scripts: Mutex<HashMap<String, PhoneScript>>,
}

impl Phones {
    pub(super) fn put(&self, address: &str, script: PhoneScript) {
        lock(&self.scripts).insert(address.to_ascii_lowercase(), script);
    }

    pub(super) fn remove(&self, address: &str) {
        lock(&self.scripts).remove(&address.to_ascii_lowercase());
    }

    pub(super) fn knows(&self, address: &str) -> bool {
        lock(&self.scripts).contains_key(&address.to_ascii_lowercase())
    }

    /// The script for `user@host:port`: the address with its port, without it, or any user of the host.
    pub(super) fn find(&self, user: &str, host: &str) -> Option<PhoneScript> {
        let user = user.to_ascii_lowercase();
        let host = host.to_ascii_lowercase();
        let bare = host.rsplit_once(':').map_or(&*host, |(bare, _)| bare);
        let scripts = lock(&self.scripts);
        [
            format!("{user}@{host}"),
            format!("{user}@{bare}"),
            format!("@{host}"),
            format!("@{bare}"),
        ]
        .iter()
        .find_map(|address| scripts.get(address).cloned())
    }

    /// The script behind `sofia/gateway/NAME`.
    pub(super) fn gateway(&self, name: &str) -> Option<PhoneScript> {
        let key = format!("gateway/{}", name.to_ascii_lowercase());
        lock(&self.scripts).get(&key).cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_closest_address_wins() {
        let phones = Phones::default();
        phones.put("@carrier.test", PhoneScript::refuses(503));
        phones.put("1002@acme.test", PhoneScript::rings());
        phones.put("1002@127.0.0.1:5072", PhoneScript::is_silent());
        let found = |user, host| phones.find(user, host);
        assert_eq!(found("1002", "ACME.test:5060"), Some(PhoneScript::rings()));
        assert_eq!(
            found("1002", "127.0.0.1:5072"),
            Some(PhoneScript::is_silent())
        );
        assert_eq!(found("1002", "127.0.0.1:5073"), None);
        assert_eq!(
            found("+49", "carrier.test"),
            Some(PhoneScript::refuses(503))
        );
    }
}
