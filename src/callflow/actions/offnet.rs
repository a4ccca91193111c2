//! `offnet`: `resources` over the installation's carriers.

use super::resources::{self, send};
use crate::callflow::{Action, Outcome, Stage};

pub struct Offnet;

impl Action for Offnet {
    const MODULE: &'static str = "offnet";
    type Data = resources::Data;

    async fn run(data: Self::Data, stage: &mut Stage) -> Outcome {
        send(data.globally(), stage).await
    }
}
