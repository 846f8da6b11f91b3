//! Between which rates the limit of what is served lies, as far as the steps tell.

use super::found::{LimitStage, LimitStep, LimitVerdict};
use super::parts::{LimitResource, LimitServed, LimitStatus};
use crate::analysis::expectations::decimal;

/// Rates that differ by less than this share are the same: what is written and read again
/// may differ in its last digit.
const SAME: f64 = 1e-9;

/// What all steps at one rate come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Every objective holds.
    Holds,
    /// One does not.
    DoesNot,
    /// It could not be told, and was tried once.
    Open,
    /// It could not be told, more than once.
    Unsure,
}

/// A rate with what its steps come to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rated {
    /// The rate.
    pub rate_per_s: f64,
    /// What its steps come to.
    pub standing: Standing,
    /// How many of its steps came to that: the later ones are longer, and have other seeds.
    pub alike: usize,
    /// Whether the generator or the machine was the limit, and nothing of the service was
    /// seen.
    pub not_the_service: bool,
}

/// The rates that were tried for what is served, the lowest first.
pub fn rated(steps: &[LimitStep]) -> Vec<Rated> {
    let own = steps.iter().filter(|it| it.stage == LimitStage::Served);
    let mut own: Vec<&LimitStep> = own.collect();
    own.sort_by(|one, other| one.rate_per_s.total_cmp(&other.rate_per_s));
    let groups = own.chunk_by(|one, other| same(one.rate_per_s, other.rate_per_s));
    groups.filter_map(of_one_rate).collect()
}

/// Whether two rates are one.
pub(super) fn same(one: f64, other: f64) -> bool {
    (one - other).abs() <= SAME * one.abs().max(other.abs())
}

/// The last step at a rate decides: it was the longest.
fn of_one_rate(steps: &[&LimitStep]) -> Option<Rated> {
    let last = steps.last()?;
    let again = steps.len() > 1;
    Some(Rated {
        rate_per_s: last.rate_per_s,
        standing: match last.verdict {
            LimitVerdict::Holds => Standing::Holds,
            LimitVerdict::DoesNot => Standing::DoesNot,
            LimitVerdict::CannotTell if again => Standing::Unsure,
            LimitVerdict::CannotTell => Standing::Open,
        },
        alike: steps.iter().filter(|it| it.verdict == last.verdict).count(),
        not_the_service: is_invalid(last),
    })
}

/// Whether the generator or the machine gave out first: what it lost is not the service's.
pub(super) fn is_invalid(step: &LimitStep) -> bool {
    let first = step.limited_by.first().map(|it| it.resource);
    let other = [LimitResource::Generator, LimitResource::Machine];
    step.verdict == LimitVerdict::CannotTell && first.is_some_and(|first| other.contains(&first))
}

/// The lowest rate at which an objective does not hold.
pub fn lowest_broken(rates: &[Rated]) -> Option<f64> {
    let broken = rates.iter().find(|it| it.standing == Standing::DoesNot);
    broken.map(|it| it.rate_per_s)
}

/// The highest rate below that at which every objective holds.
pub fn highest_held(rates: &[Rated]) -> Option<&Rated> {
    let end = lowest_broken(rates).unwrap_or(f64::INFINITY);
    let mut below = rates.iter().filter(|it| it.rate_per_s < end);
    below.rfind(|it| it.standing == Standing::Holds)
}

/// What is known of the highest rate that is served; `most`: the highest that was allowed.
pub fn served(steps: &[LimitStep], most: f64) -> LimitServed {
    let rates = rated(steps);
    let held = highest_held(&rates);
    let (low, high) = (held.map(|it| it.rate_per_s), lowest_broken(&rates));
    let from = low.unwrap_or(0.0);
    let until = high.unwrap_or(f64::INFINITY);
    let between = |it: &&Rated| {
        let open = matches!(it.standing, Standing::Open | Standing::Unsure);
        open && it.rate_per_s > from && it.rate_per_s < until
    };
    let unsure: Vec<&Rated> = rates.iter().filter(between).collect();
    let not_the_service = unsure.first().is_some_and(|it| it.not_the_service);
    let status = match (low, high) {
        (Some(_), Some(_)) => LimitStatus::Found,
        (None, Some(_)) if unsure.is_empty() => LimitStatus::Nothing,
        (Some(low), None) if same(low, most) => LimitStatus::NoLimit,
        (_, None) if not_the_service => LimitStatus::NotTheService,
        _ => LimitStatus::Unknown,
    };
    let broken = high.and_then(|high| why_broken(steps, high));
    LimitServed {
        status,
        low_per_s: low,
        high_per_s: high,
        confirmed: held.is_some_and(|it| it.alike > 1),
        unsure_per_s: unsure.iter().map(|it| it.rate_per_s).collect(),
        sentence: sentence(status, low, high, broken.as_deref()),
        broken,
    }
}

impl LimitServed {
    /// The same, where lower rates may still be served.
    pub(super) fn unknown(self) -> Self {
        let status = LimitStatus::Unknown;
        Self {
            status,
            sentence: sentence(
                status,
                self.low_per_s,
                self.high_per_s,
                self.broken.as_deref(),
            ),
            ..self
        }
    }
}

/// Why the last step at a rate did not hold.
fn why_broken(steps: &[LimitStep], rate: f64) -> Option<String> {
    let own = steps
        .iter()
        .rfind(|it| it.stage == LimitStage::Served && same(it.rate_per_s, rate));
    own.map(|step| step.why.clone())
}

/// A rate in words, with four digits at most.
pub(super) fn told(rate: f64) -> String {
    let digits = match rate {
        1000.0.. => 0,
        100.0.. => 1,
        10.0.. => 2,
        _ => 3,
    };
    format!("{}/s", decimal(rate, digits))
}

fn sentence(
    status: LimitStatus,
    low: Option<f64>,
    high: Option<f64>,
    broken: Option<&str>,
) -> String {
    let because = broken.map_or_else(String::new, |why| format!(": {why}"));
    let low = low.map(told);
    let high = high.map(told).unwrap_or_default();
    match (status, low) {
        (LimitStatus::Found, Some(low)) => {
            format!("It serves {low}, and not {high}{because}.")
        }
        (LimitStatus::NoLimit, Some(low)) => {
            format!("No limit was found up to {low}, the highest rate that was allowed.")
        }
        (LimitStatus::NotTheService, Some(low)) => format!(
            "No limit was found below {low}: past it the load generator or this machine was the \
             limit, and not the service."
        ),
        (LimitStatus::NotTheService, None) => "Nothing is known of the service: the load \
             generator or this machine was the limit at every rate."
            .to_owned(),
        (LimitStatus::Nothing, _) => format!(
            "It does not even serve {high}, the lowest rate that was tried{because}. Higher rates \
             than the first were not looked at."
        ),
        (_, Some(low)) => format!("It serves {low}; whether it serves more is not known."),
        (_, None) if high.is_empty() => {
            "What it serves is not known: no step could tell.".to_owned()
        }
        (_, None) => format!("It does not serve {high}{because}; what it serves is not known."),
    }
}
