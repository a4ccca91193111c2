//! The body of a `text/event-xml`. Values are percent-encoded inside their elements; an array is
//! a repeated element (capture facts 16 and 19).

use quick_xml::events::Event as Node;
use quick_xml::reader::Reader;

use super::Event;
use super::event::Builder;

/// An event is three elements deep; more is not stacked up on a peer's word.
const DEPTH: usize = 8;

/// None if the bytes are no event document.
pub(super) fn parse(bytes: &[u8]) -> Option<Event> {
    let text = String::from_utf8_lossy(bytes);
    let mut reader = Reader::from_str(&text);
    let config = reader.config_mut();
    // Header names are variable names, which need not be what XML calls a name.
    config.check_end_names = false;
    config.allow_dangling_amp = true;
    config.expand_empty_elements = true;

    let mut event = Builder::default();
    let mut open: Vec<Vec<u8>> = Vec::new();
    let mut value = Vec::new();
    let mut run: Option<(Vec<u8>, Vec<Vec<u8>>)> = None;
    let mut body = None;
    let mut ended = false;
    loop {
        match reader.read_event().ok()? {
            Node::Start(start) => {
                if open.len() >= DEPTH {
                    return None;
                }
                open.push(start.name().as_ref().as_bytes().to_vec());
                value.clear();
            }
            Node::Text(text) => value.extend_from_slice(text.as_bytes()),
            Node::CData(text) => value.extend_from_slice(text.as_bytes()),
            Node::GeneralRef(reference) => match reference.resolve_char_ref() {
                Ok(Some(character)) => push_char(character, &mut value),
                _ => push_entity(reference.as_bytes(), &mut value),
            },
            Node::End(_) => {
                let name = open.pop()?;
                match open.as_slice() {
                    [_, parent] if parent == b"headers" => {
                        repeat(&mut run, name, std::mem::take(&mut value), &mut event);
                    }
                    [_] if name == b"body" => body = Some(std::mem::take(&mut value)),
                    [_] if name != b"headers" => {
                        repeat(&mut run, name, std::mem::take(&mut value), &mut event);
                    }
                    [] => ended = name == b"event",
                    _ => {}
                }
                value.clear();
            }
            Node::Eof => break,
            _ => {}
        }
    }
    if !ended || !open.is_empty() {
        return None;
    }
    if let Some((name, values)) = run {
        event.list(&name, &values);
    }
    if let Some(body) = body {
        event.body(&body);
    }
    Some(event.build(true))
}

/// Elements of one name that follow each other are one array.
fn repeat(
    run: &mut Option<(Vec<u8>, Vec<Vec<u8>>)>,
    name: Vec<u8>,
    value: Vec<u8>,
    event: &mut Builder,
) {
    match run {
        Some((same, values)) if *same == name => values.push(value),
        _ => {
            if let Some((earlier, values)) = run.replace((name, vec![value])) {
                event.list(&earlier, &values);
            }
        }
    }
}

fn push_char(character: char, out: &mut Vec<u8>) {
    out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
}

/// One of XML's five names; anything else stays as it was written.
fn push_entity(name: &[u8], out: &mut Vec<u8>) {
    match name {
        b"lt" => out.push(b'<'),
        b"gt" => out.push(b'>'),
        b"amp" => out.push(b'&'),
        b"quot" => out.push(b'"'),
        b"apos" => out.push(b'\''),
        other => {
            out.push(b'&');
            out.extend_from_slice(other);
            out.push(b';');
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Value;
    use super::*;

    #[test]
    fn reads_headers_arrays_and_body() {
        let event = parse(
            b"<event>\n  <headers>\n    <Event-Name>CUSTOM</Event-Name>\n    <X>a%20b</X>\n    \
              <X-Arr>a</X-Arr>\n    <X-Arr>b</X-Arr>\n  </headers>\n  <Content-Length>9</Content-Length>\n  \
              <body>a &lt;b&gt; &#38;\nc%20</body>\n</event>",
        )
        .unwrap();
        assert_eq!(event.name(), "CUSTOM");
        assert_eq!(event.header("X").unwrap(), "a b");
        assert_eq!(
            event.value("X-Arr"),
            Some(Value::List(vec!["a".into(), "b".into()]))
        );
        assert_eq!(event.header("Content-Length").unwrap(), "9");
        assert_eq!(event.body(), Some(&b"a <b> &\nc%20"[..]));
    }

    #[test]
    fn broken_xml_is_none() {
        for bad in [
            "",
            "text",
            "<event><headers>",
            "<other></other>",
            "<event><a><a><a><a><a><a><a><a></a></a></a></a></a></a></a></a></event>",
            "<event",
            "</event>",
        ] {
            assert!(parse(bad.as_bytes()).is_none(), "{bad}");
        }
    }
}
