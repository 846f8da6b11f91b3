//! A load that several agents sent: how well they began together, and whether any of them
//! was a limit of its own.
//!
//! What all of them counted is in every figure already, added up. One that was overloaded
//! among many that were not would vanish in those sums, so each is judged by itself, by the
//! bounds of `validity`. No time is ever taken between the clocks of two machines; by how
//! much their beginnings lay apart is all that their clocks say.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::phases::Stretch;
use super::series::{middle, share};
use super::validity::{
    DELAYED_MOST, GENERATOR_BUSY_MOST, MACHINE_BUSY_MOST, late_above, late_remedy,
};
use crate::record::{
    AgentCounters, AgentFacts, AgentLost, AgentMeasured, Counters, Event, Histogram, Measure,
    Record,
};
use crate::units::Nanos;

/// The agents that sent the load.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct AgentsFigures {
    /// How far the beginnings of two of them lay apart at most, in microseconds; null where
    /// that was not measured.
    pub skew_us: Option<f64>,
    /// How far that may be off, in microseconds.
    pub skew_bound_us: Option<f64>,
    /// The same at the end, when their clocks had drifted apart.
    pub end_skew_us: Option<f64>,
    /// How far that may be off.
    pub end_skew_bound_us: Option<f64>,
    /// Each of them, in the order of their shares.
    pub agents: Vec<AgentFigures>,
}

/// One of them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct AgentFigures {
    /// Its name.
    pub name: String,
    /// Its share of the load, 0 to 1.
    pub share: f64,
    /// Its processors.
    pub cores: u32,
    /// Its threads that sent load.
    pub threads: u32,
    /// How busy they were in the phase in which they were busiest, 0 to 1.
    pub busy_max: Option<f64>,
    /// How long they waited for a processor in the phase in which they did most, 0 to 1.
    pub delayed_max: Option<f64>,
    /// How busy its machine was in the phase in which it was busiest, 0 to 1.
    pub machine_busy_max: Option<f64>,
    /// The p99 of its send lag, in microseconds.
    pub send_lag_p99_us: Option<f64>,
    /// How long after the run's zero it began, in microseconds; negative where before.
    pub skew_us: Option<f64>,
    /// How far that may be off.
    pub skew_bound_us: Option<f64>,
    /// How fast its clock goes against the conductor's, in parts of a million.
    pub drift_ppm: Option<f64>,
    /// Deliveries that arrived, each counted once.
    pub deliveries: Option<u64>,
    /// Those that arrived once more and were not counted again.
    pub repeated: Option<u64>,
    /// When it was lost, in seconds; null where it was not.
    pub lost_s: Option<f64>,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lost_because: Option<String>,
    /// Deliveries that it is known to have sent and that did not arrive.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub missing: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands a reference")]
const fn is_zero(value: &u64) -> bool {
    *value == 0
}

/// What is known of them; none where the load was sent from here.
pub(super) fn agents(record: &Record, stretches: &[Stretch]) -> Option<AgentsFigures> {
    let facts = facts(record)?;
    let measured = measured(record);
    let seen: Vec<Seen> = facts
        .iter()
        .map(|facts| Seen::of(record, stretches, &facts.agent))
        .collect();
    let figures = facts.iter().zip(seen).map(|(facts, seen)| {
        let own = measured.iter().find(|it| it.agent == facts.agent);
        let lost = lost(record).find(|it| it.agent == facts.agent);
        AgentFigures {
            name: facts.agent.clone(),
            share: f64::from(facts.threads) / f64::from(facts.of_threads.max(1)),
            cores: facts.cores,
            threads: facts.threads,
            busy_max: seen.most(busy).map(|(_, busy)| busy),
            delayed_max: seen.most(delayed).map(|(_, delayed)| delayed),
            machine_busy_max: seen.most(machine_busy).map(|(_, busy)| busy),
            send_lag_p99_us: seen.send_lag_p99().map(|lag| lag.0 as f64 / 1e3),
            skew_us: own.map(|own| own.skew_ns as f64 / 1e3),
            skew_bound_us: own.map(|own| own.skew_bound_ns as f64 / 1e3),
            drift_ppm: own.and_then(|own| Some(own.drift_ppb? as f64 / 1e3)),
            deliveries: own.map(|own| own.deliveries),
            repeated: own.map(|own| own.repeated),
            lost_s: lost.map(|lost| lost.from.as_secs_f64()),
            lost_because: lost.map(|lost| lost.reason.clone()),
            missing: lost.map_or(0, |lost| lost.missing),
        }
    });
    let begin = apart(measured.iter().map(|it| (it.skew_ns, it.skew_bound_ns)));
    let end = apart(
        measured
            .iter()
            .map(|it| (it.end_skew_ns, it.end_skew_bound_ns)),
    );
    Some(AgentsFigures {
        skew_us: begin.map(|(skew, _)| skew),
        skew_bound_us: begin.map(|(_, bound)| bound),
        end_skew_us: end.map(|(skew, _)| skew),
        end_skew_bound_us: end.map(|(_, bound)| bound),
        agents: figures.collect(),
    })
}

/// Why agents make the measurement invalid; `open`: whether arrivals come at a rate.
pub(super) fn reasons(record: &Record, stretches: &[Stretch], open: bool) -> Vec<String> {
    let Some(facts) = facts(record) else {
        return Vec::new();
    };
    let mut reasons: Vec<String> = lost(record)
        .map(|lost| {
            let missing = match lost.missing {
                0 => String::new(),
                missing => format!(" {missing} of its deliveries did not arrive."),
            };
            let words = lost.in_words();
            let words = words.strip_prefix("the ").unwrap_or(&words);
            format!("The {words}.{missing}")
        })
        .collect();
    let response = response_p99(record, begin(stretches));
    for facts in facts {
        let seen = Seen::of(record, stretches, &facts.agent);
        let own = |what: String| format!("The agent {} was its own limit: {what}", facts.agent);
        let bound = late_above(record, response);
        if let Some(lag) = seen.send_lag_p99().filter(|lag| *lag > bound) {
            reasons.push(own(format!(
                "its send lag p99 is {:.1} ms, and at most {:.1} ms is allowed. {}",
                lag.as_millis_f64(),
                bound.as_millis_f64(),
                late_remedy(record)
            )));
        }
        let judged: [(Judged, f64, &str); 3] = [
            (busy, GENERATOR_BUSY_MOST, "its threads were busy for"),
            (delayed, DELAYED_MOST, "its threads had no processor for"),
            (machine_busy, MACHINE_BUSY_MOST, "its machine was busy for"),
        ];
        // A closed loop goes as fast as something lets it: what that was is its answer.
        for (of, most, what) in judged.into_iter().filter(|_| open) {
            if let Some((phase, share)) = seen.most(of).filter(|(_, share)| *share > most) {
                reasons.push(own(format!(
                    "{what} {:.0} % of the time in the phase `{phase}`, and at most {:.0} % is \
                     allowed.",
                    100.0 * share,
                    100.0 * most
                )));
            }
        }
    }
    reasons
}

/// Whether an agent was lost: then what it had begun is in no count.
pub(super) fn any_lost(record: &Record) -> bool {
    lost(record).next().is_some()
}

fn facts(record: &Record) -> Option<&[AgentFacts]> {
    let mut events = record.events.iter();
    events.find_map(|(_, event)| match event {
        Event::AgentsBegan { agents } => Some(agents.as_slice()),
        _ => None,
    })
}

fn measured(record: &Record) -> &[AgentMeasured] {
    let mut events = record.events.iter();
    let found = events.find_map(|(_, event)| match event {
        Event::AgentsEnded { agents } => Some(agents.as_slice()),
        _ => None,
    });
    found.unwrap_or_default()
}

fn lost(record: &Record) -> impl Iterator<Item = &AgentLost> {
    record.events.iter().filter_map(|(_, event)| match event {
        Event::AgentLost(lost) => Some(lost),
        _ => None,
    })
}

/// The most that two of these lie apart, and how far that may be off, in microseconds.
fn apart(all: impl Iterator<Item = (i64, u64)>) -> Option<(f64, f64)> {
    let mut all: Vec<(i64, u64)> = all.collect();
    all.sort_unstable();
    let (first, last) = (all.first()?.0, all.last()?.0);
    let mut bounds: Vec<u64> = all.iter().map(|(_, bound)| *bound).collect();
    bounds.sort_unstable();
    // Of any two no more than the two that are known worst.
    let bound: u64 = bounds.iter().rev().take(2).sum();
    let bound = if all.len() > 1 { bound } else { 0 };
    Some((last.abs_diff(first) as f64 / 1e3, bound as f64 / 1e3))
}

/// What an agent counted, in each phase and in all.
struct Seen<'a> {
    phases: Vec<(&'a str, AgentCounters)>,
    send_lag: Histogram,
}

/// A share of something that an agent counted.
type Judged = fn(&AgentCounters) -> Option<f64>;

fn busy(counters: &AgentCounters) -> Option<f64> {
    share(counters.cpu_ns, counters.thread_ns)
}

fn delayed(counters: &AgentCounters) -> Option<f64> {
    // A kernel that does not tell leaves a zero.
    share(counters.delayed_ns, counters.thread_ns).filter(|delayed| *delayed > 0.0)
}

fn machine_busy(counters: &AgentCounters) -> Option<f64> {
    let used = counters
        .machine_busy_ns
        .saturating_add(counters.machine_steal_ns);
    share(used, counters.machine_total_ns)
}

impl<'a> Seen<'a> {
    fn of(record: &Record, stretches: &'a [Stretch], agent: &str) -> Self {
        let mut seen = Self {
            phases: stretches
                .iter()
                .map(|stretch| (stretch.name.as_str(), AgentCounters::default()))
                .collect(),
            send_lag: Histogram::new(),
        };
        for sample in &record.samples {
            let Counters::Agent(counters) = &sample.counters else {
                continue;
            };
            if sample.source.agent() != Some(agent) {
                continue;
            }
            let at = middle(&sample);
            for (stretch, (_, sums)) in stretches.iter().zip(&mut seen.phases) {
                if (stretch.from..stretch.to).contains(&at) {
                    sums.merge(counters);
                }
            }
            // As in the sums of all: a warm-up is not measured.
            if at >= begin(stretches)
                && let Some(lag) = sample.histogram(Measure::SendLag)
            {
                seen.send_lag.merge(lag);
            }
        }
        seen
    }

    /// The phase in which a share was largest.
    fn most(&self, of: Judged) -> Option<(&'a str, f64)> {
        let phases = self.phases.iter();
        let shares = phases.filter_map(|(name, counters)| Some((*name, of(counters)?)));
        shares.max_by(|(_, one), (_, other)| one.total_cmp(other))
    }

    fn send_lag_p99(&self) -> Option<Nanos> {
        self.send_lag.quantile(0.99)
    }
}

/// Where what is measured begins.
fn begin(stretches: &[Stretch]) -> Nanos {
    stretches.first().map_or(Nanos::ZERO, |first| first.from)
}

/// The p99 of all response times from there on, by which a lag is judged.
fn response_p99(record: &Record, from: Nanos) -> Option<Nanos> {
    let mut response = Histogram::new();
    for sample in &record.samples {
        if sample.is_of_all_operations()
            && middle(&sample) >= from
            && let Some(own) = sample.histogram(Measure::Response)
        {
            response.merge(own);
        }
    }
    response.quantile(0.99)
}

impl AgentsFigures {
    /// What a reader should know of them, in a sentence.
    pub fn sentence(&self) -> String {
        let count = self.agents.len();
        let agents = if count == 1 { "agent" } else { "agents" };
        let apart = |skew: Option<f64>, bound: Option<f64>| match (skew, bound) {
            (Some(skew), Some(bound)) => format!("{} ± {}", micros(skew), micros(bound)),
            _ => "an unknown time".to_owned(),
        };
        if count == 1 {
            return format!("1 {agents} sent the load.");
        }
        format!(
            "{count} {agents} sent the load: they began within {} of each other, and were within \
             {} of each other at the end.",
            apart(self.skew_us, self.skew_bound_us),
            apart(self.end_skew_us, self.end_skew_bound_us)
        )
    }
}

/// A duration in the unit that suits it.
fn micros(us: f64) -> String {
    match us {
        1_000_000.0.. => format!("{:.1} s", us / 1e6),
        1_000.0.. => format!("{:.1} ms", us / 1e3),
        _ => format!("{us:.0} µs"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_two_that_lie_farthest_apart_count_with_the_two_worst_bounds() {
        let of = |all: &[(i64, u64)]| apart(all.iter().copied());
        assert_eq!(of(&[]), None);
        assert_eq!(of(&[(5_000, 9_000)]), Some((0.0, 0.0)));
        assert_eq!(of(&[(-2_000, 1_000), (3_000, 4_000)]), Some((5.0, 5.0)));
        let three = [(-2_000, 1_000), (3_000, 4_000), (0, 9_000)];
        assert_eq!(of(&three), Some((5.0, 13.0)));
    }
}
