//! Gauges as the command shows them, and targets that do not want to be read.

mod command;
mod refused;
