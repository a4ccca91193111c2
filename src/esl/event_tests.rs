//! Events written and read back, in both forms.

use bytes::BytesMut;
use proptest::prelude::*;
use tokio_util::codec::Decoder as _;

use super::server::{EventFormat, ServerFrame};
use super::{Decoder, Event, Frame, Value};

fn through_the_wire(event: &Event, format: EventFormat) -> Event {
    let mut bytes = BytesMut::new();
    ServerFrame::Event(event.clone(), format).encode(&mut bytes);
    let Some(Frame::Event(read)) = Decoder::default().decode(&mut bytes).unwrap() else {
        panic!("no event");
    };
    assert!(bytes.is_empty());
    read
}

fn pairs(event: &Event) -> Vec<(String, String)> {
    let length = |name: &str| name.eq_ignore_ascii_case("Content-Length");
    event
        .headers()
        .filter(|(name, _)| !length(name))
        .map(|(name, value)| (name.into_owned(), value.into_owned()))
        .collect()
}

#[test]
fn an_event_built_here_answers_like_one_from_the_wire() {
    let headers = [
        ("Event-Name", "CUSTOM"),
        ("Event-Subclass", "sofia::register"),
        ("Unique-ID", "u-1"),
        ("variable_lf_account_id", "a b"),
        ("unique-id", "u-2"),
        ("List", "ARRAY::a|:b|:"),
        ("Nothing", ""),
    ];
    let built = Event::from_headers(headers, Some(b"body\n\n"));
    for event in [
        built.clone(),
        built.detached(),
        through_the_wire(&built, EventFormat::Plain),
        through_the_wire(&built, EventFormat::Json),
    ] {
        assert_eq!(event.name(), "CUSTOM");
        assert_eq!(event.subclass().unwrap(), "sofia::register");
        assert_eq!(event.unique_id().unwrap(), "u-1");
        assert_eq!(event.variable("LF_account_id").unwrap(), "a b");
        assert_eq!(event.variable("lf_account"), None);
        assert_eq!(event.header("nothing").unwrap(), "");
        assert_eq!(event.body(), Some(&b"body\n\n"[..]));
        let list = vec!["a".into(), "b".into(), "".into()];
        assert_eq!(event.value("list"), Some(Value::List(list)));
        assert_eq!(event.value("Unique-ID"), Some(Value::Text("u-1".into())));
    }
}

#[test]
fn an_event_kept_for_a_call_is_small() {
    assert_eq!(size_of::<Event>(), size_of::<usize>());
}

#[test]
fn names_cannot_break_a_line() {
    let event = Event::from_headers([("A\r\nB: c", "d")], None);
    let mut out = BytesMut::new();
    event.write_plain(&mut out);
    assert_eq!(out, "AB c: d\n\n");
}

proptest! {
    #[test]
    fn what_is_written_is_read(
        headers in proptest::collection::vec(("[A-Za-z_-]{1,20}", "[^%]{0,30}"), 1..12),
        body in proptest::option::of(proptest::collection::vec(any::<u8>(), 1..60)),
    ) {
        let undefined = |value: &str| value == "_undef_" || value.starts_with("ARRAY::");
        let headers: Vec<_> = headers
            .iter()
            .filter(|(name, value)| {
                !undefined(value) && name != "_body" && !name.eq_ignore_ascii_case("content-length")
            })
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        let event = Event::from_headers(headers, body.as_deref());
        for format in [EventFormat::Plain, EventFormat::Json] {
            let read = through_the_wire(&event, format);
            prop_assert_eq!(pairs(&read), pairs(&event));
            prop_assert_eq!(read.body(), body.as_deref());
        }
    }
}
