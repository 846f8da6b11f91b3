//! Several incidents, relapses, flaps.

use threadbare::analysis::{Outcome, findings};
use threadbare::model::{ClientsAction, FleetAction, SlowPart};
use threadbare::plan::Action;

use super::super::builder::{GOOD, OUT, Run, Second, admit, applied, push};
use super::{ROLLBACK, Shape, failing, pushed, shape};

fn pause(run: Run, from: f64, to: f64) -> Run {
    let instances = None;
    run.act(
        from,
        from,
        Action::Fleet(FleetAction::Pause { instances }),
        "pause",
        applied(),
    )
    .act(
        to,
        to,
        Action::Fleet(FleetAction::Continue { instances }),
        "go on",
        applied(),
    )
}

fn slow(run: Run, from: f64, to: f64) -> Run {
    let slow = |factor| {
        Action::Fleet(FleetAction::Slow {
            part: SlowPart::Database,
            factor,
        })
    };
    run.act(from, from, slow(5.0), "slow", applied())
        .act(to, to, slow(1.0), "usual", applied())
}

fn pushed_again(run: Run, from: f64, to: f64) -> Run {
    run.act(from, from, push(), "push again", applied()).act(
        to,
        to,
        ROLLBACK,
        "rollback again",
        applied(),
    )
}

/// A push at 20 s that takes service away until 30 s.
fn brief() -> Run {
    Run::steady()
        .is(20, 30, OUT)
        .act(20.0, 20.0, push(), "push", applied())
        .act(30.0, 30.0, ROLLBACK, "rollback", applied())
}

pub(super) fn shapes() -> Vec<Shape> {
    let mut all = relapses();
    all.extend(flaps());
    all.extend(two_causes());
    all
}

fn relapses() -> Vec<Shape> {
    let long = || pushed().is(20, 60, OUT);
    let waiting = Second {
        response_ms: 300,
        ..GOOD
    };
    let monitors = Action::Clients(ClientsAction::Monitors { on: true });
    vec![
        shape(
            "a relapse of 1 s",
            long().is(75, 76, OUT),
            "20→60 relapsed (75→76)",
        ),
        shape(
            "a relapse of 2 s",
            long().is(75, 77, OUT),
            "20→60 relapsed (75→77)",
        ),
        shape(
            "a relapse of 4 s",
            long().is(75, 79, OUT),
            "20→60 relapsed (75→79)",
        ),
        shape(
            "a relapse of 9 s",
            long().is(75, 84, OUT),
            "20→60 relapsed (75→84)",
        ),
        shape(
            "a relapse of 15 s",
            long().is(75, 90, OUT),
            "20→60 relapsed (75→90)",
        ),
        shape(
            "a relapse that does not end",
            long().is(75, 100, OUT),
            "20→60 relapsed (75→–)",
        ),
        shape(
            "a relapse at the very end",
            long().is(97, 100, OUT),
            "20→60 relapsed (97→–)",
        ),
        shape(
            "a relapse 5 s after service was back",
            long().is(65, 67, OUT),
            "20→67 recovered_with_the_trigger",
        ),
        shape(
            "a slow relapse",
            long().is(75, 80, waiting),
            "20→60 relapsed (75→80)",
        ),
        shape(
            "a relapse of 20 % for 5 s",
            long().is(75, 80, failing(20)),
            "20→60 relapsed (75→80)",
        ),
        shape(
            "a second in which 5 % fail after recovery",
            long().is(75, 76, failing(5)),
            "20→60 recovered_with_the_trigger",
        ),
        shape(
            "two relapses",
            brief().is(45, 47, OUT).is(70, 75, OUT),
            "20→30 relapsed (45→47) (70→75)",
        ),
        shape(
            "a relapse as more is admitted",
            long()
                .is(60, 70, failing(60))
                .act(70.0, 70.0, admit("50 %"), "admit", applied())
                .is(82, 86, OUT)
                .act(82.0, 82.0, admit("100 %"), "more", applied()),
            "20→70 relapsed (82→86)",
        ),
        shape(
            "a relapse as monitors are on again",
            long()
                .is(80, 83, OUT)
                .act(80.0, 80.0, monitors, "monitors", applied()),
            "20→60 relapsed (80→83)",
        ),
    ]
}

fn every(run: Run, from: usize, to: usize, step: usize, second: Second) -> Run {
    (from..to)
        .step_by(step)
        .fold(run, |run, at| run.is(at, at + 1, second))
}

fn flaps() -> Vec<Shape> {
    let long = || pushed().is(20, 60, OUT);
    vec![
        shape(
            "seven outages of 1 s after recovery, 3 s apart",
            every(brief(), 45, 66, 3, OUT),
            "20→30 relapsed (45→64)",
        ),
        shape(
            "seven outages of 1 s after recovery, 5 s apart",
            every(brief(), 45, 80, 5, OUT),
            "20→30 relapsed (45→76)",
        ),
        shape(
            "three outages of 1 s after recovery, 15 s apart",
            every(brief(), 45, 90, 15, OUT),
            "20→30 relapsed (45→46) (60→61) (75→76)",
        ),
        shape(
            "flaps while the push acts",
            every(pushed(), 20, 60, 2, OUT),
            "20→60 recovered_with_the_trigger",
        ),
        shape(
            "flaps that go on until the end",
            every(long(), 60, 100, 4, OUT),
            "20→– not_recovered",
        ),
        shape(
            "flaps of 30 % until the end",
            every(long(), 60, 100, 4, failing(30)),
            "20→– not_recovered",
        ),
    ]
}

fn two_causes() -> Vec<Shape> {
    vec![
        shape(
            "a pause 30 s after the push was over",
            pause(brief().is(60, 65, OUT), 60.0, 65.0),
            "20→30 recovered_with_the_trigger; 60→65 recovered_with_the_trigger",
        ),
        shape(
            "a pause 11 s after the push was over",
            pause(brief().is(41, 46, OUT), 41.0, 46.0),
            "20→30 recovered_with_the_trigger; 41→46 recovered_with_the_trigger",
        ),
        shape(
            "a pause 5 s after the push was over: no hold window between",
            pause(brief().is(35, 40, OUT), 35.0, 40.0),
            "20→40 recovered_with_the_trigger",
        ),
        shape(
            "a pause within the push",
            pause(pushed().is(20, 60, OUT), 30.0, 40.0),
            "20→60 recovered_with_the_trigger",
        ),
        shape(
            "a slow database that outlasts the push",
            slow(pushed().is(20, 75, OUT), 40.0, 75.0),
            "20→75 recovered_with_the_trigger",
        ),
        shape(
            "a slow database that hurt nobody, then a push",
            slow(pushed().is(20, 60, OUT), 12.0, 15.0),
            "20→60 recovered_with_the_trigger",
        ),
        shape(
            "a push that hurt nobody, then a pause",
            pause(pushed().is(80, 84, OUT), 80.0, 84.0),
            "80→84 recovered_with_the_trigger",
        ),
        shape(
            "a second push",
            pushed_again(brief().is(60, 70, OUT), 60.0, 70.0),
            "20→30 recovered_with_the_trigger; 60→70 recovered_with_the_trigger",
        ),
        shape(
            "a second push that is never rolled back",
            brief()
                .is(60, 100, OUT)
                .act(60.0, 60.0, push(), "push again", applied()),
            "20→30 recovered_with_the_trigger; 60→– undetermined",
        ),
        shape(
            "a second push that hurts nobody",
            pushed_again(brief(), 60.0, 70.0),
            "20→30 recovered_with_the_trigger",
        ),
        shape(
            "a second push within the incident is the cure",
            Run::steady()
                .is(20, 40, OUT)
                .act(20.0, 20.0, push(), "push", applied())
                .act(40.0, 40.0, push(), "fix", applied()),
            "20→– undetermined",
        ),
        shape(
            "a push, its relapse, and a pause",
            pause(brief().is(45, 48, OUT).is(75, 80, OUT), 75.0, 80.0),
            "20→30 relapsed (45→48); 75→80 recovered_with_the_trigger",
        ),
        shape(
            "a push with an outage, a pause with slowness",
            pause(
                brief().is(
                    60,
                    66,
                    Second {
                        response_ms: 500,
                        ..GOOD
                    },
                ),
                60.0,
                66.0,
            ),
            "20→30 recovered_with_the_trigger; 60→66 recovered_with_the_trigger",
        ),
        shape(
            "three pushes, each rolled back",
            pushed_again(
                pushed_again(brief().is(50, 55, OUT).is(80, 82, OUT), 50.0, 55.0),
                80.0,
                82.0,
            ),
            "20→30 recovered_with_the_trigger; 50→55 recovered_with_the_trigger; 80→82 recovered_with_the_trigger",
        ),
        shape(
            "the second is worse than the first",
            pause(brief().is(60, 100, OUT), 60.0, 70.0),
            "20→30 recovered_with_the_trigger; 60→– metastable",
        ),
    ]
}

#[test]
fn a_recovery_that_did_not_last_counts_until_service_was_back_for_good() {
    let of = |run: Run| {
        let outcome = Outcome::of(&findings(&run.record()));
        let whole = |s: Option<f64>| s.map(f64::round);
        (
            whole(outcome.recovery_s),
            whole(outcome.recovery_censored_after_s),
        )
    };
    let long = || pushed().is(20, 65, OUT);
    assert_eq!(of(long()), (Some(5.0), None));
    assert_eq!(of(long().is(75, 84, OUT)), (Some(24.0), None));
    // Nobody has seen it end.
    assert_eq!(of(long().is(75, 100, OUT)), (None, Some(40.0)));
}

#[test]
fn a_cause_that_acts_often_is_named_once() {
    let run = pushed().is(20, 60, OUT);
    let found = findings(&pause(pause(run, 25.0, 26.0), 30.0, 31.0).record());
    let told = found.sentences.join(" ");
    assert!(
        told.contains("What acted in it: push, pause (twice)."),
        "{told}"
    );
}
