//! What a search would do, before it does anything.

use std::fmt::Write as _;

use crate::analysis::limit::LimitSought;
use crate::model::redact;
use crate::record::printable;
use crate::report::figures::{number, percent};

/// Trials until the edge is known to a twentieth, beside those that are repeated about it.
const TRIALS_USUAL: u32 = 8;

/// What a search would do, and its bounds; `requests`: a second at most; `trial`: seconds
/// that one trial of the trigger takes.
pub(crate) fn dry_run(sought: &LimitSought, requests: f64, trial: Option<f64>) -> String {
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
        "try again what cannot be told, and both ends of the interval, three times as long".to_owned(),
        "offer up to twice the limit".to_owned(),
        "after a step that does not hold, offer a small load to a service that runs already, until \
         it is served as before"
            .to_owned(),
    ];
    if let Some(client) = &sought.client {
        lines.push(format!("let clients behave like this: {client}"));
    }
    if let Some(trigger) = &sought.trigger {
        lines.push(format!(
            "do `{trigger}` at rates up to the limit, and wait {} s each time for service to come \
             back by itself",
            sought.return_within_s
        ));
        let trial = trial.unwrap_or_default();
        lines.push(format!(
            "take {trial:.0} s for each such trial, and some {} of them: {:.0} min beside the rest",
            TRIALS_USUAL + 2 * sought.trials,
            trial * f64::from(TRIALS_USUAL + 2 * sought.trials) / 60.0
        ));
    }
    lines.push(format!(
        "take {} steps and {} s at most, and send at most {} requests a second",
        sought.steps_max,
        sought.within_s,
        number(requests)
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
