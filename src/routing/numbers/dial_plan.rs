//! Dial plans: what a device dials, rewritten before it is normalised.

use std::sync::Arc;

use regex::Regex;
use serde_json::{Map, Value};

use super::pattern::{Affixes, compiled};

/// The key that names shared plans; it is never a pattern.
const SYSTEM: &str = "system";

/// Nested plans deeper than this are ignored: a document can't exhaust the stack.
const DEPTH: usize = 8;

/// A dial plan ready to use: every entry that matches rewrites the number for the next.
#[derive(Debug, Clone, Default)]
pub struct DialPlan {
    steps: Vec<Step>,
    /// Names of shared plans, as written.
    system: Vec<String>,
}

#[derive(Debug, Clone)]
struct Step {
    regex: Arc<Regex>,
    affixes: Affixes,
}

/// The plans that dial plans may name, sorted by key as they run.
#[derive(Debug, Clone, Default)]
pub struct SystemDialPlans(Vec<(String, Vec<Step>)>);

impl DialPlan {
    /// Reads the object `dial_plan` of a document: `regex -> {prefix, suffix}` in its order, and
    /// `system`, a name or a list of names.
    ///
    /// An entry may bring its own `regex`, its key is then only a name; one with a nested
    /// `dialplan` runs that behind its own `regex`, if it has one. What is no regular expression is
    /// skipped (and logged when it is first seen).
    #[must_use]
    pub fn new(plan: &Map<String, Value>) -> Self {
        let mut steps = Vec::new();
        for (key, entry) in plan.iter().filter(|(key, _)| !is_system(key)) {
            read(key, entry, DEPTH, &mut steps);
        }
        let named = plan.iter().find(|(key, _)| is_system(key));
        let system = match named.map(|(_, names)| names) {
            Some(Value::String(name)) => vec![name.clone()],
            Some(Value::Array(names)) => {
                let names = names.iter().filter_map(Value::as_str);
                names.map(str::to_owned).collect()
            }
            _ => Vec::new(),
        };
        Self { steps, system }
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty() && self.system.is_empty()
    }
}

impl SystemDialPlans {
    /// Reads shared plans, which have the form of a dial plan; an entry is known by its `name`, or
    /// by its key.
    #[must_use]
    pub fn new(plans: &Map<String, Value>) -> Self {
        let mut sorted: Vec<_> = plans.iter().filter(|(key, _)| !is_system(key)).collect();
        sorted.sort_by_key(|(key, _)| *key);
        let plan = |(key, entry): (&String, &Value)| {
            let name = entry.get("name").and_then(Value::as_str).unwrap_or(key);
            let mut steps = Vec::new();
            read(key, entry, DEPTH, &mut steps);
            (name.to_lowercase(), steps)
        };
        Self(sorted.into_iter().map(plan).collect())
    }

    fn named<'a>(&'a self, names: &'a [String]) -> impl Iterator<Item = &'a Step> {
        let wanted = |name: &str| names.iter().any(|wanted| wanted.to_lowercase() == name);
        let plans = self.0.iter().filter(move |(name, _)| wanted(name));
        plans.flat_map(|(_, steps)| steps)
    }
}

/// The number after the plans, in their order, and then the shared plans they name, sorted by key.
#[must_use]
pub fn rewrite(plans: &[&DialPlan], system: &SystemDialPlans, number: &str) -> String {
    let names: Vec<String> = plans
        .iter()
        .flat_map(|p| p.system.iter().cloned())
        .collect();
    let own = plans.iter().flat_map(|plan| &plan.steps);
    own.chain(system.named(&names))
        .fold(number.to_owned(), |number, step| {
            let rewritten = step.affixes.apply(&step.regex, &number);
            rewritten.unwrap_or(number)
        })
}

fn read(key: &str, entry: &Value, depth: usize, steps: &mut Vec<Step>) {
    let nested = entry.get("dialplan").and_then(Value::as_object);
    let own = entry.get("regex").and_then(Value::as_str);
    let pattern = own.or_else(|| nested.is_none().then_some(key));
    if let Some(regex) = pattern.and_then(compiled) {
        let text = |field| {
            let text = entry.get(field).and_then(Value::as_str);
            text.unwrap_or_default().to_owned()
        };
        let affixes = Affixes {
            prefix: text("prefix"),
            suffix: text("suffix"),
        };
        steps.push(Step { regex, affixes });
    }
    let Some(depth) = depth.checked_sub(1) else {
        return;
    };
    for (key, entry) in nested
        .into_iter()
        .flatten()
        .filter(|(key, _)| !is_system(key))
    {
        read(key, entry, depth, steps);
    }
}

fn is_system(key: &str) -> bool {
    key == SYSTEM
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn plan(value: &Value) -> DialPlan {
        DialPlan::new(value.as_object().unwrap())
    }

    fn system(value: &Value) -> SystemDialPlans {
        SystemDialPlans::new(value.as_object().unwrap())
    }

    #[test]
    fn entries_chain_in_document_order() {
        let p = plan(&json!({
            "^(\\d{7})$": {"description": "local", "prefix": "+1415"},
            "(": {"prefix": "never"},
            "^\\+1(415)(\\d+)$": {"prefix": "x", "suffix": "y"},
            "x": {"suffix": "z"},
        }));
        let none = SystemDialPlans::default();
        assert_eq!(rewrite(&[&p], &none, "5550123"), "xz");
        assert_eq!(rewrite(&[&p], &none, "2001"), "2001");
    }

    #[test]
    fn an_unanchored_match_leaves_only_the_match() {
        let p = plan(&json!({"55": {"prefix": "1"}}));
        assert_eq!(rewrite(&[&p], &SystemDialPlans::default(), "95551"), "155");
    }

    #[test]
    fn shared_plans_run_last_sorted_by_key() {
        let shared = system(&json!({
            "z": {"name": "Nine", "regex": "^9(\\d{10})$", "prefix": "+1"},
            "a": {"name": "nine", "regex": "^8(\\d+)$", "prefix": "9"},
            "^(other)$": {"prefix": "no"},
            "^(\\+\\d+)$": {"suffix": "#"},
        }));
        let p = plan(&json!({
            "system": ["NINE", "^(\\+\\d+)$", 7],
            "^(\\d{7})$": {"prefix": "8415"},
        }));
        // The key `^(...` sorts before the letters, so it sees the number first.
        assert_eq!(rewrite(&[&p], &shared, "5550123"), "+14155550123");
        let p = plan(&json!({"system": "nine"}));
        assert_eq!(rewrite(&[&p], &shared, "84155550123"), "+14155550123");
        assert_eq!(rewrite(&[&p], &shared, "other"), "other");
    }

    #[test]
    fn an_entry_may_be_a_name_for_a_nested_plan() {
        let p = plan(&json!({
            "abc": {"dialplan": {"^0(\\d+)$": {"prefix": "+49"}}, "prefix": "no"},
            "def": {"regex": "^x(.*)$", "dialplan": {"^0": {"prefix": "1"}}},
            "system": {"prefix": "no"},
        }));
        let none = SystemDialPlans::default();
        assert_eq!(rewrite(&[&p], &none, "030"), "+4930");
        assert_eq!(rewrite(&[&p], &none, "x0"), "10");
        assert_eq!(rewrite(&[&p], &none, "abc"), "abc");
        assert_eq!(rewrite(&[&p], &none, "system"), "system");
    }

    #[test]
    fn odd_documents_do_no_harm() {
        let p = plan(&json!({"^1": null, "^2": "x", "^3": {"prefix": 7}, "system": null}));
        assert_eq!(rewrite(&[&p], &SystemDialPlans::default(), "12"), "1");
        let mut deep = json!({"^(.*)$": {"prefix": "9"}});
        for _ in 0..100 {
            deep = json!({"a": {"dialplan": deep}});
        }
        let p = plan(&deep);
        assert_eq!(rewrite(&[&p], &SystemDialPlans::default(), "1"), "1");
    }
}
