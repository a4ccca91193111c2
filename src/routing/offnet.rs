//! A leg to a carrier: which identity it shows, hides and asserts (devices specification 5).
//!
//! Which carrier is dialled, and in which form of the number, is decided elsewhere; this gives the
//! variables that depend on the caller.

use super::Variables;
use super::caller_id::{self, Origin, Shown};
use super::dialing::{self, Dialed};
use super::headers::Headers;
use super::merge::Merged;
use super::plan::{ActionOptions, Caller, Explain};
use super::privacy;
use super::settings::{PrivacyMethod, Settings};
use crate::types::AccountId;

/// A call that leaves the account.
#[derive(Debug, Clone)]
pub struct OffnetRequest<'a> {
    pub settings: &'a Settings,
    pub account_id: &'a AccountId,
    pub caller: &'a Caller,
    /// The caller's endpoint; for a forwarded call the forwarding device's.
    pub endpoint: Option<&'a Merged<'a>>,
    /// As dialled, before dial plan and normalisation.
    pub dialed: &'a str,
    /// The carrier's resource is flagged for emergency calls, whatever the number says.
    pub emergency_resource: bool,
    /// A forwarded call that keeps the identity it came with (devices specification 4.2).
    pub keep_identity: bool,
    /// The endpoint's internal identity is shown, as the flow's author wants it.
    pub internal_identity: bool,
    pub options: &'a ActionOptions,
    /// The A-leg came through a loopback: the leg needs codecs (4.2).
    pub behind_loopback: bool,
}

/// What a leg to a carrier carries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CarrierLeg {
    pub variables: Variables,
    pub emergency: bool,
    /// None: nothing is known of the caller that could rewrite or bar the number.
    pub dialed: Option<Dialed>,
}

/// Decides the identity of a call to a carrier. Pure.
#[must_use]
pub fn offnet(request: &OffnetRequest<'_>, explain: &mut dyn Explain) -> CarrierLeg {
    let endpoint = request.endpoint;
    let dialed = endpoint.map(|e| dialing::dialed(e, request.settings, request.dialed));
    let emergency = is_emergency(request, dialed.as_ref());
    let (shown, origin) = identity(request, emergency);
    explain.note(
        "caller_id",
        format_args!(
            "number {:?} from the {}, name {:?} from the {}{}",
            shown.number,
            Origin::word(origin.number),
            shown.name,
            Origin::word(origin.name),
            if emergency { ", emergency" } else { "" },
        ),
    );
    let mut variables = Variables::default();
    let call = request.caller.privacy;
    let (hidden, method) = match emergency {
        // Rescuers must see who calls, whatever the caller asked for.
        true => (super::Privacy::default(), PrivacyMethod::None),
        false => (
            privacy::of_caller(call, endpoint),
            request.settings.privacy_method,
        ),
    };
    let signalled = match method {
        PrivacyMethod::None => super::Privacy::default(),
        PrivacyMethod::Kazoo | PrivacyMethod::Sip => hidden,
    };
    let asserted = endpoint.and_then(|endpoint| {
        privacy::asserted(endpoint, request.settings, emergency.then_some(&shown))
    });
    let shown = privacy::to_carrier(shown, hidden, method, request.settings, &mut variables);
    if method == PrivacyMethod::None {
        privacy::signal_nothing(&mut variables, call);
    } else if signalled.hides_something() {
        explain.note("privacy", format_args!("{}", hidden.tokens()));
    }
    if !request.options.suppress_clid {
        variables.set_number("origination_caller_id_number", &shown.number);
        variables.set_display_name("origination_caller_id_name", &shown.name);
    }
    headers(request, endpoint, &shown, &mut variables, explain);
    if let Some(asserted) = asserted {
        asserted.write(&mut variables, signalled);
    }
    if request.behind_loopback {
        let codecs = request.settings.loopback_codecs.join(",");
        variables.set("absolute_codec_string", codecs);
    }
    variables.set("lf_account_id", request.account_id.as_str());
    CarrierLeg {
        variables,
        emergency,
        dialed,
    }
}

fn is_emergency(request: &OffnetRequest<'_>, dialed: Option<&Dialed>) -> bool {
    let by_plan = dialed.is_some_and(|dialed| dialed.classifier == dialing::EMERGENCY);
    let by_hand = || match request.endpoint {
        Some(endpoint) => {
            dialing::is_emergency(&dialing::normalizer(endpoint.account), request.dialed)
        }
        None => dialing::is_emergency(&super::numbers::Normalizer::us(), request.dialed),
    };
    request.emergency_resource || by_plan || by_hand()
}

fn identity<'a>(request: &OffnetRequest<'a>, emergency: bool) -> (Shown<'a>, Origin) {
    let caller = request.caller;
    let Some(endpoint) = request.endpoint else {
        return (caller_id::received(caller), Origin::default());
    };
    if emergency {
        return caller_id::emergency(endpoint, caller);
    }
    if request.keep_identity {
        return (caller_id::received(caller), Origin::default());
    }
    if request.internal_identity {
        return caller_id::internal(endpoint, caller);
    }
    let normalizer = dialing::normalizer(endpoint.account);
    caller_id::external_valid(endpoint, caller, request.settings, &normalizer)
}

/// Headers of a call that a device makes go on every leg of it.
fn headers(
    request: &OffnetRequest<'_>,
    endpoint: Option<&Merged<'_>>,
    shown: &Shown<'_>,
    variables: &mut Variables,
    explain: &mut dyn Explain,
) {
    let device = endpoint.and_then(|endpoint| endpoint.device);
    // Privacy and identity headers that privacy has set are not for a document to replace.
    let mut custom = Variables::default();
    Headers::of_call(device, None, &request.options.custom_sip_headers).write(
        &mut custom,
        shown,
        request.account_id,
        None,
        explain,
    );
    for (name, value) in custom.iter() {
        if variables.get(name).is_none() {
            variables.set(name, value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::documents::{Account, Device};
    use crate::routing::{Network, Privacy, Silent};
    use serde_json::{Value, json};

    struct Setup {
        settings: Settings,
        account: Value,
        device: Value,
        privacy: Privacy,
        keep_identity: bool,
    }

    impl Default for Setup {
        fn default() -> Self {
            Self {
                settings: Settings::default(),
                account: json!({"realm": "acme.example.com", "name": "Acme"}),
                device: json!({}),
                privacy: Privacy::default(),
                keep_identity: false,
            }
        }
    }

    const HIDDEN: Privacy = Privacy {
        hide_name: true,
        hide_number: true,
    };

    impl Setup {
        fn run(&self, dialed: &str) -> CarrierLeg {
            let account: Account = serde_json::from_value(self.account.clone()).unwrap();
            let device: Device = serde_json::from_value(self.device.clone()).unwrap();
            let endpoint = Merged::of_device(&account, &device, &[]);
            let caller = Caller {
                number: "2001".into(),
                name: "Desk".into(),
                network: Network::Onnet,
                privacy: self.privacy,
                device_id: None,
                owner_id: None,
                device: None,
                owner: None,
                diversion: None,
            };
            offnet(
                &OffnetRequest {
                    settings: &self.settings,
                    account_id: &AccountId::new("acct1").unwrap(),
                    caller: &caller,
                    endpoint: Some(&endpoint),
                    dialed,
                    emergency_resource: false,
                    keep_identity: self.keep_identity,
                    internal_identity: false,
                    options: &ActionOptions::default(),
                    behind_loopback: false,
                },
                &mut Silent,
            )
        }

        fn get(&self, dialed: &str, names: &[&str]) -> Vec<String> {
            let leg = self.run(dialed);
            let get = |name: &&str| leg.variables.get(name).unwrap_or("-").to_owned();
            names.iter().map(get).collect()
        }
    }

    const NUMBER: &str = "origination_caller_id_number";
    const NAME: &str = "origination_caller_id_name";
    const PRIVACY: &str = "origination_privacy";
    const TYPE: &str = "sip_cid_type";
    const HEADER: &str = "sip_h_Privacy";
    const ASSERTED: &str = "sip_h_P-Asserted-Identity";
    const FAR: &str = "+12125550188";

    fn hiding(method: PrivacyMethod, privacy: &str) -> Setup {
        Setup {
            settings: Settings {
                privacy_method: method,
                ..Settings::default()
            },
            device: json!({
                "caller_id": {"external": {"number": "+1555", "name": "Ext"}},
                "caller_id_options": {"outbound_privacy": privacy},
            }),
            ..Setup::default()
        }
    }

    #[test]
    fn privacy_methods() {
        use PrivacyMethod::{Kazoo, None, Sip};
        let all = [NUMBER, NAME, PRIVACY, TYPE, HEADER];
        let get = |method, privacy| hiding(method, privacy).get(FAR, &all);
        let (number, name) = ("anonymous", "Anonymous");
        let both = "screen:hide_name:hide_number";
        assert_eq!(get(Kazoo, "full"), [number, name, both, "none", "id"]);
        assert_eq!(
            get(Kazoo, "name"),
            ["+1555", name, "screen:hide_name", "none", "id"]
        );
        assert_eq!(
            get(Kazoo, "number"),
            [number, "Ext", "screen:hide_number", "none", "id"]
        );
        assert_eq!(get(Kazoo, "none"), ["+1555", "Ext", "-", "-", "-"]);
        assert_eq!(get(Sip, "full"), ["+1555", "Ext", both, "pid", "-"]);
        assert_eq!(
            get(Sip, "number"),
            ["+1555", "Ext", "screen:hide_number", "pid", "-"]
        );
        assert_eq!(
            get(Sip, "name"),
            ["+1555", name, "screen:hide_name", "pid", "-"]
        );
        assert_eq!(get(None, "full"), ["+1555", "Ext", "-", "-", "-"]);
    }

    #[test]
    fn privacy_of_the_call_adds_to_the_documents() {
        let mut setup = hiding(PrivacyMethod::Kazoo, "none");
        setup.privacy.hide_number = true;
        assert_eq!(setup.get(FAR, &[NUMBER, NAME]), ["anonymous", "Ext"]);
        let mut setup = hiding(PrivacyMethod::None, "none");
        setup.privacy = HIDDEN;
        assert_eq!(
            setup.get(FAR, &[NUMBER, TYPE, PRIVACY]),
            ["+1555", "none", "-"]
        );
    }

    #[test]
    fn emergency_calls_show_themselves() {
        let mut setup = hiding(PrivacyMethod::Kazoo, "full");
        setup.privacy = HIDDEN;
        setup.device["caller_id"]["emergency"] = json!({"number": "+1911"});
        let all = [NUMBER, NAME, PRIVACY, TYPE, HEADER];
        assert_eq!(setup.get("911", &all), ["+1911", "Ext", "-", "none", "-"]);
        setup.device["dial_plan"] = json!({"^(\\d+)$": {"prefix": "9"}});
        assert_eq!(setup.get("911", &[NUMBER]), ["+1911"]);
        setup.keep_identity = true;
        assert_eq!(setup.get("911", &[NUMBER]), ["+1911"]);
    }

    #[test]
    fn asserted_identities() {
        let asserted = |asserted: Value, dialed: &str, setup: &mut Setup| {
            setup.device["caller_id"]["asserted"] = asserted;
            setup.get(dialed, &[ASSERTED, TYPE, HEADER])
        };
        let full = || json!({"number": "+17", "name": "A \"quoted\" HQ", "realm": "t.example"});
        let mut setup = hiding(PrivacyMethod::Kazoo, "none");
        let id = "\"A quoted HQ\" <sip:+17@t.example>";
        assert_eq!(asserted(full(), FAR, &mut setup), [id, "none", "-"]);
        assert_eq!(
            asserted(json!({"name": "HQ"}), FAR, &mut setup),
            ["-", "-", "-"]
        );
        let mut hidden = hiding(PrivacyMethod::Sip, "full");
        assert_eq!(asserted(full(), FAR, &mut hidden), [id, "none", "id"]);
        // Emergency: a complete identity is replaced by the emergency one, another is left out.
        setup.device["caller_id"]["emergency"] = json!({"number": "+1911", "name": "B1"});
        let emergency = "\"B1\" <sip:+1911@t.example>";
        assert_eq!(
            asserted(full(), "911", &mut setup),
            [emergency, "none", "-"]
        );
        assert_eq!(
            asserted(json!({"number": "+17"}), "911", &mut setup),
            ["-", "-", "-"]
        );
        setup.settings.default_asserted_identity = true;
        assert_eq!(
            asserted(json!({}), FAR, &mut setup)[0],
            "\"Ext\" <sip:+1555@acme.example.com>"
        );
        setup.device["caller_id"]["external"] = json!({"number": "+1555"});
        assert_eq!(
            asserted(json!({}), FAR, &mut setup)[0],
            "\"Acme\" <sip:+1555@acme.example.com>"
        );
        assert_eq!(asserted(json!({}), "911", &mut setup)[0], "-");
    }

    #[test]
    fn a_realm_cannot_break_out_of_the_asserted_header() {
        let mut setup = hiding(PrivacyMethod::Kazoo, "none");
        setup.device["caller_id"]["asserted"] =
            json!({"number": "+17", "realm": "x>, <sip:evil@y"});
        assert_eq!(setup.get(FAR, &[ASSERTED]), ["-"]);
    }

    #[test]
    fn numbers_that_are_not_the_accounts_are_replaced() {
        let mut setup = hiding(PrivacyMethod::Kazoo, "none");
        setup.device["caller_id"]["external"]["number"] = json!("4155550100");
        setup.settings.ensure_valid_caller_id = true;
        let number = |setup: &Setup| setup.get(FAR, &[NUMBER]).remove(0);
        assert_eq!(number(&setup), "anonymous");
        setup.account["numbers"] = json!(["+14155550199", "+14155550100"]);
        assert_eq!(number(&setup), "4155550100");
        setup.account["numbers"] = json!(["+14155550199"]);
        assert_eq!(number(&setup), "+14155550199");
        setup.account["caller_id"] = json!({"default": {"number": "+14155550111"}});
        assert_eq!(number(&setup), "+14155550111");
        setup.account["caller_id"]["external"] = json!({"number": "+14155550122"});
        assert_eq!(number(&setup), "+14155550122");
        // Emergency is exempt.
        setup.device["caller_id"]["emergency"] = json!({"number": "+1911"});
        assert_eq!(setup.get("911", &[NUMBER]), ["+1911"]);
    }

    #[test]
    fn a_device_sets_no_identity_header_behind_the_back_of_privacy() {
        let mut setup = hiding(PrivacyMethod::Kazoo, "full");
        setup.device["sip"] = json!({"custom_sip_headers": {"in": {"privacy": "none", "X-A": "1"}, "out": {"X-B": "1"}}});
        assert_eq!(
            setup.get(FAR, &[HEADER, "sip_h_X-A", "sip_h_X-B"]),
            ["id", "1", "-"]
        );
    }
}
