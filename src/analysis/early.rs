//! What is expected and can no longer hold, found while a run goes on.
//!
//! A run may end as soon as that is certain. Only what arithmetic makes certain counts:
//!
//! - what was counted can only grow, and is beyond an upper bound: failures, operations that
//!   were wrongly allowed, rejected rollbacks, exhausted instances;
//! - so many of all the operations that the load can ever schedule have failed, or took too
//!   long, that the others cannot make up for them;
//! - a phase is over, or a window between instants that are known beforehand, and all of its
//!   operations have ended: its figures are final, and are found as at the end of the run.
//!
//! Everything else goes on to the end. Windows that are named by events of the incident do:
//! which events those are is known only then.

use std::collections::{BTreeMap, BTreeSet};

use super::expectations::{named, required};
use super::find::findings;
use super::observation::Observation;
use super::phases::{self, Stretch};
use super::series::{Series, bad, middle, series};
use super::{exhaustion, journal, kinds};
use crate::model::{ActionName, Anchor, ArrivalProcess, Outcome, Point, SourceName, Window};
use crate::plan::{Bound, Expectation, Figure, Plan};
use crate::record::{
    Backend, Counters, Event, FailureCounters, Header, Histogram, Measure, OperationCounters,
    Record, Sample, Samples, is_told,
};
use crate::units::{Nanos, whole};

/// Watches those expectations of a run that may end it.
#[derive(Debug)]
pub struct Early {
    /// The plan; what was done; and while a stretch is open, every sample.
    record: Record,
    /// Places of expectations over a phase or a window that were not looked at yet.
    open: Vec<usize>,
    failures: BTreeMap<SourceName, FailureCounters>,
    rejected: u64,
    /// The places of the rollbacks that have begun.
    rollbacks: BTreeSet<usize>,
    /// Instances that were exhausted, and the gauges of buckets that are not final.
    exhausted: BTreeSet<SourceName>,
    gauges: Record,
    settled: Settled,
    /// Operations that the load schedules at most; none where nobody knows.
    scheduled_max: Option<u64>,
}

impl Early {
    /// Of a plan; none where no expectation may end its run.
    pub fn of(plan: &Plan) -> Option<Self> {
        let all = plan.expectations.iter().enumerate();
        let wanted: Vec<_> = all.filter(|(_, it)| it.abort).collect();
        let open = wanted.iter().filter(|(_, it)| !is_of_whole(it));
        (!wanted.is_empty()).then(|| Self {
            open: open.map(|(place, _)| *place).collect(),
            failures: BTreeMap::new(),
            rejected: 0,
            rollbacks: BTreeSet::new(),
            exhausted: BTreeSet::new(),
            gauges: empty(plan),
            settled: Settled::of(plan),
            scheduled_max: scheduled_max(plan),
            record: empty(plan),
        })
    }

    /// Takes an event.
    pub fn event(&mut self, at: Nanos, event: &Event) {
        match event {
            Event::ActionStarted { entry, action } if action.name() == ActionName::Rollback => {
                self.rollbacks.insert(*entry);
            }
            Event::ActionEnded { entry, outcome } => {
                let refused = matches!(outcome, Outcome::Rejected { .. });
                self.rejected += u64::from(refused && self.rollbacks.contains(entry));
            }
            _ => {}
        }
        if !self.open.is_empty() {
            self.record.events.push((at, event.clone()));
        }
    }

    /// Takes a sample.
    pub fn sample(&mut self, sample: &Sample) {
        match &sample.counters {
            Counters::Failures(counters) => {
                let own = self.failures.entry(sample.source.clone()).or_default();
                own.merge(counters);
            }
            Counters::Operations(_) => self.settled.take(sample),
            Counters::Instance(_) | Counters::Gauges(_) => self.gauges.samples.push(sample),
            _ => {}
        }
        if !self.open.is_empty() {
            self.record.samples.push(sample);
        }
    }

    /// Everything up to `now` was told: which expectation can no longer hold, and why, in a
    /// clause. While what is under way at the end of the load is awaited, none ends the run.
    pub fn lost(&mut self, now: Nanos) -> Option<String> {
        if now > self.record.header.plan.end {
            return None;
        }
        self.exhaust(now);
        let all = self.record.header.plan.expectations.iter();
        let mut wanted = all.filter(|it| it.abort && is_of_whole(it));
        let of_whole = wanted.find_map(|expectation| {
            let found = self.of_whole(expectation)?;
            let (name, bound) = (named(expectation), required(expectation));
            Some(format!("{name}: {found}; required {bound}"))
        });
        of_whole.or_else(|| self.of_stretches(now))
    }

    /// Looks who was exhausted in buckets that are final by now.
    fn exhaust(&mut self, now: Nanos) {
        // Gauges of the last interval may come a little late.
        let told = now.saturating_sub(self.record.interval());
        let until = self.axis().edge_before(told).min(self.settled.until);
        let seen = Observation {
            from: self.settled.from,
            to: until,
            completed: false,
        };
        let windows = exhaustion::windows(&series(&self.gauges), seen);
        let names = windows.into_iter().map(|window| window.instance);
        self.exhausted.extend(names);
        let later = |sample: &Sample| middle(sample) >= until;
        self.gauges.samples.retain(later);
    }

    /// What of the whole run has been seen that its bound forbids.
    fn of_whole(&self, expectation: &Expectation) -> Option<String> {
        match (expectation.that, &expectation.bound) {
            (Figure::Failures, Bound::AtMost(most)) => {
                let of = &expectation.of;
                let own = self.failures.get(&of.source())?.iter();
                let own = own.filter(|(cause, _)| of.cause.is_none_or(|it| it == *cause));
                grown(own.map(|(_, count)| count).sum(), *most)
            }
            (Figure::RejectedRollbacks, Bound::AtMost(most)) => grown(self.rejected, *most),
            (Figure::ExhaustedInstances, Bound::AtMost(most)) => {
                grown(self.exhausted.len() as u64, *most)
            }
            (figure, bound) => {
                let source = match &expectation.kind {
                    None => SourceName::User,
                    Some(name) => kinds::source(&self.record.header.plan, name)?,
                };
                let part = self.settled.parts.get(&source)?;
                part.beyond(figure, bound, self.scheduled_max)
            }
        }
    }

    /// What was found of stretches that are over by now.
    fn of_stretches(&mut self, now: Nanos) -> Option<String> {
        let stretches = self.stretches();
        let open = self.open.iter().copied();
        let due: Vec<usize> = open
            .filter(|place| self.is_over(*place, &stretches, now))
            .collect();
        if due.is_empty() {
            return None;
        }
        let found = findings(&self.record).expectations;
        self.open.retain(|place| !due.contains(place));
        if self.open.is_empty() {
            self.record.samples = Samples::default();
        }
        let mut due = due.into_iter().filter_map(|place| found.get(place));
        let failed = due.find(|it| it.passed == Some(false))?;
        Some(format!(
            "{}: {}; required {}",
            failed.that, failed.observed, failed.required
        ))
    }

    /// The phases so far; the last may still become shorter.
    fn stretches(&self) -> Vec<Stretch> {
        let plan = &self.record.header.plan;
        let series = self.axis();
        let whole = Observation {
            from: series.edge_after(plan.warm_up),
            to: plan.end,
            completed: false,
        };
        let surges = plan.surge_changes();
        let taken = journal::taken(&self.record);
        phases::stretches(&series, &phases::cuts(&taken, &surges), whole)
    }

    /// The edges of the buckets.
    fn axis(&self) -> Series {
        Series {
            interval: self.record.interval(),
            ..Series::default()
        }
    }

    /// Whether all that happened in what an expectation is taken over was told.
    fn is_over(&self, place: usize, stretches: &[Stretch], now: Nanos) -> bool {
        let expectation = self.record.header.plan.expectations.get(place);
        let end = expectation.and_then(|it| self.end(it, stretches));
        // Gauges of the last interval may come a little late.
        end.is_some_and(|end| {
            self.settled.until >= end && now >= end.saturating_add(self.record.interval())
        })
    }

    /// Where the phase or window of an expectation ends; none where nobody knows yet.
    fn end(&self, expectation: &Expectation, stretches: &[Stretch]) -> Option<Nanos> {
        match (&expectation.window, &expectation.phase) {
            (Some(Window::Between(from, to)), _) => {
                self.instant(from, stretches)?;
                self.instant(to, stretches)
            }
            (None, Some(name)) => {
                let mut pairs = stretches.iter().zip(stretches.iter().skip(1));
                let (own, _) = pairs.find(|(own, _)| own.name == *name)?;
                Some(own.to)
            }
            _ => None,
        }
    }

    /// When a point is; none where that is known only at the end.
    fn instant(&self, point: &Point, stretches: &[Stretch]) -> Option<Nanos> {
        let anchor = match &point.anchor {
            Anchor::Zero => Nanos::ZERO,
            Anchor::Start => self.axis().edge_after(self.record.header.plan.warm_up),
            Anchor::Phase(name) => {
                let mut known = stretches.iter();
                known.find(|stretch| stretch.name == *name)?.from
            }
            Anchor::End | Anchor::Moment(_) => return None,
        };
        let later = anchor.saturating_add(point.after);
        Some(later.saturating_sub(point.before))
    }
}

/// A record of a plan in which nothing has happened yet.
fn empty(plan: &Plan) -> Record {
    Record {
        header: Header::new(plan.clone(), Backend::Live),
        events: Vec::new(),
        samples: Samples::default(),
        merged_to: None,
    }
}

/// Whether an expectation is about the whole run.
const fn is_of_whole(expectation: &Expectation) -> bool {
    expectation.window.is_none() && expectation.phase.is_none()
}

/// What only grows, where it is beyond its bound.
fn grown(count: u64, most: f64) -> Option<String> {
    (count as f64 > most).then(|| format!("{count} so far"))
}

/// Operations that a load schedules at most; none where chance decides, or the answers do.
fn scheduled_max(plan: &Plan) -> Option<u64> {
    let load = &plan.load;
    let known = load.process == ArrivalProcess::Constant
        && load.drive.closed.is_none()
        && load.replay.is_none();
    if !known {
        return None;
    }
    let ends = load.rate.iter().skip(1).map(|(from, _)| *from);
    let ends = ends.chain([plan.end]);
    let pieces = load.rate.iter().zip(ends).map(|((from, shape), to)| {
        let length = to.min(plan.end).saturating_sub(*from).as_secs_f64();
        shape.area(length, length)
    });
    // One more for what rounding hides.
    let all = whole(pieces.sum::<f64>().ceil()).saturating_add(1);
    Some(load.drive.operations.map_or(all, |most| all.min(most)))
}

/// Users' operations in the buckets that are final, without a hole from the first on: a run
/// that ends now is judged by these.
#[derive(Debug)]
struct Settled {
    /// The end of the warm-up, on an edge of the buckets.
    from: Nanos,
    /// Threads, each of which tells every bucket.
    threads: usize,
    /// The end of the last bucket of these.
    until: Nanos,
    /// Buckets that come after one that is not final: how many threads told it, and what.
    waiting: BTreeMap<Nanos, (usize, Vec<Sample>)>,
    /// Those of all, of each kind, of each URL.
    parts: BTreeMap<SourceName, Part>,
}

/// A part of the operations.
#[derive(Debug, Default)]
struct Part {
    counters: OperationCounters,
    response: Histogram,
}

impl Settled {
    fn of(plan: &Plan) -> Self {
        let axis = Series {
            interval: plan.interval,
            ..Series::default()
        };
        Self {
            from: axis.edge_after(plan.warm_up),
            threads: plan.load.drive.threads as usize * plan.urls().len().max(1),
            until: Nanos::ZERO,
            waiting: BTreeMap::new(),
            parts: BTreeMap::new(),
        }
    }

    fn take(&mut self, sample: &Sample) {
        let (told, samples) = self.waiting.entry(sample.from).or_default();
        *told += usize::from(sample.is_of_all_operations());
        samples.push(sample.clone());
        while let Some(first) = self.waiting.first_entry()
            && *first.key() <= self.until
            && first.get().0 >= self.threads
        {
            let (_, samples) = first.remove();
            for sample in samples {
                self.until = self.until.max(sample.to);
                if sample.from >= self.from {
                    self.parts
                        .entry(sample.source.clone())
                        .or_default()
                        .add(&sample);
                }
            }
        }
    }
}

impl Part {
    fn add(&mut self, sample: &Sample) {
        if let Counters::Operations(counters) = &sample.counters {
            self.counters.merge(counters);
        }
        if let Some(response) = sample.histogram(Measure::Response) {
            self.response.merge(response);
        }
    }

    /// What has been seen that a bound of the whole run forbids, if so many operations are
    /// scheduled at most.
    fn beyond(&self, figure: Figure, bound: &Bound, scheduled: Option<u64>) -> Option<String> {
        if let (Figure::WronglyAllowed, Bound::AtMost(most)) = (figure, bound) {
            return grown(self.counters.failed_wrongly_allowed, *most);
        }
        let scheduled = scheduled?;
        let bad = bad(&self.counters);
        let share = bad as f64 / scheduled.max(1) as f64;
        let failed = format!("{bad} of at most {scheduled} operations failed so far");
        match (figure, bound) {
            (Figure::ErrorShare, Bound::AtMost(most)) => (share > *most).then_some(failed),
            (Figure::GoodputShare, Bound::AtLeast(least)) => {
                (1.0 - share < *least).then_some(failed)
            }
            (figure, Bound::AtMost(most)) => {
                let quantile = response_quantile(figure)?;
                let slow = self.response.above(Nanos::from_secs_f64(*most));
                let rank = whole((quantile * scheduled as f64).ceil());
                // One more for what rounding hides.
                let beyond = scheduled.saturating_sub(slow).saturating_add(1) < rank;
                (beyond && is_told(quantile, self.response.count()))
                    .then(|| format!("{slow} of at most {scheduled} operations took longer so far"))
            }
            _ => None,
        }
    }
}

/// Which quantile of the response time of operations that succeeded.
const fn response_quantile(figure: Figure) -> Option<f64> {
    match figure {
        Figure::ResponseP50 => Some(0.5),
        Figure::ResponseP90 => Some(0.9),
        Figure::ResponseP99 => Some(0.99),
        Figure::ResponseP999 => Some(0.999),
        _ => None,
    }
}
