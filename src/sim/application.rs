//! The applications that a simulated leg can run.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::leg::{CallState, Detour, EndedBy};
use super::session::{Session, Woken};
use super::sip::read_cause;

macro_rules! applications {
    ($($variant:ident $name:literal)*) => {
        /// An application's name.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(super) enum Application { $($variant,)* }

        impl Application {
            pub(super) fn find(name: &str) -> Option<Application> {
                $(if name.eq_ignore_ascii_case($name) { return Some(Application::$variant); })*
                None
            }

            pub(super) fn name(self) -> &'static str {
                match self { $(Application::$variant => $name,)* }
            }
        }
    };
}

applications! {
    Answer "answer"
    PreAnswer "pre_answer"
    RingReady "ring_ready"
    Set "set"
    MultiSet "multiset"
    Unset "unset"
    Export "export"
    Playback "playback"
    Sleep "sleep"
    Bridge "bridge"
    Respond "respond"
    Privacy "privacy"
    Hangup "hangup"
    Park "park"
    Echo "echo"
    Socket "socket"
    Transfer "transfer"
    SchedTransfer "sched_transfer"
    Log "log"
    Info "info"
    RecordSession "record_session"
    StopRecordSession "stop_record_session"
}

const MEDIA: (&str, &str, u32) = (
    "switch_channel.c",
    "switch_channel_perform_mark_pre_answered",
    3562,
);
const ANSWER: (&str, &str, u32) = (
    "switch_channel.c",
    "switch_channel_perform_mark_answered",
    3848,
);
const RING: (&str, &str, u32) = (
    "switch_channel.c",
    "switch_channel_perform_mark_ring_ready_value",
    3507,
);
const PARK: (&str, &str, u32) = ("switch_ivr.c", "switch_ivr_park", 1002);
const UNPARK: (&str, &str, u32) = ("switch_ivr.c", "switch_ivr_park", 1213);
const PLAY: (&str, &str, u32) = ("switch_ivr_play_say.c", "switch_ivr_play_file", 1683);
const PLAYED: (&str, &str, u32) = ("switch_ivr_play_say.c", "switch_ivr_play_file", 2029);

impl Application {
    /// FreeSWITCH sends early media before such an application on an unanswered leg
    /// (event socket specification 2.9).
    pub(super) fn needs_media(self) -> bool {
        matches!(self, Application::Playback | Application::Echo)
    }
}

impl Session {
    pub(super) async fn perform(&self, application: Application, argument: &str) {
        match application {
            Application::Answer => self.answer(),
            Application::PreAnswer => self.pre_answer(),
            Application::RingReady => self.ring_ready(),
            Application::Set => self.set(argument),
            Application::MultiSet => self.multiset(argument),
            Application::Unset => self.channel.unset(argument.trim()),
            Application::Export => self.export(argument),
            Application::Playback => self.playback(argument).await,
            Application::Sleep => self.sleep(argument).await,
            Application::Bridge => self.bridge(argument).await,
            Application::Respond => self.respond(argument),
            Application::Privacy => {}
            Application::Hangup => {
                let cause = if argument.is_empty() {
                    "NORMAL_CLEARING"
                } else {
                    argument
                };
                self.core
                    .hangup(&self.channel, read_cause(cause), EndedBy::Node);
            }
            Application::Park => self.park().await,
            Application::Echo => {
                self.wait(None).await;
            }
            Application::Socket => self.socket(argument).await,
            Application::Transfer => {
                self.channel.leg().detour = super::dialplan::read_extension(argument);
            }
            Application::SchedTransfer => self.sched_transfer(argument),
            // There are no media to record.
            Application::Log
            | Application::Info
            | Application::RecordSession
            | Application::StopRecordSession => {}
        }
    }

    /// 200. A leg without media gets it first.
    pub(super) fn answer(&self) {
        if self.channel.leg().is_answered() || !self.channel.is_up() {
            return;
        }
        self.pre_answer();
        self.channel.leg().times.answered = self.core.clock.now_us();
        self.core
            .fire_leg("CHANNEL_ANSWER", ANSWER, &self.channel, &[]);
        self.core.set_call_state(&self.channel, CallState::Active);
        self.channel.poke_owner();
    }

    /// 183 with a session description.
    pub(super) fn pre_answer(&self) {
        {
            let mut leg = self.channel.leg();
            if leg.media || !leg.is_up() {
                return;
            }
            leg.media = true;
            leg.times.progress_media = self.core.clock.now_us();
        }
        self.core
            .fire_leg("CHANNEL_PROGRESS_MEDIA", MEDIA, &self.channel, &[]);
        self.core.set_call_state(&self.channel, CallState::Early);
        self.channel.poke_owner();
    }

    /// 180.
    pub(super) fn ring_ready(&self) {
        {
            let mut leg = self.channel.leg();
            if leg.media || leg.times.progress != 0 || !leg.is_up() {
                return;
            }
            leg.times.progress = self.core.clock.now_us();
        }
        self.core
            .fire_leg("CHANNEL_PROGRESS", RING, &self.channel, &[]);
        self.channel.poke_owner();
    }

    fn set(&self, argument: &str) {
        let (name, value) = argument.split_once('=').unwrap_or((argument, ""));
        self.channel.set(name.trim(), value);
    }

    /// `a=1 b=2`, or with another separator, `^^:a=1:b=2`.
    fn multiset(&self, argument: &str) {
        let (separator, list) = super::expand::list_separator(argument, ' ');
        for pair in list.split(separator).filter(|pair| !pair.is_empty()) {
            self.set(pair);
        }
    }

    /// A variable on this leg and on the legs that it dials.
    fn export(&self, argument: &str) {
        let (name, value) = argument.split_once('=').unwrap_or((argument, ""));
        let (name, local) = match name.trim().strip_prefix("nolocal:") {
            Some(name) => (name, false),
            None => (name.trim(), true),
        };
        if local {
            self.channel.set(name, value);
        } else {
            self.channel.set(&format!("nolocal:{name}"), value);
        }
        let list = self.channel.variable("export_vars").unwrap_or_default();
        let known = |entry: &str| entry.eq_ignore_ascii_case(name);
        if !list.split(',').any(known) {
            let list = if list.is_empty() {
                name.to_owned()
            } else {
                format!("{list},{name}")
            };
            self.channel.set("export_vars", &list);
        }
    }

    async fn sleep(&self, argument: &str) {
        let ms = argument.trim().parse().unwrap_or(0);
        let duration = self.core.options.scaled(Duration::from_millis(ms));
        self.wait(Some(Instant::now() + duration)).await;
    }

    async fn playback(&self, argument: &str) {
        let channel = &self.channel;
        if argument.trim().is_empty() {
            channel.set("current_application_response", "FILE NOT FOUND");
            return;
        }
        let extra = [
            ("Playback-File-Path", argument),
            ("Playback-File-Type", "file"),
            ("Playback-Status", "done"),
        ];
        let starting = extra.get(..2).unwrap_or_default();
        self.core
            .fire_leg("PLAYBACK_START", PLAY, channel, starting);
        let started = Instant::now();
        let length = self.core.options.scaled(super::media::length(argument));
        let woken = self.wait(Some(started + length)).await;
        let played = started.elapsed();
        {
            let mut leg = channel.leg();
            let samples = played.as_millis() * 8;
            leg.variables
                .set("playback_last_offset_pos", &samples.to_string());
            leg.variables
                .set("playback_seconds", &played.as_secs().to_string());
            leg.variables
                .set("playback_ms", &played.as_millis().to_string());
            leg.variables.set("playback_samples", &samples.to_string());
            let response = match woken {
                Woken::Due | Woken::Broken => "FILE PLAYED",
                Woken::HungUp | Woken::Detoured => "PLAYBACK ERROR",
            };
            leg.variables.set("current_application_response", response);
        }
        self.core.fire_leg("PLAYBACK_STOP", PLAYED, channel, &extra);
    }

    /// `404 Not Found`: the status that the caller gets; what ends the leg comes next.
    fn respond(&self, argument: &str) {
        let status = argument.split_ascii_whitespace().next();
        if let Some(status) = status.and_then(|status| status.parse().ok()) {
            let mut leg = self.channel.leg();
            if !leg.is_answered() {
                leg.responded = Some(status);
            }
        }
    }

    /// `+3 fallback XML fallback`.
    fn sched_transfer(&self, argument: &str) {
        let Some((when, target)) = argument.trim().split_once(' ') else {
            return;
        };
        let seconds = when.trim_start_matches('+').parse().unwrap_or(0.0);
        let after = Duration::try_from_secs_f64(seconds).unwrap_or_default();
        if let Some(detour) = super::dialplan::read_extension(target) {
            self.core.schedule_transfer(&self.channel, after, detour);
        }
    }

    /// Waits for orders until the leg is hung up or sent elsewhere.
    pub(super) async fn park(&self) {
        self.core.fire_leg("CHANNEL_PARK", PARK, &self.channel, &[]);
        loop {
            match self.wait(None).await {
                Woken::HungUp | Woken::Detoured => break,
                Woken::Due | Woken::Broken => {}
            }
        }
        self.unparked();
    }

    pub(super) fn unparked(&self) {
        self.core
            .fire_leg("CHANNEL_UNPARK", UNPARK, &self.channel, &[]);
    }

    pub(super) fn parked(&self) {
        self.core.fire_leg("CHANNEL_PARK", PARK, &self.channel, &[]);
    }

    /// Sends the leg elsewhere after its bridge, as its variables say.
    pub(super) fn after_bridge(&self) -> Option<Detour> {
        let channel = &self.channel;
        if channel.is_true("park_after_bridge") {
            return Some(Detour::Park);
        }
        let target = channel.variable("transfer_after_bridge")?;
        super::dialplan::read_extension(&target.replace(':', " "))
    }

    /// Same leg, shared with a task of its own.
    pub(super) fn shared(&self) -> (Arc<super::core::Core>, Arc<super::leg::Channel>) {
        (Arc::clone(&self.core), Arc::clone(&self.channel))
    }
}
