//! Calls that a test, the demo or the load program places: what to dial, and what became of it.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::watch;

use super::core::Core;
use super::leg::{Channel, EndedBy};
use super::lock::lock;
use crate::types::HangupCause;

/// How the dialplan hands the call over (`conf/freeswitch/dialplan`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Handoff {
    /// `socket ADDRESS async full`.
    Socket(SocketAddr),
    /// `park`, for whoever is connected to the node.
    Park,
    /// These actions instead of a handoff: application and argument.
    Actions(Vec<(String, String)>),
}

/// Who the caller is to the node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// A phone that proved who it is: `sip_authorized`, `user_name`, `domain_name`.
    Device,
    /// A peer whose address is in the list `trunks`: `sip_acl_authed_by`.
    Trunk,
    /// Another node, known by the list `sisters`: `sip_acl_authed_by`.
    Sister,
    /// Nobody that the node knows.
    Stranger,
}

/// When the caller hangs up by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Patience {
    /// After this long from dialling, answered or not: CANCEL or BYE.
    FromStart(Duration),
    /// After this long from the answer.
    FromAnswer(Duration),
}

/// A call to place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallSpec {
    pub from_user: String,
    pub realm: String,
    pub to: String,
    /// The From header's display name and number; the user if empty.
    pub caller_name: String,
    pub caller_number: String,
    pub handoff: Handoff,
    pub origin: Origin,
    /// The SIP profile on which the call comes in.
    pub profile: String,
    pub source: IpAddr,
    pub patience: Option<Patience>,
    /// Variables that the directory or the caller's headers (`sip_h_X-...`) set.
    pub variables: Vec<(String, String)>,
    /// Keep the list of events in the result; off under load.
    pub keep_events: bool,
}

impl CallSpec {
    /// A call of the authenticated device `user@realm`.
    #[must_use]
    pub fn device(from: &str, to: &str, handoff: Handoff) -> CallSpec {
        let (user, realm) = from.split_once('@').unwrap_or((from, ""));
        CallSpec {
            from_user: user.to_owned(),
            realm: realm.to_owned(),
            to: to.to_owned(),
            caller_name: user.to_owned(),
            caller_number: user.to_owned(),
            handoff,
            origin: Origin::Device,
            profile: "internal".to_owned(),
            source: IpAddr::V4(Ipv4Addr::LOCALHOST),
            patience: None,
            variables: Vec::new(),
            keep_events: true,
        }
    }

    /// A call that a carrier or a customer's PBX at `source` sends.
    #[must_use]
    pub fn trunk(source: IpAddr, from_number: &str, to: &str, handoff: Handoff) -> CallSpec {
        CallSpec {
            origin: Origin::Trunk,
            profile: "trunk".to_owned(),
            source,
            ..Self::device(&format!("{from_number}@{source}"), to, handoff)
        }
    }

    #[must_use]
    pub fn hanging_up_after(mut self, patience: Patience) -> CallSpec {
        self.patience = Some(patience);
        self
    }

    #[must_use]
    pub fn with_variable(mut self, name: &str, value: &str) -> CallSpec {
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    #[must_use]
    pub fn with_caller_id(mut self, name: &str, number: &str) -> CallSpec {
        name.clone_into(&mut self.caller_name);
        number.clone_into(&mut self.caller_number);
        self
    }
}

/// An event of the caller's leg.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    pub name: &'static str,
    /// Of CHANNEL_EXECUTE and CHANNEL_EXECUTE_COMPLETE: the application and its argument.
    pub application: Option<(String, String)>,
    /// Since the call was placed.
    pub at: Duration,
}

/// How far a call has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    Placed,
    /// The caller hears ringing or early media.
    Ringing,
    Answered,
    Ended,
}

/// What became of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallResult {
    /// The caller's channel.
    pub uuid: String,
    pub answered: bool,
    pub cause: HangupCause,
    /// The final status that the caller got: 200, or that of the refusal. None if the node died.
    pub sip_status: Option<u16>,
    /// The caller hung up; otherwise the node or the far end did.
    pub caller_hung_up: bool,
    /// The node died with the call.
    pub lost: bool,
    /// Channel name of the last leg the caller was joined with, `sofia/internal/1002@127.0.0.1:5072`.
    pub connected_to: Option<String>,
    /// Arguments of `bridge`, in their order.
    pub dialled: Vec<String>,
    /// From dialling to the first ringing or early media.
    pub rang_after: Option<Duration>,
    /// From dialling to the answer.
    pub answered_after: Option<Duration>,
    pub lasted: Duration,
    /// Empty unless the specification keeps them.
    pub events: Vec<Seen>,
}

/// Watches the caller's leg for whoever placed the call.
#[derive(Debug)]
pub(super) struct Observer {
    placed_us: u64,
    keep: bool,
    log: Mutex<Log>,
    stage: watch::Sender<Stage>,
}

#[derive(Debug, Default)]
struct Log {
    events: Vec<Seen>,
    dialled: Vec<String>,
    connected_to: Option<String>,
    rang_us: Option<u64>,
    answered_us: Option<u64>,
    result: Option<CallResult>,
}

impl Observer {
    pub(super) fn new(placed_us: u64, keep: bool) -> Arc<Observer> {
        Arc::new(Observer {
            placed_us,
            keep,
            log: Mutex::default(),
            stage: watch::Sender::new(Stage::Placed),
        })
    }

    fn since(&self, us: u64) -> Duration {
        Duration::from_micros(us.saturating_sub(self.placed_us))
    }

    fn reach(&self, stage: Stage) {
        self.stage.send_if_modified(|now| {
            let further = *now < stage;
            if further {
                *now = stage;
            }
            further
        });
    }

    pub(super) fn note(&self, us: u64, name: &'static str, extra: &[(&str, &str)]) {
        let find = |header: &str| {
            let found = extra.iter().find(|(known, _)| *known == header);
            found.map(|(_, value)| (*value).to_owned())
        };
        let mut log = lock(&self.log);
        if name == "CHANNEL_EXECUTE" && find("Application").as_deref() == Some("bridge") {
            log.dialled
                .push(find("Application-Data").unwrap_or_default());
        }
        if self.keep {
            let argument = find("Application-Data").unwrap_or_default();
            log.events.push(Seen {
                name,
                application: find("Application").map(|application| (application, argument)),
                at: self.since(us),
            });
        }
        match name {
            "CHANNEL_PROGRESS" | "CHANNEL_PROGRESS_MEDIA" => {
                log.rang_us.get_or_insert(us);
                drop(log);
                self.reach(Stage::Ringing);
            }
            "CHANNEL_ANSWER" => {
                log.answered_us.get_or_insert(us);
                drop(log);
                self.reach(Stage::Answered);
            }
            _ => {}
        }
    }

    pub(super) fn connected(&self, channel_name: &str) {
        lock(&self.log).connected_to = Some(channel_name.to_owned());
    }

    /// The leg is down, or lost with its node (`lost`).
    pub(super) fn end(&self, channel: &Channel, us: u64, lost: bool) {
        let (answered, cause, by, responded) = {
            let leg = channel.leg();
            let cause = leg.cause.unwrap_or(HangupCause::NormalTemporaryFailure);
            (leg.is_answered(), cause, leg.ended_by, leg.responded)
        };
        let caller_hung_up = by == EndedBy::FarEnd && !lost;
        let refused = responded.unwrap_or_else(|| final_status(channel, cause, caller_hung_up));
        let mut log = lock(&self.log);
        if log.result.is_none() {
            log.result = Some(CallResult {
                uuid: channel.uuid.to_string(),
                answered,
                cause,
                sip_status: match (answered, lost) {
                    (true, _) => Some(200),
                    (false, true) => None,
                    (false, false) => Some(refused),
                },
                caller_hung_up,
                lost,
                connected_to: log.connected_to.take(),
                dialled: std::mem::take(&mut log.dialled),
                rang_after: log.rang_us.map(|us| self.since(us)),
                answered_after: log.answered_us.map(|us| self.since(us)),
                lasted: self.since(us),
                events: std::mem::take(&mut log.events),
            });
        }
        drop(log);
        self.reach(Stage::Ended);
    }
}

/// How a caller that was not answered is refused: with which status, and whether `respond` said so.
pub(super) fn refusal_of(channel: &Channel) -> (u16, bool) {
    let (cause, responded) = {
        let leg = channel.leg();
        (
            leg.cause.unwrap_or(HangupCause::NormalClearing),
            leg.responded,
        )
    };
    match responded {
        Some(status) => (status, true),
        None => (final_status(channel, cause, false), false),
    }
}

/// The status of a refusal: the last far end's own unless the dialplan says to ignore it
/// (event socket specification 8.5), otherwise that of the cause.
fn final_status(channel: &Channel, cause: HangupCause, caller_hung_up: bool) -> u16 {
    if caller_hung_up {
        return 487;
    }
    let far = channel.variable("last_bridge_proto_specific_hangup_cause");
    let far = far.and_then(|text| text.strip_prefix("sip:")?.parse().ok());
    match far {
        Some(status) if !channel.is_true("sip_ignore_remote_cause") => status,
        _ => cause.sip_status(),
    }
}

/// A call under way.
pub struct PlacedCall {
    core: Arc<Core>,
    channel: Arc<Channel>,
    observer: Arc<Observer>,
}

impl PlacedCall {
    pub(super) fn new(
        core: Arc<Core>,
        channel: Arc<Channel>,
        observer: Arc<Observer>,
    ) -> PlacedCall {
        PlacedCall {
            core,
            channel,
            observer,
        }
    }

    pub(super) fn observed(&self) -> PlacedCall {
        PlacedCall {
            core: Arc::clone(&self.core),
            channel: Arc::clone(&self.channel),
            observer: Arc::clone(&self.observer),
        }
    }

    pub(super) fn channel(&self) -> &Channel {
        &self.channel
    }

    /// The node's incarnation and the leg.
    pub(super) fn parts(&self) -> (Arc<Core>, Arc<Channel>) {
        (Arc::clone(&self.core), Arc::clone(&self.channel))
    }

    /// The caller's channel.
    #[must_use]
    pub fn uuid(&self) -> &str {
        &self.channel.uuid
    }

    #[must_use]
    pub fn stage(&self) -> Stage {
        *self.observer.stage.borrow()
    }

    /// Waits until the call has come this far, or has ended; gives where it is then.
    pub async fn reached(&self, stage: Stage) -> Stage {
        let mut stages = self.observer.stage.subscribe();
        match stages.wait_for(|now| *now >= stage).await {
            Ok(now) => *now,
            Err(_) => Stage::Ended,
        }
    }

    /// The caller hangs up: CANCEL before the answer, BYE after it. An ended call stays as it is.
    pub fn hang_up(&self) {
        caller_hangs_up(&self.core, &self.channel);
    }

    /// The caller types digits.
    pub fn press(&self, digits: &str) {
        self.core.press(&self.channel, digits);
    }

    /// The far end transfers the caller (REFER), who goes on to this number through the dialplan.
    pub fn is_referred_to(&self, number: &str) {
        let channel = &self.channel;
        channel.set("sip_refer_to", &format!("<sip:{number}@far.invalid>"));
        let context = channel.leg().party.context.to_string();
        channel.leg().detour = Some(super::leg::Detour::Extension {
            number: number.to_owned(),
            context,
        });
        channel.poke();
    }

    /// A channel variable of the caller's leg.
    #[must_use]
    pub fn variable(&self, name: &str) -> Option<String> {
        self.channel.variable(name)
    }

    /// What became of the call, once it has ended.
    pub async fn result(&self) -> CallResult {
        loop {
            self.reached(Stage::Ended).await;
            if let Some(result) = lock(&self.observer.log).result.clone() {
                return result;
            }
        }
    }
}

/// CANCEL or BYE.
pub(super) fn caller_hangs_up(core: &Core, channel: &Channel) {
    let cause = if channel.leg().is_answered() {
        HangupCause::NormalClearing
    } else {
        HangupCause::OriginatorCancel
    };
    core.hangup(channel, cause, EndedBy::FarEnd);
}
