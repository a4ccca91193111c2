//! `noop`: nothing; a place in the tree.

use super::Nothing;
use crate::callflow::{Action, Next, Outcome, Stage};

pub struct Noop;

impl Action for Noop {
    const MODULE: &'static str = "noop";
    type Data = Nothing;

    async fn run(_: Nothing, _: &mut Stage) -> Outcome {
        Ok(Next::Continue)
    }
}
