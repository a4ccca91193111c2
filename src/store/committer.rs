//! Group commit: one thread writes all changes that wait, flushes once, and only then tells those who wait.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;

use super::apply::{self, Checks};
use super::change::Applied;
use super::core::Core;
use super::error::StoreError;
use super::prepare::Prepared;

/// Changes that share a flush at most: bounds how long the first one waits for the others.
const GROUP: usize = 512;

pub(super) type Reply = Box<dyn FnOnce(Result<Applied, StoreError>) + Send>;

struct Job {
    change: Prepared,
    reply: Reply,
}

/// The way to the thread. The thread ends, its work done, when this is dropped.
pub(super) struct Committer {
    jobs: Option<Sender<Job>>,
    thread: Option<JoinHandle<()>>,
}

impl Committer {
    pub(super) fn start(core: Arc<Core>) -> Result<Self, StoreError> {
        let (jobs, waiting) = channel();
        let thread = std::thread::Builder::new()
            .name("store-commit".to_owned())
            .spawn(move || run(&core, &waiting))?;
        Ok(Self {
            jobs: Some(jobs),
            thread: Some(thread),
        })
    }

    pub(super) fn submit(&self, change: Prepared, reply: Reply) {
        let job = Job { change, reply };
        let refused = match &self.jobs {
            Some(jobs) => jobs.send(job).err().map(|e| e.0),
            None => Some(job),
        };
        if let Some(job) = refused {
            (job.reply)(Err(stopped()));
        }
    }
}

/// The commit thread is gone.
pub(super) fn stopped() -> StoreError {
    StoreError::Disk("the store has stopped writing".to_owned())
}

impl Drop for Committer {
    fn drop(&mut self) {
        self.jobs = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn run(core: &Core, jobs: &Receiver<Job>) {
    while let Ok(first) = jobs.recv() {
        let mut group = vec![first];
        while group.len() < GROUP
            && let Ok(job) = jobs.try_recv()
        {
            group.push(job);
        }
        commit(core, group);
    }
}

fn commit(core: &Core, group: Vec<Job>) {
    let mut waiting: Vec<(Reply, Applied)> = Vec::with_capacity(group.len());
    let mut door = core.door();
    for job in group {
        match apply::apply(core, &mut door, &job.change, Checks::Here) {
            Ok(applied) => {
                for registration in job.change.registrations {
                    core.registrations.register(registration);
                }
                waiting.push((job.reply, applied));
            }
            Err(error) => (job.reply)(Err(error)),
        }
    }
    drop(door);
    if waiting.is_empty() {
        return;
    }
    match core.disk.flush() {
        Ok(()) => {
            core.announce();
            for (reply, applied) in waiting {
                reply(Ok(applied));
            }
        }
        Err(error) => {
            let why = match error {
                StoreError::Disk(why) => why,
                other => other.to_string(),
            };
            for (reply, _) in waiting {
                reply(Err(StoreError::Disk(why.clone())));
            }
        }
    }
}
