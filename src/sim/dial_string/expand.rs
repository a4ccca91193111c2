//! The first pass: `${...}` in the argument of an application.

use super::{Fault, lossy};

/// Does what the pass does to the text around variables. A variable itself is reported and yields
/// nothing, as an unset one does.
///
/// The pass leaves a text alone that holds neither `${` nor a backslash before one of `\ n s t '`.
pub(super) fn expand(text: &[u8], faults: &mut Vec<Fault>) -> Vec<u8> {
    if !names_a_variable(text) && !has_escapes(text) {
        return text.to_vec();
    }
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let [byte, after @ ..] = rest {
        rest = match rest {
            [b'\\', b'$', b'$', after @ ..] | [b'\\', b'$', after @ ..] => {
                out.push(b'$');
                after
            }
            [b'\\', b'\'', after @ ..] => after,
            [b'\\', b'\\', after @ ..] => {
                out.push(b'\\');
                after
            }
            [b'$', b'$', b'{', inside @ ..] | [b'$', b'{', inside @ ..] => {
                let (name, after) = variable(inside);
                faults.push(Fault::Expansion(lossy(name)));
                // The byte behind the brace is copied without a look, unless it is a dollar.
                match after {
                    [b'$', ..] | [] => after,
                    [next, after @ ..] => {
                        out.push(*next);
                        after
                    }
                }
            }
            [b'$', b'$', after @ ..] => {
                out.push(b'$');
                after
            }
            _ => {
                out.push(*byte);
                after
            }
        };
    }
    out
}

/// A `$`, perhaps backslashes, then `{`.
fn names_a_variable(text: &[u8]) -> bool {
    let mut dollar = false;
    for byte in text {
        match byte {
            b'$' => dollar = true,
            b'{' if dollar => return true,
            b'\\' => {}
            _ => dollar = false,
        }
    }
    false
}

fn has_escapes(text: &[u8]) -> bool {
    let escape = |pair: &[u8]| matches!(pair, [b'\\', b'\\' | b'n' | b's' | b't' | b'\'']);
    text.windows(2).any(escape)
}

/// Up to the brace that closes, counting nested ones, but not one at the very start.
fn variable(inside: &[u8]) -> (&[u8], &[u8]) {
    let mut depth = 1_usize;
    for (at, byte) in inside.iter().enumerate() {
        match byte {
            b'{' if at > 0 => depth += 1,
            b'}' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            let (name, rest) = inside.split_at(at);
            return (name, rest.get(1..).unwrap_or_default());
        }
    }
    (inside, &[])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expanded(text: &str) -> (String, Vec<Fault>) {
        let mut faults = Vec::new();
        let out = expand(text.as_bytes(), &mut faults);
        (String::from_utf8(out).unwrap(), faults)
    }

    #[test]
    fn variables_are_reported() {
        let fault = |text: &str| vec![Fault::Expansion(text.to_owned())];
        assert_eq!(expanded("a${b}c"), ("ac".into(), fault("b")));
        assert_eq!(expanded("a$${b}c"), ("ac".into(), fault("b")));
        assert_eq!(expanded("${a{b}c}d"), ("d".into(), fault("a{b}c")));
        assert_eq!(
            expanded("${system(id)}"),
            (String::new(), fault("system(id)"))
        );
        assert_eq!(expanded("a${b"), ("a".into(), fault("b")));
    }

    #[test]
    fn text_without_variables_stays() {
        for text in ["a", "$a{b}", "a\\,b", "it's", "$"] {
            assert_eq!(expanded(text), (text.into(), vec![]));
        }
        assert_eq!(expanded(r"a\'b\\c\${d}").0, r"ab\c${d}");
    }
}
