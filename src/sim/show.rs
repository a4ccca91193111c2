//! `show channels`, `show registrations`: the tables that a client reconciles with.

use serde_json::{Map, Value};

use super::clock::stamp;
use super::core::Core;
use super::leg::{CallState, Channel, Direction};

impl Core {
    pub(super) fn show(&self, words: &str) -> String {
        let words: Vec<&str> = words.split_ascii_whitespace().collect();
        match words.as_slice() {
            ["channels", "as", "json"] => table(self.channel_rows()),
            ["calls", "as", "json"] => {
                let mut rows = self.channel_rows();
                rows.retain(|row| row.get("direction") == Some(&Value::from("inbound")));
                table(rows)
            }
            ["registrations", "as", "json"] => table(self.registrar.rows(&self.hostname())),
            ["channels" | "calls", "count"] => format!("\n{} total.\n", self.channel_count()),
            ["channels" | "calls" | "registrations"] => {
                // As a table of text, of which nothing here reads more than its last line.
                let count = match words.first() {
                    Some(&"registrations") => self.registrar.rows("").len(),
                    _ => self.channel_count(),
                };
                format!("\n{count} total.\n")
            }
            _ => "-USAGE: codec|endpoint|application|api|dialplan|file|timer|calls [count]|channels [count|like <match string>]|calls|detailed_calls|bridged_calls|detailed_bridged_calls|aliases|complete|chat|management|modules|nat_map|say|interfaces|interface_types|tasks|limits|status\n".to_owned(),
        }
    }

    fn channel_rows(&self) -> Vec<Map<String, Value>> {
        let channels = self.channels();
        let up = channels.iter().filter(|channel| channel.is_up());
        up.map(|channel| self.channel_row(channel)).collect()
    }

    fn channel_row(&self, channel: &Channel) -> Map<String, Value> {
        let leg = channel.leg();
        let party = &leg.party;
        let set = |name: &str| leg.variables.find(name).unwrap_or_default().to_owned();
        let codec = |value: &str| {
            if leg.media {
                value.to_owned()
            } else {
                String::new()
            }
        };
        let (callee_name, callee_number) = leg.callee.clone().unwrap_or_default();
        let call_state = match leg.call_state {
            CallState::Ringing if party.direction == Direction::Outbound => "RINGING",
            other => other.as_wire().0,
        };
        let columns = [
            ("uuid", party.uuid.to_string()),
            ("direction", party.direction.as_str().to_owned()),
            ("created", stamp(leg.times.created)),
            ("created_epoch", (leg.times.created / 1_000_000).to_string()),
            ("name", party.channel_name.to_string()),
            ("state", leg.state.as_wire().0.to_owned()),
            ("cid_name", party.caller_name.to_string()),
            ("cid_num", party.caller_number.to_string()),
            ("ip_addr", party.address.to_string()),
            ("dest", party.destination.to_string()),
            ("application", set("current_application")),
            ("application_data", set("current_application_data")),
            ("dialplan", "XML".to_owned()),
            ("context", party.context.to_string()),
            ("read_codec", codec("PCMU")),
            ("read_rate", codec("8000")),
            ("read_bit_rate", codec("64000")),
            ("write_codec", codec("PCMU")),
            ("write_rate", codec("8000")),
            ("write_bit_rate", codec("64000")),
            ("secure", String::new()),
            ("hostname", self.hostname()),
            ("presence_id", set("presence_id")),
            ("presence_data", String::new()),
            ("accountcode", set("accountcode")),
            ("callstate", call_state.to_owned()),
            ("callee_name", callee_name.to_string()),
            ("callee_num", callee_number.to_string()),
            ("callee_direction", String::new()),
            ("call_uuid", leg.call_uuid.to_string()),
            ("sent_callee_name", set("last_sent_callee_id_name")),
            ("sent_callee_num", set("last_sent_callee_id_number")),
            ("initial_cid_name", party.caller_name.to_string()),
            ("initial_cid_num", party.caller_number.to_string()),
            ("initial_ip_addr", party.address.to_string()),
            ("initial_dest", party.destination.to_string()),
            ("initial_dialplan", "XML".to_owned()),
            ("initial_context", party.context.to_string()),
        ];
        row(columns)
    }
}

pub(super) fn row<const N: usize>(columns: [(&str, String); N]) -> Map<String, Value> {
    columns
        .into_iter()
        .map(|(name, value)| (name.to_owned(), Value::from(value)))
        .collect()
}

/// Without rows there is no `rows` key at all (event socket specification 3.5).
fn table(rows: Vec<Map<String, Value>>) -> String {
    if rows.is_empty() {
        return "{\"row_count\": 0}\n".to_owned();
    }
    let count = rows.len();
    let rows: Vec<Value> = rows.into_iter().map(Value::Object).collect();
    format!("{{\"row_count\":{count},\"rows\":{}}}\n", Value::from(rows))
}
