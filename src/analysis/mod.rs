//! From a record to findings: pure functions, no I/O, no clock.
//!
//! Analysis reads a [`crate::record::Record`] and nothing else, so it judges a
//! run of today and a run of last year, live or simulated, by the same code.

mod findings;

pub use findings::{
    Conservation, ExhaustionWindow, ExpectationResult, Findings, Incident, Latency, Measurement,
    Phase, QueueDepth, SendLag, SustainingShares, Validity, Verdict,
};
