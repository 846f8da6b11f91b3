//! The load alone, to the user's target: `threadbare load`.

use std::sync::mpsc::{self, RecvTimeoutError};

use signal_hook::consts::SIGINT;

use super::signals::Interrupt;
use super::watch::Watch;
use crate::clock::Clock;
use crate::error::{Error, Result};
use crate::gauges::{AcceptQueue, Machine};
use crate::load::{Address, Command, Endpoint, LoadSource, Sending, Setup, Update, Work};
use crate::model::SourceName;
use crate::plan::Plan;
use crate::record::{Event, Observer, Sample, StopCause};
use crate::units::Nanos;

/// Between the generator's start and the load's zero: enough for its threads to wait for it.
const LEAD: Nanos = Nanos::from_millis(20);
/// How far ahead the end of a load lies that is ended early, at least: enough for its threads
/// to hear of it before. One that hears of it later ends its own part then.
const END_AHEAD: Nanos = Nanos::from_millis(10);
/// How long what is under way may take to end where another program asks for the end: it
/// kills what has not ended in time, as Docker does after ten seconds, and then nothing would
/// be told.
const DRAIN_WHEN_TOLD: Nanos = Nanos::from_secs(5);

#[expect(clippy::large_enum_variant, reason = "a few a second, each moved once")]
enum Message {
    Load(Update),
    Interrupted,
}

/// Offers the plan's load to `endpoint`, tells `observer` all that was counted,
/// and returns why it stopped.
///
/// A signal ends the load, and so does an expectation that can no longer hold, where it is
/// to: nothing is offered any more, and what is under way may end as after the planned end.
/// A second signal ends that wait, and a third this process.
///
/// # Errors
///
/// Where the load cannot be planned, or the generator cannot go on.
#[cfg(feature = "testing")]
pub fn offer(
    plan: &Plan,
    endpoint: Endpoint,
    work: Work,
    observer: &mut dyn Observer,
) -> Result<StopCause> {
    offer_from(&mut crate::load::OwnThreads, plan, endpoint, work, observer)
}

/// The same, sent by whoever is given.
///
/// # Errors
///
/// As [`offer`].
pub(crate) fn offer_from(
    source: &mut dyn LoadSource,
    plan: &Plan,
    endpoint: Endpoint,
    work: Work,
    observer: &mut dyn Observer,
) -> Result<StopCause> {
    let (sender, inbox) = mpsc::channel();
    let interrupted = sender.clone();
    let interrupt = Interrupt::listen_to(2, move || {
        let _ = interrupted.send(Message::Interrupted);
    })?;
    let mut targets = [(
        Setup {
            plan: plan.clone(),
            endpoint,
            work,
            clock: Clock::start(),
        },
        1,
    )];
    source.prepare(&targets)?;
    let clock = Clock::start_in(LEAD.max(source.lead()));
    targets[0].0.clock = clock;
    let updates = Box::new(move |update| {
        let _ = sender.send(Message::Load(update));
    });
    let generator = source.start(&targets, updates)?;
    let mut accept_queue = match targets[0].0.endpoint.address {
        Address::Tcp(address) => AcceptQueue::of(address),
        Address::Unix(_) => None,
    };
    let mut machine = Machine::default();
    let _ = machine.sample(Nanos::ZERO, Nanos::ZERO);
    let mut watch = Watch::new(plan);
    watch.threads(1, plan.load.drive.threads);
    let mut load = Offered {
        generator: &*generator,
        clock,
        drain: plan.drain,
        ahead: END_AHEAD.max(source.lead()),
        observer: Tee { observer, watch },
        interrupt: &interrupt,
        end: None,
        ended: false,
    };
    load.observer.event(Nanos::ZERO, &Event::LoadStarted);
    let mut from = Nanos::ZERO;
    loop {
        let edge = from + plan.interval;
        let wait = edge.saturating_sub(clock.now());
        match inbox.recv_timeout(wait.to_duration()) {
            Ok(Message::Load(Update::Finished)) | Err(RecvTimeoutError::Disconnected) => break,
            Ok(Message::Load(update)) => load.told(update)?,
            Ok(Message::Interrupted) => load.interrupted(),
            Err(RecvTimeoutError::Timeout) => {
                // A reading that comes late covers all the intervals that have passed.
                let to = Nanos(clock.now().0 / plan.interval.0 * plan.interval.0).max(edge);
                let observer = &mut load.observer;
                read(&mut machine, &mut accept_queue, from, to, observer);
                if observer.is_lost(from, to) {
                    load.end_early(load.drain);
                }
                from = to;
            }
        }
    }
    let mut observer = load.observer;
    generator.join()?;
    let now = clock.now().max(Nanos(from.0 + 1));
    read(&mut machine, &mut accept_queue, from, now, &mut observer);
    let cause = match (interrupt.signal(), observer.watch.aborted()) {
        (Some(signal), _) => StopCause::Interrupted { signal },
        (None, Some(aborted)) => aborted.clone(),
        (None, None) => StopCause::Completed,
    };
    let ended = Event::RunEnded {
        cause: cause.clone(),
    };
    observer.event(now, &ended);
    Ok(cause)
}

/// A load under way.
struct Offered<'a, 'o> {
    generator: &'a dyn Sending,
    clock: Clock,
    /// How long what is under way at the end may take.
    drain: Nanos,
    /// How far ahead of the order to end it its end lies, so that all hear of it before.
    ahead: Nanos,
    observer: Tee<'o>,
    interrupt: &'a Interrupt,
    /// The instant from which nothing is offered, where it is to end early.
    end: Option<Nanos>,
    /// Whether the last operation was scheduled.
    ended: bool,
}

impl Offered<'_, '_> {
    /// Takes what the generator tells, but for its end.
    fn told(&mut self, update: Update) -> Result<()> {
        let now = self.clock.now();
        let event = match update {
            Update::Sample(sample) => {
                self.observer.sample(&sample);
                return Ok(());
            }
            Update::LoadEnded => {
                self.ended = true;
                // It ends when it was told to, and is heard of later.
                let at = self.end.map_or(now, |end| end.min(now));
                self.observer.event(at, &Event::LoadEnded);
                return Ok(());
            }
            Update::Warning(text) => Event::Warning { text },
            Update::Happened(event) => event,
            Update::FirstFailure(failure) => Event::FirstFailure(failure),
            Update::Slowest(operations) => Event::Slowest { operations },
            Update::Failed(text) => return Err(Error::failed(text)),
            Update::Finished => return Ok(()),
        };
        let before = self.observer.watch.aborted().is_some();
        self.observer.event(now, &event);
        if !before && self.observer.watch.aborted().is_some() {
            self.end_early(self.drain);
        }
        Ok(())
    }

    /// Offers nothing any more; what is under way has so long to end, at most.
    fn end_early(&mut self, drain: Nanos) {
        if self.ended {
            // What is under way may end as it is.
            return;
        }
        let now = self.clock.now();
        if now == Nanos::ZERO {
            // It has not begun.
            return self.generator.command(Command::Stop);
        }
        // In whole milliseconds, the precision of the record's axis.
        let at = Nanos((now + self.ahead).0.div_ceil(1_000_000) * 1_000_000);
        let at = *self.end.get_or_insert(at);
        self.generator.command(Command::EndLoad {
            at,
            drained: at.saturating_add(drain),
        });
    }

    /// A signal asks for the end: of the load first, then of the wait for what is under way.
    fn interrupted(&mut self) {
        let early = self.end.is_some() && self.observer.watch.aborted().is_none();
        if self.ended || early {
            return self.generator.command(Command::Stop);
        }
        let by_hand = self.interrupt.signal() == Some(SIGINT);
        self.end_early(if by_hand {
            self.drain
        } else {
            self.drain.min(DRAIN_WHEN_TOLD)
        });
    }
}

/// Tells both whoever observes the load and what may end it.
struct Tee<'a> {
    observer: &'a mut dyn Observer,
    watch: Watch,
}

impl Observer for Tee<'_> {
    fn event(&mut self, at: Nanos, event: &Event) {
        self.watch.event(at, event);
        self.observer.event(at, event);
    }

    fn sample(&mut self, sample: &Sample) {
        // A load has no alerts that could fire by it.
        self.watch.sample(sample);
        self.observer.sample(sample);
    }
}

impl Tee<'_> {
    /// Whether something that is expected can no longer hold, as it first shows when this
    /// interval is over.
    fn is_lost(&mut self, from: Nanos, to: Nanos) -> bool {
        let before = self.watch.aborted().is_some();
        self.watch.sampled(from, to);
        !before && self.watch.aborted().is_some()
    }
}

fn read(
    machine: &mut Machine,
    accept_queue: &mut Option<AcceptQueue>,
    from: Nanos,
    to: Nanos,
    observer: &mut dyn Observer,
) {
    if let Some(sample) = accept_queue
        .as_mut()
        .and_then(|queue| queue.sample(from, to))
    {
        observer.sample(&sample);
    }
    match machine.sample(from, to) {
        Ok(Some(sample)) => observer.sample(&sample),
        Ok(None) => {}
        Err(cause) => observer.event(
            to,
            &Event::ScrapeFailed {
                source: SourceName::Machine,
                cause,
            },
        ),
    }
}
