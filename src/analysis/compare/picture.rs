//! How the response times of both sides were spread, in the same bins.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::analysis::bins;
use crate::record::Histogram;

/// Two spreads.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
pub struct Picture {
    /// Lower edges of the bins in milliseconds, and the upper edge of the last.
    pub edges_ms: Vec<f64>,
    /// The share of the base's response times in each bin, 0 to 1; zero at the last edge.
    pub base: Vec<f64>,
    /// The same of the candidate's.
    pub candidate: Vec<f64>,
}

impl Picture {
    pub(super) fn of(base: &Histogram, candidate: &Histogram) -> Self {
        let mut bins = bins(&[base.clone(), candidate.clone()]);
        let candidate = bins.shares.pop().unwrap_or_default();
        Self {
            edges_ms: bins.edges_ms,
            base: bins.shares.pop().unwrap_or_default(),
            candidate,
        }
    }
}
