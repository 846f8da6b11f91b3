//! Pauses: instances' processes are stopped where they are, and go on later.
//!
//! A stopped process keeps its sockets and answers nothing; what arrives waits
//! in the kernel, and what its workers sleep on goes on in real time. Whoever
//! ends or restarts a paused instance lets it go on first.

use std::num::NonZeroU32;

use rustix::process::Signal;

use super::fleet::{Fleet, Slot};
use crate::fleet::lock;
use crate::model::{FleetAction, first};
use crate::record::Outcome;

impl Fleet {
    /// Stops the processes of so many instances, from the first on; none: all.
    pub fn pause(&self, instances: Option<NonZeroU32>) -> Outcome {
        let done = FleetAction::Pause { instances };
        self.each(instances, &done, |slot| {
            let mut state = lock(&slot.state);
            let state = &mut *state;
            let part = state.part.as_mut().ok_or(NOT_RUNNING)?;
            part.signal(Signal::STOP)?;
            state.paused = true;
            Ok(())
        })
    }

    /// Lets the processes of so many instances go on, from the first on; none:
    /// all. What was released meanwhile is put to them.
    pub fn go_on(&self, instances: Option<NonZeroU32>) -> Outcome {
        let done = FleetAction::Continue { instances };
        // Held throughout, so that no release comes between.
        let in_force = lock(&self.in_force);
        let mut index = 0;
        self.each(instances, &done, |slot| {
            let message = self.next_put(&in_force, index);
            index += 1;
            let behind = {
                let mut state = lock(&slot.state);
                let state = &mut *state;
                let part = state.part.as_mut().ok_or(NOT_RUNNING)?;
                part.signal(Signal::CONT)?;
                state.paused = false;
                std::mem::take(&mut state.behind)
            };
            if behind {
                self.catch_up(slot, message)?;
            }
            Ok(())
        })
    }

    /// Does something to so many instances; it is done where it could be done to one.
    fn each(
        &self,
        instances: Option<NonZeroU32>,
        action: &FleetAction,
        mut act: impl FnMut(&Slot) -> Result<(), String>,
    ) -> Outcome {
        let all = self.instances.len();
        let meant = &self.instances[..first(instances, all)];
        let missed: Vec<String> = meant
            .iter()
            .filter_map(|slot| Some(format!("{}: {}", slot.name, act(slot).err()?)))
            .collect();
        if missed.len() == meant.len() {
            return Outcome::Failed {
                reason: missed.join("; "),
            };
        }
        let mut detail = action.done(all);
        if !missed.is_empty() {
            detail.push_str("; but not ");
            detail.push_str(&missed.join("; "));
        }
        Outcome::Applied { detail }
    }
}

const NOT_RUNNING: &str = "it is not running";
