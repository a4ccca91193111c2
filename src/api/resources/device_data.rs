//! What a device's document goes through before it is stored (API specification 4.3 and 5.3).

use serde_json::{Map, Value};

use super::devices::REDACTED;
use crate::api::reply::Refusal;
use crate::api::request::{Request, Verb};
use crate::api::resource::Draft;

/// Hexadecimal digits of a MAC address.
const MAC_DIGITS: usize = 12;

/// `00:04:f2:ab:7e:fd` of any notation with twelve hexadecimal digits; None for anything else.
pub(super) fn canonical_mac(text: &str) -> Option<String> {
    let digits: Vec<char> = text.chars().filter(char::is_ascii_hexdigit).collect();
    let separators = text.chars().filter(|c| !c.is_ascii_hexdigit());
    if digits.len() != MAC_DIGITS || !separators.into_iter().all(|c| ":-. ".contains(c)) {
        return None;
    }
    let pairs = digits
        .chunks(2)
        .map(|pair| pair.iter().collect::<String>().to_lowercase());
    Some(pairs.collect::<Vec<_>>().join(":"))
}

pub(super) fn normalise(request: &Request, data: &mut Map<String, Value>) {
    // An order, not a property.
    data.shift_remove("sync");
    let mac = data
        .get("mac_address")
        .and_then(Value::as_str)
        .map(str::trim);
    match mac {
        Some("") => {
            data.shift_remove("mac_address");
        }
        Some(text) => {
            if let Some(mac) = canonical_mac(text) {
                data.insert("mac_address".to_owned(), mac.into());
            }
        }
        None => {}
    }
    if let Some(Value::Array(flags)) = data.get_mut("outbound_flags") {
        for flag in flags {
            if let Value::String(text) = flag {
                *text = text.trim().to_owned();
            }
        }
    }
    let realm = request
        .account
        .as_ref()
        .map(|account| account.realm.as_str());
    let patched = (request.verb == Verb::Patch)
        .then(|| request.data().ok())
        .flatten();
    if let Some(Value::Object(sip)) = data.get_mut("sip") {
        let own = sip.get("realm").and_then(Value::as_str);
        if own.is_some_and(|own| realm.is_some_and(|realm| realm.eq_ignore_ascii_case(own.trim())))
        {
            sip.shift_remove("realm");
        }
        mirror_expiry(sip, patched.as_ref().and_then(|data| data.get("sip")));
    }
}

/// The documents name the same thing twice; `expire_seconds` wins when both are sent. Of a patch only what it names
/// counts as sent.
fn mirror_expiry(sip: &mut Map<String, Value>, patch: Option<&Value>) {
    const NAMES: [&str; 2] = ["expire_seconds", "registration_expiration"];
    let named = |name: &str| match patch {
        Some(patch) => patch.get(name).filter(|value| !value.is_null()).cloned(),
        None => sip.get(name).filter(|value| !value.is_null()).cloned(),
    };
    let [expire, registration] = NAMES.map(named);
    let stored = || NAMES.iter().find_map(|name| sip.get(*name).cloned());
    if let Some(seconds) = expire.or(registration).or_else(stored) {
        for name in NAMES {
            sip.insert(name.to_owned(), seconds.clone());
        }
    }
}

pub(super) fn rules(request: &Request, draft: &mut Draft) -> Result<(), Refusal> {
    keep_redacted_password(draft);
    if !request.is_superduper() {
        type_stays(draft);
    }
    Ok(())
}

/// What was shown in place of a password and comes back is no password.
fn keep_redacted_password(draft: &mut Draft) {
    if draft.text("sip.password") != Some(REDACTED) {
        return;
    }
    let before = draft.text_before("sip.password").map(str::to_owned);
    if let Some(Value::Object(sip)) = draft.body.get_mut("sip") {
        match before {
            Some(before) => {
                sip.insert("password".to_owned(), before.into());
            }
            None => {
                sip.shift_remove("password");
            }
        }
    }
}

/// Billing hangs on it (API specification 3.3); to leave it out is a change as well.
fn type_stays(draft: &mut Draft) {
    const PLAIN: &str = "sip_device";
    if draft.is_new() {
        return;
    }
    let before = draft.text_before("device_type").map(str::to_owned);
    let after = draft.text("device_type").map(str::to_owned);
    let changed = match (&before, &after) {
        (None, None) => false,
        (Some(_), None) => true,
        (before, Some(after)) => before.as_deref().unwrap_or(PLAIN) != after,
    };
    if changed {
        let message = "Not authorized to change type of device";
        draft.fault_about("device_type", "invalid", message, after.unwrap_or_default());
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn macs_of_all_notations() {
        for same in [
            "00:04:F2:AB:7E:FD",
            "0004f2ab7efd",
            "00-04-f2-ab-7e-fd",
            "0004.f2ab.7efd",
        ] {
            assert_eq!(
                canonical_mac(same).as_deref(),
                Some("00:04:f2:ab:7e:fd"),
                "{same}"
            );
        }
        for other in ["", "0004f2ab7e", "0004f2ab7efd0", "x0004f2ab7efd"] {
            assert_eq!(canonical_mac(other), None, "{other}");
        }
    }

    #[test]
    fn two_names_for_one_time() {
        let mirrored = |sip: Value, patch: Option<Value>| {
            let mut sip = sip.as_object().unwrap().clone();
            mirror_expiry(&mut sip, patch.as_ref());
            (
                sip.get("expire_seconds").cloned(),
                sip.get("registration_expiration").cloned(),
            )
        };
        let both = |seconds: i32| (Some(json!(seconds)), Some(json!(seconds)));
        assert_eq!(mirrored(json!({"expire_seconds": 5}), None), both(5));
        assert_eq!(
            mirrored(json!({"registration_expiration": 6}), None),
            both(6)
        );
        assert_eq!(
            mirrored(
                json!({"expire_seconds": 5, "registration_expiration": 6}),
                None
            ),
            both(5)
        );
        assert_eq!(mirrored(json!({}), None), (None, None));
        let stored = json!({"expire_seconds": 300, "registration_expiration": 60});
        assert_eq!(
            mirrored(stored, Some(json!({"registration_expiration": 60}))),
            both(60)
        );
    }
}
