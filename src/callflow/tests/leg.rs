//! A leg without a switch: records what it is told, and answers by a script.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard};

use tokio_util::sync::CancellationToken;

use crate::esl::Event;
use crate::switch::{
    Application, BoxFuture, BridgeOutcome, CallError, Completed, Ended, Leg, Unanswered,
};
use crate::types::HangupCause;

/// What happens when the next application of a name runs.
#[derive(Debug, Clone)]
pub enum Reaction {
    /// A bridge is answered and the conversation ends by itself.
    Answered,
    /// The same, and FreeSWITCH hangs the caller up after it (hangup_after_bridge).
    AnsweredThenHungUp,
    Fails(HangupCause, Option<u16>),
    /// The caller leaves while it runs.
    CallerLeaves,
    Error(CallError),
    /// A bridge is joined with early media, and lasts until it is ended.
    EarlyMedia,
    /// It never completes.
    Never,
}

#[derive(Default)]
struct Inner {
    log: Vec<String>,
    script: VecDeque<(&'static str, Reaction)>,
    answered: bool,
    early: bool,
    ended: Option<Ended>,
}

#[derive(Default)]
pub struct ScriptedLeg {
    inner: Mutex<Inner>,
    gone: CancellationToken,
    parted: tokio::sync::Notify,
}

impl ScriptedLeg {
    pub fn new(script: &[(&'static str, Reaction)]) -> Arc<Self> {
        let leg = Self::default();
        leg.inner().script = script.iter().cloned().collect();
        Arc::new(leg)
    }

    /// Everything that the leg was told, one text each; variables left out.
    pub fn log(&self) -> Vec<String> {
        let log = &self.inner().log;
        let told = log.iter().filter(|line| !line.starts_with("set "));
        told.cloned().collect()
    }

    /// The variables that were set, as `name=value`.
    pub fn variables(&self) -> Vec<String> {
        let log = &self.inner().log;
        let set = log.iter().filter_map(|line| line.strip_prefix("set "));
        set.map(str::to_owned).collect()
    }

    /// Nothing of the script is left over.
    pub fn assert_finished(&self) {
        assert!(self.inner().script.is_empty(), "{:?}", self.inner().script);
    }

    pub fn end(&self, cause: HangupCause, disposition: &str) {
        let mut inner = self.inner();
        let billed_s = inner.answered.then_some(3);
        inner.ended.get_or_insert(Ended {
            cause,
            disposition: Some(disposition.to_owned()),
            billed_s,
            goes_on_as: None,
        });
        self.gone.cancel();
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap()
    }

    fn tell(&self, application: &Application) -> Option<Reaction> {
        let mut inner = self.inner();
        inner.log.push(text(application));
        if *application == Application::Answer {
            inner.answered = true;
        }
        let due = inner
            .script
            .front()
            .is_some_and(|(name, _)| *name == application.name());
        let reaction = due.then(|| inner.script.pop_front()).flatten();
        reaction.map(|(_, reaction)| reaction)
    }

    async fn perform(&self, application: Application) -> Result<BridgeOutcome, CallError> {
        if self.gone.is_cancelled() {
            return Err(CallError::Hungup);
        }
        let is_bridge = matches!(application, Application::Bridge { .. });
        match self.tell(&application) {
            None if is_bridge => Ok(BridgeOutcome::Failed {
                cause: HangupCause::NoAnswer,
                sip_status: None,
            }),
            None => Ok(BridgeOutcome::Answered),
            Some(Reaction::Answered) => {
                self.inner().answered = true;
                Ok(BridgeOutcome::Answered)
            }
            Some(Reaction::AnsweredThenHungUp) => {
                self.inner().answered = true;
                self.end(HangupCause::NormalClearing, "send_bye");
                tokio::task::yield_now().await;
                Ok(BridgeOutcome::Answered)
            }
            Some(Reaction::Fails(cause, sip_status)) => {
                Ok(BridgeOutcome::Failed { cause, sip_status })
            }
            Some(Reaction::CallerLeaves) => {
                self.end(HangupCause::OriginatorCancel, "recv_cancel");
                std::future::pending().await
            }
            Some(Reaction::Error(error)) => Err(error),
            Some(Reaction::EarlyMedia) => {
                self.inner().early = true;
                self.parted.notified().await;
                Ok(BridgeOutcome::Answered)
            }
            Some(Reaction::Never) => std::future::pending().await,
        }
    }
}

fn text(application: &Application) -> String {
    let argument = match application {
        Application::Set { name, value } | Application::Export { name, value } => {
            format!("{name}={value}")
        }
        Application::Unset { name } => name.to_string(),
        Application::Playback { media } => media.clone(),
        Application::Bridge { dial_string } => dial_string.clone(),
        Application::Respond { status, reason } => format!("{status} {reason}"),
        Application::Privacy { mode } => (*mode).to_owned(),
        Application::Hangup { cause } => cause.to_string(),
        Application::Sleep { ms } => ms.to_string(),
        Application::Answer | Application::PreAnswer | Application::RingReady => String::new(),
    };
    format!("{} {argument}", application.name())
        .trim_end()
        .to_owned()
}

fn completed() -> Completed {
    Completed {
        response: None,
        event: Event::from_headers([("Event-Name", "CHANNEL_EXECUTE_COMPLETE")], None),
    }
}

impl Leg for ScriptedLeg {
    fn execute(&self, application: Application) -> BoxFuture<'_, Result<Completed, CallError>> {
        Box::pin(async move { self.perform(application).await.map(|_| completed()) })
    }

    fn execute_all(
        &self,
        applications: Vec<Application>,
    ) -> BoxFuture<'_, Result<Completed, CallError>> {
        Box::pin(async move {
            for application in applications {
                self.perform(application).await?;
            }
            Ok(completed())
        })
    }

    fn bridge(&self, dial_string: String) -> BoxFuture<'_, Result<BridgeOutcome, CallError>> {
        Box::pin(self.perform(Application::Bridge { dial_string }))
    }

    fn end_unanswered(&self, cause: HangupCause) -> BoxFuture<'_, Result<Unanswered, CallError>> {
        Box::pin(async move {
            let mut inner = self.inner();
            inner.log.push(format!("end_unanswered {cause}"));
            if std::mem::take(&mut inner.early) {
                self.parted.notify_one();
                return Ok(Unanswered::Ended);
            }
            Ok(Unanswered::Alone)
        })
    }

    fn hangup(&self, cause: HangupCause) -> BoxFuture<'_, Result<(), CallError>> {
        Box::pin(async move {
            if self.gone.is_cancelled() {
                return Err(CallError::Hungup);
            }
            self.inner().log.push(format!("hangup {cause}"));
            self.end(cause, "send_refuse");
            Ok(())
        })
    }

    fn gone(&self) -> CancellationToken {
        self.gone.clone()
    }

    fn ended(&self) -> BoxFuture<'_, Ended> {
        Box::pin(async move {
            self.gone.cancelled().await;
            self.inner().ended.clone().unwrap()
        })
    }

    fn is_answered(&self) -> bool {
        self.inner().answered
    }
}
