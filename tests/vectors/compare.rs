//! How values of vectors compare (devices specification 10).

use std::collections::{BTreeMap, BTreeSet};

use linefinder::routing::Variables;
use linefinder::sim::dial_string::{ParsedLeg, parse};
use percent_encoding::percent_decode_str;
use serde_json::Value;

use crate::suite::Differences;

/// Variables of one block, as FreeSWITCH reads them.
pub type Block = Vec<(String, String)>;

/// What FreeSWITCH would do with a plan.
#[derive(Debug, Default)]
pub struct Actual {
    pub global: Block,
    pub aleg: Block,
    pub groups: Vec<Vec<ActualLeg>>,
    pub skipped: Vec<String>,
}

#[derive(Debug, Clone)]
pub struct ActualLeg {
    pub uri: String,
    pub user_part: Option<String>,
    pub fs_path: Option<String>,
    pub variables: Block,
}

impl Actual {
    /// Reads a rendered dial string the way FreeSWITCH does.
    pub fn read(rendered: &str, aleg: &Variables) -> Result<Self, String> {
        let parsed = parse(rendered);
        if !parsed.faults.is_empty() || !parsed.enterprise.is_empty() {
            return Err(format!("faults {:?} in {rendered}", parsed.faults));
        }
        let own = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
        let groups = parsed.groups.iter();
        Ok(Self {
            groups: groups
                .map(|legs| legs.iter().map(ActualLeg::new).collect())
                .collect(),
            global: parsed.global.clone(),
            aleg: aleg.iter().map(own).collect(),
            skipped: Vec::new(),
        })
    }

    pub fn legs(&self) -> Vec<&ActualLeg> {
        self.groups.iter().flatten().collect()
    }
}

impl ActualLeg {
    fn new(leg: &ParsedLeg) -> Self {
        let (uri, fs_path) = split_path(&leg.endpoint);
        Self {
            user_part: user_of(&uri),
            uri: normal_uri(&uri),
            fs_path: fs_path.map(|path| normal_path(&path)),
            variables: leg.variables.clone(),
        }
    }
}

/// Takes `fs_path` out of an endpoint.
pub fn split_path(endpoint: &str) -> (String, Option<String>) {
    let mut path = None;
    let mut kept = Vec::new();
    for part in endpoint.split(';') {
        match part.split_once('=') {
            Some((name, value)) if name.eq_ignore_ascii_case("fs_path") => {
                path = Some(value.to_owned());
            }
            _ => kept.push(part),
        }
    }
    (kept.join(";"), path)
}

fn user_of(uri: &str) -> Option<String> {
    let (_, rest) = uri.split_once("sip:").or_else(|| uri.split_once("sips:"))?;
    let (user, _) = rest.split_once('@')?;
    Some(percent_decode_str(user).decode_utf8_lossy().into_owned())
}

/// Parameters in any order, percent-encoding in either case.
pub fn normal_uri(uri: &str) -> String {
    let mut parts: Vec<String> = uri.split(';').map(upper_escapes).collect();
    if let Some(parameters) = parts.get_mut(1..) {
        parameters.sort();
    }
    parts.join(";")
}

fn upper_escapes(text: &str) -> String {
    let mut out = String::new();
    let mut left = 0;
    for c in text.chars() {
        out.push(if left > 0 { c.to_ascii_uppercase() } else { c });
        left = if c == '%' { 2 } else { i32::max(left - 1, 0) };
    }
    out
}

/// Decoded, without the brackets around it.
pub fn normal_path(path: &str) -> String {
    let decoded = percent_decode_str(path).decode_utf8_lossy().into_owned();
    let inner = decoded.strip_prefix('<').and_then(|p| p.strip_suffix('>'));
    inner.map_or(decoded.clone(), str::to_owned)
}

/// The value of a variable. Names compare without case, as FreeSWITCH's do.
pub fn find<'a>(block: &'a Block, name: &str) -> Option<&'a str> {
    let found = block.iter().find(|(n, _)| n.eq_ignore_ascii_case(name));
    found.map(|(_, value)| value.as_str())
}

/// A scalar as FreeSWITCH would hold it.
pub fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

pub fn same_value(name: &str, expected: &str, actual: &str) -> bool {
    match name.to_ascii_lowercase().as_str() {
        "absolute_codec_string" => codec_list(expected) == codec_list(actual),
        "origination_privacy" => tokens(expected) == tokens(actual),
        _ => expected == actual,
    }
}

/// `PCMU,G722`, or the same with another separator, `^^:PCMU:G722`.
fn codec_list(text: &str) -> Vec<&str> {
    let mut chars = text.strip_prefix("^^").unwrap_or("").chars();
    match chars.next() {
        Some(separator) => chars.as_str().split(separator).collect(),
        None => text.split(',').collect(),
    }
}

/// Runs of letters and `_`.
fn tokens(text: &str) -> BTreeSet<&str> {
    let parts = text.split(|c: char| !c.is_alphabetic() && c != '_');
    parts.filter(|part| !part.is_empty()).collect()
}

/// Expected variables are a subset; each must be there with its value.
pub fn subset(what: &str, expected: &Value, find: impl Fn(&str) -> Option<String>) -> Differences {
    let mut differences = Differences::new();
    for (name, value) in expected.as_object().into_iter().flatten() {
        let actual = find(name);
        let same = |actual: &String| same_value(name, &text(value), actual);
        if !actual.as_ref().is_some_and(same) {
            differences.push(format!("{what} {name}: expected {value}, came {actual:?}"));
        }
    }
    differences
}

/// Names that must not occur.
pub fn missing(what: &str, names: &Value, find: impl Fn(&str) -> Option<String>) -> Differences {
    let names = names.as_array().into_iter().flatten();
    let present = names.filter_map(|name| {
        let name = text(name);
        let value = find(&name)?;
        Some(format!("{what} {name}: expected none, came {value:?}"))
    });
    present.collect()
}

/// A name may occur once in a block, whatever its case.
pub fn repeated(what: &str, block: &Block) -> Differences {
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    for (name, _) in block {
        *seen.entry(name.to_ascii_lowercase()).or_default() += 1;
    }
    let repeated = seen.into_iter().filter(|(_, count)| *count > 1);
    repeated
        .map(|(name, count)| format!("{what} {name}: occurs {count} times"))
        .collect()
}
