//! How a duration was spread: the share of its values in each bin.
//!
//! Bins grow by a tenth of a decade, since a latency's spread is a matter of
//! factors. Heights are shares of the window's own values, so that windows of
//! unlike length can be laid over each other.

use std::collections::BTreeMap;

use super::series::share;
use crate::record::Histogram;

/// Bins in which a value grows tenfold.
const BINS_PER_DECADE: f64 = 10.0;

/// Histograms in the same bins; without any where there was no value.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Bins {
    /// Lower edges of the bins in milliseconds, and the upper edge of the last.
    pub edges_ms: Vec<f64>,
    /// Of each histogram, the share of its values in each bin, 0 to 1; zero at the
    /// last edge.
    pub shares: Vec<Vec<f64>>,
}

/// The histograms in bins from the least to the greatest value of them all.
pub(crate) fn bins(histograms: &[Histogram]) -> Bins {
    let binned: Vec<BTreeMap<i32, u64>> = histograms.iter().map(counted).collect();
    let first = binned.iter().filter_map(|bins| bins.keys().next()).min();
    let last = binned.iter().filter_map(|bins| bins.keys().last()).max();
    let (Some(first), Some(last)) = (first, last) else {
        return Bins::default();
    };
    let range = *first..=last + 1;
    let edge = |bin| 10f64.powf(f64::from(bin) / BINS_PER_DECADE);
    let shares = |bins: &BTreeMap<i32, u64>| {
        let all = bins.values().sum();
        let own = |bin| bins.get(&bin).and_then(|values| share(*values, all));
        range.clone().map(|bin| own(bin).unwrap_or(0.0)).collect()
    };
    Bins {
        edges_ms: range.clone().map(edge).collect(),
        shares: binned.iter().map(shares).collect(),
    }
}

/// Values by bin; a bin's number is the tenths of decades above a millisecond.
#[expect(
    clippy::cast_possible_truncation,
    reason = "an hour in nanoseconds spans 13 decades, hence 130 bins"
)]
fn counted(histogram: &Histogram) -> BTreeMap<i32, u64> {
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
    use crate::units::Nanos;

    #[test]
    fn shares_add_up_and_the_last_edge_is_empty() {
        let mut histogram = Histogram::new();
        for ms in [1, 1, 2, 50] {
            histogram.record(Nanos::from_millis(ms));
        }
        let bins = bins(&[histogram, Histogram::new()]);
        let [shares, none] = &bins.shares[..] else {
            panic!("{bins:?}");
        };
        assert_eq!(bins.edges_ms.len(), shares.len());
        assert!((shares.iter().sum::<f64>() - 1.0).abs() < 1e-9);
        assert_eq!(shares.last(), Some(&0.0));
        assert!((shares[0] - 0.5).abs() < 1e-9);
        assert!(none.iter().all(|share| *share == 0.0));
    }
}
