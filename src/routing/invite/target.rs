//! A request URI under construction: the URI itself and the `fs_path` that mod_sofia sends it
//! along.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;

use crate::routing::clean;
use crate::routing::dial_string::{InvalidUri, uri};
use crate::types::Transport;

const FS_PATH: &str = ";fs_path=";

/// `base` is everything but `fs_path`; `path` is decoded.
#[derive(Debug, Clone)]
pub(super) struct Target {
    base: String,
    path: Option<String>,
}

impl Target {
    /// Takes a URI with its scheme apart. `fs_path` is the last parameter. Encoded, it ends at the
    /// next `;`; decoded by a plain event it takes all that follows (device specification 3.6).
    pub(super) fn parse(text: &str) -> Result<Self, InvalidUri> {
        let Some(at) = find_ignoring_case(text, FS_PATH) else {
            return Self::new(text.to_owned(), None);
        };
        let base = text.get(..at).unwrap_or_default();
        let value = text.get(at + FS_PATH.len()..).unwrap_or_default();
        let (first, more) = value.split_at(value.find(';').unwrap_or(value.len()));
        if first.contains(':') {
            return Self::new(base.to_owned(), Some(value.to_owned()));
        }
        let decoded = percent_decode_str(first).decode_utf8();
        let decoded = decoded.map_err(|_| InvalidUri::Character('\u{FFFD}'))?;
        Self::new([base, more].concat(), Some(decoded.into_owned()))
    }

    fn new(base: String, path: Option<String>) -> Result<Self, InvalidUri> {
        let path = path.filter(|path| !path.is_empty());
        // mod_sofia decodes the path again before it becomes a Route header.
        if let Some(c) = path.iter().flat_map(|p| p.chars()).find(|c| c.is_control()) {
            return Err(InvalidUri::Character(c));
        }
        let target = Self { base, path };
        match target.host() {
            Some(host) if !host.is_empty() => Ok(target),
            _ => Err(InvalidUri::Missing("host")),
        }
    }

    fn host(&self) -> Option<&str> {
        let rest = uri::without_scheme(&self.base)?;
        let rest = rest.split_once('@').map_or(rest, |(_, host)| host);
        rest.split([':', ';', '?']).next()
    }

    pub(super) fn has_user(&self) -> bool {
        self.base.contains('@')
    }

    /// Behind an edge proxy, which owns the connection to the phone; with `fs_nat` the path is the
    /// phone's own address as its node saw it.
    pub(super) fn is_behind_edge_proxy(&self) -> bool {
        self.path.is_some() && find_ignoring_case(&self.base, ";fs_nat=yes").is_none()
    }

    /// Puts an encoded user in front of the host, in place of the one before the first `@`.
    pub(super) fn replace_user(&mut self, user: &str) {
        let rest = uri::without_scheme(&self.base).unwrap_or_default();
        let scheme = self
            .base
            .get(..self.base.len() - rest.len())
            .unwrap_or_default();
        let host = rest.split_once('@').map_or(rest, |(_, host)| host);
        self.base = [scheme, user, "@", host].concat();
    }

    /// Sends the INVITE to a proxy; the request URI stays. A path with parameters is enclosed, or
    /// they would end up outside the Route header's URI.
    pub(super) fn set_path(&mut self, proxy: &str) -> Result<(), InvalidUri> {
        let proxy = if proxy.starts_with('<') {
            Cow::Borrowed(proxy)
        } else {
            match with_scheme(proxy) {
                uri if uri.contains(';') => Cow::Owned(format!("<{uri}>")),
                uri => uri,
            }
        };
        if let Some(c) = proxy.chars().find(|c| c.is_control() || c.is_whitespace()) {
            return Err(InvalidUri::Character(c));
        }
        self.path = Some(proxy.into_owned());
        Ok(())
    }

    /// Writes the transport into the request URI and, as mod_sofia then takes it from there, into
    /// the path.
    pub(super) fn set_transport(&mut self, transport: Transport) {
        self.base = with_transport(&self.base, transport);
        self.path = self.path.take().map(|path| {
            let first = path.strip_prefix('<').and_then(|p| p.split_once('>'));
            match first {
                Some((first, rest)) => format!("<{}>{rest}", with_transport(first, transport)),
                None => format!("<{}>", with_transport(&path, transport)),
            }
        });
    }

    /// The URI as it is dialled. The path is encoded completely and stands last, as mod_sofia cuts
    /// it at `;` and `>`.
    pub(super) fn render(self) -> String {
        let mut text = self.base;
        if let Some(path) = self.path {
            text.push_str(FS_PATH);
            text.push_str(&clean::complete(path.as_bytes()));
        }
        text
    }
}

/// Adds `sip:` unless there is a scheme.
pub(super) fn with_scheme(text: &str) -> Cow<'_, str> {
    match uri::without_scheme(text) {
        Some(_) => Cow::Borrowed(text),
        None => Cow::Owned(format!("sip:{text}")),
    }
}

/// The URI with this transport and no other; URI headers (`?...`) stay last.
fn with_transport(text: &str, transport: Transport) -> String {
    let host = text.find('@').unwrap_or_default();
    let (user, rest) = text.split_at(host);
    let (address, headers) = rest.split_at(rest.find('?').unwrap_or(rest.len()));
    let mut parts = address.split(';');
    let mut out = [user, parts.next().unwrap_or_default()].concat();
    for parameter in parts {
        let name = parameter.split('=').next().unwrap_or_default();
        if !name.trim().eq_ignore_ascii_case("transport") {
            out.push(';');
            out.push_str(parameter);
        }
    }
    out.push_str(";transport=");
    out.push_str(transport.as_str());
    out.push_str(headers);
    out
}

fn find_ignoring_case(text: &str, needle: &str) -> Option<usize> {
    let windows = text.as_bytes().windows(needle.len());
    let mut at = windows.enumerate();
    at.find(|(_, window)| window.eq_ignore_ascii_case(needle.as_bytes()))
        .map(|(at, _)| at)
}
