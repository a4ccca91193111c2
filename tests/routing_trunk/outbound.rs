//! Calls from PBXs: who calls, what it may call, what is shown, and what stays here.

use linefinder::routing::Privacy;
use linefinder::routing::Silent;
use linefinder::routing::trunk::{Arrival, Outcome, RouteKind, UnitDirection, arrive};
use linefinder::types::HangupCause;
use serde_json::{Value, json};

use crate::kit::{Case, DID, FAR, uris, vars};

const SHOWN: [&str; 2] = ["origination_caller_id_number", "origination_caller_id_name"];

fn beta(server: Value) -> Case {
    let mut server = server;
    server["name"] = json!("theirs");
    server["auth"] = json!({"auth_method": "ip", "ip": "192.0.2.70"});
    Case::outbound().set(
        "/connectivity/-",
        json!({
        "id": "conn-b", "account_id": "beta", "servers": [server]}),
    )
}

const THEIRS: &str = "+14155550199";

fn to_beta(server: Value) -> Case {
    let mut case = beta(server);
    case.to = THEIRS.into();
    case
}

#[test]
fn the_half_that_a_level_lacks_is_what_the_pbx_sent() {
    let case = Case::outbound()
        .entry(json!({"caller_id": {"cid_name": "", "cid_number": ""}}))
        .options(json!({"caller_id": {"cid_number": "+12125550000"}}));
    assert_eq!(case.vars(&SHOWN), ["+12125550000", "Jane Roe"]);
    assert_eq!(Case::outbound().vars(&SHOWN), [DID, "Jane Roe"]);
}

#[test]
fn the_entry_of_the_calling_number_counts_at_whichever_server_it_stands() {
    let mut case = Case::outbound()
        .set(
            "/connectivity/0/servers/-",
            json!({"name": "other", "auth": {"auth_user": "o"},
            "DIDs": {"2125557777": {"caller_id": {"cid_name": "Other"}}},
            "options": {"caller_id": {"cid_name": "never"}}}),
        )
        .options(json!({"sip_headers": {"X-From": "calling server"}}));
    case.caller.number = "12125557777".into();
    let names = [SHOWN[0], SHOWN[1], "sip_h_X-From"];
    assert_eq!(
        case.vars(&names),
        ["12125557777", "Other", "calling server"]
    );
}

#[test]
fn a_number_of_somebody_else_is_not_shown() {
    let mut case = Case::outbound().options(json!({"caller_id": {"cid_number": "+19995550000"}}));
    case.settings = json!({"ensure_valid_caller_id": true});
    assert_eq!(
        case.vars(&SHOWN[..1]),
        [DID],
        "what the PBX sent is its own"
    );
    case.caller.number = "101".into();
    assert_eq!(case.vars(&SHOWN[..1]), ["anonymous"]);
    case.settings =
        json!({"ensure_valid_caller_id": true, "default_caller_id_number": "+12125550100"});
    assert_eq!(case.vars(&SHOWN[..1]), ["+12125550100"]);
    let mut case = case.header("Diversion", "<sip:+12125551234@x>");
    case.settings["honor_diversions_by_cid_validation"] = json!(true);
    assert_eq!(
        case.vars(&SHOWN[..1]),
        ["+19995550000"],
        "the account's own number diverted it"
    );
    case.headers[0].1 = "<sip:+13105550000@x>".into();
    assert_eq!(case.vars(&SHOWN[..1]), ["+12125550100"]);
}

#[test]
fn what_may_not_be_called() {
    let mut case = Case::outbound().set(
        "/accounts/0/call_restriction",
        json!({"did_us": {"action": "deny"}}),
    );
    assert_eq!(case.reject().sip_status, 403);
    case.to = "4567".into();
    assert_eq!(
        case.reject().sip_status,
        484,
        "the number is looked at first"
    );
    let disabled = Case::outbound().set("/accounts/0/enabled", json!(false));
    assert_eq!(disabled.reject().respond(), Some(403));
    let mut stranger = Case::outbound();
    stranger.digest = Some(("trunk1", "beta.example.net"));
    assert_eq!(stranger.reject().sip_status, 403);
    stranger.digest = Some(("TRUNK1", "Alpha.Example.net"));
    assert_eq!(stranger.route().kind, RouteKind::Offnet);
}

#[test]
fn a_dial_plan_runs_first_and_does_not_cost_an_emergency_call() {
    let mut case = Case::outbound()
        .set(
            "/accounts/0/dial_plan",
            json!({"^9(\\d+)$": {"prefix": "+1"}}),
        )
        .set(
            "/resources/-",
            json!({"id": "e", "rules": ["^911$"], "gateways": [{"server": "203.0.113.91"}]}),
        );
    case.to = "96465558888".into();
    assert_eq!(case.uris(), ["sofia/external/sip:6465558888@203.0.113.10"]);
    case.to = "911".into();
    assert_eq!(case.uris(), ["sofia/external/sip:911@203.0.113.91"]);
}

#[test]
fn an_emergency_carrier_makes_every_attempt_an_emergency() {
    let mut case = Case::outbound()
        .set(
            "/resources/-",
            json!({"id": "zz", "rules": ["^(\\+1\\d{10})$"], "emergency": true,
            "gateways": [{"server": "203.0.113.91"}]}),
        )
        .options(json!({"emergency_caller_id": {"cid_number": "+12125550911"}}));
    case.settings = json!({"hunt_policy": "definitive"});
    case.privacy = Privacy {
        hide_name: true,
        hide_number: true,
    };
    let route = case.route();
    assert!(route.emergency && !route.privacy);
    for at in 0..2 {
        let names = [SHOWN[0], SHOWN[1], "sip_cid_type"];
        assert_eq!(
            vars(&route, at, &names),
            ["+12125550911", "Jane Roe", "none"]
        );
    }
    assert!(case.decide().units.is_empty());
    let busy = linefinder::routing::trunk::Ended::Failed {
        cause: HangupCause::UserBusy,
        sip_status: Some(486),
    };
    let next = linefinder::routing::trunk::next(&route, Some((0, busy)));
    assert_eq!(
        next,
        linefinder::routing::trunk::Step::Place(1),
        "an emergency call goes on"
    );
}

#[test]
fn rescuers_are_shown_a_number_that_they_know() {
    let case = |settings: Value, numbers: Value| {
        let mut case = Case::outbound()
            .set(
                "/resources/-",
                json!({"id": "e", "rules": ["^911$"], "gateways": [{"server": "203.0.113.91"}]}),
            )
            .set("/numbers", numbers);
        case.to = "911".into();
        case.settings = settings;
        case
    };
    let on = json!({"ensure_valid_emergency_cid": true});
    let known = json!([{"number": "+12125550911", "account_id": "alpha", "features": ["e911"]}]);
    assert_eq!(case(on.clone(), known).vars(&SHOWN[..1]), ["+12125550911"]);
    let own = json!([{"number": DID, "account_id": "alpha", "e911": {"street": "x"}}]);
    assert_eq!(case(on.clone(), own).vars(&SHOWN[..1]), [DID]);
    assert_eq!(case(on.clone(), json!([])).vars(&SHOWN[..1]), ["anonymous"]);
    let mut deny = on;
    deny["deny_invalid_emergency_cid"] = json!(true);
    let reject = case(deny, json!([])).reject();
    assert_eq!(
        (reject.sip_status, reject.reason),
        (486, "Emergency service not configured")
    );
}

#[test]
fn a_call_to_a_pbx_of_ours_asks_both_accounts_for_a_trunk_the_caller_first() {
    let case = to_beta(json!({"DIDs": {THEIRS: {"failover": {"sip": "sip:a@b"}}}}));
    let decision = case.decide();
    let units: Vec<_> = decision
        .units
        .iter()
        .map(|unit| {
            (
                unit.account.as_str(),
                unit.direction,
                unit.refusal.sip_status,
                unit.consuming,
            )
        })
        .collect();
    assert_eq!(
        units,
        [
            ("alpha", UnitDirection::Out, 403, false),
            ("beta", UnitDirection::In, 486, false)
        ]
    );
    let route = case.route();
    assert_eq!(route.kind, RouteKind::Onnet);
    assert_eq!(uris(&route), ["sofia/internal/sip:4155550199@192.0.2.70"]);
    assert_eq!(route.attempts[0].aleg.get("bypass_media"), Some("false"));
    assert_eq!(
        vars(&route, 0, &["accountcode", "lf_inception_account_id"]),
        ["beta", "alpha"]
    );
    assert!(route.failover.is_some());
    assert_eq!(route.aleg.get("lf_account_id"), Some("alpha"));
}

#[test]
fn a_pbx_that_fails_is_not_replaced_by_a_carrier() {
    let case = to_beta(json!({"DIDs": {THEIRS: {}}})).set(
        "/connectivity/1/servers/0/options",
        json!({"enabled": false}),
    );
    assert_eq!(case.reject().sip_status, 403);
}

#[test]
fn what_sends_a_number_of_ours_over_carriers() {
    let open = json!({"DIDs": {THEIRS: {}}});
    let ported = to_beta(open.clone()).set(
        "/numbers",
        json!([
        {"number": THEIRS, "account_id": "beta", "state": "port_in", "force_outbound": false}]),
    );
    assert_eq!(ported.route().kind, RouteKind::Offnet);
    let mut closed = ported;
    closed.settings = json!({"force_port_in_outbound": false});
    assert_eq!(closed.route().kind, RouteKind::Onnet);
    let record = to_beta(open.clone()).set(
        "/numbers",
        json!([
        {"number": THEIRS, "account_id": "beta", "features": {"force_outbound": true}}]),
    );
    assert_eq!(record.route().kind, RouteKind::Offnet);
    let server = to_beta(json!({"DIDs": {THEIRS: {}}, "options": {"force_outbound": "true"}}));
    assert_eq!(server.route().kind, RouteKind::Offnet);
    let all = {
        let mut case = to_beta(open.clone());
        case.settings = json!({"default_force_outbound": true});
        case
    };
    assert_eq!(all.route().kind, RouteKind::Offnet);
    let hunting = to_beta(open.clone())
        .options(json!({"hunt_account_id": "alpha"}))
        .set("/resources/0/account_id", json!("alpha"));
    let hunted = hunting.decide();
    assert!(
        hunted.units.is_empty(),
        "an account's own carriers are not counted"
    );
    assert_eq!(hunting.route().kind, RouteKind::Offnet);
    let disabled = to_beta(open).set("/accounts/1/enabled", json!(false));
    assert_eq!(
        disabled.route().kind,
        RouteKind::Offnet,
        "a disabled account owns nothing"
    );
}

#[test]
fn a_number_of_another_application_goes_there() {
    let case = to_beta(json!({"DIDs": {}})).set(
        "/numbers",
        json!([
        {"number": THEIRS, "account_id": "beta", "used_by": "callflow"}]),
    );
    let decision = case.decide();
    let Outcome::Elsewhere(elsewhere) = decision.outcome else {
        panic!();
    };
    assert_eq!(
        (elsewhere.account.as_str(), &*elsewhere.number),
        ("beta", THEIRS)
    );
    assert_eq!(decision.units.len(), 2);
}

#[test]
fn a_short_number_takes_its_area_from_the_caller() {
    let case = |to: &str| {
        let mut case = Case::outbound().options(json!({"hunt_non_reconcilable": true}));
        case.to = to.into();
        case
    };
    assert_eq!(
        case("5558888").uris(),
        ["sofia/external/sip:2125558888@203.0.113.10"]
    );
    assert_eq!(
        case("558888").uris(),
        ["sofia/external/sip:2125558888@203.0.113.10"]
    );
    assert_eq!(
        case("8888").reject().sip_status,
        404,
        "more than five digits are missing"
    );
    let mut fixed = case("5558888");
    fixed.settings = json!({"fixed_length_shortdial_correction": 2});
    assert_eq!(fixed.reject().sip_status, 404);
    let denied = case("5558888").set(
        "/accounts/0/call_restriction",
        json!({"did_us": {"action": "deny"}}),
    );
    assert_eq!(denied.reject().sip_status, 403);
}

#[test]
fn flags_are_not_merged_but_account_and_system_add_theirs() {
    let mut case = Case::outbound()
        .entry(json!({"options": ["a"]}))
        .options(json!({"flags": ["b"], "dynamic_flags": ["custom_channel_vars.region", "from_user", "none"]}))
        .set("/accounts/0/outbound_flags", json!(["c", "a"]));
    case.settings = json!({"outbound_flags": ["s"]});
    let case = case.set("/resources/0/ignore_flags", json!(true));
    assert_eq!(case.vars(&["lf_flags"]), [format!("a,c,s,eu,{DID}")]);
}

#[test]
fn who_is_calling() {
    let kind = |case: &Case| {
        let arrival = case.ask(|request, docs| arrive(request, docs, &mut Silent).unwrap());
        match arrival {
            Arrival::Carrier(Some(_)) => "carrier",
            Arrival::Carrier(None) => "trusted",
            Arrival::Server(_) => "server",
            Arrival::Stranger => "stranger",
        }
    };
    assert_eq!(kind(&Case::new()), "trusted");
    assert_eq!(kind(&Case::outbound()), "server");
    let mut by_ip = Case::new().set(
        "/connectivity/0/servers/0/auth",
        json!({"auth_method": "ip", "ip": "203.0.113.10"}),
    );
    by_ip.source = Some(("203.0.113.10", 5060));
    assert_eq!(
        kind(&by_ip),
        "server",
        "both, for a number of the PBX's own account"
    );
    by_ip.to = THEIRS.into();
    let mut foreign = by_ip.set(
        "/numbers",
        json!([{"number": THEIRS, "account_id": "beta"}]),
    );
    assert_eq!(
        kind(&foreign),
        "carrier",
        "both, for a number of somebody else"
    );
    foreign.source = Some(("203.0.113.99", 5060));
    assert_eq!(kind(&foreign), "stranger");
    let mut twice = Case::new()
        .set(
            "/connectivity/0/servers/0/auth",
            json!({"auth_method": "ip", "ip": "192.0.2.50"}),
        )
        .set(
            "/connectivity/-",
            json!({"id": "b", "account_id": "beta", "servers": [
            {"auth": {"auth_method": "ip"}, "options": {"ip": "192.0.2.50"}}]}),
        );
    twice.source = Some(("192.0.2.50", 5060));
    assert_eq!(kind(&twice), "stranger", "nobody would know whom to bill");
}

#[test]
fn a_redirected_call_is_made_for_who_redirected_it() {
    let case = Case::outbound().set(
        "/connectivity/0/servers/-",
        json!({
        "name": "by", "auth": {"auth_user": "trunk2", "auth_password": "x"},
        "options": {"caller_id": {"cid_number": "+12125550002"}}}),
    );
    let by = case.header("Referred-By", "<sip:trunk2@alpha.example.net>");
    assert_eq!(by.vars(&SHOWN[..1]), ["+12125550002"]);
    let mut stranger = by;
    stranger.headers[0].1 = format!("<sip:{FAR}@elsewhere.example.net>");
    assert_eq!(stranger.vars(&SHOWN[..1]), [DID]);
}
