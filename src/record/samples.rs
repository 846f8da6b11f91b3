//! The samples of a record, in little memory.
//!
//! A run of a day has a million of them, and most of what they count is zero. As structs
//! they would take a gigabyte; here each counter takes a byte where it is zero and a few
//! where it is not, and what reads them makes one struct at a time. They are read in the
//! order in which they were added, and not changed.

use std::borrow::Borrow;
use std::fmt;

use super::{Counters, Histogram, Measure, Sample};
use crate::model::SourceName;
use crate::units::Nanos;

/// Samples, one after the other.
#[derive(Clone, Default)]
pub struct Samples {
    /// Who counts what: each once.
    sources: Vec<(Counters, SourceName)>,
    /// For each sample: its source, its interval, its counters, how many histograms.
    bytes: Vec<u8>,
    /// The histograms of all samples in turn.
    histograms: Vec<(Measure, Histogram)>,
    count: usize,
    /// Where the last interval began.
    last_from: u64,
}

impl Samples {
    /// Adds one at the end.
    pub fn push(&mut self, sample: impl Borrow<Sample>) {
        let sample = sample.borrow();
        let kind = sample.counters.kind();
        let mut sources = self.sources.iter();
        let known = sources.position(|(own, name)| own.kind() == kind && *name == sample.source);
        let source = known.unwrap_or_else(|| {
            let zeros = Counters::of_kind(kind).expect("every kind is one of the kinds");
            self.sources.push((zeros, sample.source.clone()));
            self.sources.len() - 1
        });
        let (from, to) = (sample.from.0, sample.to.0);
        put(&mut self.bytes, source as u64);
        put(&mut self.bytes, zigzag(self.last_from, from));
        put(&mut self.bytes, zigzag(from, to));
        self.last_from = from;
        for value in sample.counters.values() {
            put(&mut self.bytes, value);
        }
        put(&mut self.bytes, sample.histograms.len() as u64);
        let packed = sample.histograms.iter();
        let packed = packed.map(|(measure, histogram)| (*measure, histogram.packed()));
        self.histograms.extend(packed);
        self.count += 1;
    }

    /// How many there are.
    pub const fn len(&self) -> usize {
        self.count
    }

    /// Whether there is none.
    pub const fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Each in turn.
    pub fn iter(&self) -> Iter<'_> {
        Iter {
            samples: self,
            bytes: &self.bytes,
            histograms: &self.histograms,
            last_from: 0,
        }
    }

    /// Those who count this kind, each once.
    pub fn sources_of<'a>(&'a self, kind: &'a str) -> impl Iterator<Item = &'a SourceName> {
        let all = self.sources.iter();
        all.filter_map(move |(own, name)| (own.kind() == kind).then_some(name))
    }

    /// Forgets them all.
    pub fn clear(&mut self) {
        *self = Self::default();
    }

    /// Keeps those that `keep` takes.
    pub fn retain(&mut self, keep: impl FnMut(&Sample) -> bool) {
        *self = self.iter().filter(keep).collect();
    }

    /// Changes them as a list: for those who make up records.
    pub fn edit<T>(&mut self, edit: impl FnOnce(&mut Vec<Sample>) -> T) -> T {
        let mut list: Vec<Sample> = self.iter().collect();
        let result = edit(&mut list);
        *self = list.into();
        result
    }
}

/// Reads samples one by one.
#[derive(Clone)]
pub struct Iter<'a> {
    samples: &'a Samples,
    bytes: &'a [u8],
    histograms: &'a [(Measure, Histogram)],
    last_from: u64,
}

impl Iterator for Iter<'_> {
    type Item = Sample;

    fn next(&mut self) -> Option<Sample> {
        let source = usize::try_from(take(&mut self.bytes)?).ok()?;
        let (zeros, source) = self.samples.sources.get(source)?;
        let from = unzigzag(self.last_from, take(&mut self.bytes)?);
        let to = unzigzag(from, take(&mut self.bytes)?);
        self.last_from = from;
        let mut counters = *zeros;
        counters.fill(&mut || take(&mut self.bytes).unwrap_or_default());
        let count = usize::try_from(take(&mut self.bytes)?).ok()?;
        let (own, rest) = self.histograms.split_at_checked(count)?;
        self.histograms = rest;
        Some(Sample {
            from: Nanos(from),
            to: Nanos(to),
            source: source.clone(),
            counters,
            histograms: own.to_vec(),
        })
    }
}

impl fmt::Debug for Iter<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.clone()).finish()
    }
}

impl<'a> IntoIterator for &'a Samples {
    type Item = Sample;
    type IntoIter = Iter<'a>;

    fn into_iter(self) -> Iter<'a> {
        self.iter()
    }
}

impl FromIterator<Sample> for Samples {
    fn from_iter<T: IntoIterator<Item = Sample>>(all: T) -> Self {
        let mut samples = Self::default();
        for sample in all {
            samples.push(sample);
        }
        samples
    }
}

impl Extend<Sample> for Samples {
    fn extend<T: IntoIterator<Item = Sample>>(&mut self, more: T) {
        for sample in more {
            self.push(sample);
        }
    }
}

impl From<Vec<Sample>> for Samples {
    fn from(list: Vec<Sample>) -> Self {
        list.into_iter().collect()
    }
}

impl PartialEq for Samples {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other)
    }
}

impl fmt::Debug for Samples {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.iter().fmt(f)
    }
}

/// Appends a number: seven bits a byte, the least first, the last one with its high bit
/// clear.
pub(super) fn put(bytes: &mut Vec<u8>, mut value: u64) {
    while value > 0x7f {
        bytes.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    bytes.push((value & 0x7f) as u8);
}

/// Takes a number off; none at the end.
pub(super) fn take(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            break;
        }
    }
    Some(value)
}

/// How far it is from one number to another, whichever is larger: a small one where they
/// are near.
const fn zigzag(from: u64, to: u64) -> u64 {
    let step = to.wrapping_sub(from).cast_signed();
    ((step << 1) ^ (step >> 63)).cast_unsigned()
}

const fn unzigzag(from: u64, step: u64) -> u64 {
    let step = (step >> 1).cast_signed() ^ -((step & 1).cast_signed());
    from.wrapping_add(step.cast_unsigned())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::record::{AttemptCounters, MachineCounters};

    proptest! {
        #[test]
        fn what_is_pushed_is_read(
            all in proptest::collection::vec((any::<u64>(), any::<u64>(), any::<u64>(), 0u32..4, 0u64..9), 0..20)
        ) {
            let samples: Vec<Sample> = all.into_iter().map(|(from, to, value, kind, times)| {
                let mut histogram = Histogram::new();
                histogram.record_times(Nanos(value % 1_000_000), times);
                Sample {
                    from: Nanos(from),
                    to: Nanos(to),
                    source: SourceName::Instance(kind),
                    counters: match kind {
                        0 => Counters::Machine(MachineCounters { steal_ns: value, ..Default::default() }),
                        _ => Counters::Attempts(AttemptCounters { retries: value, ..Default::default() }),
                    },
                    histograms: vec![(Measure::Service, histogram); (times % 3) as usize],
                }
            }).collect();
            let packed: Samples = samples.clone().into();
            prop_assert_eq!(packed.len(), samples.len());
            prop_assert_eq!(packed.iter().collect::<Vec<_>>(), samples);
        }
    }
}
