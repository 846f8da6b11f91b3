//! The page's histograms: how response, service and wait times were spread
//! before, during and after the incident.
//!
//! Bins grow by a tenth of a decade, since a latency's spread is a matter of
//! factors. Heights are shares of the window's own values, so that windows of
//! unlike length can be laid over each other; how many values there were stands
//! beside each name.

use std::collections::BTreeMap;

use serde::Serialize;

use super::figures::count;
use crate::analysis::{Bucket, Findings, RunPart, Series};
use crate::record::Histogram;
use crate::units::Nanos;

/// Bins in which a value grows tenfold.
const BINS_PER_DECADE: f64 = 10.0;

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
    KEPT.iter()
        .map(|(id, title, about, of)| {
            let merged = parts.iter().map(|(part, from_s, to_s)| {
                let mut all = Histogram::new();
                let span = series.between(at(*from_s), at(*to_s));
                for histogram in span.iter().filter_map(of) {
                    all.merge(histogram);
                }
                let (name, role) = look(*part);
                (name, role, all)
            });
            spread(id, title, about, &merged.collect::<Vec<_>>())
        })
        .filter(|spread| !spread.windows.is_empty())
        .collect()
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

fn spread(
    id: &'static str,
    title: &'static str,
    about: &'static str,
    windows: &[(&'static str, &'static str, Histogram)],
) -> Spread {
    let binned: Vec<BTreeMap<i32, u64>> = windows.iter().map(|window| bins(&window.2)).collect();
    let first = binned.iter().filter_map(|bins| bins.keys().next()).min();
    let last = binned.iter().filter_map(|bins| bins.keys().last()).max();
    let (Some(first), Some(last)) = (first, last) else {
        return Spread {
            id,
            title,
            about,
            edges_ms: Vec::new(),
            windows: Vec::new(),
        };
    };
    let range = *first..=last + 1;
    let shares = |bins: &BTreeMap<i32, u64>, total: u64| {
        let share = |bin| {
            bins.get(&bin)
                .map_or(0.0, |n| 100.0 * *n as f64 / total as f64)
        };
        range.clone().map(share).collect()
    };
    Spread {
        id,
        title,
        about,
        edges_ms: range
            .clone()
            .map(|bin| 10f64.powf(f64::from(bin) / BINS_PER_DECADE))
            .collect(),
        windows: windows
            .iter()
            .zip(&binned)
            .filter(|((.., histogram), _)| !histogram.is_empty())
            .map(|((name, role, histogram), bins)| Window {
                name: format!("{name} ({})", count(histogram.count())),
                role,
                shares: shares(bins, histogram.count()),
            })
            .collect(),
    }
}

/// Values by bin; a bin's number is the tenths of decades above a millisecond.
#[expect(
    clippy::cast_possible_truncation,
    reason = "an hour in nanoseconds spans 13 decades, hence 130 bins"
)]
fn bins(histogram: &Histogram) -> BTreeMap<i32, u64> {
    let mut bins = BTreeMap::new();
    for (upper, values) in histogram.buckets() {
        let ms = (upper.0.max(1)) as f64 / 1e6;
        let bin = (ms.log10() * BINS_PER_DECADE).floor() as i32;
        *bins.entry(bin).or_insert(0) += values;
    }
    bins
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_add_up_and_the_last_edge_is_empty() {
        let mut histogram = Histogram::new();
        for ms in [1, 1, 2, 50] {
            histogram.record(Nanos::from_millis(ms));
        }
        let spread = spread("", "", "", &[("all", "good", histogram)]);
        assert_eq!(spread.edges_ms.len(), spread.windows[0].shares.len());
        assert_eq!(spread.windows[0].name, "all (4)");
        assert!((spread.windows[0].shares.iter().sum::<f64>() - 100.0).abs() < 1e-9);
        assert_eq!(spread.windows[0].shares.last(), Some(&0.0));
        assert!((spread.windows[0].shares[0] - 50.0).abs() < 1e-9);
    }
}
