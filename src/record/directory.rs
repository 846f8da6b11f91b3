//! The run directory: written as things happen, read back whole.
//!
//! Every line is complete in itself, so a run that was killed leaves a
//! directory that can still be read: a torn last line is left out, and the
//! missing [`Event::RunEnded`] marks the record as incomplete.

use std::collections::HashMap;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, BufWriter, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use hdrhistogram::serialization::interval_log::{IntervalLogIterator, LogEntry};
use serde::{Deserialize, Serialize};

use super::event::Line;
use super::sample::LOG_HEADER;
use super::{Counters, Event, Histogram, Measure, Sample};
use crate::error::{Error, Result};
use crate::model::SourceName;
use crate::plan::Plan;
use crate::units::Nanos;

/// The version of the run directory's format.
pub const FORMAT: u32 = 1;

/// Which backend made a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Backend {
    /// Real threads, processes, sockets.
    Live,
    /// Virtual time.
    Sim,
}

/// What the record says of itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Header {
    /// [`FORMAT`].
    pub format: u32,
    /// The version of threadbare that wrote it.
    pub version: String,
    /// Which backend.
    pub backend: Backend,
    /// When, in milliseconds since 1970 UTC.
    pub started_wall_ms: u64,
    /// On what.
    pub machine: MachineFacts,
    /// What was to be carried out, the seed included.
    pub plan: Plan,
}

impl Header {
    /// Of a record that this version of threadbare makes, no one knows when and on what.
    #[must_use]
    pub fn new(plan: Plan, backend: Backend) -> Self {
        Self {
            format: FORMAT,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            backend,
            started_wall_ms: 0,
            machine: MachineFacts::default(),
            plan,
        }
    }
}

/// The machine a run was made on.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, schemars::JsonSchema)]
pub struct MachineFacts {
    /// Processors this process may use.
    pub cores: u32,
    /// Memory in bytes.
    pub memory_bytes: u64,
    /// The processor's name.
    pub processor: String,
    /// The kernel's name and release.
    pub kernel: String,
}

const HEADER: &str = "run.json";
const JOURNAL: &str = "journal.jsonl";
const SERIES: &str = "series.csv";
const LATENCY: &str = "latency.hlog";

const SERIES_COLUMNS: &str = "from_ns,to_ns,axis,kind,source,counter,value";
/// Writes a record into a run directory, line by line.
#[derive(Debug)]
pub struct Recorder {
    directory: PathBuf,
    journal: File,
    series: BufWriter<File>,
    latency: BufWriter<File>,
}

impl Recorder {
    /// Makes the directory, readable by its owner only, and writes the header.
    ///
    /// # Errors
    ///
    /// Where the directory exists and is not empty, or cannot be written.
    pub fn create(directory: &Path, header: &Header) -> Result<Self> {
        if !claim_directory(directory).map_err(|cause| write_error(directory, &cause))? {
            return Err(Error::usage(format!(
                "{} is not empty; name another directory with --out, or remove it",
                directory.display()
            )));
        }
        let text = serde_json::to_string_pretty(header)
            .map_err(|cause| Error::failed(format!("failed to write {HEADER}: {cause}")))?;
        write_private(directory, HEADER, text.as_bytes())?;
        let open = |name: &str| {
            let path = directory.join(name);
            private()
                .open(&path)
                .map_err(|cause| write_error(&path, &cause))
        };
        let mut recorder = Self {
            journal: open(JOURNAL)?,
            series: BufWriter::new(open(SERIES)?),
            latency: BufWriter::new(open(LATENCY)?),
            directory: directory.to_owned(),
        };
        recorder.write(|this| {
            writeln!(this.series, "{SERIES_COLUMNS}")?;
            writeln!(this.latency, "{LOG_HEADER}")
        })?;
        Ok(recorder)
    }

    /// Where the record lies.
    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Appends an event to the journal and sees it to the kernel at once.
    ///
    /// # Errors
    ///
    /// Where the journal cannot be written, for example because the disk is full.
    pub fn event(&mut self, at: Nanos, event: &Event) -> Result<()> {
        let line = Line {
            at_ns: at,
            event: event.clone(),
        };
        let mut text = serde_json::to_string(&line)
            .map_err(|cause| Error::failed(format!("failed to write {JOURNAL}: {cause}")))?;
        text.push('\n');
        // One write per line: a line is either there whole or torn at the end of the file.
        self.write(|this| this.journal.write_all(text.as_bytes()))
    }

    /// Appends a sample's counters and histograms.
    ///
    /// # Errors
    ///
    /// Where the files cannot be written, for example because the disk is full.
    pub fn sample(&mut self, sample: &Sample) -> Result<()> {
        self.write(|this| {
            let (kind, axis) = (sample.counters.kind(), sample.counters.axis());
            let (from, to, source) = (sample.from.0, sample.to.0, &sample.source);
            for (index, (name, value)) in sample.counters.rows().into_iter().enumerate() {
                // Zeros are left out; the first counter stands for the sample's presence.
                if value != 0 || index == 0 {
                    writeln!(
                        this.series,
                        "{from},{to},{axis},{kind},{source},{name},{value}"
                    )?;
                }
            }
            for line in sample.log_lines() {
                writeln!(this.latency, "{line}")?;
            }
            Ok(())
        })
    }

    /// Sees everything written so far to the kernel.
    ///
    /// # Errors
    ///
    /// Where the files cannot be written, for example because the disk is full.
    pub fn flush(&mut self) -> Result<()> {
        self.write(|this| {
            this.series.flush()?;
            this.latency.flush()
        })
    }

    fn write(&mut self, write: impl FnOnce(&mut Self) -> io::Result<()>) -> Result<()> {
        write(self).map_err(|cause| write_error(&self.directory, &cause))
    }
}

/// Makes the directory, or takes an empty one, readable by its owner only
/// either way; false, and nothing is changed, where it holds something already.
///
/// # Errors
///
/// Where it cannot be made, or belongs to another user.
pub(crate) fn claim_directory(directory: &Path) -> io::Result<bool> {
    if directory.exists() && !is_empty(directory) {
        return Ok(false);
    }
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(directory)?;
    // The mode above is that of a new directory; one that was there has its own.
    fs::set_permissions(directory, fs::Permissions::from_mode(0o700))?;
    Ok(true)
}

/// Writes a file of the run directory, readable by its owner only.
///
/// # Errors
///
/// Where it cannot be written, for example because the disk is full.
pub(crate) fn write_private(directory: &Path, name: &str, content: &[u8]) -> Result<()> {
    let path = directory.join(name);
    private()
        .open(&path)
        .and_then(|mut file| file.write_all(content))
        .map_err(|cause| write_error(&path, &cause))
}

fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600);
    options
}

fn is_empty(directory: &Path) -> bool {
    fs::read_dir(directory).is_ok_and(|mut entries| entries.next().is_none())
}

fn write_error(path: &Path, cause: &io::Error) -> Error {
    Error::failed(format!(
        "failed to write {}: {cause}; free some space or name another directory with --out",
        path.display()
    ))
}

/// A run read back from its directory.
#[derive(Debug, Clone, PartialEq)]
pub struct Record {
    /// What it says of itself.
    pub header: Header,
    /// Every event with its instant, in the order of the journal.
    pub events: Vec<(Nanos, Event)>,
    /// Every sample, in the order of the series.
    pub samples: Vec<Sample>,
    /// When the load ended, where the samples of each source were merged into one that
    /// spans it; none where they lie in the plan's buckets, as in every directory.
    pub merged_to: Option<Nanos>,
}

impl Record {
    /// Reads a run directory, be it complete or not.
    ///
    /// # Errors
    ///
    /// Where there is no run, its format is of another version, or a line
    /// other than the last is damaged.
    pub fn open(directory: &Path) -> Result<Self> {
        let read = |name: &str| {
            let path = directory.join(name);
            fs::read(&path).map_err(|cause| {
                Error::usage(format!(
                    "failed to read {}: {cause}; is this a run directory?",
                    path.display()
                ))
            })
        };
        let header = read_header(directory, &read(HEADER)?)?;
        let events = whole_lines(&read(JOURNAL)?)
            .enumerate()
            .map(|(index, line)| {
                let line: Line = serde_json::from_slice(line)
                    .map_err(|cause| damaged(directory, JOURNAL, index + 1, &cause.to_string()))?;
                Ok((line.at_ns, line.event))
            })
            .collect::<Result<_>>()?;
        let mut samples = read_series(directory, &read(SERIES)?)?;
        read_latency(directory, &read(LATENCY)?, &mut samples)?;
        Ok(Self {
            header,
            events,
            samples,
            merged_to: None,
        })
    }

    /// Its histograms as an interval log of `HdrHistogram`, which that library's
    /// tools and plotters open.
    #[must_use]
    pub fn latency_log(&self) -> String {
        let mut log = format!("{LOG_HEADER}\n");
        for line in self.samples.iter().flat_map(Sample::log_lines) {
            log.push_str(&line);
            log.push('\n');
        }
        log
    }

    /// The width of the buckets that its samples lie in.
    #[must_use]
    pub fn interval(&self) -> Nanos {
        self.merged_to.unwrap_or(self.header.plan.interval)
    }

    /// When the load ended, or was planned to.
    #[must_use]
    pub fn load_end(&self) -> Nanos {
        self.merged_to.unwrap_or(self.header.plan.end)
    }

    /// Whether the run was seen to its end, planned or not.
    #[must_use]
    pub fn complete(&self) -> bool {
        matches!(self.events.last(), Some((_, Event::RunEnded { .. })))
    }
}

fn read_header(directory: &Path, bytes: &[u8]) -> Result<Header> {
    #[derive(Deserialize)]
    struct Format {
        format: u32,
    }
    let unreadable =
        |cause: serde_json::Error| damaged(directory, HEADER, cause.line(), &cause.to_string());
    let Format { format } = serde_json::from_slice(bytes).map_err(unreadable)?;
    if format != FORMAT {
        return Err(Error::usage(format!(
            "{} is a run of format {format}, and this version reads format {FORMAT}",
            directory.display()
        )));
    }
    serde_json::from_slice(bytes).map_err(unreadable)
}

/// The lines that end in a newline; a torn last one is left out.
fn whole_lines(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    bytes
        .split_inclusive(|byte| *byte == b'\n')
        .filter_map(|line| line.strip_suffix(b"\n"))
}

fn damaged(directory: &Path, file: &str, line: usize, cause: &str) -> Error {
    Error::usage(format!(
        "{} is damaged in line {line}: {cause}",
        directory.join(file).display()
    ))
}

fn read_series(directory: &Path, bytes: &[u8]) -> Result<Vec<Sample>> {
    let mut samples: Vec<Sample> = Vec::new();
    for (index, line) in whole_lines(bytes).enumerate().skip(1) {
        let wrong = || damaged(directory, SERIES, index + 1, "not a row of the series");
        let text = std::str::from_utf8(line).map_err(|_| wrong())?;
        let mut fields = text.split(',');
        let mut next = || fields.next().ok_or_else(wrong);
        let (from, to) = (next()?, next()?);
        let (_axis, kind, source) = (next()?, next()?, SourceName::from(next()?));
        let (counter, value) = (next()?, next()?);
        let number = |text: &str| text.parse::<u64>().map_err(|_| wrong());
        let (from, to) = (Nanos(number(from)?), Nanos(number(to)?));
        let same = samples.last().is_some_and(|last| {
            (last.from, last.to, &last.source, last.counters.kind()) == (from, to, &source, kind)
        });
        if !same {
            samples.push(Sample {
                from,
                to,
                source: source.clone(),
                counters: Counters::of_kind(kind).ok_or_else(wrong)?,
                histograms: Vec::new(),
            });
        }
        let sample = samples.last_mut().ok_or_else(wrong)?;
        if !sample.counters.merge_row(counter, number(value)?) {
            return Err(wrong());
        }
    }
    Ok(samples)
}

fn read_latency(directory: &Path, bytes: &[u8], samples: &mut [Sample]) -> Result<()> {
    let whole = bytes
        .iter()
        .rposition(|byte| *byte == b'\n')
        .map_or(0, |at| at + 1);
    // The log's own precision; two samples of a source never start within one millisecond.
    let millis = |nanos: Nanos| (nanos.0 + 500_000) / 1_000_000;
    let mut index: HashMap<(u64, String), usize> = HashMap::new();
    for (place, sample) in samples.iter().enumerate() {
        let key = format!("{}:{}", sample.counters.kind(), sample.source);
        index.insert((millis(sample.from), key), place);
    }
    for (line, entry) in IntervalLogIterator::new(&bytes[..whole]).enumerate() {
        let wrong = |cause: &str| damaged(directory, LATENCY, line + 1, cause);
        let LogEntry::Interval(interval) = entry.map_err(|_| wrong("not an interval log"))? else {
            continue;
        };
        let tag = interval.tag().map(|tag| tag.as_str()).unwrap_or_default();
        let (key, measure) = tag.rsplit_once(':').ok_or_else(|| wrong("no tag"))?;
        let measure = Measure::ALL
            .iter()
            .find(|(_, name)| *name == measure)
            .map(|(measure, _)| *measure)
            .ok_or_else(|| wrong("an unknown measure"))?;
        let histogram = Histogram::decode(interval.encoded_histogram())
            .ok_or_else(|| wrong("not an encoded histogram"))?;
        let start = interval.start_timestamp().as_nanos();
        let start = millis(Nanos(u64::try_from(start).unwrap_or(u64::MAX - 500_000)));
        // A histogram whose counters were torn off with the series' end has no sample.
        let Some(place) = index.get(&(start, key.to_owned())) else {
            continue;
        };
        samples[*place].histograms.push((measure, histogram));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::{AttemptCounters, OperationCounters, StopCause};
    use super::*;
    use crate::model::FleetSpec;
    use crate::plan::Plan;

    fn header() -> Header {
        let plan = Plan {
            scenario: "none".into(),
            end: Nanos::from_secs(1),
            drain: Nanos::from_secs(1),
            fleet: Some(FleetSpec::default()),
            ..Plan::default()
        };
        Header::new(plan, Backend::Sim)
    }

    fn samples() -> Vec<Sample> {
        let mut histogram = Histogram::new();
        histogram.record(Nanos::from_millis(7));
        (0..3)
            .flat_map(|index| {
                let sample = |counters, measure| Sample {
                    from: Nanos::from_millis(600 * index),
                    to: Nanos::from_millis(600 * (index + 1)),
                    source: SourceName::User,
                    counters,
                    histograms: vec![(measure, histogram.clone())],
                };
                let operations = OperationCounters {
                    scheduled: index,
                    succeeded: index,
                    ..OperationCounters::default()
                };
                let attempts = AttemptCounters {
                    in_flight: 3,
                    ..AttemptCounters::default()
                };
                [
                    sample(Counters::Operations(operations), Measure::Response),
                    sample(Counters::Attempts(attempts), Measure::Service),
                ]
            })
            .collect()
    }

    fn write(directory: &Path) {
        let mut recorder = Recorder::create(directory, &header()).unwrap();
        recorder.event(Nanos::ZERO, &Event::LoadStarted).unwrap();
        for sample in samples() {
            recorder.sample(&sample).unwrap();
        }
        let ended = Event::RunEnded {
            cause: StopCause::Completed,
        };
        recorder.event(Nanos::from_secs(2), &ended).unwrap();
        recorder.flush().unwrap();
    }

    #[test]
    fn what_was_written_is_read_back() {
        let root = tempfile::tempdir().unwrap();
        let directory = root.path().join("run");
        write(&directory);
        let record = Record::open(&directory).unwrap();
        assert_eq!(record.header, header());
        assert_eq!(record.samples, samples());
        assert_eq!(record.events.len(), 2);
        assert!(record.complete());
    }

    #[test]
    fn a_torn_record_is_read_up_to_the_tear() {
        let root = tempfile::tempdir().unwrap();
        let directory = root.path().join("run");
        write(&directory);
        for file in [JOURNAL, SERIES, LATENCY] {
            let path = directory.join(file);
            let bytes = fs::read(&path).unwrap();
            fs::write(&path, &bytes[..bytes.len() - 3]).unwrap();
        }
        let record = Record::open(&directory).unwrap();
        assert!(!record.complete());
        assert_eq!(record.events.len(), 1);
        assert_eq!(record.samples[..5], samples()[..5]);
    }

    #[test]
    fn a_run_is_private_and_never_overwritten() {
        let root = tempfile::tempdir().unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        let open_to_all = fs::Permissions::from_mode(0o755);
        let (fresh, empty) = (root.path().join("fresh"), root.path().join("empty"));
        fs::create_dir(&empty).unwrap();
        fs::set_permissions(&empty, open_to_all.clone()).unwrap();
        for directory in [fresh, empty] {
            write(&directory);
            assert_eq!(mode(&directory), 0o700);
            for entry in fs::read_dir(&directory).unwrap() {
                assert_eq!(mode(&entry.unwrap().path()), 0o600);
            }
            fs::set_permissions(&directory, open_to_all.clone()).unwrap();
            let error = Recorder::create(&directory, &header()).unwrap_err();
            assert_eq!(error.exit_code(), crate::error::EXIT_USAGE);
            assert_eq!(mode(&directory), 0o755); // a directory in use is left alone
        }
    }
}
