//! The carriers of one owner: the installation, or an account.

use std::collections::HashMap;
use std::sync::Arc;

use regex::Regex;

use super::carrier::{Carrier, ResourceSource};
use super::index::{Hit, Index};
use super::sender::Senders;
use crate::routing::numbers::{Classifiers, compiled};

/// In the order in which they are tried: by weight, then by id.
#[derive(Debug, Clone, Default)]
pub(super) struct Pool {
    carriers: Vec<Arc<Carrier>>,
    /// Places of the carriers that are derived for a class, switched off ones included.
    classes: HashMap<Box<str>, Vec<usize>>,
    index: Index,
    caller_rules: Vec<Vec<Arc<Regex>>>,
    pub(super) senders: Senders,
}

impl Pool {
    pub(super) fn compile(sources: &[&ResourceSource], classifiers: &Classifiers) -> Self {
        let mut carriers: Vec<_> = sources
            .iter()
            .flat_map(|source| Carrier::of(source, classifiers))
            .collect();
        carriers.sort_by(|a, b| (a.weight, &a.id).cmp(&(b.weight, &b.id)));
        let mut classes = HashMap::<_, Vec<_>>::new();
        for (at, carrier) in carriers.iter().enumerate() {
            if let Some(class) = carrier.class() {
                classes.entry(class.into()).or_default().push(at);
            }
        }
        let index = Index::build(&carriers);
        let caller_rules = carriers.iter().map(|carrier| {
            let rules = carrier.document.cid_rules.iter();
            rules.filter_map(|rule| compiled(rule)).collect()
        });
        Self {
            index,
            caller_rules: caller_rules.collect(),
            carriers: carriers.into_iter().map(Arc::new).collect(),
            classes,
            senders: Senders::compile(sources),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.carriers.is_empty()
    }

    pub(super) fn carriers(&self) -> &[Arc<Carrier>] {
        &self.carriers
    }

    pub(super) fn carrier(&self, at: usize) -> Option<&Arc<Carrier>> {
        self.carriers.get(at)
    }

    /// Carriers derived for the class.
    pub(super) fn of_class(&self, class: &str) -> impl Iterator<Item = usize> {
        self.classes.get(class).into_iter().flatten().copied()
    }

    /// All carriers that have a rule for the number, in the order in which they are tried.
    pub(super) fn hits(&self, number: &str) -> Vec<Hit> {
        self.index.hits(number, &self.carriers)
    }

    /// The carrier takes calls of this caller: it has no rules for callers, or one that matches.
    pub(super) fn takes_caller(&self, carrier: usize, number: &str) -> bool {
        let rules = self
            .caller_rules
            .get(carrier)
            .map_or(&[][..], Vec::as_slice);
        let none = self
            .carrier(carrier)
            .is_none_or(|carrier| carrier.document.cid_rules.is_empty());
        none || (!number.is_empty() && rules.iter().any(|rule| rule.is_match(number)))
    }
}
