//! SIP between simulated nodes: which address leads to which other node.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Mutex;

use super::call::Handoff;
use super::lock::lock;
use super::node::DistantNode;

/// A way to another node.
#[derive(Clone)]
pub(super) struct Link {
    pub(super) to: DistantNode,
    /// Where the other node sees a call come from.
    pub(super) from: SocketAddr,
    /// What the other node's dialplan does with it.
    pub(super) handoff: Handoff,
}

/// The ways from a node to others, by address, and to the directory that it asks.
#[derive(Default)]
pub(super) struct Links(Mutex<HashMap<String, Link>>, Mutex<Option<SocketAddr>>);

impl Links {
    pub(super) fn put(&self, address: SocketAddr, link: Link) {
        lock(&self.0).insert(address.to_string(), link);
    }

    pub(super) fn asks(&self, directory: SocketAddr) {
        *lock(&self.1) = Some(directory);
    }

    pub(super) fn directory(&self) -> Option<SocketAddr> {
        *lock(&self.1)
    }

    /// The way that an INVITE to this URI takes: by its `fs_path`, else by its host.
    pub(super) fn find(&self, uri: &str) -> Option<Link> {
        let path = uri
            .split(';')
            .find_map(|part| part.strip_prefix("fs_path="));
        let path = path.map(|path| percent_encoding::percent_decode_str(path).decode_utf8_lossy());
        let (_, host) = super::sip::user_and_host(path.as_deref().unwrap_or(uri));
        lock(&self.0).get(&host).cloned()
    }
}
