//! Registrations of a node: rows that outlive a restart, and the events of their life (capture 19).

use std::sync::Mutex;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Map, Value};

use super::core::Core;
use super::event::Firing;
use super::lock::lock;
use super::sip::user_and_host;

/// A phone's registration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registered {
    pub user: String,
    pub realm: String,
    /// The contact as `sofia::register` shows it, `"" <sip:1001@127.0.0.1:5071>`, or the URI alone.
    pub contact: String,
    pub call_id: String,
    pub profile: String,
    pub user_agent: String,
    /// Seconds.
    pub expires: u32,
    /// Further headers of the event: variables of the directory entry.
    pub variables: Vec<(String, String)>,
}

impl Registered {
    /// A phone of `user@realm` at `address` (`127.0.0.1:5071`), for an hour.
    #[must_use]
    pub fn phone(user_and_realm: &str, address: &str) -> Registered {
        let (user, realm) = user_and_realm
            .split_once('@')
            .unwrap_or((user_and_realm, ""));
        Registered {
            user: user.to_owned(),
            realm: realm.to_owned(),
            contact: format!("\"\" <sip:{user}@{address}>"),
            call_id: format!("{user}-{address}"),
            profile: "internal".to_owned(),
            user_agent: "TestPhone/1.0".to_owned(),
            expires: 3600,
            variables: Vec::new(),
        }
    }

    /// The URI between the angle brackets.
    fn uri(&self) -> &str {
        let inner = self
            .contact
            .split_once('<')
            .map_or(&*self.contact, |(_, rest)| rest);
        inner.rsplit_once('>').map_or(inner, |(uri, _)| uri)
    }

    /// `sofia/internal/sip:1001@127.0.0.1:5071`.
    fn dial(&self) -> String {
        format!("sofia/{}/{}", self.profile, self.uri())
    }

    fn is_of(&self, user: &str, realm: &str) -> bool {
        // The user matches in any case, the domain does not (event socket specification 7.3).
        self.user.eq_ignore_ascii_case(user) && self.realm == realm
    }

    fn address(&self) -> (String, String) {
        let (_, host) = user_and_host(&self.contact);
        match host.rsplit_once(':') {
            Some((ip, port)) => (ip.to_owned(), port.to_owned()),
            None => (host, "5060".to_owned()),
        }
    }

    fn protocol(&self) -> &'static str {
        let contact = self.contact.to_ascii_lowercase();
        ["tls", "wss", "ws", "tcp"]
            .into_iter()
            .find(|protocol| contact.contains(&format!("transport={protocol}")))
            .unwrap_or("udp")
    }

    fn status(&self) -> String {
        let nat = if self.contact.contains("fs_nat=yes") {
            "-NAT"
        } else {
            ""
        };
        format!("Registered({}{nat})", self.protocol().to_ascii_uppercase())
    }
}

#[derive(Default)]
pub(super) struct Registrar {
    rows: Mutex<Vec<(Registered, u64)>>,
    keeps_all: bool,
}

impl Registrar {
    pub(super) fn new(keeps_all: bool) -> Registrar {
        Registrar {
            rows: Mutex::default(),
            keeps_all,
        }
    }

    fn put(&self, registered: &Registered) {
        let mut rows = lock(&self.rows);
        rows.retain(|(row, _)| {
            let same_user = row.is_of(&registered.user, &registered.realm);
            let same_phone = row.call_id == registered.call_id || row.contact == registered.contact;
            !(same_user && (same_phone || !self.keeps_all))
        });
        rows.push((registered.clone(), epoch(registered.expires)));
    }

    fn remove(&self, user: &str, realm: &str, contact: Option<&str>) -> Vec<Registered> {
        let mut rows = lock(&self.rows);
        let leaves = |row: &Registered| {
            row.is_of(user, realm) && contact.is_none_or(|contact| row.contact == contact)
        };
        let gone = rows.iter().filter(|(row, _)| leaves(row));
        let gone = gone.map(|(row, _)| row.clone()).collect();
        rows.retain(|(row, _)| !leaves(row));
        gone
    }

    /// URIs of a user's contacts.
    pub(super) fn contacts(&self, user: &str, realm: &str) -> Vec<String> {
        let rows = lock(&self.rows);
        let own = rows.iter().filter(|(row, _)| row.is_of(user, realm));
        own.map(|(row, _)| row.uri().to_owned()).collect()
    }

    /// Whose contact an address is.
    pub(super) fn owner(&self, user: &str, host: &str) -> Option<(String, String)> {
        let rows = lock(&self.rows);
        let found = rows.iter().find(|(row, _)| {
            let (contact_user, contact_host) = user_and_host(&row.contact);
            contact_host.eq_ignore_ascii_case(host)
                && (contact_user == user || row.user.eq_ignore_ascii_case(user))
        });
        found.map(|(row, _)| (row.user.clone(), row.realm.clone()))
    }

    /// `[PROFILE/]USER@DOMAIN[~AGENT]`.
    pub(super) fn sofia_contact(&self, words: &str) -> String {
        let (profile, address) = words.split_once('/').unwrap_or(("*", words));
        let (address, agent) = address.split_once('~').unwrap_or((address, ""));
        let (user, domain) = address.split_once('@').unwrap_or((address, ""));
        let rows = lock(&self.rows);
        let contacts: Vec<String> = rows
            .iter()
            .map(|(row, _)| row)
            .filter(|row| row.is_of(user, domain))
            .filter(|row| profile == "*" || row.profile == profile)
            .filter(|row| row.user_agent.contains(agent))
            .map(Registered::dial)
            .collect();
        if contacts.is_empty() {
            "error/user_not_registered".to_owned()
        } else {
            contacts.join(",")
        }
    }

    /// Rows of `show registrations as json` (event socket specification 7.4).
    pub(super) fn rows(&self, hostname: &str) -> Vec<Map<String, Value>> {
        let rows = lock(&self.rows);
        rows.iter()
            .map(|(row, expires)| {
                let (ip, port) = row.address();
                super::show::row([
                    ("reg_user", row.user.clone()),
                    ("realm", row.realm.clone()),
                    ("token", row.call_id.clone()),
                    ("url", row.dial()),
                    ("expires", expires.to_string()),
                    ("network_ip", ip),
                    ("network_port", port),
                    ("network_proto", row.protocol().to_owned()),
                    ("hostname", hostname.to_owned()),
                    ("metadata", String::new()),
                ])
            })
            .collect()
    }
}

/// The second at which something ends that many seconds from now.
fn epoch(seconds: u32) -> u64 {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    (now + Duration::from_secs(u64::from(seconds))).as_secs()
}

const REG_C: &str = "sofia_reg.c";
const TOKEN: &str = "sofia_reg_handle_register_token";

impl Core {
    /// A REGISTER that succeeds, first or refresh.
    pub(super) fn register(&self, phone: &Registered) {
        self.registrar.put(phone);
        let (ip, port) = phone.address();
        let (status, expires) = (phone.status(), phone.expires.to_string());
        let mut extra = vec![
            ("profile-name", &*phone.profile),
            ("from-user", &phone.user),
            ("from-host", &phone.realm),
            ("presence-hosts", "n/a"),
            ("contact", &phone.contact),
            ("call-id", &phone.call_id),
            ("rpid", "unknown"),
            ("status", &status),
            ("expires", &expires),
            ("to-user", &phone.user),
            ("to-host", &phone.realm),
            ("network-ip", &ip),
            ("network-port", &port),
            ("username", &phone.user),
            ("realm", &phone.realm),
            ("user-agent", &phone.user_agent),
        ];
        extra.extend(directory(phone));
        self.custom("sofia::register", (REG_C, TOKEN, 2059), &extra);
    }

    /// A REGISTER with `Expires: 0`; every contact of the user if none is named. The event comes even
    /// if nothing was registered (capture fact 28).
    pub(super) fn unregister(&self, user: &str, realm: &str, contact: Option<&str>) {
        let mut gone = self.registrar.remove(user, realm, contact);
        if gone.is_empty() {
            gone.push(Registered::phone(
                &format!("{user}@{realm}"),
                "127.0.0.1:5060",
            ));
        }
        for phone in gone {
            let (ip, port) = phone.address();
            let mut extra = vec![
                ("profile-name", &*phone.profile),
                ("username", &phone.user),
                ("from-user", &phone.user),
                ("from-host", &phone.realm),
                ("contact", &phone.contact),
                ("call-id", &phone.call_id),
                ("rpid", "unknown"),
                ("realm", &phone.realm),
                ("network-ip", &ip),
                ("network-port", &port),
                ("user-agent", &phone.user_agent),
                ("expires", "0"),
            ];
            extra.extend(directory(&phone));
            self.custom("sofia::unregister", (REG_C, TOKEN, 2213), &extra);
        }
    }

    /// The registration lapses: other header names, and an absolute time (capture fact 28).
    pub(super) fn expire(&self, user: &str, realm: &str) {
        for phone in self.registrar.remove(user, realm, None) {
            let (ip, port) = phone.address();
            let expires = epoch(0).to_string();
            let extra = [
                ("profile-name", &*phone.profile),
                ("call-id", &phone.call_id),
                ("user", &phone.user),
                ("username", &phone.user),
                ("host", &phone.realm),
                ("contact", &phone.contact),
                ("expires", &expires),
                ("user-agent", &phone.user_agent),
                ("realm", &phone.realm),
                ("network-ip", &ip),
                ("network-port", &port),
            ];
            let source = (REG_C, "sofia_reg_del_callback", 726);
            self.custom("sofia::expire", source, &extra);
        }
    }

    pub(super) fn custom(
        &self,
        subclass: &str,
        source: super::event::Source,
        extra: &[(&str, &str)],
    ) {
        let mut firing = Firing::general("CUSTOM", source, extra);
        firing.subclass = Some(subclass);
        self.fire(&firing, &[]);
    }
}

/// What the directory entry adds to an event of an authenticated phone.
fn directory(phone: &Registered) -> Vec<(&str, &str)> {
    let mut headers = vec![
        ("sip_number_alias", &*phone.user),
        ("sip_auth_username", &phone.user),
        ("sip_auth_realm", &phone.realm),
        ("number_alias", &phone.user),
        ("user_name", &phone.user),
        ("domain_name", &phone.realm),
    ];
    headers.extend(
        phone
            .variables
            .iter()
            .map(|(name, value)| (&**name, &**value)),
    );
    headers
}
