//! Revisions as clients see them: `<n>-<32 hex>`.

use hyper::HeaderMap;
use hyper::header::IF_MATCH;
use md5::{Digest as _, Md5};

use crate::api::auth::hex;
use crate::api::context::Context;
use crate::documents::DocumentKey;
use crate::store::Revision;

/// Writes so far, and a digest that names this state of this document in this store.
#[must_use]
pub fn revision(context: &Context, key: &DocumentKey, revision: Revision) -> String {
    let mut digest = Md5::new();
    digest.update(context.store.id().as_bytes());
    digest.update(key.kind.as_str().as_bytes());
    digest.update(key.account.as_str().as_bytes());
    digest.update(b"/");
    digest.update(key.id.as_str().as_bytes());
    digest.update(revision.sequence.to_be_bytes());
    let digest: [u8; 16] = digest.finalize().into();
    format!("{}-{}", revision.count, hex(&digest))
}

/// Whether the client's `If-Match` holds for this revision; without one anything does.
#[must_use]
pub fn matches(headers: &HeaderMap, revision: &str) -> bool {
    let mut lists = headers.get_all(IF_MATCH).iter().peekable();
    if lists.peek().is_none() {
        return true;
    }
    lists
        .filter_map(|list| list.to_str().ok())
        .flat_map(|list| list.split(','))
        .any(|tag| {
            let tag = tag.trim().trim_start_matches("W/").trim_matches('"');
            tag == "*" || tag == revision
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn if_match() {
        let with = |value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(IF_MATCH, value.parse().unwrap());
            headers
        };
        assert!(matches(&HeaderMap::new(), "1-a"));
        assert!(matches(&with("\"1-a\""), "1-a"));
        assert!(matches(&with("\"0-x\", W/\"1-a\""), "1-a"));
        assert!(matches(&with("*"), "1-a"));
        assert!(!matches(&with("\"2-a\""), "1-a"));
    }
}
