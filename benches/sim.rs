//! Events a second of the simulator, without a record: `cargo bench --bench sim`.
#![allow(clippy::unwrap_used, reason = "a bench fails by panicking")]

use std::time::Instant;

use threadbare::record::{Event, Observer, Sample};
use threadbare::scenario::{self, Setting};
use threadbare::sim::{self, Bounds};
use threadbare::units::Nanos;

/// Keeps nothing.
struct Nobody;

impl Observer for Nobody {
    fn event(&mut self, _at: Nanos, _event: &Event) {}
    fn sample(&mut self, _sample: &Sample) {}
}

fn simulate(what: &str, settings: &[&str]) {
    let settings: Vec<Setting> = settings.iter().map(|text| text.parse().unwrap()).collect();
    let plan = scenario::load_with("missing-await", &settings, false).unwrap();
    let mut seconds = Vec::new();
    let mut events = 0;
    for _ in 0..3 {
        let began = Instant::now();
        let simulated = sim::simulate(&plan, Bounds::default(), &mut Nobody, &mut |_, _| None);
        seconds.push(began.elapsed().as_secs_f64());
        events = simulated.unwrap().events;
    }
    seconds.sort_by(f64::total_cmp);
    let median = seconds[1];
    println!(
        "{what}: {:.2} million events in {median:.3} s, {:.2} million/s (median of 3)",
        events as f64 / 1e6,
        events as f64 / 1e6 / median
    );
}

fn main() {
    simulate("the founding incident", &[]);
    simulate(
        "the same at its full length",
        &[
            "story.scale=1",
            "interval=60s",
            "warm_up=5m",
            "end=19:40",
            "alert.0.for=54m",
        ],
    );
    // Half a second, since it is run three times: 2,000 instances, 1,000,000/s.
    simulate(
        "2,000 instances at 1,000,000/s",
        &[
            "target.fleet.instances=2000",
            "load.rate=1000000/s",
            "timeline=[]",
            "expect=[]",
            "warm_up=0s",
            "interval=100ms",
            "end=500ms",
            "drain=2s",
        ],
    );
}
