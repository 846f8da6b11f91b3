//! Mean and spread of values that come one by one, and Student's t-test of two means.
//!
//! Sums are kept about the mean (B. P. Welford, "Note on a method for calculating
//! corrected sums of squares and products", Technometrics 4, 1962) and joined pairwise
//! (T. F. Chan, G. H. Golub, R. J. `LeVeque`, "Updating formulae and a pairwise algorithm",
//! 1979): sums of squares from zero lose all digits where the spread is small beside the
//! mean, and equal values must have a spread of exactly nothing.

use super::super::student;

/// How many values there were, their mean, and the sum of squares about it.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Moments {
    count: usize,
    mean: f64,
    squares: f64,
}

impl Moments {
    /// Those of these values.
    pub fn of(values: &[f64]) -> Self {
        values.iter().fold(Self::default(), |moments, value| {
            moments.joined(Self {
                count: 1,
                mean: *value,
                squares: 0.0,
            })
        })
    }

    /// Those of the values of both.
    pub fn joined(self, other: Self) -> Self {
        let count = self.count + other.count;
        if count == 0 {
            return self;
        }
        let share = other.count as f64 / count as f64;
        let apart = other.mean - self.mean;
        Self {
            count,
            mean: self.mean + apart * share,
            squares: self.squares + other.squares + apart * apart * self.count as f64 * share,
        }
    }

    /// How many values.
    pub const fn count(&self) -> usize {
        self.count
    }

    /// Their mean; zero where there are none.
    pub const fn mean(&self) -> f64 {
        self.mean
    }

    /// The probability that two means differ at least so much by chance, if the values of
    /// both sides are normal with one mean and one variance (Student's t-test, two-sided).
    /// Certain where two values are all there are: nothing tells how much they scatter.
    pub fn p_value(&self, other: &Self) -> f64 {
        let freedom = (self.count + other.count).saturating_sub(2);
        let apart = other.mean - self.mean;
        if freedom == 0 || self.count == 0 || other.count == 0 || apart == 0.0 {
            return 1.0;
        }
        // One run that differs from runs without any spread shows nothing of its own spread.
        if self.count.min(other.count) == 1 && self.squares + other.squares == 0.0 {
            return 1.0;
        }
        let variance = (self.squares + other.squares) / freedom as f64;
        let error = (variance / self.count as f64 + variance / other.count as f64).sqrt();
        student::beyond(apart / error, freedom)
    }

    /// How far the means of two halves of so many values with this spread lie apart where
    /// the test gives exactly this probability; none below three values.
    pub(super) fn least_apart(&self, p_value: f64) -> Option<f64> {
        let freedom = self.count.checked_sub(2).filter(|freedom| *freedom > 0)?;
        let variance = self.squares / (freedom + 1) as f64;
        let half = self.count / 2;
        let error = (variance / half as f64 + variance / (self.count - half) as f64).sqrt();
        Some(student::reach(1.0 - p_value, freedom) * error)
    }
}

#[cfg(test)]
mod tests {
    use super::Moments;

    #[test]
    fn moments_are_those_of_the_definition() {
        let values = [3.0, 5.0, 10.0, 14.0];
        let whole = Moments::of(&values);
        assert_eq!((whole.count, whole.mean, whole.squares), (4, 8.0, 74.0));
        let joined = Moments::of(&values[..1]).joined(Moments::of(&values[1..]));
        assert!((joined.mean - 8.0).abs() < 1e-12 && (joined.squares - 74.0).abs() < 1e-12);
        assert_eq!(whole.joined(Moments::default()), whole);
    }

    #[test]
    fn equal_values_have_no_spread_at_all() {
        let (few, many) = (Moments::of(&[0.1; 7]), Moments::of(&[0.1; 50]));
        assert_eq!((few.mean, few.squares), (0.1, 0.0));
        assert!((1.0 - few.p_value(&many)).abs() < f64::EPSILON);
        assert!(few.p_value(&Moments::of(&[0.2; 3])) < 1e-15);
    }

    /// NIST/SEMATECH e-Handbook of Statistical Methods, 1.3.5.3: US and Japanese cars,
    /// T = 12.62059 with 326 degrees of freedom; here from its means and deviations.
    #[test]
    fn the_test_is_that_of_the_handbook() {
        let of = |count: usize, mean, deviation: f64| Moments {
            count,
            mean,
            squares: deviation * deviation * (count - 1) as f64,
        };
        let (us, japan) = (of(249, 20.144_58, 6.414_70), of(79, 30.481_01, 6.107_71));
        assert!(us.p_value(&japan) < 1e-12);
        // t = 2 with 10 degrees of freedom: 0.0734 (from the integral, by any table).
        let error = (2.0_f64 / 6.0).sqrt();
        let p_value = of(6, 0.0, 1.0).p_value(&of(6, 2.0 * error, 1.0));
        assert!((p_value - 0.073_388).abs() < 1e-6, "{p_value}");
    }

    #[test]
    fn two_halves_so_far_apart_have_exactly_that_probability() {
        let spread = Moments::of(&[9.0, 10.0, 11.0, 10.0, 9.5, 10.5]);
        let apart = spread.least_apart(0.001).unwrap();
        let variance = spread.squares / 5.0;
        let half = |mean| Moments {
            count: 3,
            mean,
            squares: variance * 2.0,
        };
        assert!((half(10.0).p_value(&half(10.0 + apart)) - 0.001).abs() < 1e-9);
    }
}
