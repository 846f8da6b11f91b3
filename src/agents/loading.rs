//! A load that an agent sends: its generator, its machine, and who watches it there.

use super::serving::Watch;
use crate::clock::Clock;
use crate::error::{EXIT_FAILED, Result};
use crate::gauges::Machine;
use crate::load::{Command, Generator, Setup, Update};
use crate::plan::Portion;
use crate::record::{Event, Observer, Sample, StopCause};
use crate::units::Nanos;

/// A load under way.
pub(super) struct Loading {
    generator: Generator,
    clock: Clock,
    interval: Nanos,
    machine: Machine,
    /// Up to where the machine was read.
    read_to: Nanos,
    /// Who hears of it on this machine, until its end.
    view: Option<Box<dyn Observer + Send>>,
    /// Whether its zero has passed.
    has_begun: bool,
    /// Whether it has ended: its machine is read no more.
    has_ended: bool,
}

impl Loading {
    /// Starts a portion of a load, whose zero is that of this clock. Its threads stop by
    /// themselves where they stand still for longer than the lease.
    ///
    /// # Errors
    ///
    /// As [`Generator::portion`].
    pub(super) fn start(
        setups: &mut [(Setup, u32)],
        (portion, lease): (Portion, Nanos),
        clock: Clock,
        watch: &Watch,
        updates: impl FnMut(Update) + Send + 'static,
    ) -> Result<Self> {
        for (setup, _) in setups.iter_mut() {
            setup.clock = clock;
        }
        let generator = Generator::portion(setups, portion, lease, updates)?;
        let plan = setups.first().map(|(setup, _)| &setup.plan);
        let interval = plan.map_or(Nanos::from_secs(1), |plan| plan.interval);
        let mut machine = Machine::default();
        // What later readings are counted from.
        let _ = machine.sample(Nanos::ZERO, Nanos::ZERO);
        Ok(Self {
            generator,
            clock,
            interval: interval.max(Nanos::from_millis(1)),
            machine,
            read_to: Nanos::ZERO,
            view: plan.and_then(|plan| watch(plan)),
            has_begun: false,
            has_ended: false,
        })
    }

    /// Tells the generator something.
    pub(super) fn command(&self, command: Command) {
        self.generator.command(command);
    }

    /// Time has passed: what the machine did in the intervals that are over.
    pub(super) fn pass(&mut self) -> Option<Sample> {
        let now = self.begin();
        if self.has_ended {
            return None;
        }
        self.read(Nanos(now.0 / self.interval.0 * self.interval.0))
    }

    /// The load has ended: what the machine did since it was read last.
    pub(super) fn last_reading(&mut self) -> Option<Sample> {
        // Whole milliseconds, the precision of the record's axis.
        let to = Nanos(self.clock.now().0 / 1_000_000 * 1_000_000);
        let read = self.read(to);
        self.ended(StopCause::Completed);
        read
    }

    /// The time; once its zero has passed, whoever watches knows.
    fn begin(&mut self) -> Nanos {
        let now = self.clock.now();
        if !self.has_begun && now > Nanos::ZERO {
            self.has_begun = true;
            self.happened(&Event::LoadStarted);
        }
        now
    }

    fn read(&mut self, to: Nanos) -> Option<Sample> {
        if to <= self.read_to {
            return None;
        }
        let from = std::mem::replace(&mut self.read_to, to);
        let read = self.machine.sample(from, to).ok().flatten();
        if let (Some(view), Some(sample)) = (&mut self.view, &read) {
            view.sample(sample);
        }
        read
    }

    /// The generator told something: so it is told to whoever watches.
    pub(super) fn told(&mut self, update: &Update) {
        self.begin();
        match update {
            Update::Sample(sample) => {
                if let Some(view) = &mut self.view {
                    view.sample(sample);
                }
            }
            Update::LoadEnded => self.happened(&Event::LoadEnded),
            Update::FirstFailure(failure) => {
                self.happened(&Event::FirstFailure(failure.clone()));
            }
            Update::Slowest(operations) => {
                let operations = operations.clone();
                self.happened(&Event::Slowest { operations });
            }
            Update::Happened(event) => self.happened(event),
            Update::Warning(text) => self.happened(&Event::Warning { text: text.clone() }),
            Update::Failed(reason) => self.end(reason),
            // Its last reading is to come.
            Update::Finished => {}
        }
    }

    /// It is let go of before its end, for this reason.
    pub(super) fn end(&mut self, reason: &str) {
        self.ended(StopCause::Failed {
            reason: reason.to_owned(),
            code: EXIT_FAILED,
        });
    }

    fn ended(&mut self, cause: StopCause) {
        self.has_ended = true;
        self.happened(&Event::RunEnded { cause });
        self.view = None;
    }

    fn happened(&mut self, event: &Event) {
        if let Some(view) = &mut self.view {
            view.event(self.clock.now(), event);
        }
    }
}
