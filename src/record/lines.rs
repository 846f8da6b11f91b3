//! Reads the files of a record line by line, each within its bounds, and keeps none whole.
//!
//! Each line is complete in itself, so a line that is damaged costs that line: it is left
//! out and told of, since what is lost with it may show in every figure. Nothing is mended
//! by a guess.

use std::collections::HashMap;
use std::io::{self, BufReader, Read};

use hdrhistogram::serialization::interval_log::{IntervalLogIterator, LogEntry};

use super::directory::{JOURNAL, LATENCY, SERIES};
use super::event::Line;
use super::{Counters, Event, Histogram, Measure, Sample, Samples};
use crate::bounds::{self, Bound, LINE};
use crate::files;
use crate::model::{SourceName, redact};
use crate::units::Nanos;

/// Lines that cannot be read, of every file.
#[derive(Debug, Default)]
pub(super) struct Damage {
    /// Each file with the first such line, what is wrong there, and how many there are.
    files: Vec<(&'static str, usize, String, usize)>,
    /// Each file that goes on past its bound, and which one.
    cut: Vec<(&'static str, String)>,
}

impl Damage {
    fn found(&mut self, file: &'static str, line: usize, cause: &str) {
        match self.files.iter_mut().find(|(known, ..)| *known == file) {
            Some((.., count)) => *count += 1,
            None => self.files.push((file, line, cause.to_owned(), 1)),
        }
    }

    pub(super) fn warnings(self) -> impl Iterator<Item = String> {
        let cut = self.cut.into_iter().map(|(file, cause)| {
            format!(
                "{file} was not read to its end: {cause}; what it held further on is missing in \
                 the figures."
            )
        });
        let damaged = self.files.into_iter().map(|(file, line, cause, count)| {
            let are = if count == 1 { "is" } else { "are" };
            format!(
                "{count} of the lines of {file} {are} damaged and left out, first line {line} \
                 ({cause}); what it held is missing in the figures."
            )
        });
        damaged.chain(cut)
    }
}

/// Hands over each line that ends in a newline, with its number from 1 on, up to the
/// bounds of its file; a torn last one is left out. Gives whether it is an entry.
///
/// # Errors
///
/// Where the file cannot be read.
fn each_line(
    file: &'static str,
    reader: impl Read,
    bound: &Bound,
    damage: &mut Damage,
    mut take: impl FnMut(usize, &[u8]) -> std::result::Result<bool, String>,
) -> io::Result<()> {
    let mut reader = BufReader::with_capacity(PIECE, reader.take(bound.bytes));
    let (mut line, mut entries) = (Vec::new(), 0);
    for number in 1.. {
        if !files::read_line(&mut reader, &mut line, &LINE)? {
            break;
        }
        if entries == bound.entries_max() {
            damage.cut.push((file, bound.too_many()));
            return Ok(());
        }
        let taken = if line.len() > LINE.length_max() {
            Err(LINE.too_long())
        } else {
            take(number, &line)
        };
        match taken {
            Ok(entry) => entries += u64::from(entry),
            Err(cause) => damage.found(file, number, &cause),
        }
    }
    if reader.get_ref().limit() == 0 {
        damage.cut.push((file, bound.too_long()));
    }
    Ok(())
}

/// Bytes of a file that are read at a time.
const PIECE: usize = 64 * 1024;

pub(super) fn read_journal(
    reader: impl Read,
    damage: &mut Damage,
) -> io::Result<Vec<(Nanos, Event)>> {
    let mut events = Vec::new();
    each_line(JOURNAL, reader, &bounds::JOURNAL, damage, |_, line| {
        let line = String::from_utf8_lossy(line);
        let line = serde_json::from_str::<Line>(&redact::json(&line));
        let line = line.map_err(|cause| cause.to_string())?;
        events.push((line.at_ns, line.event));
        Ok(true)
    })?;
    Ok(events)
}

/// Reads the series; each sample takes its histograms from the log.
pub(super) fn read_series(reader: impl Read, log: Log, damage: &mut Damage) -> io::Result<Samples> {
    let mut building = Building {
        samples: Samples::default(),
        current: None,
        log,
    };
    each_line(SERIES, reader, &bounds::SERIES, damage, |number, line| {
        let heading = number == 1;
        match heading.then_some(false).or_else(|| building.row(line)) {
            Some(begun) => Ok(begun),
            None => Err("no row of the series".to_owned()),
        }
    })?;
    building.end();
    Ok(building.samples)
}

/// The samples that were read, and the one whose rows are being read.
struct Building {
    samples: Samples,
    current: Option<Sample>,
    log: Log,
}

impl Building {
    /// Adds a row to the sample that it belongs to; whether it began one, and none where it
    /// is no row.
    fn row(&mut self, line: &[u8]) -> Option<bool> {
        let mut fields = std::str::from_utf8(line).ok()?.split(',');
        let mut next = || fields.next();
        let (from, to) = (next()?, next()?);
        let (_axis, kind, source) = (next()?, next()?, SourceName::from(next()?));
        let (counter, value) = (next()?, next()?.parse().ok()?);
        let (from, to) = (Nanos(from.parse().ok()?), Nanos(to.parse().ok()?));
        let key = (from, to, &source, kind);
        let same = self
            .current
            .as_mut()
            .filter(|last| (last.from, last.to, &last.source, last.counters.kind()) == key);
        if let Some(last) = same {
            return last.counters.merge_row(counter, value).then_some(false);
        }
        let mut counters = Counters::of_kind(kind)?;
        counters.merge_row(counter, value).then_some(())?;
        self.end();
        self.current = Some(Sample {
            from,
            to,
            source,
            counters,
            histograms: Vec::new(),
        });
        Some(true)
    }

    /// The current sample is whole.
    fn end(&mut self) {
        if let Some(mut sample) = self.current.take() {
            sample.histograms = self.log.of(&sample);
            self.samples.push(&sample);
        }
    }
}

/// Every histogram of a record, found by the beginning of its interval and by what counts.
#[derive(Debug, Default)]
pub(super) struct Log {
    /// `kind:source`, each once.
    keys: HashMap<String, usize>,
    entries: Vec<Logged>,
}

#[derive(Debug)]
struct Logged {
    millis: u64,
    key: usize,
    measure: Measure,
    /// None once its sample has it.
    histogram: Option<Histogram>,
}

impl Log {
    /// Those of a sample. A histogram whose counters were torn off with the series' end
    /// has none.
    fn of(&mut self, sample: &Sample) -> Vec<(Measure, Histogram)> {
        let key = format!("{}:{}", sample.counters.kind(), sample.source);
        let Some(key) = self.keys.get(&key) else {
            return Vec::new();
        };
        let wanted = (millis(sample.from), *key);
        let before = |it: &Logged| (it.millis, it.key) < wanted;
        let from = self.entries.partition_point(before);
        let own = self.entries[from..].iter_mut();
        own.take_while(|it| (it.millis, it.key) == wanted)
            .filter_map(|it| Some((it.measure, it.histogram.take()?)))
            .collect()
    }
}

/// The log's own precision; two samples of a source never start within one millisecond.
fn millis(nanos: Nanos) -> u64 {
    nanos.0.saturating_add(500_000) / 1_000_000
}

pub(super) fn read_latency(reader: impl Read, damage: &mut Damage) -> io::Result<Log> {
    let mut log = Log::default();
    each_line(LATENCY, reader, &bounds::LATENCY, damage, |_, line| {
        let Some((start, key, measure, histogram)) = read_interval(line)? else {
            return Ok(false);
        };
        let next = log.keys.len();
        let key = *log.keys.entry(key).or_insert(next);
        log.entries.push(Logged {
            millis: millis(start),
            key,
            measure,
            histogram: Some(histogram),
        });
        Ok(true)
    })?;
    // Stable: those of one sample stay in their order.
    log.entries.sort_by_key(|it| (it.millis, it.key));
    Ok(log)
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
    let start = Nanos(u64::try_from(start).unwrap_or(u64::MAX));
    Ok(Some((start, key.to_owned(), measure, histogram)))
}
