//! What a search for a limit found: for people on a terminal and as a page, for build
//! servers as test cases, summary and annotations, and as a scenario that shows the edge.
//!
//! Every part is written of a [`LimitFound`] as it stands: a search that ended early says
//! so in each of them, and what it does not know is a dash and never a number.

mod ci;
mod dry_run;
mod junit;
mod page;
mod plot;
mod scenario;
mod steps;
mod text;
mod wording;

use crate::analysis::limit::LimitFound;
use crate::error::Result;

pub use super::files::write_limit as write;
pub use ci::{notes, summary};
pub(crate) use dry_run::{Bounds, dry_run};
pub use junit::render as junit;
pub use page::html;
pub use scenario::scenario;
pub use text::{line, text};

/// `limit.json`: what was found, as indented JSON with a newline at its end.
///
/// # Errors
///
/// Never; a failure is our mistake.
pub fn json(found: &LimitFound) -> Result<String> {
    super::trend::json(found)
}
