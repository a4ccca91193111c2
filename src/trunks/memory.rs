//! What trunks remember over a restart, in a file beside the documents: the countries that each account has called, so
//! that they are not all new again, and the gateways that an operator has forced in or out.
//!
//! Written behind, after a moment in which changes are gathered, and once more at the end. A file that can't be read is
//! set aside: then everything is learnt anew, as at the very first start.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

use super::fraud::KnownCountries;
use super::health::ForcedGateway;
use super::{Guard, Health};

/// The file's name in the store's folder.
pub const FILE: &str = "trunks.json";

/// Changes are gathered for this long before they are written.
const GATHER: Duration = Duration::from_secs(2);

/// Between a failed write and the next try.
const AGAIN: Duration = Duration::from_secs(30);

const VERSION: u32 = 1;

#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Remembered {
    version: u32,
    /// When the guard began to learn, Unix seconds.
    learning_since: i64,
    #[serde(default)]
    countries: Vec<KnownCountries>,
    #[serde(default)]
    gateways: Vec<ForcedGateway>,
}

/// The file, and what it is kept for.
pub struct Memory {
    path: PathBuf,
    guard: Guard,
    health: Option<Health>,
    learning_since: i64,
}

impl Memory {
    /// Reads the file of a store's folder, if there is one, into the guard and the gateways' circuits. `now`: Unix
    /// seconds. Blocking.
    #[must_use]
    pub fn recall(folder: &Path, guard: &Guard, health: Option<&Health>, now: i64) -> Self {
        let path = folder.join(FILE);
        let remembered = match read(&path) {
            Ok(remembered) => remembered,
            Err(error) => {
                let aside = path.with_extension("json.damaged");
                // What can't be moved is written over by the next change.
                let _ = fs::rename(&path, &aside);
                tracing::error!(file = %path.display(), %error,
                    "known countries and forced gateways can't be read and are learnt anew; the file is kept as {}", aside.display());
                None
            }
        };
        let learning_since = remembered
            .as_ref()
            .map_or(now, |r| r.learning_since.min(now));
        if let Some(remembered) = remembered {
            let past = u64::try_from(now.saturating_sub(learning_since)).unwrap_or_default();
            guard.recall(&remembered.countries, Duration::from_secs(past));
            if let Some(health) = health {
                health.recall(&remembered.gateways);
            }
        }
        Self {
            path,
            guard: guard.clone(),
            health: health.cloned(),
            learning_since,
        }
    }

    /// Writes changes until `shutdown`, and the last ones then.
    pub async fn keep(self, shutdown: CancellationToken) {
        let mut guard = self.guard.changes();
        let mut forced = match &self.health {
            Some(health) => health.forced(),
            None => tokio::sync::watch::channel(0).1,
        };
        let mut dirty = !self.path.exists();
        let mut gather = GATHER;
        loop {
            if !dirty {
                tokio::select! {
                    () = shutdown.cancelled() => {}
                    Ok(()) = guard.changed() => dirty = true,
                    Ok(()) = forced.changed() => dirty = true,
                }
            }
            let last = tokio::time::timeout(gather, shutdown.cancelled())
                .await
                .is_ok();
            dirty |= [&guard, &forced]
                .into_iter()
                .any(|changes| changes.has_changed().unwrap_or(false));
            guard.mark_unchanged();
            forced.mark_unchanged();
            if dirty {
                dirty = !self.write().await;
            }
            if last {
                return;
            }
            gather = if dirty { AGAIN } else { GATHER };
        }
    }

    async fn write(&self) -> bool {
        let remembered = Remembered {
            version: VERSION,
            learning_since: self.learning_since,
            countries: self.guard.known(),
            gateways: self
                .health
                .as_ref()
                .map(Health::forced_gateways)
                .unwrap_or_default(),
        };
        let path = self.path.clone();
        let written = tokio::task::spawn_blocking(move || write(&path, &remembered)).await;
        match written {
            Ok(Ok(())) => true,
            Ok(Err(error)) => {
                tracing::error!(file = %self.path.display(), %error,
                    "known countries and forced gateways can't be written; a restart would forget them");
                false
            }
            // Only when the runtime ends.
            Err(_) => false,
        }
    }
}

/// None: there is no file.
fn read(path: &Path) -> io::Result<Option<Remembered>> {
    let text = match fs::read(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let remembered: Remembered = serde_json::from_slice(&text)?;
    if remembered.version != VERSION {
        let told = format!("its version is {}, not {VERSION}", remembered.version);
        return Err(io::Error::other(told));
    }
    Ok(Some(remembered))
}

/// The new file is whole on disk before it takes the old one's place.
fn write(path: &Path, remembered: &Remembered) -> io::Result<()> {
    use std::os::unix::fs::OpenOptionsExt as _;
    let new = path.with_extension("json.new");
    let mut options = OpenOptions::new();
    let mut file = options
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&new)?;
    file.write_all(&serde_json::to_vec(remembered)?)?;
    file.sync_all()?;
    fs::rename(&new, path)?;
    match path.parent() {
        Some(folder) => File::open(folder)?.sync_all(),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::Instant;

    use super::*;
    use crate::routing::carriers::GatewayKey;
    use crate::trunks::fraud::{Attempt, Settings};
    use crate::trunks::health::{Forced, HealthSettings};
    use crate::types::{AccountId, CallId, DocumentId};

    const HOUR: i64 = 3600;

    fn call(guard: &Guard, number: &str) {
        let passed = guard.admit(
            &Attempt {
                call: &CallId::new("c").unwrap(),
                account: &AccountId::new("acme").unwrap(),
                party: Some("desk"),
                class: "international",
                number,
            },
            Instant::now(),
        );
        drop(passed.unwrap());
    }

    fn guard() -> Guard {
        Guard::new(Settings::default(), Instant::now())
    }

    fn health() -> Health {
        let health = Health::new(HealthSettings::default());
        health.keep(&[crate::trunks::health::tests::source("c1", &["127.0.1.1"])]);
        health
    }

    fn key() -> GatewayKey {
        GatewayKey::new(
            &AccountId::installation(),
            &DocumentId::new("c1").unwrap(),
            0,
        )
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_known_and_forced_outlives_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let (first, gateways) = (guard(), health());
        let memory = Memory::recall(folder.path(), &first, Some(&gateways), 1000);
        let shutdown = CancellationToken::new();
        let keeping = tokio::spawn(memory.keep(shutdown.clone()));
        call(&first, "+442071234567");
        call(&first, "+493012345678");
        assert!(gateways.force(&key(), Some(Forced::Out)));
        shutdown.cancel();
        keeping.await.unwrap();

        let (second, gateways) = (guard(), health());
        // Two hours later: the time to learn is over.
        drop(Memory::recall(
            folder.path(),
            &second,
            Some(&gateways),
            1000 + 2 * HOUR,
        ));
        assert_eq!(second.known(), first.known());
        assert_eq!(gateways.snapshot()[0].forced, Some(Forced::Out));
        let known = crate::trunks::fraud::new_countries(&second, "+442071234567");
        assert_eq!(known, 0, "it was called before");
        let other = crate::trunks::fraud::new_countries(&second, "+2521234567");
        assert_eq!(other, 1, "nothing is only noted any more");
        let early = guard();
        drop(Memory::recall(folder.path(), &early, None, 1000 + 60));
        let learning = crate::trunks::fraud::new_countries(&early, "+2521234567");
        assert_eq!(learning, 0, "the hour is not over");
    }

    #[tokio::test(start_paused = true)]
    async fn a_change_is_on_disk_a_moment_later() {
        let folder = tempfile::tempdir().unwrap();
        let gateways = health();
        let memory = Memory::recall(folder.path(), &guard(), Some(&gateways), 0);
        let keeping = tokio::spawn(memory.keep(CancellationToken::new()));
        tokio::task::yield_now().await;
        gateways.force(&key(), Some(Forced::Out));
        let file = folder.path().join(FILE);
        let written = async {
            while !fs::read_to_string(&file).is_ok_and(|text| text.contains("\"out\"")) {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(60), written)
            .await
            .unwrap();
        keeping.abort();
    }

    #[test]
    fn a_gateway_of_another_server_is_not_forced() {
        let remembered = vec![ForcedGateway {
            key: key(),
            server: "127.0.9.9".into(),
            forced: Forced::Out,
        }];
        let gateways = health();
        gateways.recall(&remembered);
        assert_eq!(gateways.snapshot()[0].forced, None);
    }

    #[test]
    fn a_file_that_is_no_good_is_set_aside() {
        for text in [
            "{",
            "{\"version\": 9, \"learning_since\": 0}",
            "[]",
            "\u{0}",
        ] {
            let folder = tempfile::tempdir().unwrap();
            fs::write(folder.path().join(FILE), text).unwrap();
            let guard = guard();
            drop(Memory::recall(folder.path(), &guard, None, 0));
            assert_eq!(guard.known(), []);
            assert!(folder.path().join("trunks.json.damaged").exists(), "{text}");
        }
    }
}
