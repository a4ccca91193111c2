//! Calls that FreeSWITCH asks about by HTTP, decided by the callflows.

use crate::callflow::{self, Context, unix_now};
use crate::directory::{Bridge, Channel, Dialplan};
use crate::esl::Event;
use crate::switch::{Arrival, Handoff, Switch};
use crate::types::NodeName;

/// Decides about calls that nobody will look after.
pub(super) struct Switchboard {
    context: Context,
    switch: Switch,
}

impl Switchboard {
    pub(super) const fn new(context: Context, switch: Switch) -> Self {
        Self { context, switch }
    }

    /// The configured node with this core, else the name that the switch gives itself.
    fn node(&self, channel: &Channel) -> Option<NodeName> {
        let core = channel.field("Core-UUID");
        let known = self.switch.nodes().iter().find(|node| {
            let live = node.core();
            live.is_some() && live.as_deref() == core
        });
        if let Some(node) = known {
            return Some(node.name().clone());
        }
        NodeName::new(channel.field("FreeSWITCH-Switchname")?).ok()
    }

    fn arrival(&self, channel: &Channel) -> Option<Arrival> {
        let node = self.node(channel)?;
        let event = Event::from_headers(channel.fields(), None);
        let mut arrival = Arrival::read(&event, node, Handoff::Dialplan).ok()?;
        // After a transfer only the hunt's own fields are right (event socket specification 6.2).
        channel.number()?.clone_into(&mut arrival.destination);
        Some(arrival)
    }
}

impl Dialplan for Switchboard {
    fn bridge(&self, channel: &Channel) -> Option<Bridge> {
        let arrival = self.arrival(channel)?;
        let office = self.context.office(unix_now(), fastrand::u64(..));
        let unattended = callflow::unattended(&self.context, &office, &arrival)?;
        tracing::info!(
            call_id = %arrival.call,
            sip_call_id = arrival.sip_call_id,
            node = %arrival.node,
            account_id = %unattended.call.account_id,
            device_id = unattended.call.caller.device_id.as_ref().map(AsRef::<str>::as_ref),
            dialed = arrival.destination,
            legs = unattended.plan.legs.len(),
            "bridged by the dialplan; nobody looks after this call"
        );
        let plan = unattended.plan;
        Some(Bridge {
            variables: plan
                .aleg
                .iter()
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .collect(),
            ring_ready: plan.ring_ready,
            give_up_s: plan.watched_for_s(),
            dial_string: plan.dial.render(),
        })
    }
}
