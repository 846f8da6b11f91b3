//! The short tests: they need nothing but the toolchain, measure nothing, and run
//! beside each other. Those that run the program run it in virtual time.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "../common/conformance.rs"]
mod conformance;
#[path = "../common/documented.rs"]
mod documented;
#[path = "../common/mutated.rs"]
mod mutated;
#[path = "../common/plan.rs"]
mod plan;
#[path = "../common/queueing.rs"]
mod queueing;
#[path = "../common/responses.rs"]
mod responses;
mod simulated;

mod analysis;
mod architecture;
mod bounds;
mod clients;
mod codec;
mod comparison;
mod console;
mod directories;
mod documents;
mod expectations;
mod failures;
mod fuzzed;
mod limit;
mod memory;
mod merged;
mod old_runs;
mod operations;
mod output;
mod packages;
mod parts;
mod people;
mod redaction;
mod report;
mod scenario;
mod scenarios;
mod sim;
mod simulate_command;
mod telemetry;
mod trend;
