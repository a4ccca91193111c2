//! `${name}` in an application's argument.

use super::leg::Leg;
use super::variables::lookup;

/// Replaces `${name}` by the variable's value, once; api calls `${api(args)}` yield FreeSWITCH's denial,
/// as they do with `api-expansion=false`.
pub(super) fn expand(leg: &Leg, text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("${") {
        let (before, behind) = rest.split_at(at);
        out.push_str(before);
        let Some(end) = behind.find('}') else {
            rest = behind;
            break;
        };
        let name = behind.get(2..end).unwrap_or_default();
        if name.contains('(') {
            out.push_str("<API execute Permission Denied>");
        } else {
            out.push_str(&lookup(leg, name).unwrap_or_default());
        }
        rest = behind.get(end + 1..).unwrap_or_default();
    }
    out.push_str(rest);
    out
}

/// `^^:` at the beginning of a list names its separator; gives it and the list.
pub(super) fn list_separator(list: &str, usual: char) -> (char, &str) {
    let mut characters = list.chars();
    if characters.next() == Some('^')
        && characters.next() == Some('^')
        && let Some(separator) = characters.next()
    {
        return (separator, characters.as_str());
    }
    (usual, list)
}
