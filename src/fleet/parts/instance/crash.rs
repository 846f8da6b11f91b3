//! The process of an instance ends by itself, while a fault says so.
//!
//! It gives its last counters first, which no process that crashes does: what it had
//! counted since it was last read would be missing from the record, and the record would
//! not add up. Its callers get nothing from it; the kernel closes their connections.

use std::sync::Arc;
use std::thread;

use super::super::serve;
use super::Shared;
use crate::error::{Error, Result};
use crate::fleet::message::CRASHED;
use crate::model::fault::FaultSet;
use crate::rng::StdRng;

/// Waits for its time, again whenever the fault begins or changes.
pub(super) fn crash_some_day(shared: Arc<Shared>, mut rng: StdRng) -> Result<()> {
    let run = move || {
        loop {
            let faults = &shared.faults;
            faults.wait(None, |set| set.crash_loop.is_none());
            let now = faults.now();
            let Some(crashes) = &now.crash_loop else {
                continue;
            };
            let after = crashes.after.sample(&mut rng);
            let same = |set: &FaultSet| set.crash_loop.as_ref() == Some(crashes);
            if !faults.wait(Some(after), same) {
                // Where it cannot be said, the books of this process stay open, and the
                // run says so.
                let _ = serve::last_words(&shared.pool.freeze());
                std::process::exit(CRASHED);
            }
        }
    };
    thread::Builder::new()
        .name("crash".into())
        .spawn(run)
        .map(drop)
        .map_err(|cause| Error::unfit(format!("failed to start a thread: {cause}")))
}
