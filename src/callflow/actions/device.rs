//! `device`: rings one device, its forward included.

use indexmap::IndexMap;
use serde::Deserialize;
use serde_json::Value;

use crate::callflow::{Action, Call, Foreseen, Office, Outcome, Ring, Stage, Wanted, data, dial};
use crate::routing::{ActionOptions, Source, Strategy};
use crate::store::StoreError;
use crate::types::DocumentId;

pub struct Device;

#[derive(Debug, Deserialize)]
pub struct Data {
    id: DocumentId,
    /// Seconds; 0 means the default.
    #[serde(default, deserialize_with = "data::count")]
    timeout: Option<u32>,
    /// Seconds.
    #[serde(default, deserialize_with = "data::count")]
    delay: Option<u32>,
    #[serde(default)]
    dial_strategy: DialStrategy,
    #[serde(default, deserialize_with = "data::flag")]
    can_call_self: bool,
    #[serde(default)]
    static_invite: Option<String>,
    #[serde(default, deserialize_with = "data::flag")]
    suppress_clid: bool,
    #[serde(default)]
    custom_sip_headers: IndexMap<String, Value>,
    #[serde(default, deserialize_with = "data::flag")]
    fail_on_single_reject: bool,
}

/// How the device's legs ring: device and forward, or several contacts.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
enum DialStrategy {
    #[default]
    Simultaneous,
    Single,
}

fn ring(data: Data) -> Ring {
    Ring {
        members: vec![Wanted::device(data.id)],
        left_out: Vec::new(),
        source: Source::Device,
        strategy: match data.dial_strategy {
            DialStrategy::Simultaneous => Strategy::Simultaneous,
            DialStrategy::Single => Strategy::Single,
        },
        options: ActionOptions {
            timeout_s: data.timeout,
            delay_s: data.delay,
            static_invite: data.static_invite.filter(|invite| !invite.is_empty()),
            suppress_clid: data.suppress_clid,
            can_call_self: data.can_call_self,
            custom_sip_headers: data::headers_out(data.custom_sip_headers),
            fail_on_single_reject: data.fail_on_single_reject,
            ..ActionOptions::default()
        },
        rounds: 1,
        answers_first: false,
    }
}

impl Action for Device {
    const MODULE: &'static str = "device";
    type Data = Data;

    fn foresee(data: Data, _: &Call, _: &Office<'_>) -> Result<Foreseen, StoreError> {
        Ok(Foreseen::Ring(ring(data)))
    }

    async fn run(data: Data, stage: &mut Stage) -> Outcome {
        dial::ring(stage, &ring(data)).await
    }
}
