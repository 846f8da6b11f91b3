//! What holds for every simulation: conservation, time that goes one way, the
//! same bytes from the same seed, arrivals that no fault moves.

use std::collections::BTreeMap;
use std::fs;
use std::num::NonZeroU32;

use proptest::prelude::*;

use super::carried_out::carried_out;
use crate::plan::{monitor, ms, plan};
use threadbare::analysis::findings;
use threadbare::model::{
    ArrivalProcess, Backoff, ClientsAction, FleetAction, Jitter, ServiceAction, SlowPart,
    SourceName,
};
use threadbare::plan::{Action, Entry, Plan, When};
use threadbare::record::{Counters, Record, Recorder};
use threadbare::units::{Nanos, Ratio};

const END: Nanos = Nanos::from_secs(6);

fn push(unverified: &str) -> Action {
    let set = BTreeMap::from([
        ("authorization.verification".into(), "detached".into()),
        ("authorization.unverified".into(), unverified.into()),
    ]);
    Action::Fleet(FleetAction::Push {
        set,
        schema: Some(2),
        tested: false,
        canary: None,
    })
}

fn any_action() -> impl Strategy<Value = Action> {
    prop_oneof![
        prop::sample::select(&["deny", "allow", "hang"][..]).prop_map(push),
        Just(Action::Service(ServiceAction::Rollback)),
        Just(Action::Fleet(FleetAction::Waive {
            check: "schema current".into()
        })),
        prop::option::of(1..500_u64).prop_map(|pause| Action::Service(ServiceAction::Restart {
            pause: pause.map(ms)
        })),
        (0..=100_u32).prop_map(|share| Action::Fleet(FleetAction::Admit {
            share: Ratio::new(f64::from(share) / 100.0).unwrap()
        })),
        any::<bool>().prop_map(|on| Action::Clients(ClientsAction::Monitors { on })),
        (0..5_u32).prop_map(|retries| Action::Clients(ClientsAction::Retries { retries })),
        (any_part(), 1.0..8.0_f64)
            .prop_map(|(part, factor)| Action::Fleet(FleetAction::Slow { part, factor })),
        any_part().prop_map(|part| Action::Fleet(FleetAction::Slow { part, factor: 1.0 })),
        any_few().prop_map(|instances| Action::Fleet(FleetAction::Pause { instances })),
        any_few().prop_map(|instances| Action::Fleet(FleetAction::Continue { instances })),
        any_few().prop_map(|instances| Action::Fleet(FleetAction::Lose {
            instances: instances.unwrap_or(NonZeroU32::MIN)
        })),
        (0..500_u64).prop_map(|pause| Action::Fleet(FleetAction::ColdStart { pause: ms(pause) })),
    ]
}

fn any_part() -> impl Strategy<Value = SlowPart> {
    prop::sample::select(vec![
        SlowPart::Application,
        SlowPart::Database,
        SlowPart::Identity,
    ])
}

fn any_few() -> impl Strategy<Value = Option<NonZeroU32>> {
    (0..4_u32).prop_map(NonZeroU32::new)
}

fn any_timeline() -> impl Strategy<Value = Vec<Entry>> {
    let entry = (0..6_000_u64, any_action()).prop_map(|(at, action)| Entry {
        when: When::At(ms(at)),
        action,
        phase: String::new(),
        inject: None,
    });
    prop::collection::vec(entry, 0..6)
}

fn any_queue() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "unbounded",
        "bounded(5)",
        "unbounded, lifo",
        "bounded(50), lifo, expire 200ms",
        "unbounded, expire 300ms",
        "bounded(5), silent",
    ])
}

prop_compose! {
    /// Any plan of some thousand operations at most.
    fn any_plan()(
        seed in any::<u64>(),
        rate in 1.0..600.0_f64,
        poisson in any::<bool>(),
        (instances, workers, capacity) in (1..4_u32, 1..5_u32, 1..20_u32),
        queue in any_queue(),
        (retries, pause, deadline, hedged) in
            (0..4_u32, 0..200_u64, prop::option::of(300..2_000_u64), any::<bool>()),
        (connections, backlog) in (1..2_000_u32, 0..500_u32),
        monitors in 0..3_u32,
        timeline in any_timeline(),
        (bulkhead, monitor_workers, propagate_deadline, shed_above, patience) in (
            prop::option::of(1..3_u32),
            0..2_u32,
            any::<bool>(),
            prop::option::of(1..30_u32),
            prop::option::of(5..100_u64),
        ),
    ) -> Plan {
        let mut plan = plan(rate, END);
        plan.seed = seed;
        plan.timeline = timeline;
        plan.load.connections = connections;
        plan.load.backlog = backlog;
        if poisson {
            plan.load.process = ArrivalProcess::Poisson;
        }
        let client = &mut plan.load.client;
        client.timeout = ms(250);
        client.retries = retries;
        client.deadline = deadline.map(ms);
        client.hedge_after = hedged.then(|| ms(20));
        client.backoff = Backoff::Exponential {
            base: ms(pause),
            factor: 2.0,
            max: ms(1_000),
            jitter: Jitter::Full,
        };
        if monitors > 0 {
            let mut group = monitor();
            group.count = monitors;
            plan.monitors = vec![group];
        }
        let fleet = plan.fleet.as_mut().unwrap();
        fleet.instances = instances;
        fleet.workers = workers;
        fleet.queue = queue.parse().unwrap();
        fleet.boot = ms(100);
        fleet.application = "constant(1ms)".parse().unwrap();
        fleet.database = "exponential(mean 8ms)".parse().unwrap();
        fleet.identity.latency = "lognormal(median 5ms, sigma 0.5)".parse().unwrap();
        fleet.identity.capacity = capacity;
        fleet.identity.cold_factor = 5.0;
        fleet.identity.timeout = patience.map(ms);
        fleet.contention = ms(1);
        fleet.bulkhead = bulkhead;
        fleet.monitor_workers = monitor_workers;
        fleet.propagate_deadline = propagate_deadline;
        fleet.shed_above = shed_above;
        plan
    }
}

/// The operations scheduled in each bucket.
fn arrivals(record: &Record) -> Vec<(Nanos, u64)> {
    let samples = record.samples.iter();
    let mut all: Vec<(Nanos, u64)> = samples
        .filter_map(|sample| match &sample.counters {
            Counters::Operations(counters) => Some((sample.from, counters.scheduled)),
            _ => None,
        })
        .collect();
    all.sort_by_key(|(from, _)| *from);
    all
}

/// The bytes of the run directory's files that a simulation fills.
fn bytes(record: &Record) -> Vec<Vec<u8>> {
    let folder = tempfile::tempdir().unwrap();
    let directory = folder.path().join("run");
    let mut recorder = Recorder::create(&directory, &record.header).unwrap();
    for (at, event) in &record.events {
        recorder.event(*at, event).unwrap();
    }
    for sample in &record.samples {
        recorder.sample(&sample).unwrap();
    }
    recorder.flush().unwrap();
    ["run.json", "journal.jsonl", "series.csv", "latency.hlog"]
        .map(|name| fs::read(directory.join(name)).unwrap())
        .to_vec()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn everything_is_accounted_for(plan in any_plan()) {
        let record = carried_out(&plan);
        let found = findings(&record);
        prop_assert!(found.complete);
        // The analysis judges conservation itself: of operations, attempts and jobs.
        let reasons = &found.measurement.reasons;
        prop_assert!(!reasons.iter().any(|it| it.contains("add up")), "{reasons:?}");
        prop_assert!(!found.warnings.iter().any(|it| it.contains("add up")));
        // Of a few arrivals on average there may be none.
        let seconds = END.as_secs_f64();
        let due = plan.load.rate[0].1.area(seconds, seconds);
        prop_assert!(found.conservation.scheduled > 0 || due < 30.0);
        // It judges the owners of all time as well; and nobody here is a slow generator.
        prop_assert_eq!(found.time_spent.map_or(0, |spent| spent.generator_ns), 0);
    }

    #[test]
    fn time_goes_one_way(plan in any_plan()) {
        let record = carried_out(&plan);
        prop_assert!(record.events.is_sorted_by_key(|(at, _)| *at));
        let mut spans: BTreeMap<(SourceName, &str), Vec<(Nanos, Nanos)>> = BTreeMap::new();
        for sample in &record.samples {
            prop_assert!(sample.from < sample.to);
            let own = spans.entry((sample.source.clone(), sample.counters.kind())).or_default();
            own.push((sample.from, sample.to));
        }
        for ((source, kind), mut spans) in spans {
            if kind == "operations" {
                // A bucket of operations leaves when its last one has ended, so
                // one may pass another; each leaves once.
                spans.sort_unstable();
            }
            let apart = spans.windows(2).all(|pair| pair[0].1 <= pair[1].0);
            prop_assert!(apart, "{source} {kind}: {spans:?}");
        }
    }

    #[test]
    fn the_same_seed_gives_the_same_bytes(plan in any_plan()) {
        prop_assert!(bytes(&carried_out(&plan)) == bytes(&carried_out(&plan)));
    }

    #[test]
    fn no_fault_moves_the_arrivals(plan in any_plan()) {
        let calm = Plan { timeline: Vec::new(), ..plan.clone() };
        prop_assert_eq!(arrivals(&carried_out(&plan)), arrivals(&carried_out(&calm)));
        let other = Plan { seed: plan.seed.wrapping_add(1), ..plan.clone() };
        if plan.load.process == ArrivalProcess::Poisson && plan.load.rate[0].1.area(1.0, 1.0) > 50.0 {
            prop_assert_ne!(arrivals(&carried_out(&plan)), arrivals(&carried_out(&other)));
        }
    }
}
