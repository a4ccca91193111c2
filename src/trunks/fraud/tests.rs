//! The guard over an invented clock.

use std::time::Duration;

use super::*;

const DAY: Duration = Duration::from_secs(86_400);

struct Scene {
    guard: Guard,
    now: Instant,
    account: AccountId,
    call: CallId,
}

fn small() -> Settings {
    Settings {
        account_calls_per_minute: 20,
        calls_per_minute: 10,
        account_costly_calls: 6,
        costly_calls: 4,
        account_new_countries: 5,
        new_countries: 3,
        warn_percent: 80,
        block_after: 5,
        block_s: 900,
        ..Settings::default()
    }
}

impl Scene {
    fn new(settings: Settings) -> Self {
        let start = Instant::now();
        Self {
            guard: Guard::new(settings, start),
            // Long after the time of learning.
            now: start + DAY,
            account: AccountId::new("acme").unwrap(),
            call: CallId::new("c").unwrap(),
        }
    }

    fn attempt<'a>(&'a self, party: &'a str, class: &'a str, number: &'a str) -> Attempt<'a> {
        Attempt {
            call: &self.call,
            account: &self.account,
            party: Some(party),
            class,
            number,
        }
    }

    /// Tells what the guard did.
    fn try_call(&self, party: &str, class: &str, number: &str) -> (Vec<Measured>, bool) {
        let attempt = self.attempt(party, class, number);
        let (notices, refused) = self.guard.consider(&attempt, self.now);
        let actions = notices.iter().map(|notice| notice.action).collect();
        (actions, refused.is_none())
    }

    fn domestic(&self, party: &str) -> (Vec<Measured>, bool) {
        self.try_call(party, "did_us", "+12125550100")
    }

    fn wait(&mut self, seconds: u64) {
        self.now += Duration::from_secs(seconds);
    }
}

#[test]
fn a_flood_is_told_then_held_at_the_limit_then_barred() {
    let mut scene = Scene::new(small());
    scene.domestic("pbx");
    scene.wait(120);
    let mut story = Vec::new();
    for _ in 0..20 {
        let (actions, passed) = scene.domestic("pbx");
        story.push((actions, passed));
    }
    let passed = story.iter().filter(|(_, passed)| *passed).count();
    assert_eq!(passed, 10, "the limit of a minute");
    assert_eq!(story[7].0, [Measured::Warned]);
    assert_eq!(story[8].0, [], "one warning a minute");
    assert_eq!(story[10].0, [Measured::Throttled]);
    assert_eq!(story[14].0, [Measured::Blocked]);
    assert_eq!(story[15], (vec![], false), "the block is told once");
    // Another device of the account is free to call, and so is anybody in distress.
    assert!(scene.domestic("other").1);
    assert!(scene.try_call("pbx", "emergency", "911").1);
    scene.wait(899);
    assert!(!scene.domestic("pbx").1);
    scene.wait(2);
    assert_eq!(scene.domestic("pbx"), (vec![], true));
}

#[test]
fn a_throttled_caller_goes_on_at_the_limits_pace() {
    let mut scene = Scene::new(Settings {
        block_after: 0,
        ..small()
    });
    scene.domestic("pbx");
    let mut passed = 0;
    for _ in 0..600 {
        scene.wait(1);
        passed += u32::from(scene.domestic("pbx").1);
    }
    assert!(
        (90..=110).contains(&passed),
        "{passed} in ten minutes at 10 a minute"
    );
}

#[test]
fn the_account_is_held_although_no_device_of_it_stands_out() {
    let scene = Scene::new(small());
    let parties: Vec<String> = (0..10).map(|n| format!("dev{n}")).collect();
    let passed = (0..40)
        .filter(|n| scene.domestic(&parties[n % 10]).1)
        .count();
    assert_eq!(passed, 20);
}

#[test]
fn costly_calls_are_counted_while_they_last() {
    let scene = Scene::new(small());
    let costly = |party: &str| {
        let attempt = scene.attempt(party, "international", "+442071234567");
        scene.guard.admit(&attempt, scene.now)
    };
    let mut up: Vec<Passed> = (0..4).map(|_| costly("pbx").unwrap()).collect();
    let refused = costly("pbx").err().unwrap();
    assert_eq!(refused.0.measure, Measure::CostlyCalls);
    assert_eq!((refused.0.value, refused.0.limit), (5, 4));
    assert!(refused.to_string().contains("costly_calls"), "{refused}");
    assert!(scene.domestic("pbx").1, "what costs nothing passes");
    up.pop();
    up.push(costly("pbx").unwrap());
    up.extend((0..2).map(|_| costly("other").unwrap()));
    assert!(costly("third").is_err(), "the account's own limit");
    drop(up);
    assert!(costly("third").is_ok());
}

#[test]
fn the_first_call_to_a_country_is_told_and_many_are_refused() {
    let mut scene = Scene::new(small());
    let codes = ["44", "49", "33", "252", "960"];
    let mut actions = Vec::new();
    for code in codes {
        let number = format!("+{code}12345678");
        actions.push(scene.try_call("pbx", "toll", &number));
    }
    let told = (vec![Measured::Warned, Measured::Warned], true);
    assert_eq!(actions[..3], [told.clone(), told.clone(), told]);
    assert_eq!(actions[3], (vec![Measured::Throttled], false));
    // A known country stays open.
    assert_eq!(scene.try_call("pbx", "toll", "+4412345678"), (vec![], true));
    scene.wait(7200);
    assert!(scene.try_call("pbx", "toll", "+25212345678").1);
}

#[test]
fn a_daemon_that_has_just_started_learns_countries() {
    let mut scene = Scene::new(small());
    scene.now -= DAY;
    for code in ["44", "49", "33", "252", "960"] {
        let number = format!("+{code}12345678");
        assert_eq!(scene.try_call("pbx", "toll", &number), (vec![], true));
    }
    scene.wait(3601);
    assert_eq!(scene.try_call("pbx", "toll", "+4412345678"), (vec![], true));
    let (told, passed) = scene.try_call("pbx", "toll", "+8112345678");
    assert!(passed && told.contains(&Measured::Warned));
}

#[test]
fn the_shipped_figures_let_a_busy_office_pass() {
    let mut scene = Scene::new(Settings::default());
    for minute in 0..30 {
        for n in 0..90 {
            let party = format!("dev{}", n % 30);
            let (class, number) = match n % 10 {
                0 => ("international", "+442071234567"),
                _ => ("did_us", "+12125550100"),
            };
            let attempt = scene.attempt(&party, class, number);
            assert!(
                scene.guard.admit(&attempt, scene.now).is_ok(),
                "minute {minute}"
            );
        }
        scene.wait(60);
    }
}

#[test]
fn switched_off_it_sees_nothing() {
    let scene = Scene::new(Settings {
        enabled: false,
        ..small()
    });
    assert!((0..1000).all(|_| scene.domestic("pbx") == (vec![], true)));
}
