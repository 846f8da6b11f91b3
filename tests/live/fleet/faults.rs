//! The faults of the fleet in its processes: each is seen in an answer or a gauge, and
//! is over once it is mended.

use std::num::NonZeroU32;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use threadbare::model::fault::{FleetFault, FleetFaultKind};
use threadbare::model::{Action, BalancerSpec, FleetAction, FleetSpec, HealthSpec, PoolSpec, Role};
use threadbare::units::{Nanos, Ratio};

use super::{LIST, assert_applied, sum};
use crate::rig::{Operate as _, Rig, eventually, small};

pub(super) const PATIENCE: Duration = Duration::from_millis(400);

pub(super) fn inject(rig: &Rig, kind: FleetFaultKind, with: &Value) {
    let mut fault: FleetFault = kind.usual();
    let given = with.as_object().cloned().unwrap_or_default();
    assert!(fault.set(given).is_empty(), "{with}");
    let action = Action::Fleet(FleetAction::Break(fault));
    let done = rig.fleet.operate(rig.clock.now(), "ops", &action);
    assert_applied(&done, kind.word());
}

pub(super) fn mend(rig: &Rig, fault: FleetFaultKind) {
    let action = Action::Fleet(FleetAction::Mend { fault });
    let done = rig.fleet.operate(rig.clock.now(), "ops", &action);
    assert_applied(&done, "no longer");
}

pub(super) fn list(rig: &Rig) -> u16 {
    rig.ask("GET", LIST, rig.token(Role::Viewer), "").0
}

fn create(rig: &Rig) -> u16 {
    let contributor = rig.token(Role::Contributor);
    rig.ask("POST", LIST, contributor, r#"{"title":"new"}"#).0
}

/// Whether a request is answered in time.
pub(super) fn answered(rig: &Rig) -> bool {
    let viewer = rig.token(Role::Viewer);
    rig.try_ask("GET", LIST, viewer, "", PATIENCE).is_ok()
}

/// The shortest time of several requests.
pub(super) fn fastest(rig: &Rig) -> Duration {
    let took = (0..8).map(|_| {
        let begun = Instant::now();
        assert_eq!(list(rig), 200);
        begun.elapsed()
    });
    took.min().unwrap()
}

#[test]
fn each_fault_is_seen_in_an_answer_until_it_is_mended() {
    use FleetFaultKind as Kind;
    let rig = Rig::launch(&small());
    for (kind, with, reads, writes) in [
        (Kind::IdentityDown, json!({}), 503, 503),
        (Kind::PermissionsWrong, json!({}), 403, 403),
        (Kind::DatabaseDown, json!({}), 500, 500),
        (Kind::DatabaseFull, json!({}), 200, 500),
        (Kind::DatabaseLocked, json!({ "waits": 50 }), 200, 500),
    ] {
        inject(&rig, kind, &with);
        assert_eq!((list(&rig), create(&rig)), (reads, writes), "{kind}");
        // Whoever starts meanwhile has it too.
        rig.fleet.restart(None, &|_| ());
        assert_eq!((list(&rig), create(&rig)), (reads, writes), "{kind}");
        mend(&rig, kind);
        assert_eq!((list(&rig), create(&rig)), (200, 201), "{kind}");
    }
    for (kind, with, least_ms) in [
        (
            Kind::BalancerLinkDelayed,
            json!({ "delay": "constant(60ms)" }),
            60,
        ),
        (Kind::LockConvoy, json!({ "holds": "constant(60ms)" }), 60),
    ] {
        inject(&rig, kind, &with);
        assert!(fastest(&rig) >= Duration::from_millis(least_ms), "{kind}");
        mend(&rig, kind);
        assert!(fastest(&rig) < Duration::from_millis(least_ms), "{kind}");
    }
    // Of one instance only: every second request meets it.
    inject(&rig, Kind::PermissionsWrong, &json!({ "instances": 1 }));
    let mut both = [list(&rig), list(&rig)];
    both.sort_unstable();
    assert_eq!(both, [200, 403]);
    mend(&rig, Kind::PermissionsWrong);
    inject(&rig, Kind::BalancerLinkLost, &json!({}));
    assert!(!answered(&rig));
    mend(&rig, Kind::BalancerLinkLost);
    assert!(answered(&rig));
}

#[test]
fn a_lock_that_comes_free_lets_those_go_on_who_wait_for_it() {
    let rig = Rig::launch(&small());
    inject(
        &rig,
        FleetFaultKind::DatabaseLocked,
        &json!({ "waits": 8_000 }),
    );
    std::thread::scope(|scope| {
        let waits = scope.spawn(|| create(&rig));
        eventually("a worker waits", || {
            (sum(&rig.instances()).running == 1).then_some(())
        });
        assert_eq!(list(&rig), 200);
        assert!(!waits.is_finished());
        mend(&rig, FleetFaultKind::DatabaseLocked);
        assert_eq!(waits.join().unwrap(), 201);
    });
}

#[test]
fn a_call_that_blocks_frees_its_worker_with_a_restart_or_where_it_is_let_go() {
    let rig = Rig::launch(&small());
    inject(
        &rig,
        FleetFaultKind::IdentityBlocks,
        &json!({ "stay": false }),
    );
    std::thread::scope(|scope| {
        let blocked = scope.spawn(|| list(&rig));
        eventually("a worker blocks", || {
            (sum(&rig.instances()).running == 1).then_some(())
        });
        assert!(!blocked.is_finished());
        mend(&rig, FleetFaultKind::IdentityBlocks);
        assert_eq!(blocked.join().unwrap(), 503);
    });
    assert_eq!(list(&rig), 200);
    inject(&rig, FleetFaultKind::IdentityBlocks, &json!({}));
    for _ in 0..4 {
        assert!(!answered(&rig));
    }
    mend(&rig, FleetFaultKind::IdentityBlocks);
    assert!(!answered(&rig)); // all four workers block still
    assert_eq!(sum(&rig.instances()).running, 4);
    rig.fleet.restart(None, &|_| ());
    assert_eq!(list(&rig), 200);
}

#[test]
fn a_worker_that_leaks_answers_and_is_lost() {
    let rig = Rig::launch(&small());
    inject(
        &rig,
        FleetFaultKind::WorkersLeaked,
        &json!({ "share": "100 %" }),
    );
    for _ in 0..4 {
        assert_eq!(list(&rig), 200);
    }
    mend(&rig, FleetFaultKind::WorkersLeaked);
    assert!(!answered(&rig));
    assert_eq!(sum(&rig.instances()).running, 4);
    rig.fleet.restart(None, &|_| ());
    assert!(answered(&rig));
}

#[test]
fn roles_that_are_forgotten_are_learnt_again() {
    let rig = Rig::launch(&small());
    let ask_both = || {
        assert_eq!((list(&rig), list(&rig)), (200, 200));
        sum(&rig.instances()).busy_cold_ns
    };
    assert_eq!(ask_both(), 0);
    inject(&rig, FleetFaultKind::RoleCacheCleared, &json!({}));
    assert_eq!(ask_both(), 2 * 5_000_000); // six times 1 ms
    assert_eq!(ask_both(), 0);
}

#[test]
fn a_world_that_stands_still_answers_nobody_and_its_gauges_can_be_read() {
    let rig = Rig::launch(&small());
    let still = json!({ "every": "constant(1ms)", "lasts": "constant(300ms)" });
    inject(&rig, FleetFaultKind::StopTheWorld, &still);
    let slow = eventually("a request meets a pause", || {
        let begun = Instant::now();
        assert_eq!(list(&rig), 200);
        Some(begun.elapsed()).filter(|took| *took > Duration::from_millis(100))
    });
    assert!(slow > Duration::from_millis(100));
    assert_eq!(rig.instances().len(), 2);
    mend(&rig, FleetFaultKind::StopTheWorld);
    std::thread::sleep(Duration::from_millis(300));
    assert!(fastest(&rig) < Duration::from_millis(100));
}

#[test]
fn workers_share_the_connections_of_a_pool_and_a_leak_uses_them_up() {
    let spec = FleetSpec {
        instances: 1,
        workers: 4,
        pool: Some(PoolSpec {
            size: 2,
            timeout: Some(Nanos::from_millis(300)),
            nested: 0,
        }),
        database: "constant(100ms)".parse().unwrap(),
        ..small()
    };
    let rig = Rig::launch(&spec);
    let at_once = || {
        let begun = Instant::now();
        std::thread::scope(|scope| {
            let asked: Vec<_> = (0..4).map(|_| scope.spawn(|| list(&rig))).collect();
            for asked in asked {
                assert_eq!(asked.join().unwrap(), 200);
            }
        });
        begun.elapsed()
    };
    // Two after two.
    assert!(at_once() >= Duration::from_millis(200));
    inject(&rig, FleetFaultKind::ConnectionsLeaked, &json!({}));
    let viewer = rig.token(Role::Viewer);
    for _ in 0..2 {
        let gone = rig.try_ask("GET", LIST, viewer, "", Duration::from_millis(30));
        assert!(gone.is_err());
    }
    eventually("both requests are over", || {
        (sum(&rig.instances()).running == 0).then_some(())
    });
    mend(&rig, FleetFaultKind::ConnectionsLeaked);
    assert_eq!(list(&rig), 500);
    rig.fleet.restart(None, &|_| ());
    assert_eq!(list(&rig), 200);
}

#[test]
fn the_balancer_leaves_out_what_fails_its_checks_and_takes_it_back() {
    let spec = FleetSpec {
        balancer: BalancerSpec {
            health: Some(HealthSpec {
                every: Nanos::from_millis(50),
                timeout: Nanos::from_millis(500),
                unhealthy: 2,
                healthy: 2,
                deep: true,
                panic: Ratio::default(),
            }),
            ..BalancerSpec::default()
        },
        ..small()
    };
    let rig = Rig::launch(&spec);
    let both = || [list(&rig), list(&rig)];
    inject(
        &rig,
        FleetFaultKind::DatabaseDown,
        &json!({ "instances": 1 }),
    );
    eventually("it is out", || (both() == [200, 200]).then_some(()));
    let served = rig.instances();
    assert_eq!(both(), [200, 200]);
    assert_eq!(served.len(), 2);
    inject(&rig, FleetFaultKind::DatabaseDown, &json!({}));
    eventually("both are out", || (both() == [503, 503]).then_some(()));
    mend(&rig, FleetFaultKind::DatabaseDown);
    eventually("both are back", || (both() == [200, 200]).then_some(()));
    // A process that stands still does not answer its checks either.
    assert_applied(&rig.fleet.pause(NonZeroU32::new(1)), "paused");
    eventually("it is out", || {
        (answered(&rig) && answered(&rig) && answered(&rig)).then_some(())
    });
    assert_applied(&rig.fleet.go_on(None), "go on");
}

#[test]
fn burned_processors_are_seen_in_the_time_of_the_process() {
    let rig = Rig::launch(&small());
    let pid = rig.pid("identity");
    let used = || {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
        let after = stat.rsplit(") ").next().unwrap();
        let ticks = after.split(' ').skip(11).take(2);
        ticks
            .map(|ticks| ticks.parse::<u64>().unwrap())
            .sum::<u64>()
    };
    inject(
        &rig,
        FleetFaultKind::ProcessorBurned,
        &json!({ "share": "30 %" }),
    );
    let before = used();
    eventually("it burns", || (used() > before + 5).then_some(()));
    mend(&rig, FleetFaultKind::ProcessorBurned);
    std::thread::sleep(Duration::from_millis(50));
    let rests = used();
    std::thread::sleep(Duration::from_millis(300));
    assert!(used() <= rests + 2);
}
