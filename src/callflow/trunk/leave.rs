//! A call that its callflow sends to an outside number: decided and carried out.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::course::{Course, Finish, Scene};
use super::explain::{self, TrunkExplanation, store_error};
use super::room::Who;
use super::world::Documents;
use crate::callflow::explain::Notes;
use crate::callflow::stage::{Stage, Told};
use crate::callflow::{Call, Context, ExplainError, Office, people};
use crate::documents::{Device, FromFormat, Terms, User};
use crate::routing::numbers::Classifiers;
use crate::routing::trunk::{
    self, Decision, Failover, Leaving, Party, Request, Source, Unreadable, World,
};
use crate::routing::{
    self, ActionOptions, Explain, Merged, Network, OffnetRequest, Silent, dialing,
};
use crate::store::{Store, StoreError};
use crate::types::{AccountId, DocumentId};

/// What a flow asks of carriers.
#[derive(Debug, Clone, Default)]
pub struct Errand {
    /// In place of the dialled number.
    pub(in crate::callflow) to_did: Option<String>,
    /// As the caller's dial plan leaves it.
    pub(in crate::callflow) bypass_e164: bool,
    /// As it was dialled.
    pub(in crate::callflow) do_not_normalize: bool,
    /// Its carriers in place of the installation's.
    pub(in crate::callflow) hunt_account: Option<AccountId>,
    /// The emergency identity is shown, whatever is dialled.
    pub(in crate::callflow) shows_emergency: bool,
    /// The internal identity is shown in place of the external one.
    pub(in crate::callflow) shows_internal: bool,
    /// What stands in From where the carrier says nothing of it.
    pub(in crate::callflow) from: FromFormat,
    pub(in crate::callflow) flags: Vec<String>,
    pub(in crate::callflow) dynamic_flags: Vec<String>,
    pub(in crate::callflow) terms: Terms,
    pub(in crate::callflow) ringback: Option<String>,
    pub(in crate::callflow) options: ActionOptions,
}

/// By whose rights, and with whose identity, the call leaves.
struct Endpoint {
    id: DocumentId,
    device: Arc<Device>,
    users: Vec<(DocumentId, Arc<User>)>,
}

impl Endpoint {
    /// The caller's device; for a call that somebody else's phone sent on, that phone.
    fn of(store: &Store, call: &Call) -> Result<Option<Self>, StoreError> {
        let id = call.caller.device_id.as_ref().or(call.referred_by.as_ref());
        let Some(id) = id else {
            return Ok(None);
        };
        let Some(device) = store.device(&call.account_id, id)? else {
            return Ok(None);
        };
        Ok(Some(Self {
            id: id.clone(),
            users: people::users_of(store, &call.account_id, &device)?,
            device,
        }))
    }
}

/// Sends the call there. What became of each attempt is told to the stage.
///
/// # Errors
/// The store can't be read.
pub(in crate::callflow) async fn leave(
    stage: &mut Stage,
    errand: &Errand,
) -> Result<Finish, StoreError> {
    let context = stage.context.clone();
    let leg = stage.leg.clone();
    let told = std::mem::take(&mut stage.told);
    let world = Documents::new(&context);
    let endpoint = Endpoint::of(&context.store, &stage.call)?;
    let (now, seed) = (stage.clock().now(), fastrand::u64(..));
    let departure = Departure {
        context: &context,
        call: &stage.call,
        told: &told,
        endpoint: endpoint.as_ref(),
        now,
        seed,
    };
    let decision = match departure.decide(errand, &world, &mut Silent) {
        Ok(decision) => decision,
        Err(error) => {
            tracing::error!(call_id = %stage.call.id, %error, "the call can't be decided");
            let cause = crate::types::HangupCause::NormalTemporaryFailure;
            let reject = trunk::Reject::hangup(cause, "the documents can't be read");
            stage.told = told;
            return Ok(Finish::Rejected(reject));
        }
    };
    let decided_us = stage.clock().elapsed_us();
    // The engine drops the action when the daemon stops.
    let never = CancellationToken::new();
    let party = endpoint.as_ref().map(|endpoint| endpoint.id.as_str());
    let mut course = Course::new(Scene {
        call: &stage.call.id,
        node: &stage.call.node,
        leg: &leg,
        context: &context,
        world: &world,
        shutdown: &never,
        clock: stage.clock(),
        behind_loopback: stage.call.behind_loopback,
        party,
    });
    let mut left = std::mem::take(&mut stage.left_on_leg);
    left.append(&mut stage.private);
    course.takes_over(left);
    let decide = |failover: &Failover| {
        departure.ask(|request| trunk::failover(request, failover, &world, &mut Silent))
    };
    let finish = course.run(decision, &decide).await;
    if matches!(finish, Finish::Rejected(_)) {
        course.gives_back().await;
    }
    let attempts = course.take_attempts();
    let left = course.leaves();
    drop(course);
    stage.told = told;
    stage.decided_us.get_or_insert(decided_us);
    stage.left_on_leg = left;
    stage.attempts.extend(attempts);
    Ok(finish)
}

/// What [`leave`] would come to, told; nothing is dialled and no unit taken.
///
/// # Errors
/// The store can't be read.
pub(in crate::callflow) fn foresee(
    context: &Context,
    office: &Office<'_>,
    call: &Call,
    errand: &Errand,
) -> Result<TrunkExplanation, ExplainError> {
    let world = Documents::new(context);
    let endpoint = Endpoint::of(&context.store, call)?;
    // One that is imagined has brought no headers.
    let nothing = Told::default();
    let departure = Departure {
        context,
        call,
        told: &nothing,
        endpoint: endpoint.as_ref(),
        now: office.now,
        seed: office.seed,
    };
    let mut notes = Notes::default();
    let decided = departure.decide(errand, &world, &mut notes);
    let decision = decided.map_err(store_error)?;
    let scene = explain::Scene {
        context,
        world: &world,
        who: Who {
            call: &call.id,
            node: &call.node,
            party: endpoint.as_ref().map(|endpoint| endpoint.id.as_str()),
        },
    };
    let fail_over = |failover: &Failover, notes: &mut Notes| {
        departure.ask(|request| trunk::failover(request, failover, &world, notes))
    };
    let number = errand.to_did.as_deref().unwrap_or(&call.dialed);
    let told = scene.with_failover(decision, notes, number, &fail_over);
    told.map_err(store_error)
}

struct Departure<'a> {
    context: &'a Context,
    call: &'a Call,
    told: &'a Told,
    endpoint: Option<&'a Endpoint>,
    now: i64,
    seed: u64,
}

impl Departure<'_> {
    fn decide(
        &self,
        errand: &Errand,
        world: &dyn World,
        explain: &mut dyn Explain,
    ) -> Result<Decision, Unreadable> {
        let (call, account) = (self.call, &*self.call.account);
        let endpoint = self.endpoint;
        let merged = endpoint.map(|e| Merged::of_device(account, &e.device, &e.users));
        let number = self.number(errand, merged.as_ref());
        let class = Classifiers::us().classify(&number);
        let denied = merged.as_ref().and_then(|m| dialing::denied(m, class));
        if let Some(by) = denied {
            explain.note(
                "call_restriction",
                format_args!("{number} is {class}, denied by the {by}"),
            );
            return Ok(trunk::barred(&call.account_id));
        }
        // Whom a forwarded call shows was decided where it was forwarded (devices specification
        // 4.2); a caller from outside stays who it is (callflow specification 1.7).
        let keeps = call.behind_loopback || call.caller.network == Network::Offnet;
        let mut identity = |emergency| {
            let request = OffnetRequest {
                settings: &self.context.routing,
                account_id: &call.account_id,
                caller: &call.caller,
                endpoint: merged.as_ref(),
                dialed: errand.to_did.as_deref().unwrap_or(&call.dialed),
                emergency_resource: emergency,
                keep_identity: keeps,
                internal_identity: errand.shows_internal,
                options: &errand.options,
                behind_loopback: call.behind_loopback,
            };
            routing::offnet(&request, explain).variables
        };
        let shown = identity(errand.shows_emergency);
        let to_rescuers = identity(true);
        let mut flags = errand.flags.clone();
        let mut dynamic_flags = errand.dynamic_flags.clone();
        if let Some((fixed, dynamic)) = merged.as_ref().map(Merged::outbound_flags) {
            flags.extend(fixed.into_iter().map(str::to_owned));
            dynamic_flags.extend(dynamic.into_iter().map(str::to_owned));
        }
        let leaving = Leaving {
            account_id: &call.account_id,
            account,
            device: endpoint.map(|endpoint| &endpoint.id),
            number: &number,
            dialed: &call.dialed,
            identity: &shown,
            emergency_identity: &to_rescuers,
            hunt_account: errand.hunt_account.as_ref(),
            flags: &flags,
            dynamic_flags: &dynamic_flags,
            terms: &errand.terms,
            from: &errand.from,
            ringback: errand.ringback.as_deref(),
        };
        self.ask(|request| trunk::leaving(request, &leaving, world, explain))
    }

    /// The number in the form in which carriers are asked for it (callflow specification 2.1).
    fn number(&self, errand: &Errand, merged: Option<&Merged<'_>>) -> String {
        let call = self.call;
        let normalizer = dialing::normalizer(&call.account);
        let is_raw = errand.do_not_normalize || errand.bypass_e164;
        if let Some(to_did) = &errand.to_did {
            return match is_raw {
                true => to_did.clone(),
                false => normalizer.e164(to_did),
            };
        }
        let dialed = &call.dialed;
        if dialing::is_emergency(&normalizer, dialed) {
            // No dial plan and no setting of a flow may disfigure it.
            return normalizer.e164(dialed);
        }
        if errand.do_not_normalize {
            return dialed.clone();
        }
        let settings = &self.context.routing;
        let planned = match merged {
            Some(merged) => dialing::dial_plan(merged, settings, dialed),
            None => dialed.into(),
        };
        match errand.bypass_e164 {
            true => planned.into_owned(),
            false => normalizer.e164(&planned),
        }
    }

    /// Asks with the request that this call makes.
    fn ask<T>(&self, question: impl FnOnce(&Request<'_>) -> T) -> T {
        let call = self.call;
        let caller = Party {
            name: call.caller.name.clone(),
            number: call.caller.number.clone(),
        };
        let diversion = call.caller.diversion.iter();
        let mut headers: Vec<(String, String)> = diversion
            .map(|text| ("Diversion".to_owned(), text.clone()))
            .collect();
        headers.extend_from_slice(&self.told.headers);
        let variable = |name: &str| self.told.variable(name);
        question(&Request {
            settings: &self.context.routing,
            node: &call.node,
            // The media of a leg that came through a loopback can't be led past it.
            profile: call.profile.as_deref().filter(|_| !call.behind_loopback),
            source: Source::default(),
            caller: &caller,
            privacy: call.caller.privacy,
            request_user: &call.dialed,
            to_user: &call.dialed,
            from_user: &call.caller.number,
            headers: &headers,
            variable: &variable,
            now: self.now,
            seed: self.seed,
        })
    }
}
