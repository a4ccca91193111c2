//! Phones' registrations, followed from a node's events and read from its table.

use serde_json::Value;

use crate::esl::Event;
use crate::types::NodeName;

/// FreeSWITCH's own table counts a registration's end with this margin (esl spec 7.4).
pub(super) const LATE_MARGIN_S: i64 = 60;

/// A phone is registered: first time or refresh.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegistrationEvent {
    /// The sofia profile.
    pub profile: String,
    /// The address of record.
    pub user: String,
    pub realm: String,
    /// As FreeSWITCH tells it: `"2001" <sip:2001@10.0.0.9:5060;fs_nat=yes;...>` or the bare URI.
    pub contact: String,
    /// The SIP Call-ID of the registration.
    pub call_id: String,
    pub network_ip: Option<String>,
    pub network_port: Option<u16>,
    pub user_agent: Option<String>,
    /// Unix time in seconds at which it lapses.
    pub expires_at: i64,
}

/// A phone is registered no longer. Bindings of the address of record that match the Call-ID
/// or the contact.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unregistered {
    pub user: String,
    pub realm: String,
    pub call_id: Option<String>,
    pub contact: Option<String>,
}

/// What a phone made of the OPTIONS that FreeSWITCH pings it with. Its registration stands either way: a profile
/// that is to end it (`unregister-on-options-fail`) tells so by an event of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reach {
    /// As FreeSWITCH names it: the user, or `user@realm`.
    pub user: String,
    pub contact: Option<String>,
    pub reachable: bool,
}

/// Who keeps the registrations. Called in the order of the node's events, from a task of its
/// own, never from the task that reads the connection.
pub trait RegistrationSink: Send + Sync {
    fn register(&self, node: &NodeName, registration: RegistrationEvent);
    fn unregister(&self, node: &NodeName, gone: Unregistered);
    /// The node's whole table: what is not in it is gone.
    fn replace(&self, node: &NodeName, registrations: Vec<RegistrationEvent>);
    /// A phone answers pings no longer, or again.
    fn reach(&self, node: &NodeName, reach: Reach) {
        let _ = (node, reach);
    }
}

/// What an event says about registrations.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Change {
    Registered(RegistrationEvent),
    Unregistered(Unregistered),
    Reach(Reach),
    /// The event does not say which; the table does.
    Unclear,
    /// Not to be believed, and why.
    Refused(&'static str),
}

/// Reads `sofia::register`, `sofia::unregister`, `sofia::expire` and `sofia::sip_user_state`. `now` is Unix time in seconds.
pub(super) fn read(event: &Event, now: i64) -> Option<Change> {
    let subclass = event.subclass()?;
    let known = [
        "sofia::register",
        "sofia::unregister",
        "sofia::expire",
        "sofia::sip_user_state",
    ];
    if !known.contains(&subclass.as_ref()) {
        return None;
    }
    let change = match subclass.as_ref() {
        "sofia::register" => registered(event, now),
        "sofia::sip_user_state" => pinged(event),
        "sofia::unregister" => unregistered(event, "from-user", "from-host"),
        // The same facts under other names, and an absolute time (capture fact 28).
        _ => unregistered(event, "user", "host"),
    };
    Some(change)
}

fn registered(event: &Event, now: i64) -> Change {
    // These two carry the address of record, out of To; to-user and to-host carry From
    // (esl spec 7.1).
    let (Some(user), Some(realm)) = (text(event, "from-user"), text(event, "from-host")) else {
        return Change::Refused("it names no address of record");
    };
    // The password proved `username`; without this, one phone could register as another.
    if differs(event, "username", &user) || differs(event, "realm", &realm) {
        return Change::Refused("its address of record is not the one whose password was given");
    }
    let Some(contact) = text(event, "contact") else {
        return Change::Refused("it has no contact");
    };
    let Some(expires) = number(event, "expires") else {
        return Change::Refused("its expires is no number");
    };
    Change::Registered(RegistrationEvent {
        profile: text(event, "profile-name").unwrap_or_default(),
        user,
        realm,
        contact,
        call_id: text(event, "call-id").unwrap_or_default(),
        network_ip: text(event, "network-ip"),
        network_port: text(event, "network-port").and_then(|port| port.parse().ok()),
        user_agent: text(event, "user-agent"),
        expires_at: now.saturating_add(expires),
    })
}

fn pinged(event: &Event) -> Change {
    let Some(user) = text(event, "sip_user") else {
        return Change::Refused("it names no user");
    };
    let reachable = match text(event, "Ping-Status") {
        Some(word) if word.eq_ignore_ascii_case("reachable") => true,
        Some(word) if word.eq_ignore_ascii_case("unreachable") => false,
        _ => return Change::Refused("its Ping-Status is neither Reachable nor Unreachable"),
    };
    Change::Reach(Reach {
        user,
        contact: text(event, "sip_contact"),
        reachable,
    })
}

fn unregistered(event: &Event, user: &str, realm: &str) -> Change {
    let contact = text(event, "contact");
    // Written when FreeSWITCH had no contact to name.
    if contact.as_deref().is_some_and(|c| c.contains("(null)")) {
        return Change::Unclear;
    }
    let (Some(user), Some(realm)) = (text(event, user), text(event, realm)) else {
        return Change::Unclear;
    };
    let call_id = text(event, "call-id");
    if call_id.is_none() && contact.is_none() {
        return Change::Unclear;
    }
    Change::Unregistered(Unregistered {
        user,
        realm,
        call_id,
        contact,
    })
}

fn text(event: &Event, header: &str) -> Option<String> {
    let value = event.header(header)?;
    (!value.is_empty()).then(|| value.into_owned())
}

fn number(event: &Event, header: &str) -> Option<i64> {
    event.header(header)?.trim().parse().ok()
}

fn differs(event: &Event, header: &str, expected: &str) -> bool {
    event
        .header(header)
        .is_some_and(|value| !value.eq_ignore_ascii_case(expected))
}

/// Why a table can't be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("FreeSWITCH's answer is not the expected table: {0}")]
pub(super) struct NotATable(pub(super) String);

/// Reads `show ... as json`: `{"row_count":0}` has no `rows` at all (esl spec 3.5).
pub(super) fn rows(answer: &str) -> Result<Vec<Value>, NotATable> {
    let shown = || answer.chars().take(120).collect::<String>();
    let mut table: Value = serde_json::from_str(answer.trim()).map_err(|_| NotATable(shown()))?;
    match table.get_mut("rows").map(Value::take) {
        Some(Value::Array(rows)) => Ok(rows),
        Some(_) => Err(NotATable(shown())),
        None if table.get("row_count").is_some() => Ok(Vec::new()),
        None => Err(NotATable(shown())),
    }
}

/// Reads a row of `show registrations as json`.
pub(super) fn row(row: &Value) -> Option<RegistrationEvent> {
    let column = |name: &str| row.get(name)?.as_str().map(str::to_owned);
    // sofia/PROFILE/sip:user@host:port;...
    let url = column("url")?;
    let (profile, contact) = url.strip_prefix("sofia/")?.split_once('/')?;
    let expires: i64 = column("expires")?.parse().ok()?;
    Some(RegistrationEvent {
        profile: profile.to_owned(),
        user: column("reg_user")?,
        realm: column("realm")?,
        contact: contact.to_owned(),
        call_id: column("token").unwrap_or_default(),
        network_ip: column("network_ip"),
        network_port: column("network_port").and_then(|port| port.parse().ok()),
        user_agent: None,
        expires_at: expires.saturating_sub(LATE_MARGIN_S),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const REGISTER: &[(&str, &str)] = &[
        ("Event-Subclass", "sofia::register"),
        ("Event-Name", "CUSTOM"),
        ("profile-name", "internal"),
        ("from-user", "1001"),
        ("from-host", "acme.test"),
        ("contact", "\"\" <sip:1001@127.0.0.1:5071>"),
        ("call-id", "yl05245g8a5i"),
        ("expires", "60"),
        ("to-user", "9999"),
        ("to-host", "acme.test"),
        ("network-ip", "127.0.0.1"),
        ("network-port", "5071"),
        ("username", "1001"),
        ("realm", "acme.test"),
        ("user-agent", "TestPhone/1.0"),
    ];

    fn changed(changes: &[(&'static str, Option<&'static str>)]) -> Event {
        let kept = REGISTER
            .iter()
            .copied()
            .filter(|(name, _)| changes.iter().all(|(changed, _)| changed != name));
        let added = changes
            .iter()
            .filter_map(|(name, value)| Some((*name, (*value)?)));
        Event::from_headers(kept.chain(added), None)
    }

    #[test]
    fn a_registration_is_read_under_its_confusing_names() {
        let Some(Change::Registered(got)) = read(&changed(&[]), 1_000) else {
            panic!("no registration");
        };
        assert_eq!(
            (got.user.as_str(), got.realm.as_str()),
            ("1001", "acme.test")
        );
        assert_eq!(got.expires_at, 1_060);
        assert_eq!(got.contact, "\"\" <sip:1001@127.0.0.1:5071>");
        assert_eq!(got.network_port, Some(5071));
    }

    #[test]
    fn another_phones_password_registers_nobody() {
        for change in [("username", Some("1002")), ("realm", Some("other.test"))] {
            let got = read(&changed(&[change]), 0);
            assert!(
                matches!(got, Some(Change::Refused(_))),
                "{change:?}: {got:?}"
            );
        }
        let same = read(&changed(&[("realm", Some("ACME.test"))]), 0);
        assert!(matches!(same, Some(Change::Registered(_))));
    }

    #[test]
    fn expire_uses_other_names() {
        let expire = changed(&[
            ("Event-Subclass", Some("sofia::expire")),
            ("from-user", None),
            ("from-host", None),
            ("user", Some("1001")),
            ("host", Some("acme.test")),
            ("expires", Some("1795288530")),
        ]);
        let Some(Change::Unregistered(gone)) = read(&expire, 0) else {
            panic!("not gone");
        };
        assert_eq!(gone.user, "1001");
        assert_eq!(gone.call_id.as_deref(), Some("yl05245g8a5i"));
    }

    #[test]
    fn an_unregister_that_names_nothing_asks_for_the_table() {
        let null = changed(&[
            ("Event-Subclass", Some("sofia::unregister")),
            ("contact", Some("<sip:(null)@(null)>")),
        ]);
        assert_eq!(read(&null, 0), Some(Change::Unclear));
        let lost_socket = changed(&[
            ("Event-Subclass", Some("sofia::unregister")),
            ("contact", None),
            ("call-id", None),
        ]);
        assert_eq!(read(&lost_socket, 0), Some(Change::Unclear));
    }

    #[test]
    fn other_events_say_nothing() {
        let attempt = changed(&[("Event-Subclass", Some("sofia::register_attempt"))]);
        assert_eq!(read(&attempt, 0), None);
    }

    #[test]
    fn tables_with_and_without_rows() {
        assert_eq!(rows("{\"row_count\": 0}\n"), Ok(Vec::new()));
        assert!(rows("-ERR SQL disabled, no data available!").is_err());
        let table = r#"{"row_count":1,"rows":[{"reg_user":"1001","realm":"acme.test","token":"abc",
            "url":"sofia/internal/sip:1001@127.0.0.1:5071;fs_nat=yes","expires":"1795288530",
            "network_ip":"127.0.0.1","network_port":"5071","network_proto":"udp","hostname":"fs1","metadata":""}]}"#;
        let rows = rows(table).unwrap();
        let got = row(rows.first().unwrap()).unwrap();
        assert_eq!(got.profile, "internal");
        assert_eq!(got.contact, "sip:1001@127.0.0.1:5071;fs_nat=yes");
        assert_eq!(got.expires_at, 1_795_288_470);
        assert_eq!(got.call_id, "abc");
    }

    #[test]
    fn a_ping_tells_whether_the_phone_answers() {
        let pinged = |status: &str| {
            let headers = [
                ("Event-Subclass", "sofia::sip_user_state"),
                ("Event-Name", "CUSTOM"),
                ("sip_user", "1001"),
                ("sip_contact", "sip:1001@127.0.0.1:5071"),
                ("Ping-Status", status),
            ];
            read(&Event::from_headers(headers, None), 0).unwrap()
        };
        let reach = |reachable| {
            Change::Reach(Reach {
                user: "1001".into(),
                contact: Some("sip:1001@127.0.0.1:5071".into()),
                reachable,
            })
        };
        assert_eq!(pinged("Reachable"), reach(true));
        assert_eq!(pinged("UNREACHABLE"), reach(false));
        assert!(matches!(pinged("?"), Change::Refused(_)));
    }
}
