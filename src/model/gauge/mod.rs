//! Gauges of the user's target: where they are, and what they mean.
//!
//! Parameters and pure functions: what is to be read, and what a page that was
//! read comes to. Reading itself is done in `gauges`. A gauge is a **point
//! sample**: it says how things were at one instant, and nothing of what was
//! between two. That is less than the built-in fleet's own time integrals, and
//! everything that is made of it says so.

mod address;
mod expression;
mod page;
mod parse;
mod preset;
#[cfg(test)]
mod tests;

use core::net::SocketAddr;

use serde::{Deserialize, Serialize};

use crate::units::Nanos;

pub use address::GaugeUrl;
use expression::Absent;
pub(crate) use expression::Value;
pub use expression::{Expression, ExpressionError};
pub(crate) use page::{Malformed, Page, Series};
pub(crate) use preset::PRESETS;
pub use preset::Preset;

/// Gauges that are read while a run goes on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GaugeSource {
    /// What they are called in the record and in reports.
    pub name: String,
    /// Where they are read.
    pub place: GaugePlace,
    /// Which metrics say what.
    pub roles: Roles,
    /// Time between two readings.
    pub every: Nanos,
}

/// Where gauges are read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GaugePlace {
    /// A page that is requested: what format it has, its content tells.
    Page(GaugeUrl),
    /// A port to which a server sends statsd datagrams.
    Statsd(SocketAddr),
}

/// Which metrics say how many workers are busy, there are, jobs wait, and requests were
/// completed.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Roles {
    /// Workers that hold a job.
    pub busy: Option<Expression>,
    /// Workers there are.
    pub workers: Option<Expression>,
    /// Jobs that wait for a worker.
    pub queue: Option<Expression>,
    /// Requests completed since the target began, whoever still waited for them: a count
    /// that only grows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub completed: Option<Expression>,
}

impl Roles {
    /// Those of a preset.
    pub fn of(preset: &Preset) -> Self {
        let read = |text: &str| text.parse().ok();
        Self {
            busy: read(preset.busy),
            workers: read(preset.workers),
            queue: read(preset.queue),
            completed: read(preset.completed),
        }
    }

    /// Each role with its name, in the order in which they are told.
    pub fn each(&self) -> [(&'static str, Option<&Expression>); 4] {
        [
            ("busy", self.busy.as_ref()),
            ("workers", self.workers.as_ref()),
            ("queue", self.queue.as_ref()),
            ("completed", self.completed.as_ref()),
        ]
    }

    /// Whether some expression may read a metric of this name.
    pub fn reads(&self, metric: &str) -> bool {
        let mut expressions = self.each().into_iter().filter_map(|(_, own)| own);
        expressions.any(|own| own.metrics().contains(&metric))
    }

    /// What this page says of each role that is asked for.
    pub fn reading(&self, page: &Page) -> Reading {
        let read = |expression: &Option<Expression>, fits: fn(Value) -> Result<Value, Unread>| {
            let value = expression.as_ref()?.value(page);
            Some(value.map_err(Unread::from).and_then(fits))
        };
        Reading {
            busy: read(&self.busy, level),
            workers: read(&self.workers, level),
            queue: read(&self.queue, level),
            completed: read(&self.completed, count),
        }
    }
}

/// The highest level that is believed: no server has a thousand million workers or jobs.
const LEVEL_MAX: f64 = 1e9;
/// The highest count that is believed: up to 2⁵³ a number of a page is exact to one.
const COUNT_MAX: f64 = 9_007_199_254_740_992.0;

/// Why a role has no value on a page.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unread {
    /// The page says nothing of it.
    #[error(transparent)]
    Absent(Absent),
    /// What it says is no level: of workers and jobs there are none or some.
    #[error("it is {0}")]
    Unfit(&'static str),
}

impl From<Absent> for Unread {
    fn from(absent: Absent) -> Self {
        match absent {
            Absent::NotANumber => Self::Unfit("not a number"),
            absent @ Absent::Metric(_) => Self::Absent(absent),
        }
    }
}

/// A level is a number from zero on; what is below, or above all that there can be,
/// tells of a wrong expression or a damaged page.
fn level(value: Value) -> Result<Value, Unread> {
    if value.value < 0.0 {
        return Err(Unread::Unfit("below zero"));
    }
    if value.value > LEVEL_MAX {
        return Err(Unread::Unfit(
            "over 1,000,000,000, more than any server has",
        ));
    }
    Ok(value)
}

/// A count is a number from zero on, and one that is read: what an expression states by
/// itself never grows, and would say that nothing is ever completed.
fn count(value: Value) -> Result<Value, Unread> {
    if value.stated {
        return Err(Unread::Unfit("a number of the expression, and not counted"));
    }
    if value.value < 0.0 {
        return Err(Unread::Unfit("below zero"));
    }
    if value.value > COUNT_MAX {
        return Err(Unread::Unfit("over 2^53, more than can be counted exactly"));
    }
    Ok(value)
}

/// What a page said of each role: none where it was not asked for, the cause
/// where it has no value.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Reading {
    /// Workers that hold a job.
    pub busy: Option<Result<Value, Unread>>,
    /// Workers there are.
    pub workers: Option<Result<Value, Unread>>,
    /// Jobs that wait for a worker.
    pub queue: Option<Result<Value, Unread>>,
    /// Requests completed since the target began.
    pub completed: Option<Result<Value, Unread>>,
}

impl Reading {
    /// Each role with its name.
    pub fn each(&self) -> [(&'static str, Option<&Result<Value, Unread>>); 4] {
        [
            ("busy", self.busy.as_ref()),
            ("workers", self.workers.as_ref()),
            ("queue", self.queue.as_ref()),
            ("completed", self.completed.as_ref()),
        ]
    }

    /// Whether anything was read from the page at all; what an expression
    /// states by itself is no reading.
    pub fn holds(&self) -> bool {
        let mut values = self.each().into_iter().filter_map(|(_, value)| value);
        values.any(|value| matches!(value, Ok(value) if !value.stated))
    }

    /// The roles that were asked for and have no value, with the cause.
    pub fn missing(&self) -> impl Iterator<Item = (&'static str, &Unread)> {
        self.each().into_iter().filter_map(|(role, value)| {
            let cause = value?.as_ref().err()?;
            Some((role, cause))
        })
    }

    /// Of these, the roles of which the page says what cannot be, as a clause.
    pub fn unfit(&self) -> Option<String> {
        let unfit = self
            .missing()
            .filter(|(_, why)| matches!(why, Unread::Unfit(_)));
        let causes: Vec<_> = unfit.map(|(role, why)| format!("{role}: {why}")).collect();
        (!causes.is_empty()).then(|| causes.join("; "))
    }
}
