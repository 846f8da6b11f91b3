//! The detector against a second, plain one that begins anew with each run.

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use rand_distr::{Distribution as _, Normal};
use threadbare::analysis::trend::{ChangePoint, Detector, Sensitivity};

use super::plain::{self, Whose, p_value};

/// A series that jumps now and then, and drifts for a while.
fn series(seed: u64, length: usize) -> Vec<f64> {
    let mut rng = StdRng::seed_from_u64(seed);
    let noise = Normal::new(0.0, 1.0).unwrap();
    let (mut level, mut drift) = (50.0, 0.0);
    let value = |_| {
        if rng.random_bool(0.04) {
            level += 6.0 * noise.sample(&mut rng);
        }
        if rng.random_bool(0.03) {
            drift = 0.3 * noise.sample(&mut rng);
        }
        level += drift;
        level + noise.sample(&mut rng)
    };
    (0..length).map(value).collect()
}

fn indices(changes: &[ChangePoint]) -> Vec<usize> {
    changes.iter().map(|it| it.index).collect()
}

#[test]
fn after_each_run_the_answer_is_that_of_the_whole_series_anew() {
    let mut found = 0;
    for (seed, window) in [(1, 8), (2, 13), (3, 20), (4, 30)] {
        let sensitivity = Sensitivity {
            window,
            magnitude: if seed % 2 == 0 { 0.05 } else { 0.0 },
            ..Sensitivity::default()
        };
        let series = series(seed, 110);
        let mut detector = Detector::new(sensitivity);
        for (place, value) in series.iter().enumerate() {
            detector.push(*value);
            let changes = indices(&detector.changes());
            let whole = plain::changes(&series[..=place], sensitivity, Whose::Defined);
            assert_eq!(changes, whole, "seed {seed}, run {place}");
            found += changes.len();
        }
    }
    assert!(found > 500, "{found}: series without changes show nothing");
}

#[test]
fn what_a_change_says_of_itself_is_recomputed_from_the_runs() {
    let series = series(7, 300);
    // A generous one, so that some of them may well be chance.
    let mut detector = Detector::new(Sensitivity {
        significance: 0.2,
        magnitude: 0.0,
        ..Sensitivity::default()
    });
    for value in &series {
        detector.push(*value);
    }
    let changes = detector.changes();
    assert!(changes.len() > 9);
    assert!(changes.iter().any(|change| change.p_value > 0.001));
    let mut edges = vec![0];
    edges.extend(indices(&changes));
    edges.push(series.len());
    for (place, change) in changes.iter().enumerate() {
        let [before, after] = [
            &series[edges[place]..change.index],
            &series[change.index..edges[place + 2]],
        ];
        for (moments, part) in [(change.before, before), (change.after, after)] {
            let mean = part.iter().sum::<f64>() / part.len() as f64;
            assert_eq!(moments.count(), part.len());
            assert!((moments.mean() - mean).abs() < 1e-9 * mean);
        }
        let plain = p_value(before, after, Whose::Defined);
        assert!(
            (change.p_value - plain).abs() < 1e-7,
            "{} {plain}",
            change.p_value
        );
    }
}

#[test]
fn however_long_the_series_less_than_a_window_is_looked_at_again() {
    let mut detector = Detector::new(Sensitivity::default());
    for value in series(5, 3_000) {
        detector.push(value);
        assert!(detector.pending() < Sensitivity::default().window);
    }
}

#[test]
fn equal_runs_do_not_change_and_a_step_of_equal_runs_does() {
    let mut detector = Detector::new(Sensitivity {
        magnitude: 0.0,
        ..Sensitivity::default()
    });
    for _ in 0..137 {
        detector.push(43.909_119);
    }
    assert_eq!(detector.changes(), []);
    for _ in 0..5 {
        detector.push(43.909_12);
    }
    assert_eq!(indices(&detector.changes()), [137]);
}

/// Of series that are noise alone, few show a change, from the fewest runs that say
/// anything on; and a change of ten standard deviations is found.
#[test]
fn noise_seldom_changes_and_a_large_step_does() {
    let mut rng = StdRng::seed_from_u64(11);
    let noise = Normal::new(100.0, 5.0).unwrap();
    for length in [6, 8, 12, 20, 40, 80] {
        let mut alarms = 0;
        for _ in 0..400 {
            let mut detector = Detector::new(Sensitivity {
                magnitude: 0.0,
                ..Sensitivity::default()
            });
            for _ in 0..length {
                detector.push(noise.sample(&mut rng));
            }
            alarms += usize::from(!detector.changes().is_empty());
        }
        assert!(alarms <= 20, "{alarms} of 400 series of {length} runs");
    }
    let mut detector = Detector::new(Sensitivity::default());
    for run in 0..6 {
        let step = if run < 3 { 0.0 } else { 50.0 };
        detector.push(step + noise.sample(&mut rng));
    }
    assert_eq!(indices(&detector.changes()), [3]);
}
