//! Scenario → Plan: what the scenario leaves open is decided here, once.
//!
//! It reads no clock and draws no number: the same scenario and seed give the
//! same plan, and the seed is the only thing that may come from outside.

use super::{Entry, Plan};
use crate::scenario::{Scenario, phase_names};

/// The plan of a scenario, with this seed or else the scenario's own.
///
/// A scenario is valid as a whole, so this cannot fail.
#[must_use]
pub fn build(scenario: &Scenario, seed: Option<u64>) -> Plan {
    let phases = phase_names(&scenario.timeline);
    let timeline = scenario.timeline.iter().zip(phases);
    Plan {
        scenario: scenario.name.clone(),
        title: scenario.title.clone(),
        claim: scenario.claim.clone(),
        source: scenario.source.clone(),
        seed: seed.unwrap_or(scenario.seed),
        story: scenario.story,
        warm_up: scenario.warm_up,
        end: scenario.end,
        drain: scenario.drain,
        interval: scenario.interval,
        fleet: scenario.fleet.clone(),
        target: scenario.target.clone(),
        release: scenario.release,
        load: scenario.load.clone(),
        monitors: scenario.monitors.clone(),
        gauges: scenario.gauges.clone(),
        alerts: scenario.alerts.clone(),
        timeline: timeline
            .map(|(entry, phase)| Entry {
                when: entry.when.clone(),
                action: entry.action.clone(),
                phase,
            })
            .collect(),
        recovery: scenario.recovery,
        safety: scenario.safety.clone(),
        expectations: scenario.expectations.clone(),
    }
}
