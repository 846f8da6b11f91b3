//! Where a series is best divided in two: the energy statistic of D. S. Matteson and N. A.
//! James, "A Nonparametric Approach for Multiple Change Point Analysis of Multivariate
//! Data" (arXiv 1306.4933), equations 5 to 7, for numbers and with exponent 1.
//!
//! Of all beginnings X = (1..τ) and all Y = (τ..κ) behind them it takes the pair whose
//! values lie furthest from each other, compared with how far they lie apart among
//! themselves. That κ may stop short of the end is what finds a change that was taken back.

/// A division: the first place of the second part, and how different the parts are.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Division {
    pub at: usize,
    pub difference: f64,
}

/// The best division of these values, the first of several equal ones; none of fewer than
/// two. The work grows with the square of their number.
pub(super) fn divide(values: &[f64]) -> Option<Division> {
    let apart = |one: usize, other: usize| (values[one] - values[other]).abs();
    let before = |to: usize| -> f64 { (0..to).map(|from| apart(from, to)).sum() };
    let before: Vec<f64> = (0..values.len()).map(before).collect();
    // Of each value: how far it lies from all of the first part, in sum.
    let mut across = vec![0.0; values.len()];
    let mut within_first = 0.0;
    let mut best: Option<Division> = None;
    for at in 1..values.len() {
        within_first += before[at - 1];
        for (place, sum) in across.iter_mut().enumerate().skip(at) {
            *sum += apart(at - 1, place);
        }
        let (mut between, mut within_second) = (0.0, 0.0);
        for place in at..values.len() {
            between += across[place];
            within_second += before[place] - across[place];
            let (first, second) = (at as f64, (place + 1 - at) as f64);
            let difference = (2.0 * between
                - 2.0 * second * each(within_first, first)
                - 2.0 * first * each(within_second, second))
                / (first + second);
            if best.is_none_or(|best| difference > best.difference) {
                best = Some(Division { at, difference });
            }
        }
    }
    best
}

/// A sum over pairs of so many values, for each but one of them; of one value there are
/// no pairs.
fn each(pairs: f64, count: f64) -> f64 {
    if count > 1.0 {
        pairs / (count - 1.0)
    } else {
        0.0
    }
}
