//! The kernel's limit on the descriptors of an instance, near what it has open.
//!
//! The limit (`RLIMIT_NOFILE`) is one on their numbers, and a new one gets the lowest that
//! is free; so it is put where as many numbers below it are free as are to be had. Only
//! the soft limit is lowered, so that the process may raise it again by itself.
//!
//! Control connections are not of what is modelled: gauges must be readable, and the mend
//! must arrive. So they come and go beside the limit, which is reckoned anew with each,
//! while nobody accepts another connection.

use std::collections::BTreeSet;
use std::net::TcpStream;
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::Shared;
use crate::error::{Error, Result};
use crate::fleet::lock;
use crate::fleet::open::Limit;
use crate::model::fault::{DescriptorsLimited, FaultSet};
use crate::process::proc;

/// What a control connection takes, and what is needed to read what is open.
const CONNECTION_AND_READER: u64 = 2;

/// The limit of this process.
#[derive(Debug)]
pub(super) struct Descriptors {
    usual: Rlimit,
    open: Mutex<Open>,
}

/// What may be open.
#[derive(Debug, Default)]
struct Open {
    /// Control connections that are.
    control: u64,
    /// How many others may be, where a fault limits them.
    most: Option<u64>,
}

impl Descriptors {
    pub(super) fn new() -> Self {
        Self {
            usual: getrlimit(Resource::Nofile),
            open: Mutex::default(),
        }
    }

    /// No control connection comes or goes while this is held.
    pub(super) fn alone(&self) -> MutexGuard<'_, impl Sized + use<>> {
        lock(&self.open)
    }

    /// From now on this acts, or nothing.
    fn put(&self, fault: Option<&DescriptorsLimited>) {
        let mut open = lock(&self.open);
        open.most = fault.map(|fault| {
            let others = self.numbers().len() as u64 - open.control;
            others.saturating_add(fault.spare)
        });
        self.reckon(&open);
    }

    /// Puts the limit where as many can be opened as are left.
    fn reckon(&self, open: &Open) {
        let limit = open.most.map(|most| {
            let now = self.numbers();
            let others = now.len() as u64 - open.control;
            above(&now, most.saturating_sub(others))
        });
        self.set(limit);
    }

    /// The numbers of what is open, which cannot be read without a descriptor.
    fn numbers(&self) -> BTreeSet<u64> {
        let own = std::process::id();
        let numbers = proc::descriptors(own);
        if !numbers.is_empty() {
            return numbers;
        }
        self.set(None);
        proc::descriptors(own)
    }

    /// Lets a control connection come or go, and what is open be read.
    fn lift(&self, open: &Open) {
        if open.most.is_some() {
            let limit = getrlimit(Resource::Nofile).current;
            self.set(limit.map(|limit| limit.saturating_add(CONNECTION_AND_READER)));
        }
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

impl Limit for Descriptors {
    fn accept(&self, accept: &dyn Fn() -> Option<TcpStream>) -> Option<TcpStream> {
        let mut open = lock(&self.open);
        self.lift(&open);
        let accepted = accept();
        open.control += u64::from(accepted.is_some());
        self.reckon(&open);
        accepted
    }

    fn close(&self, close: &mut dyn FnMut()) {
        let mut open = lock(&self.open);
        self.lift(&open);
        close();
        open.control -= 1;
        self.reckon(&open);
    }
}

/// Limits the descriptors now, where a fault says so, and whenever one does.
pub(super) fn follow(shared: &Arc<Shared>) -> Result<()> {
    let mut known = shared.faults.now().descriptors_limited.clone();
    shared.descriptors.put(known.as_ref());
    let shared = Arc::clone(shared);
    let run = move || {
        loop {
            let same = |set: &FaultSet| set.descriptors_limited == known;
            shared.faults.wait(None, same);
            known.clone_from(&shared.faults.now().descriptors_limited);
            shared.descriptors.put(known.as_ref());
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
