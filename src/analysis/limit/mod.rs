//! The limit of a service: the highest rate that it serves, and the highest from which it
//! comes back by itself.
//!
//! What a search found, how one step is judged, and what all steps together come to. What
//! is tried next is decided elsewhere: nothing here knows how a step is carried out.
//!
//! | file | question |
//! |---|---|
//! | `found`, `parts` | the form of the result |
//! | `interval` | how surely a figure of one window is known |
//! | `growth` | does the number of operations in flight still grow |
//! | `judge` | does a step hold its objectives; did service come back in it |
//! | `causes` | what was at its limit |
//! | `rates` | between which rates is the limit |
//! | `returned` | how often does service come back from each rate |
//! | `beyond` | what becomes of goodput past the limit |
//! | `trial` | when a trial with a trigger does what |
//! | `summary`, `expected` | all of it in words, and against what was expected |

mod beyond;
mod causes;
mod expected;
mod found;
mod growth;
mod interval;
mod judge;
mod parts;
mod rates;
mod returned;
mod summary;
mod trial;

pub use expected::{Expected, LimitKind};
pub use found::{
    LimitFigures, LimitFound, LimitObjective, LimitRecovery, LimitSought, LimitStage, LimitStep,
    LimitVerdict,
};
pub use parts::{
    LimitBeyond, LimitCause, LimitEnded, LimitExpectation, LimitHeadroom, LimitMeasure, LimitPoint,
    LimitResource, LimitReturnRate, LimitReturns, LimitServed, LimitShape, LimitStatus,
};
// What the search asks on its way; a user of the crate has its result, `LimitFound`.
#[cfg(feature = "testing")]
pub use self::{
    judge::{Judged, Rules, judge},
    rates::{Rated, Standing, highest_held, lowest_broken, rated, served},
    returned::{Turn, UNTOLD_MAX, harmed, returns, trials},
    summary::summarize,
    trial::{BACKLOG, TrialTimes, hold_operations},
};
#[cfg(not(feature = "testing"))]
pub(crate) use self::{
    judge::{Judged, Rules, judge},
    rates::{Rated, Standing, highest_held, lowest_broken, rated, served},
    returned::{Turn, UNTOLD_MAX, harmed, trials},
    summary::summarize,
    trial::{BACKLOG, TrialTimes, hold_operations},
};

/// The version of the format of `limit.json`.
pub const FORMAT: u32 = 1;

/// The JSON schema of `limit.json`, as it is committed in `docs/limit.schema.json`.
pub fn schema() -> String {
    let schema = schemars::schema_for!(LimitFound);
    let mut text = serde_json::to_string_pretty(&schema).unwrap_or_default();
    text.push('\n');
    text
}
