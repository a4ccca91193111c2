//! The gateways that a node's SIP profiles have: its table of them, and what happens to them.

use serde::Deserialize;

use super::super::wire::{CommandFailure, JobFailure};
use super::handle::Node;
use crate::esl::Event;

/// For a profile to read its gateways anew: it asks the directory meanwhile.
const RESCAN_WITHIN: std::time::Duration = std::time::Duration::from_secs(20);

/// What happened to a gateway.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GatewayEvent {
    Added {
        name: String,
    },
    Deleted {
        name: String,
    },
    /// It registered, failed to, or answered SIP OPTIONS otherwise than before.
    State {
        name: String,
        up: bool,
    },
}

impl GatewayEvent {
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            GatewayEvent::Added { name }
            | GatewayEvent::Deleted { name }
            | GatewayEvent::State { name, .. } => name,
        }
    }
}

/// A gateway in the node's table.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct GatewayRow {
    pub name: String,
    pub profile: String,
    /// `NOREG`, `REGED`, `UNREGED`, `TRYING`, `FAIL_WAIT` and so on.
    #[serde(default)]
    pub state: String,
    /// `UP` or `DOWN`, by SIP OPTIONS.
    #[serde(default)]
    pub status: String,
}

impl GatewayRow {
    /// It can take calls; None: it is about to register, which tells nothing.
    #[must_use]
    pub fn up(&self) -> Option<bool> {
        up(&self.state, &self.status)
    }
}

/// The node's table can't be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NodeGateways {
    #[error(transparent)]
    Command(#[from] CommandFailure),
    #[error(transparent)]
    Job(#[from] JobFailure),
    #[error("FreeSWITCH's table of gateways can't be read: {0:?}; is mod_sofia loaded?")]
    NotATable(String),
    #[error("{field} {value:?}: expected letters, digits and . _ -")]
    Name { field: &'static str, value: String },
}

impl Node {
    /// All gateways of all profiles.
    ///
    /// # Errors
    /// No connection, or mod_sofia is not there.
    pub async fn gateways(&self) -> Result<Vec<GatewayRow>, NodeGateways> {
        table(&self.api("sofia", "xmlstatus gateway").await?)
    }

    /// Ends a gateway; that it is gone is told by [`GatewayEvent::Deleted`], about a second later.
    ///
    /// # Errors
    /// No connection, or a name that can't stand in a command.
    pub async fn kill_gateway(&self, profile: &str, name: &str) -> Result<(), NodeGateways> {
        let (profile, name) = (plain("profile", profile)?, plain("gateway", name)?);
        self.api("sofia", &format!("profile {profile} killgw {name}"))
            .await?;
        Ok(())
    }

    /// Makes a profile ask for its gateways: it adds those that it does not know by name, and changes none.
    ///
    /// # Errors
    /// No connection, no answer in time, or a name that can't stand in a command.
    pub async fn rescan(&self, profile: &str) -> Result<(), NodeGateways> {
        let profile = plain("profile", profile)?;
        self.bgapi("sofia", &format!("profile {profile} rescan"), RESCAN_WITHIN)
            .await?;
        Ok(())
    }

    /// Makes the node read its address lists anew.
    ///
    /// # Errors
    /// No connection, no answer in time.
    pub async fn reload_address_lists(&self) -> Result<(), NodeGateways> {
        self.bgapi("reloadacl", "", RESCAN_WITHIN).await?;
        Ok(())
    }
}

fn plain<'a>(field: &'static str, value: &'a str) -> Result<&'a str, NodeGateways> {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    if !value.is_empty() && value.bytes().all(fits) {
        return Ok(value);
    }
    Err(NodeGateways::Name {
        field,
        value: value.to_owned(),
    })
}

/// A gateway that registers is `DOWN` until it has, so that its state counts; one that does not is what SIP OPTIONS say.
fn up(state: &str, status: &str) -> Option<bool> {
    let answers = !status.starts_with("DOWN");
    match state {
        "REGED" | "NOREG" => Some(answers),
        "FAILED" | "FAIL_WAIT" | "TIMEOUT" | "EXPIRED" => Some(false),
        _ => None,
    }
}

fn table(answer: &str) -> Result<Vec<GatewayRow>, NodeGateways> {
    #[derive(Deserialize)]
    struct Table {
        #[serde(default)]
        gateway: Vec<GatewayRow>,
    }
    let table: Result<Table, _> = quick_xml::de::from_str(answer.trim());
    table
        .map(|table| table.gateway)
        .map_err(|_| NodeGateways::NotATable(answer.chars().take(120).collect()))
}

/// Reads `sofia::gateway_add`, `sofia::gateway_delete` and `sofia::gateway_state`.
pub(super) fn read(event: &Event) -> Option<GatewayEvent> {
    let subclass = event.subclass()?;
    if !subclass.starts_with("sofia::gateway_") {
        return None;
    }
    let text = |name: &str| event.header(name).map(|text| text.into_owned());
    let name = text("Gateway")?;
    match subclass.as_ref() {
        "sofia::gateway_add" => Some(GatewayEvent::Added { name }),
        "sofia::gateway_delete" => Some(GatewayEvent::Deleted { name }),
        "sofia::gateway_state" => {
            let (state, ping) = (text("State"), text("Ping-Status"));
            let up = up(&state.unwrap_or_default(), &ping.unwrap_or_default())?;
            Some(GatewayEvent::State { name, up })
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str = "<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?>\n<gateways>\n<gateway>\n<name>lf.a.b.0.1</name>\n<profile>trunk</profile>\n<scheme>Digest</scheme>\n<realm>r</realm>\n<from>&lt;sip:u@r&gt;</from>\n<ping>0</ping>\n<state>FAIL_WAIT</state>\n<status>DOWN</status>\n<uptime-usec>0</uptime-usec>\n</gateway>\n<gateway>\n<name>x</name>\n<profile>trunk</profile>\n<state>NOREG</state>\n<status>UP (ping)</status>\n</gateway>\n</gateways>\n";

    #[test]
    fn a_table() {
        let rows = table(TABLE).unwrap();
        let shown: Vec<_> = rows.iter().map(|row| (&*row.name, row.up())).collect();
        assert_eq!(shown, [("lf.a.b.0.1", Some(false)), ("x", Some(true))]);
        assert_eq!(table("<gateways>\n</gateways>"), Ok(Vec::new()));
        assert!(table("-ERR sofia Command not found!").is_err());
    }

    #[test]
    fn events() {
        let event = |subclass: &'static str, more: &[(&'static str, &'static str)]| {
            let mut headers = vec![
                ("Event-Name", "CUSTOM"),
                ("Event-Subclass", subclass),
                ("Gateway", "g"),
            ];
            headers.extend_from_slice(more);
            read(&Event::from_headers(headers, None))
        };
        let state = |state, ping| {
            event(
                "sofia::gateway_state",
                &[("State", state), ("Ping-Status", ping)],
            )
        };
        let told = |up| {
            Some(GatewayEvent::State {
                name: "g".into(),
                up,
            })
        };
        assert_eq!(state("NOREG", "DOWN"), told(false));
        assert_eq!(state("NOREG", "UP"), told(true));
        assert_eq!(state("REGED", "UP"), told(true));
        assert_eq!(state("FAILED", "UP"), told(false));
        assert_eq!(state("TRYING", "DOWN"), None);
        assert_eq!(state("UNREGED", "DOWN"), None);
        assert_eq!(
            event("sofia::gateway_add", &[]),
            Some(GatewayEvent::Added { name: "g".into() })
        );
        assert_eq!(
            event("sofia::gateway_delete", &[]),
            Some(GatewayEvent::Deleted { name: "g".into() })
        );
        assert_eq!(event("sofia::register", &[]), None);
    }

    #[test]
    fn names_that_would_leave_their_place_are_refused() {
        for bad in ["", "a b", "a\n", "a;b"] {
            assert!(plain("gateway", bad).is_err(), "{bad:?}");
        }
    }
}
