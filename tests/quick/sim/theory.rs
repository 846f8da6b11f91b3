//! Waits, blocking and throughput against the formulas of queueing theory.
//!
//! A run of virtual hours is cut into batches, each some fifty times as long as
//! the queue remembers, so that their means are near to independent; their
//! spread gives the confidence interval of the mean (batch means; Law, *Simulation
//! Modeling and Analysis*, 5th ed., section 9.5.3). An interval at 99.9 % refuses a
//! true figure once in a thousand seeds, and the seeds are fixed.

use super::carried_out::{carried_out, instances};
use crate::plan::plan;
use threadbare::model::ArrivalProcess;
use threadbare::plan::Plan;
use threadbare::record::{InstanceCounters, Measure, Record};
use threadbare::units::Nanos;

/// Batches of a run, the first of which is warm-up.
const BATCHES: u16 = 31;
/// Student's t for 30 batches, 29 degrees of freedom, at 99.9 %.
const STUDENT: f64 = 3.659;
/// Seconds that a service takes on average.
const SERVICE: f64 = 0.005;
/// Shares of what the workers can carry.
const LOADS: [f64; 6] = [0.3, 0.5, 0.7, 0.8, 0.9, 0.95];

/// A fleet of one instance whose `workers` take as long as `database` says, and
/// Poisson arrivals that keep them busy for this share of their time.
fn station(workers: u32, queue: &str, database: &str, busy: f64) -> Plan {
    let rate = busy * f64::from(workers) / SERVICE;
    // How long the queue remembers: 1 / (c·μ·(1 − √ρ)²), where that is less than 1.
    let served = f64::from(workers) / SERVICE;
    let root = busy.min(0.95).sqrt();
    let memory = 1.0 / (served * (1.0 - root).powi(2));
    // And at least so long that twenty thousand come in each.
    let batch = Nanos::from_secs_f64((memory * 50.0).max(20_000.0 / rate).ceil());
    let mut plan = plan(rate, batch * u64::from(BATCHES));
    plan.interval = batch;
    plan.load.process = ArrivalProcess::Poisson;
    plan.load.connections = 1_000_000;
    plan.load.client.timeout = Nanos::from_secs(3_600);
    plan.drain = Nanos::from_secs(60);
    let fleet = plan.fleet.as_mut().unwrap();
    fleet.workers = workers;
    fleet.queue = queue.parse().unwrap();
    fleet.database = database.parse().unwrap();
    fleet.identity.capacity = workers;
    plan
}

/// The mean of the batches and half of its confidence interval.
fn confidence(batches: &[f64]) -> (f64, f64) {
    let n = batches.len() as f64;
    assert!((n - 30.0).abs() < 0.5, "Student's t is that of 30 batches");
    let mean = batches.iter().sum::<f64>() / n;
    let squares: f64 = batches.iter().map(|batch| (batch - mean).powi(2)).sum();
    (mean, STUDENT * (squares / (n - 1.0) / n).sqrt())
}

/// What a figure of the instance comes to in each batch but the first.
fn batches(record: &Record, figure: impl Fn(&InstanceCounters) -> f64) -> Vec<f64> {
    let all = instances(record);
    let whole = all.iter().skip(1).take(usize::from(BATCHES) - 1);
    whole.map(|(_, counters)| figure(counters)).collect()
}

/// The mean wait of those who were served: by Little's law the integral of the
/// queue's depth over how many came, both of which are exact.
fn wait(counters: &InstanceCounters) -> f64 {
    counters.queue_depth_ns as f64 / 1e9 / counters.enqueued as f64
}

/// A figure agrees with theory, to what theory itself is known to; it is told
/// from what it would be with a worker more, so that the interval proves something.
fn agrees(what: &str, batches: &[f64], theory: f64, with_one_more: f64) {
    let (mean, half) = confidence(batches);
    let shown = format!("{what}: {mean:.6} ± {half:.6}, theory {theory:.6}");
    println!("{shown}");
    assert!((mean - theory).abs() <= half, "{shown}");
    assert!(
        (mean - with_one_more).abs() > half,
        "{shown}: nor is it told from {with_one_more:.6}"
    );
}

/// Erlang's C formula: the mean wait of M/M/c.
fn mmc(workers: u32, rate: f64) -> f64 {
    let load = rate * SERVICE;
    let mut term = 1.0; // a^k / k!
    let mut sum = 0.0;
    for k in 0..workers {
        sum += term;
        term *= load / f64::from(k + 1);
    }
    let last = term / (1.0 - load / f64::from(workers));
    last / (sum + last) / (f64::from(workers) / SERVICE - rate)
}

/// The mean wait of M/D/c (Crommelin, Post Office Electrical Engineers' Journal
/// 26, 1934), in the sum's usual form:
/// `Σ_i e^(−ia) [Σ_{j≥ic} (ia)^j/j! − (c/a) Σ_{j>ic} (ia)^j/j!]` services.
fn mdc(workers: u32, rate: f64) -> f64 {
    let load = rate * SERVICE;
    let c = f64::from(workers);
    let mut sum = 0.0;
    for i in 1..20_000_u32 {
        let mean = f64::from(i) * load;
        let first = u64::from(i) * u64::from(workers);
        // The Poisson probability of exactly `first`, by logarithms.
        let at = (first as f64 * mean.ln() - mean - log_factorial(first)).exp();
        let mut term = at;
        let mut tail = 0.0;
        for j in first + 1..first + 4_000 {
            term *= mean / j as f64;
            tail += term;
            if term < 1e-18 {
                break;
            }
        }
        let part = at + tail - c / load * tail;
        sum += part;
        if part.abs() < 1e-13 {
            break;
        }
    }
    sum * SERVICE
}

fn log_factorial(n: u64) -> f64 {
    (2..=n).map(|k| (k as f64).ln()).sum()
}

/// M/M/c/K: the share that is refused, and the mean wait of those who are not;
/// `waiting` may wait.
fn mmck(workers: u32, waiting: u32, rate: f64) -> (f64, f64) {
    let load = rate * SERVICE;
    let mut weights = vec![1.0];
    for n in 1..=workers + waiting {
        let before = weights[weights.len() - 1];
        weights.push(before * load / f64::from(n.min(workers)));
    }
    let all: f64 = weights.iter().sum();
    let refused = weights[weights.len() - 1] / all;
    let depth: f64 = weights
        .iter()
        .skip(workers as usize)
        .zip(0_u32..)
        .map(|(weight, depth)| weight / all * f64::from(depth))
        .sum();
    (refused, depth / (rate * (1.0 - refused)))
}

#[test]
fn exponential_services_wait_as_erlang_says() {
    for workers in [1, 4] {
        for busy in LOADS {
            let plan = station(workers, "unbounded", "exponential(mean 5ms)", busy);
            let rate = busy * f64::from(workers) / SERVICE;
            let waits = batches(&carried_out(&plan), wait);
            let what = format!("M/M/{workers} at {busy}");
            agrees(&what, &waits, mmc(workers, rate), mmc(workers + 1, rate));
        }
    }
}

#[test]
fn even_services_wait_as_crommelin_says() {
    for workers in [1, 4] {
        for busy in LOADS {
            let plan = station(workers, "unbounded", "constant(5ms)", busy);
            let rate = busy * f64::from(workers) / SERVICE;
            let waits = batches(&carried_out(&plan), wait);
            let what = format!("M/D/{workers} at {busy}");
            agrees(&what, &waits, mdc(workers, rate), mdc(workers + 1, rate));
        }
    }
}

#[test]
fn a_bounded_queue_refuses_and_serves_as_theory_says() {
    const WORKERS: u32 = 4;
    const WAITING: u32 = 6;
    for busy in [0.7, 0.8, 0.9, 0.95, 1.2] {
        let plan = station(WORKERS, "bounded(6)", "exponential(mean 5ms)", busy);
        let rate = busy * f64::from(WORKERS) / SERVICE;
        let record = carried_out(&plan);
        let (refused, waited) = mmck(WORKERS, WAITING, rate);
        let more = mmck(WORKERS + 1, WAITING, rate);
        let share = |counters: &InstanceCounters| {
            counters.rejected as f64 / (counters.rejected + counters.enqueued) as f64
        };
        let what = format!("M/M/4/10 at {busy}");
        let refusals = batches(&record, share);
        agrees(&format!("{what}, refused"), &refusals, refused, more.0);
        agrees(
            &format!("{what}, wait"),
            &batches(&record, wait),
            waited,
            more.1,
        );
        let seconds = plan.interval.as_secs_f64();
        let served = batches(&record, |it| it.finished as f64 / seconds);
        let throughput = rate * (1.0 - refused);
        agrees(
            &format!("{what}, throughput"),
            &served,
            throughput,
            throughput * (1.0 - 2.0 * refused.max(0.01)),
        );
    }
}

/// L = λW over a run that begins and ends empty, where it is an identity: the
/// integral of the depth is the sum of the waits. The waits come from a
/// histogram that is exact to 0.1 %; the queue itself is held to it exactly
/// where it is written.
#[test]
fn littles_law_holds_to_the_histograms_rounding() {
    let plan = station(4, "unbounded", "exponential(mean 5ms)", 0.9);
    let record = carried_out(&plan);
    let mut area = 0;
    let mut waits = 0.0;
    let mut count = 0;
    for (_, counters) in instances(&record) {
        area += counters.queue_depth_ns;
        count += counters.finished;
    }
    for sample in &record.samples {
        if let Some(waited) = sample.histogram(Measure::QueueWait) {
            waits += waited.mean().map_or(0.0, Nanos::as_secs_f64) * waited.count() as f64;
        }
    }
    assert!(count > 100_000);
    let ratio = waits / (area as f64 / 1e9);
    assert!((ratio - 1.0).abs() < 1e-3, "{ratio}");
}

#[test]
fn the_formulas_are_the_published_ones() {
    // C(4, 3) = 27/53; M/M/1: ρ / (μ − λ); M/D/1: half of it, by Pollaczek and Khinchine.
    assert!((mmc(4, 3.0 / SERVICE) / SERVICE - 27.0 / 53.0).abs() < 1e-9);
    assert!((mmc(1, 0.5 / SERVICE) / SERVICE - 1.0).abs() < 1e-12);
    for busy in LOADS {
        let exact = busy / (2.0 * (1.0 - busy));
        assert!((mdc(1, busy / SERVICE) / SERVICE - exact).abs() < 1e-6 * exact);
    }
    // M/M/1/1 loses a / (1 + a); with a long queue nobody is lost and Erlang's wait is left.
    assert!((mmck(1, 0, 1.0 / SERVICE).0 - 0.5).abs() < 1e-12);
    let (refused, waited) = mmck(4, 2_000, 3.0 / SERVICE);
    assert!(refused < 1e-12 && (waited / mmc(4, 3.0 / SERVICE) - 1.0).abs() < 1e-9);
}
