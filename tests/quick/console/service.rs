//! How service is, in one word, and the incident's clock, as a run goes on.

use threadbare::console::{Frame, ServiceWatch};
use threadbare::model::{ClientsAction, GameRole, Person};
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

fn frame(succeeded: u64, p99_ms: f64) -> Frame {
    Frame {
        width_s: 1.0,
        settled: true,
        scheduled: 300,
        succeeded,
        p99_ms: Some(p99_ms),
        ..Frame::default()
    }
}

/// A run told second by second: how many of 300 operations succeeded, and their p99.
struct WatchedRun {
    watch: ServiceWatch,
    second: u64,
}

impl WatchedRun {
    fn new() -> Self {
        let mut watch = ServiceWatch::new(&plan());
        assert_eq!(watch.standing(Nanos::ZERO).state, "set-up");
        watch.event(Nanos::ZERO, &Event::LoadStarted);
        assert_eq!(watch.standing(Nanos::ZERO).state, "warm-up");
        Self { watch, second: 0 }
    }

    fn seconds(&mut self, count: u64, succeeded: u64, p99_ms: f64) -> &'static str {
        for _ in 0..count {
            self.second += 1;
            let to = Nanos::from_secs(self.second);
            self.watch.frame(to, &frame(succeeded, p99_ms));
        }
        self.state()
    }

    fn state(&self) -> &'static str {
        self.watch.standing(Nanos::from_secs(self.second)).state
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
    let clock = told.watch.standing(Nanos::from_secs(31)).clock;
    assert_eq!(clock.began_s, Some(12.0));
    assert_eq!(clock.detected_s, Some(18.0));
    assert_eq!(clock.mitigated_s, Some(18.0));
    assert_eq!(clock.recovered_s, Some(24.0));
    // Lost again: it had not recovered for good.
    assert_eq!(told.seconds(2, 100, 20.0), "down");
    assert_eq!(
        told.watch.standing(Nanos::from_secs(40)).clock.recovered_s,
        None
    );
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
fn whoever_holds_the_timeline_is_seen() {
    let mut told = WatchedRun::new();
    let by = Person {
        name: "Ana".into(),
        role: GameRole::Facilitator,
    };
    told.event(&Event::Held { by: by.clone() });
    assert!(told.watch.standing(Nanos::ZERO).held);
    told.event(&Event::WentOn {
        by,
        held_ns: Nanos::from_secs(3),
    });
    assert!(!told.watch.standing(Nanos::ZERO).held);
}
