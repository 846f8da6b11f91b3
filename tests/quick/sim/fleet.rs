//! What an instance does when it cannot keep up: each parameter, with and without.

use super::carried_out::{carried_out, instances};
use crate::plan::{entry, monitor, ms, plan};
use threadbare::model::{Action, FleetAction, ServiceAction, SourceName, When};
use threadbare::plan::{Entry, MixEntry, Plan, Request};
use threadbare::record::{
    AttemptCounters, Counters, Histogram, InstanceCounters, Measure, OperationCounters, Record,
};
use threadbare::units::{Nanos, Rate};

/// What was counted in all, whoever counted it.
#[derive(Default)]
struct Totals {
    fleet: InstanceCounters,
    users: AttemptCounters,
    monitors: AttemptCounters,
    operations: OperationCounters,
    response: Histogram,
    verifications: u64,
}

/// What was counted in the intervals that begin at `from` or later; that jobs
/// and operations add up in all of them is held for every plan.
fn counted(record: &Record, from: Nanos) -> Totals {
    let mut all = Totals::default();
    let mut jobs = InstanceCounters::default();
    for sample in &record.samples {
        if let Counters::Instance(counters) = &sample.counters {
            jobs.merge(counters);
            (jobs.waiting, jobs.running) = (counters.waiting, counters.running);
        }
        if sample.from < from {
            continue;
        }
        match &sample.counters {
            Counters::Instance(counters) => all.fleet.merge(counters),
            Counters::Attempts(counters) if sample.source == SourceName::Monitor => {
                all.monitors.merge(counters);
            }
            Counters::Attempts(counters) => all.users.merge(counters),
            Counters::Operations(counters) => {
                assert!(counters.conserved(), "{counters:?}");
                all.operations.merge(counters);
            }
            Counters::Identity(counters) => all.verifications += counters.verifications,
            _ => {}
        }
        if let Some(response) = sample.histogram(Measure::Response) {
            all.response.merge(response);
        }
    }
    let gone = jobs.finished + jobs.expired + jobs.lost;
    assert_eq!(
        jobs.enqueued,
        gone + jobs.waiting + jobs.running,
        "{jobs:?}"
    );
    all
}

fn whole(plan: &Plan) -> Totals {
    counted(&carried_out(plan), Nanos::ZERO)
}

fn after(plan: &Plan, from: Nanos) -> Totals {
    counted(&carried_out(plan), from)
}

impl Totals {
    fn goodput(&self) -> f64 {
        self.operations.succeeded as f64 / self.operations.scheduled as f64
    }

    fn saturation(&self) -> f64 {
        self.fleet.busy_ns as f64 / self.fleet.worker_ns as f64
    }
}

/// The plan with its fleet changed.
fn with(plan: &Plan, change: impl FnOnce(&mut threadbare::model::FleetSpec)) -> Plan {
    let mut plan = plan.clone();
    change(plan.fleet.as_mut().unwrap());
    plan
}

/// One worker that serves 100/s, and users who wait 200 ms.
fn one_worker(rate: f64, end: Nanos) -> Plan {
    let mut plan = plan(rate, end);
    plan.load.client.timeout = ms(200);
    plan.load.connections = 100_000;
    with(&plan, |fleet| {
        fleet.database = "constant(10ms)".parse().unwrap();
    })
}

/// So many more a second for a time.
fn spike(plan: &mut Plan, (from, to): (Nanos, Nanos), rate: f64) {
    let calm = plan.load.rate[0].1;
    let rate = threadbare::model::Shape::Constant(Rate::per_second(rate).unwrap());
    plan.load.rate.extend([(from, rate), (to, calm)]);
}

fn at(seconds: u64, action: Action) -> Entry {
    Entry {
        when: When::At(Nanos::from_secs(seconds)),
        action,
        phase: "changed".into(),
        inject: None,
    }
}

fn detached() -> Action {
    let set = [("authorization.verification", "detached")];
    Action::Fleet(FleetAction::Push {
        set: set.map(|(key, value)| (key.into(), value.into())).into(),
        schema: None,
        tested: true,
        canary: None,
    })
}

/// 10 ms alone and 5 ms for each other job. At 125/s the one before is still
/// there when a request begins: 15 ms. At 250/s each finds more than the last,
/// and the workers that could serve 800/s are lost.
#[test]
fn contention_makes_a_request_as_much_longer_as_others_are_there() {
    let crowded = |rate, contention: &str| {
        let mut plan = plan(rate, Nanos::from_secs(10));
        plan.load.connections = 100_000;
        let plan = with(&plan, |fleet| {
            fleet.workers = 8;
            fleet.application = "constant(10ms)".parse().unwrap();
            fleet.contention = contention.parse().unwrap();
        });
        after(&plan, Nanos::from_secs(4))
    };
    let close = |found: u64, expected: Nanos| found.abs_diff(expected.0) * 200 < expected.0;
    for (contention, expected) in [("0s", 10), ("5ms", 15)] {
        let median = crowded(125.0, contention).response.quantile(0.5).unwrap();
        assert!(close(median.0, ms(expected)), "{contention}: {median}");
    }
    let (alone, together) = (crowded(250.0, "0s"), crowded(250.0, "5ms"));
    assert!(close(alone.response.max().unwrap().0, ms(10)));
    assert!(together.saturation() > 0.99 && together.fleet.queue_depth_max > 100);
    // Eight at a time, so that each is beside seven.
    let held = together.fleet.busy_ns / together.fleet.finished;
    assert!(close(held, ms(45)), "{}", Nanos(held));
}

#[test]
fn a_silent_queue_is_a_timeout_where_another_says_503() {
    let full = |queue: &str| {
        let mut plan = one_worker(500.0, Nanos::from_secs(5));
        plan.load.client.timeout = ms(300);
        whole(&with(&plan, |fleet| fleet.queue = queue.parse().unwrap()))
    };
    let (loud, silent) = (full("bounded(10)"), full("bounded(10), silent"));
    assert!(loud.fleet.rejected > 1_000);
    // Whoever gets in is answered within 110 ms.
    assert_eq!(
        (loud.users.status_503, loud.users.timeouts),
        (loud.fleet.rejected, 0)
    );
    assert_eq!(
        (silent.users.status_503, silent.users.timeouts),
        (0, silent.fleet.rejected)
    );
    assert_eq!(loud.fleet.rejected, silent.fleet.rejected);
}

/// A cold verification takes a tenth of a second, and there are slots for two:
/// twenty users a second are learnt, of three hundred. Sixteen workers that give
/// up after twice that time ask for all that come, sixty a second, and learn none.
#[test]
fn an_instance_that_gives_up_early_never_warms() {
    let mut plan = plan(60.0, Nanos::from_secs(60));
    plan.load.client.timeout = ms(1_000);
    plan.load.connections = 100_000;
    plan.timeline = vec![at(
        10,
        Action::Service(ServiceAction::Restart { pause: None }),
    )];
    let patient = with(&plan, |fleet| {
        (fleet.workers, fleet.users) = (16, 900);
        fleet.queue = "unbounded, expire 1s".parse().unwrap();
        fleet.identity.latency = "constant(10ms)".parse().unwrap();
        (fleet.identity.capacity, fleet.identity.cold_factor) = (2, 10.0);
    });
    let impatient = with(&patient, |fleet| fleet.identity.timeout = Some(ms(200)));
    let last = Nanos::from_secs(45);
    let (warm, stuck) = (after(&patient, last), after(&impatient, last));
    assert!(warm.goodput() > 0.99, "{}", warm.goodput());
    assert!(stuck.goodput() < 0.01, "{}", stuck.goodput());
    // It works as hard as it can, for nobody.
    assert!(
        stuck.verifications >= 15 * 20 - 2,
        "{}",
        stuck.verifications
    );
    assert!(stuck.users.status_503 > 0 && stuck.fleet.busy_cold_ns == 0);
    // Until the restart nobody had to give up.
    let mut calm = impatient;
    calm.timeline.clear();
    assert!((whole(&calm).goodput() - 1.0).abs() < f64::EPSILON);
}

/// Four tries of each operation leave 400 verifications of 30 ms a second behind,
/// for four workers.
#[test]
fn a_bulkhead_keeps_detached_verifications_from_taking_every_worker() {
    let mut plan = plan(100.0, Nanos::from_secs(10));
    plan.load.client.retries = 3;
    plan.load.connections = 100_000;
    plan.timeline = vec![at(2, detached())];
    let open = with(&plan, |fleet| {
        fleet.workers = 4;
        fleet.application = "constant(1ms)".parse().unwrap();
        fleet.identity.latency = "constant(30ms)".parse().unwrap();
        fleet.identity.capacity = 64;
    });
    let closed = with(&open, |fleet| fleet.bulkhead = Some(2));
    let pushed = Nanos::from_secs(4);
    let (open, closed) = (after(&open, pushed), after(&closed, pushed));
    assert!(open.saturation() > 0.99 && open.fleet.queue_depth_max > 500);
    assert!(closed.saturation() < 0.7, "{}", closed.saturation()); // 2 and 400 × 1 ms
    assert!(closed.fleet.queue_depth_max < 10);
}

/// A request every 50 ms, each of which would verify for 100 ms, and one may.
#[test]
fn whoever_finds_the_bulkhead_full_is_told_at_once() {
    let plan = with(&plan(20.0, Nanos::from_secs(5)), |fleet| {
        (fleet.workers, fleet.bulkhead) = (4, Some(1));
        fleet.identity.latency = "constant(100ms)".parse().unwrap();
        fleet.identity.capacity = 64;
    });
    let found = whole(&plan);
    let (let_in, turned_away) = (found.users.status_2xx, found.users.status_503);
    assert!(let_in.abs_diff(turned_away) <= 1, "{let_in} {turned_away}");
    assert!(found.users.timeouts == 0 && found.fleet.finished == found.fleet.enqueued);
}

#[test]
fn monitors_with_workers_of_their_own_see_no_queue_and_make_none() {
    let mut plan = one_worker(150.0, Nanos::from_secs(10));
    plan.monitors = vec![monitor()];
    let shared = after(&plan, Nanos::from_secs(5));
    let apart = after(
        &with(&plan, |fleet| fleet.monitor_workers = 1),
        Nanos::from_secs(5),
    );
    assert!(shared.monitors.ended_badly > 0 && shared.monitors.ended_well == 0);
    assert!(apart.monitors.ended_badly == 0 && apart.monitors.ended_well > 0);
    for found in [&shared, &apart] {
        assert!(
            (found.saturation() - 1.0).abs() < 1e-9,
            "{}",
            found.saturation()
        );
    }
    // Detached verifications of probes stay with the crew: nobody else is slower.
    let mut pushed = plan.clone();
    pushed.load.rate.truncate(0);
    pushed.timeline = vec![at(2, detached())];
    let alone = with(&pushed, |fleet| fleet.monitor_workers = 1);
    let alone = after(&alone, Nanos::from_secs(4));
    assert!(alone.fleet.detached > 0 && alone.fleet.busy_ns == 0);
}

/// Probes of 250 ms every 100 ms, of which none may begin beside another.
#[test]
fn a_probe_that_waited_for_another_starts_when_that_has_ended() {
    let mut plan = plan(1.0, Nanos::from_secs(10));
    plan.monitors = vec![monitor()];
    plan.monitors[0].overlap = false;
    let plan = with(&plan, |fleet| {
        fleet.workers = 2;
        fleet.database = "constant(250ms)".parse().unwrap();
    });
    let found = whole(&plan);
    assert_eq!(
        (found.monitors.first_tries, found.monitors.ended_badly),
        (40, 0)
    );
    assert_eq!(found.users.timeouts, 0);
}

/// A spike leaves 600 requests, six seconds of work for users who wait 200 ms.
#[test]
fn time_left_that_is_told_ends_the_work_for_nobody() {
    let mut plan = one_worker(50.0, Nanos::from_secs(20));
    spike(&mut plan, (Nanos::from_secs(2), Nanos::from_secs(4)), 400.0);
    let told = with(&plan, |fleet| fleet.propagate_deadline = true);
    let over = Nanos::from_secs(5);
    let (before, untold) = (whole(&plan), after(&plan, over));
    let (whole, told) = (whole(&told), after(&told, over));
    assert!(untold.fleet.busy_zombie_ns > Nanos::from_secs(5).0);
    assert_eq!(told.fleet.busy_zombie_ns, 0);
    assert!(whole.fleet.expired > 400 && before.fleet.expired == 0);
    assert!(told.goodput() > 0.99 && untold.goodput() < 0.7);
}

/// Work in hand is ended too: after the application's part nobody waits any more.
#[test]
fn a_job_whose_time_is_over_goes_to_no_verification_and_no_database() {
    let late = |propagate_deadline| {
        // The last is due 250 ms before the fifth second: what follows sees its job end.
        let plan = with(&one_worker(2.0, ms(5_200)), |fleet| {
            fleet.application = "constant(250ms)".parse().unwrap();
            fleet.identity.latency = "constant(50ms)".parse().unwrap();
            fleet.propagate_deadline = propagate_deadline;
        });
        whole(&plan)
    };
    let (untold, told) = (late(false), late(true));
    assert_eq!(untold.verifications, untold.fleet.finished);
    assert_eq!((told.verifications, told.fleet.expired), (0, 0));
    assert_eq!(told.fleet.finished, untold.fleet.finished);
    // Of each 250 ms the last 50, and no more.
    assert_eq!(told.fleet.busy_zombie_ns, told.fleet.finished * ms(50).0);
    assert_eq!(told.users.timeouts, told.users.first_tries);
}

/// Told is what is left of the operation, where that is less than the timeout.
#[test]
fn the_operations_deadline_is_told_where_it_comes_first() {
    let mut plan = one_worker(2.0, Nanos::from_secs(5));
    plan.load.client.deadline = Some(ms(100));
    let plan = with(&plan, |fleet| {
        fleet.application = "constant(150ms)".parse().unwrap();
        fleet.propagate_deadline = true;
    });
    let found = whole(&plan);
    assert!(found.fleet.finished > 0 && found.verifications == 0);
    assert_eq!(found.operations.missed_deadline, found.operations.scheduled);
}

/// Retries hold a queue up that first tries alone, 80 of 100 a second, would not.
#[test]
fn shedding_retries_first_lets_an_overload_end_with_its_cause() {
    let mut plan = one_worker(80.0, Nanos::from_secs(25));
    plan.load.client.retries = 3;
    spike(&mut plan, (Nanos::from_secs(3), Nanos::from_secs(5)), 300.0);
    plan.monitors = vec![monitor()];
    let plan = with(&plan, |fleet| {
        fleet.queue = "unbounded, expire 200ms".parse().unwrap();
    });
    let sheds = with(&plan, |fleet| fleet.shed_above = Some(10));
    let last = Nanos::from_secs(18);
    let (stuck, came_back) = (after(&plan, last), after(&sheds, last));
    assert!(stuck.goodput() < 0.5, "{}", stuck.goodput());
    assert!(came_back.goodput() > 0.99, "{}", came_back.goodput());
    let found = whole(&sheds);
    assert!(found.fleet.rejected > 0 && found.monitors.status_503 > 0);
    // First tries are the last to be refused: here none is.
    assert!(found.users.status_503 <= found.users.retries);
}

/// Where nothing is asked for, a plan is what it was; and with everything at once
/// jobs and operations still add up, through a restart under load.
#[test]
fn everything_at_once_adds_up() {
    let mut plan = one_worker(300.0, Nanos::from_secs(12));
    plan.load.client.retries = 2;
    plan.load.client.hedge_after = Some(ms(50));
    plan.load.mix = vec![
        entry(Request::ListTasks),
        MixEntry {
            refused: true,
            role: threadbare::model::Role::Viewer,
            ..entry(Request::CloseProject)
        },
    ];
    plan.monitors = vec![monitor()];
    plan.timeline = vec![
        at(3, detached()),
        at(6, Action::Service(ServiceAction::Rollback)),
        at(
            8,
            Action::Service(ServiceAction::Restart {
                pause: Some(ms(100)),
            }),
        ),
    ];
    let plan = with(&plan, |fleet| {
        (fleet.instances, fleet.workers, fleet.monitor_workers) = (3, 2, 1);
        fleet.queue = "bounded(40), silent, lifo".parse().unwrap();
        fleet.identity.latency = "exponential(mean 8ms)".parse().unwrap();
        (fleet.identity.capacity, fleet.identity.cold_factor) = (3, 5.0);
        fleet.identity.timeout = Some(ms(20));
        fleet.contention = ms(1);
        (fleet.bulkhead, fleet.shed_above) = (Some(2), Some(20));
        fleet.propagate_deadline = true;
    });
    let record = carried_out(&plan);
    let mut sums = InstanceCounters::default();
    let mut held = 0;
    for name in [1, 2, 3].map(SourceName::Instance) {
        let mine = record.samples.iter().filter(|sample| sample.source == name);
        let mut last = (0, 0);
        for sample in mine {
            if let Counters::Instance(counters) = &sample.counters {
                sums.merge(counters);
                last = (counters.waiting, counters.running);
            }
        }
        held += last.0 + last.1;
    }
    assert_eq!(
        sums.enqueued,
        sums.finished + sums.expired + sums.lost + held
    );
    assert!(sums.busy_zombie_ns + sums.busy_detached_ns <= sums.busy_ns);
    for counter in [sums.expired, sums.rejected, sums.lost, sums.detached] {
        assert!(counter > 0, "{sums:?}");
    }
    let all = instances(&record);
    assert!(all.iter().all(|(_, it)| it.busy_ns <= it.worker_ns));
}
