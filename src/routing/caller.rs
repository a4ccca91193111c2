//! Who a call comes from, as far as FreeSWITCH itself has established it (event socket
//! specification 4.2). From, caller id, `sip_h_*` and the URI's `gw` are the peer's own words and
//! decide nothing.

use std::net::IpAddr;

use super::forward;
use super::plan::Network;
use crate::types::{AccountId, DocumentId, NodeName};

/// Looks up a channel variable by its name without `variable_`.
pub type Lookup<'a, 'v> = &'a dyn Fn(&str) -> Option<&'v str>;

/// What is established about a caller, strongest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CallerClaim<'v> {
    /// It proved to be this user, by digest or by an address list whose entry names a user.
    Device { username: &'v str, realm: &'v str },
    /// It is a sister node, whose private headers are believed. None: trusted by its address list,
    /// which does not say which node it is.
    Sister { node: Option<NodeName> },
    /// Only its address is established: of a device without password or of a carrier, or of
    /// nobody we know. `acl` names the address list that let it in, if one did.
    Address { ip: IpAddr, acl: Option<&'v str> },
    /// Nothing is.
    Untrusted,
}

/// Sister nodes as arrivals show them.
pub struct Sisters<'a> {
    /// The node at an address, as resolved from the settings.
    pub at: &'a dyn Fn(IpAddr) -> Option<NodeName>,
    /// The FreeSWITCH address list that holds them, if there is one.
    pub acl: Option<&'a str>,
}

/// Classifies an arriving call by its channel variables.
#[must_use]
pub fn classify<'v>(variable: Lookup<'_, 'v>, sisters: &Sisters<'_>) -> CallerClaim<'v> {
    let authorized = variable("sip_authorized") == Some("true");
    let acl = variable("sip_acl_authed_by").filter(|_| authorized);
    let by_digest = authorized && acl.is_none() && variable("sip_auth_username").is_some();
    let ip = variable("sip_received_ip").and_then(|ip| ip.parse().ok());
    if by_digest {
        return match directory_user(variable) {
            Some((username, realm)) => CallerClaim::Device { username, realm },
            None => address(ip, None),
        };
    }
    // A sister is no device: it calls for others, whoever the list says it is.
    let listed = acl.is_some() && acl == sisters.acl;
    let node = ip.and_then(|ip| (sisters.at)(ip));
    if listed || node.is_some() {
        return CallerClaim::Sister { node };
    }
    if acl.is_some()
        && variable("sip_acl_token").is_some()
        && let Some((username, realm)) = directory_user(variable)
    {
        return CallerClaim::Device { username, realm };
    }
    address(ip, acl)
}

fn address(ip: Option<IpAddr>, acl: Option<&str>) -> CallerClaim<'_> {
    ip.map_or(CallerClaim::Untrusted, |ip| CallerClaim::Address {
        ip,
        acl,
    })
}

/// The user that the directory answered for. Proves something only together with
/// `sip_authorized`.
fn directory_user<'v>(variable: Lookup<'_, 'v>) -> Option<(&'v str, &'v str)> {
    let given = |name| variable(name).filter(|value| !value.is_empty());
    given("user_name").zip(given("domain_name"))
}

/// A call that our own forwarded leg brought back into the dialplan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ForwardedCall {
    pub account: AccountId,
    /// The forwarding device, by whose restrictions and dial plan the call goes on.
    pub device: DocumentId,
    /// All devices that forwarded it, this one included.
    pub chain: Vec<DocumentId>,
    /// The identity stays what it is (devices specification 4.2).
    pub keep_identity: bool,
    /// Somebody is asked to press a key, so that a refusal must not be retried.
    pub confirmed: bool,
    /// Where the original caller is.
    pub network: Network,
}

impl ForwardedCall {
    /// Reads what the forwarded leg's variables say. They are believed of a loopback channel
    /// alone: its variables are ours, while a SIP channel's may come from a gateway or a directory
    /// that another wrote. None: no forwarded call.
    #[must_use]
    pub fn read(variable: Lookup<'_, '_>) -> Option<Self> {
        variable("is_loopback").or_else(|| variable("loopback_leg"))?;
        if variable("sip_call_id").is_some() {
            return None;
        }
        let device = DocumentId::new(variable("lf_forwarded_by")?).ok()?;
        Some(Self {
            account: AccountId::new(variable("lf_account_id")?).ok()?,
            device,
            chain: forward::chain(variable("lf_forward_chain").unwrap_or_default()),
            keep_identity: variable("lf_forward_keep") == Some("true"),
            confirmed: variable("lf_forward_confirm") == Some("true"),
            network: match variable("lf_forward_network")? {
                "onnet" => Network::Onnet,
                _ => Network::Offnet,
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claim<'v>(variables: &'v [(&'v str, &'v str)]) -> CallerClaim<'v> {
        let lookup = |name: &str| {
            let found = variables.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| *value)
        };
        let sister: IpAddr = "10.0.0.2".parse().unwrap();
        let at = |ip| (ip == sister).then(|| NodeName::new("fs2").unwrap());
        let sisters = Sisters {
            at: &at,
            acl: Some("sisters"),
        };
        classify(&lookup, &sisters)
    }

    const AUTHORIZED: (&str, &str) = ("sip_authorized", "true");
    const USER: (&str, &str) = ("user_name", "2001");
    const DOMAIN: (&str, &str) = ("domain_name", "acme.example.com");
    const IP: (&str, &str) = ("sip_received_ip", "198.51.100.9");
    const DEVICE: CallerClaim<'static> = CallerClaim::Device {
        username: "2001",
        realm: "acme.example.com",
    };

    fn from(acl: Option<&'static str>) -> CallerClaim<'static> {
        CallerClaim::Address {
            ip: "198.51.100.9".parse().unwrap(),
            acl,
        }
    }

    #[test]
    fn a_digest_proves_a_user() {
        let digest = ("sip_auth_username", "2001");
        assert_eq!(claim(&[AUTHORIZED, digest, USER, DOMAIN, IP]), DEVICE);
        assert_eq!(claim(&[digest, USER, DOMAIN, IP]), from(None));
        assert_eq!(
            claim(&[("sip_authorized", "false"), digest, USER, DOMAIN, IP]),
            from(None)
        );
        assert_eq!(claim(&[AUTHORIZED, digest, IP]), from(None));
        assert_eq!(claim(&[AUTHORIZED, USER, DOMAIN, IP]), from(None));
    }

    #[test]
    fn an_address_list_proves_a_user_only_by_its_token() {
        let acl = ("sip_acl_authed_by", "domains");
        let token = ("sip_acl_token", "2001@acme.example.com");
        assert_eq!(claim(&[AUTHORIZED, acl, token, USER, DOMAIN, IP]), DEVICE);
        assert_eq!(
            claim(&[AUTHORIZED, acl, USER, DOMAIN, IP]),
            from(Some("domains"))
        );
        assert_eq!(claim(&[AUTHORIZED, acl, token, IP]), from(Some("domains")));
        assert_eq!(claim(&[acl, token, USER, DOMAIN, IP]), from(None));
    }

    #[test]
    fn sisters_are_known_by_address_or_list() {
        let sister = |node: Option<&str>| CallerClaim::Sister {
            node: node.map(|node| NodeName::new(node).unwrap()),
        };
        assert_eq!(
            claim(&[("sip_received_ip", "10.0.0.2")]),
            sister(Some("fs2"))
        );
        let acl = ("sip_acl_authed_by", "sisters");
        assert_eq!(claim(&[AUTHORIZED, acl, IP]), sister(None));
        assert_eq!(claim(&[acl, IP]), from(None));
    }

    #[test]
    fn what_the_peer_writes_proves_nothing() {
        let words = [
            ("sip_from_user", "2001"),
            ("sip_gateway", "carrier"),
            ("sip_h_X-LF-Device", "dev"),
            ("sip_network_ip", "10.0.0.2"),
            USER,
            DOMAIN,
        ];
        assert_eq!(claim(&words), CallerClaim::Untrusted);
    }

    #[test]
    fn forwarded_calls_come_through_a_loopback_only() {
        let read = |variables: &[(&str, &str)]| {
            let lookup = |name: &str| {
                let found = variables.iter().find(|(known, _)| *known == name);
                found.map(|(_, value)| *value)
            };
            ForwardedCall::read(&lookup)
        };
        let ours = [
            ("lf_account_id", "acct1"),
            ("lf_forwarded_by", "dev_b"),
            ("lf_forward_chain", "dev_a:dev_b"),
            ("lf_forward_keep", "true"),
            ("lf_forward_network", "offnet"),
        ];
        assert_eq!(read(&ours), None);
        let loopback = [&ours[..], &[("is_loopback", "1")]].concat();
        let call = read(&loopback).unwrap();
        assert_eq!(
            (call.chain.len(), call.keep_identity, call.confirmed),
            (2, true, false)
        );
        let sip = [&loopback[..], &[("sip_call_id", "x")]].concat();
        assert_eq!(read(&sip), None);
    }
}
