//! Expectations that can no longer hold, found while a run goes on.

use proptest::prelude::*;
use threadbare::analysis::{Early, findings};
use threadbare::model::{
    Anchor, ArrivalProcess, FailureCause, Moment, Point, Shape, SourceName, Window,
};
use threadbare::plan::{Bound, Expectation, Figure};
use threadbare::record::{Counters, FailureCounters, Record, Sample};
use threadbare::units::Nanos;

use super::builder::{GOOD, OUT, Run, SECOND, Second, expect, founding};

/// 350 a second, evenly spaced, with an expectation that may end the run.
fn watched(mut run: Run, expectation: Expectation) -> Record {
    run.plan.load.process = ArrivalProcess::Constant;
    let rate = Shape::Constant("350/s".parse().unwrap());
    run.plan.load.rate = vec![(Nanos::ZERO, rate)];
    run.plan.expectations = vec![Expectation {
        abort: true,
        ..expectation
    }];
    run.record()
}

/// The second after which an expectation is lost, and why; told second by second.
fn lost(record: &Record) -> Option<(u64, String)> {
    let plan = &record.header.plan;
    let mut early = Early::of(plan).expect("an expectation that may end the run");
    let mut events = record.events.iter().peekable();
    (1..=plan.end.0 / SECOND).find_map(|second| {
        let to = Nanos::from_secs(second);
        while let Some((at, event)) = events.next_if(|(at, _)| *at < to) {
            early.event(*at, event);
        }
        for sample in record.samples.iter().filter(|sample| sample.to == to) {
            early.sample(&sample);
        }
        early.lost(to).map(|why| (second, why))
    })
}

fn assert_lost(run: Run, expectation: Expectation, second: u64, why: &str) {
    let found = lost(&watched(run, expectation));
    assert_eq!(found, Some((second, why.to_owned())));
}

fn assert_goes_on(run: Run, expectation: Expectation) {
    assert_eq!(lost(&watched(run, expectation)), None);
}

fn whole(that: Figure, bound: Bound) -> Expectation {
    expect(that, None, bound)
}

fn failing(failed: u64) -> Second {
    Second { failed, ..GOOD }
}

#[test]
fn counts_that_only_grow_are_lost_once_they_are_beyond_their_bound() {
    let wrong = |second: usize, wrongly_allowed| {
        let second_of = Second {
            wrongly_allowed,
            ..GOOD
        };
        Run::steady().is(second, second + 1, second_of)
    };
    let allowed = |most| whole(Figure::WronglyAllowed, Bound::AtMost(most));
    let told = "wrongly allowed: 3 so far; required at most 2";
    assert_lost(wrong(30, 3), allowed(2.0), 31, told);
    assert_goes_on(wrong(30, 3), allowed(3.0));
    // In the warm-up it does not count.
    assert_goes_on(wrong(3, 3), allowed(2.0));
    // One more may come at any time.
    let least = whole(Figure::WronglyAllowed, Bound::AtLeast(4.0));
    assert_goes_on(wrong(30, 3), least);
    let rejected = |most| whole(Figure::RejectedRollbacks, Bound::AtMost(most));
    let told = "rejected rollbacks: 1 so far; required at most 0";
    assert_lost(founding(), rejected(0.0), 61, told);
    assert_goes_on(founding(), rejected(1.0));
    let exhausted = |most| whole(Figure::ExhaustedInstances, Bound::AtMost(most));
    let told = "exhausted instances: 4 so far; required at most 3";
    let run = || Run::steady().is(20, 60, OUT);
    assert_lost(run(), exhausted(3.0), 22, told);
    assert_goes_on(run(), exhausted(4.0));
}

#[test]
fn failures_are_those_that_are_meant() {
    let failures = |source: &str, most| {
        let mut expectation = whole(Figure::Failures, Bound::AtMost(most));
        expectation.of.source = Some(source.into());
        let mut record = watched(Run::steady(), expectation);
        let mut counters = FailureCounters::default();
        counters.count(FailureCause::NoAnswer);
        record.samples.push(Sample {
            from: Nanos::from_secs(40),
            to: Nanos::from_secs(41),
            source: SourceName::Monitor,
            counters: Counters::Failures(counters),
            histograms: Vec::new(),
        });
        lost(&record).map(|(second, _)| second)
    };
    assert_eq!(failures("monitor", 0.0), Some(41));
    assert_eq!(failures("monitor", 1.0), None);
    assert_eq!(failures("user", 0.0), None);
}

#[test]
fn a_share_is_lost_when_all_that_can_still_come_cannot_make_up_for_it() {
    // At most 35,001 operations: one in a hundred has failed after two seconds.
    let run = || Run::steady().is(20, 60, OUT);
    let told = "700 of at most 35001 operations failed so far; required at most 1 %";
    let share = |most| whole(Figure::ErrorShare, Bound::AtMost(most));
    assert_lost(run(), share(0.01), 22, &format!("error share: {told}"));
    assert_goes_on(run(), share(0.45));
    let told = "700 of at most 35001 operations failed so far; required at least 99 %";
    let goodput = whole(Figure::GoodputShare, Bound::AtLeast(0.99));
    assert_lost(run(), goodput, 22, &format!("goodput share: {told}"));
    // Chance decides how many there will be.
    let mut record = watched(run(), share(0.01));
    record.header.plan.load.process = ArrivalProcess::Poisson;
    assert_eq!(lost(&record), None);
}

#[test]
fn a_percentile_is_lost_when_too_many_took_longer() {
    let slow = Second {
        slow: 350,
        slow_ms: 300,
        ..GOOD
    };
    let p99 = |most| whole(Figure::ResponseP99, Bound::AtMost(most));
    let run = || Run::steady().is(20, 60, slow);
    let told = "response p99: 700 of at most 35001 operations took longer so far; required at \
                most 50 ms";
    assert_lost(run(), p99(0.05), 22, told);
    assert_goes_on(run(), p99(0.5));
}

#[test]
fn a_bucket_counts_once_all_before_it_are_final() {
    let wrong = Second {
        wrongly_allowed: 3,
        ..GOOD
    };
    let allowed = whole(Figure::WronglyAllowed, Bound::AtMost(2.0));
    let mut record = watched(Run::steady().is(30, 31, wrong), allowed);
    // Of the second before, an operation never ended.
    record.samples.retain(|sample| {
        let operations = matches!(sample.counters, Counters::Operations(_));
        !(operations && sample.from == Nanos::from_secs(29))
    });
    assert_eq!(lost(&record), None);
}

/// Seconds after the start of the load.
fn fixed(seconds: u64) -> Point {
    Point {
        after: Nanos::from_secs(seconds),
        ..Point::at(Anchor::Zero)
    }
}

fn over(window: Window, bound: Bound) -> Expectation {
    Expectation {
        window: Some(window),
        ..expect(Figure::ResponseP50, None, bound)
    }
}

#[test]
fn a_phase_and_a_window_are_looked_at_once_they_are_over() {
    let pushed = Run::pushed_and_rolled_back;
    let baseline = |bound| expect(Figure::ResponseP50, Some("baseline"), bound);
    let (second, why) = lost(&watched(pushed(), baseline(Bound::AtMost(0.01)))).unwrap();
    assert_eq!(second, 21);
    assert!(
        why.starts_with("response p50 in the phase `baseline`: 12"),
        "{why}"
    );
    assert_goes_on(pushed(), baseline(Bound::AtMost(0.02)));
    let window = || Window::Between(fixed(10), fixed(15));
    let (second, why) = lost(&watched(pushed(), over(window(), Bound::AtMost(0.01)))).unwrap();
    assert_eq!(second, 16, "{why}");
    assert_goes_on(pushed(), over(window(), Bound::AtMost(0.02)));
    // Which event the trigger is, and when the run ends, is known only then.
    let trigger = Point::at(Anchor::Moment(Moment::Trigger));
    for (from, to) in [(fixed(10), trigger), (fixed(10), Point::at(Anchor::End))] {
        let window = Window::Between(from, to);
        assert_goes_on(pushed(), over(window, Bound::AtMost(0.01)));
    }
    // The last phase ends with the run.
    let last = expect(Figure::ResponseP50, Some("rollback"), Bound::AtMost(0.01));
    assert_goes_on(pushed(), last);
}

#[test]
fn without_the_key_nothing_ends_a_run() {
    let mut plan = watched(Run::steady(), whole(Figure::Failures, Bound::AtMost(0.0)))
        .header
        .plan;
    plan.expectations[0].abort = false;
    assert!(Early::of(&plan).is_none());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    /// What is lost on the way is missed at the end, whatever still comes.
    #[test]
    fn what_is_lost_on_the_way_is_missed_at_the_end(
        failed in prop::collection::vec(0..20u64, 95),
        slow in prop::collection::vec(0..20u64, 95),
        figure in prop::sample::select(vec![
            Figure::ErrorShare,
            Figure::GoodputShare,
            Figure::ResponseP90,
            Figure::ResponseP99,
        ]),
        bound in 0.0..0.06f64,
    ) {
        let mut run = Run::steady();
        let seconds = run.seconds.iter_mut().skip(5);
        for ((second, failed), slow) in seconds.zip(failed).zip(slow) {
            *second = Second { slow, ..failing(failed) };
        }
        let bound = match figure {
            Figure::GoodputShare => Bound::AtLeast(1.0 - bound),
            _ => Bound::AtMost(bound),
        };
        let record = watched(run, whole(figure, bound));
        if let Some((second, why)) = lost(&record) {
            let result = findings(&record).expectations.remove(0);
            prop_assert_eq!(result.passed, Some(false), "{} s: {}: {:?}", second, why, result);
        }
    }
}
