//! Latency alone: nobody is refused, and users wait.

use super::super::builder::{GOOD, OUT, Run, Second};
use super::{Shape, failing, pushed, shape, tail};

/// Milliseconds that every operation takes (12 usually; the bound is 62), and seconds.
const ALL: [(u64, usize, &str); 13] = [
    (24, 40, "–→– no_impact"),
    (60, 40, "–→– no_impact"),
    (70, 1, "20→60 recovered_with_the_trigger"),
    (70, 40, "20→60 recovered_with_the_trigger"),
    (300, 1, "20→60 recovered_with_the_trigger"),
    (300, 2, "20→60 recovered_with_the_trigger"),
    (300, 4, "20→60 recovered_with_the_trigger"),
    (300, 10, "20→60 recovered_with_the_trigger"),
    (300, 40, "20→60 recovered_with_the_trigger"),
    (300, 55, "20→75 slow_drain"),
    (300, 80, "20→– not_recovered"),
    (2000, 2, "20→60 recovered_with_the_trigger"),
    (2000, 40, "20→60 recovered_with_the_trigger"),
];

/// How many of 350 operations a second take 300 ms, and seconds.
const TAILS: [(u64, usize, &str); 9] = [
    (1, 40, "–→– no_impact"),
    (3, 40, "–→– no_impact"),
    (4, 40, "–→– no_impact"),
    (7, 1, "–→– no_impact"),
    (7, 40, "20→60 recovered_with_the_trigger"),
    (18, 2, "–→– no_impact"),
    (18, 40, "20→60 recovered_with_the_trigger"),
    (70, 1, "–→– no_impact"),
    (70, 40, "20→60 recovered_with_the_trigger"),
];

pub(super) fn shapes() -> Vec<Shape> {
    let all = ALL.into_iter().map(|(response_ms, seconds, expected)| {
        let slow = Second {
            response_ms,
            ..GOOD
        };
        let run = pushed().is(20, 20 + seconds, slow);
        shape(
            format!("every operation takes {response_ms} ms for {seconds} s"),
            run,
            expected,
        )
    });
    let tails = TAILS.into_iter().map(|(slow, seconds, expected)| {
        let run = pushed().is(20, 20 + seconds, tail(slow));
        shape(
            format!("{slow} of 350 take 300 ms for {seconds} s"),
            run,
            expected,
        )
    });
    all.chain(tails).chain(mixed()).collect()
}

fn mixed() -> Vec<Shape> {
    let slow = Second {
        response_ms: 400,
        ..GOOD
    };
    let both = Second {
        response_ms: 400,
        ..failing(20)
    };
    let always = |run: Run, every: usize| {
        (5..100)
            .step_by(every)
            .fold(run, |run, second| run.is(second, second + 1, tail(100)))
    };
    vec![
        shape(
            "slow and failing",
            pushed().is(20, 60, both),
            "20→60 recovered_with_the_trigger",
        ),
        shape(
            "failing, then slow",
            pushed().is(20, 40, failing(20)).is(40, 60, slow),
            "20→60 recovered_with_the_trigger",
        ),
        shape(
            "out, then slow for 25 s after the rollback",
            pushed().is(20, 60, OUT).is(60, 85, slow),
            "20→85 slow_drain",
        ),
        shape(
            "out, then slow until the end",
            pushed().is(20, 60, OUT).is(60, 100, slow),
            "20→– not_recovered",
        ),
        shape(
            "a second of slowness every ten, before the push too",
            always(pushed(), 10),
            "–→– no_impact",
        ),
        shape(
            "a second of slowness every ten, before the push too, and an outage",
            always(pushed(), 10).is(20, 60, OUT),
            "20→60 recovered_with_the_trigger",
        ),
    ]
}
