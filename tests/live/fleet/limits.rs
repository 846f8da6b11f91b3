//! What an instance does when it cannot keep up, with real threads and sockets.
//!
//! What holds a worker is a request that takes long, or an identity service that
//! does; what is asserted is who is answered what, and what was counted.

use std::time::{Duration, Instant};

use threadbare::model::{FleetSpec, Role};
use threadbare::record::{Counters, InstanceCounters};
use threadbare::units::Nanos;

use super::{LIST, push, sum};
use crate::rig::{Operate as _, Rig, ask, eventually, instance, small};

/// One instance with so many workers.
fn one(workers: u32) -> FleetSpec {
    let mut spec = small();
    (spec.instances, spec.workers) = (1, workers);
    spec
}

/// Asks with these headers beside the token, and waits for whatever comes.
fn ask_with(rig: &Rig, path: &str, headers: &[(&str, &str)]) -> (u16, String) {
    let mut all = vec![(
        "authorization",
        format!("Bearer {}", rig.token(Role::Viewer)),
    )];
    all.extend(
        headers
            .iter()
            .map(|(name, value)| (*name, (*value).to_owned())),
    );
    ask(
        rig.fleet.address(),
        "GET",
        path,
        &all,
        "",
        Duration::from_secs(10),
    )
    .unwrap()
}

fn list(rig: &Rig) -> (u16, String) {
    ask_with(rig, LIST, &[])
}

/// Waits until so many jobs run and wait; adds to `total` what was counted.
fn until(rig: &Rig, total: &mut InstanceCounters, running: u64, waiting: u64) {
    eventually("workers hold so many jobs", || {
        let now = sum(&rig.instances());
        total.merge(&now);
        ((now.running, now.waiting) == (running, waiting)).then_some(())
    });
}

/// Does this while the only worker that may be busy has the first of these jobs, and the
/// others wait, each asked for with these headers; all of them are served in the end.
fn while_busy(
    rig: &Rig,
    total: &mut InstanceCounters,
    jobs: &[&[(&str, &str)]],
    then: impl FnOnce(&mut InstanceCounters),
) {
    std::thread::scope(|scope| {
        let mut asked = Vec::new();
        for (waiting, headers) in jobs.iter().enumerate() {
            asked.push(scope.spawn(move || ask_with(rig, LIST, headers).0));
            until(rig, total, 1, waiting as u64);
        }
        then(total);
        for job in asked {
            assert_eq!(job.join().unwrap(), 200);
        }
    });
}

/// Asserts that this is refused as overload, in words that have these among them.
fn assert_refused((status, text): (u16, String), words: &str) {
    assert!(status == 503 && text.contains(words), "{status} {text}");
}

#[test]
fn a_request_takes_longer_beside_others() {
    let mut spec = one(2);
    spec.contention = Nanos::from_millis(150);
    spec.database = "constant(2s)".parse().unwrap();
    let rig = Rig::launch(&spec);
    while_busy(&rig, &mut InstanceCounters::default(), &[&[]], |_| {
        let begun = Instant::now();
        assert_eq!(ask_with(&rig, "/healthz", &[]).0, 200);
        assert!(
            begun.elapsed() >= Duration::from_millis(150),
            "{:?}",
            begun.elapsed()
        );
    });
}

#[test]
fn a_silent_queue_says_nothing_when_it_is_full() {
    let mut spec = one(1);
    spec.queue = "bounded(1), silent".parse().unwrap();
    spec.database = "constant(400ms)".parse().unwrap();
    let rig = Rig::launch(&spec);
    let mut total = InstanceCounters::default();
    while_busy(&rig, &mut total, &[&[], &[]], |_| {
        let patience = Duration::from_millis(100);
        let third = rig.try_ask("GET", LIST, rig.token(Role::Viewer), "", patience);
        assert!(third.is_err(), "{third:?}");
    });
    total.merge(&sum(&rig.instances()));
    assert_eq!((total.rejected, total.finished), (1, 2));
}

#[test]
fn a_verification_that_is_given_up_goes_on_and_warms_nothing() {
    let mut spec = one(1);
    spec.identity.latency = "constant(40ms)".parse().unwrap();
    spec.identity.cold_factor = 10.0;
    spec.identity.timeout = Some(Nanos::from_millis(150));
    let rig = Rig::launch(&spec);
    assert_eq!(list(&rig).0, 200); // it has long been in service
    rig.fleet.restart(None, &|_| ());
    for _ in 0..3 {
        assert_refused(list(&rig), "identity");
    }
    let mut verifications = 0;
    eventually("the identity service has done all of it", || {
        for sample in rig
            .fleet
            .sample(Nanos::ZERO, rig.clock.now())
            .into_iter()
            .flatten()
        {
            if let Counters::Identity(counters) = sample.counters {
                verifications += counters.verifications;
            }
            // Nobody was told what a warm cache would have saved.
            assert_eq!(instance(&sample).unwrap_or_default().busy_cold_ns, 0);
        }
        (verifications == 4).then_some(())
    });
}

#[test]
fn a_bulkhead_lets_one_verify_and_tells_the_other() {
    let mut spec = one(2);
    spec.bulkhead = Some(1);
    spec.identity.latency = "constant(500ms)".parse().unwrap();
    let rig = Rig::launch(&spec);
    std::thread::scope(|scope| {
        let both = [(); 2].map(|()| scope.spawn(|| list(&rig)));
        let mut answers = both.map(|asked| asked.join().unwrap());
        answers.sort();
        let [(served, _), (turned_away, text)] = answers;
        assert_eq!((served, turned_away), (200, 503), "{text}");
        assert!(text.contains("too many workers"), "{text}");
    });
    // Who was inside has come out.
    assert_eq!(list(&rig).0, 200);
}

#[test]
fn monitors_have_workers_of_their_own() {
    let mut spec = one(1);
    spec.monitor_workers = 1;
    spec.database = "constant(1s)".parse().unwrap();
    let rig = Rig::launch(&spec);
    let mut total = InstanceCounters::default();
    while_busy(&rig, &mut total, &[&[], &[]], |total| {
        assert_eq!(ask_with(&rig, "/readyz", &[]).0, 200);
        until(&rig, total, 1, 1); // both are still there
    });
    let last = sum(&rig.instances());
    assert_eq!(last.workers, 1);
    total.merge(&last);
    assert_eq!((total.enqueued, total.finished), (3, 3));
    let busy = total.busy_ns;
    // Its crew's time is not the workers': a deep probe takes a second of it.
    assert_eq!(ask_with(&rig, "/readyz?deep=true", &[]).0, 200);
    total.merge(&sum(&rig.instances()));
    assert_eq!((total.finished, total.busy_ns), (4, busy));
    // What it leaves detached does not either.
    push(&rig, "deny", None);
    assert_eq!(ask_with(&rig, "/readyz?deep=true", &[]).0, 500);
    eventually("the verification ended", || {
        total.merge(&sum(&rig.instances()));
        (total.finished == 6).then_some(())
    });
    assert_eq!((total.detached, total.busy_ns), (1, busy));
}

#[test]
fn what_nobody_waits_for_is_not_done() {
    let mut spec = one(1);
    spec.propagate_deadline = true;
    spec.database = "constant(300ms)".parse().unwrap();
    let rig = Rig::launch(&spec);
    let mut total = InstanceCounters::default();
    let brief = [("x-deadline-ms", "20")];
    while_busy(&rig, &mut total, &[&[]], |_| {
        // Who stays though their time is over hears of it.
        assert_refused(ask_with(&rig, LIST, &brief), "too long");
    });
    total.merge(&sum(&rig.instances()));
    assert_eq!((total.expired, total.finished), (1, 1));

    let mut spec = one(1);
    spec.application = "constant(60ms)".parse().unwrap();
    let unaware = Rig::launch(&spec);
    assert_eq!(ask_with(&unaware, LIST, &brief).0, 200); // it was not told to listen
    drop(unaware);
    spec.propagate_deadline = true;
    let rig = Rig::launch(&spec);
    assert_refused(ask_with(&rig, LIST, &brief), "time is over");
    assert_eq!(ask_with(&rig, LIST, &[("x-deadline-ms", "60000")]).0, 200);
    let total = sum(&rig.instances());
    assert_eq!((total.expired, total.finished), (0, 2));
}

#[test]
fn retries_and_probes_are_refused_before_first_tries() {
    let mut spec = one(1);
    spec.shed_above = Some(1);
    spec.database = "constant(400ms)".parse().unwrap();
    let rig = Rig::launch(&spec);
    let mut total = InstanceCounters::default();
    let retry: &[_] = &[("x-attempt", "retry")];
    // As long as none waits, the retry gets in.
    while_busy(&rig, &mut total, &[&[], retry], |_| {
        for (path, attempt) in [(LIST, "retry"), (LIST, "hedge"), ("/healthz", "first")] {
            assert_refused(ask_with(&rig, path, &[("x-attempt", attempt)]), "too many");
        }
        assert_eq!(ask_with(&rig, LIST, &[("x-attempt", "first")]).0, 200);
    });
    total.merge(&sum(&rig.instances()));
    assert_eq!((total.rejected, total.finished), (3, 3));
}
