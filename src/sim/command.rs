//! The commands of the event socket, with FreeSWITCH's own replies.

use std::sync::Arc;

use super::connection::{Connection, Linger, Side};
use super::core::new_uuid;
use super::event::Firing;
use super::leg::Channel;
use super::message::{Message, QUEUE_LIMIT};
use super::sink::Sink;
use super::subscription::Refused;
use crate::esl::server::{Request, ServerFrame};
use crate::esl::{EVENT_NAMES, Event};

const NOT_FOUND: &str = "-ERR command not found";
const NO_LEG: &str = "-ERR not controlling a session";
const JOB: (&str, &str, u32) = ("mod_event_socket.c", "api_exec", 1580);
const CONNECT: (&str, &str, u32) = ("mod_event_socket.c", "parse_command", 2029);
const SENDEVENT: (&str, &str, u32) = ("mod_event_socket.c", "parse_command", 2283);

/// Log levels as `log` names them.
const LEVELS: [&str; 8] = [
    "CONSOLE", "ALERT", "CRIT", "ERR", "WARNING", "NOTICE", "INFO", "DEBUG",
];

impl Connection {
    /// Runs a command and writes its reply. Words match by prefix and in any case (capture fact 7).
    pub(super) async fn command(&mut self, request: &Request) {
        let line = request.line.trim_start();
        let lower = line.to_ascii_lowercase();
        if lower.starts_with("exit") || lower.starts_with("...") {
            self.reply("+OK bye");
            self.end();
            return;
        }
        if !self.authenticated {
            return self.authenticate(line, &lower);
        }
        let rest = |prefix: &str| line.get(prefix.len()..).unwrap_or_default().trim();
        let full = !matches!(self.side, Side::Outbound { full: false, .. });
        // Without `full` an outbound connection commands its leg and nothing else (capture fact 45).
        let single = [
            "connect",
            "sendmsg",
            "myevents",
            "getvar",
            "divert_events",
            "filter",
            "resume",
        ];
        if !full && !single.iter().any(|word| lower.starts_with(word)) {
            return self.reply(NOT_FOUND);
        }
        match lower.as_str() {
            l if l.starts_with("connect") => self.connect(),
            l if l.starts_with("filter") => self.filter(rest("filter")),
            l if l.starts_with("myevents") => self.my_events(rest("myevents")),
            l if l.starts_with("divert_events") => self.divert_events(rest("divert_events")),
            l if l.starts_with("getvar") => self.getvar(rest("getvar")),
            l if l.starts_with("sendmsg") => self.sendmsg(rest("sendmsg"), request),
            l if l.starts_with("sendevent") => self.sendevent(rest("sendevent"), request),
            l if l.starts_with("api ") => self.api(line.get(4..).unwrap_or_default()).await,
            l if l.starts_with("bgapi ") => self.bgapi(line.get(6..).unwrap_or_default(), request),
            l if l.starts_with("linger") => self.set_linger(rest("linger")),
            l if l.starts_with("nolinger") => self.set_no_linger(),
            l if l.starts_with("nixevent") => {
                let nixed = self.listener.subscription(|s| s.remove(rest("nixevent")));
                self.core.update_listener(&self.listener);
                self.reply_result(nixed.map(|()| "+OK events nixed".to_owned()));
            }
            l if l.starts_with("noevents") => self.no_events(),
            l if l.starts_with("events") => self.subscribe(rest("events")),
            l if l.starts_with("event") => self.subscribe(rest("event")),
            l if l.starts_with("resume") => self.resume(),
            l if l.starts_with("nolog") => self.reply("+OK no longer logging"),
            l if l.starts_with("log") => self.log(rest("log")),
            _ => self.reply(NOT_FOUND),
        }
    }

    fn reply(&mut self, text: &str) {
        self.write(&ServerFrame::reply(text));
    }

    fn reply_result(&mut self, result: Result<String, Refused>) {
        match result {
            Ok(text) => self.reply(&text),
            Err(Refused(text)) => self.reply(text),
        }
    }

    fn authenticate(&mut self, line: &str, lower: &str) {
        // Any command lifts the time limit (capture 04).
        self.deadline = None;
        if !lower.starts_with("auth ") {
            return self.reply(NOT_FOUND);
        }
        if line.get(5..) == Some(&*self.core.options.password) {
            self.authenticated = true;
            self.reply("+OK accepted");
        } else {
            self.reply("-ERR invalid");
            self.end();
        }
    }

    fn controlled(&self) -> Option<Arc<Channel>> {
        match &self.side {
            Side::Outbound { channel, .. } => Some(Arc::clone(channel)),
            Side::Inbound => None,
        }
    }

    fn connect(&mut self) {
        let Side::Outbound { channel, full, .. } = &self.side else {
            return self.reply(NOT_FOUND);
        };
        struct List(Vec<(String, String)>);
        impl Sink for List {
            fn put(&mut self, name: &str, value: &str) {
                if value.is_empty() {
                    return;
                }
                self.0.push((name.to_owned(), value.to_owned()));
            }
        }
        let mut list = List(Vec::new());
        let leg = channel.leg();
        self.core.channel_data(CONNECT, &leg, &[], &mut list);
        super::headers::put_channel_profile(&leg, &mut list);
        drop(leg);
        let headers = list.0.iter().map(|(name, value)| (&**name, &**value));
        let frame = ServerFrame::Connected {
            data: Event::from_headers(headers, None),
            async_mode: true,
            full: *full,
        };
        self.write(&frame);
    }

    fn subscribe(&mut self, words: &str) {
        let added = self.listener.subscription(|s| s.add(words));
        self.core.update_listener(&self.listener);
        self.reply_result(
            added.map(|format| format!("+OK event listener enabled {}", format.as_str())),
        );
    }

    fn no_events(&mut self) {
        let had = self.listener.subscription(|s| {
            let had = !s.is_empty();
            s.names = super::event_name::EventSet::EMPTY;
            s.subclasses.clear();
            had
        });
        self.core.update_listener(&self.listener);
        self.reply(if had {
            "+OK no longer listening for events"
        } else {
            "-ERR not listening for events"
        });
    }

    fn filter(&mut self, words: &str) {
        if words.is_empty() {
            return self.reply(NOT_FOUND);
        }
        let text = self.listener.subscription(|s| s.filters.command(words));
        self.reply(&text);
    }

    fn my_events(&mut self, words: &str) {
        if let Side::Inbound = self.side {
            let uuid = words.split_ascii_whitespace().next().unwrap_or_default();
            let Some(channel) = self.core.channel(uuid) else {
                return self.reply("-ERR no keywords supplied");
            };
            channel.leg().sockets.push(Arc::clone(&self.listener));
            self.tied = Some(channel);
        }
        let twice = self.listener.subscription(|s| {
            let twice = s.only_own_leg;
            s.only_own_leg = true;
            s.names = s.names.with(super::event_name::EventSet::my_events());
            twice
        });
        self.core.update_listener(&self.listener);
        self.reply(if twice {
            "-ERR aready enabled."
        } else {
            "+OK Events Enabled"
        });
    }

    fn divert_events(&mut self, word: &str) {
        if self.controlled().is_none() {
            return self.reply("-ERR not controlling a session.");
        }
        match word {
            "on" => self.reply("+OK events diverted"),
            "off" => self.reply("+OK events not diverted"),
            _ => self.reply("-ERR missing value."),
        }
    }

    /// An unset variable reads as an unknown command (capture fact 14).
    fn getvar(&mut self, name: &str) {
        let value = self.controlled().and_then(|channel| channel.variable(name));
        match value {
            Some(value) => self.reply(&value),
            None => self.reply(NOT_FOUND),
        }
    }

    fn set_linger(&mut self, words: &str) {
        if self.controlled().is_none() {
            return self.reply(NO_LEG);
        }
        match words.parse() {
            Ok(seconds) => {
                self.linger = Linger::Seconds(seconds);
                self.reply(&format!("+OK will linger {seconds} seconds"));
            }
            Err(_) => {
                self.linger = Linger::Forever;
                self.reply("+OK will linger");
            }
        }
    }

    fn set_no_linger(&mut self) {
        if self.controlled().is_none() {
            return self.reply(NO_LEG);
        }
        self.linger = Linger::No;
        self.reply("+OK will not linger");
    }

    fn resume(&mut self) {
        match self.controlled() {
            Some(channel) => {
                channel.set("socket_resume", "true");
                self.reply("+OK");
            }
            None => self.reply(NOT_FOUND),
        }
    }

    fn log(&mut self, word: &str) {
        let word = if word.is_empty() { "DEBUG" } else { word };
        let by_name = || {
            LEVELS
                .iter()
                .position(|name| name.eq_ignore_ascii_case(word))
        };
        match word
            .parse()
            .ok()
            .filter(|level| *level < LEVELS.len())
            .or_else(by_name)
        {
            Some(level) => self.reply(&format!("+OK log level {word} [{level}]")),
            None => self.reply("-ERR invalid log level"),
        }
    }

    /// `+OK` means queued, no more (capture fact 30).
    fn sendmsg(&mut self, uuid: &str, request: &Request) {
        let named = if uuid.is_empty() {
            request.header("session-id").unwrap_or("")
        } else {
            uuid
        };
        // The controlled leg takes messages even when it is down, while the connection lingers (capture 44).
        let channel = match (named, self.controlled()) {
            ("", Some(channel)) => Some(channel),
            (named, _) => self.core.channel(named),
        };
        let Some(channel) = channel else {
            return self.reply(&format!("-ERR invalid session id [{named}]"));
        };
        let message = Message::read(|name| request.header(name), &request.body);
        let full = {
            let mut leg = channel.leg();
            let full = leg.queue.len() >= QUEUE_LIMIT;
            if !full && leg.is_up() {
                leg.queue.push_back(message);
            }
            full
        };
        if full {
            return self.reply("-ERR memory error");
        }
        self.reply("+OK");
        channel.poke();
    }

    /// Fires what the client made up; the mark of its origin is the `Command` header.
    fn sendevent(&mut self, name: &str, request: &Request) {
        let event_uuid = new_uuid();
        let command = format!("sendevent {name}");
        let mut extra: Vec<(&str, &str)> = request
            .headers
            .iter()
            .map(|(name, value)| (&**name, &**value))
            .collect();
        extra.retain(|(name, _)| !name.eq_ignore_ascii_case("content-length"));
        extra.push(("Command", &command));
        extra.push(("Event-UUID", &event_uuid));
        let subclass = request.header("Event-Subclass");
        let custom = name.eq_ignore_ascii_case("CUSTOM");
        let known = EVENT_NAMES
            .iter()
            .find(|known| known.eq_ignore_ascii_case(name));
        let firing = Firing {
            name: if custom {
                "CUSTOM"
            } else {
                known.copied().unwrap_or("CLONE")
            },
            subclass: if custom { subclass } else { None },
            source: SENDEVENT,
            leg: None,
            extra: &extra,
            body: (!request.body.is_empty()).then_some(&*request.body),
        };
        self.core.fire(&firing, &[]);
        self.reply(&format!("+OK {event_uuid}"));
    }

    async fn api(&mut self, line: &str) {
        let (command, argument) = line.split_once(' ').unwrap_or((line, ""));
        if line.is_empty() {
            return self.reply(NOT_FOUND);
        }
        let answer = self.core.api(command, argument).await;
        self.write(&ServerFrame::Api(answer.into()));
    }

    /// The reply always comes before the result (capture fact 8).
    fn bgapi(&mut self, line: &str, request: &Request) {
        let made_up = new_uuid();
        let job: Arc<str> = request.header("Job-UUID").map_or(made_up, Arc::from);
        self.write(&ServerFrame::job(&job));
        let (command, argument) = line.split_once(' ').unwrap_or((line, ""));
        let (command, argument) = (command.to_owned(), argument.to_owned());
        let core = Arc::clone(&self.core);
        let listener = Arc::clone(&self.listener);
        let dead = core.dead.clone();
        tokio::spawn(dead.run_until_cancelled_owned(async move {
            let answer = core.api(&command, &argument).await;
            let owner = listener.leg.clone().unwrap_or_else(|| Arc::from(""));
            let extra = [
                ("Job-UUID", &*job),
                ("Job-Owner-UUID", &owner),
                ("Job-Command", &command),
                ("Job-Command-Arg", argument.trim()),
            ];
            let mut firing = Firing::general("BACKGROUND_JOB", JOB, &extra);
            let answer = if answer.is_empty() {
                b"-ERR no reply\n".to_vec()
            } else {
                answer
            };
            firing.body = Some(&answer);
            core.fire(&firing, std::slice::from_ref(&listener));
        }));
    }
}
