//! What is tried next: a pure function of what was sought and of the steps so far.
//!
//! It holds no state of its own. The list of finished steps is all that it is told, so a
//! search that was interrupted goes on where it ended, and every decision can be made
//! again from the result.
//!
//! **Served.** The rate doubles until an objective does not hold, and then the interval is
//! halved, on the logarithm of the rate, until its ends differ by less than the tolerance.
//! What could not be told is tried once more, for longer. If it still cannot be told, it
//! stays in the interval, which is narrowed from below and then from above: a noisy
//! machine widens the interval, and is not asked for ever. Both ends are confirmed with
//! another seed and a longer window, the last step at a rate decides. **Beyond** offers more than the limit. **Returns**
//! halves on single trials first, and then tries the rates about the edge until each has
//! enough of them. **Advice** tries measures where service did not come back.

use crate::analysis::limit::{
    LimitReturnRate, LimitSought, LimitStage, LimitStatus, LimitStep, Rated, Standing, Turn,
    UNTOLD_MAX, highest_held, lowest_broken, rated, served, trials,
};

/// Past the limit, in limits.
const BEYOND: [f64; 3] = [1.25, 1.5, 2.0];
/// A window that is longer is so many times as long.
const LONGER: f64 = 3.0;
/// On the way up an answer is far from the bound: a part of the operations tells it.
const SHORTER: f64 = 5.0;
/// … as long as so many operations come in it: they tell a p99, and that none of them failed
/// tells an error share of less than 1 %.
const TELLING: f64 = 400.0;
/// Rates of which nothing is served are divided by this …
const DOWN: f64 = 4.0;
/// … so often: by a thousand in all.
const DOWNS: u32 = 5;
/// Longer tries and confirmations that the bound on the number of steps has room for.
const AGAIN: u32 = 12;
/// Where service comes back is told apart by this share at least: chance decides there.
const RETURN_TOLERANCE: f64 = 0.05;
/// Rates from which service is not back are halved so often.
const RETURN_DOWNS: u32 = 6;
/// Rates about the edge that the bound on the number of steps has room for.
const EDGE_RATES: u32 = 5;
/// Trials of a measure at each of two rates.
const MEASURE_TRIALS: usize = 2;
/// Trials of a measure at a rate, with one that could not be told.
const MEASURE_STEPS: usize = MEASURE_TRIALS + UNTOLD_MAX - 1;

/// A step to try.
#[derive(Debug, Clone, PartialEq)]
pub struct Trial {
    /// For which question.
    pub stage: LimitStage,
    /// At which rate.
    pub rate_per_s: f64,
    /// For how long it is measured; with a trigger, that follows from the plan.
    pub window_s: f64,
    /// With which seed.
    pub seed: u64,
    /// With which measure of the advice.
    pub measure: Option<String>,
}

/// What comes next.
#[derive(Debug, Clone, PartialEq)]
pub enum Next {
    /// This is to be tried.
    Try(Trial),
    /// All was tried.
    Complete,
    /// The number of steps is used up.
    Bound,
}

/// How long a step is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Window {
    Short,
    Usual,
    Long,
}

/// What comes after these steps; `measures`: what may be tried to raise the rate from which
/// service comes back.
pub fn next(sought: &LimitSought, steps: &[LimitStep], measures: &[String]) -> Next {
    let Some((stage, rate, window, measure)) = choose(sought, steps, measures) else {
        return Next::Complete;
    };
    if steps.len() as u64 >= u64::from(sought.steps_max) {
        return Next::Bound;
    }
    Next::Try(Trial {
        stage,
        rate_per_s: rate,
        window_s: seconds(sought, rate, window),
        seed: sought.seed.wrapping_add(steps.len() as u64),
        measure,
    })
}

type Choice = (LimitStage, f64, Window, Option<String>);

fn choose(sought: &LimitSought, steps: &[LimitStep], measures: &[String]) -> Option<Choice> {
    if let Some((rate, window)) = next_served(sought, &rated(steps)) {
        return Some((LimitStage::Served, rate, window, None));
    }
    let limit = served(steps, sought.most_per_s);
    let low = limit.low_per_s?;
    if limit.status == LimitStatus::Found
        && let Some(rate) = next_beyond(sought, steps, low)
    {
        return Some((LimitStage::Beyond, rate, Window::Usual, None));
    }
    sought.trigger.as_ref()?;
    let rates = trials(steps, None);
    if let Some(rate) = next_return(&rates, low, sought) {
        return Some((LimitStage::Returns, rate, Window::Usual, None));
    }
    // A measure shows something only where service never came back without it.
    let edge = Turn::of(&rates).lost_above?;
    let tried = measures.iter().find_map(|name| {
        let rate = next_measured(&trials(steps, Some(name)), edge, low)?;
        Some((rate, name.clone()))
    });
    let (rate, name) = tried?;
    Some((LimitStage::Advice, rate, Window::Usual, Some(name)))
}

/// The next rate for the highest that is served.
fn next_served(sought: &LimitSought, rates: &[Rated]) -> Option<(f64, Window)> {
    let Some(lowest) = rates.first() else {
        return Some((sought.from_per_s.min(sought.most_per_s), Window::Short));
    };
    let mut open = rates.iter().filter(|it| it.standing == Standing::Open);
    if let Some(open) = open.next() {
        return Some((open.rate_per_s, Window::Long));
    }
    let Some(held) = highest_held(rates) else {
        return down(sought, lowest.rate_per_s).map(|rate| (rate, Window::Short));
    };
    let low = held.rate_per_s;
    let broken = lowest_broken(rates);
    if broken.is_none()
        && let Some(rate) = up(sought, rates)
    {
        return Some((rate, Window::Short));
    }
    let unsure = |it: &&Rated| {
        let below = broken.is_none_or(|broken| it.rate_per_s < broken);
        it.standing == Standing::Unsure && it.rate_per_s > low && below
    };
    let first = rates.iter().find(unsure);
    let last = rates.iter().rev().find(unsure);
    let top = first.map(|it| it.rate_per_s).or(broken);
    if let Some(rate) = top.and_then(|top| between(low, top, sought.tolerance)) {
        return Some((rate, Window::Usual));
    }
    let upper = last.filter(|it| !it.not_the_service).zip(broken);
    if let Some((last, broken)) = upper
        && let Some(rate) = between(last.rate_per_s, broken, sought.tolerance)
    {
        return Some((rate, Window::Usual));
    }
    if held.alike < 2 {
        return Some((low, Window::Long));
    }
    // One cold or disturbed step must not be a bound for ever: the last one decides.
    let upper = rates.iter().find(|it| it.standing == Standing::DoesNot)?;
    (upper.alike < 2).then_some((upper.rate_per_s, Window::Long))
}

/// A lower rate, where none is served yet.
fn down(sought: &LimitSought, lowest: f64) -> Option<f64> {
    let least = sought.from_per_s / DOWN.powf(f64::from(DOWNS) + 0.5);
    let rate = tidy(lowest / DOWN);
    (rate > least).then_some(rate)
}

/// A higher rate, where none is known to be too high; not past one at which the generator
/// or the machine was the limit.
fn up(sought: &LimitSought, rates: &[Rated]) -> Option<f64> {
    let highest = rates.last().filter(|it| !it.not_the_service)?;
    let rate = tidy(highest.rate_per_s * 2.0).min(sought.most_per_s);
    (rate > highest.rate_per_s).then_some(rate)
}

/// The middle of an interval whose ends differ by more than the tolerance.
fn between(low: f64, high: f64, tolerance: f64) -> Option<f64> {
    if high / low <= 1.0 + tolerance {
        return None;
    }
    let middle = tidy((low * high).sqrt());
    (middle > low && middle < high).then_some(middle)
}

fn next_beyond(sought: &LimitSought, steps: &[LimitStep], low: f64) -> Option<f64> {
    let rates = BEYOND.iter().map(|times| tidy(low * times));
    let mut open = rates
        .filter(|rate| *rate <= sought.most_per_s)
        .filter(|rate| {
            let mut tried = steps.iter().filter(|it| it.stage == LimitStage::Beyond);
            tried.all(|it| (it.rate_per_s / rate - 1.0).abs() > 1e-9)
        });
    open.next()
}

/// The next rate for the highest from which service comes back.
fn next_return(rates: &[LimitReturnRate], top: f64, sought: &LimitSought) -> Option<f64> {
    let Some(lowest) = rates.first() else {
        return Some(top);
    };
    let untold = rates
        .iter()
        .find(|it| it.trials == 0 && it.steps.len() < UNTOLD_MAX);
    if let Some(untold) = untold {
        return Some(untold.rate_per_s);
    }
    let tolerance = sought.tolerance.max(RETURN_TOLERANCE);
    let turn = Turn::of(rates);
    let Some(back) = turn.back_below else {
        let least = top / 2f64.powf(f64::from(RETURN_DOWNS) + 0.5);
        let rate = tidy(lowest.rate_per_s / 2.0);
        return (rate > least).then_some(rate);
    };
    if let Some(rate) = turn.stop().and_then(|lost| between(back, lost, tolerance)) {
        return Some(rate);
    }
    // Where some came back above one that did not, the band has an upper end of its own.
    let upper = turn.back_at.filter(|at| *at > back).zip(turn.lost_above);
    if let Some(rate) = upper.and_then(|(at, lost)| between(at, lost, tolerance)) {
        return Some(rate);
    }
    let end = turn.lost_above.or(turn.stop()).unwrap_or(back);
    let mut about = rates.iter().filter(|it| {
        // On a noisy machine few can be told: it is not asked for ever.
        let again = it.trials < sought.trials && it.steps.len() < 2 * sought.trials as usize;
        it.rate_per_s >= back && it.rate_per_s <= end && it.trials > 0 && again
    });
    about.next().map(|it| it.rate_per_s)
}

/// The next rate for a measure: where service did not come back, and then all that is
/// served.
fn next_measured(rates: &[LimitReturnRate], edge: f64, top: f64) -> Option<f64> {
    for rate in [edge, top] {
        let own = rates
            .iter()
            .find(|it| (it.rate_per_s / rate - 1.0).abs() < 1e-9);
        let Some(own) = own else {
            return Some(rate);
        };
        // One that failed has decided; what cannot be told twice is left alone.
        let untold = own.steps.len() - own.trials as usize;
        if own.returned < own.trials || untold >= UNTOLD_MAX {
            return None;
        }
        if (own.trials as usize) < MEASURE_TRIALS {
            return Some(rate);
        }
    }
    None
}

/// The longest step at the first rate.
pub fn longest(sought: &LimitSought) -> Trial {
    Trial {
        stage: LimitStage::Served,
        rate_per_s: sought.from_per_s,
        window_s: seconds(sought, sought.from_per_s, Window::Long),
        seed: sought.seed,
        measure: None,
    }
}

fn seconds(sought: &LimitSought, rate: f64, window: Window) -> f64 {
    let operations = sought.operations_min as f64;
    let over = |operations: f64| sought.window_s.max(operations / rate);
    match window {
        Window::Short => over((operations / SHORTER).max(TELLING.min(operations))),
        Window::Usual => over(operations),
        Window::Long => LONGER * over(operations),
    }
}

/// A rate of four digits: it is written, read again, and still the same.
pub(super) fn tidy(rate: f64) -> f64 {
    let mut scale = 1.0;
    // As a whole number of four digits, or of a power of ten.
    while rate * scale < 1_000.0 && scale < 1e12 {
        scale *= 10.0;
    }
    let mut unit = 1.0;
    while rate / unit >= 10_000.0 {
        unit *= 10.0;
    }
    (rate * scale / unit).round() * unit / scale
}

/// Steps at most that a search takes: doublings, halvings, and what is tried again.
pub fn steps_max(sought: &LimitSought, measures: usize) -> u32 {
    let logarithm = |ratio: f64| ceiling(ratio.max(1.0).log2());
    let halvings = |tolerance: f64, range: f64| logarithm(range.ln() / tolerance.ln_1p());
    let doublings = logarithm(sought.most_per_s / sought.from_per_s) + 1;
    // Above and below what cannot be told.
    let of_served = doublings.max(DOWNS + 1) + 2 * halvings(sought.tolerance, DOWN) + AGAIN;
    let beyond = u32::try_from(BEYOND.len()).unwrap_or(u32::MAX);
    let returns = if sought.trigger.is_some() {
        let tolerance = sought.tolerance.max(RETURN_TOLERANCE);
        let trials = EDGE_RATES * sought.trials;
        let advice = u32::try_from(2 * MEASURE_STEPS * measures).unwrap_or(u32::MAX);
        RETURN_DOWNS + 1 + 2 * halvings(tolerance, 2.0) + trials + advice
    } else {
        0
    };
    of_served + beyond + returns
}

fn ceiling(value: f64) -> u32 {
    u32::try_from(crate::units::whole(value.ceil())).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_written_with_four_digits() {
        for (rate, tidied) in [
            (412.349, 412.3),
            (0.123_449, 0.1234),
            (5.0, 5.0),
            (70_710.678, 70_710.0),
            (999.96, 1_000.0),
            (123_456_789.0, 123_500_000.0),
        ] {
            assert!(
                (tidy(rate) / tidied - 1.0).abs() < 1e-12,
                "{rate}: {}",
                tidy(rate)
            );
            let written: f64 = tidy(rate).to_string().parse().unwrap();
            assert!((written - tidy(rate)).abs() < f64::EPSILON * written);
        }
    }
}
