//! A run that has ended, as the same messages at once.
//!
//! The page plays them at any speed; here they only come in the order of time.

use std::sync::Arc;

use super::ending::{clock_of, end_of, findings_marks};
use super::feed::Feed;
use super::message::{Message, Standing};
use super::teller::Teller;
use crate::analysis::Findings;
use crate::record::Record;
use crate::units::Nanos;

/// The messages of a finished run; `report`: where its report lies.
pub fn playback(record: &Record, findings: &Findings, report: Option<String>) -> Arc<Feed> {
    let feed = Arc::new(Feed::default());
    let plan = &record.header.plan;
    let ended = record.events.last();
    let at = ended.map_or(Nanos::ZERO, |(at, _)| *at);
    let mut teller = Teller::finished(plan, Arc::clone(&feed), at);
    teller.play(&record.samples, &record.events);
    for (at, mark) in findings_marks(findings) {
        teller.tell(at, &Message::Mark(mark));
    }
    let standing = Standing {
        clock: clock_of(findings),
        ..teller.standing()
    };
    teller.tell(at, &Message::State(standing));
    let end = end_of(ended.map(|(_, event)| event), Some(findings), report);
    teller.tell(at, &Message::End(end));
    feed
}
