//! What a calling device may dial, and how its documents rewrite what it sends (devices specification 6.4, 6.5; callflow
//! specification 1.3).

use std::borrow::Cow;
use std::sync::Arc;

use super::lookup::{Found, Rule};
use super::{Call, Office, Refusal, people};
use crate::documents::{Account, Device, Direction, DocumentType, FlowNode, Group, User};
use crate::routing::formatters::Format;
use crate::routing::numbers::{npan, one_npan};
use crate::routing::{Caller, Explain, Merged, dialing};
use crate::store::{Store, StoreError};
use crate::types::{AccountId, DocumentId, InviteFormat};

/// A device with the people behind it.
#[derive(Debug, Clone)]
pub(super) struct Rights {
    device_id: DocumentId,
    device: Arc<Device>,
    users: Vec<(DocumentId, Arc<User>)>,
}

impl Rights {
    /// None: there is no such device.
    pub(super) fn of(
        store: &Store,
        account: &AccountId,
        device_id: &DocumentId,
    ) -> Result<Option<Self>, StoreError> {
        let Some(device) = store.device(account, device_id)? else {
            return Ok(None);
        };
        Ok(Some(Self {
            device_id: device_id.clone(),
            users: people::users_of(store, account, &device)?,
            device,
        }))
    }

    fn endpoint<'a>(&'a self, account: &'a Account) -> Merged<'a> {
        Merged::of_device(account, &self.device, &self.users)
    }

    /// Runs the device's formatters on what it sent: whom it calls, and as whom.
    pub(super) fn format(
        &self,
        account: &Account,
        dialed: &mut String,
        caller: &mut Caller,
        explain: &mut dyn Explain,
    ) {
        let endpoint = self.endpoint(account);
        let normalizer = dialing::normalizer(account);
        let by_format = |number: &str| match self.device.sip.invite_format {
            InviteFormat::E164 => Some(normalizer.e164(number)),
            InviteFormat::Npan => Some(npan(number).to_owned()),
            InviteFormat::OneNpan => Some(one_npan(number)),
            _ => None,
        };
        let format = Format {
            endpoint: &endpoint,
            direction: Direction::Inbound,
            invite_format: &by_format,
        };
        let mut rewrite = |keys: &[&str], value: &mut String| {
            for key in keys {
                let new = format.apply(key, Cow::Borrowed(value.as_str()));
                let new = new.unwrap_or_default().into_owned();
                if new != *value {
                    explain.note(
                        "formatter",
                        format_args!("{key}: {value:?} becomes {new:?}"),
                    );
                    *value = new;
                }
            }
        };
        rewrite(&["request", "to_user", "to_did"], dialed);
        rewrite(&["outbound_caller_id_number", "from"], &mut caller.number);
        rewrite(&["outbound_caller_id_name"], &mut caller.name);
        if let Some(diversion) = &mut caller.diversion {
            rewrite(&["diversion"], diversion);
        }
        caller.diversion = caller.diversion.take().filter(|text| !text.is_empty());
    }

    /// Whether the call may go to the flow that was found for it.
    ///
    /// # Errors
    /// It is barred.
    pub(super) fn check(
        &self,
        office: &Office<'_>,
        call: &Call,
        found: &Found,
        explain: &mut dyn Explain,
    ) -> Result<(), Refusal> {
        let endpoint = self.endpoint(&call.account);
        if dialing::closed_groups(&endpoint)
            && let Some(target) = extension(&found.callflow.flow)
        {
            let target = target.with_owner(office.store, &call.account_id)?;
            let mut caller = vec![self.device_id.clone()];
            caller.extend(endpoint.owner.map(|(id, _)| id.clone()));
            if share_a_group(office.store, &call.account_id, &caller, &target)? {
                explain.note("closed_groups", format_args!("caller and callee share one"));
                return Ok(());
            }
            explain.note(
                "closed_groups",
                format_args!("caller and callee share none"),
            );
            return Err(Refusal::ClosedGroup {
                device: self.device_id.clone(),
                dialed: call.dialed.clone(),
            });
        }
        let number = match &found.by {
            Rule::Pattern(captured) if !captured.group.is_empty() => captured.group.as_str(),
            _ => call.dialed.as_str(),
        };
        let dialed = dialing::dialed(&endpoint, office.routing, number);
        let classifier = dialed.classifier;
        let Some(by) = dialed.denied_by else {
            explain.note(
                "call_restriction",
                format_args!("{} is {classifier}, which nobody denies", dialed.e164),
            );
            return Ok(());
        };
        explain.note(
            "call_restriction",
            format_args!("{} is {classifier}, denied by the {by}", dialed.e164),
        );
        Err(Refusal::Restricted {
            device: self.device_id.clone(),
            dialed: call.dialed.clone(),
            classifier,
            by,
        })
    }
}

/// The user or device that a bare extension rings.
struct Target(Vec<DocumentId>);

impl Target {
    /// A device stands for its owner, too.
    fn with_owner(
        mut self,
        store: &Store,
        account: &AccountId,
    ) -> Result<Vec<DocumentId>, StoreError> {
        if let [id] = self.0.as_slice()
            && let Some(device) = store.device(account, id)?
            && let Some((owner, _)) = people::effective_owner(store, account, &device)?
        {
            self.0.push(owner);
        }
        Ok(self.0)
    }
}

/// A flow that is no more than somebody's phones, and perhaps a mailbox behind them.
fn extension(flow: &FlowNode) -> Option<Target> {
    let module = flow.module.as_deref()?;
    if !matches!(module, "device" | "user") {
        return None;
    }
    let next = flow.children.get("_").filter(|next| !next.is_empty());
    if next.is_some_and(|next| next.module.as_deref() != Some("voicemail")) {
        return None;
    }
    let id = flow.data.get("id")?.as_str()?;
    Some(Target(vec![DocumentId::new(id).ok()?]))
}

/// Goes through all groups of the account: asked only for callers who are confined to theirs.
fn share_a_group(
    store: &Store,
    account: &AccountId,
    caller: &[DocumentId],
    target: &[DocumentId],
) -> Result<bool, StoreError> {
    for document in store.scan(DocumentType::Group, Some(account)) {
        let group = Group::read(&document?.body);
        let has = |ids: &[DocumentId]| ids.iter().any(|id| group.names(id.as_str()));
        if has(caller) && has(target) {
            return Ok(true);
        }
    }
    Ok(false)
}
