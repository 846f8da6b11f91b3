//! Percentiles that are not the target's: said nowhere without their mark.

use threadbare::analysis::{Findings, findings};

use super::builder::{GOOD, Run, Second};

const NOT_MEASURED: &str =
    "p99 was not measured, since more than a tenth of it is the generator's own lag";

/// Every operation slow from 20 s to 60 s, while a push acted; sent so late in the baseline,
/// and so late in the incident.
fn slowed(calm_lag_us: u64, slow_lag_us: u64) -> Findings {
    let calm = Second {
        lag_us: calm_lag_us,
        ..GOOD
    };
    let slow = Second {
        response_ms: 100,
        lag_us: slow_lag_us,
        ..GOOD
    };
    let run = Run::pushed_and_rolled_back();
    findings(&run.is(0, 100, calm).is(20, 60, slow).record())
}

#[test]
fn an_incident_says_no_p99_that_is_the_generators() {
    for (calm_lag_us, slow_lag_us, baseline, harm) in [
        (40, 40, false, false),
        // up to two milliseconds, and up to a tenth
        (1_990, 9_900, false, false),
        (2_100, 40, true, false),
        (40, 15_000, false, true),
    ] {
        let found = slowed(calm_lag_us, slow_lag_us);
        let case = format!("{calm_lag_us} {slow_lag_us}: {:?}", found.sentences);
        let of_baseline = found.baseline.unwrap();
        let of_harm = found.incident.harm.unwrap();
        assert!(of_harm.latency_alone, "{case}");
        assert_eq!(of_baseline.response_p99_marked, baseline, "{case}");
        assert_eq!(of_harm.response_p99_marked, harm, "{case}");
        let told = found.sentences.join("\n");
        assert_eq!(told.contains(NOT_MEASURED), baseline || harm, "{case}");
        assert_eq!(
            told.contains("p99 went from"),
            !(baseline || harm),
            "{case}"
        );
        let json = serde_json::to_string(&found).unwrap();
        assert_eq!(serde_json::from_str::<Findings>(&json).unwrap(), found);
    }
}

#[test]
fn a_calm_run_says_no_p99_that_is_the_generators() {
    for (lag_us, measured) in [(40, true), (2_100, false)] {
        let run = Run::steady().is(0, 100, Second { lag_us, ..GOOD });
        let told = findings(&run.record()).sentences.join("\n");
        assert_eq!(told.contains("99 % of them within"), measured, "{told}");
        assert_eq!(told.contains(NOT_MEASURED), !measured, "{told}");
    }
}
