//! Gauges of the user's target: where they are, and what they mean.
//!
//! Parameters and pure functions: what is to be read, and what a page that was
//! read comes to. Reading itself is done in `sample`. A gauge is a **point
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

/// Which metrics say how many workers are busy, there are, and jobs wait.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Roles {
    /// Workers that hold a job.
    pub busy: Option<Expression>,
    /// Workers there are.
    pub workers: Option<Expression>,
    /// Jobs that wait for a worker.
    pub queue: Option<Expression>,
}

impl Roles {
    /// Those of a preset.
    pub fn of(preset: &Preset) -> Self {
        let read = |text: &str| text.parse().ok();
        Self {
            busy: read(preset.busy),
            workers: read(preset.workers),
            queue: read(preset.queue),
        }
    }

    /// Each role with its name, in the order in which they are told.
    pub fn each(&self) -> [(&'static str, Option<&Expression>); 3] {
        [
            ("busy", self.busy.as_ref()),
            ("workers", self.workers.as_ref()),
            ("queue", self.queue.as_ref()),
        ]
    }

    /// Whether some expression may read a metric of this name.
    pub fn reads(&self, metric: &str) -> bool {
        let mut expressions = self.each().into_iter().filter_map(|(_, own)| own);
        expressions.any(|own| own.metrics().contains(&metric))
    }

    /// What this page says of each role that is asked for.
    pub fn reading(&self, page: &Page) -> Reading {
        let read = |expression: &Option<Expression>| {
            let value = expression.as_ref()?.value(page);
            Some(value.map_err(|absent| absent.to_string()).and_then(level))
        };
        Reading {
            busy: read(&self.busy),
            workers: read(&self.workers),
            queue: read(&self.queue),
        }
    }
}

/// A level is a number from zero on; what is below tells of a wrong expression.
fn level(value: Value) -> Result<Value, String> {
    if value.value < 0.0 {
        return Err("it is below zero".into());
    }
    Ok(value)
}

/// What a page said of each role: none where it was not asked for, the cause
/// where it has no value.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Reading {
    /// Workers that hold a job.
    pub busy: Option<Result<Value, String>>,
    /// Workers there are.
    pub workers: Option<Result<Value, String>>,
    /// Jobs that wait for a worker.
    pub queue: Option<Result<Value, String>>,
}

impl Reading {
    /// Each role with its name.
    pub fn each(&self) -> [(&'static str, Option<&Result<Value, String>>); 3] {
        [
            ("busy", self.busy.as_ref()),
            ("workers", self.workers.as_ref()),
            ("queue", self.queue.as_ref()),
        ]
    }

    /// Whether anything was read from the page at all; what an expression
    /// states by itself is no reading.
    pub fn holds(&self) -> bool {
        let mut values = self.each().into_iter().filter_map(|(_, value)| value);
        values.any(|value| matches!(value, Ok(value) if !value.stated))
    }

    /// The roles that were asked for and have no value, with the cause.
    pub fn missing(&self) -> impl Iterator<Item = (&'static str, &str)> {
        self.each().into_iter().filter_map(|(role, value)| {
            let cause = value?.as_ref().err()?;
            Some((role, cause.as_str()))
        })
    }
}
