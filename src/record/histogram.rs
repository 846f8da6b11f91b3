//! Latency histograms: nanoseconds, three significant digits, 1 ns to 1 h.

use std::borrow::Cow;
use std::fmt;
use std::io::Read as _;
use std::sync::Arc;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use flate2::read::ZlibDecoder;
use hdrhistogram::serialization::{Deserializer, Serializer, V2DeflateSerializer};
use serde::{Deserialize, Serialize};

use super::samples::{put, take};
use crate::bounds::LINE;
use crate::units::{Nanos, whole};

/// The longest duration kept apart; longer ones count as this.
const LONGEST: Nanos = Nanos::from_secs(3600);
/// Significant decimal digits: a value is known to within 0.1 %.
const DIGITS: u8 = 3;

/// Entries of a short list at most; past it, an array is smaller and faster.
const LIST_MAX: usize = 4096;

/// A histogram of durations that merges exactly.
///
/// Serialized as the base64 text of HdrHistogram's compressed V2 encoding,
/// which other tools read.
#[derive(Clone)]
pub struct Histogram(Inner);

/// The same values in three forms. An array that reaches to a second takes 170 kB
/// whatever it holds, and a fleet of thousands, sampled for minutes, or a service, for a
/// day, holds a million histograms of a few hundred values.
#[derive(Clone)]
enum Inner {
    /// Counts of all buckets up to the longest value: what is recorded into fast.
    Array(Box<hdrhistogram::Histogram<u64>>),
    /// Values, each the longest of its bucket, with how often, in any order.
    List(Vec<(u64, u64)>),
    /// What is kept and not recorded into: from the shortest on, how many buckets past
    /// the one before, and how often where that is not once. A byte or two for a value;
    /// those who share it, share it.
    Packed(Arc<[u8]>),
}

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

impl PartialEq for Histogram {
    fn eq(&self, other: &Self) -> bool {
        self.buckets() == other.buckets()
    }
}

/// Whether so many values tell a quantile: [`Histogram::told_quantile`].
pub(crate) fn is_told(quantile: f64, count: u64) -> bool {
    quantile.powf(count as f64) <= DOUBT
}

/// Samples in which even the largest value lies below the quantile.
const DOUBT: f64 = 0.05;

/// How many values tell a quantile at least.
pub(crate) fn told_from(quantile: f64) -> u64 {
    whole((DOUBT.ln() / quantile.ln()).ceil())
}

impl Histogram {
    /// An empty histogram; it grows to the values that it is given, once.
    pub fn new() -> Self {
        Self(Inner::Array(Box::new(array())))
    }

    /// An empty histogram for a few hundred values, which takes the memory of
    /// those; given many, it becomes like any other.
    pub const fn small() -> Self {
        Self(Inner::List(Vec::new()))
    }

    /// Counts a duration; anything above an hour counts as an hour.
    pub fn record(&mut self, value: Nanos) {
        self.record_times(value, 1);
    }

    /// As [`Histogram::record`], so many times.
    pub fn record_times(&mut self, value: Nanos, times: u64) {
        let value = value.min(LONGEST).0;
        match &mut self.0 {
            Inner::Array(array) => add(array, value, times),
            Inner::List(list) => {
                list.push((longest_alike(value), times));
                if list.len() > LIST_MAX {
                    self.tidy();
                }
            }
            Inner::Packed(_) => {
                self.0 = Inner::List(self.list());
                self.record_times(Nanos(value), times);
            }
        }
    }

    /// The same values in as little memory as they take: what is kept of a sample.
    pub(crate) fn packed(&self) -> Self {
        if let Inner::Packed(_) = self.0 {
            return self.clone();
        }
        let (mut bytes, mut last) = (Vec::new(), 0);
        for (value, times) in self.list() {
            let place = bucket(value);
            let step = (place - last) << 1;
            put(&mut bytes, step | u64::from(times != 1));
            if times != 1 {
                put(&mut bytes, times);
            }
            last = place;
        }
        Self(Inner::Packed(bytes.into()))
    }

    /// How many values it holds.
    pub fn count(&self) -> u64 {
        match &self.0 {
            Inner::Array(array) => array.len(),
            Inner::List(list) => sum(list.iter().map(|(_, times)| *times)),
            Inner::Packed(bytes) => sum(unpacked(bytes).map(|(_, times)| times)),
        }
    }

    /// Whether it holds none.
    pub fn is_empty(&self) -> bool {
        self.count() == 0
    }

    /// The value at or below which the share `quantile` (0 to 1) of all values
    /// lie, to the histogram's precision; none where it is empty.
    pub fn quantile(&self, quantile: f64) -> Option<Nanos> {
        (!self.is_empty()).then(|| Nanos(self.array().value_at_quantile(quantile)))
    }

    /// As [`Histogram::quantile`], where there are values enough to tell it: none where
    /// even the largest value may well lie below the true quantile. With fewer values
    /// than `ln 0.05 / ln q` (5 for the median, 29 for p90, 299 for p99, 2,995 for
    /// p99.9) it does in more than one of twenty samples.
    pub fn told_quantile(&self, quantile: f64) -> Option<Nanos> {
        self.quantile(quantile)
            .filter(|_| is_told(quantile, self.count()))
    }

    /// How many values are longer than this one, to the histogram's precision.
    pub(crate) fn above(&self, bound: Nanos) -> u64 {
        match &self.0 {
            Inner::Array(array) => array
                .iter_recorded()
                .filter(|it| it.value_iterated_to() > bound.0)
                .map(|it| it.count_at_value())
                .sum(),
            Inner::List(list) => {
                let above = list.iter().filter(|(value, _)| *value > bound.0);
                above.map(|(_, times)| times).sum()
            }
            Inner::Packed(bytes) => {
                let above = unpacked(bytes).filter(|(value, _)| *value > bound.0);
                sum(above.map(|(_, times)| times))
            }
        }
    }

    /// The largest value, to the histogram's precision; none where it is empty.
    pub fn max(&self) -> Option<Nanos> {
        match &self.0 {
            Inner::Array(array) => (!array.is_empty()).then(|| Nanos(array.max())),
            Inner::List(list) => list.iter().map(|(value, _)| Nanos(*value)).max(),
            Inner::Packed(bytes) => unpacked(bytes).last().map(|(value, _)| Nanos(value)),
        }
    }

    /// The mean, to the histogram's precision; none where it is empty.
    pub fn mean(&self) -> Option<Nanos> {
        (!self.is_empty()).then(|| Nanos::from_secs_f64(self.array().mean() / 1e9))
    }

    /// Adds another histogram's values.
    pub fn merge(&mut self, other: &Self) {
        match (&mut self.0, &other.0) {
            (Inner::Array(array), Inner::Array(other)) => {
                array
                    .add(other.as_ref())
                    .expect("both have the same digits and grow");
            }
            (Inner::Array(array), Inner::Packed(bytes)) => {
                for (value, times) in unpacked(bytes) {
                    add(array, value, times);
                }
            }
            (Inner::List(list), Inner::Packed(bytes)) => {
                list.extend(unpacked(bytes));
                if list.len() > LIST_MAX {
                    self.tidy();
                }
            }
            (Inner::Packed(_), _) => {
                self.0 = Inner::List(self.list());
                self.merge(other);
            }
            (Inner::Array(array), Inner::List(list)) => {
                for (value, times) in list {
                    add(array, *value, *times);
                }
            }
            (Inner::List(list), Inner::List(other)) => {
                list.extend_from_slice(other);
                if list.len() > LIST_MAX {
                    self.tidy();
                }
            }
            (Inner::List(_), Inner::Array(_)) => {
                let own = std::mem::replace(self, other.clone());
                self.merge(&own);
            }
        }
    }

    /// Takes away the values of an earlier reading of the same histogram.
    ///
    /// # Errors
    ///
    /// Where `earlier` holds a value that this one does not: then it was no
    /// earlier reading of it.
    pub fn subtract(&mut self, earlier: &Self) -> Result<(), hdrhistogram::SubtractionError> {
        let mut array = self.array().into_owned();
        array.subtract(earlier.array().as_ref())?;
        self.0 = Inner::Array(Box::new(array));
        Ok(())
    }

    /// Forgets all values and keeps the memory.
    pub fn clear(&mut self) {
        match &mut self.0 {
            Inner::Array(array) => array.reset(),
            Inner::List(list) => list.clear(),
            Inner::Packed(_) => self.0 = Inner::List(Vec::new()),
        }
    }

    /// Occupied buckets, from the shortest: (upper end of the bucket, values in it).
    pub fn buckets(&self) -> Vec<(Nanos, u64)> {
        let list = self.list().into_iter();
        list.map(|(value, times)| (Nanos(value), times)).collect()
    }

    /// HdrHistogram's compressed V2 encoding in base64.
    pub fn encode(&self) -> String {
        let mut bytes = Vec::new();
        V2DeflateSerializer::new()
            .serialize(&*self.array(), &mut bytes)
            .expect("writing to memory cannot fail");
        BASE64_STANDARD.encode(bytes)
    }

    /// Reads what [`Histogram::encode`] wrote; none where it is something else.
    pub fn decode(text: &str) -> Option<Self> {
        let bytes = BASE64_STANDARD.decode(text).ok()?;
        let plain = inflated(&bytes)?;
        let inner: hdrhistogram::Histogram<u64> = Deserializer::new()
            .deserialize(&mut plain.as_slice())
            .ok()?;
        Some(Self(Inner::Array(Box::new(inner))).packed())
    }

    /// Its values as an array.
    fn array(&self) -> Cow<'_, hdrhistogram::Histogram<u64>> {
        match &self.0 {
            Inner::Array(array) => Cow::Borrowed(array),
            Inner::List(list) => {
                let mut array = array();
                for (value, times) in list {
                    add(&mut array, *value, *times);
                }
                Cow::Owned(array)
            }
            Inner::Packed(bytes) => {
                let mut array = array();
                for (value, times) in unpacked(bytes) {
                    add(&mut array, value, times);
                }
                Cow::Owned(array)
            }
        }
    }

    /// Its values as a list, from the shortest, each once.
    fn list(&self) -> Vec<(u64, u64)> {
        match &self.0 {
            Inner::Array(array) => array
                .iter_recorded()
                .map(|step| (step.value_iterated_to(), step.count_at_value()))
                .collect(),
            Inner::List(list) => {
                let mut list = list.clone();
                list.sort_unstable_by_key(|(value, _)| *value);
                list.dedup_by(|(value, times), (before, kept)| {
                    let same = value == before;
                    if same {
                        *kept = kept.saturating_add(*times);
                    }
                    same
                });
                list.retain(|(_, times)| *times > 0);
                list
            }
            Inner::Packed(bytes) => unpacked(bytes).collect(),
        }
    }

    /// Makes one entry of those alike in a list that has grown long; where it is
    /// still long, it becomes an array.
    fn tidy(&mut self) {
        let list = self.list();
        self.0 = Inner::List(list);
        if let Inner::List(list) = &self.0
            && list.len() > LIST_MAX / 2
        {
            self.0 = Inner::Array(Box::new(self.array().into_owned()));
        }
    }
}

/// A damaged record may hold any number; a sum past the range stays at its end.
fn sum(all: impl Iterator<Item = u64>) -> u64 {
    all.fold(0, u64::saturating_add)
}

/// An empty array that grows.
fn array() -> hdrhistogram::Histogram<u64> {
    let mut array =
        hdrhistogram::Histogram::new(DIGITS).expect("between 0 and 5 digits are allowed");
    array.auto(true);
    array
}

fn add(array: &mut hdrhistogram::Histogram<u64>, value: u64, times: u64) {
    array
        .record_n(value.min(LONGEST.0), times)
        .expect("an hour is within an auto-resizing histogram");
}

/// The longest value of the bucket that this one falls into: 11 leading bits
/// are kept, for three decimal digits.
const fn longest_alike(value: u64) -> u64 {
    let bits = u64::BITS - value.leading_zeros();
    let dropped = bits.saturating_sub(11);
    value | ((1 << dropped) - 1)
}

/// The place of a value's bucket among all buckets: 1024 for each power of two from
/// 2048 on.
const fn bucket(value: u64) -> u64 {
    let bits = u64::BITS - value.leading_zeros();
    let dropped = bits.saturating_sub(11);
    dropped as u64 * 1024 + (value >> dropped)
}

/// The longest value of the bucket at this place.
const fn longest_of(place: u64) -> u64 {
    let dropped = (place / 1024).saturating_sub(1);
    let leading = place - dropped * 1024;
    // A place past the last bucket is none of ours; it stays in range.
    let dropped = if dropped > 53 { 53 } else { dropped };
    (leading << dropped) | ((1 << dropped) - 1)
}

/// The values of a packed histogram with how often each is in it, from the shortest.
fn unpacked(mut bytes: &[u8]) -> impl Iterator<Item = (u64, u64)> {
    let mut place = 0_u64;
    std::iter::from_fn(move || {
        let step = take(&mut bytes)?;
        place = place.wrapping_add(step >> 1);
        let times = if step & 1 == 0 { 1 } else { take(&mut bytes)? };
        Some((longest_of(place), times))
    })
}

/// The encoding without its compression, where it states no more than is there and is of
/// no more digits than ours: nothing is allocated for what a line only claims.
fn inflated(bytes: &[u8]) -> Option<Vec<u8>> {
    /// Of the uncompressed encoding: cookie, length of the counts, offset, digits, lowest
    /// and highest value, ratio.
    const HEAD: usize = 40;
    let (_cookie, rest) = bytes.split_at_checked(4)?;
    let (stated, compressed) = rest.split_at_checked(4)?;
    let stated = u32::from_be_bytes(stated.try_into().ok()?) as usize;
    let compressed = compressed.get(..stated)?;
    let mut plain = Vec::new();
    let most = LINE.bytes + 1;
    let read = ZlibDecoder::new(compressed)
        .take(most)
        .read_to_end(&mut plain);
    read.ok().filter(|length| (*length as u64) < most)?;
    let number = |at: usize| -> Option<usize> {
        let four = plain.get(at..at + 4)?.try_into().ok()?;
        Some(u32::from_be_bytes(four) as usize)
    };
    let fits = number(4)? <= plain.len().checked_sub(HEAD)? && number(12)? <= DIGITS.into();
    fits.then_some(plain)
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
            prop_assert_eq!(merged.buckets(), of(&all).buckets());
            let decoded = Histogram::decode(&merged.encode()).unwrap();
            prop_assert_eq!(decoded.buckets(), merged.buckets());
            merged.subtract(&of(&second)).unwrap();
            prop_assert_eq!(merged.buckets(), of(&first).buckets());
        }
    }

    proptest! {
        /// A list is an array in every respect, also where it becomes one.
        #[test]
        fn both_forms_hold_the_same(
            values in proptest::collection::vec((0u64..5_000_000_000_000, 1u64..4), 0..60),
            many in 0u64..9_000,
            quantile in 0.0..=1.0,
        ) {
            let (mut array, mut list) = (Histogram::new(), Histogram::small());
            for (value, times) in values {
                array.record_times(Nanos(value), times);
                list.record_times(Nanos(value), times);
            }
            for value in 0..many {
                array.record(Nanos(value * value));
                list.record(Nanos(value * value));
            }
            prop_assert_eq!(&array, &list);
            for form in [&list, &array.packed()] {
                prop_assert_eq!(array.count(), form.count());
                prop_assert_eq!(array.max(), form.max());
                prop_assert_eq!(array.mean(), form.mean());
                prop_assert_eq!(array.quantile(quantile), form.quantile(quantile));
                let bound = array.quantile(quantile).unwrap_or(Nanos::ZERO);
                prop_assert_eq!(array.above(bound), form.above(bound));
                prop_assert!(form.above(bound) <= form.count());
                prop_assert_eq!(array.encode(), form.encode());
            }
            let (mut one, mut other) = (array.clone(), list.clone());
            one.merge(&list);
            other.merge(&array);
            prop_assert_eq!(one, other);
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

    #[test]
    fn a_quantile_is_told_from_enough_values() {
        for (quantile, least) in [(0.5, 5), (0.9, 29), (0.99, 299), (0.999, 2995)] {
            let of = |count| {
                let mut histogram = Histogram::new();
                histogram.record_times(Nanos(7), count);
                histogram.told_quantile(quantile)
            };
            assert_eq!(
                (of(least - 1), of(least)),
                (None, Some(Nanos(7))),
                "{quantile}"
            );
        }
    }
}
