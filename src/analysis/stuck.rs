//! Capacity that is held and does nothing: a deadlock, or a leak.
//!
//! The other sustaining effects are loops: more work than there was. These two are not.
//! In a *deadlock* the workers that there are hold each other, so nothing completes and
//! nothing runs. After a *leak* a part of them is held by nobody, and the rest does what it
//! can. From outside both look like an overload, and are told from one by what the work
//! needed: by Little's law a worker is needed for as long as each job took in the baseline,
//! for each job that completes. An overload completes as much as its workers can; what is
//! held beyond that is held for nothing.
//!
//! Completed is what the target itself completed, whoever still waited. Answers that users
//! took in time are fewer: in a storm of retries a server works at its limit for callers who
//! have gone. So of a user's target neither is named without its own count.
//!
//! What waits for another service is not stuck by itself: verifications in progress are taken
//! off, and a dependency behind a proxy that exchanges are in progress with rules both out.
//! Nor is a worker lost that waits for a connection of a pool: what it waits for may be.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::dependencies;
use super::incident::Evidence;
use super::series::Bucket;
use crate::model::{SourceName, SustainingEffect};
use crate::units::Nanos;

/// Buckets before anything is said of them.
const BUCKETS_MIN: usize = 3;
/// Jobs of the baseline before it tells what a job needs.
const JOBS_MIN: f64 = 20.0;
/// Held is constant where it varies by no more than this share.
const CONSTANT: f64 = 0.05;
/// All workers are held from this share on: the hundredth left is the time a reading takes.
const ALL_HELD: f64 = 0.99;
/// A leak is at least this share of the workers, and at least one.
const LEAK_SHARE: f64 = 0.10;
/// A leak that loses more than a tenth of its size comes back: a slow drain.
const STAYS: f64 = 0.9;
/// Processors that a process may use while nothing runs: its clocks, and the page of gauges
/// that is read.
const NOTHING_RUNS: f64 = 0.05;
/// Threads that share this much of a processor may wait for it, and for nothing else: then
/// a job takes longer, and its thread is not lost.
const SHARE_A_PROCESSOR: f64 = 0.9;
/// Exchanges in progress from which on another service is waited for.
const WAITS: f64 = 0.5;
/// Buckets of the window that were read, at least: a gauge that is served by what it tells
/// of is read in the moments in which nothing is stuck.
const READ: f64 = 0.75;

/// What is held for nothing, as a deadlock or a leak was named from it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct HeldCapacity {
    /// Whose workers: the gauges of this name; null for the fleet.
    #[schemars(with = "Option<String>")]
    pub source: Option<SourceName>,
    /// Workers, or connections of a pool, that were held on average; for a leak without
    /// workers that waited for a connection.
    pub held: f64,
    /// How many there are; null where that was not read.
    pub workers: Option<f64>,
    /// How many what completed needed, by the baseline's worker-time for each job.
    pub needed: f64,
    /// Jobs or requests that the target completed, per second, whoever still waited.
    pub completed_per_s: f64,
    /// Processors that the target's processes used; null where they were not read.
    pub processors: Option<f64>,
    /// The start of the window, on an edge of the buckets.
    pub from_s: f64,
    /// Its end, likewise.
    pub to_s: f64,
}

/// Workers in one bucket.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Level {
    /// Held, without those that wait for the identity service.
    held: f64,
    /// Of them: waiting for a connection of the instance's pool.
    waiting: f64,
    workers: Option<f64>,
    /// Completed in the bucket.
    completed: f64,
    seconds: f64,
}

/// Whose workers are looked at.
#[derive(Debug, Clone, Copy)]
enum Carrier {
    Fleet,
    /// The gauges at this place of the series.
    Gauges(usize),
}

impl Level {
    fn of(bucket: &Bucket, carrier: Carrier) -> Option<Self> {
        match carrier {
            Carrier::Fleet => Self::of_fleet(bucket),
            Carrier::Gauges(place) => Self::of_gauges(bucket, place),
        }
    }

    fn of_fleet(bucket: &Bucket) -> Option<Self> {
        let fleet = bucket.fleet();
        let covered = fleet.covered_ns as f64;
        if fleet.covered_ns == 0 {
            return None;
        }
        let counters = &fleet.counters;
        let identity = bucket.identity.unwrap_or_default();
        let elsewhere = identity.busy_ns.saturating_add(identity.waiting_ns);
        // A part of a cold verification may be counted in both: then less is held.
        let own = counters
            .busy_ns
            .saturating_sub(elsewhere.max(counters.busy_cold_ns));
        Some(Self {
            held: own as f64 / covered,
            waiting: counters.busy_connection_ns as f64 / covered,
            workers: Some(counters.worker_ns as f64 / covered),
            completed: counters.finished_serving() as f64,
            seconds: covered / 1e9,
        })
    }

    fn of_gauges(bucket: &Bucket, place: usize) -> Option<Self> {
        let gauges = bucket.gauges.get(place)?.as_ref()?;
        let seconds = Nanos(gauges.completed_covered_ns).as_secs_f64();
        Some(Self {
            held: gauges.busy()?,
            waiting: 0.0,
            workers: gauges.workers(),
            completed: gauges.completed_per_s()? * seconds,
            seconds,
        })
    }

    /// Held, and not in a wait for a connection.
    fn kept(&self) -> f64 {
        (self.held - self.waiting).max(0.0)
    }
}

fn levels(buckets: &[Bucket], carrier: Carrier) -> Vec<Level> {
    let read = buckets.iter().filter_map(|it| Level::of(it, carrier));
    read.collect()
}

/// Worker-time for each job that completed; none of too few.
fn each_needs(before: &[Level]) -> Option<f64> {
    let completed: f64 = before.iter().map(|it| it.completed).sum();
    let held: f64 = before.iter().map(|it| it.kept() * it.seconds).sum();
    (completed >= JOBS_MIN).then(|| held / completed)
}

/// The mean of a figure over some levels, weighted by their lengths.
fn mean(levels: &[Level], figure: impl Fn(&Level) -> f64) -> f64 {
    let seconds: f64 = levels.iter().map(|it| it.seconds).sum();
    let sum: f64 = levels.iter().map(|it| figure(it) * it.seconds).sum();
    sum / seconds.max(f64::MIN_POSITIVE)
}

/// Nothing completes, and all that there is is held throughout.
fn is_deadlock(within: &[Level]) -> bool {
    let held = within.iter().map(|it| it.held);
    let most = held.clone().fold(0.0, f64::max);
    let least = held.fold(f64::INFINITY, f64::min);
    let all_held = within.iter().all(|it| {
        let workers = it.workers.unwrap_or(it.held);
        it.held >= ALL_HELD * workers
    });
    within.len() >= BUCKETS_MIN
        && within.iter().all(|it| it.completed <= 0.0)
        && most > 0.0
        && most - least <= CONSTANT * most
        && all_held
}

/// The longest time in which nothing completed, and after which something did: so long a
/// job may take.
fn longest_silence(levels: &[Level]) -> f64 {
    let ended = levels.iter().fold((0.0, 0.0), |(longest, silent), it| {
        if it.completed > 0.0 {
            (f64::max(longest, silent), 0.0)
        } else {
            (longest, silent + it.seconds)
        }
    });
    ended.0
}

/// Workers held beyond what was needed, and the least of them that is a leak.
fn beyond(levels: &[Level], each_needs: f64) -> (f64, f64) {
    let held = mean(levels, |it| {
        it.kept() - it.completed * each_needs / it.seconds
    });
    let workers = mean(levels, |it| it.workers.unwrap_or(it.held));
    (held, (LEAK_SHARE * workers).max(1.0))
}

/// More is held than what completes needs, and it does not come back.
fn is_leak(within: &[Level], each_needs: f64) -> bool {
    if within.len() < BUCKETS_MIN {
        return false;
    }
    let third = within.len().div_ceil(BUCKETS_MIN);
    let thirds: Vec<(f64, f64)> = within
        .chunks(third)
        .map(|levels| beyond(levels, each_needs))
        .collect();
    let (Some(first), Some(last)) = (thirds.first(), thirds.last()) else {
        return false;
    };
    thirds.iter().all(|(held, least)| held >= least) && last.0 >= STAYS * first.0
}

/// Which of the two it is; `meanwhile`: the levels while the trigger acted.
fn named(each_needs: f64, meanwhile: &[Level], within: &[Level]) -> Option<SustainingEffect> {
    if is_deadlock(within) {
        let lasted: f64 = within.iter().map(|it| it.seconds).sum();
        // What takes as long as a job took while the trigger acted may be such a job.
        if lasted <= longest_silence(meanwhile) {
            return None;
        }
        // What was lost piece by piece, while the rest still worked, is a leak that is
        // complete. All that hold each other stop together.
        let worked: Vec<Level> = meanwhile
            .iter()
            .copied()
            .filter(|it| it.completed > 0.0)
            .collect();
        let mut latest = worked.rchunks(BUCKETS_MIN);
        let lost = latest.next().is_some_and(|it| is_leak(it, each_needs));
        return Some(if lost {
            SustainingEffect::Leak
        } else {
            SustainingEffect::Deadlock
        });
    }
    let completes = within.iter().any(|it| it.completed > 0.0);
    (completes && is_leak(within, each_needs)).then_some(SustainingEffect::Leak)
}

/// The deadlock or the leak between two instants after the trigger had been off, with what
/// it is named from; none where there is neither, or it cannot be told: from less than
/// `hold`, or where too little was read.
pub(super) fn stuck(
    evidence: &Evidence<'_>,
    trigger: Nanos,
    (off, until): (Nanos, Nanos),
    hold: Nanos,
) -> Option<(SustainingEffect, HeldCapacity)> {
    let series = evidence.series;
    let (from, to) = (series.edge_after(off), series.edge_before(until));
    let buckets = series.between(from, to);
    if to.saturating_sub(from) < hold {
        return None;
    }
    let waits = dependencies::between(evidence.record, from, to)
        .iter()
        .any(|it| it.waiting.is_some_and(|waiting| waiting >= WAITS));
    if buckets.len() < BUCKETS_MIN || waits {
        return None;
    }
    let baseline = evidence.baseline.as_ref().ok()?;
    let before = series.between(baseline.from, baseline.to);
    let meanwhile = series.between(series.edge_after(trigger), from);
    let processors = processors(buckets);
    let gauges = (0..series.gauges.len()).map(Carrier::Gauges);
    let fleet = (!series.instances.is_empty()).then_some(Carrier::Fleet);
    fleet.into_iter().chain(gauges).find_map(|carrier| {
        let within = levels(buckets, carrier);
        let every = series.interval.max(every(evidence, carrier)).as_secs_f64();
        let wanted = to.saturating_sub(from).as_secs_f64() / every;
        if (within.len() as f64) < READ * wanted {
            return None;
        }
        // Without jobs that completed nobody knows whether completions are told at all.
        let mut each = each_needs(&levels(before, carrier))?;
        if let (Carrier::Fleet, Some(fleet)) = (carrier, &evidence.record.header.plan.fleet) {
            // With contention a job takes longer the more workers are busy.
            let others = f64::from(fleet.workers.saturating_sub(1));
            each += others * fleet.contention.as_secs_f64();
        }
        let effect = named(each, &levels(meanwhile, carrier), &within)?;
        let runs = match carrier {
            Carrier::Fleet => Some(false),
            Carrier::Gauges(_) => processors.map(|used| used > NOTHING_RUNS),
        };
        // Of a process that nobody read nobody knows whether it runs.
        if effect == SustainingEffect::Deadlock && runs != Some(false) {
            return None;
        }
        let by_gauges = matches!(carrier, Carrier::Gauges(_));
        if by_gauges && processors.is_some_and(|used| used >= SHARE_A_PROCESSOR) {
            return None;
        }
        let per_s = mean(&within, |it| it.completed / it.seconds);
        let told = HeldCapacity {
            source: match carrier {
                Carrier::Fleet => None,
                Carrier::Gauges(place) => series.gauges.get(place).cloned(),
            },
            held: mean(&within, |it| match effect {
                SustainingEffect::Leak => it.kept(),
                _ => it.held,
            }),
            workers: workers(&within),
            needed: per_s * each,
            completed_per_s: per_s,
            processors,
            from_s: from.as_secs_f64(),
            to_s: to.as_secs_f64(),
        };
        Some((effect, told))
    })
}

/// How often the gauges are read; zero where that is in each bucket.
fn every(evidence: &Evidence<'_>, carrier: Carrier) -> Nanos {
    let Carrier::Gauges(place) = carrier else {
        return Nanos::ZERO;
    };
    let source = evidence.series.gauges.get(place);
    let mut gauges = evidence.record.header.plan.gauges.iter();
    gauges
        .find(|own| Some(&SourceName::from(own.name.as_str())) == source)
        .map_or(Nanos::ZERO, |own| own.every)
}

fn workers(within: &[Level]) -> Option<f64> {
    let read: Option<Vec<f64>> = within.iter().map(|it| it.workers).collect();
    let read = read.filter(|read| !read.is_empty())?;
    Some(read.iter().sum::<f64>() / read.len() as f64)
}

/// Processors that the target's processes used; none where no process was read.
fn processors(buckets: &[Bucket]) -> Option<f64> {
    let read = buckets.iter().flat_map(|bucket| bucket.processes.iter());
    let read = read.flatten().filter(|process| process.covered_ns > 0);
    let (used, covered) = read.fold((0_u64, 0_u64), |(used, covered), process| {
        (
            used.saturating_add(process.cpu_ns),
            covered.saturating_add(process.covered_ns),
        )
    });
    super::series::share(used, covered)
}

/// What it is named from, in one sentence.
pub(super) fn sentence(effect: SustainingEffect, held: &HeldCapacity) -> Option<String> {
    let whose = held.source.as_ref().map_or_else(
        || "workers of the fleet".to_owned(),
        |it| format!("of `{it}`"),
    );
    let all = held.workers.map_or_else(
        || format!("{:.1} {whose}", held.held),
        |workers| format!("{:.1} of {workers:.0} {whose}", held.held),
    );
    let span = format!("From {:.1} s to {:.1} s", held.from_s, held.to_s);
    match effect {
        SustainingEffect::Deadlock => {
            let used = held.processors.map_or_else(String::new, |used| {
                format!(", and its processes used {used:.2} processors")
            });
            Some(format!(
                "{span} nothing completed while {all} were held throughout{used}: a deadlock, \
                 which only a restart ends."
            ))
        }
        SustainingEffect::Leak => Some(format!(
            "{span} {all} were held, and what completed ({:.1}/s) needed {:.1}: the rest is a \
             leak, capacity that was lost and did not come back.",
            held.completed_per_s, held.needed
        )),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CALM: Level = Level {
        held: 2.0,
        waiting: 0.0,
        workers: Some(10.0),
        completed: 100.0,
        seconds: 1.0,
    };

    fn calm() -> f64 {
        each_needs(&[CALM; 20]).unwrap()
    }

    fn all(held: f64, completed: f64) -> Vec<Level> {
        let level = Level {
            held,
            completed,
            ..CALM
        };
        vec![level; 12]
    }

    fn of(within: &[Level]) -> Option<SustainingEffect> {
        named(calm(), &[], within)
    }

    #[test]
    fn a_job_needs_what_it_took_in_the_baseline() {
        assert!((calm() - 0.02).abs() < 1e-12);
        assert_eq!(
            each_needs(&[Level {
                completed: 1.0,
                ..CALM
            }]),
            None
        );
    }

    #[test]
    fn a_deadlock_holds_everything_and_completes_nothing() {
        assert_eq!(of(&all(10.0, 0.0)), Some(SustainingEffect::Deadlock));
        // An overload completes as much as its workers can.
        assert_eq!(of(&all(10.0, 500.0)), None);
        // Idle workers wait for nobody.
        assert_eq!(of(&all(0.0, 0.0)), None);
        // A queue that is still filling is not stuck yet, nor is one that empties.
        let filling = (1..=10).map(|held| Level {
            held: f64::from(held),
            completed: 0.0,
            ..CALM
        });
        assert_eq!(of(&filling.collect::<Vec<_>>()), None);
        // One job comes out: they do not hold each other.
        let mut one = all(10.0, 0.0);
        one[7].completed = 1.0;
        assert_ne!(of(&one), Some(SustainingEffect::Deadlock));
        // Not long enough to tell.
        assert_eq!(of(&all(10.0, 0.0)[..2]), None);
    }

    #[test]
    fn a_leak_is_held_beyond_what_completes_and_stays() {
        // 3 of 10 lost, the rest serves as before.
        assert_eq!(of(&all(5.0, 100.0)), Some(SustainingEffect::Leak));
        // At the limit of what is left.
        assert_eq!(of(&all(10.0, 350.0)), Some(SustainingEffect::Leak));
        // All that is held is needed.
        assert_eq!(of(&all(4.0, 200.0)), None);
        // Less than a worker, or than a tenth of them, is noise.
        assert_eq!(of(&all(2.9, 100.0)), None);
        // It comes back: a slow drain.
        let back = (0..12).map(|place| Level {
            held: 2.0 + 8.0 * (1.0 - f64::from(place) / 12.0),
            ..CALM
        });
        assert_eq!(of(&back.collect::<Vec<_>>()), None);
    }

    #[test]
    fn what_was_lost_piece_by_piece_is_a_leak_and_what_stopped_together_a_deadlock() {
        let stuck = all(10.0, 0.0);
        let lost: Vec<_> = (2..=9)
            .map(|lost| Level {
                held: f64::from(lost) + 1.0,
                completed: 50.0,
                ..CALM
            })
            .collect();
        assert_eq!(named(calm(), &lost, &stuck), Some(SustainingEffect::Leak));
        let spike = vec![
            Level {
                held: 9.0,
                completed: 450.0,
                ..CALM
            };
            8
        ];
        assert_eq!(
            named(calm(), &spike, &stuck),
            Some(SustainingEffect::Deadlock)
        );
    }

    #[test]
    fn who_waits_for_a_connection_is_not_lost_and_may_be_in_a_deadlock() {
        // 10 of 10 hold a job, 8 of them wait for a connection: an overload of the pool.
        let overload = Level {
            waiting: 8.0,
            completed: 100.0,
            held: 10.0,
            ..CALM
        };
        assert_eq!(of(&[overload; 12]), None);
        // Two more are lost beside them.
        let lost = Level {
            waiting: 5.0,
            ..overload
        };
        assert_eq!(of(&[lost; 12]), Some(SustainingEffect::Leak));
        let nothing = Level {
            completed: 0.0,
            ..overload
        };
        assert_eq!(of(&[nothing; 12]), Some(SustainingEffect::Deadlock));
    }

    #[test]
    fn what_may_be_one_long_job_is_no_deadlock() {
        // While the trigger acted something completed every 15 s.
        let mut slow = all(10.0, 0.0);
        slow.extend(all(10.0, 0.0));
        for place in [0, 16] {
            slow[place].completed = 1.0;
        }
        assert!((longest_silence(&slow) - 15.0).abs() < 1e-9);
        let stuck = all(10.0, 0.0);
        assert_eq!(named(calm(), &slow, &stuck), None);
        let longer = [all(10.0, 0.0), all(10.0, 0.0)].concat();
        let named = named(calm(), &slow, &longer);
        assert_eq!(named, Some(SustainingEffect::Deadlock));
    }
}
