//! Events and samples of a run as messages for pages, in one order.
//!
//! A view like any other: it is told what the record is told, and keeps only what its next
//! messages need. Pure: whoever holds it says when to look for frames.

use std::sync::Arc;

use super::ending::{end_of, findings_marks};
use super::feed::Feed;
use super::frames::{FrameAt, Frames};
use super::marks::Marks;
use super::message::{Frame, IncidentClock, Mark, Message, Standing};
use crate::analysis::{Findings, ServiceReading, ServiceWatch};
use crate::plan::Plan;
use crate::record::{Counters, Event, Observer, Sample, Samples};
use crate::units::Nanos;

/// Makes messages of a run, and puts them into its feed.
#[derive(Debug)]
pub struct Teller {
    feed: Arc<Feed>,
    frames: Frames,
    marks: Marks,
    watch: ServiceWatch,
    /// Somebody holds the timeline.
    held: bool,
    /// What pages were sent last of how service is.
    told: Option<Standing>,
    /// Phases that begin with the load itself, the next one last.
    phases: Vec<(Nanos, String)>,
    /// The newest instant that is known.
    now: Nanos,
    /// The event that ended the run.
    ended: Option<Event>,
}

impl Teller {
    /// Tells of a run of this plan as it goes on.
    pub fn new(plan: &Plan, feed: Arc<Feed>) -> Self {
        Self::with(plan, feed, Frames::new(plan))
    }

    /// Tells of a run that has ended at `to`, in no more frames than are seen at once.
    pub fn finished(plan: &Plan, feed: Arc<Feed>, to: Nanos) -> Self {
        Self::with(plan, feed, Frames::finished(plan, to))
    }

    fn with(plan: &Plan, feed: Arc<Feed>, frames: Frames) -> Self {
        let changes = plan.surge_changes().into_iter();
        let mut phases: Vec<_> = changes.map(|change| (change.at, change.phase)).collect();
        phases.push((plan.warm_up, "baseline".to_owned()));
        phases.sort();
        phases.reverse();
        let mut teller = Self {
            feed,
            frames,
            marks: Marks::new(plan),
            watch: ServiceWatch::new(plan),
            held: false,
            told: None,
            phases,
            now: Nanos::ZERO,
            ended: None,
        };
        teller.tell_standing(Nanos::ZERO);
        teller
    }

    /// The length of a frame.
    pub fn width(&self) -> Nanos {
        self.frames.width()
    }

    /// Tells the frames that have been at rest since the last time.
    pub fn look(&mut self) {
        let frames = self.frames.rested();
        self.tell_frames(frames);
    }

    /// Tells the frames that are left: nothing follows.
    pub fn last_frames(&mut self) {
        let frames = self.frames.last();
        self.tell_frames(frames);
    }

    /// Tells a record at once, in the order of time.
    pub fn play(&mut self, samples: &Samples, events: &[(Nanos, Event)]) {
        for sample in samples {
            self.frames.take(&sample);
        }
        let mut frames = self.frames.last().into_iter().peekable();
        for (at, event) in events {
            while let Some(frame) = frames.next_if(|(to, _)| to <= at) {
                self.tell_frames(vec![frame]);
            }
            self.event(*at, event);
        }
        self.tell_frames(frames.collect());
    }

    /// Tells what is left, and the end; `report`: where the report lies.
    pub fn end(&mut self, findings: Option<&Findings>, report: Option<String>) {
        self.last_frames();
        let at = self.now;
        if let Some(findings) = findings {
            for (at, mark) in findings_marks(findings) {
                self.feed.push(at, &Message::Mark(mark));
            }
            self.watch.found(findings);
            self.tell_standing(at);
        }
        let end = end_of(self.ended.as_ref(), findings, report);
        self.feed.push(at, &Message::End(end));
    }

    fn tell_frames(&mut self, frames: Vec<FrameAt>) {
        for (to, frame) in frames {
            self.reached(to);
            self.watch.reading(&reading(to, &frame));
            self.feed.push(to, &Message::Frame(Box::new(frame)));
            self.tell_standing(self.now);
        }
    }

    /// Tells the phases that have begun until an instant.
    fn reached(&mut self, at: Nanos) {
        self.now = self.now.max(at);
        while let Some((from, phase)) = self.phases.pop_if(|(from, _)| *from <= at) {
            let mark = Mark {
                sort: "phase",
                label: super::marks::shown(&phase),
                ..Mark::default()
            };
            self.feed.push(from, &Message::Mark(mark));
        }
    }

    /// Tells how service is, where that has changed.
    fn tell_standing(&mut self, at: Nanos) {
        let standing = Standing {
            state: self.watch.state(self.now).word(),
            held: self.held,
            clock: IncidentClock::of(self.watch.clock()),
        };
        if self.told != Some(standing) {
            self.told = Some(standing);
            self.feed.push(at, &Message::State(standing));
        }
    }
}

impl Observer for Teller {
    fn event(&mut self, at: Nanos, event: &Event) {
        if !matches!(event, Event::LoadStarted) && self.now > Nanos::ZERO {
            self.reached(at);
        }
        self.watch.event(at, event);
        match event {
            Event::RunEnded { .. } => self.ended = Some(event.clone()),
            Event::Held { .. } => self.held = true,
            Event::WentOn { .. } => self.held = false,
            _ => {}
        }
        if let Some(mark) = self.marks.of(event) {
            self.feed.push(at, &Message::Mark(mark));
        }
        self.tell_standing(at);
    }

    fn sample(&mut self, sample: &Sample) {
        self.frames.take(sample);
        if !matches!(sample.counters, Counters::Operations(_)) {
            self.reached(sample.to);
        }
    }
}

/// What a frame says of service.
fn reading(to: Nanos, frame: &Frame) -> ServiceReading {
    let width = Nanos::from_secs_f64(frame.width_s);
    ServiceReading {
        from: to.saturating_sub(width),
        to,
        scheduled: frame.scheduled,
        succeeded: frame.succeeded,
        p99: frame.p99_ms.map(|p99| Nanos::from_secs_f64(p99 / 1e3)),
        settled: frame.settled,
    }
}
