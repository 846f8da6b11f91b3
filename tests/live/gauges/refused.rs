//! Targets that do not want to be read: every one of them is a recorded datum.

use std::collections::BTreeSet;

use threadbare::gauges::{GaugeUpdate, Sockets};
use threadbare::model::{GaugePlace, GaugeSource, Roles};
use threadbare::record::{Counters, Event};
use threadbare::units::Nanos;

use crate::readings::{read, scrape};
use crate::server::{ScriptedAnswer, Server, Then};

fn source(server: &Server) -> GaugeSource {
    GaugeSource {
        name: "app".into(),
        place: GaugePlace::Page(
            format!("http://{}/metrics?token=hidden", server.address())
                .parse()
                .unwrap(),
        ),
        roles: Roles {
            busy: "app_busy".parse().ok(),
            workers: "app_workers or 4".parse().ok(),
            queue: "app_queue".parse().ok(),
            completed: None,
        },
        every: Nanos::from_millis(500),
    }
}

fn page(body: &str) -> ScriptedAnswer {
    ScriptedAnswer::text(&format!(
        "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    ))
}

/// Why the first reading of a target that answers so failed.
fn cause(answer: ScriptedAnswer) -> String {
    let server = Server::start(move |_| answer.clone());
    let (mut scraper, readings) = read(vec![source(&server)]);
    let cause = readings.first("a failed reading", |told| match told {
        GaugeUpdate::Event(Event::ScrapeFailed { source, cause }) if *source == "app".into() => {
            Some(cause.clone())
        }
        _ => None,
    });
    // The bucket holds the failure, and neither a zero nor the last value.
    readings.first("its bucket", |told| match told {
        GaugeUpdate::Sample(sample) => match sample.counters {
            Counters::Gauges(it) => (it.failed > 0 && it.busy().is_none()).then_some(()),
            _ => None,
        },
        _ => None,
    });
    scraper.stop();
    assert!(!cause.contains("hidden"), "{cause}");
    cause
}

#[test]
fn whatever_a_target_does_is_told_with_its_cause() {
    let long = "x 1\n".repeat(3_000_000);
    let endless = format!("HTTP/1.1 200 OK\r\n\r\n{long}");
    let chunked = format!(
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n{:x}\r\n{long}\r\n0\r\n\r\n",
        long.len()
    );
    let stated = "HTTP/1.1 200 OK\r\ncontent-length: 52428800\r\n\r\nx 1\n";
    let too_long = "failed to read the page: it is longer than 8 MiB, the bound of a page of \
                    gauges; name a smaller page, or one part of it";
    let closed = "failed to read the page: connection closed without an answer";
    for (answer, told) in [
        (ScriptedAnswer::text("").then(Then::Close), closed),
        (
            ScriptedAnswer::never(),
            "failed to read the page: connected and not answered in time",
        ),
        (ScriptedAnswer::text(stated).then(Then::Hang), too_long),
        (ScriptedAnswer::text(&endless).then(Then::Close), too_long),
        (ScriptedAnswer::text(&chunked), too_long),
        (
            ScriptedAnswer::text("220 smtp ready\r\n"),
            "failed to read the page: answer is not HTTP",
        ),
        (
            ScriptedAnswer::status(503),
            "failed to read the page: it answered with status 503",
        ),
        (
            page("<html></html>"),
            "the page is HTML, not metrics; is its path right?",
        ),
        (page(""), "the page is empty"),
        (
            page("all wrong\nall wrong\n"),
            "the page is not a metrics page: 2 lines cannot be read, the first is line 1: its \
             value is not a number",
        ),
        (
            page("other 1\n"),
            "none of the gauges could be read; busy: the page has no app_busy; queue: the \
             page has no app_queue",
        ),
        (
            page("app_busy 1e300\n"),
            "none of the gauges could be read; busy: it is over 1,000,000,000, more than any \
             server has; queue: the page has no app_queue",
        ),
        (
            page("app_busy -1\n"),
            "none of the gauges could be read; busy: it is below zero; queue: the page \
             has no app_queue",
        ),
    ] {
        assert_eq!(cause(answer), told);
    }
}

#[test]
fn a_page_that_is_partly_wrong_says_what_it_can_and_the_rest_is_told_once() {
    let server = Server::start(|_| page("app_busy 3\nbroken line\napp_workers NaN\n"));
    let (mut scraper, readings) = read(vec![source(&server)]);
    readings.gauges("app", "busy workers and nothing else", |it| {
        it.busy_milli == 3000 * it.readings && it.workers().is_none() && it.queue().is_none()
    });
    scraper.stop();
    let told: BTreeSet<String> = readings.0.iter().filter_map(warning).collect();
    let told: Vec<_> = told.iter().map(String::as_str).collect();
    assert_eq!(
        told,
        [
            "Gauges `app`: `queue` was never read: the page has no app_queue.",
            "Gauges `app`: `workers` was never read: it is not a number.",
        ]
    );
    // The malformed line was told before the first bucket.
    let (mut scraper, readings) = read(vec![source(&server)]);
    let first = readings.first("a warning", |told| warning(told.clone()));
    assert!(
        first.ends_with("1 line cannot be read, the first is line 2: its value is not a number.")
    );
    scraper.stop();
}

fn warning(told: GaugeUpdate) -> Option<String> {
    match told {
        GaugeUpdate::Event(Event::Warning { text }) => Some(text),
        _ => None,
    }
}

#[test]
fn a_page_in_pieces_and_in_chunks_is_read() {
    for answer in [
        page("app_busy 2\n").byte_by_byte(),
        ScriptedAnswer::text(
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\napp_\r\n7;x=y\r\nbusy 2\n\r\n0\r\n\r\n",
        )
        .byte_by_byte(),
        ScriptedAnswer::text("HTTP/1.0 200 OK\r\n\r\napp_busy 2\n").then(Then::Close),
    ] {
        let server = Server::start(move |_| answer.clone());
        let (mut scraper, readings) = read(vec![source(&server)]);
        readings.gauges("app", "busy workers", |it| {
            // The number of workers was stated, and said to be.
            it.busy_milli == 2000 * it.readings && it.workers_stated == it.readings
        });
        scraper.stop();
        let request = &server.requests()[0];
        assert_eq!(request.line(), "GET /metrics?token=hidden HTTP/1.1");
    }
}

#[test]
fn a_source_that_hangs_holds_up_no_other() {
    let (hanging, quick) = (
        Server::start(|_| ScriptedAnswer::never()),
        Server::start(|_| page("app_busy 1\n")),
    );
    let slow = GaugeSource {
        name: "slow".into(),
        every: Nanos::from_secs(4),
        ..source(&hanging)
    };
    let (mut scraper, readings) = read(vec![slow, source(&quick)]);
    for _ in 0..3 {
        readings.first("a reading of the other", |told| match told {
            GaugeUpdate::Sample(sample) => {
                assert_eq!(sample.source, "app".into());
                Some(())
            }
            other => panic!("{other:?}"),
        });
    }
    scraper.stop();
}

#[test]
fn what_cannot_begin_says_why() {
    let taken = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let mut source = source(&Server::start(|_| page("")));
    source.place = GaugePlace::Statsd(address);
    let scrape = scrape(source);
    let error = Sockets::open(&[scrape]).unwrap_err();
    assert_eq!(error.exit_code(), threadbare::error::EXIT_UNFIT);
    assert!(
        error
            .to_string()
            .contains("failed to listen for the gauges of `app`")
    );
}
