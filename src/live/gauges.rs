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
use crate::net::{AllowedHosts, Tls};
use crate::plan::Plan;

/// What is to be read, with the addresses that were found and admitted, and the
/// ports that are listened on.
///
/// # Errors
///
/// As [`AllowedHosts::resolve`], where certificates cannot be read, and where a port
/// that is to be listened on is taken.
pub(super) fn open(plan: &Plan, allowed: &[String]) -> Result<Sockets> {
    let allowed = AllowedHosts::of_scenario(&plan.safety.hosts, allowed);
    let ca = plan.target.as_ref().and_then(|target| target.ca.as_deref());
    let sources = plan.gauges.iter();
    let admitted = sources.map(|source| {
        let (address, tls) = match &source.place {
            GaugePlace::Page(url) => (
                allowed.resolve(url.host(), url.port())?,
                url.encrypted()
                    .then(|| Tls::trusting(url.host(), ca))
                    .transpose()?,
            ),
            GaugePlace::Statsd(address) => (*address, None),
        };
        Ok(Scrape {
            source: source.clone(),
            address,
            tls,
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
