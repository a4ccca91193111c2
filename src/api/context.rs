//! What all requests share.

use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::sync::{Semaphore, watch};
use tokio::time::Instant;

use super::audit::Audit;
use super::auth::{
    self, AccountFacts, Callers, Limiter, Lockout, Memo, Mended, Revoked, Secrets, SecretsError,
};
use super::files::Files;
use super::reply::{Refusal, unreadable};
use super::settings::Settings;
use super::time;
use crate::store::Store;
use crate::switch::Node;
use crate::trunks::Health;
use crate::types::AccountId;

/// Accounts that are remembered.
const REMEMBERED: usize = 10_000;

/// Bodies of more than [`LARGE_BODY`] bytes that are read at once.
const LARGE_BODIES: usize = 32;

/// Bytes of a body that needs no leave.
pub const LARGE_BODY: u64 = 64 * 1024;

/// Why there is no API.
#[derive(Debug, thiserror::Error)]
pub enum ContextError {
    #[error(transparent)]
    Secrets(#[from] SecretsError),
    #[error("the list of revoked tokens {path} can't be read or written: {error}")]
    Revoked {
        path: PathBuf,
        #[source]
        error: std::io::Error,
    },
    #[error("the audit log {path} can't be written: {error}; [api] audit_log names the file")]
    Audit {
        path: PathBuf,
        #[source]
        error: std::io::Error,
    },
}

/// Cheap to clone; all clones are one.
#[derive(Clone)]
pub struct Context(Arc<Inner>);

pub struct Inner {
    pub store: Store,
    pub nodes: Vec<Node>,
    pub settings: Settings,
    pub secrets: Secrets,
    pub revoked: Revoked,
    pub callers: Callers,
    pub limiter: Option<Limiter>,
    pub lockout: Lockout,
    pub audit: Audit,
    /// Sounds.
    pub files: Files,
    /// How the carriers' gateways are; None: nobody keeps it.
    pub health: Option<Health>,
    pub large_bodies: Semaphore,
    pub started: Instant,
    /// What an operator should know about the start.
    pub notices: Vec<&'static str>,
    /// Names this daemon without telling anything about it.
    pub node: String,
    accounts: Memo<AccountId, Option<Arc<AccountFacts>>>,
    changes: watch::Receiver<u64>,
}

impl Deref for Context {
    type Target = Inner;

    fn deref(&self) -> &Inner {
        &self.0
    }
}

impl Context {
    /// Opens or makes the files beside the store.
    ///
    /// # Errors
    /// One of them can't be used.
    pub fn open(
        store: Store,
        nodes: Vec<Node>,
        settings: Settings,
    ) -> Result<Context, ContextError> {
        let path = secret_file(&settings, &store);
        let (secrets, mended) = Secrets::kept(&path, &store.secret_copy())?;
        let notices = notices(&store, mended);
        let path = auth::beside(store.path(), "revoked");
        let frozen = |error: &std::io::Error| frozen(&store, error);
        let revoked = match Revoked::open(&path, time::unix()) {
            Err(error) if frozen(&error) => Revoked::read(&path, time::unix()),
            opened => opened.map_err(|error| ContextError::Revoked { path, error })?,
        };
        let path = match &settings.audit_log {
            Some(path) => path.clone(),
            None => auth::beside(store.path(), "audit.jsonl"),
        };
        let audit = if path.as_os_str().is_empty() {
            Audit::none()
        } else {
            match Audit::open(&path) {
                Err(error) if frozen(&error) => Audit::none(),
                opened => opened.map_err(|error| ContextError::Audit { path, error })?,
            }
        };
        let mut context = Context::with(store, nodes, settings, secrets, revoked, audit);
        if let Some(inner) = Arc::get_mut(&mut context.0) {
            inner.notices = notices;
        }
        Ok(context)
    }

    /// Without files: what it knows is gone with the process. For demos and tests.
    ///
    /// # Errors
    /// The system gives no random bytes.
    pub fn passing(
        store: Store,
        nodes: Vec<Node>,
        settings: Settings,
    ) -> Result<Context, ContextError> {
        let secrets = Secrets::passing()?;
        let revoked = Revoked::passing();
        Ok(Context::with(
            store,
            nodes,
            settings,
            secrets,
            revoked,
            Audit::none(),
        ))
    }

    fn with(
        store: Store,
        nodes: Vec<Node>,
        settings: Settings,
        secrets: Secrets,
        revoked: Revoked,
        audit: Audit,
    ) -> Context {
        Context(Arc::new(Inner {
            changes: store.changes(),
            node: auth::fingerprint([store.id(), "node"]),
            limiter: Limiter::new(settings.rate_tokens, settings.rate_refill_per_s),
            lockout: Lockout::default(),
            callers: Callers::default(),
            accounts: Memo::new(REMEMBERED),
            files: Files::of(&store),
            health: None,
            notices: Vec::new(),
            large_bodies: Semaphore::new(LARGE_BODIES),
            started: Instant::now(),
            store,
            nodes,
            settings,
            secrets,
            revoked,
            audit,
        }))
    }

    /// Tells how the carriers' gateways are. To be called before the context is shared: later it does nothing.
    #[must_use]
    pub fn with_health(mut self, health: Option<Health>) -> Context {
        if let Some(inner) = Arc::get_mut(&mut self.0) {
            inner.health = health;
        }
        self
    }

    /// Number of the store's last write: what was worked out at the same number still holds.
    #[must_use]
    pub fn state(&self) -> u64 {
        *self.changes.borrow()
    }

    /// # Errors
    /// The store.
    pub fn account(&self, id: &AccountId) -> Result<Option<Arc<AccountFacts>>, Refusal> {
        let make = || {
            let loaded = AccountFacts::load(&self.store, id);
            loaded.map(|facts| facts.map(Arc::new)).map_err(unreadable)
        };
        self.accounts.or_make(id, self.state(), make)
    }

    #[must_use]
    pub fn node_named(&self, name: &crate::types::NodeName) -> Option<&Node> {
        self.nodes.iter().find(|node| node.name() == name)
    }
}

/// Where the server's secret lies.
#[must_use]
pub fn secret_file(settings: &Settings, store: &Store) -> PathBuf {
    secret_beside(settings, store.path())
}

/// The same by the folder of a store.
#[must_use]
pub fn secret_beside(settings: &Settings, store: &Path) -> PathBuf {
    match &settings.secret_file {
        Some(path) => path.clone(),
        None => Secrets::beside(store),
    }
}

/// Whether a file can't be written because the store can't be either: then nothing changes that it would have to tell.
fn frozen(store: &Store, error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{PermissionDenied, ReadOnlyFilesystem};
    matches!(error.kind(), ReadOnlyFilesystem | PermissionDenied) && !store.health().takes_writes()
}

/// A new secret is no news to a store in which there is nobody.
fn notices(store: &Store, mended: Option<Mended>) -> Vec<&'static str> {
    let used = store.any_account().unwrap_or(true);
    let mended = mended.filter(|mended| *mended != Mended::Made || used);
    if let Some(mended) = mended {
        tracing::error!("{}", mended.told());
    }
    mended.map(Mended::told).into_iter().collect()
}
