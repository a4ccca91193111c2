//! A call that asks for a decision.

use std::net::IpAddr;

use super::super::caller::Lookup;
use super::super::{Privacy, Settings};
use super::world::Place;
use crate::types::NodeName;

/// A name and a number, as they came or as they are shown; empty if there is none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Party {
    pub name: String,
    pub number: String,
}

/// Credentials that FreeSWITCH has verified.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Digest<'a> {
    pub user: &'a str,
    pub realm: &'a str,
}

/// What is established about where a call comes from.
#[derive(Debug, Clone, Copy, Default)]
pub struct Source<'a> {
    /// Only with `sip_auth_username`: a source on an address list is never challenged, and what it
    /// sends stays unverified.
    pub digest: Option<Digest<'a>>,
    /// A server of which the leg itself is known to be.
    pub server: Option<&'a Place>,
    /// Address and port that the call came from.
    pub address: Option<(IpAddr, u16)>,
    /// The host in From: anybody can write it.
    pub from_host: Option<&'a str>,
    /// It comes from a carrier for sure, known or not: from a sister node that has let it in.
    pub trusted: bool,
}

/// A call as routing needs it.
#[derive(Clone, Copy)]
pub struct Request<'a> {
    pub settings: &'a Settings,
    pub node: &'a NodeName,
    /// The sofia profile of the A-leg.
    pub profile: Option<&'a str>,
    pub source: Source<'a>,
    /// As it arrived: From, or what the carrier asserts.
    pub caller: &'a Party,
    pub privacy: Privacy,
    /// The user of the Request-URI, raw.
    pub request_user: &'a str,
    /// The user of the To header, raw.
    pub to_user: &'a str,
    /// The user of the From header, raw.
    pub from_user: &'a str,
    /// Headers of the call by name: `Diversion`, `X-..`.
    pub headers: &'a [(String, String)],
    /// Variables of the A-leg.
    pub variable: Lookup<'a, 'a>,
    /// Unix time, seconds.
    pub now: i64,
    /// A random number, drawn by the caller so that the decision stays pure.
    pub seed: u64,
}

impl<'a> Request<'a> {
    /// The first header of that name, in any case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&'a str> {
        let headers = self.headers;
        let mut named = headers.iter().filter(|(n, _)| n.eq_ignore_ascii_case(name));
        named.next().map(|(_, value)| value.as_str())
    }

    /// The settings of trunks.
    #[must_use]
    pub const fn trunk(&self) -> &'a super::Settings {
        &self.settings.trunk
    }
}
