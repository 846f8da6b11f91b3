//! What may be chance: exact tails of two distributions of counts.
//!
//! A share of few operations scatters. Before a share is called worse than the
//! baseline's, two questions are asked. Would a service that fails exactly as much as
//! is allowed show so many failures ([`binomial`])? And would the baseline's own
//! service, of which only so many operations were seen ([`same_share`])? Both are exact
//! for operations that fail independently of each other; a normal approximation is wrong
//! where it matters most, at few failures.

/// Terms of a sum at most. Terms fall by a factor that grows, so what is left out
/// is far below the first.
const TERMS_MAX: u32 = 20_000;
/// A term this small beside the sum changes no digit of it.
const NEGLIGIBLE: f64 = 1e-17;
/// Up to here factorials are multiplied out; beyond, Stirling's series is exact to
/// twelve digits.
const EXACT_BELOW: u64 = 20;

/// The probability that of `of` operations `hit` or more fail, where each does with
/// this probability.
pub(super) fn binomial(hit: u64, of: u64, share: f64) -> f64 {
    let (hit, of) = (hit as f64, of as f64);
    if hit <= of * share {
        return 1.0;
    }
    if share <= 0.0 {
        return 0.0;
    }
    let first = ln_choose(of, hit) + hit * share.ln() + (of - hit) * (-share).ln_1p();
    let odds = share / (1.0 - share);
    tail(first, |above| {
        let at = hit + above;
        (of - at) / (at + 1.0) * odds
    })
}

/// The probability that of all failures among two groups of operations, so many or more
/// fall on the first, where both fail equally often (Fisher's exact test): `hit` of `of`
/// failed here, `other_hit` of `other_of` there.
pub(super) fn same_share(hit: u64, of: u64, other_hit: u64, other_of: u64) -> f64 {
    let (hit, of) = (hit as f64, of as f64);
    let (all_hit, all) = (hit + other_hit as f64, of + other_of as f64);
    if all <= 0.0 || hit <= of * all_hit / all {
        return 1.0;
    }
    let spared = all - all_hit - of;
    let first = ln_choose(all_hit, hit) + ln_choose(all - all_hit, of - hit) - ln_choose(all, of);
    tail(first, |above| {
        let at = hit + above;
        (all_hit - at) * (of - at) / ((at + 1.0) * (spared + at + 1.0))
    })
}

/// The sum of falling terms: the first as a logarithm, the others by what each is of the
/// one before.
fn tail(ln_first: f64, ratio: impl Fn(f64) -> f64) -> f64 {
    let (mut term, mut sum) = (1.0, 1.0);
    for above in 0..TERMS_MAX {
        term *= ratio(f64::from(above)).max(0.0);
        sum += term;
        if term <= NEGLIGIBLE * sum {
            break;
        }
    }
    (ln_first + f64::ln(sum)).exp().min(1.0)
}

fn ln_choose(of: f64, chosen: f64) -> f64 {
    ln_factorial(of) - ln_factorial(chosen) - ln_factorial(of - chosen)
}

/// The logarithm of n! (Abramowitz and Stegun, "Handbook of Mathematical Functions",
/// 6.1.41).
fn ln_factorial(n: f64) -> f64 {
    if n < EXACT_BELOW as f64 {
        return (2..EXACT_BELOW)
            .map(|factor| factor as f64)
            .take_while(|factor| *factor <= n)
            .map(f64::ln)
            .sum();
    }
    let correction = 1.0 / (12.0 * n) - 1.0 / (360.0 * n.powi(3)) + 1.0 / (1260.0 * n.powi(5));
    n * n.ln() - n + 0.5 * (std::f64::consts::TAU * n).ln() + correction
}

#[cfg(test)]
mod tests {
    use super::{binomial, same_share};

    fn close(value: f64, expected: f64) {
        assert!(
            (value / expected - 1.0).abs() < 1e-9,
            "{value} is not {expected}"
        );
    }

    #[test]
    fn tails_are_those_that_are_counted_by_hand() {
        // Three coins or more of four: 5/16.
        close(binomial(3, 4, 0.5), 5.0 / 16.0);
        // All of 20: 0.1^20.
        close(binomial(20, 20, 0.1), 1e-20);
        // At least one of 300 at one per cent: 1 - 0.99^300.
        close(binomial(4, 300, 0.01), {
            let none = 0.99_f64.powi(300);
            let term = |k: i32, choose: f64| choose * 0.01_f64.powi(k) * 0.99_f64.powi(300 - k);
            1.0 - none - term(1, 300.0) - term(2, 44_850.0) - term(3, 4_455_100.0)
        });
        // The lady tasting tea (Fisher 1935): all four, and three or more, of four.
        close(same_share(4, 4, 0, 4), 1.0 / 70.0);
        close(same_share(3, 4, 1, 4), 17.0 / 70.0);
        // Six of 40 and none of 200: the product of what is left each time.
        let none_there: f64 = (0..6)
            .map(|i| f64::from(40 - i) / f64::from(240 - i))
            .product();
        close(same_share(6, 40, 0, 200), none_there);
    }

    #[test]
    fn what_is_no_worse_is_certain_to_be_chance_and_nothing_is_not_a_number() {
        for (hit, of) in [(0, 0), (0, 10), (1, 1000), (u64::MAX, u64::MAX), (3, 2)] {
            for (other_hit, other_of) in [(0, 0), (5, 100), (u64::MAX, u64::MAX)] {
                let one = same_share(hit, of, other_hit, other_of);
                let other = binomial(hit, of, 0.01);
                assert!(!one.is_nan() && !other.is_nan(), "{hit} of {of}");
            }
        }
        assert!(same_share(1, 1000, 5, 100) >= 1.0);
        assert!(binomial(7, 1000, 0.007) >= 1.0);
    }
}
