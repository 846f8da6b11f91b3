use std::cell::{Cell, RefCell};

use super::super::orders::MatchedFault;
use super::*;
use crate::model::fault::{
    Effect, Flow, HttpAbort, HttpCut, HttpDelay, HttpHeader, HttpHold, HttpMatch, HttpStatus,
    RequestView,
};

/// Faults by number; each meets what it fits.
#[derive(Default)]
struct Book {
    faults: RefCell<Vec<(u64, Stream, Effect)>>,
    fitted: Cell<u64>,
}

impl Rules for Book {
    fn any(&self, stream: Stream) -> bool {
        self.faults.borrow().iter().any(|fault| fault.1 == stream)
    }

    fn meeting(&self, stream: Stream, request: &RequestView<'_>) -> Vec<MatchedFault> {
        let faults = self.faults.borrow();
        let mut met = Vec::new();
        for (id, own, effect) in faults.iter() {
            let matching = effect.matching().unwrap();
            if *own == stream && matching.fits(request) {
                let index = self.fitted.get();
                self.fitted.set(index + 1);
                let delay = match effect {
                    Effect::HttpDelay(fault) => fault.delay,
                    _ => Nanos::ZERO,
                };
                if matching.counts(index) {
                    met.push(MatchedFault {
                        id: *id,
                        effect: effect.clone(),
                        delay,
                    });
                }
            }
        }
        met
    }

    fn lasts(&self, id: u64) -> bool {
        self.faults.borrow().iter().any(|fault| fault.0 == id)
    }
}

/// An exchange with its pipes.
struct Bench {
    exchange: Exchange,
    up: Pipe,
    down: Pipe,
    book: Book,
}

impl Bench {
    fn new(faults: &[(Stream, Effect)]) -> Self {
        let numbered = faults.iter().cloned().zip(0..);
        Self {
            exchange: Exchange::new(),
            up: Pipe::default(),
            down: Pipe::default(),
            book: Book {
                faults: RefCell::new(
                    numbered
                        .map(|((stream, effect), id)| (id, stream, effect))
                        .collect(),
                ),
                fitted: Cell::new(0),
            },
        }
    }

    fn turn(&mut self, now: Nanos) -> Step {
        self.exchange
            .turn(now, &self.book, &mut self.up, &mut self.down)
    }

    /// What goes on after these bytes from one side: to the target, to the client.
    fn told(&mut self, stream: Stream, bytes: &str) -> (String, String) {
        self.exchange.push(stream, bytes.as_bytes());
        let step = self.turn(Nanos::ZERO);
        assert_eq!(step.ending, None);
        (drained(&mut self.up), drained(&mut self.down))
    }
}

/// What a pipe lets on; an end is shown as `|`.
fn drained(pipe: &mut Pipe) -> String {
    let mut text = String::new();
    loop {
        match pipe.next(Nanos::ZERO) {
            Flow::Ready => {
                text.push_str(std::str::from_utf8(pipe.ready()).unwrap());
                pipe.gone(pipe.ready().len());
            }
            Flow::End => return text + "|",
            _ => return text,
        }
    }
}

fn pair(up: &str, down: &str) -> (String, String) {
    (up.to_owned(), down.to_owned())
}

const ASK: &str = "GET /a HTTP/1.1\r\nHost: x\r\n\r\n";
const ANSWER: &str = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";
use Stream::{Downstream, Upstream};

#[test]
fn requests_pass_one_after_the_other_and_unchanged() {
    let mut bench = Bench::new(&[]);
    // Two at once: the second waits for the first one's answer.
    assert_eq!(bench.told(Upstream, &ASK.repeat(2)), pair(ASK, ""));
    assert_eq!(bench.told(Downstream, &ANSWER[..20]), pair("", ""));
    assert_eq!(bench.told(Downstream, &ANSWER[20..]), pair(ASK, ANSWER));
    let chunked = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n";
    let early = "HTTP/1.1 103 Early Hints\r\n\r\n";
    assert_eq!(bench.told(Downstream, early), pair("", early));
    assert_eq!(bench.told(Downstream, chunked), pair("", chunked));
    bench.exchange.end(Upstream);
    assert_eq!(bench.told(Upstream, ""), pair("|", ""));
    let counted = bench.exchange.counted();
    assert_eq!((counted.requests, counted.malformed), (2, 0));
}

#[test]
fn the_target_is_told_at_once_that_a_client_has_gone() {
    let mut bench = Bench::new(&[]);
    bench.told(Upstream, ASK);
    bench.exchange.end(Upstream);
    assert_eq!(bench.told(Upstream, ""), pair("|", ""));
    // It may have ended its own half only, and still listen.
    assert_eq!(bench.told(Downstream, ANSWER), pair("|", ANSWER));
}

#[test]
fn bodies_may_end_with_the_connection_and_heads_have_none() {
    let mut bench = Bench::new(&[]);
    bench.told(Upstream, "HEAD / HTTP/1.1\r\n\r\n");
    let head = "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n";
    assert_eq!(bench.told(Downstream, head), pair("", head));
    bench.told(Upstream, ASK);
    let open = "HTTP/1.1 200 OK\r\n\r\nhello";
    assert_eq!(bench.told(Downstream, open), pair("", open));
    bench.exchange.end(Downstream);
    assert_eq!(bench.told(Downstream, ""), pair("", "|"));
}

#[test]
fn an_upgraded_connection_is_a_tunnel() {
    let mut bench = Bench::new(&[]);
    bench.told(Upstream, ASK);
    let switch = "HTTP/1.1 101 Switching Protocols\r\n\r\n";
    bench.told(Downstream, switch);
    assert_eq!(bench.told(Downstream, "\u{1}x"), pair("", "\u{1}x"));
    assert_eq!(bench.told(Upstream, "y"), pair("y", ""));
}

#[test]
fn a_status_upstream_answers_for_the_target_and_downstream_replaces_its_own() {
    let status = Effect::HttpStatus(HttpStatus {
        status: 503,
        ..HttpStatus::default()
    });
    let mut bench = Bench::new(&[(Upstream, status.clone())]);
    let post = "POST / HTTP/1.1\r\ncontent-length: 3\r\n\r\n";
    let (up, down) = bench.told(Upstream, post);
    assert_eq!(up, "");
    assert!(
        down.starts_with("HTTP/1.1 503 Service Unavailable\r\n"),
        "{down}"
    );
    // Its body goes nowhere, and the next request is one.
    assert_eq!(bench.told(Upstream, "abc"), pair("", ""));
    assert!(bench.told(Upstream, ASK).1.starts_with("HTTP/1.1 503"));
    assert_eq!(bench.exchange.counted().own_answers, 2);

    let mut bench = Bench::new(&[(Downstream, status)]);
    assert_eq!(bench.told(Upstream, ASK), pair(ASK, ""));
    let replaced = ANSWER.replace("200 OK", "503 Service Unavailable");
    assert_eq!(bench.told(Downstream, ANSWER), pair("", &replaced));
}

#[test]
fn the_first_two_that_fit_are_met_and_no_others() {
    let fails = Effect::HttpStatus(HttpStatus {
        matching: HttpMatch {
            path: Some("/a".into()),
            count: Some(2),
            ..HttpMatch::default()
        },
        status: 500,
    });
    let mut bench = Bench::new(&[(Upstream, fails)]);
    let other = ASK.replace("/a", "/b");
    assert_eq!(bench.told(Upstream, &other).0, other);
    bench.told(Downstream, ANSWER);
    for _ in 0..2 {
        assert!(bench.told(Upstream, ASK).1.starts_with("HTTP/1.1 500"));
    }
    assert_eq!(bench.told(Upstream, ASK), pair(ASK, ""));
}

#[test]
fn headers_are_removed_and_replaced_both_ways() {
    let header = |name: &str, value: Option<&str>| {
        Effect::HttpHeader(HttpHeader {
            name: name.into(),
            value: value.map(Into::into),
            ..HttpHeader::default()
        })
    };
    let mut bench = Bench::new(&[
        (Upstream, header("host", None)),
        (Upstream, header("authorization", Some("none"))),
        (Downstream, header("x-fault", Some("1"))),
    ]);
    let sent = "GET /a HTTP/1.1\r\nauthorization: none\r\n\r\n";
    assert_eq!(bench.told(Upstream, ASK), pair(sent, ""));
    let got = ANSWER.replace("\r\n\r\n", "\r\nx-fault: 1\r\n\r\n");
    assert_eq!(bench.told(Downstream, ANSWER), pair("", &got));
}

#[test]
fn bodies_are_cut_to_the_byte() {
    let cut = Effect::HttpCut(HttpCut {
        bytes: 3,
        ..HttpCut::default()
    });
    let mut bench = Bench::new(&[(Downstream, cut.clone())]);
    bench.told(Upstream, ASK);
    let half = &ANSWER[..ANSWER.len() - 2];
    assert_eq!(
        bench.told(Downstream, ANSWER),
        pair("", &format!("{half}|"))
    );
    let mut bench = Bench::new(&[(Upstream, cut)]);
    let post = "POST / HTTP/1.1\r\ncontent-length: 9\r\n\r\n123";
    assert_eq!(
        bench.told(Upstream, &format!("{post}456789")),
        pair(&format!("{post}|"), "")
    );
}

#[test]
fn delays_last_their_time_and_end_with_their_fault() {
    let delay = Effect::HttpDelay(HttpDelay {
        delay: Nanos::from_millis(50),
        ..HttpDelay::default()
    });
    let mut bench = Bench::new(&[(Upstream, delay.clone()), (Downstream, delay)]);
    bench.exchange.push(Upstream, ASK.as_bytes());
    let due = Nanos::from_millis(50);
    assert_eq!(bench.turn(Nanos::ZERO).until, Some(due));
    assert!(bench.up.is_empty());
    assert_eq!(bench.turn(due).until, None);
    assert!(!bench.up.is_empty());
    // The answer is kept for as long, and no longer than the fault lasts.
    bench.exchange.push(Downstream, ANSWER.as_bytes());
    assert_eq!(bench.turn(due).until, Some(Nanos::from_millis(100)));
    bench.book.faults.borrow_mut().clear();
    assert_eq!(bench.turn(due).until, None);
    assert!(!bench.down.is_empty());
}

#[test]
fn what_is_held_back_goes_on_with_the_undo_or_ends_with_its_client() {
    let hold = Effect::HttpHold(HttpHold::default());
    let mut bench = Bench::new(&[(Upstream, hold.clone())]);
    assert_eq!(bench.told(Upstream, ASK), pair("", ""));
    assert_eq!(bench.turn(Nanos::from_secs(3600)), Step::default());
    bench.book.faults.borrow_mut().clear();
    assert_eq!(bench.told(Upstream, ""), pair(ASK, ""));

    let mut bench = Bench::new(&[(Downstream, hold)]);
    assert_eq!(bench.told(Upstream, ASK), pair(ASK, ""));
    assert_eq!(bench.told(Downstream, ANSWER), pair("", ""));
    bench.exchange.end(Upstream);
    assert_eq!(bench.turn(Nanos::ZERO).ending, Some(Ending::Close));
}

#[test]
fn an_abort_resets() {
    for stream in [Upstream, Downstream] {
        let mut bench = Bench::new(&[(stream, Effect::HttpAbort(HttpAbort::default()))]);
        bench.exchange.push(Upstream, ASK.as_bytes());
        bench.exchange.push(Downstream, ANSWER.as_bytes());
        assert_eq!(bench.turn(Nanos::ZERO).ending, Some(Ending::Reset));
        assert_eq!(bench.up.is_empty(), stream == Upstream);
        assert!(bench.down.is_empty());
    }
}

#[test]
fn what_is_no_http_is_answered_and_counted() {
    let long = format!("GET / HTTP/1.1\r\nx: {}\r\n\r\n", "y".repeat(HEAD_MAX));
    for (text, status) in [("\u{1}\u{2}\r\n\r\n", "400"), (long.as_str(), "431")] {
        let mut bench = Bench::new(&[]);
        let (up, down) = bench.told(Upstream, text);
        assert_eq!(up, "");
        assert!(down.starts_with(&format!("HTTP/1.1 {status} ")), "{down}");
        assert!(down.ends_with('|'), "{down}");
        assert_eq!(bench.exchange.counted().malformed, 1);
    }
    let mut bench = Bench::new(&[]);
    bench.told(Upstream, ASK);
    let (_, down) = bench.told(Downstream, "SSH-2.0-x\r\n\r\n");
    assert!(down.starts_with("HTTP/1.1 502 "), "{down}");
    let mut bench = Bench::new(&[]);
    bench.told(Upstream, ASK);
    bench.exchange.end(Downstream);
    assert_eq!(bench.told(Downstream, ""), pair("", "|"));
    assert_eq!(bench.exchange.counted().unanswered, 1);
}

#[test]
fn an_answers_head_is_bounded_as_the_generators_own() {
    for (bytes, passes) in [(200_000, true), (290_000, true), (400_000, false)] {
        let mut bench = Bench::new(&[]);
        bench.told(Stream::Upstream, "GET / HTTP/1.1\r\n\r\n");
        let field = format!("x: {}\r\n", "y".repeat(bytes));
        let answer = format!("HTTP/1.1 200 OK\r\n{field}content-length: 0\r\n\r\n");
        let mut passed = String::new();
        let mut rest = answer.as_str();
        while !rest.is_empty() && bench.exchange.room(Stream::Downstream) > 0 {
            let room = bench.exchange.room(Stream::Downstream).min(rest.len());
            let (piece, more) = rest.split_at(room.min(16 * 1024));
            passed += &bench.told(Stream::Downstream, piece).1;
            rest = more;
        }
        assert_eq!(passed == answer, passes, "{bytes}: {}", passed.len());
        let malformed = bench.exchange.counted().malformed;
        assert_eq!(malformed, u64::from(!passes), "{bytes}");
    }
}
