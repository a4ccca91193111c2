//! Figures for Prometheus, at `GET /metrics`.

use std::io;
use std::net::SocketAddr;
use std::sync::OnceLock;
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use metrics_exporter_prometheus::{BuildError, PrometheusBuilder, PrometheusHandle};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// What was recorded since is sorted in at least this often, whether anybody asks or not.
const UPKEEP: Duration = Duration::from_secs(5);

/// Why there are no figures.
#[derive(Debug, thiserror::Error)]
pub enum MetricsError {
    #[error("can't listen on {0} for metrics: {1}")]
    Listen(SocketAddr, #[source] io::Error),
    #[error("metrics can't be recorded: {0}")]
    Recorder(#[from] BuildError),
}

/// A bound listener, which answers once it is run.
pub(super) struct Server {
    listener: std::net::TcpListener,
    address: SocketAddr,
    handle: PrometheusHandle,
}

/// There is one recorder in a process, however many daemons a test starts.
static RECORDER: OnceLock<PrometheusHandle> = OnceLock::new();

fn recorder() -> Result<PrometheusHandle, BuildError> {
    if let Some(handle) = RECORDER.get() {
        return Ok(handle.clone());
    }
    let handle = PrometheusBuilder::new().install_recorder()?;
    Ok(RECORDER.get_or_init(|| handle).clone())
}

impl Server {
    pub(super) fn bind(address: SocketAddr) -> Result<Self, MetricsError> {
        let bound = std::net::TcpListener::bind(address).and_then(|listener| {
            listener.set_nonblocking(true)?;
            let address = listener.local_addr()?;
            Ok((listener, address))
        });
        let (listener, address) = bound.map_err(|error| MetricsError::Listen(address, error))?;
        Ok(Self {
            listener,
            address,
            handle: recorder()?,
        })
    }

    pub(super) const fn address(&self) -> SocketAddr {
        self.address
    }

    pub(super) async fn run(self, shutdown: CancellationToken) {
        let handle = self.handle.clone();
        let figures = Router::new().route("/metrics", get(move || async move { handle.render() }));
        let listener = match TcpListener::from_std(self.listener) {
            Ok(listener) => listener,
            Err(error) => {
                tracing::error!(%error, "metrics are not served");
                return;
            }
        };
        let stopped = shutdown.clone().cancelled_owned();
        let served = axum::serve(listener, figures).with_graceful_shutdown(stopped);
        let upkeep = async {
            let mut rounds = tokio::time::interval(UPKEEP);
            loop {
                rounds.tick().await;
                self.handle.run_upkeep();
            }
        };
        tokio::select! {
            served = served => {
                if let Err(error) = served {
                    tracing::error!(%error, "metrics are served no more");
                }
            }
            () = upkeep => {}
        }
    }
}
