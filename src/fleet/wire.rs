//! A small blocking HTTP/1.1, both ends, for talk within the fleet.
//!
//! Serves the control listeners and the identity service, and carries the
//! workers' verifications. A thread that blocks on a socket is what is being
//! modelled there, and costs a tenth of what a runtime costs for a call of
//! 200 bytes; a blocked thread also wakes to the microsecond where a runtime's
//! timer wakes to the millisecond. What users talk to, the balancer and the
//! instances' listeners, is hyper. Bodies are JSON with a stated length; chunked
//! bodies are refused.

use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use hyper::StatusCode;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use serde::Serialize;

use super::open::{LetIn, Limit, Open, Unlimited};
use crate::bounds::{CONTROL, REQUEST_TIME_MAX};
use crate::clock::Clock;
use crate::net::{Framing, FramingFields, RequestKind};

/// The longest head of a message: many times what any part sends.
const HEAD_MAX: usize = 16 * 1024;
/// The longest body of an answer: an encoded histogram is a few kilobytes.
const ANSWER_BODY_MAX: usize = 4 * 1024 * 1024;
/// Headers at most; a browser sends about 20.
const HEADERS_MAX: usize = 64;
/// A connection on which nothing came for so long is closed; where there are too many,
/// before that.
const IDLE_MAX: Duration = Duration::from_mins(1);

/// A request as it was read.
#[derive(Debug)]
pub(super) struct Request {
    pub method: String,
    /// The path with its query.
    target: String,
    headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Request {
    /// The path without its query.
    pub(super) fn path(&self) -> &str {
        self.target.split('?').next().unwrap_or_default()
    }

    /// The value of a field of the query, taken literally.
    pub(super) fn query(&self, name: &str) -> Option<&str> {
        let (_, query) = self.target.split_once('?')?;
        query
            .split('&')
            .filter_map(|pair| pair.split_once('='))
            .find_map(|(key, value)| (key == name).then_some(value))
    }

    /// The value of a header; the name in lower case.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find_map(|(key, value)| (key == name).then_some(value.as_str()))
    }

    fn wants_close(&self) -> bool {
        self.header("connection")
            .is_some_and(|value| value.eq_ignore_ascii_case("close"))
    }
}

/// An answer: a status and JSON.
#[derive(Debug)]
pub(super) struct Response {
    status: u16,
    body: Vec<u8>,
    last: bool,
}

impl Response {
    /// This value as JSON.
    pub(super) fn json(status: u16, value: &impl Serialize) -> Self {
        let body = serde_json::to_vec(value).expect("messages of the fleet are valid JSON");
        Self {
            status,
            body,
            last: false,
        }
    }

    /// `{"error": "…"}`.
    pub(super) fn error(status: u16, sentence: &str) -> Self {
        Self::json(status, &serde_json::json!({ "error": sentence }))
    }

    /// The process ends once this answer is on its way.
    pub(super) fn last(mut self) -> Self {
        self.last = true;
        self
    }

    fn write(&self, mut stream: &TcpStream) -> io::Result<()> {
        let reason = StatusCode::from_u16(self.status)
            .ok()
            .and_then(|status| status.canonical_reason())
            .unwrap_or("");
        let mut message = format!(
            "HTTP/1.1 {} {reason}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
            self.status,
            self.body.len()
        )
        .into_bytes();
        message.extend_from_slice(&self.body);
        stream.write_all(&message)
    }
}

/// What answers requests.
pub(super) type Handler = Arc<dyn Fn(&Request) -> Response + Send + Sync>;

/// Serves forever, with a thread called `name` for each connection. Past
/// `connections_max` connections the one makes room that is idle for longest; where all
/// are being answered, one more is turned away with 503.
pub(super) fn serve(listener: &TcpListener, name: &str, connections_max: usize, handler: &Handler) {
    let limit: Arc<dyn Limit> = Arc::new(Unlimited);
    serve_beside(listener, name, connections_max, &limit, handler);
}

/// As [`serve`], beside this limit.
pub(super) fn serve_beside(
    listener: &TcpListener,
    name: &str,
    connections_max: usize,
    limit: &Arc<dyn Limit>,
    handler: &Handler,
) {
    let open = Arc::new(Open::new(connections_max));
    // Whoever waits inside of `accept` holds a descriptor that no limit can be reckoned
    // with, since the kernel does not list it.
    let _ = listener.set_nonblocking(true);
    loop {
        wait(listener);
        let Some(let_in) = LetIn::next(listener, limit) else {
            // No free file descriptor: one may be free in a moment.
            thread::sleep(Duration::from_millis(10));
            continue;
        };
        let Some(id) = open.admit(&let_in) else {
            let _ = Response::error(503, "too many connections").write(let_in.stream());
            continue;
        };
        let (handler, among) = (Arc::clone(handler), Arc::clone(&open));
        let spawned = thread::Builder::new().name(name.into()).spawn(move || {
            // A broken connection concerns its caller only.
            let _ = converse(let_in.stream(), &handler, &|answering| {
                among.answering(id, answering);
            });
            among.ended(id);
        });
        if spawned.is_err() {
            open.ended(id);
        }
    }
}

/// Until somebody connects.
fn wait(listener: &TcpListener) {
    let mut polled = [PollFd::new(listener, PollFlags::IN)];
    while poll(&mut polled, None) == Err(Errno::INTR) {}
}

/// Answers the requests of one connection until it closes, and says when it begins and
/// ends to answer one.
fn converse(stream: &TcpStream, handler: &Handler, answering: &dyn Fn(bool)) -> io::Result<()> {
    stream.set_nodelay(true)?;
    stream.set_write_timeout(Some(REQUEST_TIME_MAX))?;
    let mut buffer = Vec::new();
    loop {
        match read_request(stream, &mut buffer)? {
            Incoming::Closed => return Ok(()),
            Incoming::Unreadable(answer) => return answer.write(stream),
            Incoming::Request(request) => {
                answering(true);
                let answer = handler(&request);
                answer.write(stream)?;
                answering(false);
                if answer.last {
                    std::process::exit(0);
                }
                if request.wants_close() {
                    return Ok(());
                }
            }
        }
    }
}

/// What came from a client.
enum Incoming {
    Request(Request),
    Unreadable(Response),
    Closed,
}

fn read_request(stream: &TcpStream, buffer: &mut Vec<u8>) -> io::Result<Incoming> {
    let mut begun = None;
    let (mut request, head, body) = loop {
        match parse_request(buffer) {
            Ok(Some(parsed)) => break parsed,
            Ok(None) if buffer.len() > HEAD_MAX => {
                let answer = Response::error(431, "the head of the request is too long");
                return Ok(Incoming::Unreadable(answer));
            }
            Ok(None) => {}
            Err(answer) => return Ok(Incoming::Unreadable(answer)),
        }
        if fill_in_time(stream, buffer, &mut begun)? == 0 {
            return Ok(Incoming::Closed);
        }
    };
    while buffer.len() < head + body {
        if fill_in_time(stream, buffer, &mut begun)? == 0 {
            return Ok(Incoming::Closed);
        }
    }
    request.body = buffer[head..head + body].to_vec();
    buffer.drain(..head + body);
    Ok(Incoming::Request(request))
}

/// The request without its body, the length of its head and of its body; none
/// where the head has not come whole.
fn parse_request(buffer: &[u8]) -> Result<Option<(Request, usize, usize)>, Response> {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
    let mut parsed = httparse::Request::new(&mut headers);
    let head = match parsed.parse(buffer) {
        Ok(httparse::Status::Complete(head)) => head,
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(cause) => return Err(Response::error(400, &format!("not a request: {cause}"))),
    };
    let request = Request {
        method: parsed.method.unwrap_or_default().to_owned(),
        target: parsed.path.unwrap_or_default().to_owned(),
        headers: parsed
            .headers
            .iter()
            .map(|header| {
                let value = String::from_utf8_lossy(header.value).into_owned();
                (header.name.to_ascii_lowercase(), value)
            })
            .collect(),
        body: Vec::new(),
    };
    let body = match FramingFields::of(parsed.headers).request() {
        Ok(Framing::Length(length)) => usize::try_from(length).unwrap_or(usize::MAX),
        Ok(_) => return Err(Response::error(411, "the body's length must be stated")),
        Err(wrong) => return Err(Response::error(400, &wrong.to_string())),
    };
    if body > CONTROL.length_max() {
        return Err(Response::error(
            413,
            &format!("the body: {}", CONTROL.too_long()),
        ));
    }
    Ok(Some((request, head, body)))
}

/// Reads what a control listener is sent, request by request.
#[cfg(feature = "testing")]
pub(crate) fn read_control(mut bytes: &[u8]) {
    while let Ok(Some((_, head, body))) = parse_request(bytes) {
        let Some((request, rest)) = bytes.split_at_checked(head + body) else {
            return;
        };
        let _ = serde_json::from_slice::<serde_json::Value>(&request[head..]);
        bytes = rest;
    }
}

/// As [`fill`], for a request that has to be there whole in a while from its first byte
/// on; none has begun where there is no clock.
fn fill_in_time(
    stream: &TcpStream,
    buffer: &mut Vec<u8>,
    begun: &mut Option<Clock>,
) -> io::Result<usize> {
    if begun.is_none() && !buffer.is_empty() {
        *begun = Some(Clock::start());
    }
    let left = match begun {
        None => IDLE_MAX,
        Some(clock) => REQUEST_TIME_MAX.saturating_sub(clock.now().to_duration()),
    };
    if left.is_zero() {
        return Err(io::ErrorKind::TimedOut.into());
    }
    stream.set_read_timeout(Some(left))?;
    fill(stream, buffer)
}

/// Reads what there is; zero at the end of the stream. A process that was stopped
/// and goes on finds its read interrupted (signal(7)), and waits anew.
fn fill(mut stream: &TcpStream, buffer: &mut Vec<u8>) -> io::Result<usize> {
    let mut chunk = [0; 8192];
    let length = loop {
        match stream.read(&mut chunk) {
            Err(cause) if cause.kind() == io::ErrorKind::Interrupted => {}
            read => break read?,
        }
    };
    buffer.extend_from_slice(&chunk[..length]);
    Ok(length)
}

/// A client of one address with one connection that is kept.
#[derive(Debug)]
pub(super) struct Client {
    address: SocketAddr,
    /// The headers of every request, but for the body's length.
    headers: String,
    timeout: Duration,
    stream: Option<TcpStream>,
    buffer: Vec<u8>,
}

impl Client {
    /// A client that sends `token`, if there is one, and waits so long for
    /// an answer.
    pub(super) fn new(address: SocketAddr, token: Option<&str>, timeout: Duration) -> Self {
        let authorization = token.map_or_else(String::new, |token| {
            format!("authorization: Bearer {token}\r\n")
        });
        Self {
            address,
            headers: format!("host: {address}\r\n{authorization}"),
            timeout,
            stream: None,
            buffer: Vec::new(),
        }
    }

    /// A client like this one, with a connection of its own and this timeout.
    pub(super) fn another(&self, timeout: Duration) -> Self {
        Self {
            address: self.address,
            headers: self.headers.clone(),
            timeout,
            stream: None,
            buffer: Vec::new(),
        }
    }

    /// Sends a request and waits for its answer: status and body. Where the
    /// kept connection turns out to have been closed, once more on a new one.
    pub(super) fn call(
        &mut self,
        method: &str,
        target: &str,
        body: &[u8],
    ) -> io::Result<(u16, Vec<u8>)> {
        let mut message = format!(
            "{method} {target} HTTP/1.1\r\n{}content-length: {}\r\n\r\n",
            self.headers,
            body.len()
        )
        .into_bytes();
        message.extend_from_slice(body);
        if let Some(stream) = self.stream.take() {
            match self.exchange(stream, &message) {
                Err(cause) if self.buffer.is_empty() && went_stale(&cause) => {}
                result => return result,
            }
        }
        let stream = TcpStream::connect_timeout(&self.address, self.timeout)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(self.timeout))?;
        stream.set_write_timeout(Some(self.timeout))?;
        self.exchange(stream, &message)
    }

    fn exchange(&mut self, mut stream: TcpStream, message: &[u8]) -> io::Result<(u16, Vec<u8>)> {
        self.buffer.clear();
        stream.write_all(message)?;
        let (status, head, body) = loop {
            if fill(&stream, &mut self.buffer)? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            if let Some(parsed) = parse_answer(&self.buffer)? {
                break parsed;
            }
        };
        while self.buffer.len() < head + body {
            if fill(&stream, &mut self.buffer)? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        let answer = self.buffer[head..head + body].to_vec();
        // Only a connection that behaved is kept.
        self.stream = Some(stream);
        Ok((status, answer))
    }
}

fn went_stale(cause: &io::Error) -> bool {
    matches!(
        cause.kind(),
        io::ErrorKind::UnexpectedEof
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::BrokenPipe
    )
}

/// Status, length of the head and of the body; none where the head is not whole.
fn parse_answer(buffer: &[u8]) -> io::Result<Option<(u16, usize, usize)>> {
    let wrong = |what: &str| io::Error::new(io::ErrorKind::InvalidData, what.to_owned());
    let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
    let mut parsed = httparse::Response::new(&mut headers);
    let head = match parsed.parse(buffer) {
        Ok(httparse::Status::Complete(head)) => head,
        Ok(httparse::Status::Partial) if buffer.len() <= HEAD_MAX => return Ok(None),
        _ => return Err(wrong("the answer is not HTTP")),
    };
    let status = parsed.code.unwrap_or(0);
    let body = match FramingFields::of(parsed.headers).response(RequestKind::Other, status) {
        Ok(Framing::Length(length)) => usize::try_from(length).ok(),
        _ => None,
    };
    let body = body
        .filter(|length| *length <= ANSWER_BODY_MAX)
        .ok_or_else(|| wrong("the answer states no length"))?;
    Ok(Some((status, head, body)))
}
