//! Devices specification 7.

use super::*;

/// Every reason at once: taking away the first leaves the next.
#[test]
fn the_first_check_that_refuses_decides() {
    let owner = json!({"enabled": false});
    let device = phone(json!({
        "owner_id": "u", "enabled": false, "exclude_from_queues": true,
        "do_not_disturb": {"enabled": true}, "call_waiting": {"enabled": false},
        "sip": {"invite_format": "route"},
    }));
    let mut scene = Scene::new(device);
    scene.account["enabled"] = json!(false);
    scene.users = vec![("u", owner)];
    scene.caller.device_id = Some(id("dev_a"));
    scene.caller.owner_id = Some(id("u"));
    scene.source = Source::Queue;
    scene.chain = vec!["dev_a"];
    scene.busy = true;
    let check = |scene: &Scene, error: &str, cause: &str| {
        let nobody = scene.plan().unwrap_err();
        assert_eq!(
            (nobody.error.as_str(), nobody.cause.as_str()),
            (error, cause)
        );
    };
    let device = scene.devices[0].0.clone();
    scene.devices[0].0 = Value::Null;
    check(&scene, "not_found", "UNALLOCATED_NUMBER");
    scene.devices[0].0 = device;
    check(&scene, "account_disabled", "SUBSCRIBER_ABSENT");
    scene.account["enabled"] = json!(true);
    check(&scene, "endpoint_disabled", "SUBSCRIBER_ABSENT");
    scene.devices[0].0["enabled"] = json!("true");
    check(&scene, "owner_disabled", "SUBSCRIBER_ABSENT");
    scene.users[0].1 = json!({});
    check(&scene, "owner_called_self", "CALL_REJECTED");
    scene.caller.owner_id = None;
    check(&scene, "endpoint_called_self", "CALL_REJECTED");
    scene.caller.device_id = None;
    check(&scene, "do_not_disturb", "USER_BUSY");
    scene.devices[0].0["do_not_disturb"] = json!({});
    check(&scene, "exclude_from_queues", "SUBSCRIBER_ABSENT");
    scene.source = Source::User;
    check(&scene, "forward_loop", "EXCHANGE_ROUTING_ERROR");
    scene.chain.clear();
    check(&scene, "user_busy", "USER_BUSY");
    scene.busy = false;
    check(&scene, "no_route", "INVALID_URL");
    scene.devices[0].0["sip"]["route"] = json!("verto.rtc/x");
    check(&scene, "invalid_uri", "INVALID_URL");
    scene.devices[0].0["sip"]["invite_format"] = json!("contact");
    assert_eq!(scene.legs(), [PHONE]);
    scene.devices[0].1.clear();
    check(&scene, "not_registered", "USER_NOT_REGISTERED");
}

#[test]
fn nobody_never_equals_nobody() {
    // Neither side has an owner.
    assert_eq!(Scene::new(phone(json!({}))).legs(), [PHONE]);
}

#[test]
fn can_call_self_disables_both_self_checks() {
    let mut scene = Scene::new(phone(json!({"owner_id": "u"})));
    scene.users = vec![("u", json!({}))];
    scene.caller.owner_id = Some(id("u"));
    assert_eq!(scene.error(), "owner_called_self");
    scene.caller.device_id = Some(id("dev_a"));
    scene.options.can_call_self = true;
    assert_eq!(scene.legs(), [PHONE]);
}

#[test]
fn a_device_cannot_switch_off_its_owners_dnd() {
    let mut scene = Scene::new(phone(
        json!({"owner_id": "u", "do_not_disturb": {"enabled": false}}),
    ));
    scene.users = vec![("u", json!({"do_not_disturb": {"enabled": true}}))];
    assert_eq!(scene.error(), "do_not_disturb");
    // The nominal owner's does not count while somebody else sits at the device.
    scene.users.push(("guest", json!({})));
    scene.devices[0].0["hotdesk"] = json!({"users": {"guest": {}}});
    assert_eq!(scene.legs(), [PHONE]);
}

#[test]
fn call_waiting_is_the_devices_word_before_its_owners() {
    let mut scene = Scene::new(phone(
        json!({"owner_id": "u", "call_waiting": {"enabled": true}}),
    ));
    scene.users = vec![("u", json!({"call_waiting": {"enabled": false}}))];
    scene.busy = true;
    assert_eq!(scene.legs(), [PHONE]);
    scene.devices[0].0["call_waiting"] = json!({});
    assert_eq!(scene.error(), "user_busy");
}
