//! Units that a call needs, and what becomes of them.

use super::*;
use crate::routing::trunk::AuthzDefault;

#[tokio::test]
async fn no_room_is_the_end_and_failover_is_not_tried() {
    let mut bench = Bench::new();
    bench.world.limits = Some(Arc::new(Limits::of_trunks(0)));
    let full = with_failover(servers(vec![attempt("a")]));
    let done = bench
        .run(full, Some(servers(vec![attempt("home")])), &[])
        .await;
    assert_eq!(done.cause(), (HangupCause::UserBusy, 486));
    assert!(done.attempts.is_empty());
    assert_eq!(bench.context.ledger.units(), 0);
    // Limits that can't be read let nobody call for free.
    bench.world = Documents {
        broken: true,
        ..Documents::default()
    };
    let done = bench.run(servers(vec![attempt("a")]), None, &[]).await;
    assert_eq!(done.cause(), (HangupCause::UserBusy, 486));
    // ... unless the operator says so; then it is counted all the same.
    let mut settings = routing::Settings::default();
    settings.trunk.authz_default_action = AuthzDefault::Allow;
    bench.context.routing = Arc::new(settings);
    let answered = [("bridge", Reaction::Answered)];
    let done = bench
        .run(servers(vec![attempt("a")]), None, &answered)
        .await;
    assert_eq!(done.finish, Finish::Talked);
    let marked = |variable: &String| variable.starts_with("lf_units=in/acme");
    assert!(done.leg.variables().iter().any(marked));
}

#[tokio::test]
async fn a_second_unit_that_is_refused_gives_the_first_one_back() {
    let mut bench = Bench::new();
    bench.world.limits = Some(Arc::new(Limits::of_trunks(1)));
    let mut both = servers(vec![attempt("a")]);
    both.units.push(unit(UnitDirection::Out));
    let done = bench.run(both, None, &[]).await;
    assert_eq!(done.cause().0, HangupCause::UserBusy);
    assert_eq!(bench.context.ledger.units(), 0);
}

#[tokio::test]
async fn a_stopping_daemon_leaves_the_unit_with_the_call() {
    let bench = Bench::new();
    bench.shutdown.cancel();
    let scripted = ScriptedLeg::new(&[("bridge", Reaction::Never)]);
    let leg: Arc<dyn Leg> = scripted.clone();
    let mut course = bench.course(&leg);
    let decide = |_: &Failover| Err(Unreadable::new("none"));
    let finish = course.run(servers(vec![attempt("a")]), &decide).await;
    assert_eq!(finish, Finish::LetGo);
    drop(course);
    assert_eq!(bench.context.ledger.units(), 1, "the call is still up");
    bench.context.ledger.ended(&bench.call);
    assert_eq!(bench.context.ledger.units(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_call_waits_for_the_count_and_is_refused_where_a_limit_holds() {
    let mut bench = Bench::new();
    bench.context.ledger.expect([NodeName::new("fs2").unwrap()]);
    bench.world.limits = Some(Arc::new(Limits::of_trunks(5)));
    let done = bench.run(servers(vec![attempt("a")]), None, &[]).await;
    assert_eq!(done.cause(), (HangupCause::UserBusy, 486));
    // Nobody is over a limit that there is not.
    bench.world.limits = None;
    let answered = [("bridge", Reaction::Answered)];
    let done = bench
        .run(servers(vec![attempt("a")]), None, &answered)
        .await;
    assert_eq!(done.finish, Finish::Talked);
}

#[tokio::test]
async fn a_leg_that_goes_on_without_its_unit_does_not_say_that_it_has_it() {
    let bench = Bench::new();
    let scripted = ScriptedLeg::new(&[fails(HangupCause::NoAnswer)]);
    let leg: Arc<dyn Leg> = scripted.clone();
    let mut course = bench.course(&leg);
    let decide = |_: &Failover| Err(Unreadable::new("none"));
    let finish = course.run(servers(vec![attempt("a")]), &decide).await;
    assert!(matches!(finish, Finish::Rejected(_)));
    course.gives_back().await;
    assert_eq!(bench.context.ledger.units(), 0);
    assert!(scripted.log().contains(&"unset lf_units".to_owned()));
    assert!(
        !course.leaves().contains(&"lf_units".to_owned()),
        "once is enough"
    );
}
