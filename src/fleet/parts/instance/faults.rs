//! The faults that act in an instance, as its threads meet them.

use std::io;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;

use super::Shared;
use crate::error::{Error, Result};
use crate::fleet::lock;
use crate::model::DatabaseFate;
use crate::model::fault::FaultSet;
use crate::rng::StdRng;
use crate::units::Nanos;

/// The faults that act now, and a way to wait for others.
#[derive(Debug, Default)]
pub(super) struct Faults {
    set: Mutex<Arc<FaultSet>>,
    changed: Condvar,
}

impl Faults {
    pub(super) fn new(set: FaultSet) -> Self {
        Self {
            set: Mutex::new(Arc::new(set)),
            changed: Condvar::new(),
        }
    }

    /// Those that act now.
    pub(super) fn now(&self) -> Arc<FaultSet> {
        Arc::clone(&lock(&self.set))
    }

    /// From now on these act.
    pub(super) fn put(&self, set: FaultSet) {
        *lock(&self.set) = Arc::new(set);
        self.changed.notify_all();
    }

    /// Blocks while `waits`, or for so long; whether it waits no more.
    pub(super) fn wait(&self, patience: Option<Nanos>, waits: impl Fn(&FaultSet) -> bool) -> bool {
        let set = lock(&self.set);
        let Some(patience) = patience else {
            let set = self.changed.wait_while(set, |set| waits(set));
            drop(set.unwrap_or_else(PoisonError::into_inner));
            return true;
        };
        let waited = self
            .changed
            .wait_timeout_while(set, patience.to_duration(), |set| waits(set));
        let (set, _) = waited.unwrap_or_else(PoisonError::into_inner);
        !waits(&set)
    }

    /// A statement of the database: blocks for somebody's lock, and says whether it is
    /// carried out.
    pub(super) fn statement(&self, writes: bool) -> bool {
        match self.now().statement(writes) {
            DatabaseFate::Works => true,
            DatabaseFate::Fails => false,
            DatabaseFate::Waits(waits) => self.wait(Some(waits), |set| {
                set.statement(writes) != DatabaseFate::Works
            }),
        }
    }

    /// A call to the identity service that blocks until its time is over, or the fault
    /// is where it lets it go; none where it does not block.
    pub(super) fn blocked(&self, timeout: Option<Nanos>) -> Option<io::Error> {
        let stays = self.now().identity_blocks.as_ref()?.stay;
        let left = self.wait(timeout, |set| stays || set.identity_blocks.is_some());
        Some(io::Error::other(if left {
            "the call was interrupted"
        } else {
            "the call did not return in time"
        }))
    }
}

/// Lets the world of the instance stand still, again and again, while a fault says so.
pub(super) fn stop_the_world(shared: Arc<Shared>, mut rng: StdRng) -> Result<()> {
    let run = move || {
        loop {
            let faults = &shared.faults;
            faults.wait(None, |set| set.stop_the_world.is_none());
            let now = faults.now();
            let Some(stops) = &now.stop_the_world else {
                continue;
            };
            let every = stops.every.sample(&mut rng);
            let same = |set: &FaultSet| set.stop_the_world.as_ref() == Some(stops);
            if faults.wait(Some(every), same) {
                continue;
            }
            let lasts = stops.lasts.sample(&mut rng);
            shared.world.set(true);
            thread::sleep(lasts.to_duration());
            shared.world.set(false);
        }
    };
    thread::Builder::new()
        .name("world".into())
        .spawn(run)
        .map(drop)
        .map_err(|cause| Error::unfit(format!("failed to start a thread: {cause}")))
}
