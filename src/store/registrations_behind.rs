//! Writing registrations behind, reading them back, and sweeping out what lapsed long ago.

use std::collections::HashSet;
use std::sync::PoisonError;
use std::time::{Duration, Instant};

use super::core::Core;
use super::disk::{Batch, Disk};
use super::error::StoreError;
use super::registrations::{Behind, Registrations, add, address_of_record};
use super::{keys, record};
use crate::documents::Registration;

/// How long changes are gathered before they are written.
const GATHER: Duration = Duration::from_millis(250);

/// How often lapsed registrations are looked for.
const SWEEP: Duration = Duration::from_secs(60);

impl Registrations {
    /// Reads back what was written behind.
    ///
    /// # Errors
    /// The disk. A damaged record is dropped with a warning: a resync brings its content back.
    pub(super) fn load(&self, disk: &Disk) -> Result<(), StoreError> {
        for item in disk.raw(keys::REGISTRATIONS) {
            let (key, framed) = item?;
            let contacts = record::unframe(&key, &framed)
                .ok()
                .and_then(|payload| serde_json::from_slice::<Vec<Registration>>(payload).ok());
            let Some(contacts) = contacts else {
                tracing::warn!(record = keys::describe(&key), "a damaged record is dropped");
                let address = String::from_utf8_lossy(key.get(1..).unwrap_or_default());
                self.note([Box::from(address.as_ref())]);
                continue;
            };
            for contact in contacts.into_iter().rev() {
                if let Some(address) = address_of_record(&contact.user, &contact.realm)
                    && let Some(shard) = self.shard(&address)
                {
                    let mut map = shard.write().unwrap_or_else(PoisonError::into_inner);
                    add(map.entry(address).or_default(), contact);
                }
            }
        }
        Ok(())
    }

    /// Writes changes until told to stop; the last ones too.
    pub(super) fn write_behind(&self, core: &Core, now_s: fn() -> i64) {
        let mut swept = Instant::now();
        loop {
            let behind = self.behind();
            let waiting = |b: &mut Behind| b.dirty.is_empty() && !b.stop;
            let (behind, _) = self
                .changed
                .wait_timeout_while(behind, SWEEP, waiting)
                .unwrap_or_else(PoisonError::into_inner);
            let mut behind = match behind.dirty.is_empty() {
                true => behind,
                false => {
                    let gathered = self
                        .changed
                        .wait_timeout_while(behind, GATHER, |b| !b.stop)
                        .unwrap_or_else(PoisonError::into_inner);
                    gathered.0
                }
            };
            let stop = behind.stop;
            let dirty = std::mem::take(&mut behind.dirty);
            drop(behind);
            self.write(core, dirty);
            if stop {
                return;
            }
            if swept.elapsed() >= SWEEP {
                swept = Instant::now();
                self.sweep(now_s());
            }
        }
    }

    fn write(&self, core: &Core, dirty: HashSet<Box<str>>) {
        if dirty.is_empty() {
            return;
        }
        let mut batch = Batch::new();
        for address in dirty {
            batch.insert(keys::registrations(&address), payload(&self.at(&address)));
        }
        if let Err(error) = core.write(&batch) {
            tracing::error!(%error, "registrations are kept in memory only");
        }
    }

    pub(super) fn stop(&self) {
        self.behind().stop = true;
        self.changed.notify_all();
    }
}

/// As many of the contacts as a record holds, the newest.
fn payload(contacts: &[Registration]) -> Option<Vec<u8>> {
    let mut text = Vec::new();
    for contact in contacts {
        let json = serde_json::to_vec(contact).ok()?;
        if text.len() + json.len() + 2 > record::CHUNK {
            break;
        }
        text.push(if text.is_empty() { b'[' } else { b',' });
        text.extend_from_slice(&json);
    }
    if text.is_empty() {
        return None;
    }
    text.push(b']');
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::super::registrations::CONTACTS_MAX;
    use super::*;
    use crate::types::NodeName;

    fn registration(node: &str, user: &str, call_id: &str, updated_ms: i64) -> Registration {
        Registration {
            node: NodeName::new(node).unwrap(),
            profile: "internal".into(),
            user: user.into(),
            realm: "Acme.Example.COM".into(),
            contact: format!("<sip:{user}@192.0.2.{}:5060>", updated_ms % 200),
            call_id: call_id.into(),
            network_ip: None,
            network_port: None,
            user_agent: None,
            expires_at: 1_000,
            updated_ms,
        }
    }

    #[test]
    fn a_record_holds_the_newest_and_never_too_much() {
        let mut contacts: Vec<_> = (0..CONTACTS_MAX as i64)
            .map(|number| registration("fs1", "2001", "a", 100 - number))
            .collect();
        let read = |payload: Option<Vec<u8>>| -> Vec<Registration> {
            serde_json::from_slice(&payload.unwrap()).unwrap()
        };
        let kept = read(payload(&contacts));
        assert!(kept.len() > 5 && kept.len() < contacts.len());
        assert_eq!(kept, contacts[..kept.len()]);
        assert!(payload(&contacts).unwrap().len() <= record::CHUNK);
        assert_eq!(read(payload(&contacts[..1])), contacts[..1]);
        assert_eq!(payload(&[]), None);
        contacts[0].contact = "x".repeat(record::CHUNK);
        assert_eq!(payload(&contacts), None);
    }
}
