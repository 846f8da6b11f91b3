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
    visits: Mutex<Vec<Visit>>,
}

/// A visit, in nanoseconds since the station's start.
struct Visit {
    came: u64,
    left: u64,
    /// How long its service was meant to take.
    service: u64,
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
        let service = nanos(service);
        self.visits.lock().unwrap().push(Visit {
            came,
            left,
            service,
        });
        *self.free.lock().unwrap() += 1;
        self.freed.notify_one();
    }

    fn now(&self) -> u64 {
        nanos(self.start.elapsed())
    }

    /// How many nanoseconds each visit lasted, sorted.
    pub(crate) fn stays(&self) -> Vec<u64> {
        let visits = self.visits.lock().unwrap();
        let mut stays: Vec<u64> = visits.iter().map(|it| it.left - it.came).collect();
        stays.sort_unstable();
        stays
    }

    /// Seconds that all visits lasted together, which is the integral of the
    /// number of requests here: Little's L, times the length of the run.
    pub(crate) fn occupancy(&self) -> f64 {
        self.stays().iter().map(|stay| *stay as f64 / 1e9).sum()
    }

    /// Seconds by which a visit held a worker longer than it was meant to: in
    /// each stretch the integral of min(number here, workers), less what was
    /// meant, over the visits; the median of the stretches, since a machine may
    /// stall. The time that a thread takes to wake up after a worker came free is
    /// in it, since the worker serves nobody meanwhile.
    pub(crate) fn overrun(&self, stretch: Duration) -> f64 {
        let visits = self.visits.lock().unwrap();
        let mut changes: Vec<(u64, f64, u64)> = visits
            .iter()
            .flat_map(|it| [(it.came, 1.0, 0), (it.left, -1.0, it.service)])
            .collect();
        changes.sort_unstable_by_key(|(at, _, _)| *at);
        let workers = f64::from(self.workers);
        let (mut here, mut since) = (0.0_f64, changes[0].0);
        let stretches = changes.chunk_by(|a, b| a.0 / nanos(stretch) == b.0 / nanos(stretch));
        let mut overruns: Vec<f64> = stretches
            .map(|changes| {
                let (mut held, mut ended) = (0.0, 0.0);
                for (at, change, service) in changes {
                    held += here.min(workers) * (at - since) as f64 - *service as f64;
                    here += change;
                    since = *at;
                    ended += f64::from(u8::from(*change < 0.0));
                }
                held / 1e9 / ended
            })
            .filter(|overrun| overrun.is_finite())
            .collect();
        overruns.sort_by(f64::total_cmp);
        overruns[overruns.len() / 2]
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap()
}
