//! When requests come, by the server's clock; and what another generator measures.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use crate::plan::{ms, plan};
use crate::server::{ScriptedAnswer, Server};
use crate::told::{GeneratorRecord, setup, start};
use threadbare::clock::Clock;
use threadbare::model::{ArrivalProcess, Arrivals};
use threadbare::plan::{Pacing, Plan};
use threadbare::record::Measure;
use threadbare::rng;
use threadbare::units::Nanos;

/// When a server that answers at once saw the requests of a plan, by the
/// generator's own clock, and when they were to start.
fn seen(plan: &Plan) -> (Vec<Nanos>, Vec<Nanos>) {
    let log = Arc::new(Mutex::new(Vec::new()));
    let clock = Clock::start_in(ms(50));
    let server = Server::start({
        let log = Arc::clone(&log);
        move |_| {
            let now = clock.now();
            log.lock().unwrap().push(now);
            ScriptedAnswer::status(200)
        }
    });
    let (updates, receiver) = std::sync::mpsc::channel();
    let mut setup = setup(plan, server.address());
    setup.clock = clock;
    let generator = start(&setup, updates);
    let told = GeneratorRecord::gather(plan, &receiver);
    generator.join().unwrap();
    assert_eq!(told.operations.succeeded, told.operations.scheduled);
    let stream = rng::stream(plan.seed, "arrivals");
    let load = &plan.load;
    let intended = Arrivals::new(load.process, &load.rate, plan.end, stream).collect();
    let mut seen = log.lock().unwrap().clone();
    seen.sort_unstable();
    (seen, intended)
}

/// Distance of the gaps from an exponential distribution, times √n: above 1.63
/// they are none, at the 1 % level (Massey, JASA 46, 1951).
fn distance(at: &[Nanos], rate: f64) -> f64 {
    let mut gaps: Vec<f64> = at
        .windows(2)
        .map(|pair| (pair[1] - pair[0]).as_secs_f64())
        .collect();
    gaps.sort_by(f64::total_cmp);
    let n = gaps.len() as f64;
    let distances = gaps.iter().enumerate().map(|(index, gap)| {
        let expected = 1.0 - (-rate * gap).exp();
        let (below, above) = (index as f64 / n, (index + 1) as f64 / n);
        (expected - below).abs().max((expected - above).abs())
    });
    distances.fold(0.0, f64::max) * n.sqrt()
}

#[test]
fn the_server_sees_poisson_arrivals() {
    let mut plan = plan(200.0, ms(5_000));
    plan.load.process = ArrivalProcess::Poisson;
    let (at, _) = seen(&plan);
    assert!(
        at.len() > 900 && distance(&at, 200.0) < 1.63,
        "{}",
        distance(&at, 200.0)
    );
    // The control: even gaps are not.
    plan.load.process = ArrivalProcess::Constant;
    let (at, _) = seen(&plan);
    assert!(distance(&at, 200.0) > 1.63, "{}", distance(&at, 200.0));
}

/// Nothing comes before its intended start, and what comes comes in time: by
/// each instant the server has seen no more than was due, and 99 of 100 within
/// the lag past which a run would be invalid.
#[test]
fn at_a_high_rate_the_server_sees_the_right_count() {
    let (at, intended) = seen(&plan(4_000.0, ms(2_000)));
    assert_eq!(at.len(), intended.len());
    let mut late: Vec<Nanos> = at
        .iter()
        .zip(&intended)
        .map(|(seen, intended)| {
            assert!(seen >= intended, "{seen} {intended}");
            *seen - *intended
        })
        .collect();
    late.sort_unstable();
    let p99 = late[late.len() * 99 / 100];
    assert!(p99 < ms(20), "{p99}");
}

/// Another generator, which shares nothing with ours: one thread that blocks
/// on one connection, sends each `gap` and spins for the last half millisecond.
/// It answers with its response times, sorted.
fn other_generator(address: SocketAddr, gap: Duration, count: u32) -> Vec<Duration> {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_nodelay(true).unwrap();
    let request = format!("GET / HTTP/1.1\r\nhost: {address}\r\n\r\n");
    let mut buffer = [0; 4096];
    let start = Instant::now() + Duration::from_millis(20);
    let mut took: Vec<Duration> = (0..count)
        .map(|index| {
            let intended = start + gap * index;
            let ahead = intended.saturating_duration_since(Instant::now());
            thread::sleep(ahead.saturating_sub(Duration::from_micros(500)));
            while Instant::now() < intended {
                std::hint::spin_loop();
            }
            stream.write_all(request.as_bytes()).unwrap();
            let mut answer = Vec::new();
            // The server's answers end so.
            while !answer.ends_with(b"Hello, world!") {
                let length = stream.read(&mut buffer).unwrap();
                assert!(length > 0, "the server has closed");
                answer.extend_from_slice(&buffer[..length]);
            }
            intended.elapsed()
        })
        .collect();
    took.sort_unstable();
    took
}

/// Both drive one server at the same time; 100 µs is twice what the kernel's
/// timers are late by default, which either may be and the server is.
#[test]
fn another_generator_measures_the_same() {
    let server = Server::start(|_| ScriptedAnswer::status(200).after(Duration::from_millis(3)));
    let address = server.address();
    let mut plan = plan(100.0, ms(5_000));
    plan.load.drive.pacing = Pacing::Precise;
    let (updates, receiver) = std::sync::mpsc::channel();
    let generator = start(&setup(&plan, address), updates);
    // 10.1 ms and 10 ms: the two drift through each other and do not march in step.
    let theirs = other_generator(address, Duration::from_micros(10_100), 490);
    let told = GeneratorRecord::gather(&plan, &receiver);
    generator.join().unwrap();
    let theirs = Nanos(u64::try_from(theirs[theirs.len() / 2].as_nanos()).unwrap());
    let ours = told
        .histogram("user", Measure::Response)
        .quantile(0.5)
        .unwrap();
    let apart = Nanos(ours.0.abs_diff(theirs.0));
    println!("p50: ours {ours}, the other's {theirs}");
    assert!(
        apart < Nanos::from_micros(100),
        "ours {ours}, the other's {theirs}"
    );
}
