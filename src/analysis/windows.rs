//! Windows that are named by events, on the edges of the buckets of a run that was seen.

use super::expectations::Seen;
use super::phases::{self, Stretch};
use crate::model::{Anchor, Moment, Point, Window};
use crate::units::Nanos;

/// Where a window lies.
///
/// # Errors
///
/// Why it was not observed, in a few words.
pub(super) fn stretch(window: &Window, seen: &Seen<'_>) -> Result<Stretch, String> {
    let (from, to) = match window {
        Window::Between(from, to) => (instant(from, seen)?, instant(to, seen)?),
        Window::Hold => {
            let from = moment(Moment::Recovery, seen)?;
            (from, from + seen.record.header.plan.recovery.hold)
        }
    };
    let observation = seen.observation;
    // An event some milliseconds behind an edge counts as on it: a conductor acts that late.
    let punctual = phases::punctual(seen.series);
    let early = seen.series.edge_before(from);
    let from = if from.saturating_sub(early).0 <= punctual {
        early
    } else {
        seen.series.edge_after(from)
    };
    let to = match window {
        Window::Between(_, point) if point.anchor == Anchor::End && point.before == Nanos::ZERO => {
            to
        }
        _ => seen.series.edge_before(to),
    };
    if from < observation.from || to > observation.to {
        return Err(format!(
            "the window from {:.1} s to {:.1} s is not within what was observed, {:.1} s to {:.1} s",
            from.as_secs_f64(),
            to.as_secs_f64(),
            observation.from.as_secs_f64(),
            observation.to.as_secs_f64()
        ));
    }
    if from >= to {
        return Err(format!(
            "the window is shorter than a bucket of {} s",
            seen.series.interval.as_secs_f64()
        ));
    }
    Ok(Stretch {
        name: window.to_string(),
        from,
        to,
    })
}

fn instant(point: &Point, seen: &Seen<'_>) -> Result<Nanos, String> {
    let anchor = match &point.anchor {
        Anchor::Zero => Nanos::ZERO,
        Anchor::Start => seen.observation.from,
        Anchor::End => seen.observation.to,
        Anchor::Moment(event) => moment(*event, seen)?,
        Anchor::Phase(name) => {
            let mut stretches = seen.stretches.iter();
            let found = stretches.find(|stretch| stretch.name == *name);
            found
                .ok_or_else(|| format!("the phase `{name}` was not seen"))?
                .from
        }
    };
    let later = anchor.saturating_add(point.after);
    if later < point.before {
        Err(format!("`{point}` lies before the start of the load"))
    } else {
        Ok(later - point.before)
    }
}

fn moment(event: Moment, seen: &Seen<'_>) -> Result<Nanos, String> {
    let incident = &seen.findings.incident;
    let at = match event {
        Moment::Trigger => incident.trigger_s,
        Moment::Impact => incident.impact_s,
        Moment::Detection => incident.detected_s,
        Moment::TriggerOff => incident.trigger_off_s,
        Moment::RollbackRejected => incident.rollback_rejected_s,
        Moment::RollbackApplied => incident.rollback_applied_s,
        Moment::Mitigation => incident.mitigated_s,
        Moment::Recovery => incident.recovered_s,
    };
    at.map(Nanos::from_secs_f64)
        .ok_or_else(|| format!("there was no {}", event.word()))
}
