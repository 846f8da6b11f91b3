//! Two runs against each other: the statistics where truth is known, and the command as its
//! user meets it.

mod build_servers;
mod command;
mod doubts;
mod outputs;
mod studies;
mod truth;
