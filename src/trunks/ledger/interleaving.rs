//! A thousand calls on two nodes, taken, given back, hung up, read again and over a restart in any order: the limit
//! holds at every moment, and at the end nothing is counted.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use proptest::prelude::*;

use super::*;
use crate::switch::{ChannelSink, PresentChannel};

const LIMIT: u32 = 25;
const CALLS: u32 = 1000;

fn node(number: u32) -> NodeName {
    NodeName::new(["fs1", "fs2"][number as usize % 2]).unwrap()
}

fn call(number: u32) -> CallId {
    CallId::new(&format!("call-{number}")).unwrap()
}

fn acme() -> AccountId {
    AccountId::new("acme").unwrap()
}

fn take(ledger: &Ledger, number: u32) -> Option<Unit> {
    let (node, call, acme) = (node(number), call(number), acme());
    let claim = Claim {
        node: &node,
        call: &call,
        account: &acme,
        reseller: None,
        direction: if number.is_multiple_of(3) {
            Direction::Out
        } else {
            Direction::In
        },
        number: "+12125550100",
        counted: true,
        consuming: true,
    };
    let taken = ledger.take(&claim, |_, usage| {
        let fits = usage.inbound + usage.outbound < LIMIT;
        fits.then_some(()).ok_or(())
    });
    taken.ok().map(|(unit, _)| unit)
}

fn in_use(ledger: &Ledger) -> u32 {
    let usage = ledger.usage(&acme());
    usage.inbound + usage.outbound
}

/// The channels that a switch has, with their marks.
type Channels = BTreeMap<u32, Option<String>>;

fn table(channels: &Channels, of: u32) -> Vec<PresentChannel> {
    let there = channels
        .iter()
        .filter(|(number, _)| node(**number) == node(of));
    there
        .map(|(number, mark)| PresentChannel {
            uuid: call(*number).as_str().into(),
            mark: mark.as_deref().map(Box::from),
        })
        .collect()
}

#[derive(Debug, Clone)]
enum Step {
    /// A call comes and asks for a unit; then its leg is marked.
    Call(u32),
    /// Its attempt came to nothing, the leg goes on.
    Release(u32),
    /// Its task ends; the leg goes on.
    Leave(u32),
    HangUp(u32),
    /// The node is read, and these legs end while it is.
    Read(u32, Vec<u32>),
    Lost(u32),
    /// The daemon is killed and started again.
    Restart,
}

fn step() -> impl Strategy<Value = Step> {
    let number = || 0..CALLS;
    prop_oneof![
        12 => number().prop_map(Step::Call),
        2 => number().prop_map(Step::Release),
        2 => number().prop_map(Step::Leave),
        4 => number().prop_map(Step::HangUp),
        1 => (0..2_u32, proptest::collection::vec(number(), 0..4)).prop_map(|(n, e)| Step::Read(n, e)),
        1 => (0..2_u32).prop_map(Step::Lost),
        1 => Just(Step::Restart),
    ]
}

/// The daemon and the switch beside each other.
struct World {
    ledger: Ledger,
    channels: Channels,
    units: BTreeMap<u32, Unit>,
    /// Nodes that are connected, and followed.
    followed: BTreeSet<NodeName>,
}

impl World {
    fn new() -> Self {
        let mut world = Self {
            ledger: Ledger::default(),
            channels: Channels::new(),
            units: BTreeMap::new(),
            followed: BTreeSet::new(),
        };
        world.read(0, &[]);
        world.read(1, &[]);
        world
    }

    fn mark(&mut self, number: u32) {
        let marks = self
            .ledger
            .marks(&call(number))
            .map(|marks| marks.to_string());
        if let Some(channel) = self.channels.get_mut(&number) {
            *channel = marks;
        }
    }

    fn hang_up(&mut self, number: u32) {
        if self.channels.remove(&number).is_none() {
            return;
        }
        // The event, if anybody is there to hear it; the task learns by its own socket.
        if self.followed.contains(&node(number)) {
            ChannelSink::ended(&self.ledger, &node(number), call(number).as_str());
        }
        if let Some(unit) = self.units.remove(&number) {
            self.ledger.ended(&call(number));
            drop(unit);
        }
    }

    fn read(&mut self, of: u32, ending: &[u32]) {
        self.ledger.reading(&node(of));
        self.followed.insert(node(of));
        let table = table(&self.channels, of);
        ending.iter().for_each(|number| self.hang_up(*number));
        self.ledger.present(&node(of), table);
    }

    fn take(&mut self, step: &Step) {
        match step {
            Step::Call(number) => {
                if let Some(unit) = take(&self.ledger, *number) {
                    self.channels.entry(*number).or_default();
                    self.units.insert(*number, unit);
                    self.mark(*number);
                }
            }
            Step::Release(number) => {
                if let Some(unit) = self.units.remove(number) {
                    unit.release();
                    self.mark(*number);
                }
            }
            Step::Leave(number) => drop(self.units.remove(number)),
            Step::HangUp(number) => self.hang_up(*number),
            Step::Read(of, ending) => self.read(*of, ending),
            Step::Lost(of) => {
                self.ledger.away(&node(*of));
                self.followed.remove(&node(*of));
            }
            Step::Restart => {
                self.units.clear();
                self.ledger = Ledger::default();
                self.followed.clear();
                // Calls wait until the nodes are read.
                self.read(0, &[]);
                self.read(1, &[]);
            }
        }
    }

    /// Legs that carry a unit, as far as they say.
    fn marked(&self) -> usize {
        self.channels.values().flatten().count()
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]
    #[test]
    fn the_limit_holds_in_any_order(steps in proptest::collection::vec(step(), 1..400)) {
        let mut world = World::new();
        for step in &steps {
            world.take(step);
            prop_assert!(in_use(&world.ledger) <= LIMIT, "{step:?}: {}", in_use(&world.ledger));
            // Nobody is forgotten who is up, and unlistened ends are the only ones that stay counted.
            prop_assert!(world.ledger.units() >= world.marked(), "{step:?}");
            if world.followed.len() == 2 {
                prop_assert!(world.ledger.units() >= world.units.len());
            }
        }
        for number in 0..CALLS {
            world.hang_up(number);
        }
        world.read(0, &[]);
        world.read(1, &[]);
        prop_assert_eq!(world.ledger.units(), 0);
        prop_assert!(world.ledger.lock().is_bare());
    }
}

/// The same with eight threads that place and end a thousand calls while others read the nodes.
#[test]
fn the_limit_holds_while_nodes_are_read_and_calls_come_and_go() {
    let ledger = Ledger::default();
    let channels = Mutex::new(Channels::new());
    let served = AtomicUsize::new(0);
    let over = AtomicBool::new(false);
    for of in 0..2 {
        ledger.reading(&node(of));
        ledger.present(&node(of), Vec::new());
    }
    std::thread::scope(|scope| {
        let mut callers = Vec::new();
        for thread in 0..8_u32 {
            let (ledger, channels, served) = (&ledger, &channels, &served);
            callers.push(scope.spawn(move || {
                let mut seed = fastrand::Rng::with_seed(u64::from(thread));
                let own: Vec<u32> = (0..CALLS).filter(|number| number % 8 == thread).collect();
                for number in own {
                    let place = || channels.lock().unwrap();
                    place().insert(number, None);
                    let unit = take(ledger, number);
                    assert!(in_use(ledger) <= LIMIT);
                    if let Some(unit) = unit {
                        served.fetch_add(1, Ordering::Relaxed);
                        let marks = ledger.marks(&call(number)).map(|m| m.to_string());
                        place().insert(number, marks);
                        (0..seed.u32(0..4)).for_each(|_| std::thread::yield_now());
                        match seed.u32(0..3) {
                            0 => unit.release(),
                            // The task is gone; the event frees it.
                            1 => drop(unit),
                            _ => {
                                ledger.ended(&call(number));
                                drop(unit);
                            }
                        }
                    }
                    place().remove(&number);
                    ChannelSink::ended(ledger, &node(number), call(number).as_str());
                    assert!(in_use(ledger) <= LIMIT);
                }
            }));
        }
        let reader = {
            let (ledger, channels, over) = (&ledger, &channels, &over);
            scope.spawn(move || {
                let mut round = 0;
                while !over.load(Ordering::Relaxed) {
                    round += 1;
                    ledger.reading(&node(round));
                    let table = table(&channels.lock().unwrap(), round);
                    std::thread::yield_now();
                    ledger.present(&node(round), table);
                    std::thread::yield_now();
                }
            })
        };
        callers
            .into_iter()
            .for_each(|caller| caller.join().unwrap());
        over.store(true, Ordering::Relaxed);
        reader.join().unwrap();
    });
    assert!(served.load(Ordering::Relaxed) >= 100, "{served:?}");
    for of in 0..2 {
        ledger.reading(&node(of));
        ledger.present(&node(of), Vec::new());
    }
    assert_eq!(ledger.units(), 0);
    assert!(ledger.lock().is_bare());
}
