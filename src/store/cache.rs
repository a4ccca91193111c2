//! Decoded documents and look-ups, bounded, and never older than an acknowledged write.
//!
//! Between a reader's look at the disk and its insertion into the cache a writer may come by. So each entry carries the generation
//! that its key had *before* the reader looked; a writer raises the generation after the disk changed and before it acknowledges. An entry of an
//! older generation is as good as absent, whenever it was inserted. Keys share generations by hash: a clash costs one re-read.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use quick_cache::sync::{Cache as QuickCache, DefaultLifecycle};
use quick_cache::{DefaultHashBuilder, OptionsBuilder, Weighter};

use super::error::StoreError;

const GENERATIONS: usize = 8192;

/// Shared by all caches of a store.
pub(super) struct Generations(Vec<AtomicU64>);

impl Generations {
    pub(super) fn new() -> Self {
        Self((0..GENERATIONS).map(|_| AtomicU64::new(0)).collect())
    }

    fn of(&self, key: &[u8]) -> Option<&AtomicU64> {
        self.0.get(crc32fast::hash(key) as usize % GENERATIONS)
    }

    fn current(&self, key: &[u8]) -> u64 {
        self.of(key).map_or(0, |g| g.load(Ordering::Acquire))
    }

    /// What was cached about `key` is void. Call it after the disk changed and before anybody is told.
    pub(super) fn raise(&self, key: &[u8]) {
        if let Some(generation) = self.of(key) {
            generation.fetch_add(1, Ordering::AcqRel);
        }
    }

    pub(super) fn raise_all(&self) {
        for generation in &self.0 {
            generation.fetch_add(1, Ordering::AcqRel);
        }
    }
}

#[derive(Clone)]
struct Entry<V> {
    generation: u64,
    weight: u32,
    value: V,
}

#[derive(Clone)]
struct ByEntry;

impl<V> Weighter<Box<[u8]>, Entry<V>> for ByEntry {
    fn weight(&self, _key: &Box<[u8]>, entry: &Entry<V>) -> u64 {
        u64::from(entry.weight)
    }
}

type Key = Box<[u8]>;

type Entries<V> =
    QuickCache<Key, Entry<V>, ByEntry, DefaultHashBuilder, DefaultLifecycle<Key, Entry<V>>>;

pub(super) struct Cache<V> {
    entries: Entries<V>,
    generations: Arc<Generations>,
}

impl<V: Clone> Cache<V> {
    pub(super) fn new(capacity: usize, generations: Arc<Generations>) -> Self {
        let capacity = capacity.max(64);
        // The estimate only sizes shards and the list of recently evicted keys; memory is taken as entries come.
        let options = OptionsBuilder::new()
            .estimated_items_capacity(capacity)
            .weight_capacity(capacity as u64)
            .build();
        let entries = match options {
            Ok(options) => QuickCache::with_options(
                options,
                ByEntry,
                DefaultHashBuilder::default(),
                DefaultLifecycle::default(),
            ),
            Err(_) => QuickCache::with(
                capacity,
                capacity as u64,
                ByEntry,
                DefaultHashBuilder::default(),
                DefaultLifecycle::default(),
            ),
        };
        Self {
            entries,
            generations,
        }
    }

    /// The cached value, else what `load` finds; `load` also says how many ordinary entries the value outweighs.
    pub(super) fn or_load(
        &self,
        key: &[u8],
        load: impl FnOnce() -> Result<(V, u32), StoreError>,
    ) -> Result<V, StoreError> {
        let generation = self.generations.current(key);
        if let Some(entry) = self.entries.get(key)
            && entry.generation == generation
        {
            return Ok(entry.value);
        }
        let (value, weight) = load()?;
        let entry = Entry {
            generation,
            weight: weight.max(1),
            value: value.clone(),
        };
        self.entries.insert(Box::from(key), entry);
        Ok(value)
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cache(capacity: usize) -> (Cache<u32>, Arc<Generations>) {
        let generations = Arc::new(Generations::new());
        (Cache::new(capacity, Arc::clone(&generations)), generations)
    }

    #[test]
    fn a_value_is_loaded_once() {
        let (cache, _) = cache(100);
        assert_eq!(cache.or_load(b"k", || Ok((1, 1))).unwrap(), 1);
        assert_eq!(cache.or_load(b"k", || panic!("loaded twice")).unwrap(), 1);
    }

    #[test]
    fn a_write_that_overtakes_a_load_voids_it() {
        let (cache, generations) = cache(100);
        let read = cache.or_load(b"k", || {
            // the writer comes between the look at the disk and the insertion
            generations.raise(b"k");
            Ok((1, 1))
        });
        assert_eq!(read.unwrap(), 1);
        assert_eq!(cache.or_load(b"k", || Ok((2, 1))).unwrap(), 2);
    }

    #[test]
    fn it_stays_within_its_bounds() {
        let (cache, _) = cache(1000);
        for number in 0_u32..50_000 {
            cache
                .or_load(&number.to_be_bytes(), || Ok((number, 1)))
                .unwrap();
        }
        assert!(cache.len() <= 1100, "{}", cache.len());
    }

    #[test]
    fn an_error_is_not_cached() {
        let (cache, _) = cache(100);
        let failed = cache.or_load(b"k", || Err(StoreError::damaged("k", "no")));
        assert!(failed.is_err());
        assert_eq!(cache.or_load(b"k", || Ok((3, 1))).unwrap(), 3);
    }
}
