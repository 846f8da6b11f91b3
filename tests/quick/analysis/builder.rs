//! Builds records whose answers are known, second by second.

use threadbare::analysis::{Findings, findings};
use threadbare::model::{ClientsAction, FailuresOf, FleetAction, ServiceAction};
use threadbare::plan::{Action, Bound, Entry, Expectation, Figure, Plan, When};
use threadbare::record::{
    AttemptCounters, Backend, Counters, Event, GeneratorCounters, Header, Histogram,
    InstanceCounters, MachineCounters, Measure, OperationCounters, Outcome, Record, Sample,
    StopCause,
};
use threadbare::units::Nanos;

use super::plan::plan;

pub(crate) const SECOND: u64 = 1_000_000_000;
pub(crate) const WORKERS: u64 = 4;
pub(crate) const INSTANCES: u64 = 4;

/// What one second of a run looked like.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Second {
    pub(crate) offered: u64,
    pub(crate) failed: u64,
    pub(crate) wrongly_allowed: u64,
    pub(crate) shed: u64,
    pub(crate) unfinished: u64,
    pub(crate) response_ms: u64,
    /// Of those that succeed: so many take `slow_ms` instead.
    pub(crate) slow: u64,
    pub(crate) slow_ms: u64,
    pub(crate) retries: u64,
    pub(crate) probes: u64,
    pub(crate) saturation: f64,
    pub(crate) zombie: f64,
    pub(crate) detached: f64,
    pub(crate) cold: f64,
    /// Jobs waiting at each instance, throughout.
    pub(crate) depth: u64,
    pub(crate) lag_us: u64,
    pub(crate) generator: f64,
    pub(crate) machine: f64,
    pub(crate) steal: f64,
}

pub(crate) const GOOD: Second = Second {
    offered: 350,
    failed: 0,
    wrongly_allowed: 0,
    shed: 0,
    unfinished: 0,
    response_ms: 12,
    slow: 0,
    slow_ms: 300,
    retries: 0,
    probes: 10,
    saturation: 0.3,
    zombie: 0.0,
    detached: 0.0,
    cold: 0.0,
    depth: 0,
    lag_us: 40,
    generator: 0.1,
    machine: 0.4,
    steal: 0.0,
};

/// A second in which nobody is served and retries keep every worker busy.
pub(crate) const OUT: Second = Second {
    failed: 350,
    retries: 1015,
    probes: 490,
    saturation: 1.0,
    zombie: 0.7,
    depth: 1000,
    machine: 0.6,
    ..GOOD
};

/// A run of 100 s, 5 s of them warm-up, with 3 s of drain.
#[derive(Debug, Clone)]
pub(crate) struct Run {
    pub(crate) plan: Plan,
    pub(crate) seconds: Vec<Second>,
    pub(crate) events: Vec<(Nanos, Event)>,
    pub(crate) stop: Option<StopCause>,
}

pub(crate) fn at(seconds: f64) -> Nanos {
    Nanos::from_secs_f64(seconds)
}

pub(crate) fn push() -> Action {
    Action::Fleet(FleetAction::Push {
        set: [("authorization.verification".into(), "detached".into())].into(),
        schema: Some(2),
        tested: false,
        canary: None,
    })
}

pub(crate) fn admit(percent: &str) -> Action {
    Action::Fleet(FleetAction::Admit {
        share: percent.parse().unwrap(),
    })
}

pub(crate) fn applied() -> Outcome {
    Outcome::Applied {
        detail: "done".into(),
    }
}

pub(crate) fn rejected() -> Outcome {
    Outcome::Rejected {
        check: "schema current".into(),
        reason: "version 1 is written in schema 1".into(),
    }
}

impl Run {
    pub(crate) fn steady() -> Self {
        Self {
            plan: plan(),
            seconds: vec![GOOD; 100],
            events: vec![(Nanos::ZERO, Event::LoadStarted)],
            stop: Some(StopCause::Completed),
        }
    }

    /// Push at 20 s, which acts until it is rolled back at 60 s.
    pub(crate) fn pushed_and_rolled_back() -> Self {
        Self::steady()
            .is(20, 60, OUT)
            .act(20.0003, 20.002, push(), "push", applied())
            .act(
                60.0002,
                60.004,
                Action::Service(ServiceAction::Rollback),
                "rollback",
                applied(),
            )
    }

    /// These seconds are like this one.
    pub(crate) fn is(mut self, from: usize, to: usize, second: Second) -> Self {
        self.seconds[from..to].fill(second);
        self
    }

    pub(crate) fn act(
        mut self,
        from: f64,
        to: f64,
        action: Action,
        phase: &str,
        outcome: Outcome,
    ) -> Self {
        let entry = self.plan.timeline.len();
        self.plan.timeline.push(Entry {
            when: When::At(at(from)),
            action: action.clone(),
            phase: phase.into(),
            inject: None,
        });
        self.events
            .push((at(from), Event::ActionStarted { entry, action }));
        self.event(to, Event::ActionEnded { entry, outcome })
    }

    pub(crate) fn event(mut self, when: f64, event: Event) -> Self {
        self.events.push((at(when), event));
        self
    }

    pub(crate) fn record(self) -> Record {
        let mut events = self.events;
        events.sort_by_key(|(at, _)| *at);
        if let Some(cause) = self.stop {
            events.push((at(103.0), Event::RunEnded { cause }));
        }
        let samples = self.seconds.iter().enumerate();
        Record {
            header: Header::new(self.plan, Backend::Sim),
            events,
            samples: samples
                .flat_map(|(index, second)| samples_of(index as u64, second))
                .collect(),
            merged_to: None,
        }
    }
}

pub(crate) fn samples_of(index: u64, second: &Second) -> Vec<Sample> {
    let bad = second.failed + second.wrongly_allowed + second.shed + second.unfinished;
    let succeeded = second.offered - bad;
    let operations = OperationCounters {
        scheduled: second.offered,
        succeeded,
        failed_server_error: second.failed,
        failed_wrongly_allowed: second.wrongly_allowed,
        shed: second.shed,
        unfinished: second.unfinished,
        ..OperationCounters::default()
    };
    let users = AttemptCounters {
        first_tries: second.offered,
        retries: second.retries,
        responses: second.offered + second.retries,
        ..AttemptCounters::default()
    };
    let monitors = AttemptCounters {
        first_tries: second.probes,
        responses: second.probes,
        ..AttemptCounters::default()
    };
    let generator = GeneratorCounters {
        threads: 1,
        cpu_ns: of(second.generator, SECOND),
        ..GeneratorCounters::default()
    };
    let machine = MachineCounters {
        total_ns: 2 * SECOND,
        busy_ns: of(second.machine, 2 * SECOND),
        steal_ns: of(second.steal, 2 * SECOND),
    };
    let slow = second.slow.min(succeeded);
    let mut response = values(succeeded - slow, Nanos::from_millis(second.response_ms));
    response.record_times(Nanos::from_millis(second.slow_ms), slow);
    let lag = values(second.offered, Nanos::from_micros(second.lag_us));
    let mut samples = vec![
        sample(
            index,
            "user",
            Counters::Operations(operations),
            vec![(Measure::Response, response)],
        ),
        sample(
            index,
            "user",
            Counters::Attempts(users),
            vec![(Measure::SendLag, lag)],
        ),
        sample(index, "monitor", Counters::Attempts(monitors), Vec::new()),
        sample(
            index,
            "generator",
            Counters::Generator(generator),
            Vec::new(),
        ),
        sample(index, "machine", Counters::Machine(machine), Vec::new()),
    ];
    for instance in 1..=INSTANCES {
        let name = format!("instance-{instance}");
        let counters = Counters::Instance(instance_counters(second, SECOND));
        samples.push(sample(index, &name, counters, Vec::new()));
    }
    samples
}

pub(crate) fn instance_counters(second: &Second, length: u64) -> InstanceCounters {
    let busy_ns = of(second.saturation, WORKERS * length);
    InstanceCounters {
        workers: WORKERS,
        worker_ns: WORKERS * length,
        busy_ns,
        busy_zombie_ns: of(second.zombie, busy_ns),
        busy_detached_ns: of(second.detached, busy_ns),
        busy_cold_ns: of(second.cold, busy_ns),
        queue_depth_ns: second.depth * length,
        queue_depth_max: second.depth,
        ..InstanceCounters::default()
    }
}

fn of(share: f64, whole: u64) -> u64 {
    (share * whole as f64).round() as u64
}

pub(crate) fn values(count: u64, value: Nanos) -> Histogram {
    let mut histogram = Histogram::small();
    histogram.record_times(value, count);
    histogram
}

pub(crate) fn sample(
    index: u64,
    source: &str,
    counters: Counters,
    histograms: Vec<(Measure, Histogram)>,
) -> Sample {
    Sample {
        from: Nanos(index * SECOND),
        to: Nanos((index + 1) * SECOND),
        source: source.into(),
        counters,
        histograms,
    }
}

/// The founding incident: refused, amplified, exhausted, rolled back in vain,
/// restarted step by step.
pub(crate) fn founding() -> Run {
    let shed = Second {
        failed: 190,
        retries: 500,
        probes: 0,
        saturation: 0.5,
        depth: 0,
        ..GOOD
    };
    Run::steady()
        .is(20, 90, OUT)
        .is(66, 90, Second { probes: 0, ..OUT })
        .is(90, 93, shed)
        .act(20.0004, 20.003, push(), "push", applied())
        .event(
            24.5,
            Event::AlertFired {
                alert: "errors".into(),
            },
        )
        .act(
            60.2,
            60.21,
            Action::Service(ServiceAction::Rollback),
            "rollback refused",
            rejected(),
        )
        .act(
            65.6,
            65.61,
            Action::Clients(ClientsAction::Monitors { on: false }),
            "monitors off",
            applied(),
        )
        .act(
            70.02,
            70.3,
            Action::Service(ServiceAction::Rollback),
            "rollback",
            applied(),
        )
        .act(
            86.0,
            89.5,
            Action::Service(ServiceAction::Restart { pause: None }),
            "restart",
            applied(),
        )
        .act(90.0, 90.001, admit("45 %"), "45 %", applied())
        .act(93.0, 93.001, admit("100 %"), "100 %", applied())
}

/// The founding incident with 20 s more to see its end.
pub(crate) fn founding_findings() -> Findings {
    let mut run = founding();
    run.seconds.extend(vec![GOOD; 20]);
    run.plan.end = Nanos::from_secs(120);
    findings(&run.record())
}

pub(crate) fn close(observed: Option<f64>, expected: f64) {
    let observed = observed.expect("a figure");
    assert!(
        (observed - expected).abs() < 1e-6,
        "{observed} is not {expected}"
    );
}

pub(crate) fn expect(that: Figure, phase: Option<&str>, bound: Bound) -> Expectation {
    Expectation {
        window: None,
        kind: None,
        that,
        phase: phase.map(str::to_owned),
        of: FailuresOf::default(),
        bound,
        abort: false,
        share: None,
    }
}
