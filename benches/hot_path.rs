//! What the generator pays for each operation besides the kernel: drawing an
//! arrival and recording a latency. `cargo bench` prints medians of five rounds;
//! compare them within one run, since absolute times drift with the machine.
#![expect(clippy::unwrap_used, reason = "a bench fails by panicking")]

use std::hint::black_box;

use threadbare::clock::Clock;
use threadbare::model::{ArrivalProcess, Arrivals, Shape};
use threadbare::record::Histogram;
use threadbare::rng;
use threadbare::units::{Nanos, Rate};

const ROUNDS: usize = 5;
const ITEMS: u64 = 1_000_000;

fn main() {
    let rate = |value| Rate::per_second(value).unwrap();
    let constant = Shape::Constant(rate(30_000.0));
    let sine = Shape::Sine {
        mean: rate(30_000.0),
        amplitude: rate(20_000.0),
        period: Nanos::from_secs(30),
    };
    for (name, process, shape) in [
        ("constant arrival", ArrivalProcess::Constant, constant),
        ("poisson arrival", ArrivalProcess::Poisson, constant),
        ("arrival on a sine", ArrivalProcess::Constant, sine),
    ] {
        report(name, || {
            let pieces = [(Nanos::ZERO, shape)];
            let arrivals = Arrivals::new(process, &pieces, Nanos::MAX, rng::stream(1, "bench"));
            for at in arrivals.take(usize::try_from(ITEMS).unwrap()) {
                black_box(at);
            }
        });
    }
    let mut histogram = Histogram::new();
    report("histogram record", || {
        for item in 0..ITEMS {
            histogram.record(black_box(Nanos(item * 1_009)));
        }
    });
}

fn report(name: &str, mut round: impl FnMut()) {
    let mut times: Vec<u64> = (0..ROUNDS)
        .map(|_| {
            let clock = Clock::start();
            round();
            clock.now().0
        })
        .collect();
    times.sort_unstable();
    let nanos = times[ROUNDS / 2] as f64 / ITEMS as f64;
    println!("{name:<20} {nanos:>7.1} ns");
}
