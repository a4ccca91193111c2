//! The body of a `text/event-json`: one flat object of strings and arrays of strings.
//!
//! Read by hand because FreeSWITCH copies bytes that are not UTF-8 through unescaped (capture fact 17)
//! and repeats keys (esl spec 1.3), both of which a JSON library refuses.

use super::Event;
use super::event::Builder;

/// None if the bytes are not one JSON object.
pub(super) fn parse(bytes: &[u8]) -> Option<Event> {
    let mut input = Input { rest: bytes };
    let mut event = Builder::default();
    let mut body = None;
    input.expect(b'{')?;
    if input.peek()? == b'}' {
        input.expect(b'}')?;
    } else {
        loop {
            let key = input.string()?;
            input.expect(b':')?;
            match input.peek()? {
                b'[' => event.list(&key, &input.list()?),
                _ if key == b"_body" => body = Some(input.scalar()?),
                _ => event.header(&key, &input.scalar()?),
            }
            match input.next()? {
                b',' => {}
                b'}' => break,
                _ => return None,
            }
        }
    }
    if !input.rest.trim_ascii().is_empty() {
        return None;
    }
    if let Some(body) = body {
        event.body(&body);
    }
    Some(event.build(false))
}

struct Input<'a> {
    rest: &'a [u8],
}

impl<'a> Input<'a> {
    /// The next byte that is no white space, left where it is.
    fn peek(&mut self) -> Option<u8> {
        self.rest = self.rest.trim_ascii_start();
        self.rest.first().copied()
    }

    fn next(&mut self) -> Option<u8> {
        let byte = self.peek()?;
        self.rest = self.rest.get(1..)?;
        Some(byte)
    }

    fn expect(&mut self, byte: u8) -> Option<()> {
        (self.next()? == byte).then_some(())
    }

    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(length)?;
        self.rest = rest;
        Some(taken)
    }

    fn string(&mut self) -> Option<Vec<u8>> {
        self.expect(b'"')?;
        let mut out = Vec::new();
        loop {
            let special = memchr::memchr2(b'"', b'\\', self.rest)?;
            out.extend_from_slice(self.take(special)?);
            match self.take(1)? {
                b"\"" => return Some(out),
                _ => self.escape(&mut out)?,
            }
        }
    }

    fn escape(&mut self, out: &mut Vec<u8>) -> Option<()> {
        let byte = match self.take(1)? {
            b"n" => b'\n',
            b"r" => b'\r',
            b"t" => b'\t',
            b"b" => 8,
            b"f" => 12,
            b"u" => {
                let character = self.unicode()?;
                out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
                return Some(());
            }
            [other] => *other,
            _ => return None,
        };
        out.push(byte);
        Some(())
    }

    /// What follows `\u`, with its second half if it is a surrogate; a half alone is U+FFFD.
    fn unicode(&mut self) -> Option<char> {
        let first = self.four_hex()?;
        if !(0xD800..0xDC00).contains(&first) || !self.rest.starts_with(b"\\u") {
            return Some(char::from_u32(first).unwrap_or(char::REPLACEMENT_CHARACTER));
        }
        let before = self.rest;
        self.take(2)?;
        let second = self.four_hex()?;
        if !(0xDC00..0xE000).contains(&second) {
            self.rest = before;
            return Some(char::REPLACEMENT_CHARACTER);
        }
        char::from_u32(0x10000 + ((first - 0xD800) << 10) + (second - 0xDC00))
    }

    fn four_hex(&mut self) -> Option<u32> {
        let digits = self.take(4)?;
        if !digits.iter().all(u8::is_ascii_hexdigit) {
            return None;
        }
        u32::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
    }

    fn list(&mut self) -> Option<Vec<Vec<u8>>> {
        self.expect(b'[')?;
        let mut elements = Vec::new();
        if self.peek()? == b']' {
            self.next()?;
            return Some(elements);
        }
        loop {
            elements.push(self.scalar()?);
            match self.next()? {
                b',' => {}
                b']' => return Some(elements),
                _ => return None,
            }
        }
    }

    /// A string, or the text of anything else (FreeSWITCH sends strings only).
    fn scalar(&mut self) -> Option<Vec<u8>> {
        match self.peek()? {
            b'"' => self.string(),
            b'{' | b'[' => self.nested(),
            _ => {
                let end = self
                    .rest
                    .iter()
                    .position(|byte| matches!(byte, b',' | b'}' | b']'))?;
                let word = self.take(end)?.trim_ascii();
                (!word.is_empty()).then(|| word.to_vec())
            }
        }
    }

    /// The raw text of a nested object or array: brackets are counted, not matched by kind.
    fn nested(&mut self) -> Option<Vec<u8>> {
        let whole = self.rest;
        let mut depth = 0_usize;
        loop {
            match self.peek()? {
                b'"' => {
                    self.string()?;
                    continue;
                }
                b'{' | b'[' => depth += 1,
                b'}' | b']' => depth -= 1,
                _ => {}
            }
            self.next()?;
            if depth == 0 {
                let length = whole.len() - self.rest.len();
                return whole.get(..length).map(<[u8]>::to_vec);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Value;
    use super::*;

    #[test]
    fn keeps_bytes_that_are_not_utf8_and_repeated_keys() {
        let event = parse(
            b"{\"Event-Name\":\"CUSTOM\",\"X-Latin1\":\"caf\xe9\",\"Content-Length\":\"1\",\
              \"X-Arr\":[\"a\",\"b\"],\"Content-Length\":\"5\",\"X-Q\":\"say \\\"hi\\\" \\\\ \\u0001\\ud83d\\ude00\\ud83d\",\"_body\":\"a\\nb c\"}",
        )
        .unwrap();
        assert_eq!(event.name(), "CUSTOM");
        assert_eq!(event.header_bytes("x-latin1").unwrap().as_ref(), b"caf\xe9");
        assert_eq!(event.header("Content-Length").unwrap(), "5");
        assert_eq!(event.body(), Some(&b"a\nb c"[..]));
        assert_eq!(
            event.header("X-Q").unwrap(),
            "say \"hi\" \\ \u{1}😀\u{fffd}"
        );
        assert_eq!(
            event.value("X-Arr"),
            Some(Value::List(vec!["a".into(), "b".into()]))
        );
    }

    #[test]
    fn values_are_not_percent_decoded() {
        let event = parse(br#"{"X":"50%25","Y":"_undef_"}"#).unwrap();
        assert_eq!(event.header("X").unwrap(), "50%25");
        assert_eq!(event.header("Y").unwrap(), "_undef_");
    }

    #[test]
    fn odd_but_valid_json_is_read() {
        let event =
            parse(br#" { "n" : 12 , "t":true,"o":{"a":["]"]},"e":[] , "l":[1,"x"]} "#).unwrap();
        assert_eq!(event.header("n").unwrap(), "12");
        assert_eq!(event.header("o").unwrap(), r#"{"a":["]"]}"#);
        assert_eq!(event.header("l").unwrap(), "ARRAY::1|:x");
        assert!(parse(b"{}").is_some());
    }

    #[test]
    fn broken_json_is_none() {
        for bad in [
            "",
            "{",
            "[]",
            "{\"a\"}",
            "{\"a\":}",
            "{\"a\":\"b\"",
            "{\"a\":\"b\",}",
            "{\"a\":\"\\u12\"}",
            "{\"a\":\"b\"}x",
            "{\"a\":{\"b\":1}",
            "{\"a\":\"\\u+123\"}",
        ] {
            assert!(parse(bad.as_bytes()).is_none(), "{bad}");
        }
    }
}
