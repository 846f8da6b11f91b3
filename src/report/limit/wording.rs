//! What a search for a limit says in words, the same for every reader.

use crate::analysis::limit::{
    LimitEnded, LimitFound, LimitMeasure, LimitReturnRate, LimitSought, LimitStatus, harmed,
};
use crate::record::{Backend, printable};
use crate::report::figures::{NONE, maybe, number, percent, plural, seconds};

/// A rate: `412/s`.
pub(super) fn per_second(rate: f64) -> String {
    format!("{}/s", number(rate))
}

/// A time in milliseconds.
pub(super) fn milliseconds(time: f64) -> String {
    format!("{} ms", number(time))
}

/// A limit in a few letters, and what is to be known of it.
pub(super) struct Limit {
    pub(super) value: String,
    pub(super) note: String,
}

/// The highest rate that is served.
pub(super) fn served(found: &LimitFound) -> Limit {
    let served = &found.served;
    let value = value(served.status, served.low_per_s, "nothing");
    let at = |rate: Option<f64>, begin: &str| {
        rate.map_or_else(String::new, |rate| format!("{begin} {}", per_second(rate)))
    };
    let note = match served.status {
        LimitStatus::Found => {
            let confirmed = if served.confirmed {
                ""
            } else {
                "; not confirmed"
            };
            format!("{}{confirmed}", at(served.high_per_s, "not"))
        }
        LimitStatus::NoLimit => "every rate that was allowed is served".into(),
        LimitStatus::NotTheService => "then the generator or this machine was the limit".into(),
        LimitStatus::Nothing => at(served.high_per_s, "not even"),
        LimitStatus::Unknown => "the limit cannot be told".into(),
    };
    Limit { value, note }
}

/// The highest rate from which service comes back.
pub(super) fn returns(found: &LimitFound) -> Limit {
    let Some(returns) = &found.returns else {
        let note = match found.sought.trigger {
            Some(_) => "not tried",
            None => "no trigger was given",
        };
        return Limit {
            value: NONE.into(),
            note: note.into(),
        };
    };
    let at = |begin: &str| {
        let high = returns.high_per_s;
        high.map_or_else(String::new, |rate| format!("{begin} {}", per_second(rate)))
    };
    if !harmed(&returns.rates) {
        return Limit {
            value: NONE.into(),
            note: "the trigger took no service away".into(),
        };
    }
    let note = match returns.status {
        LimitStatus::Found => at("not from"),
        LimitStatus::NoLimit => "from every rate that was tried".into(),
        LimitStatus::NotTheService => "then the generator or this machine was the limit".into(),
        LimitStatus::Nothing => at("not even from"),
        LimitStatus::Unknown => "the edge cannot be told".into(),
    };
    Limit {
        value: value(returns.status, returns.low_per_s, "never"),
        note,
    }
}

/// A rate that is the limit, or that the limit is not below.
fn value(status: LimitStatus, low: Option<f64>, none: &str) -> String {
    match (status, low) {
        (LimitStatus::Nothing, _) => none.to_owned(),
        (LimitStatus::Found, low) => maybe(low, per_second),
        (_, low) => maybe(low, |low| format!("≥ {}", per_second(low))),
    }
}

/// Where the steps were made.
pub(super) fn machine(found: &LimitFound) -> String {
    let cores = plural(found.machine.cores.into(), "core");
    let machine = match &*printable(&found.machine.processor) {
        "" => cores,
        processor => format!("{cores} of {processor}"),
    };
    match found.backend {
        Backend::Sim => format!("simulated on {machine}"),
        Backend::Live => format!("live on {machine}"),
    }
}

/// What has to be known before any figure; empty where the search came to its end and the
/// limit is that of the service.
pub(super) fn banners(found: &LimitFound) -> Vec<String> {
    let mut banners = Vec::new();
    if found.ended != LimitEnded::Complete {
        banners.push(format!(
            "Incomplete: {}. {} What was found so far stands below.",
            found.ended.word(),
            printable(&found.ended_because)
        ));
    }
    let returns = found.returns.as_ref().map(|it| it.status);
    if [Some(found.served.status), returns].contains(&Some(LimitStatus::NotTheService)) {
        banners.push(
            "The load generator or this machine was the limit before the service was: no limit \
             of the service was found."
                .into(),
        );
    }
    banners
}

/// What limits it, a sentence each; why there is nothing where there is nothing.
pub(super) fn limited_by(found: &LimitFound) -> Vec<String> {
    if !found.limited_by.is_empty() {
        return found
            .limited_by
            .iter()
            .map(|it| it.sentence.clone())
            .collect();
    }
    let none = match found.served.status {
        LimitStatus::Found | LimitStatus::Nothing => {
            "Not known: nothing that was read was at its limit."
        }
        LimitStatus::NoLimit => "Nothing up to the highest rate that was allowed.",
        LimitStatus::NotTheService => "Not known: the service was not at its limit.",
        LimitStatus::Unknown => "Not known.",
    };
    vec![none.into()]
}

/// How many of how many trials, at which rates: `2 of 3 from 300/s`.
pub(super) fn trials(rates: &[LimitReturnRate]) -> String {
    let each = rates.iter().map(|rate| {
        format!(
            "{} of {} from {}",
            rate.returned,
            rate.trials,
            per_second(rate.rate_per_s)
        )
    });
    each.collect::<Vec<_>>().join(", ")
}

/// What a measure does to the rate from which service comes back.
pub(super) fn effect(measure: &LimitMeasure) -> String {
    if let Some(why) = &measure.untried_because {
        return format!("not tried: {}", printable(why));
    }
    match measure.returns_from_per_s {
        Some(rate) => format!("it comes back by itself at up to {}", per_second(rate)),
        None if measure.rates.is_empty() => "not tried yet".into(),
        None if measure.rates.iter().all(|it| it.trials == 0) => "it could not be told".into(),
        None => "it does not come back from any rate that was tried".into(),
    }
}

/// The interval of a probability: `44 % to 100 %`.
pub(super) fn probability(rate: &LimitReturnRate) -> String {
    format!("{} to {}", percent(rate.low), percent(rate.high))
}

/// What was looked for, and within which bounds: what, and how it was set.
pub(super) fn sought(sought: &LimitSought) -> Vec<(&'static str, String)> {
    let text = |text: &Option<String>, none: &str| {
        let text = text.as_deref().unwrap_or(none);
        printable(text).into_owned()
    };
    vec![
        (
            "objectives",
            printable(&sought.objectives.join(", ")).into_owned(),
        ),
        ("trigger", text(&sought.trigger, "none")),
        ("clients", text(&sought.client, "as in the scenario")),
        ("service is back within", seconds(sought.return_within_s)),
        (
            "rates",
            format!(
                "from {} up to {}, to within {}",
                per_second(sought.from_per_s),
                per_second(sought.most_per_s),
                percent(sought.tolerance)
            ),
        ),
        (
            "a step",
            format!(
                "{} after a warm-up of {}",
                seconds(sought.window_s),
                seconds(sought.warm_up_s)
            ),
        ),
        (
            "bounds",
            format!(
                "{} and {}",
                plural(sought.steps_max.into(), "step"),
                seconds(sought.within_s)
            ),
        ),
        ("seed", sought.seed.to_string()),
    ]
}
