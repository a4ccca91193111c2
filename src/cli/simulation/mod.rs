//! Daemon, store and simulated FreeSWITCH nodes in one process, for `demo` and `call`.

mod phones;

use std::net::SocketAddr;
use std::time::Duration;

use tokio::runtime;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::exit::{Exit, Failure};
use crate::callflow::CallReport;
use crate::config::{Config, HandoffSettings, HostPort, NodeSettings, Secret};
use crate::daemon::{Daemon, Systemd};
use crate::sim::{CallResult, CallSpec, Node, NodeOptions, PhoneScript, PlacedCall};
use crate::store::Store;
use crate::types::NodeName;

pub use phones::Phone;

/// A simulated second passes this many times faster than one of life.
pub const SPEED: f64 = 10.0;

/// For a step between two parts of one process; only a fault takes longer.
const PATIENCE: Duration = Duration::from_secs(20);

/// For the daemon to hear of a call's end and report it.
const REPORT_WITHIN: Duration = Duration::from_secs(3);

/// A node to simulate.
pub struct Wanted {
    pub name: String,
    /// Where it accepts SIP from its sister nodes, as its configuration says.
    pub sip: Option<String>,
    /// Who answers at addresses that no phone was put at.
    pub others: Option<PhoneScript>,
}

/// Everything together, running.
pub struct Simulation {
    pub nodes: Vec<Node>,
    pub store: Store,
    listening: SocketAddr,
    reports: mpsc::UnboundedReceiver<CallReport>,
    /// Changes when the daemon has heard of a phone.
    registrations: watch::Receiver<u64>,
    shutdown: CancellationToken,
    daemon: JoinHandle<()>,
}

impl Simulation {
    /// Starts nodes and daemon and waits until they are connected. Of the configuration only `[routing]` and
    /// `[callflow]` count.
    pub async fn start(config: Config, store: Store, wanted: Vec<Wanted>) -> Result<Self, Failure> {
        let mut nodes = Vec::new();
        let mut settings = Vec::new();
        for wanted in wanted {
            let name = NodeName::new(&wanted.name).map_err(fault)?;
            let node = simulate(&wanted).await?;
            settings.push((name, node_settings(&node, wanted.sip)?));
            nodes.push(node);
        }
        let mut config = Config {
            nodes: settings.into_iter().collect(),
            handoff: HandoffSettings {
                listen: SocketAddr::from(([127, 0, 0, 1], 0)),
                // The callers have hung up by then.
                drain_s: 1,
                ..HandoffSettings::default()
            },
            ..config
        };
        let sisters = config.nodes.iter();
        config.routing.nodes = sisters
            .filter_map(|(name, node)| Some((name.clone(), node.sip.as_ref()?.to_string())))
            .collect();
        let shutdown = CancellationToken::new();
        let mut daemon = Daemon::start(&config, store.clone(), &shutdown)?;
        let listening = daemon
            .listening()
            .ok_or_else(|| fault("the daemon does not listen"))?;
        let reports = daemon.reports();
        let registrations = daemon.registrations();
        for node in daemon.switch().nodes() {
            let mut state = node.state();
            let live = timeout(PATIENCE, state.wait_for(|state| state.is_live())).await;
            if !matches!(live, Ok(Ok(_))) {
                let message = format!("the daemon can't connect to simulated node {}", node.name());
                return Err(fault(message));
            }
        }
        let hurry = shutdown.clone();
        let daemon = tokio::spawn(async move { daemon.run(&Systemd::none(), &hurry).await });
        Ok(Self {
            nodes,
            store,
            listening,
            reports,
            registrations,
            shutdown,
            daemon,
        })
    }

    /// Where `socket` finds the daemon.
    #[must_use]
    pub fn listening(&self) -> SocketAddr {
        self.listening
    }

    /// The node of this name, else the first.
    pub fn node(&self, name: &str) -> Result<&Node, Failure> {
        let named = self.nodes.iter().find(|node| node.name() == name);
        named
            .or(self.nodes.first())
            .ok_or_else(|| fault("there is no simulated node"))
    }

    /// Puts phones at their nodes and waits until the daemon knows those that register.
    pub async fn connect(&self, phones: &[Phone]) -> Result<(), Failure> {
        for phone in phones {
            phone.connect(self.node(&phone.node)?);
        }
        let known = async {
            for phone in phones.iter().filter(|phone| phone.registers) {
                let known = |_: &u64| {
                    let found = self.store.registrations(&phone.user, &phone.realm);
                    !found.is_empty()
                };
                self.registrations.clone().wait_for(known).await.map(drop)?;
            }
            Ok::<(), watch::error::RecvError>(())
        };
        match timeout(PATIENCE, known).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) | Err(_) => Err(fault("the daemon does not hear of the simulated phones")),
        }
    }

    /// Places a call on a node.
    pub fn place(&self, node: &str, spec: CallSpec) -> Result<PlacedCall, Failure> {
        Ok(self.node(node)?.place_call(spec))
    }

    /// Waits for a call's end on both sides: what the caller saw, what the daemon did. None: the daemon never had it.
    pub async fn outcome(
        &mut self,
        call: &PlacedCall,
    ) -> Result<(CallResult, Option<CallReport>), Failure> {
        let result = timeout(PATIENCE, call.result())
            .await
            .map_err(|_| fault(format!("call {} does not end", call.uuid())))?;
        let report = async {
            while let Some(report) = self.reports.recv().await {
                if report.call_id.as_str() == result.uuid {
                    return Some(report);
                }
            }
            None
        };
        let report = timeout(REPORT_WITHIN, report).await.unwrap_or(None);
        Ok((result, report))
    }

    /// Ends daemon and nodes in good order.
    pub async fn stop(self) -> Result<(), Failure> {
        self.shutdown.cancel();
        let ended = timeout(PATIENCE, self.daemon).await;
        match ended {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(fault(error)),
            Err(_) => Err(fault("the daemon does not stop")),
        }
    }
}

/// Runs a play to its end, or until somebody tires of it: then too the temporary store is taken away.
pub fn perform<T>(play: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let runtime = runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(fault)?;
    let done = runtime.block_on(async {
        let mut interrupt = signal(SignalKind::interrupt()).map_err(fault)?;
        let mut terminate = signal(SignalKind::terminate()).map_err(fault)?;
        let mut hangup = signal(SignalKind::hangup()).map_err(fault)?;
        tokio::select! {
            done = play => done,
            _ = interrupt.recv() => Err(Failure::said(Exit::Interrupted)),
            _ = terminate.recv() => Err(Failure::said(Exit::Terminated)),
            _ = hangup.recv() => Err(Failure::said(Exit::HungUp)),
        }
    });
    // Tasks that were left hold the store.
    runtime.shutdown_timeout(PATIENCE);
    done
}

async fn simulate(wanted: &Wanted) -> Result<Node, Failure> {
    let options = NodeOptions {
        name: wanted.name.clone(),
        // Nobody else on this machine shall connect to it.
        password: uuid::Uuid::new_v4().to_string(),
        speed: SPEED,
        any_phone: wanted.others.clone(),
        ..NodeOptions::default()
    };
    let node = Node::start(options).await;
    node.map_err(|error| Failure::new(Exit::Unavailable, format_args!("simulated node: {error}")))
}

fn node_settings(node: &Node, sip: Option<String>) -> Result<NodeSettings, Failure> {
    Ok(NodeSettings {
        address: HostPort::try_from(node.address().to_string()).map_err(fault)?,
        password: Some(Secret::new(node.password().to_owned())),
        sip: sip.map(HostPort::try_from).transpose().map_err(fault)?,
        ..NodeSettings::default()
    })
}

/// Something that can only be a mistake of this program.
pub fn fault(error: impl std::fmt::Display) -> Failure {
    Failure::new(Exit::Software, error)
}
