//! What a worker waits for inside its instance: a place in a line, or the end of a pause
//! in which nothing runs.

use std::collections::BTreeSet;
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

use crate::fleet::lock;
use crate::model::Line;

/// A line that threads wait in: the lock of an instance, or its pool of connections.
#[derive(Debug)]
pub(super) struct Gate {
    state: Mutex<GateState>,
    freed: Condvar,
}

#[derive(Debug)]
struct GateState {
    line: Line<u64>,
    /// The number of the next to come.
    next: u64,
    /// Those whose turn it is, until they see it.
    called: BTreeSet<u64>,
}

impl Gate {
    /// One with so many places.
    pub(super) fn new(places: u32) -> Self {
        Self {
            state: Mutex::new(GateState {
                line: Line::new(places),
                next: 0,
                called: BTreeSet::new(),
            }),
            freed: Condvar::new(),
        }
    }

    /// Blocks until there is a place, or the time is over; whether there is one.
    pub(super) fn enter(&self, patience: Option<Duration>) -> bool {
        let mut state = lock(&self.state);
        let own = state.next;
        state.next += 1;
        if state.line.enter(own) {
            return true;
        }
        let waits = |state: &mut GateState| !state.called.contains(&own);
        let mut state = match patience {
            None => self.freed.wait_while(state, waits),
            Some(patience) => self
                .freed
                .wait_timeout_while(state, patience, waits)
                .map(|(state, _)| state)
                .map_err(|poisoned| PoisonError::new(poisoned.into_inner().0)),
        }
        .unwrap_or_else(PoisonError::into_inner);
        if state.called.remove(&own) {
            return true;
        }
        state.line.give_up(own);
        false
    }

    /// A place comes free.
    pub(super) fn leave(&self) {
        let mut state = lock(&self.state);
        if let Some(next) = state.line.leave() {
            state.called.insert(next);
            drop(state);
            self.freed.notify_all();
        }
    }
}

/// Whether everything in the instance stands still.
#[derive(Debug, Default)]
pub(super) struct World {
    still: Mutex<bool>,
    goes_on: Condvar,
}

impl World {
    /// Blocks while everything stands still.
    pub(super) fn pass(&self) {
        let still = lock(&self.still);
        drop(self.goes_on.wait_while(still, |still| *still));
    }

    /// From now on everything stands still, or goes on.
    pub(super) fn set(&self, still: bool) {
        *lock(&self.still) = still;
        self.goes_on.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::thread;

    use super::*;

    #[test]
    fn whoever_waits_for_too_long_leaves_the_line() {
        let gate = Arc::new(Gate::new(1));
        assert!(gate.enter(None));
        assert!(!gate.enter(Some(Duration::from_millis(1))));
        let waits = {
            let gate = Arc::clone(&gate);
            thread::spawn(move || gate.enter(None))
        };
        gate.leave();
        assert!(waits.join().unwrap());
        // The place is that thread's, which has not given it back.
        assert!(!gate.enter(Some(Duration::from_millis(1))));
    }
}
