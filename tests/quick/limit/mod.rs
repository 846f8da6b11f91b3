//! `threadbare limit`: what it found, how it searches and how it judges, against theory.

use threadbare::analysis::limit::LimitSought;

mod cases;
mod command;
mod edge;
mod edges;
mod found;
mod outputs;
mod search;
mod served;
mod truth;

/// A search from 100/s to 10,000/s, by default.
fn sought() -> LimitSought {
    LimitSought {
        target: "test".into(),
        scenario: None,
        scenario_text: None,
        work_digest: None,
        objectives: vec!["error share <= 1 %".into()],
        trigger: None,
        client: None,
        settings: Vec::new(),
        profile: None,
        cool_down_s: 60.0,
        restart: None,
        at_per_s: None,
        return_within_s: 60.0,
        from_per_s: 100.0,
        most_per_s: 10_000.0,
        tolerance: 0.03,
        window_s: 10.0,
        operations_min: 5_000,
        warm_up_s: 2.0,
        without_advice: false,
        trials: 4,
        within_s: 900.0,
        steps_max: 1_000,
        seed: 1,
    }
}
