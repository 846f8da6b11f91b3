//! The page's histograms: how response, service and wait times were spread
//! before, during and after the incident.
//!
//! How many values a window has stands beside its name, since its bins are shares.

use serde::Serialize;

use super::figures::count;
use crate::analysis::{Bucket, Findings, RunPart, Series, bins};
use crate::record::Histogram;
use crate::units::Nanos;

/// One chart of spreads.
#[derive(Debug, Serialize)]
pub(super) struct Spread {
    /// Its place in the page: `spread-…`.
    pub id: &'static str,
    /// Its title.
    pub title: &'static str,
    /// What it shows, in one sentence.
    pub about: &'static str,
    /// Lower edges of the bins in milliseconds, and the upper edge of the last.
    pub edges_ms: Vec<f64>,
    /// The windows.
    pub windows: Vec<Window>,
}

/// One window's spread.
#[derive(Debug, Serialize)]
pub(super) struct Window {
    /// Its name and how many values it holds.
    pub name: String,
    /// What it stands for; the page's style sheet has the colour.
    pub role: &'static str,
    /// Share of the values in each bin, in per cent; zero at the last edge.
    pub shares: Vec<f64>,
}

/// A measured duration: what it is called, what it means, where it is kept.
type DurationKind = (
    &'static str,
    &'static str,
    &'static str,
    fn(&Bucket) -> Option<&Histogram>,
);

const KEPT: [DurationKind; 3] = [
    (
        "response",
        "Response time",
        "From the intended start to the end, of operations that succeeded.",
        |bucket| bucket.response.as_ref(),
    ),
    (
        "service",
        "Service time",
        "From the send to the end of each attempt that was answered, whatever the status.",
        |bucket| bucket.service.as_ref(),
    ),
    (
        "wait",
        "Queue wait",
        "From the arrival of a job in the queue until a worker takes it.",
        |bucket| bucket.queue_wait.as_ref(),
    ),
];

/// The spreads that have any value in them.
pub(super) fn spreads(series: &Series, findings: &Findings) -> Vec<Spread> {
    let parts = findings.parts();
    let spread = |&(id, title, about, of): &DurationKind| {
        let merged = parts.iter().map(|(_, from_s, to_s)| {
            let mut all = Histogram::new();
            let span = series.between(at(*from_s), at(*to_s));
            for histogram in span.iter().filter_map(of) {
                all.merge(histogram);
            }
            all
        });
        let merged: Vec<_> = merged.collect();
        let bins = bins(&merged);
        let windows = parts.iter().zip(&merged).zip(&bins.shares);
        let filled = windows.filter(|((_, histogram), _)| !histogram.is_empty());
        let windows = filled.map(|(((part, ..), histogram), shares)| {
            let (name, role) = look(*part);
            Window {
                name: format!("{name} ({})", count(histogram.count())),
                role,
                shares: shares.iter().map(|share| 100.0 * share).collect(),
            }
        });
        Spread {
            id,
            title,
            about,
            windows: windows.collect(),
            edges_ms: bins.edges_ms,
        }
    };
    let all = KEPT.iter().map(spread);
    all.filter(|spread| !spread.windows.is_empty()).collect()
}

fn at(seconds: f64) -> Nanos {
    Nanos::from_secs_f64(seconds)
}

/// What a part of the run is called, and what it stands for.
const fn look(part: RunPart) -> (&'static str, &'static str) {
    match part {
        RunPart::Whole => ("whole run", "good"),
        RunPart::Before => ("before", "good"),
        RunPart::Incident => ("incident", "bad"),
        RunPart::Recovered => ("recovered", "retries"),
    }
}
