//! Reading a body: bounded in bytes, in time, and in how many large ones are in memory at once.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt as _;
use hyper::body::{Body as _, Incoming};
use hyper::http::request::Parts;
use tokio::time::{Instant, timeout_at};

use crate::api::context::{Context, LARGE_BODY};
use crate::api::reply::Refusal;

/// Bytes of a body.
const BODY_MAX: u64 = 8_000_000;

/// Bytes of a body that is too long that are taken in and thrown away: a client that still writes does not read why
/// it is refused.
const DISCARDED_MAX: u64 = 64_000_000;

/// For a whole body to arrive.
const BODY_WITHIN: Duration = Duration::from_secs(30);

/// The whole body.
///
/// # Errors
/// 413 over the limit, 408 when it takes too long, 400 when it ends early.
pub(super) async fn body(
    context: &Context,
    head: &Parts,
    mut body: Incoming,
) -> Result<Bytes, Refusal> {
    if body.is_end_stream() {
        return Ok(Bytes::new());
    }
    let deadline = Instant::now() + BODY_WITHIN;
    let announced = body.size_hint().upper();
    let small = announced.is_some_and(|bytes| bytes <= LARGE_BODY);
    let leave = async {
        if small {
            return None;
        }
        // The semaphore is never closed.
        context.large_bodies.acquire().await.ok()
    };
    let Ok(_place) = timeout_at(deadline, leave).await else {
        return Err(Refusal::request_timeout());
    };
    let mut read = BytesMut::new();
    let mut length: u64 = 0;
    loop {
        let frame = match timeout_at(deadline, body.frame()).await {
            Err(_) => return Err(Refusal::request_timeout()),
            Ok(None) => break,
            Ok(Some(Err(error))) => {
                tracing::debug!(%error, path = head.uri.path(), "a body broke off");
                let fault =
                    serde_json::json!({"message": "the body ended early", "target": "body"});
                return Err(Refusal::fault("json", "invalid", fault));
            }
            Ok(Some(Ok(frame))) => frame,
        };
        let Ok(bytes) = frame.into_data() else {
            continue;
        };
        length = length.saturating_add(bytes.len() as u64);
        if length > DISCARDED_MAX {
            break;
        }
        if length <= BODY_MAX {
            read.extend_from_slice(&bytes);
        } else {
            read = BytesMut::new();
        }
    }
    if length > BODY_MAX {
        return Err(Refusal::too_large(BODY_MAX));
    }
    Ok(read.freeze())
}
