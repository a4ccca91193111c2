//! The handle to a leg, the same for both ways of handing a call over.

use std::sync::Arc;
use std::time::Duration;

use super::super::application::{Application, Completed};
use super::super::call::{BoxFuture, BridgeOutcome, CallError, Ended, Leg, Unanswered};
use super::super::wire::{CommandFailure, CommandQueue, PendingAnswer};
use super::state::{LegState, Settled, Waiting};
use super::{bridge, commands};
use crate::esl::{Command, Event};
use crate::types::HangupCause;
use tokio_util::sync::CancellationToken;

/// The connection that a leg is driven over.
pub(crate) enum LegLink {
    /// The leg's own socket: commands mean this leg.
    Socket(Arc<CommandQueue>),
    /// The node's connection: commands name the leg.
    Node(Arc<CommandQueue>),
}

impl LegLink {
    fn queue(&self) -> &CommandQueue {
        match self {
            LegLink::Socket(queue) | LegLink::Node(queue) => queue,
        }
    }
}

/// A leg under control.
pub(crate) struct LiveLeg {
    state: Arc<LegState>,
    link: LegLink,
}

impl LiveLeg {
    pub(crate) fn new(state: Arc<LegState>, link: LegLink) -> LiveLeg {
        LiveLeg { state, link }
    }

    /// Sends the applications in one write and waits for the last one's completion.
    async fn run(&self, applications: &[Application]) -> Result<Event, CallError> {
        let Some(last) = applications.last() else {
            return Err(CallError::Refused {
                application: "execute_all",
                reply: "there is no application to run".to_owned(),
            });
        };
        let mut waiting = self.state.wait_for(last.name())?;
        let sent = self.commands(applications, &waiting)?;
        let answers = match self.link.queue().submit_all(&sent).await {
            Ok(answers) => answers,
            Err(failure) => return Err(self.failed(failure)),
        };
        let names = applications.iter().map(Application::name);
        let refusal = self.refusal(names.zip(answers).collect());
        tokio::pin!(refusal);
        let limit = total(applications);
        loop {
            tokio::select! {
                biased;
                done = &mut waiting.done => {
                    return done.unwrap_or(Err(CallError::Hungup));
                }
                error = &mut refusal => return Err(error),
                () = expire(limit) => {
                    // The clock runs from the moment at which it is this application's turn.
                    if waiting.is_first() {
                        return Err(timed_out(last.name(), limit));
                    }
                }
            }
        }
    }

    fn commands(
        &self,
        applications: &[Application],
        waiting: &Waiting<'_>,
    ) -> Result<Vec<Command>, CallError> {
        let uuid = self.state.uuid();
        let call = match &self.link {
            LegLink::Socket(_) => None,
            LegLink::Node(_) => Some(uuid.as_ref()),
        };
        let last = applications.len().saturating_sub(1);
        let written = applications.iter().enumerate().map(|(at, application)| {
            let id = if at == last {
                waiting.id
            } else {
                uuid::Uuid::new_v4()
            };
            commands::execute(call, application, &id.to_string())
        });
        Ok(written.collect::<Result<Vec<_>, _>>()?)
    }

    /// Resolves only if FreeSWITCH refuses one of them. `+OK` means no more than "queued"
    /// (capture fact 30), so it is no reason to resolve.
    async fn refusal(&self, answers: Vec<(&'static str, PendingAnswer)>) -> CallError {
        for (application, answer) in answers {
            match answer.answer().await {
                Ok(answer) => {
                    let reply = answer.text();
                    if reply.starts_with("-ERR invalid session id") {
                        return CallError::Hungup;
                    }
                    if !reply.starts_with("+OK") {
                        return CallError::Refused { application, reply };
                    }
                }
                Err(failure) => return self.failed(failure),
            }
        }
        std::future::pending().await
    }

    fn failed(&self, failure: CommandFailure) -> CallError {
        match failure {
            CommandFailure::Unwritable(error) => CallError::Unwritable(error),
            lost => self
                .state
                .refusal()
                .unwrap_or_else(|| CallError::NodeLost(lost.to_string())),
        }
    }

    async fn bridge_once(&self, dial_string: String) -> Result<BridgeOutcome, CallError> {
        let mut applications = Vec::new();
        if self.state.begin_bridge() {
            applications.extend(
                bridge::STALE_VARIABLES.map(|name| Application::Unset { name: name.into() }),
            );
        }
        applications.push(Application::Bridge { dial_string });
        match self.run(&applications).await {
            Ok(event) => {
                let answered = self.state.is_answered();
                if bridge::rings_on(&event, answered) {
                    return self.ring_on().await;
                }
                let outcome = bridge::outcome(&event, answered);
                if answered && outcome == BridgeOutcome::Answered && bridge::goes_on(&event) {
                    tracing::debug!(call_id = %self.state.uuid(), "joined to another leg; the conversation goes on");
                    self.state.gone().cancelled().await;
                }
                Ok(outcome)
            }
            // The parties talked and one hung up, which took the leg along.
            Err(CallError::Hungup) if self.state.talked() => Ok(BridgeOutcome::Answered),
            Err(error) => Err(error),
        }
    }

    /// Waits for the answer, or for the end of the far leg, where the bridge did not.
    async fn ring_on(&self) -> Result<BridgeOutcome, CallError> {
        tracing::debug!(call_id = %self.state.uuid(), "early media past FreeSWITCH; waiting for the answer");
        self.park_when_parted(true);
        match self.state.settled().await {
            Settled::Answered => {
                self.park_when_parted(false);
                self.state.gone().cancelled().await;
                Ok(BridgeOutcome::Answered)
            }
            Settled::Parted(event) => Ok(bridge::parted(&event)),
            Settled::Over(CallError::Hungup) if self.state.talked() => Ok(BridgeOutcome::Answered),
            Settled::Over(error) => Err(error),
        }
    }

    /// Nothing waits for this: the next command comes behind it anyway.
    fn park_when_parted(&self, parks: bool) {
        let sent = commands::park_when_parted(&self.state.uuid(), parks)
            .map_err(Into::into)
            .and_then(|command| self.link.queue().submit_now(&command));
        if let Err(error) = sent {
            tracing::debug!(call_id = %self.state.uuid(), %error, parks, "not told what follows the far leg's end");
        }
    }

    /// Runs the bridge under our own timer.
    async fn bridge_watched(
        &self,
        dial_string: String,
        rings: Option<Duration>,
    ) -> Result<BridgeOutcome, CallError> {
        let bridge = self.bridge_once(dial_string);
        tokio::pin!(bridge);
        let Some(rings) = rings else {
            return bridge.await;
        };
        tokio::select! {
            biased;
            outcome = &mut bridge => return outcome,
            () = self.overstay(rings) => {}
        }
        match bridge.await {
            // Whatever else the end of the far leg may look like to a caller who was answered before: nobody answered.
            Ok(BridgeOutcome::Answered) => Ok(BridgeOutcome::Failed {
                cause: HangupCause::NoAnswer,
                sip_status: None,
            }),
            other => other,
        }
    }

    /// Resolves when a far leg was ended that gave nothing but early media for longer than `rings`.
    async fn overstay(&self, rings: Duration) {
        tokio::time::sleep(rings).await;
        if let Some(partner) = self.state.partner()
            // (None: the leg is gone, or the node; the bridge's own end follows.)
            && self.disposition(&partner).await.is_some_and(|d| d != "ANSWER")
            && let Ok(kill) = commands::kill(&partner, HangupCause::NoAnswer)
        {
            tracing::warn!(
                call_id = %self.state.uuid(),
                leg = %partner,
                after_s = rings.as_secs(),
                "the called side gives early media but does not answer; its leg is ended"
            );
            if self.link.queue().ask(&kill).await.is_ok() {
                return;
            }
        }
        std::future::pending().await
    }

    /// `ANSWER`, `EARLY MEDIA`, ...; None: there is no such leg.
    async fn disposition(&self, leg: &str) -> Option<String> {
        let command = commands::variable(leg, "endpoint_disposition").ok()?;
        let text = self.link.queue().ask(&command).await.ok()?.text();
        (!text.starts_with("-ERR")).then_some(text)
    }

    async fn end_partner(&self, cause: HangupCause) -> Result<Unanswered, CallError> {
        let Some(partner) = self.state.partner() else {
            return Ok(Unanswered::Alone);
        };
        match self.disposition(&partner).await.as_deref() {
            Some("ANSWER") => return Ok(Unanswered::Talks),
            Some(_) => {}
            // It has just left by itself.
            None => return Ok(Unanswered::Alone),
        }
        let command = commands::kill(&partner, cause)?;
        let answer = self.link.queue().ask(&command).await;
        let reply = answer.map_err(|failure| self.failed(failure))?.text();
        Ok(if reply.starts_with("+OK") {
            Unanswered::Ended
        } else {
            Unanswered::Alone
        })
    }

    async fn kill(&self, cause: HangupCause) -> Result<(), CallError> {
        if self.state.is_hung_up() {
            return Ok(());
        }
        let command = commands::kill(&self.state.uuid(), cause)?;
        match self.link.queue().ask(&command).await {
            Ok(answer) => {
                let reply = answer.text();
                // A leg that is gone already is what was asked for.
                if reply.starts_with("+OK") || reply.contains("No such channel") {
                    return Ok(());
                }
                Err(CallError::Refused {
                    application: "uuid_kill",
                    reply,
                })
            }
            Err(_) if self.state.is_hung_up() => Ok(()),
            Err(failure) => Err(self.failed(failure)),
        }
    }
}

/// None as soon as one of them has no limit.
fn total(applications: &[Application]) -> Option<Duration> {
    applications.iter().map(commands::limit).sum()
}

async fn expire(limit: Option<Duration>) {
    match limit {
        Some(limit) => tokio::time::sleep(limit).await,
        None => std::future::pending().await,
    }
}

fn timed_out(application: &'static str, limit: Option<Duration>) -> CallError {
    let after = limit.unwrap_or_default().as_millis();
    CallError::TimedOut {
        application,
        after_ms: u64::try_from(after).unwrap_or(u64::MAX),
    }
}

/// `Application-Response`, where it belongs to this application: the others repeat what an
/// earlier one said (capture fact 25).
fn response(application: &str, event: &Event) -> Option<String> {
    if application != "playback" {
        return None;
    }
    let text = event.header("Application-Response")?;
    (text != "_none_").then(|| text.into_owned())
}

impl Leg for LiveLeg {
    fn execute(&self, application: Application) -> BoxFuture<'_, Result<Completed, CallError>> {
        self.execute_all(vec![application])
    }

    fn execute_all(
        &self,
        applications: Vec<Application>,
    ) -> BoxFuture<'_, Result<Completed, CallError>> {
        Box::pin(async move {
            let name = applications.last().map_or("", Application::name);
            if name == "bridge" {
                self.state.begin_bridge();
            }
            let event = self.run(&applications).await?;
            Ok(Completed {
                response: response(name, &event),
                event,
            })
        })
    }

    fn bridge(&self, dial_string: String) -> BoxFuture<'_, Result<BridgeOutcome, CallError>> {
        Box::pin(self.bridge_once(dial_string))
    }

    fn bridge_within(
        &self,
        dial_string: String,
        rings: Option<Duration>,
    ) -> BoxFuture<'_, Result<BridgeOutcome, CallError>> {
        Box::pin(self.bridge_watched(dial_string, rings))
    }

    fn end_unanswered(&self, cause: HangupCause) -> BoxFuture<'_, Result<Unanswered, CallError>> {
        Box::pin(self.end_partner(cause))
    }

    fn hangup(&self, cause: HangupCause) -> BoxFuture<'_, Result<(), CallError>> {
        Box::pin(self.kill(cause))
    }

    fn gone(&self) -> CancellationToken {
        self.state.gone().clone()
    }

    fn ended(&self) -> BoxFuture<'_, Ended> {
        Box::pin(self.state.ended())
    }

    fn is_answered(&self) -> bool {
        self.state.is_answered()
    }
}

#[cfg(test)]
#[path = "live_tests.rs"]
mod tests;
