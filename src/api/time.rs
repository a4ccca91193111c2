//! The clock of the wall, read here and nowhere else in this room.

use jiff::Timestamp;

/// Seconds from the year 0 to Unix's beginning: documents count from there (API specification 1.8).
pub const GREGORIAN: i64 = 62_167_219_200;

/// Unix seconds.
#[must_use]
pub fn unix() -> i64 {
    Timestamp::now().as_second()
}

/// Seconds as documents count them.
#[must_use]
pub fn gregorian() -> i64 {
    unix().saturating_add(GREGORIAN)
}

/// The same of Unix seconds.
#[must_use]
pub fn gregorian_of(unix: i64) -> i64 {
    unix.saturating_add(GREGORIAN)
}

/// UTC, as `2026-01-31T23:59:59Z`.
#[must_use]
pub fn iso() -> String {
    Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}
