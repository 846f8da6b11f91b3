//! The figures of the answer: what every report leads with, computed once.
//!
//! They are functions of the findings and no part of them, so that `summary.json`
//! holds each figure once too. How a figure is written (units, digits, words) is the
//! reports' business.

use super::findings::{Conservation, ExhaustionWindow, Findings, Incident, Measurement, Phase};
use super::study::Outcome;
use super::validity::DELAYED_MOST;
use crate::error::EXIT_FAILED;
use crate::model::SourceName;
use crate::plan::{Cause, Figure};

/// A closed loop whose generator or machine is busier than this was limited by it.
const LIMITING: f64 = 0.90;

/// The headline: how long service took to recover.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Recovery {
    /// Whether it is counted from a rollback; else from when the trigger was off.
    pub after_rollback: bool,
    /// Seconds until it had recovered; none where that was not seen.
    pub seen_s: Option<f64>,
    /// Seconds for which it was waited for in vain.
    pub censored_after_s: Option<f64>,
}

/// The load that each operation became in one phase.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Amplification<'a> {
    /// The phase.
    pub phase: &'a Phase,
    /// Users' attempts / first tries.
    pub attempts: f64,
    /// Probes / operations; zero where none was read.
    pub probes: f64,
}

impl Amplification<'_> {
    fn of(phase: &Phase) -> Option<Amplification<'_>> {
        Some(Amplification {
            phase,
            attempts: phase.attempts_per_operation?,
            probes: phase.probes_per_operation.unwrap_or(0.0),
        })
    }

    /// Attempts and probes per operation: 1 is what users asked for.
    pub fn times(&self) -> f64 {
        self.attempts + self.probes
    }
}

/// All exhaustion windows together.
#[derive(Debug, Clone, PartialEq)]
pub struct Exhaustion<'a> {
    /// Who was exhausted, sorted, each once.
    pub instances: Vec<&'a SourceName>,
    /// When the first window began.
    pub from_s: f64,
    /// When the last one ended.
    pub to_s: f64,
    /// The longest window.
    pub longest_s: f64,
}

/// A closed loop whose generator is away for longer than this share of the time could go
/// faster by as much.
const AWAY_MOST: f64 = 0.1;

/// What a closed loop went as fast as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limiter {
    /// The generator's threads.
    Generator,
    /// The machine, perhaps.
    Machine,
    /// The target, or the number of connections.
    Target,
}

/// A part of the run that is worth comparing with the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunPart {
    /// All of it, where nothing began.
    Whole,
    /// Before the impact, or the trigger where nobody was harmed.
    Before,
    /// From then until service had recovered.
    Incident,
    /// After that.
    Recovered,
}

impl Findings {
    /// How long service took to recover: after the rollback, or after the trigger was
    /// off where that was no rollback's doing. Of a push that was never off a rollback
    /// is what was missing.
    pub fn recovery(&self) -> Recovery {
        let incident = &self.incident;
        let after_rollback = match incident.trigger_off_s {
            Some(_) => incident.ended_by_rollback(),
            // One that was rolled back while something else still acts lacks no rollback.
            None => {
                incident.rollback_applied_s.is_none()
                    && matches!(incident.trigger, None | Some(Cause::Push))
            }
        };
        let (seen_s, censored_after_s) = if after_rollback {
            (
                incident.recovery_after_rollback_s,
                incident.recovery_after_rollback_censored_after_s,
            )
        } else {
            (
                incident.recovery_after_trigger_off_s,
                incident.recovery_after_trigger_off_censored_after_s,
            )
        };
        Recovery {
            after_rollback,
            seen_s,
            censored_after_s,
        }
    }

    /// The whole run as one phase; none where it has several and its summary is of an older
    /// version, or nothing was seen of it.
    pub fn whole(&self) -> Option<&Phase> {
        match (&self.whole_run, &self.phases[..]) {
            (Some(whole), _) => Some(whole),
            (None, [only]) => Some(only),
            _ => None,
        }
    }

    /// The phases in which something can come of the trigger: all where there was none.
    pub(super) fn phases_since_trigger(&self) -> impl DoubleEndedIterator<Item = &Phase> {
        let trigger = self.incident.trigger_s.unwrap_or(0.0);
        let phases = self.phases.iter();
        phases.filter(move |phase| phase.to_s > trigger)
    }

    /// Where each operation became the most load, since the trigger; none where no
    /// attempt was counted.
    pub fn worst_amplification(&self) -> Option<Amplification<'_>> {
        let amplified = self.phases_since_trigger().filter_map(Amplification::of);
        // Of equals `max_by` takes the last; the first is nearer to the cause.
        amplified
            .rev()
            .max_by(|one, other| one.times().total_cmp(&other.times()))
    }

    /// All exhaustion windows together; none where there was none.
    pub fn exhausted(&self) -> Option<Exhaustion<'_>> {
        let windows = || self.exhaustion.iter();
        let mut instances: Vec<_> = windows().map(|window| &window.instance).collect();
        instances.sort_unstable();
        instances.dedup();
        Some(Exhaustion {
            instances,
            from_s: windows().map(|window| window.from_s).reduce(f64::min)?,
            to_s: windows().map(|window| window.to_s).reduce(f64::max)?,
            longest_s: windows().map(ExhaustionWindow::seconds).reduce(f64::max)?,
        })
    }

    /// The most jobs that waited in the fleet; none where no gauge was read.
    pub fn queue_depth_max(&self) -> Option<u64> {
        let phases = self.phases.iter();
        phases.filter_map(|phase| phase.queue_depth.max).max()
    }

    /// Operations that got through and should have been refused.
    pub fn wrongly_allowed(&self) -> u64 {
        let phases = self.phases.iter();
        phases.fold(0, |sum: u64, phase| {
            sum.saturating_add(phase.wrongly_allowed)
        })
    }

    /// How many expectations did not hold.
    pub fn missed_expectations(&self) -> usize {
        let all = self.expectations.iter();
        all.filter(|it| it.passed == Some(false)).count()
    }

    /// The exit code that stands for these findings.
    pub fn exit_code(&self) -> i32 {
        self.ending.exit_code.unwrap_or(EXIT_FAILED)
    }

    /// Whether no operation succeeded, and nobody had said how many were to.
    pub fn nothing_succeeded(&self) -> bool {
        let of_success = |that: &str| OF_SUCCESS.iter().any(|it| that.starts_with(it.word()));
        let mut expectations = self.expectations.iter();
        self.conservation.succeeded == 0 && !expectations.any(|it| of_success(&it.that))
    }

    /// The run in parts, each with its start and end in seconds.
    pub fn parts(&self) -> Vec<(RunPart, f64, f64)> {
        let Some(first) = self.phases.first() else {
            return Vec::new();
        };
        let (from, to) = (first.from_s, self.seen_to_s());
        let incident = &self.incident;
        let Some(began) = incident.impact_s.or(incident.trigger_s) else {
            return vec![(RunPart::Whole, from, to)];
        };
        let recovered = incident.recovered_s;
        let mut parts = vec![
            (RunPart::Before, from, began),
            (RunPart::Incident, began, recovered.unwrap_or(to)),
        ];
        parts
            .extend(recovered.map(|at| (RunPart::Recovered, at, self.lost_next(at).unwrap_or(to))));
        parts
    }

    /// When service was lost, each time from its start to its end, in seconds.
    pub fn lost_spans(&self) -> Vec<(f64, f64)> {
        let end = self.seen_to_s();
        let spans = self.incidents.iter().flat_map(|incident| {
            let back = incident.back_early_s.or(incident.recovered_s);
            let first = incident.impact_s.map(|from| (from, back.unwrap_or(end)));
            let again = incident.relapses.iter();
            let again = again.map(|it| (it.lost_s, it.back_s.unwrap_or(end)));
            first.into_iter().chain(again).collect::<Vec<_>>()
        });
        spans.collect()
    }

    /// When service was lost for the first time from an instant on.
    fn lost_next(&self, from: f64) -> Option<f64> {
        let relapses = self.incidents.iter().flat_map(|it| &it.relapses);
        let impacts = self.incidents.iter().filter_map(|it| it.impact_s);
        let lost = relapses.map(|relapse| relapse.lost_s).chain(impacts);
        lost.filter(|at| *at >= from).reduce(f64::min)
    }

    /// Until when the run was seen, in seconds.
    pub fn seen_to_s(&self) -> f64 {
        self.phases.last().map_or(0.0, |phase| phase.to_s)
    }
}

/// Figures that tell how many operations succeed, or that none does.
const OF_SUCCESS: [Figure; 4] = [
    Figure::ErrorShare,
    Figure::Goodput,
    Figure::Failures,
    Figure::IncidentVerdict,
];

impl Incident {
    /// Whether what ended the trigger was a rollback.
    pub fn ended_by_rollback(&self) -> bool {
        self.trigger_off_s.is_some() && self.rollback_applied_s == self.trigger_off_s
    }
}

impl Conservation {
    /// Operations that ended without success or not at all.
    pub const fn lost(&self) -> u64 {
        self.scheduled.saturating_sub(self.succeeded)
    }

    /// Of all that were scheduled; zero where none was.
    pub fn lost_share(&self) -> f64 {
        share_of(self.lost(), self.scheduled)
    }
}

impl Outcome {
    /// Operations that ended without success or not at all, of all; none where there were none.
    pub fn lost_share(&self) -> Option<f64> {
        (self.scheduled > 0).then(|| share_of(self.lost, self.scheduled))
    }
}

fn share_of(some: u64, all: u64) -> f64 {
    some as f64 / all.max(1) as f64
}

impl ExhaustionWindow {
    /// Its length.
    pub(super) fn seconds(&self) -> f64 {
        self.to_s - self.from_s
    }
}

impl Measurement {
    /// What a closed loop went as fast as.
    pub fn limiter(&self) -> Limiter {
        let above = |share: Option<f64>, most| share.is_some_and(|share| share > most);
        if above(self.generator_busy, LIMITING) {
            Limiter::Generator
        } else if above(self.machine_busy_max, LIMITING)
            || above(self.generator_delayed, DELAYED_MOST)
            || above(self.generator_away, AWAY_MOST)
        {
            Limiter::Machine
        } else {
            Limiter::Target
        }
    }
}
