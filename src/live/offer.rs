//! The load alone, to the user's target: `threadbare load`.

use std::sync::mpsc::{self, RecvTimeoutError};

use super::signals::Interrupt;
use super::watch::Watch;
use crate::clock::Clock;
use crate::error::{Error, Result};
use crate::gauges::{AcceptQueue, Machine};
use crate::load::{Address, Command, Endpoint, LoadSource, OwnThreads, Setup, Update, Work};
use crate::model::SourceName;
use crate::plan::Plan;
use crate::record::{Event, Observer, Sample, StopCause};
use crate::units::Nanos;

/// Between the generator's start and the load's zero: enough for its threads to wait for it.
const LEAD: Nanos = Nanos::from_millis(20);

#[expect(clippy::large_enum_variant, reason = "a few a second, each moved once")]
enum Message {
    Load(Update),
    Interrupted,
}

/// Offers the plan's load to `endpoint`, tells `observer` all that was counted,
/// and returns why it stopped.
///
/// A signal ends the load at once, and so does an expectation that can no longer hold,
/// where it is to: what is under way is unfinished, and what was counted is told.
///
/// # Errors
///
/// Where the load cannot be planned, or the generator cannot go on.
pub fn offer(
    plan: &Plan,
    endpoint: Endpoint,
    work: Work,
    observer: &mut dyn Observer,
) -> Result<StopCause> {
    offer_from(&mut OwnThreads, plan, endpoint, work, observer)
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
    let interrupt = Interrupt::listen(move || {
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
    let observer = &mut Tee { observer, watch };
    observer.event(Nanos::ZERO, &Event::LoadStarted);
    let mut from = Nanos::ZERO;
    loop {
        let edge = from + plan.interval;
        let wait = edge.saturating_sub(clock.now());
        match inbox.recv_timeout(wait.to_duration()) {
            Ok(Message::Load(Update::Sample(sample))) => observer.sample(&sample),
            Ok(Message::Load(Update::LoadEnded)) => {
                observer.event(clock.now(), &Event::LoadEnded);
            }
            Ok(Message::Load(Update::Warning(text))) => {
                observer.event(clock.now(), &Event::Warning { text });
            }
            Ok(Message::Load(Update::Happened(event))) => {
                observer.event(clock.now(), &event);
                if observer.watch.aborted().is_some() {
                    generator.command(Command::Stop);
                }
            }
            Ok(Message::Load(Update::FirstFailure(failure))) => {
                observer.event(clock.now(), &Event::FirstFailure(failure));
            }
            Ok(Message::Load(Update::Slowest(operations))) => {
                observer.event(clock.now(), &Event::Slowest { operations });
            }
            Ok(Message::Load(Update::Failed(text))) => return Err(Error::failed(text)),
            Ok(Message::Interrupted) => generator.command(Command::Stop),
            Ok(Message::Load(Update::Finished)) | Err(RecvTimeoutError::Disconnected) => break,
            Err(RecvTimeoutError::Timeout) => {
                // A reading that comes late covers all the intervals that have passed.
                let to = Nanos(clock.now().0 / plan.interval.0 * plan.interval.0).max(edge);
                read(&mut machine, &mut accept_queue, from, to, observer);
                if observer.is_lost(from, to) {
                    generator.command(Command::Stop);
                }
                from = to;
            }
        }
    }
    generator.join()?;
    let now = clock.now().max(Nanos(from.0 + 1));
    read(&mut machine, &mut accept_queue, from, now, observer);
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
