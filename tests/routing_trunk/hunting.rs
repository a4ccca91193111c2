//! Several servers, one after the other, and what follows when none has taken the call.

use linefinder::routing::trunk::{Ended, FailoverTo, Outcome, Step, next};
use linefinder::types::HangupCause;
use serde_json::{Value, json};

use crate::kit::{Case, DID, uris, vars};

impl Case {
    fn second_server(self, options: Value) -> Self {
        self.set(
            "/connectivity/0/servers/-",
            json!({
            "name": "second", "auth": {"auth_method": "ip", "ip": "192.0.2.60"},
            "DIDs": {DID: {}}, "options": options}),
        )
    }
}

#[test]
fn a_disabled_server_is_passed_over() {
    let case = Case::new()
        .options(json!({"enabled": false}))
        .second_server(json!({}));
    assert_eq!(case.uris(), ["sofia/internal/sip:2125551234@192.0.2.60"]);
}

#[test]
fn the_next_server_is_not_asked_after_the_first_has_answered_for_the_number() {
    let case = Case::new().second_server(json!({}));
    let route = case.route();
    let after = |cause| {
        let sip_status = None;
        next(&route, Some((0, Ended::Failed { cause, sip_status })))
    };
    use HangupCause as C;
    for cause in [
        C::UserNotRegistered,
        C::ProgressTimeout,
        C::NoAnswer,
        C::DestinationOutOfOrder,
        C::Interworking,
    ] {
        assert_eq!(after(cause), Step::Place(1), "{cause}");
    }
    for cause in [
        C::UserBusy,
        C::CallRejected,
        C::UnallocatedNumber,
        C::IncompatibleDestination,
    ] {
        let Step::HangUp(reject) = after(cause) else {
            panic!("{cause}");
        };
        assert_eq!(reject.cause, cause);
    }
    for cause in [C::AttendedTransfer, C::PickedOff, C::LoseRace] {
        assert_eq!(after(cause), Step::Done, "{cause}");
    }
    assert_eq!(next(&route, Some((0, Ended::Answered))), Step::Done);
    assert_eq!(next(&route, Some((0, Ended::CallerGone))), Step::Done);
    let Step::HangUp(guard) = next(&route, Some((0, Ended::GuardExpired))) else {
        panic!();
    };
    assert_eq!(
        (guard.cause, guard.sip_status),
        (C::NormalTemporaryFailure, 503)
    );
}

#[test]
fn a_server_that_cannot_be_dialled_is_passed_over_and_its_cause_is_the_last() {
    let unregistered = json!({"auth_user": "t", "auth_password": "x"});
    let first = Case::new()
        .set("/connectivity/0/servers/0/auth", unregistered.clone())
        .second_server(json!({}));
    assert_eq!(next(&first.route(), None), Step::Place(1));
    let second = Case::new().second_server(json!({})).set(
        "/connectivity/0/servers/1/auth",
        json!({"auth_method": "ip"}),
    );
    let ended = Ended::Failed {
        cause: HangupCause::NoAnswer,
        sip_status: None,
    };
    let Step::HangUp(reject) = next(&second.route(), Some((0, ended))) else {
        panic!();
    };
    assert_eq!(
        (reject.cause, reject.sip_status),
        (HangupCause::DestinationOutOfOrder, 502)
    );
}

#[test]
fn a_failover_without_target_does_not_stop_the_cascade() {
    let case = Case::new()
        .entry(json!({"failover": {"e164": ""}}))
        .options(json!({"failover": {"sip": "sip:server@203.0.113.78"}}));
    let to = |case: &Case| case.route().failover.unwrap().to;
    assert_eq!(to(&case), FailoverTo::Sip("sip:server@203.0.113.78".into()));
    let number = case.set(
        "/numbers",
        json!([{"number": DID, "account_id": "alpha",
        "failover": {"e164": "+16465557777"}}]),
    );
    assert_eq!(to(&number), FailoverTo::E164("+16465557777".into()));
}

#[test]
fn a_failover_is_an_outbound_call_of_its_own_with_the_original_caller() {
    let case = Case::new().options(json!({
        "failover": {"e164": "6465557777"}, "timeout": 15, "ignore_early_media": true,
        "caller_id": {"cid_number": "+12125550000"}}));
    let decision = case.failover();
    assert_eq!(decision.units.len(), 1);
    let Outcome::Route(route) = decision.outcome else {
        panic!();
    };
    assert_eq!(route.failover, None);
    assert_eq!(uris(&route), ["sofia/external/sip:6465557777@203.0.113.10"]);
    let names = [
        "origination_caller_id_number",
        "leg_timeout",
        "{ignore_early_media",
    ];
    assert_eq!(vars(&route, 0, &names), ["+16465550001", "15", "true"]);
    let nowhere = Case::new().options(json!({"failover": {"e164": "+442071234567"}}));
    let Outcome::Reject(reject) = nowhere.failover().outcome else {
        panic!();
    };
    assert_eq!(
        reject.sip_status, 404,
        "the refusal of the failover is what the caller hears"
    );
}

#[test]
fn a_forced_number_never_goes_back_to_the_carrier_it_came_from() {
    let two = |case: Case| {
        case.set(
            "/resources/-",
            json!({"id": "two", "rules": ["^\\+1(\\d{10})$"],
            "gateways": [{"server": "203.0.113.20"}]}),
        )
    };
    let mut case = two(Case::new()).options(json!({"force_outbound": true}));
    case.source = Some(("203.0.113.10", 5060));
    assert_eq!(case.uris(), ["sofia/external/sip:2125551234@203.0.113.20"]);
    assert_eq!(case.vars(&["sip_h_X-Trunk-Loop"]), [DID]);
    let mut alone = Case::new().options(json!({"force_outbound": true}));
    alone.source = Some(("203.0.113.10", 5060));
    assert_eq!(alone.reject().cause, HangupCause::NoRouteDestination);
    let mut over = Case::new()
        .options(json!({"force_outbound": true, "failover": {"sip": "sip:a@203.0.113.9"}}));
    over.source = Some(("203.0.113.10", 5060));
    assert_eq!(next(&over.route(), None), Step::Failover);
}
