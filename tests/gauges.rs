//! Gauges of real servers, read while all their workers are kept busy, and of
//! targets that do not want to be read.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "gauges/command.rs"]
mod command;
#[path = "gauges/inferred.rs"]
mod inferred;
#[path = "gauges/refused.rs"]
mod refused;
#[allow(dead_code, reason = "shared with other tests")]
mod servers;

use std::net::SocketAddr;
use std::sync::mpsc::{self, Receiver};
use std::time::{Duration, Instant};

use servers::{Class, Gunicorn, HaProxy, Occupied, Puma, Server, Tomcat};
use threadbare::clock::Clock;
use threadbare::gauges::{GaugeUpdate, Scrape, Scraper, Sockets};
use threadbare::model::{GaugePlace, GaugeSource};
use threadbare::record::{Counters, GaugeCounters};
use threadbare::units::Nanos;

/// A condition that has not come by then will not come.
const PATIENCE: Duration = Duration::from_secs(30);
/// What the record counts in, and one reading in each.
const BUCKET: Nanos = Nanos::from_millis(100);
/// How long each request keeps a worker busy.
const SLOW_MS: u64 = 2000;

/// What is told of readings, until a condition holds.
struct Readings(Receiver<GaugeUpdate>);

impl Readings {
    /// The first thing told of which `of` makes something; what else is told is passed over.
    fn first<T>(&self, what: &str, of: impl Fn(&GaugeUpdate) -> Option<T>) -> T {
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
    fn gauges(&self, source: &str, what: &str, so: impl Fn(&GaugeCounters) -> bool) {
        self.first(what, |told| match told {
            GaugeUpdate::Sample(sample) if sample.source == source => match sample.counters {
                Counters::Gauges(counters) if counters.readings > 0 => so(&counters).then_some(()),
                _ => None,
            },
            _ => None,
        });
    }
}

fn scrape(source: GaugeSource) -> Scrape {
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

fn read(sources: Vec<GaugeSource>) -> (Scraper, Readings) {
    let all: Vec<_> = sources.into_iter().map(scrape).collect();
    let (sender, told) = mpsc::channel();
    let tell = move |told| drop(sender.send(told));
    let sockets = Sockets::open(&all).unwrap();
    let scraper = Scraper::start(sockets, Clock::start(), BUCKET, tell);
    (scraper, Readings(told))
}

fn is(value: Option<f64>, expected: f64) -> bool {
    value.is_some_and(|value| (value - expected).abs() < 1e-9)
}

/// Keeps every worker busy, sees all of it in the server's own gauges, and sees
/// it go when the last request was answered.
fn exhaust(server: &dyn Server, by: fn(&dyn Server, u32, u64) -> Occupied, queue: bool) {
    let workers = f64::from(server.workers());
    for source in server.gauges() {
        let name = source.name.clone();
        let (mut scraper, readings) = read(vec![source]);
        readings.gauges(&name, "an idle server", |it| {
            is(it.busy(), 0.0) && it.queue_milli == 0
        });
        let occupied = by(server, 3 * server.workers(), SLOW_MS);
        readings.gauges(&name, "an exhausted server", |it| {
            let full = is(it.busy(), workers) && is(it.workers(), workers);
            full && is(it.saturation(), 1.0) && (it.queue().is_some_and(|it| it > 0.0) || !queue)
        });
        occupied.release();
        readings.gauges(&name, "the end of it", |it| {
            it.busy().is_some_and(|busy| busy < workers) && it.queue_milli == 0
        });
        scraper.stop();
    }
}

#[test]
fn puma_tells_busy_threads_and_backlog() {
    // It accepts only what it has a thread for: what comes later waits in its
    // listening socket's queue, which is not in its backlog.
    exhaust(&Puma::start(4), Occupied::accepted, true);
}

#[test]
fn haproxy_tells_sessions_and_its_queue_by_both_pages() {
    exhaust(&HaProxy::start(4), Occupied::with, true);
}

#[test]
fn tomcat_tells_busy_threads_and_no_queue() {
    exhaust(&Tomcat::start(4), Occupied::with, false);
}

#[test]
fn gunicorn_tells_its_workers_when_they_begin_and_its_backlog_while_one_is_free() {
    let [port] = [std::net::UdpSocket::bind("127.0.0.1:0").unwrap()]
        .map(|socket| socket.local_addr().unwrap().port());
    let (mut scraper, readings) = read(vec![Gunicorn::sent_to(port)]);
    let server = Gunicorn::start(Class::Sync, 2, Some(port));
    readings.gauges("gunicorn", "its workers", |it| is(it.workers(), 2.0));
    let occupied = Occupied::with(&server, 6, SLOW_MS);
    // It sends its backlog between two requests, so this is seen once one has ended.
    readings.gauges("gunicorn", "its backlog", |it| {
        it.queue().is_some_and(|queue| queue > 0.0) && it.busy().is_none()
    });
    occupied.release();
    scraper.stop();
}
