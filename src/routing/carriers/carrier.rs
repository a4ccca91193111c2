//! One carrier as it is tried: a resource document, or what one of its classifiers makes of it.

use std::sync::Arc;

use crate::documents::{ClassRule, Gateway, Resource};
use crate::routing::numbers::Classifiers;
use crate::types::{AccountId, DocumentId};

/// The class that emergency numbers have.
const EMERGENCY: &str = "emergency";

/// A resource document and where it lives.
#[derive(Debug, Clone)]
pub struct ResourceSource {
    /// The installation, or the account that it is a local carrier of.
    pub account: AccountId,
    pub id: DocumentId,
    pub document: Arc<Resource>,
}

/// A carrier ready to be chosen: an enabled resource, or one derived from it by a classifier (trunkstore
/// specification 4.1). What a classifier overrides is here, all else in the document.
#[derive(Debug, Clone)]
pub struct Carrier {
    pub account: AccountId,
    pub document_id: DocumentId,
    /// The document's id; a derived carrier's has its class behind it, as `main-did_us`.
    pub id: Box<str>,
    pub document: Arc<Resource>,
    /// Derived: what its one rule and its overrides are.
    pub derived: Option<Box<Derived>>,
    /// 1 to 100, lower is tried first.
    pub weight: u8,
    /// Its gateways use the emergency caller id.
    pub emergency: bool,
    /// False for a derived carrier that is switched off: it takes no calls, but claims its class.
    pub enabled: bool,
}

/// What a classifier makes of a resource.
#[derive(Debug, Clone)]
pub struct Derived {
    pub class: Box<str>,
    pub rule: Box<str>,
    /// In place of the gateways' own.
    pub prefix: Option<Box<str>>,
    pub suffix: Option<Box<str>>,
}

impl Carrier {
    /// The carriers that a document stands for; none if it is disabled, or if it has only classifiers that nobody knows.
    pub(super) fn of(source: &ResourceSource, classifiers: &Classifiers) -> Vec<Carrier> {
        let document = &source.document;
        if !document.enabled {
            return Vec::new();
        }
        let Some(own) = document.classifiers.as_deref() else {
            return vec![Self::plain(source)];
        };
        let derived = own.iter().filter_map(|(class, classifier)| {
            let system = classifiers.pattern(class);
            if system.is_none() {
                tracing::warn!(resource = %source.id, class = &**class, "no such classifier; it is left out");
            }
            Some(Self::derived(source, class, classifier, system?))
        });
        derived.collect()
    }

    fn plain(source: &ResourceSource) -> Carrier {
        Carrier {
            account: source.account.clone(),
            document_id: source.id.clone(),
            id: source.id.as_str().into(),
            document: Arc::clone(&source.document),
            derived: None,
            weight: source.document.weight_cost,
            emergency: source.document.emergency,
            enabled: true,
        }
    }

    fn derived(
        source: &ResourceSource,
        class: &str,
        classifier: &ClassRule,
        system: &str,
    ) -> Carrier {
        let derived = Derived {
            class: class.into(),
            rule: classifier.regex.as_deref().unwrap_or(system).into(),
            prefix: classifier.prefix.clone(),
            suffix: classifier.suffix.clone(),
        };
        Carrier {
            id: format!("{}-{class}", source.id).into(),
            weight: classifier
                .weight_cost
                .unwrap_or(source.document.weight_cost),
            emergency: classifier.emergency.unwrap_or(class == EMERGENCY),
            enabled: classifier.enabled.unwrap_or(true),
            derived: Some(Box::new(derived)),
            ..Self::plain(source)
        }
    }

    /// The class that it is for; None: it goes by its rules.
    #[must_use]
    pub fn class(&self) -> Option<&str> {
        self.derived.as_ref().map(|derived| &*derived.class)
    }

    /// In the order of the document.
    pub(super) fn rules(&self) -> impl Iterator<Item = &str> {
        let derived = self.derived.as_deref().map(|derived| &*derived.rule);
        let own = derived.is_none().then(|| self.document.rules.iter());
        derived
            .into_iter()
            .chain(own.into_iter().flatten().map(|rule| &**rule))
    }

    pub(super) fn rule(&self, at: usize) -> Option<&str> {
        match &self.derived {
            Some(derived) => (at == 0).then_some(&*derived.rule),
            None => self.document.rules.get(at).map(|rule| &**rule),
        }
    }

    #[must_use]
    pub fn gateway(&self, at: usize) -> Option<&Gateway> {
        self.document.gateways.get(at)
    }

    /// What goes before the number at this gateway.
    #[must_use]
    pub fn prefix<'a>(&'a self, gateway: &'a Gateway) -> &'a str {
        let derived = self
            .derived
            .as_ref()
            .and_then(|derived| derived.prefix.as_deref());
        derived.or(gateway.prefix.as_deref()).unwrap_or_default()
    }

    /// What goes behind the number at this gateway.
    #[must_use]
    pub fn suffix<'a>(&'a self, gateway: &'a Gateway) -> &'a str {
        let derived = self
            .derived
            .as_ref()
            .and_then(|derived| derived.suffix.as_deref());
        derived.or(gateway.suffix.as_deref()).unwrap_or_default()
    }

    /// Places of the gateways that can be dialled.
    pub(super) fn dialable(&self) -> impl Iterator<Item = usize> {
        let gateways = self.document.gateways.iter().enumerate();
        gateways
            .filter(|(_, gateway)| gateway.is_usable())
            .map(|(at, _)| at)
    }

    /// It may carry a call with these flags (trunkstore specification 4.2, step 2).
    pub(super) fn suits(&self, flags: &[String]) -> bool {
        if flags.is_empty() {
            return !self.document.require_flags;
        }
        let has = |flag: &String| self.document.flags.iter().any(|own| **own == **flag);
        self.document.ignore_flags || flags.iter().all(has)
    }
}
