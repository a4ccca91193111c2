//! Devices specification 4.

use super::*;

const NUMBER: &str = "origination_caller_id_number";
const NAME: &str = "origination_caller_id_name";
const PRIVACY: &str = "origination_privacy";
const DIVERSION: &str = "sip_h_Diversion";

#[test]
fn table_of_resulting_legs() {
    let device = |enabled: bool, failover: bool, substitute: bool| {
        forwarded(json!({"enabled": enabled, "failover": failover, "substitute": substitute}))
    };
    let both = || vec![vec![PHONE.to_owned(), CELL.to_owned()]];
    let cell = || vec![vec![CELL.to_owned()]];
    let own = || vec![vec![PHONE.to_owned()]];
    for (enabled, failover, substitute, online, legs) in [
        (true, false, true, true, Ok(cell())),
        (true, true, true, false, Ok(cell())),
        (true, false, false, true, Ok(both())),
        (true, true, false, false, Ok(cell())),
        (false, true, true, true, Ok(own())),
        (false, true, false, true, Ok(own())),
        (false, true, true, false, Ok(cell())),
        (false, true, false, false, Ok(cell())),
        (false, false, true, true, Ok(own())),
        (false, false, true, false, Err("not_registered")),
    ] {
        let device = device(enabled, failover, substitute);
        let scene = if online {
            Scene::new(device)
        } else {
            Scene::unregistered(device)
        };
        let legs = legs.map(|legs| (legs, Vec::new()));
        assert_eq!(
            scene.outcome(),
            legs,
            "{enabled} {failover} {substitute} {online}"
        );
    }
}

#[test]
fn static_addresses_and_routes_are_always_reachable() {
    let failover = json!({"enabled": false, "failover": true});
    let mut device = forwarded(failover.clone());
    merge(&mut device, json!({"sip": {"ip": "198.51.100.9"}}));
    assert_eq!(
        Scene::unregistered(device).legs(),
        ["sofia/internal/sip:2001@198.51.100.9"]
    );
    let mut device = forwarded(failover.clone());
    merge(&mut device, json!({"sip": {"invite_format": "route"}}));
    assert_eq!(Scene::unregistered(device).error(), "no_route");
    // `method` ip without an address has no host at all.
    let mut device = forwarded(failover);
    merge(&mut device, json!({"sip": {"method": "ip"}}));
    assert_eq!(Scene::unregistered(device).legs(), [CELL]);
}

#[test]
fn indirect_calls_are_not_forwarded_if_the_device_says_so() {
    let run = |source, failover: bool| {
        let forward =
            json!({"direct_calls_only": true, "enabled": !failover, "failover": failover});
        let mut scene = match failover {
            true => Scene::unregistered(forwarded(forward)),
            false => Scene::new(forwarded(forward)),
        };
        scene.source = source;
        scene.outcome().map(|(legs, _)| legs.concat())
    };
    use Source::{Device, Feature, Menu, Page, Queue, RingGroup, User};
    for source in [Device, User, Page, Menu, Feature] {
        assert_eq!(run(source, false), Ok(vec![CELL.to_owned()]), "{source:?}");
        assert_eq!(run(source, true), Ok(vec![CELL.to_owned()]), "{source:?}");
    }
    for source in [RingGroup, Queue] {
        assert_eq!(run(source, false), Ok(vec![PHONE.to_owned()]), "{source:?}");
        assert_eq!(run(source, true), Err("not_registered"), "{source:?}");
    }
    let mut ignoring = Scene::new(forwarded(json!({})));
    ignoring.options.ignore_forward = true;
    assert_eq!(ignoring.legs(), [PHONE]);
}

#[test]
fn dnd_and_disabled_suppress_forwarding_and_busy_does_not() {
    let with = |more: Value| {
        let mut device = forwarded(json!({}));
        merge(&mut device, more);
        Scene::new(device)
    };
    assert_eq!(
        with(json!({"do_not_disturb": {"enabled": true}})).error(),
        "do_not_disturb"
    );
    assert_eq!(with(json!({"enabled": false})).error(), "endpoint_disabled");
    let mut busy = with(json!({"call_waiting": {"enabled": false}}));
    busy.busy = true;
    assert_eq!(busy.legs(), [CELL]);
    let mut busy =
        with(json!({"call_waiting": {"enabled": false}, "call_forward": {"substitute": false}}));
    busy.busy = true;
    assert_eq!(
        busy.outcome(),
        Ok((vec![vec![CELL.to_owned()]], vec!["user_busy"]))
    );
    // A busy device is not offline.
    let failover = json!({"enabled": false, "failover": true});
    let mut busy = with(json!({"call_waiting": {"enabled": false}, "call_forward": failover}));
    busy.busy = true;
    assert_eq!(busy.error(), "user_busy");
}

#[test]
fn loops_and_the_hop_limit() {
    let mut scene = Scene::new(forwarded(json!({})));
    scene.chain = vec!["a", "b", "c", "d"];
    assert_eq!(scene.legs(), [CELL]);
    scene.chain = vec!["a", "b", "c", "d", "e"];
    assert_eq!(scene.error(), "forward_hop_limit");
    scene.devices[0].0 = forwarded(json!({"substitute": false}));
    assert_eq!(
        scene.outcome(),
        Ok((vec![vec![PHONE.to_owned()]], vec!["forward_hop_limit"]))
    );
    scene.chain = vec!["x", "dev_a"];
    assert_eq!(scene.error(), "forward_loop");
    let phone_in_chain = {
        let mut scene = Scene::new(phone(json!({})));
        scene.chain = vec!["dev_a"];
        scene
    };
    assert_eq!(phone_in_chain.error(), "forward_loop");
}

#[test]
fn a_forward_to_the_device_itself_is_a_loop() {
    let to = |number: &str, more: Value| {
        let mut device = forwarded(json!({"number": number}));
        merge(&mut device, more);
        Scene::new(device).outcome().map(|(legs, _)| legs.concat())
    };
    let looped = Err("forward_loop");
    assert_eq!(to("2001", json!({})), looped);
    assert_eq!(to("(20) 01", json!({})), looped);
    let internal = json!({"caller_id": {"internal": {"number": "2077"}}});
    assert_eq!(to("2077", internal), looped);
    let did = json!({"sip": {"number": "4155550111", "username": "desk"}});
    assert_eq!(to("+14155550111", did.clone()), looped);
    assert_eq!(to("DESK", did), looped);
    let both = json!({"call_forward": {"substitute": false}});
    assert_eq!(to("2001", both), Ok(vec![PHONE.to_owned()]));
}

#[test]
fn invalid_numbers_leave_nothing_or_the_device() {
    let scene = Scene::new(forwarded(json!({"number": "sip:x@y"})));
    assert_eq!(scene.error(), "invalid_forward_number");
    let scene = Scene::new(forwarded(json!({"number": "my cell", "substitute": false})));
    assert_eq!(
        scene.outcome(),
        Ok((vec![vec![PHONE.to_owned()]], vec!["invalid_forward_number"]))
    );
    let scene = Scene::new(forwarded(json!({"number": "+1 (415) 555-0177"})));
    assert_eq!(scene.legs(), [CELL]);
}

#[test]
fn identity_of_the_forwarded_leg() {
    let ids = json!({"internal": {"number": "2001", "name": "Desk"}, "external": {"number": "+1555", "name": "Acme"}});
    let device = |keep: bool, number: &str| {
        let mut device = forwarded(json!({"keep_caller_id": keep, "number": number}));
        merge(&mut device, json!({"caller_id": ids}));
        device
    };
    let shown = |scene: &Scene| scene.vars(0, [NUMBER, NAME, DIVERSION]);
    let diverted = "<sip:2001@acme.example.com>;reason=unconditional";
    let outside = Scene::new(device(true, "+14155550177")).called_from_outside();
    assert_eq!(shown(&outside), ["+14155550199", "Carol", diverted]);
    // A caller of the account shows its external identity to the world.
    let mut inside = Scene::new(device(true, "+14155550177"));
    assert_eq!(shown(&inside), ["2002", "Bob", diverted]);
    inside.caller_documents.0 = json!({"caller_id": {"external": {"number": "+1777"}}});
    assert_eq!(shown(&inside), ["+1777", "Bob", diverted]);
    // The device's own: external, internal to what is no number of the world.
    assert_eq!(
        shown(&Scene::new(device(false, "+14155550177"))),
        ["+1555", "Acme", "-"]
    );
    assert_eq!(
        shown(&Scene::new(device(false, "3000"))),
        ["2001", "Desk", "-"]
    );
    let nothing = Scene::new(forwarded(json!({"keep_caller_id": false})));
    assert_eq!(shown(&nothing), ["2002", "Bob", "-"]);
}

#[test]
fn hidden_callers_stay_hidden_on_the_way() {
    let mut outside = Scene::new(forwarded(json!({}))).called_from_outside();
    outside.caller.privacy.hide_number = true;
    assert_eq!(
        outside.vars(0, [NUMBER, PRIVACY]),
        ["+14155550199", "screen:hide_number"]
    );
    let mut inside = Scene::new(forwarded(json!({})));
    inside.caller_documents.0 = json!({"caller_id_options": {"outbound_privacy": "full"}});
    assert_eq!(inside.var(0, PRIVACY), "screen:hide_name:hide_number");
    let mut own = Scene::new(forwarded(json!({"keep_caller_id": false}))).called_from_outside();
    own.caller.privacy.hide_number = true;
    assert_eq!(own.var(0, PRIVACY), "-");
}

#[test]
fn diversions_are_joined_and_can_be_switched_off() {
    let mut scene = Scene::new(forwarded(json!({}))).called_from_outside();
    scene.dialed = "4155550100";
    scene.caller.diversion = Some("<sip:1@b>;reason=user-busy".into());
    assert_eq!(
        scene.var(0, DIVERSION),
        "<sip:4155550100@acme.example.com>;reason=unconditional, <sip:1@b>;reason=user-busy"
    );
    let mut device = forwarded(json!({}));
    merge(
        &mut device,
        json!({"sip": {"invite_format": "e164"}, "formatters": {"diversion": {"match_invite_format": true}}}),
    );
    scene.devices[0].0 = device;
    assert!(
        scene
            .var(0, DIVERSION)
            .starts_with("<sip:+14155550100@acme")
    );
    scene.settings.diversion_on_forward = false;
    assert_eq!(scene.var(0, DIVERSION), "-");
}

#[test]
fn the_phone_that_a_call_is_forwarded_to_learns_who_diverted_it() {
    let mut scene = Scene::new(phone(json!({})));
    scene.caller.diversion = Some("<sip:1002@a>;reason=unconditional".into());
    // What a carrier sent is not for phones.
    assert_eq!(scene.var(0, DIVERSION), "-");
    scene.behind_loopback = true;
    assert_eq!(scene.var(0, DIVERSION), "<sip:1002@a>;reason=unconditional");
    scene.settings.diversion_on_forward = false;
    assert_eq!(scene.var(0, DIVERSION), "-");
}

#[test]
fn early_media_passes_only_if_all_three_settings_let_it() {
    for (keypress, substitute, ignore) in [
        (true, true, false),
        (false, false, false),
        (false, true, true),
        (false, true, false),
    ] {
        let scene = Scene::unregistered(forwarded(json!({"require_keypress": keypress,
            "substitute": substitute, "ignore_early_media": ignore})));
        let expected = if keypress || !substitute || ignore {
            "true"
        } else {
            "-"
        };
        assert_eq!(scene.global("ignore_early_media"), expected);
    }
}

#[test]
fn what_a_forwarded_leg_does_not_carry() {
    let mut device = forwarded(json!({}));
    merge(
        &mut device,
        json!({
            "ringtones": {"internal": "x", "external": "x"},
            "media": {"audio": {"codecs": ["PCMU"]}, "encryption": {"methods": ["srtp"]}, "progress_timeout": 8},
            "sip": {"custom_sip_headers": {"out": {"X-A": "1"}}},
            "music_on_hold": {"media_id": "local_stream://moh"},
        }),
    );
    let mut scene = Scene::new(device);
    scene.timeouts = vec![(Some(15), 3)];
    scene.settings.forward_context = "again".into();
    for name in [
        "alert_info",
        "absolute_codec_string",
        "rtp_secure_media",
        "sip_h_X-A",
        "sofia_suppress_url_encoding",
    ] {
        assert_eq!(scene.var(0, name), "-", "{name}");
    }
    let kept = [
        "leg_timeout",
        "leg_delay_start",
        "leg_progress_timeout",
        "presence_id",
        "origination_callee_id_number",
        "group_confirm_key",
        "loopback_bowout_on_execute",
    ];
    assert_eq!(
        scene.vars(0, kept),
        [
            "15",
            "3",
            "8",
            "2001@acme.example.com",
            "2001",
            "1",
            "false"
        ]
    );
    assert_eq!(scene.legs(), ["loopback/+14155550177/again"]);
    assert_eq!(scene.aleg("bypass_media"), "false");
    assert_eq!(scene.aleg("loopback_no_pre_answer"), "true");
    assert_eq!(scene.global("group_confirm_key"), "-");
    scene.chain = vec!["x"];
    assert_eq!(scene.var(0, "lf_forward_chain"), "x:dev_a");
}
