//! `route`: what would happen to a call, by the code that live calls run.

use std::fmt::Display;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::arguments::{Caller, Route};
use super::demo;
use super::exit::{Exit, Failure, Outcome};
use super::open;
use super::output::Output;
use crate::callflow::{
    Context, ExplainError, ExplainRequest, TrunkQuestion, Way, explain, explain_trunk,
};
use crate::config::Config;
use crate::store::Store;
use crate::trunks::Carriers;

pub fn route(file: Option<&Path>, asked: &Route) -> Outcome {
    if let Some(question) = trunk_question(asked) {
        let context = context(file, asked.store.as_ref())?;
        let explanation = explain_trunk(&context, &question)?;
        return print(&explanation, asked.json);
    }
    let caller = asked.caller();
    let (context, request) = ask(file, &caller)?;
    if caller.demo {
        demo::register(&context.store)?;
    }
    print(&explain(&context, &request)?, asked.json)
}

/// An answer, for people or for machines.
pub fn print<T: Serialize + Display>(answer: &T, json: bool) -> Outcome {
    let mut out = Output::new();
    if json {
        let text = serde_json::to_string_pretty(answer)
            .map_err(|error| Failure::new(Exit::Software, error))?;
        out.line(text)?;
    } else {
        out.line(answer.to_string().trim_end())?;
    }
    Ok(out.finish()?)
}

fn trunk_question(asked: &Route) -> Option<TrunkQuestion> {
    let (way, number) = match (&asked.inbound, asked.trunk.as_deref()) {
        (Some(did), _) => (Way::Carrier(asked.source), did),
        (None, Some([server, number])) => {
            (Way::Server(server.clone(), asked.account.clone()), number)
        }
        _ => return None,
    };
    Some(TrunkQuestion {
        way,
        number: number.clone(),
        caller_number: asked.from.clone(),
        caller_name: asked.caller_name.clone(),
    })
}

/// The store with its carriers.
pub fn context(file: Option<&Path>, store: Option<&PathBuf>) -> Result<Context, Failure> {
    let config = Config::load(file)?;
    let store = open::existing(file, store)?;
    let carriers = Carriers::load(&store)?;
    let mut context = Context::new(store, config.routing, config.callflow);
    context.carriers = Some(carriers);
    Ok(context)
}

/// The store and settings that the caller means, and the question.
fn ask(file: Option<&Path>, caller: &Caller) -> Result<(Context, ExplainRequest), Failure> {
    let (config, store) = opened(file, caller)?;
    let request = question(caller);
    Ok((
        Context::new(store, config.routing, config.callflow),
        request,
    ))
}

/// What the command line asks.
pub fn question(caller: &Caller) -> ExplainRequest {
    ExplainRequest {
        account: caller.account.clone(),
        realm: caller.realm.clone(),
        from: caller.from.clone(),
        to: caller.to.clone(),
        caller_name: caller.caller_name.clone(),
        ..ExplainRequest::default()
    }
}

/// The configuration and store that `call` and `route` work with. The demo has a configuration of its own: nothing
/// on this machine bears on it.
pub fn opened(file: Option<&Path>, caller: &Caller) -> Result<(Config, Store), Failure> {
    if caller.demo {
        return Ok((demo::settings()?, demo::documents::store()?));
    }
    let config = Config::load(file)?;
    let store = open::existing(file, caller.store.as_ref())?;
    Ok((config, store))
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
