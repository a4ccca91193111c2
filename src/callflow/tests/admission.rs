//! Who is let in, on whose account, and to which callflow.

use std::io;
use std::sync::{Arc, Mutex};

use serde_json::json;
use tracing_subscriber::fmt::MakeWriter;

use super::world::{World, alice_to, outsider_to, refuse};
use crate::callflow::{Admitted, EndedBy, Found, Refusal, Route, Rule, Verdict, admit};
use crate::routing::{Network, Silent};
use crate::switch::Arrival;
use crate::types::HangupCause;

fn decide(world: &World, arrival: &Arrival) -> Result<Admitted, Refusal> {
    admit(&world.context.office(0, 0), arrival, &mut Silent)
}

fn found(admitted: Admitted) -> Found {
    match admitted.route {
        Route::Callflow(found) => found,
        other @ Route::HandedOver(_) => panic!("{other:?}"),
    }
}

fn of_realm(dialed: &str, realm: &str) -> Arrival {
    let mut arrival = outsider_to(dialed);
    arrival
        .variables
        .insert("sip_req_host".into(), realm.into());
    arrival
}

#[test]
fn a_device_brings_its_account_and_its_owner() {
    let world = World::new();
    world.flow(refuse(486));
    let mut arrival = alice_to("100");
    // The realm of the request does not matter for it.
    arrival
        .variables
        .insert("sip_req_host".into(), "other.test".into());
    let call = decide(&world, &arrival).unwrap().call;
    assert_eq!(call.account_id.as_str(), "acc1");
    assert_eq!(call.caller.device_id.unwrap().as_str(), "dev_alice");
    assert_eq!(call.caller.owner_id.unwrap().as_str(), "usr_alice");
    assert_eq!(call.caller.network, Network::Onnet);
}

#[test]
fn a_quickcalls_leg_is_its_devices() {
    let world = World::new();
    world.flow(refuse(486));
    let mut arrival = outsider_to("100");
    for (name, value) in [
        ("lf_quickcall", "true"),
        ("direction", "outbound"),
        ("lf_account_id", "acc1"),
        ("lf_device_id", "dev_alice"),
    ] {
        arrival.variables.insert(name.into(), value.into());
    }
    let call = decide(&world, &arrival).unwrap().call;
    assert_eq!(call.caller.device_id.unwrap().as_str(), "dev_alice");
    assert_eq!(call.caller.network, Network::Onnet);
    // Whoever calls in may bring such variables from elsewhere.
    for (name, value) in [("direction", "inbound"), ("lf_quickcall", "false")] {
        let mut other = arrival.clone();
        other.variables.insert(name.into(), value.into());
        let decided = decide(&world, &other);
        let device = decided
            .ok()
            .and_then(|admitted| admitted.call.caller.device_id);
        assert_eq!(device, None, "{name}");
    }
}

#[test]
fn names_that_nobody_proved_count_for_nothing() {
    let world = World::new();
    world.flow(refuse(486));
    let mut arrival = alice_to("100");
    arrival.variables.remove("sip_authorized");
    let call = decide(&world, &arrival).unwrap().call;
    assert_eq!(call.caller.device_id, None);
    assert_eq!(call.caller.network, Network::Offnet);
}

#[test]
fn an_address_stands_for_a_device_that_authenticates_by_it() {
    let world = World::new();
    world.flow(refuse(486));
    let gateway = |method| json!({"sip": {"method": method, "ip": "127.0.0.77"}});
    world.device("gateway", gateway("ip"));
    let call = decide(&world, &outsider_to("100")).unwrap().call;
    assert_eq!(call.caller.device_id.unwrap().as_str(), "dev_gateway");
    // One with a password is only reached there.
    world.device("gateway", gateway("password"));
    let call = decide(&world, &outsider_to("100")).unwrap().call;
    assert_eq!(call.caller.device_id, None);
}

#[test]
fn a_number_in_the_world_names_its_account() {
    let world = World::new();
    world.account("acc2", json!({"name": "Other", "realm": "other.test"}));
    world.callflow(
        "cf_did",
        json!({"numbers": ["+14155550100"], "flow": refuse(486)}),
    );
    world.flow(refuse(486));
    for dialed in ["+14155550100", "14155550100", "4155550100"] {
        let admitted = decide(&world, &of_realm(dialed, "carrier.test")).unwrap();
        assert_eq!(admitted.call.account_id.as_str(), "acc1", "{dialed}");
        assert_eq!(found(admitted).id.as_str(), "cf_did");
    }
    // An extension is everybody's: its account is the realm's.
    let error = decide(&world, &of_realm("100", "carrier.test")).unwrap_err();
    assert!(matches!(error, Refusal::NoAccount { .. }), "{error}");
    let error = decide(&world, &of_realm("100", "other.test")).unwrap_err();
    assert!(matches!(&error, Refusal::NoCallflow { account, .. } if account.as_str() == "acc2"));
}

#[test]
fn the_raw_key_comes_before_the_normalised_one() {
    let world = World::new();
    world.callflow(
        "cf_raw",
        json!({"numbers": ["4155550100"], "flow": refuse(486)}),
    );
    world.callflow(
        "cf_did",
        json!({"numbers": ["+14155550100"], "flow": refuse(486)}),
    );
    let found_raw = found(decide(&world, &alice_to("4155550100")).unwrap());
    assert_eq!(found_raw.id.as_str(), "cf_raw");
    let found_did = found(decide(&world, &alice_to("14155550100")).unwrap());
    assert_eq!(found_did.id.as_str(), "cf_did");
}

#[test]
fn patterns_come_after_numbers_and_capture() {
    let world = World::new();
    let park = json!({"patterns": ["^\\*3([0-9]+)$", "(unclosed"], "flow": refuse(486)});
    world.callflow("cf_park", park);
    world.callflow(
        "cf_number",
        json!({"numbers": ["*31"], "flow": refuse(486)}),
    );
    assert_eq!(
        found(decide(&world, &alice_to("*31")).unwrap()).by,
        Rule::Number
    );
    let admitted = decide(&world, &alice_to("*312")).unwrap();
    assert_eq!(admitted.call.capture_group.as_deref(), Some("12"));
    assert_eq!(found(admitted).id.as_str(), "cf_park");
}

#[test]
fn no_match_is_for_devices_of_the_account() {
    let world = World::new();
    world.callflow(
        "cf_any",
        json!({"numbers": ["no_match"], "flow": refuse(486)}),
    );
    for dialed in ["4155559876", "+4930123456", "77"] {
        let admitted = decide(&world, &alice_to(dialed)).unwrap();
        assert!(admitted.call.no_match);
        assert_eq!(found(admitted).by, Rule::NoMatch, "{dialed}");
        let error = decide(&world, &outsider_to(dialed)).unwrap_err();
        assert!(
            matches!(error, Refusal::NoMatchForOutsiders { .. }),
            "{error}"
        );
        assert_eq!(error.cause(), HangupCause::NoRouteDestination);
    }
    // And for numbers only.
    assert!(matches!(
        decide(&world, &alice_to("*99")),
        Err(Refusal::NoCallflow { .. })
    ));
    assert!(matches!(
        decide(&world, &alice_to("bob")),
        Err(Refusal::NoCallflow { .. })
    ));
}

#[test]
fn the_disabled_are_refused() {
    let world = World::new();
    world.flow(refuse(486));
    let put = |enabled| json!({"name": "Acme", "realm": "acme.test", "enabled": enabled});
    world.account("acc1", put(false));
    for arrival in [alice_to("100"), outsider_to("100")] {
        let error = decide(&world, &arrival).unwrap_err();
        assert!(matches!(error, Refusal::AccountDisabled(_)), "{error}");
        assert_eq!(error.cause().sip_status(), 403);
    }
    world.account("acc1", put(true));
    world.device("alice", json!({"owner_id": "usr_alice", "enabled": false}));
    let error = decide(&world, &alice_to("100")).unwrap_err();
    assert!(matches!(error, Refusal::DeviceDisabled(_)), "{error}");
    assert!(decide(&world, &outsider_to("100")).is_ok());
}

#[test]
fn hotdesking_replaces_the_owner() {
    let world = World::new();
    world.flow(refuse(486));
    let owner = |users| {
        world.device(
            "alice",
            json!({"owner_id": "usr_alice", "hotdesk": {"users": users}}),
        );
        let call = decide(&world, &alice_to("100")).unwrap().call;
        call.caller.owner_id.map(|id| id.to_string())
    };
    assert_eq!(owner(json!({})).as_deref(), Some("usr_alice"));
    assert_eq!(owner(json!({"usr_bob": {}})).as_deref(), Some("usr_bob"));
    assert_eq!(owner(json!({"usr_bob": {}, "usr_alice": {}})), None);
}

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Log {
    type Writer = Log;
    fn make_writer(&self) -> Log {
        self.clone()
    }
}

#[tokio::test]
async fn a_refused_call_ends_with_its_cause_and_one_line_that_says_why() {
    for (arrival, status, why) in [
        (of_realm("100", "nobody.test"), 404, "nobody.test"),
        (
            alice_to("555"),
            404,
            "no callflow of account acc1 has the number \\\"555\\\"",
        ),
        (alice_to(""), 484, "nothing was dialled"),
    ] {
        let world = World::new();
        let log = Log::default();
        let subscriber = tracing_subscriber::fmt()
            .json()
            .with_writer(log.clone())
            .finish();
        let guard = tracing::subscriber::set_default(subscriber);
        let (leg, report) = world.place(arrival, &[]).await;
        drop(guard);
        let cause = report.ending.cause.unwrap();
        assert_eq!(cause.sip_status(), status);
        assert_eq!(leg.log(), [format!("hangup {cause}")]);
        assert_eq!(report.ending.by, EndedBy::Linefinder);
        assert!(matches!(report.decision, Verdict::Refused { .. }));
        let log = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
        let lines: Vec<&str> = log
            .lines()
            .filter(|line| line.contains("callflow"))
            .collect();
        assert_eq!(lines.len(), 3, "arrival, decision, end: {log}");
        let telling: Vec<_> = lines.iter().filter(|line| line.contains(why)).collect();
        assert_eq!(telling.len(), 1, "{why} in {log}");
        assert!(telling[0].contains(cause.as_str()), "{log}");
    }
}
