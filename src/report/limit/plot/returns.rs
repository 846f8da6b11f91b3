//! Time to return over rate, every trial a mark, and under it how often service came back.

use super::{MarkedRate, Panel, Picture, named_rate, number_short};
use crate::analysis::limit::{LimitFound, LimitStage, LimitStep, LimitVerdict};
use crate::report::figures::{percent, seconds};
use crate::report::limit::wording::{per_second, probability};

/// The heights of the panels: the row of what did not come back, the times, the shares.
const ROW: f64 = 26.0;
const TIMES: f64 = 190.0;
const SHARES: f64 = 80.0;
/// Between two panels.
const GAP: f64 = 44.0;
/// From one trial of a rate to the next.
const APART: f64 = 9.0;

/// The trials, as the clients are.
fn trials(found: &LimitFound) -> Vec<&LimitStep> {
    let own = |step: &&LimitStep| step.stage == LimitStage::Returns;
    found.steps.iter().filter(own).collect()
}

/// Seconds until service was back, where it came back.
fn after(step: &LimitStep) -> Option<f64> {
    let recovery = step.recovery.as_ref()?;
    recovery.after_s.filter(|_| recovery.returned == Some(true))
}

/// The picture, so many units wide; none without trials.
pub(in crate::report::limit) fn svg(found: &LimitFound, width: f64) -> Option<String> {
    let trials = trials(found);
    trials.first()?;
    let marks = marks(found);
    let rates = trials.iter().map(|it| it.rate_per_s);
    let mut picture = Picture::new(width, rates.chain(marks.iter().map(|it| it.rate_per_s)))?;
    let longest = trials.iter().filter_map(|it| after(it)).fold(0.0, f64::max);
    picture.text(4.0, 14.0, "start", "axis", "time to return");
    picture.room_for(&marks);
    let row = Panel {
        top: picture.top,
        bottom: picture.top + ROW,
        most: 1.0,
    };
    let times = Panel {
        top: row.bottom,
        bottom: row.bottom + TIMES,
        most: 1.12
            * if longest > 0.0 {
                longest
            } else {
                found.sought.return_within_s.max(1.0)
            },
    };
    let shares = Panel {
        top: times.bottom + GAP,
        bottom: times.bottom + GAP + SHARES,
        most: 1.0,
    };
    edge(
        &mut picture,
        found,
        Panel {
            top: row.top,
            ..shares
        },
    );
    picture.line("grid", (picture.left, row.top), (picture.right, row.top));
    picture.text(
        picture.left - 6.0,
        row.top + ROW / 2.0 + 4.0,
        "end",
        "tick",
        "not back",
    );
    picture.grid(times, 5.0, |value| format!("{} s", number_short(value)));
    picture.marked(&marks, shares.bottom);
    draw_trials(&mut picture, &trials, (row, times));
    picture.text(
        4.0,
        shares.top - 14.0,
        "start",
        "axis",
        "trials in which it came back",
    );
    picture.grid(shares, 2.0, |value| {
        format!("{} %", number_short(value * 100.0))
    });
    draw_shares(&mut picture, found, shares);
    picture.rates(shares.bottom);
    Some(picture.done(shares.bottom + 40.0, "time to return over rate"))
}

/// The rates that are marked: the edge, what is served, and the one that the user named.
fn marks(found: &LimitFound) -> Vec<MarkedRate> {
    let mut marks = Vec::new();
    let mut put = |rate: Option<f64>, class, words: &str| {
        marks.extend(rate.map(|rate| MarkedRate {
            rate_per_s: rate,
            class,
            label: format!("{words} {}", per_second(rate)),
        }));
    };
    let edge = found.returns.as_ref();
    put(edge.and_then(|it| it.low_per_s), "edge", "comes back from");
    put(edge.and_then(|it| it.high_per_s), "edge", "does not from");
    put(found.served.low_per_s, "served", "served:");
    marks.extend(found.headroom.iter().map(|it| named_rate(it.rate_per_s)));
    marks
}

/// The band in which chance decides.
fn edge(picture: &mut Picture, found: &LimitFound, panel: Panel) {
    let returns = found.returns.as_ref();
    if let Some((low, high)) = returns.and_then(|it| it.low_per_s.zip(it.high_per_s)) {
        picture.band("edge band", low, high, panel);
    }
}

/// Each trial at its rate; those of one rate side by side.
fn draw_trials(picture: &mut Picture, trials: &[&LimitStep], (row, times): (Panel, Panel)) {
    for (place, step) in trials.iter().enumerate() {
        let same = |it: &&&LimitStep| (it.rate_per_s - step.rate_per_s).abs() < 1e-9;
        let before = trials[..place].iter().filter(same).count();
        let all = trials.iter().filter(same).count();
        let aside = APART * (before as f64 - (all - 1) as f64 / 2.0);
        let x = (picture.x(step.rate_per_s) + aside).clamp(picture.left, picture.right);
        let recovery = step.recovery.as_ref();
        let (verdict, y, what) = match (after(step), recovery.and_then(|it| it.returned)) {
            (Some(after), _) => {
                let what = format!("back after {}", seconds(after));
                (LimitVerdict::Holds, times.y(after), what)
            }
            (None, Some(false)) => (LimitVerdict::DoesNot, row.y(0.5), "not back".to_owned()),
            _ => (
                LimitVerdict::CannotTell,
                row.y(0.5),
                "cannot tell".to_owned(),
            ),
        };
        let rate = per_second(step.rate_per_s);
        let title = format!("step {}: {what} at {rate}", step.number);
        picture.mark((x, y), verdict, &title);
    }
}

/// How often service came back from each rate, with its interval.
fn draw_shares(picture: &mut Picture, found: &LimitFound, panel: Panel) {
    let rates = found.returns.iter().flat_map(|it| &it.rates);
    for rate in rates.filter(|it| it.trials > 0) {
        let share = f64::from(rate.returned) / f64::from(rate.trials);
        let x = picture.x(rate.rate_per_s);
        picture.interval(x, (rate.low, rate.high), panel);
        let title = format!(
            "{}: {} of {} trials, {} ({})",
            per_second(rate.rate_per_s),
            rate.returned,
            rate.trials,
            percent(share),
            probability(rate)
        );
        picture.dot("share", (x, panel.y(share)), &title);
    }
}
