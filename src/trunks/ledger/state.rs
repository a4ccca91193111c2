//! The ledger's books, under its lock.

use std::collections::HashMap;
use std::time::Duration;

use tokio::time::Instant;

use super::marks::{Mark, Marks};
use super::nodes::Nodes;
use super::tally::{Counted, Tally, Usage};
use super::unit::{Claim, Direction, Key, Place};
use crate::types::{AccountId, CallId, NodeName};

/// A leg that its node does not know is forgotten after this: FreeSWITCH's own table is late.
pub(super) const UNKNOWN_FOR: Duration = Duration::from_secs(60);
/// A node that is away may come back with its calls.
pub(super) const AWAY_FOR: Duration = Duration::from_secs(15 * 60);

struct Entry {
    node: NodeName,
    reseller: Option<AccountId>,
    number: Box<str>,
    counted: bool,
    consuming: bool,
    since: Instant,
    /// The turn of the guard that holds it; None: no task looks after it.
    turn: Option<u64>,
    /// When it was left without a task.
    left: Option<Instant>,
    /// Its node has not known the leg since then.
    missing: Option<Instant>,
}

#[derive(Default)]
pub(super) struct State {
    /// By call, then by whose and which unit.
    units: HashMap<CallId, HashMap<(AccountId, Direction), Entry>>,
    tallies: HashMap<AccountId, Tally>,
    pub(super) nodes: Nodes,
    turns: u64,
    count: usize,
}

impl State {
    pub(super) fn len(&self) -> usize {
        self.count
    }

    pub(super) fn used(&self, account: &AccountId) -> Usage {
        self.tallies
            .get(account)
            .map(Tally::all)
            .unwrap_or_default()
    }

    pub(super) fn accounts(&self) -> Vec<AccountId> {
        self.tallies.keys().cloned().collect()
    }

    /// What others use, seen by a call that asks.
    pub(super) fn usage(&self, account: &AccountId, claim: &Claim<'_>) -> Usage {
        let tally = self.tallies.get(account);
        tally.map(|tally| tally.others(claim)).unwrap_or_default()
    }

    fn turn(&mut self) -> u64 {
        self.turns += 1;
        self.turns
    }

    /// Takes over a unit that the call holds already.
    pub(super) fn attend(&mut self, claim: &Claim<'_>) -> Option<Place> {
        let turn = self.turn();
        let units = self.units.get_mut(claim.call)?;
        let entry = units.get_mut(&(claim.account.clone(), claim.direction))?;
        entry.turn = Some(turn);
        entry.left = None;
        entry.missing = None;
        Some(Place {
            key: key(claim),
            turn,
        })
    }

    pub(super) fn enter(&mut self, claim: &Claim<'_>) -> Place {
        let turn = self.turn();
        let key = key(claim);
        let entry = Entry {
            node: claim.node.clone(),
            reseller: claim.reseller().cloned(),
            number: Box::from(claim.number),
            counted: claim.counted,
            consuming: claim.consuming,
            since: Instant::now(),
            turn: Some(turn),
            left: None,
            missing: None,
        };
        self.put(key.clone(), entry);
        Place { key, turn }
    }

    fn put(&mut self, key: Key, entry: Entry) {
        let counted = counted(&key.call, key.direction, &entry);
        for holder in [Some(&key.account), entry.reseller.as_ref()] {
            let Some(holder) = holder else { continue };
            self.tallies
                .entry(holder.clone())
                .or_default()
                .add(&counted);
        }
        let units = self.units.entry(key.call).or_default();
        if units.insert((key.account, key.direction), entry).is_none() {
            self.count += 1;
            show(1.0);
        }
    }

    fn remove(&mut self, key: &Key) {
        let Some(units) = self.units.get_mut(&key.call) else {
            return;
        };
        let Some(entry) = units.remove(&(key.account.clone(), key.direction)) else {
            return;
        };
        if units.is_empty() {
            self.units.remove(&key.call);
        }
        self.count -= 1;
        show(-1.0);
        let counted = counted(&key.call, key.direction, &entry);
        for holder in [Some(&key.account), entry.reseller.as_ref()] {
            let Some(holder) = holder else { continue };
            let Some(tally) = self.tallies.get_mut(holder) else {
                continue;
            };
            tally.remove(&counted);
            if tally.is_empty() {
                self.tallies.remove(holder);
            }
        }
    }

    fn held(&mut self, place: &Place) -> Option<&mut Entry> {
        let Key {
            call,
            account,
            direction,
        } = &place.key;
        let entry = self
            .units
            .get_mut(call)?
            .get_mut(&(account.clone(), *direction))?;
        (entry.turn == Some(place.turn)).then_some(entry)
    }

    /// Gives it back, unless a later guard has taken it over.
    pub(super) fn release(&mut self, place: &Place) {
        if self.held(place).is_some() {
            self.remove(&place.key);
        }
    }

    /// Its task has ended.
    pub(super) fn leave(&mut self, place: &Place) {
        if let Some(entry) = self.held(place) {
            entry.turn = None;
            entry.left = Some(Instant::now());
        }
    }

    /// The leg has ended.
    pub(super) fn ended(&mut self, call: &CallId) {
        let units = self.units.get(call);
        let keys: Vec<Key> = units
            .into_iter()
            .flat_map(HashMap::keys)
            .map(|(account, direction)| Key {
                call: call.clone(),
                account: account.clone(),
                direction: *direction,
            })
            .collect();
        keys.iter().for_each(|key| self.remove(key));
    }

    /// The leg has another name now, or another leg has its place.
    pub(super) fn renamed(&mut self, old: &CallId, new: &CallId) {
        let Some(units) = self.units.get(old) else {
            return;
        };
        let keys: Vec<(AccountId, Direction)> = units.keys().cloned().collect();
        for (account, direction) in keys {
            let key = |call: &CallId| Key {
                call: call.clone(),
                account: account.clone(),
                direction,
            };
            let Some(entry) = self.take_out(&key(old)) else {
                continue;
            };
            // A leg that was read meanwhile, with a mark of its own, holds it already.
            let held = self.units.get(new);
            if !held.is_some_and(|units| units.contains_key(&(account.clone(), direction))) {
                self.put(key(new), entry);
            }
        }
    }

    fn take_out(&mut self, key: &Key) -> Option<Entry> {
        let entry = self.units.get(&key.call)?;
        let entry = entry.get(&(key.account.clone(), key.direction))?;
        let copy = Entry {
            node: entry.node.clone(),
            reseller: entry.reseller.clone(),
            number: entry.number.clone(),
            // The guard names the old leg: from now on the events of the new one decide.
            turn: None,
            left: Some(Instant::now()),
            ..*entry
        };
        self.remove(key);
        Some(copy)
    }

    /// A live leg carries these units.
    pub(super) fn adopt(&mut self, node: &NodeName, call: &CallId, marks: Marks) -> usize {
        let mut adopted = 0;
        for mark in marks.0 {
            let Mark {
                direction,
                account,
                reseller,
                counted,
                consuming,
                number,
            } = mark;
            let known = self.units.get(call);
            if known.is_some_and(|units| units.contains_key(&(account.clone(), direction))) {
                continue;
            }
            let entry = Entry {
                node: node.clone(),
                reseller: reseller.filter(|reseller| *reseller != account),
                number: number.into_boxed_str(),
                counted,
                consuming,
                since: Instant::now(),
                turn: None,
                left: Some(Instant::now()),
                missing: None,
            };
            let key = Key {
                call: call.clone(),
                account,
                direction,
            };
            self.put(key, entry);
            adopted += 1;
        }
        adopted
    }

    /// The node was read: units of legs that it did not have at `since` are free, unless a task
    /// looks after them, which learns by itself. Returns how many.
    pub(super) fn keep_only(
        &mut self,
        node: &NodeName,
        since: Instant,
        has: impl Fn(&CallId) -> bool,
    ) -> usize {
        self.drop_where(|call, entry| {
            entry.node == *node && entry.turn.is_none() && entry.since < since && !has(call)
        })
    }

    pub(super) fn marks(&self, call: &CallId) -> Option<Marks> {
        let units = self.units.get(call)?;
        let mut marks: Vec<Mark> = units
            .iter()
            .map(|((account, direction), entry)| Mark {
                direction: *direction,
                account: account.clone(),
                reseller: entry.reseller.clone(),
                counted: entry.counted,
                consuming: entry.consuming,
                number: entry.number.to_string(),
            })
            .collect();
        marks.sort_by(|a, b| (&a.direction, &a.account).cmp(&(&b.direction, &b.account)));
        Some(Marks(marks))
    }

    pub(super) fn unattended(&self) -> Vec<(NodeName, CallId)> {
        let alone = |units: &HashMap<_, Entry>| {
            let entry = units.values().find(|entry| entry.turn.is_none());
            entry.map(|entry| entry.node.clone())
        };
        self.units
            .iter()
            .filter_map(|(call, units)| Some((alone(units)?, call.clone())))
            .collect()
    }

    pub(super) fn looked(&mut self, call: &CallId, exists: bool, now: Instant) {
        for entry in self
            .units
            .get_mut(call)
            .into_iter()
            .flat_map(HashMap::values_mut)
        {
            if exists {
                entry.missing = None;
            } else {
                entry.missing.get_or_insert(now);
            }
        }
    }

    /// Forgets units that nobody looks after and whose leg is gone, as far as can be told.
    pub(super) fn expire(&mut self, now: Instant) -> usize {
        let for_long = |since: Instant, limit| now.saturating_duration_since(since) >= limit;
        let nodes = self.nodes.standings();
        self.drop_where(|_, entry| {
            let Some(left) = entry.left else {
                return false;
            };
            let missing = entry.missing.is_some_and(|at| for_long(at, UNKNOWN_FOR));
            let away = match nodes.get(&entry.node) {
                Some(None) => false,
                Some(Some(at)) => for_long((*at).max(left), AWAY_FOR),
                // A node that we only know from its calls.
                None => for_long(left, AWAY_FOR),
            };
            missing || away
        })
    }

    fn drop_where(&mut self, over: impl Fn(&CallId, &Entry) -> bool) -> usize {
        let mut keys = Vec::new();
        for (call, units) in &self.units {
            for ((account, direction), entry) in units {
                if over(call, entry) {
                    keys.push(Key {
                        call: call.clone(),
                        account: account.clone(),
                        direction: *direction,
                    });
                }
            }
        }
        keys.iter().for_each(|key| self.remove(key));
        keys.len()
    }

    /// Nothing is counted any more, down to the maps.
    #[cfg(test)]
    pub(super) fn is_bare(&self) -> bool {
        self.units.is_empty() && self.tallies.is_empty() && self.count == 0
    }

    pub(super) fn expect(&mut self, node: NodeName) {
        self.nodes.expect(node);
    }

    pub(super) fn unread(&self) -> usize {
        self.nodes.unread()
    }
}

/// Units in use, for Prometheus.
fn show(change: f64) {
    metrics::gauge!("linefinder_trunk_units").increment(change);
}

fn key(claim: &Claim<'_>) -> Key {
    Key {
        call: claim.call.clone(),
        account: claim.account.clone(),
        direction: claim.direction,
    }
}

fn counted<'a>(call: &'a CallId, direction: Direction, entry: &'a Entry) -> Counted<'a> {
    Counted {
        call,
        direction,
        number: &entry.number,
        counted: entry.counted,
        consuming: entry.consuming,
    }
}
