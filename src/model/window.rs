//! Windows of a run: stretches of time that are named by events, and so known only once
//! the run was seen.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::named::named;
use crate::units::Nanos;

named!(
    /// An event of an incident, by which instants are named.
    pub enum Moment {
        /// The first cause began.
        Trigger = "trigger",
        /// Users began to be affected.
        Impact = "impact",
        /// The first alert after the impact.
        Detection = "detection",
        /// The last cause ended.
        TriggerOff = "trigger off",
        /// The first rollback that was refused.
        RollbackRejected = "rollback rejected",
        /// The first rollback that was applied.
        RollbackApplied = "rollback applied",
        /// Goodput was back at half of the baseline's.
        Mitigation = "mitigation",
        /// Service was back for a hold window, which begins here.
        Recovery = "recovery",
    }
);

/// What an instant is counted from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Anchor {
    /// The start of the load, from which all instants are counted.
    Zero,
    /// The end of the warm-up.
    Start,
    /// The end of the load.
    End,
    /// An event of the incident.
    Moment(Moment),
    /// The beginning of a phase.
    Phase(String),
}

/// An instant: so long before or after something.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Point {
    /// What it is counted from.
    pub anchor: Anchor,
    /// How long after it.
    #[serde(default)]
    pub after: Nanos,
    /// How long before it; one of the two is zero.
    #[serde(default)]
    pub before: Nanos,
}

/// A stretch of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Window {
    /// From one instant to another.
    Between(Point, Point),
    /// The hold window that the recovery begins with.
    Hold,
}

impl Point {
    /// The instant itself.
    pub const fn at(anchor: Anchor) -> Self {
        Self {
            anchor,
            after: Nanos::ZERO,
            before: Nanos::ZERO,
        }
    }
}

impl Window {
    /// The phases that it names.
    pub fn phases(&self) -> impl Iterator<Item = &str> {
        let points = match self {
            Self::Between(from, to) => vec![from, to],
            Self::Hold => Vec::new(),
        };
        points.into_iter().filter_map(|point| match &point.anchor {
            Anchor::Phase(name) => Some(name.as_str()),
            _ => None,
        })
    }
}

impl fmt::Display for Anchor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Zero => f.write_str("zero"),
            Self::Start => f.write_str("the start"),
            Self::End => f.write_str("the end"),
            Self::Moment(moment) => f.write_str(moment.word()),
            Self::Phase(name) => f.write_str(name),
        }
    }
}

impl fmt::Display for Point {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.anchor, self.after, self.before) {
            (Anchor::Zero, after, _) => write!(f, "{after}"),
            (anchor, Nanos::ZERO, Nanos::ZERO) => write!(f, "{anchor}"),
            (anchor, Nanos::ZERO, before) => write!(f, "{anchor} - {before}"),
            (anchor, after, _) => write!(f, "{anchor} + {after}"),
        }
    }
}

impl fmt::Display for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Hold => f.write_str("in hold"),
            Self::Between(from, to)
                if from.anchor == to.anchor && *to == Point::at(to.anchor.clone()) =>
            {
                write!(f, "in the {} before {}", from.before, to.anchor)
            }
            Self::Between(from, to)
                if from.anchor == to.anchor && *from == Point::at(from.anchor.clone()) =>
            {
                write!(f, "in the {} after {}", to.after, from.anchor)
            }
            Self::Between(from, to) => write!(f, "from {from} to {to}"),
        }
    }
}
