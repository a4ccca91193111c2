//! The ledger against a plain model, many threads at its edge, and the ways in which a leg ends.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use proptest::prelude::*;
use tokio::time::Instant;

use super::state::{AWAY_FOR, UNKNOWN_FOR};
use super::*;
use crate::switch::{ChannelSink, PresentChannel};

fn account(name: &str) -> AccountId {
    AccountId::new(name).unwrap()
}

fn call(number: u32) -> CallId {
    CallId::new(&format!("call-{number}")).unwrap()
}

fn node(name: &str) -> NodeName {
    NodeName::new(name).unwrap()
}

struct Ask {
    node: NodeName,
    call: CallId,
    account: AccountId,
    reseller: Option<AccountId>,
    direction: Direction,
}

impl Ask {
    fn new(number: u32, who: &str, direction: Direction) -> Self {
        Self {
            node: node("fs1"),
            call: call(number),
            account: account(who),
            reseller: Some(account("reseller")),
            direction,
        }
    }

    fn claim(&self) -> Claim<'_> {
        Claim {
            node: &self.node,
            call: &self.call,
            account: &self.account,
            reseller: self.reseller.as_ref(),
            direction: self.direction,
            number: "+12125550100",
            counted: true,
            consuming: true,
        }
    }

    /// Takes a unit if fewer than `limit` are in use, for the account and for the reseller.
    fn take(&self, ledger: &Ledger, limit: u32) -> Option<Unit> {
        let taken = ledger.take(&self.claim(), |_, usage| {
            (usage.inbound + usage.outbound < limit)
                .then_some(())
                .ok_or(())
        });
        taken.ok().map(|(unit, _)| unit)
    }
}

/// Fifty threads at a limit of ten, over and over, with every way to give a unit back: never one over, never a leak.
#[test]
fn never_one_over_and_never_a_leak() {
    const LIMIT: u32 = 10;
    let ledger = Ledger::default();
    let inside = Arc::new(AtomicU32::new(0));
    let taken = Arc::new(AtomicU32::new(0));
    std::thread::scope(|scope| {
        for thread in 0..50_u32 {
            let (ledger, inside, taken) = (ledger.clone(), inside.clone(), taken.clone());
            scope.spawn(move || {
                for round in 0..200 {
                    let who = if thread % 2 == 0 { "acme" } else { "beta" };
                    let ask = Ask::new(thread * 1000 + round, who, Direction::Out);
                    let Some(unit) = ask.take(&ledger, LIMIT) else {
                        continue;
                    };
                    taken.fetch_add(1, Ordering::Relaxed);
                    let now = inside.fetch_add(1, Ordering::SeqCst) + 1;
                    assert!(now <= LIMIT, "{now} units of {LIMIT}");
                    std::thread::yield_now();
                    inside.fetch_sub(1, Ordering::SeqCst);
                    match round % 3 {
                        0 => unit.release(),
                        1 => {
                            ledger.ended(&ask.call);
                            drop(unit);
                        }
                        _ => {
                            drop(unit);
                            ChannelSink::ended(&ledger, &ask.node, ask.call.as_str());
                        }
                    }
                }
            });
        }
    });
    assert!(taken.load(Ordering::Relaxed) >= 200, "nobody got anything");
    assert_eq!(ledger.units(), 0);
    for who in ["acme", "beta", "reseller"] {
        assert_eq!(ledger.usage(&account(who)), Usage::default(), "{who}");
    }
    assert!(ledger.lock().is_bare());
}

/// What can happen to one call.
#[derive(Debug, Clone)]
enum Step {
    Take(u32, bool, bool),
    Release(usize),
    Drop(usize),
    End(u32),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0..6_u32, any::<bool>(), any::<bool>()).prop_map(|(c, a, d)| Step::Take(c, a, d)),
        1 => (0..20_usize).prop_map(Step::Release),
        1 => (0..20_usize).prop_map(Step::Drop),
        1 => (0..6_u32).prop_map(Step::End),
    ]
}

type Held = (u32, &'static str, Direction);

proptest! {
    /// The ledger does what a plain set of units does, under a limit of three for each account and five for
    /// the reseller.
    #[test]
    fn it_is_a_set_with_limits(steps in proptest::collection::vec(step(), 1..60)) {
        let ledger = Ledger::default();
        let mut model: BTreeMap<Held, u64> = BTreeMap::new();
        let mut guards: Vec<Option<(Held, u64, Unit)>> = Vec::new();
        let mut turn = 0;
        for step in steps {
            match step {
                Step::Take(number, acme, out) => {
                    let who = if acme { "acme" } else { "beta" };
                    let direction = if out { Direction::Out } else { Direction::In };
                    let key = (number, who, direction);
                    let of = |who: &str| model.keys().filter(|k| k.1 == who).count();
                    let fits = model.contains_key(&key) || (of(who) < 3 && model.len() < 5);
                    let ask = Ask::new(number, who, direction);
                    let taken = ledger.take(&ask.claim(), |whose, usage| {
                        let limit = if whose.as_str() == "reseller" { 5 } else { 3 };
                        (usage.inbound + usage.outbound < limit).then_some(()).ok_or(())
                    });
                    prop_assert_eq!(taken.is_ok(), fits);
                    if let Ok((unit, _)) = taken {
                        turn += 1;
                        model.insert(key, turn);
                        guards.push(Some((key, turn, unit)));
                    }
                }
                Step::Release(at) => {
                    if let Some((key, turn, unit)) = guards.get_mut(at).and_then(Option::take) {
                        unit.release();
                        // A later guard of the same unit keeps it.
                        if model.get(&key) == Some(&turn) {
                            model.remove(&key);
                        }
                    }
                }
                Step::Drop(at) => drop(guards.get_mut(at).and_then(Option::take)),
                Step::End(number) => {
                    ledger.ended(&call(number));
                    model.retain(|key, _| key.0 != number);
                }
            }
            prop_assert_eq!(ledger.units(), model.len());
            let usage = ledger.usage(&account("reseller"));
            prop_assert_eq!((usage.inbound + usage.outbound) as usize, model.len());
            let calls: BTreeSet<u32> = model.keys().map(|key| key.0).collect();
            prop_assert_eq!(usage.calls as usize, calls.len());
        }
    }
}

#[test]
fn a_call_that_asks_again_has_its_unit_once() {
    let ledger = Ledger::default();
    let ask = Ask::new(1, "acme", Direction::In);
    let first = ask.take(&ledger, 1).unwrap();
    let again = ask.take(&ledger, 1).unwrap();
    assert_eq!(ledger.units(), 1);
    first.release();
    assert_eq!(ledger.units(), 1, "the later guard holds it");
    again.release();
    assert_eq!(ledger.units(), 0);
}

#[test]
fn the_resellers_no_leaves_nothing_behind() {
    let ledger = Ledger::default();
    let ask = Ask::new(1, "acme", Direction::Out);
    let refused = ledger.take(&ask.claim(), |whose, _| {
        (whose.as_str() == "acme").then_some(()).ok_or("full")
    });
    assert_eq!(refused.unwrap_err(), (account("reseller"), "full"));
    assert!(ledger.lock().is_bare());
}

#[test]
fn a_judge_sees_the_others_and_not_the_call_itself() {
    let ledger = Ledger::default();
    let inbound = Ask::new(1, "acme", Direction::In).take(&ledger, 9);
    let other = Ask::new(2, "acme", Direction::In).take(&ledger, 9);
    let mut seen = None;
    let ask = Ask::new(1, "acme", Direction::Out);
    let (unit, _) = ledger
        .take(&ask.claim(), |whose, usage| {
            if whose.as_str() == "acme" {
                seen = Some(*usage);
            }
            Ok::<_, ()>(())
        })
        .unwrap();
    let seen = seen.unwrap();
    assert_eq!((seen.inbound, seen.outbound), (2, 0));
    assert_eq!((seen.calls, seen.consuming, seen.of_number), (1, 1, 2));
    drop((inbound, other, unit));
}

fn present(uuid: &str, mark: Option<&str>) -> PresentChannel {
    PresentChannel {
        uuid: uuid.into(),
        mark: mark.map(Box::from),
    }
}

/// A daemon that was killed with calls up: the next one counts what the channels carry.
#[tokio::test(start_paused = true)]
async fn units_are_found_again_on_live_channels() {
    let before = Ledger::default();
    let asks: Vec<Ask> = (0..100)
        .map(|n| Ask::new(n, "acme", Direction::In))
        .collect();
    let held: Vec<Unit> = asks
        .iter()
        .map(|a| a.take(&before, 1000).unwrap())
        .collect();
    let marks: Vec<(String, String)> = asks
        .iter()
        .map(|ask| {
            let mark = before.marks(&ask.call).unwrap().to_string();
            (ask.call.as_str().to_owned(), mark)
        })
        .collect();

    let after = Ledger::default();
    after.expect([node("fs1")]);
    assert!(!after.in_step(Duration::from_secs(1)).await, "not read yet");
    after.reading(&node("fs1"));
    // One ends while the table is read: the event wins.
    ChannelSink::ended(&after, &node("fs1"), "call-7");
    let mut channels: Vec<_> = marks
        .iter()
        .map(|(uuid, mark)| present(uuid, Some(mark)))
        .collect();
    channels.push(present("somebody-elses", None));
    channels.push(present("strange", Some("in/a b//c/1;nonsense")));
    after.present(&node("fs1"), channels);
    assert!(after.in_step(Duration::from_secs(1)).await);
    assert_eq!(after.units(), 99);
    assert_eq!(after.usage(&account("acme")).inbound, 99);
    assert_eq!(after.usage(&account("reseller")).calls, 99);
    // The call that is driven again gets its unit back, and one that ends frees it.
    let again = asks[3].take(&after, 0).expect("it holds one already");
    again.release();
    ChannelSink::ended(&after, &node("fs1"), "call-4");
    assert_eq!(after.units(), 97);
    drop(held);
}

/// FreeSWITCH was restarted: what it had is gone. A unit taken since the reading began stays.
#[tokio::test(start_paused = true)]
async fn a_restarted_node_has_none_of_its_calls() {
    let ledger = Ledger::default();
    let gone = Ask::new(1, "acme", Direction::In);
    drop(gone.take(&ledger, 9));
    let mut elsewhere = Ask::new(2, "acme", Direction::In);
    elsewhere.node = node("fs2");
    drop(elsewhere.take(&ledger, 9));
    ledger.away(&node("fs1"));
    tokio::time::advance(Duration::from_secs(5)).await;
    ledger.reading(&node("fs1"));
    tokio::time::advance(Duration::from_millis(1)).await;
    drop(Ask::new(3, "acme", Direction::In).take(&ledger, 9));
    ledger.present(&node("fs1"), Vec::new());
    assert_eq!(ledger.units(), 2);
    assert!(ledger.marks(&gone.call).is_none());
}

#[tokio::test(start_paused = true)]
async fn the_reaper_waits_a_minute_for_a_leg_and_a_quarter_of_an_hour_for_a_node() {
    let ledger = Ledger::default();
    ledger.reading(&node("fs1"));
    ledger.present(&node("fs1"), Vec::new());
    let attended = Ask::new(1, "acme", Direction::In).take(&ledger, 9);
    let lost = Ask::new(2, "acme", Direction::In);
    drop(lost.take(&ledger, 9));
    let start = Instant::now();
    ledger.looked(&lost.call, false, start);
    assert_eq!(
        ledger.expire(start + UNKNOWN_FOR - Duration::from_secs(1)),
        0
    );
    // Found after all.
    ledger.looked(&lost.call, true, start);
    assert_eq!(ledger.expire(start + UNKNOWN_FOR * 2), 0);
    ledger.looked(&lost.call, false, start);
    assert_eq!(ledger.expire(start + UNKNOWN_FOR), 1);
    assert_eq!(ledger.units(), 1);

    let mut unreachable = Ask::new(3, "acme", Direction::In);
    unreachable.node = node("fs2");
    drop(unreachable.take(&ledger, 9));
    ledger.away(&node("fs2"));
    let away = Instant::now();
    assert_eq!(ledger.expire(away + AWAY_FOR - Duration::from_secs(1)), 0);
    assert_eq!(ledger.expire(away + AWAY_FOR), 1);
    assert_eq!(ledger.units(), 1, "a call with a task is never reaped");
    drop(attended);
}

#[tokio::test(start_paused = true)]
async fn a_renamed_leg_keeps_its_units() {
    let ledger = Ledger::default();
    let ask = Ask::new(1, "acme", Direction::In);
    let unit = ask.take(&ledger, 9).unwrap();
    ledger.renamed(&node("fs1"), "call-1", "call-9");
    assert_eq!(ledger.units(), 1);
    drop(unit);
    assert_eq!(ledger.unattended(), [(node("fs1"), call(9))]);
    ChannelSink::ended(&ledger, &node("fs1"), "call-9");
    assert_eq!(ledger.units(), 0);
}

#[tokio::test(start_paused = true)]
async fn calls_wait_for_nodes_that_are_being_read_and_not_for_those_away() {
    let ledger = Ledger::default();
    ledger.expect([node("fs1"), node("fs2")]);
    ledger.away(&node("fs2"));
    let waiting = {
        let ledger = ledger.clone();
        tokio::spawn(async move { ledger.in_step(Duration::from_secs(3)).await })
    };
    tokio::task::yield_now().await;
    ledger.reading(&node("fs1"));
    tokio::task::yield_now().await;
    assert!(!waiting.is_finished());
    ledger.unreadable(&node("fs1"));
    assert!(waiting.await.unwrap());
}

/// A node without a connection of our own: its calls are read over the socket of one that has just come, are kept as
/// long as nothing is known of it, and are looked for again when another call comes.
#[tokio::test(start_paused = true)]
async fn a_node_that_is_known_by_its_calls_alone() {
    let before = Ledger::default();
    let ask = Ask::new(1, "acme", Direction::In);
    let held = ask.take(&before, 9);
    let mark = before.marks(&ask.call).unwrap().to_string();
    drop(held);

    let ledger = Ledger::default();
    let fs1 = node("fs1");
    assert!(ledger.glimpses(&fs1));
    assert!(!ledger.glimpses(&fs1), "one reads it already");
    assert!(!ledger.in_step(Duration::from_millis(1)).await);
    // A call that ends meanwhile tells it by its own socket.
    ledger.ended(&call(2));
    let marked = |number: u32| present(call(number).as_str(), Some(&mark));
    ledger.present(&fs1, vec![marked(1), marked(2), present("new", None)]);
    assert!(ledger.in_step(Duration::from_millis(1)).await);
    assert_eq!(ledger.units(), 1);
    assert!(!ledger.glimpses(&fs1), "just now");

    tokio::time::advance(Duration::from_secs(61)).await;
    assert!(ledger.glimpses(&fs1));
    ledger.present(&fs1, vec![marked(1)]);
    let seen = Instant::now();
    assert_eq!(ledger.expire(seen + AWAY_FOR - Duration::from_secs(1)), 0);
    tokio::time::advance(Duration::from_secs(61)).await;
    assert!(ledger.glimpses(&fs1));
    ledger.unreadable(&fs1);
    assert_eq!(ledger.units(), 1, "nobody said that it is gone");
    tokio::time::advance(Duration::from_secs(61)).await;
    assert!(ledger.glimpses(&fs1));
    ledger.present(&fs1, Vec::new());
    assert_eq!(ledger.units(), 0);

    ledger.expect([node("fs2")]);
    assert!(
        !ledger.glimpses(&node("fs2")),
        "it has a connection of its own"
    );
}

#[tokio::test(start_paused = true)]
async fn units_of_a_node_that_is_heard_of_no_more_are_kept_for_a_quarter_of_an_hour() {
    let ledger = Ledger::default();
    let fs1 = node("fs1");
    drop(Ask::new(1, "acme", Direction::In).take(&ledger, 9));
    tokio::time::advance(Duration::from_secs(1)).await;
    assert!(ledger.glimpses(&fs1));
    ledger.present(&fs1, vec![present("call-1", None)]);
    let seen = Instant::now();
    assert_eq!(ledger.expire(seen + AWAY_FOR - Duration::from_secs(1)), 0);
    assert_eq!(ledger.expire(seen + AWAY_FOR), 1);
}

/// A forwarded call reaches its carrier from the far half of a loopback, which withdraws after the answer.
#[tokio::test(start_paused = true)]
async fn a_leg_that_leaves_its_call_to_another_passes_the_units_on() {
    let ledger = Ledger::default();
    let ask = Ask::new(1, "acme", Direction::Out);
    let unit = ask.take(&ledger, 1).unwrap();
    let marks = ledger.marks(&call(1)).unwrap();
    // The carrier's leg bears the mark, and the node was read anew before the loopback has gone.
    ledger.reading(&node("fs1"));
    let mark = Some(Box::from(marks.to_string()));
    let channel = |uuid: &str, mark| PresentChannel {
        uuid: Box::from(uuid),
        mark,
    };
    ledger.present(
        &node("fs1"),
        vec![channel("call-1", None), channel("call-9", mark)],
    );
    // The task and the node's event both tell it.
    ledger.passed_on(&call(1), &call(9));
    drop(unit);
    ledger.renamed(&node("fs1"), "call-1", "call-9");
    let acme = AccountId::new("acme").unwrap();
    assert_eq!((ledger.units(), ledger.usage(&acme).outbound), (1, 1));
    assert!(
        Ask::new(2, "acme", Direction::Out)
            .take(&ledger, 1)
            .is_none()
    );
    ChannelSink::ended(&ledger, &node("fs1"), "call-9");
    assert!(ledger.lock().is_bare());
}
