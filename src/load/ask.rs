//! One request over HTTP/2, and a request that is always the same: ready checks and probes of
//! a target that is loaded so.
//!
//! The exchange is `net`'s, with its deadline; what is said on it is the [`Session`] of the
//! load. So a target that speaks HTTP/2 and nothing else can be asked whether it serves, and
//! one that does not is not ready, as its users would find it.

use std::io::ErrorKind;

use bytes::BytesMut;

use super::http2::{Session, StreamEnd, write_field};
use super::request::AGENT;
use crate::model::FailureCause;
use crate::net::Failed;
use crate::net::http::{Duplex, HttpRequest, carried};

/// Bytes read at a time.
const PIECE: usize = 16 * 1024;

/// The field block of a request, up to the fields of its own.
fn block(method: &str, encrypted: bool, target: &str, authority: &str) -> Vec<u8> {
    let scheme = if encrypted { "https" } else { "http" };
    let fields = [
        (":method", method),
        (":scheme", scheme),
        (":path", target),
        (":authority", authority),
        ("user-agent", AGENT),
    ];
    let mut block = Vec::new();
    for (name, value) in fields {
        write_field(name.as_bytes(), value.as_bytes(), &mut block);
    }
    block
}

/// The field block of a monitor's request; a target that is the user's knows no token.
pub(super) fn probe(host: &str, path: &str, encrypted: bool) -> Vec<u8> {
    block("GET", encrypted, path, host)
}

/// Sends a request over HTTP/2: with prior knowledge, or as its encryption agrees. The status
/// of the answer, which has come whole.
///
/// # Errors
///
/// Why there is none.
pub(crate) fn http2_status(request: &HttpRequest<'_>) -> Result<u16, Failed> {
    carried(request, None, |stream| converse(stream, request))
}

fn converse(stream: &mut dyn Duplex, request: &HttpRequest<'_>) -> Result<u16, Failed> {
    let encrypted = request.tls.is_some();
    let mut block = block(request.method, encrypted, request.target, request.authority);
    for (name, value) in request.headers {
        let name = name.to_ascii_lowercase();
        write_field(name.as_bytes(), value.as_bytes(), &mut block);
    }
    let mut out = BytesMut::new();
    let mut session = Session::new(1, u32::MAX, &mut out);
    let reading = (request.method == "HEAD", false);
    let id = session.open(0, reading, &block, request.body, &mut out);
    let mut answers = Vec::new();
    let mut buffer = vec![0; PIECE];
    loop {
        let sent = stream.write_all(&out).and_then(|()| stream.flush());
        sent.map_err(|cause| Failed::of_io(&cause, FailureCause::RequestUnsent))?;
        out.clear();
        session.sent();
        let received = match stream.read(&mut buffer) {
            // Encryption that ends without saying so: the end of the stream all the same.
            Err(cause) if cause.kind() == ErrorKind::UnexpectedEof => 0,
            read => read.map_err(|cause| Failed::of_io(&cause, session.waits_for(id)))?,
        };
        if received == 0 {
            return Err(ended(&mut session));
        }
        session.feed(&buffer[..received], &mut out, &mut answers)?;
        for (_, _, end) in answers.drain(..) {
            match end {
                StreamEnd::Began => {}
                StreamEnd::Response { response, .. } => return Ok(response.status),
                StreamEnd::Refused(said) | StreamEnd::Reset(said) => {
                    return Err(Failed::new(FailureCause::Http2Refused, said));
                }
                StreamEnd::Failed { cause, .. } => return Err(cause.into()),
            }
        }
    }
}

/// The server has closed before the answer was whole.
fn ended(session: &mut Session) -> Failed {
    if let Some(said) = session.farewell() {
        return Failed::new(FailureCause::Http2Refused, said);
    }
    let begun = session.abandon().iter().any(|(_, begun)| *begun);
    if begun {
        FailureCause::Truncated.into()
    } else {
        FailureCause::Closed.into()
    }
}

#[cfg(test)]
mod tests {
    use std::io::{self, Cursor, Read, Write};
    use std::net::{IpAddr, Ipv4Addr, SocketAddr};

    use super::*;
    use crate::units::Nanos;

    /// A server that says what it has to say, and closes.
    struct Canned {
        says: Cursor<Vec<u8>>,
        heard: Vec<u8>,
    }

    impl Read for Canned {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            self.says.read(buffer)
        }
    }

    impl Write for Canned {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.heard.write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    const READY: HttpRequest<'_> = HttpRequest {
        method: "GET",
        address: SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 1),
        tls: None,
        authority: "a.test:1",
        target: "/health",
        headers: &[("X-Name", "1")],
        body: b"",
        timeout: Nanos::from_secs(1),
        body_max: 10,
    };

    #[test]
    fn a_status_is_read_and_what_is_none_has_its_cause() {
        let settings = [0, 0, 0, 4, 0, 0, 0, 0, 0];
        // Indexed fields of the static table: `:status 200`, and 404.
        let status = |index| vec![0, 0, 1, 1, 5, 0, 0, 0, 1, index];
        let reset = |code| vec![0, 0, 4, 3, 0, 0, 0, 0, 1, 0, 0, 0, code];
        let goaway = vec![0, 0, 8, 7, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 11];
        for (says, expected) in [
            (status(0x88), Ok(200)),
            (status(0x8d), Ok(404)),
            (reset(7), Err("RST_STREAM REFUSED_STREAM (7)")),
            (reset(8), Err("RST_STREAM CANCEL (8)")),
            (goaway, Err("GOAWAY ENHANCE_YOUR_CALM (11)")),
            (Vec::new(), Err(FailureCause::Closed.clause())),
        ] {
            let mut server = Canned {
                says: Cursor::new([&settings[..], &says].concat()),
                heard: Vec::new(),
            };
            let found = converse(&mut server, &READY).map_err(|failed| failed.words);
            assert_eq!(found, expected.map_err(str::to_owned), "{says:?}");
            assert!(
                server
                    .heard
                    .starts_with(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
            );
        }
        let mut server = Canned {
            says: Cursor::new(b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec()),
            heard: Vec::new(),
        };
        let failed = converse(&mut server, &READY).unwrap_err();
        assert_eq!(failed.cause, Some(FailureCause::Http1Instead));
    }
}
