//! Pauses: instances' processes are stopped where they are, and go on later.
//!
//! A stopped process keeps its sockets and answers nothing; what arrives waits
//! in the kernel, and what its workers sleep on goes on in real time. Whoever
//! ends or restarts a paused instance lets it go on first.

use rustix::process::Signal;

use super::fleet::Fleet;
use crate::fleet::lock;
use crate::model::{NOT_RUNNING, Responder, each};
use crate::record::Outcome;

impl Fleet {
    /// Stops the processes of so many instances, from the first on.
    pub(super) fn pause_first(&self, instances: usize, done: String) -> Outcome {
        each(instances, done, |index| {
            let mut state = lock(&self.instances[index].state);
            let state = &mut *state;
            let part = state.part.as_mut().ok_or(NOT_RUNNING)?;
            part.signal(Signal::STOP)?;
            state.paused = true;
            Ok(())
        })
    }

    /// Lets the processes of so many instances go on, from the first on. What was
    /// released meanwhile is put to them; the caller holds what is in force, so
    /// that no release comes between.
    pub(super) fn continue_first(
        &self,
        instances: usize,
        done: String,
        in_force: &Responder,
    ) -> Outcome {
        each(instances, done, |index| {
            let slot = &self.instances[index];
            let message = self.next_put(in_force, index);
            let behind = {
                let mut state = lock(&slot.state);
                let state = &mut *state;
                let part = state.part.as_mut().ok_or(NOT_RUNNING)?;
                part.signal(Signal::CONT)?;
                state.paused = false;
                std::mem::take(&mut state.behind)
            };
            if behind {
                self.catch_up(slot, &message)?;
            }
            Ok(())
        })
    }
}
