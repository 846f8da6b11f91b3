//! A made-up record that resembles the founding incident, with findings to
//! match: what the formats are judged on. It is no measurement of anything.

use std::collections::BTreeMap;

use threadbare::analysis::{
    Conservation, ExhaustionWindow, ExpectationResult, Findings, Incident, Latency, Measurement,
    Phase, QueueDepth, SendLag, SustainingShares, Validity, Verdict,
};
use threadbare::model::{
    ArrivalProcess, Backoff, ClientPolicy, FleetSpec, IdentitySpec, MonitorPolicy, Role,
};
use threadbare::plan::{
    Action, Bound, Entry, Expectation, Figure, Load, MixEntry, Plan, RecoveryRule, Request, Story,
    When,
};
use threadbare::record::{
    AttemptCounters, Backend, Counters, Event, FORMAT, GeneratorCounters, Header, Histogram,
    InstanceCounters, MachineCounters, MachineFacts, Measure, OperationCounters, Outcome, Record,
    Sample, StopCause,
};
use threadbare::units::{ClockTime, Nanos, Rate, Ratio};

const SECONDS: u64 = 140;
const INSTANCES: u64 = 4;

/// The record.
pub fn record() -> Record {
    let mut samples = Vec::new();
    let mut noise = Noise(7);
    let mut queue = 0.0;
    for second in 0..SECONDS + 3 {
        let state = State::at(second, &mut queue, &mut noise);
        samples.extend(state.samples(second, &mut noise));
    }
    Record {
        header: Header {
            format: FORMAT,
            version: "0.1.0".into(),
            backend: Backend::Live,
            started_wall_ms: 1_767_225_600_000,
            machine: machine(),
            plan: plan(),
        },
        events: events(),
        samples,
    }
}

fn machine() -> MachineFacts {
    MachineFacts {
        cores: 2,
        memory_bytes: 8 << 30,
        processor: "Example Processor 3000".into(),
        kernel: "Linux 6.1.0".into(),
    }
}

/// What the fleet and its clients were like in one second.
struct State {
    offered: f64,
    good: f64,
    retries: f64,
    probes: f64,
    probes_good: f64,
    saturation: f64,
    zombie: f64,
    detached: f64,
    cold: f64,
    queue: f64,
    median_ms: f64,
    spread: f64,
    machine: f64,
    restarted: u64,
}

impl State {
    fn at(second: u64, queue: &mut f64, noise: &mut Noise) -> Self {
        let second_f = second as f64;
        let offered = if second < SECONDS {
            350.0 + 18.0 * noise.even()
        } else {
            0.0
        };
        let calm = Self {
            offered,
            good: offered,
            retries: 0.0,
            probes: if second < SECONDS { 100.0 } else { 0.0 },
            probes_good: 100.0,
            saturation: 0.37 + 0.02 * noise.even(),
            zombie: 0.0,
            detached: 0.0,
            cold: 0.004,
            queue: 1.4 + noise.even(),
            median_ms: 13.0,
            spread: 0.45,
            machine: 0.31 + 0.02 * noise.even(),
            restarted: 0,
        };
        let broken = Self {
            good: 0.0,
            retries: 3.0 * offered,
            probes: 500.0 + 20.0 * noise.even(),
            probes_good: 0.0,
            saturation: 1.0,
            zombie: 0.71,
            detached: 0.88,
            cold: 0.02,
            median_ms: 420.0,
            spread: 0.1,
            machine: 0.56 + 0.02 * noise.even(),
            ..calm
        };
        let grow = |queue: &mut f64, rate: f64| {
            *queue += rate;
            *queue
        };
        match second {
            0..18 => calm,
            18 => Self {
                good: 30.0,
                saturation: 0.93,
                queue: grow(queue, 90.0),
                probes: 210.0,
                ..broken
            },
            19..81 => Self {
                queue: grow(queue, 310.0),
                ..broken
            },
            81..90 => Self {
                queue: grow(queue, 190.0),
                detached: 0.88 - 0.1 * (second_f - 81.0),
                ..broken
            },
            90..101 => Self {
                queue: grow(queue, 55.0),
                probes: 0.0,
                detached: 0.0,
                zombie: 0.97,
                ..broken
            },
            101..109 => {
                let restarted = ((second - 101) / 2).min(4);
                let left = 1.0 - restarted as f64 / 4.0;
                Self {
                    good: 30.0 * restarted as f64 / 4.0,
                    queue: *queue * left,
                    saturation: 0.2 + 0.8 * left,
                    zombie: 0.9 * left,
                    detached: 0.0,
                    cold: 0.15,
                    probes: 0.0,
                    median_ms: 60.0,
                    spread: 0.5,
                    restarted,
                    ..broken
                }
            }
            109..112 => Self {
                good: 35.0,
                retries: 2.7 * offered,
                saturation: 0.13,
                cold: 0.05,
                queue: 1.0,
                median_ms: 24.0,
                probes: 0.0,
                ..calm
            },
            112..114 => Self {
                good: 250.0,
                retries: 1.2 * offered,
                saturation: 0.31,
                cold: 0.11,
                queue: 3.0,
                median_ms: 22.0,
                probes: 0.0,
                ..calm
            },
            114..116 => Self {
                good: offered * 0.985,
                retries: 22.0,
                saturation: 0.52,
                cold: 0.09,
                queue: 24.0,
                median_ms: 26.0,
                spread: 0.7,
                probes: 0.0,
                ..calm
            },
            _ => Self {
                probes: 0.0,
                saturation: if second < SECONDS {
                    calm.saturation
                } else {
                    0.0
                },
                ..calm
            },
        }
    }

    fn samples(&self, second: u64, noise: &mut Noise) -> Vec<Sample> {
        let sample = |source: &str, counters, histograms| Sample {
            from: Nanos::from_secs(second),
            to: Nanos::from_secs(second + 1),
            source: source.into(),
            counters,
            histograms,
        };
        let whole = |value: f64| value.round() as u64;
        let (offered, good) = (whole(self.offered), whole(self.good.min(self.offered)));
        let bad = offered - good;
        let operations = OperationCounters {
            scheduled: offered,
            succeeded: good,
            failed_server_error: bad * 2 / 5,
            timed_out: bad / 5,
            missed_deadline: bad - bad * 2 / 5 - bad / 5,
            ..OperationCounters::default()
        };
        let retries = whole(self.retries);
        let attempts = AttemptCounters {
            first_tries: offered,
            retries,
            responses: offered + retries,
            status_2xx: good,
            status_5xx: offered + retries - good,
            ended_well: good,
            ended_badly: bad,
            ..AttemptCounters::default()
        };
        let probes = whole(self.probes);
        let probes_good = whole(self.probes_good).min(probes);
        let monitor = AttemptCounters {
            first_tries: probes,
            responses: probes,
            ended_well: probes_good,
            ended_badly: probes - probes_good,
            ..AttemptCounters::default()
        };
        let response = noise.histogram(good, self.median_ms, self.spread);
        let service = noise.histogram(offered + retries, self.median_ms * 0.9, self.spread);
        let lag = noise.histogram(offered, 0.03, 0.8);
        let mut samples = vec![
            sample(
                "user",
                Counters::Operations(operations),
                vec![(Measure::Response, response)],
            ),
            sample(
                "user",
                Counters::Attempts(attempts),
                vec![(Measure::Service, service), (Measure::SendLag, lag)],
            ),
            sample("monitor", Counters::Attempts(monitor), Vec::new()),
            sample(
                "generator",
                Counters::Generator(GeneratorCounters {
                    threads: 1,
                    cpu_ns: 110_000_000,
                    ..GeneratorCounters::default()
                }),
                Vec::new(),
            ),
            sample(
                "machine",
                Counters::Machine(MachineCounters {
                    total_ns: 2_000_000_000,
                    busy_ns: whole(self.machine * 2e9),
                    steal_ns: 4_000_000,
                }),
                Vec::new(),
            ),
        ];
        for index in 0..INSTANCES {
            samples.push(self.instance(second, index, noise));
        }
        samples
    }

    fn instance(&self, second: u64, index: u64, noise: &mut Noise) -> Sample {
        let whole = |value: f64| value.max(0.0).round() as u64;
        let restarted = index < self.restarted;
        let in_restart = self.restarted > 0;
        let share = match (in_restart, restarted) {
            (true, true) => 0.0,
            (true, false) => 1.0 / (INSTANCES - self.restarted) as f64,
            (false, _) => 1.0 / INSTANCES as f64,
        };
        let saturation = match (in_restart, restarted) {
            (true, true) => 0.2,
            (true, false) => 1.0,
            (false, _) if self.saturation >= 1.0 => 1.0,
            (false, _) => (self.saturation + 0.03 * noise.even()).clamp(0.0, 1.0),
        };
        let workers = 4e9;
        let queue = self.queue * share;
        let wait_ms = queue / 100.0 * 1e3 + 0.2;
        Sample {
            from: Nanos::from_secs(second),
            to: Nanos::from_secs(second + 1),
            source: format!("instance-{}", index + 1),
            counters: Counters::Instance(InstanceCounters {
                workers: 4,
                busy_ns: whole(saturation * workers),
                busy_zombie_ns: whole(saturation * workers * self.zombie),
                busy_detached_ns: whole(saturation * workers * self.detached),
                busy_cold_ns: whole(saturation * workers * self.cold),
                queue_depth_ns: whole(queue * 1e9),
                queue_depth_max: whole(queue * 1.02 + 2.0),
                waiting: whole(queue),
                ..InstanceCounters::default()
            }),
            histograms: vec![(Measure::QueueWait, noise.histogram(60, wait_ms, 0.2))],
        }
    }
}

/// Deterministic noise.
struct Noise(u64);

impl Noise {
    /// Between -1 and 1.
    fn even(&mut self) -> f64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (self.0 >> 33) as f64 / f64::from(1u32 << 30) - 1.0
    }

    fn histogram(&mut self, values: u64, median_ms: f64, spread: f64) -> Histogram {
        let mut histogram = Histogram::new();
        for _ in 0..values {
            // A sum of even draws is close enough to a bell.
            let bell: f64 = (0..6).map(|_| self.even()).sum::<f64>() / 1.4;
            histogram.record(Nanos::from_secs_f64(
                median_ms / 1e3 * (spread * bell).exp(),
            ));
        }
        histogram
    }
}

fn actions() -> Vec<(u64, u64, Action, &'static str, Outcome)> {
    let applied = |detail: &str| Outcome::Applied {
        detail: detail.into(),
    };
    let share = |percent: f64| Action::Admit {
        share: Ratio::new(percent / 100.0).unwrap(),
    };
    let push = Action::Push {
        set: BTreeMap::from([("authorization.verification".into(), "detached".into())]),
        schema: Some(2),
        tested: false,
    };
    let refused = Outcome::Rejected {
        check: "schema".into(),
        reason: "version 1 is written in schema 1, and the check demands schema 2".into(),
    };
    let waive = Action::Waive {
        check: "schema".into(),
    };
    let restart = Action::Restart {
        pause: Some(Nanos::from_millis(500)),
    };
    let monitors = Action::Monitors { on: false };
    vec![
        (18_000, 18_012, push, "push", applied("version 2 released")),
        (
            78_600,
            78_604,
            Action::Rollback,
            "rollback refused",
            refused,
        ),
        (
            79_800,
            79_803,
            waive,
            "check waived",
            applied("the check schema is advisory"),
        ),
        (
            81_000,
            81_009,
            Action::Rollback,
            "rolled back",
            applied("version 3 released, equal to version 1"),
        ),
        (
            90_000,
            90_002,
            monitors,
            "monitors off",
            applied("10 monitors stopped"),
        ),
        (
            101_000,
            101_002,
            share(10.0),
            "shed",
            applied("10 % admitted"),
        ),
        (
            101_400,
            108_900,
            restart,
            "restart",
            applied("4 instances restarted"),
        ),
        (
            112_200,
            112_201,
            share(45.0),
            "45 % admitted",
            applied("45 % admitted"),
        ),
        (
            114_000,
            114_001,
            share(100.0),
            "all admitted",
            applied("100 % admitted"),
        ),
    ]
}

fn events() -> Vec<(Nanos, Event)> {
    let mut events = vec![(Nanos::ZERO, Event::LoadStarted)];
    for (entry, (started, ended, action, _, outcome)) in actions().into_iter().enumerate() {
        events.push((
            Nanos::from_millis(started),
            Event::ActionStarted { entry, action },
        ));
        events.push((
            Nanos::from_millis(ended),
            Event::ActionEnded { entry, outcome },
        ));
    }
    let alert = "users refused".to_owned();
    let also = [
        (
            50_400,
            Event::AlertFired {
                alert: alert.clone(),
            },
        ),
        (118_000, Event::AlertCleared { alert }),
        (
            101_700,
            Event::ScrapeFailed {
                source: "instance-1".into(),
                cause: "connection refused".into(),
            },
        ),
        (140_000, Event::LoadEnded),
        (
            143_000,
            Event::RunEnded {
                cause: StopCause::Completed,
            },
        ),
    ];
    events.extend(also.map(|(at, event)| (Nanos::from_millis(at), event)));
    events.sort_by_key(|(at, _)| *at);
    events
}

/// The plan of the record.
pub fn plan() -> Plan {
    Plan {
        scenario: "missing-await".into(),
        title: "Role check launched without await".into(),
        claim: "Rolling back alone does not restore service; a gradual restart does.".into(),
        source: "a public postmortem".into(),
        seed: 1,
        story: Some(story()),
        warm_up: Nanos::from_secs(3),
        end: Nanos::from_secs(SECONDS),
        drain: Nanos::from_secs(3),
        interval: Nanos::from_secs(1),
        fleet: FleetSpec {
            instances: 4,
            workers: 4,
            queue: "unbounded".parse().unwrap(),
            identity: IdentitySpec {
                latency: "exponential(mean 9ms)".parse().unwrap(),
                capacity: 64,
                cold_factor: 6.0,
            },
            application: "exponential(mean 1ms)".parse().unwrap(),
            database: "exponential(mean 4ms)".parse().unwrap(),
            users: 300,
            projects: 50,
            tasks: 2_000,
            boot: Nanos::from_millis(800),
        },
        load: Load {
            process: ArrivalProcess::Poisson,
            rate: vec![(Nanos::ZERO, Rate::per_second(350.0).unwrap())],
            mix: vec![MixEntry {
                weight: 1,
                request: Request::ListTasks,
                role: Role::Contributor,
                refused: false,
            }],
            client: ClientPolicy {
                timeout: Nanos::from_millis(500),
                deadline: Some(Nanos::from_secs(2)),
                retries: 3,
                backoff: Backoff::None,
            },
            connections: 2_000,
            backlog: 10_000,
        },
        monitors: vec![MonitorPolicy {
            name: "deep health".into(),
            probe: "/readyz?deep=true".into(),
            count: 10,
            every: Nanos::from_millis(100),
            every_after_failure: Nanos::from_millis(20),
            overlap: true,
            timeout: Nanos::from_secs(1),
        }],
        alerts: Vec::new(),
        timeline: actions()
            .into_iter()
            .map(|(at, _, action, phase, _)| Entry {
                when: When::At(Nanos::from_millis(at)),
                action,
                phase: phase.into(),
            })
            .collect(),
        recovery: RecoveryRule::default(),
        expectations: vec![Expectation {
            that: Figure::RecoveryAfterRollback,
            phase: None,
            bound: Bound::AtMost(60.0),
        }],
    }
}

fn story() -> Story {
    Story {
        starts: ClockTime::from_seconds(16 * 3600),
        scale: 100.0,
    }
}

/// Findings that fit the record.
pub fn findings() -> Findings {
    Findings {
        format: 1,
        scenario: "missing-await".into(),
        title: plan().title,
        claim: plan().claim,
        backend: Backend::Live,
        seed: 1,
        complete: true,
        machine: machine(),
        story: Some(story()),
        interval_s: 1.0,
        measurement: Measurement {
            validity: Validity::Valid,
            reasons: Vec::new(),
            send_lag_us: SendLag {
                p50: Some(31.0),
                p99: Some(412.0),
                max: Some(3_120.0),
            },
            generator_busy: 0.118,
            machine_busy_max: 0.583,
            machine_steal: 0.002,
        },
        conservation: Conservation {
            scheduled: 48_986,
            succeeded: 15_912,
            failed: 13_230,
            timed_out: 6_614,
            missed_deadline: 13_230,
            shed: 0,
            unfinished: 0,
        },
        phases: phases(),
        exhaustion: (1..=4)
            .map(|instance| ExhaustionWindow {
                instance: format!("instance-{instance}"),
                from_s: 19.0,
                to_s: 101.0 + 2.0 * f64::from(instance),
            })
            .collect(),
        incident: incident(),
        expectations: expectations(),
        sentences: [
            "Every worker was held by verifications that nobody awaited and by jobs whose callers \
             had gone: 16 of 16 workers busy and up to 22,361 jobs waiting, while the machine was \
             never more than 58 % busy.",
            "Rolling back did not restore service: after it, 3.00 retries per operation kept \
             96 % of the busy worker-time on callers who had already gone.",
            "Monitors made it worse: 1.43 probes per operation against 0.29 in the baseline.",
            "The first rollback was refused by the check “schema” and changed nothing.",
        ]
        .map(String::from)
        .into(),
        verdict: Verdict::Passed,
    }
}

fn incident() -> Incident {
    Incident {
        trigger_s: Some(18.012),
        impact_s: Some(18.031),
        detected_s: Some(50.4),
        rollback_rejected_s: Some(78.604),
        rollback_rejected_because: Some("schema: version 1 is written in schema 1".into()),
        rollback_applied_s: Some(81.009),
        mitigated_s: Some(112.0),
        last_action_s: Some(114.001),
        recovered_s: Some(115.0),
        recovery_after_rollback_s: Some(33.991),
        recovery_after_last_action_s: Some(0.999),
        time_to_detect_s: Some(32.369),
        time_to_mitigate_s: Some(93.969),
        time_to_recover_s: Some(96.969),
        verdict: "recovered_by_intervention".into(),
        sustaining: Some("zombie_work".into()),
        sustaining_shares: Some(SustainingShares {
            retries: 0.62,
            monitor_probes: 0.17,
            zombie_work: 0.91,
            cold_start: 0.02,
            detached_tasks: 0.21,
        }),
        ..Incident::default()
    }
}

fn expectations() -> Vec<ExpectationResult> {
    [
        ("goodput share in “baseline”", "100.0 %", "at least 99 %"),
        ("exhausted instances in “push”", "4", "at least 4"),
        ("rejected rollbacks", "1", "at least 1"),
        ("goodput share in “rolled back”", "0.0 %", "at most 50 %"),
        ("recovery after rollback", "34.0 s", "at most 60 s"),
        (
            "incident verdict",
            "recovered by intervention",
            "recovered by intervention",
        ),
    ]
    .map(|(that, observed, required)| ExpectationResult {
        that: that.into(),
        passed: Some(true),
        observed: observed.into(),
        required: required.into(),
    })
    .into()
}

fn phases() -> Vec<Phase> {
    let lost = Some(1.0);
    [
        // name, from, to, goodput, errors, attempts, probes, saturation, queue mean, queue max, p99
        (
            "baseline",
            3.0,
            18.0,
            350.2,
            Some(0.0),
            1.0,
            0.286,
            0.371,
            1.4,
            14,
            Some(38.4),
        ),
        (
            "push",
            18.0,
            78.0,
            0.5,
            Some(0.998_6),
            4.0,
            1.43,
            0.998,
            9_240.0,
            18_922,
            Some(432.0),
        ),
        (
            "rollback refused",
            78.0,
            79.0,
            0.0,
            lost,
            4.0,
            1.43,
            1.0,
            18_700.0,
            19_238,
            None,
        ),
        (
            "check waived",
            79.0,
            81.0,
            0.0,
            lost,
            4.0,
            1.43,
            1.0,
            19_155.0,
            19_555,
            None,
        ),
        (
            "rolled back",
            81.0,
            90.0,
            0.0,
            lost,
            4.0,
            1.43,
            1.0,
            20_260.0,
            21_290,
            None,
        ),
        (
            "monitors off",
            90.0,
            101.0,
            0.0,
            lost,
            4.0,
            0.0,
            1.0,
            21_350.0,
            22_361,
            None,
        ),
        (
            "restart",
            101.0,
            112.0,
            18.4,
            Some(0.948),
            3.9,
            0.0,
            0.47,
            9_880.0,
            21_640,
            Some(221.0),
        ),
        (
            "45 % admitted",
            112.0,
            114.0,
            250.3,
            Some(0.285),
            2.2,
            0.0,
            0.31,
            3.0,
            19,
            Some(71.0),
        ),
        (
            "all admitted",
            114.0,
            140.0,
            349.6,
            Some(0.001_2),
            1.01,
            0.0,
            0.38,
            3.1,
            32,
            Some(58.0),
        ),
    ]
    .map(
        |(name, from_s, to_s, good, errors, attempts, probes, busy, mean, max, p99)| Phase {
            name: name.into(),
            from_s,
            to_s,
            offered_per_s: 350.1,
            goodput_per_s: good,
            error_share: errors,
            wrongly_allowed: 0,
            attempts_per_operation: Some(attempts),
            probes_per_operation: Some(probes),
            saturation: Some(busy),
            zombie_share: Some(0.0),
            detached_share: Some(0.0),
            cold_share: Some(0.0),
            queue_depth: QueueDepth {
                mean: Some(mean),
                max: Some(max),
            },
            queue_wait_ms: latency(Some(mean * 2.4 + 1.0)),
            response_ms: latency(p99),
            service_ms: latency(Some(61.0)),
            machine_busy: Some(if busy > 0.9 { 0.561 } else { 0.312 }),
        },
    )
    .into()
}

fn latency(p99: Option<f64>) -> Latency {
    Latency {
        count: p99.map_or(0, |_| 5_000),
        p50: p99.map(|p99| p99 / 3.0),
        p90: p99.map(|p99| p99 / 1.5),
        p99,
        p999: p99.map(|p99| p99 * 1.2),
        max: p99.map(|p99| p99 * 1.4),
    }
}
