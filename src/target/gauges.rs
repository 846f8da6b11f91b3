//! What a target's processes use, read from outside: threads, open files,
//! memory, processor time, and connections that wait to be accepted.
//!
//! Of workers and queues inside it the kernel knows nothing, so nothing is said
//! of saturation here.

use std::collections::HashMap;

use rustix::param::page_size;

use crate::process::ProcessIdentity;
use crate::process::proc::{self, Stat};
use crate::record::{Counters, ProcessCounters, Sample};
use crate::units::Nanos;

/// Processor time in the unit of `/proc/PID/stat`: 100 ticks a second on every
/// Linux that Rust runs on (`USER_HZ` is fixed by the kernel's interface).
const TICK: Nanos = Nanos::from_millis(10);

/// What was read of each process last.
#[derive(Debug, Default)]
pub(super) struct Books {
    ticks: HashMap<ProcessIdentity, u64>,
    /// Whether anything was read before.
    begun: bool,
}

impl Books {
    /// What the processes used since the last reading.
    pub(super) fn sample(
        &mut self,
        processes: &[Stat],
        ports: &[u16],
        from: Nanos,
        to: Nanos,
    ) -> Sample {
        let sum =
            |value: fn(&Stat) -> u64| processes.iter().map(value).fold(0, u64::saturating_add);
        let there = u64::from(!processes.is_empty());
        let (running, blocked) = processes
            .iter()
            .map(|it| proc::thread_states(it.pid))
            .fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
        let files: Option<u64> = processes.iter().map(|it| proc::open_files(it.pid)).sum();
        let files = files.filter(|_| there > 0);
        let listeners = ports.iter().flat_map(|port| proc::listeners(*port));
        let listeners: Vec<u64> = listeners.map(|it| it.waiting).collect();
        // Where nobody listens nothing was read, and no zero.
        let listening = u64::from(!listeners.is_empty());
        let waiting = listeners.into_iter().fold(0, u64::saturating_add);
        let (threads, memory) = (
            sum(|it| it.threads),
            sum(|it| it.pages).saturating_mul(page_size() as u64),
        );
        let counters = ProcessCounters {
            readings: there,
            // Nothing of it runs: a reading that told nothing, and no zero.
            failed: 1 - there,
            covered_ns: to.saturating_sub(from).0,
            cpu_ns: self.used(processes).saturating_mul(TICK.0),
            processes: processes.len() as u64,
            threads,
            threads_max: threads,
            threads_running: running,
            threads_blocked: blocked,
            memory_bytes: memory,
            memory_bytes_max: memory,
            files_readings: u64::from(files.is_some()),
            files: files.unwrap_or(0),
            files_max: files.unwrap_or(0),
            listen_readings: listening,
            listen_queue: waiting,
            listen_queue_max: waiting,
        };
        Sample {
            from,
            to,
            source: "target".into(),
            counters: Counters::Process(counters),
            histograms: Vec::new(),
        }
    }

    /// Ticks since the last reading; a process that is new has used all of its own since.
    fn used(&mut self, processes: &[Stat]) -> u64 {
        let first = !std::mem::replace(&mut self.begun, true);
        let mut used: u64 = 0;
        let mut now = HashMap::new();
        for stat in processes {
            let identity = ProcessIdentity {
                pid: stat.pid,
                started: stat.started,
            };
            let before = self.ticks.get(&identity).copied().unwrap_or(0);
            if !first {
                used = used.saturating_add(stat.ticks.saturating_sub(before));
            }
            now.insert(identity, stat.ticks);
        }
        self.ticks = now;
        used
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processor_time_is_that_between_two_readings() {
        let stat = |pid, ticks| Stat {
            pid,
            state: 'S',
            parent: 1,
            group: 1,
            ticks,
            threads: 2,
            started: 5,
            pages: 1,
            addresses: 0,
        };
        let mut books = Books::default();
        assert_eq!(books.used(&[stat(10, 100)]), 0); // what came before does not count
        assert_eq!(books.used(&[stat(10, 103), stat(11, 4)]), 7);
        assert_eq!(books.used(&[stat(11, 6)]), 2); // 10 has ended
    }
}
