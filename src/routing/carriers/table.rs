//! All carriers, by owner.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::carrier::ResourceSource;
use super::pool::Pool;
use super::sender::Hosts;
use super::{Candidate, Wanted, select};
use crate::routing::Explain;
use crate::routing::numbers::Classifiers;
use crate::types::AccountId;

/// The carriers of the installation and of its accounts. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Table {
    pub(super) installation: Arc<Pool>,
    pub(super) local: HashMap<AccountId, Arc<Pool>>,
    pub(super) hosts: Arc<Hosts>,
}

impl Table {
    /// Compiles documents; those of the installation are its carriers, others their account's. Takes seconds for hundreds
    /// of thousands of rules: not to be called on a runtime's thread.
    #[must_use]
    pub fn compile(sources: &[ResourceSource], classifiers: &Classifiers) -> Self {
        let mut owners = BTreeMap::<&AccountId, Vec<&ResourceSource>>::new();
        for source in sources {
            owners.entry(&source.account).or_default().push(source);
        }
        let mut table = Self::default();
        for (owner, sources) in owners {
            let pool = Arc::new(Pool::compile(&sources, classifiers));
            table.put(owner, pool);
        }
        table
    }

    /// The table with the carriers of one owner replaced by those of these documents.
    #[must_use]
    pub fn with_owner(
        &self,
        owner: &AccountId,
        sources: &[ResourceSource],
        classifiers: &Classifiers,
    ) -> Self {
        let sources: Vec<_> = sources
            .iter()
            .filter(|source| source.account == *owner)
            .collect();
        let mut table = self.clone();
        table.put(owner, Arc::new(Pool::compile(&sources, classifiers)));
        table
    }

    fn put(&mut self, owner: &AccountId, pool: Arc<Pool>) {
        if owner.is_installation() {
            self.installation = pool;
        } else if pool.is_empty() {
            self.local.remove(owner);
        } else {
            self.local.insert(owner.clone(), pool);
        }
    }

    /// The gateways that may carry the call, in the order in which they are tried (trunkstore specification 4.2).
    #[must_use]
    pub fn select(&self, wanted: &Wanted<'_>, explain: &mut dyn Explain) -> Vec<Candidate> {
        match self.pool(wanted, explain) {
            Some(pool) => select::select(pool, wanted, explain),
            None => Vec::new(),
        }
    }

    /// Step 1: the installation's carriers, or those of `hunt_account` if the caller descends from it.
    fn pool(&self, wanted: &Wanted<'_>, explain: &mut dyn Explain) -> Option<&Pool> {
        let Some(hunt) = wanted.hunt_account else {
            return Some(&self.installation);
        };
        if hunt != wanted.account && !wanted.ancestors.contains(hunt) {
            explain.note(
                "carriers",
                format_args!("hunt_account_id {hunt} is neither the account nor an ancestor of it: no carriers"),
            );
            return None;
        }
        let pool = self.local.get(hunt);
        if pool.is_none() {
            explain.note(
                "carriers",
                format_args!("the account {hunt} has no carriers of its own"),
            );
        }
        pool.map(|pool| &**pool)
    }
}
