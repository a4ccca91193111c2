//! What was worked out from the store, good until the store changes.

use std::hash::Hash;

use quick_cache::sync::Cache;

/// Values that hold for one state of the store. Any write voids all of them: they are cheap to make, and asked for
/// thousands of times a second.
pub struct Memo<K, V> {
    cache: Cache<K, (u64, V)>,
}

impl<K: Hash + Eq + Clone, V: Clone> Memo<K, V> {
    #[must_use]
    pub fn new(entries: usize) -> Self {
        Self {
            cache: Cache::new(entries),
        }
    }

    /// The value at this state, made if it isn't known. `state` must have been read before what `make` reads.
    ///
    /// # Errors
    /// Those of `make`; they are not kept.
    pub fn or_make<E>(
        &self,
        key: &K,
        state: u64,
        make: impl FnOnce() -> Result<V, E>,
    ) -> Result<V, E> {
        if let Some((known, value)) = self.cache.get(key)
            && known == state
        {
            return Ok(value);
        }
        let value = make()?;
        self.cache.insert(key.clone(), (state, value.clone()));
        Ok(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_state_voids_what_was_known() {
        let memo: Memo<&str, u32> = Memo::new(8);
        let ask = |state, made| memo.or_make::<()>(&"a", state, || Ok(made)).unwrap();
        assert_eq!(
            (ask(1, 10), ask(1, 11), ask(2, 12), ask(2, 13)),
            (10, 10, 12, 12)
        );
        assert_eq!(memo.or_make(&"b", 1, || Err("no")), Err("no"));
        assert_eq!(memo.or_make::<()>(&"b", 1, || Ok(1)), Ok(1));
    }
}
