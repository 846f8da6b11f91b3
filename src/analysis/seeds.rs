//! The same plan with many seeds: what each came to, and the share of each verdict.
//!
//! Where a system has two states that it can end in, one run shows one of them, and by
//! luck. A share with its interval is what can be said of it, so it is what a scenario may
//! expect: `share` of an `[[expect]]`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::expectations::ExpectationResult;
use super::findings::Findings;
use super::proportion::Proportion;
use super::study::Outcome;
use crate::error::{EXIT_EXPECTATION, EXIT_INVALID, EXIT_PASSED};
use crate::model::IncidentVerdict;
use crate::plan::Expectation;
use crate::units::Ratio;

/// Seeds of a command at most.
const SEEDS_MAX: u64 = 1_000;

/// What one seed came to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SeedFindings {
    /// The seed.
    pub seed: u64,
    /// The incident.
    pub outcome: Outcome,
    /// The expectations and their results.
    pub expectations: Vec<ExpectationResult>,
}

impl SeedFindings {
    /// What these findings say.
    pub fn of(findings: &Findings) -> Self {
        Self {
            seed: findings.seed,
            outcome: Outcome::of(findings),
            expectations: findings.expectations.clone(),
        }
    }
}

/// A scenario with many seeds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SeedShares {
    /// Whether they were run live; left out where they were simulated.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub live: bool,
    /// What each seed came to.
    pub seeds: Vec<SeedResult>,
    /// The share of each verdict, the most frequent first.
    pub verdicts: Vec<VerdictShare>,
    /// The share of seeds in which each expectation held.
    pub expectations: Vec<ExpectationShare>,
}

/// A seed and what it came to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SeedResult {
    /// The seed.
    pub seed: u64,
    /// The incident's verdict.
    pub verdict: IncidentVerdict,
    /// Trigger off → recovered, in seconds; null where that was not seen.
    pub recovery_s: Option<f64>,
    /// Operations that ended without success or not at all.
    pub lost: u64,
}

/// How often a verdict was given.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct VerdictShare {
    /// The verdict.
    pub verdict: IncidentVerdict,
    /// Its share of the seeds.
    pub seeds: Proportion,
}

/// How often an expectation held.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ExpectationShare {
    /// The figure, with its phase or window.
    pub that: String,
    /// What was required, as text with its unit.
    pub required: String,
    /// The share of the seeds in which it held.
    pub seeds: Proportion,
    /// The least share in which it must; 1 unless the scenario declares another.
    pub at_least: f64,
    /// Whether it holds: by the interval, where a share is declared; null where it cannot
    /// be told.
    pub passed: Option<bool>,
}

impl ExpectationShare {
    /// How many seeds show the share that is demanded, where it holds in each of them; none
    /// where no command runs so many.
    pub fn seeds_needed(&self) -> Option<u64> {
        (1..=SEEDS_MAX).find(|seeds| Proportion::of(*seeds, *seeds).low >= self.at_least)
    }
}

impl SeedShares {
    /// The shares over these seeds.
    pub fn of(expected: &[Expectation], found: &[SeedFindings], live: bool) -> Self {
        let of = found.len() as u64;
        let mut counts: Vec<(IncidentVerdict, u64)> = Vec::new();
        for verdict in found.iter().map(|it| it.outcome.verdict) {
            match counts.iter_mut().find(|(own, _)| *own == verdict) {
                Some((_, count)) => *count += 1,
                None => counts.push((verdict, 1)),
            }
        }
        counts.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        let verdicts = counts.into_iter().map(|(verdict, count)| VerdictShare {
            verdict,
            seeds: Proportion::of(count, of),
        });
        let expectations = expected.iter().enumerate();
        Self {
            live,
            seeds: found.iter().map(SeedResult::of).collect(),
            verdicts: verdicts.collect(),
            expectations: expectations
                .filter_map(|(place, expectation)| one(expectation, place, found))
                .collect(),
        }
    }

    /// Whether any seed has a verdict.
    pub fn is_told(&self) -> bool {
        let mut verdicts = self.verdicts.iter();
        verdicts.any(|it| it.verdict != IncidentVerdict::Undetermined)
    }

    /// Whether every expectation holds.
    pub fn passed(&self) -> bool {
        self.judged() == Some(true)
    }

    /// Whether every expectation holds; null where none failed, and of one it cannot be
    /// told.
    pub fn judged(&self) -> Option<bool> {
        let all = || self.expectations.iter().map(|it| it.passed);
        if all().any(|it| it == Some(false)) {
            return Some(false);
        }
        all().all(|it| it == Some(true)).then_some(true)
    }

    /// The exit code that stands for them.
    pub fn exit_code(&self) -> i32 {
        match self.judged() {
            Some(true) => EXIT_PASSED,
            Some(false) => EXIT_EXPECTATION,
            None => EXIT_INVALID,
        }
    }
}

impl SeedResult {
    fn of(found: &SeedFindings) -> Self {
        Self {
            seed: found.seed,
            verdict: found.outcome.verdict,
            recovery_s: found.outcome.recovery_s,
            lost: found.outcome.lost,
        }
    }
}

fn one(
    expectation: &Expectation,
    place: usize,
    found: &[SeedFindings],
) -> Option<ExpectationShare> {
    let results = found.iter().filter_map(|it| it.expectations.get(place));
    let results: Vec<&ExpectationResult> = results.collect();
    let first = results.first()?;
    let count = |held| results.iter().filter(|it| it.held() == held).count() as u64;
    let (held, failed) = (count(Some(true)), count(Some(false)));
    let share = expectation.share.map(Ratio::get);
    // A seed in which it could not be judged is no trial of a share.
    let of = match share {
        Some(_) => held + failed,
        None => results.len() as u64,
    };
    let seeds = Proportion::of(held, of);
    Some(ExpectationShare {
        that: first.that.clone(),
        required: first.required.clone(),
        seeds,
        at_least: share.unwrap_or(1.0),
        passed: match share {
            None if failed > 0 => Some(false),
            None => (held == of).then_some(true),
            Some(share) => by_share(seeds, share),
        },
    })
}

/// Whether a share is at least this, where its interval tells.
pub(super) fn by_share(seeds: Proportion, at_least: f64) -> Option<bool> {
    if seeds.low >= at_least {
        Some(true)
    } else if seeds.high < at_least {
        Some(false)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(seed: u64, verdict: IncidentVerdict, held: bool) -> SeedFindings {
        SeedFindings {
            seed,
            outcome: Outcome {
                verdict,
                recovery_s: None,
                recovery_censored_after_s: None,
                lost: seed,
                scheduled: 100,
                calm_p99_ms: None,
                calm_saturation: None,
            },
            expectations: vec![ExpectationResult {
                that: "incident verdict".into(),
                passed: Some(held),
                ..ExpectationResult::default()
            }],
        }
    }

    fn expected(share: Option<f64>) -> Expectation {
        let mut expectation: Expectation = serde_json::from_str(
            r#"{"that":"incident_verdict","phase":null,"bound":{"is":"metastable"}}"#,
        )
        .unwrap();
        expectation.share = share.and_then(Ratio::new);
        expectation
    }

    #[test]
    fn the_most_frequent_verdict_comes_first_and_every_seed_is_counted_once() {
        use IncidentVerdict::{Metastable, SlowDrain};
        let found: Vec<_> = (0..10)
            .map(|seed| {
                let stuck = seed % 3 != 0;
                found(seed, if stuck { Metastable } else { SlowDrain }, stuck)
            })
            .collect();
        let shares = SeedShares::of(&[expected(None)], &found, false);
        let told: Vec<_> = shares
            .verdicts
            .iter()
            .map(|it| (it.verdict, it.seeds.count))
            .collect();
        assert_eq!(told, [(Metastable, 6), (SlowDrain, 4)]);
        assert_eq!(shares.seeds.len(), 10);
        // Without a share it must hold in every seed.
        assert_eq!(shares.expectations[0].passed, Some(false));
        assert_eq!(shares.exit_code(), EXIT_EXPECTATION);
    }

    #[test]
    fn what_cannot_be_told_has_not_failed() {
        let mut all: Vec<_> = (0..3)
            .map(|seed| found(seed, IncidentVerdict::Metastable, true))
            .collect();
        all[1].expectations[0].passed = None;
        let shares = SeedShares::of(&[expected(None)], &all, false);
        assert_eq!((shares.judged(), shares.exit_code()), (None, EXIT_INVALID));
        // Three of three say little of a share.
        let share = SeedShares::of(&[expected(Some(0.9))], &all, false);
        assert_eq!((share.judged(), share.exit_code()), (None, EXIT_INVALID));
        assert_eq!(share.expectations[0].seeds.of, 2);
        all[2].expectations[0].passed = Some(false);
        let failed = SeedShares::of(&[expected(None)], &all, false);
        assert_eq!(failed.exit_code(), EXIT_EXPECTATION);
    }

    #[test]
    fn so_many_seeds_show_a_share_where_it_holds_in_each() {
        let needed = |share: f64| {
            let all = [found(1, IncidentVerdict::Metastable, true)];
            let shares = SeedShares::of(&[expected(Some(share))], &all, false);
            shares.expectations[0].seeds_needed()
        };
        // n / (n + z²), with z² = 3.84.
        let told = [0.5, 0.85, 0.9, 0.95, 0.9999].map(needed);
        assert_eq!(told, [Some(4), Some(22), Some(35), Some(74), None]);
    }

    #[test]
    fn a_declared_share_is_judged_by_its_interval() {
        let half = Proportion::of(32, 64);
        assert_eq!(by_share(half, 0.3), Some(true));
        assert_eq!(by_share(half, 0.5), None);
        assert_eq!(by_share(half, 0.7), Some(false));
        let all: Vec<_> = (0..64)
            .map(|seed| found(seed, IncidentVerdict::Metastable, seed % 2 == 0))
            .collect();
        for (share, passed) in [(0.3, Some(true)), (0.5, None), (0.7, Some(false))] {
            let shares = SeedShares::of(&[expected(Some(share))], &all, false);
            assert_eq!(shares.expectations[0].passed, passed, "{share}");
        }
    }
}
