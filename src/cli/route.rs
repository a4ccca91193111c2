//! `route`: what would happen to a call, by the code that live calls run.

use std::path::Path;

use super::arguments::{Caller, Route};
use super::demo;
use super::exit::{Exit, Failure, Outcome};
use super::open;
use super::output::Output;
use crate::callflow::{Context, ExplainError, ExplainRequest, explain};
use crate::config::Config;
use crate::store::Store;

pub fn route(file: Option<&Path>, asked: &Route) -> Outcome {
    let (context, request) = ask(file, &asked.caller)?;
    if asked.caller.demo {
        demo::register(&context.store)?;
    }
    let explanation = explain(&context, &request)?;
    let mut out = Output::new();
    if asked.json {
        let text = serde_json::to_string_pretty(&explanation)
            .map_err(|error| Failure::new(Exit::Software, error))?;
        out.line(text)?;
    } else {
        out.line(explanation.to_string().trim_end())?;
    }
    Ok(out.finish()?)
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
