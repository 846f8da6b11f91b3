//! A made-up record that resembles the founding incident, which the
//! formats are judged on. It is no measurement of anything.

#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "counts of a made-up record are small and positive"
)]

mod story;

use std::collections::BTreeMap;
use std::sync::LazyLock;

use threadbare::analysis::Findings;
use threadbare::model::SourceName;
use threadbare::record::{
    AttemptCounters, Backend, Counters, FORMAT, GeneratorCounters, Header, Histogram,
    InstanceCounters, MachineCounters, MachineFacts, Measure, OperationCounters, Record, Sample,
};
use threadbare::units::Nanos;

pub(crate) use story::plan;

pub(crate) const SECONDS: u64 = 140;
const INSTANCES: u64 = 4;

/// The record.
pub(crate) fn record() -> Record {
    static RECORD: LazyLock<Record> = LazyLock::new(made_up);
    RECORD.clone()
}

fn made_up() -> Record {
    let mut samples = Vec::new();
    let mut noise = Noise(7);
    let mut queue = 0.0;
    for second in 0..SECONDS + 3 {
        let state = Second::at(second, &mut queue, &mut noise);
        samples.extend(state.samples(second, &mut noise));
    }
    enqueue(&mut samples);
    Record {
        header: Header {
            format: FORMAT,
            version: "0.1.0".into(),
            backend: Backend::Live,
            started_wall_ms: 1_767_225_600_000,
            machine: machine(),
            command: "threadbare run founding.toml --set load.rate=350/s --seed 1".into(),
            plan: plan(),
        },
        events: story::events(),
        samples: samples.into(),
        merged_to: None,
    }
}

/// Jobs come and go as the jobs waiting demand, so that they add up.
fn enqueue(samples: &mut [Sample]) {
    /// Jobs an instance serves in a second, at least.
    const SERVED: u64 = 60;
    let mut waited: BTreeMap<SourceName, u64> = BTreeMap::new();
    for sample in samples {
        if let Counters::Instance(counters) = &mut sample.counters {
            let before = waited
                .insert(sample.source.clone(), counters.waiting)
                .unwrap_or(0);
            counters.enqueued = SERVED + counters.waiting.saturating_sub(before);
            counters.finished = SERVED + before.saturating_sub(counters.waiting);
        }
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
struct Second {
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

impl Second {
    #[expect(clippy::too_many_lines, reason = "a table of stretches of time")]
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
                    scheduled: offered,
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
            source: SourceName::Instance(u32::try_from(index).unwrap() + 1),
            counters: Counters::Instance(InstanceCounters {
                workers: 4,
                worker_ns: whole(workers),
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

/// What the analysis finds in the record.
pub(crate) fn findings() -> Findings {
    threadbare::analysis::findings(&record())
}
