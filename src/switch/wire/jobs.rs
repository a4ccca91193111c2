//! Background jobs, known by the id that we gave them before they were sent.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Semaphore, oneshot};

use super::queue::{CommandFailure, CommandQueue};
use crate::esl::{Command, Event, Line};

/// Why a background job has no result.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JobFailure {
    #[error(transparent)]
    Command(#[from] CommandFailure),
    #[error("FreeSWITCH refused the job: {0}")]
    Refused(String),
    /// FreeSWITCH started it and the connection was lost before its result came.
    #[error("the job was started and its result lost: {0}")]
    ResultLost(Arc<str>),
    #[error("the job had no result within {} ms", .after.as_millis())]
    Expired { after: Duration },
}

type Waiting = HashMap<Box<str>, oneshot::Sender<Result<String, Arc<str>>>>;

/// The jobs of one connection.
pub(crate) struct Jobs {
    waiting: Mutex<Waiting>,
    /// FreeSWITCH starts a thread for each job and has no limit of its own (esl spec 2.7).
    room: Semaphore,
}

impl Jobs {
    pub(crate) fn new(at_once: usize) -> Jobs {
        Jobs {
            waiting: Mutex::new(HashMap::new()),
            room: Semaphore::new(at_once),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs a job and waits for its output, at most `limit`.
    pub(crate) async fn run(
        &self,
        queue: &CommandQueue,
        command: Line,
        argument: Option<Line>,
        limit: Duration,
    ) -> Result<String, JobFailure> {
        let expired = JobFailure::Expired { after: limit };
        tokio::time::timeout(limit, self.run_unbounded(queue, command, argument))
            .await
            .unwrap_or(Err(expired))
    }

    async fn run_unbounded(
        &self,
        queue: &CommandQueue,
        command: Line,
        argument: Option<Line>,
    ) -> Result<String, JobFailure> {
        let _permit = self.room.acquire().await;
        let id = uuid::Uuid::new_v4().to_string();
        let job = Line::new("Job-UUID", id.clone()).map_err(CommandFailure::from)?;
        // The waiter stands before the command leaves: on another connection's thread the
        // result may come before the reply.
        let (sender, result) = oneshot::channel();
        self.lock().insert(id.clone().into_boxed_str(), sender);
        let _forget = Forget {
            jobs: self,
            id: &id,
        };
        let answer = queue
            .ask(&Command::BgApi {
                command,
                argument,
                job,
            })
            .await?;
        let text = answer.text();
        if !text.starts_with("+OK") {
            return Err(JobFailure::Refused(text));
        }
        match result.await {
            Ok(Ok(output)) => Ok(output),
            Ok(Err(why)) => Err(JobFailure::ResultLost(why)),
            Err(_) => Err(JobFailure::ResultLost(Arc::from(
                "the connection has ended",
            ))),
        }
    }

    /// A BACKGROUND_JOB event.
    pub(crate) fn finished(&self, event: &Event) {
        let Some(id) = event.header("Job-UUID") else {
            return;
        };
        let waiting = self.lock().remove(id.as_ref());
        match waiting {
            Some(sender) => {
                let output = event.body().unwrap_or_default();
                let text = String::from_utf8_lossy(output).trim_end().to_owned();
                let _ = sender.send(Ok(text));
            }
            None => tracing::debug!(job = %id, "a background job that nobody waits for"),
        }
    }

    /// The connection is gone, and with it every result.
    pub(crate) fn lost(&self, why: &str) {
        let why: Arc<str> = Arc::from(why);
        let waiting = std::mem::take(&mut *self.lock());
        for sender in waiting.into_values() {
            let _ = sender.send(Err(Arc::clone(&why)));
        }
    }
}

/// Takes an expired or abandoned job out of the table.
struct Forget<'a> {
    jobs: &'a Jobs,
    id: &'a str,
}

impl Drop for Forget<'_> {
    fn drop(&mut self) {
        self.jobs.lock().remove(self.id);
    }
}
