//! The loop: virtual time goes from one thing that is due to the next.
//!
//! Of things due together, what ends in the fleet comes first, then the ends of
//! attempts and operations, then what is done, then what starts. The edge of an
//! interval is closed before anything at or after it happens, as in a live run.

use super::bounds::{Bounds, JOB_BYTES};
use super::wire::{self, FleetWire};
use crate::clients::{Clients, Due};
use crate::error::{EXIT_FAILED, Result};
use crate::model::OutsideAction;
use crate::plan::{Action, Plan, Responders, Slice, Timeline};
use crate::record::{self, Alarms, Counters, Observer, Outcome, StopCause};
use crate::units::Nanos;

/// Events between two looks at whether the simulation is to stop.
const LOOK_EVERY: u64 = 1 << 16;

/// A simulation that has come to its end.
#[derive(Debug, Clone, PartialEq)]
pub struct Simulated {
    /// Why it stopped.
    pub cause: StopCause,
    /// Events that were served.
    pub events: u64,
    /// The virtual instant that was reached.
    pub reached: Nanos,
}

/// Carries out the plan in virtual time and tells `observer` what happens. Now
/// and then `interrupted` is asked whether to stop, and why; what was reached by
/// then is told as in a run that was interrupted.
///
/// # Errors
///
/// Wrong usage, where the plan cannot be simulated or is too large for memory.
pub fn simulate(
    plan: &Plan,
    bounds: Bounds,
    observer: &mut dyn Observer,
    interrupted: &mut dyn FnMut(Nanos, u64) -> Option<StopCause>,
) -> Result<Simulated> {
    bounds.admit(plan)?;
    let spec = plan.fleet.as_ref().expect("admitted: there is a fleet");
    let mut simulation = Simulation {
        plan,
        bounds,
        observer,
        clients: Clients::new(plan, wire::choices(plan, spec)?, Slice::WHOLE),
        wire: FleetWire::new(plan, spec),
        timeline: Timeline::new(plan),
        responders: Responders::new(plan),
        alarms: Alarms::new(&plan.alerts),
        now: Nanos::ZERO,
        from: Nanos::ZERO,
        events: 0,
        pending: Vec::new(),
    };
    Ok(simulation.all(interrupted))
}

/// What is due next, whoever it concerns.
enum Next {
    Fleet,
    Clients(Due),
    Action,
    /// Somebody on call does something.
    Response,
    /// The end of the load, or of the drain.
    Wake,
}

struct Simulation<'a> {
    plan: &'a Plan,
    bounds: Bounds,
    observer: &'a mut dyn Observer,
    clients: Clients,
    wire: FleetWire,
    timeline: Timeline,
    responders: Responders,
    alarms: Alarms,
    now: Nanos,
    /// Where the interval began that the fleet's parts count in.
    from: Nanos,
    events: u64,
    /// Events that have not been told yet.
    pending: Vec<record::Event>,
}

impl Simulation<'_> {
    fn all(&mut self, interrupted: &mut dyn FnMut(Nanos, u64) -> Option<StopCause>) -> Simulated {
        let serving: Vec<_> = self.wire.fleet.serving().collect();
        for event in &serving {
            self.tell(event);
        }
        self.tell(&record::Event::LoadStarted);
        let cause = self.go(interrupted);
        self.finish();
        for entry in self.timeline.waiting().collect::<Vec<_>>() {
            let text = format!(
                "the timeline entry `{}` never ran: the event it waits for did not occur",
                self.plan.timeline[entry].phase
            );
            self.tell(&record::Event::Warning { text });
        }
        self.tell(&record::Event::RunEnded {
            cause: cause.clone(),
        });
        Simulated {
            cause,
            events: self.events,
            reached: self.now,
        }
    }

    /// Serves what is due until all is over.
    fn go(&mut self, interrupted: &mut dyn FnMut(Nanos, u64) -> Option<StopCause>) -> StopCause {
        loop {
            let (at, next) = self.next();
            // A probe that may not overlap another is due before that has ended,
            // and starts when it has.
            self.advance(at.max(self.now));
            self.events += 1;
            match next {
                Next::Fleet => self.serve_fleet(),
                Next::Clients(due) => self.clients.serve(due, &mut self.wire),
                Next::Action => self.act(),
                Next::Response => self.respond(),
                Next::Wake => {}
            }
            self.clients.take_ends(&mut self.wire);
            self.notice_end();
            if self.clients.drained(self.now) {
                return StopCause::Completed;
            }
            if self.events.is_multiple_of(LOOK_EVERY)
                && let Some(cause) = self
                    .exceeded()
                    .or_else(|| interrupted(self.now, self.events))
            {
                return cause;
            }
        }
    }

    fn serve_fleet(&mut self) {
        let fleet = &mut self.wire.fleet;
        if let Some(event) = fleet.calendar.take() {
            fleet.on(self.now, event);
            if !fleet.happened.is_empty() {
                self.told_by_fleet();
            }
        }
    }

    /// What is due next, and when.
    fn next(&self) -> (Nanos, Next) {
        let mut first = (Nanos::MAX, Next::Wake);
        if let Some((at, due)) = self.clients.earliest() {
            first = (at, Next::Clients(due));
        }
        // An action goes before what starts with it, so before the clients' part
        // where both are due together: ends that meet it are counted after it.
        if let Some(at) = self.timeline.next_deadline()
            && at <= first.0
        {
            first = (at, Next::Action);
        }
        if let Some(at) = self.responders.next_deadline()
            && at < first.0
        {
            first = (at, Next::Response);
        }
        let fleet = self.wire.fleet.calendar.next();
        if fleet <= first.0 {
            first = (fleet, Next::Fleet);
        }
        let planned = self.clients.planned_end();
        if planned < first.0 {
            first = (planned, Next::Wake);
        }
        first
    }

    /// Goes to the instant, and closes every interval whose edge comes before or with it.
    fn advance(&mut self, to: Nanos) {
        while self.clients.edge() <= to {
            let edge = self.clients.edge();
            self.go_to(edge);
            self.clients.now(&mut self.wire);
            self.clients.settle(edge, &mut self.wire);
            self.sample_fleet(edge);
            self.tell_samples(edge);
            self.told_by_fleet();
            self.from = edge;
        }
        debug_assert!(to >= self.now, "time goes one way");
        self.go_to(to);
    }

    const fn go_to(&mut self, instant: Nanos) {
        self.now = instant;
        self.wire.now = instant;
    }

    /// Takes the samples of the fleet's parts since the last edge.
    fn sample_fleet(&mut self, to: Nanos) {
        let FleetWire { fleet, samples, .. } = &mut self.wire;
        fleet.sample(self.from, to, &mut |sample| samples.push(sample));
    }

    fn notice_end(&mut self) {
        if self.clients.load_ends(self.now) {
            self.tell(&record::Event::LoadEnded);
        }
    }

    /// Carries out the timeline entry that is due.
    fn act(&mut self) {
        if let Some(entry) = self.timeline.take(self.now) {
            self.carry_out(entry);
        }
    }

    /// Does what those on call decided.
    fn respond(&mut self) {
        let response = self.responders.take(self.now, &mut self.timeline);
        if let Some(event) = response.map(record::Event::of_response) {
            self.tell(&event);
            if let record::Event::Ordered { entry, .. } = event {
                self.carry_out(entry);
            }
        }
    }

    fn carry_out(&mut self, entry: usize) {
        let action = self.timeline.entries()[entry].action.clone();
        self.tell(&record::Event::ActionStarted {
            entry,
            action: action.clone(),
        });
        let outcome = match &action {
            Action::Clients(action) => {
                self.clients.act(*action, &mut self.wire);
                let detail = action.done();
                Some(Outcome::Applied { detail })
            }
            Action::Service(_) | Action::Fleet(_) => self.wire.fleet.act(self.now, entry, &action),
            Action::Outside(_) => Some(Outcome::Applied {
                detail: OutsideAction::DONE.into(),
            }),
            Action::Target(_) | Action::Proxy(_) => Some(Outcome::of_another_target(&action)),
        };
        self.told_by_fleet();
        if let Some(outcome) = outcome {
            self.happened(&record::Event::ActionEnded { entry, outcome });
        }
    }

    fn told_by_fleet(&mut self) {
        self.pending.append(&mut self.wire.fleet.happened);
        for event in std::mem::take(&mut self.pending) {
            self.happened(&event);
        }
    }

    /// An event that timeline entries may be waiting for.
    fn happened(&mut self, event: &record::Event) {
        if let Some(trigger) = event.trigger(self.timeline.entries()) {
            self.timeline.on(self.now, &trigger);
        }
        event.tell(self.now, &mut self.responders);
        self.tell(event);
    }

    fn tell(&mut self, event: &record::Event) {
        self.observer.event(self.now, event);
    }

    /// Tells the samples of an interval that ends at `to`, and what alerts make of them.
    fn tell_samples(&mut self, to: Nanos) {
        let mut changes = Vec::new();
        for sample in std::mem::take(&mut self.wire.samples) {
            changes.extend(self.alarms.sample(&sample));
            self.observer.sample(&sample);
        }
        changes.extend(self.alarms.sampled(self.from, to));
        for event in changes {
            self.happened(&event);
        }
    }

    /// Why it must stop, where it has met a bound.
    fn exceeded(&self) -> Option<StopCause> {
        let jobs = self.wire.fleet.jobs() as u64;
        let what = if self.events >= self.bounds.events {
            format!("{} events, which --events can raise", self.bounds.events)
        } else if jobs.saturating_mul(JOB_BYTES) >= self.bounds.memory {
            format!("{jobs} jobs that wait or run, which --memory can raise")
        } else {
            return None;
        };
        Some(StopCause::Failed {
            reason: format!(
                "the simulation stopped at {what}; it had reached {:.3} s of virtual time",
                self.now.as_secs_f64()
            ),
            code: EXIT_FAILED,
        })
    }

    /// Closes the books.
    fn finish(&mut self) {
        self.clients.finish(&mut self.wire);
        // Whole milliseconds, the precision of the latency log.
        let to = Nanos(self.now.0.div_ceil(1_000_000) * 1_000_000).max(self.from);
        if to > self.from {
            self.sample_fleet(to);
        }
        for sample in std::mem::take(&mut self.wire.samples) {
            debug_assert!(!matches!(sample.counters, Counters::Machine(_)));
            self.observer.sample(&sample);
        }
        self.told_by_fleet();
        // The last sample reaches up to there, so what is stopped is stopped there.
        for event in self.wire.fleet.stop(to) {
            self.tell(&event);
        }
    }
}
