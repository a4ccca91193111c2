//! Decided calls on a leg without a switch: what is told to the leg, in which order, and how the call ends.

mod units;

use std::net::IpAddr;
use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::course::{Course, Finish, Scene};
use crate::callflow::report::{Attempt as Reported, AttemptOutcome};
use crate::callflow::stage::Clock;
use crate::callflow::tests::leg::{Reaction, ScriptedLeg};
use crate::callflow::{Context, Settings};
use crate::documents::{Account, Connectivity, Limits, NumberRecord, Registration};
use crate::routing;
use crate::routing::carriers::{Candidate, Origin, Sender, Wanted};
use crate::routing::trunk::{
    Attempt, AttemptTo, Decision, Dial, Failover, FailoverTo, HuntPolicy, Hunting, Outcome, Party,
    Place, Reject, Route, RouteKind, UnitDirection, UnitWanted, Unreadable, World,
};
use crate::routing::{DialLeg, DialString, Endpoint, Explain, Variables};
use crate::store::Store;
use crate::switch::Leg;
use crate::types::{AccountId, CallId, DocumentId, HangupCause, NodeName};

/// Knows limits and nothing else.
#[derive(Default)]
struct Documents {
    limits: Option<Arc<Limits>>,
    broken: bool,
}

type Read<T> = Result<T, Unreadable>;

impl World for Documents {
    fn account(&self, _: &AccountId) -> Read<Option<Arc<Account>>> {
        Ok(None)
    }
    fn ancestors(&self, _: &AccountId) -> Read<Vec<AccountId>> {
        Ok(Vec::new())
    }
    fn reseller(&self, _: &AccountId) -> Read<Option<AccountId>> {
        Ok(None)
    }
    fn number(&self, _: &str) -> Read<Option<(AccountId, Arc<NumberRecord>)>> {
        Ok(None)
    }
    fn did(&self, _: &str) -> Read<Vec<Place>> {
        Ok(Vec::new())
    }
    fn connectivity(&self, _: &AccountId, _: &DocumentId) -> Read<Option<Arc<Connectivity>>> {
        Ok(None)
    }
    fn connectivities(&self, _: &AccountId) -> Read<Vec<(DocumentId, Arc<Connectivity>)>> {
        Ok(Vec::new())
    }
    fn server_by_address(&self, _: &str, _: &str) -> Read<Option<Place>> {
        Ok(None)
    }
    fn servers_by_ip(&self, _: IpAddr) -> Read<Vec<Place>> {
        Ok(Vec::new())
    }
    fn registrations(&self, _: &str, _: &str) -> Read<Vec<Registration>> {
        Ok(Vec::new())
    }
    fn account_by_realm(&self, _: &str) -> Read<Option<AccountId>> {
        Ok(None)
    }
    fn candidates(&self, _: &Wanted<'_>, _: &mut dyn Explain) -> Vec<Candidate> {
        Vec::new()
    }
    fn sender(&self, _: &Origin<'_>) -> Option<Sender> {
        None
    }
    fn limits(&self, _: &AccountId) -> Read<Option<Arc<Limits>>> {
        if self.broken {
            return Err(Unreadable::new("the disk is gone"));
        }
        Ok(self.limits.clone())
    }
    fn emergency_number(&self, _: &AccountId) -> Read<Option<String>> {
        Ok(None)
    }
}

fn acme() -> AccountId {
    AccountId::new("acme").unwrap()
}

fn attempt(name: &str) -> Attempt {
    let endpoint = Endpoint::sofia("internal", &format!("sip:1@{name}.test")).unwrap();
    Attempt {
        to: AttemptTo::Uri(name.to_owned()),
        dial: Dial::Call(DialString {
            global: Variables::default(),
            groups: vec![vec![DialLeg {
                variables: Variables::default(),
                endpoint,
            }]],
        }),
        aleg: Variables::default(),
        answer_timeout_s: None,
        progress_timeout_s: None,
        delay_s: 0,
    }
}

fn missing(cause: HangupCause) -> Attempt {
    Attempt {
        dial: Dial::Fails(cause, "not there"),
        ..attempt("missing")
    }
}

fn unit(direction: UnitDirection) -> UnitWanted {
    UnitWanted {
        account: acme(),
        reseller: None,
        direction,
        number: "+12125550100".into(),
        counted: true,
        consuming: true,
        eligible: true,
        refusal: Reject::hangup(HangupCause::UserBusy, "no trunk is free"),
    }
}

fn decision(attempts: Vec<Attempt>, hunting: Hunting) -> Decision {
    let mut aleg = Variables::default();
    aleg.set_bool("continue_on_fail", true);
    Decision {
        account: Some(acme()),
        units: vec![unit(UnitDirection::In)],
        outcome: Outcome::Route(Box::new(Route {
            kind: RouteKind::Pbx,
            account: acme(),
            number: "+12125550100".into(),
            attempts,
            hunting,
            failover: None,
            aleg,
            privacy: false,
            ring_ready: true,
            emergency: false,
            guard_s: 120,
        })),
    }
}

fn servers(attempts: Vec<Attempt>) -> Decision {
    decision(attempts, Hunting::Servers)
}

fn route(decision: &mut Decision) -> &mut Route {
    match &mut decision.outcome {
        Outcome::Route(route) => route,
        other => panic!("{other:?}"),
    }
}

fn with_failover(mut decision: Decision) -> Decision {
    route(&mut decision).failover = Some(Failover {
        to: FailoverTo::Sip("sip:home@d.test".into()),
        server: None,
        account: acme(),
        did: "+12125550100".into(),
        caller: Party::default(),
    });
    decision
}

struct Bench {
    context: Context,
    world: Documents,
    call: CallId,
    node: NodeName,
    shutdown: CancellationToken,
    behind_loopback: bool,
}

struct Done {
    finish: Finish,
    attempts: Vec<Reported>,
    leg: Arc<ScriptedLeg>,
}

impl Done {
    fn bridges(&self) -> Vec<String> {
        let log = self.leg.log();
        let bridged = log.iter().filter_map(|line| line.strip_prefix("bridge "));
        bridged.map(str::to_owned).collect()
    }

    fn cause(&self) -> (HangupCause, u16) {
        match self.finish {
            Finish::Rejected(reject) => (reject.cause, reject.sip_status),
            other => panic!("{other:?}"),
        }
    }
}

impl Bench {
    fn new() -> Self {
        Self {
            context: Context::new(
                Store::temporary().unwrap(),
                routing::Settings::default(),
                Settings::default(),
            ),
            world: Documents::default(),
            call: CallId::new("c-1").unwrap(),
            node: NodeName::new("fs1").unwrap(),
            shutdown: CancellationToken::new(),
            behind_loopback: false,
        }
    }

    fn course<'a>(&'a self, leg: &'a Arc<dyn Leg>) -> Course<'a> {
        Course::new(Scene {
            call: &self.call,
            node: &self.node,
            leg,
            context: &self.context,
            world: &self.world,
            shutdown: &self.shutdown,
            clock: Clock::start(0),
            behind_loopback: self.behind_loopback,
            party: None,
        })
    }

    async fn run(
        &self,
        decision: Decision,
        failover: Option<Decision>,
        script: &[(&'static str, Reaction)],
    ) -> Done {
        let scripted = ScriptedLeg::new(script);
        let leg: Arc<dyn Leg> = scripted.clone();
        let mut course = self.course(&leg);
        let decide = |_: &Failover| {
            failover
                .clone()
                .ok_or_else(|| Unreadable::new("no failover"))
        };
        let finish = course.run(decision, &decide).await;
        let attempts = course.take_attempts();
        drop(course);
        self.context.ledger.ended(&self.call);
        scripted.assert_finished();
        Done {
            finish,
            attempts,
            leg: scripted,
        }
    }
}

const fn fails(cause: HangupCause) -> (&'static str, Reaction) {
    ("bridge", Reaction::Fails(cause, None))
}

#[tokio::test]
async fn an_answer_ends_the_hunt_and_the_unit_with_the_call() {
    let bench = Bench::new();
    let answered = [("bridge", Reaction::Answered)];
    let done = bench
        .run(servers(vec![attempt("a"), attempt("b")]), None, &answered)
        .await;
    assert_eq!(done.finish, Finish::Talked);
    assert_eq!(done.bridges().len(), 1);
    let variables = done.leg.variables();
    for expected in [
        "sip_ignore_remote_cause=true",
        "continue_on_fail=true",
        "lf_units=in/acme//cr/+12125550100",
    ] {
        assert!(variables.iter().any(|v| v == expected), "{variables:?}");
    }
    assert_eq!(done.leg.log()[0], "ring_ready");
    assert_eq!(bench.context.ledger.units(), 0);
}

#[tokio::test]
async fn behind_a_loopback_the_dialled_leg_bears_the_mark() {
    let mut bench = Bench::new();
    bench.behind_loopback = true;
    let answered = [("bridge", Reaction::Answered)];
    let done = bench
        .run(servers(vec![attempt("a")]), None, &answered)
        .await;
    let mark = "lf_units=in/acme//cr/+12125550100";
    assert!(done.bridges()[0].contains(mark), "{:?}", done.bridges());
    assert!(!done.leg.variables().iter().any(|v| v == mark));
}

#[tokio::test]
async fn the_next_server_is_tried_after_what_the_pbx_did_not_say_itself() {
    use HangupCause::{
        AllottedTimeout, AttendedTransfer, CallRejected, DestinationOutOfOrder,
        IncompatibleDestination, LoseRace, NetworkOutOfOrder, NoAnswer, NoUserResponse,
        NormalTemporaryFailure, PickedOff, ProgressTimeout, RecoveryOnTimerExpire,
        UnallocatedNumber, UserBusy, UserNotRegistered,
    };
    for cause in [
        UserNotRegistered,
        ProgressTimeout,
        AllottedTimeout,
        NoAnswer,
        NoUserResponse,
        RecoveryOnTimerExpire,
        DestinationOutOfOrder,
        NormalTemporaryFailure,
        NetworkOutOfOrder,
    ] {
        let bench = Bench::new();
        let script = [fails(cause), ("bridge", Reaction::Answered)];
        let two = servers(vec![attempt("a"), attempt("b")]);
        let done = bench.run(two, None, &script[..]).await;
        assert_eq!(done.finish, Finish::Talked, "{cause}");
        assert_eq!(done.bridges().len(), 2, "{cause}");
    }
    for cause in [
        UserBusy,
        CallRejected,
        UnallocatedNumber,
        IncompatibleDestination,
    ] {
        let bench = Bench::new();
        let two = servers(vec![attempt("a"), attempt("b")]);
        let done = bench.run(two, None, &[fails(cause)]).await;
        assert_eq!(done.cause(), (cause, cause.sip_status()));
        assert_eq!(bench.context.ledger.units(), 0, "{cause}");
    }
    for cause in [AttendedTransfer, PickedOff, LoseRace] {
        let bench = Bench::new();
        let two = with_failover(servers(vec![attempt("a"), attempt("b")]));
        let done = bench.run(two, None, &[fails(cause)]).await;
        assert_eq!(done.finish, Finish::Gone, "{cause}");
    }
}

#[tokio::test]
async fn a_caller_who_leaves_ends_everything() {
    let bench = Bench::new();
    let script = [("bridge", Reaction::Error(crate::switch::CallError::Hungup))];
    let two = with_failover(servers(vec![attempt("a"), attempt("b")]));
    let done = bench.run(two, None, &script[..]).await;
    assert_eq!(done.finish, Finish::Gone);
    assert_eq!(done.bridges().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_carriers_487_is_a_failure_like_any_other() {
    let bench = Bench::new();
    let cancelled = Reaction::Fails(HangupCause::OriginatorCancel, Some(487));
    let script = [("bridge", cancelled), ("bridge", Reaction::Answered)];
    let carriers = Hunting::Carriers(HuntPolicy::Kazoo);
    let two = decision(vec![attempt("a"), attempt("b")], carriers);
    let done = bench.run(two, None, &script[..]).await;
    assert_eq!(done.finish, Finish::Talked);
}

#[tokio::test]
async fn carriers_are_tried_after_every_failure_unless_the_policy_says_otherwise() {
    let busy = || [fails(HangupCause::UserBusy)];
    let two = || vec![attempt("a"), attempt("b")];
    let kazoo = decision(two(), Hunting::Carriers(HuntPolicy::Kazoo));
    let script = [fails(HangupCause::UserBusy), fails(HangupCause::NoAnswer)];
    let done = Bench::new().run(kazoo, None, &script).await;
    assert_eq!(
        done.cause(),
        (HangupCause::NoAnswer, 480),
        "the last one's cause"
    );
    let definitive = decision(two(), Hunting::Carriers(HuntPolicy::Definitive));
    let done = Bench::new().run(definitive, None, &busy()).await;
    assert_eq!(done.cause(), (HangupCause::UserBusy, 486));
}

#[tokio::test]
async fn failover_comes_after_the_last_server_and_once() {
    let failover = || servers(vec![attempt("home")]);
    let bench = Bench::new();
    let first = with_failover(servers(vec![
        missing(HangupCause::UserNotRegistered),
        attempt("b"),
    ]));
    let script = [fails(HangupCause::UserBusy), ("bridge", Reaction::Answered)];
    let done = bench.run(first, Some(failover()), &script).await;
    assert_eq!(done.finish, Finish::Talked);
    assert_eq!(done.attempts.len(), 3);
    assert!(matches!(
        done.attempts[0].outcome,
        AttemptOutcome::NoLeg { .. }
    ));
    assert!(done.bridges()[1].contains("home.test"));
    // The failover of a failover is none.
    let bench = Bench::new();
    let first = with_failover(servers(vec![missing(HangupCause::UserNotRegistered)]));
    let script = [fails(HangupCause::NoAnswer)];
    let done = bench
        .run(first, Some(with_failover(failover())), &script)
        .await;
    assert_eq!(done.cause(), (HangupCause::NoAnswer, 480));
    // One that is refused before any leg gives its own cause.
    let bench = Bench::new();
    let first = with_failover(servers(vec![attempt("a")]));
    let mut barred = failover();
    barred.outcome = Outcome::Reject(Reject::forbidden("disabled"));
    let done = bench
        .run(first, Some(barred), &[fails(HangupCause::NoAnswer)])
        .await;
    assert_eq!(done.cause(), (HangupCause::CallRejected, 403));
}

#[tokio::test(start_paused = true)]
async fn nobody_answers_within_the_guard() {
    let bench = Bench::new();
    let first = with_failover(servers(vec![attempt("a"), attempt("b")]));
    let before = tokio::time::Instant::now();
    let done = bench.run(first, None, &[("bridge", Reaction::Never)]).await;
    assert_eq!(done.cause(), (HangupCause::NormalTemporaryFailure, 503));
    assert_eq!(before.elapsed().as_secs(), 120);
}

#[tokio::test(start_paused = true)]
async fn a_leg_that_has_only_sent_early_media_is_ended_at_its_time() {
    let bench = Bench::new();
    let slow = Attempt {
        answer_timeout_s: Some(5),
        delay_s: 2,
        ..attempt("slow")
    };
    let early = ("bridge", Reaction::EarlyMedia);
    let script = [early, ("bridge", Reaction::Answered)];
    let before = tokio::time::Instant::now();
    let done = bench
        .run(servers(vec![slow, attempt("b")]), None, &script)
        .await;
    assert_eq!(done.finish, Finish::Talked);
    assert_eq!(before.elapsed().as_secs(), 7);
    let timed_out = AttemptOutcome::Failed {
        cause: HangupCause::AllottedTimeout,
        sip_status: None,
    };
    assert_eq!(done.attempts[0].outcome, timed_out);
}

#[tokio::test]
async fn what_one_attempt_leaves_on_the_leg_is_not_there_for_the_next() {
    let bench = Bench::new();
    let mut first = attempt("a");
    first.aleg.set_bool("bypass_media", true);
    first.aleg.set("ringback", "tone");
    let mut second = attempt("b");
    second.aleg.set_bool("bypass_media", false);
    let script = [fails(HangupCause::NoAnswer), ("bridge", Reaction::Answered)];
    let done = bench.run(servers(vec![first, second]), None, &script).await;
    assert!(done.leg.log().contains(&"unset ringback".to_owned()));
    let bypass: Vec<String> = done
        .leg
        .variables()
        .into_iter()
        .filter(|v| v.starts_with("bypass_media"))
        .collect();
    assert_eq!(bypass, ["bypass_media=true", "bypass_media=false"]);
}
