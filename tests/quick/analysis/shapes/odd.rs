//! Noise, short baselines, few operations, silence, and what nothing began.

use threadbare::units::Nanos;

use super::super::builder::{GOOD, OUT, Run, Second, admit, applied, push, rejected};
use super::{ROLLBACK, Shape, failing, pushed, shape};

/// So many of 1,000 operations fail in every second, by a rule that has no trend.
fn noisy(run: Run, per_mille: u64) -> Run {
    (0..run.seconds.len()).fold(run, |run, second| {
        let own = run.seconds[second];
        // From nothing to twice the mean, as chance would have it.
        let times = [1, 0, 2, 1, 1, 0, 3, 0, 1, 1][second % 10];
        let failed = (own.failed + times * own.offered * per_mille / 1000).min(own.offered);
        run.is(second, second + 1, Second { failed, ..own })
    })
}

/// The same at so many operations a second.
fn at_rate(mut run: Run, offered: u64) -> Run {
    for second in &mut run.seconds {
        second.failed = second.failed * offered / GOOD.offered;
        second.slow = second.slow * offered / GOOD.offered;
        second.offered = offered;
    }
    run
}

fn warm_up(mut run: Run, seconds: u64) -> Run {
    run.plan.warm_up = Nanos::from_secs(seconds);
    run
}

/// The same with a hold window of three seconds, as many operations as come in it, and
/// clients who wait for a second and a half.
fn hold_3s(mut run: Run) -> Run {
    run.plan.recovery.hold = Nanos::from_secs(3);
    run.plan.recovery.operations_min = 50;
    run.plan.load.client.timeout = Nanos::from_millis(1_500);
    run
}

/// Bursts before the push, and an outage while it acts.
fn bursts() -> Vec<Shape> {
    let few = |run: Run| hold_3s(at_rate(run, 30));
    vec![
        // By their intended start they lie before it.
        shape(
            "operations that were in flight at the push fail with it",
            few(pushed().is(19, 20, failing(65)).is(20, 60, OUT)),
            "19→60 recovered_with_the_trigger",
        ),
        shape(
            "a burst long before an outage explains it",
            few(pushed().is(10, 11, failing(65)).is(20, 60, OUT)),
            "–→– undetermined",
        ),
    ]
}

pub(super) fn shapes() -> Vec<Shape> {
    let mut all = noise();
    all.extend(bursts());
    all.extend(few());
    all.extend(silence());
    all.extend(by_hand());
    all
}

fn noise() -> Vec<Shape> {
    vec![
        shape("0.7 % fail throughout", noisy(pushed(), 7), "–→– no_impact"),
        shape("3 % fail throughout", noisy(pushed(), 30), "–→– no_impact"),
        shape(
            "0.7 % fail throughout, and an outage of 4 s",
            noisy(pushed().is(20, 24, failing(90)), 7),
            "20→60 recovered_with_the_trigger",
        ),
        shape(
            "3 % fail throughout, and 13 % while the push acts",
            noisy(pushed().is(20, 60, failing(10)), 30),
            "20→60 recovered_with_the_trigger",
        ),
        shape(
            "10 % fail throughout, and an outage",
            noisy(pushed().is(20, 60, failing(80)), 100),
            "20→60 recovered_with_the_trigger",
        ),
        shape(
            "half of all fail throughout",
            noisy(pushed(), 500),
            "–→– no_impact",
        ),
    ]
}

fn few() -> Vec<Shape> {
    vec![
        shape(
            "a baseline of one second",
            warm_up(pushed().is(20, 60, OUT), 19),
            "20→60 recovered_with_the_trigger",
        ),
        shape(
            "a baseline of one second, and nothing happens",
            warm_up(pushed(), 19),
            "–→– no_impact",
        ),
        shape(
            "a baseline of 200 operations, and 2 % fail throughout",
            warm_up(at_rate(noisy(pushed(), 20), 200), 19),
            "–→– no_impact",
        ),
        shape(
            "no baseline",
            warm_up(pushed().is(20, 60, OUT), 20),
            "–→– undetermined",
        ),
        shape(
            "20 operations a second, and an outage",
            at_rate(pushed().is(20, 60, OUT), 20),
            "20→60 recovered_with_the_trigger",
        ),
        shape(
            "20 operations a second, and an outage of 4 s",
            at_rate(pushed().is(20, 24, OUT), 20),
            "20→60 recovered_with_the_trigger",
        ),
        shape(
            "20 operations a second, and one in ten fails",
            at_rate(pushed().is(20, 60, failing(10)), 20),
            "20→60 recovered_with_the_trigger",
        ),
        shape(
            "20 operations a second, and one of them fails",
            at_rate(pushed().is(20, 21, failing(5)), 20),
            "–→– no_impact",
        ),
        shape(
            "5 operations a second, too few for a baseline",
            at_rate(pushed().is(20, 60, OUT), 5),
            "–→– undetermined",
        ),
        shape(
            "14 operations a second, and an outage of 10 s",
            at_rate(pushed().is(20, 30, OUT), 14),
            "20→60 recovered_with_the_trigger",
        ),
    ]
}

fn silence() -> Vec<Shape> {
    let nothing = Second { offered: 0, ..GOOD };
    let open = Second {
        unfinished: 350,
        ..GOOD
    };
    vec![
        shape(
            "nothing is offered at all",
            pushed().is(0, 100, nothing),
            "–→– undetermined",
        ),
        shape(
            "nothing is offered while the push acts",
            pushed().is(20, 60, nothing),
            "–→– no_impact",
        ),
        shape(
            "nothing is offered after the rollback",
            pushed().is(20, 60, OUT).is(60, 100, nothing),
            "20→– undetermined",
        ),
        shape(
            "nothing is offered for 5 s after the rollback",
            pushed().is(20, 60, OUT).is(60, 65, nothing),
            "20→60 recovered_with_the_trigger",
        ),
        shape(
            "everything fails from the start",
            pushed().is(0, 100, OUT),
            "–→– undetermined",
        ),
        shape(
            "everything fails before the push",
            pushed().is(0, 20, OUT),
            "–→– undetermined",
        ),
        shape(
            "nothing has ended when the run stops",
            pushed().is(20, 98, OUT).is(98, 100, open),
            "20→– metastable",
        ),
        shape(
            "the baseline fails half, and all is well after the push",
            pushed().is(5, 20, failing(50)),
            "–→– no_impact",
        ),
    ]
}

fn by_hand() -> Vec<Shape> {
    vec![
        shape(
            "nothing is done, and nothing happens",
            Run::steady(),
            "–→– undetermined",
        ),
        shape(
            "nothing is done, and service is lost for 20 s",
            Run::steady().is(40, 60, OUT),
            "40→60 undetermined",
        ),
        shape(
            "nothing is done, and service is lost twice",
            Run::steady().is(30, 40, OUT).is(60, 62, OUT),
            "30→40 undetermined (60→62)",
        ),
        shape(
            "nothing is done, and service is lost at once",
            Run::steady().is(5, 30, OUT),
            "5→30 undetermined",
        ),
        shape(
            "an action that is no cause, and service is lost",
            Run::steady()
                .is(40, 50, OUT)
                .act(30.0, 30.0, admit("100 %"), "admit", applied()),
            "40→50 undetermined",
        ),
        shape(
            "service is lost before the push",
            Run::steady()
                .is(30, 40, OUT)
                .act(25.0, 25.0, admit("100 %"), "admit", applied())
                .act(60.0, 60.0, push(), "push", applied())
                .act(70.0, 70.0, ROLLBACK, "rollback", applied())
                .is(60, 70, OUT),
            "30→40 undetermined; 60→70 recovered_with_the_trigger",
        ),
        shape(
            "a push that was refused, and nothing happens",
            Run::steady().act(20.0, 20.0, push(), "push", rejected()),
            "–→– undetermined",
        ),
        shape(
            "a rollback that was refused first",
            Run::steady()
                .is(20, 60, OUT)
                .act(20.0, 20.0, push(), "push", applied())
                .act(40.0, 40.0, ROLLBACK, "refused", rejected())
                .act(60.0, 60.0, ROLLBACK, "rollback", applied()),
            "20→60 recovered_with_the_trigger",
        ),
        shape(
            "operations got through that should not",
            pushed().is(
                20,
                60,
                Second {
                    wrongly_allowed: 2,
                    ..GOOD
                },
            ),
            "–→60 recovered_with_the_trigger",
        ),
    ]
}
