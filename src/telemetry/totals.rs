//! A run as far as it is known: its sums, its levels, and where it stands.
//!
//! Told what the record is told, like any view; in the end it is given the record and what was
//! found in it, so that nothing that a view missed is missing in the last page. Pure: whoever
//! holds it reads the clock.

use std::collections::BTreeMap;

use super::sums::{Sums, TrafficClass};
use crate::analysis::Findings;
use crate::model::{Outcome, SourceName};
use crate::plan::{BASELINE, Plan};
use crate::record::{Counters, Event, Record, Sample};
use crate::units::Nanos;

/// A level that several threads tell of, each its part: that of the newest interval of which
/// all have told, as far as can be known, so an interval late.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct SharedLevel {
    from: Nanos,
    filling: u64,
    whole: u64,
}

impl SharedLevel {
    fn take(&mut self, from: Nanos, part: u64) {
        self.take_by(from, part, u64::saturating_add);
    }

    /// The same of a level of which the highest part counts, as it does in the report.
    fn take_highest(&mut self, from: Nanos, part: u64) {
        self.take_by(from, part, u64::max);
    }

    fn take_by(&mut self, from: Nanos, part: u64, join: fn(u64, u64) -> u64) {
        if from > self.from {
            self.whole = self.filling;
            self.filling = 0;
            self.from = from;
        }
        if from == self.from {
            self.filling = join(self.filling, part);
        }
    }

    /// Nothing follows: what is being told is the level.
    const fn close(&mut self) {
        self.whole = self.filling;
    }

    pub(super) const fn get(self) -> u64 {
        self.whole
    }
}

/// So many intervals may a reading of an instance be late before nothing is shown of it.
const UNREAD_MAX: u64 = 3;

/// What serves, as it was in its newest interval.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Serving {
    /// The end of that interval, where it is an instance, which may be gone since.
    read_to: Option<Nanos>,
    pub(super) workers: Option<f64>,
    pub(super) busy: Option<f64>,
    pub(super) queue: Option<f64>,
}

/// Where a run's zero lies on the wall clock, as far as it is known.
///
/// The load is announced before its zero, by more than a second where agents send it, and
/// the run's clock says zero until then. So the first instant that is not zero tells.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct WallZero {
    ms: Option<u64>,
    is_exact: bool,
}

impl WallZero {
    /// Something happened at this instant, which is now; `wall_ms`: the same in milliseconds
    /// since 1970.
    pub(super) fn hear(&mut self, at: Nanos, wall_ms: u64) {
        if !self.is_exact {
            self.ms = Some(wall_ms.saturating_sub(at.0 / 1_000_000));
            self.is_exact = at > Nanos::ZERO;
        }
    }

    /// In milliseconds since 1970; none where nothing was heard.
    pub(super) const fn ms(self) -> Option<u64> {
        self.ms
    }
}

/// How far a run is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum RunStage {
    #[default]
    SetUp,
    Load,
    Draining,
    Ended,
}

impl RunStage {
    pub(super) const ALL: [(Self, &'static str); 4] = [
        (Self::SetUp, "set_up"),
        (Self::Load, "load"),
        (Self::Draining, "draining"),
        (Self::Ended, "ended"),
    ];
}

/// What a run has come to.
#[derive(Debug)]
pub struct Totals {
    plan: Plan,
    pub(super) sums: Sums,
    pub(super) in_flight: BTreeMap<TrafficClass, SharedLevel>,
    pub(super) connections: SharedLevel,
    pub(super) backlog: SharedLevel,
    serving: BTreeMap<SourceName, Serving>,
    /// The end of the newest interval in which instances were read.
    instances_to: Nanos,
    pub(super) stage: RunStage,
    /// When the load began.
    pub(super) zero: WallZero,
    /// Phases that have begun, with their instants.
    phases: Vec<(Nanos, String)>,
    /// The newest instant that is known.
    now: Nanos,
    pub(super) alerts: BTreeMap<String, bool>,
    /// What has begun, by its place in the timeline.
    begun: BTreeMap<usize, &'static str>,
    /// How often an action had this result.
    pub(super) actions: BTreeMap<(&'static str, &'static str), u64>,
    pub(super) findings: Option<Box<Findings>>,
}

impl Totals {
    /// Nothing yet of a run of this plan.
    pub fn new(plan: &Plan) -> Self {
        Self {
            plan: plan.clone(),
            sums: Sums::default(),
            in_flight: BTreeMap::new(),
            connections: SharedLevel::default(),
            backlog: SharedLevel::default(),
            serving: BTreeMap::new(),
            instances_to: Nanos::ZERO,
            stage: RunStage::SetUp,
            zero: WallZero::default(),
            phases: Vec::new(),
            now: Nanos::ZERO,
            alerts: BTreeMap::new(),
            begun: BTreeMap::new(),
            actions: BTreeMap::new(),
            findings: None,
        }
    }

    /// Another load begins, of this plan: what is counted goes on from what was counted
    /// before, since a counter does not go back.
    pub(super) fn begin(&mut self, plan: &Plan) {
        let before = std::mem::replace(self, Self::new(plan));
        self.sums = before.sums;
        self.actions = before.actions;
    }

    /// The plan of the run.
    pub(super) const fn plan(&self) -> &Plan {
        &self.plan
    }

    /// Takes a sample. One that a view tells after the record has settled everything is in
    /// there already.
    pub fn sample(&mut self, sample: &Sample) {
        if self.is_settled() {
            return;
        }
        self.sums.add(sample);
        let from = sample.from;
        match &sample.counters {
            // An old interval, settled now: the newest instant is that of what happens.
            Counters::Operations(_) => return,
            Counters::Attempts(counters) => {
                if let Some(class) = TrafficClass::of(&sample.source) {
                    let level = self.in_flight.entry(class).or_default();
                    level.take(from, counters.in_flight);
                }
            }
            Counters::Generator(counters) => {
                self.connections.take(from, counters.connections_open);
                self.backlog.take_highest(from, counters.backlog_max);
            }
            Counters::Instance(counters) => {
                let workers = counters.workers as f64;
                let there = counters.worker_ns as f64;
                let told = counters.worker_ns > 0;
                self.instances_to = self.instances_to.max(sample.to);
                let serving = Serving {
                    read_to: Some(sample.to),
                    workers: Some(workers),
                    busy: told.then(|| counters.busy_ns as f64 / there * workers),
                    queue: told.then(|| counters.queue_depth_ns as f64 / there * workers),
                };
                self.serving.insert(sample.source.clone(), serving);
            }
            Counters::Gauges(counters) => {
                let serving = Serving {
                    read_to: None,
                    workers: counters.workers(),
                    busy: counters.busy(),
                    queue: counters.queue(),
                };
                self.serving.insert(sample.source.clone(), serving);
            }
            _ => {}
        }
        self.now = self.now.max(sample.to);
    }

    /// Takes an event; `wall_ms`: now, in milliseconds since 1970. As with samples, the
    /// record has the last word.
    pub fn event(&mut self, at: Nanos, event: &Event, wall_ms: u64) {
        if self.is_settled() {
            return;
        }
        self.now = self.now.max(at);
        if *event == Event::LoadStarted || self.stage != RunStage::SetUp {
            self.zero.hear(at, wall_ms);
        }
        match event {
            Event::LoadStarted => {
                self.stage = RunStage::Load;
                if self.plan.warm_up > Nanos::ZERO {
                    self.phases.push((Nanos::ZERO, "warm-up".into()));
                }
                self.phases.push((self.plan.warm_up, BASELINE.into()));
                let surges = self.plan.surge_changes().into_iter();
                self.phases.extend(surges.map(|it| (it.at, it.phase)));
            }
            Event::ActionStarted { entry, action } => {
                self.begun.insert(*entry, action.name().word());
                if let Some(entry) = self.plan.timeline.get(*entry) {
                    self.phases.push((at, entry.phase.clone()));
                }
            }
            Event::Ordered { entry, phase, .. } if *entry >= self.plan.timeline.len() => {
                self.phases.push((at, phase.clone()));
            }
            Event::ActionEnded { entry, outcome } => {
                let name = self.begun.get(entry).copied().unwrap_or("unknown");
                let times = self.actions.entry((name, outcome_word(outcome)));
                *times.or_default() += 1;
            }
            Event::AlertFired { alert } => _ = self.alerts.insert(alert.clone(), true),
            Event::AlertCleared { alert } => _ = self.alerts.insert(alert.clone(), false),
            Event::LoadEnded => {
                self.stage = RunStage::Draining;
                self.phases.push((at, "drain".into()));
            }
            Event::RunEnded { .. } => self.close(),
            _ => {}
        }
    }

    /// The run has ended: its record replaces what was told of it.
    pub fn settle(&mut self, record: &Record, findings: &Findings) {
        self.sums.settle(Sums::of(record));
        self.actions = actions(record);
        self.close();
        self.findings = Some(Box::new(findings.clone()));
    }

    /// Nothing follows: levels are those of the end, and nothing is read of who served.
    fn close(&mut self) {
        self.stage = RunStage::Ended;
        self.serving.clear();
        for level in self.in_flight.values_mut() {
            level.close();
        }
        self.connections.close();
        self.backlog.close();
    }

    /// Whether the last word has been said.
    pub(super) const fn is_settled(&self) -> bool {
        self.findings.is_some()
    }

    /// What serves now. An instance that was not read in the newest interval nor in the one
    /// before it is gone, or stands still; so are all of them where none was read for longer.
    pub(super) fn serving(&self) -> impl Iterator<Item = (&SourceName, &Serving)> {
        let interval = self.plan.interval;
        self.serving.iter().filter(move |(_, serving)| {
            let read_to = serving.read_to;
            read_to.is_none_or(|to| {
                to + interval >= self.instances_to && to + interval * UNREAD_MAX >= self.now
            })
        })
    }

    /// The phase at the newest instant that is known: of what began together the last.
    pub(super) fn phase(&self) -> Option<&str> {
        let begun = self.phases.iter().filter(|(from, _)| *from <= self.now);
        begun
            .max_by_key(|(from, _)| *from)
            .map(|(_, name)| name.as_str())
    }
}

/// How often each action of a record had each result.
fn actions(record: &Record) -> BTreeMap<(&'static str, &'static str), u64> {
    let mut begun = BTreeMap::new();
    let mut actions = BTreeMap::<_, u64>::new();
    for (_, event) in &record.events {
        match event {
            Event::ActionStarted { entry, action } => {
                begun.insert(*entry, action.name().word());
            }
            Event::ActionEnded { entry, outcome } => {
                let name = begun.get(entry).copied().unwrap_or("unknown");
                *actions.entry((name, outcome_word(outcome))).or_default() += 1;
            }
            _ => {}
        }
    }
    actions
}

/// The result of an action in one word.
pub(super) const fn outcome_word(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Applied { .. } => "applied",
        Outcome::Rejected { .. } => "rejected",
        Outcome::Failed { .. } => "failed",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{GeneratorCounters, InstanceCounters};

    #[test]
    fn the_load_is_announced_before_its_zero() {
        let mut zero = WallZero::default();
        let at = Nanos::from_millis;
        for (now, wall_ms, known) in [
            (at(0), 5_000, 5_000),   // announced
            (at(0), 5_900, 5_900),   // the zero is to come still
            (at(300), 6_500, 6_200), // it was then
            (at(800), 7_005, 6_200), // told late: that changes nothing
        ] {
            zero.hear(now, wall_ms);
            assert_eq!(zero.ms(), Some(known));
        }
    }

    #[test]
    fn loads_after_one_another_are_added_up_and_levels_begin_anew() {
        let named = |scenario: &str| Plan {
            scenario: scenario.into(),
            ..Plan::default()
        };
        let sample = |from, scheduled, connections_open| Sample {
            from: Nanos::from_secs(from),
            to: Nanos::from_secs(from + 1),
            source: SourceName::Generator,
            counters: Counters::Generator(GeneratorCounters {
                scheduled,
                connections_open,
                ..GeneratorCounters::default()
            }),
            histograms: Vec::new(),
        };
        let mut totals = Totals::new(&named("one"));
        totals.sample(&sample(8, 5, 50));
        totals.begin(&named("two"));
        totals.sample(&sample(0, 2, 20));
        totals.sample(&sample(1, 1, 10));
        assert_eq!(totals.sums.generator.scheduled, 8);
        assert_eq!(totals.connections.get(), 20);
        assert_eq!(totals.plan().scenario, "two");
    }

    #[test]
    fn an_instance_that_is_no_longer_read_is_not_shown() {
        let interval = Nanos::from_secs(1);
        let mut totals = Totals::new(&Plan {
            interval,
            ..Plan::default()
        });
        let mut read = |second, instance: &str| {
            totals.sample(&Sample {
                from: Nanos::from_secs(second),
                to: Nanos::from_secs(second + 1),
                source: instance.into(),
                counters: Counters::Instance(InstanceCounters::default()),
                histograms: Vec::new(),
            });
            let shown = totals.serving().map(|(source, _)| source.to_string());
            shown.collect::<Vec<_>>()
        };
        assert_eq!(read(0, "instance-1"), ["instance-1"]);
        assert_eq!(read(0, "instance-2"), ["instance-1", "instance-2"]);
        // While an interval is told both are there; after another without it one is gone.
        assert_eq!(read(1, "instance-1"), ["instance-1", "instance-2"]);
        assert_eq!(read(2, "instance-1"), ["instance-1"]);
        assert_eq!(read(3, "instance-2"), ["instance-1", "instance-2"]);
    }

    #[test]
    fn a_fleet_of_which_nothing_is_read_any_more_is_not_shown() {
        let mut totals = Totals::new(&Plan {
            interval: Nanos::from_secs(1),
            ..Plan::default()
        });
        totals.sample(&Sample {
            from: Nanos::ZERO,
            to: Nanos::from_secs(1),
            source: "instance-1".into(),
            counters: Counters::Instance(InstanceCounters::default()),
            histograms: Vec::new(),
        });
        let warning = Event::Warning { text: "w".into() };
        for (second, shown) in [(4, 1), (5, 0)] {
            totals.event(Nanos::from_secs(second), &warning, 0);
            assert_eq!(totals.serving().count(), shown, "{second}");
        }
    }

    #[test]
    fn a_level_is_the_sum_of_what_all_threads_told_of_an_interval() {
        let mut level = SharedLevel::default();
        let at = Nanos::from_secs;
        for (from, part) in [(0, 3), (0, 4), (1, 5), (0, 9), (1, 6)] {
            level.take(at(from), part);
        }
        assert_eq!(level.get(), 7); // the first; a late part of it is not added to the second
        level.take(at(2), 1);
        assert_eq!(level.get(), 11);
        level.close();
        assert_eq!(level.get(), 1);
        let mut highest = SharedLevel::default();
        for part in [3, 9, 4] {
            highest.take_highest(at(0), part);
        }
        highest.close();
        assert_eq!(highest.get(), 9);
    }
}
