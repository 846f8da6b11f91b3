//! The run directory: written as things happen, read back whole.
//!
//! Every line is complete in itself, so a run that was killed leaves a
//! directory that can still be read: a torn last line is left out, and the
//! missing [`Event::RunEnded`] marks the record as incomplete. A line that is
//! damaged costs that line: it is left out and told of as a warning, since what is
//! lost with it may show in every figure.

use std::fs::File;
use std::io::{self, BufWriter, Read, Write as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::event::Line;
use super::lines::{Damage, read_journal, read_latency, read_series};
use super::private::{claim_directory, open_anew, write_error, write_private};
use super::sample::log_header;
use super::{Event, Sample, Samples, StopCause};
use crate::clock;
use crate::error::{Error, Result};
use crate::model::redact;
use crate::plan::Plan;
use crate::units::Nanos;
use crate::{bounds, files};

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
    /// The whole command that makes it again, without secrets; empty where nobody knows.
    #[serde(default)]
    pub command: String,
    /// What was to be carried out, the seed included.
    pub plan: Plan,
}

impl Header {
    /// Of a record that this version of threadbare makes, no one knows when and on what.
    pub fn new(plan: Plan, backend: Backend) -> Self {
        Self {
            format: FORMAT,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            backend,
            started_wall_ms: 0,
            machine: MachineFacts::default(),
            command: String::new(),
            plan,
        }
    }

    /// Reads what a run says of itself, and nothing else of it.
    ///
    /// # Errors
    ///
    /// As [`Record::open`].
    pub(crate) fn read(directory: &Path) -> Result<Self> {
        let bytes = files::read_regular(&directory.join(HEADER), &bounds::RUN_HEADER);
        let bytes = bytes.map_err(|cause| unreadable(directory, HEADER, &cause))?;
        read_header(directory, &bytes)
    }
}

fn unreadable(directory: &Path, name: &str, cause: &io::Error) -> Error {
    let path = directory.join(name);
    Error::usage(format!(
        "failed to read {}: {cause}; is this a run directory?",
        path.display()
    ))
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

/// The file that makes a directory one of a run.
pub(crate) const HEADER: &str = "run.json";
pub(super) const JOURNAL: &str = "journal.jsonl";
pub(super) const SERIES: &str = "series.csv";
pub(super) const LATENCY: &str = "latency.hlog";

const SERIES_COLUMNS: &str = "from_ns,to_ns,axis,kind,source,counter,value";
/// Writes a record into a run directory, line by line.
#[derive(Debug)]
pub struct Recorder {
    directory: PathBuf,
    journal: File,
    series: BufWriter<File>,
    latency: BufWriter<File>,
    backend: Backend,
    /// Whether the log of histograms has begun: it does with the load, whose zero it names.
    logging: bool,
}

impl Recorder {
    /// Makes the directory, readable by its owner only, and writes the header.
    ///
    /// # Errors
    ///
    /// Where the directory exists and is not empty, or cannot be written.
    pub fn create(directory: &Path, header: &Header) -> Result<Self> {
        if !claim_directory(directory, HEADER).map_err(|cause| write_error(directory, &cause))? {
            return Err(Error::usage(format!(
                "{} is not empty; name another directory with --out, or remove it",
                directory.display()
            )));
        }
        let text = serde_json::to_string_pretty(header)
            .map_err(|cause| Error::failed(format!("failed to write {HEADER}: {cause}")))?;
        write_private(directory, HEADER, redact::json(&text).as_bytes())?;
        let open = |name: &str| {
            let path = directory.join(name);
            open_anew(&path).map_err(|cause| write_error(&path, &cause))
        };
        let mut recorder = Self {
            journal: open(JOURNAL)?,
            series: BufWriter::new(open(SERIES)?),
            latency: BufWriter::new(open(LATENCY)?),
            directory: directory.to_owned(),
            backend: header.backend,
            logging: false,
        };
        recorder.write(|this| writeln!(this.series, "{SERIES_COLUMNS}"))?;
        Ok(recorder)
    }

    /// Where the record lies.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Removes its own files again, where nothing was recorded: another may take the
    /// directory then.
    pub(crate) fn give_up(self) {
        for name in [LATENCY, SERIES, JOURNAL, HEADER] {
            // What is left over is told to whoever names the directory again.
            let _ = std::fs::remove_file(self.directory.join(name));
        }
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
        let text = serde_json::to_string(&line)
            .map_err(|cause| Error::failed(format!("failed to write {JOURNAL}: {cause}")))?;
        let mut text = redact::json(&text).into_owned();
        text.push('\n');
        if *event == Event::LoadStarted {
            self.begin_log()?;
        }
        // One write per line: a line is either there whole or torn at the end of the file.
        self.write(|this| this.journal.write_all(text.as_bytes()))
    }

    /// Appends a sample's counters and histograms.
    ///
    /// # Errors
    ///
    /// Where the files cannot be written, for example because the disk is full.
    pub fn sample(&mut self, sample: &Sample) -> Result<()> {
        self.begin_log()?;
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

    /// Begins the log of histograms, once: zero is now, or in virtual time never was.
    fn begin_log(&mut self) -> Result<()> {
        if std::mem::replace(&mut self.logging, true) {
            return Ok(());
        }
        let zero = match self.backend {
            Backend::Live => clock::wall_millis(),
            Backend::Sim => 0,
        };
        self.write(|this| this.latency.write_all(log_header(zero).as_bytes()))
    }

    fn write(&mut self, write: impl FnOnce(&mut Self) -> io::Result<()>) -> Result<()> {
        write(self).map_err(|cause| write_error(&self.directory, &cause))
    }
}

/// A run read back from its directory.
#[derive(Debug, Clone, PartialEq)]
pub struct Record {
    /// What it says of itself.
    pub header: Header,
    /// Every event with its instant, in the order of the journal.
    pub events: Vec<(Nanos, Event)>,
    /// Every sample, in the order of the series.
    pub samples: Samples,
    /// When the load ended, where the samples of each source were merged into one that
    /// spans it; none where they lie in the plan's buckets, as in every directory.
    pub merged_to: Option<Nanos>,
}

impl Record {
    /// Reads a run directory, be it complete or not.
    ///
    /// # Errors
    ///
    /// Where there is no run, its format is of another version, or its header is
    /// damaged.
    pub fn open(directory: &Path) -> Result<Self> {
        let file = |name: &str| {
            let opened = files::open_regular(&directory.join(name));
            opened.map_err(|cause| unreadable(directory, name, &cause))
        };
        let header = Header::read(directory)?;
        let files = [file(JOURNAL)?, file(SERIES)?, file(LATENCY)?];
        Self::read(header, files).map_err(|(name, cause)| unreadable(directory, name, &cause))
    }

    /// The record whose files hold these bytes: header, journal, series, log of histograms.
    ///
    /// # Errors
    ///
    /// Where the header is damaged, or of another version.
    #[cfg(feature = "testing")]
    pub(crate) fn of_parts(
        header: &[u8],
        journal: &[u8],
        series: &[u8],
        latency: &[u8],
    ) -> Result<Self> {
        let header = read_header(Path::new(""), header)?;
        Self::read(header, [journal, series, latency])
            .map_err(|(_, cause)| Error::failed(cause.to_string()))
    }

    /// Reads journal, series and log of histograms; names the one that cannot be read.
    fn read<R: Read>(
        header: Header,
        [journal, series, latency]: [R; 3],
    ) -> std::result::Result<Self, (&'static str, io::Error)> {
        let mut damage = Damage::default();
        let mut events = read_journal(journal, &mut damage).map_err(|cause| (JOURNAL, cause))?;
        let log = read_latency(latency, &mut damage).map_err(|cause| (LATENCY, cause))?;
        let samples = read_series(series, log, &mut damage).map_err(|cause| (SERIES, cause))?;
        let told = damage.warnings().map(|text| Event::Warning { text });
        events.splice(..0, told.map(|event| (Nanos::ZERO, event)));
        Ok(Self {
            header,
            events,
            samples,
            merged_to: None,
        })
    }

    /// The width of the buckets that its samples lie in.
    pub fn interval(&self) -> Nanos {
        self.merged_to.unwrap_or(self.header.plan.interval)
    }

    /// When the load ended, or was planned to.
    pub fn load_end(&self) -> Nanos {
        let planned = self.header.plan.end;
        let ended = || self.ended_early().map_or(planned, |at| at.min(planned));
        self.merged_to.unwrap_or_else(ended)
    }

    /// When the load of a run was ended that did not come to its planned end; none where it
    /// was stopped with what was under way.
    fn ended_early(&self) -> Option<Nanos> {
        let (_, last) = self.events.last()?;
        let early = matches!(last, Event::RunEnded { cause } if *cause != StopCause::Completed);
        let mut ended = self.events.iter().rev().filter(|_| early);
        ended
            .find(|(_, event)| *event == Event::LoadEnded)
            .map(|(at, _)| *at)
    }

    /// Whether the run was seen to its end, planned or not.
    pub fn complete(&self) -> bool {
        matches!(self.events.last(), Some((_, Event::RunEnded { .. })))
    }
}

fn read_header(directory: &Path, bytes: &[u8]) -> Result<Header> {
    #[derive(Deserialize)]
    struct Format {
        format: u32,
    }
    let unreadable = |cause: serde_json::Error| {
        Error::usage(format!(
            "{} is damaged in line {}: {cause}",
            directory.join(HEADER).display(),
            cause.line()
        ))
    };
    // A byte that is no text stands in a text, which can be read without it.
    let text = String::from_utf8_lossy(bytes);
    // What an older version wrote is not shown either.
    let text = redact::json(&text);
    let Format { format } = serde_json::from_str(&text).map_err(unreadable)?;
    if format != FORMAT {
        return Err(Error::usage(format!(
            "{} is a run of format {format}, and this version reads format {FORMAT}; use the \
             version of threadbare that wrote it",
            directory.display()
        )));
    }
    serde_json::from_str(&text).map_err(unreadable)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    use super::super::{
        AttemptCounters, Counters, Histogram, Measure, OperationCounters, StopCause,
    };
    use super::*;
    use crate::model::{FleetSpec, SourceName};
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
        assert_eq!(record.samples, samples().into());
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
        let read: Vec<Sample> = record.samples.iter().collect();
        assert_eq!(read[..5], samples()[..5]);
    }

    #[test]
    fn one_bad_byte_costs_one_line_of_its_file() {
        let root = tempfile::tempdir().unwrap();
        for (file, events, rows) in [(JOURNAL, 1, 6), (SERIES, 2, 5), (LATENCY, 2, 6)] {
            let directory = root.path().join(file);
            write(&directory);
            let path = directory.join(file);
            let whole = Record::open(&directory).unwrap();
            let mut bytes = fs::read(&path).unwrap();
            // The first character of the last line, which is whole in itself.
            let last = bytes[..bytes.len() - 1].iter().rposition(|it| *it == b'\n');
            bytes[last.unwrap() + 1] = 0xff;
            fs::write(&path, &bytes).unwrap();
            let record = Record::open(&directory).unwrap();
            let Some((_, Event::Warning { text })) = record.events.first() else {
                panic!("{:?}", record.events);
            };
            let told = format!("1 of the lines of {file} is damaged and left out");
            assert!(text.starts_with(&told), "{text}");
            assert_eq!(record.events.len(), events + 1, "{file}");
            assert!(record.samples.len() >= rows, "{file}");
            let count = |record: &Record| -> usize {
                record.samples.iter().map(|it| it.histograms.len()).sum()
            };
            assert!(count(&whole) - count(&record) <= 1, "{file}");
        }
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
