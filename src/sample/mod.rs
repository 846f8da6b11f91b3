//! Gauges that are read while a run goes on, and are nobody's own: the machine's.
//!
//! The fleet's gauges are the target's to give; here is only what the kernel
//! says of the whole machine, which tells an incident from a lack of processor.

mod machine;

pub use machine::{Machine, machine_facts};
