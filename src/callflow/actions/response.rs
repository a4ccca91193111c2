//! `response`: refuses the caller with a SIP status, after a piece of early media if one is named.

use serde::{Deserialize, Deserializer, de::Error as _};
use serde_json::Value;

use crate::callflow::{Action, Call, Foreseen, Next, Office, Outcome, Stage, media};
use crate::store::StoreError;
use crate::switch::Application;
use crate::types::{HangupCause, sip_reason};

pub struct Response;

#[derive(Debug, Deserialize)]
pub struct Data {
    #[serde(default = "busy", deserialize_with = "status")]
    code: u16,
    #[serde(default)]
    message: Option<String>,
    #[serde(default)]
    media: Option<String>,
}

const fn busy() -> u16 {
    486
}

/// A SIP status that refuses. (`respond` sends nothing for 1xx to 3xx and 500 for numbers
/// it does not know, so a wrong one would leave the caller waiting.)
fn status<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u16, D::Error> {
    const EXPECTED: &str = "expected a SIP status of 400 to 699";
    let code = match Value::deserialize(deserializer)? {
        Value::Null => Some(u64::from(busy())),
        Value::Number(number) => number.as_u64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    };
    let code = code.and_then(|code| u16::try_from(code).ok());
    code.filter(|code| (400..700).contains(code))
        .ok_or_else(|| D::Error::custom(EXPECTED))
}

impl Action for Response {
    const MODULE: &'static str = "response";
    type Data = Data;

    fn foresee(data: Data, _: &Call, _: &Office<'_>) -> Result<Foreseen, StoreError> {
        Ok(Foreseen::Respond {
            status: data.code,
            cause: cause_of(data.code),
        })
    }

    async fn run(data: Data, stage: &mut Stage) -> Outcome {
        let answered = stage.leg.is_answered();
        let media = data.media.as_deref().and_then(|reference| {
            media::resolve(reference, &stage.call.account_id, &stage.context.settings)
        });
        let mut applications = Vec::new();
        if let Some(media) = media {
            if !answered {
                applications.push(Application::PreAnswer);
            }
            applications.push(Application::Playback { media });
        }
        // An answered call can't be given a status any more: it is hung up with the cause.
        if !answered {
            applications.push(Application::Respond {
                status: data.code,
                reason: data
                    .message
                    .unwrap_or_else(|| sip_reason(data.code).unwrap_or("Refused").to_owned()),
            });
        }
        if !applications.is_empty() {
            stage.leg.execute_all(applications).await?;
        }
        // Nothing can follow a final answer, so flows that wait don't get their turn.
        Ok(Next::HardStop(cause_of(data.code)))
    }
}

/// The cause that stands for a SIP status where only a cause can be told: the one FreeSWITCH
/// itself derives from it (ESL specification 8.5).
const fn cause_of(status: u16) -> HangupCause {
    match status {
        401 | 402 | 403 | 407 | 603 | 608 => HangupCause::CallRejected,
        404 => HangupCause::UnallocatedNumber,
        485 | 604 => HangupCause::NoRouteDestination,
        408 | 504 => HangupCause::RecoveryOnTimerExpire,
        410 => HangupCause::NumberChanged,
        413 | 414 | 416 | 420 | 421 | 423 | 505 | 513 => HangupCause::Interworking,
        480 => HangupCause::NoUserResponse,
        400 | 481 | 500 | 503 => HangupCause::NormalTemporaryFailure,
        486 | 600 => HangupCause::UserBusy,
        484 => HangupCause::InvalidNumberFormat,
        488 | 606 => HangupCause::IncompatibleDestination,
        502 => HangupCause::NetworkOutOfOrder,
        405 => HangupCause::ServiceUnavailable,
        406 | 415 | 501 => HangupCause::ServiceNotImplemented,
        482 | 483 => HangupCause::ExchangeRoutingError,
        487 => HangupCause::OriginatorCancel,
        607 => HangupCause::Unwanted,
        _ => HangupCause::NormalUnspecified,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn codes_come_as_numbers_and_as_texts() {
        for (data, code) in [
            (json!({}), 486),
            (json!({"code": 404}), 404),
            (json!({"code": "486"}), 486),
            (json!({"code": null}), 486),
        ] {
            assert_eq!(Data::deserialize(&data).unwrap().code, code, "{data}");
        }
        for bad in [json!(200), json!(302), json!(700), json!("busy"), json!(-1)] {
            let error = Data::deserialize(&json!({"code": bad})).unwrap_err();
            assert!(error.to_string().contains("400 to 699"), "{bad}: {error}");
        }
    }
}
