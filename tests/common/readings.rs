//! A scraper at work, and what it tells of its readings.

use std::net::SocketAddr;
use std::sync::mpsc::{self, Receiver};
use std::time::{Duration, Instant};

use threadbare::clock::Clock;
use threadbare::gauges::{GaugeUpdate, Scrape, Scraper, Sockets};
use threadbare::model::{GaugePlace, GaugeSource};
use threadbare::record::{Counters, GaugeCounters};
use threadbare::units::Nanos;

/// A condition that has not come by then will not come.
const PATIENCE: Duration = Duration::from_secs(30);
/// What the record counts in, and one reading in each.
const BUCKET: Nanos = Nanos::from_millis(100);
/// What is told of readings, until a condition holds.
pub(crate) struct Readings(pub(crate) Receiver<GaugeUpdate>);

impl Readings {
    /// The first thing told of which `of` makes something; what else is told is passed over.
    pub(crate) fn first<T>(&self, what: &str, of: impl Fn(&GaugeUpdate) -> Option<T>) -> T {
        let begun = Instant::now();
        let mut last = None;
        loop {
            let left = PATIENCE.saturating_sub(begun.elapsed());
            let Ok(told) = self.0.recv_timeout(left) else {
                panic!("{what} was not seen; the last thing told was {last:?}");
            };
            if let Some(found) = of(&told) {
                return found;
            }
            last = Some(told);
        }
    }

    /// The first bucket of a source's gauges of which this holds.
    pub(crate) fn gauges(&self, source: &str, what: &str, so: impl Fn(&GaugeCounters) -> bool) {
        self.first(what, |told| match told {
            GaugeUpdate::Sample(sample) if sample.source == source.into() => {
                match sample.counters {
                    Counters::Gauges(counters) if counters.readings > 0 => {
                        so(&counters).then_some(())
                    }
                    _ => None,
                }
            }
            _ => None,
        });
    }
}

pub(crate) fn scrape(source: GaugeSource) -> Scrape {
    let address = match &source.place {
        GaugePlace::Page(url) => SocketAddr::new(url.host().parse().unwrap(), url.port()),
        GaugePlace::Statsd(address) => *address,
    };
    Scrape {
        source,
        address,
        tls: None,
    }
}

pub(crate) fn read(sources: Vec<GaugeSource>) -> (Scraper, Readings) {
    let all: Vec<_> = sources.into_iter().map(scrape).collect();
    let (sender, told) = mpsc::channel();
    let tell = move |told| drop(sender.send(told));
    let sockets = Sockets::open(&all).unwrap();
    let scraper = Scraper::start(sockets, Clock::start(), BUCKET, tell);
    (scraper, Readings(told))
}
