//! Where documents live: sled behind one door. Nothing outside this room names sled.
//!
//! * [`Store`] is what others use: one way in ([`Store::apply`]), local reads, registrations, exchange as JSON lines.
//! * A write goes `prepare` (validated by itself, in the caller's thread) → `committer` (one thread, group commit) → `apply`
//!   (documents, indexes and change log as one batch) → `disk` (sled, and a flush that reaches the disk).
//! * The wall around sled: `doubt` and `examine` look at what is there when a store is opened, `rebuild` builds a damaged one anew from what
//!   `salvage` finds and the newest of the `backup`s, `space` and `watch` keep a full disk from doing harm, `compact` makes it small again.
//! * A read goes `reads` or `lookups` → `cache` → `disk`.

mod apply;
mod attached;
mod backup;
mod cache;
mod change;
mod committer;
mod compact;
mod core;
mod counts;
mod digest;
mod disk;
mod doubt;
mod error;
mod examine;
mod export;
mod finding;
mod fresh;
mod handle;
mod handle_lists;
mod handle_wall;
mod health;
mod history;
mod identity;
mod import;
mod import_checks;
mod index_keys;
mod indexes;
mod keys;
mod lines;
mod listing;
mod lock;
mod log;
mod lookups;
mod manifest;
mod open;
mod prepare;
mod read_only;
mod reads;
mod rebuild;
mod record;
mod redact;
mod registration_documents;
mod registrations;
mod registrations_behind;
mod removal;
mod salvage;
mod settings;
mod sled_bytes;
mod sled_log;
mod sled_open;
mod space;
mod spool;
mod sums;
#[cfg(test)]
mod tests;
mod typed;
mod undo;
mod unique;
mod upgrade;
mod verify;
mod view;
mod watch;

pub use attached::{ATTACHMENT, FileName, folder_of_account};
pub use backup::{BackupFile, BroughtBack, Footer as BackupFooter, Header as BackupHeader};
pub use change::{
    Applied, Author, Change, Expect, HistoryEntry, ImportProblem, ImportReport, LoggedWrite,
    Revision, Rules, Stored, Tree, Via, Write,
};
pub use compact::Compacted;
pub use error::{Clash, StoreError};
pub use finding::ServerAt;
pub use handle::Store;
pub use handle_wall::Restored;
pub use health::{Health, Rebuilt};
pub use listing::Rows;
pub use redact::{FieldChange, field_changes, redacted};
pub use settings::StoreSettings;
pub use undo::DocumentChange;
