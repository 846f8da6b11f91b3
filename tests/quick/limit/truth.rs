//! What is served, in virtual time, against the formulas of queueing theory: the rate at
//! which a percentile of the response time reaches its bound.

use threadbare::analysis::limit::{LimitFound, LimitResource, LimitSought, LimitStatus};
use threadbare::limit::simulated;

use super::sought;
use crate::queueing::{edge, mdc_longer};

/// Seconds that a service takes on average.
const SERVICE: f64 = 0.025;

/// A station of so many workers that take as long as `database` says.
pub(super) fn station(workers: u32, database: &str) -> String {
    format!(
        "title = \"Station\"\nclaim = \"It serves.\"\nwarm_up = \"2s\"\nend = \"12s\"\n\
         [target.fleet]\ninstances = 1\nworkers = {workers}\nqueue = \"unbounded\"\n\
         application = \"constant(0s)\"\ndatabase = \"{database}\"\nboot = \"0s\"\n\
         [target.fleet.identity]\nlatency = \"constant(0s)\"\ncapacity = 10000\n\
         [load]\narrivals = \"poisson\"\nrate = \"10/s\"\n\
         mix = [{{ weight = 1, request = \"list tasks\", role = \"viewer\" }}]\n\
         [load.client]\ntimeout = \"10min\"\nretries = 0\n"
    )
}

/// How exactly it is looked.
#[derive(Clone, Copy)]
struct Look {
    operations: u64,
    tolerance: f64,
    seed: u64,
}

fn search(workers: u32, database: &str, objective: &str, look: Look) -> LimitFound {
    let most = f64::from(workers) / SERVICE;
    let sought = LimitSought {
        scenario: Some(station(workers, database)),
        objectives: vec![objective.into()],
        from_per_s: (most / 5.0).round(),
        most_per_s: (most * 4.0).round(),
        tolerance: look.tolerance,
        operations_min: look.operations,
        seed: look.seed,
        ..sought()
    };
    simulated(&sought).unwrap()
}

/// M/M/c with services of so many seconds on average: the probability that a response
/// takes longer than this.
fn mmc_longer(workers: u32, service: f64, rate: f64, bound: f64) -> f64 {
    let (load, served) = (rate * service, f64::from(workers) / service);
    let mut term = 1.0; // a^k / k!
    let mut sum = 0.0;
    for k in 0..workers {
        sum += term;
        term *= load / f64::from(k + 1);
    }
    let last = term / (1.0 - load / f64::from(workers));
    let waits = last / (sum + last);
    let (each, drained) = (1.0 / service, served - rate);
    let alone = (-each * bound).exp();
    alone + waits * each * (alone - (-drained * bound).exp()) / (drained - each)
}

/// The limit is within a share of what theory says, and known to some width.
fn agrees(what: &str, found: &LimitFound, truth: f64, within: f64, width: f64) {
    let served = &found.served;
    let tried = found.steps.len();
    println!(
        "{what}: {:?} to {:?}, theory {truth:.2}, {tried} steps, confirmed {}",
        served.low_per_s, served.high_per_s, served.confirmed
    );
    assert_eq!(served.status, LimitStatus::Found, "{what}: {served:?}");
    let (low, high) = (served.low_per_s.unwrap(), served.high_per_s.unwrap());
    assert!(low <= truth * (1.0 + within), "{what}: {low} above {truth}");
    assert!(
        high >= truth * (1.0 - within),
        "{what}: {high} below {truth}"
    );
    assert!(high / low <= 1.0 + width, "{what}: {low} to {high}");
}

#[test]
fn theory_agrees_with_itself() {
    // One worker: the response time of M/M/1 is exponential with μ − λ.
    let (rate, bound) = (28.0, 0.3);
    let plain = (-(1.0 / SERVICE - rate) * bound).exp();
    assert!((mmc_longer(1, SERVICE, rate, bound) / plain - 1.0).abs() < 1e-9);
    // M/D/1: nobody waits with probability 1 − ρ; just above a service nobody has waited.
    let waits = mdc_longer(1, SERVICE, rate, SERVICE + 1e-12);
    assert!((waits - rate * SERVICE).abs() < 1e-6, "{waits}");
    // Of many workers hardly anybody waits.
    assert!(mdc_longer(40, SERVICE, 800.0, SERVICE + 1e-12) < 0.01);
}

#[test]
fn what_is_served_is_what_theory_says() {
    let look = Look {
        operations: 40_000,
        tolerance: 0.01,
        seed: 1,
    };
    let exponential = "exponential(mean 25ms)";
    let found = search(1, exponential, "p99 <= 500ms", look);
    let truth = edge(1, SERVICE, |rate| mmc_longer(1, SERVICE, rate, 0.5), 0.01);
    agrees("M/M/1, p99", &found, truth, 0.01, 0.12);
    let found = search(4, "constant(25ms)", "p90 <= 60ms", look);
    let truth = edge(4, SERVICE, |rate| mdc_longer(4, SERVICE, rate, 0.06), 0.1);
    agrees("M/D/4, p90", &found, truth, 0.01, 0.06);
    // Past the limit the workers are busy, and it says so.
    let causes: Vec<_> = found.limited_by.iter().map(|it| it.resource).collect();
    assert_eq!(causes.first(), Some(&LimitResource::Workers), "{causes:?}");
    assert!(causes.contains(&LimitResource::Concurrency), "{causes:?}");
    let beyond = found.beyond.unwrap();
    assert!(
        (beyond.share_at_half_more.unwrap() - 1.0).abs() < 0.05,
        "{beyond:?}"
    );
}

#[test]
fn a_queue_that_grows_is_not_served_whatever_the_percentiles() {
    let look = Look {
        operations: 20_000,
        tolerance: 0.03,
        seed: 3,
    };
    // No percentile is asked for: the limit is what four workers of 25 ms can do.
    let found = search(4, "constant(25ms)", "error share <= 1 %", look);
    agrees("M/D/4, no percentile", &found, 160.0, 0.03, 0.07);
    let broken = found.served.broken.unwrap();
    assert!(broken.contains("operations in flight grow"), "{broken}");
}

#[test]
#[ignore = "a grid of workers, services and objectives; run by ./test --long"]
fn what_is_served_is_within_a_hundredth_over_a_grid() {
    for workers in [1, 4, 40] {
        // A run lasts a day at most, also the one that confirms, three times as long.
        let look = Look {
            operations: if workers == 1 { 200_000 } else { 1_000_000 },
            tolerance: 0.005,
            seed: 1,
        };
        for (objective, bound, share) in [
            ("p99 <= 200ms", 0.2, 0.01),
            ("p99 <= 500ms", 0.5, 0.01),
            ("p90 <= 80ms", 0.08, 0.1),
        ] {
            for (database, even) in [("exponential(mean 25ms)", false), ("constant(25ms)", true)] {
                let longer = |rate| {
                    if even {
                        mdc_longer(workers, SERVICE, rate, bound)
                    } else {
                        mmc_longer(workers, SERVICE, rate, bound)
                    }
                };
                let truth = edge(workers, SERVICE, longer, share);
                let found = search(workers, database, objective, look);
                let what = format!("{workers} workers, {database}, {objective}");
                // Known to 5 % with a million, and with fewer by their root.
                let width = 0.05 * (1e6 / look.operations as f64).sqrt();
                agrees(&what, &found, truth, 0.01, width);
            }
        }
    }
}
