//! How service is, in one word, and the incident's clock, as a run goes on.

use threadbare::analysis::{ServiceClock, ServiceReading, ServiceState, ServiceWatch};
use threadbare::model::ClientsAction;
use threadbare::plan::{Action, Plan};
use threadbare::record::Event;
use threadbare::units::Nanos;

fn plan() -> Plan {
    let mut plan = Plan {
        warm_up: Nanos::from_secs(2),
        end: Nanos::from_secs(100),
        ..Plan::default()
    };
    plan.recovery.hold = Nanos::from_secs(5);
    plan
}

/// A run told second by second: how many of 300 operations succeeded, and their p99.
struct WatchedRun {
    watch: ServiceWatch,
    second: u64,
}

impl WatchedRun {
    fn new() -> Self {
        let mut watch = ServiceWatch::new(&plan());
        assert_eq!(watch.state(Nanos::ZERO), ServiceState::SetUp);
        watch.event(Nanos::ZERO, &Event::LoadStarted);
        assert_eq!(watch.state(Nanos::ZERO), ServiceState::WarmUp);
        Self { watch, second: 0 }
    }

    fn seconds(&mut self, count: u64, succeeded: u64, p99_ms: f64) -> &'static str {
        for _ in 0..count {
            self.second += 1;
            self.read(succeeded, p99_ms, true);
        }
        self.state()
    }

    /// What is known of the second before this one.
    fn read(&mut self, succeeded: u64, p99_ms: f64, settled: bool) {
        self.watch.reading(&ServiceReading {
            from: Nanos::from_secs(self.second - 1),
            to: Nanos::from_secs(self.second),
            scheduled: 300,
            succeeded,
            p99: Some(Nanos::from_secs_f64(p99_ms / 1e3)),
            settled,
        });
    }

    fn state(&self) -> &'static str {
        self.watch.state(Nanos::from_secs(self.second)).word()
    }

    fn event(&mut self, event: &Event) {
        self.watch.event(Nanos::from_secs(self.second), event);
    }
}

fn action() -> Event {
    Event::ActionStarted {
        entry: 0,
        action: Action::Clients(ClientsAction::Monitors { on: true }),
    }
}

#[test]
fn an_incident_goes_through_its_words_and_its_clock_is_read() {
    let mut told = WatchedRun::new();
    assert_eq!(told.seconds(10, 300, 20.0), "normal");
    told.event(&action());
    assert_eq!(told.seconds(2, 299, 20.0), "normal"); // chance
    assert_eq!(told.seconds(3, 200, 20.0), "degraded");
    assert_eq!(told.seconds(3, 30, 20.0), "down");
    told.event(&Event::AlertFired {
        alert: "errors".into(),
    });
    assert_eq!(told.seconds(6, 240, 20.0), "degraded");
    assert_eq!(told.seconds(3, 300, 20.0), "recovering");
    assert_eq!(told.seconds(4, 300, 20.0), "recovered");
    let second = |second| Some(Nanos::from_secs(second));
    let clock = ServiceClock {
        began: second(12),
        detected: second(18),
        mitigated: second(18),
        recovered: second(24),
    };
    assert_eq!(told.watch.clock(), clock);
    // Lost again: it had not recovered for good.
    assert_eq!(told.seconds(2, 100, 20.0), "down");
    assert_eq!(told.watch.clock().recovered, None);
    told.event(&Event::LoadEnded);
    assert_eq!(told.state(), "draining");
}

#[test]
fn slow_service_is_degraded_and_service_before_anything_is_usual() {
    let mut told = WatchedRun::new();
    assert_eq!(told.seconds(10, 285, 20.0), "normal"); // one in twenty fails, as ever
    told.event(&action());
    assert_eq!(told.seconds(5, 285, 60.0), "normal");
    assert_eq!(told.seconds(5, 285, 500.0), "degraded");
    assert_eq!(told.seconds(8, 285, 20.0), "recovered");
}

#[test]
fn a_loss_that_no_action_explains_is_seen_all_the_same() {
    let mut told = WatchedRun::new();
    told.seconds(10, 300, 20.0);
    assert_eq!(told.seconds(2, 10, 20.0), "down");
}

#[test]
fn without_a_baseline_an_outage_is_no_normal_service() {
    let mut told = WatchedRun::new();
    told.event(&action());
    assert_eq!(told.seconds(9, 0, 20.0), "down");
    let mut told = WatchedRun::new();
    told.event(&action());
    assert_eq!(told.seconds(9, 300, 20.0), "normal");
}

#[test]
fn no_figure_of_the_warm_up_counts() {
    let mut told = WatchedRun::new();
    assert_eq!(told.seconds(1, 0, 20.0), "warm-up");
    assert_eq!(told.seconds(3, 300, 20.0), "normal");
    assert_eq!(told.watch.clock().began, None);
}

#[test]
fn a_reading_that_is_known_better_takes_the_place_of_the_first() {
    let mut told = WatchedRun::new();
    told.seconds(10, 300, 20.0);
    told.event(&action());
    told.second += 1;
    // A fifth of it is still under way, and ends well.
    told.read(240, 20.0, false);
    assert_eq!(told.state(), "degraded");
    told.read(300, 20.0, true);
    // The whole hold window is known to be good.
    assert_eq!(told.state(), "recovered");
}
