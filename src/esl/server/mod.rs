//! The other end of the wire: what FreeSWITCH reads and how it writes. For the simulated node and the tests.
//!
//! ```text
//! bytes ── ServerDecoder ──► Request { line, headers, body }
//! ServerFrame ── encode ──► bytes as FreeSWITCH writes them
//! ```

mod decoder;
mod frame;

pub use decoder::{Request, RequestError, ServerDecoder};
pub use frame::{EventFormat, ServerFrame, write_json};
