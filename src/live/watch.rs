//! What a run watches its own figures for: alerts, its stop conditions, expectations
//! that can no longer hold, and whether the target was healthy before anything was
//! injected.
//!
//! Where several threads send the load, a share is that of all of them: their
//! samples of an interval are added up first.

use std::collections::BTreeMap;

use crate::analysis::Early;
use crate::error::{Error, Result};
use crate::model::SourceName;
use crate::plan::Plan;
use crate::record::{Alarms, Counters, Event, Sample, StopCause};
use crate::units::{Nanos, Ratio, counted};

/// Intervals after the warm-up within which the first operations have ended.
const SEEN_AFTER: u64 = 2;
/// Intervals whose samples may be gathered at a time: threads drift less than that.
const GATHERED_MAX: usize = 16;

/// What a run watches.
pub(super) struct Watch {
    alarms: Alarms,
    stops: Alarms,
    /// Expectations that may end the run.
    early: Option<Early>,
    /// Which of both did.
    aborted: Option<StopCause>,
    warm_up: Nanos,
    interval: Nanos,
    errors_max: Ratio,
    /// Operations that ended with success and without, since the warm-up.
    ended: (u64, u64),
    /// Whether a fault has been injected: health was a matter of before.
    injected: bool,
    /// Threads that send load.
    threads: usize,
    /// Samples of intervals that not every thread has told yet.
    gathered: Vec<(Sample, usize)>,
    /// Up to where the attempts of a source were judged, where several threads tell them.
    judged_to: BTreeMap<SourceName, Nanos>,
}

impl Watch {
    pub(super) fn new(plan: &Plan) -> Self {
        Self {
            alarms: Alarms::new(&plan.alerts),
            stops: Alarms::new(&plan.safety.abort_if),
            early: Early::of(plan),
            aborted: None,
            warm_up: plan.warm_up,
            interval: plan.interval,
            errors_max: plan.safety.baseline_errors,
            ended: (0, 0),
            injected: false,
            threads: 1,
            gathered: Vec::new(),
            judged_to: BTreeMap::new(),
        }
    }

    /// The load goes to so many places, by so many threads each.
    pub(super) fn threads(&mut self, places: usize, each: u32) {
        self.threads = places.saturating_mul(each as usize).max(1);
    }

    /// Takes an event.
    pub(super) fn event(&mut self, at: Nanos, event: &Event) {
        if let Some(early) = &mut self.early {
            early.event(at, event);
        }
        if let Event::AgentLost(lost) = event {
            // The sum of an interval is complete without it.
            self.threads = self.threads.saturating_sub(lost.threads as usize).max(1);
            if lost.stops {
                let because = format!("the agent {} was lost", lost.agent);
                self.abort(because, false);
            }
        }
    }

    /// Takes a sample: the alerts that fire or clear by it.
    pub(super) fn sample(&mut self, sample: &Sample) -> Vec<Event> {
        if let Some(early) = &mut self.early {
            early.sample(sample);
        }
        if let Counters::Attempts(counters) = &sample.counters
            && sample.source == SourceName::User
            && sample.from >= self.warm_up
            && !self.injected
        {
            self.ended.0 = self.ended.0.saturating_add(counters.ended_well);
            self.ended.1 = self.ended.1.saturating_add(counters.ended_badly);
        }
        let mut events = Vec::new();
        for whole in self.gather(sample) {
            let stops = self.stops.sample(&whole);
            self.note(stops);
            events.extend(self.alarms.sample(&whole));
        }
        events
    }

    /// The sums of intervals' samples, each once every thread has told its own. An agent that
    /// is not heard of must not blind the stop conditions: those that wait for it for too long
    /// are judged without it, and those that waited when it was lost as well.
    fn gather(&mut self, sample: &Sample) -> Vec<Sample> {
        let Counters::Attempts(counters) = &sample.counters else {
            return vec![sample.clone()];
        };
        if self.threads == 1 && self.gathered.is_empty() {
            return vec![sample.clone()];
        }
        let before = self.judged_to.get(&sample.source);
        if before.is_some_and(|before| sample.to <= *before) {
            return Vec::new(); // judged without it
        }
        let mut judged = Vec::new();
        let place = self.gathered.iter().position(|(known, _)| {
            (known.from, known.to, &known.source) == (sample.from, sample.to, &sample.source)
        });
        let place = place.unwrap_or_else(|| {
            if self.gathered.len() == GATHERED_MAX {
                judged.push(self.gathered.remove(0).0);
            }
            let mut empty = sample.clone();
            empty.counters = Counters::Attempts(crate::record::AttemptCounters::default());
            self.gathered.push((empty, 0));
            self.gathered.len() - 1
        });
        let (sum, told) = &mut self.gathered[place];
        if let Counters::Attempts(all) = &mut sum.counters {
            all.merge(counters);
        }
        *told += 1;
        let gathered = std::mem::take(&mut self.gathered).into_iter();
        let (whole, partial): (Vec<_>, Vec<_>) =
            gathered.partition(|(_, told)| *told >= self.threads);
        self.gathered = partial;
        judged.extend(whole.into_iter().map(|(sum, _)| sum));
        for sum in &judged {
            let to = self.judged_to.entry(sum.source.clone()).or_default();
            *to = sum.to.max(*to);
        }
        judged
    }

    /// Every gauge of an interval has been read.
    pub(super) fn sampled(&mut self, from: Nanos, to: Nanos) -> Vec<Event> {
        let stops = self.stops.sampled(from, to);
        self.note(stops);
        let lost = self.early.as_mut().and_then(|early| early.lost(to));
        if let Some(because) = lost {
            self.abort(because, true);
        }
        self.alarms.sampled(from, to)
    }

    fn note(&mut self, stops: Vec<Event>) {
        for event in stops {
            if let Event::AlertFired { alert } = event {
                self.abort(alert, false);
            }
        }
    }

    fn abort(&mut self, because: String, expectation: bool) {
        self.aborted.get_or_insert(StopCause::Aborted {
            because,
            expectation,
        });
    }

    /// The stop condition that held, or the expectation that no longer can.
    pub(super) const fn aborted(&self) -> Option<&StopCause> {
        self.aborted.as_ref()
    }

    /// Asked before a fault is injected at `now`.
    ///
    /// # Errors
    ///
    /// An unfit environment, where the target was not healthy until then.
    pub(super) fn healthy(&mut self, now: Nanos) -> Result<()> {
        if self.injected {
            return Ok(());
        }
        self.judge(now)?;
        self.injected = true;
        Ok(())
    }

    /// A fault was injected from outside: health was a matter of before.
    pub(super) const fn injected(&mut self) {
        self.injected = true;
    }

    fn judge(&self, now: Nanos) -> Result<()> {
        let (well, badly) = self.ended;
        let ended = well.saturating_add(badly);
        if ended == 0 {
            // Too early to tell: the findings will say that there is no baseline.
            let early = now < self.warm_up.saturating_add(self.interval * SEEN_AFTER);
            return if early {
                Ok(())
            } else {
                Err(unhealthy("no operation had ended"))
            };
        }
        let share = badly as f64 / ended as f64;
        if share > self.errors_max.get() {
            return Err(unhealthy(&format!(
                "{badly} of {} had ended without success, and {} is the most that counts as \
                 healthy",
                counted(ended, "operation"),
                self.errors_max
            )));
        }
        Ok(())
    }
}

fn unhealthy(why: &str) -> Error {
    Error::unfit(format!(
        "the target was not healthy before the first fault, so nothing was injected: {why}; check \
         that it answers the scenario's requests, or raise `baseline_errors` in [safety]"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{AlertRule, Signal};
    use crate::record::{AgentLost, AttemptCounters};

    /// What a thread of several has seen in a second: of ten attempts so many failed.
    fn second(number: u64, failed: u64) -> Sample {
        Sample {
            from: Nanos::from_secs(number),
            to: Nanos::from_secs(number + 1),
            source: SourceName::User,
            counters: Counters::Attempts(AttemptCounters {
                ended_well: 10 - failed,
                ended_badly: failed,
                ..AttemptCounters::default()
            }),
            histograms: Vec::new(),
        }
    }

    /// A watch over four threads, whose alert fires where half of a second fails.
    fn watch() -> Watch {
        let rule = AlertRule {
            name: "errors".into(),
            signal: Signal::ErrorShare,
            above: Ratio::new(0.5).unwrap(),
            hold: Nanos::from_secs(1),
        };
        let mut watch = Watch::new(&Plan {
            alerts: vec![rule],
            ..Plan::default()
        });
        watch.threads(1, 4);
        watch
    }

    fn lost() -> Event {
        Event::AgentLost(AgentLost {
            agent: "b".into(),
            threads: 2,
            of_threads: 4,
            from: Nanos::from_secs(1),
            reason: "nothing was heard of it for 10s".into(),
            missing: 0,
            stops: false,
        })
    }

    #[test]
    fn an_interval_is_judged_once_every_thread_has_told_it() {
        let mut watch = watch();
        // Three of four are well: of all, fewer than half have failed.
        for failed in [0, 0, 0] {
            assert_eq!(watch.sample(&second(0, failed)), []);
        }
        assert_eq!(watch.sample(&second(0, 10)), []);
        for _ in 0..3 {
            assert_eq!(watch.sample(&second(1, 9)), []);
        }
        assert_eq!(watch.sample(&second(1, 9)).len(), 1);
    }

    #[test]
    fn what_waited_for_an_agent_that_is_lost_is_judged_without_it() {
        let mut watch = watch();
        for number in 0..3 {
            for _ in 0..2 {
                assert_eq!(watch.sample(&second(number, 9)), []);
            }
        }
        watch.event(Nanos::from_secs(3), &lost());
        let fired = watch.sample(&second(3, 9));
        assert!(matches!(fired[..], [Event::AlertFired { .. }]), "{fired:?}");
        // What was judged already counts no more, whatever comes late.
        assert_eq!(watch.sample(&second(0, 0)), []);
        assert!(watch.gathered.len() == 1, "{:?}", watch.gathered);
    }

    #[test]
    fn an_agent_that_is_silent_does_not_blind_the_alerts_for_ever() {
        let mut watch = watch();
        let mut fired = Vec::new();
        for number in 0..20 {
            for _ in 0..2 {
                fired.extend(watch.sample(&second(number, 9)));
            }
        }
        assert!(matches!(fired[..], [Event::AlertFired { .. }]), "{fired:?}");
    }
}
