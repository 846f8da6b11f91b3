//! The changes that Apache Otava, and Hunter before it, expect in their own tests
//! (`published/README.md`).
//!
//! Otava's code differs from the definition in two places (`Whose::Otava`). The plain
//! detection has their very changes with these two, in every case; ours has the changes of
//! the definition, and where those are not Otava's the case says which.

use threadbare::analysis::trend::{Detector, Sensitivity};

use super::plain::{self, Whose};

/// Asserts that these are Otava's changes, and that ours are the same without some and with
/// others.
fn assert_changes(
    series: &[f64],
    (window, significance, magnitude): (usize, f64, f64),
    otavas: &[usize],
    (without, with): (&[usize], &[usize]),
) {
    let sensitivity = Sensitivity {
        window,
        significance,
        magnitude,
        ..Sensitivity::default()
    };
    let case = format!(
        "p {significance}, magnitude {magnitude}, {} runs",
        series.len()
    );
    let theirs = plain::changes(series, sensitivity, Whose::Otava);
    assert_eq!(theirs, otavas, "{case}");
    let mut expected: Vec<usize> = otavas.to_vec();
    expected.retain(|it| !without.contains(it));
    expected.extend(with);
    expected.sort_unstable();
    let mut detector = Detector::new(sensitivity);
    for value in series {
        detector.push(*value);
    }
    let found: Vec<usize> = detector.changes().iter().map(|it| it.index).collect();
    assert_eq!(found, expected, "ours, {case}");
}

const NONE: (&[usize], &[usize]) = (&[], &[]);

fn tigerbeetle() -> Vec<f64> {
    let text = include_str!("published/tigerbeetle.txt");
    text.lines().map(|line| line.parse().unwrap()).collect()
}

/// `tests/tigerbeetle_test.py`, every case of it.
#[test]
fn the_changes_of_tigerbeetle_are_those_of_otava() {
    let series = tigerbeetle();
    let is = |significance, magnitude, otavas: &[usize], but: (&[usize], &[usize])| {
        assert_changes(&series, (30, significance, magnitude), otavas, but);
    };
    is(0.01, 0.05, &[15, 71], NONE);
    is(0.05, 0.05, &[15, 71], NONE);
    is(0.1, 0.05, &[10, 11, 15, 71, 363], (&[363], &[]));
    is(0.2, 0.05, &[10, 11, 15, 71], NONE);
    is(
        0.1,
        0.01,
        &[
            10, 11, 15, 28, 29, 35, 37, 48, 49, 61, 71, 95, 117, 131, 142, 148, 165, 169, 192, 206,
            212, 260, 265, 268, 278, 282, 363,
        ],
        (&[265], &[]),
    );
    is(
        0.2,
        0.0,
        &[
            3, 6, 7, 10, 11, 13, 15, 16, 28, 29, 35, 37, 39, 41, 44, 48, 49, 56, 58, 61, 65, 66,
            69, 71, 74, 76, 82, 95, 108, 117, 125, 126, 129, 131, 136, 137, 142, 148, 165, 169,
            187, 190, 192, 197, 200, 212, 220, 241, 243, 246, 247, 249, 250, 260, 265, 266, 268,
            278, 282, 288, 305, 306, 325, 330, 337, 338, 340, 347, 349, 363,
        ],
        (
            &[
                58, 65, 66, 69, 125, 126, 129, 136, 137, 187, 190, 200, 243, 246, 247, 250, 265,
                266, 268, 278, 325, 337, 338, 340, 347, 349,
            ],
            &[84, 91, 201, 202, 206, 230],
        ),
    );
    is(
        0.1,
        0.0,
        &[
            3, 6, 10, 11, 15, 16, 28, 29, 35, 37, 39, 41, 44, 48, 49, 61, 71, 95, 117, 131, 142,
            148, 165, 169, 192, 206, 212, 260, 265, 268, 278, 282, 288, 305, 363,
        ],
        (&[6, 16, 39, 265, 288, 305], &[236]),
    );
    is(
        0.01,
        0.0,
        &[
            15, 26, 61, 71, 95, 117, 131, 142, 148, 165, 169, 192, 212, 260,
        ],
        (&[26, 165, 169], &[]),
    );
    is(
        0.001,
        0.0,
        &[15, 61, 71, 95, 117, 131, 142, 148, 192, 212, 260],
        (&[260], &[]),
    );
    is(
        0.0001,
        0.0,
        &[71, 95, 117, 131, 142, 148, 192, 212],
        (&[117, 142, 148], &[]),
    );
    is(0.00001, 0.0, &[71, 95, 131, 192, 212], (&[212], &[]));
}

/// With the settings of both tools at their defaults, and with any magnitude, ours are
/// Otava's.
#[test]
fn with_the_defaults_the_changes_of_tigerbeetle_are_the_same() {
    for (magnitude, changes) in [
        (0.05, &[15, 71][..]),
        (0.02, &[15, 61, 71, 95, 131, 192]),
        (0.01, &[15, 61, 71, 95, 117, 131, 192, 212]),
        (0.0, &[15, 61, 71, 95, 117, 131, 192, 212]),
    ] {
        let Sensitivity {
            window,
            significance,
            ..
        } = Sensitivity::default();
        let settings = (window, significance, magnitude);
        assert_changes(&tigerbeetle(), settings, changes, NONE);
    }
}

/// `tests/analysis_test.py`; the first is Hunter's.
#[test]
fn the_changes_of_a_single_series_are_those_of_hunter() {
    let series = [
        1.02, 0.95, 0.99, 1.00, 1.12, 1.00, 1.01, 0.98, 1.01, 0.96, 0.50, 0.51, 0.48, 0.48, 0.55,
        0.50, 0.49, 0.51, 0.50, 0.49,
    ];
    assert_changes(&series, (10, 0.0001, 0.0), &[10], NONE);
    assert_changes(&series, (50, 0.0001, 0.0), &[10], NONE);
    // Three runs that scatter by half of their mean: with the divisor n they seem to
    // scatter less.
    let longer = [&series[..], &[0.47, 0.48, 0.45, 0.01, 0.1, 0.22]].concat();
    assert_changes(&longer, (5, 0.0001, 0.0), &[10, 23], (&[23], &[]));
}

/// `tests/series_test.py`.
#[test]
fn the_changes_of_short_series_are_those_of_otava() {
    let first = [
        1.02, 0.95, 0.99, 1.00, 1.12, 0.90, 0.50, 0.51, 0.48, 0.48, 0.55,
    ];
    let second = [
        2.02, 2.03, 2.01, 2.04, 1.82, 1.85, 1.79, 1.81, 1.80, 1.76, 1.78,
    ];
    let defaults = (50, 0.001, 0.0);
    assert_changes(&first, defaults, &[6], NONE);
    assert_changes(&second, defaults, &[4], NONE);
    // The second is of 12 % only.
    assert_changes(&first, (50, 0.001, 0.2), &[6], NONE);
    assert_changes(&second, (50, 0.001, 0.2), &[], NONE);
    // `test_incremental_otava` expects [4], and then [4, 12]: the first change of the latter
    // is kept from before. Of the whole series Otava finds [12], as we do in both ways.
    let appended = [&second[..], &[1.97, 33.33, 46.46]].concat();
    assert_changes(&appended[..12], defaults, &[4], NONE);
    assert_changes(&appended, defaults, &[12], NONE);
    let from_zero = [
        0.0, 0.0, 0.0, 1.00, 1.12, 0.90, 0.50, 0.51, 0.48, 0.48, 0.55,
    ];
    assert_changes(&from_zero, defaults, &[3, 6], NONE);
    let steps = [[1.0; 5].as_slice(), &[5.0; 8], &[9.0; 8], &[3.0; 9]].concat();
    assert_changes(&steps, (50, 0.05, 0.0), &[5, 13, 21], NONE);
}

/// `tests/change_point_divisive_test.py` and `tests/csv_e2e_test.py`.
#[test]
fn the_changes_of_the_examples_are_those_of_otava() {
    let jumps = [
        0.3, 2.4, 1.5, -0.9, -0.5, 99.7, 98.3, 99.1, 149.0, 149.7, 149.5, 149.1, 148.8, 150.0,
    ];
    assert_changes(&jumps, (50, 0.001, 0.0), &[5, 8], NONE);
    let first = [
        154_023.0, 138_455.0, 143_112.0, 149_190.0, 132_098.0, 151_344.0, 155_145.0, 148_889.0,
        149_466.0, 148_209.0,
    ];
    let second = [
        10.43, 10.23, 10.29, 10.91, 10.34, 10.69, 9.23, 9.11, 9.13, 9.03,
    ];
    assert_changes(&first, (50, 0.001, 0.0), &[], NONE);
    assert_changes(&second, (50, 0.001, 0.0), &[6], NONE);
    let mut detector = Detector::new(Sensitivity::default());
    for value in second {
        detector.push(value);
    }
    // Otava prints -12.9%.
    let change = detector.changes()[0];
    let share = change.after.mean() / change.before.mean() - 1.0;
    assert_eq!(format!("{:.1}", share * 100.0), "-12.9");
}
