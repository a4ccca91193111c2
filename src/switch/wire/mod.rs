//! One connection to FreeSWITCH: the task that owns the socket and the queue that feeds it.

mod connection;
mod jobs;
mod queue;
mod tcp;

pub(crate) use connection::{Closed, FrameReader, FrameSink, Wire, drive};
pub use jobs::JobFailure;
pub(crate) use jobs::Jobs;
pub use queue::CommandFailure;
pub(crate) use queue::{Answer, CommandQueue, PendingAnswer};
pub(crate) use tcp::{connect, listen, tune};
