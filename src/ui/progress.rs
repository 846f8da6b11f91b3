//! Progress on a terminal or in a log.
//!
//! [`Lines`] writes one plain line per second, for logs and pipes; [`Live`]
//! keeps one line up to date in place and lets what was done scroll away above
//! it. Both write to whatever they are given and ignore that it cannot be
//! written to: a closed terminal must not end a run.

use std::collections::VecDeque;
use std::io::Write;

use super::gauges::{Gauges, Window};
use crate::model::SourceName;
use crate::plan::Plan;
use crate::record::{
    Event, Observer, Outcome, Sample, StopCause, outcome_text, printable, signal_name, story_time,
};
use crate::units::Nanos;

/// A terminal that does not tell its width has at least this one.
const WIDTH_UNKNOWN: usize = 80;
/// Columns of a phase's name; longer ones are cut.
const PHASE_WIDTH: usize = 16;

/// The view for an output: nothing where it is to be quiet, a live line where it
/// is a terminal of `terminal_width` columns, plain lines otherwise.
pub(crate) fn progress<W: Write + Send + 'static>(
    out: W,
    plan: &Plan,
    terminal_width: Option<usize>,
    quiet: bool,
) -> Box<dyn Observer + Send> {
    match terminal_width {
        _ if quiet => Box::new(Quiet),
        Some(width) => Box::new(Live::new(out, plan, width)),
        None => Box::new(Lines::new(out, plan)),
    }
}

/// Shows nothing.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Quiet;

impl Observer for Quiet {
    fn event(&mut self, _at: Nanos, _event: &Event) {}
    fn sample(&mut self, _sample: &Sample) {}
}

/// One plain line per second, and one for everything that happens, in the order of time.
#[derive(Debug)]
pub struct Lines<W> {
    out: W,
    teller: Teller,
    /// What happened after a second whose line is still to come.
    after: VecDeque<(Nanos, String)>,
}

impl<W: Write> Lines<W> {
    /// Lines about a run of this plan.
    pub fn new(out: W, plan: &Plan) -> Self {
        Self {
            out,
            teller: Teller::new(plan),
            after: VecDeque::new(),
        }
    }

    fn line(&mut self, line: Option<String>) {
        if let Some(line) = line {
            let _ = writeln!(self.out, "{line}");
            let _ = self.out.flush();
        }
    }

    /// What waited for the line of a second, and waits for none any more.
    fn catch_up(&mut self) {
        let gauges = &self.teller.gauges;
        let waits = |(at, _): &(Nanos, String)| gauges.awaited_before(*at);
        let ready = self.after.iter().take_while(|event| !waits(event)).count();
        for (_, line) in self.after.drain(..ready).collect::<Vec<_>>() {
            self.line(Some(line));
        }
    }
}

impl<W: Write> Observer for Lines<W> {
    fn event(&mut self, at: Nanos, event: &Event) {
        if matches!(event, Event::RunEnded { .. }) {
            let last = self.teller.last();
            self.line(last);
        }
        if let Some(line) = self.teller.event(at, event) {
            self.after.push_back((at, line));
        }
        self.catch_up();
    }

    fn sample(&mut self, sample: &Sample) {
        let line = self.teller.sample(sample);
        self.line(line);
        self.catch_up();
    }
}

/// One line that is rewritten in place; what happens is written above it.
#[derive(Debug)]
pub struct Live<W> {
    out: W,
    teller: Teller,
    width: usize,
    shown: String,
}

impl<W: Write> Live<W> {
    /// A live line about a run of this plan, on a terminal of so many columns;
    /// 0 where that is not known.
    pub fn new(out: W, plan: &Plan, width: usize) -> Self {
        Self {
            out,
            teller: Teller::new(plan),
            width: if width == 0 { WIDTH_UNKNOWN } else { width },
            shown: String::new(),
        }
    }

    /// Writes a permanent line, then the live line below it.
    fn show(&mut self, permanent: Option<&str>) {
        // The cursor must never reach the edge: a wrapped line cannot be erased.
        let live: String = self.shown.chars().take(self.width - 1).collect();
        let permanent = permanent
            .map(|line| format!("{line}\n"))
            .unwrap_or_default();
        let _ = write!(self.out, "\r\u{1b}[2K{permanent}{live}");
        let _ = self.out.flush();
    }
}

impl<W: Write> Observer for Live<W> {
    fn event(&mut self, at: Nanos, event: &Event) {
        let line = self.teller.event(at, event);
        if matches!(event, Event::RunEnded { .. }) {
            self.shown.clear();
        } else if line.is_none() {
            return;
        }
        self.show(line.as_deref());
    }

    fn sample(&mut self, sample: &Sample) {
        if let Some(line) = self.teller.sample(sample) {
            self.shown = line;
            self.show(None);
        }
    }
}

/// Puts into words what both views show.
#[derive(Debug)]
pub(super) struct Teller {
    plan: Plan,
    gauges: Gauges,
    /// The phases that have begun, with their instants; as many as the timeline
    /// has entries, and three more.
    phases: Vec<(Nanos, String)>,
    /// What each entry of the timeline does, once it has begun.
    begun: Vec<(usize, String)>,
    /// Sources whose gauges could not be read; each is told once.
    unread: Vec<SourceName>,
}

impl Teller {
    pub(super) fn new(plan: &Plan) -> Self {
        Self {
            gauges: Gauges::new(plan),
            phases: Vec::new(),
            begun: Vec::new(),
            unread: Vec::new(),
            plan: plan.clone(),
        }
    }

    fn sample(&mut self, sample: &Sample) -> Option<String> {
        let window = self.gauges.take(sample)?;
        Some(self.window(&window))
    }

    fn last(&mut self) -> Option<String> {
        let window = self.gauges.close()?;
        Some(self.window(&window))
    }

    fn window(&mut self, window: &Window) -> String {
        let phase = printable(self.phase_at(window.middle));
        let phase: String = phase.chars().take(PHASE_WIDTH).collect();
        let percent = |share: Option<f64>| {
            share.map_or_else(|| "–".into(), |share| format!("{:.0} %", share * 100.0))
        };
        let queue = window
            .queue_depth
            .map_or_else(|| "–".into(), |depth| format!("{depth:.0}"));
        if self.plan.fleet.is_none() {
            return self.window_of_load(window);
        }
        let service = window.service_p99.map_or_else(
            || "–".into(),
            |p99| format!("{:.0} ms", p99.as_millis_f64()),
        );
        format!(
            "{}  {phase:<PHASE_WIDTH$}  offered {:>3.0}/s  goodput {:>3.0}/s  errors {:>5}  \
             saturation {:>5}  queue {queue:>5}  service p99 {service:>6}",
            self.at(window.to),
            window.offered,
            window.goodput,
            percent(window.error_share),
            percent(window.saturation),
        )
    }

    /// A load on the user's server has no phases, workers and queues.
    fn window_of_load(&self, window: &Window) -> String {
        let errors = window
            .error_share
            .map_or_else(|| "–".into(), |share| format!("{:.0} %", share * 100.0));
        let service = window.service_p99.map_or_else(
            || "–".into(),
            |p99| format!("{:.2} ms", p99.as_millis_f64()),
        );
        format!(
            "{}  offered {:>5.0}/s  goodput {:>5.0}/s  errors {errors:>5}  service p99 {service:>9}",
            self.at(window.to),
            window.offered,
            window.goodput,
        )
    }

    fn begin_phase(&mut self, at: Nanos, event: &Event) {
        match event {
            Event::LoadStarted => {
                self.phases.push((Nanos::ZERO, "warm-up".into()));
                self.phases.push((self.plan.warm_up, "baseline".into()));
                let surges = self.plan.surge_changes().into_iter();
                self.phases
                    .extend(surges.map(|change| (change.at, change.phase)));
            }
            Event::ActionStarted { entry, .. } => {
                if let Some(entry) = self.plan.timeline.get(*entry) {
                    self.phases.push((at, entry.phase.clone()));
                }
            }
            Event::Ordered { entry, phase, .. } if *entry >= self.plan.timeline.len() => {
                self.phases.push((at, phase.clone()));
            }
            Event::LoadEnded => self.phases.push((at, "drain".into())),
            _ => {}
        }
    }

    /// The phase at an instant, of what began together the one that was told last.
    pub(super) fn phase_at(&self, at: Nanos) -> &str {
        let begun = self.phases.iter().filter(|(from, _)| *from <= at);
        // Of what began together the last that was told.
        begun
            .max_by_key(|(from, _)| *from)
            .map_or("set-up", |(_, name)| name)
    }

    fn event(&mut self, at: Nanos, event: &Event) -> Option<String> {
        let text = self.told(at, event)?;
        Some(format!("{}  {}", self.at(at), printable(&text)))
    }

    /// An event in words, not yet [`printable`]; none for what only the journal needs.
    pub(super) fn told(&mut self, at: Nanos, event: &Event) -> Option<String> {
        self.begin_phase(at, event);
        self.text(event)
    }

    /// What an event is worth telling; none for what only the journal needs.
    fn text(&mut self, event: &Event) -> Option<String> {
        Some(match event {
            Event::LoadStarted => "load begins".into(),
            Event::ActionStarted { entry, action } => {
                self.begun.push((*entry, action.in_words()));
                return None;
            }
            Event::ActionEnded { entry, outcome } => self.ended(*entry, outcome),
            Event::Joined { by } => format!("{} takes part ({})", by.name, by.role.word()),
            Event::Ordered {
                by, entry, action, ..
            } => {
                self.begun.retain(|(begun, _)| begun != entry);
                format!("{} decides: {}", by.name, action.in_words())
            }
            Event::Declined {
                by, what, reason, ..
            } => {
                format!(
                    "{} asked for `{what}`, which is not done: {reason}",
                    by.name
                )
            }
            Event::Held { by } => format!("{} holds the timeline; the load goes on", by.name),
            Event::WentOn { by, held_ns } => format!(
                "{} lets the timeline go on after {:.0} s",
                by.name,
                held_ns.as_secs_f64()
            ),
            Event::Noted { by, text } => format!("{}: {text}", by.name),
            Event::Predicted {
                by,
                question,
                answer,
            } => format!("{} predicts, {} {answer}", by.name, question.in_words()),
            Event::StopOrdered { by } => format!("{} stops the run and undoes everything", by.name),
            Event::Acknowledged { by, alert } => format!("{} acknowledges: {alert}", by.name),
            Event::AlertFired { alert } => format!("alert fired: {alert}"),
            Event::AlertCleared { alert } => format!("alert cleared: {alert}"),
            Event::Scaled { from, to, reason } => {
                format!("the autoscaler goes from {from} instances to {to}: {reason}")
            }
            Event::Died { source, status } => format!("{source} died: {status}"),
            Event::ScrapeFailed { source, .. } if self.unread.contains(source) => return None,
            Event::ScrapeFailed { source, cause } => {
                self.unread.push(source.clone());
                format!("the gauges of {source} could not be read: {cause}")
            }
            Event::AgentsBegan { agents } => {
                let names: Vec<&str> = agents.iter().map(|it| it.agent.as_str()).collect();
                format!("the load is sent by agents: {}", names.join(", "))
            }
            Event::AgentLost(lost) => lost.in_words(),
            Event::FirstFailure(first) => format!("first failure: {}", first.cause.clause()),
            Event::Warning { text } => format!("warning: {text}"),
            Event::LoadEnded => "load ends; draining".into(),
            Event::RunEnded { cause } => match cause {
                StopCause::Completed => return None,
                StopCause::Interrupted { signal } => {
                    format!("interrupted by {}", signal_name(*signal))
                }
                StopCause::Aborted {
                    because,
                    expectation,
                } => format!("stopped {}", StopCause::own_rule(because, *expectation)),
                StopCause::Stopped { by } => format!("stopped by {by}"),
                StopCause::Failed { reason, .. } => format!("the run failed: {reason}"),
            },
            Event::Undone { undo, outcome } => format!("undone: {undo}  {}", outcome_text(outcome)),
            Event::SteadyState {
                returned: true,
                detail,
            } => format!("after the undo: {detail}"),
            Event::SteadyState { detail, .. } => format!("the target does not serve: {detail}"),
            Event::Serving { .. }
            | Event::AgentsEnded { .. }
            | Event::Stopped { .. }
            | Event::Ended { .. }
            | Event::Slowest { .. }
            | Event::Armed { .. } => return None,
        })
    }

    fn ended(&mut self, entry: usize, outcome: &Outcome) -> String {
        let place = self.begun.iter().position(|(begun, _)| *begun == entry);
        let what = place.map_or_else(
            || format!("entry {entry}"),
            |place| self.begun.swap_remove(place).1,
        );
        format!("{what}  {}", outcome_text(outcome))
    }

    /// An instant in seconds, with the story's time where there is one.
    fn at(&self, at: Nanos) -> String {
        let story = self
            .plan
            .story
            .as_ref()
            .map_or_else(String::new, |story| format!(" {}", story_time(story, at)));
        format!("{:>6.1} s{story}", at.as_secs_f64())
    }
}
