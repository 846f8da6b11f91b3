//! Watches a process and the socket that it listens on, while a run goes on.
//!
//! What the kernel says of a process is true whatever state the process is in.
//! Its end is noticed at once, through its pidfd, and told; how it ended only
//! its parent knows.

use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::pipe::{PipeFlags, pipe_with};

use super::bin::Bin;
use super::listen_queue;
use super::process::{Process, Seen};
use super::scraper::{Tell, Told};
use crate::clock::Clock;
use crate::error::{Error, Result};
use crate::record::{Counters, Event, ProcessCounters};
use crate::units::Nanos;

/// What is watched: a process of this machine, a port of it, or both.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Watch {
    /// What it is called in the record and in reports.
    pub name: String,
    /// The process.
    pub pid: Option<u32>,
    /// The port that it listens on.
    pub port: Option<u16>,
    /// Time between two readings.
    pub every: Nanos,
}

/// The thread that watches; it ends when it is dropped.
#[derive(Debug)]
pub struct Watcher {
    /// Dropped to stop it.
    stop: Option<OwnedFd>,
    thread: Option<JoinHandle<()>>,
}

impl Watcher {
    /// Begins to watch, at once. `tell` is called from a thread of its own: with
    /// a sample for each bucket of `interval` in which there were readings, with
    /// what failed, and once with the end of the process.
    ///
    /// # Errors
    ///
    /// Where there is no such process.
    pub fn start(
        watch: &Watch,
        clock: Clock,
        interval: Nanos,
        tell: impl Fn(Told) + Send + Sync + 'static,
    ) -> Result<Self> {
        let process = watch.pid.map(Process::hold).transpose().map_err(|cause| {
            Error::unfit(format!(
                "failed to watch `{}`: {cause}; is it still running?",
                watch.name
            ))
        })?;
        let (stopped, stop) = pipe_with(PipeFlags::CLOEXEC)
            .map_err(|cause| Error::unfit(format!("failed to watch `{}`: {cause}", watch.name)))?;
        let mut work = Work {
            bin: Bin::new(&watch.name, interval, Counters::Process),
            watch: watch.clone(),
            process,
            clock,
            tell: Arc::new(tell),
            last: None,
            stopped,
        };
        Ok(Self {
            stop: Some(stop),
            thread: Some(thread::spawn(move || work.run())),
        })
    }

    /// Ends the thread, which tells its last bucket first.
    pub fn stop(&mut self) {
        self.stop = None;
        if let Some(thread) = self.thread.take() {
            // A panic there was printed already; the record goes on without it.
            let _ = thread.join();
        }
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Why a wait ended.
#[derive(PartialEq, Eq)]
enum Woken {
    Due,
    Stopped,
    Ended,
}

struct Work {
    watch: Watch,
    process: Option<Process>,
    clock: Clock,
    bin: Bin<ProcessCounters>,
    tell: Tell,
    /// The last reading, with its instant.
    last: Option<(Nanos, Seen)>,
    /// Its other end is closed when the thread is to end.
    stopped: OwnedFd,
}

impl Work {
    fn run(&mut self) {
        let every = self.watch.every.max(Nanos::from_millis(1));
        let mut next = self.clock.now();
        loop {
            match self.wait_until(next) {
                Woken::Stopped => break,
                Woken::Ended => {
                    self.process = None;
                    let source = self.watch.name.clone();
                    (self.tell)(Told::Ended { source });
                    continue;
                }
                Woken::Due => {}
            }
            self.read();
            let now = self.clock.now();
            next += every;
            while next <= now {
                next += every;
            }
        }
        if let Some(sample) = self.bin.close(self.clock.now()) {
            (self.tell)(Told::Sample(sample));
        }
    }

    fn wait_until(&mut self, instant: Nanos) -> Woken {
        loop {
            let now = self.clock.now();
            if let Some(sample) = self.bin.over(now) {
                (self.tell)(Told::Sample(sample));
            }
            // A bucket is told when it is over, whenever the next reading is due.
            let wake = self.bin.end().map_or(instant, |end| end.min(instant));
            let left = wake.saturating_sub(now);
            let limit = Timespec::try_from(left.to_duration()).unwrap_or_default();
            let mut watched = vec![PollFd::new(&self.stopped, PollFlags::IN)];
            if let Some(process) = &self.process {
                watched.push(PollFd::from_borrowed_fd(process.as_fd(), PollFlags::IN));
            }
            // A signal may interrupt it; what is left is computed anew.
            let ready = poll(&mut watched, Some(&limit)).unwrap_or(0);
            if ready > 0 {
                let stopped = !watched[0].revents().is_empty();
                return if stopped {
                    Woken::Stopped
                } else {
                    Woken::Ended
                };
            }
            if self.clock.now() >= instant {
                return Woken::Due;
            }
        }
    }

    fn read(&mut self) {
        let seen = self.process.as_ref().map(Process::see);
        let port = self.watch.port;
        let waiting = port.map(|port| {
            listen_queue::waiting(self.watch.pid.filter(|_| self.process.is_some()), port)
        });
        let at = self.clock.now();
        let last = self.last;
        let mut causes = Vec::new();
        let over = self.bin.add(at, |counters| {
            match &seen {
                Some(Ok(seen)) => add(counters, *seen, at, last),
                Some(Err(cause)) => causes.push(cause.clone()),
                None => {}
            }
            match waiting {
                Some(Ok(Some(waiting))) => {
                    counters.listen_readings += 1;
                    counters.listen_queue += waiting;
                    counters.listen_queue_max = counters.listen_queue_max.max(waiting);
                }
                Some(Ok(None)) => causes.push("nothing listens on its port".to_owned()),
                Some(Err(cause)) => causes.push(cause),
                None => {}
            }
            counters.failed += u64::from(!causes.is_empty());
        });
        self.last = seen
            .and_then(std::result::Result::ok)
            .map(|seen| (at, seen));
        if let Some(sample) = over {
            (self.tell)(Told::Sample(sample));
        }
        for cause in causes {
            let source = self.watch.name.clone();
            (self.tell)(Told::Event(Event::ScrapeFailed { source, cause }));
        }
    }
}

fn add(counters: &mut ProcessCounters, seen: Seen, at: Nanos, last: Option<(Nanos, Seen)>) {
    counters.readings += 1;
    if let Some((before, last)) = last {
        counters.covered_ns += at.saturating_sub(before).0;
        // Time that went with a process that left the family is lost.
        counters.cpu_ns += seen.cpu.saturating_sub(last.cpu).0;
    }
    counters.processes += seen.processes;
    counters.threads += seen.threads;
    counters.threads_max = counters.threads_max.max(seen.threads);
    counters.threads_running += seen.threads_running;
    counters.threads_blocked += seen.threads_blocked;
    counters.memory_bytes += seen.memory_bytes;
    counters.memory_bytes_max = counters.memory_bytes_max.max(seen.memory_bytes);
    if let Some(files) = seen.files {
        counters.files_readings += 1;
        counters.files += files;
        counters.files_max = counters.files_max.max(files);
    }
}
