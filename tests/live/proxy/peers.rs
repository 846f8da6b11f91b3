//! The two ends of a proxy: targets and clients that are plain sockets.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use serde_json::Value;
use threadbare::model::fault::{Mode, ProxyFault};
use threadbare::proxy::{Proxy, ProxySpec};

/// A test that has waited so long has failed: nothing here takes a hundredth of it.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// A target that does this with every connection, each on a thread of its own, as
/// long as the test's process lives.
pub(crate) fn target(serve: impl Fn(TcpStream) + Send + Sync + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let serve = Arc::new(serve);
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let serve = Arc::clone(&serve);
            thread::spawn(move || serve(stream));
        }
    });
    address
}

/// An HTTP target that answers each request with 200 and the request's own text.
pub(crate) fn mirror() -> (SocketAddr, Arc<Mutex<Vec<String>>>) {
    let seen: Arc<Mutex<Vec<String>>> = Arc::default();
    let log = Arc::clone(&seen);
    let address = target(move |mut stream| {
        let mut bytes = Vec::new();
        while let Some(request) = request(&mut stream, &mut bytes) {
            log.lock().unwrap().push(request.clone());
            let answer = format!(
                "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{request}",
                request.len()
            );
            if stream.write_all(answer.as_bytes()).is_err() {
                return;
            }
        }
    });
    (address, seen)
}

/// The next request, with its body where it has a length.
fn request(stream: &mut TcpStream, bytes: &mut Vec<u8>) -> Option<String> {
    loop {
        if let Some(head) = bytes.windows(4).position(|end| end == b"\r\n\r\n") {
            let text = String::from_utf8_lossy(&bytes[..head]).to_lowercase();
            let length = text
                .lines()
                .find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
            let whole = head + 4 + length.unwrap_or(0);
            if bytes.len() >= whole {
                let rest = bytes.split_off(whole);
                return String::from_utf8(std::mem::replace(bytes, rest)).ok();
            }
        }
        let mut piece = [0; 4096];
        match stream.read(&mut piece) {
            Ok(length @ 1..) => bytes.extend_from_slice(&piece[..length]),
            _ => return None,
        }
    }
}

/// A proxy in front of `to`.
pub(crate) fn proxy(to: SocketAddr, mode: Mode) -> Proxy {
    let listen = "127.0.0.1:0".parse().unwrap();
    Proxy::start(ProxySpec {
        mode,
        ..ProxySpec::new(listen, to)
    })
    .unwrap()
}

/// A fault as clients send it.
pub(crate) fn fault(value: &Value) -> ProxyFault {
    ProxyFault::read(value).unwrap()
}

/// A connection that does not wait for ever.
pub(crate) fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_nodelay(true).unwrap();
    stream
}

/// Sends a byte and gets it back: the way is open, both ways.
pub(crate) fn round(stream: &mut TcpStream) {
    stream.write_all(b"x").unwrap();
    let mut byte = [0];
    stream.read_exact(&mut byte).unwrap();
    assert_eq!(byte, *b"x");
}

/// How a stream ends, whatever comes before: in a close or in an error.
pub(crate) fn end_of(stream: &mut TcpStream) -> (Vec<u8>, Option<ErrorKind>) {
    let mut bytes = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        match stream.read(&mut buffer) {
            Ok(0) => return (bytes, None),
            Ok(length) => bytes.extend_from_slice(&buffer[..length]),
            Err(cause) => return (bytes, Some(cause.kind())),
        }
    }
}

/// Waits until a condition that must come holds.
pub(crate) fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let pause = Duration::from_millis(2);
    for _ in 0..PATIENCE.as_millis() / pause.as_millis() {
        if holds() {
            return;
        }
        thread::sleep(pause);
    }
    panic!("{what} never came");
}
