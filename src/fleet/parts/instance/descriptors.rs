//! The kernel's limit on the descriptors of an instance, near what it has open.
//!
//! The limit (`RLIMIT_NOFILE`) is one on their numbers, and a new one gets the lowest that
//! is free; so it is put where as many numbers below it are free as are to be had. Only
//! the soft limit is lowered, so that the process may raise it again by itself.
//!
//! Which are free changes with each that closes, so the limit is reckoned anew before a
//! connection is accepted.
//!
//! Control connections are not of what is modelled: gauges must be readable, and the mend
//! must arrive. So they come and go beside the limit, while nobody accepts another.

use std::collections::BTreeSet;
use std::fs::File;
use std::io;
use std::net::TcpStream;
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;

use rustix::fs::Dir;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::Shared;
use crate::error::{Error, Result};
use crate::fleet::lock;
use crate::fleet::open::Limit;
use crate::model::fault::{DescriptorsLimited, FaultSet};

/// The limit of this process.
#[derive(Debug)]
pub(super) struct Descriptors {
    usual: Rlimit,
    open: Mutex<Open>,
}

/// What is open, and may be.
#[derive(Debug)]
struct Open {
    /// Where the kernel lists it: held open, since under the limit it could not be opened.
    listed: Dir,
    /// Control connections that are.
    control: u64,
    /// How many others may be, where a fault limits them.
    most: Option<u64>,
}

impl Descriptors {
    pub(super) fn new() -> Result<Self> {
        let path = "/proc/self/fd";
        let listed = File::open(path)
            .and_then(|file| Dir::new(OwnedFd::from(file)).map_err(io::Error::from))
            .map_err(|cause| Error::unfit(format!("failed to read {path}: {cause}")))?;
        Ok(Self {
            usual: getrlimit(Resource::Nofile),
            open: Mutex::new(Open {
                listed,
                control: 0,
                most: None,
            }),
        })
    }

    /// Nobody lets a control connection in or out while this is held.
    pub(super) fn alone(&self) -> MutexGuard<'_, impl Sized + use<>> {
        let mut open = lock(&self.open);
        if open.most.is_some() {
            self.set(open.limit());
        }
        open
    }

    /// From now on this acts, or nothing.
    fn put(&self, fault: Option<&DescriptorsLimited>) {
        let mut open = lock(&self.open);
        let numbers = open.numbers();
        let others = open.others(&numbers);
        open.most = fault.map(|fault| others.saturating_add(fault.spare));
        self.set(open.limit());
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

impl Open {
    /// The numbers of what is open.
    fn numbers(&mut self) -> BTreeSet<u64> {
        self.listed.rewind();
        let entries = self.listed.by_ref().flatten();
        entries
            .filter_map(|entry| entry.file_name().to_str().ok()?.parse().ok())
            .collect()
    }

    /// How many of these are no control connections.
    fn others(&self, numbers: &BTreeSet<u64>) -> u64 {
        (numbers.len() as u64).saturating_sub(self.control)
    }

    /// The limit under which as many can be opened as are left.
    fn limit(&mut self) -> Option<u64> {
        let most = self.most?;
        let numbers = self.numbers();
        Some(above(&numbers, most.saturating_sub(self.others(&numbers))))
    }
}

impl Limit for Descriptors {
    fn accept(&self, accept: &dyn Fn() -> Option<TcpStream>) -> Option<TcpStream> {
        let mut open = lock(&self.open);
        // The number at the limit is free, and it is for this one.
        self.set(open.limit().map(|limit| limit.saturating_add(1)));
        let accepted = accept();
        open.control += u64::from(accepted.is_some());
        self.set(open.limit());
        accepted
    }

    fn close(&self, close: &mut dyn FnMut()) {
        let mut open = lock(&self.open);
        close();
        open.control -= 1;
        self.set(open.limit());
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
