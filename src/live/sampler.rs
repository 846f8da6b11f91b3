//! Reads every gauge at the edges of the intervals, on a thread of its own.

use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::{self, JoinHandle};

use super::message::Message;
use super::system::SystemUnderTest;
use crate::clock::Clock;
use crate::gauges::{AcceptQueue, Machine};
use crate::model::SourceName;
use crate::record::{Event, FailureBook, Sample};
use crate::units::Nanos;

/// The thread that samples; it ends with a last, shorter interval when dropped.
#[derive(Debug)]
pub(super) struct Sampler {
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Sampler {
    /// Samples the system, the machine and the accept queue at every `interval` of the
    /// clock.
    pub(super) fn start(
        clock: Clock,
        interval: Nanos,
        system: Arc<dyn SystemUnderTest>,
        mut accept_queue: Option<AcceptQueue>,
        failures: Arc<FailureBook>,
        messages: Sender<Message>,
    ) -> Self {
        let (stop, stopped) = mpsc::channel();
        let thread = thread::spawn(move || {
            let mut machine = Machine::default();
            // The first reading is what later ones are counted from.
            let _ = system.sample(Nanos::ZERO, Nanos::ZERO);
            let _ = machine.sample(Nanos::ZERO, Nanos::ZERO);
            let mut from = Nanos::ZERO;
            loop {
                let edge = from + interval;
                let wait = edge.saturating_sub(clock.now());
                let last = match stopped.recv_timeout(wait.to_duration()) {
                    Err(RecvTimeoutError::Timeout) => false,
                    Ok(()) | Err(RecvTimeoutError::Disconnected) => true,
                };
                // Whole milliseconds, the precision of the latency log.
                let now = Nanos(clock.now().0 / 1_000_000 * 1_000_000);
                // A reading that comes late covers all the intervals that have passed.
                let passed = Nanos(now.0 / interval.0 * interval.0);
                let to = if last {
                    now.max(from)
                } else {
                    edge.max(passed)
                };
                if to > from {
                    let queue = accept_queue.as_mut();
                    let queue = queue.and_then(|queue| queue.sample(from, to));
                    tell_failures(&failures, from, to, &messages);
                    sample(&*system, &mut machine, queue, from, to, &messages);
                }
                if last {
                    return;
                }
                from = to;
            }
        });
        Self {
            stop: Some(stop),
            thread: Some(thread),
        }
    }

    /// Takes a last sample and ends.
    pub(super) fn stop(&mut self) {
        self.stop = None;
        if let Some(thread) = self.thread.take() {
            // A panic there was printed already; the record goes on without its samples.
            let _ = thread.join();
        }
    }
}

impl Drop for Sampler {
    fn drop(&mut self) {
        self.stop();
    }
}

/// What failed in the interval, other than attempts of the load.
fn tell_failures(failures: &FailureBook, from: Nanos, to: Nanos, messages: &Sender<Message>) {
    let (samples, first) = failures.take(from, to);
    let first = first.into_iter().map(Message::Event);
    for message in first.chain(samples.into_iter().map(Message::Sample)) {
        let _ = messages.send(message);
    }
}

fn sample(
    system: &dyn SystemUnderTest,
    machine: &mut Machine,
    accept_queue: Option<Sample>,
    from: Nanos,
    to: Nanos,
    messages: &Sender<Message>,
) {
    let mut readings = system.sample(from, to);
    readings.extend(accept_queue.map(Ok));
    match machine.sample(from, to) {
        Ok(sample) => readings.extend(sample.map(Ok)),
        Err(cause) => readings.push(Err(Event::ScrapeFailed {
            source: SourceName::Machine,
            cause,
        })),
    }
    // The conductor outlives its sampler; where it does not, nobody reads.
    for reading in readings {
        let _ = messages.send(match reading {
            Ok(sample) => Message::Sample(sample),
            Err(event) => Message::Event(event),
        });
    }
    for death in system.dead() {
        let _ = messages.send(if death.ends_the_run {
            Message::Died(death.event)
        } else {
            Message::Event(death.event)
        });
    }
    let _ = messages.send(Message::Sampled { from, to });
}
