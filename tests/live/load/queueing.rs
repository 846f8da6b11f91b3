//! Mean waits against queueing theory, and Little's law.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rand::distr::Distribution as _;
use rand_distr::Exp1;

use super::station::Station;
use crate::plan::{ms, plan};
use crate::server::{ScriptedAnswer, Server};
use crate::told::{GeneratorRecord, run};
use threadbare::model::{ArrivalProcess, Arrivals};
use threadbare::plan::Plan;
use threadbare::record::Measure;
use threadbare::rng::{self, StdRng};
use threadbare::units::Nanos;

const WORKERS: u32 = 4;
/// Operations per second; 4 workers of 5 ms serve 800.
const RATE: f64 = 600.0;
const SERVICE: Duration = Duration::from_millis(5);
/// Stretches of 400 ms in a live run, some six times as long as the queue
/// remembers, which is 1 / (workers · μ · (1 − √ρ)²) = 70 ms; the first is warm-up.
const BATCHES: u64 = 21;
/// Student's t for 20 batches, 19 degrees of freedom, at 99.9 %: a true figure
/// is refused once in a thousand seeds.
const STUDENT: f64 = 3.883;

/// Erlang C: the mean wait for one of `workers` who take `service` seconds on
/// average, exponentially distributed.
fn mean_wait(workers: u32, rate: f64, service: f64) -> f64 {
    let load = rate * service;
    let mut term = 1.0; // a^k / k!
    let mut sum = 0.0;
    for k in 0..workers {
        sum += term;
        term *= load / f64::from(k + 1);
    }
    let last = term / (1.0 - load / f64::from(workers));
    last / (sum + last) / (f64::from(workers) / service - rate)
}

/// What the wait is multiplied with where every service takes the same time
/// (Cosmetatos, Oper. Res. Quarterly 26, 1975; within 1 % for these workers).
fn even_service(workers: u32, rate: f64, service: f64) -> f64 {
    let c = f64::from(workers);
    let busy = rate * service / c;
    let more = (1.0 - busy) * (c - 1.0) * ((4.0 + 5.0 * c).sqrt() - 2.0) / (16.0 * busy * c);
    0.5 * (1.0 + more)
}

/// The mean of batch means, with the half-width of its confidence interval.
fn confidence(batches: &[f64]) -> (f64, f64) {
    assert_eq!(batches.len() as u64, BATCHES - 1);
    let n = batches.len() as f64;
    let mean = batches.iter().sum::<f64>() / n;
    let squares: f64 = batches.iter().map(|value| (value - mean).powi(2)).sum();
    (mean, STUDENT * (squares / (n - 1.0) / n).sqrt())
}

/// The mean response time of each batch of a plan's operations but the first,
/// in seconds, at workers who need no time but their service's.
fn ideal(plan: &Plan, mut service: impl FnMut() -> f64) -> Vec<f64> {
    let stream = rng::stream(plan.seed, "arrivals");
    let load = &plan.load;
    // When each worker will be free, the earliest first (Kiefer and Wolfowitz, 1955).
    let mut free = [0.0_f64; WORKERS as usize];
    let mut batches: BTreeMap<u64, (f64, f64)> = BTreeMap::new();
    for at in Arrivals::new(load.process, &load.rate, plan.end, stream) {
        let came = at.as_secs_f64();
        let left = free[0].max(came) + service();
        free[0] = left;
        free.sort_by(f64::total_cmp);
        let (sum, count) = batches.entry(at.0 / plan.interval.0).or_default();
        *sum += left - came;
        *count += 1.0;
    }
    let means = batches.into_values().map(|(sum, count)| sum / count);
    means.skip(1).collect()
}

/// The same, as the generator measured it.
fn measured(told: &GeneratorRecord) -> Vec<f64> {
    let samples = told.samples.iter().filter(|sample| sample.from > ms(0));
    let mut means: Vec<(Nanos, f64)> = samples
        .filter_map(|sample| {
            let mean = sample.histogram(Measure::Response)?.mean()?;
            Some((sample.from, mean.as_secs_f64()))
        })
        .collect();
    means.sort_by_key(|(from, _)| *from);
    means.into_iter().map(|(_, mean)| mean).collect()
}

/// How long a request's service takes, drawn from a stream of its own.
type Services = fn(&mut StdRng) -> Duration;

fn exponential(rng: &mut StdRng) -> Duration {
    let draw: f64 = Exp1.sample(rng);
    SERVICE.mul_f64(draw)
}

fn even(_: &mut StdRng) -> Duration {
    SERVICE
}

fn poisson(batch: Nanos) -> Plan {
    let mut plan = plan(RATE, batch * BATCHES);
    plan.interval = batch;
    plan.load.process = ArrivalProcess::Poisson;
    plan
}

/// The generator's arrivals at so many real workers.
fn visited(plan: &Plan, workers: u32, services: Services) -> (Arc<Station>, GeneratorRecord) {
    let station = Arc::new(Station::new(workers));
    let draws = Mutex::new(rng::stream(1, "service"));
    let server = Server::start({
        let station = Arc::clone(&station);
        move |_| {
            station.visit(|| services(&mut draws.lock().unwrap()));
            ScriptedAnswer::status(200)
        }
    });
    let told = run(plan, server.address());
    assert_eq!(told.operations.succeeded, told.operations.scheduled);
    (station, told)
}

/// The median of 20 batches between the third from below and the third from
/// above, which hold it with a probability of 99.96 %, however the batches are
/// spread (binomial): a machine that stalls for one of them decides nothing.
fn middle(mut batches: Vec<f64>) -> [f64; 3] {
    assert_eq!(batches.len() as u64, BATCHES - 1);
    batches.sort_by(f64::total_cmp);
    [2, 10, 17].map(|rank| batches[rank])
}

/// The generator measures the mean response time that theory tells.
///
/// A run of seconds is a sample, and its arrivals and services are known from
/// their seeds; so how far the same sample strays from theory at ideal workers
/// is known as well, and taken away (a control variate, whose own mean is
/// theory's: `the_arrivals_alone_wait_as_theory_says`). What is left is what the
/// run adds: chance, which the spread of the batches tells, and the way there
/// and back, between nothing and twice that of a run in which nobody waits and
/// fewer threads wake each other.
fn agrees_with_theory(services: Services, factor: impl Fn(u32, f64) -> f64) {
    let calibration = poisson(ms(80));
    let (alone, told) = visited(&calibration, 64, even);
    let taken = SERVICE.as_secs_f64() + alone.overrun(calibration.interval.to_duration());
    let ways = measured(&told).into_iter().map(|mean| mean - taken);
    let [_, _, way] = middle(ways.collect());

    let plan = poisson(ms(400));
    let (station, told) = visited(&plan, WORKERS, services);
    // Real workers sleep a little longer than they mean to.
    let overrun = station.overrun(plan.interval.to_duration());
    let mut draws = rng::stream(1, "service");
    let sample = ideal(&plan, || services(&mut draws).as_secs_f64() + overrun);
    let pairs = measured(&told).into_iter().zip(sample);
    let [least, more, most] = middle(pairs.map(|(measured, ideal)| measured - ideal).collect());

    let service = SERVICE.as_secs_f64() + overrun;
    let theory = |workers| service + factor(workers, service) * mean_wait(workers, RATE, service);
    let measured = [least - 2.0 * way, more - way, most].map(|more| theory(WORKERS) + more);
    let shown = format!(
        "measured {:.3?} ms, theory {:.3}, with a worker more {:.3}; service {:.3}, way {:.3}",
        measured.map(|seconds| seconds * 1e3),
        theory(WORKERS) * 1e3,
        theory(WORKERS + 1) * 1e3,
        service * 1e3,
        way * 1e3,
    );
    println!("{shown}");
    let holds = |seconds| (measured[0]..=measured[2]).contains(&seconds);
    assert!(holds(theory(WORKERS)), "{shown}");
    // The control: the interval is narrow enough to tell four workers from five.
    assert!(!holds(theory(WORKERS + 1)), "{shown}");
    keeps_littles_law(&station, &told);
}

/// L = λW, each side told by another: the server's stays, the client's response times.
fn keeps_littles_law(station: &Station, told: &GeneratorRecord) {
    let response = told.histogram("user", Measure::Response);
    let waited = response.mean().unwrap().as_secs_f64() * response.count() as f64;
    let there = station.occupancy();
    // A response holds the stay, so it is longer (the histogram: exact to
    // 0.1 %), by the way there and back: less than a tenth of these stays.
    let ratio = waited / there;
    assert!((0.999..1.1).contains(&ratio), "{waited} s, {there} s");
}

#[test]
fn exponential_services_wait_as_erlang_says() {
    agrees_with_theory(exponential, |_, _| 1.0);
}

#[test]
fn even_services_wait_about_half_as_long() {
    agrees_with_theory(even, |workers, service| {
        even_service(workers, RATE, service)
    });
}

/// The generator's arrivals at ideal workers, for more than an hour of them.
#[test]
fn the_arrivals_alone_wait_as_theory_says() {
    let plan = poisson(Nanos::from_secs(300));
    let service = SERVICE.as_secs_f64();
    let wait = mean_wait(WORKERS, RATE, service);
    for (services, wait) in [
        (exponential as Services, wait),
        (even, wait * even_service(WORKERS, RATE, service)),
    ] {
        let mut draws = rng::stream(1, "service");
        let (mean, half) = confidence(&ideal(&plan, || services(&mut draws).as_secs_f64()));
        let shown = format!("{mean} s ± {half}, theory {}", service + wait);
        assert!((mean - service - wait).abs() < half, "{shown}");
        assert!(half < 0.05 * wait, "too wide to prove anything: {shown}");
    }
}

#[test]
fn the_formulas_are_the_published_ones() {
    // C(4, 3) = 27/53; M/M/1: ρ / (μ − λ); M/D/1: half of it.
    assert!((mean_wait(4, 3.0, 1.0) - 27.0 / 53.0).abs() < 1e-9);
    assert!((mean_wait(1, 0.5, 1.0) - 1.0).abs() < 1e-12);
    assert!((even_service(1, 0.5, 1.0) - 0.5).abs() < 1e-12);
}
