//! The subjects, and the verdict of an account and its device or server together.

use std::collections::HashMap;
use std::time::Duration;

use tokio::time::Instant;

use super::subject::{Finding, Seen, Subject};
use super::{Attempt, KnownCountries, Measured, Notice, Settings, countries};
use crate::types::AccountId;

const CARIBBEAN: &str = "caribbean";

#[derive(Debug)]
pub(super) struct Book {
    started: Instant,
    /// How long was learnt before the start.
    past: Duration,
    accounts: HashMap<AccountId, Account>,
    /// Countries that were called for the first time since the start.
    learnt: u64,
}

#[derive(Debug, Default)]
struct Account {
    whole: Subject,
    parties: HashMap<Box<str>, Subject>,
}

impl Book {
    pub(super) fn new(started: Instant) -> Self {
        Self {
            started,
            past: Duration::ZERO,
            accounts: HashMap::new(),
            learnt: 0,
        }
    }

    pub(super) const fn learnt(&self) -> u64 {
        self.learnt
    }

    pub(super) fn known(&self) -> Vec<KnownCountries> {
        let mut all = Vec::new();
        for (id, account) in &self.accounts {
            let parties = account.parties.iter();
            let parties = parties.map(|(name, subject)| (Some(name.clone()), subject));
            for (party, subject) in parties.chain([(None, &account.whole)]) {
                let countries = subject.countries();
                if !countries.is_empty() {
                    all.push(KnownCountries {
                        account_id: id.clone(),
                        party,
                        countries,
                    });
                }
            }
        }
        all.sort_unstable_by(|a, b| (&a.account_id, &a.party).cmp(&(&b.account_id, &b.party)));
        all
    }

    pub(super) fn recall(&mut self, known: &[KnownCountries], past: Duration) {
        self.past = past;
        for one in known {
            let account = self.accounts.entry(one.account_id.clone()).or_default();
            let subject = match &one.party {
                None => &mut account.whole,
                Some(party) => account.parties.entry(party.clone()).or_default(),
            };
            subject.recall(&one.countries);
        }
    }

    /// What is to be told, and the reason if the call is refused.
    pub(super) fn consider(
        &mut self,
        settings: &Settings,
        attempt: &Attempt<'_>,
        costly: bool,
        now: Instant,
    ) -> (Vec<Notice>, Option<Notice>) {
        let seen = Seen {
            costly,
            country: countries::of(attempt.number, attempt.class == CARIBBEAN),
            now,
            started: self.started,
            past: self.past,
        };
        let account = self.accounts.entry(attempt.account.clone()).or_default();
        let mut notices = Vec::new();
        // The device or server first: its block must not become the account's.
        if let Some(name) = attempt.party {
            if account.parties.len() >= PARTIES {
                account
                    .parties
                    .retain(|_, party| !party.is_idle(seen.started, now));
            }
            let party = account.parties.entry(Box::from(name)).or_default();
            let found = party.find(settings, settings.of_party(), &seen);
            let refused = judge(party, settings, &seen, &found, Some(name), &mut notices);
            if refused.is_some() {
                return (notices, refused);
            }
        }
        let whole = &mut account.whole;
        let found = whole.find(settings, settings.of_account(), &seen);
        let refused = judge(whole, settings, &seen, &found, None, &mut notices);
        if refused.is_some() {
            return (notices, refused);
        }
        let mut learnt = whole.count(settings, settings.of_account(), &seen);
        if let Some(party) = attempt.party.and_then(|name| account.parties.get_mut(name)) {
            learnt |= party.count(settings, settings.of_party(), &seen);
        }
        self.learnt += u64::from(learnt);
        (notices, None)
    }

    pub(super) fn less_costly(&mut self, account: &AccountId, party: Option<&str>) {
        let Some(account) = self.accounts.get_mut(account) else {
            return;
        };
        account.whole.less_costly();
        if let Some(party) = party.and_then(|name| account.parties.get_mut(name)) {
            party.less_costly();
        }
    }
}

impl Book {
    /// What would refuse the call now; nothing is counted or told.
    pub(super) fn foresee(
        &self,
        settings: &Settings,
        attempt: &Attempt<'_>,
        costly: bool,
        now: Instant,
    ) -> Option<Notice> {
        let seen = Seen {
            costly,
            country: countries::of(attempt.number, attempt.class == CARIBBEAN),
            now,
            started: self.started,
            past: self.past,
        };
        let account = self.accounts.get(attempt.account)?;
        let party = attempt.party.and_then(|name| account.parties.get(name));
        let subjects = [
            (party, attempt.party, settings.of_party()),
            (Some(&account.whole), None, settings.of_account()),
        ];
        subjects.into_iter().find_map(|(subject, party, limits)| {
            let found = subject?.clone().find(settings, limits, &seen);
            let refusal = found.into_iter().find(|f| f.action != Measured::Warned)?;
            Some(Notice {
                action: refusal.action,
                measure: refusal.measure,
                party: party.map(str::to_owned),
                value: refusal.value,
                limit: refusal.limit,
            })
        })
    }
}

/// Devices and servers remembered of an account before those without a past are forgotten.
const PARTIES: usize = 10_000;

/// Notes what was found. What a block refuses is told by the call's own line; the guard's tells
/// only that the block began.
fn judge(
    subject: &mut Subject,
    settings: &Settings,
    seen: &Seen<'_>,
    found: &[Finding],
    party: Option<&str>,
    notices: &mut Vec<Notice>,
) -> Option<Notice> {
    let mut refused = None;
    for finding in found {
        let mut notice = Notice {
            action: finding.action,
            measure: finding.measure,
            party: party.map(str::to_owned),
            value: finding.value,
            limit: finding.limit,
        };
        match finding.action {
            Measured::Warned => notices.push(notice),
            Measured::Throttled => {
                if subject.refuse(settings, seen) {
                    notice.action = Measured::Blocked;
                }
                notices.push(notice.clone());
                refused = Some(notice);
            }
            Measured::Blocked => refused = Some(notice),
        }
    }
    refused
}
