//! What reading a record takes in memory. A limit of the kernel on what a process may
//! allocate stands for the measurement: who needs more does not come to its end.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use flate2::Compression;
use flate2::write::ZlibEncoder;
use tempfile::TempDir;
use threadbare::model::FleetSpec;
use threadbare::plan::Plan;
use threadbare::record::{
    AttemptCounters, Backend, Counters, Event, GaugeCounters, GeneratorCounters, Header, Histogram,
    MachineCounters, Measure, OperationCounters, ProcessCounters, Recorder, Sample, StopCause,
};
use threadbare::units::Nanos;

/// Buckets of a day, a second each.
const DAY: u64 = 86_400;

/// Reports a run by a process that may allocate so much.
fn report_within(mebibytes: u64, directory: &Path) -> Output {
    let script = format!("ulimit -d {}; exec \"$@\"", mebibytes * 1024);
    let mut shell = Command::new("sh");
    shell.args(["-c", &script, "sh", env!("CARGO_BIN_EXE_threadbare")]);
    shell.args(["report", "--quiet"]).arg(directory);
    shell.output().unwrap()
}

/// Durations that are spread as those of a real service: a hundred distinct ones a second.
fn durations(seed: u64, count: u64) -> Histogram {
    let mut histogram = Histogram::small();
    for index in 0..count {
        let noise = (seed * count + index).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 44;
        histogram.record(Nanos(1_000_000 + 8 * noise));
    }
    histogram
}

/// What the sources of a load on a user's service count in a second, as `load` has it.
fn second(index: u64) -> Vec<Sample> {
    let operations = OperationCounters {
        scheduled: 100,
        succeeded: 99,
        failed_server_error: 1,
        first_failed_min: index + 1,
        ..OperationCounters::default()
    };
    let users = AttemptCounters {
        first_tries: 100,
        retries: 3,
        responses: 103,
        status_2xx: 99,
        status_5xx: 4,
        status_503: 4,
        ended_well: 99,
        ended_badly: 1,
        ..AttemptCounters::default()
    };
    let generator = GeneratorCounters {
        threads: 1,
        cpu_ns: 9_000_000 + index,
        scheduled: 100,
        sent_bytes: 10_300 + index,
        received_bytes: 90_000 + index,
        connections_open: 8,
        ..GeneratorCounters::default()
    };
    let machine = MachineCounters {
        total_ns: 4_000_000_000,
        busy_ns: 900_000_000 + index,
        steal_ns: 1 + index,
    };
    let gauges = GaugeCounters {
        readings: 1,
        busy_readings: 1,
        busy_milli: 4000,
        busy_milli_max: 4000,
        workers_readings: 1,
        workers_milli: 8000,
        ..GaugeCounters::default()
    };
    let process = ProcessCounters {
        readings: 1,
        covered_ns: 1_000_000_000,
        cpu_ns: 300_000_000 + index,
        processes: 1,
        threads: 9,
        threads_max: 9,
        memory_bytes: 90_000_000 + index,
        memory_bytes_max: 90_000_000 + index,
        ..ProcessCounters::default()
    };
    let times = |measure, count| (measure, durations(index, count));
    let sample = |source: &str, counters, histograms| Sample {
        from: Nanos::from_secs(index),
        to: Nanos::from_secs(index + 1),
        source: source.into(),
        counters,
        histograms,
    };
    let response = vec![times(Measure::Response, 99)];
    let attempts = vec![
        times(Measure::Service, 103),
        times(Measure::SendLag, 100),
        times(Measure::PoolWait, 100),
    ];
    vec![
        sample("user", Counters::Operations(operations), response),
        sample("user", Counters::Attempts(users), attempts),
        sample("generator", Counters::Generator(generator), Vec::new()),
        sample("machine", Counters::Machine(machine), Vec::new()),
        sample("app", Counters::Gauges(gauges), Vec::new()),
        sample("app", Counters::Process(process), Vec::new()),
    ]
}

/// The record of a run of so many seconds.
fn recorded(seconds: u64) -> (TempDir, std::path::PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let directory = folder.path().join("run");
    let plan = Plan {
        scenario: "long".into(),
        end: Nanos::from_secs(seconds),
        drain: Nanos::from_secs(1),
        interval: Nanos::from_secs(1),
        fleet: Some(FleetSpec::default()),
        ..Plan::default()
    };
    let mut recorder = Recorder::create(&directory, &Header::new(plan, Backend::Live)).unwrap();
    recorder.event(Nanos::ZERO, &Event::LoadStarted).unwrap();
    for index in 0..seconds {
        for sample in second(index) {
            recorder.sample(&sample).unwrap();
        }
    }
    recorder
        .event(Nanos::from_secs(seconds), &Event::LoadEnded)
        .unwrap();
    let ended = Event::RunEnded {
        cause: StopCause::Completed,
    };
    recorder
        .event(Nanos::from_secs(seconds + 1), &ended)
        .unwrap();
    recorder.flush().unwrap();
    (folder, directory)
}

#[test]
fn a_line_that_claims_gigabytes_costs_nothing() {
    let (_folder, directory) = recorded(3);
    // A histogram of HdrHistogram's V2 encoding whose counts are said to take 4.2 GB.
    let mut plain = Vec::new();
    plain.extend(0x1c84_9303_u32.to_be_bytes());
    plain.extend(u32::MAX.to_be_bytes());
    plain.extend(0_u32.to_be_bytes());
    plain.extend(3_u32.to_be_bytes());
    plain.extend(1_u64.to_be_bytes());
    plain.extend(3_600_000_000_000_u64.to_be_bytes());
    plain.extend(1.0_f64.to_be_bytes());
    let mut bombs = vec![plain.clone()];
    // One of many digits, whose array would be large, and one that inflates without end.
    plain[12..16].copy_from_slice(&5_u32.to_be_bytes());
    bombs.push(plain.clone());
    plain.resize(64 << 20, 0);
    bombs.push(plain);
    let mut log = OpenOptions::new()
        .append(true)
        .open(directory.join("latency.hlog"))
        .unwrap();
    for bomb in bombs {
        let mut deflated = ZlibEncoder::new(Vec::new(), Compression::best());
        deflated.write_all(&bomb).unwrap();
        let deflated = deflated.finish().unwrap();
        let mut encoded = 0x1c84_9314_u32.to_be_bytes().to_vec();
        encoded.extend(u32::try_from(deflated.len()).unwrap().to_be_bytes());
        encoded.extend(deflated);
        let encoded = BASE64_STANDARD.encode(encoded);
        writeln!(
            log,
            "Tag=operations:user:response,2.000,1.000,1.000,{encoded}"
        )
        .unwrap();
    }
    let output = report_within(80, &directory);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let page = fs::read_to_string(directory.join("report.html")).unwrap();
    assert!(page.contains("3 of the lines of latency.hlog are damaged"));
}

#[test]
fn a_line_without_end_costs_nothing() {
    let (_folder, directory) = recorded(3);
    for name in ["journal.jsonl", "series.csv", "latency.hlog"] {
        let file = OpenOptions::new()
            .write(true)
            .open(directory.join(name))
            .unwrap();
        let length = file.metadata().unwrap().len();
        file.set_len(length + (400 << 20)).unwrap(); // zeros that take no room on the disk
        let mut file = OpenOptions::new()
            .append(true)
            .open(directory.join(name))
            .unwrap();
        file.write_all(b"\n").unwrap();
    }
    let output = report_within(80, &directory);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
}

/// An hour: what it takes grows with the run by a small part.
#[test]
fn a_run_of_an_hour_is_reported_in_little_memory() {
    let (_folder, directory) = recorded(DAY / 24);
    let output = report_within(60, &directory);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let page = fs::read_to_string(directory.join("report.html")).unwrap();
    assert!(page.contains("Each point stands for 2s."));
    assert!(page.len() < 3_000_000, "{}", page.len());
}

#[test]
#[ignore = "takes minutes: ./test --long"]
fn a_run_of_a_day_is_reported_in_less_than_300_megabytes() {
    let (_folder, directory) = recorded(DAY);
    let length = |name| fs::metadata(directory.join(name)).unwrap().len();
    assert!(length("series.csv") > 100_000_000);
    let output = report_within(280, &directory);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
}
