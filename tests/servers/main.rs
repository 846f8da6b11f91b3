//! The live tests that need programs which `./test setup` installs: published
//! servers and clients. They run one at a time, as those of `tests/live` do.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "../common/documented.rs"]
mod documented;
#[path = "../common/echo.rs"]
mod echo;
#[path = "../common/readings.rs"]
mod readings;
#[path = "../common/run.rs"]
mod run;

mod server;

mod agents;
mod clients;
mod collector;
mod exhaustion;
mod flask;
mod gauges;
mod packaging;
mod presets;
mod prometheus;
mod stacks;
mod tutorial;
