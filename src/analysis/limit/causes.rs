//! What was at its limit: in one step, and over several.
//!
//! Each cause is what somebody saw, with a figure: nothing is guessed from a shape alone.
//! Where nothing is seen, nothing is named.

use super::found::{LimitStage, LimitStep, LimitVerdict};
use super::parts::{LimitCause, LimitResource};
use crate::analysis::expectations::decimal;
use crate::analysis::validity::MACHINE_BUSY_MOST;
use crate::analysis::{Findings, Phase};
use crate::record::Record;
use crate::units::counted;

/// A resource that is used to this share is at its limit: what is left is less than what
/// rates are told apart by, and what readings miss.
const BUSY: f64 = 0.95;
/// Processor time beside what there is: the rest goes to who reads and schedules.
const PROCESSOR_BUSY: f64 = 0.9;
/// A process that uses this many processors at most uses one.
const ONE_PROCESSOR: f64 = 1.1;
/// Operations that wait for a connection for a larger share of their time are limited by
/// the number of connections: a tenth is what may be the generator's in any figure.
const WAITED: f64 = 0.1;
/// A dependency that takes this part of the service's own time at least is what its workers
/// are busy with.
const WAITS: f64 = 0.5;
/// Completions rise by this share at most where they have stopped rising …
const FLAT: f64 = 0.1;
/// … while this many times as many are in flight.
const GROWN: f64 = 2.0;

/// What made the measurement invalid: the machine, or else the generator.
pub(super) fn of_measurement(findings: &Findings) -> LimitCause {
    let measurement = &findings.measurement;
    let busy = measurement.machine_busy_max.unwrap_or(0.0);
    let stolen = measurement.machine_steal.unwrap_or(0.0);
    let delayed = measurement.generator_delayed.unwrap_or(0.0);
    let machine = busy + stolen > MACHINE_BUSY_MOST || delayed > 1.0 - BUSY;
    LimitCause {
        resource: if machine {
            LimitResource::Machine
        } else {
            LimitResource::Generator
        },
        name: None,
        value: if machine {
            busy + stolen
        } else {
            measurement.generator_busy.unwrap_or(0.0)
        },
        sentence: measurement.reasons.join(" "),
    }
}

/// Operations that waited for a connection for much of their time: the number that the
/// generator may open was the limit, and nothing is known of the service.
pub(super) fn connections(record: &Record, findings: &Findings) -> Option<LimitCause> {
    let shares = findings.time_spent?.shares();
    let (_, share) = shares
        .into_iter()
        .find(|(who, _)| *who == "connection wait")?;
    (share > WAITED).then(|| {
        let plan = &record.header.plan;
        let connections = plan.load.connections;
        let streams = plan.streams().map_or_else(String::new, |streams| {
            format!(" of {}", counted(streams.into(), "stream"))
        });
        LimitCause {
            resource: LimitResource::Generator,
            name: None,
            value: share,
            sentence: format!(
                "Operations waited for one of {connections} connections{streams} for {:.0} % of \
                 their time; allow more with --connections.",
                share * 100.0
            ),
        }
    })
}

/// What was seen to be at its limit in one step, the strongest evidence first.
pub(super) fn seen(findings: &Findings) -> Vec<LimitCause> {
    let Some(phase) = findings.whole() else {
        return Vec::new();
    };
    let mut causes: Vec<LimitCause> = workers(phase).collect();
    causes.extend(processors(phase, findings.machine.cores));
    causes.extend(accept_queue(findings));
    causes.extend(machine(phase));
    causes
}

fn workers(phase: &Phase) -> impl Iterator<Item = LimitCause> + '_ {
    let measured = phase.saturation.map(|busy| (None, busy));
    let gauges = phase
        .gauges
        .iter()
        .filter_map(|it| Some((Some(it.source.to_string()), it.saturation?)));
    let all = measured.into_iter().chain(gauges);
    let at_limit = all.filter(|(_, busy)| *busy >= BUSY);
    at_limit.map(|(name, busy)| LimitCause {
        resource: LimitResource::Workers,
        sentence: match &name {
            Some(name) => format!("The workers of `{name}` were {:.1} % busy.", busy * 100.0),
            None => format!("Its workers were {:.1} % busy.", busy * 100.0),
        },
        name,
        value: busy,
    })
}

/// Processes that use all processors that there are, or one of them wholly.
fn processors(phase: &Phase, cores: u32) -> impl Iterator<Item = LimitCause> + '_ {
    let all = f64::from(cores);
    phase.processes.iter().filter_map(move |process| {
        let used = process.processors?;
        let name = process.source.to_string();
        let told = decimal(used, 2);
        let sentence = if used >= PROCESSOR_BUSY * all {
            format!("`{name}` used {told} of {all:.0} processors.")
        } else if (PROCESSOR_BUSY..=ONE_PROCESSOR).contains(&used) {
            format!("`{name}` used {told} processors, as one thread that is always busy does.")
        } else {
            return None;
        };
        Some(LimitCause {
            resource: LimitResource::Processor,
            name: Some(name),
            value: used,
            sentence,
        })
    })
}

fn accept_queue(findings: &Findings) -> Option<LimitCause> {
    let queue = findings.accept_queue?;
    (queue.overflows > 0).then(|| LimitCause {
        resource: LimitResource::AcceptQueue,
        name: None,
        value: queue.full_s,
        sentence: format!(
            "Its accept queue was full: up to {} connections waited, and {} found no place.",
            queue.waiting_max, queue.overflows
        ),
    })
}

fn machine(phase: &Phase) -> Option<LimitCause> {
    let busy = phase.machine_busy.filter(|busy| *busy >= PROCESSOR_BUSY)?;
    Some(LimitCause {
        resource: LimitResource::Machine,
        name: None,
        value: busy,
        sentence: format!("This machine was {:.0} % busy.", busy * 100.0),
    })
}

/// A plateau over several steps: more in flight, and no more completed.
pub(super) fn plateau(steps: &[LimitStep]) -> Option<LimitCause> {
    let own = || {
        steps
            .iter()
            .filter(|step| matches!(step.stage, LimitStage::Served | LimitStage::Beyond))
    };
    let over = own().filter(|it| it.verdict == LimitVerdict::DoesNot);
    let over = over.max_by(|one, other| in_flight(one).total_cmp(&in_flight(other)))?;
    let more = over.figures.goodput_per_s;
    let flat = |it: &&LimitStep| {
        let ratio = it.figures.goodput_per_s / more;
        it.rate_per_s < over.rate_per_s && (1.0 - FLAT..=1.0 + FLAT).contains(&ratio)
    };
    let from = own().filter(flat);
    let from = from.min_by(|one, other| in_flight(one).total_cmp(&in_flight(other)))?;
    let calm = own().min_by(|one, other| one.rate_per_s.total_cmp(&other.rate_per_s))?;
    if in_flight(over) < GROWN * in_flight(from) {
        return None;
    }
    let service = calm.figures.response_p50_ms?;
    let at_a_time = more * service / 1e3;
    Some(LimitCause {
        resource: LimitResource::Concurrency,
        name: None,
        value: at_a_time,
        sentence: format!(
            "It completes {}/s and no more, while operations in flight grow from {} to {}: at {} \
             ms each that is the work of {} at a time.",
            decimal(more, 1),
            decimal(in_flight(from), 0),
            decimal(in_flight(over), 0),
            decimal(service, 1),
            decimal(at_a_time, 1)
        ),
    })
}

/// A dependency that takes much of the service's own time: of what an operation takes where
/// little is offered, the part for which it is waited for where too much is.
pub(super) fn dependency(steps: &[LimitStep]) -> Option<LimitCause> {
    let own = || steps.iter().filter(|it| it.stage == LimitStage::Served);
    let over = own().filter(|it| it.verdict == LimitVerdict::DoesNot);
    let over = over.min_by(|one, other| one.rate_per_s.total_cmp(&other.rate_per_s))?;
    let calm = own().min_by(|one, other| one.rate_per_s.total_cmp(&other.rate_per_s))?;
    let service = calm.figures.response_p50_ms?;
    let mut all = over.figures.dependencies.iter().filter_map(|dependency| {
        let waited = dependency.waiting? / over.figures.goodput_per_s * 1e3;
        let share = waited / service;
        (share.is_finite() && share >= WAITS).then_some((dependency, waited, share))
    });
    let (dependency, waited, share) = all.next()?;
    let name = dependency.source.to_string();
    Some(LimitCause {
        resource: LimitResource::Dependency,
        sentence: format!(
            "Each operation waits {} ms for `{name}`, and takes {} ms where little is offered.",
            decimal(waited, 1),
            decimal(service, 1)
        ),
        name: Some(name),
        value: share,
    })
}

fn in_flight(step: &LimitStep) -> f64 {
    step.figures.in_flight.unwrap_or(0.0)
}
