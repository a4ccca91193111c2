//! Who holds a unit of which account's trunks, exactly.
//!
//! One map behind one mutex holds every unit of the installation, so that the question "is there
//! room?" and the taking are one step for an account and its reseller together, and there is no
//! order of locks to get wrong. What happens under the lock is arithmetic only.
//!
//! A unit is keyed by the caller's leg, the account and the direction: taking it twice is taking it
//! once. It is given back when the leg has ended, whoever notices first: the task that drives the
//! call, the node's event, the table that is read after a reconnect, or the reaper.

#[cfg(test)]
mod interleaving;
mod marks;
mod nodes;
mod reaper;
mod state;
mod tally;
#[cfg(test)]
mod tests;
mod unit;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use crate::types::{AccountId, CallId, NodeName};

pub use marks::Marks;
pub use reaper::reap;
use state::State;
pub use tally::Usage;
pub use unit::{Claim, Direction, Unit};

/// The units in use. Cheap to clone; all clones are one ledger.
#[derive(Clone, Default)]
pub struct Ledger(Arc<Inner>);

struct Inner {
    state: Mutex<State>,
    /// How many nodes are being read, so that their calls are not counted yet.
    unread: watch::Sender<usize>,
}

impl Default for Inner {
    fn default() -> Self {
        Self {
            state: Mutex::default(),
            unread: watch::Sender::new(0),
        }
    }
}

impl Ledger {
    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing under the lock panics half-way through a change, so a poisoned state is whole.
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a unit if `judge` allows it: for the account, then for its reseller if that is
    /// another one. What each judge is shown is in use by others: the unit that is asked for is
    /// not in it, nor is the call itself in the number of calls. A unit that the call holds already
    /// is given again without a question.
    ///
    /// `judge` runs under the ledger's lock: it computes, and asks nobody.
    ///
    /// # Errors
    /// The first refusal, with the account whose limit it is; then nothing was taken.
    pub fn take<A, R>(
        &self,
        claim: &Claim<'_>,
        mut judge: impl FnMut(&AccountId, &Usage) -> Result<A, R>,
    ) -> Result<(Unit, Option<A>), (AccountId, R)> {
        let mut state = self.lock();
        if let Some(place) = state.attend(claim) {
            return Ok((Unit::new(self.clone(), place), None));
        }
        let allowed = judge(claim.account, &state.usage(claim.account, claim))
            .map_err(|refusal| (claim.account.clone(), refusal))?;
        if let Some(reseller) = claim.reseller() {
            judge(reseller, &state.usage(reseller, claim))
                .map_err(|refusal| (reseller.clone(), refusal))?;
        }
        let place = state.enter(claim);
        Ok((Unit::new(self.clone(), place), Some(allowed)))
    }

    /// What [`Ledger::take`] would say to a call that holds nothing yet; nothing is taken.
    ///
    /// # Errors
    /// As there.
    pub fn foresee<A, R>(
        &self,
        claim: &Claim<'_>,
        mut judge: impl FnMut(&AccountId, &Usage) -> Result<A, R>,
    ) -> Result<A, (AccountId, R)> {
        let state = self.lock();
        let allowed = judge(claim.account, &state.usage(claim.account, claim))
            .map_err(|refusal| (claim.account.clone(), refusal))?;
        if let Some(reseller) = claim.reseller() {
            judge(reseller, &state.usage(reseller, claim))
                .map_err(|refusal| (reseller.clone(), refusal))?;
        }
        Ok(allowed)
    }

    /// What the account's calls use now; of a reseller: with those of its accounts.
    #[must_use]
    pub fn usage(&self, account: &AccountId) -> Usage {
        self.lock().used(account)
    }

    /// Who uses something now, resellers included, in no order.
    #[must_use]
    pub fn accounts(&self) -> Vec<AccountId> {
        self.lock().accounts()
    }

    /// Units in the whole installation.
    #[must_use]
    pub fn units(&self) -> usize {
        self.lock().len()
    }

    /// What the caller's leg has to carry so that its units are found again after a restart; None:
    /// the call holds none.
    #[must_use]
    pub fn marks(&self, call: &CallId) -> Option<Marks> {
        self.lock().marks(call)
    }

    /// The leg has ended: its units are free.
    pub fn ended(&self, call: &CallId) {
        let mut state = self.lock();
        state.nodes.ended_somewhere(call);
        state.ended(call);
    }

    /// The leg has left the call to another one, which holds the units from now on.
    pub fn passed_on(&self, from: &CallId, to: &CallId) {
        self.lock().renamed(from, to);
    }

    /// Resolves when the calls of all nodes that answer are counted, at the latest after `limit`;
    /// false if it came to that.
    pub async fn in_step(&self, limit: Duration) -> bool {
        let mut unread = self.0.unread.subscribe();
        let settled = unread.wait_for(|unread| *unread == 0);
        tokio::time::timeout(limit, settled).await.is_ok()
    }

    /// Nodes that will be read; until they are, or are found to be away, calls wait.
    pub fn expect(&self, nodes: impl IntoIterator<Item = NodeName>) {
        let mut state = self.lock();
        nodes.into_iter().for_each(|node| state.expect(node));
        self.tell(&state);
    }

    fn tell(&self, state: &State) {
        let unread = state.unread();
        self.0
            .unread
            .send_if_modified(|known| std::mem::replace(known, unread) != unread);
    }

    /// Units that no task looks after, by node.
    fn unattended(&self) -> Vec<(NodeName, CallId)> {
        self.lock().unattended()
    }

    /// What a look at the leg's node has shown.
    fn looked(&self, call: &CallId, exists: bool, now: Instant) {
        self.lock().looked(call, exists, now);
    }

    fn expire(&self, now: Instant) -> usize {
        self.lock().expire(now)
    }
}
