//! Two runs against each other: the statistics where truth is known, and the command as its
//! user meets it.

mod command;
mod outputs;
mod truth;
