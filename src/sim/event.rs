//! Firing events: who wants one gets it, written once for each form.

use bytes::{BufMut, Bytes, BytesMut};

use super::clock::dates;
use super::core::Core;
use super::event_name::EventSet;
use super::headers::{Detail, put_leg};
use super::leg::{Channel, Leg};
use super::listener::{Listener, Outgoing};
use super::sink::{FilterCheck, Json, Plain, Sink};
use super::subscription::Format;

/// Where FreeSWITCH fires an event: file, function and line are headers of it.
pub(super) type Source = (&'static str, &'static str, u32);

/// An event about to be fired.
pub(super) struct Firing<'a> {
    pub(super) name: &'static str,
    pub(super) subclass: Option<&'a str>,
    pub(super) source: Source,
    pub(super) leg: Option<(&'a Leg, Detail)>,
    /// Headers of this event alone.
    pub(super) extra: &'a [(&'a str, &'a str)],
    pub(super) body: Option<&'a [u8]>,
}

/// What all copies of one event share.
struct Stamp {
    us: u64,
    local: String,
    gmt: String,
    sequence: u64,
}

impl Firing<'_> {
    /// An event that is about no leg.
    pub(super) fn general<'a>(
        name: &'static str,
        source: Source,
        extra: &'a [(&'a str, &'a str)],
    ) -> Firing<'a> {
        Firing {
            name,
            subclass: None,
            source,
            leg: None,
            extra,
            body: None,
        }
    }

    fn put(&self, core: &Core, stamp: &Stamp, sink: &mut dyn Sink) {
        if let Some(subclass) = self.subclass {
            sink.put("Event-Subclass", subclass);
        }
        sink.put("Event-Name", self.name);
        sink.put("Core-UUID", &core.uuid);
        sink.put("FreeSWITCH-Hostname", &core.hostname());
        sink.put("FreeSWITCH-Switchname", &core.options.name);
        sink.put("FreeSWITCH-IPv4", "127.0.0.1");
        sink.put("FreeSWITCH-IPv6", "::1");
        sink.put("Event-Date-Local", &stamp.local);
        sink.put("Event-Date-GMT", &stamp.gmt);
        sink.put_number("Event-Date-Timestamp", stamp.us);
        let (file, function, line) = self.source;
        sink.put("Event-Calling-File", file);
        sink.put("Event-Calling-Function", function);
        sink.put_number("Event-Calling-Line-Number", u64::from(line));
        sink.put_number("Event-Sequence", stamp.sequence);
        // FreeSWITCH writes an event's own headers before or behind the leg's; order carries no meaning.
        for (name, value) in self.extra {
            sink.put(name, value);
        }
        if let Some((leg, detail)) = self.leg {
            put_leg(leg, detail, sink);
        }
    }

    fn plain(&self, core: &Core, stamp: &Stamp) -> BytesMut {
        let mut body = BytesMut::with_capacity(if self.leg.is_some() { 8192 } else { 1024 });
        self.put(core, stamp, &mut Plain(&mut body));
        match self.body {
            Some(own) => {
                Plain(&mut body).put_number("Content-Length", own.len() as u64);
                body.put_u8(b'\n');
                body.put_slice(own);
            }
            None => body.put_u8(b'\n'),
        }
        body
    }

    fn json(&self, core: &Core, stamp: &Stamp) -> String {
        let mut json = Json::default();
        self.put(core, stamp, &mut json);
        if let Some(own) = self.body {
            json.put_number("Content-Length", own.len() as u64);
            json.put("_body", &String::from_utf8_lossy(own));
        }
        serde_json::Value::Object(json.0).to_string()
    }
}

/// `text/event-*` around a body. Event frames put the length first (event socket specification 1.1).
fn frame(format: Format, body: &[u8]) -> Bytes {
    let head = format!(
        "Content-Length: {}\nContent-Type: text/event-{}\n\n",
        body.len(),
        format.as_str()
    );
    let mut frame = BytesMut::with_capacity(head.len() + body.len());
    frame.put_slice(head.as_bytes());
    frame.put_slice(body);
    frame.freeze()
}

impl Core {
    fn stamp(&self) -> Stamp {
        let us = self.clock.now_us();
        let (local, gmt) = dates(us);
        Stamp {
            us,
            local,
            gmt,
            sequence: self.next_sequence(),
        }
    }

    /// Gives the event to every connection that wants it; `own` are the connections of the leg it is about.
    pub(super) fn fire(&self, firing: &Firing<'_>, own: &[std::sync::Arc<Listener>]) {
        let name = if firing.subclass.is_some() {
            EventSet::EMPTY
        } else {
            EventSet::of(firing.name).unwrap_or_default()
        };
        let mut written = Written::default();
        let mut offer = |listener: &Listener, wants_own: bool| {
            listener.subscription(|subscription| {
                if subscription.only_own_leg != wants_own
                    || !subscription.wants(name, firing.subclass)
                {
                    return;
                }
                let stamp = written.stamp.get_or_insert_with(|| self.stamp());
                if !subscription.filters.is_empty() {
                    let mut check = FilterCheck::new(&subscription.filters);
                    firing.put(self, stamp, &mut check);
                    if !check.passes() {
                        return;
                    }
                }
                let frame = match subscription.format {
                    Format::Plain => written
                        .plain
                        .get_or_insert_with(|| frame(Format::Plain, &firing.plain(self, stamp))),
                    Format::Json => written.json.get_or_insert_with(|| {
                        frame(Format::Json, firing.json(self, stamp).as_bytes())
                    }),
                };
                listener.push(Outgoing::Frame(frame.clone()));
            });
        };
        for listener in own {
            offer(listener, true);
        }
        self.each_listener(|listener| offer(listener, false));
    }

    /// A leg's event with its variables.
    pub(super) fn fire_leg(
        &self,
        name: &'static str,
        source: Source,
        channel: &Channel,
        extra: &[(&str, &str)],
    ) {
        self.fire_detail(name, source, channel, Detail::Full, extra);
    }

    /// A leg's event with the detail that this kind of event carries.
    pub(super) fn fire_detail(
        &self,
        name: &'static str,
        source: Source,
        channel: &Channel,
        detail: Detail,
        extra: &[(&str, &str)],
    ) {
        let leg = channel.leg();
        let firing = Firing {
            name,
            subclass: None,
            source,
            leg: Some((&leg, detail)),
            extra,
            body: None,
        };
        self.fire(&firing, &leg.sockets);
        drop(leg);
        self.note(channel, name, extra);
    }

    /// The channel's data as an event: the connect reply, `uuid_dump`.
    pub(super) fn channel_data(
        &self,
        source: Source,
        leg: &Leg,
        extra: &[(&str, &str)],
        sink: &mut dyn Sink,
    ) {
        let firing = Firing {
            name: "CHANNEL_DATA",
            subclass: None,
            source,
            leg: Some((leg, Detail::Full)),
            extra,
            body: None,
        };
        firing.put(self, &self.stamp(), sink);
    }
}

#[derive(Default)]
struct Written {
    stamp: Option<Stamp>,
    plain: Option<Bytes>,
    json: Option<Bytes>,
}
