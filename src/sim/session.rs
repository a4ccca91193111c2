//! A caller's leg at work: the task that runs its dialplan, its queued messages, and its end.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::application::Application;
use super::core::Core;
use super::dialplan::Dialplan;
use super::leg::{CallState, Channel, Detour, EndedBy, RunState};
use super::lifecycle::CREATE;
use super::lock::lock;
use super::message::{CallCommand, Message};
use super::sip::read_cause;
use crate::types::HangupCause;

/// What ended a wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Woken {
    Due,
    HungUp,
    /// `uuid_break`.
    Broken,
    /// The leg is sent elsewhere.
    Detoured,
}

/// An application to run.
#[derive(Debug, Clone)]
pub(super) struct Run {
    pub(super) application: String,
    pub(super) argument: String,
    pub(super) event_uuid: Option<String>,
    /// Rounds, for an application that a message asked for.
    pub(super) loops: Option<i32>,
}

/// The task of one leg that runs the dialplan.
pub(super) struct Session {
    pub(super) core: Arc<Core>,
    pub(super) channel: Arc<Channel>,
    pub(super) dialplan: Arc<Dialplan>,
    /// Legs whose report is still to be sent after a bridge that the caller's hang-up ended.
    pub(super) parting: std::sync::Mutex<Vec<Arc<Channel>>>,
}

const EXECUTE: (&str, &str, u32) = ("switch_core_session.c", "switch_core_session_exec", 2949);
const EXECUTED: (&str, &str, u32) = ("switch_core_session.c", "switch_core_session_exec", 2972);

impl Session {
    pub(super) fn new(core: Arc<Core>, channel: Arc<Channel>, dialplan: Arc<Dialplan>) -> Session {
        Session {
            core,
            channel,
            dialplan,
            parting: std::sync::Mutex::default(),
        }
    }

    /// From the INVITE to the end of the channel.
    pub(super) async fn run(self) {
        self.announce();
        let mut actions = self.dialplan.enter(&self.channel);
        loop {
            if !self.channel.is_up() {
                break;
            }
            let detour = self.channel.leg().detour.take();
            if let Some(detour) = detour {
                actions = self.divert(detour).await;
            } else if let Some((application, argument)) = actions.pop_front() {
                self.execute(Run {
                    application,
                    argument,
                    event_uuid: None,
                    loops: None,
                })
                .await;
            } else {
                // The dialplan is at its end.
                self.core
                    .hangup(&self.channel, HangupCause::NormalClearing, EndedBy::Node);
            }
        }
        self.end().await;
    }

    fn announce(&self) {
        let (core, channel) = (&*self.core, &*self.channel);
        core.set_state(channel, RunState::New);
        core.set_state(channel, RunState::Init);
        core.fire_leg("CHANNEL_CREATE", CREATE, channel, &[]);
        channel.leg().state = RunState::Routing;
        core.set_call_state(channel, CallState::Ringing);
        core.set_state(channel, RunState::Routing);
        core.set_state(channel, RunState::Execute);
    }

    /// Takes a leg where it is sent; gives the actions there.
    async fn divert(&self, detour: Detour) -> VecDeque<(String, String)> {
        match detour {
            Detour::Park => {
                self.core.set_state(&self.channel, RunState::Park);
                self.park().await;
                VecDeque::new()
            }
            Detour::Inline(actions) => {
                self.transferred("inline", None);
                actions.into()
            }
            Detour::Extension { number, context } => {
                self.transferred(&number, Some(&context));
                self.dialplan.extension(&number, &context)
            }
        }
    }

    fn transferred(&self, destination: &str, context: Option<&str>) {
        {
            let mut leg = self.channel.leg();
            let mut party = (*leg.party).clone();
            party.redirected_from = Some(party.destination.clone());
            party.destination = destination.into();
            if let Some(context) = context {
                party.context = context.into();
            }
            leg.party = Arc::new(party);
            leg.times.transferred = self.core.clock.now_us();
        }
        self.core.set_state(&self.channel, RunState::Routing);
        self.core.set_state(&self.channel, RunState::Execute);
    }

    async fn end(self) {
        let parting = std::mem::take(&mut *lock(&self.parting));
        for leg in parting {
            self.core.report(&leg);
            self.core.destroy(&leg);
        }
        self.core.report(&self.channel);
        while !self.channel.leg().sockets.is_empty() {
            self.channel.changed.notified().await;
        }
        self.core.destroy(&self.channel);
    }

    /// What stops the running application, if anything does.
    pub(super) fn interruption(&self) -> Option<Woken> {
        let mut leg = self.channel.leg();
        if !leg.is_up() {
            Some(Woken::HungUp)
        } else if leg.detour.is_some() {
            Some(Woken::Detoured)
        } else if std::mem::take(&mut leg.broken) {
            Some(Woken::Broken)
        } else {
            None
        }
    }

    /// The next queued message, unless an event-locked application runs.
    pub(super) fn next_message(&self) -> Option<Message> {
        let mut leg = self.channel.leg();
        if leg.locks > 0 {
            return None;
        }
        leg.queue.pop_front()
    }

    /// Waits inside an application. Queued messages run meanwhile, inside it (capture fact 31).
    pub(super) async fn wait(&self, until: Option<Instant>) -> Woken {
        self.wait_or(until, || false).await
    }

    /// As [`Session::wait`]; also due when `over` holds, which is looked at whenever something happens.
    pub(super) async fn wait_or(&self, until: Option<Instant>, over: impl Fn() -> bool) -> Woken {
        loop {
            if let Some(woken) = self.interruption() {
                return woken;
            }
            if over() {
                return Woken::Due;
            }
            if let Some(message) = self.next_message() {
                self.obey(message).await;
                continue;
            }
            let changed = self.channel.changed.notified();
            match until {
                None => changed.await,
                Some(until) => tokio::select! {
                    biased;
                    () = changed => {}
                    () = tokio::time::sleep_until(until) => return Woken::Due,
                },
            }
        }
    }

    /// Runs a queued message.
    pub(super) fn obey(&self, message: Message) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(async move {
            if !self.core.options.tick.is_zero() {
                tokio::time::sleep(self.core.options.tick).await;
            }
            if !self.channel.is_up() {
                return;
            }
            match message.call_command {
                CallCommand::Hangup { cause } => {
                    self.core
                        .hangup(&self.channel, read_cause(&cause), EndedBy::Node);
                }
                CallCommand::Ignored => {}
                CallCommand::Execute {
                    application,
                    argument,
                    event_uuid,
                    loops,
                } => {
                    let locks = u32::from(message.event_lock);
                    self.channel.leg().locks += locks;
                    self.execute(Run {
                        application,
                        argument,
                        event_uuid,
                        loops: Some(loops),
                    })
                    .await;
                    self.channel.leg().locks -= locks;
                }
            }
        })
    }

    /// Runs an application, with the events around it.
    pub(super) async fn execute(&self, run: Run) {
        let Some(application) = Application::find(&run.application) else {
            // Capture fact 33.
            self.core.hangup(
                &self.channel,
                HangupCause::DestinationOutOfOrder,
                EndedBy::Node,
            );
            return;
        };
        if application.needs_media() {
            self.pre_answer();
        }
        let rounds = run.loops.unwrap_or(1);
        let mut event_uuid = run.event_uuid;
        for round in 1_i32.. {
            let started = Instant::now();
            let uuid = event_uuid
                .take()
                .unwrap_or_else(|| super::core::new_uuid().to_string());
            self.round(
                application,
                &run.argument,
                &uuid,
                run.loops.map(|_| (round, rounds)),
            )
            .await;
            // A round that took less than half a second ends the loop (capture fact 34).
            let brief = started.elapsed() < Duration::from_millis(500);
            if round == rounds || brief || !self.channel.is_up() {
                break;
            }
        }
    }

    async fn round(
        &self,
        application: Application,
        argument: &str,
        uuid: &str,
        round: Option<(i32, i32)>,
    ) {
        let channel = &self.channel;
        let name = application.name();
        let argument = super::expand::expand(&channel.leg(), argument);
        {
            let mut leg = channel.leg();
            if let Some((round, rounds)) = round {
                leg.variables.set("current_loop", &round.to_string());
                leg.variables.set("total_loops", &rounds.to_string());
            }
            leg.variables.set("current_application_data", &argument);
            leg.variables.set("current_application", name);
            leg.variables.unset("current_application_response");
        }
        let mut extra = vec![
            ("Application", name),
            ("Application-Data", &*argument),
            ("Application-UUID", uuid),
        ];
        self.core
            .fire_leg("CHANNEL_EXECUTE", EXECUTE, channel, &extra);
        self.perform(application, &argument).await;
        // Whatever the last application inside left there: stale texts included (capture fact 25).
        let response = channel.variable("current_application_response");
        let response = response.as_deref().unwrap_or("_none_");
        extra.insert(2, ("Application-Response", response));
        self.core
            .fire_leg("CHANNEL_EXECUTE_COMPLETE", EXECUTED, channel, &extra);
        let mut leg = channel.leg();
        if round.is_some() {
            leg.variables.unset("current_loop");
            leg.variables.unset("total_loops");
        }
        leg.acked |= leg.is_answered();
    }
}
