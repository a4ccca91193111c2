//! Gateways of a node's SIP profiles: asked for in the directory, removed, and what SIP OPTIONS say of them (trunkstore
//! specification 4.3).

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::core::Core;
use super::lock::lock;

/// A gateway that is killed is gone after this.
const GONE_AFTER: Duration = Duration::from_millis(100);

/// An answer of the directory that takes longer, or is larger, is none.
const ASKS_FOR: Duration = Duration::from_secs(5);
const LARGEST: u64 = 1 << 20;

#[derive(Debug, Clone, PartialEq, Eq)]
struct Gateway {
    profile: String,
    registers: bool,
    /// SIP OPTIONS are answered, or nobody asks.
    up: bool,
}

impl Gateway {
    fn state(&self) -> &'static str {
        match (self.registers, self.up) {
            (true, true) => "REGED",
            (true, false) => "FAIL_WAIT",
            (false, _) => "NOREG",
        }
    }

    fn status(&self) -> &'static str {
        if self.up { "UP" } else { "DOWN" }
    }
}

/// By name. A new incarnation has none.
#[derive(Default)]
pub(super) struct Gateways(Mutex<BTreeMap<String, Gateway>>);

impl Gateways {
    /// None: there is no gateway of that name. Else whether it is up.
    pub(super) fn is_up(&self, name: &str) -> Option<bool> {
        lock(&self.0).get(name).map(|gateway| gateway.up)
    }

    pub(super) fn names(&self) -> Vec<String> {
        lock(&self.0).keys().cloned().collect()
    }

    fn table(&self) -> String {
        let row = |(name, gateway): (&String, &Gateway)| {
            let (profile, state) = (&gateway.profile, gateway.state());
            let status = gateway.status();
            format!(
                "<gateway>\n<name>{name}</name>\n<profile>{profile}</profile>\n<state>{state}</state>\n\
                 <status>{status}</status>\n</gateway>\n"
            )
        };
        let rows: String = lock(&self.0).iter().map(row).collect();
        format!("<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?>\n<gateways>\n{rows}</gateways>\n")
    }

    /// `gwlist [up|down]`.
    fn list(&self, profile: &str, which: Option<&str>) -> String {
        let rows = lock(&self.0);
        let wanted = |gateway: &Gateway| {
            let up = which.is_none_or(|word| gateway.status().eq_ignore_ascii_case(word));
            gateway.profile == profile && up
        };
        let names = rows.iter().filter(|(_, gateway)| wanted(gateway));
        names
            .map(|(name, _)| name.as_str())
            .collect::<Vec<_>>()
            .join(" ")
    }
}

impl Core {
    /// The api command `sofia`.
    pub(super) async fn sofia(self: &Arc<Core>, words: &str) -> String {
        let words: Vec<&str> = words.split_ascii_whitespace().collect();
        match words[..] {
            ["xmlstatus", "gateway"] => self.gateways.table(),
            ["profile", profile, "killgw", name] => {
                self.kill_gateway(profile, name);
                "+OK gateway marked for deletion.\n".to_owned()
            }
            ["profile", profile, "rescan"] => {
                self.rescan(profile).await;
                "Reload XML [Success]\n+OK scan complete\n".to_owned()
            }
            ["profile", profile, "gwlist"] => self.gateways.list(profile, None),
            ["profile", profile, "gwlist", which] => self.gateways.list(profile, Some(which)),
            _ => "-USAGE: sofia help\n".to_owned(),
        }
    }

    fn kill_gateway(self: &Arc<Core>, profile: &str, name: &str) {
        let there = lock(&self.gateways.0)
            .get(name)
            .is_some_and(|gateway| gateway.profile == profile);
        if !there {
            return;
        }
        let (core, name) = (Arc::clone(self), name.to_owned());
        let dead = self.dead.clone();
        tokio::spawn(dead.run_until_cancelled_owned(async move {
            tokio::time::sleep(GONE_AFTER).await;
            if let Some(gateway) = lock(&core.gateways.0).remove(&name) {
                let extra = [("profile-name", &*gateway.profile), ("Gateway", &*name)];
                let source = ("sofia_reg.c", "sofia_reg_kill_gw", 412);
                core.custom("sofia::gateway_delete", source, &extra);
            }
        }));
    }

    /// Takes in what it does not know by name; a known gateway is not changed, a missing one not removed.
    async fn rescan(&self, profile: &str) {
        let Some(directory) = self.links.directory() else {
            return;
        };
        let asked = tokio::time::timeout(ASKS_FOR, ask(directory, profile)).await;
        let Ok(Ok(answer)) = asked else {
            tracing::warn!(%directory, profile, "a simulated node had no answer about its gateways");
            return;
        };
        for (name, registers) in gateways(&answer) {
            let gateway = Gateway {
                profile: profile.to_owned(),
                registers,
                up: true,
            };
            {
                let mut rows = lock(&self.gateways.0);
                if rows.contains_key(&name) {
                    continue;
                }
                rows.insert(name.clone(), gateway.clone());
            }
            let extra = [("profile-name", profile), ("Gateway", &*name)];
            let source = ("sofia.c", "config_gateway", 3901);
            self.custom("sofia::gateway_add", source, &extra);
            self.tell_gateway(&name, &gateway);
        }
    }

    /// SIP OPTIONS, or REGISTER, begin or cease to be answered.
    pub(super) fn gateway_answers(&self, name: &str, up: bool) {
        let gateway = {
            let mut rows = lock(&self.gateways.0);
            let Some(gateway) = rows.get_mut(name) else {
                return;
            };
            gateway.up = up;
            gateway.clone()
        };
        self.tell_gateway(name, &gateway);
    }

    fn tell_gateway(&self, name: &str, gateway: &Gateway) {
        let extra = [
            ("Gateway", name),
            ("State", gateway.state()),
            ("Ping-Status", gateway.status()),
            ("Status", if gateway.up { "200" } else { "503" }),
            (
                "Phrase",
                if gateway.up {
                    "OK"
                } else {
                    "Service Unavailable"
                },
            ),
        ];
        let source = (
            "sofia_reg.c",
            "sofia_reg_fire_custom_gateway_state_event",
            107,
        );
        self.custom("sofia::gateway_state", source, &extra);
    }
}

/// Posts what a profile posts.
async fn ask(directory: SocketAddr, profile: &str) -> std::io::Result<String> {
    let body =
        format!("section=directory&Event-Name=REQUEST_PARAMS&purpose=gateways&profile={profile}");
    let request = format!(
        "POST /v1/directory HTTP/1.1\r\nHost: {directory}\r\nConnection: close\r\nContent-Length: {}\r\n\
         Content-Type: application/x-www-form-urlencoded\r\n\r\n{body}",
        body.len()
    );
    let mut stream = TcpStream::connect(directory).await?;
    stream.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    stream.take(LARGEST).read_to_string(&mut answer).await?;
    Ok(answer)
}

/// Names of the gateways in a directory document, and whether each registers.
fn gateways(document: &str) -> Vec<(String, bool)> {
    let parts = document.split("<gateway ").skip(1);
    let named = parts.filter_map(|part| {
        let inside = part.split("</gateway>").next().unwrap_or(part);
        let (_, rest) = inside.split_once("name=\"")?;
        let (name, rest) = rest.split_once('"')?;
        let registers = rest.contains("name=\"register\" value=\"true\"");
        Some((name.to_owned(), registers))
    });
    named.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gateways_of_a_document() {
        let document = "<users><user id=\"x\"><gateways>\n<gateway name=\"lf.a\">\n<param name=\"register\" value=\"true\"/>\
            </gateway><gateway name=\"lf.b\"><param name=\"register\" value=\"false\"/></gateway></gateways></user></users>";
        let pair = |name: &str, registers| (name.to_owned(), registers);
        assert_eq!(
            gateways(document),
            [pair("lf.a", true), pair("lf.b", false)]
        );
        assert_eq!(gateways("<result status=\"not found\"/>"), []);
    }
}
