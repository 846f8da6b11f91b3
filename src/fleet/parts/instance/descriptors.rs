//! The kernel's limit on the descriptors of an instance, near what it has open.
//!
//! The limit (`RLIMIT_NOFILE`) is one on their numbers, and a new one gets the lowest that
//! is free; so it is put where as many numbers below it are free as are to be had. Only
//! the soft limit is lowered, so that the process may raise it again by itself.
//!
//! The control listener is not of what is modelled: gauges must be readable, and the mend
//! must arrive. So its connections are let in beside the limit, which is raised for as
//! long as one is open.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::Shared;
use crate::error::{Error, Result};
use crate::fleet::lock;
use crate::model::fault::{DescriptorsLimited, FaultSet};
use crate::process::proc;

/// What a control connection takes: itself, and a copy by which it can be closed.
const CONTROL: u64 = 2;
/// What the control listener of a new process has already: the kernel puts a descriptor
/// aside for the connection that it waits for, and does not list it. In one that has been
/// steered before, its number is above those that have come free since.
const PUT_ASIDE: u64 = 1;
/// How long after the fault was put the limit is: the connection that brought it is closed
/// by then, and what it had is not free to others.
const SETTLED: Duration = Duration::from_millis(50);

/// The limit of this process.
#[derive(Debug)]
pub(super) struct Descriptors {
    usual: Rlimit,
    /// The limit that a fault has put.
    acting: Mutex<Option<u64>>,
}

impl Descriptors {
    pub(super) fn new() -> Self {
        Self {
            usual: getrlimit(Resource::Nofile),
            acting: Mutex::default(),
        }
    }

    /// From now on this acts, or nothing; so many numbers that are free are not to be had.
    fn put(&self, fault: Option<&DescriptorsLimited>, aside: u64) {
        let mut acting = lock(&self.acting);
        // What is open cannot be read without a descriptor.
        self.set(None);
        *acting = fault.map(|fault| {
            let spare = fault.spare.saturating_add(aside);
            above(&proc::descriptors(std::process::id()), spare)
        });
        self.set(*acting);
    }

    /// Room for a control connection more, or for one less; false where nothing is
    /// limited.
    pub(super) fn room(&self, more: bool) -> bool {
        let mut acting = lock(&self.acting);
        let Some(limit) = acting.as_mut() else {
            return false;
        };
        *limit = if more {
            limit.saturating_add(CONTROL)
        } else {
            limit.saturating_sub(CONTROL)
        };
        self.set(Some(*limit));
        true
    }

    fn set(&self, limit: Option<u64>) {
        let current = match (limit, self.usual.current) {
            (Some(limit), Some(usual)) => Some(limit.min(usual)),
            (limit, usual) => limit.or(usual),
        };
        // A limit below the hard one is never refused.
        let _ = setrlimit(
            Resource::Nofile,
            Rlimit {
                current,
                maximum: self.usual.maximum,
            },
        );
    }
}

/// Limits the descriptors now, where a fault says so, and whenever one does.
pub(super) fn follow(shared: &Arc<Shared>) -> Result<()> {
    let mut known = shared.faults.now().descriptors_limited.clone();
    shared.descriptors.put(known.as_ref(), PUT_ASIDE);
    let shared = Arc::clone(shared);
    let run = move || {
        loop {
            let same = |set: &FaultSet| set.descriptors_limited == known;
            shared.faults.wait(None, same);
            known.clone_from(&shared.faults.now().descriptors_limited);
            if known.is_some() {
                thread::sleep(SETTLED);
            }
            shared.descriptors.put(known.as_ref(), 0);
        }
    };
    thread::Builder::new()
        .name("descriptors".into())
        .spawn(run)
        .map(drop)
        .map_err(|cause| Error::unfit(format!("failed to start a thread: {cause}")))
}

/// The limit below which so many numbers are free.
fn above(open: &BTreeSet<u64>, spare: u64) -> u64 {
    let after = open.last().map_or(0, |last| last + 1);
    let free = after - open.len() as u64;
    if spare >= free {
        return after + (spare - free);
    }
    let place = usize::try_from(spare).unwrap_or(usize::MAX);
    let mut numbers = (0..after).filter(|number| !open.contains(number));
    numbers.nth(place).unwrap_or(after)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_numbers_are_free_below_the_limit_as_are_to_be_had() {
        for (open, spare, limit) in [
            (&[0, 1, 2][..], 0, 3),
            (&[0, 1, 2], 2, 5),
            (&[0, 2, 5], 0, 1),
            (&[0, 2, 5], 1, 3),
            (&[0, 2, 5], 2, 4),
            (&[0, 2, 5], 3, 6),
            (&[0, 2, 5], 4, 7),
            (&[], 1, 1),
        ] {
            let open: BTreeSet<u64> = open.iter().copied().collect();
            let found = above(&open, spare);
            assert_eq!(found, limit, "{open:?} {spare}");
            let free = (0..found).filter(|number| !open.contains(number)).count();
            assert_eq!(free as u64, spare, "{open:?} {spare}");
        }
    }
}
