//! The faults of the fleet in virtual time: each is seen in an answer or a gauge, and
//! is over once it is mended.

use threadbare::analysis::{Findings, findings};
use threadbare::model::fault::FleetFaultKind;
use threadbare::model::{Cause, IncidentVerdict};
use threadbare::plan::Plan;
use threadbare::record::{Counters, InstanceCounters, Record};
use threadbare::scenario;

use crate::simulated::simulated;

/// Two instances of four workers at a third of what they carry; half of the requests
/// write.
pub(super) const FLEET: &str = r#"
title = "a"
claim = "b"
end = "30s"
warm_up = "2s"
drain = "6s"

[target.fleet]
instances = 2
workers = 4
queue = "bounded(50)"
application = "constant(1ms)"
database = "constant(8ms)"
users = 30
identity = { latency = "constant(1ms)", cold_factor = 20 }

[load]
arrivals = "constant"
rate = "200/s"
mix = [
  { weight = 1, request = "list tasks", role = "viewer" },
  { weight = 1, request = "update task", role = "contributor" },
]
client = { timeout = "1s" }

[recovery]
hold = "5s"
"#;

fn plan(more: &str) -> Plan {
    scenario::parse("a", "a.toml", &format!("{FLEET}{more}"))
        .unwrap_or_else(|it| panic!("{}", it.render(false)))
}

/// The fault from 10 s to 18 s.
pub(super) fn incident(fault: &str, with: &str) -> String {
    format!(
        "[[timeline]]\nat = '10s'\ndo = 'break'\nfault = '{fault}'\nwith = {with}\nphase = 'broken'\n\
         [[timeline]]\nat = '18s'\ndo = 'mend'\nfault = '{fault}'\nphase = 'mended'\n"
    )
}

fn run(more: &str) -> (Record, Findings) {
    let record = simulated(plan(more));
    let found = findings(&record);
    (record, found)
}

/// Errors, saturation and the median response time in a phase.
pub(super) fn figures(found: &Findings, name: &str) -> (f64, f64, f64) {
    let phase = found.phases.iter().find(|it| it.name == name).unwrap();
    (
        phase.error_share.unwrap(),
        phase.saturation.unwrap(),
        phase.response_ms.p50.unwrap_or(f64::INFINITY),
    )
}

pub(super) fn counted(record: &Record) -> InstanceCounters {
    let mut sum = InstanceCounters::default();
    for sample in &record.samples {
        if let Counters::Instance(counters) = &sample.counters {
            sum.merge(counters);
        }
    }
    sum
}

/// What fails of all that is asked for while the fault acts, and that the mend ends it.
#[test]
fn each_fault_fails_the_requests_that_meet_it_and_a_mend_ends_it() {
    for (fault, with, least, most) in [
        ("identity_down", "{}", 1.0, 1.0),
        ("identity_down", "{ share = '50 %' }", 0.4, 0.6),
        ("permissions_wrong", "{}", 1.0, 1.0),
        ("permissions_wrong", "{ instances = 1 }", 0.45, 0.55),
        ("database_down", "{}", 1.0, 1.0),
        ("database_down", "{ instances = 1 }", 0.45, 0.55),
        ("database_full", "{}", 0.45, 0.55),
        ("balancer_link_lost", "{ share = '30 %' }", 0.25, 0.35),
        ("balancer_link_lost", "{ instances = 1 }", 0.45, 0.55),
    ] {
        let (_, found) = run(&incident(fault, with));
        let (errors, ..) = figures(&found, "broken");
        assert!((least..=most).contains(&errors), "{fault} {with}: {errors}");
        let (before, after) = (figures(&found, "baseline"), figures(&found, "mended"));
        assert!(before.0 < 0.001, "{fault} {with}: {before:?}");
        assert!(after.0 < 0.02, "{fault} {with}: {after:?}");
        assert!(
            (after.2 - before.2).abs() < 1.0,
            "{fault} {with}: {after:?}"
        );
        let incident = &found.incident;
        let kind = FleetFaultKind::ALL.iter().find(|(_, word)| *word == fault);
        assert_eq!(incident.trigger, Some(Cause::Broken(kind.unwrap().0)));
        assert_eq!(
            incident.verdict,
            IncidentVerdict::RecoveredWithTheTrigger,
            "{fault} {with}"
        );
    }
}

/// What only slows is seen in the time that an answer takes.
#[test]
fn what_only_delays_is_seen_in_the_median() {
    for (fault, with, least) in [
        (
            "balancer_link_delayed",
            "{ delay = 'constant(40ms)' }",
            50.0,
        ),
        // Three pieces of sixty bytes.
        (
            "connections_dripped",
            "{ bytes = 60, every = '20ms' }",
            49.0,
        ),
        // An instance that serves 90 % of what it is asked for, one after the other.
        ("lock_convoy", "{ holds = 'constant(9900us)' }", 19.0),
        (
            "stop_the_world",
            "{ every = 'constant(20ms)', lasts = 'constant(60ms)' }",
            20.0,
        ),
    ] {
        let (_, found) = run(&incident(fault, with));
        let (before, broken) = (figures(&found, "baseline"), figures(&found, "broken"));
        let after = figures(&found, "mended");
        assert!((9.9..12.0).contains(&before.2), "{fault}: {before:?}");
        assert!(broken.2 >= least, "{fault}: {broken:?}");
        assert!((after.2 - before.2).abs() < 1.0, "{fault}: {after:?}");
    }
}

#[test]
fn a_lock_on_the_database_holds_the_workers_that_write_until_they_give_up() {
    let (_, found) = run(&incident("database_locked", "{ waits = '300ms' }"));
    let (errors, saturation, _) = figures(&found, "broken");
    assert!(errors > 0.5 && saturation > 0.95, "{errors} {saturation}");
    let (errors, ..) = figures(&found, "mended");
    assert!(errors < 0.1, "{errors}");
    // Who waits when it comes free goes on, and is answered.
    let (record, _) = run(&incident("database_locked", "{ waits = '1h' }"));
    let all = counted(&record);
    let gone = all.finished + all.lost;
    assert_eq!(all.enqueued, gone + all.expired, "{all:?}");
}

#[test]
fn calls_that_block_stay_blocked_after_the_mend_unless_they_are_let_go() {
    let (_, found) = run(&incident("identity_blocks", "{}"));
    for phase in ["broken", "mended"] {
        let (errors, saturation, _) = figures(&found, phase);
        assert!(
            errors > 0.95 && saturation > 0.95,
            "{phase}: {errors} {saturation}"
        );
    }
    let restart = "[[timeline]]\nat = '24s'\ndo = 'restart'\nphase = 'restarted'\n";
    let blocked = incident("identity_blocks", "{}");
    let (_, found) = run(&format!("{blocked}{restart}"));
    assert!(figures(&found, "restarted").0 < 0.25);
    assert_eq!(
        found.incident.verdict,
        IncidentVerdict::RecoveredByIntervention
    );
    let (_, found) = run(&incident("identity_blocks", "{ stay = false }"));
    assert!(figures(&found, "broken").0 > 0.95);
    assert!(figures(&found, "mended").0 < 0.1);
    // One instance of two.
    let (_, found) = run(&incident("identity_blocks", "{ instances = 1 }"));
    let (errors, ..) = figures(&found, "broken");
    assert!((0.4..0.6).contains(&errors), "{errors}");
}

#[test]
fn workers_that_leak_come_back_with_a_restart_only() {
    let restart = "[[timeline]]\nat = '20s'\ndo = 'restart'\nphase = 'restarted'\n";
    let leak = incident("workers_leaked", "{ share = '1 %', instances = 1 }");
    let (_, found) = run(&format!("{leak}{restart}"));
    let (errors, saturation, _) = figures(&found, "mended");
    assert!(errors > 0.4 && saturation > 0.5, "{errors} {saturation}");
    let (errors, saturation, _) = figures(&found, "restarted");
    assert!(errors < 0.2 && saturation < 0.4, "{errors} {saturation}");
}

#[test]
fn roles_that_are_forgotten_are_learnt_again() {
    let clear = "[[timeline]]\nat = '10s'\ndo = 'break'\nfault = 'role_cache_cleared'\n";
    let (record, found) = run(clear);
    // Twenty users of two roles, 19 ms each; some are asked for twice meanwhile.
    let once = |record: &Record| counted(record).busy_cold_ns / 19_000_000;
    assert!((40..60).contains(&once(&record)), "{}", once(&record));
    assert_eq!(
        found.incident.trigger,
        Some(Cause::Broken(FleetFaultKind::RoleCacheCleared))
    );
    assert_eq!(found.incident.trigger_off_s, found.incident.trigger_s);
    let (record, _) = run(&format!("{clear}with = {{ instances = 1 }}\n"));
    assert!((20..30).contains(&once(&record)), "{}", once(&record));
}

/// Two connections that each request needs two of: whoever has one waits for another.
#[test]
fn a_pool_that_is_smaller_than_what_workers_hold_stops_for_good() {
    let slow = "[[timeline]]\nat = '10s'\ndo = 'slow'\npart = 'database'\nfactor = 20\nphase = 'slow'\n\
                [[timeline]]\nat = '14s'\ndo = 'slow'\npart = 'database'\nfactor = 1\nphase = 'fast'\n";
    let errors = |pool: &str| {
        // Constant times keep workers in step, and then no two wait for each other.
        let pooled = FLEET
            .replace("users = 30", &format!("users = 30\npool = {pool}"))
            .replace("workers = 4", "workers = 16")
            .replace(
                "database = \"constant(8ms)\"",
                "database = \"exponential(mean 8ms)\"",
            );
        let text = format!("{pooled}{slow}");
        let plan = scenario::parse("a", "a.toml", &text);
        let plan = plan.unwrap_or_else(|it| panic!("{}", it.render(false)));
        let found = findings(&simulated(plan));
        assert!(figures(&found, "baseline").0 < 0.001, "{pool}");
        figures(&found, "fast").0
    };
    let stuck = errors("{ size = 10, nested = 1 }");
    assert!(stuck > 0.99, "{stuck}");
    // One more than the workers that each hold one; or none that hold and wait.
    for pool in ["{ size = 17, nested = 1 }", "{ size = 10 }"] {
        assert!(errors(pool) < 0.2, "{pool}: {}", errors(pool));
    }
    // Who gives up gives back: some get through, and crowd each other still.
    let limited = errors("{ size = 10, nested = 1, timeout = '200ms' }");
    assert!(limited < 0.9, "{limited}");
}

#[test]
fn connections_of_callers_who_have_gone_are_lost_while_the_fault_acts() {
    let pooled = FLEET.replace("users = 30", "users = 30\npool = { size = 4 }");
    let slow = "[[timeline]]\nat = '10s'\ndo = 'slow'\npart = 'database'\nfactor = 200\nphase = 'slow'\n\
                [[timeline]]\nat = '13s'\ndo = 'slow'\npart = 'database'\nfactor = 1\nphase = 'fast'\n";
    let leak = "[[timeline]]\nat = '9s'\ndo = 'break'\nfault = 'connections_leaked'\n\
                [[timeline]]\nat = '18s'\ndo = 'mend'\nfault = 'connections_leaked'\nphase = 'mended'\n";
    for (more, least, most) in [
        (slow.to_owned(), 0.0, 0.3),
        (format!("{leak}{slow}"), 0.99, 1.0),
    ] {
        let plan = scenario::parse("a", "a.toml", &format!("{pooled}{more}"));
        let plan = plan.unwrap_or_else(|it| panic!("{}", it.render(false)));
        let found = findings(&simulated(plan));
        let (errors, ..) = figures(&found, "fast");
        assert!((least..=most).contains(&errors), "{errors}");
    }
}

/// A slow instance gets no more than the others by turns, and less by what is under way.
#[test]
fn the_balancer_chooses_by_what_is_under_way_where_it_is_told_to() {
    let errors = |balancer: &str| {
        let chosen = FLEET.replace("users = 30", &format!("users = 30\n{balancer}"));
        let text = format!(
            "{chosen}{}",
            incident("lock_convoy", "{ holds = 'constant(2s)', instances = 1 }")
        );
        let plan = scenario::parse("a", "a.toml", &text);
        let plan = plan.unwrap_or_else(|it| panic!("{}", it.render(false)));
        figures(&findings(&simulated(plan)), "broken").0
    };
    let turns = errors("balancer = { choice = 'round robin' }");
    let least = errors("balancer = { choice = 'least' }");
    let two = errors("balancer = { choice = 'two random' }");
    assert!(turns > 0.45, "{turns}");
    assert!(least < 0.1, "{least}");
    assert!(two < turns, "{two}");
}

/// Checks take an instance out that fails them, and let it back in.
#[test]
fn an_instance_that_fails_its_checks_gets_no_requests() {
    let errors = |health: &str, instances: u32| {
        let checked = FLEET.replace(
            "users = 30",
            &format!("users = 30\nbalancer = {{ {health} }}"),
        );
        let broken = incident("database_down", &format!("{{ instances = {instances} }}"));
        let plan = scenario::parse("a", "a.toml", &format!("{checked}{broken}"));
        let plan = plan.unwrap_or_else(|it| panic!("{}", it.render(false)));
        let found = findings(&simulated(plan));
        (figures(&found, "broken").0, figures(&found, "mended").0)
    };
    let deep = "health = { every = '200ms', timeout = '200ms', deep = true }";
    let (broken, mended) = errors(deep, 1);
    assert!(broken < 0.1 && mended < 0.01, "{broken} {mended}");
    // A check that needs a worker alone does not see it.
    let (broken, _) = errors("health = { every = '200ms', timeout = '200ms' }", 1);
    assert!(broken > 0.45, "{broken}");
    // Both are out: nobody is served, and each is back when it succeeds.
    let (broken, mended) = errors(deep, 2);
    assert!(broken > 0.99 && mended < 0.1, "{broken} {mended}");
}

#[test]
fn a_wrong_attribute_is_refused_at_its_key() {
    for (entry, place, label) in [
        (
            "fault = 'identity_down'\nwith = { share = '150 %' }",
            "with",
            "150 %",
        ),
        (
            "fault = 'identity_down'\nwith = { shares = '50 %' }",
            "shares",
            "`share`",
        ),
        (
            "fault = 'identity_down'\nwith = { lasts = 'constant(1s)' }",
            "lasts",
            "unknown key",
        ),
        (
            "fault = 'stop_the_world'\nwith = { lasts = '5s' }",
            "lasts",
            "a distribution",
        ),
        (
            "fault = 'stop_the_world'\nwith = { every = 'constant(0s)' }",
            "every",
            "less than 1 ms",
        ),
        (
            "fault = 'permissions_wrong'\nwith = { instances = 3 }",
            "instances",
            "there are 2",
        ),
        (
            "fault = 'connections_leaked'",
            "fault",
            "[target.fleet.pool]",
        ),
        ("fault = 'identity_dwn'", "fault", "identity_down"),
    ] {
        let text = format!("{FLEET}[[timeline]]\nat = '10s'\ndo = 'break'\n{entry}\n");
        let mistakes = scenario::parse("a", "a.toml", &text).unwrap_err();
        let shown = mistakes.render(false);
        assert!(
            shown.contains(place) && shown.contains(label),
            "{entry}: {shown}"
        );
    }
    for (entry, sentence) in [
        ("fault = 'identity_down'", "no entry brings it"),
        ("fault = 'role_cache_cleared'", "over at once"),
    ] {
        let text = format!("{FLEET}[[timeline]]\nat = '10s'\ndo = 'mend'\n{entry}\n");
        let shown = scenario::parse("a", "a.toml", &text)
            .unwrap_err()
            .render(false);
        assert!(shown.contains(sentence), "{entry}: {shown}");
    }
}
