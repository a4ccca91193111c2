//! `user`: rings all devices of a user.

use indexmap::IndexMap;
use serde::Deserialize;
use serde_json::Value;

use crate::callflow::{
    Action, Call, Foreseen, Next, Office, Outcome, Ring, Stage, data, dial, members,
};
use crate::routing::{ActionOptions, Source, Strategy};
use crate::store::StoreError;
use crate::types::DocumentId;

pub struct User;

#[derive(Debug, Clone, Deserialize)]
pub struct Data {
    #[serde(default)]
    id: Option<DocumentId>,
    /// Seconds; 0 means the default.
    #[serde(default, deserialize_with = "data::count")]
    timeout: Option<u32>,
    /// Seconds.
    #[serde(default, deserialize_with = "data::count")]
    delay: Option<u32>,
    #[serde(default)]
    strategy: Option<HuntOrNot>,
    /// As of the `device` action; `strategy` wins.
    #[serde(default)]
    dial_strategy: Option<HuntOrNot>,
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

/// Whether the devices ring together or one after the other.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum HuntOrNot {
    Simultaneous,
    Single,
}

/// Whom to ring; None: the node names nobody.
fn ring(data: Data, call: &Call, office: &Office<'_>) -> Result<Option<Ring>, StoreError> {
    let Some(id) = data.id else {
        return Ok(None);
    };
    let expanded = members::of_user(call, office, &id)?;
    let strategy = match data.strategy.or(data.dial_strategy) {
        None | Some(HuntOrNot::Simultaneous) => Strategy::Simultaneous,
        Some(HuntOrNot::Single) => Strategy::Single,
    };
    Ok(Some(Ring {
        members: expanded.devices,
        left_out: expanded.left_out,
        source: Source::User,
        strategy,
        options: ActionOptions {
            timeout_s: data.timeout,
            delay_s: data.delay,
            static_invite: data.static_invite.filter(|invite| !invite.is_empty()),
            suppress_clid: data.suppress_clid,
            can_call_self: data.can_call_self,
            custom_sip_headers: data::headers_out(data.custom_sip_headers),
            fail_on_single_reject: data.fail_on_single_reject,
            // Which device's media it would be is chance.
            ignore_early_media: strategy == Strategy::Simultaneous,
            ..ActionOptions::default()
        },
        rounds: 1,
        answers_first: false,
    }))
}

impl Action for User {
    const MODULE: &'static str = "user";
    type Data = Data;

    fn foresee(data: Data, call: &Call, office: &Office<'_>) -> Result<Foreseen, StoreError> {
        let ring = ring(data, call, office)?;
        Ok(ring.map_or(Foreseen::Next(Next::Continue), Foreseen::Ring))
    }

    async fn run(data: Data, stage: &mut Stage) -> Outcome {
        match ring(data, &stage.call, &stage.office())? {
            Some(ring) => dial::ring(stage, &ring).await,
            None => {
                tracing::warn!(
                    call_id = %stage.call.id,
                    account_id = %stage.call.account_id,
                    action = Self::MODULE,
                    "the node has no id; the flow goes on at _"
                );
                Ok(Next::Continue)
            }
        }
    }
}
