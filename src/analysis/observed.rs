//! The user's target, as its own gauges and the kernel tell of it.
//!
//! Both are point samples, so nothing here is put beside the fleet's time
//! integrals as if it were one of them: figures keep the name of their source.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::findings::{Findings, Phase};
use super::observation::Observation;
use super::series::{Bucket, Series, share};
use crate::model::{GaugePlace, GaugeSource, SourceName};
use crate::plan::Plan;
use crate::record::{GaugeCounters, ProcessCounters, mean};
use crate::units::Nanos;

/// What a target's own gauges said in a phase: **point samples**, so means are
/// over readings and what was between two readings is unknown.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct GaugeFigures {
    /// Whose gauges.
    #[schemars(with = "String")]
    pub source: SourceName,
    /// Readings that told something.
    pub readings: u64,
    /// Readings that failed.
    pub failed: u64,
    /// Busy workers, on average; null where no reading told.
    pub busy: Option<f64>,
    /// Most busy workers at a reading.
    pub busy_max: Option<f64>,
    /// Workers, on average; null where no reading told.
    pub workers: Option<f64>,
    /// Whether the number of workers was stated (a default, or the user's own)
    /// instead of read.
    pub workers_stated: bool,
    /// Busy workers / workers; null where one of them is unknown.
    pub saturation: Option<f64>,
    /// Jobs waiting, on average; null where no reading told.
    pub queue: Option<f64>,
    /// Most jobs waiting at a reading.
    pub queue_max: Option<f64>,
    /// Requests that the target completed, per second, whoever still waited; not a point
    /// sample: the difference of its own count between readings.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub completed_per_s: Option<f64>,
}

/// A time in which the gauges of a source had no value: nothing is known of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct GaugeGap {
    /// Whose gauges.
    #[schemars(with = "String")]
    pub source: SourceName,
    /// Its start, on an edge of the buckets.
    pub from_s: f64,
    /// Its end, likewise.
    pub to_s: f64,
    /// Readings in it that failed.
    pub failed: u64,
    /// Where the target serves these gauges at its own address: seconds of it in which the
    /// target answered no request either, though some were in flight. Left out where there
    /// were none.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub unanswered_s: f64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands a reference")]
fn is_zero(seconds: &f64) -> bool {
    *seconds <= 0.0
}

/// A watched process in a phase, with its descendants: **point samples**, but for
/// the processor time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ProcessFigures {
    /// Which process.
    #[schemars(with = "String")]
    pub source: SourceName,
    /// Readings of it.
    pub readings: u64,
    /// Readings that failed.
    pub failed: u64,
    /// Processes, on average; null where none was read.
    pub processes: Option<f64>,
    /// Threads, on average.
    pub threads: Option<f64>,
    /// Most threads at a reading.
    pub threads_max: Option<u64>,
    /// Threads that were running or ready to, on average.
    pub threads_running: Option<f64>,
    /// Threads that waited within the kernel and could not be woken, on average.
    pub threads_blocked: Option<f64>,
    /// Processors used, on average: processor time / time.
    pub processors: Option<f64>,
    /// Most resident memory at a reading; shared pages count for each process.
    pub memory_bytes_max: Option<u64>,
    /// Open files, on average.
    pub files: Option<f64>,
    /// Most open files at a reading.
    pub files_max: Option<u64>,
    /// Connections in the accept queue, on average; null where the
    /// listening socket was not read.
    pub listen_queue: Option<f64>,
    /// Most connections in the accept queue at a reading.
    pub listen_queue_max: Option<u64>,
}

/// What the gauges of each source said in these buckets; sources that were not
/// read in any of them are left out.
pub(super) fn gauges(series: &Series, buckets: &[Bucket]) -> Vec<GaugeFigures> {
    let all = |place| {
        merged(buckets, GaugeCounters::merge, move |it| {
            it.gauges.get(place)
        })
    };
    let sources = series.gauges.iter().enumerate();
    let read = sources.filter_map(|(place, source)| Some(figures(source, &all(place)?)));
    read.collect()
}

/// What was read in any of these buckets, added up.
fn merged<'a, T: Default + 'a>(
    buckets: &'a [Bucket],
    merge: fn(&mut T, &T),
    of: impl Fn(&'a Bucket) -> Option<&'a Option<T>>,
) -> Option<T> {
    let mut all: Option<T> = None;
    for own in buckets.iter().filter_map(of).flatten() {
        merge(all.get_or_insert_default(), own);
    }
    all
}

fn figures(source: &SourceName, all: &GaugeCounters) -> GaugeFigures {
    let most = |milli: u64, readings: u64| (readings > 0).then_some(milli as f64 / 1e3);
    GaugeFigures {
        source: source.clone(),
        readings: all.readings,
        failed: all.failed,
        busy: all.busy(),
        busy_max: most(all.busy_milli_max, all.busy_readings),
        workers: all.workers(),
        workers_stated: all.workers_stated > 0,
        saturation: all.saturation(),
        queue: all.queue(),
        queue_max: most(all.queue_milli_max, all.queue_readings),
        completed_per_s: all.completed_per_s(),
    }
}

/// Intervals of reading without a reading that are no gap: one that came a little late
/// leaves a bucket empty.
const LATE: u64 = 2;

/// The gaps of every source of a plan, from the end of the warm-up on.
pub(super) fn gaps(series: &Series, observation: Observation, plan: &Plan) -> Vec<GaugeGap> {
    let buckets = series.between(observation.from, observation.to);
    let sources = series.gauges.iter().enumerate();
    let all = sources.flat_map(|(place, source)| {
        let tells = Roles::told(buckets.iter().filter_map(|it| read(it, place)));
        let mut planned = plan.gauges.iter();
        let planned = planned.find(|own| SourceName::from(own.name.as_str()) == *source);
        let every = planned.map_or(Nanos::ZERO, |own| own.every);
        let serves_them = planned.is_some_and(|own| is_served_by_target(own, plan));
        let silent = every.max(series.interval).0.saturating_mul(LATE);
        let mut gaps: Vec<Gap> = Vec::new();
        for bucket in buckets {
            let own = read(bucket, place);
            if own.is_some_and(|own| Roles::told([own]) == tells && own.readings > 0) {
                continue;
            }
            let (read, failed) = own.map_or((0, 0), |own| (own.readings, own.failed));
            match gaps.last_mut() {
                Some(gap) if gap.to == bucket.from => gap.to = bucket.to,
                _ => gaps.push(Gap::from(bucket)),
            }
            if let Some(gap) = gaps.last_mut() {
                gap.failed = gap.failed.saturating_add(failed);
                gap.answered |= read > 0 || failed > 0;
                if serves_them && is_unanswered(bucket) {
                    gap.unanswered += bucket.to.saturating_sub(bucket.from);
                }
            }
        }
        gaps.retain(|gap| gap.answered || gap.to.saturating_sub(gap.from).0 >= silent);
        let told = gaps.into_iter().map(|gap| GaugeGap {
            source: source.clone(),
            from_s: gap.from.as_secs_f64(),
            to_s: gap.to.as_secs_f64(),
            failed: gap.failed,
            unanswered_s: gap.unanswered.as_secs_f64(),
        });
        told.collect::<Vec<_>>()
    });
    all.collect()
}

/// A gap while it is put together.
struct Gap {
    from: Nanos,
    to: Nanos,
    failed: u64,
    /// Whether it was tried to read in it.
    answered: bool,
    /// For how long the target, which serves the page, answered nothing else either.
    unanswered: Nanos,
}

/// Whether a page of gauges is at the address of the target itself.
fn is_served_by_target(source: &GaugeSource, plan: &Plan) -> bool {
    let GaugePlace::Page(page) = &source.place else {
        return false;
    };
    let target = plan.target.as_ref();
    let mut sites = target.into_iter().flat_map(|target| &target.sites);
    sites.any(|site| (site.url.host.as_str(), site.url.port) == (page.host(), page.port()))
}

/// Whether users waited for answers, and nobody got one.
fn is_unanswered(bucket: &Bucket) -> bool {
    let users = bucket.users.as_ref();
    users.is_some_and(|users| users.responses == 0 && users.started() + users.in_flight > 0)
}

impl Gap {
    const fn from(bucket: &Bucket) -> Self {
        Self {
            from: bucket.from,
            to: bucket.to,
            failed: 0,
            answered: false,
            unanswered: Nanos::ZERO,
        }
    }
}

/// Which levels readings told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Roles {
    busy: bool,
    workers: bool,
    queue: bool,
}

impl Roles {
    fn told<'a>(all: impl IntoIterator<Item = &'a GaugeCounters>) -> Self {
        all.into_iter().fold(Self::default(), |told, own| Self {
            busy: told.busy || own.busy_readings > 0,
            workers: told.workers || own.workers_readings > 0,
            queue: told.queue || own.queue_readings > 0,
        })
    }
}

fn read(bucket: &Bucket, place: usize) -> Option<&GaugeCounters> {
    bucket.gauges.get(place)?.as_ref()
}

/// How each process was in these buckets; those that were not read in any of
/// them are left out.
pub(super) fn processes(series: &Series, buckets: &[Bucket]) -> Vec<ProcessFigures> {
    let all = |place| {
        merged(buckets, ProcessCounters::merge, move |it| {
            it.processes.get(place)
        })
    };
    let sources = series.processes.iter().enumerate();
    let read = sources.filter_map(|(place, source)| Some(process(source, &all(place)?)));
    read.collect()
}

fn process(source: &SourceName, all: &ProcessCounters) -> ProcessFigures {
    let each = |sum| mean(sum, all.readings);
    let most = |value: u64, readings: u64| (readings > 0).then_some(value);
    ProcessFigures {
        source: source.clone(),
        readings: all.readings,
        failed: all.failed,
        processes: each(all.processes),
        threads: each(all.threads),
        threads_max: most(all.threads_max, all.readings),
        threads_running: each(all.threads_running),
        threads_blocked: each(all.threads_blocked),
        processors: share(all.cpu_ns, all.covered_ns),
        memory_bytes_max: most(all.memory_bytes_max, all.readings),
        files: mean(all.files, all.files_readings),
        files_max: most(all.files_max, all.files_readings),
        listen_queue: all.listen_queue(),
        listen_queue_max: most(all.listen_queue_max, all.listen_readings),
    }
}

/// The highest saturation that any gauges of a phase told.
pub(super) fn saturation(phase: &Phase) -> Option<f64> {
    let told = phase.gauges.iter().filter_map(|gauges| gauges.saturation);
    told.reduce(f64::max)
}

/// The longest queue that any gauges of a phase told, or else the longest queue
/// of a listening socket.
pub(super) fn queue_max(phase: &Phase) -> Option<f64> {
    let told = phase.gauges.iter().filter_map(|gauges| gauges.queue_max);
    let sockets = phase.processes.iter();
    let sockets = sockets.filter_map(|process| Some(process.listen_queue_max? as f64));
    told.reduce(f64::max).or_else(|| sockets.reduce(f64::max))
}

impl Findings {
    /// For how many seconds of a phase the gauges of a source had no value.
    pub fn unread_s(&self, source: &SourceName, phase: &Phase) -> f64 {
        let gaps = self.gauge_gaps.iter().filter(|gap| gap.source == *source);
        let within = gaps.map(|gap| gap.to_s.min(phase.to_s) - gap.from_s.max(phase.from_s));
        within.fold(0.0, |sum, seconds| sum + seconds.max(0.0))
    }

    /// The most jobs that waited at a reading of a target's own gauges; none where none
    /// told.
    pub fn gauge_queue_max(&self) -> Option<f64> {
        let gauges = self.phases.iter().flat_map(|phase| &phase.gauges);
        let most = gauges.filter_map(|gauges| gauges.queue_max);
        most.reduce(f64::max)
    }
}

/// Figures of two sources that differ by no more than this share are the same workers.
const SAME_WORKERS: f64 = 0.1;
/// A source is exhausted on average from this saturation on.
const EXHAUSTED_FROM: f64 = 0.9;
/// Fewer that wait explain nothing.
const WAITING_MIN: f64 = 2.0;

/// Of two sources of which the workers of one wait for the other: where who waits for and
/// who has one of the second are together as many as are busy in the first.
pub(super) fn waits_within(phases: &[Phase]) -> Option<String> {
    let found = phases.iter().filter_map(|phase| {
        let pairs = phase.gauges.iter().flat_map(|outer| {
            let inner = phase
                .gauges
                .iter()
                .filter(|inner| inner.source != outer.source);
            inner.map(move |inner| (outer, inner))
        });
        let waits = |(outer, inner)| Some((waiting_within(outer, inner)?, outer, inner));
        let longest = pairs
            .filter_map(waits)
            .max_by(|one, other| one.0.total_cmp(&other.0))?;
        Some((phase, longest))
    });
    let (phase, (waiting, outer, inner)) =
        found.max_by(|one, other| one.1.0.total_cmp(&other.1.0))?;
    let (of, size) = (&outer.source, &inner.source);
    Some(format!(
        "In the phase `{}` {waiting:.1} of the {:.1} busy of `{of}` waited for one of the {:.0} of \
         `{size}`: what is short is `{size}`, and more of `{of}` would wait as well.",
        phase.name,
        outer.busy.unwrap_or_default(),
        inner.workers.unwrap_or_default(),
    ))
}

/// How many of the busy workers of `outer` wait for one of `inner`, where that is what
/// both say.
fn waiting_within(outer: &GaugeFigures, inner: &GaugeFigures) -> Option<f64> {
    let (busy, taken, waiting) = (outer.busy?, inner.busy?, inner.queue?);
    let exhausted = inner.saturation? >= EXHAUSTED_FROM && waiting >= WAITING_MIN;
    let same = (waiting + taken - busy).abs() <= SAME_WORKERS * busy;
    (exhausted && same).then_some(waiting)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gauges(source: &str, busy: f64, workers: f64, queue: Option<f64>) -> GaugeFigures {
        GaugeFigures {
            source: source.into(),
            readings: 40,
            failed: 0,
            busy: Some(busy),
            busy_max: Some(busy),
            workers: Some(workers),
            workers_stated: false,
            saturation: Some(busy / workers),
            queue,
            queue_max: queue,
            completed_per_s: None,
        }
    }

    fn told(all: &[GaugeFigures]) -> Option<String> {
        let phase = Phase {
            name: "surge".into(),
            gauges: all.to_vec(),
            ..Phase::default()
        };
        waits_within(&[phase])
    }

    #[test]
    fn workers_that_wait_for_a_connection_are_named_by_what_is_short() {
        let threads = gauges("puma", 46.0, 48.0, Some(70.0));
        let pool = |busy, queue| gauges("connections", busy, 4.0, Some(queue));
        let sentence = told(&[pool(4.0, 42.5), threads.clone()]).unwrap();
        assert!(
            sentence.contains(
                "42.5 of the 46.0 busy of `puma` waited for one of the 4 of `connections`"
            ),
            "{sentence}"
        );
        for other in [
            pool(4.0, 20.0), // the threads do something else
            pool(2.0, 44.0), // there are free ones
            pool(4.0, 0.0),  // nobody waits
            gauges("connections", 4.0, 4.0, None),
        ] {
            assert_eq!(told(&[other, threads.clone()]), None);
        }
        assert_eq!(told(&[threads]), None);
    }
}
