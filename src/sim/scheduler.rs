//! Timed tasks: `sched_transfer` arms one, `sched_del` takes it away. Whoever removes a task owns
//! what it was for: that is what makes the claim of a handoff atomic.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::core::Core;
use super::leg::{Channel, Detour};
use super::lock::lock;

#[derive(Default)]
pub(super) struct Scheduler {
    last: AtomicU32,
    armed: Mutex<HashMap<u32, Arc<str>>>,
}

impl Scheduler {
    fn arm(&self, uuid: &Arc<str>) -> u32 {
        let id = self.last.fetch_add(1, Ordering::Relaxed) + 1;
        lock(&self.armed).insert(id, Arc::clone(uuid));
        id
    }

    /// Removes a task; true for exactly one caller.
    pub(super) fn take(&self, id: u32) -> bool {
        lock(&self.armed).remove(&id).is_some()
    }

    /// `sched_del`: by task id, or every task of a leg by its uuid. Gives how many were removed.
    pub(super) fn delete(&self, id_or_uuid: &str) -> usize {
        if let Ok(id) = id_or_uuid.parse() {
            return usize::from(self.take(id));
        }
        let mut armed = lock(&self.armed);
        let before = armed.len();
        armed.retain(|_, uuid| **uuid != *id_or_uuid);
        before - armed.len()
    }
}

impl Core {
    /// Arms a transfer of the leg; gives the task's id, which `last_sched_id` then holds.
    pub(super) fn schedule_transfer(
        self: &Arc<Core>,
        channel: &Arc<Channel>,
        after: Duration,
        detour: Detour,
    ) -> u32 {
        let id = self.scheduler.arm(&channel.uuid);
        channel.leg().tasks.push(id);
        channel.set("last_sched_id", &id.to_string());
        let (core, channel) = (Arc::clone(self), Arc::downgrade(channel));
        let dead = self.dead.clone();
        tokio::spawn(dead.run_until_cancelled_owned(async move {
            tokio::time::sleep(after).await;
            let Some(channel) = channel.upgrade() else {
                return;
            };
            if core.scheduler.take(id) && channel.is_up() {
                channel.leg().detour = Some(detour);
                channel.poke();
            }
        }));
        id
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_one_caller_gets_a_task() {
        let scheduler = Scheduler::default();
        let uuid: Arc<str> = Arc::from("u-1");
        let id = scheduler.arm(&uuid);
        assert_eq!(scheduler.delete(&id.to_string()), 1);
        assert_eq!(scheduler.delete(&id.to_string()), 0);
        scheduler.arm(&uuid);
        scheduler.arm(&uuid);
        assert_eq!(scheduler.delete("u-2"), 0);
        assert_eq!(scheduler.delete("u-1"), 2);
    }
}
