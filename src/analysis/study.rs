//! What many simulated variants of one scenario came to: the words and figures
//! of what-if tables and of sweeps.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{ExpectationShare, Findings, student};
use crate::model::IncidentVerdict;
use crate::named::named;
use crate::plan::Plan;

/// What one variant came to with one seed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Outcome {
    /// The incident's verdict, a word.
    pub verdict: IncidentVerdict,
    /// Trigger off → recovered for good, in seconds: where service was lost once more, until it
    /// was back from that. Null where it was not seen or there was nothing to recover from.
    pub recovery_s: Option<f64>,
    /// Not recovered within so many seconds after the trigger was off.
    pub recovery_censored_after_s: Option<f64>,
    /// Operations that ended without success or not at all.
    pub lost: u64,
    /// Operations that were scheduled.
    pub scheduled: u64,
    /// p99 of the response time before the first action or surge, in milliseconds; none
    /// where too much of it is the generator's.
    pub calm_p99_ms: Option<f64>,
    /// Busy worker-time share before the first action or surge.
    pub calm_saturation: Option<f64>,
}

impl Outcome {
    /// The outcome that these findings tell.
    pub fn of(findings: &Findings) -> Self {
        let all = &findings.conservation;
        let calm = findings.phases.first();
        let incident = &findings.incident;
        let (recovery_s, recovery_censored_after_s) =
            match (incident.relapses.last(), incident.trigger_off_s) {
                (Some(last), Some(off)) => match last.back_s {
                    Some(back) => (Some(back - off), None),
                    None => (None, Some(findings.seen_to_s() - off)),
                },
                _ => (
                    incident.recovery_after_trigger_off_s,
                    incident.recovery_after_trigger_off_censored_after_s,
                ),
            };
        Self {
            verdict: incident.verdict,
            recovery_s,
            recovery_censored_after_s,
            lost: all.lost(),
            scheduled: all.scheduled,
            calm_p99_ms: calm.and_then(|phase| phase.response_ms.own_p99()),
            calm_saturation: calm.and_then(|phase| phase.saturation),
        }
    }
}

/// The middle and the ends of what several seeds gave.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Spread {
    /// The median.
    pub median: f64,
    /// The least.
    pub min: f64,
    /// The most.
    pub max: f64,
}

impl Spread {
    /// The spread of these values; none where there is none.
    pub fn of(values: impl IntoIterator<Item = f64>) -> Option<Self> {
        let mut values: Vec<f64> = values.into_iter().collect();
        values.sort_by(f64::total_cmp);
        Self::of_sorted(&values)
    }

    /// The same of values in an order of their own: of some it is only known what they are
    /// longer than, and they come last.
    fn of_sorted(values: &[f64]) -> Option<Self> {
        let (min, max) = (*values.first()?, *values.last()?);
        let (below, above) = ((values.len() - 1) / 2, values.len() / 2);
        Some(Self {
            median: f64::midpoint(values[below], values[above]),
            min,
            max,
        })
    }
}

/// A mean and how far it can be off.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Interval {
    /// The mean.
    pub mean: f64,
    /// The 95 % confidence interval reaches so far to either side (Student's t);
    /// null where there is one value only.
    pub half_width: Option<f64>,
}

impl Interval {
    /// The interval of the mean of these values; none where there is none.
    pub fn of(values: &[f64]) -> Option<Self> {
        Self::at(values, student::CONFIDENCE)
    }

    /// The same that holds the mean with another probability, 0 to 1.
    pub(super) fn at(values: &[f64], confidence: f64) -> Option<Self> {
        let count = values.len();
        if count == 0 {
            return None;
        }
        let mean = values.iter().sum::<f64>() / count as f64;
        let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
        let half_width = (count > 1).then(|| {
            let deviation = (squares / (count - 1) as f64).sqrt();
            student::reach(confidence, count - 1) * deviation / (count as f64).sqrt()
        });
        Some(Self { mean, half_width })
    }
}

/// One row of a what-if table: the scenario with some measures taken.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Row {
    /// The measures' names; none: the scenario as it is.
    pub measures: Vec<String>,
    /// What they change, in one sentence each.
    pub changes: Vec<String>,
    /// Verdicts and how many seeds gave each, the most frequent first.
    #[schemars(with = "Vec<(String, u64)>")]
    pub verdicts: Vec<(IncidentVerdict, u64)>,
    /// Trigger off → recovered for good, in seconds, over the seeds in which service was lost.
    /// Those that did not recover come last, with how long they were watched.
    pub recovery_s: Option<Spread>,
    /// Of those: seeds in which recovery was not seen.
    pub not_recovered: u64,
    /// Seeds in which service was lost; left out by older versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub harmed: Option<u64>,
    /// Operations lost.
    pub lost: Spread,
    /// Operations that the scenario lost and this does not, seed by seed.
    pub saved: Interval,
    /// p99 of the response time before the first action or surge, in milliseconds.
    pub calm_p99_ms: Option<Spread>,
    /// Busy worker-time share before the first action or surge.
    pub calm_saturation: Option<Spread>,
    /// The verdict that the scenario declares for it; only where it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub declared: Option<IncidentVerdict>,
    /// The least share of the seeds with it that the scenario declares, between 0 and 1; only
    /// where it is not all of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub declared_share: Option<f64>,
    /// The expectations that held in fewer of the seeds than they must; only where there are
    /// some.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub failed: Vec<ExpectationShare>,
    /// A digest of what was expected of it, where it is a variant; left out by older versions.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub expected: String,
    /// Where it ends at another instant than the scenario as it is, in seconds: then what the
    /// two lost is not of the same time, and nothing is saved or wasted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub other_end_s: Option<f64>,
    /// The fingerprint of the plan that was tried, where it is a variant: what was measured is
    /// of a scenario whose plan still has it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub plan: String,
}

impl Row {
    /// The row of these outcomes, seed by seed beside those of the scenario as it is.
    pub fn of(measures: &[(&str, &str)], outcomes: &[Outcome], base: &[Outcome]) -> Option<Self> {
        let mut verdicts: Vec<(IncidentVerdict, u64)> = Vec::new();
        for outcome in outcomes {
            match verdicts.iter_mut().find(|it| it.0 == outcome.verdict) {
                Some((_, count)) => *count += 1,
                None => verdicts.push((outcome.verdict, 1)),
            }
        }
        verdicts.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        let waited = |it: &Outcome| {
            let seen = it.recovery_s.map(|it| (false, it));
            seen.or(it.recovery_censored_after_s.map(|it| (true, it)))
        };
        let mut waits: Vec<(bool, f64)> = outcomes.iter().filter_map(waited).collect();
        waits.sort_by(|a, b| a.0.cmp(&b.0).then(a.1.total_cmp(&b.1)));
        let not_recovered = waits.iter().filter(|(censored, _)| *censored).count();
        let waits: Vec<f64> = waits.into_iter().map(|(_, wait)| wait).collect();
        let saved: Vec<f64> = base
            .iter()
            .zip(outcomes)
            .map(|(base, outcome)| base.lost as f64 - outcome.lost as f64)
            .collect();
        Some(Self {
            measures: measures.iter().map(|(name, _)| (*name).into()).collect(),
            changes: measures.iter().map(|(_, what)| (*what).into()).collect(),
            verdicts,
            recovery_s: Spread::of_sorted(&waits),
            not_recovered: not_recovered as u64,
            harmed: Some(waits.len() as u64),
            lost: Spread::of(outcomes.iter().map(|it| it.lost as f64))?,
            saved: Interval::of(&saved)?,
            calm_p99_ms: Spread::of(outcomes.iter().filter_map(|it| it.calm_p99_ms)),
            calm_saturation: Spread::of(outcomes.iter().filter_map(|it| it.calm_saturation)),
            declared: None,
            declared_share: None,
            failed: Vec::new(),
            expected: String::new(),
            other_end_s: None,
            plan: String::new(),
        })
    }

    /// The same, with the verdict that this plan declares.
    #[must_use]
    pub fn declaring(self, plan: &Plan) -> Self {
        let declared = plan.declared_verdict();
        let share = declared.map(|(_, share)| share);
        Self {
            declared: declared.map(|(verdict, _)| verdict),
            declared_share: share.filter(|share| *share < 1.0),
            ..self
        }
    }
}

/// Every corrective measure, alone and in pairs, tried on one scenario; or the variants that
/// the user named, run live.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct WhatIf {
    /// The scenario's short name.
    pub scenario: String,
    /// What it is about.
    pub title: String,
    /// Whether they were run live; left out where they were simulated.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub live: bool,
    /// Whether they are variants of the scenario or of the user; left out where they are
    /// corrective measures.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub variants: bool,
    /// Seeds that each was tried with.
    pub seeds: Vec<u64>,
    /// The scenario as it is.
    pub base: Row,
    /// Each measure alone, the one that loses the fewest operations first.
    pub alone: Vec<Row>,
    /// Pairs that lose fewer operations than either of the two alone, likewise.
    pub pairs: Vec<Row>,
    /// Measures that change nothing in this scenario, with the reason.
    pub inapplicable: Vec<(String, String)>,
}

/// What a point of a sweep came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Region {
    /// It recovers with the trigger's end, or is not harmed: stable.
    Recovered,
    /// It recovers later, by itself: stable, after a backlog has drained.
    SlowDrain,
    /// Healthy without the trigger, and stuck after it: vulnerable.
    Metastable,
    /// Not healthy even without the trigger.
    Overloaded,
    /// No verdict could be given.
    Undetermined,
}

named!(Region {
    Recovered = "recovered",
    SlowDrain = "slow drain",
    Metastable = "metastable",
    Overloaded = "overloaded",
    Undetermined = "undetermined",
});

impl Region {
    /// How bad it is, beside the others.
    pub const fn rank(self) -> u8 {
        match self {
            Self::Undetermined => 0,
            Self::Recovered => 1,
            Self::SlowDrain => 2,
            Self::Metastable => 3,
            Self::Overloaded => 4,
        }
    }

    /// Whether service comes back by itself there.
    pub const fn comes_back(self) -> bool {
        matches!(self, Self::Recovered | Self::SlowDrain)
    }
}

/// One axis of a sweep.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct AxisValues {
    /// The key that is varied.
    pub key: String,
    /// What stands behind the numbers: `/s`, `ms`.
    pub unit: String,
    /// The numbers, from the first to the last.
    pub values: Vec<f64>,
}

/// Where service stops coming back, for one value of y.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Edge {
    /// Which value of y.
    pub row: usize,
    /// The last x found, by bisection, from which service comes back by itself …
    pub comes_back: f64,
    /// … and the first from which it does not.
    pub stuck: f64,
    /// The region beyond the edge.
    pub beyond: Region,
}

/// Where it depends on chance whether service comes back, for one value of y.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Band {
    /// Which value of y.
    pub row: usize,
    /// The last x found from which service comes back in every seed …
    pub every_seed: Option<f64>,
    /// … and the first from which it does in none. Null, as the other may be: chance
    /// decides up to the next edge, or as far as the map reaches.
    pub no_seed: Option<f64>,
    /// Whether service comes back at the lower x.
    #[serde(default = "below")]
    pub below: bool,
}

const fn below() -> bool {
    true
}

/// A map over two parameters.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Sweep {
    /// The scenario's short name.
    pub scenario: String,
    /// What it is about.
    pub title: String,
    /// The seed of every point.
    pub seed: u64,
    /// Across.
    pub x: AxisValues,
    /// Upwards; one value and no key where only x is varied.
    pub y: AxisValues,
    /// What each point came to: row by row of y, the first row first.
    pub regions: Vec<Vec<Region>>,
    /// The edges between coming back and not, refined by bisection; with several seeds,
    /// between coming back in every seed and not.
    pub edges: Vec<Edge>,
    /// Seeds that each point was simulated with; left out where it is one.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub seeds: u64,
    /// The share of the seeds in which service comes back, in the order of the points; only
    /// with several seeds.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub back: Vec<Vec<f64>>,
    /// Where chance decides, refined by bisection; only with several seeds.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub bands: Vec<Band>,
}

const fn one() -> u64 {
    1
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands a reference")]
const fn is_one(seeds: &u64) -> bool {
    *seeds == 1
}

impl Sweep {
    /// The hidden capacity: the least and the most load (or other x), over all rows,
    /// up to which the scenario's trigger can be borne.
    pub fn hidden_capacity(&self) -> Option<(f64, f64)> {
        // Where service comes back above the edge, what lies below is no capacity.
        let vulnerable =
            |edge: &&Edge| edge.beyond == Region::Metastable && edge.comes_back < edge.stuck;
        let values = || self.edges.iter().filter(vulnerable);
        let values = || values().map(|edge| edge.comes_back);
        Some((values().reduce(f64::min)?, values().reduce(f64::max)?))
    }
}
