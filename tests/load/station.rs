//! A service of a few workers in front of whom requests wait: what queueing
//! theory speaks of, with every visit noted.

use std::sync::{Condvar, Mutex};
use std::thread;
use std::time::{Duration, Instant};

/// Workers with one queue; a request is served by the thread that brought it.
pub(crate) struct Station {
    workers: u32,
    free: Mutex<u32>,
    freed: Condvar,
    start: Instant,
    /// When each came and left, in nanoseconds since the start.
    visits: Mutex<Vec<(u64, u64)>>,
}

impl Station {
    pub(crate) fn new(workers: u32) -> Self {
        Self {
            workers,
            free: Mutex::new(workers),
            freed: Condvar::new(),
            start: Instant::now(),
            visits: Mutex::default(),
        }
    }

    /// Waits for a worker and holds it for so long. Services are drawn in the
    /// order in which they begin, so that the number of requests here does not
    /// depend on who of those who wait is the next.
    pub(crate) fn visit(&self, service: impl FnOnce() -> Duration) {
        let came = self.now();
        let free = self.free.lock().unwrap();
        let mut free = self.freed.wait_while(free, |free| *free == 0).unwrap();
        *free -= 1;
        let service = service();
        drop(free);
        thread::sleep(service);
        // Noted before the next one begins, so that no two hold one worker.
        let left = self.now();
        self.visits.lock().unwrap().push((came, left));
        *self.free.lock().unwrap() += 1;
        self.freed.notify_one();
    }

    fn now(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_nanos()).unwrap()
    }

    /// How many nanoseconds each visit lasted, sorted.
    pub(crate) fn stays(&self) -> Vec<u64> {
        let visits = self.visits.lock().unwrap();
        let mut stays: Vec<u64> = visits.iter().map(|(came, left)| left - came).collect();
        stays.sort_unstable();
        stays
    }

    /// Seconds that all visits lasted together, which is the integral of the
    /// number of requests here: Little's L, times the length of the run.
    pub(crate) fn occupancy(&self) -> f64 {
        self.stays().iter().map(|stay| *stay as f64 / 1e9).sum()
    }

    /// Seconds that a visit held a worker on average: the integral of min(number
    /// here, workers) / visits. The time that a thread takes to wake up after a
    /// worker came free is in it, since the worker serves nobody meanwhile.
    pub(crate) fn mean_service(&self) -> f64 {
        let visits = self.visits.lock().unwrap();
        let mut changes: Vec<(u64, f64)> = visits
            .iter()
            .flat_map(|(came, left)| [(*came, 1.0), (*left, -1.0)])
            .collect();
        changes.sort_unstable_by_key(|(at, _)| *at);
        let (mut held, mut here, mut since) = (0.0, 0.0_f64, 0);
        for (at, change) in changes {
            held += here.min(f64::from(self.workers)) * (at - since) as f64;
            here += change;
            since = at;
        }
        held / 1e9 / visits.len() as f64
    }
}
