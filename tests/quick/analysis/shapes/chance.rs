//! What may be chance: healthy runs have no incident, and real dips are found.

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use threadbare::analysis::{Findings, findings};
use threadbare::units::Nanos;

use super::super::builder::{GOOD, Run, Second};
use super::pushed;

/// Healthy runs of each kind.
const RUNS: u64 = 100;
/// Runs with a dip of each kind.
const DIPS: u64 = 20;

/// What a healthy service does by chance.
#[derive(Debug, Clone, Copy)]
struct Healthy {
    /// Operations a second.
    offered: u64,
    /// The chance that one of them fails.
    fails: f64,
    /// The chance that one takes 300 ms.
    slow: f64,
    /// Seconds of baseline.
    baseline: u64,
    /// How many fail at once, where one fails.
    together: u64,
}

/// So many of `of`, each with this chance, and `together` at once.
fn some(rng: &mut StdRng, of: u64, chance: f64, together: u64) -> u64 {
    let groups = (0..of / together).filter(|_| rng.random::<f64>() < chance);
    groups.count() as u64 * together
}

/// A run of such a service; `worse` is the chance that one more operation fails.
fn run(healthy: Healthy, seed: u64, worse: impl Fn(usize) -> f64) -> Findings {
    let mut rng = StdRng::seed_from_u64(seed);
    let mut run: Run = pushed();
    run.plan.warm_up = Nanos::from_secs(20 - healthy.baseline);
    for (second, own) in run.seconds.iter_mut().enumerate() {
        let fails = healthy.fails + worse(second);
        let failed = some(&mut rng, healthy.offered, fails, healthy.together);
        *own = Second {
            offered: healthy.offered,
            failed,
            slow: some(&mut rng, healthy.offered - failed, healthy.slow, 1),
            ..GOOD
        };
    }
    findings(&run.record())
}

#[test]
fn at_least_99_of_100_healthy_runs_have_no_incident() {
    for (offered, fails, slow, baseline, together) in [
        (350, 0.007, 0.004, 15, 1),
        (100, 0.03, 0.0, 15, 1),
        (100, 0.007, 0.008, 2, 1),
        (20, 0.007, 0.004, 15, 1),
        (20, 0.05, 0.0, 12, 1),
        // A pool that is rebuilt now and then fails a few seconds' worth at once.
        (350, 0.02, 0.0, 15, 25),
        (100, 0.05, 0.0, 15, 10),
    ] {
        let healthy = Healthy {
            offered,
            fails,
            slow,
            baseline,
            together,
        };
        let runs = (0..RUNS).map(|seed| run(healthy, seed, |_| 0.0));
        let words = runs.map(|found| found.incident.verdict.word());
        let hurt = words.filter(|word| *word != "no_impact").count();
        assert!(hurt <= 1, "{hurt} of {RUNS}: {healthy:?}");
    }
}

#[test]
fn a_dip_of_a_stated_size_is_found_where_it_is() {
    let healthy = |offered| Healthy {
        offered,
        fails: 0.007,
        slow: 0.0,
        baseline: 15,
        together: 1,
    };
    // Operations a second, the share that fails more than usual, for how many seconds, and
    // how many of them at once.
    for (offered, share, seconds, together) in [
        (350, 1.0, 1, 1),
        (350, 0.3, 2, 1),
        (350, 0.1, 6, 1),
        (350, 0.04, 20, 1),
        (20, 1.0, 4, 1),
        (20, 0.3, 20, 1),
        (350, 1.0, 4, 25),
        (350, 0.3, 10, 25),
    ] {
        let runs = (0..DIPS).map(|seed| {
            let healthy = Healthy {
                together,
                ..healthy(offered)
            };
            run(healthy, seed, |second| {
                if (30..30 + seconds).contains(&second) {
                    share
                } else {
                    0.0
                }
            })
        });
        let impacts = runs.filter_map(|found| found.incident.impact_s);
        let near = impacts.filter(|at| (29.0..30.0 + seconds as f64).contains(at));
        let found = near.count();
        assert!(
            found >= 19,
            "{found} of {DIPS}: {share} of {offered}/s for {seconds} s"
        );
    }
}

#[test]
fn what_could_not_have_been_found_is_said() {
    let smallest = |offered| {
        let healthy = Healthy {
            offered,
            fails: 0.0,
            slow: 0.0,
            baseline: 15,
            together: 1,
        };
        run(healthy, 1, |_| 0.0)
            .baseline
            .unwrap()
            .smallest_loss
            .unwrap()
    };
    let (many, few) = (smallest(350), smallest(20));
    assert!(0.01 < many && many < 0.03, "{many}");
    assert!(0.03 < few && few < 0.15, "{few}");
}
