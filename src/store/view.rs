//! The store as it will be when a change is through: what is on disk under what the change writes.

use std::ops::Bound;

use super::disk::{Batch, Disk};
use super::error::StoreError;

pub(super) struct View<'a> {
    disk: &'a Disk,
    pending: Batch,
}

impl<'a> View<'a> {
    pub(super) fn new(disk: &'a Disk) -> Self {
        Self {
            disk,
            pending: Batch::new(),
        }
    }

    pub(super) fn disk(&self) -> &'a Disk {
        self.disk
    }

    pub(super) fn into_batch(self) -> Batch {
        self.pending
    }

    pub(super) fn put(&mut self, key: Vec<u8>, payload: Vec<u8>) {
        self.pending.insert(key, Some(payload));
    }

    pub(super) fn remove(&mut self, key: Vec<u8>) {
        self.pending.insert(key, None);
    }

    pub(super) fn holds(&self, key: &[u8]) -> Result<bool, StoreError> {
        match self.pending.get(key) {
            Some(payload) => Ok(payload.is_some()),
            None => self.disk.holds(key),
        }
    }

    pub(super) fn payload(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        if let Some(payload) = self.pending.get(key) {
            return Ok(payload.clone());
        }
        let value = self.disk.read(key)?;
        Ok(value.map(|v| v.payload().to_vec()))
    }

    /// The keys under `prefix`, those that the change writes first.
    pub(super) fn keys(
        &self,
        prefix: &[u8],
    ) -> impl Iterator<Item = Result<Vec<u8>, StoreError>> + use<'_, 'a> {
        let wanted = prefix.to_vec();
        let from = (Bound::Included(prefix.to_vec()), Bound::Unbounded);
        let written = self
            .pending
            .range::<Vec<u8>, _>(from)
            .take_while(move |(key, _)| key.starts_with(&wanted))
            .filter(|(_, payload)| payload.is_some())
            .map(|(key, _)| Ok(key.clone()));
        let kept = self.disk.prefix(prefix).filter_map(|item| match item {
            Ok((key, _)) if self.pending.contains_key(key.as_ref()) => None,
            Ok((key, _)) => Some(Ok(key.to_vec())),
            Err(error) => Some(Err(error)),
        });
        written.chain(kept)
    }
}
