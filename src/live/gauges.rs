//! The gauges that a plan names, read while the run goes on.

use std::sync::Arc;
use std::sync::mpsc::Sender;

use super::message::Message;
use crate::clock::Clock;
use crate::gauges::{GaugeUpdate, Scraper, Sockets};
use crate::plan::Plan;
use crate::record::FailureBook;

/// Begins to read them, and tells the conductor.
pub(super) fn start(
    sockets: Sockets,
    plan: &Plan,
    clock: Clock,
    messages: &Sender<Message>,
    failures: &Arc<FailureBook>,
) -> Scraper {
    let messages = messages.clone();
    let failures = Arc::clone(failures);
    Scraper::start(sockets, clock, plan.interval, move |told| {
        // The conductor outlives its readers; where it does not, nobody reads.
        let _ = messages.send(match told {
            GaugeUpdate::Sample(sample) => Message::Sample(sample),
            GaugeUpdate::Event(event) => Message::Event(event),
            GaugeUpdate::Failed(source, failed) => return failures.note(&source, &failed),
        });
    })
}
