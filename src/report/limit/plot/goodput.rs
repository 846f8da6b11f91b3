//! Goodput over offered load: what is served stays on the line on which all of it is.

use super::{MarkedRate, Panel, Picture, named_rate, number_short};
use crate::analysis::limit::{LimitFound, LimitPoint, LimitStage, LimitStep};
use crate::report::limit::wording::per_second;

/// The height of the picture's one panel.
const HEIGHT: f64 = 260.0;

/// Goodput at one rate.
pub(in crate::report::limit) struct Point<'a> {
    pub step: &'a LimitStep,
    /// Its interval, where it has one.
    pub interval: Option<(f64, f64)>,
}

/// The steps without a trigger, the lowest rate first.
pub(in crate::report::limit) fn points(found: &LimitFound) -> Vec<Point<'_>> {
    let own = |step: &&LimitStep| matches!(step.stage, LimitStage::Served | LimitStage::Beyond);
    let seen = found.beyond.iter().flat_map(|it| &it.points);
    let interval = |step: &LimitStep| {
        let point: Option<&LimitPoint> = seen.clone().find(|it| it.step == step.number);
        point.and_then(|it| it.low_per_s.zip(it.high_per_s))
    };
    let steps = found.steps.iter().filter(own);
    let mut points: Vec<Point<'_>> = steps
        .map(|step| Point {
            step,
            interval: interval(step),
        })
        .collect();
    points.sort_by(|one, other| {
        let [one, other] = [one, other].map(|it| it.step.figures.offered_per_s);
        one.total_cmp(&other)
    });
    points
}

/// The picture, so many units wide; none without steps.
pub(in crate::report::limit) fn svg(found: &LimitFound, width: f64) -> Option<String> {
    let points = points(found);
    points.first()?;
    let marks = marks(found);
    let offered = points.iter().map(|it| it.step.figures.offered_per_s);
    let rates = offered.chain(marks.iter().map(|it| it.rate_per_s));
    let mut picture = Picture::new(width, rates)?;
    let highest = points.iter().map(|it| {
        let goodput = it.step.figures.goodput_per_s;
        it.interval.map_or(goodput, |(_, high)| high.max(goodput))
    });
    let most = highest.fold(0.0, f64::max);
    picture.text(4.0, 14.0, "start", "axis", "goodput, operations per second");
    picture.room_for(&marks);
    let panel = Panel {
        top: picture.top,
        bottom: picture.top + HEIGHT,
        most: if most > 0.0 { most * 1.12 } else { 1.0 },
    };
    if let Some((low, high)) = found.served.low_per_s.zip(found.served.high_per_s) {
        picture.band("served band", low, high, panel);
    }
    picture.grid(panel, 6.0, number_short);
    ideal(&mut picture, panel);
    picture.marked(&marks, panel.bottom);
    peak(&mut picture, found, panel);
    for point in &points {
        draw(&mut picture, point, panel);
    }
    picture.rates(panel.bottom);
    Some(picture.done(panel.bottom + 40.0, "goodput over offered load"))
}

/// The limit, half as much again, and the rate that the user named.
fn marks(found: &LimitFound) -> Vec<MarkedRate> {
    let mut marks = Vec::new();
    if let Some(low) = found.served.low_per_s {
        let high = found.served.high_per_s;
        let high = high.map_or_else(String::new, |high| format!(", not {}", per_second(high)));
        marks.push(MarkedRate {
            rate_per_s: low,
            class: "served",
            label: format!("served: {}{high}", per_second(low)),
        });
    }
    if found.beyond.is_some()
        && let Some(low) = found.served.low_per_s
    {
        marks.push(MarkedRate {
            rate_per_s: low * 1.5,
            class: "half",
            label: "1.5 times".into(),
        });
    }
    marks.extend(found.headroom.iter().map(|it| named_rate(it.rate_per_s)));
    marks
}

/// All of what is offered is served.
fn ideal(picture: &mut Picture, panel: Panel) {
    let end = picture.most_per_s.min(panel.most);
    let [from, to] = [0.0, end].map(|rate| (picture.x(rate), panel.y(rate)));
    picture.line("ideal", from, to);
}

/// The highest goodput, and its name at the left, where no point is so high.
fn peak(picture: &mut Picture, found: &LimitFound, panel: Panel) {
    let Some(peak) = found.beyond.as_ref().and_then(|it| it.peak_per_s) else {
        return;
    };
    let y = panel.y(peak);
    picture.line("peak", (picture.left, y), (picture.right, y));
    let label = format!("peak: {}", per_second(peak));
    picture.text(picture.left + 5.0, y - 5.0, "start", "peak", &label);
}

fn draw(picture: &mut Picture, point: &Point<'_>, panel: Panel) {
    let figures = &point.step.figures;
    let x = picture.x(figures.offered_per_s);
    if let Some(interval) = point.interval {
        picture.interval(x, interval, panel);
    }
    let title = format!(
        "step {}: {} of {}, {}",
        point.step.number,
        per_second(figures.goodput_per_s),
        per_second(figures.offered_per_s),
        point.step.verdict.words()
    );
    let y = panel.y(figures.goodput_per_s);
    picture.mark((x, y), point.step.verdict, &title);
}
