//! `[directory]`: answers to mod_xml_curl.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::node::read_secret;
use super::problem::Origin;
use super::secret::{HIDDEN, Secret};
use super::section::{Reader, Section};
use crate::directory::{self, Credentials, DEFAULT_CONTEXT, TRUNK_CONTEXT};

const SECTION: &str = "directory";

/// The longest that FreeSWITCH may keep an answer: a day.
const LONGEST_CACHE_MS: u64 = 86_400_000;

/// The directory over HTTP; there is none without `listen`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default)]
pub struct DirectorySettings {
    /// Where it listens.
    pub listen: Option<SocketAddr>,
    /// What FreeSWITCH presents as `gateway-credentials`.
    pub user: Option<String>,
    /// Its password, after [`super::Config::load`] wherever it came from.
    pub password: Option<Secret>,
    /// A file whose first line is the password.
    pub password_file: Option<PathBuf>,
    /// Dialplan context of calls from devices.
    pub user_context: String,
    /// Dialplan context of calls from customers' PBXs that give a password.
    pub trunk_context: String,
    /// Milliseconds that FreeSWITCH may keep an answer about a user; 0: not at all.
    pub cacheable_ms: u64,
}

impl Default for DirectorySettings {
    fn default() -> Self {
        Self {
            listen: None,
            user: None,
            password: None,
            password_file: None,
            user_context: DEFAULT_CONTEXT.into(),
            trunk_context: TRUNK_CONTEXT.into(),
            cacheable_ms: 0,
        }
    }
}

impl Section for DirectorySettings {
    fn check(&self, report: &mut dyn FnMut(&str, String)) {
        let plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
        for (key, context) in [
            ("user_context", &self.user_context),
            ("trunk_context", &self.trunk_context),
        ] {
            if context.is_empty() || !context.chars().all(plain) {
                report(key, "expected letters, digits and . _ - only".into());
            }
        }
        if self.cacheable_ms > LONGEST_CACHE_MS {
            report("cacheable_ms", format!("expected 0 to {LONGEST_CACHE_MS}"));
        }
        // The first colon ends the name (RFC 7617).
        let bad = |user: &str| {
            user.is_empty() || user.contains(':') || user.chars().any(char::is_control)
        };
        if self.user.as_deref().is_some_and(bad) {
            report("user", "expected a name without a colon".into());
        }
    }
}

impl DirectorySettings {
    /// What the directory itself wants to know.
    #[must_use]
    pub fn answering(&self, sip_profile: &str, forward_context: &str) -> directory::Settings {
        let pair = self.user.as_ref().zip(self.password.as_ref());
        directory::Settings {
            credentials: pair.map(|(user, password)| Credentials::new(user, &password.secret())),
            user_context: self.user_context.clone(),
            trunk_context: self.trunk_context.clone(),
            cacheable_ms: self.cacheable_ms,
            sip_profile: sip_profile.to_owned(),
            dialplan_contexts: vec![self.user_context.clone(), forward_context.to_owned()],
        }
    }
}

/// Reads `[directory]` and finds its password.
pub(super) fn read_directory(reader: &mut Reader, credentials: Option<&Path>) -> DirectorySettings {
    let mut settings: DirectorySettings = reader.section(SECTION);
    find_password(reader, &mut settings, credentials);
    let broken = reader
        .problems
        .iter()
        .any(|problem| problem.setting.starts_with("directory."));
    if broken {
        return settings;
    }
    match (&settings.user, &settings.password) {
        (Some(_), None) => {
            let why = "missing; set password, password_file, or load a systemd credential named directory.password";
            reader.report("directory.password", why.into());
        }
        (None, Some(_)) => {
            reader.report("directory.user", "missing, as there is a password".into())
        }
        (None, None)
            if settings
                .listen
                .is_some_and(|listen| !listen.ip().is_loopback()) =>
        {
            let why =
                "expected a loopback address, or user and password: the answers say who may call";
            reader.report("directory.listen", why.into());
        }
        _ => {}
    }
    settings
}

fn find_password(
    reader: &mut Reader,
    settings: &mut DirectorySettings,
    credentials: Option<&Path>,
) {
    let credential = "directory.password";
    let loaded = credentials.map(|folder| folder.join(credential));
    let found = match (settings.password.take(), &settings.password_file) {
        (Some(_), Some(_)) => {
            let why = "give password or password_file, not both";
            return reader.report("directory.password_file", why.into());
        }
        (Some(password), None) => Ok((password, reader.origin("directory.password"))),
        (None, Some(file)) => {
            read_secret(file).map(|secret| (secret, Origin::SecretFile(file.clone())))
        }
        (None, None) => match loaded.filter(|path| path.exists()) {
            Some(path) => {
                read_secret(&path).map(|secret| (secret, Origin::Credential(credential.into())))
            }
            None => return,
        },
    };
    let (password, origin) = match found {
        Ok(found) => found,
        Err(why) => return reader.report("directory.password", why),
    };
    if password.expose().is_empty() {
        return reader.report("directory.password", "is empty".into());
    }
    settings.password = Some(password);
    let shown = reader.settings.iter_mut();
    for setting in shown.filter(|setting| setting.section == SECTION && setting.key == "password") {
        setting.value = HIDDEN.into();
        setting.origin = origin.clone();
    }
}
