//! Reading a database without sled.

use super::*;
use crate::store::digest::{self, Digest};
use crate::store::sled_log::{Reading, SledLog};

/// Writes of all sizes, many times over, so that sled splits, merges and moves its pages.
fn churned(folder: &std::path::Path, seed: u64) -> (StoreSettings, Digest) {
    let settings = settings(folder);
    let mut random = fastrand::Rng::with_seed(seed);
    let mut digest = None;
    for _ in 0..3 {
        let store = Store::open(&settings).unwrap();
        apply(&store, vec![account("acc", "a.example.com")]).unwrap();
        for _ in 0..25 {
            let writes = (0..40).map(|_| {
                let id = format!("d{}", random.u32(0..600));
                match random.u32(0..4) {
                    0 => Write::Delete(key(DocumentType::Device, "acc", &id)),
                    _ => put(
                        DocumentType::Device,
                        "acc",
                        &id,
                        json!({"name": id, "note": "x".repeat(random.usize(0..9_000))}),
                    ),
                }
            });
            apply(&store, writes.collect()).unwrap();
        }
        digest = store.internals().disk.known_digest();
    }
    (settings, digest.unwrap())
}

#[test]
fn a_sound_database_reads_the_same_without_sled() {
    for reading in [Reading::Judging, Reading::Saving] {
        let seed = fastrand::u64(..);
        let folder = tempfile::tempdir().unwrap();
        let (settings, expected) = churned(folder.path(), seed);
        let log = SledLog::read(&settings.path.join("db"), reading).unwrap();
        assert_eq!(log.findings, Vec::<String>::new());
        let mut found = Digest::default();
        let mut keys = std::collections::BTreeMap::new();
        log.records(|key, framed| {
            assert!(crate::store::record::unframe(key, framed).is_ok());
            *keys.entry(key.to_vec()).or_insert(0) += 1;
            if digest::covers(key) {
                found.add(framed);
            }
            Ok::<(), ()>(())
        })
        .unwrap();
        let twice: Vec<_> = keys.iter().filter(|(_, n)| **n > 1).collect();
        assert_eq!(found, expected, "seed {seed}, {} twice", twice.len());
    }
}
