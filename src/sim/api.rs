//! The api commands that a simulated node answers, word for word as recorded (capture 12).

use std::sync::Arc;
use std::time::Duration;

use super::clock::uptime_text;
use super::core::Core;
use super::leg::{Channel, Detour, EndedBy};
use super::sink::{Json, Plain};
use super::sip::read_cause;

const NO_CHANNEL: &str = "-ERR No such channel!\n";
const DUMP: (&str, &str, u32) = ("mod_commands.c", "uuid_dump_function", 6220);
/// Modules that the shipped configuration loads.
const MODULES: &[&str] = &[
    "mod_commands",
    "mod_dialplan_xml",
    "mod_dptools",
    "mod_event_socket",
    "mod_hash",
    "mod_local_stream",
    "mod_loopback",
    "mod_native_file",
    "mod_sndfile",
    "mod_sofia",
    "mod_tone_stream",
    "mod_xml_curl",
];

impl Core {
    /// Runs an api command. An empty answer is sent as `-ERR no reply` (capture fact 11).
    pub(super) async fn api(self: &Arc<Core>, command: &str, argument: &str) -> Vec<u8> {
        let words = argument.trim();
        let name = command.to_ascii_lowercase();
        let text = match name.as_str() {
            "status" => self.status(),
            "version" => format!("FreeSWITCH Version {} ( 64bit)\n", super::VERSION),
            "hostname" => self.hostname(),
            "switchname" => self.options.name.clone(),
            "global_getvar" => match words {
                "core_uuid" => self.uuid.to_string(),
                "hostname" => self.hostname(),
                _ => String::new(),
            },
            "create_uuid" => super::core::new_uuid().to_string(),
            "show" => self.show(words),
            "module_exists" => MODULES.contains(&words).to_string(),
            "sofia_contact" => self.registrar.sofia_contact(words),
            "user_exists" => self.user_exists(words).to_string(),
            "sched_del" => format!("+OK Deleted: {}\n", self.scheduler.delete(words)),
            "sched_transfer" => self.api_sched_transfer(words),
            "sched_hangup" => self.api_sched_hangup(words),
            "sofia" => self.sofia(words).await,
            "reloadacl" => "+OK acl reloaded\n".to_owned(),
            "reloadxml" => "+OK [Success]\n".to_owned(),
            "msleep" => {
                let ms = words.parse().unwrap_or(0);
                tokio::time::sleep(Duration::from_millis(ms)).await;
                "+OK\n".to_owned()
            }
            _ if name.starts_with("uuid_") => return self.uuid_api(&name, words),
            _ => return not_found(command),
        };
        text.into_bytes()
    }

    fn uuid_api(self: &Arc<Core>, name: &str, words: &str) -> Vec<u8> {
        let (uuid, rest) = words.split_once(' ').unwrap_or((words, ""));
        let rest = rest.trim();
        let usage = match name {
            "uuid_exists" => "<uuid>",
            "uuid_kill" => "<uuid> [cause]",
            "uuid_setvar" => "<uuid> <var> [value]",
            "uuid_getvar" => "<uuid> <var>",
            "uuid_transfer" => "<uuid> [-bleg|-both] <dest-exten> [<dialplan>] [<context>]",
            "uuid_dump" => "<uuid> [format]",
            "uuid_break" => "<uuid> [all]",
            "uuid_record" => "<uuid> [start|stop|mask|unmask] <path> [<limit>]",
            _ => return not_found(name),
        };
        let needs_more = matches!(
            name,
            "uuid_setvar" | "uuid_getvar" | "uuid_transfer" | "uuid_record"
        );
        if uuid.is_empty() || (needs_more && rest.is_empty()) {
            return format!("-USAGE: {usage}\n").into_bytes();
        }
        let channel = self.channel(uuid);
        if name == "uuid_exists" {
            return channel.is_some().to_string().into_bytes();
        }
        let Some(channel) = channel else {
            return NO_CHANNEL.into();
        };
        let text = match name {
            "uuid_kill" => {
                let cause = if rest.is_empty() {
                    "NORMAL_CLEARING"
                } else {
                    rest
                };
                self.hangup(&channel, read_cause(cause), EndedBy::Node);
                "+OK\n".to_owned()
            }
            "uuid_setvar" => {
                let (name, value) = rest.split_once(' ').unwrap_or((rest, ""));
                channel.set(name, value);
                "+OK\n".to_owned()
            }
            "uuid_getvar" => channel
                .variable(rest)
                .unwrap_or_else(|| "_undef_".to_owned()),
            "uuid_break" => {
                channel.leg().broken = true;
                channel.poke();
                "+OK\n".to_owned()
            }
            // There are no media to record.
            "uuid_record" => "+OK Success\n".to_owned(),
            "uuid_transfer" => {
                let target = rest
                    .strip_prefix("-bleg ")
                    .or_else(|| rest.strip_prefix("-both "))
                    .unwrap_or(rest);
                transfer(&channel, target)
            }
            _ => return self.dump(&channel, rest),
        };
        text.into_bytes()
    }

    fn dump(&self, channel: &Channel, format: &str) -> Vec<u8> {
        let leg = channel.leg();
        if format == "json" {
            let mut json = Json::default();
            self.channel_data(DUMP, &leg, &[], &mut json);
            return serde_json::Value::Object(json.0).to_string().into_bytes();
        }
        let mut plain = bytes::BytesMut::new();
        self.channel_data(DUMP, &leg, &[], &mut Plain(&mut plain));
        plain.extend_from_slice(b"\n");
        plain.to_vec()
    }

    fn user_exists(&self, words: &str) -> bool {
        let mut words = words.split_ascii_whitespace().skip(1);
        match (words.next(), words.next()) {
            (Some(user), Some(domain)) => {
                self.phones.knows(&format!("{user}@{domain}"))
                    || !self.registrar.contacts(user, domain).is_empty()
            }
            _ => false,
        }
    }

    /// `[+]SECONDS UUID DEST [DIALPLAN] [CONTEXT]`.
    fn api_sched_transfer(self: &Arc<Core>, words: &str) -> String {
        let mut parts = words.splitn(3, ' ');
        let (when, uuid) = (parts.next().unwrap_or(""), parts.next().unwrap_or(""));
        let target = parts.next().and_then(super::dialplan::read_extension);
        let (Some(channel), Some(target)) = (self.channel(uuid), target) else {
            return NO_CHANNEL.to_owned();
        };
        let id = self.schedule_transfer(&channel, seconds(when), target);
        format!("+OK Added: {id}\n")
    }

    /// `[+]SECONDS UUID [CAUSE]`.
    fn api_sched_hangup(self: &Arc<Core>, words: &str) -> String {
        let mut parts = words.splitn(3, ' ');
        let (when, uuid) = (parts.next().unwrap_or(""), parts.next().unwrap_or(""));
        let cause = parts.next().unwrap_or("ALLOTTED_TIMEOUT").to_owned();
        let Some(channel) = self.channel(uuid) else {
            return NO_CHANNEL.to_owned();
        };
        let plan = Detour::Inline(vec![("hangup".to_owned(), cause)]);
        let id = self.schedule_transfer(&channel, seconds(when), plan);
        format!("+OK Added: {id}\n")
    }

    fn status(&self) -> String {
        let count = self.channel_count();
        let (peak, total) = (self.peak(), self.sessions_so_far());
        let most = self.options.max_sessions;
        format!(
            "UP {}\nFreeSWITCH (Version 1.11.2-release  64bit) is ready\n\
             {total} session(s) since startup\n\
             {count} session(s) - peak {peak}, last 5min {peak} \n\
             0 session(s) per Sec out of max 100, peak {peak}, last 5min {peak} \n\
             {most} session(s) max\nmin idle cpu 0.00/97.30\nCurrent Stack Size/Max 240K/8192K\n",
            uptime_text(self.clock.up()),
        )
    }
}

fn not_found(command: &str) -> Vec<u8> {
    format!("-ERR {command} Command not found!\n").into_bytes()
}

fn seconds(when: &str) -> Duration {
    let seconds = when.trim_start_matches('+').parse().unwrap_or(0.0);
    Duration::try_from_secs_f64(seconds).unwrap_or_default()
}

/// `'plan' inline`, or an extension; the reply says that the leg will go there, not that it has.
fn transfer(channel: &Channel, target: &str) -> String {
    let target = target.trim();
    let detour = match target.strip_suffix("inline") {
        Some(plan) if plan.ends_with(' ') => {
            Some(Detour::Inline(super::dialplan::read_inline(plan.trim())))
        }
        _ => super::dialplan::read_extension(target),
    };
    match detour {
        Some(detour) => {
            channel.leg().detour = Some(detour);
            channel.poke();
            "+OK\n".to_owned()
        }
        None => "-ERR\n".to_owned(),
    }
}
