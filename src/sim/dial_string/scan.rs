//! Splitting text as FreeSWITCH does: with quotes, backslashes and a separator named in front.

use super::Fault;

/// Splits at `delimiter`, or at the `X` of a leading `^^X`, into at most `most` parts (the last takes
/// the rest), and takes one level of quotes and backslashes off each part. A delimiter at the very
/// end adds no empty part; an empty text has none.
pub(super) fn separate(
    text: &[u8],
    delimiter: u8,
    most: usize,
    faults: &mut Vec<Fault>,
) -> Vec<Vec<u8>> {
    let (text, delimiter) = match text {
        [b'^', b'^', named, rest @ ..] if !rest.is_empty() => (rest, *named),
        _ => (text, delimiter),
    };
    let blank = delimiter == b' ';
    let mut parts = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let last = parts.len() + 1 == most;
        let cut = if last {
            None
        } else {
            next_delimiter(rest, delimiter, faults)
        };
        let (part, more) = rest.split_at(cut.unwrap_or(rest.len()));
        // No backslash protects a blank.
        parts.push(clean(part, (!blank).then_some(delimiter)));
        rest = match more {
            more if blank => skip_blanks(more),
            more => more.get(1..).unwrap_or_default(),
        };
    }
    parts
}

/// Where the next delimiter outside of quotes is. A quote counts only if another follows it,
/// anywhere in the text; among blanks it always counts.
fn next_delimiter(text: &[u8], delimiter: u8, faults: &mut Vec<Fault>) -> Option<usize> {
    let blank = delimiter == b' ';
    let start = if blank {
        text.len() - skip_blanks(text).len()
    } else {
        0
    };
    let mut quoted = false;
    let mut bytes = text.iter().copied().enumerate().skip(start);
    while let Some((at, byte)) = bytes.next() {
        if byte == b'\\' {
            if bytes.next().is_none() {
                faults.push(Fault::Overrun);
            }
        } else if byte == b'\'' && (quoted || blank || another_quote(text, at)) {
            quoted = !quoted;
        } else if byte == delimiter && !quoted {
            return Some(at);
        }
    }
    None
}

fn another_quote(text: &[u8], at: usize) -> bool {
    text.get(at + 1..).is_some_and(|rest| rest.contains(&b'\''))
}

/// Takes off blanks at both ends (unless quoted), paired quotes, and backslashes before a quote, the
/// delimiter, a backslash, or one of the letters that stand for a control character.
fn clean(part: &[u8], delimiter: Option<u8>) -> Vec<u8> {
    let part = skip_blanks(part);
    let mut out = Vec::with_capacity(part.len());
    let mut end = None;
    let mut quoted = false;
    let mut bytes = part.iter().copied().enumerate();
    while let Some((at, byte)) = bytes.next() {
        let escaped = if byte == b'\\' {
            part.get(at + 1)
                .and_then(|next| unescaped(*next, delimiter))
        } else {
            None
        };
        if let Some(escaped) = escaped {
            bytes.next();
            out.push(escaped);
            end = Some(out.len());
        } else if byte == b'\'' && (quoted || another_quote(part, at)) {
            quoted = !quoted;
            if quoted {
                end = Some(out.len());
            }
        } else {
            out.push(byte);
            if byte != b' ' || quoted {
                end = Some(out.len());
            }
        }
    }
    if let Some(end) = end {
        out.truncate(end);
    }
    out
}

fn unescaped(byte: u8, delimiter: Option<u8>) -> Option<u8> {
    match byte {
        b'\'' | b'"' | b'\\' => Some(byte),
        _ if delimiter == Some(byte) => Some(byte),
        b'n' => Some(b'\n'),
        b'r' => Some(b'\r'),
        b't' => Some(b'\t'),
        b's' => Some(b' '),
        _ => None,
    }
}

/// The index of the bracket that closes the one the text starts with (behind blanks), counting
/// nested ones, blind to quotes.
pub(super) fn end_paren(text: &[u8], [open, close]: [u8; 2]) -> Option<usize> {
    let start = text.len() - skip_blanks(text).len();
    let mut depth = 0_usize;
    for (at, &byte) in text.iter().enumerate().skip(start) {
        if byte == open {
            depth += 1;
        } else if byte == close {
            depth = depth.checked_sub(1)?;
        }
        if depth == 0 {
            return (byte == close).then_some(at);
        }
    }
    None
}

pub(super) fn skip_blanks(text: &[u8]) -> &[u8] {
    let blanks = text.iter().take_while(|b| **b == b' ').count();
    text.get(blanks..).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(text: &str, delimiter: u8, most: usize) -> Vec<String> {
        let parts = separate(text.as_bytes(), delimiter, most, &mut Vec::new()).into_iter();
        parts.map(|p| String::from_utf8(p).unwrap()).collect()
    }

    #[test]
    fn separators_quotes_and_backslashes() {
        assert_eq!(split("a, b ,c,", b',', 9), ["a", "b", "c"]);
        assert_eq!(split("a,,b", b',', 9), ["a", "", "b"]);
        assert_eq!(split("a,b,c", b',', 2), ["a", "b,c"]);
        assert_eq!(split("^^:a:b,c", b',', 9), ["a", "b,c"]);
        assert_eq!(
            split("^^:", b',', 9),
            ["^^:"],
            "a separator and nothing else"
        );
        assert_eq!(split("'a,b',' c '", b',', 9), ["a,b", " c "]);
        assert_eq!(split("a'b,c", b',', 9), ["a'b", "c"], "a lone quote stays");
        assert_eq!(split("a'b,c'd", b',', 9), ["ab,cd"]);
        assert_eq!(split(r"a\,b,c\n\x\\", b',', 9), ["a,b", "c\n\\x\\"]);
        assert_eq!(split("a\\", b',', 9), ["a\\"]);
        assert_eq!(split("^^  a  'b c' d ", b',', 9), ["a", "b c", "d"]);
        assert!(split("", b',', 9).is_empty());
    }

    #[test]
    fn closing_brackets() {
        let end = |text: &str| end_paren(text.as_bytes(), *b"[]");
        assert_eq!(end("[a[b]c]d"), Some(6));
        assert_eq!(end("  [a]"), Some(4));
        assert_eq!(end("[a[b]"), None);
        assert_eq!(end("a]"), None);
        assert_eq!(end("]"), None);
        assert_eq!(end(""), None);
    }
}
