//! The load alone, to the user's target: `threadbare load`.

use std::sync::mpsc::{self, RecvTimeoutError};

use super::signals::Interrupt;
use crate::clock::Clock;
use crate::error::{Error, Result};
use crate::gauges::{AcceptQueue, Machine};
use crate::load::{Address, Command, Endpoint, Generator, Setup, Update, Work};
use crate::model::SourceName;
use crate::plan::Plan;
use crate::record::{Event, Observer, StopCause};
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
/// A signal ends the load at once: what is under way is unfinished, and what
/// was counted is told.
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
    let (sender, inbox) = mpsc::channel();
    let interrupted = sender.clone();
    let interrupt = Interrupt::listen(move || {
        let _ = interrupted.send(Message::Interrupted);
    })?;
    let clock = Clock::start_in(LEAD);
    let setup = Setup {
        plan: plan.clone(),
        endpoint,
        work,
        clock,
    };
    let generator = Generator::start(&setup, move |update| {
        let _ = sender.send(Message::Load(update));
    })?;
    let mut accept_queue = match setup.endpoint.address {
        Address::Tcp(address) => AcceptQueue::of(address),
        Address::Unix(_) => None,
    };
    let mut machine = Machine::default();
    let _ = machine.sample(Nanos::ZERO, Nanos::ZERO);
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
            Ok(Message::Load(Update::FirstFailure(failure))) => {
                observer.event(clock.now(), &Event::FirstFailure(failure));
            }
            Ok(Message::Load(Update::Failed(text))) => return Err(Error::failed(text)),
            Ok(Message::Interrupted) => generator.command(Command::Stop),
            Ok(Message::Load(Update::Finished)) | Err(RecvTimeoutError::Disconnected) => break,
            Err(RecvTimeoutError::Timeout) => {
                // A reading that comes late covers all the intervals that have passed.
                let to = Nanos(clock.now().0 / plan.interval.0 * plan.interval.0).max(edge);
                read(&mut machine, &mut accept_queue, from, to, observer);
                from = to;
            }
        }
    }
    generator.join()?;
    let now = clock.now().max(Nanos(from.0 + 1));
    read(&mut machine, &mut accept_queue, from, now, observer);
    let cause = interrupt
        .signal()
        .map_or(StopCause::Completed, |signal| StopCause::Interrupted {
            signal,
        });
    let ended = Event::RunEnded {
        cause: cause.clone(),
    };
    observer.event(now, &ended);
    Ok(cause)
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
