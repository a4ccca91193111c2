//! The API's listener.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hyper::StatusCode;
use hyper::service::service_fn;
use tokio_util::sync::CancellationToken;

use super::context::Context;
use super::exchange::Api;
use super::reply::{self, Closing};
use super::{resources, time};
use crate::http::{Limits, Listener};

const LIMITS: Limits = Limits {
    connections: 4096,
    head_within: Duration::from_secs(10),
    // Connections are kept.
    connection_within: None,
    read_within: Duration::from_secs(30),
    keep_alive: true,
    headers: 100,
    stop_within: Duration::from_secs(5),
};

/// Why there is no API.
#[derive(Debug, thiserror::Error)]
#[error("can't listen on {address} for the REST API: {error}")]
pub struct ListenError {
    pub address: SocketAddr,
    #[source]
    pub error: io::Error,
}

/// An address that is ours already; nothing answers there yet.
pub struct Bound(Listener);

impl Bound {
    /// Must be called within a runtime. Port 0 binds a free one.
    ///
    /// # Errors
    /// The address is taken, or not this machine's.
    pub fn to(address: SocketAddr) -> Result<Bound, ListenError> {
        let listener = Listener::bind(address);
        listener
            .map(Bound)
            .map_err(|error| ListenError { address, error })
    }

    /// What will answer there.
    #[must_use]
    pub fn serving(self, context: Context) -> Server {
        let routes = resources::routes();
        let node = context.node.clone();
        Server {
            listener: self
                .0
                .refusing(Arc::new(move |status| unread(&node, status))),
            api: Arc::new(Api { context, routes }),
        }
    }
}

/// The response to a request whose head can't be read: nobody knows who asked for what, but it is JSON like any other.
fn unread(node: &str, status: u16) -> Vec<u8> {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_REQUEST);
    let (message, words) = match status {
        StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE => (
            "header_fields_too_large",
            "expected at most 100 header lines and 64 KiB of them",
        ),
        StatusCode::URI_TOO_LONG => ("uri_too_long", "expected a URL of at most 8192 bytes"),
        _ => ("parse_error", "the request is no HTTP/1.1"),
    };
    let id = uuid::Uuid::new_v4().simple().to_string();
    let timestamp = time::iso();
    let closing = Closing {
        message: Some(message),
        error: Some(status.as_str()),
        status: "error",
        request_id: &id,
        node,
        timestamp: &timestamp,
        ..Closing::default()
    };
    let data = serde_json::json!({ "message": words }).to_string();
    let body = reply::write(data.as_bytes(), &closing, false);
    let head = format!(
        "HTTP/1.1 {status}\r\ncontent-type: application/json\r\nx-request-id: {id}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        body.len()
    );
    [head.into_bytes(), body].concat()
}

/// A bound API, which answers once it is run.
pub struct Server {
    listener: Listener,
    api: Arc<Api>,
}

impl Server {
    /// Must be called within a runtime. Port 0 binds a free one.
    ///
    /// # Errors
    /// The address is taken, or not this machine's.
    pub fn bind(address: SocketAddr, context: Context) -> Result<Server, ListenError> {
        Ok(Bound::to(address)?.serving(context))
    }

    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.listener.address()
    }

    /// Answers until `shutdown` is cancelled; then closes the listener and ends the requests under way.
    pub async fn run(self, shutdown: CancellationToken) {
        let api = self.api;
        let serving = |peer: SocketAddr| {
            let api = Arc::clone(&api);
            service_fn(move |request| {
                let answer = Arc::clone(&api).answer(peer.ip(), request);
                async move { Ok::<_, Infallible>(answer.await) }
            })
        };
        self.listener.run("API", LIMITS, serving, shutdown).await;
    }
}
