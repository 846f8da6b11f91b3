//! Every bound on what is read from outside, in one place.
//!
//! Whatever is read has an end that is stated here: so many bytes, so many entries, so
//! deep, so long. What reaches past it is refused with a sentence that says what it is,
//! which bound, and what to do. The numbers are far beyond what a person writes or a
//! server sends, and small enough that no file, device or peer fills the memory.
//!
//! Here are numbers and words only. Who reads is in the rooms: a file is read through
//! `files`, which knows no other way than up to a bound. `docs/BOUNDS.md` has the table,
//! held by a test.

use std::fmt;
use std::time::Duration;

const KIB: u64 = 1024;
const MIB: u64 = 1024 * KIB;
const GIB: u64 = 1024 * MIB;

/// How much of one thing is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bound {
    /// What is read, with its article.
    pub reader: &'static str,
    /// Bytes of it at most.
    pub bytes: u64,
    /// What it consists of, and how many of them at most; none: as many as the bytes allow.
    pub entries: Option<(u64, &'static str)>,
    /// Tables, lists or objects within each other at most; none: nothing nests.
    pub depth: Option<u32>,
    /// How long reading it may take, as the table says it.
    pub time: &'static str,
    /// What to do about one that is larger.
    pub instead: &'static str,
}

/// How deep JSON may nest: the bound of the library that reads it.
const JSON_DEPTH: u32 = 128;
/// How deep a scenario may nest: the bound of the library that reads it.
const TOML_DEPTH: u32 = 80;
/// Of a file that is read whole.
const OF_A_FILE: &str = "10 s where it is a pipe";
/// Of a file that this program wrote.
const OF_A_RECORD: &str = "no pipe is read";

/// How long a pipe that is named as a file may take to end.
pub const PIPE_TIME_MAX: Duration = Duration::from_secs(10);

/// A scenario or a file of operations: written by hand.
pub const SCENARIO: Bound = Bound {
    reader: "a scenario or a file of operations",
    bytes: MIB,
    entries: None,
    depth: Some(TOML_DEPTH),
    time: OF_A_FILE,
    instead: "it is written by hand, so name another file, or put its values into a `csv`",
};

/// A link to a run's console, in a file of its own.
pub const LINK: Bound = Bound {
    reader: "a file with a link (`--tell @FILE`)",
    bytes: 4 * KIB,
    entries: None,
    depth: None,
    time: OF_A_FILE,
    instead: "name a file that has the link of `threadbare run --console` and nothing else",
};

/// A file of values: each cell takes some 50 bytes of memory.
pub const VALUES: Bound = Bound {
    reader: "a file of values (`csv`)",
    bytes: 256 * MIB,
    entries: Some((10_000_000, "cells")),
    depth: None,
    time: OF_A_FILE,
    instead: "leave out columns that no request uses, or rows",
};

/// All files of values and bodies that one file names: a thousand small ones are as
/// large as one.
pub const NAMED: Bound = Bound {
    reader: "all files of values and bodies that one file names, together",
    bytes: 256 * MIB,
    entries: Some((10_000_000, "cells")),
    depth: None,
    time: "that of each",
    instead: "name fewer of them, or smaller ones",
};

/// Recorded times: a day at a hundred a second.
pub const REPLAY: Bound = Bound {
    reader: "a file of recorded times (`--replay`)",
    bytes: 64 * MIB,
    entries: Some((10_000_000, "times")),
    depth: None,
    time: OF_A_FILE,
    instead: "split it, and replay one part after the other",
};

/// A body, which is sent from memory.
pub const BODY: Bound = Bound {
    reader: "a body (`body_file`, `-D`)",
    bytes: 64 * MIB,
    entries: None,
    depth: None,
    time: OF_A_FILE,
    instead: "send a smaller one: it is held in memory",
};

/// Certificates or a key; the bundle of a system has a quarter of a mebibyte.
pub const CERTIFICATES: Bound = Bound {
    reader: "a file of certificates or of a key (PEM)",
    bytes: 4 * MIB,
    entries: None,
    depth: None,
    time: OF_A_FILE,
    instead: "name a file with the certificates that are needed",
};

/// The plan within a record; bodies and values are not written.
pub const RUN_HEADER: Bound = Bound {
    reader: "`run.json`, `what-if.json` and `as-written.json` of a run",
    bytes: 64 * MIB,
    entries: None,
    depth: Some(JSON_DEPTH),
    time: OF_A_RECORD,
    instead: "this is not the file that threadbare wrote there",
};

/// A baseline: of each run a few hundred histograms.
pub const BASELINE: Bound = Bound {
    reader: "a baseline",
    bytes: 64 * MIB,
    entries: None,
    depth: Some(JSON_DEPTH),
    time: OF_A_RECORD,
    instead: "this is not the file that `threadbare baseline accept` wrote",
};

/// Runs of one side of a comparison at most: each is read whole.
pub const SET_RUNS_MAX: usize = 200;

/// What was found in a run: some tens of kilobytes, a few for each phase.
pub const SUMMARY: Bound = Bound {
    reader: "`summary.json` of a run",
    bytes: 64 * MIB,
    entries: None,
    depth: Some(JSON_DEPTH),
    time: OF_A_RECORD,
    instead: "this is not the file that threadbare wrote there",
};

/// What a search for a limit found, with all its steps: a kilobyte each.
pub const LIMIT: Bound = Bound {
    reader: "`limit.json` of a search",
    bytes: 64 * MIB,
    entries: None,
    depth: Some(JSON_DEPTH),
    time: OF_A_RECORD,
    instead: "this is not the file that `threadbare limit` wrote there",
};

/// The runs that are listed, or looked at together: years of several a day.
pub const RUNS: Bound = Bound {
    reader: "the headers and summaries of a set of runs (`runs`, `trend`), together",
    bytes: GIB,
    entries: Some((10_000, "runs")),
    depth: None,
    time: OF_A_RECORD,
    instead: "name fewer of them: a folder with less, or a pattern such as 'reports/main-*'",
};

/// The journal of a run; what is past it is left out and reported.
pub const JOURNAL: Bound = Bound {
    reader: "`journal.jsonl` of a run",
    bytes: GIB,
    entries: Some((1_000_000, "events")),
    depth: Some(JSON_DEPTH),
    time: OF_A_RECORD,
    instead: "the rest is left out",
};

/// The series of a run: a day of twenty sources has some two million samples.
pub const SERIES: Bound = Bound {
    reader: "`series.csv` of a run",
    bytes: 16 * GIB,
    entries: Some((20_000_000, "samples")),
    depth: None,
    time: OF_A_RECORD,
    instead: "the rest is left out",
};

/// The log of histograms of a run.
pub const LATENCY: Bound = Bound {
    reader: "`latency.hlog` of a run",
    bytes: 16 * GIB,
    entries: Some((20_000_000, "histograms")),
    depth: None,
    time: OF_A_RECORD,
    instead: "the rest is left out",
};

/// A line of those three, and a histogram when it is decompressed: the longest of ours
/// has 300 kB.
pub const LINE: Bound = Bound {
    reader: "a line of a record, and a histogram of it when decompressed",
    bytes: MIB,
    entries: None,
    depth: None,
    time: OF_A_RECORD,
    instead: "the line is left out",
};

/// The undos of a run, a few hundred bytes each.
pub const UNDOS: Bound = Bound {
    reader: "`undo.jsonl` of a run",
    bytes: 64 * MIB,
    entries: None,
    depth: Some(JSON_DEPTH),
    time: OF_A_RECORD,
    instead: "this is not the file that threadbare wrote there",
};

/// A page of gauges; that of a large server has some hundred kilobytes.
pub const GAUGES: Bound = Bound {
    reader: "a page of gauges",
    bytes: 8 * MIB,
    entries: Some((100_000, "series")),
    depth: Some(JSON_DEPTH),
    time: "the timeout of its `[[gauges]]`",
    instead: "name a smaller page, or one part of it",
};

/// A line of such a page: a series with forty labels has some 4,000 bytes.
pub const GAUGES_LINE: Bound = Bound {
    reader: "a line of a page of gauges",
    bytes: 64 * KIB,
    entries: None,
    depth: None,
    time: "that of its page",
    instead: "the line is left out",
};

/// What a hook or a ready check answers: a few words of it are kept.
pub const HOOK_ANSWER: Bound = Bound {
    reader: "the answer to a hook over HTTP or to a ready check",
    bytes: 64 * KIB,
    entries: None,
    depth: None,
    time: "the timeout of the hook, 1 s for a check",
    instead: "name a page with a shorter answer",
};

/// A body that is looked into, for a check or a capture, before and after it is decoded.
pub const CHECKED_BODY: Bound = Bound {
    reader: "the body of a response that is checked or captured from",
    bytes: MIB,
    entries: None,
    depth: Some(JSON_DEPTH),
    time: "the timeout of the attempt",
    instead: "the operation has failed its check",
};

/// A request to the control listener of the fleet (`threadbare target`).
pub const CONTROL: Bound = Bound {
    reader: "a request to the control API of `threadbare target`",
    bytes: 64 * KIB,
    entries: Some((64, "header fields")),
    depth: Some(JSON_DEPTH),
    time: "5 s from its first byte",
    instead: "send less at a time",
};

/// A request to the API of proxies: a thousand proxies have 100 kB.
pub const PROXY_API: Bound = Bound {
    reader: "a request to the proxies' API (Toxiproxy's)",
    bytes: MIB,
    entries: Some((100, "header fields")),
    depth: Some(JSON_DEPTH),
    time: "15 s for its head, 5 s for its body",
    instead: "send less at a time",
};

/// A request to the page of a game day: a note of 2,000 characters is the longest.
pub const CONSOLE: Bound = Bound {
    reader: "a request to the console's page (`--console`)",
    bytes: 8 * KIB,
    entries: Some((100, "header fields")),
    depth: Some(JSON_DEPTH),
    time: "15 s for its head, 5 s for its body",
    instead: "send less at a time",
};

/// A request to the metrics page: a scraper sends a few hundred bytes.
pub const METRICS: Bound = Bound {
    reader: "a request to the metrics page (`--metrics`)",
    bytes: 16 * KIB,
    entries: Some((100, "header fields")),
    depth: None,
    time: "15 s for its head",
    instead: "send less at a time",
};

/// What a receiver of telemetry answers: its status, and what it refused.
pub const RECEIVER_ANSWER: Bound = Bound {
    reader: "the answer of a receiver of telemetry (`--otlp`, `--annotations`)",
    bytes: 64 * KIB,
    entries: None,
    depth: None,
    time: "5 s",
    instead: "what is past it is left out",
};

/// Annotations that wait for their receiver at most: more than a run of a day has in an hour.
pub const ANNOTATIONS_MAX: usize = 1_024;

/// A packet of an agent or to one: a piece of a message with what is said of it.
pub const AGENT_PACKET: Bound = Bound {
    reader: "a packet between a conductor and an agent",
    bytes: 128 * KIB,
    entries: None,
    depth: Some(JSON_DEPTH),
    time: "the lease of the agents",
    instead: "this is not what threadbare sends",
};

/// A message of an agent or to one: a plan with its values is the longest.
pub const AGENT_MESSAGE: Bound = Bound {
    reader: "a message between a conductor and an agent",
    bytes: 256 * MIB,
    entries: None,
    depth: Some(JSON_DEPTH),
    time: "the lease of the agents",
    instead: "use fewer values: each agent is sent all of them",
};

/// What an agent says of itself, and who asks for it.
pub const AGENT_CALL: Bound = Bound {
    reader: "a call for agents, and the answer to one",
    bytes: 4 * KIB,
    entries: None,
    depth: Some(JSON_DEPTH),
    time: "2 s",
    instead: "this is not what threadbare sends",
};

/// Agents that are known at a time.
pub const AGENTS_MAX: usize = 256;
/// What an agent, or a conductor for it, holds that was not acknowledged, in bytes, before it
/// takes nothing more: some minutes of deliveries.
pub const AGENT_OUTBOX_MAX: usize = 64 << 20;

/// Messages that the console keeps for pages that come later: of a day's run a frame a
/// second, twice.
pub const CONSOLE_MESSAGES_MAX: usize = 200_000;
/// Connections to the console's page at a time: ten rooms of people with some tabs each. One
/// more closes the connection that has been idle for longest.
pub const CONSOLE_CONNECTIONS_MAX: usize = 256;
/// People who have joined a game day at most.
pub const CONSOLE_PEOPLE_MAX: usize = 200;

/// How long a request to the control listener may take, and the body of one to the
/// proxies' API.
pub const REQUEST_TIME_MAX: Duration = Duration::from_secs(5);
/// How long the head of a request to the proxies' API may take. It counts from the answer
/// before it, and clients keep connections for a while.
pub const HEAD_TIME_MAX: Duration = Duration::from_secs(15);
/// Connections to one of the two listeners at a time; one more closes the connection
/// that has been idle for longest.
pub const LISTENER_CONNECTIONS_MAX: usize = 64;

/// Every bound, in the order of the documentation.
#[cfg(feature = "testing")]
pub const ALL: [Bound; 29] = [
    SCENARIO,
    LINK,
    VALUES,
    BODY,
    NAMED,
    REPLAY,
    CERTIFICATES,
    RUN_HEADER,
    BASELINE,
    SUMMARY,
    LIMIT,
    RUNS,
    JOURNAL,
    SERIES,
    LATENCY,
    LINE,
    UNDOS,
    GAUGES,
    GAUGES_LINE,
    HOOK_ANSWER,
    CHECKED_BODY,
    CONTROL,
    PROXY_API,
    CONSOLE,
    METRICS,
    RECEIVER_ANSWER,
    AGENT_CALL,
    AGENT_PACKET,
    AGENT_MESSAGE,
];

impl Bound {
    /// Why one with more bytes is not read, in a clause that follows "failed to read it: ".
    pub fn too_long(&self) -> String {
        let bytes = Bytes(self.bytes);
        format!(
            "it is longer than {bytes}, the bound of {}; {}",
            self.reader, self.instead
        )
    }

    /// Why one with more entries is not read, likewise.
    pub fn too_many(&self) -> String {
        let (most, entries) = self.entries.unwrap_or_default();
        format!(
            "it has more than {most} {entries}, the bound of {}; {}",
            self.reader, self.instead
        )
    }

    /// Entries at most.
    pub fn entries_max(&self) -> u64 {
        self.entries.map_or(u64::MAX, |(most, _)| most)
    }

    /// Bytes at most, as a length in memory.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "what does not fit is at its end"
    )]
    pub const fn length_max(&self) -> usize {
        // No bound of what is held in memory is past the range of a 32-bit machine.
        if self.bytes > usize::MAX as u64 {
            usize::MAX
        } else {
            self.bytes as usize
        }
    }
}

/// A number of bytes in the largest unit that holds it whole.
#[derive(Debug, Clone, Copy)]
pub struct Bytes(pub u64);

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let units = [(GIB, "GiB"), (MIB, "MiB"), (KIB, "KiB")];
        match units
            .iter()
            .find(|(size, _)| self.0 >= *size && self.0.is_multiple_of(*size))
        {
            Some((size, unit)) => write!(f, "{} {unit}", self.0 / size),
            None => write!(f, "{} bytes", self.0),
        }
    }
}
