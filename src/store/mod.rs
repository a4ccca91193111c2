//! Where documents live: sled behind one door. Nothing outside this room names sled.
//!
//! * [`Store`] is what others use: one way in ([`Store::apply`]), local reads, registrations, exchange as JSON lines.
//! * A write goes `prepare` (validated by itself, in the caller's thread) → `committer` (one thread, group commit) → `apply`
//!   (documents, indexes and change log as one batch) → `disk` (sled, and a flush that reaches the disk).
//! * A read goes `reads` or `lookups` → `cache` → `disk`.

mod apply;
mod cache;
mod change;
mod committer;
mod core;
mod disk;
mod error;
mod export;
mod finding;
mod handle;
mod handle_lists;
mod import;
mod import_checks;
mod indexes;
mod keys;
mod lines;
mod listing;
mod log;
mod lookups;
mod manifest;
mod open;
mod prepare;
mod reads;
mod record;
mod registration_documents;
mod registrations;
mod registrations_behind;
mod settings;
mod spool;
#[cfg(test)]
mod tests;
mod verify;
mod view;

pub use change::{
    Applied, Author, Change, Expect, HistoryEntry, ImportProblem, ImportReport, LoggedWrite,
    Revision, Rules, Stored, Tree, Via, Write,
};
pub use error::StoreError;
pub use handle::Store;
pub use listing::Rows;
pub use settings::StoreSettings;
