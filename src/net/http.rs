//! One request, one response: for ready checks, hooks and gauges, not for load.
//!
//! Blocking and plain on purpose: each exchange has a connection and a deadline of its
//! own, and bounds on the head and the body. A client that does more (redirects,
//! pools, compression) would be more to bound. A redirect is a response like any
//! other: the address that was checked is the only one that is sent to. Targets and
//! header values may be secret, so no cause quotes them.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;

use hyper::header::{HeaderName, HeaderValue};

use super::failed::Failed;
use super::framing::{BodyReader, Framing, FramingFields, RequestKind};
use super::head::{self, HEAD_MAX, INTERIM_MAX};
use super::tls::Tls;
use crate::clock::Clock;
use crate::model::{FailureCause, frames_otherwise};
use crate::units::Nanos;

/// Bytes read at a time.
const PIECE: usize = 16 * 1024;
/// How long it may go unnoticed that an exchange is given up.
const LOOK_EVERY: Nanos = Nanos::from_millis(50);

/// A request that is to be made.
#[derive(Debug, Clone, Copy)]
pub struct HttpRequest<'a> {
    /// The method.
    pub method: &'a str,
    /// The address that was checked.
    pub address: SocketAddr,
    /// How it is encrypted; none: not at all.
    pub tls: Option<&'a Tls>,
    /// Host and port as requests name them.
    pub authority: &'a str,
    /// Path and query.
    pub target: &'a str,
    /// Header fields besides `Host`, the body's length and `Connection`, which are added
    /// where they are not among these.
    pub headers: &'a [(&'a str, &'a str)],
    /// The body.
    pub body: &'a [u8],
    /// Limit on the whole exchange.
    pub timeout: Nanos,
    /// Bytes of the response's body at most.
    pub body_max: usize,
}

/// A response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpResponse {
    /// Its status.
    pub status: u16,
    /// Its header fields.
    pub headers: Vec<(String, Vec<u8>)>,
    /// Its body; none where it is longer than it may be.
    pub body: Option<Vec<u8>>,
}

impl HttpResponse {
    /// The value of the first header field of this name, where it is text.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.headers.iter();
        let (_, value) = headers.find(|(own, _)| own.eq_ignore_ascii_case(name))?;
        str::from_utf8(value).ok()
    }
}

/// Sends a request, and waits for its response.
///
/// # Errors
///
/// Why there is none.
pub fn ask(request: &HttpRequest<'_>) -> Result<HttpResponse, Failed> {
    ask_unless(request, None)
}

/// The same, given up soon after `over` says so: nothing is sent from then on.
///
/// # Errors
///
/// As [`ask`], and where it was given up.
pub(crate) fn ask_unless(
    request: &HttpRequest<'_>,
    over: Option<&dyn Fn() -> bool>,
) -> Result<HttpResponse, Failed> {
    let text = written(request).map_err(Failed::unsendable)?;
    let to = RequestKind::from(request.method);
    carried(request, over, |mut stream| {
        exchange(&mut stream, &text, to, request.body_max)
    })
}

/// A stream on which nothing takes longer than the request that it carries may.
pub(crate) trait Duplex: Read + Write {}

impl<T: Read + Write> Duplex for T {}

/// Connects to where a request goes, encrypted where that is asked, and has it exchanged.
pub(crate) fn carried<T>(
    request: &HttpRequest<'_>,
    over: Option<&dyn Fn() -> bool>,
    exchange: impl FnOnce(&mut dyn Duplex) -> Result<T, Failed>,
) -> Result<T, Failed> {
    let deadline = Deadline {
        clock: Clock::start(),
        limit: request.timeout,
        over,
    };
    let stream = connected(request.address, &deadline);
    let mut stream = BoundedStream {
        stream: stream.map_err(|cause| Failed::of_io(&cause, FailureCause::ConnectTimedOut))?,
        deadline,
    };
    let Some(tls) = request.tls else {
        return exchange(&mut stream);
    };
    let session = tls.session();
    let mut session =
        session.map_err(|cause| Failed::new(FailureCause::Tls, format!("TLS failed: {cause}")))?;
    let agreed = session.complete_io(&mut stream);
    agreed.map_err(|cause| Failed::of_io(&cause, FailureCause::TlsTimedOut))?;
    exchange(&mut rustls::Stream::new(&mut session, &mut stream))
}

/// A connection, before the deadline.
fn connected(address: SocketAddr, deadline: &Deadline<'_>) -> io::Result<TcpStream> {
    let limit = deadline.left()?.to_duration();
    if deadline.over.is_none() {
        return TcpStream::connect_timeout(&address, limit);
    }
    // Another thread waits for the kernel. What comes after this was given up is closed.
    let (made, connection) = mpsc::channel();
    thread::spawn(move || {
        let _ = made.send(TcpStream::connect_timeout(&address, limit));
    });
    loop {
        let slice = deadline.slice()?.to_duration();
        match connection.recv_timeout(slice) {
            Ok(connected) => return connected,
            Err(RecvTimeoutError::Timeout) => {}
            Err(cause) => return Err(io::Error::other(cause)),
        }
    }
}

/// Whether a connection can be made within so long.
///
/// # Errors
///
/// Why not.
pub fn connects(address: SocketAddr, timeout: Nanos) -> Result<(), Failed> {
    let connected = TcpStream::connect_timeout(&address, timeout.to_duration());
    connected
        .map(drop)
        .map_err(|cause| Failed::of_io(&cause, FailureCause::ConnectTimedOut))
}

/// The request's bytes.
fn written(request: &HttpRequest<'_>) -> Result<Vec<u8>, String> {
    let given = |name: &str| {
        let mut headers = request.headers.iter();
        headers.any(|(own, _)| own.eq_ignore_ascii_case(name))
    };
    // These have a body by their meaning, so that none has a length too (RFC 9110, 8.6).
    let bodied = !request.body.is_empty() || matches!(request.method, "POST" | "PUT" | "PATCH");
    let length = request.body.len().to_string();
    let own = [
        ("host", request.authority, true),
        ("connection", "close", true),
        ("content-length", &length, bodied),
    ];
    let own = own
        .into_iter()
        .filter(|(name, _, wanted)| *wanted && !given(name))
        .map(|(name, value, _)| (name, value));
    let mut text = format!("{} {} HTTP/1.1\r\n", request.method, request.target);
    for (name, value) in own.chain(request.headers.iter().copied()) {
        // What ends a line would begin another field, and what frames the body otherwise
        // than it is sent would make two requests of it.
        let unfit = HeaderName::try_from(name).is_err() || HeaderValue::try_from(value).is_err();
        if unfit || frames_otherwise(name, value, request.body.len()) {
            let name = name.escape_debug();
            return Err(format!("the header field `{name}` cannot be sent"));
        }
        text.extend([name, ": ", value, "\r\n"]);
    }
    text.push_str("\r\n");
    let mut bytes = text.into_bytes();
    bytes.extend_from_slice(request.body);
    Ok(bytes)
}

/// When an exchange must be over.
struct Deadline<'a> {
    clock: Clock,
    limit: Nanos,
    /// Whether it is given up before.
    over: Option<&'a dyn Fn() -> bool>,
}

impl Deadline<'_> {
    /// How long to wait for something until this is asked again.
    fn slice(&self) -> io::Result<Nanos> {
        Ok(self.left()?.min(LOOK_EVERY))
    }

    /// Time left: some, or the error of a socket that ran out of it.
    fn left(&self) -> io::Result<Nanos> {
        if self.over.is_some_and(|over| over()) {
            return Err(io::Error::other("it was given up"));
        }
        match self.limit.saturating_sub(self.clock.now()) {
            Nanos::ZERO => Err(io::ErrorKind::TimedOut.into()),
            left => Ok(left),
        }
    }
}

/// A socket on which nothing takes longer than the deadline.
struct BoundedStream<'a> {
    stream: TcpStream,
    deadline: Deadline<'a>,
}

impl BoundedStream<'_> {
    /// Does it again where a signal or the end of a slice came between, and names a timeout
    /// as one.
    fn bounded(
        &mut self,
        mut attempt: impl FnMut(&mut TcpStream, Nanos) -> io::Result<usize>,
    ) -> io::Result<usize> {
        loop {
            let slice = self.deadline.slice()?;
            match attempt(&mut self.stream, slice) {
                Err(cause) if came_between(&cause) => {}
                result => return result,
            }
        }
    }
}

/// Whether an attempt ended without a result, and may be made again.
fn came_between(cause: &io::Error) -> bool {
    let kind = cause.kind();
    kind == io::ErrorKind::Interrupted || kind == io::ErrorKind::WouldBlock
}

impl Read for BoundedStream<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.bounded(|stream, left| {
            stream.set_read_timeout(Some(left.to_duration()))?;
            stream.read(buffer)
        })
    }
}

impl Write for BoundedStream<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.bounded(|stream, left| {
            stream.set_write_timeout(Some(left.to_duration()))?;
            stream.write(bytes)
        })
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn exchange(
    stream: &mut (impl Read + Write),
    request: &[u8],
    to: RequestKind,
    body_max: usize,
) -> Result<HttpResponse, Failed> {
    let sent = stream.write_all(request).and_then(|()| stream.flush());
    let mut bytes = Vec::new();
    let head = read_head(stream, &mut bytes, to);
    // A server may answer before it has read everything, and close: that is its answer.
    if let (Err(cause), Err(_)) = (&sent, &head) {
        return Err(Failed::of_io(cause, FailureCause::RequestUnsent));
    }
    let (length, mut response, framing) = head?;
    bytes.drain(..length);
    let too_long = matches!(framing, Framing::Length(stated) if stated > body_max as u64);
    if !too_long {
        response.body = read_body(stream, bytes, framing.into(), body_max)?;
    }
    Ok(response)
}

/// Reads up to the end of a head: its length, what it says, and what follows it.
fn read_head(
    stream: &mut impl Read,
    bytes: &mut Vec<u8>,
    to: RequestKind,
) -> Result<(usize, HttpResponse, Framing), Failed> {
    let mut interim = 0;
    loop {
        match parse_head(bytes, to)? {
            Some((_, HttpResponse { status: 101, .. }, _)) => {
                return Err(FailureCause::Upgraded.into());
            }
            Some((_, HttpResponse { status: ..200, .. }, _)) if interim == INTERIM_MAX => {
                return Err(FailureCause::InterimFlood.into());
            }
            Some((length, HttpResponse { status: ..200, .. }, _)) => {
                bytes.drain(..length);
                interim += 1;
                continue;
            }
            Some(head) => return Ok(head),
            None => {}
        }
        if bytes.len() > HEAD_MAX {
            return Err(FailureCause::HeadTooLarge.into());
        }
        let (waits, ends) = if bytes.is_empty() && interim == 0 {
            (FailureCause::NoAnswer, FailureCause::Closed)
        } else {
            (FailureCause::AnswerUnfinished, FailureCause::Truncated)
        };
        if fill(stream, bytes).map_err(|cause| Failed::of_io(&cause, waits))? == 0 {
            return Err(ends.into());
        }
    }
}

/// A head, without its body; none while it is not whole.
fn parse_head(
    bytes: &[u8],
    to: RequestKind,
) -> Result<Option<(usize, HttpResponse, Framing)>, FailureCause> {
    // Nothing is no beginning of anything else.
    if bytes.is_empty() {
        return Ok(None);
    }
    head::read(bytes, |length, parsed| {
        let status = parsed.code.unwrap_or_default();
        let framing = FramingFields::of(parsed.headers)
            .response(to, status)
            .map_err(|_| FailureCause::BadLength)?;
        let fields = parsed.headers.iter();
        let response = HttpResponse {
            status,
            headers: fields
                .map(|field| (field.name.to_owned(), field.value.to_vec()))
                .collect(),
            body: None,
        };
        Ok((length, response, framing))
    })
}

/// Reads a body of which these bytes have come; none where it is too long.
fn read_body(
    stream: &mut impl Read,
    mut bytes: Vec<u8>,
    mut reader: BodyReader,
    body_max: usize,
) -> Result<Option<Vec<u8>>, Failed> {
    let endless = matches!(reader, BodyReader::UntilClose);
    let waits = if endless {
        FailureCause::AnswerEndless
    } else {
        FailureCause::AnswerUnfinished
    };
    let mut body = Vec::new();
    loop {
        let read = reader.feed(&bytes, |data| body.extend_from_slice(data));
        read.map_err(|_| FailureCause::BadChunk)?;
        if body.len() > body_max {
            return Ok(None);
        }
        if reader.finished() {
            return Ok(Some(body));
        }
        bytes.clear();
        match fill(stream, &mut bytes) {
            Ok(0) if endless => return Ok(Some(body)),
            Ok(0) => return Err(FailureCause::Truncated.into()),
            Ok(_) => {}
            Err(cause) => return Err(Failed::of_io(&cause, waits)),
        }
    }
}

/// Reads what is there, or waits for it: how many bytes, zero at the end.
fn fill(stream: &mut impl Read, into: &mut Vec<u8>) -> io::Result<usize> {
    let mut piece = [0; PIECE];
    let length = match stream.read(&mut piece) {
        // Encryption that ends without saying so: the end of the stream all the same.
        Err(cause) if cause.kind() == io::ErrorKind::UnexpectedEof => 0,
        read => read?,
    };
    into.extend_from_slice(&piece[..length]);
    Ok(length)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: HttpRequest<'_> = HttpRequest {
        method: "GET",
        address: SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 1),
        tls: None,
        authority: "a.test:1",
        target: "/x?y",
        headers: &[],
        body: b"",
        timeout: Nanos::from_secs(1),
        body_max: 10,
    };

    #[test]
    fn a_request_is_written_whole_and_no_field_ends_its_line() {
        for (request, expected) in [
            (
                PLAIN,
                "GET /x?y HTTP/1.1\r\nhost: a.test:1\r\nconnection: close\r\n\r\n",
            ),
            // a length where the method means a body, and where there is one
            (
                HttpRequest {
                    method: "POST",
                    ..PLAIN
                },
                "POST /x?y HTTP/1.1\r\nhost: a.test:1\r\nconnection: close\r\n\
                 content-length: 0\r\n\r\n",
            ),
            (
                HttpRequest {
                    method: "DELETE",
                    headers: &[("Host", "b.test"), ("x", "1")],
                    body: "äh".as_bytes(),
                    ..PLAIN
                },
                "DELETE /x?y HTTP/1.1\r\nconnection: close\r\ncontent-length: 3\r\n\
                 Host: b.test\r\nx: 1\r\n\r\näh",
            ),
        ] {
            assert_eq!(written(&request).unwrap(), expected.as_bytes());
        }
        for header in [
            ("x", "1\r\ny: 2"),
            ("x\r\ny", "2"),
            ("", "1"),
            ("x y", "1"),
            ("transfer-encoding", "chunked"),
            ("Content-Length", "1"),
        ] {
            let request = HttpRequest {
                headers: &[header],
                ..PLAIN
            };
            assert!(written(&request).unwrap_err().contains("cannot be sent"));
        }
    }

    #[test]
    fn an_exchange_that_is_given_up_ends_before_its_deadline() {
        // It accepts, and never answers.
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let looks = std::cell::Cell::new(0);
        let request = HttpRequest {
            address: listener.local_addr().unwrap(),
            timeout: Nanos::from_secs(100_000),
            ..PLAIN
        };
        // Before it is connected, before it is sent, and while an answer is awaited.
        for given_up_at in [1, 2, 4, 8] {
            looks.set(0);
            let over = || {
                looks.set(looks.get() + 1);
                looks.get() >= given_up_at
            };
            let failed = ask_unless(&request, Some(&over)).unwrap_err();
            assert_eq!(failed.words, "it was given up", "{given_up_at}");
        }
    }

    #[test]
    fn a_body_is_bounded_however_it_is_framed() {
        let read = |body: &str, framing: Framing| {
            let bytes = body.as_bytes().to_vec();
            read_body(&mut io::empty(), bytes, framing.into(), 10)
        };
        let long = "a".repeat(11);
        let chunked = format!("b\r\n{long}\r\n0\r\n\r\n");
        assert_eq!(read(&long, Framing::UntilClose), Ok(None));
        assert_eq!(read(&chunked, Framing::Chunked), Ok(None));
        let ten = "a".repeat(10).into_bytes();
        assert_eq!(read(&long[..10], Framing::UntilClose), Ok(Some(ten)));
        // One that breaks off, and one that is damaged.
        for (body, framing) in [
            ("abc", Framing::Length(4)),
            ("3\r\nabc\r\n", Framing::Chunked),
            ("3\r\nabcd", Framing::Chunked),
        ] {
            assert!(read(body, framing).is_err(), "{body}");
        }
    }
}
