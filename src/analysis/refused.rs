//! What the operating system refused the fleet, as a warning: connections that could not
//! be accepted for want of a descriptor. Their requests waited in the kernel, where no
//! gauge of an instance sees them.

use std::collections::BTreeMap;

use crate::record::{Counters, Record};

/// A warning for each instance that could not accept.
pub(super) fn warnings(record: &Record) -> Vec<String> {
    let mut failed: BTreeMap<String, u64> = BTreeMap::new();
    for sample in &record.samples {
        if let Counters::Instance(counters) = &sample.counters
            && counters.accepts_failed > 0
        {
            *failed.entry(sample.source.to_string()).or_default() += counters.accepts_failed;
        }
    }
    let warnings = failed.into_iter().map(|(instance, tries)| {
        format!(
            "{instance} had no descriptor for a new connection when it was to accept one \
             (`accepts_failed` {tries}): requests waited in the kernel."
        )
    });
    warnings.collect()
}
