//! `resources`: calls an outside number over carriers, the account's own or the installation's.

use std::time::Duration;

use indexmap::IndexMap;
use serde::Deserialize;
use serde_json::Value;

use crate::callflow::report::AttemptOutcome;
use crate::callflow::trunk::{Errand, Finish, leave};
use crate::callflow::{
    Action, Call, Foreseen, Next, Office, Outcome, Settings, Stage, data, dial, media,
};
use crate::documents::{FromFormat, Terms};
use crate::routing::ActionOptions;
use crate::routing::trunk::Reject;
use crate::store::StoreError;
use crate::switch::Application;
use crate::types::{AccountId, HangupCause};

/// The end of the caller's leg is told a moment after its last attempt.
const LEAVING: Duration = Duration::from_millis(300);

pub struct Resources;

#[derive(Debug, Clone, Deserialize)]
pub struct Data {
    #[serde(default)]
    to_did: Option<String>,
    #[serde(default = "yes", deserialize_with = "data::flag")]
    use_local_resources: bool,
    #[serde(default)]
    hunt_account_id: Option<String>,
    #[serde(default, deserialize_with = "data::flag")]
    bypass_e164: bool,
    #[serde(default, deserialize_with = "data::flag")]
    do_not_normalize: bool,
    #[serde(default)]
    caller_id_type: Option<String>,
    /// Seconds to the answer of each carrier.
    #[serde(default, deserialize_with = "data::count")]
    timeout: Option<u32>,
    #[serde(default, deserialize_with = "data::flag")]
    ignore_early_media: bool,
    #[serde(default)]
    ringback: Option<String>,
    #[serde(default)]
    media: Option<String>,
    #[serde(default)]
    outbound_flags: Vec<String>,
    #[serde(default)]
    dynamic_flags: Vec<String>,
    #[serde(default, deserialize_with = "data::flag")]
    emit_account_id: bool,
    #[serde(default)]
    custom_sip_headers: IndexMap<String, Value>,
    #[serde(default, deserialize_with = "data::flag")]
    format_from_uri: bool,
    #[serde(default)]
    from_uri_realm: Option<String>,
    #[serde(default)]
    resource_type: Option<String>,
}

const fn yes() -> bool {
    true
}

impl Data {
    /// Over the installation's carriers.
    pub(super) fn globally(mut self) -> Self {
        self.use_local_resources = false;
        self
    }

    pub(super) fn errand(self, call: &Call, settings: &Settings) -> Errand {
        let hunt = match self.hunt_account_id.as_deref().filter(|id| !id.is_empty()) {
            _ if !self.use_local_resources => None,
            None => Some(call.account_id.clone()),
            Some(id) => AccountId::new(id).map_or_else(
                |error| {
                    tracing::warn!(call_id = %call.id, account_id = %call.account_id, %error,
                        "hunt_account_id is no account's id; the account's own carriers are used");
                    Some(call.account_id.clone())
                },
                Some,
            ),
        };
        let mut headers = data::headers_out(self.custom_sip_headers);
        if self.emit_account_id {
            headers.insert("X-Account-ID".to_owned(), call.account_id.to_string());
        }
        let terms = Terms {
            timeout_s: self.timeout,
            ignore_early_media: self.ignore_early_media.then_some(true),
            media_handling: self.media.map(Into::into),
            ..Terms::default()
        };
        let kind = |kind: &str| self.caller_id_type.as_deref() == Some(kind);
        let (shows_emergency, shows_internal) = (kind("emergency"), kind("internal"));
        if let Some(other) = self.caller_id_type.as_deref()
            && !(shows_emergency || shows_internal || other == "external")
        {
            tracing::warn!(call_id = %call.id, account_id = %call.account_id, caller_id_type = other,
                "caller_id_type is external, internal or emergency; the external identity is shown");
        }
        if let Some(other) = self
            .resource_type
            .as_deref()
            .filter(|kind| *kind != "audio")
        {
            tracing::warn!(call_id = %call.id, account_id = %call.account_id, resource_type = other,
                "only resource_type audio is known; the call goes out as one of audio");
        }
        let ringback = self.ringback.as_deref();
        Errand {
            to_did: self.to_did.filter(|number| !number.is_empty()),
            bypass_e164: self.bypass_e164,
            do_not_normalize: self.do_not_normalize,
            hunt_account: hunt,
            shows_emergency,
            shows_internal,
            from: FromFormat {
                format_from_uri: self.format_from_uri.then_some(true),
                from_uri_realm: self
                    .from_uri_realm
                    .filter(|r| !r.is_empty())
                    .map(Into::into),
                from_account_realm: self.format_from_uri.then_some(true),
            },
            flags: self.outbound_flags,
            dynamic_flags: self.dynamic_flags,
            terms,
            ringback: ringback.and_then(|r| media::resolve(r, &call.account_id, settings)),
            options: ActionOptions {
                custom_sip_headers: headers,
                ..ActionOptions::default()
            },
        }
    }
}

/// Sends the caller there, and goes on by what comes of it.
pub(super) async fn send(data: Data, stage: &mut Stage) -> Outcome {
    let errand = data.errand(&stage.call, &stage.context.settings);
    match leave(stage, &errand).await? {
        Finish::Talked => {
            stage.failure = None;
            Ok(Next::Stop(None))
        }
        Finish::Gone => {
            // A caller who is not gone has been taken over by somebody.
            let _ = tokio::time::timeout(LEAVING, stage.leg.gone().cancelled()).await;
            Ok(Next::Transferred)
        }
        Finish::LetGo => Ok(Next::Transferred),
        Finish::Rejected(reject) => turned_away(reject, stage).await,
    }
}

/// To the child of the cause or of the status, else to `_`; without any the caller is told, and the
/// flow ends.
async fn turned_away(reject: Reject, stage: &mut Stage) -> Outcome {
    let sip_status = match stage.attempts.last().map(|attempt| &attempt.outcome) {
        Some(AttemptOutcome::Failed { cause, sip_status }) if *cause == reject.cause => *sip_status,
        _ => None,
    };
    let cause = reject.cause;
    if cause == HangupCause::NormalClearing && matches!(sip_status, None | Some(200)) {
        stage.failure = None;
        return Ok(Next::Stop(None));
    }
    stage.failure = Some(cause);
    let keys = dial::failure_keys(cause, sip_status);
    let child = keys.into_iter().find(|key| stage.has_child(key));
    tracing::info!(
        call_id = %stage.call.id,
        account_id = %stage.call.account_id,
        %cause,
        sip_status,
        why = reject.reason,
        child = child.as_deref().unwrap_or("_"),
        "the number could not be reached"
    );
    if let Some(child) = child {
        return Ok(Next::ContinueTo(child));
    }
    if stage.has_child(crate::callflow::WILDCARD) {
        return Ok(Next::Continue);
    }
    if let Some(status) = reject.respond()
        && !stage.leg.is_answered()
    {
        let reason = reject.reason.to_owned();
        stage
            .leg
            .execute(Application::Respond { status, reason })
            .await?;
    }
    Ok(Next::Stop(Some(cause)))
}

impl Action for Resources {
    const MODULE: &'static str = "resources";
    type Data = Data;

    fn foresee(data: Data, call: &Call, office: &Office<'_>) -> Result<Foreseen, StoreError> {
        let errand = data.errand(call, office.settings);
        Ok(Foreseen::Leave(Box::new(errand)))
    }

    async fn run(data: Data, stage: &mut Stage) -> Outcome {
        send(data, stage).await
    }
}
