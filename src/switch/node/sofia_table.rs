//! The registrations that mod_sofia itself holds: `sofia xmlstatus profile NAME reg`.
//!
//! The core's table (`show registrations`) is written behind, about half a second late, and keeps one
//! row a user unless it is told otherwise; this one is what mod_sofia dials by (esl spec 7.4).

use serde::Deserialize;

use super::registrations::{LATE_MARGIN_S, NotATable, RegistrationEvent};

#[derive(Debug, Deserialize)]
struct Profiles {
    #[serde(default)]
    profile: Vec<Profile>,
}

#[derive(Debug, Deserialize)]
struct Profile {
    name: String,
    #[serde(rename = "type")]
    kind: String,
}

#[derive(Debug, Deserialize)]
struct Status {
    #[serde(default)]
    registrations: Registrations,
}

#[derive(Debug, Default, Deserialize)]
struct Registrations {
    #[serde(default)]
    registration: Vec<Row>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Row {
    user: String,
    contact: String,
    #[serde(default)]
    call_id: String,
    #[serde(default)]
    agent: String,
    #[serde(default)]
    status: String,
    #[serde(default)]
    network_ip: String,
    #[serde(default)]
    network_port: String,
    #[serde(default)]
    sip_auth_user: String,
    #[serde(default)]
    sip_auth_realm: String,
}

/// What a table says.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Table {
    pub(super) registrations: Vec<RegistrationEvent>,
    /// Rows of which user, contact or end can't be read.
    pub(super) unreadable: usize,
    /// Rows whose address of record is not the one whose password was given.
    pub(super) borrowed: usize,
}

/// The names of the SIP profiles, out of `sofia xmlstatus`; aliases and gateways left out.
pub(super) fn profiles(answer: &str) -> Result<Vec<String>, NotATable> {
    let profiles: Profiles = parse(answer)?;
    let is_profile = |profile: &Profile| profile.kind == "profile";
    let named = profiles.profile.into_iter().filter(is_profile);
    Ok(named.map(|profile| profile.name).collect())
}

/// The registrations of one profile. `now` is Unix time in seconds.
pub(super) fn table(answer: &str, profile: &str, now: i64) -> Result<Table, NotATable> {
    let status: Status = parse(answer)?;
    let mut table = Table::default();
    for row in status.registrations.registration {
        match registration(row, profile, now) {
            Some((_, true)) => table.borrowed += 1,
            Some((registration, false)) => table.registrations.push(registration),
            None => table.unreadable += 1,
        }
    }
    Ok(table)
}

fn parse<'de, T: Deserialize<'de>>(answer: &'de str) -> Result<T, NotATable> {
    let shown = || NotATable(answer.chars().take(120).collect());
    quick_xml::de::from_str(answer.trim()).map_err(|_| shown())
}

/// The registration, and whether it was made with somebody else's password.
fn registration(row: Row, profile: &str, now: i64) -> Option<(RegistrationEvent, bool)> {
    let (user, realm) = row.user.split_once('@')?;
    let lasts = seconds_left(&row.status)?;
    let differs =
        |proved: &str, claimed: &str| !proved.is_empty() && !proved.eq_ignore_ascii_case(claimed);
    let borrowed = differs(&row.sip_auth_user, user) || differs(&row.sip_auth_realm, realm);
    if row.contact.is_empty() {
        return None;
    }
    let given = |text: String| (!text.is_empty()).then_some(text);
    let registration = RegistrationEvent {
        profile: profile.to_owned(),
        user: user.to_owned(),
        realm: realm.to_owned(),
        contact: row.contact,
        call_id: row.call_id,
        network_ip: given(row.network_ip),
        network_port: row.network_port.parse().ok(),
        user_agent: given(row.agent),
        expires_at: now.saturating_add(lasts).saturating_sub(LATE_MARGIN_S),
    };
    Some((registration, borrowed))
}

/// `Registered(UDP)(unknown) exp(2026-11-21 22:06:44) expsecs(179)`: the seconds, late margin
/// included. The date before it is the node's local time and of no use elsewhere.
fn seconds_left(status: &str) -> Option<i64> {
    let (_, rest) = status.rsplit_once("expsecs(")?;
    let (seconds, _) = rest.split_once(')')?;
    seconds.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROFILES: &str = "<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?>\n<profiles>\n<profile>\n<name>trunk</name>\n<type>profile</type>\n<data>sip:mod_sofia@127.0.0.1:12912</data>\n<state>RUNNING (0)</state>\n</profile>\n<alias>\n<name>here.test</name>\n<type>alias</type>\n<data>internal</data>\n<state>ALIASED</state>\n</alias>\n<profile>\n<name>internal</name>\n<type>profile</type>\n<data>sip:mod_sofia@127.0.0.1:13480</data>\n<state>RUNNING (0)</state>\n</profile>\n</profiles>\n";

    fn rows(inside: &str) -> String {
        format!(
            "<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?>\n<profile>\n  <registrations>\n{inside}  </registrations>\n</profile>\n"
        )
    }

    fn row(user: &str, proved: &str) -> String {
        format!(
            "<registration>\n<call-id>h6wb</call-id>\n<user>{user}</user>\n<contact>&quot;A &lt;b&gt;&quot; &lt;sip:1001@127.0.0.1:58727;fs_path=sip%3A1%40x&gt;</contact>\n<agent>TestPhone/1.0</agent>\n<status>Registered(UDP)(unknown) exp(2026-11-21 22:06:44) expsecs(179)</status>\n<ping-status>Reachable</ping-status>\n<network-ip>127.0.0.1</network-ip>\n<network-port>58727</network-port>\n<sip-auth-user>{proved}</sip-auth-user>\n<sip-auth-realm>acme.test</sip-auth-realm>\n<mwi-account>x</mwi-account>\n</registration>\n"
        )
    }

    #[test]
    fn profiles_without_their_aliases() {
        assert_eq!(profiles(PROFILES).unwrap(), ["trunk", "internal"]);
        assert!(profiles("-ERR sofia Command not found!\n").is_err());
        assert!(profiles("Invalid Profile!").is_err());
    }

    #[test]
    fn a_row_is_a_registration() {
        let found = table(&rows(&row("1001@acme.test", "1001")), "internal", 1_000).unwrap();
        let [registration] = found.registrations.as_slice() else {
            panic!("{found:?}")
        };
        assert_eq!(
            registration.contact,
            "\"A <b>\" <sip:1001@127.0.0.1:58727;fs_path=sip%3A1%40x>"
        );
        assert_eq!(registration.profile, "internal");
        assert_eq!(registration.expires_at, 1_119);
        assert_eq!(registration.network_port, Some(58727));
        assert_eq!(registration.user_agent.as_deref(), Some("TestPhone/1.0"));
    }

    #[test]
    fn an_empty_table_and_rows_that_are_not_taken() {
        assert_eq!(table(&rows(""), "internal", 0).unwrap(), Table::default());
        let mixed = rows(&[row("1001@acme.test", "1002"), row("nobody", "1001")].concat());
        let found = table(&mixed, "internal", 0).unwrap();
        assert!(found.registrations.is_empty());
        assert_eq!((found.borrowed, found.unreadable), (1, 1));
        assert!(table("Invalid Profile!", "internal", 0).is_err());
    }
}
