//! Reads the files of a record line by line.
//!
//! Each line is complete in itself, so a line that is damaged costs that line: it is left
//! out and told of, since what is lost with it may show in every figure. Nothing is mended
//! by a guess.

use std::collections::HashMap;

use hdrhistogram::serialization::interval_log::{IntervalLogIterator, LogEntry};

use super::directory::{JOURNAL, LATENCY, SERIES};
use super::event::Line;
use super::{Counters, Event, Histogram, Measure, Sample};
use crate::model::{SourceName, redact};
use crate::units::Nanos;

/// The lines that end in a newline; a torn last one is left out.
fn whole_lines(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    bytes
        .split_inclusive(|byte| *byte == b'\n')
        .filter_map(|line| line.strip_suffix(b"\n"))
}

/// Lines that cannot be read, of every file.
#[derive(Debug, Default)]
pub(super) struct Damage {
    /// Each file with the first such line, what is wrong there, and how many there are.
    files: Vec<(&'static str, usize, String, usize)>,
}

impl Damage {
    fn found(&mut self, file: &'static str, line: usize, cause: &str) {
        match self.files.iter_mut().find(|(known, ..)| *known == file) {
            Some((.., count)) => *count += 1,
            None => self.files.push((file, line, cause.to_owned(), 1)),
        }
    }

    pub(super) fn warnings(self) -> impl Iterator<Item = String> {
        self.files.into_iter().map(|(file, line, cause, count)| {
            let are = if count == 1 { "is" } else { "are" };
            format!(
                "{count} of the lines of {file} {are} damaged and left out, first line {line} \
                 ({cause}); what it held is missing in the figures."
            )
        })
    }
}

pub(super) fn read_journal(bytes: &[u8], damage: &mut Damage) -> Vec<(Nanos, Event)> {
    let lines = whole_lines(bytes).enumerate();
    let read = lines.filter_map(|(index, line)| {
        let line = String::from_utf8_lossy(line);
        let line = serde_json::from_str::<Line>(&redact::json(&line));
        match line {
            Ok(line) => Some((line.at_ns, line.event)),
            Err(cause) => {
                damage.found(JOURNAL, index + 1, &cause.to_string());
                None
            }
        }
    });
    read.collect()
}

pub(super) fn read_series(bytes: &[u8], damage: &mut Damage) -> Vec<Sample> {
    let mut samples: Vec<Sample> = Vec::new();
    for (index, line) in whole_lines(bytes).enumerate().skip(1) {
        if read_row(line, &mut samples).is_none() {
            damage.found(SERIES, index + 1, "no row of the series");
        }
    }
    samples
}

/// Adds a row to the sample that it belongs to; none where it is no row.
fn read_row(line: &[u8], samples: &mut Vec<Sample>) -> Option<()> {
    let mut fields = std::str::from_utf8(line).ok()?.split(',');
    let mut next = || fields.next();
    let (from, to) = (next()?, next()?);
    let (_axis, kind, source) = (next()?, next()?, SourceName::from(next()?));
    let (counter, value) = (next()?, next()?.parse().ok()?);
    let (from, to) = (Nanos(from.parse().ok()?), Nanos(to.parse().ok()?));
    let same = samples.last().is_some_and(|last| {
        (last.from, last.to, &last.source, last.counters.kind()) == (from, to, &source, kind)
    });
    if same {
        let counters = &mut samples.last_mut()?.counters;
        return counters.merge_row(counter, value).then_some(());
    }
    let mut counters = Counters::of_kind(kind)?;
    counters.merge_row(counter, value).then_some(())?;
    samples.push(Sample {
        from,
        to,
        source,
        counters,
        histograms: Vec::new(),
    });
    Some(())
}

pub(super) fn read_latency(bytes: &[u8], samples: &mut [Sample], damage: &mut Damage) {
    // The log's own precision; two samples of a source never start within one millisecond.
    let millis = |nanos: Nanos| (nanos.0 + 500_000) / 1_000_000;
    let mut index: HashMap<(u64, String), usize> = HashMap::new();
    for (place, sample) in samples.iter().enumerate() {
        let key = format!("{}:{}", sample.counters.kind(), sample.source);
        index.insert((millis(sample.from), key), place);
    }
    for (line, bytes) in whole_lines(bytes).enumerate() {
        match read_interval(bytes) {
            Ok(None) => {}
            Ok(Some((start, key, measure, histogram))) => {
                // A histogram whose counters were torn off with the series' end has no sample.
                if let Some(place) = index.get(&(millis(start), key)) {
                    samples[*place].histograms.push((measure, histogram));
                }
            }
            Err(cause) => damage.found(LATENCY, line + 1, cause),
        }
    }
}

/// A line of the log of histograms: when its interval began, of which kind and source it
/// is, what it measures; none of a line that holds no histogram.
type Interval = Option<(Nanos, String, Measure, Histogram)>;

fn read_interval(line: &[u8]) -> std::result::Result<Interval, &'static str> {
    let line = [line, b"\n"].concat();
    let entry = IntervalLogIterator::new(&line).next();
    let entry = entry
        .transpose()
        .map_err(|_| "no line of an interval log")?;
    let Some(LogEntry::Interval(interval)) = entry else {
        return Ok(None);
    };
    let tag = interval.tag().map(|tag| tag.as_str()).unwrap_or_default();
    let (key, measure) = tag.rsplit_once(':').ok_or("no tag")?;
    let measure = Measure::of_name(measure).ok_or("an unknown measure")?;
    let histogram =
        Histogram::decode(interval.encoded_histogram()).ok_or("no encoded histogram")?;
    let start = interval.start_timestamp().as_nanos();
    let start = Nanos(u64::try_from(start).unwrap_or(u64::MAX - 500_000));
    Ok(Some((start, key.to_owned(), measure, histogram)))
}
