//! How surely a figure of one window is known: a bootstrap over its blocks.
//!
//! What happens in a window depends on what happened shortly before, so single response
//! times are no independent samples: blocks are drawn, as when runs are compared. Where a
//! queue remembers for longer than a block, neighbours are alike, and the interval is
//! wider by what they have in common.

use rand::RngExt as _;

use crate::analysis::Estimate;
use crate::analysis::compare::blocks::{Block, FIGURES, Pool, percentile};
use crate::analysis::compare::differences::{BETWEEN_RUNS, BLOCKS_MIN};
use crate::analysis::student;
use crate::model::Unit;
use crate::plan::Figure;
use crate::rng;

/// Draws of blocks: the width of the interval is then known to some 4 %.
const DRAWS: usize = 400;
/// The likeness of neighbours that is allowed for at most: of twenty blocks it is not
/// known better.
const LIKENESS_MAX: f64 = 0.8;
/// Standard deviations of a 95 % interval.
const DEVIATIONS: f64 = 1.959_964;

/// A figure of these blocks with its 95 % interval; why there is none. On a real machine
/// (`noisy`) a percentile differs from run to run by more than one run shows.
pub(super) fn interval(blocks: &[Block], figure: Figure, noisy: bool) -> Result<Estimate, String> {
    let pool = Pool::new(blocks.iter().collect());
    if let Some(why) = pool.untold(figure) {
        return Err(why);
    }
    let count = pool.len();
    if count < BLOCKS_MIN {
        return Err(format!(
            "{count} intervals are too few, {BLOCKS_MIN} are needed: measure longer"
        ));
    }
    let place = FIGURES.iter().position(|own| *own == figure);
    let place = place.ok_or("it has no interval")?;
    let value = pool.values(&pool.whole())[place].ok_or("it has no value")?;
    let axis = Axis::of(figure, value);
    let mut random = rng::stream(1, "limit");
    let draws = (0..DRAWS).filter_map(|_| {
        let mut weights = vec![0u32; count];
        for _ in 0..count {
            weights[random.random_range(0..count)] += 1;
        }
        axis.on(pool.values(&weights)[place]?)
    });
    let draws: Vec<f64> = draws.collect();
    // The spread of draws of m blocks is that of samples of m less one.
    let widened = (count as f64 / (count - 1) as f64).sqrt() * widening(&means(blocks));
    let between = if noisy && percentile(figure).is_some() {
        BETWEEN_RUNS
    } else {
        0.0
    };
    let reach = student::reach(student::CONFIDENCE, count - 1)
        * (deviation(&draws) * widened).hypot(between);
    let centre = axis.on(value).unwrap_or(value);
    let mut told = Estimate {
        value,
        low: axis.off(centre - reach),
        high: axis.off(centre + reach),
    };
    if figure == Figure::ErrorShare {
        // Where nothing failed, draws do not differ, and yet something may fail.
        let sum = |of: fn(&Block) -> u64| blocks.iter().map(of).sum::<u64>();
        let (low, high) = wilson(sum(|it| it.bad), sum(|it| it.ended));
        told.low = told.low.min(low);
        told.high = told.high.max(high);
    }
    Ok(told)
}

/// Shares differ by what is added, everything else by what it is multiplied with (what is
/// nought cannot be, and is known as it is).
#[derive(Clone, Copy)]
enum Axis {
    Plain,
    Logarithm,
}

impl Axis {
    fn of(figure: Figure, value: f64) -> Self {
        if figure.unit() == Unit::Share || value <= 0.0 {
            Self::Plain
        } else {
            Self::Logarithm
        }
    }

    fn on(self, value: f64) -> Option<f64> {
        match self {
            Self::Plain => Some(value),
            Self::Logarithm => (value > 0.0).then(|| value.ln()),
        }
    }

    fn off(self, at: f64) -> f64 {
        match self {
            Self::Plain => at.clamp(0.0, 1.0),
            Self::Logarithm => at.exp(),
        }
    }
}

/// The mean response time of each block, in seconds.
fn means(blocks: &[Block]) -> Vec<f64> {
    let mean = |block: &Block| Some(block.response.mean()?.as_secs_f64());
    blocks.iter().filter_map(mean).collect()
}

fn deviation(values: &[f64]) -> f64 {
    if values.len() < 2 {
        return 0.0;
    }
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    (squares / (values.len() - 1) as f64).sqrt()
}

/// How many times wider an interval is where each value is like the one before it: that
/// of an autoregressive series of the first order (Law, *Simulation Modeling and
/// Analysis*, 5th ed., section 4.4).
pub(super) fn widening(values: &[f64]) -> f64 {
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    let products: f64 = values
        .windows(2)
        .map(|pair| (pair[0] - mean) * (pair[1] - mean))
        .sum();
    if squares <= 0.0 {
        return 1.0;
    }
    let likeness = (products / squares).clamp(0.0, LIKENESS_MAX);
    ((1.0 + likeness) / (1.0 - likeness)).sqrt()
}

/// The 95 % interval of a probability of which `hit` of `of` trials were seen (Wilson,
/// Journal of the American Statistical Association 22, 1927); from 0 to 1 where there was
/// none.
pub(super) fn wilson(hit: u64, of: u64) -> (f64, f64) {
    if of == 0 {
        return (0.0, 1.0);
    }
    let count = of as f64;
    let share = hit as f64 / count;
    let squared = DEVIATIONS * DEVIATIONS;
    let centre = share + squared / (2.0 * count);
    let reach = (share * (1.0 - share) / count + squared / (4.0 * count * count)).sqrt();
    let below = 1.0 + squared / count;
    let end = |at: f64| (at / below).clamp(0.0, 1.0);
    (
        end(centre - DEVIATIONS * reach),
        end(centre + DEVIATIONS * reach),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Histogram;
    use crate::units::Nanos;

    /// Newcombe, Statistics in Medicine 17, 1998, table I.
    #[test]
    fn probabilities_have_the_published_intervals() {
        for (hit, of, low, high) in [
            (81, 263, 0.2553, 0.3662),
            (15, 148, 0.0624, 0.1605),
            (0, 20, 0.0, 0.1611),
            (1, 29, 0.0061, 0.1718),
        ] {
            let found = wilson(hit, of);
            assert!((found.0 - low).abs() < 5e-5, "{hit} of {of}: {found:?}");
            assert!((found.1 - high).abs() < 5e-5, "{hit} of {of}: {found:?}");
        }
        assert_eq!(wilson(0, 0), (0.0, 1.0));
    }

    fn block(millis: u64, bad: u64) -> Block {
        let mut response = Histogram::new();
        response.record_times(Nanos::from_millis(millis), 100);
        Block {
            seconds: 1.0,
            scheduled: 100 + bad,
            succeeded: 100,
            bad,
            ended: 100 + bad,
            first_tries: 100 + bad,
            attempts: 100 + bad,
            response,
            ..Block::default()
        }
    }

    #[test]
    fn what_does_not_differ_is_known_and_what_does_is_not() {
        let even = vec![block(20, 0); 10];
        let told = interval(&even, Figure::ResponseP50, false).unwrap();
        assert!((told.low - told.high).abs() < 1e-9, "{told:?}");
        // On a machine two runs are never the same: by 1 % of a percentile (BETWEEN_RUNS).
        let noisy = interval(&even, Figure::ResponseP50, true).unwrap();
        assert!(noisy.low < told.value * 0.98 && noisy.high > told.value * 1.02);
        let uneven: Vec<Block> = [20, 90, 20, 80, 30, 70, 20, 90, 10, 60]
            .map(|millis| block(millis, 0))
            .to_vec();
        let told = interval(&uneven, Figure::ResponseP50, false).unwrap();
        assert!(told.low < 0.021 && told.high > 0.059, "{told:?}");
    }

    #[test]
    fn nothing_that_failed_is_not_nothing_that_can_fail() {
        let told = interval(&vec![block(20, 0); 10], Figure::ErrorShare, false).unwrap();
        assert!(told.value <= 0.0 && told.high > 0.003 && told.high < 0.004);
        let told = interval(&vec![block(20, 5); 10], Figure::ErrorShare, false).unwrap();
        assert!(told.low > 0.03 && told.high < 0.07, "{told:?}");
    }

    #[test]
    fn too_little_is_not_told() {
        let few = interval(&vec![block(20, 0); 7], Figure::ResponseP50, false);
        assert!(few.unwrap_err().contains("7 intervals are too few"));
        let mut short = block(20, 0);
        short.response.clear();
        let none = interval(&vec![short; 10], Figure::ResponseP99, false);
        assert!(none.unwrap_err().contains("too few for this percentile"));
    }

    #[test]
    fn neighbours_that_are_alike_tell_less() {
        let alone: Vec<f64> = (0..20).map(|it| f64::from(it % 2)).collect();
        let alike: Vec<f64> = (0..20).map(|it| f64::from(it / 10)).collect();
        assert!((widening(&alone) - 1.0).abs() < 1e-9);
        assert!((widening(&alike) - 3.0).abs() < 0.5, "{}", widening(&alike));
        assert!((widening(&[1.0; 20]) - 1.0).abs() < 1e-9);
    }
}
