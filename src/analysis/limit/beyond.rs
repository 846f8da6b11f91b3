//! What becomes of goodput past the limit: it keeps, it degrades, or it collapses.

use super::found::{LimitStage, LimitStep};
use super::parts::{LimitBeyond, LimitPoint, LimitShape};
use super::rates::{is_invalid, told};
use crate::analysis::student;

/// More than this share of the peak: it keeps.
const KEEPS: f64 = 0.9;
/// More than this: it degrades, and does not collapse.
const DEGRADES: f64 = 0.5;
/// Offered load that counts as half as much again as the limit: from here …
const HALF_MORE_FROM: f64 = 1.4;
/// … to here.
const HALF_MORE_TO: f64 = 1.6;

/// The curve of goodput, where anything was tried past the limit.
pub(super) fn beyond(steps: &[LimitStep], limit: Option<f64>) -> Option<LimitBeyond> {
    let limit = limit?;
    let any = steps.iter().any(|it| it.stage == LimitStage::Beyond);
    if !any {
        return None;
    }
    let own = steps.iter().filter(|it| {
        matches!(it.stage, LimitStage::Served | LimitStage::Beyond) && !is_invalid(it)
    });
    let mut points: Vec<LimitPoint> = own.map(point).collect();
    points.sort_by(|one, other| one.offered_per_s.total_cmp(&other.offered_per_s));
    let goodput = |it: &LimitPoint| it.goodput_per_s;
    let peak = points.iter().map(goodput).reduce(f64::max);
    let past = points.iter().filter(|it| it.offered_per_s > limit);
    let least = past.map(goodput).reduce(f64::min);
    let left = peak.zip(least).map(|(peak, least)| least / peak);
    let shape = match left {
        None => LimitShape::Unknown,
        Some(left) if left > KEEPS => LimitShape::Keeps,
        Some(left) if left > DEGRADES => LimitShape::Degrades,
        Some(_) => LimitShape::Collapses,
    };
    let half_more = points
        .iter()
        .find(|it| (HALF_MORE_FROM..=HALF_MORE_TO).contains(&(it.offered_per_s / limit)));
    let share_at_half_more = half_more
        .zip(peak)
        .map(|(it, peak)| it.goodput_per_s / peak);
    let sentence = sentence(shape, peak, share_at_half_more);
    Some(LimitBeyond {
        points,
        shape,
        peak_per_s: peak,
        share_at_half_more,
        sentence,
    })
}

/// A step as a point of the curve. Successes are counted as they come, so the interval is
/// that of a count, and no narrower.
fn point(step: &LimitStep) -> LimitPoint {
    let goodput = step.figures.goodput_per_s;
    let count = goodput * step.window_s;
    let reach = student::reach(student::CONFIDENCE, 1_000) * count.max(0.0).sqrt()
        / step.window_s.max(1e-9);
    LimitPoint {
        step: step.number,
        offered_per_s: step.figures.offered_per_s,
        goodput_per_s: goodput,
        low_per_s: Some((goodput - reach).max(0.0)),
        high_per_s: Some(goodput + reach),
    }
}

fn sentence(shape: LimitShape, peak: Option<f64>, half_more: Option<f64>) -> String {
    let peak = peak.map(told).unwrap_or_default();
    let half_more = half_more.map_or_else(String::new, |share| {
        format!(
            " At one and a half times the limit {:.0} % of the peak is left.",
            share * 100.0
        )
    });
    let begin = match shape {
        LimitShape::Keeps => format!("Past the limit it keeps its goodput of up to {peak}."),
        LimitShape::Degrades => {
            format!("Past the limit its goodput falls from {peak}, by less than half.")
        }
        LimitShape::Collapses => {
            format!("Past the limit its goodput collapses, from {peak} to less than half.")
        }
        LimitShape::Unknown => "Nothing past the limit could be measured.".to_owned(),
    };
    format!("{begin}{half_more}")
}
