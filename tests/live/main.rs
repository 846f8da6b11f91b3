//! The live tests: processes, threads and sockets on loopback, whose times are
//! measured. They run one at a time, since two would measure each other, and need
//! Python and curl beside the toolchain.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "../common/conformance.rs"]
mod conformance;
#[path = "../common/echo.rs"]
mod echo;
#[path = "../common/plan.rs"]
mod plan;
#[path = "../common/queueing.rs"]
mod queueing;
#[path = "../common/readings.rs"]
mod readings;
#[path = "../common/run.rs"]
mod run;

mod figures;
mod founding;
mod rig;
mod server;
mod told;

mod console;
mod faults;
mod fleet;
mod framing;
mod gauges;
mod hosts;
mod http;
mod https;
mod incidents;
mod kills;
mod limit;
mod load;
mod proxy;
mod screen;
mod target;
mod telemetry;
