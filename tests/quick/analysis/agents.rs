//! Loads that agents sent: one that was its own limit is named, and a share that was lost is
//! said, though in the sums of all neither would be seen.

use threadbare::analysis::{Findings, Validity, findings};
use threadbare::model::SourceName;
use threadbare::record::{
    AgentCounters, AgentFacts, AgentLost, AgentMeasured, Counters, Event, Histogram, Measure,
    Sample,
};
use threadbare::units::Nanos;

use super::builder::{GOOD, Run, SECOND, at};

/// What an agent fared in each second.
#[derive(Clone, Copy)]
struct Fared {
    busy: u64,
    delayed: u64,
    machine: u64,
    lag_us: u64,
}

const WELL: Fared = Fared {
    busy: 30,
    delayed: 1,
    machine: 50,
    lag_us: 60,
};

fn facts(agent: &str) -> AgentFacts {
    AgentFacts {
        agent: agent.into(),
        cores: 2,
        threads: 1,
        of_threads: 4,
    }
}

fn measured(agent: &str, skew_ns: i64, skew_bound_ns: u64) -> AgentMeasured {
    AgentMeasured {
        agent: agent.into(),
        skew_ns,
        skew_bound_ns,
        end_skew_ns: skew_ns * 3,
        end_skew_bound_ns: skew_bound_ns,
        drift_ppb: Some(20),
        round_trips: 400,
        round_trip_min_ns: 2 * skew_bound_ns,
        deliveries: 100,
        repeated: 3,
    }
}

fn seconds(agent: &str, fared: Fared) -> Vec<Sample> {
    let percent = |share: u64| share * SECOND / 100;
    let mut lag = Histogram::new();
    lag.record_times(Nanos::from_micros(fared.lag_us), 90);
    let each = (0..100u64).map(|second| Sample {
        from: Nanos(second * SECOND),
        to: Nanos((second + 1) * SECOND),
        source: SourceName::of_agent(agent),
        counters: Counters::Agent(AgentCounters {
            thread_ns: SECOND,
            cpu_ns: percent(fared.busy),
            delayed_ns: percent(fared.delayed),
            machine_total_ns: 2 * SECOND,
            machine_busy_ns: 2 * percent(fared.machine),
            machine_steal_ns: 0,
        }),
        histograms: vec![(Measure::SendLag, lag.clone())],
    });
    each.collect()
}

/// A run of four agents of which the third fared like this.
fn found(third: Fared, events: &[(f64, Event)]) -> Findings {
    let names = ["a", "b", "c", "d"];
    let began = Event::AgentsBegan {
        agents: names.map(facts).to_vec(),
    };
    let ended = Event::AgentsEnded {
        agents: vec![
            measured("a", -20_000, 40_000),
            measured("b", 10_000, 50_000),
            measured("c", 30_000, 90_000),
        ],
    };
    let mut run = Run::steady().event(0.0001, began).event(102.0, ended);
    for (when, event) in events {
        run = run.event(*when, event.clone());
    }
    let mut record = run.record();
    for name in names {
        let fared = if name == "c" { third } else { WELL };
        record.samples.extend(seconds(name, fared));
    }
    findings(&record)
}

#[test]
fn agents_that_fare_well_change_no_figure() {
    let alone = findings(&Run::steady().record());
    let found = found(WELL, &[]);
    assert_eq!(
        found.measurement.validity,
        Validity::Valid,
        "{:?}",
        found.measurement
    );
    assert_eq!(found.phases, alone.phases);
    assert_eq!(found.measurement, alone.measurement);
    let agents = found.agents.unwrap();
    assert_eq!(
        (agents.skew_us, agents.skew_bound_us),
        (Some(50.0), Some(140.0))
    );
    assert_eq!(agents.end_skew_us, Some(150.0));
    assert_eq!(agents.agents.len(), 4);
    let first = &agents.agents[0];
    assert_eq!(
        (first.share, first.busy_max, first.machine_busy_max),
        (0.25, Some(0.3), Some(0.5))
    );
    assert_eq!((first.repeated, first.lost_s), (Some(3), None));
    // Of one whose end was not told nothing is made up.
    assert_eq!(
        (agents.agents[3].skew_us, agents.agents[3].deliveries),
        (None, None)
    );
    let told = "4 agents sent the load: they began within 50 µs ± 140 µs of each other";
    assert!(
        found.sentences.iter().any(|it| it.starts_with(told)),
        "{:?}",
        found.sentences
    );
}

#[test]
fn an_agent_that_was_its_own_limit_makes_the_measurement_invalid() {
    for (third, reason) in [
        (Fared { busy: 95, ..WELL }, "threads were busy for 95 %"),
        (
            Fared {
                delayed: 40,
                ..WELL
            },
            "no processor for 40 %",
        ),
        (
            Fared {
                machine: 99,
                ..WELL
            },
            "machine was busy for 99 %",
        ),
        (
            Fared {
                lag_us: 40_000,
                ..WELL
            },
            "send lag p99 is 40",
        ),
    ] {
        let found = found(third, &[]);
        let reasons = found.measurement.reasons.join(" ");
        assert_eq!(found.measurement.validity, Validity::Invalid, "{reason}");
        assert!(
            reasons.starts_with("The agent c was its own limit"),
            "{reasons}"
        );
        assert!(reasons.contains(reason), "{reasons}");
    }
}

#[test]
fn a_share_that_was_lost_is_said_and_its_open_ends_are_no_bug() {
    let lost = Event::AgentLost(AgentLost {
        agent: "b".into(),
        threads: 1,
        of_threads: 4,
        from: at(40.0),
        reason: "nothing was heard of it for 10s".into(),
        missing: 2,
        stops: false,
    });
    let found = found(WELL, &[(50.0, lost)]);
    assert_eq!(found.measurement.validity, Validity::Invalid);
    assert_eq!(
        found.measurement.reasons,
        [
            "The agent b was lost: nothing was heard of it for 10s; its share of the load, 25 %, \
             counts as not offered from 40.0 s on. 2 of its deliveries did not arrive."
        ]
    );
    let agents = found.agents.unwrap();
    assert_eq!(
        (agents.agents[1].lost_s, agents.agents[1].missing),
        (Some(40.0), 2)
    );
    assert!(
        found
            .warnings
            .iter()
            .any(|it| it.starts_with("The agent b was lost"))
    );
    // A load that nobody else sent has no agents.
    assert!(
        findings(&Run::steady().is(0, 5, GOOD).record())
            .agents
            .is_none()
    );
}
