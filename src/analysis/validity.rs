//! Whether the figures can be trusted, and whether the record adds up.
//!
//! A slow target and a slow generator look alike in a response time. So a run
//! in which the generator was the limit is invalid: it neither passes nor
//! fails. A record that does not add up is our own bug, and just as worthless.

use super::findings::{Conservation, Measurement, SendLag, Validity};
use super::observation::Observation;
use super::phases::Stretch;
use super::series::Series;
use super::totals::Totals;
use crate::record::{AttemptCounters, Counters, OperationCounters, Record};
use crate::units::Nanos;

/// Send lag below this is invisible beside the network and the kernel's own
/// wake-ups on a shared machine.
const SEND_LAG_FLOOR: Nanos = Nanos::from_millis(20);
/// Where timeouts are long, lag may be a twentieth of them: it then shifts no
/// attempt across its timeout that was not at the edge of it.
const SEND_LAG_TIMEOUT_DIVISOR: u64 = 20;
/// A generator busier than this waits for its own processor before it sends:
/// at 90 % a queue of one forms nine times in ten.
const GENERATOR_BUSY_MOST: f64 = 0.90;
/// Use and steal above this leave no twentieth of the machine to anybody who
/// wakes up, so that waiting for a processor is in every figure.
const MACHINE_BUSY_MOST: f64 = 0.95;
/// A machine busier than this is worth a warning: a quarter idle is what the
/// shipped scenarios promise, so that an incident is not a lack of processor.
pub(super) const MACHINE_BUSY_WARNING: f64 = 0.75;

/// Where every scheduled operation of the record went.
pub(super) fn conservation(series: &Series) -> Conservation {
    let mut total = OperationCounters::default();
    for operations in series.buckets.iter().filter_map(|bucket| bucket.operations) {
        total.merge(&operations);
    }
    Conservation {
        scheduled: total.scheduled,
        succeeded: total.succeeded,
        failed: total.failed(),
        timed_out: total.timed_out,
        missed_deadline: total.missed_deadline,
        shed: total.shed,
        unfinished: total.unfinished,
    }
}

/// Whether the measurement is valid, and its own errors.
pub(super) fn measurement(
    record: &Record,
    series: &Series,
    stretches: &[Stretch],
    observation: Observation,
) -> Measurement {
    let phases: Vec<(&str, Totals)> = stretches
        .iter()
        .map(|stretch| {
            let totals = Totals::over(stretch.buckets(series));
            (stretch.name.as_str(), totals)
        })
        .collect();
    let run = Totals::over(series.between(observation.from, observation.to));
    let reasons = [
        unconserved(record, series),
        late(record, &run),
        shed(series),
        busy_generator(&phases),
        busy_machine(&phases),
    ];
    let reasons: Vec<String> = reasons.into_iter().flatten().collect();
    Measurement {
        validity: if reasons.is_empty() {
            Validity::Valid
        } else {
            Validity::Invalid
        },
        reasons,
        send_lag_us: send_lag(&run),
        generator_busy: most(&phases, Totals::generator_busy).map_or(0.0, |(_, busy)| busy),
        machine_busy_max: most(&phases, Totals::machine_busy).map_or(0.0, |(_, busy)| busy),
        machine_steal: run.machine_steal().unwrap_or(0.0),
    }
}

/// The phase in which a share was largest.
fn most<'a>(
    phases: &'a [(&'a str, Totals)],
    share: impl Fn(&Totals) -> Option<f64>,
) -> Option<(&'a str, f64)> {
    let read = phases
        .iter()
        .filter_map(|(name, totals)| share(totals).map(|share| (*name, share)));
    read.max_by(|(_, one), (_, other)| one.total_cmp(other))
}

fn send_lag(run: &Totals) -> SendLag {
    let micros = |value: Option<Nanos>| value.map(|value| value.0 as f64 / 1e3);
    let Some(lag) = &run.send_lag else {
        return SendLag::default();
    };
    SendLag {
        p50: micros(lag.quantile(0.5)),
        p99: micros(lag.quantile(0.99)),
        max: micros(lag.max()),
    }
}

fn late(record: &Record, run: &Totals) -> Option<String> {
    let timeout = record.header.plan.load.client.timeout;
    let bound = SEND_LAG_FLOOR.max(timeout / SEND_LAG_TIMEOUT_DIVISOR);
    let p99 = run.send_lag.as_ref()?.quantile(0.99)?;
    (p99 > bound).then(|| {
        format!(
            "The generator sent late: the 99th percentile of its send lag is {:.1} ms, and at most \
             {:.1} ms are allowed.",
            p99.as_millis_f64(),
            bound.as_millis_f64()
        )
    })
}

fn shed(series: &Series) -> Option<String> {
    let shed = conservation(series).shed;
    (shed > 0).then(|| {
        format!("The generator shed {shed} operations, since too many waited for a connection.")
    })
}

fn busy_generator(phases: &[(&str, Totals)]) -> Option<String> {
    let (name, busy) = most(phases, Totals::generator_busy)?;
    (busy > GENERATOR_BUSY_MOST).then(|| {
        format!(
            "The generator's threads were {:.0} % busy in the phase `{name}`, and at most {:.0} % \
             are allowed.",
            busy * 100.0,
            GENERATOR_BUSY_MOST * 100.0
        )
    })
}

fn busy_machine(phases: &[(&str, Totals)]) -> Option<String> {
    let used = |totals: &Totals| Some(totals.machine_busy()? + totals.machine_steal()?);
    let (name, used) = most(phases, used)?;
    (used > MACHINE_BUSY_MOST).then(|| {
        format!(
            "The machine was short of processor: {:.0} % were used or given to others in the phase \
             `{name}`, and at most {:.0} % are allowed.",
            used * 100.0,
            MACHINE_BUSY_MOST * 100.0
        )
    })
}

/// What does not add up; none where all does, or where the record was cut off
/// and its last rows may be torn.
fn unconserved(record: &Record, series: &Series) -> Option<String> {
    if !record.complete() {
        return None;
    }
    let operations = series.buckets.iter().filter_map(|bucket| bucket.operations);
    let broken = operations.filter(|counters| !counters.conserved()).count();
    if broken > 0 {
        return Some(format!(
            "The record does not add up, which is a bug of threadbare: in {broken} buckets the \
             operations that ended and those unfinished are not those scheduled."
        ));
    }
    ["user", "monitor"].into_iter().find_map(|class| {
        let (totals, in_flight) = attempts_of(record, class)?;
        let accounted = totals.ended().saturating_add(in_flight);
        (totals.started() != accounted).then(|| {
            format!(
                "The record does not add up, which is a bug of threadbare: of the class `{class}` \
                 {} attempts started and {accounted} are accounted for.",
                totals.started()
            )
        })
    })
}

/// All attempts of a class, and those in flight at its last sample.
fn attempts_of(record: &Record, class: &str) -> Option<(AttemptCounters, u64)> {
    let mut totals = AttemptCounters::default();
    let mut last: Option<(Nanos, u64)> = None;
    for sample in &record.samples {
        if let Counters::Attempts(counters) = &sample.counters
            && sample.source == class
        {
            totals.merge(counters);
            if last.is_none_or(|(to, _)| sample.to >= to) {
                last = Some((sample.to, counters.in_flight));
            }
        }
    }
    last.map(|(_, in_flight)| (totals, in_flight))
}
