//! How far a figure of the candidate is from that of the base, and how surely that is known.

use rand::RngExt as _;

use super::blocks::{Block, FIGURES, Pool, Values};
use super::{Digest, Options};
use crate::model::Unit;
use crate::plan::Figure;
use crate::record::Backend;
use crate::rng;
use crate::units::whole;

/// Draws of blocks.
pub(super) const DRAWS: usize = 1000;
/// Blocks of a side at least.
pub(in crate::analysis) const BLOCKS_MIN: usize = 8;
/// Runs of a side that are drawn whole, at least.
pub(super) const RUNS_MIN: usize = 3;
/// What single runs cannot show: how much a figure of the same plan differs from run to run
/// on the same machine, as a share of it (a standard deviation). Runs in turns show it, and
/// sets do. Of runs one after the other 0.4 % was measured beside a program that is busy half
/// the time (docs/CI.md); a machine of another day differs more.
pub(in crate::analysis) const BETWEEN_RUNS: f64 = 0.01;

/// Up to here a count is too small for its own draws to show how it scatters.
const COUNTED_FEW: u64 = 10;
/// Up to this share of operations that are lost, goodput is what the schedule made it.
const LOST_FEW: f64 = 0.1;

/// How the differences were found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// Runs of the same seed in pairs.
    PairsOfRuns,
    /// Runs of two sets.
    Runs,
    /// Blocks of runs with the same arrivals, in pairs.
    PairsOfBlocks,
    /// Blocks of each side.
    Blocks,
}

/// A difference.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Difference {
    pub base: f64,
    pub candidate: f64,
    /// The candidate's less the base's: of a share as it is, else of the logarithms.
    pub estimate: f64,
    /// Its standard error.
    pub error: f64,
    /// Degrees of freedom of the error.
    pub freedom: usize,
}

/// The two sides.
pub(super) struct Sides<'a> {
    pub base: &'a [Digest],
    pub candidate: &'a [Digest],
    pub way: Way,
}

impl<'a> Sides<'a> {
    pub(super) fn new(base: &'a [Digest], candidate: &'a [Digest]) -> Self {
        let paired = base.len() == candidate.len()
            && base.iter().zip(candidate).all(|(a, b)| a.pairs_with(b));
        let way = match base.len().min(candidate.len()) {
            RUNS_MIN.. if paired => Way::PairsOfRuns,
            RUNS_MIN.. => Way::Runs,
            _ if paired => Way::PairsOfBlocks,
            _ => Way::Blocks,
        };
        Self {
            base,
            candidate,
            way,
        }
    }

    /// Whether runs of the same plan differ by more than their seeds: a machine is noisy.
    pub(super) fn noisy(&self) -> bool {
        let runs = self.base.iter().chain(self.candidate);
        runs.map(|run| run.backend).any(|it| it == Backend::Live)
    }

    /// Whether the runs of one side were made before those of the other, so that what a
    /// machine does from one time to the next is no part of what they show.
    fn apart(&self) -> bool {
        let ends = |side: &[Digest]| {
            let times = || side.iter().map(|run| run.started_wall_ms);
            Some((times().min()?, times().max()?))
        };
        match (ends(self.base), ends(self.candidate)) {
            (Some((a, b)), Some((c, d))) => b < c || d < a,
            _ => false,
        }
    }

    /// Whether there is an allowance for what differs from run to run.
    pub(super) fn allows(&self) -> bool {
        let several = matches!(self.way, Way::PairsOfRuns | Way::Runs);
        self.noisy() && (!several || self.apart())
    }

    /// That allowance for a figure, as a standard error of the difference.
    fn allowance(&self, figure: Figure, pool: &Pool<'_>, base: f64) -> f64 {
        if !self.allows() {
            return 0.0;
        }
        let share = BETWEEN_RUNS * std::f64::consts::SQRT_2;
        let closed = self.base.iter().chain(self.candidate);
        let mut closed = closed.map(|run| run.plan.load.drive.closed.is_some());
        match figure {
            Figure::ErrorShare => share * base,
            Figure::AttemptsPerOperation => 0.0,
            // What is scheduled and succeeds is the schedule's; what a full service or a
            // closed loop gets through is the machine's.
            Figure::Goodput if !closed.any(|it| it) => {
                let (lost, all) = pool.counts(figure).unwrap_or_default();
                let lost = lost as f64 / all.max(1) as f64;
                share * if lost < LOST_FEW { lost } else { 1.0 }
            }
            _ => share,
        }
    }

    /// The difference of a figure of the incident; none where no run has it.
    pub(super) fn incident(&self, figure: Figure) -> Option<Result<Difference, String>> {
        let values = |side: &[Digest]| -> Vec<f64> {
            let values = side.iter().filter_map(|run| run.point(figure));
            // A tenth of a second is the least that is told.
            values.map(|value| value.max(0.1).ln()).collect()
        };
        let (a, b) = (values(self.base), values(self.candidate));
        if a.is_empty() && b.is_empty() {
            return None;
        }
        let lacking = |side: &'static str, all: &[Digest], own: &[f64]| {
            let lack = all.len() - own.len();
            (lack > 0).then(|| format!("not seen in {lack} of {} runs of the {side}", all.len()))
        };
        let lacking =
            lacking("base", self.base, &a).or_else(|| lacking("candidate", self.candidate, &b));
        if let Some(why) = lacking {
            return Some(Err(why));
        }
        if a.len().min(b.len()) < RUNS_MIN {
            let why = format!("a run has one value of it: {RUNS_MIN} runs a side are needed");
            return Some(Err(why));
        }
        let (estimate, error, freedom) = welch(&a, &b);
        let [base, candidate] = [&a, &b].map(|side| moments(side).0.exp());
        // Instants are known to a bucket: equal values are no proof of more.
        let runs = self.base.iter().chain(self.candidate);
        let bucket = runs.map(|run| run.plan.interval).max().unwrap_or_default();
        let least = bucket.as_secs_f64() / base.min(candidate);
        Some(Ok(Difference {
            base,
            candidate,
            estimate,
            error: error.max(least).hypot(if self.allows() {
                BETWEEN_RUNS * std::f64::consts::SQRT_2
            } else {
                0.0
            }),
            freedom,
        }))
    }

    /// All blocks of a stretch, of both sides.
    pub(super) fn pools(&self, stretch: &str) -> (Pool<'a>, Pool<'a>) {
        let pool = |side: &'a [Digest]| Pool::new(blocks(side, stretch));
        (pool(self.base), pool(self.candidate))
    }

    /// Why figures of a stretch are not to be told, in the order of [`FIGURES`]; none where
    /// they are. Of runs that are taken whole each must tell it.
    pub(super) fn untold(&self, stretch: &str) -> [Option<String>; FIGURES.len()] {
        let pools: Vec<Pool<'_>> = match self.way {
            Way::PairsOfRuns | Way::Runs => {
                let runs = self.base.iter().chain(self.candidate);
                runs.map(|run| Pool::new(blocks(std::slice::from_ref(run), stretch)))
                    .collect()
            }
            Way::PairsOfBlocks | Way::Blocks => {
                let (base, candidate) = self.pools(stretch);
                vec![base, candidate]
            }
        };
        FIGURES.map(|figure| pools.iter().find_map(|pool| pool.untold(figure)))
    }

    /// The differences of the figures of a stretch, in the order of [`FIGURES`]; why there
    /// is none.
    pub(super) fn differences(
        &self,
        stretch: &str,
        options: &Options,
    ) -> Vec<Result<Difference, String>> {
        let (base, candidate) = self.pools(stretch);
        let found = self.by_the_way(stretch, (&base, &candidate), options);
        let found = found.into_iter().zip(FIGURES).map(|(found, figure)| {
            found.map(|found| Difference {
                error: found
                    .error
                    .max(least_error(figure, &base, &candidate))
                    .hypot(self.allowance(figure, &base, found.base)),
                ..found
            })
        });
        found.collect()
    }

    fn by_the_way(
        &self,
        stretch: &str,
        (base, candidate): (&Pool<'_>, &Pool<'_>),
        options: &Options,
    ) -> Vec<Result<Difference, String>> {
        match self.way {
            Way::PairsOfRuns | Way::Runs => {
                let each = |side: &[Digest]| -> Vec<Values> {
                    let pools = side.iter().map(|run| {
                        let pool = Pool::new(blocks(std::slice::from_ref(run), stretch));
                        pool.values(&pool.whole())
                    });
                    pools.collect()
                };
                let (a, b) = (each(self.base), each(self.candidate));
                of_runs(self.way == Way::PairsOfRuns, (&a, &b))
            }
            Way::PairsOfBlocks | Way::Blocks => {
                let least = base.len().min(candidate.len());
                if least < BLOCKS_MIN {
                    let why = format!(
                        "{least} intervals are too few, {BLOCKS_MIN} are needed: run longer"
                    );
                    return vec![Err(why); FIGURES.len()];
                }
                let paired = self.way == Way::PairsOfBlocks && base.len() == candidate.len();
                of_blocks(paired, base, candidate, stretch, options)
            }
        }
    }
}

/// The mean of a figure of the incident over the runs of a side that have it.
pub(super) fn mean(figure: Figure, side: &[Digest]) -> Option<f64> {
    let values: Vec<f64> = side.iter().filter_map(|run| run.point(figure)).collect();
    (!values.is_empty()).then(|| moments(&values).0)
}

fn blocks<'a>(side: &'a [Digest], stretch: &str) -> Vec<&'a Block> {
    let stretches = side.iter().filter_map(|run| run.stretch(stretch));
    stretches.flat_map(|blocks| &blocks.blocks).collect()
}

/// A value on the axis of differences.
fn on_axis(figure: Figure, value: Option<f64>) -> Option<f64> {
    match figure.unit() {
        Unit::Share => value,
        _ => value.filter(|value| *value > 0.0).map(f64::ln),
    }
}

/// A value from the axis of differences.
fn off_axis(figure: Figure, value: f64) -> f64 {
    match figure.unit() {
        Unit::Share => value,
        _ => value.exp(),
    }
}

fn of_runs(
    paired: bool,
    (base, candidate): (&[Values], &[Values]),
) -> Vec<Result<Difference, String>> {
    let each = FIGURES.iter().enumerate().map(|(place, figure)| {
        let values = |side: &[Values]| -> Option<Vec<f64>> {
            let values = side.iter().map(|values| on_axis(*figure, values[place]));
            values.collect()
        };
        let none = || "not every run has a value".to_owned();
        let (a, b) = (
            values(base).ok_or_else(none)?,
            values(candidate).ok_or_else(none)?,
        );
        let (estimate, error, freedom) = if paired {
            let differences: Vec<f64> = a.iter().zip(&b).map(|(a, b)| b - a).collect();
            let (mean, variance) = moments(&differences);
            let count = differences.len();
            (mean, (variance / count as f64).sqrt(), count - 1)
        } else {
            welch(&a, &b)
        };
        // The means that the difference is one of.
        let [base, candidate] = [&a, &b].map(|side| off_axis(*figure, moments(side).0));
        Ok(Difference {
            base,
            candidate,
            estimate,
            error,
            freedom,
        })
    });
    each.collect()
}

/// Mean and variance of a sample.
fn moments(values: &[f64]) -> (f64, f64) {
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    (mean, squares / (count - 1.0).max(1.0))
}

/// Welch's difference of two means: estimate, error, degrees of freedom.
fn welch(a: &[f64], b: &[f64]) -> (f64, f64, usize) {
    let ((mean_a, variance_a), (mean_b, variance_b)) = (moments(a), moments(b));
    let (part_a, part_b) = (variance_a / a.len() as f64, variance_b / b.len() as f64);
    let sum = part_a + part_b;
    let below = part_a.powi(2) / (a.len() - 1) as f64 + part_b.powi(2) / (b.len() - 1) as f64;
    let freedom = if below > 0.0 {
        sum.powi(2) / below
    } else {
        (a.len() + b.len() - 2) as f64
    };
    (
        mean_b - mean_a,
        sum.sqrt(),
        usize::try_from(whole(freedom)).unwrap_or(usize::MAX).max(1),
    )
}

/// Draws blocks with replacement, those of the same arrivals together.
fn of_blocks(
    paired: bool,
    base: &Pool<'_>,
    candidate: &Pool<'_>,
    stretch: &str,
    options: &Options,
) -> Vec<Result<Difference, String>> {
    let mut random = rng::stream(options.seed, &format!("comparison {stretch}"));
    let mut draw = |count: usize| {
        let mut weights = vec![0u32; count];
        for _ in 0..count {
            weights[random.random_range(0..count)] += 1;
        }
        weights
    };
    let (whole_a, whole_b) = (
        base.values(&base.whole()),
        candidate.values(&candidate.whole()),
    );
    let draws: Vec<(Values, Values)> = (0..DRAWS)
        .map(|_| {
            let weights = draw(base.len());
            let other = if paired {
                weights.clone()
            } else {
                draw(candidate.len())
            };
            (base.values(&weights), candidate.values(&other))
        })
        .collect();
    let (count_a, count_b) = (base.len(), candidate.len());
    // The spread of draws of m blocks is that of samples of m less one.
    let narrow = count_a.min(count_b) as f64;
    let widen = (narrow / (narrow - 1.0)).sqrt();
    let each = FIGURES.iter().enumerate().map(|(place, figure)| {
        let none = || "not every run has a value".to_owned();
        let difference = |a: &Values, b: &Values| {
            Some(on_axis(*figure, b[place])? - on_axis(*figure, a[place])?)
        };
        let estimate = difference(&whole_a, &whole_b).ok_or_else(none)?;
        let differences: Vec<f64> = draws.iter().filter_map(|(a, b)| difference(a, b)).collect();
        // Of a figure that is nought in many a draw nothing is known.
        if differences.len() * 10 < DRAWS * 9 {
            return Err("it is zero for much of the run".to_owned());
        }
        let within = moments(&differences).1.sqrt() * widen;
        Ok(Difference {
            base: whole_a[place].ok_or_else(none)?,
            candidate: whole_b[place].ok_or_else(none)?,
            estimate,
            error: within,
            freedom: if paired {
                count_a - 1
            } else {
                count_a + count_b - 2
            },
        })
    });
    each.collect()
}

/// The least that the standard error of a figure made of a count can be, where few are
/// counted: a service that failed none of 600 operations may fail some of the next. A
/// success and a failure are added to each side (Agresti and Caffo, "Simple and Effective
/// Confidence Intervals for Proportions", 2000).
fn least_error(figure: Figure, base: &Pool<'_>, candidate: &Pool<'_>) -> f64 {
    let (Some((hit_a, of_a)), Some((hit_b, of_b))) =
        (base.counts(figure), candidate.counts(figure))
    else {
        return 0.0;
    };
    if hit_a.min(hit_b) >= COUNTED_FEW {
        return 0.0;
    }
    let variance = |hit: u64, of: u64| {
        let of = of as f64 + 2.0;
        let share = ((hit as f64 + 1.0) / of).min(1.0);
        share * (1.0 - share) / of
    };
    (variance(hit_a, of_a) + variance(hit_b, of_b)).sqrt()
}
