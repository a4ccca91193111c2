//! `ring_group`: rings devices, users and groups, together or one after the other, perhaps several times.

use serde::Deserialize;

use crate::callflow::dial::Attempted;
use crate::callflow::members::{self, Endpoint};
use crate::callflow::{Action, Call, Foreseen, Office, Outcome, Ring, Stage, data, dial, media};
use crate::routing::{ActionOptions, Network, Source, Strategy};
use crate::store::StoreError;

pub struct RingGroup;

/// Rounds are cheap when everybody is busy: without a bound, a slip in a document would keep the
/// switch dialling for as long as the caller stays.
const MOST_REPEATS: u32 = 100;

#[derive(Debug, Clone, Deserialize)]
pub struct Data {
    #[serde(default)]
    pub(super) endpoints: Vec<Endpoint>,
    #[serde(default)]
    pub(super) strategy: Named,
    /// Seconds; 0 means the default.
    #[serde(default, deserialize_with = "data::count")]
    pub(super) timeout: Option<u32>,
    #[serde(default, deserialize_with = "data::count")]
    repeats: Option<u32>,
    /// What the caller hears: media or a tone.
    #[serde(default)]
    pub(super) ringback: Option<String>,
    #[serde(default)]
    ringtones: Ringtones,
    /// A phone's redirection (302) is a failure, not a new destination for the caller.
    #[serde(default = "yes", deserialize_with = "data::flag")]
    pub(super) ignore_forward: bool,
    #[serde(default, deserialize_with = "data::flag")]
    fail_on_single_reject: bool,
}

#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Named {
    #[default]
    Simultaneous,
    Single,
    WeightedRandom,
}

impl Named {
    /// A word of a group document; unknown ones are none.
    pub(super) fn read(word: &str) -> Option<Self> {
        serde_json::from_value(word.into()).ok()
    }

    const fn strategy(self) -> Strategy {
        match self {
            Named::Simultaneous => Strategy::Simultaneous,
            Named::Single => Strategy::Single,
            Named::WeightedRandom => Strategy::WeightedRandom,
        }
    }
}

/// Alert-Info for the phones, by where the caller is.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
struct Ringtones {
    internal: Option<String>,
    external: Option<String>,
}

const fn yes() -> bool {
    true
}

impl Data {
    fn repeats(&self) -> u32 {
        self.repeats.unwrap_or(1).min(MOST_REPEATS)
    }

    pub(super) fn ring(&self, call: &Call, office: &Office<'_>) -> Result<Ring, StoreError> {
        let strategy = self.strategy.strategy();
        let expanded = members::of_group(call, office, &self.endpoints, strategy)?;
        let alert_info = match call.caller.network {
            Network::Onnet => &self.ringtones.internal,
            Network::Offnet => &self.ringtones.external,
        };
        Ok(Ring {
            members: expanded.devices,
            left_out: expanded.left_out,
            source: Source::RingGroup,
            strategy,
            rounds: self.repeats(),
            answers_first: false,
            options: ActionOptions {
                timeout_s: self.timeout,
                alert_info: alert_info.clone().filter(|tone| !tone.is_empty()),
                ringback: self.ringback(call, office),
                fail_on_single_reject: self.fail_on_single_reject,
                ignore_early_media: true,
                ignore_redirects: self.ignore_forward,
                ..ActionOptions::default()
            },
        })
    }

    /// Rings until somebody answers, a child waits for the cause, or the rounds are over.
    pub(super) async fn rounds(&self, stage: &mut Stage) -> Outcome {
        let mut last = Attempted::Nobody;
        for round in 1..=self.repeats() {
            // Anew for each round: phones may have come and gone, and chance is drawn again.
            let ring = self.ring(&stage.call, &stage.office())?;
            last = dial::attempt(stage, &ring).await?;
            if !matches!(last, Attempted::Failed { child: None }) {
                break;
            }
            tracing::debug!(call_id = %stage.call.id, action = "ring_group", round, "nobody answered");
        }
        Ok(last.into())
    }

    fn ringback(&self, call: &Call, office: &Office<'_>) -> Option<String> {
        let named = self.ringback.as_deref()?.trim();
        // A tone is written in brackets with a percent sign; no media id has either.
        if named.contains("%(") && !named.contains("://") {
            return Some(named.to_owned());
        }
        media::resolve(named, &call.account_id, office.settings)
    }
}

impl Action for RingGroup {
    const MODULE: &'static str = "ring_group";
    type Data = Data;

    fn foresee(data: Data, call: &Call, office: &Office<'_>) -> Result<Foreseen, StoreError> {
        Ok(Foreseen::Ring(data.ring(call, office)?))
    }

    async fn run(data: Data, stage: &mut Stage) -> Outcome {
        data.rounds(stage).await
    }
}
