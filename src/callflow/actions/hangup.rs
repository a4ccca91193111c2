//! `hangup`: ends the call, whatever flows wait.

use super::Nothing;
use crate::callflow::{Action, Call, Foreseen, Next, Office, Outcome, Stage};
use crate::store::StoreError;
use crate::types::HangupCause;

pub struct Hangup;

const NEXT: Next = Next::HardStop(HangupCause::NormalClearing);

impl Action for Hangup {
    const MODULE: &'static str = "hangup";
    type Data = Nothing;

    fn foresee(_: Nothing, _: &Call, _: &Office<'_>) -> Result<Foreseen, StoreError> {
        Ok(Foreseen::Next(NEXT))
    }

    async fn run(_: Nothing, _: &mut Stage) -> Outcome {
        Ok(NEXT)
    }
}
