//! Devices specification 2.10.

use super::*;

fn users(scene: &Scene) -> Vec<Vec<String>> {
    let name = |endpoint: &String| endpoint[19..23].to_owned();
    let groups = scene.outcome().unwrap().0;
    groups
        .iter()
        .map(|legs| legs.iter().map(name).collect())
        .collect()
}

#[test]
fn simultaneous_legs_ring_by_delay() {
    let mut scene = Scene::phones(3);
    scene.timeouts = vec![(None, 9), (None, 0), (None, 4)];
    assert_eq!(users(&scene), [["3002", "3003", "3001"]]);
    assert_eq!(scene.global("ignore_early_media"), "true");
    assert!(scene.plan().unwrap().ring_ready);
    let one = Scene::phones(1);
    assert_eq!(one.global("ignore_early_media"), "-");
    assert!(!one.plan().unwrap().ring_ready);
}

#[test]
fn an_attempt_waits_when_nobody_rings_at_once() {
    let waits = |delays: &[u32]| {
        let mut scene = Scene::phones(delays.len());
        scene.timeouts = delays.iter().map(|delay| (Some(9), *delay)).collect();
        let legs = (0..delays.len()).map(|leg| scene.var(leg, "leg_delay_start"));
        (
            scene.global("originate_delay_start"),
            legs.collect::<Vec<_>>(),
        )
    };
    let told = |global: &str, legs: &[&str]| {
        let legs: Vec<String> = legs.iter().map(|&l| l.to_owned()).collect();
        (global.to_owned(), legs)
    };
    assert_eq!(waits(&[5]), told("5000", &["5"]));
    assert_eq!(waits(&[5, 9]), told("5000", &["-", "4"]));
    assert_eq!(waits(&[0, 9]), told("-", &["-", "9"]));
}

#[test]
fn a_hunt_goes_on_after_each_members_time_out() {
    let mut scene = Scene::phones(3);
    scene.strategy = Strategy::Single;
    scene.timeouts = vec![(Some(40), 0), (None, 0), (Some(10), 0)];
    assert_eq!(users(&scene), [["3001"], ["3002"], ["3003"]]);
    let timeouts = [0, 1, 2].map(|leg| scene.var(leg, "leg_timeout"));
    assert_eq!(timeouts, ["40", "20", "10"]);
    assert_eq!(scene.aleg("call_timeout"), "40");
    assert_eq!(scene.global("originate_continue_on_timeout"), "true");
    assert_eq!(scene.global("ignore_early_media"), "-");
    let mut one = Scene::phones(1);
    one.strategy = Strategy::Single;
    assert_eq!(one.global("originate_continue_on_timeout"), "-");
    assert_eq!(one.var(0, "leg_timeout"), "-");
}

#[test]
fn a_device_stays_together_in_a_hunt() {
    let mut scene = Scene::phones(2);
    scene.strategy = Strategy::Single;
    scene.devices[0].1.push(contact("<sip:3001@203.0.113.99>"));
    merge(
        &mut scene.devices[1].0,
        json!({"call_forward": {"enabled": true, "number": "+14155550177", "substitute": false}}),
    );
    let sizes: Vec<usize> = scene.outcome().unwrap().0.iter().map(Vec::len).collect();
    assert_eq!(sizes, [2, 2]);
    assert_eq!(scene.global("ignore_early_media"), "true");
}

#[test]
fn a_weighted_hunt_tries_everybody_once() {
    let mut scene = Scene::phones(4);
    scene.strategy = Strategy::WeightedRandom;
    let mut all = users(&scene).concat();
    all.sort();
    assert_eq!(all, ["3001", "3002", "3003", "3004"]);
    assert_eq!(scene.global("originate_continue_on_timeout"), "true");
}

#[test]
fn one_forward_target_rings_once() {
    let mut scene = Scene::phones(3);
    scene.source = Source::User;
    for (device, _) in &mut scene.devices {
        merge(
            device,
            json!({"call_forward": {"enabled": true, "number": "+1 415 555 0177"}}),
        );
    }
    assert_eq!(scene.outcome(), Ok((vec![vec![CELL.to_owned()]], vec![])));
}

#[test]
fn the_callers_own_device_is_left_out_of_a_group() {
    let mut scene = Scene::phones(2);
    scene.caller.device_id = Some(id("dev_g1"));
    let (legs, skipped) = scene.outcome().unwrap();
    assert_eq!(
        (legs.concat().len(), skipped),
        (1, vec!["endpoint_called_self"])
    );
    scene.options.can_call_self = true;
    assert_eq!(scene.legs().len(), 1);
}

#[test]
fn left_out_members_are_named_and_the_rest_rings() {
    let mut scene = Scene::phones(4);
    scene.devices[0].1.clear();
    merge(
        &mut scene.devices[1].0,
        json!({"do_not_disturb": {"enabled": true}}),
    );
    scene.devices[2].0 = Value::Null;
    let (legs, skipped) = scene.outcome().unwrap();
    assert_eq!(legs.concat().len(), 1);
    assert_eq!(skipped, ["not_registered", "do_not_disturb", "not_found"]);
    merge(&mut scene.devices[3].0, json!({"enabled": false}));
    let nobody = scene.plan().unwrap_err();
    assert_eq!(
        (nobody.error.as_str(), nobody.cause.as_str()),
        ("do_not_disturb", "USER_BUSY")
    );
    assert_eq!(nobody.skipped.len(), 4);
}

#[test]
fn rejects_and_confirmed_legs() {
    let mut scene = Scene::phones(2);
    scene.options.fail_on_single_reject = true;
    assert_eq!(scene.global("fail_on_single_reject"), "true");
    scene.options.confirmed_leg = true;
    assert!(
        scene
            .global("fail_on_single_reject")
            .starts_with("USER_BUSY,CALL_REJECTED")
    );
    // A list of causes switches `call_timeout` off: each leg has its own.
    assert_eq!(scene.var(1, "leg_timeout"), "20");
}
