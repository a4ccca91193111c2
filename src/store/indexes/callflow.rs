//! Callflows: their numbers and patterns.

use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use super::entry::{IndexEntry, Rivals};
use super::fields::strings;
use crate::documents::DocumentKey;
use crate::store::index_keys::{self, NUMBER, NUMBER_ANYWHERE, PATTERN, PATTERNS};
use crate::store::keys;

/// Patterns as JSON that fit into the index; of more only a mark is kept, which changes with them.
const PATTERNS_INLINE: usize = 2048;

const ELSEWHERE: char = '#';

/// The patterns in a `P` entry; `None` when they are to be read from the document.
pub(in crate::store) fn inline_patterns(payload: &[u8]) -> Option<Vec<String>> {
    serde_json::from_slice(payload).ok()
}

/// A callflow's patterns in document order.
pub(in crate::store) fn patterns_of(body: &Map<String, Value>) -> Vec<String> {
    strings(body, &["patterns"]).map(str::to_owned).collect()
}

/// A pattern as part of a key.
fn filed(pattern: &str) -> String {
    match keys::indexable(pattern) {
        true => pattern.to_owned(),
        false => {
            let digest = Sha256::digest(pattern);
            let digits = digest.iter().map(|byte| format!("{byte:02x}"));
            ELSEWHERE.to_string() + &digits.collect::<String>()
        }
    }
}

pub(super) fn entries(key: &DocumentKey, body: &Map<String, Value>, entries: &mut Vec<IndexEntry>) {
    let (account, id) = (key.account.as_str(), key.id.as_str());
    let numbers = strings(body, &["numbers"]);
    for number in numbers.filter(|n| keys::indexable(n)) {
        let rivals = Rivals::Under(index_keys::under(NUMBER, &[account, number]));
        let entry = index_keys::entry(NUMBER, &[account, number, id]);
        entries.push(IndexEntry::by_rule(entry, "numbers", number, vec![rivals]));
        let anywhere = index_keys::entry(NUMBER_ANYWHERE, &[number, account, id]);
        entries.push(IndexEntry::shared(anywhere));
    }
    let patterns = patterns_of(body);
    if patterns.is_empty() {
        return;
    }
    let value = serde_json::to_vec(&patterns).unwrap_or_default();
    let value = match value.len() <= PATTERNS_INLINE {
        true => value,
        false => format!("{ELSEWHERE}{:08x}", crc32fast::hash(&value)).into_bytes(),
    };
    entries.push(IndexEntry {
        key: index_keys::entry(PATTERNS, &[account, id]),
        value,
        unique: None,
    });
    for pattern in patterns {
        let filed = filed(&pattern);
        let rivals = Rivals::Under(index_keys::under(PATTERN, &[account, &filed]));
        let entry = index_keys::entry(PATTERN, &[account, &filed, id]);
        entries.push(IndexEntry::by_rule(
            entry,
            "patterns",
            pattern,
            vec![rivals],
        ));
    }
}
