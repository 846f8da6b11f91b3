//! Occupation of a server that knows nothing of it: a pool of threads, each of which
//! serves a connection from its first byte to its last.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use threadbare::model::fault::Hold;
use threadbare::proxy::{Occupation, Occupier};
use threadbare::units::Nanos;

use super::peers::{PATIENCE, connect, end_of, eventually};

const WORKERS: u32 = 4;

struct Server {
    address: SocketAddr,
    busy: Arc<AtomicU32>,
    /// While it is locked, `/slow` is not answered.
    gate: Arc<Mutex<()>>,
}

/// A server of four threads, as most frameworks' are.
fn server() -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let busy = Arc::new(AtomicU32::new(0));
    let gate: Arc<Mutex<()>> = Arc::default();
    for _ in 0..WORKERS {
        let listener = listener.try_clone().unwrap();
        let (busy, gate) = (Arc::clone(&busy), Arc::clone(&gate));
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                busy.fetch_add(1, Ordering::SeqCst);
                serve(stream, &gate);
                busy.fetch_sub(1, Ordering::SeqCst);
            }
        });
    }
    Server {
        address,
        busy,
        gate,
    }
}

/// Serves requests until the client goes, breaks off or asks to close.
fn serve(mut stream: TcpStream, gate: &Mutex<()>) {
    let mut bytes = Vec::new();
    let mut piece = [0; 4096];
    loop {
        while let Some(head) = bytes.windows(4).position(|end| end == b"\r\n\r\n") {
            let text = String::from_utf8_lossy(&bytes[..head + 4]).into_owned();
            bytes.drain(..head + 4);
            if text.starts_with("POST") {
                // A body is read to its end before it is answered.
                while let Ok(1..) = stream.read(&mut piece) {}
                return;
            }
            if text.starts_with("GET /slow") {
                drop(gate.lock().unwrap());
            }
            let body = "x".repeat(if text.starts_with("GET /big") {
                1 << 20
            } else {
                1
            });
            let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
            if stream.write_all((head + &body).as_bytes()).is_err() || text.contains("close") {
                return;
            }
        }
        match stream.read(&mut piece) {
            Ok(length @ 1..) => bytes.extend_from_slice(&piece[..length]),
            _ => return,
        }
    }
}

/// Holds all workers, sees that nobody else is served, lets go, and sees that he is.
fn exhausts(server: &Server, hold: Hold, path: &str, release: impl FnOnce()) {
    let occupation = Occupation::start(Occupier {
        target: server.address,
        host: "localhost".into(),
        hold,
        path: path.into(),
        connections: WORKERS,
        every: Nanos::from_millis(50),
        duration: Nanos::from_secs(PATIENCE.as_secs()),
    })
    .unwrap();
    let busy = || server.busy.load(Ordering::SeqCst);
    eventually("exhaustion", || busy() == WORKERS);
    let workers = u64::from(WORKERS);
    eventually("that it is told", || occupation.counters().held == workers);
    let mut victim = connect(server.address);
    victim
        .write_all(b"GET / HTTP/1.1\r\nConnection: close\r\n\r\n")
        .unwrap();
    // It is not served, since no worker is free: every one is at another connection.
    victim.set_nonblocking(true).unwrap();
    assert!(victim.read(&mut [0]).is_err());
    assert_eq!(busy(), WORKERS);
    let counters = occupation.undo();
    release();
    assert_eq!(counters.held, 0);
    assert_eq!(counters.opened, u64::from(WORKERS), "{counters:?}");
    victim.set_nonblocking(false).unwrap();
    assert!(end_of(&mut victim).0.starts_with(b"HTTP/1.1 200 OK"));
}

#[test]
fn slow_headers_hold_every_worker() {
    exhausts(&server(), Hold::SlowHeaders, "/", || ());
}

#[test]
fn silence_holds_every_worker_that_is_given_a_connection_at_once() {
    exhausts(&server(), Hold::Silent, "/", || ());
}

#[test]
fn slow_bodies_hold_every_worker() {
    exhausts(&server(), Hold::SlowBodies, "/upload", || ());
}

#[test]
fn slow_reads_hold_every_worker() {
    exhausts(&server(), Hold::SlowReads, "/big", || ());
}

#[test]
fn a_slow_endpoint_holds_every_worker() {
    let server = server();
    let gate = Arc::clone(&server.gate);
    let shut = gate.lock().unwrap();
    exhausts(&server, Hold::SlowEndpoint, "/slow", || drop(shut));
}

#[test]
fn it_ends_by_itself() {
    let occupation = Occupation::start(Occupier {
        target: server().address,
        host: "localhost".into(),
        hold: Hold::SlowHeaders,
        path: "/".into(),
        connections: 2,
        every: Nanos::from_millis(50),
        duration: Nanos::from_millis(100),
    })
    .unwrap();
    eventually("its end", || occupation.ended());
    assert_eq!(occupation.counters().held, 0);
}

#[test]
fn a_server_that_is_not_there_is_a_count() {
    let gone = TcpListener::bind("127.0.0.1:0").unwrap();
    let target = gone.local_addr().unwrap();
    drop(gone);
    let occupation = Occupation::start(Occupier {
        target,
        host: "localhost".into(),
        hold: Hold::SlowHeaders,
        path: "/".into(),
        connections: 1,
        every: Nanos::from_millis(50),
        duration: Nanos::from_secs(10),
    })
    .unwrap();
    eventually("the count", || occupation.counters().unreachable > 0);
    assert_eq!(occupation.undo().opened, 0);
}
