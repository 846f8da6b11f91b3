//! Samples as frames: what was counted in one interval, users beside workers.
//!
//! Users are counted by their intended start, and an interval of theirs is known only when
//! its last operation has ended. Until then a frame has what ended in the interval, and is
//! not settled; it comes again when more is known. Pure: it is told samples and when to
//! look, and gives frames. A sample of the several that tell of an interval is shown only
//! once none has come for a turn, so that no half of an interval is seen.

use std::collections::BTreeMap;

use super::message::{Frame, HeldWorkers, InstanceFrame, rounded};
use crate::model::SourceName;
use crate::plan::Plan;
use crate::record::{
    AttemptCounters, Counters, GaugeCounters, Histogram, InstanceCounters, MachineCounters,
    Measure, OperationCounters, Sample,
};
use crate::units::Nanos;

/// The shortest frame: shorter ones are more than anybody sees.
const WIDTH_MIN: Nanos = Nanos::from_millis(200);
/// Frames of a run that goes on, of which not everything is known yet, at most: far more
/// than operations last.
const OPEN_MAX: usize = 4_096;
/// Frames of a run that is shown at once, at most: more than a screen has columns.
pub(super) const FINISHED_MAX: u64 = 4_000;
/// A frame that is settled may still be told of by a late reading for so many frames.
const LATE: u64 = 8;

/// A frame with the end of its interval.
pub(super) type FrameAt = (Nanos, Frame);

/// Adds samples up to frames.
#[derive(Debug)]
pub struct Frames {
    interval: Nanos,
    width: Nanos,
    /// The last operation is scheduled before this instant.
    end: Nanos,
    /// Who tells of users' operations: each tells of each interval once.
    tellers: u64,
    open_max: usize,
    buckets: BTreeMap<u64, Bucket>,
    /// What lies before it is told for good.
    first: u64,
    turn: u64,
}

#[derive(Debug, Default)]
struct Bucket {
    operations: OperationCounters,
    response: Option<Histogram>,
    told: u64,
    /// The end of the last interval of operations.
    operations_to: Nanos,
    users: AttemptCounters,
    monitors: AttemptCounters,
    send_lag: Option<Histogram>,
    scheduled: u64,
    generator: (u64, u64),
    machine: MachineCounters,
    instances: BTreeMap<SourceName, InstanceSums>,
    gauges: BTreeMap<SourceName, GaugeCounters>,
    /// The end of the last interval of everything else.
    to: Nanos,
    /// The turn in which something was added last; none: it has been shown since.
    changed: Option<u64>,
}

#[derive(Debug, Default)]
struct InstanceSums {
    sums: InstanceCounters,
    /// A level, which does not add up over intervals.
    workers: u64,
}

impl Frames {
    /// Frames of a run of this plan, as it goes on.
    pub fn new(plan: &Plan) -> Self {
        Self::of_width(plan, WIDTH_MIN, OPEN_MAX)
    }

    /// Frames of a run that has ended: no more than are seen at once.
    pub fn finished(plan: &Plan, to: Nanos) -> Self {
        let width = Nanos(to.max(plan.end).0 / FINISHED_MAX).max(WIDTH_MIN);
        Self::of_width(plan, width, usize::MAX)
    }

    fn of_width(plan: &Plan, least: Nanos, open_max: usize) -> Self {
        let interval = plan.interval.max(Nanos(1));
        let intervals = least.0.div_ceil(interval.0).max(1);
        let sites = plan.target.as_ref().map_or(1, |target| target.sites.len());
        let sites = u64::try_from(sites.max(1)).unwrap_or(u64::MAX);
        Self {
            interval,
            width: Nanos(interval.0.saturating_mul(intervals)),
            end: plan.end,
            tellers: sites.saturating_mul(plan.load.drive.threads.max(1).into()),
            open_max,
            buckets: BTreeMap::new(),
            first: 0,
            turn: 0,
        }
    }

    /// The length of a frame.
    pub const fn width(&self) -> Nanos {
        self.width
    }

    /// Takes a sample.
    pub fn take(&mut self, sample: &Sample) {
        let middle = (sample.from.0 / 2).saturating_add(sample.to.0 / 2);
        let place = middle / self.width.0;
        if place < self.first || !is_shown(sample) {
            return;
        }
        let bucket = self.buckets.entry(place).or_default();
        bucket.add(sample);
        bucket.changed = Some(self.turn);
    }

    /// What has changed and has been at rest since the last time that this was asked.
    pub fn rested(&mut self) -> Vec<FrameAt> {
        let turn = self.turn;
        self.turn += 1;
        let mut frames = self.shown(|changed| changed < turn, false);
        frames.extend(self.close());
        frames
    }

    /// All that has changed: nothing follows, so everything is settled.
    pub fn last(&mut self) -> Vec<FrameAt> {
        for bucket in self.buckets.values_mut() {
            let told = bucket.told > 0;
            // What was only an estimate is known now.
            if told && bucket.changed.is_none() {
                bucket.changed = Some(self.turn);
            }
        }
        self.shown(|_| true, true)
    }

    fn shown(&mut self, wanted: impl Fn(u64) -> bool, last: bool) -> Vec<FrameAt> {
        let mut frames = Vec::new();
        let places: Vec<u64> = self.buckets.keys().copied().collect();
        for place in places {
            let settled = last || self.is_settled(place);
            let (from, to) = self.bounds(place);
            let users_to = to.min(self.end.max(from));
            if let Some(bucket) = self.buckets.get_mut(&place)
                && bucket.changed.is_some_and(&wanted)
            {
                bucket.changed = None;
                frames.push((to, bucket.frame(from, users_to, settled)));
            }
        }
        frames
    }

    /// Lets go of what is known for good; what goes too early is shown a last time.
    fn close(&mut self) -> Vec<FrameAt> {
        let newest = self.buckets.last_key_value();
        let newest = newest.map_or(0, |(place, _)| *place);
        let mut frames = Vec::new();
        while let Some((&place, bucket)) = self.buckets.first_key_value() {
            let known = self.is_settled(place) && bucket.changed.is_none();
            let too_many = self.buckets.len() > self.open_max;
            if !(known && place.saturating_add(LATE) < newest || too_many) {
                break;
            }
            let (from, to) = self.bounds(place);
            if let Some(bucket) = self.buckets.remove(&place)
                && bucket.changed.is_some()
            {
                frames.push((to, bucket.frame(from, to, true)));
            }
            self.first = place + 1;
        }
        frames
    }

    fn bounds(&self, place: u64) -> (Nanos, Nanos) {
        let from = Nanos(self.width.0.saturating_mul(place));
        (from, from.saturating_add(self.width))
    }

    /// Whether everybody has told of each of its intervals.
    fn is_settled(&self, place: u64) -> bool {
        let (from, to) = self.bounds(place);
        let length = to.min(self.end).saturating_sub(from);
        let intervals = length.0.div_ceil(self.interval.0);
        let told = self.buckets.get(&place).map_or(0, |bucket| bucket.told);
        told >= intervals.saturating_mul(self.tellers)
    }
}

/// Whether a sample is one that frames are made of.
fn is_shown(sample: &Sample) -> bool {
    match sample.counters {
        Counters::Operations(_) => sample.is_of_all_operations(),
        Counters::Attempts(_) => {
            matches!(sample.source, SourceName::User | SourceName::Monitor)
        }
        Counters::Generator(_)
        | Counters::Machine(_)
        | Counters::Instance(_)
        | Counters::Gauges(_) => true,
        _ => false,
    }
}

impl Bucket {
    fn add(&mut self, sample: &Sample) {
        if let Counters::Operations(counters) = &sample.counters {
            self.operations.merge(counters);
            self.operations_to = self.operations_to.max(sample.to);
            self.told += 1;
            merge(&mut self.response, sample.histogram(Measure::Response));
            return;
        }
        self.to = self.to.max(sample.to);
        match &sample.counters {
            Counters::Attempts(counters) if sample.source == SourceName::User => {
                self.users.merge(counters);
            }
            Counters::Attempts(counters) => self.monitors.merge(counters),
            Counters::Generator(counters) => {
                self.scheduled = self.scheduled.saturating_add(counters.scheduled);
                let length = sample.to.saturating_sub(sample.from).0;
                let there = length.saturating_mul(counters.threads);
                self.generator.0 = self.generator.0.saturating_add(counters.cpu_ns);
                self.generator.1 = self.generator.1.saturating_add(there);
                merge(&mut self.send_lag, sample.histogram(Measure::SendLag));
            }
            Counters::Machine(counters) => self.machine.merge(counters),
            Counters::Instance(counters) => {
                let own = self.instances.entry(sample.source.clone()).or_default();
                own.workers = own.workers.max(counters.workers);
                own.sums.merge(counters);
            }
            Counters::Gauges(counters) => {
                let own = self.gauges.entry(sample.source.clone()).or_default();
                own.merge(counters);
            }
            _ => {}
        }
    }

    /// The frame of an interval from `from`, in which operations are scheduled until
    /// `users_to`.
    fn frame(&self, from: Nanos, users_to: Nanos, settled: bool) -> Frame {
        let covered = self.to.saturating_sub(from).as_secs_f64();
        let per_s = |count: u64| {
            let per_s = rate(count, covered);
            per_s.unwrap_or_default()
        };
        let users = &self.users;
        let frame = Frame {
            first: per_s(users.first_tries),
            retries: per_s(users.started().saturating_sub(users.first_tries)),
            probes: per_s(self.monitors.started()),
            held: self.held(),
            workers: self.workers(),
            busy_share: self.busy_share(),
            waiting: self.waiting(),
            instances: self.instances(),
            machine_busy: share(self.machine.busy_ns, self.machine.total_ns),
            send_lag_p99_ms: quantile(self.send_lag.as_ref(), 0.99),
            generator_busy: share(self.generator.0, self.generator.1),
            settled,
            ..Frame::default()
        };
        if settled {
            self.settled(frame, from, users_to)
        } else {
            self.estimated(frame, covered)
        }
    }

    /// Users by their intended start.
    fn settled(&self, frame: Frame, from: Nanos, users_to: Nanos) -> Frame {
        let operations = &self.operations;
        // Where the run was stopped within it, the interval is as long as was observed.
        let to = users_to.min(self.operations_to.max(from));
        let seconds = to.saturating_sub(from).as_secs_f64();
        let ended = operations.ended();
        let bad = ended.saturating_sub(operations.succeeded);
        Frame {
            width_s: if seconds > 0.0 { rounded(seconds) } else { 0.0 },
            scheduled: operations.scheduled,
            succeeded: operations.succeeded,
            offered: rate(operations.scheduled, seconds),
            goodput: rate(operations.succeeded, seconds),
            error_share: share(bad, ended),
            p50_ms: quantile(self.response.as_ref(), 0.5),
            p99_ms: quantile(self.response.as_ref(), 0.99),
            ..frame
        }
    }

    /// Users by what ended in the interval, whenever that had begun: an estimate. Of times
    /// there is none, since those that last are missing.
    fn estimated(&self, frame: Frame, covered: f64) -> Frame {
        let users = &self.users;
        let ended = users.ended_well.saturating_add(users.ended_badly);
        Frame {
            width_s: rounded(covered),
            scheduled: self.scheduled,
            succeeded: users.ended_well,
            offered: rate(self.scheduled, covered),
            goodput: rate(users.ended_well, covered),
            error_share: share(users.ended_badly, ended),
            ..frame
        }
    }

    /// What held the workers. The parts of callers who had gone, of detached verifications
    /// and of probes do not overlap. What a cold cache cost lies in any of them, and is shown
    /// as a part of what is left.
    fn held(&self) -> Option<HeldWorkers> {
        if self.instances.is_empty() {
            return None;
        }
        let part = |of: fn(&InstanceCounters) -> u64| -> f64 {
            let all = self.instances.values();
            all.map(|it| it.workers_for(of(&it.sums))).sum()
        };
        let busy = part(|it| it.busy_ns);
        let gone = part(|it| it.busy_zombie_ns);
        let detached = part(|it| it.busy_detached_ns);
        let probes = part(|it| it.busy_probe_ns);
        let left = (busy - gone - detached - probes).max(0.0);
        let cold = part(|it| it.busy_cold_ns).min(left);
        Some(HeldWorkers {
            live: rounded(left - cold),
            gone: rounded(gone),
            detached: rounded(detached),
            cold: rounded(cold),
            probes: rounded(probes),
        })
    }

    fn workers(&self) -> Option<f64> {
        if self.instances.is_empty() {
            return sum(self.gauges.values().map(GaugeCounters::workers));
        }
        let all = self.instances.values().map(|it| it.workers as f64);
        Some(all.sum())
    }

    fn busy_share(&self) -> Option<f64> {
        if self.instances.is_empty() {
            let busy = sum(self.gauges.values().map(GaugeCounters::busy))?;
            let workers = self.workers().filter(|workers| *workers > 0.0)?;
            return Some(rounded(busy / workers));
        }
        let all = self.instances.values();
        let (busy, there) = all.fold((0_u64, 0_u64), |(busy, there), it| {
            (
                busy.saturating_add(it.sums.busy_ns),
                there.saturating_add(it.sums.worker_ns),
            )
        });
        share(busy, there)
    }

    fn waiting(&self) -> Option<f64> {
        let fleet = self.instances.values().map(InstanceSums::waiting);
        sum(fleet.chain(self.gauges.values().map(GaugeCounters::queue))).map(rounded)
    }

    fn instances(&self) -> Vec<InstanceFrame> {
        let fleet = self.instances.iter().map(|(name, it)| InstanceFrame {
            name: name.to_string(),
            busy_share: share(it.sums.busy_ns, it.sums.worker_ns),
            waiting: it.waiting().map(rounded),
        });
        let gauges = self.gauges.iter().map(|(name, it)| InstanceFrame {
            name: name.to_string(),
            busy_share: it.saturation().map(rounded),
            waiting: it.queue().map(rounded),
        });
        fleet.chain(gauges).collect()
    }
}

impl InstanceSums {
    /// So much worker-time as a number of workers, on average.
    fn workers_for(&self, time_ns: u64) -> f64 {
        let of_time = time_ns as f64 / self.sums.worker_ns.max(1) as f64;
        of_time * self.workers as f64
    }

    fn waiting(&self) -> Option<f64> {
        let there = self.sums.worker_ns.checked_div(self.workers)?;
        let depth = self.sums.queue_depth_ns as f64 / there as f64;
        depth.is_finite().then_some(depth)
    }
}

/// The sum of those that are known; none where none is.
fn sum(all: impl Iterator<Item = Option<f64>>) -> Option<f64> {
    all.flatten()
        .fold(None, |sum, value| Some(sum.unwrap_or(0.0) + value))
}

fn share(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| (part as f64 / whole as f64 * 1e4).round() / 1e4)
}

fn rate(count: u64, seconds: f64) -> Option<f64> {
    (seconds > 0.0).then(|| rounded(count as f64 / seconds))
}

/// A quantile in milliseconds.
fn quantile(histogram: Option<&Histogram>, quantile: f64) -> Option<f64> {
    let time = histogram?.quantile(quantile)?;
    Some(rounded(time.as_millis_f64()))
}

fn merge(into: &mut Option<Histogram>, other: Option<&Histogram>) {
    if let Some(other) = other {
        into.get_or_insert_with(Histogram::small).merge(other);
    }
}
