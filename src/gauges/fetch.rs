//! One GET, bounded in everything, over a socket of the standard library.
//!
//! Blocking and plain on purpose: a reading has a thread and a deadline of its
//! own, and a client that does more (redirects, proxies, compression, pools)
//! would be more to bound. A redirect is a failure: the address that was checked
//! is the only one that is spoken to. The path and what stands before the host
//! may be secret, so no cause quotes them; and causes hold no figure that varies,
//! so that the same failure is counted as one.

use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::str;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

use crate::clock::Clock;
use crate::model::GaugeUrl;
use crate::units::Nanos;

/// The longest page that is read; a large server's has some hundred kilobytes.
const BODY_MAX: usize = 8 * 1024 * 1024;
/// The longest head.
const HEAD_MAX: usize = 64 * 1024;
/// Header fields at most.
const FIELDS_MAX: usize = 100;
/// What framing may add to a body, chunk by chunk.
const FRAMED_MAX: usize = 2 * BODY_MAX + HEAD_MAX;
/// Bytes read at a time.
const PIECE: usize = 16 * 1024;

/// The body of the page at `url`, asked of `address` within `limit`.
///
/// # Errors
///
/// The cause, in a clause that follows "failed to read the page: ".
pub fn fetch(url: &GaugeUrl, address: SocketAddr, limit: Nanos) -> Result<Vec<u8>, String> {
    let deadline = Deadline {
        clock: Clock::start(),
        limit,
    };
    let mut stream = TcpStream::connect_timeout(
        &address,
        deadline.left().map_err(|cause| word(&cause))?.to_duration(),
    )
    .map_err(|cause| word(&cause))?;
    converse(&mut stream, url, &deadline)
}

struct Deadline {
    clock: Clock,
    limit: Nanos,
}

impl Deadline {
    /// Time left: some, or the error of a socket that ran out of it.
    fn left(&self) -> io::Result<Nanos> {
        match self.limit.saturating_sub(self.clock.now()) {
            Nanos::ZERO => Err(io::ErrorKind::TimedOut.into()),
            left => Ok(left),
        }
    }
}

/// What went wrong with a socket, in words that do not vary.
fn word(cause: &io::Error) -> String {
    match cause.kind() {
        io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock => "no answer in time".into(),
        io::ErrorKind::ConnectionRefused => "the connection was refused".into(),
        io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe => {
            "the connection was reset".into()
        }
        _ => cause.to_string(),
    }
}

fn converse(
    stream: &mut TcpStream,
    url: &GaugeUrl,
    deadline: &Deadline,
) -> Result<Vec<u8>, String> {
    let authorization = url.user().map_or_else(String::new, |user| {
        format!("authorization: Basic {}\r\n", BASE64_STANDARD.encode(user))
    });
    let request = format!(
        "GET {} HTTP/1.1\r\nhost: {}\r\nuser-agent: threadbare\r\naccept: text/plain, */*\r\n\
         {authorization}connection: close\r\n\r\n",
        url.target(),
        url.authority()
    );
    let send = |stream: &mut TcpStream| {
        stream.set_write_timeout(Some(deadline.left()?.to_duration()))?;
        stream.write_all(request.as_bytes())
    };
    send(stream).map_err(|cause| word(&cause))?;
    let mut bytes = Vec::new();
    let (head, body) = loop {
        if let Some(head) = head(&bytes)? {
            break head;
        }
        if bytes.len() > HEAD_MAX {
            return Err("the head of the answer is longer than 64 kB".into());
        }
        if fill(stream, &mut bytes, deadline)? == 0 {
            return Err(if bytes.is_empty() {
                "the connection was closed without an answer".into()
            } else {
                "the connection was closed within the head of the answer".into()
            });
        }
    };
    bytes.drain(..head);
    match body {
        Body::Length(length) if length > BODY_MAX => Err(too_long()),
        Body::Length(length) => {
            while bytes.len() < length {
                if fill(stream, &mut bytes, deadline)? == 0 {
                    return Err(torn());
                }
            }
            bytes.truncate(length);
            Ok(bytes)
        }
        Body::UntilClosed => {
            while fill(stream, &mut bytes, deadline)? > 0 {
                if bytes.len() > BODY_MAX {
                    return Err(too_long());
                }
            }
            Ok(bytes)
        }
        Body::Chunked => chunked(stream, bytes, deadline),
    }
}

fn too_long() -> String {
    "the page is longer than 8 MB; name a smaller one".into()
}

fn torn() -> String {
    "the connection was closed within the page".into()
}

/// Reads what is there, or waits for it: how many bytes, zero at the end.
fn fill(stream: &mut TcpStream, into: &mut Vec<u8>, deadline: &Deadline) -> Result<usize, String> {
    let mut piece = [0; PIECE];
    let mut read = || {
        stream.set_read_timeout(Some(deadline.left()?.to_duration()))?;
        stream.read(&mut piece)
    };
    let length = loop {
        match read() {
            Err(cause) if cause.kind() == io::ErrorKind::Interrupted => {}
            told => break told.map_err(|cause| word(&cause))?,
        }
    };
    into.extend_from_slice(&piece[..length]);
    Ok(length)
}

/// Where a body ends.
#[derive(Debug, PartialEq, Eq)]
enum Body {
    Length(usize),
    Chunked,
    UntilClosed,
}

/// The length of the head and how the body is framed; none while it is not whole.
fn head(bytes: &[u8]) -> Result<Option<(usize, Body)>, String> {
    let mut fields = [httparse::EMPTY_HEADER; FIELDS_MAX];
    let mut response = httparse::Response::new(&mut fields);
    let length = match response.parse(bytes) {
        Ok(httparse::Status::Complete(length)) => length,
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(_) => return Err("the answer is not HTTP".into()),
    };
    match response.code.unwrap_or_default() {
        200 => {}
        status @ (401 | 403) => {
            return Err(format!(
                "it was answered with status {status}: is a secret missing?"
            ));
        }
        status @ 300..=399 => {
            return Err(format!(
                "it was answered with status {status}, and no redirect is followed"
            ));
        }
        status => return Err(format!("it was answered with status {status}")),
    }
    let field = |name: &str| {
        let mut fields = response.headers.iter();
        let found = fields.find(|field| field.name.eq_ignore_ascii_case(name));
        found.and_then(|field| str::from_utf8(field.value).ok())
    };
    if field("content-encoding").is_some_and(|coding| !coding.eq_ignore_ascii_case("identity")) {
        return Err("the page is compressed, though that was not asked for".into());
    }
    let body = match (field("transfer-encoding"), field("content-length")) {
        (Some(coding), _) if coding.trim().eq_ignore_ascii_case("chunked") => Body::Chunked,
        (Some(_), _) => return Err("the page has an unknown transfer coding".into()),
        (None, Some(length)) => Body::Length(
            length
                .trim()
                .parse()
                .map_err(|_| "the length of the page is no number")?,
        ),
        (None, None) => Body::UntilClosed,
    };
    Ok(Some((length, body)))
}

/// The body of chunks (RFC 9112, section 7.1); trailers are passed over.
fn chunked(
    stream: &mut TcpStream,
    mut bytes: Vec<u8>,
    deadline: &Deadline,
) -> Result<Vec<u8>, String> {
    let mut body = Vec::new();
    let mut at = 0;
    loop {
        // The next chunk begins at `at`: its size, its bytes, its line end.
        let sized = httparse::parse_chunk_size(&bytes[at..])
            .map_err(|_| "a chunk of the page has no size")?;
        let whole = match sized {
            httparse::Status::Complete((_, 0)) => return Ok(body),
            httparse::Status::Complete((begin, size)) => {
                let size = usize::try_from(size).unwrap_or(usize::MAX);
                if size > BODY_MAX - body.len().min(BODY_MAX) {
                    return Err(too_long());
                }
                Some((at + begin, at + begin + size))
            }
            httparse::Status::Partial => None,
        };
        match whole {
            Some((from, to)) if bytes.len() >= to + 2 => {
                body.extend_from_slice(&bytes[from..to]);
                at = to + 2;
            }
            _ if bytes.len() > FRAMED_MAX => return Err(too_long()),
            _ if fill(stream, &mut bytes, deadline)? == 0 => return Err(torn()),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads_say_where_bodies_end() {
        let read = |text: &str| head(text.as_bytes());
        let length = read("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc").unwrap();
        assert_eq!(length, Some((38, Body::Length(3))));
        let chunked = read("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n").unwrap();
        assert_eq!(chunked.unwrap().1, Body::Chunked);
        let open = read("HTTP/1.0 200 OK\r\n\r\n").unwrap();
        assert_eq!(open.unwrap().1, Body::UntilClosed);
        assert_eq!(read("HTTP/1.1 200 OK\r\nContent-Le"), Ok(None));
        for (text, told) in [
            ("SSH-2.0-OpenSSH_9.2\r\n", "the answer is not HTTP"),
            (
                "HTTP/1.1 404 Not Found\r\n\r\n",
                "it was answered with status 404",
            ),
            (
                "HTTP/1.1 302 Found\r\nlocation: http://a/\r\n\r\n",
                "it was answered with status 302, and no redirect",
            ),
            (
                "HTTP/1.1 401 No\r\n\r\n",
                "it was answered with status 401: is a secret missing?",
            ),
            (
                "HTTP/1.1 200 OK\r\ncontent-length: x\r\n\r\n",
                "the length of the page is no number",
            ),
            (
                "HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\n\r\n",
                "the page is compressed",
            ),
        ] {
            assert!(read(text).unwrap_err().starts_with(told), "{text}");
        }
    }
}
