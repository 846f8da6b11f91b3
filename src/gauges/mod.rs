//! Gauges that are read while a run goes on: the machine's, and those of a
//! user's target.
//!
//! The built-in fleet's gauges are the target's to give. Here is what the kernel
//! says of the whole machine, which tells an incident from a lack of processor;
//! and what the user's server publishes of its workers ([`Scraper`]). What the
//! kernel says of its processes is read by who holds them (`target`).
//!
//! Nothing here decides what is read: that is in the plan, as
//! [`crate::model::GaugeSource`]. Nothing here resolves a name or checks
//! whether an address may be spoken to: the caller has.

mod accept_queue;
mod bin;
mod fetch;
mod haproxy;
mod machine;
mod page;
mod prometheus;
mod puma;
mod scraper;
mod statsd;
mod tomcat;

pub(crate) use accept_queue::AcceptQueue;
pub(crate) use fetch::fetch;
pub(crate) use machine::{Machine, machine_facts};
pub(crate) use page::read_page;
pub use scraper::{GaugeUpdate, Scrape, Scraper, Sockets};
