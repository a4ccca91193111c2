//! Whether a call of the demo went as its scenario says.

use super::Placed;
use super::scenarios::End;

/// What is wrong with the call; nothing, if all is well.
pub fn complaints(call: &Placed) -> Vec<String> {
    let scenario = call.scenario;
    let name = format!(
        "{} calls {} by {} ({})",
        scenario.from.label(),
        scenario.to,
        scenario.by.as_str(),
        scenario.shows
    );
    let mut wrong = Vec::new();
    let result = &call.result;
    match scenario.end {
        End::Answered if !result.answered => {
            wrong.push(format!("{name}: not answered but {}", result.cause));
        }
        End::Refused(cause, status)
            if result.answered || result.cause != cause || result.sip_status != Some(status) =>
        {
            wrong.push(format!(
                "{name}: expected {cause} with SIP {status}, got {} with {:?}",
                result.cause, result.sip_status
            ));
        }
        _ => {}
    }
    let Some(report) = &call.report else {
        wrong.push(format!("{name}: the daemon never had it"));
        return wrong;
    };
    let dialled: Vec<&str> = report
        .attempts
        .iter()
        .filter_map(|attempt| attempt.dial_string.as_deref())
        .collect();
    let as_expected = dialled.len() == scenario.dials.len()
        && dialled
            .iter()
            .zip(scenario.dials)
            .all(|(found, expected)| found.contains(expected));
    if !as_expected {
        wrong.push(format!(
            "{name}: expected to dial {:?}, dialled {dialled:?}",
            scenario.dials
        ));
    }
    // What FreeSWITCH was told is what the report says.
    if result.dialled != dialled {
        wrong.push(format!("{name}: the node was told {:?}", result.dialled));
    }
    wrong
}

/// A dial string without its variables and profiles: whom it rings.
pub fn brief(dial: &str) -> String {
    let mut rest = dial;
    if rest.starts_with('{') {
        rest = rest.split_once('}').map_or(rest, |(_, rest)| rest);
    }
    let mut shown = String::new();
    while !rest.is_empty() {
        // A block of variables stands before its leg; brackets elsewhere belong to an IPv6 address.
        if rest.starts_with('[') {
            rest = rest.split_once(']').map_or("", |(_, rest)| rest);
        }
        let end = rest.find([',', '|']).map_or(rest.len(), |at| at + 1);
        let (leg, more) = rest.split_at(end);
        // `sofia/PROFILE/sip:...`
        let uri = leg
            .strip_prefix("sofia/")
            .and_then(|rest| rest.split_once('/'));
        shown.push_str(uri.map_or(leg, |(_, uri)| uri));
        rest = more;
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_are_left_out() {
        assert_eq!(
            brief(
                "{a=1}[^^!b=2,3!c=4]sofia/x/sip:1@h,[d=5]sofia/x/sip:2@[::1]:5060|error/user_busy"
            ),
            "sip:1@h,sip:2@[::1]:5060|error/user_busy"
        );
    }
}
