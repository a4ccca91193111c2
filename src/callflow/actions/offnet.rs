//! `offnet`: `resources` over the installation's carriers.

use super::resources::{self, send};
use crate::callflow::{Action, Call, Foreseen, Office, Outcome, Stage};
use crate::store::StoreError;

pub struct Offnet;

impl Action for Offnet {
    const MODULE: &'static str = "offnet";
    type Data = resources::Data;

    fn foresee(data: Self::Data, call: &Call, office: &Office<'_>) -> Result<Foreseen, StoreError> {
        let errand = data.globally().errand(call, office.settings);
        Ok(Foreseen::Leave(Box::new(errand)))
    }

    async fn run(data: Self::Data, stage: &mut Stage) -> Outcome {
        send(data.globally(), stage).await
    }
}
