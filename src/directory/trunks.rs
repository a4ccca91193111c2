//! What FreeSWITCH asks about trunks: gateways of carriers, and addresses that need no password.

use std::net::IpAddr;

use super::answer::{Answer, GatewayEntry};
use super::xml::{Unfit, Value};
use crate::routing::carriers::SwitchGateway;

/// Who knows the trunks. Answers at once.
pub trait Trunks: Send + Sync {
    /// Gateways that a sofia profile is to have.
    fn gateways(&self, profile: &str) -> Vec<SwitchGateway>;

    /// Addresses of carriers, and of PBXs that prove themselves by theirs.
    fn trusted(&self) -> Vec<IpAddr>;
}

/// The gateways of a profile; "not found" for none, so that static ones are looked for.
///
/// A call that comes over a gateway's registration runs in the gateway's dialplan context, `default` unless it says
/// otherwise; ours for trunks is `context`.
pub fn gateways(trunks: &dyn Trunks, profile: &str, context: &str) -> Answer {
    let entry = |gateway: &SwitchGateway| match written(gateway, context) {
        Ok(entry) => Some(entry),
        Err(unfit) => {
            tracing::warn!(gateway = %gateway.key, error = %unfit, "this gateway can't be told to FreeSWITCH");
            None
        }
    };
    let entries: Vec<_> = trunks.gateways(profile).iter().filter_map(entry).collect();
    if entries.is_empty() {
        return Answer::NotFound;
    }
    Answer::Gateways(entries)
}

fn written(gateway: &SwitchGateway, context: &str) -> Result<GatewayEntry, Unfit> {
    let params = gateway
        .params
        .iter()
        .map(|(name, value)| (*name, value.as_str()));
    let params = params.chain([("context", context)]);
    let params = params.map(|(name, value)| Ok((name, Value::new(value)?)));
    Ok(GatewayEntry {
        name: Value::new(&gateway.name)?,
        params: params.collect::<Result<_, Unfit>>()?,
    })
}
