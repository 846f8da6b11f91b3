//! What a search would do, before it does anything.

use std::fmt::Write as _;

use crate::analysis::limit::LimitSought;
use crate::model::redact;
use crate::record::printable;
use crate::report::figures::{number, percent, plural};

/// Trials until the edge is known to a twentieth, beside those that are repeated about it.
const TRIALS_USUAL: u32 = 8;
/// Trials of a measure: three at each of two rates, one of which may not be told.
const TRIALS_OF_A_MEASURE: u32 = 6;

/// The most that a search would do.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds {
    /// Requests a second.
    pub requests_per_s: f64,
    /// Seconds that one trial of the trigger takes with its drain; none without a trigger.
    pub trial_s: Option<f64>,
    /// Measures of the advice that are tried.
    pub measures: usize,
    /// Whether the service goes on from step to step, and is asked whether it is back.
    pub asks: bool,
}

/// What a search would do, and its bounds.
pub(crate) fn dry_run(sought: &LimitSought, bounds: &Bounds) -> String {
    let objectives: Vec<String> = sought
        .objectives
        .iter()
        .map(|it| format!("`{it}`"))
        .collect();
    let mut lines = vec![
        format!("load {}", redact::text(&sought.target)),
        format!(
            "look for the highest rate at which {} and nothing piles up",
            conjoined(&objectives)
        ),
        format!(
            "begin at {}/s, double it up to {}/s at most, and then halve the interval until its \
             ends differ by less than {}",
            sought.from_per_s,
            sought.most_per_s,
            percent(sought.tolerance)
        ),
        format!(
            "measure each step for {} s at least, and over {} operations near the limit, after \
             {} s of warm-up",
            sought.window_s, sought.operations_min, sought.warm_up_s
        ),
        "try again what cannot be told, and both ends of the interval, three times as long"
            .to_owned(),
        "offer up to twice the limit".to_owned(),
    ];
    if bounds.asks {
        lines.push(format!(
            "after a step that does not hold, offer a small load until it is served as before, for \
             up to {} s; such loads are no steps, and their time counts",
            sought.cool_down_s
        ));
        if let Some(hook) = &sought.restart {
            lines.push(format!(
                "call the hook `{hook}` where the service stays down, and offer the small load \
                 again for as long"
            ));
        }
    }
    if let Some(client) = &sought.client {
        lines.push(format!("let clients behave like this: {client}"));
    }
    if let Some(trigger) = &sought.trigger {
        lines.push(format!(
            "do `{trigger}` at rates up to the limit, and wait {} s each time for service to come \
             back by itself",
            sought.return_within_s
        ));
        let trial = bounds.trial_s.unwrap_or_default();
        lines.push(format!(
            "take up to {trial:.0} s for each such trial, longer below the first rate, and some {} of them: {:.0} min beside the rest",
            TRIALS_USUAL + 2 * sought.trials,
            trial * f64::from(TRIALS_USUAL + 2 * sought.trials) / 60.0
        ));
        if bounds.measures > 0 {
            lines.push(format!(
                "try {} of the clients or the fleet in the same way, each {TRIALS_OF_A_MEASURE} \
                 times at most",
                plural(bounds.measures as u64, "measure")
            ));
        }
    }
    lines.push(format!(
        "take {} steps and {} s at most, and send at most {} requests a second",
        sought.steps_max,
        sought.within_s,
        number(bounds.requests_per_s)
    ));
    let mut text = String::from("Nothing is sent, started or changed; a search would:\n");
    for line in lines {
        let _ = writeln!(text, "  {}", printable(&line));
    }
    text
}

fn conjoined(objectives: &[String]) -> String {
    match objectives {
        [] => "nothing fails".to_owned(),
        [only] => format!("{only} holds"),
        [most @ .., last] => format!("{} and {last} hold", most.join(", ")),
    }
}
