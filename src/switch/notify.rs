//! NOTIFY to phones: what makes them fetch their configuration, restart, or light a lamp.
//!
//! FreeSWITCH sends it on `sendevent`, on the node that holds the registration. It answers +OK
//! whatever comes of it and does nothing at all if one of the headers is missing (ESL
//! specification 9), so that everything is checked here first.

use super::node::Node;
use super::wire::CommandFailure;

/// Whose phone: an address of record on one profile of the node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Registered<'a> {
    /// The sofia profile that it registered on.
    pub profile: &'a str,
    pub user: &'a str,
    pub realm: &'a str,
    /// The registration's SIP Call-ID; None: every contact of the address.
    pub call_id: Option<&'a str>,
}

/// What the phone is told: the SIP header Event, and a body with its type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Notification<'a> {
    pub event: &'a str,
    pub content_type: &'a str,
    pub body: &'a str,
}

impl<'a> Notification<'a> {
    const EMPTY_TYPE: &'static str = "application/simple-message-summary";

    /// An event without a body.
    #[must_use]
    pub const fn event(event: &'a str) -> Self {
        Self {
            event,
            content_type: Self::EMPTY_TYPE,
            body: "",
        }
    }

    /// Whether it can stand in a NOTIFY, for who wants to know before there is anybody to send it to.
    ///
    /// # Errors
    /// [`NotifyError::Value`].
    pub fn check(&self) -> Result<(), NotifyError> {
        event_string(self.event)?;
        content_type(self.content_type)?;
        Ok(())
    }

    /// Asks the phone to fetch its configuration anew.
    #[must_use]
    pub const fn check_sync() -> Self {
        Self::event("check-sync")
    }
}

/// Messages in a mailbox.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Mailbox {
    pub new: u32,
    pub saved: u32,
}

/// Why a phone was not notified.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotifyError {
    #[error("{field} {value:?}: expected {expected}")]
    Value {
        field: &'static str,
        value: String,
        expected: &'static str,
    },
    #[error(transparent)]
    Command(#[from] CommandFailure),
}

impl Node {
    /// Sends an unsolicited NOTIFY to the phone's contacts. That FreeSWITCH took the order is all
    /// that can be known: it reports neither an unknown registration nor the phone's answer.
    ///
    /// # Errors
    /// A value that can't stand in a SIP header; no connection, or it was lost meanwhile.
    pub async fn notify(
        &self,
        to: &Registered<'_>,
        told: &Notification<'_>,
    ) -> Result<(), NotifyError> {
        let mut headers = vec![
            ("profile", name("profile", to.profile)?),
            ("user", address("user", to.user)?),
            ("host", address("realm", to.realm)?),
            ("event-string", event_string(told.event)?),
            ("content-type", content_type(told.content_type)?),
        ];
        if let Some(call_id) = to.call_id {
            headers.push(("call-id", printable("call_id", call_id)?));
        }
        let body = (!told.body.is_empty()).then(|| told.body.as_bytes().to_vec());
        Ok(self.send_event("NOTIFY", &headers, body).await?)
    }

    /// Tells subscribed and registered phones of an address how many messages wait.
    ///
    /// # Errors
    /// As [`Node::notify`].
    pub async fn messages_waiting(
        &self,
        to: &Registered<'_>,
        mailbox: Mailbox,
    ) -> Result<(), NotifyError> {
        let (user, realm) = (address("user", to.user)?, address("realm", to.realm)?);
        let account = format!("sip:{user}@{realm}");
        let counts = format!("{}/{} (0/0)", mailbox.new, mailbox.saved);
        let waiting = if mailbox.new > 0 { "yes" } else { "no" };
        let mut headers = vec![
            ("MWI-Messages-Waiting", waiting),
            ("MWI-Message-Account", &account),
            ("MWI-Voice-Message", &counts),
            // Otherwise FreeSWITCH guesses the profile by the domain, perhaps wrongly.
            ("sofia-profile", name("profile", to.profile)?),
        ];
        if let Some(call_id) = to.call_id {
            headers.push(("call-id", printable("call_id", call_id)?));
        }
        Ok(self.send_event("MESSAGE_WAITING", &headers, None).await?)
    }
}

fn checked<'a>(
    field: &'static str,
    value: &'a str,
    expected: &'static str,
    allowed: impl Fn(char) -> bool,
) -> Result<&'a str, NotifyError> {
    if !value.is_empty() && value.chars().all(allowed) {
        return Ok(value);
    }
    Err(NotifyError::Value {
        field,
        value: value.to_owned(),
        expected,
    })
}

pub(super) fn name<'a>(field: &'static str, value: &'a str) -> Result<&'a str, NotifyError> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    checked(field, value, "letters, digits and . _ -", plain)
}

/// A user or a realm: what makes a SIP address fall apart is refused.
pub(super) fn address<'a>(field: &'static str, value: &'a str) -> Result<&'a str, NotifyError> {
    let plain = |c: char| c.is_ascii_graphic() && !"@<>\"'\\;,".contains(c);
    checked(field, value, "a user or a realm, without @", plain)
}

pub(super) fn printable<'a>(field: &'static str, value: &'a str) -> Result<&'a str, NotifyError> {
    let graphic = |c: char| c.is_ascii_graphic();
    checked(field, value, "printable characters without blanks", graphic)
}

/// `check-sync`, or with parameters `check-sync;reboot=true` (RFC 6665, 8.2.1).
fn event_string(value: &str) -> Result<&str, NotifyError> {
    let expected = "an event such as check-sync or check-sync;reboot=true";
    let token = |c: char| c.is_ascii_alphanumeric() || "-.!%*_+`'~;=".contains(c);
    if value.starts_with([';', '=']) {
        return checked("event", "", expected, token);
    }
    checked("event", value, expected, token)
}

fn content_type(value: &str) -> Result<&str, NotifyError> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/-.+_;= ".contains(c);
    let expected = "a media type such as text/plain";
    match value.split_once('/') {
        Some((kind, rest)) if !kind.is_empty() && !rest.is_empty() => {
            checked("content_type", value, expected, plain)
        }
        _ => checked("content_type", "", expected, plain),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_that_would_leave_their_place_are_refused() {
        for good in ["check-sync", "check-sync;reboot=true", "service-control"] {
            assert_eq!(event_string(good), Ok(good));
        }
        for bad in ["", ";x=1", "check sync", "a\r\nX-Evil: 1", "a\0"] {
            assert!(event_string(bad).is_err(), "{bad:?}");
        }
        for bad in ["", "text", "/plain", "text/", "text/plain\r\nX: 1"] {
            assert!(content_type(bad).is_err(), "{bad:?}");
        }
        for bad in ["", "a@b", "a b", "a\nb", "<a>", "a;b"] {
            assert!(address("user", bad).is_err(), "{bad:?}");
        }
        assert!(name("profile", "internal ipv6").is_err());
        assert!(printable("call_id", "a\r\nb").is_err());
    }
}
