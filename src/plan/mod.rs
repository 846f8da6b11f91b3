//! The plan: what a run is to do, with nothing left to decide.
//!
//! Both backends take the same plan, and the record's header holds it, so that
//! a run can be analysed without the scenario that led to it. [`crate::scenario`]
//! makes one of a file, `threadbare load` of its arguments. A plan is immutable
//! during a run: what happens is in the record.

mod fingerprint;
mod offers;
mod phases;
mod responders;
mod schedule;
mod surge;
mod timeline;

use serde::{Deserialize, Serialize};

pub use crate::model::{
    Action, Bound, Cause, ClosedLoop, Drive, Expectation, Figure, Load, MixEntry, Pacing,
    RecoveryRule, Request, Story, Trigger, Unit, Variant, When,
};
use crate::model::{
    AlertRule, Called, ClientsAction, FleetSpec, GaugePlace, GaugeSource, IncidentVerdict,
    MonitorPolicy, OnCallPolicy, OperationKind, Origin, ProxyAction, ReleasePolicy, Safety,
    TargetAction, TargetSpec, Word,
};
use crate::units::{Nanos, Ratio};

pub(crate) use offers::offer_of;
pub(crate) use phases::{BASELINE, phase_names, surge_phases};
pub(crate) use responders::{Responders, Response};
pub(crate) use schedule::{Choice, Schedule, weight_ends};
#[cfg(not(feature = "testing"))]
pub(crate) use schedule::{Draft, Portion, Slice, fleet_choices};
#[cfg(feature = "testing")]
pub use schedule::{Draft, Portion, Slice, fleet_choices};
pub(crate) use surge::SurgeChange;
pub(crate) use timeline::Timeline;

/// Everything a backend needs to carry out a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// The scenario's short name: its file's stem.
    pub scenario: String,
    /// What the scenario is about, in one line.
    pub title: String,
    /// What a run of it shows, in one sentence.
    pub claim: String,
    /// Where the facts come from.
    pub source: String,
    /// What kind of failure it shows, in a word or two; scenarios of one kind stand together.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub mechanism: String,
    /// What people say who see such an incident.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub seen: Vec<String>,
    /// The variant of the scenario that it is; none: the scenario as it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variant: Option<Variant>,
    /// The seed of every random stream.
    pub seed: u64,
    /// The incident's own clock, where the scenario has one.
    pub story: Option<Story>,
    /// Figures begin here; what was scheduled before counts in none.
    pub warm_up: Nanos,
    /// The last operation is scheduled before this instant.
    pub end: Nanos,
    /// After the end nothing is scheduled, and operations in flight have this long to finish.
    pub drain: Nanos,
    /// Width of the buckets that the record counts in.
    pub interval: Nanos,
    /// The fleet that is driven; none where the target is the user's own.
    pub fleet: Option<FleetSpec>,
    /// The target that is driven, where it is the user's own.
    #[serde(default, alias = "foreign")]
    pub target: Option<TargetSpec>,
    /// What the fleet's release system demands.
    #[serde(default, skip_serializing_if = "ReleasePolicy::is_default")]
    pub release: ReleasePolicy,
    /// What users do.
    pub load: Load,
    /// A digest of what users ask of the target, which is not written itself; empty for the
    /// fleet, whose requests are in its mix.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub requests: String,
    /// The kinds of operation that have figures of their own; empty where there is one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub kinds: Vec<String>,
    /// What monitors do.
    pub monitors: Vec<MonitorPolicy>,
    /// Gauges of the user's target.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub gauges: Vec<GaugeSource>,
    /// What fires an alert.
    pub alerts: Vec<AlertRule>,
    /// What is done to the fleet and its clients, in the order of the scenario.
    pub timeline: Vec<Entry>,
    /// Those on call, who act on alerts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub responders: Vec<OnCallPolicy>,
    /// What counts as impact and recovery.
    pub recovery: RecoveryRule,
    /// Limits on what the run may do.
    #[serde(default)]
    pub safety: Safety,
    /// What the run is expected to show.
    pub expectations: Vec<Expectation>,
    /// Whether people decide when each entry of the timeline is carried out.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub manual: bool,
    /// When a run that people decide ends, where not at `end`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub game_end: Option<Nanos>,
}

/// A plan that drives nothing for no time: whoever makes one says what is
/// different. Seed and interval are those of a scenario that names none.
impl Default for Plan {
    fn default() -> Self {
        Self {
            scenario: String::new(),
            title: String::new(),
            claim: String::new(),
            source: String::new(),
            mechanism: String::new(),
            seen: Vec::new(),
            variant: None,
            seed: 1,
            story: None,
            warm_up: Nanos::ZERO,
            end: Nanos::ZERO,
            drain: Nanos::ZERO,
            interval: Nanos::from_secs(1),
            fleet: None,
            target: None,
            release: ReleasePolicy::default(),
            load: Load::default(),
            requests: String::new(),
            kinds: Vec::new(),
            monitors: Vec::new(),
            gauges: Vec::new(),
            alerts: Vec::new(),
            timeline: Vec::new(),
            responders: Vec::new(),
            recovery: RecoveryRule::default(),
            safety: Safety::default(),
            expectations: Vec::new(),
            manual: false,
            game_end: None,
        }
    }
}

/// Kinds of operation that have figures of their own at most: each is counted in every
/// bucket.
const KINDS_MAX: usize = 100;

/// The kinds of these names, where there are several, and not too many to tell apart.
pub(crate) fn kinds(names: Vec<String>) -> Vec<String> {
    match names.len() {
        2..=KINDS_MAX => names,
        _ => Vec::new(),
    }
}

/// The URLs of a target, where there are several.
pub(crate) fn urls(target: Option<&TargetSpec>) -> Vec<String> {
    let sites = target.map_or(&[][..], |target| target.sites.as_slice());
    let several = sites.iter().filter(|_| sites.len() > 1);
    several
        .map(|site| site.url.without_query().to_string())
        .collect()
}

impl Plan {
    /// Requests at a time on a connection of HTTP/2, at most, where the target is loaded
    /// over it.
    pub fn streams(&self) -> Option<u32> {
        self.target.as_ref()?.streams
    }

    /// The URLs that share the load, without their queries; empty where there is one. Each
    /// has figures of its own.
    pub fn urls(&self) -> Vec<String> {
        urls(self.target.as_ref())
    }

    /// The most requests a second that it can lead to: every operation with all
    /// its steps and retries, and every probe, each sent once more where it may be, every occupation, every reading of gauges, the
    /// questions whether the target serves, and every request of a hook and of its undo.
    pub fn requests_max_per_second(&self) -> f64 {
        self.requests_max_to(true, |_| true)
    }

    /// As many of them as go to the target, where that is meant, and to these gauges.
    pub fn requests_max_to(&self, target: bool, gauges: impl Fn(&GaugeSource) -> bool) -> f64 {
        let read = self
            .gauges
            .iter()
            .filter(|source| matches!(source.place, GaugePlace::Page(_)) && gauges(source));
        let readings = read.map(|source| 1.0 / source.every.max(Nanos(1)).as_secs_f64());
        let to_target = if target {
            self.requests_to_target_max()
        } else {
            0.0
        };
        to_target + readings.sum::<f64>()
    }

    fn requests_to_target_max(&self) -> f64 {
        let rates = self.load.rate.iter().map(|(_, shape)| shape.highest());
        let rate = rates.fold(0.0, f64::max);
        let steps = self.target.as_ref().map_or(1, |target| {
            let kinds = target.work.operations.iter();
            let most = |kind: &OperationKind| kind.steps.len() * (1 + kind.follow as usize);
            kinds.map(most).max().unwrap_or(1)
        });
        // `retries` of the timeline may allow more than the clients begin with.
        let retries = self.timeline.iter().filter_map(|entry| match entry.action {
            Action::Clients(ClientsAction::Retries { retries }) => Some(retries),
            _ => None,
        });
        let retries = retries.fold(self.load.client.retries, u32::max);
        let hedges = u32::from(self.load.client.hedge_after.is_some());
        let tries = f64::from(retries.saturating_add(hedges)) + 1.0;
        let probes = self.monitors.iter().map(|monitor| {
            let every = monitor.every.min(monitor.every_after_failure).max(Nanos(1));
            f64::from(monitor.count) / every.as_secs_f64()
        });
        let sites = self.target.as_ref().map_or(1, |target| target.sites.len());
        let held = self.timeline.iter().map(|entry| match entry.action {
            Action::Proxy(ProxyAction::Occupy {
                hold, connections, ..
            }) => f64::from(connections) * f64::from(hold.requests_per_second()),
            _ => 0.0,
        });
        // What a kept connection that has gone stale was to carry is sent once more.
        let sends = if self.load.drive.fresh_connections {
            1.0
        } else {
            2.0
        };
        // And what an HTTP/2 server says it has not processed, twice for an operation.
        let unprocessed = self.streams().map_or(0.0, |_| 2.0 * rate);
        let load = sends * (rate * steps as f64 * tries + probes.sum::<f64>())
            + unprocessed
            + held.sum::<f64>() * sites as f64
            + self.calls_max();
        let Some(target) = &self.target else {
            return load;
        };
        // While it is restarted they come beside the load, and else before and after it.
        match target.origin {
            Origin::Command(_) => load + target.questions_max(),
            _ => load.max(target.questions_max()),
        }
    }

    /// Requests of hooks and of their undos, as if all came in one second.
    fn calls_max(&self) -> f64 {
        let Some(target) = &self.target else {
            return 0.0;
        };
        let called = self
            .timeline
            .iter()
            .filter_map(|entry| match &entry.action {
                Action::Target(TargetAction::Hook { hook, .. }) => target.hook(hook),
                _ => None,
            });
        let calls = called.flat_map(|hook| [Some(&hook.call), hook.undo.as_ref()]);
        let requests = calls.flatten();
        requests
            .filter(|call| matches!(call.what, Called::Request { .. }))
            .count() as f64
    }
}

/// One thing that is done, and when.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// When.
    pub when: When,
    /// What.
    pub action: Action,
    /// The name of the phase that begins with it.
    pub phase: String,
    /// What the facilitator of a game day tells the room with it, where only facilitators
    /// know of it before it acts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inject: Option<String>,
}

impl Plan {
    /// The verdict that is expected of the incident, and the least share of seeds with it; 1
    /// where every seed must have it.
    pub fn declared_verdict(&self) -> Option<(IncidentVerdict, f64)> {
        self.expectations.iter().find_map(|it| match it.bound {
            Bound::Is(Word::Verdict(verdict)) if it.that == Figure::IncidentVerdict => {
                Some((verdict, it.share.unwrap_or(Ratio::WHOLE).get()))
            }
            _ => None,
        })
    }

    /// The same, for people to decide: no entry comes by itself, and it ends when a game day
    /// does.
    #[must_use]
    pub fn by_hand(self) -> Self {
        Self {
            manual: true,
            end: self.game_end.unwrap_or(self.end),
            // Which the file says for a run without people.
            game_end: self.game_end.map(|_| self.end),
            ..self
        }
    }

    /// The same with its timeline as the file has it: without people.
    #[must_use]
    pub fn as_written(&self) -> Self {
        let plan = self.clone();
        if !plan.manual {
            return plan;
        }
        Self {
            manual: false,
            end: plan.game_end.unwrap_or(plan.end),
            game_end: plan.game_end.map(|_| plan.end),
            ..plan
        }
    }
}
