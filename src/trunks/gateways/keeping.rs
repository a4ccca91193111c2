//! One node's gateways, kept.

use std::collections::{BTreeMap, BTreeSet};

use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{GatewaySettings, Wanted};
use crate::routing::carriers::{GatewayKey, SwitchGateway};
use crate::switch::{GatewayEvent, GatewayRow, Node, NodeGateways};
use crate::trunks::Health;

/// Keeps one node's gateways and its address lists in step with the documents, and tells `health` how they are, until
/// `shutdown` is cancelled.
pub async fn keep(
    node: Node,
    wanted: Wanted,
    health: Health,
    settings: GatewaySettings,
    shutdown: CancellationToken,
) {
    let keeper = Keeper {
        node,
        wanted,
        health,
        settings,
    };
    tokio::select! {
        () = shutdown.cancelled() => {}
        () = keeper.run() => {}
    }
}

struct Keeper {
    node: Node,
    wanted: Wanted,
    health: Health,
    settings: GatewaySettings,
}

/// What is to be done on a node.
#[derive(Debug, Default, PartialEq, Eq)]
struct Plan {
    /// Profile and name.
    kill: Vec<(String, String)>,
    /// Names that are missing, by profile.
    add: BTreeMap<String, BTreeSet<String>>,
}

impl Plan {
    fn is_nothing(&self) -> bool {
        self.kill.is_empty() && self.add.is_empty()
    }
}

/// Gateways of other makers are left alone.
fn plan(wanted: &[SwitchGateway], found: &[GatewayRow]) -> Plan {
    let is_there = |gateway: &&SwitchGateway| {
        found
            .iter()
            .any(|row| row.name == gateway.name && row.profile == gateway.profile)
    };
    let is_wanted = |row: &&GatewayRow| {
        wanted
            .iter()
            .any(|gateway| row.name == gateway.name && row.profile == gateway.profile)
    };
    let ours = found.iter().filter(|row| SwitchGateway::is_ours(&row.name));
    let mut plan = Plan {
        kill: ours
            .filter(|row| !is_wanted(row))
            .map(|row| (row.profile.clone(), row.name.clone()))
            .collect(),
        add: BTreeMap::new(),
    };
    for gateway in wanted.iter().filter(|gateway| !is_there(gateway)) {
        let names = plan.add.entry(gateway.profile.clone()).or_default();
        names.insert(gateway.name.clone());
    }
    plan
}

impl Keeper {
    async fn run(&self) {
        let mut state = self.node.state();
        let mut changes = self.wanted.carriers.changes();
        let mut look = tokio::time::interval(self.settings.look_every);
        look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        // What the node's lists were last made of.
        let mut lists: Option<Vec<std::net::IpAddr>> = None;
        loop {
            let is_live = |state: &crate::switch::NodeState| state.is_live();
            let live = state.borrow_and_update().is_live();
            if !live {
                lists = None;
                if state.wait_for(is_live).await.is_err() {
                    return;
                }
            }
            changes.mark_unchanged();
            let mut events = self.node.gateway_events();
            if let Err(error) = self.settle(&mut events, &mut lists).await {
                tracing::warn!(node = %self.node.name(), %error, "the node's gateways can't be kept in step; tried again later");
            }
            // A round for each look; events in between are told at once.
            let wait = async {
                loop {
                    tokio::select! {
                        _ = look.tick() => return true,
                        changed = changes.changed() => return changed.is_ok(),
                        changed = state.changed() => return changed.is_ok(),
                        event = events.recv() => match event {
                            Ok(event) => self.told(&event),
                            Err(RecvError::Lagged(_)) => return true,
                            Err(RecvError::Closed) => return false,
                        },
                    }
                }
            };
            if !wait.await {
                return;
            }
        }
    }

    /// Makes the node what the documents say.
    async fn settle(
        &self,
        events: &mut Receiver<GatewayEvent>,
        lists: &mut Option<Vec<std::net::IpAddr>>,
    ) -> Result<(), NodeGateways> {
        let trusted = self.wanted.trusted();
        let fresh = lists.is_none() && trusted.is_empty();
        if !fresh && lists.as_ref() != Some(&trusted) {
            // FreeSWITCH asks for the lists when it starts, which may have been before we answered.
            self.node.reload_address_lists().await?;
            tracing::info!(node = %self.node.name(), addresses = trusted.len(), "the address lists are read anew");
            *lists = Some(trusted);
        }
        let wanted = self.wanted.gateways(None);
        let found = match self.node.gateways().await {
            // A node without mod_sofia is no concern as long as nothing is to be there.
            Err(NodeGateways::NotATable(_)) if wanted.is_empty() => return Ok(()),
            found => found?,
        };
        self.count(&wanted, &found);
        let plan = plan(&wanted, &found);
        if plan.is_nothing() {
            return Ok(());
        }
        for (profile, name) in &plan.kill {
            tracing::info!(node = %self.node.name(), gateway = name, profile, "the gateway is removed");
            self.node.kill_gateway(profile, name).await?;
        }
        let gone: BTreeSet<String> = plan.kill.into_iter().map(|(_, name)| name).collect();
        // A profile that still has the old one has its registration, too: the new one comes behind it.
        self.wait_for(events, gone, |event| match event {
            GatewayEvent::Deleted { name } => Some(name),
            _ => None,
        })
        .await;
        for (profile, names) in plan.add {
            tracing::info!(node = %self.node.name(), gateways = ?names, profile, "gateways are added");
            self.node.rescan(&profile).await?;
            let missing = self
                .wait_for(events, names, |event| match event {
                    GatewayEvent::Added { name } | GatewayEvent::State { name, .. } => Some(name),
                    GatewayEvent::Deleted { .. } => None,
                })
                .await;
            let found = self.node.gateways().await?;
            let missing: Vec<_> = missing
                .into_iter()
                .filter(|name| !found.iter().any(|row| row.name == *name))
                .collect();
            if !missing.is_empty() {
                tracing::warn!(
                    node = %self.node.name(), profile, gateways = ?missing,
                    "FreeSWITCH did not take the gateways in; is the profile running, and has it <domain name=\"all\" parse=\"true\"/>?"
                );
            }
        }
        Ok(())
    }

    /// Until all names were told, or the time is over; the ones that were not.
    async fn wait_for(
        &self,
        events: &mut Receiver<GatewayEvent>,
        mut names: BTreeSet<String>,
        told: impl Fn(&GatewayEvent) -> Option<&String>,
    ) -> BTreeSet<String> {
        let deadline = Instant::now() + self.settings.settle;
        while !names.is_empty() {
            let event = match tokio::time::timeout_at(deadline, events.recv()).await {
                Ok(Ok(event)) => event,
                // Behind: the table tells.
                Ok(Err(RecvError::Lagged(_))) => continue,
                Ok(Err(RecvError::Closed)) | Err(_) => break,
            };
            self.told(&event);
            if let Some(name) = told(&event) {
                names.remove(name);
            }
        }
        names
    }

    /// Every look counts once for each gateway that is asked how it is: FreeSWITCH tells only when that changes.
    fn count(&self, wanted: &[SwitchGateway], found: &[GatewayRow]) {
        for gateway in wanted {
            let row = found.iter().find(|row| row.name == gateway.name);
            if let Some(up) = row.and_then(GatewayRow::up) {
                self.health
                    .probed(&gateway.key, self.node.name().as_str(), up);
            }
        }
    }

    fn told(&self, event: &GatewayEvent) {
        let GatewayEvent::State { name, up } = event else {
            return;
        };
        if let Some(key) = self.key(name) {
            tracing::info!(node = %self.node.name(), gateway = %key, up, "the gateway's state");
            self.health.probed(&key, self.node.name().as_str(), *up);
        }
    }

    fn key(&self, name: &str) -> Option<GatewayKey> {
        let wanted = self.wanted.gateways(None);
        wanted
            .into_iter()
            .find(|gateway| gateway.name == name)
            .map(|gateway| gateway.key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::documents::Gateway;
    use crate::types::{AccountId, DocumentId};
    use serde_json::json;

    fn gateway(place: usize, server: &str) -> SwitchGateway {
        let key = GatewayKey::new(
            &AccountId::installation(),
            &DocumentId::new("a").unwrap(),
            place,
        );
        let document: Gateway =
            serde_json::from_value(json!({"server": server, "register": true})).unwrap();
        SwitchGateway::of(&key, &document, "trunk").unwrap()
    }

    fn row(profile: &str, name: &str) -> GatewayRow {
        GatewayRow {
            name: name.into(),
            profile: profile.into(),
            state: String::new(),
            status: String::new(),
        }
    }

    #[test]
    fn what_is_to_be_done() {
        let wanted = [gateway(0, "a"), gateway(1, "b")];
        let [a, b] = &wanted;
        let changed = gateway(0, "c");
        assert_eq!(
            plan(
                &wanted,
                &[
                    row("trunk", &a.name),
                    row("trunk", &b.name),
                    row("x", "by-hand")
                ]
            ),
            Plan::default()
        );
        let found = [
            row("trunk", &changed.name),
            row("trunk", &b.name),
            row("x", "by-hand"),
        ];
        let expected = Plan {
            kill: vec![("trunk".into(), changed.name.clone())],
            add: BTreeMap::from([("trunk".into(), BTreeSet::from([a.name.clone()]))]),
        };
        assert_eq!(plan(&wanted, &found), expected);
        // On another profile it is another one.
        let moved = plan(&wanted, &[row("other", &a.name), row("trunk", &b.name)]);
        assert_eq!(moved.kill, [("other".to_owned(), a.name.clone())]);
        assert_eq!(plan(&[], &[row("x", "by-hand")]), Plan::default());
    }
}
