//! `numbers`: whose a number is, and where its calls go.

use std::path::Path;

use super::arguments::Numbers;
use super::exit::Outcome;
use super::route;
use crate::callflow::who;

pub fn numbers(file: Option<&Path>, asked: &Numbers) -> Outcome {
    let Numbers::Who {
        number,
        store,
        json,
    } = asked;
    let context = route::context(file, store.as_ref())?;
    route::print(&who(&context, number)?, *json)
}
