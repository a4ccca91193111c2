//! Makes values of outside origin safe inside a dial string.
//!
//! FreeSWITCH parses a dial string in several passes, each of which removes one level of quotes and
//! backslashes, and runs `${...}` before the first (device specification 2.2). Escaping would have
//! to survive all of them, so nothing is escaped: every kind of value has a rule that says what may
//! stay in it.

use std::borrow::Cow;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode, utf8_percent_encode};

/// Names and numbers are cut here; phones show less.
const SHOWN_CHARACTERS: usize = 35;

/// What a caller or callee name becomes when nothing of it may stay. FreeSWITCH does not set a
/// variable that is empty, and the A-leg's raw name would show through; this word means "no name".
pub const NO_NAME: &str = "_undef_";

/// Headers that the SIP stack writes itself. A second Contact or a Route really goes out.
const STACK_OWNED: [&str; 22] = [
    "via",
    "from",
    "to",
    "call-id",
    "cseq",
    "contact",
    "route",
    "record-route",
    "max-forwards",
    "content-type",
    "content-length",
    "content-encoding",
    "authorization",
    "proxy-authorization",
    "supported",
    "require",
    "proxy-require",
    "allow",
    "session-expires",
    "min-se",
    "expires",
    "path",
];

/// Rule 6: what a user part holds unencoded.
const USER_PART: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'!')
    .remove(b'~')
    .remove(b'*')
    .remove(b'(')
    .remove(b')')
    .remove(b'+');

/// What an encoded `fs_path` holds unencoded: mod_sofia cuts the raw value at `;` and `>`.
const COMPLETE: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~');

/// A caller's or callee's name (rule 1): letters and digits of any script, `_`, `-` and single
/// blanks, at most 35 characters. `None` for an empty name, [`NO_NAME`] if nothing may stay.
///
/// `%` must not stay: mod_sofia decodes names once more, and `%0d%0a` would end the From header.
#[must_use]
pub fn display_name(name: &str) -> Option<String> {
    if name.is_empty() {
        return None;
    }
    let mut clean = String::with_capacity(name.len().min(4 * SHOWN_CHARACTERS));
    let mut length = 0;
    let mut blank = false;
    for c in name.chars() {
        if c.is_whitespace() {
            blank = length > 0;
        } else if c.is_alphanumeric() || matches!(c, '_' | '-') {
            // A blank takes a place of its own, and is not left behind at the cut.
            if length + usize::from(blank) >= SHOWN_CHARACTERS {
                break;
            }
            if std::mem::take(&mut blank) {
                clean.push(' ');
                length += 1;
            }
            clean.push(c);
            length += 1;
        }
    }
    if clean.is_empty() {
        clean.push_str(NO_NAME);
    }
    Some(clean)
}

/// Whether a character may stand in a caller's, callee's or forwarding number (rule 2).
#[must_use]
pub const fn is_number_character(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '+' | '*' | '#' | '.' | '_' | '-')
}

/// A caller's, callee's or forwarding number (rule 2), at most 35 characters, perhaps empty.
#[must_use]
pub fn number(number: &str) -> String {
    let kept = number.chars().filter(|c| is_number_character(*c));
    kept.take(SHOWN_CHARACTERS).collect()
}

/// Free text (rule 3): header values, alert info, media paths, presence ids, realms.
///
/// Borrowed if it is clean as it is, which is the rule.
#[must_use]
pub fn free_text(text: &str) -> Cow<'_, str> {
    let clean = if text.chars().any(is_refused_in_text) {
        Cow::Owned(text.chars().filter(|c| !is_refused_in_text(*c)).collect())
    } else {
        Cow::Borrowed(text)
    };
    match clean {
        Cow::Borrowed(text) if !text.contains(":_:") => Cow::Borrowed(without_array(text)),
        other => Cow::Owned(without_array(&without_enterprise(other.into_owned())).to_owned()),
    }
}

/// Control characters (of both ranges), what a lossy decoder makes of invalid UTF-8, and the
/// characters that a pass of FreeSWITCH's parser acts on.
fn is_refused_in_text(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{FFFD}' | '\\' | '\'' | '[' | ']' | '{' | '}' | '|' | '$' | '^'
        )
}

/// `:_:` anywhere turns the whole dial string into an enterprise originate; taking one out can
/// join the next.
fn without_enterprise(mut text: String) -> String {
    while text.contains(":_:") {
        text = text.replace(":_:", "::");
    }
    text
}

/// A value that starts so is stored as a list.
fn without_array(text: &str) -> &str {
    let mut text = text.trim();
    while let Some(rest) = text.strip_prefix("ARRAY::") {
        text = rest.trim();
    }
    text
}

/// Whether a SIP header of this name may be set (rule 4): 1 to 64 letters, digits, `_` and `-`, and
/// none that the SIP stack writes itself.
#[must_use]
pub fn is_header_name(name: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-');
    (1..=64).contains(&name.len())
        && name.bytes().all(allowed)
        && !STACK_OWNED
            .iter()
            .any(|owned| name.eq_ignore_ascii_case(owned))
}

/// The user part of a request URI (rule 6); `#` becomes `%23`.
#[must_use]
pub fn user_part(user: &str) -> Cow<'_, str> {
    utf8_percent_encode(user, USER_PART).into()
}

/// Percent-encodes all that is not a letter, a digit or one of `- _ . ~`, for the value of
/// `fs_path`.
#[must_use]
pub fn complete(bytes: &[u8]) -> Cow<'_, str> {
    percent_encode(bytes, COMPLETE).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names_keep_letters_of_any_script_and_single_blanks() {
        for (raw, clean) in [
            ("O'Brien, Pat", "OBrien Pat"),
            ("  a \t b\r\n", "a b"),
            ("Jürgen Müller", "Jürgen Müller"),
            ("${system(id)}", "systemid"),
            ("a%0d%0aX-Evil: 1", "a0d0aX-Evil 1"),
            ("x]sofia/gateway/toll/900,", "xsofiagatewaytoll900"),
            ("\"]['", NO_NAME),
            (" ", NO_NAME),
            ("😀", NO_NAME),
            ("田中 太郎😀", "田中 太郎"),
        ] {
            assert_eq!(display_name(raw).as_deref(), Some(clean), "{raw:?}");
        }
        assert_eq!(display_name(""), None);
    }

    #[test]
    fn a_name_is_cut_at_35_characters_without_a_blank_at_the_end() {
        let long = format!("{} b", "ä".repeat(34));
        assert_eq!(display_name(&long).unwrap(), "ä".repeat(34));
        assert_eq!(display_name(&"x".repeat(99)).unwrap().len(), 35);
    }

    #[test]
    fn numbers_keep_what_a_phone_can_dial() {
        assert_eq!(number("+1 (415) 555-0123;x=%0d"), "+1415555-0123x0d");
        assert_eq!(number(&"1".repeat(99)).len(), 35);
        assert_eq!(number("'/@"), "");
    }

    #[test]
    fn free_text_loses_what_a_parser_pass_acts_on() {
        for (raw, clean) in [
            ("blue, green", "blue, green"),
            ("a\r\nX-Evil: 1", "aX-Evil: 1"),
            ("a]b[c{d}e|f$g^h'i\\j", "abcdefghij"),
            ("a:_:_:b", "a:::b"),
            ("a:[_']:b", "a::b"),
            (" ARRAY:: ARRAY::ARRAY::x|:y", "x:y"),
            ("ARRAY$::x", "x"),
            ("a\u{FFFD}b\u{85}", "ab"),
            ("\"A\" <sip:a@b>;c=d", "\"A\" <sip:a@b>;c=d"),
            ("${x}", "x"),
            ("ARRAY::", ""),
        ] {
            assert_eq!(free_text(raw), clean, "{raw:?}");
        }
        assert!(matches!(free_text("plain"), Cow::Borrowed(_)));
    }

    #[test]
    fn header_names_of_the_stack_are_refused_in_any_case() {
        assert!(is_header_name("X-Tenant_1"));
        assert!(is_header_name(&"x".repeat(64)));
        for bad in ["", "X Bad", "a:b", "Via", "CONTACT", "route", "Täg", "a`b"] {
            assert!(!is_header_name(bad), "{bad:?}");
        }
        assert!(!is_header_name(&"x".repeat(65)));
    }

    #[test]
    fn user_parts_and_paths_are_encoded() {
        assert_eq!(user_part("*98#"), "*98%23");
        assert_eq!(user_part("+1(415)~a@b;c"), "+1(415)~a%40b%3Bc");
        assert_eq!(complete(b"<sip:e;lr>"), "%3Csip%3Ae%3Blr%3E");
    }

    proptest! {
        #[test]
        fn cleaning_twice_changes_nothing(text in "(\\PC|[:_ARY'\\[\\]\\x00-\\x20]){0,60}") {
            let once = free_text(&text).into_owned();
            prop_assert_eq!(free_text(&once).into_owned(), once.clone());
            prop_assert!(!once.contains(":_:") && !once.starts_with("ARRAY::"));
            if let Some(once) = display_name(&text) {
                prop_assert_eq!(display_name(&once), Some(once));
            }
            prop_assert_eq!(number(&number(&text)), number(&text));
        }
    }
}
