//! What the user wrote: parsed, validated, with source positions for diagnostics.
//!
//! A file goes through three steps, each of which goes on after a mistake, so
//! that every mistake is told at once:
//!
//! 1. `structure` holds the file against the schema: keys, types, texts. The
//!    schema is generated from the structs in `file`, whose doc comments are
//!    its descriptions, so there is no second list of keys. What does not fit
//!    is reported and taken out.
//! 2. What is left is read into those structs; a key that was taken out is
//!    simply absent there.
//! 3. `meaning` makes a [`Plan`](crate::plan::Plan) of them and reports what no schema can
//!    say: an entry after the end, a rollback with nothing to roll back to.
//!
//! Nothing that a scenario names is ever carried out here.

mod autoscaler;
mod contradictions;
mod diagnostics;
mod expectations;
mod file;
mod gauges;
mod leaf;
mod meaning;
mod operations;
mod parse;
mod proxies;
mod quantities;
mod responders;
mod schema;
mod sessions;
mod settings;
mod shipped;
mod statement;
mod structure;
mod target;
mod timeline;
mod variants;
mod wording;

pub use diagnostics::{Diagnostics, Mistake};
pub(crate) use expectations::expectation;
#[cfg(feature = "testing")]
pub(crate) use operations::csv_values;
pub use operations::{load_operations, operations, operations_schema};
pub use parse::parse;
pub use schema::schema;
pub use settings::{Changes, Setting, load_changed, load_with};
pub(crate) use settings::{Opened, text_with};
pub use shipped::{load, shipped};
pub use variants::variants;
