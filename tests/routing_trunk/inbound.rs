//! Calls from carriers.

use linefinder::routing::Privacy;
use linefinder::routing::trunk::{Dial, Outcome, RouteKind};
use linefinder::types::HangupCause;
use serde_json::{Value, json};

use crate::kit::{Case, DID, vars};

const TIMERS: [&str; 3] = ["leg_timeout", "leg_progress_timeout", "{ignore_early_media"];

#[test]
fn values_of_any_type_count_in_the_cascade_and_the_number_comes_first() {
    let case = Case::new()
        .entry(json!({"timeout": 20}))
        .options(json!({"timeout": "25", "progress_timeout": "6", "ignore_early_media": true}));
    assert_eq!(case.vars(&TIMERS), ["20", "6", "true"]);
    let account = Case::new().set("/connectivity/0/account/timeout", json!(30));
    assert_eq!(account.vars(&TIMERS), ["30", "-", "-"]);
}

#[test]
fn headers_of_all_levels_merge_and_the_number_wins() {
    let case = Case::new()
        .set(
            "/connectivity/0/account/sip_headers",
            json!({"X-A": "account", "X-B": "account"}),
        )
        .options(json!({"sip_headers": [{"x-a": "server"}, {"X-C": "server"}]}))
        .entry(json!({"sip_headers": {"X-C": "number"}}));
    let names = ["sip_h_X-A", "sip_h_X-B", "sip_h_X-C", "sip_h_X-KAZOO-AOR"];
    assert_eq!(
        case.vars(&names),
        [
            "server",
            "account",
            "number",
            "sip:trunk1@alpha.example.net"
        ]
    );
    let mut quiet = case;
    quiet.settings = json!({"send_aor_header": false});
    assert_eq!(quiet.vars(&["sip_h_X-KAZOO-AOR"]), ["-"]);
}

#[test]
fn a_static_address_beats_a_registration_and_its_port_may_stand_elsewhere() {
    let case = Case::new()
        .options(json!({"port": "5070", "inbound_format": "username"}))
        .set(
            "/registrations",
            json!([{"user": "trunk1", "realm": "alpha.example.net",
            "contact": "sip:x@198.51.100.7", "registered_at": 1}]),
        );
    assert_eq!(case.uris(), ["sofia/internal/sip:trunk1@192.0.2.50:5070"]);
    let six = Case::new()
        .set("/connectivity/0/servers/0/auth/ip", json!("2001:db8::9"))
        .set("/connectivity/0/servers/0/auth/port", json!(5080));
    assert_eq!(
        six.uris(),
        ["sofia/internal/sip:2125551234@[2001:db8::9]:5080"]
    );
    let six = Case::new().set("/connectivity/0/servers/0/auth/ip", json!("2001:db8::9"));
    assert_eq!(six.uris(), ["sofia/internal/sip:2125551234@[2001:db8::9]"]);
}

#[test]
fn the_user_of_a_contact_is_replaced_and_the_realm_may_be_the_accounts() {
    let case = Case::new()
        .set(
            "/connectivity/0/servers/0/auth",
            json!({"auth_user": "Trunk1", "auth_password": "x"}),
        )
        .set("/connectivity/0/account", json!({}))
        .set(
            "/registrations",
            json!([{"user": "trunk1", "realm": "alpha.example.net",
            "contact": "sips:trunk1@198.51.100.7:5061", "registered_at": 1, "profile": "wan"}]),
        );
    assert_eq!(case.uris(), ["sofia/wan/sips:2125551234@198.51.100.7:5061"]);
}

#[test]
fn formats_in_any_case_and_unknown_ones_ask_for_the_user() {
    for (format, user) in [
        ("NPANXXXXXX", "2125551234"),
        ("1NPAN", "12125551234"),
        ("E.164", "+12125551234"),
        ("e164_without_plus", "12125551234"),
        ("route", "trunk1"),
        ("whatever", "trunk1"),
    ] {
        let case = Case::new().options(json!({"inbound_format": format}));
        assert_eq!(
            case.uris(),
            [format!("sofia/internal/sip:{user}@192.0.2.50")],
            "{format}"
        );
    }
    let nobody = Case::new()
        .options(json!({"inbound_format": "username"}))
        .set(
            "/connectivity/0/servers/0/auth",
            json!({"auth_method": "ip", "ip": "192.0.2.50"}),
        );
    assert_eq!(
        nobody.uris(),
        ["sofia/internal/sip:+12125551234@192.0.2.50"]
    );
}

#[test]
fn a_minute_of_freeswitch_is_not_the_end_of_a_longer_timeout() {
    let originate = |options: Value| {
        let case = Case::new().options(options);
        case.vars(&[
            "{originate_timeout",
            "{originate_delay_start",
            "leg_delay_start",
        ])
    };
    assert_eq!(originate(json!({"timeout": 90})), ["92", "-", "-"]);
    assert_eq!(
        originate(json!({"timeout": 30, "delay": 3})),
        ["-", "3000", "-"]
    );
    assert_eq!(
        originate(json!({"timeout": 58, "delay": 3})),
        ["63", "3000", "-"]
    );
    assert_eq!(originate(json!({"delay": 5})), ["67", "5000", "-"]);
}

#[test]
fn media_bypass_is_said_to_the_caller_leg_alone() {
    let mut case = Case::new();
    case.profile = "internal";
    let bypass = |case: &Case| {
        let route = case.route();
        assert_eq!(
            vars(&route, 0, &["bypass_media", "{bypass_media"]),
            ["-", "-"]
        );
        route.attempts[0]
            .aleg
            .get("bypass_media")
            .unwrap()
            .to_owned()
    };
    assert_eq!(bypass(&case), "true");
    assert_eq!(
        bypass(&case.options(json!({"media_handling": "process"}))),
        "false"
    );
    assert_eq!(bypass(&Case::new()), "false");
}

#[test]
fn the_caller_leg_is_ours_to_end() {
    let route = Case::new().route();
    for name in [
        "continue_on_fail",
        "hangup_after_bridge",
        "sip_ignore_remote_cause",
    ] {
        assert_eq!(route.aleg.get(name), Some("true"), "{name}");
    }
    assert_eq!(vars(&route, 0, &["outbound_redirect_fatal"]), ["true"]);
    assert!(route.ring_ready);
}

#[test]
fn names_and_values_cannot_leave_their_place() {
    let mut case = Case::new();
    case.caller.name = "A\"\r\n]b, 'c".into();
    let case = case.options(json!({
        "codecs": ["PCMA", "PCMU"], "sip_headers": {"X-A": "1,2]sofia/x/y'", "Via": "x", "X B": "x"}}));
    let names = [
        "origination_caller_id_name",
        "absolute_codec_string",
        "sip_h_X-A",
        "sip_h_Via",
    ];
    assert_eq!(
        case.vars(&names),
        ["A b c", "PCMA,PCMU", "1,2sofia/x/y", "-"]
    );
    let route = case.route();
    let Dial::Call(dial) = &route.attempts[0].dial else {
        panic!();
    };
    assert!(dial.render().starts_with("[^^!"), "{}", dial.render());
}

#[test]
fn an_anonymous_caller_stays_without_number_and_privacy_goes_with_the_call() {
    let mut case = Case::new();
    case.caller = linefinder::routing::trunk::Party::default();
    case.privacy = Privacy {
        hide_name: true,
        hide_number: true,
    };
    let names = ["origination_caller_id_number", "origination_caller_id_name"];
    assert_eq!(case.vars(&names), ["-", "-"]);
    assert!(case.route().privacy);
}

#[test]
fn a_caller_without_name_shows_the_number_and_formats_rewrite_it() {
    let names = ["origination_caller_id_number", "origination_caller_id_name"];
    let mut case = Case::new();
    case.caller.name = String::new();
    assert_eq!(case.vars(&names), ["+16465550001", "+16465550001"]);
    let format = |format: Value| {
        Case::new()
            .options(json!({"caller_id_options": {"format": format}}))
            .vars(&names[..1])
    };
    assert_eq!(format(json!({"all": "npan"})), ["6465550001"]);
    assert_eq!(
        format(json!({"did_us": "1npan", "all": "npan"})),
        ["16465550001"]
    );
    let rule = json!({"did_us": {"regex": "^\\+1(\\d+)$", "prefix": "9"}});
    assert_eq!(format(rule), ["96465550001"]);
}

#[test]
fn keys_of_numbers_are_normalised_and_empty_ones_are_nobodys() {
    let case = |key: &str| {
        Case::new().set(
            "/connectivity/0/servers/0/DIDs",
            json!({key: {"timeout": 9}}),
        )
    };
    assert_eq!(case("212 555 1234").vars(&["leg_timeout"]), ["9"]);
    for key in ["", "+"] {
        assert_eq!(
            case(key).reject().cause,
            HangupCause::UnallocatedNumber,
            "{key:?}"
        );
    }
}

#[test]
fn the_number_record_decides_whose_a_number_is() {
    let record = |record: Value| {
        let mut record = record;
        record["number"] = json!(DID);
        Case::new().set("/numbers", json!([record]))
    };
    let beta = record(json!({"account_id": "beta", "state": "in_service"}));
    assert!(
        matches!(beta.decide().outcome, Outcome::Elsewhere(_)),
        "no PBX of its owner has it"
    );
    let gone = record(json!({"account_id": "alpha", "state": "released"}));
    assert_eq!(gone.reject().sip_status, 404);
    let other = record(json!({"account_id": "alpha", "used_by": "callflow"}));
    assert!(matches!(other.decide().outcome, Outcome::Elsewhere(_)));
    let ours = record(json!({"account_id": "alpha", "used_by": "trunkstore", "state": "reserved"}));
    assert_eq!(ours.route().kind, RouteKind::Pbx);
    let prepend = record(json!({"account_id": "alpha", "features": {"prepend": {"name": "VIP "}}}));
    assert_eq!(
        prepend.vars(&["origination_caller_id_name"]),
        ["VIP Jane Roe"]
    );
}

#[test]
fn a_disabled_account_is_forbidden_not_declined() {
    let case = Case::new().set("/accounts/0/enabled", json!(false));
    let reject = case.reject();
    assert_eq!((reject.sip_status, reject.respond()), (403, Some(403)));
    assert_eq!(reject.cause, HangupCause::CallRejected);
    let mut nobody = Case::new();
    nobody.to = "+19995550000".into();
    let busy = nobody.reject();
    assert_eq!(
        busy.respond(),
        None,
        "a hang-up sends this status by itself"
    );
}

#[test]
fn a_number_that_comes_back_is_a_loop() {
    let back = Case::new().header("x-trunk-loop", "2125551234");
    assert_eq!(back.reject().sip_status, 483);
    let other = Case::new().header("X-Trunk-Loop", "+12125550000");
    assert_eq!(other.route().kind, RouteKind::Pbx);
}

#[test]
fn an_address_proves_a_carrier() {
    let mut case = Case::new();
    case.source = Some(("203.0.113.10", 5071));
    let route = case.route();
    assert_eq!(route.aleg.get("lf_resource_id"), Some("one"));
    case.source = Some(("203.0.113.11", 5060));
    assert_eq!(case.reject().sip_status, 403);
    let mut case = case.set("/resources/0/inbound_ips", json!(["203.0.113.11"]));
    assert_eq!(case.route().kind, RouteKind::Pbx);
    case = case.set("/resources/0/enabled", json!(false));
    assert_eq!(case.reject().sip_status, 403);
}

#[test]
fn the_dialled_number_comes_from_the_request_or_from_to() {
    let mut case = Case::new();
    case.to = "2125551234;npdi".into();
    assert_eq!(case.route().number, DID);
    case.settings = json!({"inbound_user_field": "To"});
    assert_eq!(case.reject().sip_status, 404, "the To of the kit is nobody");
}

#[test]
fn a_registration_at_a_sister_node_is_left_to_it() {
    let mut case = Case::new()
        .set(
            "/connectivity/0/servers/0/auth",
            json!({"auth_user": "trunk1", "auth_password": "x"}),
        )
        .set(
            "/registrations",
            json!([{"user": "trunk1", "realm": "alpha.example.net",
            "contact": "sip:trunk1@198.51.100.7", "registered_at": 1, "node": "fs2"}]),
        )
        .options(json!({"codecs": ["PCMA"]}));
    assert_eq!(
        case.reject().cause,
        HangupCause::UserNotRegistered,
        "its address is unknown"
    );
    case.settings = json!({"nodes": {"fs2": "10.0.0.2:5060"}});
    let uri = case.uris().remove(0);
    assert!(
        uri.starts_with("sofia/internal/sip:trunk1@alpha.example.net;fs_path="),
        "{uri}"
    );
    let names = [
        "sip_h_X-LF-Connectivity",
        "sip_h_X-LF-Dialed",
        "absolute_codec_string",
    ];
    assert_eq!(case.vars(&names), ["conn-1", DID, "-"]);
}
