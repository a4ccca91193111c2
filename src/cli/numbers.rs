//! `numbers`: whose a number is, and where its calls go.

use super::arguments::Numbers;
use super::exit::Outcome;
use super::output;
use super::premises::Premises;
use crate::callflow::who;
use crate::console::Desk;

pub fn numbers(on: &Premises, desk: &mut dyn Desk, asked: &Numbers) -> Outcome {
    let Numbers::Who(asked) = asked;
    let owner = who(&on.context, &asked.number)?;
    output::print(desk, &owner, asked.of.json)
}
