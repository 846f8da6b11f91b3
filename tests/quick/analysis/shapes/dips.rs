//! Dips of goodput: how deep, how long, how they begin and end.

use super::super::builder::{GOOD, OUT, Run, Second, applied, push};
use super::{ROLLBACK, Shape, failing, pushed, shape};

/// Per cent that fail, seconds, and what must be said. Of ten seconds, less than one in a
/// hundred operations is within the bounds; so a dip of 6 % for a second is none.
const DIPS: [(u64, usize, &str); 34] = [
    (1, 40, "–→– no_impact"),
    (2, 1, "–→– no_impact"),
    (2, 10, "20→60 recovered_with_the_trigger"),
    (2, 40, "20→60 recovered_with_the_trigger"),
    (3, 1, "–→– no_impact"),
    (3, 4, "–→– no_impact"),
    (3, 10, "20→60 recovered_with_the_trigger"),
    (3, 40, "20→60 recovered_with_the_trigger"),
    (6, 1, "–→– no_impact"),
    (6, 2, "–→– no_impact"),
    (6, 4, "20→60 recovered_with_the_trigger"),
    (6, 10, "20→60 recovered_with_the_trigger"),
    (6, 40, "20→60 recovered_with_the_trigger"),
    (10, 1, "–→– no_impact"),
    (10, 2, "20→60 recovered_with_the_trigger"),
    (10, 4, "20→60 recovered_with_the_trigger"),
    (10, 40, "20→60 recovered_with_the_trigger"),
    (30, 1, "20→60 recovered_with_the_trigger"),
    (30, 2, "20→60 recovered_with_the_trigger"),
    (30, 4, "20→60 recovered_with_the_trigger"),
    (30, 40, "20→60 recovered_with_the_trigger"),
    (49, 4, "20→60 recovered_with_the_trigger"),
    (60, 1, "20→60 recovered_with_the_trigger"),
    (60, 2, "20→60 recovered_with_the_trigger"),
    (60, 4, "20→60 recovered_with_the_trigger"),
    (60, 40, "20→60 recovered_with_the_trigger"),
    (100, 1, "20→60 recovered_with_the_trigger"),
    (100, 2, "20→60 recovered_with_the_trigger"),
    (100, 3, "20→60 recovered_with_the_trigger"),
    (100, 4, "20→60 recovered_with_the_trigger"),
    (100, 9, "20→60 recovered_with_the_trigger"),
    (100, 10, "20→60 recovered_with_the_trigger"),
    (100, 20, "20→60 recovered_with_the_trigger"),
    (100, 40, "20→60 recovered_with_the_trigger"),
];

pub(super) fn shapes() -> Vec<Shape> {
    let dips = DIPS.into_iter().map(|(percent, seconds, expected)| {
        let run = pushed().is(20, 20 + seconds, failing(percent));
        shape(format!("{percent} % fail for {seconds} s"), run, expected)
    });
    let mut all: Vec<Shape> = dips.collect();
    all.extend(edges());
    all.extend(ramps());
    all.extend(plateaus());
    all
}

/// Where a dip begins and ends.
fn edges() -> Vec<Shape> {
    vec![
        shape(
            "an outage in the middle of the push",
            pushed().is(35, 39, OUT),
            "35→60 recovered_with_the_trigger",
        ),
        shape(
            "an outage that ends a second after the rollback",
            pushed().is(20, 61, OUT),
            "20→61 recovered_with_the_trigger",
        ),
        shape(
            "an outage that ends a hold window after the rollback",
            pushed().is(20, 70, OUT),
            "20→70 recovered_with_the_trigger",
        ),
        shape(
            "an outage that drains for 11 s",
            pushed().is(20, 71, OUT),
            "20→71 slow_drain",
        ),
        shape(
            "an outage that begins 7 s after the rollback",
            pushed().is(67, 71, OUT),
            "67→71 slow_drain",
        ),
        shape(
            "an outage that begins 25 s after the rollback",
            pushed().is(85, 88, OUT),
            "85→88 slow_drain",
        ),
        shape(
            "an outage in the last 4 s of the run",
            pushed().is(96, 100, OUT),
            "96→– undetermined",
        ),
        shape(
            "an outage in the last second of the run",
            pushed().is(99, 100, OUT),
            "99→– undetermined",
        ),
        shape(
            "half a second of outage",
            pushed().is(20, 21, failing(50)),
            "20→60 recovered_with_the_trigger",
        ),
        shape(
            "a tenth of a second of outage",
            pushed().is(20, 21, failing(10)),
            "–→– no_impact",
        ),
    ]
}

/// Seconds whose share of failures is a function of time.
fn shaped(run: Run, from: usize, to: usize, percent: impl Fn(usize) -> u64) -> Run {
    (from..to).fold(run, |run, second| {
        run.is(second, second + 1, failing(percent(second - from)))
    })
}

fn ramps() -> Vec<Shape> {
    vec![
        shape(
            "a ramp from nothing to 40 % at the rollback",
            shaped(pushed(), 20, 60, |second| second as u64),
            "22→60 recovered_with_the_trigger",
        ),
        shape(
            "a ramp from nothing to 10 % at the rollback",
            shaped(pushed(), 20, 60, |second| second as u64 / 4),
            "28→60 recovered_with_the_trigger",
        ),
        shape(
            "a drain from 100 % to nothing in 20 s after the rollback",
            shaped(pushed().is(20, 60, OUT), 60, 80, |second| {
                100 - 5 * second as u64
            }),
            "20→80 slow_drain",
        ),
        shape(
            "a drain from 30 % to nothing in 30 s after the rollback",
            shaped(pushed().is(20, 60, failing(30)), 60, 90, |second| {
                30 - second as u64
            }),
            "20→89 slow_drain",
        ),
        shape(
            "a drain that ends with the run",
            shaped(pushed().is(20, 60, OUT), 60, 100, |second| {
                100 - 2 * second as u64
            }),
            "20→– not_recovered",
        ),
        shape(
            "a tooth: worse and better every 5 s",
            shaped(pushed(), 20, 60, |second| 20 * (second as u64 % 5)),
            "21→60 recovered_with_the_trigger",
        ),
    ]
}

/// What never comes back.
fn plateaus() -> Vec<Shape> {
    let plateau = |percent| pushed().is(20, 100, failing(percent));
    let heavier = Second {
        offered: 500,
        ..GOOD
    };
    vec![
        shape(
            "nothing works until the end",
            plateau(100),
            "20→– metastable",
        ),
        shape("70 % fail until the end", plateau(70), "20→– metastable"),
        shape("30 % fail until the end", plateau(30), "20→– not_recovered"),
        shape("3 % fail until the end", plateau(3), "20→– not_recovered"),
        shape("1 % fail until the end", plateau(1), "–→– no_impact"),
        shape(
            "out until the rollback, then 3 % fail until the end",
            plateau(3).is(20, 60, OUT),
            "20→– not_recovered",
        ),
        shape(
            "out until the rollback, then 1 % fail until the end",
            plateau(1).is(20, 60, OUT),
            "20→60 recovered_with_the_trigger",
        ),
        shape(
            "the fault is never cleared",
            Run::steady()
                .is(20, 100, OUT)
                .act(20.0, 20.0, push(), "push", applied()),
            "20→– undetermined",
        ),
        shape(
            "the fault is never cleared, and service is back",
            Run::steady()
                .is(20, 30, OUT)
                .act(20.0, 20.0, push(), "push", applied()),
            "20→– undetermined",
        ),
        shape(
            "the load never returns to the baseline's",
            pushed().is(20, 60, OUT).is(60, 100, heavier),
            "20→60 undetermined",
        ),
        shape(
            "the rollback is the last that is seen",
            Run::steady()
                .is(20, 95, OUT)
                .act(20.0, 20.0, push(), "push", applied())
                .act(95.0, 95.0, ROLLBACK, "rollback", applied()),
            "20→– undetermined",
        ),
    ]
}
