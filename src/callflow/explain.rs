//! Why a call goes where it goes: the live decision, with every rule that was tried.

use std::fmt;

use serde::Serialize;

use super::decide::{Resolved, decide};
use super::{Context, Refusal, TrunkExplanation};
use crate::documents::DocumentType;
use crate::routing::Explain;
use crate::store::StoreError;
use crate::switch::{Arrival, Handoff};
use crate::types::{AccountId, CallId, DocumentId, HangupCause, NodeName};

/// A call to imagine.
#[derive(Debug, Clone, Default)]
pub struct ExplainRequest {
    /// Whose realm is called. Neither given: the realm in `from`, else the only account there is.
    pub account: Option<AccountId>,
    pub realm: Option<String>,
    /// A device's id or `username` or `username@realm`; anything else is an outside caller's number.
    pub from: String,
    pub to: String,
    /// `from` is an outside caller's number, whatever it looks like.
    pub outside: bool,
    /// The node that the call arrives on; by default the one that holds the caller's registration.
    pub node: Option<NodeName>,
    /// Where calls arrive of whom no registration tells more. Without it some node that no phone is registered on.
    pub usual_node: Option<NodeName>,
    pub profile: Option<String>,
    pub caller_name: Option<String>,
    /// The address that the call comes from.
    pub source: Option<std::net::IpAddr>,
    /// Unix time, seconds; None: now.
    pub now: Option<i64>,
}

/// Why there is nothing to explain.
#[derive(Debug, thiserror::Error)]
pub enum ExplainError {
    #[error("{0:?} is no account's realm")]
    UnknownRealm(String),
    #[error("there is no account {0}")]
    UnknownAccount(AccountId),
    #[error("the store has several accounts: name one by --account or --realm")]
    WhichAccount,
    #[error("no server has the name or the id {0:?}; an id may have /PLACE behind it")]
    UnknownServer(String),
    #[error(
        "several servers are meant by {0:?}: name one by ID/PLACE, or its account by --account"
    )]
    WhichServer(String),
    #[error("the server {0:?} has neither credentials nor an address that is an IP")]
    NoCredentials(String),
    #[error("the store has no account; import one first")]
    NoAccount,
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// One rule that was tried, and what came of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Note {
    pub rule: &'static str,
    pub outcome: String,
}

#[derive(Debug, Default)]
pub(super) struct Notes(pub(super) Vec<Note>);

impl Explain for Notes {
    fn note(&mut self, rule: &'static str, outcome: fmt::Arguments<'_>) {
        let outcome = outcome.to_string();
        self.0.push(Note { rule, outcome });
    }
}

/// The decision and how it came about. `Display` is for people, `Serialize` for `--json`.
#[derive(Debug, Clone, Serialize)]
pub struct Explanation {
    pub from: String,
    pub to: String,
    pub node: NodeName,
    /// `device` or `outside`.
    pub caller: &'static str,
    pub device_id: Option<DocumentId>,
    pub owner_id: Option<DocumentId>,
    pub account_id: Option<AccountId>,
    pub callflow_id: Option<DocumentId>,
    pub callflow_by: Option<&'static str>,
    pub notes: Vec<Note>,
    /// The nodes on the way: module, and the child key that led to it.
    pub path: Vec<(String, Option<String>)>,
    pub result: Answer,
}

/// What would happen.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "snake_case", tag = "result")]
pub enum Answer {
    Bridge {
        dial_string: String,
        /// Set on the caller's leg first.
        aleg_variables: Vec<(String, String)>,
        ring_ready: bool,
        legs: Vec<Rung>,
        skipped: Vec<(DocumentId, &'static str)>,
    },
    Respond {
        status: u16,
        cause: HangupCause,
    },
    HangUp {
        cause: HangupCause,
        /// The SIP answer that an unanswered caller gets.
        sip_status: u16,
        why: String,
    },
    /// Over carriers, or to whom the number belongs.
    Leaves {
        call: Box<TrunkExplanation>,
    },
    Transferred,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Rung {
    pub device_id: DocumentId,
    pub forwarded: bool,
}

/// Explains what a call would come to. Nothing is dialled.
///
/// # Errors
/// The request names no account, or the store can't be read. (A call that would be refused is an
/// explanation, not an error.)
pub fn explain(context: &Context, request: &ExplainRequest) -> Result<Explanation, ExplainError> {
    let arrival = imagine(context, request)?;
    let office = context.office(request.now.unwrap_or_else(super::unix_now), 0);
    let mut notes = Notes::default();
    let decision = decide(context, &office, &arrival, &mut notes);
    let mut explanation = Explanation {
        from: request.from.clone(),
        to: request.to.clone(),
        node: arrival.node,
        caller: "outside",
        device_id: None,
        owner_id: None,
        account_id: None,
        callflow_id: None,
        callflow_by: None,
        notes: notes.0,
        path: Vec::new(),
        result: Answer::Transferred,
    };
    let decision = match decision {
        Ok(decision) => decision,
        Err(Refusal::Store(error)) => return Err(error.into()),
        Err(refusal) => {
            explanation.result = hang_up(refusal.cause(), refusal.to_string());
            return Ok(explanation);
        }
    };
    let caller = decision.call.caller;
    if caller.device_id.is_some() {
        explanation.caller = "device";
    }
    explanation.device_id = caller.device_id;
    explanation.owner_id = caller.owner_id;
    explanation.account_id = Some(decision.call.account_id);
    explanation.callflow_id = decision.callflow;
    explanation.callflow_by = Some(decision.by);
    explanation.path = decision.path;
    explanation.result = answer(decision.result);
    Ok(explanation)
}

fn answer(result: Resolved) -> Answer {
    match result {
        Resolved::Bridge(plan) => Answer::Bridge {
            dial_string: plan.dial.render(),
            aleg_variables: plan
                .aleg
                .iter()
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .collect(),
            ring_ready: plan.ring_ready,
            legs: plan
                .legs
                .into_iter()
                .map(|leg| Rung {
                    device_id: leg.device_id,
                    forwarded: leg.forwarded,
                })
                .collect(),
            skipped: plan
                .skipped
                .into_iter()
                .map(|skipped| (skipped.device_id, skipped.reason.as_str()))
                .collect(),
        },
        Resolved::Respond { status, cause } => Answer::Respond { status, cause },
        Resolved::HangUp(cause) => hang_up(cause, "the flow ends here".to_owned()),
        Resolved::Exhausted(limit) => {
            hang_up(HangupCause::NormalTemporaryFailure, limit.to_string())
        }
        Resolved::Leaves(call) => Answer::Leaves { call },
        Resolved::Transferred => Answer::Transferred,
    }
}

const fn hang_up(cause: HangupCause, why: String) -> Answer {
    Answer::HangUp {
        sip_status: cause.sip_status(),
        cause,
        why,
    }
}

/// The arrival that FreeSWITCH would report of such a call.
fn imagine(context: &Context, request: &ExplainRequest) -> Result<Arrival, ExplainError> {
    let store = &context.store;
    let (account, realm) = account_of(context, request)?;
    let from = request.from.as_str();
    let username = from.split('@').next().unwrap_or(from);
    let device = match DocumentId::new(from).ok() {
        Some(id) if !request.outside => store.device(&account, &id)?,
        _ => None,
    };
    // A device is named as FreeSWITCH would name it: by what it authenticated with.
    let address = match device {
        Some(device) => {
            let user = device.sip.username().map(str::to_owned);
            let own_realm = device.sip.realm().map(str::to_owned);
            user.map(|user| (user, own_realm.unwrap_or_else(|| realm.clone())))
        }
        None => {
            let from_realm = from
                .split_once('@')
                .map_or(realm.as_str(), |(_, realm)| realm);
            let known = match request.outside {
                true => None,
                false => store.device_by_address(username, from_realm)?,
            };
            known.map(|_| (username.to_owned(), from_realm.to_owned()))
        }
    };
    let mut variables: Vec<(&str, String)> = vec![("sip_req_host", realm)];
    let mut node = request.node.clone();
    let mut profile = request.profile.clone();
    if let Some((user, realm)) = &address {
        variables.push(("sip_authorized", "true".to_owned()));
        variables.push(("sip_auth_username", user.clone()));
        variables.push(("user_name", user.clone()));
        variables.push(("domain_name", realm.clone()));
        if let Some(registration) = store.registrations(user, realm).first() {
            node.get_or_insert_with(|| registration.node.clone());
            profile.get_or_insert_with(|| registration.profile.clone());
        }
    }
    let boxed = |(name, value): (&str, String)| (name.into(), value.into_boxed_str());
    Ok(Arrival {
        call: id("explained", CallId::new)?,
        node: match node.or_else(|| request.usual_node.clone()) {
            Some(node) => node,
            None => id("node", NodeName::new)?,
        },
        handoff: Handoff::Socket,
        sip_call_id: None,
        destination: request.to.clone(),
        caller_number: Some(username.to_owned()),
        caller_name: request.caller_name.clone(),
        profile: Some(profile.unwrap_or_else(|| context.routing.sip_profile.clone())),
        source: request.source,
        core: String::new(),
        variables: variables.into_iter().map(boxed).collect(),
    })
}

/// An id out of a literal of ours.
pub(super) fn id<T, E>(
    literal: &str,
    new: impl Fn(&str) -> Result<T, E>,
) -> Result<T, ExplainError> {
    new(literal).map_err(|_| ExplainError::WhichAccount)
}

fn account_of(
    context: &Context,
    request: &ExplainRequest,
) -> Result<(AccountId, String), ExplainError> {
    let store = &context.store;
    if let Some(id) = &request.account {
        let account = store.account(id)?;
        let account = account.ok_or_else(|| ExplainError::UnknownAccount(id.clone()))?;
        let realm = account.realm.as_deref().unwrap_or_default();
        return Ok((id.clone(), realm.to_owned()));
    }
    let in_from = request.from.split_once('@').map(|(_, realm)| realm);
    let from_is_known =
        in_from.filter(|realm| store.account_by_realm(realm).is_ok_and(|a| a.is_some()));
    if let Some(realm) = request.realm.as_deref().or(from_is_known) {
        let account = store.account_by_realm(realm)?;
        let unknown = || ExplainError::UnknownRealm(realm.to_owned());
        return Ok((account.ok_or_else(unknown)?, realm.to_owned()));
    }
    let mut accounts = store.scan(DocumentType::Account, None);
    let only = accounts.next().ok_or(ExplainError::NoAccount)??;
    if accounts.next().is_some() {
        return Err(ExplainError::WhichAccount);
    }
    let id = only.key.account;
    let account = store.account(&id)?;
    let realm = account.and_then(|account| account.realm.as_deref().map(str::to_owned));
    Ok((id, realm.unwrap_or_default()))
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} calls {} on {}", self.from, self.to, self.node)?;
        for note in &self.notes {
            writeln!(f, "  {:<10} {}", note.rule, note.outcome)?;
        }
        let way = self.path.iter().map(|(module, key)| match key {
            Some(key) => format!("{key}: {module}"),
            None => module.clone(),
        });
        let way: Vec<String> = way.collect();
        if !way.is_empty() {
            writeln!(f, "  {:<10} {}", "path", way.join(" → "))?;
        }
        match &self.result {
            Answer::Bridge {
                dial_string,
                aleg_variables,
                legs,
                skipped,
                ..
            } => {
                for (device, reason) in skipped {
                    writeln!(f, "  {:<10} {device}: {reason}", "skipped")?;
                }
                for leg in legs {
                    let forwarded = if leg.forwarded { " (forwarded)" } else { "" };
                    writeln!(f, "  {:<10} {}{forwarded}", "rings", leg.device_id)?;
                }
                for (name, value) in aleg_variables {
                    writeln!(f, "  {:<10} {name}={value}", "caller")?;
                }
                writeln!(f, "dial string: {dial_string}")
            }
            Answer::Respond { status, .. } => writeln!(f, "answered with SIP {status}"),
            Answer::HangUp {
                cause,
                sip_status,
                why,
            } => writeln!(f, "hung up with {cause} (SIP {sip_status}): {why}"),
            Answer::Leaves { call } => write!(f, "outside: {call}"),
            Answer::Transferred => writeln!(f, "handed to another application"),
        }
    }
}
