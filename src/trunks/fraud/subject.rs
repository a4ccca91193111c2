//! What is known of one account, or of one device or server: counts, and whether it is barred.

use std::collections::BTreeSet;
use std::time::Duration;

use tokio::time::Instant;

use super::rate::Rate;
use super::settings::Limits;
use super::{Measure, Measured, Settings};

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);
/// Refusals within this lead to a block.
const TRYING: Duration = Duration::from_secs(600);

#[derive(Debug, Clone, Default)]
pub(super) struct Subject {
    calls: Rate,
    refused: Rate,
    new_countries: Rate,
    costly: u32,
    countries: BTreeSet<Box<str>>,
    blocked_until: Option<Instant>,
    /// When the log last warned, by measure: once a minute says it.
    warned: [Option<Instant>; 3],
}

/// One finding: what is done, about what, and the figures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Finding {
    pub(super) action: Measured,
    pub(super) measure: Measure,
    pub(super) value: u32,
    pub(super) limit: u32,
}

/// The call, as a subject's counts see it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Seen<'a> {
    pub(super) costly: bool,
    pub(super) country: Option<&'a str>,
    pub(super) now: Instant,
    /// When the daemon started.
    pub(super) started: Instant,
    /// How long was learnt before that.
    pub(super) past: Duration,
}

impl Subject {
    /// What speaks against the call, without counting it. A refusal comes alone; warnings may be several.
    pub(super) fn find(
        &mut self,
        settings: &Settings,
        limits: Limits,
        seen: &Seen<'_>,
    ) -> Vec<Finding> {
        if let Some(until) = self.blocked_until {
            if seen.now < until {
                let finding = self.measure_over(settings, limits, seen);
                return vec![Finding {
                    action: Measured::Blocked,
                    ..finding
                }];
            }
            self.blocked_until = None;
            self.refused = Rate::default();
        }
        let mut findings = Vec::new();
        for (measure, value, limit) in self.values(settings, limits, seen) {
            if limit == 0 || value == 0 {
                continue;
            }
            let found = |action| Finding {
                action,
                measure,
                value,
                limit,
            };
            if value > limit {
                return vec![found(Measured::Throttled)];
            }
            // The first call to a country is worth a line whatever the limit.
            let warns = measure == Measure::NewCountry || value >= settings.warns_at(limit);
            if warns && self.may_warn(measure, seen.now) {
                findings.push(found(Measured::Warned));
            }
        }
        findings
    }

    /// Values with this call counted; 0 where it does not count.
    fn values(
        &mut self,
        settings: &Settings,
        limits: Limits,
        seen: &Seen<'_>,
    ) -> [(Measure, u32, u32); 3] {
        let Seen { now, started, .. } = *seen;
        let calls = self.calls.count(started, now, MINUTE) + 1;
        let costly = if seen.costly { self.costly + 1 } else { 0 };
        let known = |country: &str| self.countries.contains(country);
        let learning = Duration::from_secs(u64::from(settings.learn_s));
        let learnt = now
            .saturating_duration_since(started)
            .saturating_add(seen.past);
        let learns = learnt < learning;
        let new = seen.country.is_some_and(|country| !known(country)) && !learns;
        let countries = if new {
            self.new_countries.count(started, now, HOUR) + 1
        } else {
            0
        };
        [
            (Measure::CallsPerMinute, calls, limits.calls_per_minute),
            (Measure::CostlyCalls, costly, limits.costly_calls),
            (Measure::NewCountry, countries, limits.new_countries),
        ]
    }

    /// What to name as the reason while a block stands.
    fn measure_over(&mut self, settings: &Settings, limits: Limits, seen: &Seen<'_>) -> Finding {
        let refused = self.refused.count(seen.started, seen.now, TRYING);
        let values = self.values(settings, limits, seen);
        let over = values
            .iter()
            .find(|(_, value, limit)| *limit > 0 && value > limit);
        let (measure, value, limit) =
            over.copied()
                .unwrap_or((Measure::CallsPerMinute, refused, settings.block_after));
        Finding {
            action: Measured::Blocked,
            measure,
            value,
            limit,
        }
    }

    fn may_warn(&mut self, measure: Measure, now: Instant) -> bool {
        let slot = match measure {
            Measure::CallsPerMinute => 0,
            Measure::CostlyCalls => 1,
            Measure::NewCountry => return true,
        };
        let Some(last) = self.warned.get_mut(slot) else {
            return false;
        };
        let may = last.is_none_or(|at| now.saturating_duration_since(at) >= MINUTE);
        if may {
            *last = Some(now);
        }
        may
    }

    pub(super) fn countries(&self) -> Vec<Box<str>> {
        self.countries.iter().cloned().collect()
    }

    pub(super) fn recall(&mut self, countries: &[Box<str>]) {
        self.countries.extend(countries.iter().cloned());
    }

    /// The call begins; true: a country was called for the first time.
    pub(super) fn count(&mut self, settings: &Settings, limits: Limits, seen: &Seen<'_>) -> bool {
        let values = self.values(settings, limits, seen);
        self.calls.add();
        if seen.costly {
            self.costly += 1;
        }
        if let Some(country) = seen.country {
            if values
                .iter()
                .any(|(m, value, _)| *m == Measure::NewCountry && *value > 0)
            {
                self.new_countries.add();
            }
            return self.countries.insert(Box::from(country));
        }
        false
    }

    /// The call was refused; true if that was one too many and nothing passes from now on.
    pub(super) fn refuse(&mut self, settings: &Settings, seen: &Seen<'_>) -> bool {
        if self.blocked_until.is_some() || settings.block_after == 0 {
            return false;
        }
        let refused = self.refused.count(seen.started, seen.now, TRYING) + 1;
        self.refused.add();
        if refused < settings.block_after {
            return false;
        }
        self.blocked_until = Some(seen.now + Duration::from_secs(u64::from(settings.block_s)));
        true
    }

    pub(super) fn less_costly(&mut self) {
        self.costly = self.costly.saturating_sub(1);
    }

    /// Nothing is lost when it is forgotten.
    pub(super) fn is_idle(&mut self, started: Instant, now: Instant) -> bool {
        let blocked = self.blocked_until.is_some_and(|until| now < until);
        self.calls.count(started, now, MINUTE);
        self.refused.count(started, now, TRYING);
        self.new_countries.count(started, now, HOUR);
        let idle = self.calls.is_idle() && self.refused.is_idle() && self.new_countries.is_idle();
        idle && self.costly == 0 && self.countries.is_empty() && !blocked
    }
}
