//! From a record to findings: pure functions, no I/O, no clock.
//!
//! Analysis reads a [`crate::record::Record`] and nothing else, so it judges a
//! run of today and a run of last year, live or simulated, by the same code. It
//! is total: a record that is incomplete, empty or damaged gives fewer
//! findings, never a panic. `docs/TERMS.md` says how each figure is computed.
//!
//! | file | question |
//! |---|---|
//! | `series` | what happened in each bucket |
//! | `journal` | what was done, when, and with which result |
//! | `trigger` | what began the incident, and when it was over |
//! | `observation` | how far the record can be trusted to be final |
//! | `owners` | whose a time is: the target's, the clients', or the generator's |
//! | `totals` | the sum of a run of buckets |
//! | `phases` | what each stretch between two actions or surges looked like |
//! | `exhaustion` | when had an instance no free worker and jobs waiting |
//! | `observed` | what gauges and process of the user's target said |
//! | `agents` | how well several generators began together, and was one of them a limit |
//! | `capacity`, `usl` | what such a target can do, where it publishes nothing |
//! | `amplification` | who made the load, and what kept it going |
//! | `stuck` | what is held for nothing: a deadlock, or a leak |
//! | `baseline` | what service was like before anything was done |
//! | `chance`, `bounds` | is it lost or back, allowing for chance |
//! | `recovery` | when was service lost, and when was it back |
//! | `episodes` | which losses are an incident of their own, and which a relapse |
//! | `gameday` | who took part, what they said and expected |
//! | `incident`, `harm` | the clock and verdict of each incident, and its size |
//! | `conservation` | does the record add up |
//! | `refused` | what the operating system refused the fleet |
//! | `validity` | was the generator the limit |
//! | `failures` | why attempts failed |
//! | `expectations` | did the run show what it was expected to show |
//! | `answer` | the figures that every report leads with |
//! | `sentences`, `story`, `sized`, `worn` | all of this in words |
//! | `study`, `student` | what many simulated variants came to, and how sure that is |
//! | `seeds`, `proportion` | how often the same plan comes to what, and how sure that is |
//! | `watch` | how service is while a run goes on |
//! | `find` | the whole, in order |
//! | `trend/` | where over many runs a figure changed |

mod actions;
mod agents;
mod amplification;
mod answer;
mod baseline;
mod bounds;
mod capacity;
mod chance;
pub mod compare;
mod conservation;
mod dependencies;
mod early;
mod ending;
mod episodes;
mod exhaustion;
mod expectations;
mod failures;
mod find;
mod findings;
mod gameday;
mod harm;
mod incident;
mod journal;
mod kinds;
pub mod limit;
mod load;
mod observation;
mod observed;
mod owners;
mod phases;
mod probes;
mod proportion;
mod reading;
mod recovery;
mod refused;
mod repeated;
mod seeds;
mod sentences;
mod series;
mod sized;
mod slowest;
mod spread;
mod steps;
mod story;
mod stuck;
mod student;
mod study;
mod totals;
pub mod trend;
mod trigger;
mod usl;
mod validity;
mod watch;
mod wider;
mod windows;
mod wire;
mod worn;

pub use agents::{AgentFigures, AgentsFigures};
pub use answer::{Amplification, Exhaustion, Limiter, Recovery, RunPart};
pub use capacity::{Estimate, InferredCapacity};
pub use dependencies::DependencyFigures;
pub use early::Early;
pub use ending::{EndedBy, Ending};
pub use expectations::ExpectationResult;
pub use failures::{AcceptQueueFigures, FailureCount, FailureExample, Failures};
pub use find::findings;
pub(crate) use find::load_findings;
pub use findings::{
    ActionOutcome, ActionTaken, Baseline, Conservation, ExhaustionWindow, Findings, Incident,
    Latency, Measurement, Phase, ScrapeFailures, SendLag, SustainingShares, Validity, Verdict,
    summary_schema,
};
pub use gameday::{AsWritten, Declined, GameDay, Hold, Note, Prediction};
pub use harm::{AfterRecovery, Harm, Relapse};
pub use kinds::{KindFigures, PartFigures, UrlFigures};
pub(crate) use load::load_rates;
pub use observed::{GaugeFigures, GaugeGap, ProcessFigures};
pub use owners::{Marked, OverAllLatency, TimeSpent};
pub(crate) use owners::{OverAll, beyond_zeros, lags, over_all};
pub use probes::ProbeFigures;
pub use proportion::Proportion;
pub use repeated::{RepeatedExpectation, RepeatedRuns};
pub use seeds::{ExpectationShare, SeedFindings, SeedResult, SeedShares, VerdictShare};
pub use series::{Bucket, GeneratorBucket, InstanceBucket, Series, series};
pub use slowest::SlowTrace;
pub(crate) use spread::bins;
pub use steps::{LoadStep, StepLimiter};
pub use stuck::HeldCapacity;
pub use study::{AxisValues, Band, Edge, Interval, Outcome, Region, Row, Spread, Sweep, WhatIf};
pub use totals::QueueDepth;
pub(crate) use totals::Totals;
pub use usl::Usl;
pub use watch::{ServiceClock, ServiceReading, ServiceState, ServiceWatch};
pub use wire::{Exchanged, StatusCount};
