//! What a trend says in words, the same for every reader.

use crate::analysis::trend::{Change, Effect, Shown, Trend, Unit, WhyLeftOut};
use crate::record::{Backend, MachineFacts, printable};
use crate::report::figures::{plural, utc};
use crate::units::counted;

/// Below this a probability says no more than that it is small.
const CHANCE_MIN: f64 = 1e-6;

/// A value in its unit, with three significant digits.
pub(super) fn value(value: f64, unit: Unit) -> String {
    match unit {
        Unit::Milliseconds => format!("{} ms", significant(value)),
        Unit::Seconds => format!("{} s", significant(value)),
        Unit::Share => format!("{} %", significant(value * 100.0)),
        Unit::PerSecond => format!("{}/s", significant(value)),
        Unit::Number => significant(value),
    }
}

/// A number with three significant digits, and none behind the point above a hundred.
pub(super) fn significant(value: f64) -> String {
    let digits = (0..9).find(|digits| value.abs() >= 10_f64.powi(2 - digits) * 0.9995);
    let digits = usize::try_from(digits.unwrap_or_default()).unwrap_or_default();
    format!("{value:.digits$}")
}

/// A share as a change: `+23.4 %`.
pub(super) fn signed(share: Option<f64>) -> String {
    match share {
        Some(share) if share < 0.0 => format!("−{} %", significant(-share * 100.0)),
        Some(share) => format!("+{} %", significant(share * 100.0)),
        None => "from zero".into(),
    }
}

pub(super) fn chance(p_value: f64) -> String {
    if p_value < CHANCE_MIN {
        return "p < 0.000001".into();
    }
    let digits = (2..8).find(|digits| p_value * 10_f64.powi(digits - 1) >= 1.0);
    let digits = usize::try_from(digits.unwrap_or(7)).unwrap_or(7);
    format!("p = {p_value:.digits$}")
}

/// What the series is of: scenario, backend, machine.
pub(super) fn subject(trend: &Trend) -> String {
    let scenario = trend
        .scenario
        .as_deref()
        .map(|it| printable(it).into_owned());
    let ran = match (trend.backend, &trend.machine) {
        (Some(Backend::Sim), _) => Some("simulated".to_owned()),
        (Some(Backend::Live), Some(it)) => Some(format!("live on {}", machine(it))),
        _ => None,
    };
    let parts = scenario.into_iter().chain(ran);
    parts.collect::<Vec<_>>().join(" · ")
}

/// A machine in a few words.
pub(super) fn machine(machine: &MachineFacts) -> String {
    let cores = plural(machine.cores.into(), "core");
    match &*printable(&machine.processor) {
        "" => cores,
        processor => format!("{cores} of {processor}"),
    }
}

/// The answer in one sentence.
pub(crate) fn answer(trend: &Trend) -> String {
    let figure = printable(&trend.figure);
    let points = trend.points.len() as u64;
    match (trend.shown, trend.changes.last()) {
        (Shown::Changed, Some(last)) => {
            let earlier = match trend.changes.len() - 1 {
                0 => String::new(),
                more => format!(" ({} before that)", counted(more as u64, "change")),
            };
            format!("{figure} {}{earlier}", change(last, trend.unit))
        }
        (Shown::CannotTell, _) => format!(
            "{figure}: cannot tell: {}, at least {} needed",
            counted(points, "run"),
            trend.runs_needed
        ),
        _ => format!("{figure}: no change shown in {}", counted(points, "run")),
    }
}

/// A change in a clause: "changed by +23.4 % at …".
pub(super) fn change(change: &Change, unit: Unit) -> String {
    let verb = match change.effect {
        Effect::Worse => "became worse",
        Effect::Better => "became better",
        Effect::Neither => "changed",
    };
    format!(
        "{verb} at {} ({}): {}, from {} to {}, {}",
        change.run,
        utc(change.started_wall_ms),
        signed(change.change),
        value(change.mean_before, unit),
        value(change.mean_after, unit),
        chance(change.p_value)
    )
}

/// What a reader of the answer should know beside it, one sentence each.
pub(super) fn notes(trend: &Trend) -> Vec<String> {
    let mut notes = Vec::new();
    if let Some(least) = trend.least_change {
        let percent = significant(least * 100.0);
        notes.push(if least > trend.magnitude {
            format!(
                "With this spread, the means of two halves of these runs would have to differ \
                 by {percent} % to be shown."
            )
        } else {
            format!("A difference of {percent} % between two halves of these runs would be shown.")
        });
    }
    let unlike = trend.left_out.iter();
    let unlike = unlike.filter(|it| matches!(it.why, WhyLeftOut::Plan | WhyLeftOut::Machine));
    if unlike.count() > trend.points.len() {
        notes.push(
            "The newest run decides the plan and the machine of the series: name the runs that \
             are meant by a pattern or with --scenario, or make points of others with --include."
                .into(),
        );
    }
    let unseen = trend
        .left_out
        .iter()
        .filter(|it| it.reason.contains("censored"));
    let unseen = unseen.count() as u64;
    if unseen > 0 {
        notes.push(format!(
            "In {} the figure is censored: known to be long, but not how long. Such runs are \
             no points, so a change for the worse may be larger than shown.",
            counted(unseen, "run")
        ));
    }
    notes
}

/// How the changes were found.
pub(super) fn method(trend: &Trend) -> String {
    format!(
        "E-divisive with means in windows of {} runs, with Student's t-test: a change counts \
         where p < {} and the larger mean exceeds the smaller by more than {} %.",
        trend.window,
        trend.significance,
        significant(trend.magnitude * 100.0)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_three_significant_digits() {
        for (number, text) in [
            (0.0, "0"),
            (1234.5, "1234"),
            (234.5, "234"),
            (99.96, "100"),
            (41.23, "41.2"),
            (9.996, "10.0"),
            (1.2345, "1.23"),
            (0.001_234_5, "0.00123"),
        ] {
            assert_eq!(significant(number), text);
        }
        assert_eq!(signed(Some(-0.5)), "−50.0 %");
        assert_eq!(chance(0.000_214), "p = 0.00021");
        assert_eq!(chance(0.04), "p = 0.040");
        assert_eq!(chance(1e-9), "p < 0.000001");
    }
}
