//! A generator that stands still: stopped with its whole group.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::os::unix::net::UnixListener;
use std::sync::Arc;
use std::thread;

use rustix::net::listen;
use rustls::{ServerConnection, StreamOwned};

use super::{Load, Summary, server, wait};
use crate::https::authority;

/// Stopped for so long after so long, and over again.
fn stopped(flags: &str, stops: &[(u64, u64)]) -> Summary {
    let server = server(1);
    let load = Load::start(&[], &server, flags);
    for (after, millis) in stops {
        wait(*after);
        load.stand_still(*millis);
    }
    load.end()
}

#[test]
fn in_the_middle_of_an_open_load() {
    for pacing in ["balanced", "precise", "thrifty"] {
        let flags = format!("-R 300 -c 100 -d 3s --pacing {pacing}");
        let summary = stopped(&flags, &[(1_000, 1_000)]);
        summary.is_invalid().serves_within(250.0);
        assert!(summary.own_by_target() > 10.0, "{}", summary.json);
        assert_eq!(
            summary.json["phases"][0]["response_ms"]["marked"]["p99"],
            true
        );
        assert!(summary.number("/measurement/generator_away") > 0.2);
    }
}

#[test]
fn over_the_end_of_an_open_load() {
    let summary = stopped("-R 300 -c 100 -d 2s", &[(1_500, 2_000)]);
    summary.is_invalid().serves_within(250.0);
    assert!(
        summary.reasons().contains("sent late"),
        "{}",
        summary.reasons()
    );
    assert!(summary.own_by_target() > 10.0, "{}", summary.json);
}

#[test]
fn for_a_fifth_of_each_second() {
    let stops = [(800, 200); 4];
    for pacing in ["balanced", "thrifty"] {
        let flags = format!("-R 300 -c 100 -d 4s --timeout 60s --pacing {pacing}");
        let summary = stopped(&flags, &stops);
        summary.is_invalid().serves_within(100.0);
        assert!(summary.own_by_target() > 2.0, "{}", summary.json);
    }
}

/// Those who wait for their answers are not answered later because nobody looked.
#[test]
fn in_the_middle_of_a_closed_loop() {
    for pacing in ["balanced", "thrifty"] {
        let flags = format!("-c 4 -d 3s --pacing {pacing}");
        let summary = stopped(&flags, &[(1_000, 1_500)]);
        summary.adds_up();
        assert!(
            summary.number("/phases/0/service_ms/max") < 750.0,
            "{}",
            summary.json
        );
        assert!(
            summary.number("/phases/0/response_ms/max") < 750.0,
            "{}",
            summary.json
        );
        assert!(summary.number("/measurement/generator_away") > 0.3);
    }
}

/// Answers that lay in the kernel in time are in time, however late they are read.
#[test]
fn for_longer_than_the_timeout() {
    let server = server(50);
    let load = Load::start(&[], &server, "-c 16 -d 3s --timeout 400ms");
    wait(1_000);
    load.stand_still(1_200);
    let summary = load.end();
    let ended = &summary.json["conservation"];
    assert_eq!(ended["timed_out"], 0, "{}", summary.json);
    assert_eq!(ended["failed"], 0, "{}", summary.json);
    summary.adds_up();
}

/// What missed its deadline before it was sent was never the target's.
#[test]
fn for_longer_than_the_deadline() {
    let flags = "-R 300 -c 100 -d 3s --deadline 300ms";
    let summary = stopped(flags, &[(1_000, 1_500)]);
    summary.is_invalid();
    assert!(
        summary.reasons().contains("never sent"),
        "{}",
        summary.reasons()
    );
    assert!(summary.own_by_target() > 10.0, "{}", summary.json);
    let missed = summary.number("/conservation/missed_deadline");
    assert!(summary.number("/measurement/never_sent") > missed / 2.0);
}

/// A server whose accept queue holds one connection until so long after it was started, and
/// that answers at once from then on. A connection that finds the queue full tries again
/// after a second (tcp(7)), and is made then.
fn accepts_after(millis: u64) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    listen(&listener, 0).unwrap();
    thread::spawn(move || {
        wait(millis);
        listen(&listener, 64).unwrap();
        for mut connection in listener.incoming().flatten() {
            thread::spawn(move || {
                let mut bytes = [0; 1024];
                while connection.read(&mut bytes).is_ok_and(|read| read > 0) {
                    let _ = connection.write_all(b"HTTP/1.1 204 No Content\r\n\r\n");
                }
            });
        }
    });
    address
}

/// A connection that was made meanwhile waited for the generator from then on: its time is
/// the generator's, in the owners, the service, the connecting and the timeout.
#[test]
fn while_connections_were_made() {
    let address = accepts_after(300);
    let flags = "-c 8 -n 8 -d 6s --timeout 1500ms";
    let load = Load::of(&[], &format!("http://{address}/"), flags);
    wait(500);
    load.stand_still(2_500);
    let summary = load.end();
    // Made after a second, of which it stood still for half, and seen two seconds later.
    assert!(summary.own_by_target() > 1.5, "{}", summary.json);
    assert_eq!(
        summary.json["conservation"]["succeeded"], 8,
        "{}",
        summary.json
    );
    summary.serves_within(1_400.0);
    let connecting = summary.number("/phases/0/connect_ms/max");
    assert!(
        connecting > 300.0 && connecting < 1_400.0,
        "{}",
        summary.json
    );
}

/// Answers each request after 100 ms, until its connection ends.
fn answers_slowly(mut stream: impl Read + Write) {
    let mut bytes = [0; 1024];
    while stream.read(&mut bytes).is_ok_and(|read| read > 0) {
        wait(100);
        let answer = b"HTTP/1.1 204 No Content\r\n\r\n";
        if stream
            .write_all(answer)
            .and_then(|()| stream.flush())
            .is_err()
        {
            return;
        }
    }
}

/// Where the kernel notes no arrival, an answer is whole when it is seen: what lay before
/// that marks the percentile, and is no service time.
fn marked_where_nothing_is_noted(url: &str, flags: &str) {
    let load = Load::of(&[], url, &format!("-c 16 -d 3s --timeout 5s {flags}"));
    for _ in 0..2 {
        wait(700);
        load.stand_still(300);
    }
    let summary = load.end();
    summary.adds_up();
    let marked = &summary.json["phases"][0]["response_ms"]["marked"];
    assert_eq!(marked["p99"], true, "{}", summary.json);
    summary.serves_within(250.0);
    assert!(summary.number("/phases/0/response_ms/p99") > 250.0);
}

#[test]
fn in_a_closed_loop_on_a_unix_socket() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("socket");
    let listener = UnixListener::bind(&socket).unwrap();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            thread::spawn(move || answers_slowly(stream));
        }
    });
    let flags = format!("--unix-socket {}", socket.display());
    marked_where_nothing_is_noted("http://localhost/", &flags);
}

#[test]
fn in_a_closed_loop_over_tls() {
    let folder = tempfile::tempdir().unwrap();
    let config = Arc::new(authority(folder.path()));
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let session = ServerConnection::new(Arc::clone(&config)).unwrap();
            thread::spawn(move || answers_slowly(StreamOwned::new(session, stream)));
        }
    });
    let flags = format!("--cacert {}", folder.path().join("ca.pem").display());
    marked_where_nothing_is_noted(&format!("https://localhost:{port}/"), &flags);
}
