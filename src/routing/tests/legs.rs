//! Devices specification 2 and 5: what a leg to a phone carries.

use super::*;

const NUMBER: &str = "origination_caller_id_number";
const NAME: &str = "origination_caller_id_name";

#[test]
fn hidden_callers_called_from_outside() {
    let shown = |hide_name, hide_number| {
        let mut scene = Scene::new(phone(json!({}))).called_from_outside();
        scene.caller.privacy = Privacy {
            hide_name,
            hide_number,
        };
        scene.vars(0, [NUMBER, NAME, "sip_cid_type", "origination_privacy"])
    };
    assert_eq!(shown(true, true), ["anonymous", "Anonymous", "none", "-"]);
    assert_eq!(shown(false, true), ["anonymous", "Anonymous", "none", "-"]);
    assert_eq!(
        shown(true, false),
        ["+14155550199", "Anonymous", "none", "-"]
    );
    assert_eq!(shown(false, false), ["+14155550199", "Carol", "-", "-"]);
}

#[test]
fn colleagues_are_never_hidden_from_each_other() {
    let mut scene = Scene::new(phone(json!({})));
    scene.caller.privacy = Privacy {
        hide_name: true,
        hide_number: true,
    };
    scene.caller_documents.0 = json!({"caller_id_options": {"outbound_privacy": "full"}});
    assert_eq!(
        scene.vars(0, [NUMBER, NAME, "sip_cid_type"]),
        ["2002", "Bob", "none"]
    );
}

#[test]
fn formatters_cannot_undo_privacy() {
    let mut scene = Scene::new(phone(
        json!({"formatters": {"caller_id_name": {"value": "Kunde"}}}),
    ));
    scene = scene.called_from_outside();
    assert_eq!(scene.var(0, NAME), "Kunde");
    scene.caller.privacy.hide_number = true;
    assert_eq!(scene.var(0, NAME), "Anonymous");
}

#[test]
fn a_stripped_name_does_not_let_the_a_legs_through() {
    let device = json!({"formatters": {"outbound_caller_id_name": {"strip": true},
        "outbound_callee_id_number": {"prefix": "0", "regex": ".*"}, "presence_id": {"value": "x@y"},
        "to_did": {"regex": "^.(.*)$"}}, "sip": {"invite_format": "e164"}});
    let scene = Scene::new(phone(device));
    let names = [NAME, "origination_callee_id_number", "presence_id"];
    assert_eq!(scene.vars(0, names), ["_undef_", "02001", "x@y"]);
    assert_eq!(scene.legs(), ["sofia/internal/sip:001@203.0.113.10:5060"]);
}

#[test]
fn the_request_uris_user_can_be_formatted() {
    let device = json!({"formatters": {"request": {"regex": "^2(.*)$", "prefix": "#"}}});
    let scene = Scene::new(phone(device));
    assert_eq!(
        scene.legs(),
        ["sofia/internal/sip:%23001@203.0.113.10:5060"]
    );
}

#[test]
fn suppressed_caller_ids_leave_no_trace() {
    let mut scene = Scene::new(phone(json!({}))).called_from_outside();
    scene.options.suppress_clid = true;
    scene.caller.privacy.hide_number = true;
    assert_eq!(
        scene.vars(0, [NUMBER, NAME, "sip_cid_type"]),
        ["-", "-", "none"]
    );
}

#[test]
fn presence_is_watched_under_the_accounts_realm() {
    let presence = |more: Value| Scene::new(phone(more)).var(0, "presence_id");
    let other = json!({"sip": {"realm": "branch.example.org"}});
    assert_eq!(presence(other), "2001@acme.example.com");
    assert_eq!(
        presence(json!({"presence_id": "9001@x.example"})),
        "9001@x.example"
    );
}

#[test]
fn completed_elsewhere_by_options_sip_and_setting() {
    let value = |more: Value, default: bool| {
        let mut scene = Scene::new(phone(more));
        scene.settings.default_ignore_completed_elsewhere = default;
        scene.var(0, "ignore_completed_elsewhere")
    };
    let sip = || json!({"sip": {"ignore_completed_elsewhere": false}});
    assert_eq!(value(json!({}), true), "true");
    assert_eq!(value(json!({}), false), "false");
    assert_eq!(value(sip(), true), "false");
    let mut both = sip();
    both["caller_id_options"] = json!({"ignore_completed_elsewhere": true});
    assert_eq!(value(both, false), "true");
}

#[test]
fn the_actions_alert_info_beats_the_ringtone() {
    let mut scene = Scene::new(phone(
        json!({"ringtones": {"internal": "in", "external": "out"}}),
    ));
    assert_eq!(scene.var(0, "alert_info"), "in");
    scene.options.alert_info = Some("action".into());
    assert_eq!(scene.var(0, "alert_info"), "action");
    scene.options.alert_info = None;
    assert_eq!(scene.called_from_outside().var(0, "alert_info"), "out");
}

#[test]
fn codecs_behind_a_loopback() {
    let mut scene = Scene::new(phone(json!({})));
    scene.behind_loopback = true;
    assert_eq!(scene.var(0, "absolute_codec_string"), "PCMU,PCMA");
    scene.devices[0].0["media"] = json!({"audio": {"codecs": ["G722"]}});
    assert_eq!(scene.var(0, "absolute_codec_string"), "G722");
    scene.devices[0].0["media"] = json!({});
    scene.behind_loopback = false;
    assert_eq!(scene.var(0, "absolute_codec_string"), "-");
}

#[test]
fn recording_needs_the_media() {
    let mut scene = Scene::new(phone(json!({"media": {"bypass_media": "true"}})));
    scene.aleg_profile = Some("internal");
    assert_eq!(scene.aleg("bypass_media"), "true");
    scene.devices[0].0["call_recording"] =
        json!({"inbound": {"onnet": {"enabled": true, "format": "wav"}}});
    assert_eq!(scene.aleg("bypass_media"), "false");
    let plan = scene.plan().unwrap();
    assert_eq!(
        plan.legs[0].recording.as_ref().unwrap().format.as_str(),
        "wav"
    );
    scene = scene.called_from_outside();
    assert!(scene.plan().unwrap().legs[0].recording.is_none());
}

#[test]
fn a_sister_node_does_the_rest() {
    let mut scene = Scene::new(phone(json!({
        "owner_id": "u", "ringtones": {"internal": "x"}, "media": {"audio": {"codecs": ["PCMU"]}},
        "sip": {"custom_sip_headers": {"out": {"X-A": "1"}}, "invite_format": "e164"},
    })));
    scene.users = vec![("u", json!({}))];
    scene.devices[0].1[0].node = NodeName::new("node-b").unwrap();
    scene.timeouts = vec![(Some(15), 4)];
    scene.chain = vec!["x", "y"];
    scene.dialed = "*98#";
    assert_eq!(scene.error(), "not_registered");
    let node = NodeName::new("node-b").unwrap();
    scene
        .settings
        .nodes
        .insert(node, "node-b.example.net:5060".into());
    let endpoint = scene.legs().remove(0);
    assert!(
        endpoint.starts_with("sofia/internal/sip:2001@acme.example.com;fs_path="),
        "{endpoint}"
    );
    let names = [
        "leg_timeout",
        "leg_delay_start",
        "alert_info",
        "absolute_codec_string",
        "sip_h_X-A",
    ];
    assert_eq!(scene.vars(0, names), ["15", "4", "-", "-", "-"]);
    let plan = scene.plan().unwrap();
    let variables = &plan.dial.groups[0][0].variables;
    let header = |name: &str| variables.get(&format!("sip_h_{name}"));
    let read = HandedOver::read(header).unwrap();
    assert_eq!(read.device, id("dev_a"));
    assert_eq!(
        (read.dialed.as_str(), read.network),
        ("*98#", Network::Onnet)
    );
    assert_eq!((read.source, read.forwarded), (Source::Device, false));
    assert_eq!(read.forward_chain, [id("x"), id("y")]);
    assert_eq!(
        (read.caller_device, read.caller_owner),
        (Some(id("dev_b")), None)
    );
    assert_eq!(HandedOver::read(|_| None), None);
}

#[test]
fn a_forward_is_built_on_one_node_only() {
    let mut scene = Scene::new(forwarded(json!({"substitute": false})));
    let node = NodeName::new("node-b").unwrap();
    scene
        .settings
        .nodes
        .insert(node.clone(), "node-b.example.net:5060".into());
    scene.devices[0].1[0].node = node.clone();
    assert_eq!(scene.legs().len(), 1);
    assert_eq!(scene.var(0, "sip_h_X-LF-Forwarded"), "false");
    scene.devices[0].1.push(contact("<sip:2001@203.0.113.11>"));
    assert_eq!(scene.legs().len(), 3);
    assert_eq!(scene.var(0, "sip_h_X-LF-Forwarded"), "true");
}

#[test]
fn explanations_name_the_documents() {
    #[derive(Default)]
    struct Steps(Vec<String>);
    impl Explain for Steps {
        fn note(&mut self, rule: &'static str, outcome: std::fmt::Arguments<'_>) {
            self.0.push(format!("{rule}: {outcome}"));
        }
    }
    let mut scene = Scene::new(forwarded(json!({"number": "2001"})));
    scene.caller_documents = (
        json!({"caller_id": {"internal": {"number": "2200"}}}),
        json!({"first_name": "Bob"}),
    );
    scene.caller.owner_id = Some(id("u"));
    let mut steps = Steps::default();
    assert!(scene.explained(&mut steps).is_err());
    let steps = steps.0.join("\n");
    for part in [
        "caller_id: number \"2200\" from the device, name \"Bob\" from the owner",
        "forward: not to \"2001\" of the device: forward_loop",
        "skipped: dev_a: forward_loop",
        "nobody: forward_loop: EXCHANGE_ROUTING_ERROR",
    ] {
        assert!(steps.contains(part), "{part} in\n{steps}");
    }
}
