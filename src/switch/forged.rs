//! Events that other clients of the node made up.

use crate::esl::Event;

/// Every client of the node may `sendevent` anything; such events bear this header, which
/// FreeSWITCH's own do not (esl spec 10.8).
pub(crate) fn is_forged(event: &Event) -> bool {
    let command = event.header("Command");
    command.is_some_and(|text| text.starts_with("sendevent"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sent_events_are_told_apart() {
        let name = ("Event-Name", "CHANNEL_PARK");
        let own = Event::from_headers([name], None);
        let sent = Event::from_headers([name, ("Command", "sendevent CHANNEL_PARK")], None);
        assert!(!is_forged(&own));
        assert!(is_forged(&sent));
    }
}
