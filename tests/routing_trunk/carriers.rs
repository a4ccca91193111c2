//! What a carrier's gateway is sent.

use linefinder::routing::trunk::{Dial, Ended, Step, next};
use linefinder::types::HangupCause;
use serde_json::{Value, json};

use crate::kit::{Case, DID, vars};

fn gateway(gateway: Value) -> Case {
    let mut gateway = gateway;
    if gateway.get("server").is_none() {
        gateway["server"] = json!("203.0.113.10");
    }
    Case::outbound().set("/resources/0/gateways", json!([gateway]))
}

fn dialled(gateway: Value) -> String {
    self::gateway(gateway).uris().remove(0)
}

#[test]
fn a_rule_without_group_sends_what_it_matched() {
    let case = Case::outbound().set("/resources/0/rules", json!(["(", "^\\+1"]));
    assert_eq!(case.uris(), ["sofia/external/sip:+1@203.0.113.10"]);
}

#[test]
fn formats_come_before_prefix_and_suffix() {
    for (format, user) in [
        ("route", "96465558888%23"),
        ("e164", "9+16465558888%23"),
        ("1npan", "916465558888%23"),
        ("strip_plus", "916465558888%23"),
        ("username", "acme"),
    ] {
        let uri = dialled(
            json!({"invite_format": format, "prefix": "9", "suffix": "#", "username": "acme"}),
        );
        assert_eq!(
            uri,
            format!("sofia/external/sip:{user}@203.0.113.10"),
            "{format}"
        );
    }
}

#[test]
fn addresses_ports_and_profiles() {
    assert_eq!(
        dialled(json!({"port": 5060})),
        "sofia/external/sip:6465558888@203.0.113.10"
    );
    assert_eq!(
        dialled(json!({"server": "2001:db8::1", "port": 5080, "custom_sip_interface": "wan"})),
        "sofia/wan/sip:6465558888@[2001:db8::1]:5080"
    );
    assert_eq!(
        dialled(json!({"server": "2001:db8::1"})),
        "sofia/external/sip:6465558888@[2001:db8::1]"
    );
    assert_eq!(
        dialled(json!({"route": "fixed@203.0.113.80", "prefix": "9"})),
        "sofia/external/sip:fixed@203.0.113.80"
    );
    let bad = gateway(json!({"server": "a b"})).reject();
    assert_eq!(bad.cause, HangupCause::InvalidUrl);
}

#[test]
fn credentials_go_together_or_not_at_all() {
    let names = ["sip_auth_username", "sip_auth_password"];
    assert_eq!(gateway(json!({"username": "a"})).vars(&names), ["-", "-"]);
    assert_eq!(
        gateway(json!({"username": "a", "password": "b"})).vars(&names),
        ["a", "b"]
    );
}

#[test]
fn the_last_header_counts_and_private_ones_do_not_pass() {
    let case = gateway(json!({"custom_sip_headers": {"X-C": "gateway"}}))
        .options(json!({"sip_headers": {"X-B": "server", "X-C": "server"}}))
        .header("X-A", "call")
        .header("X-B", "call")
        .header("X-LF-Account", "forged")
        .header("Subject", "no")
        .header("Diversion", "<sip:+12125551234@x>;reason=no-answer");
    let names = [
        "sip_h_X-A",
        "sip_h_X-B",
        "sip_h_X-C",
        "sip_h_X-LF-Account",
        "sip_h_Subject",
        "sip_h_Diversion",
    ];
    assert_eq!(
        case.vars(&names),
        [
            "call",
            "server",
            "gateway",
            "-",
            "-",
            "<sip:+12125551234@x>;reason=no-answer;counter=2"
        ]
    );
}

#[test]
fn from_hosts_in_their_order() {
    let from = |gateway: Value, resource: Value| {
        let mut case = self::gateway(gateway);
        for (key, value) in resource.as_object().unwrap() {
            case = case.set(&format!("/resources/0/{key}"), value.clone());
        }
        case.vars(&["sip_from_uri"]).remove(0)
    };
    let on = json!({"format_from_uri": true});
    assert_eq!(from(json!({}), on.clone()), "-", "no host");
    assert_eq!(
        from(json!({"realm": "gw.example"}), on.clone()),
        format!("sip:{DID}@gw.example")
    );
    assert_eq!(
        from(
            json!({"realm": "gw.example", "from_account_realm": true}),
            on.clone()
        ),
        format!("sip:{DID}@alpha.example.net")
    );
    assert_eq!(
        from(
            json!({"from_uri_realm": "own.example", "from_account_realm": true}),
            on.clone()
        ),
        format!("sip:{DID}@own.example")
    );
    assert_eq!(
        from(json!({"realm": "gw.example", "format_from_uri": false}), on),
        "-"
    );
}

#[test]
fn only_three_caller_id_types_reach_the_switch() {
    for (kind, sent) in [
        ("rpid", "rpid"),
        ("pid", "pid"),
        ("none", "none"),
        ("external", "-"),
        ("x", "-"),
    ] {
        assert_eq!(
            gateway(json!({"caller_id_type": kind})).vars(&["sip_cid_type"]),
            [sent]
        );
    }
    let emergency = gateway(json!({"caller_id_type": "emergency"}))
        .options(json!({"emergency_caller_id": {"cid_number": "+12125550911"}}));
    assert_eq!(
        emergency.vars(&["origination_caller_id_number"]),
        ["+12125550911"]
    );
    assert!(!emergency.route().emergency);
}

#[test]
fn media_of_the_gateway_before_those_of_its_resource() {
    let case = gateway(json!({"media": {"rtcp_mux": true}}))
        .set("/resources/0/media", json!({"audio": {"codecs": ["PCMU"]}, "video": {"codecs": ["H264"]}, "fax_option": true}))
        .set("/resources/0/flags", json!(["fax"]));
    let names = ["absolute_codec_string", "rtcp_mux", "fax_enable_t38"];
    assert_eq!(case.vars(&names), ["PCMU,H264", "true", "-"]);
    assert_eq!(
        case.options(json!({"flags": ["fax"]})).vars(&names[2..]),
        ["true"]
    );
}

#[test]
fn formatters_rewrite_what_is_sent() {
    let case = gateway(json!({"invite_format": "npan"}))
        .set(
            "/resources/0/formatters",
            json!({
            "outbound_caller_id_number": {"match_invite_format": true},
            "outbound_caller_id_name": [{"direction": "inbound", "value": "no"}, {"strip": true}],
            "X-A": {"value": "fixed"}}),
        )
        .header("X-A", "call");
    let names = [
        "origination_caller_id_number",
        "origination_caller_id_name",
        "sip_h_X-A",
    ];
    assert_eq!(case.vars(&names), ["2125551234", "-", "fixed"]);
}

#[test]
fn parameters_of_the_invite_are_looked_up() {
    let mut case = gateway(json!({"invite_parameters": {
        "static": ["a=b"], "dynamic": ["zone", {"tag": "r", "key": "custom_channel_vars.region"}, "nobody"]}}));
    case.settings = json!({"zone": "us-east"});
    assert_eq!(case.vars(&["sip_invite_params"]), ["a=b;us-east;r=eu"]);
}

#[test]
fn a_disabled_classifier_still_claims_its_class() {
    let case = Case::outbound().set(
        "/resources/-",
        json!({"id": "classy", "gateways": [{"server": "a"}],
        "classifiers": {"did_us": {"enabled": false}, "nobody_knows": {}}}),
    );
    assert_eq!(case.reject().sip_status, 404);
}

#[test]
fn the_cheapest_first_and_equals_by_their_ids() {
    let case = Case::outbound()
        .set("/resources/0/weight_cost", json!(1))
        .set(
            "/resources/-",
            json!({"id": "b", "weight_cost": 0, "rules": ["^\\+1(\\d{10})$"],
            "gateways": [{"server": "203.0.113.20"}]}),
        );
    assert_eq!(
        case.uris(),
        [
            "sofia/external/sip:6465558888@203.0.113.20",
            "sofia/external/sip:6465558888@203.0.113.10"
        ]
    );
}

#[test]
fn caller_rules_see_the_number_that_is_shown() {
    let rules = json!(["^\\+1310"]);
    let case = Case::outbound().set("/resources/0/cid_rules", rules.clone());
    assert_eq!(case.reject().sip_status, 404);
    let shown = case.options(json!({"caller_id": {"cid_number": "+13105550000"}}));
    assert_eq!(shown.uris().len(), 1);
    let mut diverted = Case::outbound()
        .set("/resources/0/cid_rules", rules)
        .header("Diversion", "<sip:+13105550000@x>");
    assert_eq!(diverted.reject().sip_status, 404);
    diverted.settings = json!({"cid_rules_honor_diversions": true});
    assert_eq!(diverted.uris().len(), 1);
    let mut anonymous = Case::outbound().set("/resources/0/cid_rules", json!(["^\\+"]));
    anonymous.caller = linefinder::routing::trunk::Party::default();
    assert_eq!(
        anonymous.reject().sip_status,
        404,
        "an anonymous caller matches no rule"
    );
    let mut anonymous = Case::outbound();
    anonymous.caller = linefinder::routing::trunk::Party::default();
    assert_eq!(
        anonymous.vars(&["origination_caller_id_number", "origination_caller_id_name"]),
        ["-", "-"]
    );
}

#[test]
fn an_ancestors_carriers_and_nobody_elses() {
    let case = |ancestors: Value| {
        Case::outbound()
            .options(json!({"hunt_account_id": "beta"}))
            .set("/resources/0/account_id", json!("beta"))
            .set("/accounts/0/ancestors", ancestors)
    };
    assert_eq!(case(json!(["beta"])).uris().len(), 1);
    assert_eq!(case(json!([])).reject().sip_status, 404);
    let mut counted = case(json!(["beta"]));
    counted.settings = json!({"authz_local_resources": true});
    assert_eq!(counted.decide().units.len(), 1);
}

#[test]
fn definitive_stops_where_the_callee_or_the_number_is_the_reason() {
    let route = |policy: &str| {
        let mut case = Case::outbound().set(
            "/resources/0/gateways",
            json!([{"server": "203.0.113.10"}, {"server": "203.0.113.11"}]),
        );
        case.settings = json!({"hunt_policy": policy});
        case.route()
    };
    use HangupCause as C;
    let stops = |cause, sip_status| {
        let ended = Ended::Failed { cause, sip_status };
        assert_eq!(
            next(&route("kazoo"), Some((0, ended))),
            Step::Place(1),
            "{cause}"
        );
        next(&route("definitive"), Some((0, ended))) != Step::Place(1)
    };
    for (cause, status) in [
        (C::UserBusy, None),
        (C::NoAnswer, None),
        (C::CallRejected, Some(603)),
        (C::NumberChanged, None),
        (C::InvalidNumberFormat, None),
        (C::NoRouteDestination, Some(604)),
    ] {
        assert!(stops(cause, status), "{cause}");
    }
    for (cause, status) in [
        (C::CallRejected, Some(403)),
        (C::NoRouteDestination, Some(485)),
        (C::CallRejected, None),
        (C::UnallocatedNumber, Some(404)),
        (C::OriginatorCancel, Some(487)),
        (C::NormalTemporaryFailure, Some(503)),
    ] {
        assert!(!stops(cause, status), "{cause}");
    }
}

#[test]
fn every_leg_ignores_redirections_and_is_ours_to_recognise() {
    let route = Case::outbound().route();
    let names = [
        "outbound_redirect_fatal",
        "ignore_display_updates",
        "accountcode",
        "leg_progress_timeout",
        "origination_callee_id_number",
        "lf_resource_id",
        "lf_e164_destination",
    ];
    assert_eq!(
        vars(&route, 0, &names),
        [
            "true",
            "true",
            "alpha",
            "8",
            "6465558888",
            "one",
            "+16465558888"
        ]
    );
    assert!(matches!(route.attempts[0].dial, Dial::Call(_)));
}
