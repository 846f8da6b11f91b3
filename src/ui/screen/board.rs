//! All that a screen is drawn of, kept from the record's samples and events.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::controls::{Controls, Pressed};
use super::keys::Key;
use super::series::Series;
use crate::analysis::ServiceWatch;
use crate::model::SourceName;
use crate::plan::{Plan, offer_of};
use crate::record::{
    AttemptCounters, Counters, Event, FailureCounters, Outcome, Sample, StopCause, printable,
};
use crate::ui::progress::Teller;
use crate::units::Nanos;

/// Lines about events that are kept: more than any terminal has rows.
const LINES_MAX: usize = 300;
/// A chart shows the whole run, and of a longer one the last so long.
const SPAN_MAX: Nanos = Nanos::from_secs(600);

/// How a line is to be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tone {
    Plain,
    Good,
    Bad,
    Warning,
}

/// Something that happened, in words that are safe to write.
#[derive(Debug, Clone)]
pub(super) struct Line {
    pub at: Nanos,
    pub text: String,
    pub tone: Tone,
}

/// What has become of an offer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mark {
    Running,
    Applied,
    Refused,
    Failed,
}

/// A screen's content.
#[derive(Debug)]
pub(super) struct Board {
    pub plan: Plan,
    pub series: Series,
    pub watch: ServiceWatch,
    pub controls: Controls,
    pub lines: VecDeque<Line>,
    /// Of offers by their number.
    pub marks: BTreeMap<u32, Mark>,
    /// Since when the timeline waits.
    pub held: Option<Nanos>,
    /// How long it has waited before.
    pub held_before: Nanos,
    /// The run's time; none before the load begins.
    pub now: Option<Nanos>,
    /// The user has asked for the end.
    pub interrupted: bool,
    /// Somebody has ordered that the run stop.
    pub stopping: bool,
    /// Users' failed attempts by their causes.
    pub failures: FailureCounters,
    /// What users' attempts came to in all.
    pub attempts: AttemptCounters,
    pub color: bool,
    teller: Teller,
    /// Entries that were carried out.
    pub done: BTreeSet<usize>,
    /// Offers under way, by the entry that carries them out.
    begun: Vec<(usize, u32)>,
}

impl Board {
    /// A board about a run of this plan; `acts`: whether orders are taken.
    pub(super) fn new(plan: &Plan, acts: bool, color: bool) -> Self {
        Self {
            series: Series::new(plan.interval),
            watch: ServiceWatch::new(plan),
            controls: Controls {
                offers: if acts { plan.offers() } else { Vec::new() },
                acts,
                ..Controls::default()
            },
            lines: VecDeque::new(),
            marks: BTreeMap::new(),
            held: None,
            held_before: Nanos::ZERO,
            now: None,
            interrupted: false,
            stopping: false,
            failures: FailureCounters::default(),
            attempts: AttemptCounters::default(),
            color,
            teller: Teller::new(plan),
            done: BTreeSet::new(),
            begun: Vec::new(),
            plan: plan.clone(),
        }
    }

    /// A key was pressed.
    pub(super) fn press(&mut self, key: Key) -> Pressed {
        let pressed = self.controls.press(key);
        self.interrupted |= pressed == Pressed::Interrupt;
        pressed
    }

    /// The run's time is this now.
    pub(super) fn tick(&mut self, now: Nanos) {
        self.now = Some(now);
        for reading in self.series.rested(now) {
            self.watch.reading(&reading);
        }
    }

    /// A sample is complete.
    pub(super) fn sample(&mut self, sample: &Sample) {
        if sample.source == SourceName::User {
            match &sample.counters {
                Counters::Failures(counters) => self.failures.merge(counters),
                Counters::Attempts(counters) => self.attempts.merge(counters),
                _ => {}
            }
        }
        self.series.take(sample);
    }

    /// Something happened at this instant.
    pub(super) fn event(&mut self, at: Nanos, event: &Event) {
        if let Some(text) = self.teller.told(at, event) {
            self.lines.push_back(Line {
                at,
                text: printable(&text).into_owned(),
                tone: tone(event),
            });
            while self.lines.len() > LINES_MAX {
                self.lines.pop_front();
            }
        }
        self.watch.event(at, event);
        match event {
            Event::ActionStarted { entry, action } => {
                self.done.insert(*entry);
                if let Some(offer) = offer_of(&self.controls.offers, *entry, action) {
                    self.begun.push((*entry, offer));
                    self.marks.insert(offer, Mark::Running);
                }
            }
            Event::ActionEnded { entry, outcome } => {
                let place = self.begun.iter().position(|(begun, _)| begun == entry);
                if let Some(place) = place {
                    let (_, offer) = self.begun.swap_remove(place);
                    self.marks.insert(offer, mark(outcome));
                }
            }
            Event::StopOrdered { .. } => self.stopping = true,
            Event::Held { .. } => self.held = Some(at),
            Event::WentOn { held_ns, .. } => {
                self.held = None;
                self.held_before = self.held_before.saturating_add(*held_ns);
            }
            _ => {}
        }
    }

    /// The phase that the run is in.
    pub(super) fn phase(&self) -> String {
        let phase = match self.now {
            Some(now) => self.teller.phase_at(now),
            None => "set-up",
        };
        printable(phase).into_owned()
    }

    /// How long a chart's axis is.
    pub(super) fn span(&self) -> Nanos {
        self.end().min(SPAN_MAX)
    }

    /// When the last operation may end.
    pub(super) fn end(&self) -> Nanos {
        self.plan.end.saturating_add(self.plan.drain)
    }

    /// The run's time, zero before the load.
    pub(super) fn time(&self) -> Nanos {
        self.now.unwrap_or_default()
    }

    /// What is left until the load ends.
    pub(super) fn left(&self) -> Nanos {
        self.plan.end.saturating_sub(self.time())
    }
}

fn mark(outcome: &Outcome) -> Mark {
    match outcome {
        Outcome::Applied { .. } => Mark::Applied,
        Outcome::Rejected { .. } => Mark::Refused,
        Outcome::Failed { .. } => Mark::Failed,
    }
}

fn tone(event: &Event) -> Tone {
    match event {
        Event::AlertFired { .. }
        | Event::Died { .. }
        | Event::AgentLost(_)
        | Event::FirstFailure(_)
        | Event::Declined { .. }
        | Event::StopOrdered { .. } => Tone::Bad,
        Event::ActionEnded { outcome, .. } | Event::Undone { outcome, .. } => match outcome {
            Outcome::Applied { .. } => Tone::Good,
            Outcome::Rejected { .. } | Outcome::Failed { .. } => Tone::Bad,
        },
        Event::AlertCleared { .. } => Tone::Good,
        Event::Warning { .. }
        | Event::ScrapeFailed { .. }
        | Event::Held { .. }
        | Event::RunEnded {
            cause:
                StopCause::Interrupted { .. } | StopCause::Stopped { .. } | StopCause::Failed { .. },
        } => Tone::Warning,
        _ => Tone::Plain,
    }
}
