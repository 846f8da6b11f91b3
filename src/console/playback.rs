//! A run that has ended, as the same messages at once.
//!
//! The page plays them at any speed; here they only come in the order of time.

use std::sync::Arc;

use super::feed::Feed;
use super::teller::Teller;
use crate::analysis::Findings;
use crate::record::Record;
use crate::units::Nanos;

/// The messages of a finished run; `report`: where its report lies.
pub fn playback(record: &Record, findings: &Findings, report: Option<String>) -> Arc<Feed> {
    let feed = Arc::new(Feed::default());
    let at = record.events.last().map_or(Nanos::ZERO, |(at, _)| *at);
    let mut teller = Teller::finished(&record.header.plan, Arc::clone(&feed), at);
    teller.play(&record.samples, &record.events);
    teller.end(Some(findings), report);
    feed
}
