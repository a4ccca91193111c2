//! `[nodes.NAME]`: a FreeSWITCH that we connect to.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::problem::Origin;
use super::secret::Secret;
use super::section::{Reader, Section};
use crate::types::NodeName;

/// FreeSWITCH ships with this event socket password, so everybody knows it.
pub const DEFAULT_PASSWORD: &str = "ClueCon";

/// A password file is one line; more than this is some other file.
const PASSWORD_FILE_LIMIT: u64 = 4096;

/// `HOST:PORT`; the host is a name, an IPv4 address, or an IPv6 address in brackets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct HostPort(String);

impl HostPort {
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The host alone, brackets kept.
    #[must_use]
    pub fn host(&self) -> &str {
        self.0.rsplit_once(':').map_or("", |(host, _)| host)
    }
}

impl TryFrom<String> for HostPort {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let wrong = || format!("expected HOST:PORT such as 127.0.0.1:8021, found {text:?}");
        let (host, port) = text.rsplit_once(':').ok_or_else(wrong)?;
        let port: u16 = port.parse().map_err(|_| wrong())?;
        let bare = host
            .strip_prefix('[')
            .and_then(|rest| rest.strip_suffix(']'));
        let good = match bare {
            Some(inside) => inside.parse::<std::net::Ipv6Addr>().is_ok(),
            None => {
                !host.is_empty()
                    && host
                        .chars()
                        .all(|c| c.is_ascii_alphanumeric() || ".-_".contains(c))
            }
        };
        if good && port != 0 {
            Ok(Self(text))
        } else {
            Err(wrong())
        }
    }
}

impl From<HostPort> for String {
    fn from(address: HostPort) -> String {
        address.0
    }
}

impl fmt::Display for HostPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One FreeSWITCH node.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default)]
pub struct NodeSettings {
    /// Its event socket.
    pub address: HostPort,
    /// The event socket's password, after [`super::Config::load`] wherever it came from.
    pub password: Option<Secret>,
    /// A file whose first line is the password.
    pub password_file: Option<PathBuf>,
    /// Accept FreeSWITCH's well-known default password.
    pub allow_default_password: bool,
    /// Where the node accepts SIP from its sister nodes.
    pub sip: Option<HostPort>,
    /// Take the calls that this node parks for us.
    pub park: bool,
}

impl Default for NodeSettings {
    fn default() -> Self {
        Self {
            address: HostPort("127.0.0.1:8021".into()),
            password: None,
            password_file: None,
            allow_default_password: false,
            sip: None,
            park: true,
        }
    }
}

impl Section for NodeSettings {}

/// Reads every `[nodes.NAME]` and finds its password.
pub(super) fn read_nodes(
    reader: &mut Reader,
    credentials: Option<&Path>,
) -> BTreeMap<NodeName, NodeSettings> {
    let mut nodes = BTreeMap::new();
    for (name, mut settings) in reader.named::<NodeSettings>("nodes") {
        let at = format!("nodes.{name}");
        find_password(reader, &at, &mut settings, credentials);
        match NodeName::new(&name) {
            Ok(name) => {
                nodes.insert(name, settings);
            }
            Err(invalid) => reader.report(&at, format!("{invalid}")),
        }
    }
    nodes
}

fn find_password(
    reader: &mut Reader,
    at: &str,
    settings: &mut NodeSettings,
    credentials: Option<&Path>,
) {
    let here = format!("{at}.password");
    let broken = |reader: &Reader| {
        let mut problems = reader.problems.iter();
        problems.any(|problem| problem.setting.starts_with(&here))
    };
    if broken(reader) {
        return;
    }
    let credential = format!("{at}.password");
    let loaded = credentials.map(|folder| folder.join(&credential));
    let found = match (settings.password.take(), &settings.password_file) {
        (Some(_), Some(_)) => {
            let other = format!("{at}.password_file");
            reader.report(&other, "give password or password_file, not both".into());
            return;
        }
        (Some(password), None) => Ok((password, reader.origin(&here))),
        (None, Some(file)) => {
            read_secret(file).map(|secret| (secret, Origin::SecretFile(file.clone())))
        }
        (None, None) => match loaded.filter(|path| path.exists()) {
            Some(path) => read_secret(&path).map(|secret| (secret, Origin::Credential(credential))),
            None => Err(format!(
                "missing; set password, password_file, or load a systemd credential named {credential}"
            )),
        },
    };
    let (password, origin) = match found {
        Ok(found) => found,
        Err(why) => return reader.report(&here, why),
    };
    if let Err(why) = acceptable(&password, settings.allow_default_password) {
        return reader.report(&here, why);
    }
    settings.password = Some(password);
    let shown = reader.settings.iter_mut();
    for setting in shown.filter(|setting| setting.section == at && setting.key == "password") {
        setting.value = super::secret::HIDDEN.into();
        setting.origin = origin.clone();
    }
}

/// The first line of the file.
pub(super) fn read_secret(path: &Path) -> Result<Secret, String> {
    let unreadable = |why: &dyn fmt::Display| format!("{} can't be read: {why}", path.display());
    let size = std::fs::metadata(path).map_err(|error| unreadable(&error))?;
    if size.len() > PASSWORD_FILE_LIMIT {
        return Err(unreadable(&"it is too long to be a password"));
    }
    let text = std::fs::read_to_string(path).map_err(|error| unreadable(&error))?;
    match text.lines().next() {
        Some(line) if !line.is_empty() => Ok(Secret::new(line.to_owned())),
        _ => Err(unreadable(&"its first line is empty")),
    }
}

fn acceptable(password: &Secret, allow_default: bool) -> Result<(), String> {
    let text = password.expose();
    if text.is_empty() {
        return Err("is empty".into());
    }
    // It is sent as one line of the event socket's protocol.
    if text.chars().any(char::is_control) {
        return Err("holds a control character, which FreeSWITCH can't take".into());
    }
    if text == DEFAULT_PASSWORD && !allow_default {
        return Err(
            "is FreeSWITCH's default, which everybody knows; change it in event_socket.conf.xml, \
             or set allow_default_password = true"
                .into(),
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        let parse = |text: &str| HostPort::try_from(text.to_owned());
        for good in ["127.0.0.1:8021", "fs1.example:5060", "[::1]:8021"] {
            assert!(parse(good).is_ok(), "{good}");
        }
        for bad in [
            "",
            "8021",
            "host",
            ":8021",
            "host:0",
            "host:65536",
            "a b:1",
            "::1:80",
        ] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }
}
