//! The answer, one format per file: a record and its findings to text.
//!
//! Every format is a pure function to a string; [`write_all`] alone touches the
//! disk. Nothing here measures or judges: what a figure is worth was settled by
//! [`crate::analysis`], and a report that computed its own would sooner or later
//! contradict it. Text that came from a scenario or a target is escaped by each
//! format for its own reader.

pub(crate) mod agents;
mod answer;
mod charts;
pub(crate) mod ci;
pub(crate) mod compare;
mod drawing;
pub mod dry_run;
mod facts;
mod failures;
mod figures;
mod files;
pub mod html;
mod incidents;
pub mod json;
pub mod junit;
mod kinds;
pub mod library;
pub mod limit;
pub(crate) mod load;
pub mod markdown;
mod moments;
mod observed;
mod people;
mod phase_table;
pub(crate) mod repeated;
pub(crate) mod seeds;
mod spread;
mod steps;
pub(crate) mod sweep;
pub mod text;
mod traces;
pub(crate) mod trend;
pub(crate) mod what_if;

pub use ci::Note;
pub use files::write_all;
