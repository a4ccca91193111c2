//! Units of limits: which are asked for, and when there is room.

use linefinder::documents::Limits;
use linefinder::routing::trunk::limits::{Billing, Full, Used, decide, of_account};
use linefinder::routing::trunk::{Outcome, UnitDirection, UnitWanted};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::kit::Case;
use crate::world::account;

fn inbound() -> UnitWanted {
    Case::new().decide().units.remove(0)
}

fn outbound() -> UnitWanted {
    Case::outbound().decide().units.remove(0)
}

fn judge(unit: &UnitWanted, limits: Value, used: Used) -> Result<Billing, Full> {
    let limits: Limits = serde_json::from_value(limits).unwrap();
    decide(unit, Some(&limits), &used)
}

fn used(inbound: u32, outbound: u32) -> Used {
    Used {
        inbound,
        outbound,
        calls: inbound + outbound,
        consuming: inbound + outbound,
        of_number: inbound,
    }
}

#[test]
fn no_limits_and_limits_of_nothing_are_different_things() {
    assert_eq!(
        decide(&inbound(), None, &used(50, 0)),
        Ok(Billing::Unlimited)
    );
    assert!(judge(&inbound(), json!({}), used(0, 0)).is_err());
    assert_eq!(
        judge(&inbound(), json!({"twoway_trunks": -1}), used(500, 0)),
        Ok(Billing::FlatRate)
    );
    assert_eq!(
        judge(&inbound(), json!({"enabled": false}), used(0, 0)),
        Ok(Billing::Unlimited)
    );
    let capped = json!({"twoway_trunks": 5, "pvt_twoway_trunks": 0});
    assert!(judge(&inbound(), capped, used(0, 0)).is_err());
}

#[test]
fn one_way_trunks_are_used_up_before_two_way_ones() {
    let limits =
        json!({"inbound_trunks": 1, "outbound_trunks": 1, "twoway_trunks": 1, "burst_trunks": 1});
    for (inbound_used, outbound_used, expected) in [
        (0, 0, Some(Billing::FlatRate)),
        (1, 0, Some(Billing::FlatRate)),
        (1, 2, Some(Billing::FlatRateBurst)),
        (2, 1, Some(Billing::FlatRateBurst)),
        (3, 1, None),
        (1, 3, None),
    ] {
        let result = judge(
            &inbound(),
            limits.clone(),
            used(inbound_used, outbound_used),
        );
        assert_eq!(
            result.ok(),
            expected,
            "{inbound_used} in, {outbound_used} out"
        );
    }
}

#[test]
fn hard_caps_come_first_and_count_the_call_that_asks() {
    let full = |limits: Value| judge(&inbound(), limits, used(2, 0));
    let two = json!({"twoway_trunks": -1, "calls": 2});
    assert_eq!(full(two), Err(Full::Calls { used: 3, limit: 2 }));
    assert!(full(json!({"twoway_trunks": -1, "calls": 3})).is_ok());
    assert!(full(json!({"twoway_trunks": -1, "calls": -1})).is_ok());
    let carriers = json!({"twoway_trunks": -1, "resource_consuming_calls": 0});
    assert_eq!(full(carriers), Err(Full::Consuming { used: 3, limit: 0 }));
    let number = json!({"twoway_trunks": -1, "inbound_channels_per_did_rules": {"^\\+1212": 2}});
    assert_eq!(
        full(number.clone()),
        Err(Full::Number { used: 3, limit: 2 })
    );
    assert!(judge(&outbound(), number, used(2, 0)).is_ok());
}

#[test]
fn a_soft_limit_lets_calls_of_its_direction_pass() {
    let limits = json!({"pvt_soft_limit_inbound": true});
    assert_eq!(
        judge(&inbound(), limits.clone(), used(0, 0)),
        Ok(Billing::SoftLimit)
    );
    assert!(judge(&outbound(), limits, used(0, 0)).is_err());
}

#[test]
fn what_takes_no_trunk() {
    let counted = |case: Case| {
        case.decide()
            .units
            .iter()
            .map(|unit| unit.counted)
            .collect::<Vec<_>>()
    };
    let mut free = Case::outbound();
    free.to = "8005550100".into();
    assert_eq!(counted(free), [false]);
    let listed = |kinds: Value| json!([{"account_id": "alpha", "authz_resource_types": kinds}]);
    let exempt = Case::outbound().set("/limits", listed(json!(["offnet-termination"])));
    assert_eq!(counted(exempt), [false]);
    let exempt = Case::new().set("/limits", listed(json!(["offnet-origination"])));
    assert_eq!(counted(exempt), [false]);
    let other = Case::new().set("/limits", listed(json!(["onnet-origination"])));
    assert_eq!(counted(other), [true]);
    let mut own = Case::outbound().set("/limits", listed(json!(["onnet-termination"])));
    own.to = crate::kit::DID.into();
    assert_eq!(
        counted(own),
        [false, true],
        "a call to one's own number, too"
    );
}

#[test]
fn numbers_that_trunks_are_not_for() {
    let eligible = |settings: Value| {
        let mut case = Case::outbound();
        case.settings = settings;
        case.decide().units[0].eligible
    };
    assert!(eligible(json!({})));
    assert!(!eligible(json!({"flat_rate_whitelist": "^\\+44"})));
    assert!(!eligible(json!({"flat_rate_blacklist": "^\\+1646"})));
    let mut case = Case::outbound().set("/resources/0/flat_rate_blacklist", json!("^\\+1"));
    assert!(case.decide().units[0].eligible);
    case.settings = json!({"resource_flat_rate_lookup": true});
    let unit = case.decide().units.remove(0);
    let limits = json!({"twoway_trunks": 9});
    assert_eq!(judge(&unit, limits, used(0, 0)), Err(Full::NotEligible));
}

#[test]
fn the_reseller_is_asked_too_and_bought_trunks_add_up() {
    let case = Case::new()
        .set("/accounts/0/reseller_id", json!("beta"))
        .set("/connectivity/0/account/trunks", json!(2))
        .set(
            "/connectivity/-",
            json!({"id": "c2", "account_id": "alpha", "account": {"trunks": "3"}}),
        );
    let unit = case.decide().units.remove(0);
    assert_eq!(unit.reseller.as_ref().map(|id| id.as_str()), Some("beta"));
    let limits = of_account(&account(&json!("alpha")), &case.docs())
        .unwrap()
        .unwrap();
    assert_eq!(limits.twoway(), linefinder::documents::Trunks::Of(5));
    let mut docs = case.docs();
    docs.take(&unit);
    assert_eq!(docs.used(&account(&json!("beta")), "").inbound, 1);
}

#[test]
fn a_full_account_does_not_overflow_into_its_failover() {
    let case = Case::new().options(json!({"failover": {"sip": "sip:a@203.0.113.9"}}));
    let decision = case.decide();
    assert_eq!(decision.units[0].refusal.sip_status, 486);
    assert!(matches!(decision.outcome, Outcome::Route(_)));
    let disabled = Case::new().options(json!({"enabled": false})).decide();
    assert_eq!(
        disabled.units.len(),
        1,
        "a full account is busy before its server is disabled"
    );
}

proptest! {
    /// The sum of trunks is the most that there can be, however calls come and go.
    #[test]
    fn never_more_units_than_trunks(
        trunks in (0u32..4, 0u32..4, 0u32..4, 0u32..4),
        calls in proptest::collection::vec(any::<(bool, bool)>(), 0..60),
    ) {
        let (inbound_trunks, outbound_trunks, twoway, burst) = trunks;
        let limits: Limits = serde_json::from_value(json!({
            "inbound_trunks": inbound_trunks, "outbound_trunks": outbound_trunks,
            "twoway_trunks": twoway, "burst_trunks": burst})).unwrap();
        let mut unit = inbound();
        let (mut units_in, mut units_out) = (0u32, 0u32);
        for (ends, is_in) in calls {
            let units = if is_in { &mut units_in } else { &mut units_out };
            if ends {
                *units = units.saturating_sub(1);
                continue;
            }
            unit.direction = if is_in { UnitDirection::In } else { UnitDirection::Out };
            if decide(&unit, Some(&limits), &used(units_in, units_out)).is_ok() {
                let units = if is_in { &mut units_in } else { &mut units_out };
                *units += 1;
            }
            prop_assert!(units_in <= inbound_trunks + twoway + burst);
            prop_assert!(units_out <= outbound_trunks + twoway + burst);
            let both = inbound_trunks + outbound_trunks + twoway + burst;
            prop_assert!(units_in + units_out <= both);
        }
    }
}
