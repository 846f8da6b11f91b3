//! Gauges of real servers, read while all their workers are kept busy.

mod inferred;

use crate::readings::read;
use crate::server::{Class, Gunicorn, HaProxy, Occupied, Puma, Server, Tomcat};

/// How long each request keeps a worker busy.
const SLOW_MS: u64 = 2000;

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
