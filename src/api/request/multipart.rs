//! `multipart/form-data`: JSON beside files (RFC 7578), out of a body that is in memory already.

/// A part: what its headers say, and where its bytes are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part<'a> {
    pub name: Option<String>,
    pub file: Option<String>,
    pub content_type: Option<String>,
    pub bytes: &'a [u8],
}

/// Parts that a body may have.
const PARTS_MAX: usize = 64;

/// The parts in their order; None when the body is not what its boundary promises.
#[must_use]
pub fn parts<'a>(body: &'a [u8], boundary: &str) -> Option<Vec<Part<'a>>> {
    if boundary.is_empty() || boundary.len() > 70 {
        return None;
    }
    let delimiter = format!("--{boundary}");
    let inner = format!("\r\n--{boundary}");
    let finder = memchr::memmem::Finder::new(inner.as_bytes());
    // The first delimiter may open the body without a line end before it.
    let mut rest = if body.starts_with(delimiter.as_bytes()) {
        body.get(delimiter.len()..)?
    } else {
        let at = finder.find(body)?;
        body.get(at + inner.len()..)?
    };
    let mut found = Vec::new();
    loop {
        if rest.starts_with(b"--") {
            return Some(found);
        }
        if found.len() == PARTS_MAX {
            return None;
        }
        let part = after_line(rest)?;
        let end = finder.find(part)?;
        found.push(read(part.get(..end)?)?);
        rest = part.get(end + inner.len()..)?;
    }
}

/// What follows the delimiter's own line: blanks and a line end.
fn after_line(text: &[u8]) -> Option<&[u8]> {
    let end = memchr::memmem::find(text, b"\r\n")?;
    let blank = text.get(..end)?.iter().all(u8::is_ascii_whitespace);
    // The end stays when there are no headers: the empty line begins there.
    blank.then(|| text.get(end + 2..)).flatten()
}

fn read(part: &[u8]) -> Option<Part<'_>> {
    let (head, bytes) = match part.strip_prefix(b"\r\n") {
        Some(bytes) => (&[][..], bytes),
        None => {
            let end = memchr::memmem::find(part, b"\r\n\r\n")?;
            (part.get(..end)?, part.get(end + 4..)?)
        }
    };
    let head = String::from_utf8_lossy(head);
    let mut read = Part {
        name: None,
        file: None,
        content_type: None,
        bytes,
    };
    for line in head.split("\r\n") {
        let Some((name, value)) = line.split_once(':') else {
            continue;
        };
        if name.eq_ignore_ascii_case("content-disposition") {
            read.name = parameter(value, "name");
            read.file = parameter(value, "filename");
        } else if name.eq_ignore_ascii_case("content-type") {
            read.content_type = Some(value.trim().to_ascii_lowercase());
        }
    }
    Some(read)
}

/// `name=value` or `name="value"` behind a semicolon of a header.
#[must_use]
pub fn parameter(header: &str, wanted: &str) -> Option<String> {
    let mut rest = header;
    while let Some(at) = rest.find(';') {
        rest = rest.get(at + 1..)?.trim_start();
        let (name, value) = rest.split_once('=')?;
        let quoted = value.strip_prefix('"');
        let (text, behind) = match quoted {
            Some(inner) => inner.split_once('"')?,
            None => match value.find(';') {
                Some(end) => (value.get(..end)?.trim(), value.get(end..)?),
                None => (value.trim(), ""),
            },
        };
        if name.trim().eq_ignore_ascii_case(wanted) {
            return Some(text.to_owned());
        }
        rest = behind;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_and_a_file() {
        let body = b"--xx\r\nContent-Disposition: form-data; name=\"json\"\r\nContent-Type: application/json\r\n\r\n{\"data\":{}}\r\n\
            --xx\r\nContent-Disposition: form-data; name=f; filename=\"a; b.wav\"\r\ncontent-type: audio/x-wav\r\n\r\nRI\r\n--x\r\n\r\n--xx--\r\n";
        let found = parts(body, "xx").unwrap();
        assert_eq!(found.len(), 2);
        assert_eq!(found[0].bytes, b"{\"data\":{}}");
        assert_eq!(found[1].file.as_deref(), Some("a; b.wav"));
        assert_eq!(found[1].name.as_deref(), Some("f"));
        assert_eq!(found[1].content_type.as_deref(), Some("audio/x-wav"));
        assert_eq!(found[1].bytes, b"RI\r\n--x\r\n");
    }

    #[test]
    fn what_ends_early_is_refused() {
        for bad in [
            &b""[..],
            b"--xx",
            b"--xx\r\n",
            b"--xx\r\nA: b\r\n\r\nbytes",
            b"--xx\r\nA: b\r\n--xx--",
            b"--yy\r\n\r\n\r\n--yy--",
            b"--xxgarbage\r\n\r\n--xx--",
        ] {
            assert_eq!(parts(bad, "xx"), None, "{:?}", String::from_utf8_lossy(bad));
        }
        assert_eq!(parts(b"--xx--", "xx"), Some(Vec::new()));
        assert_eq!(parts(b"x", ""), None);
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_upset_it(body: Vec<u8>) {
            let _ = parts(&body, "x");
            let mut framed = b"--x\r\n".to_vec();
            framed.extend(&body);
            framed.extend(b"\r\n--x--");
            let _ = parts(&framed, "x");
        }
    }
}
