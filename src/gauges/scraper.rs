//! Reads the gauges of the user's target, while a run goes on.
//!
//! Each source has a thread of its own, so that one that does not answer holds
//! up no other; its timeout is shorter than its interval, so that none is
//! missed. What cannot be read is an event with its cause, never a gap that
//! somebody fills, and never a zero. A page and a health check may be served by
//! the very workers that are exhausted: a failed reading is itself evidence.
//!
//! It connects to the addresses that it is given and resolves nothing: whoever
//! starts it has checked that they may be spoken to.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender, TryRecvError};
use std::thread::{self, JoinHandle};

use super::bin::Bin;
use super::fetch::{fetch, unfit};
use super::page::read_page;
use super::statsd::Statsd;
use crate::clock::Clock;
use crate::error::{Error, Result};
use crate::model::{GaugePlace, GaugeSource, Malformed, Page, Reading, SourceName, Value};
use crate::net::{Failed, Tls};
use crate::record::{Event, GaugeCounters, Sample};
use crate::units::{Nanos, counted};

/// A reading may take this share of its interval, four fifths …
const PATIENCE: (u64, u64) = (4, 5);
/// … and at most this: what takes longer does not tell how things are now.
const PATIENCE_MAX: Nanos = Nanos::from_secs(10);
/// How long a listener for datagrams waits before it looks whether it is to end.
const LISTEN_STEP: Nanos = Nanos::from_millis(50);

/// Gauges to be read, and the address that was found for them and checked.
#[derive(Debug, Clone)]
pub struct Scrape {
    /// What is to be read.
    pub source: GaugeSource,
    /// Where: the resolved address of its page, or the port that is listened on.
    pub address: SocketAddr,
    /// How its page is encrypted; none: not at all.
    pub tls: Option<Tls>,
}

/// What is told of readings, from threads of their own.
#[derive(Debug, Clone, PartialEq)]
pub enum GaugeUpdate {
    /// A bucket of readings is over.
    Sample(Sample),
    /// A reading failed, or something about the readings must be known.
    Event(Event),
    /// A request for a page failed.
    Failed(SourceName, Failed),
}

/// Whoever is told.
type Tell = Arc<dyn Fn(GaugeUpdate) + Send + Sync>;

/// A thread that reads until it is stopped.
#[derive(Debug)]
struct Reader {
    /// Dropped to stop it.
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// The ports that gauges are sent to, listened on. A server says some of it once,
/// when it starts, so they are there before it; what comes is kept by the kernel.
#[derive(Debug)]
pub struct Sockets(Vec<(Scrape, Option<Statsd>)>);

impl Sockets {
    /// Listens where anything is sent to.
    ///
    /// # Errors
    ///
    /// Where a port is taken.
    pub fn open(scrapes: &[Scrape]) -> Result<Self> {
        let opened = scrapes.iter().map(|scrape| {
            let statsd = match &scrape.source.place {
                GaugePlace::Page(_) => None,
                GaugePlace::Statsd(_) => Some(Statsd::listen(scrape.address).map_err(|cause| {
                    Error::unfit(format!(
                        "failed to listen for the gauges of `{}` on {}: {cause}; name another port",
                        scrape.source.name, scrape.address
                    ))
                })?),
            };
            Ok((scrape.clone(), statsd))
        });
        Ok(Self(opened.collect::<Result<_>>()?))
    }
}

/// The threads that read gauges; they end when it is dropped.
#[derive(Debug)]
pub struct Scraper {
    readers: Vec<Reader>,
}

impl Scraper {
    /// Begins to read, at once and then at each source's interval. `tell` is
    /// called from several threads: with a sample for each bucket of
    /// `interval` in which there were readings, and with what failed.
    pub fn start(
        sockets: Sockets,
        clock: Clock,
        interval: Nanos,
        tell: impl Fn(GaugeUpdate) + Send + Sync + 'static,
    ) -> Self {
        let tell: Tell = Arc::new(tell);
        let readers = sockets.0.into_iter().map(|(scrape, statsd)| {
            let (stop, stopped) = mpsc::channel();
            let mut work = ScrapeLoop {
                bin: Bin::new(&scrape.source.name, interval),
                scrape,
                statsd,
                clock,
                tell: Arc::clone(&tell),
                malformed: Malformed::default(),
                never: Vec::new(),
                completed: None,
                stopped,
            };
            Reader {
                stop: Some(stop),
                thread: Some(thread::spawn(move || work.run())),
            }
        });
        Self {
            readers: readers.collect(),
        }
    }

    /// Ends the threads; each tells its last bucket first. Takes as long as the
    /// reading that is under way: at most four fifths of an interval, and 10 s.
    pub fn stop(&mut self) {
        for reader in &mut self.readers {
            reader.stop = None;
        }
        for reader in &mut self.readers {
            if let Some(thread) = reader.thread.take() {
                // A panic there was printed already; the record goes on without it.
                let _ = thread.join();
            }
        }
    }
}

impl Drop for Scraper {
    fn drop(&mut self) {
        self.stop();
    }
}

/// What one thread does.
struct ScrapeLoop {
    scrape: Scrape,
    statsd: Option<Statsd>,
    clock: Clock,
    bin: Bin,
    tell: Tell,
    malformed: Malformed,
    /// Roles that no reading has told yet, with the last cause.
    never: Vec<(&'static str, String)>,
    /// The last count of completed requests, and when it was read.
    completed: Option<(Nanos, f64)>,
    stopped: Receiver<()>,
}

impl ScrapeLoop {
    fn run(&mut self) {
        let every = self.scrape.source.every.max(Nanos::from_millis(1));
        let roles = self.scrape.source.roles.each();
        let asked = roles.iter().filter(|(_, expression)| expression.is_some());
        self.never = asked.map(|(role, _)| (*role, String::new())).collect();
        let mut next = self.clock.now();
        while self.wait_until(next) {
            self.read(every);
            // One that came late has passed over those that were due meanwhile.
            let now = self.clock.now();
            next += every;
            while next <= now {
                next += every;
            }
        }
        if let Some(sample) = self.bin.close(self.clock.now()) {
            (self.tell)(GaugeUpdate::Sample(sample));
        }
        self.tell_what_never_came();
    }

    /// Waits for an instant; false where the thread is to end.
    fn wait_until(&mut self, instant: Nanos) -> bool {
        loop {
            let now = self.clock.now();
            if let Some(sample) = self.bin.over(now) {
                (self.tell)(GaugeUpdate::Sample(sample));
            }
            if self.stopped.try_recv() != Err(TryRecvError::Empty) {
                return false;
            }
            if now >= instant {
                return true;
            }
            // A bucket is told when it is over, whenever the next reading is due.
            let wake = self.bin.end().map_or(instant, |end| end.min(instant));
            let left = wake.saturating_sub(now);
            let Some(statsd) = &mut self.statsd else {
                match self.stopped.recv_timeout(left.to_duration()) {
                    Err(RecvTimeoutError::Timeout) => continue,
                    _ => return false,
                }
            };
            // What goes wrong here is told by the reading itself.
            let _ = statsd.wait(left.min(LISTEN_STEP));
        }
    }

    fn read(&mut self, every: Nanos) {
        let read = match (&mut self.statsd, &self.scrape.source.place) {
            // Nothing was asked for, so no request failed.
            (Some(statsd), _) => statsd.read().map_err(Failed::unsendable),
            (None, GaugePlace::Page(url)) => {
                let limit = (every * PATIENCE.0 / PATIENCE.1).min(PATIENCE_MAX);
                let roles = &self.scrape.source.roles;
                fetch(url, self.scrape.address, self.scrape.tls.as_ref(), limit)
                    .map_err(|failed| Failed {
                        words: format!("failed to read the page: {failed}"),
                        ..failed
                    })
                    .and_then(|bytes| read_page(&bytes, &|name| roles.reads(name)).map_err(unfit))
            }
            (None, GaugePlace::Statsd(_)) => {
                Err(Failed::unsendable("nothing listens for its datagrams"))
            }
        };
        let asked = self.statsd.is_none();
        let told = read.and_then(|page| {
            let read = self.reading(&page);
            read.map_err(|cause| {
                if asked {
                    unfit(cause)
                } else {
                    Failed::unsendable(cause)
                }
            })
        });
        let at = self.clock.now();
        let over = match &told {
            Ok(reading) => {
                let completed = since(&mut self.completed, at, reading);
                self.bin.add(at, |counters| {
                    add(counters, reading);
                    if let Some((milli, covered)) = completed {
                        counters.completed_milli += milli;
                        counters.completed_covered_ns += covered.0;
                    }
                })
            }
            Err(_) => self.bin.add(at, |counters| counters.failed += 1),
        };
        if let Some(sample) = over {
            (self.tell)(GaugeUpdate::Sample(sample));
        }
        if let Err(failed) = told {
            let name = self.scrape.source.name.as_str();
            let (source, cause) = (name.into(), failed.words.clone());
            (self.tell)(GaugeUpdate::Event(Event::ScrapeFailed { source, cause }));
            (self.tell)(GaugeUpdate::Failed(SourceName::of_gauges(name), failed));
        }
    }

    /// What a page says; a failure where it says nothing that was asked for.
    fn reading(&mut self, page: &Page) -> std::result::Result<Reading, String> {
        if self.malformed.count == 0
            && let Some((line, what)) = &page.malformed.first
        {
            let lines = counted(page.malformed.count, "line");
            self.malformed = page.malformed.clone();
            self.warn(&format!(
                "{lines} cannot be read, the first is line {line}: {what}"
            ));
        }
        let reading = self.scrape.source.roles.reading(page);
        for (role, cause) in &mut self.never {
            let mut missing = reading.missing();
            if let Some((_, why)) = missing.find(|(missing, _)| missing == role) {
                *cause = why.to_string();
            }
        }
        let told = reading.each();
        self.never.retain(|(role, _)| {
            !told
                .iter()
                .any(|(own, value)| own == role && matches!(value, Some(Ok(_))))
        });
        if reading.holds() {
            // The rest counts; what cannot be is told each time, and is no number.
            if let Some(cause) = reading.unfit() {
                let source = self.scrape.source.name.as_str().into();
                (self.tell)(GaugeUpdate::Event(Event::ScrapeFailed { source, cause }));
            }
            return Ok(reading);
        }
        let causes: Vec<_> = reading
            .missing()
            .map(|(role, cause)| format!("{role}: {cause}"))
            .collect();
        Err(format!(
            "none of the gauges could be read; {}",
            causes.join("; ")
        ))
    }

    fn tell_what_never_came(&self) {
        // Where nothing at all was read, the failures say so.
        for (role, cause) in self.never.iter().filter(|(_, cause)| !cause.is_empty()) {
            self.warn(&format!("`{role}` was never read: {cause}"));
        }
    }

    fn warn(&self, what: &str) {
        let text = format!("Gauges `{}`: {what}.", self.scrape.source.name);
        (self.tell)(GaugeUpdate::Event(Event::Warning { text }));
    }
}

fn add(counters: &mut GaugeCounters, reading: &Reading) {
    counters.readings += 1;
    if let Some(Ok(busy)) = &reading.busy {
        counters.busy_readings += 1;
        counters.busy_milli += milli(*busy);
        counters.busy_milli_max = counters.busy_milli_max.max(milli(*busy));
    }
    if let Some(Ok(workers)) = &reading.workers {
        counters.workers_readings += 1;
        counters.workers_milli += milli(*workers);
        counters.workers_stated += u64::from(workers.stated);
    }
    if let Some(Ok(queue)) = &reading.queue {
        counters.queue_readings += 1;
        counters.queue_milli += milli(*queue);
        counters.queue_milli_max = counters.queue_milli_max.max(milli(*queue));
    }
}

/// What was completed since the last reading that told the count, in thousandths, and how
/// long ago that was. A count that fell began anew: what it missed is unknown.
fn since(last: &mut Option<(Nanos, f64)>, at: Nanos, reading: &Reading) -> Option<(u64, Nanos)> {
    let Some(Ok(count)) = &reading.completed else {
        return None;
    };
    let (before, known) = last.replace((at, count.value))?;
    let more = count.value - known;
    (more >= 0.0).then(|| (thousandths(more), at.saturating_sub(before)))
}

fn milli(value: Value) -> u64 {
    thousandths(value.value)
}

/// A number in thousandths; what no counter can hold is kept below its range, so
/// that sums of a day's readings stay in it.
fn thousandths(number: f64) -> u64 {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "levels are not negative, and a cast from a larger number saturates"
    )]
    let milli = (number * 1e3).round() as u64;
    milli.min(1 << 40)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_completed_is_the_difference_of_two_counts_that_were_read() {
        let at = Nanos::from_secs;
        let told = |count: Option<f64>| Reading {
            completed: count.map(|value| {
                Ok(Value {
                    value,
                    stated: false,
                })
            }),
            ..Reading::default()
        };
        let mut last = None;
        for (second, count, more) in [
            (1, Some(100.0), None), // the first says nothing of what was before
            (2, Some(107.0), Some((7_000, at(1)))),
            (3, None, None),                    // a reading without it
            (4, Some(107.0), Some((0, at(2)))), // covers that time too
            (5, Some(3.0), None),               // a server that began anew
            (6, Some(3.5), Some((500, at(1)))),
        ] {
            assert_eq!(since(&mut last, at(second), &told(count)), more, "{second}");
        }
    }
}
