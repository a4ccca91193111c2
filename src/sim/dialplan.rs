//! The dialplan of a simulated node: the handoffs and the fallback that `conf/freeswitch/dialplan` ships.

use std::collections::VecDeque;
use std::time::Duration;

use super::call::{Handoff, Origin};
use super::leg::{Channel, Detour};

/// What a call meets; the legs that it dials through loopback meet the same.
#[derive(Debug)]
pub(super) struct Dialplan {
    pub(super) handoff: Handoff,
    pub(super) origin: Origin,
    pub(super) fallback_after: Duration,
}

type Actions = VecDeque<(String, String)>;

fn actions(list: &[(&str, &str)]) -> Actions {
    list.iter()
        .map(|(application, argument)| ((*application).to_owned(), (*argument).to_owned()))
        .collect()
}

impl Dialplan {
    /// The context that a call of this handoff and origin comes in through.
    pub(super) fn context(&self) -> &'static str {
        if matches!(self.handoff, Handoff::Actions(_)) {
            return "default";
        }
        let parked = matches!(self.handoff, Handoff::Park);
        match (&self.origin, parked) {
            // The shipped context for strangers sends sisters on to the devices' one.
            (Origin::Device | Origin::Sister, false) => "from-device",
            (Origin::Device | Origin::Sister, true) => "from-device-park",
            (Origin::Trunk, false) => "from-trunk",
            (Origin::Trunk, true) => "from-trunk-park",
            (Origin::Stranger, _) => "refuse-all",
        }
    }

    /// The actions for a new call.
    pub(super) fn enter(&self, channel: &Channel) -> Actions {
        let party = std::sync::Arc::clone(&channel.leg().party);
        self.extension(&party.destination, &party.context)
    }

    /// The actions of an extension. What the shipped contexts do not know is unrouted: the call ends
    /// with NO_ROUTE_DESTINATION (capture 23, attempt 22).
    pub(super) fn extension(&self, number: &str, context: &str) -> Actions {
        match context {
            "default" => match &self.handoff {
                Handoff::Actions(list) => list.iter().cloned().collect(),
                _ => actions(&[("hangup", "NO_ROUTE_DESTINATION")]),
            },
            "fallback" => actions(&[
                ("set", "lf_handoff=fallback"),
                ("respond", "503 Service Unavailable"),
                ("hangup", "NORMAL_TEMPORARY_FAILURE"),
            ]),
            "refuse-all" => actions(&[("respond", "403 Forbidden")]),
            "from-device" | "from-device-park" if is_number(number, "*#+._~-") => {
                self.handed_off("device")
            }
            "linefinder-forward" | "linefinder-forward-park" if is_number(number, "*#+._~-") => {
                self.handed_off("forward")
            }
            "from-trunk" | "from-trunk-park" if is_number(number, "+._~-") => {
                self.handed_off("trunk")
            }
            "from-device"
            | "from-device-park"
            | "from-trunk"
            | "from-trunk-park"
            | "linefinder-forward"
            | "linefinder-forward-park" => actions(&[("respond", "404 Not Found")]),
            _ => actions(&[("hangup", "NO_ROUTE_DESTINATION")]),
        }
    }

    fn handed_off(&self, class: &str) -> Actions {
        let handoff = match &self.handoff {
            Handoff::Actions(_) => Vec::new(),
            Handoff::Park => vec![("park".to_owned(), String::new())],
            Handoff::Socket(address) => vec![
                ("socket".to_owned(), format!("{address} async full")),
                ("transfer".to_owned(), "fallback XML fallback".to_owned()),
            ],
        };
        let class = format!("lf_class={class}");
        let timer = format!(
            "+{} fallback XML fallback",
            self.fallback_after.as_secs_f64()
        );
        let mut list = actions(&[
            ("set", "lf_handoff=true"),
            ("set", &class),
            ("set", "continue_on_fail=true"),
            ("set", "sip_ignore_remote_cause=true"),
            ("sched_transfer", &timer),
        ]);
        list.extend(handoff);
        list
    }
}

/// The shipped contexts accept 1 to 64 letters, digits and these.
fn is_number(number: &str, others: &str) -> bool {
    (1..=64).contains(&number.len())
        && number
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || others.contains(c))
}

/// `NUMBER [DIALPLAN [CONTEXT]]`, as `transfer` and its kin read it.
pub(super) fn read_extension(text: &str) -> Option<Detour> {
    let mut words = text.split_ascii_whitespace();
    let number = words.next()?.to_owned();
    let dialplan = words.next().unwrap_or("XML");
    if dialplan.eq_ignore_ascii_case("inline") {
        return Some(Detour::Inline(read_inline(&number)));
    }
    let context = words.next().unwrap_or("default").to_owned();
    Some(Detour::Extension { number, context })
}

/// `app:data,app:data`, or with another separator, `m:^:app:data^app:data`
/// (event socket specification 4.4).
pub(super) fn read_inline(plan: &str) -> Vec<(String, String)> {
    let plan = plan.trim().trim_matches('\'');
    let mut characters = plan.strip_prefix("m:").unwrap_or_default().chars();
    let (separator, list) = match (characters.next(), characters.next()) {
        (Some(separator), Some(':')) => (separator, characters.as_str()),
        _ => (',', plan),
    };
    list.split(separator)
        .filter(|step| !step.is_empty())
        .map(|step| {
            let (application, argument) = step.split_once(':').unwrap_or((step, ""));
            (application.to_owned(), argument.to_owned())
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extensions_and_inline_plans() {
        assert_eq!(
            read_extension("fallback XML fallback"),
            Some(Detour::Extension {
                number: "fallback".into(),
                context: "fallback".into()
            })
        );
        let pair = |a: &str, b: &str| (a.to_owned(), b.to_owned());
        assert_eq!(
            read_inline("'set:a=b,park:'"),
            [pair("set", "a=b"), pair("park", "")]
        );
        assert_eq!(
            read_inline("m:^:set:x=1,2^hangup:USER_BUSY"),
            [pair("set", "x=1,2"), pair("hangup", "USER_BUSY")]
        );
    }

    #[test]
    fn numbers_that_the_shipped_contexts_accept() {
        assert!(is_number("+4930", "+"));
        assert!(!is_number("a b", "+"));
        assert!(!is_number("", "+"));
        assert!(!is_number("${x}", "+"));
    }
}
