//! `openapi`: the API as other programs read it.

use super::exit::{Exit, Failure, Outcome};
use super::output::Output;
use crate::api;

pub fn openapi() -> Outcome {
    let document = api::openapi::document(&api::routes());
    let text = serde_json::to_string_pretty(&document)
        .map_err(|error| Failure::new(Exit::Software, error))?;
    let mut out = Output::new();
    out.line(text)?;
    Ok(out.finish()?)
}
