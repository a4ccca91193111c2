//! From what a device says about its SIP side to the endpoint that is dialled (device
//! specification 3).

mod contact;
mod target;

use std::collections::BTreeMap;

pub use contact::Contact;
use target::Target;

use super::clean;
use super::dial_string::{Endpoint, InvalidUri, uri};
use super::numbers::{Normalizer, npan, one_npan};
use super::plan::LegError;
use crate::documents::Registration;
use crate::types::{InviteFormat, NodeName, Transport};

/// What of device, call and settings bears on the request URI. Blank texts count as absent.
#[derive(Debug, Clone)]
pub struct InviteInput<'a> {
    /// `sip.invite_format`.
    pub format: InviteFormat,
    /// `sip.username`.
    pub username: Option<&'a str>,
    /// The action's `static_invite`, else `sip.static_invite`.
    pub static_invite: Option<&'a str>,
    /// `sip.static_route`.
    pub static_route: Option<&'a str>,
    /// `sip.number`.
    pub number: Option<&'a str>,
    /// `sip.route`.
    pub route: Option<&'a str>,
    /// `sip.ip`, perhaps with a port.
    pub ip: Option<&'a str>,
    /// `sip.method` is `ip`: a registration does not count.
    pub by_ip_only: bool,
    /// `sip.proxy`.
    pub proxy: Option<&'a str>,
    /// `sip.forward`.
    pub forward: Option<&'a str>,
    /// `sip.transport`; an unknown word is ignored.
    pub transport: Option<&'a str>,
    /// `sip.custom_sip_interface`.
    pub profile: Option<&'a str>,
    /// `sip.realm`, else the account's; absent, the registration's counts.
    pub realm: Option<&'a str>,
    /// The user part that the caller dialled, raw; empty if there is none.
    pub dialed: &'a str,
    /// The account's number rules.
    pub normalizer: &'a Normalizer,
    /// Setting `sip_profile`.
    pub default_profile: &'a str,
    /// Setting `forward_context`, for a route through the loopback.
    pub forward_context: &'a str,
    /// The node that runs the call.
    pub node: &'a str,
    /// Setting `nodes`: how sister nodes are reached, `host:port`.
    pub nodes: &'a BTreeMap<NodeName, String>,
}

/// One registered contact of the device's address of record.
#[derive(Debug, Clone, Copy)]
pub struct Binding<'a> {
    pub node: &'a str,
    pub profile: &'a str,
    pub user: &'a str,
    pub realm: &'a str,
    /// As FreeSWITCH tells it, with or without display name, from a plain or a JSON event.
    pub contact: &'a str,
}

impl<'a> From<&'a Registration> for Binding<'a> {
    fn from(registration: &'a Registration) -> Self {
        Self {
            node: registration.node.as_str(),
            profile: &registration.profile,
            user: &registration.user,
            realm: &registration.realm,
            contact: &registration.contact,
        }
    }
}

/// Where the INVITE goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invite {
    pub endpoint: Endpoint,
    /// For the leg variable `sip_route_uri` (`sip.forward`), already checked: it overrides any
    /// `fs_path` and adds no Route header.
    pub route_uri: Option<String>,
    /// The leg only reaches the sister node that holds the registration; codecs, headers,
    /// ringtones and the like are that node's business.
    pub via_sister_node: bool,
}

impl Invite {
    fn to(endpoint: Endpoint) -> Self {
        Self {
            endpoint,
            route_uri: None,
            via_sister_node: false,
        }
    }
}

impl From<InvalidUri> for LegError {
    fn from(_: InvalidUri) -> Self {
        LegError::InvalidUri
    }
}

/// Where a device is called, with one of its contacts or none.
///
/// # Errors
/// `no_route` (format `route` without a route), `invalid_uri` (something that can't be dialled as
/// it is written), `not_registered` (no address: neither static nor a contact, or the contact is
/// at a node whose SIP address is not in the settings).
pub fn endpoint(
    input: &InviteInput<'_>,
    binding: Option<&Binding<'_>>,
) -> Result<Invite, LegError> {
    match input.place() {
        Place::Route(route) => input.by_route(route.ok_or(LegError::NoRoute)?),
        Place::Address(ip) => input.by_address(ip),
        Place::Nowhere => Err(LegError::NotRegistered),
        Place::Contact => input.by_contact(binding.ok_or(LegError::NotRegistered)?),
    }
}

/// All endpoints at which a device is called: one for a route or a static address, else one for
/// each live contact, newest first. Times are Unix seconds; `grace_s` is how long a lapsed
/// registration still counts.
///
/// Several contacts at one sister node give one leg, as that node rings them all.
///
/// # Errors
/// As [`endpoint`], if no contact can be dialled: that of the newest.
pub fn endpoints(
    input: &InviteInput<'_>,
    registrations: &[Registration],
    now: i64,
    grace_s: i64,
) -> Result<Vec<Invite>, LegError> {
    if !matches!(input.place(), Place::Contact) {
        return endpoint(input, None).map(|invite| vec![invite]);
    }
    let alive = |r: &&Registration| r.expires_at.saturating_add(grace_s) >= now;
    let mut live: Vec<_> = registrations.iter().filter(alive).collect();
    live.sort_by_key(|r| std::cmp::Reverse(r.updated_ms));
    let mut invites: Vec<Invite> = Vec::with_capacity(live.len());
    let mut refused = None;
    for registration in live {
        match input.by_contact(&Binding::from(registration)) {
            Ok(invite) if invites.contains(&invite) => {}
            Ok(invite) => invites.push(invite),
            Err(error) => refused = refused.or(Some(error)),
        }
    }
    if invites.is_empty() {
        return Err(refused.unwrap_or(LegError::NotRegistered));
    }
    Ok(invites)
}

/// Where the host of the request URI comes from (device specification 3.2).
enum Place<'a> {
    Route(Option<&'a str>),
    Address(&'a str),
    Contact,
    Nowhere,
}

impl<'a> InviteInput<'a> {
    /// Whether this device is found by its registrations alone.
    #[must_use]
    pub fn needs_registration(&self) -> bool {
        matches!(self.place(), Place::Contact | Place::Nowhere)
    }

    fn place(&self) -> Place<'a> {
        if self.format == InviteFormat::Route {
            return Place::Route(given(self.route));
        }
        let is_uri = |route: &&str| route.contains('@') || uri::without_scheme(route).is_some();
        if let Some(route) = given(self.static_route).filter(is_uri) {
            return Place::Route(Some(route));
        }
        match given(self.ip) {
            Some(ip) => Place::Address(ip),
            None if self.by_ip_only => Place::Nowhere,
            None => Place::Contact,
        }
    }

    /// Specification 3.5. The document chooses a SIP address, a number in our own context, or a
    /// sofia endpoint; never an application or another context.
    fn by_route(&self, route: &str) -> Result<Invite, LegError> {
        if let Some(number) = route.strip_prefix("loopback/") {
            let endpoint = Endpoint::loopback(number, self.forward_context)?;
            return Ok(Invite::to(endpoint));
        }
        if route.starts_with("sofia/") {
            return self.forwarded(Endpoint::sofia_route(route)?);
        }
        let target = match uri::without_scheme(route) {
            Some(_) => Target::parse(route)?,
            None if route.contains('/') => return Err(LegError::InvalidUri),
            None => Target::parse(&format!("sip:{route}"))?,
        };
        self.finish(target, self.profile_or(None))
    }

    fn by_address(&self, ip: &str) -> Result<Invite, LegError> {
        let ip = uri::without_scheme(ip).unwrap_or(ip);
        if ip.contains(['@', '/', '?']) {
            return Err(LegError::InvalidUri);
        }
        let host = match ip.parse::<std::net::Ipv6Addr>() {
            Ok(_) => format!("sip:[{ip}]"),
            Err(_) => format!("sip:{ip}"),
        };
        let mut target = Target::parse(&host)?;
        if let Some(user) = self.user_part().or_else(|| self.user_of_its_own()) {
            target.replace_user(&user);
        }
        self.finish(target, self.profile_or(None))
    }

    fn by_contact(&self, binding: &Binding<'_>) -> Result<Invite, LegError> {
        let contact = Contact::parse(binding.contact)?;
        let mut target = Target::parse(contact.uri())?;
        let profile = self.profile_or(given(Some(binding.profile)));
        if binding.node != self.node && !target.is_behind_edge_proxy() {
            return self.by_sister_node(binding, profile);
        }
        // A contact's own user stays unless the format has another; without one it gets one.
        let user = self.user_part();
        let own = || (!target.has_user()).then(|| self.user_of_its_own())?;
        if let Some(user) = user.or_else(own) {
            target.replace_user(&user);
        }
        self.finish(target, profile)
    }

    /// The pinhole or connection to the phone belongs to the registering node, so the INVITE goes
    /// there, and that node's daemon dials the phone. Nothing of the device applies on this hop.
    fn by_sister_node(&self, binding: &Binding<'_>, profile: &str) -> Result<Invite, LegError> {
        let address = self.nodes.iter().find(|(n, _)| n.as_str() == binding.node);
        let address = given(address.map(|(_, address)| address.as_str()));
        let address = address.ok_or(LegError::NotRegistered)?;
        let user = given(self.username).unwrap_or(binding.user);
        let realm = given(self.realm).unwrap_or(binding.realm);
        let mut target = Target::parse(&format!("sip:{}@{realm}", clean::user_part(user)))?;
        target.set_path(address)?;
        Ok(Invite {
            via_sister_node: true,
            ..Invite::to(Endpoint::sofia(profile, &target.render())?)
        })
    }

    /// Proxy, transport and forward (specification 3.3).
    fn finish(&self, mut target: Target, profile: &str) -> Result<Invite, LegError> {
        if let Some(proxy) = given(self.proxy) {
            target.set_path(proxy)?;
        }
        if let Some(Ok(transport)) = given(self.transport).map(str::parse::<Transport>) {
            target.set_transport(transport);
        }
        self.forwarded(Endpoint::sofia(profile, &target.render())?)
    }

    fn forwarded(&self, endpoint: Endpoint) -> Result<Invite, LegError> {
        let mut invite = Invite::to(endpoint);
        if let Some(forward) = given(self.forward) {
            let route = target::with_scheme(forward).into_owned();
            uri::check(&route)?;
            invite.route_uri = Some(route);
        }
        Ok(invite)
    }

    fn profile_or<'b>(&'b self, registered: Option<&'b str>) -> &'b str {
        let custom = given(self.profile).map(|p| p.strip_prefix("sofia/").unwrap_or(p));
        let custom = given(custom.map(|p| p.strip_suffix('/').unwrap_or(p)));
        custom.or(registered).unwrap_or(self.default_profile)
    }

    /// The user part that the format asks for, encoded; None if the contact's own stays.
    fn user_part(&self) -> Option<String> {
        if let Some(user) = given(self.static_route) {
            return Some(clean::user_part(user).into_owned());
        }
        let user = match self.format {
            InviteFormat::Username => given(self.static_invite)
                .or_else(|| given(self.username))
                .or_else(|| self.to_did())?
                .into(),
            InviteFormat::Npan => npan(self.to_did()?).into(),
            InviteFormat::OneNpan => one_npan(self.to_did()?),
            InviteFormat::E164 => self.normalizer.e164(self.to_did()?),
            InviteFormat::StripPlus => self.normalizer.strip_plus(self.to_did()?),
            InviteFormat::Contact | InviteFormat::Route => return None,
        };
        Some(clean::user_part(&user).into_owned())
    }

    /// For an address that has no user: the number dialled, else the name.
    fn user_of_its_own(&self) -> Option<String> {
        let user = self.to_did().or_else(|| given(self.username))?;
        Some(clean::user_part(user).into_owned())
    }

    fn to_did(&self) -> Option<&'a str> {
        given(self.number).or_else(|| given(Some(self.dialed)))
    }
}

fn given(text: Option<&str>) -> Option<&str> {
    text.map(str::trim).filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests;
