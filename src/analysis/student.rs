//! Student's t for whole degrees of freedom: how many standard errors a 95 %
//! confidence interval reaches to either side.
//!
//! Computed and not looked up, since a table has gaps and what fills them is too
//! narrow. The sum is that of Abramowitz and Stegun, "Handbook of Mathematical
//! Functions", 26.7.3 and 26.7.4.

use std::f64::consts::{FRAC_2_PI, FRAC_PI_2};

/// The share of the values that the interval holds.
pub(super) const CONFIDENCE: f64 = 0.95;
/// Halvings of the angle that is looked for: as many as a mantissa has digits.
const HALVINGS: u32 = 53;

/// How far from zero |t| is at most with this probability, with so many degrees of freedom,
/// from 1 on.
pub(super) fn reach(probability: f64, freedom: usize) -> f64 {
    let (mut low, mut high) = (0.0, FRAC_PI_2);
    for _ in 0..HALVINGS {
        let middle = f64::midpoint(low, high);
        if within(middle, freedom) < probability {
            low = middle;
        } else {
            high = middle;
        }
    }
    (freedom as f64).sqrt() * low.tan()
}

/// The probability that |t| is more than this; t may be infinite.
pub(super) fn beyond(t: f64, freedom: usize) -> f64 {
    let angle = (t.abs() / (freedom as f64).sqrt()).atan();
    (1.0 - within(angle, freedom)).clamp(0.0, 1.0)
}

/// The probability that |t| is at most √freedom × tan(angle).
fn within(angle: f64, freedom: usize) -> f64 {
    let (sine, cosine) = angle.sin_cos();
    let odd = freedom % 2 == 1;
    let mut term = if odd { cosine } else { 1.0 };
    let mut sum = 0.0;
    // Each term is the one before × cos² × n/(n+1): n even where freedom is odd.
    for below in (usize::from(odd) + 1..freedom).step_by(2) {
        sum += term;
        term *= cosine * cosine * below as f64 / (below + 1) as f64;
    }
    if odd {
        FRAC_2_PI * (angle + sine * sum)
    } else {
        sine * sum
    }
}

#[cfg(test)]
mod tests {
    use super::{CONFIDENCE, beyond, reach};

    /// The 97.5 % quantile.
    fn quantile(freedom: usize) -> f64 {
        reach(CONFIDENCE, freedom)
    }

    /// NIST/SEMATECH e-Handbook of Statistical Methods, 1.3.6.7.2, column 0.975.
    #[test]
    fn quantiles_are_those_of_the_published_table() {
        for (freedom, published) in [
            (1, 12.706),
            (2, 4.303),
            (3, 3.182),
            (4, 2.776),
            (5, 2.571),
            (9, 2.262),
            (10, 2.228),
            (11, 2.201),
            (12, 2.179),
            (14, 2.145),
            (20, 2.086),
            (21, 2.080),
            (24, 2.064),
            (27, 2.052),
            (30, 2.042),
            (41, 2.020),
            (60, 2.000),
            (100, 1.984),
        ] {
            let found = quantile(freedom);
            assert!((found - published).abs() < 0.000_51, "{freedom}: {found}");
        }
        for freedom in [1, 2, 9, 30] {
            assert!((beyond(-quantile(freedom), freedom) - 0.05).abs() < 1e-12);
            assert!(beyond(f64::INFINITY, freedom) < 1e-12);
        }
        // The normal distribution's, in the limit.
        assert!((quantile(10_000) - 1.960_201).abs() < 1e-6);
    }
}
