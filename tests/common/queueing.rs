//! Formulas of queueing theory: how long responses of a station take.
//!
//! Arrivals are Poisson, the queue is unbounded, and whoever comes first is served first.

/// M/D/c with services of so many seconds: the probability that a response takes longer than
/// this (Crommelin 1932 for the number of customers; Franx, *Operations Research
/// Letters* 29, 2001, for the wait).
pub(crate) fn mdc_longer(workers: u32, service: f64, rate: f64, bound: f64) -> f64 {
    const STATES: usize = 600;
    let c = workers as usize;
    let mean = rate * service;
    let mut arrivals = vec![(-mean).exp()];
    for k in 1..STATES {
        arrivals.push(arrivals[k - 1] * mean / k as f64);
    }
    let wide = arrivals.iter().rposition(|it| *it > 1e-16).unwrap() + 1;
    let mut here = vec![0.0; STATES];
    here[0] = 1.0;
    // A service later those who were served have gone, and new ones have come.
    for _ in 0..20_000 {
        let mut later = vec![0.0; STATES];
        for (count, share) in here.iter().enumerate().filter(|(_, share)| **share > 1e-18) {
            let left = count.saturating_sub(c);
            for (more, chance) in arrivals[..wide].iter().enumerate() {
                later[(left + more).min(STATES - 1)] += share * chance;
            }
        }
        let moved: f64 = here.iter().zip(&later).map(|(a, b)| (a - b).abs()).sum();
        here = later;
        if moved < 1e-10 {
            break;
        }
    }
    let at_most = |queue: usize| here[..=(c + queue).min(STATES - 1)].iter().sum::<f64>();
    let wait = bound - service;
    // Whole services that the wait reaches into.
    let turns = (1u16..10_000).find(|turns| wait < f64::from(*turns) * service);
    let turns = turns.unwrap();
    let left = rate * (f64::from(turns) * service - wait);
    let terms = usize::from(turns) * c;
    let mut term = (-left).exp();
    let mut sum = 0.0;
    for j in 0..terms {
        sum += term * at_most(terms - j - 1);
        term *= left / (j + 1) as f64;
    }
    1.0 - sum
}

/// The rate at which so large a share takes longer than the bound.
pub(crate) fn edge(workers: u32, service: f64, longer: impl Fn(f64) -> f64, share: f64) -> f64 {
    let most = f64::from(workers) / service;
    let (mut low, mut high) = (0.02 * most, 0.995 * most);
    for _ in 0..30 {
        let middle = f64::midpoint(low, high);
        if longer(middle) > share {
            high = middle;
        } else {
            low = middle;
        }
    }
    low
}
