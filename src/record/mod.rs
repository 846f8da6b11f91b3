//! The record of a run: one event vocabulary, one directory.
//!
//! Backends write it, analysis reads nothing else; so an old run can be
//! analysed again, offline, and a simulated one is judged by the same code as a
//! live one. Everything in it is additive: samples of several threads or
//! machines merge by adding counters and histograms.
//!
//! | file | content |
//! |---|---|
//! | `run.json` | [`Header`]: format, plan, machine, backend |
//! | `journal.jsonl` | every [`Event`] with its instant, appended as it happens |
//! | `series.csv` | the counters of every [`Sample`] |
//! | `latency.hlog` | the histograms of every [`Sample`]: HdrHistogram V2 interval log, tagged |
//!
//! `summary.json`, `report.html` and the others are derived from these four.

mod alarms;
mod counters;
mod directory;
mod event;
mod failure_book;
mod histogram;
mod interval_log;
mod lines;
mod means;
mod memory;
mod private;
mod sample;
mod samples;
mod statuses;
mod tally;
mod text;

pub use crate::model::Outcome;
pub(crate) use alarms::Alarms;
pub use counters::{
    AcceptQueueCounters, AgentCounters, AttemptCounters, BalancerCounters, DependencyCounters,
    FailureCounters, GaugeCounters, GeneratorCounters, IdentityCounters, InstanceCounters,
    MachineCounters, OperationCounters, ProbeCounters, ProcessCounters,
};
pub(crate) use directory::HEADER;
pub use directory::{Backend, FORMAT, Header, MachineFacts, Record, Recorder};
pub use event::{
    AgentFacts, AgentLost, AgentMeasured, Event, FirstFailure, PAUSED, SlowOperation, StopCause,
};
pub(crate) use failure_book::FailureBook;
pub use histogram::Histogram;
pub(crate) use histogram::{is_told, told_from};
pub use interval_log::IntervalLog;
pub(crate) use means::mean;
pub use memory::MemoryRecorder;
pub(crate) use private::{claim_directory, write_private};
pub(crate) use private::{open_anew, open_to_append, replace_private};
pub(crate) use sample::busy_share;
pub use sample::{Counters, Measure, Observer, Sample};
pub use samples::Samples;
pub use statuses::StatusCounters;
pub use tally::{Tallied, Tally};
pub(crate) use text::{outcome_text, printable, signal_name, story_time};
