//! The daemon: store, switch and callflows together, from ready to stopped.

mod dialplan;
mod gateways;
mod metrics;
mod registrations;
mod status;
mod supervise;
mod systemd;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::api;
use crate::callflow::{self, CallReport};
use crate::config::{Config, NodeSettings};
use crate::directory;
use crate::store::{Store, StoreError};
use crate::switch::{self, IncomingCall, Switch, SwitchSettings};
use crate::trunks::carriers::SystemResolver;
use crate::trunks::{self, Carriers, Guard, Health, Ledger, Memory, ledger};
use crate::types::NodeName;

pub use metrics::MetricsError;
use supervise::supervised;
pub use systemd::Systemd;

/// Between telling calls that they are let go and closing their connections: time for the last commands to leave.
const LETTING_GO: Duration = Duration::from_millis(500);

/// A connection that is served, or the listener's own tick, comes at least this often: twice FreeSWITCH's default
/// heartbeat of 20 s, and a probe.
const PROGRESS_WITHIN: Duration = Duration::from_secs(45);

/// The store answers within this, or the disk hangs.
const STORE_WITHIN: Duration = Duration::from_secs(10);

/// Why the daemon can't start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error("{0}; [handoff] listen names the address: free it or choose another")]
    Listen(switch::ListenError),
    #[error("{0}; [directory] listen names the address: free it or choose another")]
    Directory(directory::ListenError),
    #[error("{0}; [api] listen names the address: free it or choose another")]
    Api(#[from] api::ListenError),
    #[error(transparent)]
    FirstAccount(#[from] api::FirstAccountError),
    #[error(transparent)]
    ApiFiles(#[from] api::ContextError),
    #[error("{0}; [metrics] listen names the address: free it or choose another")]
    Metrics(#[from] MetricsError),
    #[error("the carriers can't be read: {0}; run linefinder check")]
    Carriers(#[source] StoreError),
    #[error(transparent)]
    Switch(switch::StartError),
}

/// A daemon that takes calls. Dropping it without [`Daemon::run`] ends it abruptly.
pub struct Daemon {
    store: Store,
    switch: Switch,
    directory: Option<directory::Server>,
    api: Option<api::Server>,
    metrics: Option<metrics::Server>,
    /// The store's sequence from before the carriers were read.
    carriers_read_to: u64,
    incoming: mpsc::Receiver<IncomingCall>,
    context: callflow::Context,
    memory: Option<Memory>,
    trunks: trunks::Settings,
    drain: Duration,
    shutdown: CancellationToken,
    reports: Option<mpsc::UnboundedSender<CallReport>>,
    registrations: watch::Receiver<u64>,
}

impl Daemon {
    /// Binds the listener and begins to connect to the nodes; calls wait until [`Daemon::run`] takes them.
    /// Must be called within a runtime. Cancelling `shutdown` stops it in good order.
    ///
    /// # Errors
    /// The address to listen on is taken, or not this machine's.
    pub fn start(
        config: &Config,
        store: Store,
        shutdown: &CancellationToken,
    ) -> Result<Daemon, StartError> {
        let directory = directory(config, &store)?;
        let bound = config.api.listen.map(api::Bound::to).transpose()?;
        let metrics = config
            .metrics
            .listen
            .map(metrics::Server::bind)
            .transpose()?;
        let carriers_read_to = store.sequence();
        let carriers = Carriers::load(&store).map_err(StartError::Carriers)?;
        let health = Health::new(config.trunks.health());
        health.keep(&carriers.resources());
        let sink = Arc::new(registrations::Keeper::new(store.clone()));
        let registrations = sink.told();
        let ledger = Ledger::default();
        ledger.expect(config.nodes.keys().cloned());
        let mut settings = switch_settings(config, &store);
        settings.following = Some(switch::Following {
            sink: Arc::new(ledger.clone()),
            variable: ledger::Marks::VARIABLE,
        });
        let (switch, incoming) =
            Switch::start(settings, sink, shutdown).map_err(|error| match error {
                switch::StartError::Listen(error) => StartError::Listen(error),
                other => StartError::Switch(other),
            })?;
        let api = api(bound, config, &store, &switch, &health)?;
        let mut context = callflow::Context::new(
            store.clone(),
            config.routing.clone(),
            config.callflow.clone(),
        );
        context.ledger = ledger;
        context.carriers = Some(carriers);
        context.health = Some(health);
        context.guard = Guard::new(config.fraud.clone(), Instant::now());
        let (folder, now) = (store.path(), callflow::unix_now());
        let memory = Memory::recall(folder, &context.guard, context.health.as_ref(), now);
        let directory = directory.map(|server| {
            let switchboard = dialplan::Switchboard::new(context.clone(), switch.clone());
            let server = server.with_dialplan(Arc::new(switchboard));
            match &context.carriers {
                Some(carriers) => {
                    let profile = &config.routing.trunk.carrier_profile;
                    let settings = config.trunks.gateways(profile);
                    server.with_trunks(Arc::new(gateways::Known::new(carriers.clone(), &settings)))
                }
                None => server,
            }
        });
        Ok(Daemon {
            store,
            switch,
            directory,
            api,
            metrics,
            carriers_read_to,
            incoming,
            context,
            memory: Some(memory),
            trunks: config.trunks.clone(),
            drain: Duration::from_secs(config.handoff.drain_s),
            shutdown: shutdown.clone(),
            reports: None,
            registrations,
        })
    }

    /// Where the outbound socket listens.
    #[must_use]
    pub fn listening(&self) -> Option<SocketAddr> {
        self.switch.listening()
    }

    /// Where the REST API listens.
    #[must_use]
    pub fn api(&self) -> Option<SocketAddr> {
        self.api.as_ref().map(api::Server::address)
    }

    /// Where the directory listens.
    #[must_use]
    pub fn directory(&self) -> Option<SocketAddr> {
        self.directory.as_ref().map(directory::Server::address)
    }

    /// Where figures are served.
    #[must_use]
    pub fn metrics(&self) -> Option<SocketAddr> {
        self.metrics.as_ref().map(metrics::Server::address)
    }

    /// Units of trunks in use.
    #[must_use]
    pub fn ledger(&self) -> &Ledger {
        &self.context.ledger
    }

    /// What its calls are decided with.
    #[must_use]
    pub fn context(&self) -> &callflow::Context {
        &self.context
    }

    /// The nodes and what is known of them.
    #[must_use]
    pub fn switch(&self) -> &Switch {
        &self.switch
    }

    /// Changes whenever a node has told of registrations, and they are in the store.
    #[must_use]
    pub fn registrations(&self) -> watch::Receiver<u64> {
        self.registrations.clone()
    }

    /// A report of every call from now on, when it has ended.
    pub fn reports(&mut self) -> mpsc::UnboundedReceiver<CallReport> {
        let (sender, receiver) = mpsc::unbounded_channel();
        self.reports = Some(sender);
        receiver
    }

    /// Takes calls until `shutdown` is cancelled; then closes the listener, waits for the calls that are up as long as
    /// `[handoff] drain_s` says, and lets go of the rest. `hurry`, cancelled, ends the waiting.
    pub async fn run(mut self, systemd: &Systemd, hurry: &CancellationToken) {
        let let_go = CancellationToken::new();
        let calls = TaskTracker::new();
        // It closes its listener as soon as `shutdown` is cancelled, while calls are still drained.
        let directory = self.directory.take();
        let directory = directory.map(|server| tokio::spawn(server.run(self.shutdown.clone())));
        let api = self.api.take();
        let api = api.map(|server| tokio::spawn(server.run(self.shutdown.clone())));
        let metrics = self.metrics.take();
        let metrics = metrics.map(|server| tokio::spawn(server.run(self.shutdown.clone())));
        let mut told = status::line(&self.switch, &self.store.health());
        systemd.ready(&told);
        tracing::info!(status = told, "ready");
        let reaper = {
            let (ledger, switch) = (self.context.ledger.clone(), self.switch.clone());
            let shutdown = self.shutdown.clone();
            let reap = move || ledger::reap(ledger.clone(), switch.clone(), shutdown.clone());
            tokio::spawn(supervised("reaper", self.shutdown.clone(), reap))
        };
        let carriers = tokio::spawn(supervised(
            "carriers",
            self.shutdown.clone(),
            self.keep_carriers(),
        ));
        let memory = self.memory.take();
        let memory = memory.map(|memory| tokio::spawn(memory.keep(self.shutdown.clone())));
        let gateways = self.keep_gateways().map(tokio::spawn);
        let mut look = tokio::time::interval(systemd.look_every());
        loop {
            tokio::select! {
                biased;
                () = self.shutdown.cancelled() => break,
                Some(call) = self.incoming.recv() => self.take(call, &calls, &let_go),
                _ = look.tick() => {
                    let now = status::line(&self.switch, &self.store.health());
                    if now != told {
                        systemd.status(&now);
                        told = now;
                    }
                    if self.progresses().await {
                        systemd.alive();
                    }
                }
            }
        }
        self.stop(systemd, hurry, calls, let_go).await;
        if let Some(metrics) = metrics
            && metrics.await.is_err()
        {
            tracing::error!("the figures' listener failed");
        }
        if let Some(gateways) = gateways
            && gateways.await.is_err()
        {
            tracing::error!("the task that keeps the gateways failed");
        }
        if let Some(memory) = memory
            && memory.await.is_err()
        {
            tracing::error!("the task that writes down what trunks remember failed");
        }
        if carriers.await.is_err() {
            tracing::error!("the task that follows the carriers failed");
        }
        if reaper.await.is_err() {
            tracing::error!("the reaper of trunk units failed");
        }
        if let Some(api) = api
            && api.await.is_err()
        {
            tracing::error!("the API failed");
        }
        if let Some(directory) = directory
            && directory.await.is_err()
        {
            tracing::error!("the directory failed");
        }
    }

    /// Keeps the carriers' gateways on every node in step with their documents.
    fn keep_gateways(&self) -> Option<impl Future<Output = ()> + Send + 'static> {
        Some(gateways::keep_all(
            self.switch.clone(),
            self.context.carriers.clone()?,
            self.context.health.clone()?,
            self.trunks
                .gateways(&self.context.routing.trunk.carrier_profile),
            self.shutdown.clone(),
        ))
    }

    /// Keeps the carriers' table and their gateways' circuits in step with the store.
    fn keep_carriers(
        &self,
    ) -> impl FnMut() -> futures_util::future::BoxFuture<'static, ()> + Send + 'static {
        let carriers = self.context.carriers.clone();
        let health = self.context.health.clone();
        let (store, read_to) = (self.store.clone(), self.carriers_read_to);
        let settings = self.trunks.resolver();
        let shutdown = self.shutdown.clone();
        move || {
            let (carriers, health) = (carriers.clone(), health.clone());
            let (store, settings) = (store.clone(), settings);
            let shutdown = shutdown.clone();
            Box::pin(async move {
                let Some(carriers) = carriers else { return };
                let resolver = Arc::new(SystemResolver);
                let followed =
                    carriers.follow(store, read_to, resolver, settings, shutdown.clone());
                let mut changes = carriers.changes();
                let kept = async {
                    while changes.changed().await.is_ok() {
                        if let Some(health) = &health {
                            health.keep(&carriers.resources());
                        }
                    }
                };
                tokio::select! {
                    () = followed => {}
                    () = kept => {}
                    () = shutdown.cancelled() => {}
                }
            })
        }
    }

    fn take(&self, call: IncomingCall, calls: &TaskTracker, let_go: &CancellationToken) {
        let context = self.context.clone();
        let let_go = let_go.clone();
        let reports = self.reports.clone();
        calls.spawn(async move {
            let report = callflow::run(call, &context, &let_go).await;
            if let Some(reports) = reports {
                // Nobody may be listening any more; the log has it too.
                let _ = reports.send(report);
            }
        });
    }

    async fn stop(
        mut self,
        systemd: &Systemd,
        hurry: &CancellationToken,
        calls: TaskTracker,
        let_go: CancellationToken,
    ) {
        let up = self.switch.capacity().live();
        systemd.stopping(&format!("stopping; {up} calls are up"));
        tracing::info!(
            calls = up,
            within_s = self.drain.as_secs(),
            "stopping: no new calls"
        );
        let deadline = async {
            tokio::select! {
                () = tokio::time::sleep(self.drain) => {}
                () = hurry.cancelled() => {}
            }
            let_go.cancel();
            tokio::time::sleep(LETTING_GO).await;
        };
        let switch = self.switch.clone();
        let drained = switch.drain(self.drain + LETTING_GO);
        tokio::pin!(drained, deadline);
        let mut late = false;
        loop {
            tokio::select! {
                biased;
                // Calls that were claimed a moment ago have no fallback any more: they are served.
                Some(call) = self.incoming.recv() => self.take(call, &calls, &let_go),
                _ = &mut drained => break,
                () = &mut deadline, if !late => {
                    late = true;
                    if hurry.is_cancelled() {
                        self.switch.drain(Duration::ZERO).await;
                    }
                }
            }
        }
        let_go.cancel();
        calls.close();
        if tokio::time::timeout(STORE_WITHIN, calls.wait())
            .await
            .is_err()
        {
            tracing::error!(calls = calls.len(), "calls did not let go");
        }
        tracing::info!("stopped");
    }

    /// Something has moved lately: connections are served and the store answers. A timer alone would feed the watchdog
    /// of a daemon that hangs.
    async fn progresses(&self) -> bool {
        let live = |node: &switch::Node| node.state().borrow().is_live();
        let expected = self.switch.listening().is_some() || self.switch.nodes().iter().any(live);
        let silent = Instant::now().duration_since(self.switch.last_progress());
        if expected && silent > PROGRESS_WITHIN {
            tracing::error!(silent_s = silent.as_secs(), "no connection has been served");
            return false;
        }
        let store = self.store.clone();
        let asked = tokio::task::spawn_blocking(move || store.account_by_realm("").map(drop));
        match tokio::time::timeout(STORE_WITHIN, asked).await {
            Ok(Ok(Ok(()))) => true,
            Ok(Ok(Err(error))) => {
                // A damaged store is no hang: a new start would not mend it.
                tracing::error!(%error, "the store can't be read");
                true
            }
            Ok(Err(_)) | Err(_) => {
                tracing::error!("the store does not answer");
                false
            }
        }
    }
}

/// The API at an address that is bound already; it also says what a newcomer has to do next.
fn api(
    bound: Option<api::Bound>,
    config: &Config,
    store: &Store,
    switch: &Switch,
    health: &Health,
) -> Result<Option<api::Server>, StartError> {
    let Some(bound) = bound else {
        return Ok(None);
    };
    api::first_account(store, &config.api)?;
    if let Ok(false) = store.any_account() {
        tracing::warn!(
            "there is no account yet; run: linefinder account create NAME --realm REALM"
        );
    }
    let nodes = switch.nodes().to_vec();
    let context = api::Context::open(store.clone(), nodes, config.api.clone())?;
    let context = context.with_health(Some(health.clone()));
    Ok(Some(bound.serving(context)))
}

fn directory(config: &Config, store: &Store) -> Result<Option<directory::Server>, StartError> {
    let Some(listen) = config.directory.listen else {
        return Ok(None);
    };
    let routing = &config.routing;
    let settings = config
        .directory
        .answering(&routing.sip_profile, &routing.forward_context);
    let bound = directory::Server::bind(listen, store.clone(), settings);
    bound.map(Some).map_err(StartError::Directory)
}

fn switch_settings(config: &Config, store: &Store) -> SwitchSettings {
    let handoff = &config.handoff;
    let claim = Duration::from_millis(handoff.claim_timeout_ms);
    let node = |(name, node): (&NodeName, &NodeSettings)| {
        let password = node.password.as_ref()?.secret();
        let address = node.address.to_string();
        let mut settings = switch::NodeSettings::new(name.clone(), address, password);
        settings.sip = node.sip.as_ref().map(ToString::to_string);
        settings.park = handoff.park && node.park;
        settings.pace.claim = claim;
        Some(settings)
    };
    let allow = handoff.allow.clone();
    SwitchSettings {
        nodes: config.nodes.iter().filter_map(node).collect(),
        listen: handoff.socket.then_some(handoff.listen),
        allow: Arc::new(move |ip| allow.iter().any(|subnet| subnet.contains(ip))),
        max_calls: handoff.max_calls,
        owner: Some(store.id().to_owned()),
        claim,
        following: None,
    }
}
