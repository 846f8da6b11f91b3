//! At which rates service comes back by itself, and how often.
//!
//! Near the edge chance decides: the same trigger at the same rate is survived with one
//! seed and not with another. So each rate has a probability with its interval, and the
//! edge is a band: below it service came back every time, and above it never.

use super::found::{LimitStage, LimitStep};
use super::interval::wilson;
use super::parts::{LimitReturnRate, LimitReturns, LimitStatus};
use super::rates::{is_invalid, same, told};
use crate::analysis::expectations::decimal;
use crate::model::{IncidentVerdict, SustainingEffect};

/// Steps at a rate without a result after which it is left alone.
pub const UNTOLD_MAX: usize = 2;

/// How often service came back from each rate, the lowest first: as the clients are, or
/// with a measure of the advice.
pub fn trials(steps: &[LimitStep], measure: Option<&str>) -> Vec<LimitReturnRate> {
    let own = steps.iter().filter(|step| match measure {
        None => step.stage == LimitStage::Returns,
        Some(_) => step.stage == LimitStage::Advice && step.measure.as_deref() == measure,
    });
    let mut own: Vec<&LimitStep> = own.collect();
    own.sort_by(|one, other| one.rate_per_s.total_cmp(&other.rate_per_s));
    let groups = own.chunk_by(|one, other| same(one.rate_per_s, other.rate_per_s));
    groups.filter_map(of_one_rate).collect()
}

fn of_one_rate(steps: &[&LimitStep]) -> Option<LimitReturnRate> {
    let first = steps.first()?;
    let seen = steps.iter().filter_map(|step| step.recovery.as_ref());
    let told = seen.clone().filter(|it| it.returned.is_some()).count();
    let back = seen.filter(|it| it.returned == Some(true));
    let returned = back.clone().count();
    let unharmed = back
        .clone()
        .filter(|it| it.verdict == IncidentVerdict::NoImpact);
    let (low, high) = wilson(returned as u64, told as u64);
    let few = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
    Some(LimitReturnRate {
        rate_per_s: first.rate_per_s,
        trials: few(told),
        returned: few(returned),
        unharmed: few(unharmed.count()),
        low,
        high,
        after_s: back.filter_map(|it| it.after_s).collect(),
        steps: steps.iter().map(|step| step.number).collect(),
    })
}

/// The rates at which it turns.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Turn {
    /// The highest rate at which service came back every time, below every rate at which
    /// it once did not, or could not be told to.
    pub back_below: Option<f64>,
    /// The lowest rate at which it once did not come back.
    pub lost_at: Option<f64>,
    /// The lowest rate at which it could not be told, more than once.
    pub untold_at: Option<f64>,
    /// The highest rate at which it once came back.
    pub back_at: Option<f64>,
    /// The lowest rate at which it never did, above every rate at which it once did.
    pub lost_above: Option<f64>,
}

impl Turn {
    /// That of these trials.
    pub fn of(rates: &[LimitReturnRate]) -> Self {
        let rate = |it: &LimitReturnRate| it.rate_per_s;
        let lost = |it: &&LimitReturnRate| it.returned < it.trials;
        let untold = |it: &&LimitReturnRate| it.trials == 0 && it.steps.len() >= UNTOLD_MAX;
        let mut turn = Self {
            lost_at: rates.iter().find(lost).map(rate),
            untold_at: rates.iter().find(untold).map(rate),
            back_at: rates.iter().rfind(|it| it.returned > 0).map(rate),
            ..Self::default()
        };
        let end = turn.stop().unwrap_or(f64::INFINITY);
        let begin = turn.back_at.unwrap_or(0.0);
        let every_time = |it: &&LimitReturnRate| {
            it.trials > 0 && it.returned == it.trials && it.rate_per_s < end
        };
        let never =
            |it: &&LimitReturnRate| it.trials > 0 && it.returned == 0 && it.rate_per_s > begin;
        turn.back_below = rates.iter().rfind(every_time).map(rate);
        turn.lost_above = rates.iter().find(never).map(rate);
        turn
    }

    /// The lowest rate at which it is not so that service comes back every time.
    pub fn stop(&self) -> Option<f64> {
        match (self.lost_at, self.untold_at) {
            (Some(lost), Some(untold)) => Some(lost.min(untold)),
            (lost, untold) => lost.or(untold),
        }
    }
}

/// What is known of the highest rate at which service comes back; `top`: the highest that
/// was to be tried.
pub fn returns(steps: &[LimitStep], top: Option<f64>, trigger: &str) -> Option<LimitReturns> {
    let rates = trials(steps, None);
    if rates.is_empty() {
        return None;
    }
    let turn = Turn::of(&rates);
    let status = status(&turn, top, steps);
    let (low, high) = (turn.back_below, turn.lost_above);
    Some(LimitReturns {
        status,
        low_per_s: low,
        high_per_s: high,
        sustaining: sustaining(steps),
        sentence: sentence(status, (low, high), (&rates, trigger)),
        rates,
    })
}

/// An upper end is known only where service never came back: where it could not be told,
/// or sometimes did, nothing is said of it.
fn status(turn: &Turn, top: Option<f64>, steps: &[LimitStep]) -> LimitStatus {
    let of_generator = |step: &LimitStep| step.stage == LimitStage::Returns && is_invalid(step);
    match (turn.back_below, turn.lost_above) {
        (Some(_), Some(_)) => LimitStatus::Found,
        (None, Some(_)) if turn.back_at.is_none() && turn.untold_at.is_none() => {
            LimitStatus::Nothing
        }
        (Some(back), None) if turn.stop().is_none() && top.is_some_and(|top| same(back, top)) => {
            LimitStatus::NoLimit
        }
        (_, None) if turn.untold_at.is_some() && steps.iter().any(of_generator) => {
            LimitStatus::NotTheService
        }
        _ => LimitStatus::Unknown,
    }
}

/// What kept service down most often.
fn sustaining(steps: &[LimitStep]) -> Option<SustainingEffect> {
    let own = steps.iter().filter(|it| it.stage == LimitStage::Returns);
    let lost = own.filter_map(|it| it.recovery.as_ref());
    let lost = lost.filter(|it| it.returned == Some(false));
    let effects: Vec<_> = lost.filter_map(|it| it.sustaining).collect();
    let count = |effect: &&SustainingEffect| effects.iter().filter(|it| it == effect).count();
    effects.iter().max_by_key(count).copied()
}

/// Whether the trigger took service away in any trial.
pub fn harmed(rates: &[LimitReturnRate]) -> bool {
    rates.iter().any(|it| it.unharmed < it.trials)
}

fn sentence(
    status: LimitStatus,
    (low, high): (Option<f64>, Option<f64>),
    (rates, trigger): (&[LimitReturnRate], &str),
) -> String {
    let at = |rate: Option<f64>| {
        let rate = rate?;
        rates.iter().find(|it| same(it.rate_per_s, rate))
    };
    let seen = |rate: Option<f64>| {
        at(rate).map_or_else(String::new, |it| {
            let rate = told(it.rate_per_s);
            format!("{rate} ({} of {} trials)", it.returned, it.trials)
        })
    };
    let takes = at(low)
        .and_then(|it| it.after_s.iter().copied().reduce(f64::max))
        .map_or_else(String::new, |longest| {
            format!(", within {} s", decimal(longest, 1))
        });
    let begin = format!("After `{trigger}`");
    match (status, low) {
        (LimitStatus::NoLimit, Some(low)) if !harmed(rates) => format!(
            "`{trigger}` took no service away at any rate up to {}, so nothing had to come back.",
            told(low)
        ),
        (LimitStatus::NoLimit, low) => format!(
            "{begin} it comes back by itself at every rate up to {}{takes}, which is all that was \
             tried.",
            seen(low)
        ),
        (LimitStatus::Found, low) => format!(
            "{begin} it comes back by itself at up to {}{takes}; at {} and above it does not.",
            seen(low),
            seen(high)
        ),
        (LimitStatus::Nothing, _) => format!(
            "{begin} it does not come back by itself, not even at {}.",
            seen(high)
        ),
        (LimitStatus::NotTheService, low) => format!(
            "{begin} it cannot be told whether it comes back{}: the load generator or this \
             machine was the limit.",
            low.map_or_else(String::new, |low| format!(" at more than {}", told(low)))
        ),
        (LimitStatus::Unknown, Some(_)) => format!(
            "{begin} it comes back by itself at up to {}{takes}; where it never does is not known.",
            seen(low)
        ),
        (LimitStatus::Unknown, None) => {
            format!("{begin} it is not known at which rates it comes back by itself.")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rates with how many of how many trials came back.
    fn turn(trials: &[(f64, u32, u32)]) -> Turn {
        let rates: Vec<LimitReturnRate> = trials
            .iter()
            .map(|(rate, returned, trials)| LimitReturnRate {
                rate_per_s: *rate,
                trials: *trials,
                returned: *returned,
                unharmed: 0,
                low: 0.0,
                high: 1.0,
                after_s: Vec::new(),
                steps: vec![1, 2],
            })
            .collect();
        Turn::of(&rates)
    }

    #[test]
    fn the_edge_is_between_always_and_never() {
        let found = turn(&[
            (1.0, 1, 1),
            (2.0, 4, 4),
            (4.0, 2, 4),
            (6.0, 0, 4),
            (8.0, 0, 1),
        ]);
        assert_eq!(
            (
                found.back_below,
                found.lost_at,
                found.back_at,
                found.lost_above
            ),
            (Some(2.0), Some(4.0), Some(4.0), Some(6.0))
        );
        let sharp = turn(&[(1.0, 1, 1), (2.0, 0, 1)]);
        assert_eq!((sharp.back_below, sharp.lost_above), (Some(1.0), Some(2.0)));
        let nothing = turn(&[(1.0, 0, 1)]);
        assert_eq!((nothing.back_below, nothing.lost_above), (None, Some(1.0)));
        // One that could not be told is no proof that it comes back.
        let untold = turn(&[(1.0, 2, 2), (2.0, 0, 0), (3.0, 2, 2)]);
        assert_eq!((untold.back_below, untold.stop()), (Some(1.0), Some(2.0)));
        assert_eq!((untold.lost_at, untold.lost_above), (None, None));
    }
}
