//! What all steps together come to: every part of the result follows from them.

use super::beyond::beyond;
use super::causes;
use super::expected;
use super::found::{LimitFound, LimitStage, LimitStep, LimitVerdict};
use super::parts::{
    LimitCause, LimitEnded, LimitHeadroom, LimitMeasure, LimitResource, LimitReturns, LimitServed,
    LimitStatus,
};
use super::rates::{same, served, told};
use super::returned::{Turn, harmed, returns, trials};

/// Brings every part of the result up to date with its steps.
pub fn summarize(found: &mut LimitFound) {
    let steps = &found.steps;
    found.served = served(steps, found.sought.most_per_s);
    let early = !matches!(found.ended, LimitEnded::Complete | LimitEnded::StayedDown);
    if early && found.served.status == LimitStatus::Nothing {
        // Lower rates were still to be tried.
        found.served = LimitServed::unknown(found.served.clone());
    }
    let limit = found.served.low_per_s;
    found.limited_by = match found.served.status {
        LimitStatus::Found | LimitStatus::Nothing => of_the_service(steps),
        LimitStatus::NotTheService => not_of_the_service(steps, limit),
        _ => Vec::new(),
    };
    found.beyond = beyond(steps, limit);
    let trigger = found.sought.trigger.as_deref().unwrap_or_default();
    found.returns = returns(steps, limit, trigger);
    for measure in &mut found.advice {
        tried(measure, steps);
    }
    // By name where they do the same: the order must not depend on how it came to be.
    found.advice.sort_by(|one, other| {
        let tried = |it: &LimitMeasure| !it.rates.is_empty();
        let reached = |it: &LimitMeasure| it.returns_from_per_s.unwrap_or(0.0);
        tried(other)
            .cmp(&tried(one))
            .then(reached(other).total_cmp(&reached(one)))
            .then_with(|| one.name.cmp(&other.name))
    });
    for expectation in &mut found.expectations {
        expected::hold(expectation, &found.served, found.returns.as_ref());
    }
    found.headroom = found.sought.at_per_s.map(|rate| headroom(found, rate));
    found.sentence = sentence(found);
}

/// What was at its limit where objectives did not hold, each resource once.
fn of_the_service(steps: &[LimitStep]) -> Vec<LimitCause> {
    let own = steps.iter().filter(|step| {
        let open = matches!(step.stage, LimitStage::Served | LimitStage::Beyond);
        open && step.verdict == LimitVerdict::DoesNot
    });
    let mut own: Vec<&LimitStep> = own.collect();
    own.sort_by(|one, other| one.rate_per_s.total_cmp(&other.rate_per_s));
    let seen = own.iter().flat_map(|step| step.limited_by.iter().cloned());
    let mut causes: Vec<LimitCause> = Vec::new();
    let over_all = causes::plateau(steps)
        .into_iter()
        .chain(causes::dependency(steps));
    for cause in seen.chain(over_all) {
        let known = |it: &LimitCause| it.resource == cause.resource && it.name == cause.name;
        if !causes.iter().any(known) {
            causes.push(cause);
        }
    }
    causes.sort_by_key(|cause| strength(cause.resource));
    causes
}

/// What the generator or the machine was limited by, at the lowest such rate.
fn not_of_the_service(steps: &[LimitStep], limit: Option<f64>) -> Vec<LimitCause> {
    let above = |step: &&LimitStep| {
        step.stage == LimitStage::Served
            && step.verdict == LimitVerdict::CannotTell
            && limit.is_none_or(|limit| step.rate_per_s > limit)
    };
    let own = steps.iter().filter(above);
    let lowest = own.min_by(|one, other| one.rate_per_s.total_cmp(&other.rate_per_s));
    lowest
        .map(|step| step.limited_by.clone())
        .unwrap_or_default()
}

/// What a gauge says comes before what is inferred.
const fn strength(resource: LimitResource) -> u8 {
    match resource {
        // It says what the workers are busy with.
        LimitResource::Dependency => 0,
        LimitResource::Workers => 1,
        LimitResource::Processor => 2,
        LimitResource::AcceptQueue => 3,
        LimitResource::Concurrency => 4,
        LimitResource::Machine => 5,
        LimitResource::Generator => 6,
    }
}

fn tried(measure: &mut LimitMeasure, steps: &[LimitStep]) {
    measure.rates = trials(steps, Some(&measure.name));
    measure.returns_from_per_s = Turn::of(&measure.rates).back_below;
}

fn headroom(found: &LimitFound, rate: f64) -> LimitHeadroom {
    let to = |limit: Option<f64>| limit.map(|limit| limit / rate - 1.0);
    let to_served = to(found.served.low_per_s);
    // Where nothing was taken away nothing had to come back.
    let returns = found.returns.as_ref().filter(|it| harmed(&it.rates));
    let to_returns = to(returns.and_then(|it| it.low_per_s));
    let clause = |share: Option<f64>, until: &str, limit: &str| match share {
        Some(share) if share >= 0.0 => {
            format!("there is room for {:.0} % more {until}", share * 100.0)
        }
        Some(share) => format!("this is {:.2} times {limit}", 1.0 / (1.0 + share)),
        None => format!("it is not known how much room there is {until}"),
    };
    let first = clause(to_served, "until it is no longer served", "what is served");
    let mut sentence = format!("At {} {first}", told(rate));
    if found.sought.trigger.is_some() {
        let until = "until service no longer comes back by itself";
        let second = clause(to_returns, until, "what service comes back from");
        sentence = format!("{sentence}, and {second}");
    }
    sentence.push('.');
    LimitHeadroom {
        rate_per_s: rate,
        to_served,
        to_returns,
        sentence,
    }
}

/// All of it in one sentence.
fn sentence(found: &LimitFound) -> String {
    let served = &found.served;
    let mut parts = vec![match (served.status, served.low_per_s, served.high_per_s) {
        (LimitStatus::Found, Some(low), Some(high)) => {
            format!(
                "It serves {} (its limit is below {})",
                told(low),
                told(high)
            )
        }
        _ => served.sentence.trim_end_matches('.').to_owned(),
    }];
    if let Some(cause) = found
        .limited_by
        .first()
        .filter(|_| served.high_per_s.is_some())
    {
        let name = cause.name.as_ref();
        let name = name.map_or_else(String::new, |name| format!(" of `{name}`"));
        parts.push(format!(
            "what limits it is: {}{name}",
            cause.resource.word()
        ));
    }
    parts.extend(found.returns.as_ref().map(comes_back));
    format!("{}.", parts.join("; "))
}

/// From where service comes back, and how often that was seen.
fn comes_back(returns: &LimitReturns) -> String {
    let Some(low) = returns.low_per_s.filter(|_| harmed(&returns.rates)) else {
        return returns.sentence.trim_end_matches('.').to_owned();
    };
    let mut rates = returns.rates.iter();
    let trials = rates
        .find(|it| same(it.rate_per_s, low))
        .map_or(0, |it| it.trials);
    format!(
        "it comes back by itself at up to {} ({})",
        told(low),
        if trials == 1 {
            "in one trial".to_owned()
        } else {
            format!("in each of {trials} trials")
        }
    )
}
