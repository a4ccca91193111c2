//! What an endpoint dials: rewritten by its dial plan, normalised, classified, perhaps barred
//! (devices specification 6).

use std::borrow::Cow;
use std::fmt;

use indexmap::IndexMap;
use serde_json::{Map, Value};

use super::merge::{Level, Merged};
use super::numbers::{
    Affixes, Classifiers, DialPlan, Normalizer, Restriction, owner_restriction, restricted, rewrite,
};
use super::settings::Settings;
use crate::documents::{Account, Attributes, User};
use crate::types::HangupCause;

/// The class of numbers that reach emergency services.
pub const EMERGENCY: &str = "emergency";

/// The class of extensions, feature codes and all that no rule knows.
pub const UNKNOWN: &str = "unknown";

/// The number rules of an account: its own, else the system's.
#[must_use]
pub fn normalizer(account: &Account) -> Normalizer {
    let Some(rules) = account.e164_converters.as_deref() else {
        return Normalizer::us();
    };
    let rule = |(pattern, affixes): (&String, &Value)| {
        let affixes: Affixes = serde_json::from_value(affixes.clone()).ok()?;
        Some((pattern.clone(), affixes))
    };
    let rules: IndexMap<String, Affixes> = rules.iter().filter_map(rule).collect();
    Normalizer::with_rules(&rules)
}

/// The dialled number after the endpoint's dial plan and the shared plans it names.
#[must_use]
pub fn dial_plan<'n>(endpoint: &Merged<'_>, settings: &Settings, number: &'n str) -> Cow<'n, str> {
    let mut plans = endpoint
        .levels()
        .filter_map(|(_, attributes)| attributes.dial_plan.as_deref());
    let Some(first) = plans.next() else {
        return Cow::Borrowed(number);
    };
    let mut merged = Cow::Borrowed(first);
    for stronger in plans {
        merge(merged.to_mut(), stronger);
    }
    let plan = DialPlan::new(&merged);
    Cow::Owned(rewrite(
        &[&plan],
        settings.system_dial_plans.plans(),
        number,
    ))
}

/// Merges key by key; empty values never override, and a key keeps its place.
fn merge(weak: &mut Map<String, Value>, strong: &Map<String, Value>) {
    for (key, value) in strong {
        match (weak.get_mut(key), value) {
            (_, Value::Null) => {}
            (Some(_), Value::String(text)) if text.is_empty() => {}
            (Some(_), Value::Array(list)) if list.is_empty() => {}
            (Some(Value::Object(weak)), Value::Object(strong)) => merge(weak, strong),
            (Some(slot), value) => *slot = value.clone(),
            (None, value) => {
                weak.insert(key.clone(), value.clone());
            }
        }
    }
}

/// What became of a dialled number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dialed {
    /// After the dial plan.
    pub number: String,
    pub e164: String,
    pub classifier: &'static str,
    /// Who denies the class; None: the call is allowed.
    pub denied_by: Option<Denied>,
}

impl Dialed {
    /// The cause with which a denied call ends.
    #[must_use]
    pub fn cause(&self) -> Option<HangupCause> {
        self.denied_by.map(|_| HangupCause::OutgoingCallBarred)
    }
}

/// What a call restriction comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Denied {
    By(Level),
    /// All users that are hotdesked to the device.
    ByHotdesked,
}

impl fmt::Display for Denied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Denied::By(level) => level.fmt(f),
            Denied::ByHotdesked => f.write_str("hotdesked users"),
        }
    }
}

/// Runs a number dialled by an endpoint (or forwarded by it) through dial plan, rules, classes and
/// restrictions.
#[must_use]
pub fn dialed(endpoint: &Merged<'_>, settings: &Settings, number: &str) -> Dialed {
    let normalizer = normalizer(endpoint.account);
    let rewritten = dial_plan(endpoint, settings, number).into_owned();
    let e164 = normalizer.e164(&rewritten);
    let classifier = Classifiers::us().classify(&e164);
    let mut denied_by = denied(endpoint, classifier);
    if classifier == UNKNOWN && is_emergency(&normalizer, number) {
        // A dial plan that disfigures an emergency number must not bar the call.
        denied_by = None;
    }
    Dialed {
        number: rewritten,
        e164,
        classifier,
        denied_by,
    }
}

/// Whether a number reaches emergency services.
#[must_use]
pub fn is_emergency(normalizer: &Normalizer, number: &str) -> bool {
    Classifiers::us().classify(&normalizer.e164(number)) == EMERGENCY
}

/// Who denies a class to an endpoint.
#[must_use]
pub fn denied(endpoint: &Merged<'_>, classifier: &str) -> Option<Denied> {
    let says = |attributes: &Attributes| {
        let table = attributes.call_restriction.as_ref();
        match table.and_then(|table| table.get(classifier)) {
            Some(restriction) if restriction.deny => Restriction::Deny,
            _ => Restriction::Inherit,
        }
    };
    let of_user = |user: &User| says(&user.attributes);
    let account = says(&endpoint.account.attributes);
    let owner = match endpoint.owner {
        Some((_, user)) => owner_restriction(&[of_user(user)], endpoint.hotdesk_owner),
        None => {
            let users: Vec<_> = endpoint
                .hotdesked
                .iter()
                .map(|user| of_user(user))
                .collect();
            owner_restriction(&users, true)
        }
    };
    let device = endpoint.device.map(|device| says(&device.attributes));
    let device = device.unwrap_or_default();
    restricted(&[account], owner, device).then(|| match (account, owner) {
        (Restriction::Deny, _) => Denied::By(Level::Account),
        (_, Restriction::Deny) if endpoint.owner.is_none() => Denied::ByHotdesked,
        (_, Restriction::Deny) => Denied::By(Level::Owner),
        _ => Denied::By(Level::Device),
    })
}

/// `closed_groups`: extensions only of users that share a group with the caller. Who shares one is
/// for the caller of this function to find out.
#[must_use]
pub fn closed_groups(endpoint: &Merged<'_>) -> bool {
    denied(endpoint, "closed_groups").is_some()
}

/// Every class that the endpoint is denied, for the selection of trunks.
#[must_use]
pub fn denied_classes<'a>(endpoint: &Merged<'a>) -> Vec<&'a str> {
    let mut classes = Vec::new();
    let users = endpoint.hotdesked.iter().map(|user| &user.attributes);
    let levels = endpoint.levels().map(|(_, attributes)| attributes);
    for table in levels
        .chain(users)
        .filter_map(|a| a.call_restriction.as_ref())
    {
        for class in table.keys() {
            if !classes.contains(&&**class) && denied(endpoint, class).is_some() {
                classes.push(class);
            }
        }
    }
    classes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::documents::Device;
    use crate::types::DocumentId;
    use serde_json::json;
    use std::sync::Arc;

    struct Documents {
        account: Account,
        device: Device,
        users: Vec<(DocumentId, Arc<User>)>,
    }

    fn documents(account: Value, device: Value, users: &[(&str, Value)]) -> Documents {
        let user = |(id, value): &(&str, Value)| {
            let user: User = serde_json::from_value(value.clone()).unwrap();
            (DocumentId::new(id).unwrap(), Arc::new(user))
        };
        Documents {
            account: serde_json::from_value(account).unwrap(),
            device: serde_json::from_value(device).unwrap(),
            users: users.iter().map(user).collect(),
        }
    }

    impl Documents {
        fn merged(&self) -> Merged<'_> {
            Merged::of_device(&self.account, &self.device, &self.users)
        }
        fn denied(&self) -> Option<Denied> {
            denied(&self.merged(), "did_us")
        }
    }

    fn deny(action: &str) -> Value {
        json!({"did_us": {"action": action}})
    }

    fn with(action: &str) -> Value {
        json!({"call_restriction": deny(action)})
    }

    #[test]
    fn any_of_account_owner_and_device_denies() {
        let device = |action: &str| json!({"owner_id": "u", "call_restriction": deny(action)});
        let none = || json!({});
        let owner = |value: Value| [("u", value)];
        let run = |a, d, u: &[(&str, Value)]| documents(a, d, u).denied();
        assert_eq!(run(none(), device("inherit"), &owner(none())), None);
        assert_eq!(run(none(), device("perhaps"), &owner(none())), None);
        assert_eq!(
            run(none(), device("deny"), &owner(none())),
            Some(Denied::By(Level::Device))
        );
        assert_eq!(
            run(none(), device("inherit"), &owner(with("deny"))),
            Some(Denied::By(Level::Owner))
        );
        assert_eq!(
            run(with("deny"), device("inherit"), &owner(none())),
            Some(Denied::By(Level::Account))
        );
    }

    #[test]
    fn hotdesked_users_replace_the_device() {
        let device =
            |users: Value| json!({"call_restriction": deny("deny"), "hotdesk": {"users": users}});
        let users = [("a", with("deny")), ("b", json!({}))];
        let run = |value| documents(json!({}), device(value), &users).denied();
        assert_eq!(run(json!({"a": {}})), Some(Denied::By(Level::Owner)));
        assert_eq!(run(json!({"b": {}})), None);
        assert_eq!(run(json!({"a": {}, "b": {}})), None);
        let both = [("a", with("deny")), ("b", with("deny"))];
        let documents = documents(json!({}), device(json!({"a": {}, "b": {}})), &both);
        assert_eq!(documents.denied(), Some(Denied::ByHotdesked));
    }

    #[test]
    fn restrictions_are_tested_on_the_rewritten_number() {
        let device = json!({
            "dial_plan": {"^9(\\d{10})$": {"prefix": "+1"}},
            "call_restriction": deny("deny"),
        });
        let documents = documents(json!({}), device, &[]);
        let settings = Settings::default();
        let dialed = dialed(&documents.merged(), &settings, "94155550123");
        assert_eq!(dialed.classifier, "did_us");
        assert_eq!(dialed.cause(), Some(HangupCause::OutgoingCallBarred));
    }

    #[test]
    fn an_emergency_number_is_never_barred_as_unknown() {
        let device = json!({
            "dial_plan": {"^(\\d{3})$": {"prefix": "9"}},
            "call_restriction": {"unknown": {"action": "deny"}},
        });
        let documents = documents(json!({}), device, &[]);
        let settings = Settings::default();
        let run = |number| dialed(&documents.merged(), &settings, number);
        assert_eq!(run("911").denied_by, None);
        assert_eq!(run("201").denied_by, Some(Denied::By(Level::Device)));
    }

    #[test]
    fn dial_plans_of_all_levels_run_in_order() {
        let account = json!({"dial_plan": {"^a$": {"prefix": "b"}, "^ba$": {"prefix": "x"}}});
        let device =
            json!({"dial_plan": {"^a$": {"suffix": "c"}, "^bac$": {"prefix": "y", "suffix": ""}}});
        let documents = documents(account, device, &[]);
        let number = dial_plan(&documents.merged(), &Settings::default(), "a");
        // The device's suffix merges with the account's prefix of the same key.
        assert_eq!(number, "ybac");
    }

    #[test]
    fn an_account_has_its_own_number_rules() {
        let account = json!({"e164_converters": {
            "^0([1-9]\\d+)$": {"prefix": "+49"}, "bad": 7,
        }});
        let account: Account = serde_json::from_value(account).unwrap();
        assert_eq!(normalizer(&account).e164("030123"), "+4930123");
        assert_eq!(normalizer(&account).e164("4155550123"), "4155550123");
    }
}
