//! The handle of a simulated node.

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use tokio::net::TcpListener;

use super::call::{
    CallSpec, Handoff, Observer, Origin, Patience, PlacedCall, Stage, caller_hangs_up,
};
use super::connection::{self, Side};
use super::core::{Core, Fault, new_uuid};
use super::dialplan::Dialplan;
use super::event::Firing;
use super::leg::{Channel, Direction, EndedBy, Kind, Leg, Party, Sip};
use super::link::{Link, Links};
use super::listener::Listener;
use super::lock::lock;
use super::options::NodeOptions;
use super::phone::{PhoneScript, Phones};
use super::registrar::{Registered, Registrar};
use super::session::Session;
use crate::types::HangupCause;

/// A simulated FreeSWITCH that runs until it is killed or its last handle is dropped.
#[derive(Clone)]
pub struct Node {
    inner: Arc<Inner>,
}

struct Inner {
    options: Arc<NodeOptions>,
    phones: Arc<Phones>,
    registrar: Arc<Registrar>,
    links: Arc<Links>,
    address: SocketAddr,
    core: Mutex<Arc<Core>>,
}

/// Another node, as long as it is there.
#[derive(Clone)]
pub(super) struct DistantNode(Weak<Inner>);

impl DistantNode {
    pub(super) fn reach(&self) -> Option<Node> {
        let inner = self.0.upgrade()?;
        Some(Node { inner })
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        lock(&self.core).dead.cancel();
    }
}

/// The text that FreeSWITCH's shutdown and a module reload send (capture fact 48).
const SHUTTING_DOWN: &str = "The system is being shut down.";

impl Node {
    /// Starts a node that accepts event-socket clients.
    ///
    /// # Errors
    /// The address can't be listened on.
    pub async fn start(options: NodeOptions) -> io::Result<Node> {
        let listener = TcpListener::bind(options.listen).await?;
        let address = listener.local_addr()?;
        let options = Arc::new(options);
        let phones = Arc::new(Phones::default());
        let registrar = Arc::new(Registrar::new(options.multiple_registrations));
        let links = Arc::new(Links::default());
        let core = Core::new(
            Arc::clone(&options),
            Arc::clone(&phones),
            Arc::clone(&registrar),
            Arc::clone(&links),
        );
        run(&core, listener);
        Ok(Node {
            inner: Arc::new(Inner {
                options,
                phones,
                registrar,
                links,
                address,
                core: Mutex::new(core),
            }),
        })
    }

    /// Where the node listens for event-socket clients.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.inner.address
    }

    #[must_use]
    pub fn password(&self) -> &str {
        &self.inner.options.password
    }

    /// `FreeSWITCH-Switchname`.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.inner.options.name
    }

    /// Another one after each restart.
    #[must_use]
    pub fn core_uuid(&self) -> String {
        self.core().uuid.to_string()
    }

    fn core(&self) -> Arc<Core> {
        Arc::clone(&lock(&self.inner.core))
    }

    // Phones.

    /// Puts a phone at an address: `user@host` or `user@host:port` of the dialled URI, `@host` for every
    /// user there, or the address of record of a registration.
    pub fn phone(&self, address: &str, script: PhoneScript) {
        self.inner.phones.put(address, script);
    }

    /// Puts a carrier behind `sofia/gateway/NAME`.
    pub fn gateway(&self, name: &str, script: PhoneScript) {
        self.inner.phones.put(&format!("gateway/{name}"), script);
    }

    /// Where the node's SIP profiles ask for their gateways (mod_xml_curl).
    pub fn asks_directory(&self, directory: SocketAddr) {
        self.inner.links.asks(directory);
    }

    /// Names of the gateways that the profiles have.
    #[must_use]
    pub fn gateways(&self) -> Vec<String> {
        self.core().gateways.names()
    }

    /// The carrier behind a gateway answers REGISTER and OPTIONS, or ceases to: `sofia::gateway_state`.
    pub fn gateway_answers(&self, name: &str, up: bool) {
        self.core().gateway_answers(name, up);
    }

    pub fn remove_phone(&self, address: &str) {
        self.inner.phones.remove(address);
    }

    /// SIP that this node sends to `address` reaches `other`, which sees it come from `from` and does
    /// with it what `handoff` says.
    pub fn leads_to(&self, address: SocketAddr, other: &Node, from: SocketAddr, handoff: Handoff) {
        let to = DistantNode(Arc::downgrade(&other.inner));
        let link = Link { to, from, handoff };
        self.inner.links.put(address, link);
    }

    /// A phone registers, or refreshes: row and `sofia::register`.
    pub fn register(&self, phone: &Registered) {
        self.core().register(phone);
    }

    /// A phone unregisters: `sofia::unregister`. None: all contacts of the user.
    pub fn unregister(&self, user_and_realm: &str, contact: Option<&str>) {
        let (user, realm) = user_and_realm
            .split_once('@')
            .unwrap_or((user_and_realm, ""));
        self.core().unregister(user, realm, contact);
    }

    /// A user's registrations lapse: `sofia::expire`.
    pub fn expire(&self, user_and_realm: &str) {
        let (user, realm) = user_and_realm
            .split_once('@')
            .unwrap_or((user_and_realm, ""));
        self.core().expire(user, realm);
    }

    // Calls.

    /// A caller dials. The call runs whether or not the handle is kept.
    pub fn place_call(&self, spec: CallSpec) -> PlacedCall {
        self.enter(spec, None)
    }

    /// A call comes in. `owner` is the leg of another node that dials it, and is woken with it.
    pub(super) fn enter(&self, spec: CallSpec, owner: Option<Arc<Channel>>) -> PlacedCall {
        let core = self.core();
        let observer = Observer::new(core.clock.now_us(), spec.keep_events);
        let dialplan = Arc::new(Dialplan {
            handoff: spec.handoff.clone(),
            origin: spec.origin.clone(),
            fallback_after: core.options.fallback_after,
        });
        let leg = caller_leg(&core, &spec, dialplan.context());
        let channel = Channel::new(leg, owner, Some(Arc::clone(&observer)));
        let call = PlacedCall::new(Arc::clone(&core), Arc::clone(&channel), observer);
        if core.channel_count() >= core.options.max_sessions
            || core.closing.load(Ordering::Acquire)
            || core.dead.is_cancelled()
        {
            // Refused before there is a channel: no event tells of it.
            let cause = HangupCause::SwitchCongestion;
            channel.leg().cause = Some(cause);
            if let Some(observer) = &channel.observer {
                observer.end(&channel, core.clock.now_us(), core.dead.is_cancelled());
            }
            return call;
        }
        core.add_channel(&channel);
        let dead = core.dead.clone();
        if let Some(patience) = spec.patience {
            let waiting = wait_and_hang_up(Arc::clone(&core), call.observed(), patience);
            tokio::spawn(dead.clone().run_until_cancelled_owned(waiting));
        }
        let session = Session::new(core, channel, dialplan);
        tokio::spawn(dead.run_until_cancelled_owned(session.run()));
        call
    }

    /// Legs of all calls that are there now.
    #[must_use]
    pub fn legs(&self) -> usize {
        self.core().channel_count()
    }

    // Faults.

    /// Every event-socket connection ends without a word; the calls go on.
    pub fn drop_connections(&self) {
        let core = self.core();
        core.faults.send_replace(Fault::Dropped(core.next_id()));
    }

    /// Connections neither read nor write until [`Node::unstall`].
    pub fn stall(&self) {
        self.core().faults.send_replace(Fault::Stalled);
    }

    pub fn unstall(&self) {
        self.core().faults.send_replace(Fault::None);
    }

    /// A notice written by force, such as `killed listener because of lost events`, then the end.
    pub fn force_notice(&self, text: &'static str) {
        let core = self.core();
        let notice = Fault::Notice(core.next_id(), text);
        core.faults.send_replace(notice);
    }

    /// The process dies: connections end without a word, calls are gone, nothing listens.
    pub fn kill(&self) {
        let core = self.core();
        core.dead.cancel();
        for channel in core.channels() {
            if let Some(observer) = &channel.observer {
                observer.end(&channel, core.clock.now_us(), true);
            }
            core.remove_channel(&channel.uuid);
        }
    }

    /// Starts again after a kill or a shutdown, on the same address, under a new Core-UUID. Registrations
    /// have survived, as they do on disk.
    ///
    /// # Errors
    /// The address can't be listened on again.
    pub async fn restart(&self) -> io::Result<()> {
        self.kill();
        let listener = bind_again(self.inner.address).await?;
        let inner = &self.inner;
        let core = Core::new(
            Arc::clone(&inner.options),
            Arc::clone(&inner.phones),
            Arc::clone(&inner.registrar),
            Arc::clone(&inner.links),
        );
        run(&core, listener);
        *lock(&inner.core) = core;
        Ok(())
    }

    /// An orderly shutdown: SHUTDOWN, hang-ups with SYSTEM_SHUTDOWN, the forced notice, the end (capture 31).
    pub async fn shutdown(&self) {
        let core = self.core();
        core.closing.store(true, Ordering::Release);
        let extra = [("Event-Info", "System Shutting Down")];
        let source = ("switch_core.c", "switch_core_destroy", 3033);
        core.fire(&Firing::general("SHUTDOWN", source, &extra), &[]);
        for channel in core.channels() {
            core.hangup(&channel, HangupCause::SystemShutdown, EndedBy::Node);
        }
        let reported = async {
            while core.channels().iter().any(|channel| {
                let leg = channel.leg();
                leg.call_state != super::leg::CallState::Hangup
            }) {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        // FreeSWITCH waits some seconds for its calls, not for ever.
        let _ = tokio::time::timeout(Duration::from_secs(5), reported).await;
        let notice = Fault::Notice(core.next_id(), SHUTTING_DOWN);
        core.faults.send_replace(notice);
        tokio::time::sleep(Duration::from_millis(50)).await;
        self.kill();
    }

    /// Fires a HEARTBEAT now.
    pub fn heartbeat(&self) {
        self.core().heartbeat();
    }
}

/// A port whose listener has just been closed is free in a moment.
async fn bind_again(address: SocketAddr) -> io::Result<TcpListener> {
    let mut tries = 0_u32;
    loop {
        match TcpListener::bind(address).await {
            Err(error) if error.kind() == io::ErrorKind::AddrInUse && tries < 200 => {
                tries += 1;
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            bound => return bound,
        }
    }
}

/// Starts the tasks of an incarnation.
fn run(core: &Arc<Core>, listener: TcpListener) {
    let dead = core.dead.clone();
    tokio::spawn(
        dead.clone()
            .run_until_cancelled_owned(Arc::clone(core).beat()),
    );
    tokio::spawn(dead.run_until_cancelled_owned(accept(Arc::clone(core), listener)));
}

async fn accept(core: Arc<Core>, listener: TcpListener) {
    loop {
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::warn!(%error, "a simulated node could not accept a connection");
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        let (handle, queue) = Listener::new(core.next_id(), None);
        let served = connection::serve(Arc::clone(&core), stream, Side::Inbound, handle, queue);
        tokio::spawn(core.dead.clone().run_until_cancelled_owned(served));
    }
}

fn caller_leg(core: &Core, spec: &CallSpec, context: &str) -> Leg {
    let session = core.next_session();
    let host = spec.source.to_string();
    let party = Party {
        uuid: new_uuid(),
        direction: Direction::Inbound,
        username: spec.from_user.as_str().into(),
        caller_name: spec.caller_name.as_str().into(),
        caller_number: spec.caller_number.as_str().into(),
        address: host.as_str().into(),
        destination: spec.to.as_str().into(),
        context: context.into(),
        redirected_from: None,
        channel_name: format!("sofia/{}/{}@{}", spec.profile, spec.from_user, spec.realm).into(),
        source: "mod_sofia",
    };
    let sip = Sip {
        profile: spec.profile.as_str().into(),
        from_user: spec.from_user.as_str().into(),
        from_host: spec.realm.as_str().into(),
        to_user: spec.to.as_str().into(),
        to_host: spec.realm.as_str().into(),
        host: host.as_str().into(),
        port: 5071,
        user_agent: "TestPhone/1.0".into(),
    };
    let mut leg = Leg::new(party, Kind::Caller(sip), session, core.clock.now_us());
    let mut set = |name: &str, value: &str| leg.variables.set(name, value);
    match spec.origin {
        Origin::Device => {
            for (name, value) in [
                ("sip_authorized", "true"),
                ("sip_number_alias", &*spec.from_user),
                ("sip_auth_username", &spec.from_user),
                ("sip_auth_realm", &spec.realm),
                ("number_alias", &spec.from_user),
                ("requested_user_name", &spec.from_user),
                ("requested_domain_name", &spec.realm),
                ("user_name", &spec.from_user),
                ("domain_name", &spec.realm),
                ("user_context", context),
            ] {
                set(name, value);
            }
        }
        Origin::Trunk => {
            set("sip_authorized", "true");
            set("sip_acl_authed_by", "trunks");
        }
        Origin::Sister => {
            set("sip_authorized", "true");
            set("sip_acl_authed_by", "sisters");
        }
        Origin::Stranger => {}
    }
    for (name, value) in &spec.variables {
        set(name, value);
    }
    leg
}

async fn wait_and_hang_up(core: Arc<Core>, call: PlacedCall, patience: Patience) {
    let wait = match patience {
        Patience::FromStart(wait) => wait,
        Patience::FromAnswer(wait) => {
            if call.reached(Stage::Answered).await == Stage::Ended {
                return;
            }
            wait
        }
    };
    tokio::select! {
        () = tokio::time::sleep(core.options.scaled(wait)) => caller_hangs_up(&core, call.channel()),
        _ = call.reached(Stage::Ended) => {}
    }
}
