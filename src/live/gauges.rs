//! The gauges that a plan names, read while the run goes on.
//!
//! Their hosts are held to the same rule as the target's: this machine's, or
//! named exactly in the scenario and on the command line.

use std::sync::mpsc::Sender;

use super::message::Message;
use crate::clock::Clock;
use crate::error::Result;
use crate::gauges::{GaugeUpdate, Scrape, Scraper, Sockets};
use crate::model::GaugePlace;
use crate::plan::Plan;
use crate::target::admitted_host;

/// What is to be read, with the addresses that were found and admitted, and the
/// ports that are listened on.
///
/// # Errors
///
/// As [`admitted_host`], and where a port that is to be listened on is taken.
pub(super) fn open(plan: &Plan, allowed: &[String]) -> Result<Sockets> {
    let sources = plan.gauges.iter();
    let admitted = sources.map(|source| {
        let address = match &source.place {
            GaugePlace::Page(url) => admitted_host(url.host(), url.port(), &plan.safety, allowed)?,
            GaugePlace::Statsd(address) => *address,
        };
        Ok(Scrape {
            source: source.clone(),
            address,
        })
    });
    Sockets::open(&admitted.collect::<Result<Vec<_>>>()?)
}

/// Begins to read them, and tells the conductor.
pub(super) fn start(
    sockets: Sockets,
    plan: &Plan,
    clock: Clock,
    messages: &Sender<Message>,
) -> Scraper {
    let messages = messages.clone();
    Scraper::start(sockets, clock, plan.interval, move |told| {
        // The conductor outlives its readers; where it does not, nobody reads.
        let _ = messages.send(match told {
            GaugeUpdate::Sample(sample) => Message::Sample(sample),
            GaugeUpdate::Event(event) => Message::Event(event),
        });
    })
}
