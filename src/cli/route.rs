//! `route`: what would happen to a call, by the code that live calls run.

use super::arguments::{Route, Setting};
use super::demo;
use super::exit::{Exit, Failure, Outcome};
use super::output;
use super::premises::Premises;
use crate::callflow::{
    Context, ExplainError, ExplainRequest, TrunkQuestion, Way, explain, explain_trunk,
};
use crate::console::{Desk, Here};
use crate::trunks::Carriers;
use crate::types::NodeName;

pub fn route(on: &Premises, desk: &mut dyn Desk, asked: &Route) -> Outcome {
    let usual = on.config.nodes.keys().next();
    answer(&on.context, desk, asked, usual)
}

/// The same with the documents and phones of the demo, which has a configuration of its own: nothing on this machine
/// bears on it.
pub fn of_demo(asked: &Route) -> Outcome {
    let (config, store) = (demo::settings()?, demo::documents::store()?);
    demo::register(&store)?;
    let carriers = Carriers::load(&store)?;
    let mut context = Context::new(store, config.routing, config.callflow);
    context.carriers = Some(carriers);
    let width = output::terminal();
    answer(&context, &mut Here { width }, asked, None)
}

fn answer(
    context: &Context,
    desk: &mut dyn Desk,
    asked: &Route,
    usual_node: Option<&NodeName>,
) -> Outcome {
    if let Some(question) = trunk_question(asked, usual_node) {
        let explanation = explain_trunk(context, &question)?;
        return output::print(desk, &explanation, asked.json);
    }
    let from = asked.from.as_deref().unwrap_or_default();
    let to = asked.to.as_deref().unwrap_or_default();
    let question = ExplainRequest {
        node: asked.node.clone(),
        usual_node: usual_node.cloned(),
        ..question(from, to, &asked.setting)
    };
    let explanation = explain(context, &question)?;
    output::print(desk, &explanation, asked.json)
}

fn trunk_question(asked: &Route, usual_node: Option<&NodeName>) -> Option<TrunkQuestion> {
    let (way, number) = match (&asked.inbound, asked.trunk.as_deref()) {
        (Some(did), _) => (Way::Carrier(asked.source), did),
        (None, Some([server, number])) => (
            Way::Server(server.clone(), asked.setting.account.clone()),
            number,
        ),
        _ => return None,
    };
    Some(TrunkQuestion {
        way,
        number: number.clone(),
        caller_number: asked.from.clone(),
        caller_name: asked.setting.caller_name.clone(),
        node: asked.node.as_ref().or(usual_node).cloned(),
    })
}

/// What the command line asks of a call between phones.
pub fn question(from: &str, to: &str, setting: &Setting) -> ExplainRequest {
    ExplainRequest {
        account: setting.account.clone(),
        realm: setting.realm.clone(),
        from: from.to_owned(),
        to: to.to_owned(),
        caller_name: setting.caller_name.clone(),
        ..ExplainRequest::default()
    }
}

impl From<ExplainError> for Failure {
    fn from(error: ExplainError) -> Self {
        match error {
            ExplainError::Store(error) => error.into(),
            ExplainError::WhichAccount => Failure::new(Exit::Usage, error),
            _ => Failure::new(Exit::Data, error),
        }
    }
}
