//! `group`: rings a group document's members, or endpoints of its own as `ring_group` does.

use serde::Deserialize;

use super::ring_group::{Data as RingGroup, Named};
use crate::callflow::members::{self, Endpoint};
use crate::callflow::{Action, Call, Foreseen, Next, Office, Outcome, Stage};
use crate::store::StoreError;
use crate::switch::Application;
use crate::types::DocumentId;

pub struct Group;

#[derive(Debug, Clone, Deserialize)]
pub struct Data {
    #[serde(default)]
    id: Option<DocumentId>,
    #[serde(flatten)]
    ring: RingGroup,
}

/// What the node comes to.
enum Meant {
    /// Exactly a ring group.
    Endpoints(RingGroup),
    /// A group document; the caller is answered first (callflow specification 2.1).
    Document(RingGroup),
    /// There is no such document.
    Nothing,
}

impl Data {
    fn meant(mut self, call: &Call, office: &Office<'_>) -> Result<Meant, StoreError> {
        if !self.ring.endpoints.is_empty() {
            return Ok(Meant::Endpoints(self.ring));
        }
        let Some(id) = self.id else {
            return Ok(Meant::Nothing);
        };
        let Some(group) = members::open(call, office, &id)? else {
            return Ok(Meant::Nothing);
        };
        // The document's word is the last one.
        let strategy = group.strategy.as_deref().and_then(Named::read);
        self.ring.strategy = strategy.unwrap_or(self.ring.strategy);
        self.ring.timeout = group.timeout_s.or(self.ring.timeout);
        self.ring.ignore_forward = group.ignore_forward.unwrap_or(self.ring.ignore_forward);
        self.ring.ringback = group.ringback.or(self.ring.ringback);
        self.ring.endpoints = vec![Endpoint::group(id, None, None)];
        Ok(Meant::Document(self.ring))
    }
}

impl Action for Group {
    const MODULE: &'static str = "group";
    type Data = Data;

    fn foresee(data: Data, call: &Call, office: &Office<'_>) -> Result<Foreseen, StoreError> {
        Ok(match data.meant(call, office)? {
            Meant::Endpoints(ring) => Foreseen::Ring(ring.ring(call, office)?),
            Meant::Document(ring) => {
                let mut ring = ring.ring(call, office)?;
                ring.answers_first = true;
                Foreseen::Ring(ring)
            }
            Meant::Nothing => Foreseen::Next(Next::Continue),
        })
    }

    async fn run(data: Data, stage: &mut Stage) -> Outcome {
        match data.meant(&stage.call, &stage.office())? {
            Meant::Endpoints(ring) => ring.rounds(stage).await,
            Meant::Document(ring) => {
                if !stage.leg.is_answered() {
                    stage.leg.execute(Application::Answer).await?;
                }
                ring.rounds(stage).await
            }
            Meant::Nothing => {
                tracing::warn!(
                    call_id = %stage.call.id,
                    account_id = %stage.call.account_id,
                    action = Self::MODULE,
                    "the node names no group that there is; the flow goes on at _"
                );
                Ok(Next::Continue)
            }
        }
    }
}
