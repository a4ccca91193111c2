//! A carrier's gateway as FreeSWITCH has one: for carriers that want REGISTER, or are asked how they are by SIP OPTIONS.

use sha2::{Digest as _, Sha256};

use super::GatewayKey;
use crate::documents::Gateway;

/// What our names begin with; gateways with other names are not touched.
const PREFIX: &str = "lf.";

/// Names longer than this are not written in full.
const LONGEST: usize = 96;

/// Hexadecimal digits of a definition's mark.
const MARK: usize = 8;

/// Seconds until a refused registration is tried again.
const RETRY_S: u32 = 30;

/// mod_sofia does not ask at all when it is told to ask more often (seen live).
const PING_LEAST_S: u32 = 5;

/// A gateway to be made on every node.
#[derive(Clone, PartialEq, Eq)]
pub struct SwitchGateway {
    pub key: GatewayKey,
    /// `lf.ACCOUNT.RESOURCE.PLACE.MARK`. The mark is made of all that follows, so that a gateway which has changed has
    /// another name: FreeSWITCH does not change a gateway whose name it knows, and its name shows which one it has.
    pub name: String,
    /// The sofia profile that it belongs to.
    pub profile: String,
    /// Parameters as mod_sofia names them.
    pub params: Vec<(&'static str, String)>,
    /// It registers: calls go through it. Otherwise it is only asked how it is.
    pub registers: bool,
}

impl std::fmt::Debug for SwitchGateway {
    /// Without the password.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SwitchGateway({} on {})", self.name, self.profile)
    }
}

impl SwitchGateway {
    /// None: the gateway needs none, or has no server. `profile` is where gateways without a profile of their own are dialled.
    #[must_use]
    pub fn of(key: &GatewayKey, gateway: &Gateway, profile: &str) -> Option<Self> {
        if !(gateway.register || gateway.ping_s.is_some()) || !gateway.is_usable() {
            return None;
        }
        let server = gateway.server.as_deref()?;
        let realm = gateway.realm.as_deref().unwrap_or(server);
        let proxy = match gateway.port {
            Some(port) if port != 5060 => format!("{server}:{port}"),
            _ => server.to_owned(),
        };
        let mut params = vec![
            // mod_sofia makes no gateway without these two, even one that never registers.
            (
                "username",
                gateway
                    .username
                    .as_deref()
                    .unwrap_or("linefinder")
                    .to_owned(),
            ),
            (
                "password",
                gateway
                    .password
                    .as_ref()
                    .map_or("none", |password| password.reveal())
                    .to_owned(),
            ),
            ("realm", realm.to_owned()),
            ("proxy", proxy),
            ("register", gateway.register.to_string()),
            ("retry-seconds", RETRY_S.to_string()),
        ];
        if let Some(seconds) = gateway.expire_seconds {
            params.push(("expire-seconds", seconds.to_string()));
        }
        if let Some(seconds) = gateway.ping_s {
            params.push(("ping", seconds.max(PING_LEAST_S).to_string()));
        }
        let profile = gateway.custom_sip_interface.as_deref().unwrap_or(profile);
        Some(Self {
            name: name(key, profile, &params),
            key: key.clone(),
            profile: profile.to_owned(),
            params,
            registers: gateway.register,
        })
    }

    /// The name is one of ours.
    #[must_use]
    pub fn is_ours(name: &str) -> bool {
        name.starts_with(PREFIX)
    }
}

/// Only letters, digits and `._-`: it stands in commands and dial strings.
fn name(key: &GatewayKey, profile: &str, params: &[(&'static str, String)]) -> String {
    let mut hash = Sha256::new();
    let (account, resource) = (key.account_id.as_str(), key.resource_id.as_str());
    let place = key.gateway.to_string();
    let key = [account, resource, &place, profile];
    let params = params
        .iter()
        .flat_map(|(name, value)| [*name, value.as_str()]);
    for part in key.into_iter().chain(params) {
        hash.update(part.as_bytes());
        hash.update([0]);
    }
    let mark: String = hash
        .finalize()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let plain = |id: &str| {
        id.bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte))
    };
    let short = mark.get(..MARK).unwrap_or_default();
    let full = format!("{PREFIX}{account}.{resource}.{place}.{short}");
    if plain(account) && plain(resource) && full.len() <= LONGEST {
        return full;
    }
    format!("{PREFIX}{}", mark.get(..4 * MARK).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::{AccountId, DocumentId};
    use serde_json::{Value, json};

    fn made(resource: &str, gateway: Value) -> Option<SwitchGateway> {
        let key = GatewayKey::new(
            &AccountId::installation(),
            &DocumentId::new(resource).unwrap(),
            2,
        );
        SwitchGateway::of(&key, &serde_json::from_value(gateway).unwrap(), "trunk")
    }

    #[test]
    fn a_gateway_that_registers() {
        let gateway = made(
            "main",
            json!({"server": "192.0.2.1", "port": 5070, "register": true, "username": "u",
            "password": "p", "realm": "r.test", "expire_seconds": 600, "ping": 15}),
        )
        .unwrap();
        assert!(
            gateway.name.starts_with("lf.installation.main.2."),
            "{}",
            gateway.name
        );
        assert_eq!((&*gateway.profile, gateway.registers), ("trunk", true));
        let params: Vec<String> = gateway
            .params
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        assert_eq!(
            params.join(" "),
            "username=u password=p realm=r.test proxy=192.0.2.1:5070 register=true \
            retry-seconds=30 expire-seconds=600 ping=15"
        );
        assert!(!format!("{gateway:?}").contains("=p"));
    }

    #[test]
    fn only_those_that_need_one() {
        assert!(made("main", json!({"server": "192.0.2.1"})).is_none());
        assert!(
            made(
                "main",
                json!({"server": "192.0.2.1", "register": true, "enabled": false})
            )
            .is_none()
        );
        let asked = made(
            "main",
            json!({"server": "a", "ping": 15, "custom_sip_interface": "x"}),
        )
        .unwrap();
        assert_eq!((&*asked.profile, asked.registers), ("x", false));
        let often = made("main", json!({"server": "a", "ping": 1})).unwrap();
        assert!(often.params.contains(&("ping", "5".to_owned())));
    }

    #[test]
    fn another_definition_has_another_name() {
        let of = |password: &str| {
            made(
                "main",
                json!({"server": "a", "register": true, "password": password}),
            )
            .unwrap()
            .name
        };
        assert_eq!(of("a"), of("a"));
        assert_ne!(of("a"), of("b"));
    }

    #[test]
    fn names_that_commands_and_dial_strings_can_hold() {
        for odd in ["a.b", &"x".repeat(120)] {
            let name = made(odd, json!({"server": "a", "ping": 5})).unwrap().name;
            assert!(SwitchGateway::is_ours(&name) && name.len() == 35, "{name}");
            assert!(
                name.bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || byte == b'.'),
                "{name}"
            );
        }
    }
}
