//! What a comparison must not say: that all is well where little or nothing was seen.

use threadbare::analysis::compare::{Comparison, ComparisonVerdict, Digest, Options, compare};
use threadbare::model::ClosedLoop;
use threadbare::plan::Plan;
use threadbare::record::Backend;
use threadbare::units::Nanos;

use super::truth::{SERVICE, digest, figure, station};
use crate::plan::plan;

fn compared(base: &[Digest], candidate: &[Digest]) -> Comparison {
    compare(base, candidate, &Options::default())
}

fn width(comparison: &Comparison, name: &str) -> f64 {
    let row = figure(comparison, name);
    row.high.unwrap() - row.low.unwrap()
}

#[test]
fn other_requests_are_another_load() {
    let base = digest(station(1, SERVICE, 1));
    let with = |requests: &str| {
        let mut run = base.clone();
        run.plan.requests = requests.to_owned();
        [run]
    };
    let comparison = compared(&with("a"), &with("b"));
    assert_eq!(comparison.verdict, ComparisonVerdict::NotComparable);
    assert!(
        comparison.reason.contains("`requests` differs"),
        "{}",
        comparison.reason
    );
    // A run that does not say is of an earlier version.
    let comparison = compared(&with("a"), &with(""));
    assert!(comparison.obstacles.is_empty(), "{}", comparison.reason);
    // Kinds that only the candidate has are another load too.
    let mut kinds = base.clone();
    kinds.plan.kinds = vec!["look".into(), "buy".into()];
    let comparison = compared(std::slice::from_ref(&base), &[kinds]);
    assert!(
        comparison.reason.contains("`kinds` differs"),
        "{}",
        comparison.reason
    );
}

/// Nobody waits longer than this.
fn with_timeout(timeout: Nanos, seed: u64) -> Digest {
    let mut plan = station(1, SERVICE, seed);
    plan.load.client.timeout = timeout;
    plan.load.client.retries = 0;
    digest(plan)
}

#[test]
fn two_dead_servers_are_not_equal() {
    let dead = |seed| [with_timeout(Nanos(1), seed)];
    let comparison = compared(&dead(1), &dead(2));
    assert_eq!(comparison.verdict, ComparisonVerdict::NotComparable);
    assert!(
        comparison.reason.contains("nothing succeeded"),
        "{}",
        comparison.reason
    );
    // A candidate that died is worse, and no matter for `--anyway`.
    let alive = [digest(station(1, SERVICE, 1))];
    assert_eq!(compared(&alive, &dead(1)).verdict, ComparisonVerdict::Worse);
}

#[test]
fn no_error_in_few_operations_is_no_proof_of_none() {
    let without_errors = |rate: f64| {
        let mut plan: Plan = plan(rate, Nanos::from_secs(62));
        plan.warm_up = Nanos::from_secs(2);
        plan.interval = Nanos::from_secs(1);
        [digest(plan)]
    };
    let few = without_errors(10.0);
    let comparison = compared(&few, &few);
    let row = figure(&comparison, "error share");
    assert_eq!((row.base, row.candidate), (Some(0.0), Some(0.0)));
    // None of 600: 0.3 % may still fail on either side, and a tenth of a point matters.
    assert!(row.high > Some(0.003), "{row:?}");
    assert_eq!(row.verdict, ComparisonVerdict::CannotTell);
    let many = without_errors(500.0);
    let comparison = compared(&many, &many);
    let row = figure(&comparison, "error share");
    assert_eq!(row.verdict, ComparisonVerdict::NoDifferenceShown, "{row:?}");
}

#[test]
fn percentiles_that_lost_their_slow_operations_are_not_better() {
    // Of exponential response times with a mean of 5 ms one in fifty is above 20 ms.
    let comparison = compared(
        &[digest(station(1, SERVICE, 1))],
        &[with_timeout(Nanos::from_secs_f64(0.02), 1)],
    );
    let row = figure(&comparison, "response p99");
    assert!(row.high < Some(0.0), "{row:?}");
    assert_eq!(row.verdict, ComparisonVerdict::CannotTell);
    assert!(row.why.contains("may be the slow ones"), "{}", row.why);
    assert_eq!(
        figure(&comparison, "error share").verdict,
        ComparisonVerdict::Worse
    );
}

/// Live runs, as far as a comparison knows, that began at these times.
fn live(started: [u64; 4]) -> Vec<Digest> {
    let runs = started.into_iter().zip(1..).map(|(started, seed)| {
        let mut run = digest(station(1, SERVICE, seed));
        run.backend = Backend::Live;
        run.started_wall_ms = started;
        run
    });
    runs.collect()
}

#[test]
fn sets_of_different_times_have_an_allowance_for_what_differs_between_them() {
    let in_turns = compared(&live([1, 3, 5, 7]), &live([2, 4, 6, 8]));
    assert_eq!(in_turns.method.between_runs, None);
    let apart = compared(&live([1, 2, 3, 4]), &live([5, 6, 7, 8]));
    assert_eq!(apart.method.between_runs, Some(0.01));
    let name = "response p50";
    assert!(width(&apart, name) > width(&in_turns, name));
}

#[test]
fn the_goodput_of_a_closed_loop_is_the_machines() {
    let open = live([1, 2, 3, 4])[..1].to_vec();
    let mut closed = open.clone();
    closed[0].plan.load.drive.closed = Some(ClosedLoop {
        users: 1,
        think: Nanos::ZERO,
    });
    let [of_open, of_closed] = [&open, &closed].map(|run| width(&compared(run, run), "goodput"));
    // Four standard errors of 1.4 % or so.
    assert!(of_open < 0.01 && of_closed > 0.04, "{of_open} {of_closed}");
}

#[test]
fn who_looks_several_times_has_wider_intervals() {
    let runs = [
        digest(station(1, SERVICE, 1)),
        digest(station(1, SERVICE, 2)),
    ];
    let once = compared(&runs[..1], &runs[1..]);
    let options = Options {
        looks: 5,
        ..Options::default()
    };
    let often = compare(&runs[..1], &runs[1..], &options);
    assert_eq!(
        (once.method.confidence, often.method.confidence),
        (0.95, 0.99)
    );
    let name = "response p99";
    assert!(width(&often, name) > width(&once, name));
}
