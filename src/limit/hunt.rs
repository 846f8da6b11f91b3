//! The search as it is carried out: one step after the other, until it is complete or
//! something ends it. What was found so far is written after each.

use std::path::Path;
use std::thread;
use std::time::Duration;

use super::calm::{is_calm, probe};
use super::carrier::Carrier;
use super::kept;
use super::plans::Plans;
use super::search::{Next, Trial, next};
use crate::analysis::limit::{
    Judged, LimitEnded, LimitFound, LimitSought, LimitStage, LimitStep, LimitVerdict, Rules, judge,
    summarize,
};
use crate::analysis::{EndedBy, Findings};
use crate::clock::Clock;
use crate::error::{EXIT_SIGNAL_BASE, Error, Kind, Result};
use crate::live::Interrupt;
use crate::model::Origin;
use crate::plan::Plan;
use crate::record::{Backend, Record};
use crate::units::Nanos;

/// How long it is waited for a machine that others keep busy.
const FIT_WITHIN: Nanos = Nanos::from_secs(2 * 60);
/// How long from one look at the machine to the next.
const PAUSE: Duration = Duration::from_secs(1);
/// Where the run of a probe lies; the next one takes its place.
const PROBE: &str = "probe";

/// Why a search stopped before it was complete, where that is an error.
#[derive(Debug)]
pub(crate) enum Stopped {
    /// A signal.
    Signal(i32),
    /// A step failed to run.
    Failed(Error),
}

/// A search under way.
pub(crate) struct Hunt<'a> {
    /// Who carries out its steps.
    pub carrier: &'a mut dyn Carrier,
    /// Where it lies; none: nothing is written.
    pub directory: Option<&'a Path>,
    /// Whether an end was asked for.
    pub interrupt: Option<&'a Interrupt>,
    /// Told what is tried, and the result.
    pub tell: &'a mut dyn FnMut(&str),
    /// Whether mistakes are shown in colour.
    pub colour: bool,
}

/// How a search ended, and why.
type End = (LimitEnded, String, Option<Stopped>);

impl Hunt<'_> {
    /// Goes on with a search until it ends; why it stopped early.
    ///
    /// # Errors
    ///
    /// Where what was found cannot be written; where a search that goes on meets a service
    /// that is down.
    pub(crate) fn search(&mut self, found: &mut LimitFound) -> Result<Option<Stopped>> {
        let sought = found.sought.clone();
        let simulated = self.carrier.backend() == Backend::Sim;
        let plans = Plans::new(&sought, simulated, self.colour)?;
        let untried = found
            .advice
            .iter()
            .filter(|it| it.untried_because.is_none());
        let untried = untried.filter(|_| !sought.without_advice);
        let mut measures: Vec<String> = untried.map(|it| it.name.clone()).collect();
        // They are ranked by what they did so far, which must not change what comes next.
        measures.sort();
        self.begins_calm(&plans, found)?;
        let (ended, because, stopped) = loop {
            if let Some(signal) = self.asked() {
                break interrupted(signal);
            }
            match next(&sought, &found.steps, &measures) {
                Next::Complete => {
                    let because = "All that was asked for was tried.";
                    break (LimitEnded::Complete, because.to_owned(), None);
                }
                Next::Bound => {
                    let because = format!("{} steps are the most.", sought.steps_max);
                    break (LimitEnded::Bound, because, None);
                }
                Next::Try(trial) => {
                    if let Some(end) = self.step(&plans, &trial, found)? {
                        break end;
                    }
                }
            }
        };
        (found.ended, found.ended_because) = (ended, because);
        self.note(found)?;
        Ok(stopped)
    }

    /// Carries out a step, and adds it to those that were; an end where it is the last.
    fn step(
        &mut self,
        plans: &Plans<'_>,
        trial: &Trial,
        found: &mut LimitFound,
    ) -> Result<Option<End>> {
        let plan = match plans.of(trial) {
            Ok(plan) => plan,
            // The first steps of each kind were read before: this one is longer than is safe.
            Err(error) if error.kind() == Kind::Usage => {
                return Ok(Some((
                    LimitEnded::Bound,
                    beyond_bounds(trial, &error),
                    None,
                )));
            }
            Err(error) => return Ok(Some(failed(error))),
        };
        if let Some(end) = self.too_long(&plan, found) {
            return Ok(Some(end));
        }
        let number = u32::try_from(found.steps.len() + 1).unwrap_or(u32::MAX);
        (self.tell)(&announced(number, trial, &plan, found));
        let clock = Clock::start();
        let name = format!("step-{number:03}-{}", trial.stage.word());
        let (resettable, window_s) = (resettable(&plan), (plan.end - plan.warm_up).as_secs_f64());
        let judged = match self.judged(plan, &name, trial, &found.sought) {
            Ok(judged) => judged,
            Err(end) => {
                found.spent_s += clock.now().as_secs_f64();
                return Ok(Some(end));
            }
        };
        (self.tell)(&format!("  {}: {}", judged.verdict.words(), judged.why));
        let run = self.keeps_runs().then_some(name);
        let mut step = step(number, trial, window_s, judged, run);
        let carried_s = clock.now().as_secs_f64();
        found.spent_s += carried_s;
        let same = leaves_nothing(&step) || resettable || self.simulates();
        let calm = if same {
            Ok(true)
        } else {
            self.is_back_or_restarted(plans, &mut step, found)
        };
        step.took_s = clock.now().as_secs_f64();
        let waited_s = step.took_s - carried_s;
        found.spent_s += waited_s;
        found.steps.push(step);
        self.note(found)?;
        let asked = self.asked().is_some();
        Ok(match calm {
            Ok(true) => None,
            Ok(false) if asked => None,
            Ok(false) if found.spent_s >= found.sought.within_s => Some(not_back_yet(found)),
            Ok(false) => Some(stays_down(trial, found, waited_s)),
            Err(error) => Some(failed(error)),
        })
    }

    /// Carries out the plan of a step and judges it; an end where it is no step.
    fn judged(
        &mut self,
        plan: Plan,
        name: &str,
        trial: &Trial,
        sought: &LimitSought,
    ) -> std::result::Result<Judged, End> {
        let resettable = resettable(&plan);
        let carried = self.carried(plan, name)?;
        let returning = matches!(trial.stage, LimitStage::Returns | LimitStage::Advice);
        let (record, findings) = match carried {
            Ok(carried) => carried,
            // What runs already does not serve, or not as it should: that is seen next.
            Err(error) if error.kind() == Kind::Unfit && (returning || !resettable) => {
                return Ok(Judged::untold(error.to_string()));
            }
            Err(error) => return Err(failed(error)),
        };
        if let Some(end) = cut_short(&findings) {
            return Err(end);
        }
        let rules = Rules {
            objectives: &sought.objectives,
            tolerance: sought.tolerance,
            return_within_s: returning.then_some(sought.return_within_s),
        };
        let mut judged = judge(&record, &findings, &rules);
        if findings.ending.by == EndedBy::Aborted {
            let why = findings.ending.reasons.join("; ");
            judged.why = format!("it was stopped by a condition of the scenario: {why}");
            judged.verdict = if returning {
                LimitVerdict::CannotTell
            } else {
                LimitVerdict::DoesNot
            };
            // Whether it would have come back was not watched to its end.
            if let Some(recovery) = &mut judged.recovery {
                recovery.returned = None;
            }
        }
        Ok(judged)
    }

    /// Carries out a plan on a machine that is fit for it. One that others make busy between
    /// the look at it and that of the run itself is waited for once more.
    fn carried(
        &mut self,
        plan: Plan,
        name: &str,
    ) -> std::result::Result<Result<(Record, Findings)>, End> {
        self.fit_or_end(&plan)?;
        match self.carry(plan.clone(), name) {
            Err(error) if error.kind() == Kind::Unfit => {
                (self.tell)(&format!("  once more: {error}"));
                self.fit_or_end(&plan)?;
                Ok(self.carry(plan, name))
            }
            other => Ok(other),
        }
    }

    fn fit_or_end(&mut self, plan: &Plan) -> std::result::Result<(), End> {
        self.waits_until_fit(plan).map_err(failed)?;
        self.asked()
            .map_or(Ok(()), |signal| Err(interrupted(signal)))
    }

    /// The signal that asked for the end.
    fn asked(&self) -> Option<i32> {
        self.interrupt.and_then(Interrupt::signal)
    }

    /// Waits for a machine that others keep busy, for as long as it is worth it.
    fn waits_until_fit(&mut self, plan: &Plan) -> Result<()> {
        let clock = Clock::start();
        loop {
            match self.carrier.fit(plan) {
                Err(error) if error.kind() == Kind::Unfit && clock.now() < FIT_WITHIN => {
                    (self.tell)(&format!("  not yet: {error}"));
                    thread::sleep(PAUSE);
                }
                other => return other,
            }
            if self.asked().is_some() {
                return Ok(());
            }
        }
    }

    /// Of a search that goes on: whether the service serves.
    fn begins_calm(&mut self, plans: &Plans<'_>, found: &LimitFound) -> Result<()> {
        let Some(mut last) = found.steps.last().cloned() else {
            return Ok(());
        };
        let probe = plans.of(&probe(&last, found, 0))?;
        if self.simulates()
            || resettable(&probe)
            || self.is_back_or_restarted(plans, &mut last, found)?
        {
            return Ok(());
        }
        if self.asked().is_some() {
            return Ok(());
        }
        Err(Error::unfit(
            "failed to go on: the service does not serve a small load as before; restart it, and \
             try again",
        ))
    }

    /// Brings the result up to date and writes it.
    fn note(&self, found: &mut LimitFound) -> Result<()> {
        summarize(found);
        match self.directory {
            Some(directory) => kept::keep(directory, found),
            None => Ok(()),
        }
    }

    fn carry(&mut self, plan: Plan, name: &str) -> Result<(Record, Findings)> {
        let directory = self.directory.unwrap_or(Path::new("")).join(name);
        self.carrier.carry(plan, &directory)
    }

    fn simulates(&self) -> bool {
        self.carrier.backend() == Backend::Sim
    }

    fn keeps_runs(&self) -> bool {
        self.directory.is_some() && !self.simulates()
    }

    /// Whether the time that is left is too short for a step. In virtual time nobody waits.
    fn too_long(&self, plan: &Plan, found: &LimitFound) -> Option<End> {
        let takes = if self.simulates() {
            0.0
        } else {
            (plan.end + plan.drain).as_secs_f64()
        };
        let (spent, within) = (found.spent_s, found.sought.within_s);
        (spent + takes > within).then(|| {
            let because = format!(
                "The next step takes up to {takes:.0} s, and {spent:.0} s of {within:.0} s are used \
                 up; go on with --resume and a longer --within."
            );
            (LimitEnded::Bound, because, None)
        })
    }

    /// Whether the service is back by itself, or was started anew and serves as before.
    fn is_back_or_restarted(
        &mut self,
        plans: &Plans<'_>,
        after: &mut LimitStep,
        found: &LimitFound,
    ) -> Result<bool> {
        let asked = self.asked().is_some();
        let hook = found.sought.restart.as_deref();
        let back = self.is_back(plans, after, found)?;
        let Some(hook) = hook.filter(|_| !back && !asked) else {
            return Ok(back);
        };
        (self.tell)(&format!(
            "  it stays down; the hook `{hook}` starts it anew"
        ));
        let plan = plans.of(&probe(after, found, 0))?;
        self.carrier.restart(&plan, hook, self.directory)?;
        after.why = format!(
            "{}; it stayed down after it, and the hook `{hook}` started it anew",
            after.why
        );
        self.is_back(plans, after, found)
    }

    /// Offers a small load until it is served as before, or for a minute in vain.
    ///
    /// # Errors
    ///
    /// Where that cannot be seen: a service that does not answer is not back, and anything
    /// else that fails says nothing of it.
    fn is_back(
        &mut self,
        plans: &Plans<'_>,
        after: &LimitStep,
        found: &LimitFound,
    ) -> Result<bool> {
        let left = Nanos::from_secs_f64((found.sought.within_s - found.spent_s).max(0.0));
        let most = Nanos::from_secs_f64(found.sought.cool_down_s).min(left);
        let clock = Clock::start();
        let mut attempt = 0;
        loop {
            let plan = plans.of(&probe(after, found, attempt))?;
            self.waits_until_fit(&plan)?;
            if self.asked().is_some() {
                return Ok(false);
            }
            match self.carry(plan, PROBE) {
                Ok((_, findings)) if is_calm(&findings, found) => return Ok(true),
                Ok(_) => {}
                Err(error) if error.kind() == Kind::Unfit => {}
                Err(error) if matches!(error.kind(), Kind::Interrupted { .. }) => return Ok(false),
                Err(error) => return Err(error),
            }
            if clock.now() > most {
                return Ok(false);
            }
            attempt += 1;
            (self.tell)("  it is not back yet");
        }
    }
}

fn announced(number: u32, trial: &Trial, plan: &Plan, found: &LimitFound) -> String {
    let measure = trial.measure.as_ref();
    let measure = measure.map_or_else(String::new, |name| format!(", {name}"));
    format!(
        "step {number}, {}{measure}: {}/s for {:.0} s; {:.0} s of {:.0} s are used up",
        trial.stage.word(),
        trial.rate_per_s,
        plan.end.as_secs_f64(),
        found.spent_s,
        found.sought.within_s
    )
}

fn step(
    number: u32,
    trial: &Trial,
    window_s: f64,
    judged: Judged,
    run: Option<String>,
) -> LimitStep {
    LimitStep {
        number,
        stage: trial.stage,
        rate_per_s: trial.rate_per_s,
        seed: trial.seed,
        window_s,
        took_s: 0.0,
        measure: trial.measure.clone(),
        verdict: judged.verdict,
        why: judged.why,
        objectives: judged.objectives,
        figures: judged.figures,
        recovery: judged.recovery,
        limited_by: judged.limited_by,
        run,
    }
}

/// Whether a step leaves nothing behind in the service: its objectives held, or all
/// operations were served at their first try, and have been waited for.
fn leaves_nothing(step: &LimitStep) -> bool {
    let figures = &step.figures;
    let served = figures.error_share.is_some_and(|share| share <= 0.0);
    let first = figures.attempts_per_operation.is_some_and(|it| it <= 1.0);
    step.verdict == LimitVerdict::Holds || (served && first && step.recovery.is_none())
}

/// Whether a service runs already, and goes on from step to step.
pub(crate) fn goes_on(plan: &Plan) -> bool {
    !resettable(plan)
}

/// Whether each step begins with a service that was just started.
fn resettable(plan: &Plan) -> bool {
    let target = plan.target.as_ref();
    target.is_none_or(|target| matches!(target.origin, Origin::Command(_)))
}

fn interrupted(signal: i32) -> End {
    let because = "It was interrupted; go on with --resume.".to_owned();
    (
        LimitEnded::Interrupted,
        because,
        Some(Stopped::Signal(signal)),
    )
}

fn failed(error: Error) -> End {
    if let Kind::Interrupted { signal } = error.kind() {
        return interrupted(signal);
    }
    let because = format!("A step failed: {error}");
    (LimitEnded::Failed, because, Some(Stopped::Failed(error)))
}

/// A run that did not come to its end is no step.
fn cut_short(findings: &Findings) -> Option<End> {
    if findings.complete || findings.ending.by == EndedBy::Aborted {
        return None;
    }
    let code = findings.exit_code();
    if findings.ending.by == EndedBy::Interrupted {
        return Some(interrupted(code - EXIT_SIGNAL_BASE));
    }
    let why = findings.ending.reasons.join("; ");
    Some(failed(Error::failed(format!(
        "the run of a step was cut short: {why}"
    ))))
}

/// Why a plan of a rate is refused that is lower than those read before the search.
fn beyond_bounds(trial: &Trial, refused: &Error) -> String {
    format!(
        "{}/s is the next rate, and its step is refused: {refused}",
        trial.rate_per_s
    )
}

fn not_back_yet(found: &LimitFound) -> End {
    let because = format!(
        "All {:.0} s were used up while the service was not back yet; go on with --resume and a \
         longer --within.",
        found.sought.within_s
    );
    (LimitEnded::Bound, because, None)
}

fn stays_down(trial: &Trial, found: &LimitFound, waited_s: f64) -> End {
    let trigger = found.sought.trigger.as_deref().unwrap_or("the load");
    let what = match trial.stage {
        LimitStage::Returns | LimitStage::Advice => {
            format!("`{trigger}` at {}/s", trial.rate_per_s)
        }
        _ => format!("{}/s", trial.rate_per_s),
    };
    let because = format!(
        "The service stays down: {what} brought it down, and {waited_s:.0} s later it still does not serve \
         a small load as before. Restart it and go on with --resume; or name its `command` in a \
         scenario, so that each step starts it anew, or a hook that does with --restart."
    );
    (LimitEnded::StayedDown, because, None)
}
