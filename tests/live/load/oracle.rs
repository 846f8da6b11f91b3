//! Figures that something else knows: sorted arrays, sums, the exact count.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::channel;
use std::time::Duration;

use super::station::Station;
use crate::plan::{ms, plan};
use crate::server::{ScriptedAnswer, Server, Then};
use crate::told::{run, setup};
use threadbare::load::{Generator, Update};
use threadbare::model::{ArrivalProcess, SourceName};
use threadbare::record::{Backend, Header, Histogram, Measure, Observer as _, Tally};
use threadbare::units::Nanos;

/// p50 to p99.99, in ten-thousandths.
const QUANTILES: [usize; 7] = [5_000, 7_500, 9_000, 9_500, 9_900, 9_990, 9_999];

/// The value at or below which that share of all values lies, straight from the
/// definition; and what a histogram says of it.
fn both(sorted: &[u64], histogram: &Histogram, quantile: usize) -> (u64, u64) {
    let rank = (sorted.len() * quantile).div_ceil(10_000);
    let told = histogram.quantile(quantile as f64 / 1e4).unwrap();
    (sorted[rank - 1], told.0)
}

/// Constant, bimodal, and the stays at a single-file queue: p50 to p99.99.
#[test]
fn quantiles_are_those_of_the_sorted_values() {
    let constant: Vec<u64> = vec![5_000_000; 100_000];
    let bimodal: Vec<u64> = (0..100_000)
        .map(|index| if index % 10 == 0 { 150_000_000 } else { 2_000_000 } + index * 13)
        .collect();
    // Lindley's recursion: gaps of 10 ms, services between 1 and 18.9 ms.
    let mut backlog = 0_u64;
    let queued: Vec<u64> = (0..100_000_u64)
        .map(|index| {
            let service = 1_000_000 + index * 7_919 % 180 * 100_000;
            backlog = backlog.saturating_sub(10_000_000) + service;
            backlog
        })
        .collect();
    for mut values in [constant, bimodal, queued] {
        let mut histogram = Histogram::new();
        for value in &values {
            histogram.record(Nanos(*value));
        }
        values.sort_unstable();
        for quantile in QUANTILES {
            let (exact, told) = both(&values, &histogram, quantile);
            // The upper end of the value's bucket, which is 0.1 % wide.
            let ratio = told as f64 / exact as f64;
            assert!((1.0..=1.001).contains(&ratio), "{quantile}: {told} {exact}");
        }
    }
}

/// Each service time holds the server's own stay, so each quantile is at least
/// the one of the stays, exactly; and the way there and back adds little.
#[test]
fn service_times_are_what_the_server_took() {
    type Service = fn(u64) -> Duration;
    let cases: [(&str, u32, Service); 3] = [
        ("constant", 64, |_| Duration::from_millis(20)),
        ("bimodal", 64, |index| {
            Duration::from_millis(if index % 10 == 7 { 120 } else { 20 })
        }),
        ("two workers", 2, |_| Duration::from_millis(8)),
    ];
    for (name, workers, service) in cases {
        let station = Arc::new(Station::new(workers));
        let index = AtomicU64::new(0);
        let server = Server::start({
            let station = Arc::clone(&station);
            move |_| {
                station.visit(|| service(index.fetch_add(1, Ordering::Relaxed)));
                ScriptedAnswer::status(200)
            }
        });
        let mut plan = plan(200.0, ms(2_000));
        plan.load.process = ArrivalProcess::Poisson;
        let told = run(&plan, server.address());
        let measured = told.histogram("user", Measure::Service);
        let stays = station.stays();
        assert_eq!(measured.count(), stays.len() as u64);
        for quantile in QUANTILES {
            let (took, told) = both(&stays, &measured, quantile);
            assert!(told >= took, "{name} {quantile}: {told} {took}");
        }
        let (took, told) = both(&stays, &measured, 5_000);
        let median = told as f64 / took as f64;
        assert!(median < 1.25, "{name}: {median}");
    }
}

/// The sum of all intervals' and threads' histograms is the whole run's, bucket by bucket.
#[test]
fn intervals_and_threads_add_up_to_the_whole_run() {
    let server = Server::start(|request| {
        ScriptedAnswer::status(200).after(Duration::from_micros(37 * (request.index as u64 % 50)))
    });
    let mut plan = plan(600.0, ms(1_000));
    plan.load.process = ArrivalProcess::Poisson;
    plan.load.drive.threads = 3;
    let (updates, receiver) = channel();
    let generator = Generator::start(&setup(&plan, server.address()), move |update| {
        let _ = updates.send(update);
    });
    generator.unwrap().join().unwrap();
    let mut tally = Tally::new(&plan);
    // Summed by value, without the histogram's own merging.
    let mut sums: BTreeMap<(SourceName, Measure), BTreeMap<Nanos, u64>> = BTreeMap::new();
    let mut parts = 0;
    for update in receiver {
        let Update::Sample(sample) = update else {
            continue;
        };
        for (measure, histogram) in &sample.histograms {
            parts += usize::from(*measure == Measure::Response && !histogram.is_empty());
            let sum = sums.entry((sample.source.clone(), *measure)).or_default();
            for (value, count) in histogram.buckets() {
                *sum.entry(value).or_default() += count;
            }
        }
        tally.sample(&sample);
    }
    assert!(
        parts > 20,
        "{parts} histograms of three threads in ten intervals"
    );
    let whole = tally.into_records(Header::new(plan, Backend::Live)).whole;
    for ((source, measure), sum) in sums {
        let histogram = whole
            .samples
            .iter()
            .filter(|sample| sample.source == source)
            .find_map(|sample| sample.histogram(measure).cloned())
            .unwrap();
        assert!(
            histogram.buckets().into_iter().eq(sum),
            "{source} {measure:?}"
        );
    }
}

/// Whatever goes wrong, and all of it at once: each operation and attempt ends
/// once and is counted (`GeneratorRecord::gather` checks it in every bucket and at every edge).
#[test]
fn every_fault_at_once_is_accounted_for() {
    let index = AtomicU64::new(0);
    let server = Server::start(move |_| {
        let ok = ScriptedAnswer::status(200);
        match index.fetch_add(1, Ordering::Relaxed) % 9 {
            0 => ok.after(Duration::from_millis(90)),
            1 => ScriptedAnswer::never(),
            2 => ScriptedAnswer::text("").then(Then::Close),
            3 => ScriptedAnswer::text("HTTP/1.1 200 OK\r\ncontent-le").then(Then::Close),
            4 => ScriptedAnswer::text("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhal")
                .then(Then::Hang),
            5 => ScriptedAnswer::text("SSH-2.0-OpenSSH_9.6\r\n"),
            6 => ScriptedAnswer::status(503).then(Then::Close),
            7 => ok.byte_by_byte(),
            _ => ok,
        }
    });
    let mut plan = plan(300.0, ms(1_500));
    plan.drain = ms(100);
    plan.load.connections = 6;
    plan.load.backlog = 8;
    plan.load.client.timeout = ms(60);
    plan.load.client.deadline = Some(ms(100));
    plan.load.client.retries = 1;
    let told = run(&plan, server.address());
    let all = &told.operations;
    assert_eq!(all.scheduled, 450);
    // The control: nothing of this was spared.
    for (way, count) in [
        ("succeeded", all.succeeded),
        ("connection", all.failed_connection),
        ("shed", all.shed),
        ("missed deadline", all.missed_deadline),
        ("timeouts", told.user.timeouts),
        ("5xx", told.user.status_5xx),
        ("retries", told.user.retries),
        ("not HTTP", told.user.protocol_errors),
        ("broken", told.user.connection_errors),
    ] {
        assert!(count > 0, "no {way}: {all:?}");
    }
}
