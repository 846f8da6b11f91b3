//! Whether the figures can be trusted.
//!
//! A slow target and a slow generator look alike in a response time. So a run
//! in which the generator was the limit is invalid: it neither passes nor
//! fails; and where nobody measured the generator, nobody knows whether it was.
//! A record that does not add up (`conservation`) is just as worthless.

use super::agents;
use super::conservation::{conservation, unconserved};
use super::failures::lacking;
use super::findings::{Measurement, SendLag, Validity};
use super::observation::Observation;
use super::phases::Stretch;
use super::series::Series;
use super::totals::Totals;
use crate::model::Pacing;
use crate::plan::Drive;
use crate::record::{Backend, Event, Record};
use crate::units::{Nanos, counted};

/// Send lag below this is invisible beside the network and the kernel's own
/// wake-ups on a shared machine.
const SEND_LAG_FLOOR: Nanos = Nanos::from_millis(20);
/// Lag may be a tenth of the response times that it is part of: more of it, and the
/// percentile that is shown is the generator's as well as the target's.
const SEND_LAG_RESPONSE_DIVISOR: u64 = 10;
/// Where nothing succeeded, lag may be a twentieth of the timeout: it then shifts no
/// attempt across its timeout that was not at the edge of it.
const SEND_LAG_TIMEOUT_DIVISOR: u64 = 20;
/// A generator busier than this waits for its own processor before it sends:
/// at 90 % a queue of one forms nine times in ten.
pub(super) const GENERATOR_BUSY_MOST: f64 = 0.90;
/// A generator that is kept from running for more than this share of the time meets one
/// arrival or answer in four late. Short waits beside a busy target add up without being
/// in any percentile: the founding incident has 5 % in its worst phase (53 % of two
/// cores busy, send lag p99 0.4 ms).
pub(super) const DELAYED_MOST: f64 = 0.25;
/// Operations that were never sent are missing in every figure: one in a hundred is missing
/// in the p99.
const NEVER_SENT_MOST: f64 = 0.01;
/// Use and steal above this leave no twentieth of the machine to anybody who
/// wakes up, so that waiting for a processor is in every figure.
pub(super) const MACHINE_BUSY_MOST: f64 = 0.95;
/// A share of less time than this is one of a moment: a phase of a tenth of a second would
/// make a run of minutes invalid with a pause of 26 ms.
const SHARE_LEAST: Nanos = Nanos::from_secs(2);
/// A machine busier than this is worth a warning: a quarter idle is what the
/// shipped scenarios promise, so that an incident is not a lack of processor.
pub(super) const MACHINE_BUSY_WARNING: f64 = 0.75;

/// Whether the measurement is valid, and its own errors.
pub(super) fn measurement(
    record: &Record,
    series: &Series,
    stretches: &[Stretch],
    observation: Observation,
) -> Measurement {
    let phases: Vec<(&str, Totals)> = long_enough(stretches)
        .into_iter()
        .map(|(name, from, to)| (name, Totals::over(series.between(from, to))))
        .collect();
    let run = Totals::over(series.between(observation.from, observation.to));
    // What was due at the end of the load may have been sent after it: that is lag too.
    let sent = Totals::over(series.between(observation.from, Nanos::MAX));
    let reasons = [
        not_begun(record),
        // What a lost agent had begun is in no count, which its own reason says.
        unconserved(record, series).filter(|_| !agents::any_lost(record)),
        unmeasured(record, series, &run),
        late(record, &sent),
        shed(series),
        lacking(record),
        never_sent(&sent),
        // A closed loop goes as fast as something lets it: what that was is its
        // answer, not its fault.
        open_loop(record).then(|| busy_generator(&phases)).flatten(),
        open_loop(record).then(|| busy_machine(&phases)).flatten(),
        open_loop(record).then(|| delayed(&phases)).flatten(),
    ];
    let mut reasons: Vec<String> = reasons.into_iter().flatten().collect();
    reasons.extend(agents::reasons(record, stretches, open_loop(record)));
    // What a simulation's books say of a generator is no measurement.
    let measured = record.header.backend == Backend::Live;
    let busy = most(&phases, Totals::generator_busy).filter(|_| measured);
    Measurement {
        validity: if reasons.is_empty() {
            Validity::Valid
        } else {
            Validity::Invalid
        },
        reasons,
        send_lag_us: if measured {
            send_lag(&sent)
        } else {
            SendLag::default()
        },
        generator_busy: busy.map(|(_, busy)| busy),
        generator_delayed: most(&phases, Totals::generator_delayed)
            .map(|(_, delayed)| delayed)
            // A kernel that does not tell leaves a zero.
            .filter(|delayed| measured && *delayed > 0.0),
        generator_away: most(&phases, Totals::generator_away)
            .map(|(_, away)| away)
            .filter(|away| measured && *away > 0.0),
        never_sent: sent.operations.never_sent,
        machine_busy_max: most(&phases, Totals::machine_busy).map(|(_, busy)| busy),
        machine_steal: run.machine_steal(),
    }
}

/// The phases of which shares are judged: one that is shorter than [`SHARE_LEAST`] is taken
/// with the next, and the last with the one before. Each has the name of its longest.
fn long_enough(stretches: &[Stretch]) -> Vec<(&str, Nanos, Nanos)> {
    let mut taken: Vec<&[Stretch]> = Vec::new();
    let mut first = 0;
    for place in 0..stretches.len() {
        let last = place + 1 == stretches.len();
        let length = stretches[place].to.saturating_sub(stretches[first].from);
        if length >= SHARE_LEAST {
            taken.push(&stretches[first..=place]);
            first = place + 1;
        } else if last {
            let before = taken.pop().map_or(first, |before| first - before.len());
            taken.push(&stretches[before..=place]);
        }
    }
    let lasted = |stretch: &&Stretch| stretch.to.saturating_sub(stretch.from);
    let taken = taken.into_iter().filter_map(|group| {
        let longest = group.iter().max_by_key(lasted)?;
        Some((longest.name.as_str(), group.first()?.from, group.last()?.to))
    });
    taken.collect()
}

/// Whether arrivals come at a rate, whatever the target does.
fn open_loop(record: &Record) -> bool {
    record.header.plan.load.drive.closed.is_none()
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
        p50: micros(lag.told_quantile(0.5)),
        p90: micros(lag.told_quantile(0.9)),
        p99: micros(lag.told_quantile(0.99)),
        max: micros(lag.max()),
    }
}

/// A run that was killed in its set-up has measured nothing that could be right.
fn not_begun(record: &Record) -> Option<String> {
    let mut events = record.events.iter();
    let began = events.any(|(_, event)| *event == Event::LoadStarted);
    (record.header.backend == Backend::Live && !began)
        .then(|| "The run ended before its load began, so nothing was measured.".to_owned())
}

/// What is missing to tell whether the generator was the limit. A simulation
/// has neither a generator nor a machine that could be, so it owes nothing.
fn unmeasured(record: &Record, series: &Series, run: &Totals) -> Option<String> {
    if record.header.backend != Backend::Live || conservation(series).scheduled == 0 {
        return None;
    }
    let lag = run.send_lag.as_ref().and_then(|lag| lag.quantile(0.99));
    let missing: Vec<&str> = [
        (lag.is_none(), "the send lag"),
        (
            run.generator_busy().is_none(),
            "the use of the generator's threads",
        ),
        (run.machine_busy().is_none(), "the use of the machine"),
    ]
    .into_iter()
    .filter_map(|(missing, what)| missing.then_some(what))
    .collect();
    (!missing.is_empty()).then(|| {
        format!(
            "Whether the generator was the limit could not be measured: the record lacks {} after \
             the warm-up.",
            missing.join(" or ")
        )
    })
}

/// The send lag above which sends are late, where the p99 of response times is this.
pub(super) fn late_above(record: &Record, response: Option<Nanos>) -> Nanos {
    let share = response.map_or_else(
        || record.header.plan.load.client.timeout / SEND_LAG_TIMEOUT_DIVISOR,
        |response| response / SEND_LAG_RESPONSE_DIVISOR,
    );
    SEND_LAG_FLOOR.max(share)
}

/// What helps a generator that is late.
pub(super) fn late_remedy(record: &Record) -> &'static str {
    remedy(record.header.plan.load.drive)
}

fn late(record: &Record, sent: &Totals) -> Option<String> {
    let response = sent.response.as_ref().and_then(|it| it.quantile(0.99));
    let bound = late_above(record, response);
    let p99 = sent.send_lag.as_ref()?.quantile(0.99)?;
    (p99 > bound).then(|| {
        format!(
            "The generator sent late: its send lag p99 is {:.1} ms, and at most {:.1} ms is \
             allowed. {}",
            p99.as_millis_f64(),
            bound.as_millis_f64(),
            remedy(record.header.plan.load.drive)
        )
    })
}

/// What helps a generator that is late.
fn remedy(drive: Drive) -> &'static str {
    match drive.pacing {
        Pacing::Thrifty => {
            "With thrifty pacing a connection carries one request a millisecond at most: allow \
             more connections, or use `pacing = \"balanced\"` (`--pacing balanced`)."
        }
        Pacing::Balanced | Pacing::Precise => {
            "Lower the rate, or give the generator a processor that nothing else uses."
        }
    }
}

fn never_sent(sent: &Totals) -> Option<String> {
    let (count, all) = (sent.operations.never_sent, sent.operations.scheduled);
    (count as f64 > NEVER_SENT_MOST * all as f64).then(|| {
        format!(
            "{} of {all} {} never sent, because the generator was late.",
            count,
            if all == 1 {
                "operation was"
            } else {
                "operations were"
            }
        )
    })
}

fn shed(series: &Series) -> Option<String> {
    let conservation = conservation(series);
    // What a circuit breaker sheds is the client's doing, which is what is measured.
    let shed = conservation
        .shed
        .saturating_sub(conservation.shed_by_breaker);
    (shed > 0).then(|| {
        let shed = counted(shed, "operation");
        format!("The generator shed {shed}, because too many waited for a connection.")
    })
}

fn busy_generator(phases: &[(&str, Totals)]) -> Option<String> {
    let (name, busy) = most(phases, Totals::generator_busy)?;
    (busy > GENERATOR_BUSY_MOST).then(|| {
        format!(
            "The generator's threads were {:.0} % busy in the phase `{name}`, and at most {:.0} % \
             is allowed.",
            busy * 100.0,
            GENERATOR_BUSY_MOST * 100.0
        )
    })
}

fn delayed(phases: &[(&str, Totals)]) -> Option<String> {
    let (name, delayed) = most(phases, Totals::generator_delayed)?;
    (delayed > DELAYED_MOST).then(|| {
        format!(
            "The generator's threads waited for a processor for {:.0} % of the time in the phase \
             `{name}`, and at most {:.0} % are allowed: what they waited is in every time that was \
             measured.",
            delayed * 100.0,
            DELAYED_MOST * 100.0
        )
    })
}

fn busy_machine(phases: &[(&str, Totals)]) -> Option<String> {
    let used = |totals: &Totals| Some(totals.machine_busy()? + totals.machine_steal()?);
    let (name, used) = most(phases, used)?;
    (used > MACHINE_BUSY_MOST).then(|| {
        format!(
            "The machine was short of CPU: {:.0} % was used or stolen in the phase `{name}`, and \
             at most {:.0} % is allowed.",
            used * 100.0,
            MACHINE_BUSY_MOST * 100.0
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_phase_of_a_moment_is_judged_with_the_one_beside_it() {
        let judged = |ends: &[u64]| {
            let mut from = 0;
            let stretches: Vec<Stretch> = ends
                .iter()
                .enumerate()
                .map(|(place, to)| Stretch {
                    name: place.to_string(),
                    from: Nanos::from_millis(std::mem::replace(&mut from, *to)),
                    to: Nanos::from_millis(*to),
                })
                .collect();
            let judged = long_enough(&stretches);
            let judged = judged.iter().map(|(name, from, to)| {
                format!("{name}: {}-{}", from.0 / 1_000_000, to.0 / 1_000_000)
            });
            judged.collect::<Vec<_>>()
        };
        assert_eq!(judged(&[]), [""; 0]);
        assert_eq!(judged(&[600]), ["0: 0-600"]);
        assert_eq!(judged(&[2_000, 4_000]), ["0: 0-2000", "1: 2000-4000"]);
        assert_eq!(
            judged(&[9_000, 9_600, 10_200, 30_000]),
            ["0: 0-9000", "3: 9000-30000"]
        );
        assert_eq!(judged(&[9_000, 9_600]), ["0: 0-9600"]);
        assert_eq!(judged(&[600, 1_900]), ["1: 0-1900"]);
    }
}
