//! Regular expressions that operators write, compiled once, and what a match makes of a number.

use std::sync::{Arc, LazyLock};

use quick_cache::sync::Cache;
use regex::{Regex, RegexBuilder};
use serde::{Deserialize, Serialize};

/// Distinct patterns kept compiled. Tenants share most of theirs; a pattern takes a few kB.
const CACHED_PATTERNS: usize = 4096;

/// Bytes that one compiled pattern may take: enough for any number rule, and a bound on what a
/// document can make the daemon hold.
const PATTERN_BYTES: usize = 256 * 1024;

static CACHE: LazyLock<Cache<String, Option<Arc<Regex>>>> =
    LazyLock::new(|| Cache::new(CACHED_PATTERNS));

/// The compiled pattern, or None if it is no regular expression (also remembered).
pub(crate) fn compiled(pattern: &str) -> Option<Arc<Regex>> {
    if let Some(known) = CACHE.get(pattern) {
        return known;
    }
    let regex = RegexBuilder::new(pattern).size_limit(PATTERN_BYTES).build();
    if let Err(error) = &regex {
        tracing::warn!(pattern, %error, "a number pattern is no regular expression and is skipped");
    }
    let regex = regex.ok().map(Arc::new);
    CACHE.insert(pattern.to_owned(), regex.clone());
    regex
}

/// What a match puts around the root of a number.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Affixes {
    pub prefix: String,
    pub suffix: String,
}

impl Affixes {
    /// `prefix` + root + `suffix` if the pattern matches. The root is the last capture group that
    /// took part in the match, or the whole match if none did.
    pub(super) fn apply(&self, regex: &Regex, number: &str) -> Option<String> {
        let captures = regex.captures(number)?;
        let root = captures.iter().flatten().last()?.as_str();
        Some([&self.prefix, root, &self.suffix].concat())
    }
}
