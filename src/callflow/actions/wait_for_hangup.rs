//! `wait_for_hangup`: idles until the caller leaves.

use super::Nothing;
use crate::callflow::{Action, Call, Foreseen, Next, Office, Outcome, Stage};
use crate::store::StoreError;

pub struct WaitForHangup;

impl Action for WaitForHangup {
    const MODULE: &'static str = "wait_for_hangup";
    type Data = Nothing;

    fn foresee(_: Nothing, _: &Call, _: &Office<'_>) -> Result<Foreseen, StoreError> {
        Ok(Foreseen::Next(Next::Stop(None)))
    }

    async fn run(_: Nothing, stage: &mut Stage) -> Outcome {
        stage.leg.gone().cancelled().await;
        Ok(Next::Stop(None))
    }
}
