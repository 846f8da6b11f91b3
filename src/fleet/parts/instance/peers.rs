//! The threads that an instance keeps for its peers, and its map of the cluster.
//!
//! Each is a thread of this process that waits for its end and does nothing else: what
//! matters is that it is there, and that it can be refused. The limit is the kernel's.
//! One on the number of threads (`RLIMIT_NPROC`) does not hold for root, and counts the
//! processes of everybody who has the same user; a control group (`pids.max`) needs a
//! file system that containers lack. So it is that on the address space of the process
//! (`RLIMIT_AS`): each of these threads reserves half a gigabyte of it for its stack, of
//! which it touches a page or two, and for one more than there may be the kernel has none
//! left. What is seen is what is seen of the others: the thread is refused (`EAGAIN`).
//! The rest of the process keeps a quarter of a gigabyte of addresses, far more than it
//! takes.

use std::io;
use std::sync::mpsc::{self, Sender};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::Shared;
use crate::error::{Error, Result};
use crate::fleet::lock;
use crate::model::{PeerThreads, PeersSpec};
use crate::process::proc;

/// Addresses that a thread for a peer reserves: many times what everything else of the
/// process takes, so that the limit is one on these threads.
const STACK: usize = 512 * 1024 * 1024;

/// What a worker sees of the map.
#[derive(Debug, Default)]
pub(super) struct Map {
    /// Why it is not whole, where it is not.
    broken: Mutex<Option<String>>,
}

impl Map {
    /// Why nothing can be routed; none where it can.
    pub(super) fn broken(&self) -> Option<String> {
        lock(&self.broken).clone()
    }

    fn set(&self, broken: Option<String>) {
        *lock(&self.broken) = broken;
    }
}

/// A thread that is there for a peer, until its end is dropped.
struct PeerThread {
    end: Sender<()>,
    thread: JoinHandle<()>,
}

/// What keeps the threads.
struct Keeper {
    spec: PeersSpec,
    shared: Arc<Shared>,
    threads: Vec<PeerThread>,
    addresses: AddressLimit,
}

/// Starts the threads, if there is a cluster, and keeps as many as there are peers.
pub(super) fn keep(shared: &Arc<Shared>) -> Result<()> {
    let Some(spec) = shared.spec.peers else {
        return Ok(());
    };
    let mut keeper = Keeper {
        spec,
        shared: Arc::clone(shared),
        threads: Vec::new(),
        addresses: AddressLimit {
            usual: getrlimit(Resource::As),
        },
    };
    let wanted = keeper.wanted();
    // The map is there before the instance serves.
    keeper.make(wanted);
    thread::Builder::new()
        .name("peers".into())
        .spawn(move || keeper.run(wanted))
        .map(drop)
        .map_err(|cause| Error::unfit(format!("failed to start a thread: {cause}")))
}

impl Keeper {
    fn wanted(&self) -> PeerThreads {
        self.spec.threads(&self.shared.faults.now())
    }

    /// Follows what comes and goes, until the process ends.
    fn run(&mut self, mut known: PeerThreads) {
        let shared = Arc::clone(&self.shared);
        loop {
            let broken = shared.map.broken().is_some();
            let again = self.spec.again.filter(|_| broken);
            let spec = self.spec;
            let changed = shared.faults.wait(again, |set| spec.threads(set) == known);
            let wanted = self.wanted();
            if wanted.limit != known.limit {
                self.limit(wanted);
            }
            let differs = !broken && wanted.wanted != self.threads.len() as u64;
            if differs || (broken && !changed) {
                self.make(wanted);
            }
            known = wanted;
        }
    }

    /// Makes the map: ends threads that are too many, and starts those that are missing.
    fn make(&mut self, threads: PeerThreads) {
        let wanted = usize::try_from(threads.wanted).unwrap_or(usize::MAX);
        while self.threads.len() > wanted {
            if let Some(PeerThread { end, thread }) = self.threads.pop() {
                drop(end);
                // It does nothing that could panic; then its stack is free.
                let _ = thread.join();
            }
        }
        while self.threads.len() < wanted {
            self.limit(threads);
            match start() {
                Ok(thread) => self.threads.push(thread),
                Err(cause) => {
                    let number = self.threads.len() + 1;
                    let sentence = format!("no thread for peer {number} of {wanted}: {cause}");
                    return self.shared.map.set(Some(sentence));
                }
            }
        }
        self.limit(threads);
        self.shared.map.set(None);
    }

    /// Puts the limit. It is reckoned from what the process reserves now, so it is put
    /// anew with each thread: the first memory that a thread takes reserves some too.
    fn limit(&self, threads: PeerThreads) {
        let left = threads.limit.map(|limit| {
            let limit = usize::try_from(limit).unwrap_or(usize::MAX);
            limit.saturating_sub(self.threads.len())
        });
        self.addresses.put(left);
    }
}

/// Starts a thread for a peer, and returns when it is there.
fn start() -> io::Result<PeerThread> {
    let (end, over) = mpsc::channel::<()>();
    let (here, started) = mpsc::channel();
    let thread = thread::Builder::new()
        .name("peer".into())
        .stack_size(STACK)
        .spawn(move || {
            let _ = here.send(());
            let _ = over.recv();
        })?;
    let _ = started.recv();
    Ok(PeerThread { end, thread })
}

/// The kernel's limit on the addresses of this process.
struct AddressLimit {
    usual: Rlimit,
}

impl AddressLimit {
    /// So many more threads are granted; none: as many as would be without.
    fn put(&self, left: Option<usize>) {
        let current = left.and_then(|left| {
            let room = left.saturating_mul(STACK).saturating_add(STACK / 2);
            let used = proc::stat(std::process::id())?.addresses;
            Some(used.saturating_add(room as u64))
        });
        let current = match (current, self.usual.current) {
            (Some(own), Some(usual)) => Some(own.min(usual)),
            (own, usual) => own.or(usual),
        };
        // A limit below the hard one is never refused.
        let _ = setrlimit(
            Resource::As,
            Rlimit {
                current,
                maximum: self.usual.maximum,
            },
        );
    }
}
