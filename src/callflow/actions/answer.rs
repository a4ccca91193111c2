//! `answer`: answers the caller.

use super::Nothing;
use crate::callflow::{Action, Next, Outcome, Stage};
use crate::switch::Application;

pub struct Answer;

impl Action for Answer {
    const MODULE: &'static str = "answer";
    type Data = Nothing;

    async fn run(_: Nothing, stage: &mut Stage) -> Outcome {
        stage.leg.execute(Application::Answer).await?;
        Ok(Next::Continue)
    }
}
