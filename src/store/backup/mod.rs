//! Backups: the documents as JSON lines between a header and a footer with a SHA-256. They are also read by `linefinder import`.
//!
//! ```text
//! {"type":"backup","format":1,"version":..,"store_id":..,"sequence":..,"time":..}
//! {"type":"device","account_id":..,"id":..,"_revision":[sequence,count],...}      a document; a later line of the same one counts
//! {"type":"device","account_id":..,"id":..,"_revision":[..],"_deleted":true}      deleted while the backup was made
//! {"type":"backup_record","key":base64,"payload":base64}                          a record of another kind (history)
//! {"type":"backup_end","sequence":..,"documents":..,"sha256":..}                  over every byte before this line
//! ```
//! Files that documents name are copied beside, see [`attached`]. Writes go on meanwhile. What changed during the scan follows it, so that a backup is the store exactly as it was at the footer's sequence.

mod attached;
mod files;
mod line;
mod read;
mod schedule;
mod write;

pub use attached::BroughtBack;
pub(super) use attached::{bring_back, copies_of, secret_of};
pub use files::BackupFile;
pub(super) use files::{folder_of, list, newest_sequence, of_store};
pub(super) use line::Line;
pub use line::{Footer, Header};
pub(super) use read::{read, verify, verify_all};
pub(super) use schedule::Schedule;
pub(super) use write::create;

/// Lines that begin so are a backup's own: header, footer, records of other kinds.
pub(super) const FRAME: &str = "{\"type\":\"backup";
