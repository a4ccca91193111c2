//! The whole decision without a switch: from an arrival to whom it rings.

use super::action::{Foreseen, is_skipped};
use super::admission::{Admitted, admit};
use super::trunk::{self, Errand};
use super::walk::{Exhausted, Turn, Walk};
use super::{
    Call, Context, ExplainError, Leads, Next, Office, Refusal, TrunkExplanation, WILDCARD, dial,
};
use crate::routing::{BridgePlan, Explain};
use crate::store::StoreError;
use crate::switch::Arrival;
use crate::types::{DocumentId, HangupCause};

/// What a call would come to, as far as its flow can be followed without it.
#[derive(Debug, Clone)]
pub struct Decision {
    pub call: Call,
    /// None for a call that a sister node handed over.
    pub callflow: Option<DocumentId>,
    /// `number`, `pattern`, `no_match` or `handed_over`.
    pub by: &'static str,
    /// The nodes that were passed, the last one included: module, and the child key that led to it.
    pub path: Vec<(String, Option<String>)>,
    pub result: Resolved,
}

#[derive(Debug, Clone)]
pub enum Resolved {
    /// The first action that rings somebody.
    Bridge(Box<BridgePlan>),
    Respond {
        status: u16,
        cause: HangupCause,
    },
    HangUp(HangupCause),
    /// The call goes to carriers, or no carrier takes it and the flow has nothing to say to that.
    Leaves(Box<TrunkExplanation>),
    /// Something else gets the channel.
    Transferred,
    Exhausted(Exhausted),
}

/// Decides. The same steps as a live call's, on the same documents; actions whose result depends
/// on the caller (a digit, a recording) are taken to continue.
///
/// # Errors
/// Why the call is turned away.
pub fn decide(
    context: &Context,
    office: &Office<'_>,
    arrival: &Arrival,
    explain: &mut dyn Explain,
) -> Result<Decision, Refusal> {
    let admitted = admit(office, arrival, explain)?;
    let walk = admitted.walk(office.settings);
    let Admitted { call, route, .. } = admitted;
    let mut follower = Follower {
        context,
        office,
        call: &call,
        failure: None,
        path: Vec::new(),
    };
    let result = follower.follow(walk, explain)?;
    let path = follower.path;
    Ok(Decision {
        callflow: route.callflow().cloned(),
        by: route.by(),
        path,
        result,
        call,
    })
}

enum Left {
    For(Box<TrunkExplanation>),
    Refused(Next),
}

struct Follower<'a> {
    context: &'a Context,
    office: &'a Office<'a>,
    call: &'a Call,
    /// Why the last action rang nobody.
    failure: Option<HangupCause>,
    path: Vec<(String, Option<String>)>,
}

impl Follower<'_> {
    fn follow(
        &mut self,
        mut walk: Walk,
        explain: &mut dyn Explain,
    ) -> Result<Resolved, StoreError> {
        let mut turn = walk.begin();
        loop {
            match turn {
                Turn::Act => {}
                Turn::Finished(cause) => {
                    let cause = cause.or(self.failure);
                    return Ok(Resolved::HangUp(
                        cause.unwrap_or(HangupCause::NormalClearing),
                    ));
                }
                Turn::Transferred => return Ok(Resolved::Transferred),
                Turn::Exhausted(limit) => return Ok(Resolved::Exhausted(limit)),
            }
            let module = walk.node().module.clone().unwrap_or_default();
            self.path.push((module, walk.key().map(str::to_owned)));
            let next = match self.foresee(&walk, explain)? {
                Foreseen::Next(next) => next,
                Foreseen::Respond { status, cause } => {
                    return Ok(Resolved::Respond { status, cause });
                }
                Foreseen::Ring(ring) => match dial::plan(self.call, self.office, &ring, explain)? {
                    Ok(plan) => return Ok(Resolved::Bridge(Box::new(plan))),
                    Err(nobody) => {
                        explain.note("legs", format_args!("none: {}", nobody.error));
                        self.failure = Some(nobody.cause);
                        Next::Continue
                    }
                },
                Foreseen::Leave(errand) => match self.leave(&walk, &errand, explain)? {
                    Left::For(told) => return Ok(Resolved::Leaves(told)),
                    Left::Refused(next) => next,
                },
            };
            turn = walk.follow(next);
        }
    }

    /// As a live call leaves: what carriers refuse goes to the cause's child, else to `_`.
    fn leave(
        &mut self,
        walk: &Walk,
        errand: &Errand,
        explain: &mut dyn Explain,
    ) -> Result<Left, StoreError> {
        let told = match trunk::foresee_leaving(self.context, self.office, self.call, errand) {
            Ok(told) => told,
            Err(ExplainError::Store(error)) => return Err(error),
            Err(error) => {
                explain.note("carriers", format_args!("{error}"));
                return Ok(Left::Refused(Next::Continue));
            }
        };
        let Leads::Reject { cause, why, .. } = &told.result else {
            return Ok(Left::For(Box::new(told)));
        };
        let keys = dial::failure_keys(*cause, None);
        let child = keys.into_iter().find(|key| walk.has(key));
        if child.is_none() && !walk.has(WILDCARD) {
            return Ok(Left::For(Box::new(told)));
        }
        self.failure = Some(*cause);
        for note in &told.notes {
            explain.note(note.rule, format_args!("{}", note.outcome));
        }
        explain.note("carriers", format_args!("refused with {cause}: {why}"));
        Ok(Left::Refused(match child {
            Some(child) => Next::ContinueTo(child),
            None => Next::Continue,
        }))
    }

    fn foresee(&self, walk: &Walk, explain: &mut dyn Explain) -> Result<Foreseen, StoreError> {
        const ON: Foreseen = Foreseen::Next(Next::Continue);
        let node = walk.node();
        let module = node.module.as_deref().unwrap_or_default();
        if is_skipped(node) {
            explain.note("action", format_args!("{module}: skip_module"));
            return Ok(ON);
        }
        let Some(entry) = self.context.action(module) else {
            explain.note("action", format_args!("{module}: unknown, goes on at _"));
            return Ok(ON);
        };
        explain.note("action", format_args!("{module}"));
        match entry.foresee(node, self.call, self.office) {
            Ok(foreseen) => Ok(foreseen),
            Err(super::ActionError::Store(error)) => Err(error),
            Err(error) => {
                explain.note("action", format_args!("{module}: {error}"));
                Ok(ON)
            }
        }
    }
}
