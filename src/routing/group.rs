//! Several devices at once: order, strategies, duplicates, time-outs (devices specification 2.10).

use super::plan::{ActionOptions, Member, Strategy};
use crate::types::DocumentId;

/// Seconds that a member rings, its own or the action's; None: the A-leg's time-out alone.
#[must_use]
pub fn timeout(member: &Member, options: &ActionOptions) -> Option<u32> {
    member.timeout_s.or(options.timeout_s).filter(|s| *s > 0)
}

/// Seconds before a member rings.
#[must_use]
pub fn delay(member: &Member, options: &ActionOptions) -> u32 {
    match member.delay_s {
        0 => options.delay_s.unwrap_or(0),
        own => own,
    }
}

/// Members in the order in which they are tried, each device with the same delay and time-out
/// once.
#[must_use]
pub fn order<'a>(
    members: &'a [Member],
    strategy: Strategy,
    options: &ActionOptions,
    seed: u64,
) -> Vec<&'a Member> {
    let mut ordered: Vec<&Member> = Vec::with_capacity(members.len());
    let key = |m: &'a Member| -> (&'a DocumentId, Option<u32>, u32) {
        (&m.device_id, timeout(m, options), delay(m, options))
    };
    for member in members {
        if !ordered.iter().any(|known| key(known) == key(member)) {
            ordered.push(member);
        }
    }
    match strategy {
        Strategy::Simultaneous => ordered.sort_by_key(|member| delay(member, options)),
        Strategy::Single => {}
        Strategy::WeightedRandom => draw(&mut ordered, seed),
    }
    ordered
}

/// Random order without replacement: a member's chance to be next is its share of the weights
/// that are left.
fn draw(members: &mut Vec<&Member>, seed: u64) {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut left = std::mem::take(members);
    let weight = |member: &Member| u64::from(member.weight.clamp(1, 100));
    while !left.is_empty() {
        let total: u64 = left.iter().map(|member| weight(member)).sum();
        let mut ticket = random.u64(0..total);
        let hit = left.iter().position(|member| {
            let own = weight(member);
            let hit = ticket < own;
            ticket = ticket.saturating_sub(own);
            hit
        });
        members.push(left.remove(hit.unwrap_or(0)));
    }
}

/// `call_timeout` of the A-leg. A hunt counts it anew for each group, so that it must cover the
/// longest member; with all members at once and no time-out of the action it must cover the last
/// one's delay too.
#[must_use]
pub fn call_timeout(
    members: &[&Member],
    strategy: Strategy,
    options: &ActionOptions,
    default_s: u32,
) -> u32 {
    let action = options.timeout_s.filter(|seconds| *seconds > 0);
    let longest = |with_delay: bool| {
        let seconds = members.iter().map(|member| {
            let rings = timeout(member, options).unwrap_or(0);
            let waits = if with_delay && rings > 0 {
                delay(member, options)
            } else {
                0
            };
            rings.saturating_add(waits)
        });
        seconds.max().unwrap_or(0)
    };
    match (strategy, action) {
        (Strategy::Simultaneous, Some(action)) => action,
        (Strategy::Simultaneous, None) => default_s.max(longest(true)),
        (_, action) => action.unwrap_or(default_s).max(longest(false)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member(id: &str, timeout_s: Option<u32>, delay_s: u32, weight: u32) -> Member {
        Member {
            device_id: DocumentId::new(id).unwrap(),
            device: None,
            users: Vec::new(),
            registrations: Vec::new(),
            on_a_call: false,
            timeout_s,
            delay_s,
            weight,
        }
    }

    fn ids(members: &[&Member]) -> String {
        members.iter().map(|m| m.device_id.as_str()).collect()
    }

    #[test]
    fn simultaneous_sorts_by_delay_and_keeps_the_rest() {
        let members = [
            member("a", None, 5, 20),
            member("b", None, 0, 20),
            member("c", None, 5, 20),
            member("d", None, 0, 20),
        ];
        let options = ActionOptions::default();
        let order = |strategy| ids(&order(&members, strategy, &options, 1));
        assert_eq!(order(Strategy::Simultaneous), "bdac");
        assert_eq!(order(Strategy::Single), "abcd");
    }

    #[test]
    fn a_device_appears_once_unless_its_times_differ() {
        let members = [
            member("a", Some(10), 0, 20),
            member("a", Some(10), 0, 20),
            member("a", Some(10), 5, 20),
            member("a", None, 0, 20),
        ];
        let options = ActionOptions {
            timeout_s: Some(10),
            ..ActionOptions::default()
        };
        assert_eq!(order(&members, Strategy::Single, &options, 1).len(), 2);
    }

    #[test]
    fn weights_decide_how_often_a_member_comes_first() {
        let members = [member("a", None, 0, 0), member("b", None, 0, 9999)];
        let options = ActionOptions::default();
        let first = |seed| ids(&order(&members, Strategy::WeightedRandom, &options, seed));
        let b_first = (0..2000).filter(|seed| first(*seed) == "ba").count();
        // Weights are clamped to 1 and 100: b leads in 100 of 101 draws.
        assert!((1960..2000).contains(&b_first), "{b_first}");
    }

    #[test]
    fn call_timeouts() {
        let (short, long) = (member("a", Some(10), 0, 1), member("b", Some(30), 5, 1));
        let members = [&short, &long];
        let of = |strategy, timeout_s| {
            let options = ActionOptions {
                timeout_s,
                ..ActionOptions::default()
            };
            call_timeout(&members, strategy, &options, 20)
        };
        assert_eq!(of(Strategy::Simultaneous, None), 35);
        assert_eq!(of(Strategy::Simultaneous, Some(12)), 12);
        assert_eq!(of(Strategy::Single, None), 30);
        assert_eq!(of(Strategy::Single, Some(12)), 30);
        assert_eq!(of(Strategy::Single, Some(60)), 60);
    }
}
