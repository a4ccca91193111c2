//! Why a call of a carrier or a PBX goes where it goes: the live decision, with every rule that was tried.

use std::collections::HashMap;
use std::fmt;
use std::net::IpAddr;

use serde::Serialize;

use super::attempt;
use super::course::kind;
use super::door::Facts;
use super::room::{self, TakenUnit, Who};
use super::world::Documents;
use crate::callflow::explain::{Note, Notes, id};
use crate::callflow::{Context, ExplainError, ExplainRequest, Explanation, explain, unix_now};
use crate::documents::{AuthMethod, DocumentType};
use crate::routing::Privacy;
use crate::routing::trunk::{
    self, Decision, Dial, Failover, Outcome, Place, Reject, Unreadable, World,
};
use crate::store::StoreError;
use crate::switch::{Arrival, Handoff};
use crate::types::{AccountId, CallId, NodeName};

/// A call over a trunk to imagine.
#[derive(Debug, Clone)]
pub struct TrunkQuestion {
    pub way: Way,
    /// As dialled.
    pub number: String,
    pub caller_number: Option<String>,
    pub caller_name: Option<String>,
    /// The node that it arrives on; without it the first that has sister nodes.
    pub node: Option<NodeName>,
}

#[derive(Debug, Clone)]
pub enum Way {
    /// From a carrier: the one at this address, or one that is trusted without being known.
    Carrier(Option<IpAddr>),
    /// From a PBX: the name of a server, or the id of its document, with `/PLACE` behind it where
    /// there are several; of this account, if one is given.
    Server(String, Option<AccountId>),
}

/// The decision and how it came about. `Display` is for people, `Serialize` for `--json`.
#[derive(Debug, Clone, Serialize)]
pub struct TrunkExplanation {
    pub number: String,
    pub account_id: Option<AccountId>,
    pub notes: Vec<Note>,
    /// What it takes of whose limits.
    pub units: Vec<TakenUnit>,
    pub result: Leads,
    /// What follows when all attempts have failed.
    pub failover: Option<Box<TrunkExplanation>>,
}

/// Where it leads.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "snake_case", tag = "result")]
pub enum Leads {
    Route {
        route: &'static str,
        emergency: bool,
        /// Set on the caller's leg first.
        aleg_variables: Vec<(String, String)>,
        attempts: Vec<Tried>,
    },
    Reject {
        cause: crate::types::HangupCause,
        sip_status: u16,
        why: String,
    },
    /// It is the callflows' call.
    Elsewhere {
        account_id: AccountId,
        number: String,
        /// What they make of it.
        then: Option<Box<Explanation>>,
    },
}

/// An attempt, in order.
#[derive(Debug, Clone, Serialize)]
pub struct Tried {
    pub to: String,
    /// None: it fails at once, for the reason in `fails`.
    pub dial_string: Option<String>,
    pub fails: Option<String>,
    pub answer_timeout_s: Option<u32>,
    pub delay_s: u32,
}

pub(super) fn store_error(error: Unreadable) -> ExplainError {
    match error.0.downcast::<StoreError>() {
        Ok(error) => ExplainError::Store(*error),
        Err(_) => ExplainError::NoAccount,
    }
}

/// Explains what a call over a trunk would come to. Nothing is dialled, and no unit taken.
///
/// # Errors
/// The server is not known, or the store can't be read.
pub fn explain_trunk(
    context: &Context,
    question: &TrunkQuestion,
) -> Result<TrunkExplanation, ExplainError> {
    let world = Documents::new(context);
    let office = context.office(unix_now(), 0);
    let mut arrival = imagine(context, question)?;
    let mut digest = None;
    let mut trusted = false;
    let mut party = None;
    match &question.way {
        Way::Carrier(None) => trusted = true,
        Way::Carrier(Some(ip)) => arrival.source = Some(*ip),
        Way::Server(name, account) => {
            let place = server(context, name, account.as_ref())?;
            party = Some(format!("{}/{}", place.connectivity, place.server));
            match credentials(&world, &place).map_err(store_error)? {
                Known::Address(ip) => arrival.source = Some(ip),
                Known::Digest(user, realm) => digest = Some((user, realm)),
                Known::Unusable => return Err(ExplainError::NoCredentials(name.clone())),
            }
        }
    }
    let mut facts = Facts::of(&arrival, Privacy::default(), office.now);
    facts.digest = digest;
    facts.trusted = trusted;
    let party = party.as_deref();
    let (call, node) = (&arrival.call, &arrival.node);
    let scene = Scene {
        context,
        world: &world,
        who: Who { call, node, party },
    };
    let mut notes = Notes::default();
    let decided = facts.ask(&office, |request| match &question.way {
        Way::Carrier(_) => trunk::inbound(request, &world, &mut notes),
        Way::Server(..) => trunk::outbound(request, &world, &mut notes),
    });
    let decision = decided.map_err(store_error)?;
    let fail_over = |failover: &Failover, notes: &mut Notes| {
        facts.ask(&office, |request| {
            trunk::failover(request, failover, &world, notes)
        })
    };
    let told = scene.with_failover(decision, notes, &question.number, &fail_over);
    let mut explanation = told.map_err(store_error)?;
    if let Leads::Elsewhere {
        account_id,
        number,
        then,
    } = &mut explanation.result
    {
        let request = ExplainRequest {
            account: Some(account_id.clone()),
            from: question.caller_number.clone().unwrap_or_default(),
            outside: true,
            to: number.clone(),
            caller_name: question.caller_name.clone(),
            node: Some(arrival.node.clone()),
            ..ExplainRequest::default()
        };
        *then = Some(Box::new(explain(context, &request)?));
    }
    Ok(explanation)
}

fn target(failover: &Failover) -> String {
    match &failover.to {
        trunk::FailoverTo::E164(number) => number.clone(),
        trunk::FailoverTo::Sip(uri) => uri.clone(),
    }
}

type FailOver<'f> = dyn Fn(&Failover, &mut Notes) -> Result<Decision, Unreadable> + 'f;

/// A call to explain.
pub(super) struct Scene<'a> {
    pub(super) context: &'a Context,
    pub(super) world: &'a dyn World,
    pub(super) who: Who<'a>,
}

impl Scene<'_> {
    /// What was decided, and what is decided if all attempts fail.
    pub(super) fn with_failover(
        &self,
        decision: Decision,
        notes: Notes,
        number: &str,
        fail_over: &FailOver<'_>,
    ) -> Result<TrunkExplanation, Unreadable> {
        let failover = match &decision.outcome {
            Outcome::Route(route) => route.failover.clone(),
            _ => None,
        };
        let mut explanation = self.told(decision, notes, number)?;
        if let (Some(failover), Leads::Route { .. }) = (failover, &explanation.result) {
            let mut notes = Notes::default();
            let decision = fail_over(&failover, &mut notes)?;
            let told = self.told(decision, notes, &target(&failover))?;
            explanation.failover = Some(Box::new(told));
        }
        Ok(explanation)
    }

    fn told(
        &self,
        decision: Decision,
        mut notes: Notes,
        number: &str,
    ) -> Result<TrunkExplanation, Unreadable> {
        let room = room::foresee(self.context, self.world, self.who, &decision, &mut notes)?;
        let mut shown = number.to_owned();
        let result = match (room.refused, decision.outcome) {
            (Some((reject, why)), outcome) => {
                if let Outcome::Route(route) = outcome {
                    shown = route.number;
                }
                rejected(reject, why)
            }
            (None, Outcome::Reject(reject)) => rejected(reject, reject.reason.to_owned()),
            (None, Outcome::Elsewhere(elsewhere)) => Leads::Elsewhere {
                account_id: elsewhere.account,
                number: elsewhere.number,
                then: None,
            },
            (None, Outcome::Route(route)) => {
                shown.clone_from(&route.number);
                let variables = route.aleg.iter();
                Leads::Route {
                    route: kind(route.kind),
                    emergency: route.emergency,
                    aleg_variables: variables
                        .map(|(name, value)| (name.to_owned(), value.to_owned()))
                        .collect(),
                    attempts: route.attempts.iter().map(tried).collect(),
                }
            }
        };
        Ok(TrunkExplanation {
            number: shown,
            account_id: decision.account,
            notes: notes.0,
            units: room.units,
            result,
            failover: None,
        })
    }
}

const fn rejected(reject: Reject, why: String) -> Leads {
    Leads::Reject {
        cause: reject.cause,
        sip_status: reject.sip_status,
        why,
    }
}

fn tried(attempt: &trunk::Attempt) -> Tried {
    let (dial_string, fails) = match &attempt.dial {
        Dial::Call(dial) => (Some(dial.render()), None),
        Dial::Fails(cause, why) => (None, Some(format!("{cause}: {why}"))),
    };
    Tried {
        to: attempt::name(&attempt.to),
        dial_string,
        fails,
        answer_timeout_s: attempt.answer_timeout_s,
        delay_s: attempt.delay_s,
    }
}

enum Known {
    Address(IpAddr),
    Digest(String, String),
    Unusable,
}

/// What the server would show when it calls.
fn credentials(world: &dyn World, place: &Place) -> Result<Known, Unreadable> {
    let Some(document) = world.connectivity(&place.account, &place.connectivity)? else {
        return Ok(Known::Unusable);
    };
    let Some(server) = document.servers.get(place.server) else {
        return Ok(Known::Unusable);
    };
    if server.auth.method == AuthMethod::Ip {
        let ip = server.ip().and_then(|ip| ip.parse().ok());
        return Ok(ip.map_or(Known::Unusable, Known::Address));
    }
    let account = world.account(&place.account)?;
    let own = document.account.auth_realm.as_deref();
    let realm = own.or_else(|| account.as_ref()?.realm.as_deref());
    Ok(match (server.auth.user.as_deref(), realm) {
        (Some(user), Some(realm)) => Known::Digest(user.to_owned(), realm.to_owned()),
        _ => Known::Unusable,
    })
}

/// The server that is meant.
fn server(
    context: &Context,
    name: &str,
    account: Option<&AccountId>,
) -> Result<Place, ExplainError> {
    let (wanted, index) = match name.rsplit_once('/') {
        Some((id, index)) if index.parse::<usize>().is_ok() => (id, index.parse().ok()),
        _ => (name, None),
    };
    let mut found = Vec::new();
    for document in context.store.scan(DocumentType::Connectivity, account) {
        let key = document?.key;
        let Some(document) = context.store.connectivity(&key.account, &key.id)? else {
            continue;
        };
        for (at, server) in document.servers.iter().enumerate() {
            let by_id = key.id.as_str() == wanted && index.is_none_or(|index: usize| index == at);
            let by_name = server.name.as_deref() == Some(name);
            if by_id || by_name {
                found.push(Place {
                    account: key.account.clone(),
                    connectivity: key.id.clone(),
                    server: at,
                });
            }
        }
    }
    let several = found.len() > 1;
    match found.into_iter().next() {
        Some(place) if !several => Ok(place),
        Some(_) => Err(ExplainError::WhichServer(name.to_owned())),
        None => Err(ExplainError::UnknownServer(name.to_owned())),
    }
}

fn imagine(context: &Context, question: &TrunkQuestion) -> Result<Arrival, ExplainError> {
    let profile = match question.way {
        Way::Carrier(_) => &context.routing.trunk.carrier_profile,
        Way::Server(..) => &context.routing.sip_profile,
    };
    let sisters = || context.routing.nodes.keys().next().cloned();
    let node = question.node.clone().or_else(sisters);
    Ok(Arrival {
        call: id("explained", CallId::new)?,
        node: node.map_or_else(|| id("node", NodeName::new), Ok)?,
        handoff: Handoff::Socket,
        sip_call_id: None,
        destination: question.number.clone(),
        caller_number: question.caller_number.clone(),
        caller_name: question.caller_name.clone(),
        profile: Some(profile.clone()),
        source: None,
        core: String::new(),
        variables: HashMap::new(),
    })
}

impl fmt::Display for TrunkExplanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.number)?;
        for Note { rule, outcome } in &self.notes {
            writeln!(f, "  {rule:<14} {outcome}")?;
        }
        for unit in &self.units {
            writeln!(f, "  {:<14} {unit}", "takes")?;
        }
        match &self.result {
            Leads::Reject {
                cause,
                sip_status,
                why,
            } => writeln!(f, "refused with {cause} (SIP {sip_status}): {why}")?,
            Leads::Elsewhere {
                account_id,
                number,
                then,
            } => {
                writeln!(f, "goes to the callflows of {account_id} as {number}")?;
                if let Some(then) = then {
                    write!(f, "{then}")?;
                }
            }
            Leads::Route {
                route,
                emergency,
                aleg_variables,
                attempts,
            } => {
                for (name, value) in aleg_variables {
                    writeln!(f, "  {:<14} {name}={value}", "caller")?;
                }
                let emergency = if *emergency { ", emergency" } else { "" };
                writeln!(f, "route: {route}{emergency}")?;
                for (at, tried) in attempts.iter().enumerate() {
                    writeln!(f, "{}. {}", at + 1, tried.to)?;
                    match (&tried.dial_string, &tried.fails) {
                        (Some(dial), _) => writeln!(f, "   {dial}")?,
                        (None, Some(why)) => writeln!(f, "   fails at once, {why}")?,
                        (None, None) => {}
                    }
                }
            }
        }
        if let Some(failover) = &self.failover {
            writeln!(f, "if all of them fail: {failover}")?;
        }
        Ok(())
    }
}
