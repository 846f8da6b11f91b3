//! What a server that publishes nothing can do, inferred from a load on it.

use threadbare::analysis::{Findings, findings};
use threadbare::live;
use threadbare::load::{Endpoint, Work};
use threadbare::model::{ClientPolicy, HttpWork, Shape, Step};
use threadbare::plan::{Load, Plan};
use threadbare::record::{Backend, Header, MemoryRecorder};
use threadbare::units::{Nanos, Rate};

use crate::server::{Class, Gunicorn, Server};

/// How long each request keeps a thread busy: four threads then do 80 a second.
const SERVICE_MS: u64 = 50;

/// Half a minute of a load that goes from `calm` to `rate` per second after 7 s.
fn load(server: &dyn Server, calm: f64, rate: f64) -> Findings {
    let at = |seconds, rate| {
        (
            Nanos::from_secs(seconds),
            Shape::Constant(Rate::per_second(rate).unwrap()),
        )
    };
    let plan = Plan {
        scenario: "inferred".into(),
        warm_up: Nanos::from_secs(1),
        end: Nanos::from_secs(14),
        drain: Nanos::from_secs(60),
        interval: Nanos::from_millis(500),
        load: Load {
            rate: vec![at(0, calm), at(7, rate)],
            client: ClientPolicy {
                timeout: Nanos::from_secs(60),
                ..ClientPolicy::default()
            },
            connections: 900,
            backlog: 1,
            ..Load::default()
        },
        ..Plan::default()
    };
    let mut kept = MemoryRecorder::default();
    let work = Work::Http {
        host: server.url().replace("http://", ""),
        work: HttpWork::single(
            "slow".into(),
            Step::new("GET", &server.slow_path(SERVICE_MS)),
        ),
    };
    live::offer(&plan, Endpoint::from(server.address()), work, &mut kept).unwrap();
    findings(&kept.into_record(Header::new(plan, Backend::Live)))
}

#[test]
#[ignore = "half a minute: ./test --long"]
fn threads_that_queue_inside_are_inferred_from_the_plateau_and_only_from_one() {
    let server = Gunicorn::start(Class::Threads, 4, None);
    let found = load(&server, 20.0, 160.0);
    let capacity = found
        .inferred_capacity
        .unwrap_or_else(|| panic!("{:?}", found.phases));
    // A thread sleeps at least as long as it is told to, so nothing is done faster.
    let most = 4.0 * 1000.0 / SERVICE_MS as f64;
    assert!(capacity.per_s.value <= 1.02 * most, "{capacity:?}");
    let workers = capacity.workers.unwrap();
    assert!((3.0..5.0).contains(&workers.value), "{capacity:?}");
    assert!(capacity.in_flight_max > 2.0 * capacity.in_flight_min);
    // The same server, of which less is asked than it can do.
    let calm = load(&server, 20.0, 40.0);
    assert_eq!(calm.inferred_capacity, None);
}
