//! What is measured is what was: known answers, freezes, stalls, schedules.

use std::sync::mpsc::{Sender, channel};
use std::thread;
use std::time::Duration;

use crate::plan::{entry, ms, plan};
use crate::server::{ScriptedAnswer, Server};
use crate::told::{GeneratorRecord, run, setup, start};
use threadbare::clock::Clock;
use threadbare::load::{Generator, Setup, Update};
use threadbare::model::{ArrivalProcess, Arrivals};
use threadbare::plan::{Load, Plan, Request};
use threadbare::record::{Histogram, Measure};
use threadbare::rng;
use threadbare::units::Nanos;

/// What the arrival process itself says: the number of operations in each bucket.
fn scheduled_by_bucket(plan: &Plan) -> Vec<u64> {
    let stream = rng::stream(plan.seed, "arrivals");
    let mut counts = vec![0; usize::try_from(plan.end.0.div_ceil(plan.interval.0)).unwrap()];
    for at in Arrivals::new(plan.load.process, &plan.load.rate, plan.end, stream) {
        counts[usize::try_from(at.0 / plan.interval.0).unwrap()] += 1;
    }
    counts
}

#[test]
fn a_healthy_target_is_measured_as_it_is() {
    let server = Server::start(|_| ScriptedAnswer::status(200).after(Duration::from_millis(5)));
    let plan = plan(200.0, ms(1_000));
    let told = run(&plan, server.address());
    assert_eq!(
        (told.operations.scheduled, told.operations.succeeded),
        (200, 200)
    );
    assert_eq!(
        (
            told.user.first_tries,
            told.user.status_2xx,
            told.user.started()
        ),
        (200, 200, 200)
    );
    assert_eq!((told.load_ended, told.generator.threads > 0), (1, true));
    assert_eq!(server.requests().len(), 200);
    let buckets: Vec<_> = told
        .buckets()
        .iter()
        .map(|bucket| bucket.2.scheduled)
        .collect();
    assert_eq!(buckets, scheduled_by_bucket(&plan));
    for measure in [Measure::Service, Measure::Response] {
        let median = told.quantile_ms("user", measure, 0.5);
        assert!((5.0..40.0).contains(&median), "{measure:?} {median}");
    }
}

#[test]
fn a_bimodal_target_shows_both_its_modes() {
    let server = Server::start(|request| {
        let slow = request.line().contains("/projects/7/"); // one of ten
        ScriptedAnswer::status(200).after(Duration::from_millis(if slow { 150 } else { 2 }))
    });
    let told = run(&plan(300.0, ms(2_000)), server.address());
    let requests = server.requests();
    let slow = requests
        .iter()
        .filter(|request| request.line().contains("/projects/7/"));
    let share = slow.count() as f64 / requests.len() as f64;
    let quantile = |quantile| told.quantile_ms("user", Measure::Service, quantile);
    let (below, above) = (quantile(1.0 - share - 0.04), quantile(1.0 - share + 0.01));
    assert!(
        below < 100.0 && (150.0..250.0).contains(&above),
        "{below} {above} at {share}"
    );
}

/// Whether a histogram has the shape of the freeze oracle: one quarter of the
/// operations wait evenly between nothing and 500 ms, P(L > x) = 0.25 (1 − x/0.5 s).
fn looks_frozen(histogram: &Histogram) -> bool {
    let ms = |quantile| histogram.quantile(quantile).unwrap().as_millis_f64();
    ms(0.5) < 60.0
        && (260.0..380.0).contains(&ms(0.9)) // closed form: 300
        && (450.0..580.0).contains(&ms(0.99)) // closed form: 480
        && (490.0..620.0).contains(&ms(1.0)) // closed form: 500
}

/// Whether every operation that was due in a freeze, the last half second of
/// every two, is charged with what was left of it: for each `x` at least as many
/// lasted longer as the schedule itself tells. A bound without tolerance, since
/// nothing is answered before a freeze ends.
fn charges_all_of_the_freeze(histogram: &Histogram, plan: &Plan) -> bool {
    let stream = rng::stream(plan.seed, "arrivals");
    let left = Arrivals::new(plan.load.process, &plan.load.rate, plan.end, stream)
        .map(|at| at.0 % ms(2_000).0)
        .filter(|into| *into >= ms(1_500).0)
        .map(|into| ms(2_000).0 - into);
    let left: Vec<u64> = left.collect();
    assert_eq!(left.len(), 500);
    (0..50).map(|step| ms(10 * step).0).all(|x| {
        let due = left.iter().filter(|left| **left > x).count() as u64;
        let longer = histogram.buckets().into_iter().filter(|(to, _)| to.0 > x);
        longer.map(|(_, count)| count).sum::<u64>() >= due
    })
}

#[test]
fn a_frozen_target_is_charged_with_every_operation_that_it_kept_waiting() {
    let plan = Plan {
        load: Load {
            connections: 32,
            ..plan(500.0, ms(4_000)).load
        },
        ..plan(500.0, ms(4_000))
    };
    let clock = Clock::start_in(ms(50));
    // One millisecond of service, frozen for the last half second of every two.
    let server = Server::start(move |_| {
        let into = Nanos(clock.now().0 % ms(2_000).0);
        let frozen = if into < ms(1_500) {
            Nanos::ZERO
        } else {
            ms(2_000) - into
        };
        ScriptedAnswer::status(200).after((frozen + ms(1)).to_duration())
    });
    let (updates, receiver) = channel();
    let mut setup = setup(&plan, server.address());
    setup.clock = clock;
    let generator = start(&setup, updates);
    let told = GeneratorRecord::gather(&plan, &receiver);
    generator.join().unwrap();
    assert_eq!(
        (told.operations.scheduled, told.operations.succeeded),
        (2_000, 2_000)
    );
    let response = told.histogram("user", Measure::Response);
    assert!(
        looks_frozen(&response),
        "{response:?} {:?}",
        response.quantile(0.9)
    );
    assert!(charges_all_of_the_freeze(&response, &plan));
    // The negative control: service time, which leaves the waiting out, does not show it.
    let service = told.histogram("user", Measure::Service);
    assert!(!looks_frozen(&service));
    assert!(!charges_all_of_the_freeze(&service, &plan));
    for (name, histogram) in [("response", &response), ("service", &service)] {
        let at = [0.5, 0.75, 0.9, 0.99, 1.0].map(|share| histogram.quantile(share).unwrap());
        let [p50, p75, p90, p99, max] = at.map(Nanos::as_millis_f64);
        println!(
            "{name} time: p50 {p50:.1}, p75 {p75:.1}, p90 {p90:.1}, p99 {p99:.1}, max {max:.1} ms"
        );
    }
    assert!(
        service.quantile(0.9).unwrap() < ms(100),
        "{:?}",
        service.quantile(0.9)
    );
    // What is missing is the wait for a connection: the target's doing, and said so.
    assert!(told.quantile_ms("generator", Measure::PoolWait, 0.9) > 200.0);
    assert!(
        told.generator.backlog_max > 150,
        "{}",
        told.generator.backlog_max
    );
}

/// A generator whose thread does nothing for 400 ms, from 500 ms on.
fn start_stalled(setup: &Setup, updates: Sender<Update>) -> Generator {
    let mut stalled = false;
    // The callback runs on the generator's thread.
    Generator::start(setup, move |update| {
        let edge = matches!(&update, Update::Sample(sample) if sample.to == ms(500));
        if edge && !std::mem::replace(&mut stalled, true) {
            thread::sleep(Duration::from_millis(400));
        }
        let _ = updates.send(update);
    })
    .unwrap()
}

#[test]
fn a_stalled_generator_does_not_move_intended_starts_and_owns_up_to_it() {
    let server = Server::start(|_| ScriptedAnswer::status(200));
    let plan = plan(500.0, ms(1_500));
    let (updates, receiver) = channel();
    let generator = start_stalled(&setup(&plan, server.address()), updates);
    let told = GeneratorRecord::gather(&plan, &receiver);
    generator.join().unwrap();
    let mut buckets = told.buckets();
    buckets.sort_by_key(|bucket| bucket.0);
    let buckets: Vec<_> = buckets.iter().map(|bucket| bucket.2.scheduled).collect();
    assert_eq!(buckets, scheduled_by_bucket(&plan));
    assert_eq!(told.operations.succeeded, told.operations.scheduled);
    // 200 of 749 operations were kept waiting, evenly between nothing and 400 ms.
    let p90 = told.quantile_ms("user", Measure::Response, 0.9);
    assert!((200.0..390.0).contains(&p90), "{p90}"); // closed form: 250
    let lag = told.histogram("generator", Measure::SendLag);
    assert!(lag.max().unwrap() > ms(380), "{:?}", lag.max());
    assert_eq!(lag.count(), told.operations.scheduled);
    // The negative control: from the send on, nobody waited.
    let service = told.quantile_ms("user", Measure::Service, 0.9);
    assert!(service < 100.0, "{service}");
}

#[test]
fn what_a_stalled_generator_comes_to_after_the_deadline_is_not_sent() {
    let server = Server::start(|_| ScriptedAnswer::status(200));
    let mut plan = plan(500.0, ms(1_000));
    plan.load.client.deadline = Some(ms(150));
    let (updates, receiver) = channel();
    let generator = start_stalled(&setup(&plan, server.address()), updates);
    let told = GeneratorRecord::gather(&plan, &receiver);
    generator.join().unwrap();
    // 400 ms of arrivals, those of the first 250 ms too late: closed form 125.
    assert!(
        told.operations.missed_deadline > 110,
        "{:?}",
        told.operations
    );
    let unsent = told.operations.scheduled - told.user.first_tries;
    assert!(unsent > 110, "{unsent}");
    assert_eq!(server.requests().len() as u64, told.user.started());
}

#[test]
fn the_same_seed_sends_the_same_requests() {
    let sent = |seed| {
        let server = Server::start(|_| ScriptedAnswer::status(200));
        let mut plan = plan(300.0, ms(500));
        plan.seed = seed;
        plan.load.process = ArrivalProcess::Poisson;
        plan.load.connections = 1; // one connection: the server's order is the generator's
        plan.load.mix = Request::ALL
            .iter()
            .map(|(request, _)| entry(*request))
            .collect();
        let told = run(&plan, server.address());
        let mut buckets = told.buckets();
        buckets.sort_by_key(|bucket| bucket.0);
        let counts: Vec<_> = buckets.iter().map(|bucket| bucket.2.scheduled).collect();
        assert_eq!(counts, scheduled_by_bucket(&plan));
        let host = format!("host: {}\r\n", server.address());
        let texts = server
            .requests()
            .into_iter()
            .map(|request| request.text.replace(&host, ""));
        texts.collect::<Vec<_>>()
    };
    let first = sent(1);
    assert!(first.len() > 100);
    assert_eq!(first, sent(1));
    assert_ne!(first, sent(2));
    for (name, part) in [
        ("GET ", "/tasks "),
        ("POST ", "/close "),
        ("PATCH ", "/tasks/"),
    ] {
        assert!(
            first
                .iter()
                .any(|text| text.starts_with(name) && text.contains(part)),
            "{name}"
        );
    }
}
