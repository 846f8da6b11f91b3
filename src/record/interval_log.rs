//! A log of histograms of its own, an interval at a time: `threadbare load --hdr`.
//!
//! It is written as the load goes on, so it does not grow with it. The threads of a
//! generator tell their intervals one by one and not at the same time; so an interval is
//! written once the next two have begun, merged. One that comes later still has a line of
//! its own, which readers add up.

use std::collections::{BTreeMap, HashMap};
use std::io::{self, Write};

use super::sample::log_header;
use super::{Event, Histogram, Measure, Observer, Sample};
use crate::units::Nanos;

/// Intervals that are kept until they are written.
const KEPT: usize = 2;

/// Samples of one interval, by what counts and for whom.
type Interval = BTreeMap<String, Sample>;

/// Writes what is measured in each interval.
#[derive(Debug)]
pub struct IntervalLog<W> {
    writer: W,
    intervals: BTreeMap<Nanos, Interval>,
    /// The first failure; nothing is written after it.
    failed: io::Result<()>,
}

impl<W: Write> IntervalLog<W> {
    /// Begins one whose times count from `zero_wall_ms`, in milliseconds since 1970.
    ///
    /// # Errors
    ///
    /// Where it cannot be written.
    pub fn begin(mut writer: W, zero_wall_ms: u64) -> io::Result<Self> {
        writer.write_all(log_header(zero_wall_ms).as_bytes())?;
        Ok(Self {
            writer,
            intervals: BTreeMap::new(),
            failed: Ok(()),
        })
    }

    /// Writes what is left.
    ///
    /// # Errors
    ///
    /// What failed first.
    pub fn end(mut self) -> io::Result<()> {
        while let Some((_, interval)) = self.intervals.pop_first() {
            self.write(&interval);
        }
        self.failed?;
        self.writer.flush()
    }

    fn write(&mut self, interval: &Interval) {
        for line in interval.values().flat_map(Sample::log_lines) {
            if self.failed.is_ok() {
                self.failed = writeln!(self.writer, "{line}");
            }
        }
    }
}

impl<W: Write> Observer for IntervalLog<W> {
    fn event(&mut self, _at: Nanos, _event: &Event) {}

    fn sample(&mut self, sample: &Sample) {
        let interval = self.intervals.entry(sample.from).or_default();
        let key = format!("{}:{}", sample.counters.kind(), sample.source);
        match interval.get_mut(&key) {
            Some(known) => merge(known, sample),
            None => {
                interval.insert(key, sample.clone());
            }
        }
        while self.intervals.len() > KEPT {
            if let Some((_, interval)) = self.intervals.pop_first() {
                self.write(&interval);
            }
        }
    }
}

/// Adds a sample's histograms to those of the same interval.
fn merge(known: &mut Sample, sample: &Sample) {
    known.to = known.to.max(sample.to);
    let mut own: HashMap<Measure, &mut Histogram> = HashMap::new();
    for (measure, histogram) in &mut known.histograms {
        own.insert(*measure, histogram);
    }
    let mut new = Vec::new();
    for (measure, histogram) in &sample.histograms {
        match own.get_mut(measure) {
            Some(known) => known.merge(histogram),
            None => new.push((*measure, histogram.clone())),
        }
    }
    known.histograms.extend(new);
}
