//! Latency histograms: nanoseconds, three significant digits, 1 ns to 1 h.

use std::fmt;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use hdrhistogram::serialization::{Deserializer, Serializer, V2DeflateSerializer};
use serde::{Deserialize, Serialize};

use crate::units::Nanos;

/// The longest duration kept apart; longer ones count as this.
const LONGEST: Nanos = Nanos::from_secs(3600);
/// Significant decimal digits: a value is known to within 0.1 %.
const DIGITS: u8 = 3;

/// A histogram of durations that merges exactly.
///
/// Serialized as the base64 text of HdrHistogram's compressed V2 encoding,
/// which other tools read.
#[derive(Clone, PartialEq)]
pub struct Histogram(hdrhistogram::Histogram<u64>);

impl Default for Histogram {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Histogram {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Histogram({} values)", self.count())
    }
}

impl Histogram {
    /// An empty histogram; it grows to the values that it is given, once.
    #[must_use]
    pub fn new() -> Self {
        let mut inner =
            hdrhistogram::Histogram::new(DIGITS).expect("between 0 and 5 digits are allowed");
        inner.auto(true);
        Self(inner)
    }

    /// Counts a duration; anything above an hour counts as an hour.
    pub fn record(&mut self, value: Nanos) {
        self.record_times(value, 1);
    }

    /// As [`Histogram::record`], so many times.
    pub fn record_times(&mut self, value: Nanos, times: u64) {
        self.0
            .record_n(value.min(LONGEST).0, times)
            .expect("an hour is within an auto-resizing histogram");
    }

    /// How many values it holds.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.0.len()
    }

    /// Whether it holds none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The value at or below which the share `quantile` (0 to 1) of all values
    /// lie, to the histogram's precision; none where it is empty.
    #[must_use]
    pub fn quantile(&self, quantile: f64) -> Option<Nanos> {
        (!self.is_empty()).then(|| Nanos(self.0.value_at_quantile(quantile)))
    }

    /// The largest value, to the histogram's precision; none where it is empty.
    #[must_use]
    pub fn max(&self) -> Option<Nanos> {
        (!self.is_empty()).then(|| Nanos(self.0.max()))
    }

    /// The mean, to the histogram's precision; none where it is empty.
    #[must_use]
    pub fn mean(&self) -> Option<Nanos> {
        (!self.is_empty()).then(|| Nanos::from_secs_f64(self.0.mean() / 1e9))
    }

    /// Adds another histogram's values.
    pub fn merge(&mut self, other: &Self) {
        self.0
            .add(&other.0)
            .expect("both have the same digits and grow");
    }

    /// Takes away the values of an earlier reading of the same histogram.
    ///
    /// # Errors
    ///
    /// Where `earlier` holds a value that this one does not: then it was no
    /// earlier reading of it.
    pub fn subtract(&mut self, earlier: &Self) -> Result<(), hdrhistogram::SubtractionError> {
        self.0.subtract(&earlier.0)
    }

    /// Forgets all values and keeps the memory.
    pub fn clear(&mut self) {
        self.0.reset();
    }

    /// Occupied buckets, from the shortest: (upper end of the bucket, values in it).
    pub fn buckets(&self) -> impl Iterator<Item = (Nanos, u64)> + '_ {
        self.0
            .iter_recorded()
            .map(|step| (Nanos(step.value_iterated_to()), step.count_at_value()))
    }

    /// HdrHistogram's compressed V2 encoding in base64.
    #[must_use]
    pub fn encode(&self) -> String {
        let mut bytes = Vec::new();
        V2DeflateSerializer::new()
            .serialize(&self.0, &mut bytes)
            .expect("writing to memory cannot fail");
        BASE64_STANDARD.encode(bytes)
    }

    /// Reads what [`Histogram::encode`] wrote; none where it is something else.
    #[must_use]
    pub fn decode(text: &str) -> Option<Self> {
        let bytes = BASE64_STANDARD.decode(text).ok()?;
        let mut inner: hdrhistogram::Histogram<u64> = Deserializer::new()
            .deserialize(&mut bytes.as_slice())
            .ok()?;
        inner.auto(true);
        Some(Self(inner))
    }
}

impl Serialize for Histogram {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.encode())
    }
}

impl<'de> Deserialize<'de> for Histogram {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::decode(&text).ok_or_else(|| serde::de::Error::custom("not an encoded HdrHistogram"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn merging_and_encoding_lose_nothing(
            first in proptest::collection::vec(0u64..10_000_000_000, 0..50),
            second in proptest::collection::vec(0u64..10_000_000_000, 0..50),
        ) {
            let of = |values: &[u64]| {
                let mut histogram = Histogram::new();
                for value in values {
                    histogram.record(Nanos(*value));
                }
                histogram
            };
            let all: Vec<u64> = first.iter().chain(&second).copied().collect();
            let mut merged = of(&first);
            merged.merge(&of(&second));
            prop_assert!(merged.buckets().eq(of(&all).buckets()));
            let decoded = Histogram::decode(&merged.encode()).unwrap();
            prop_assert!(decoded.buckets().eq(merged.buckets()));
            merged.subtract(&of(&second)).unwrap();
            prop_assert!(merged.buckets().eq(of(&first).buckets()));
        }
    }

    #[test]
    fn quantiles_are_within_the_stated_precision() {
        let mut histogram = Histogram::new();
        for us in 1..=10_000 {
            histogram.record(Nanos::from_micros(us));
        }
        for (quantile, expected_us) in [(0.5, 5_000.0), (0.99, 9_900.0), (0.999, 9_990.0)] {
            let ratio = histogram.quantile(quantile).unwrap().as_secs_f64() * 1e6 / expected_us;
            assert!((ratio - 1.0).abs() <= 0.001, "{quantile}: {ratio}");
        }
        assert_eq!(Histogram::new().quantile(0.5), None);
        histogram.record(Nanos::MAX);
        assert!(histogram.max().unwrap() >= LONGEST);
    }
}
