//! Reads HTTP/1.1 responses from bytes as they come, and keeps nothing of them.
//!
//! It is told bytes and says when a response is whole (RFC 9112); sockets are
//! none of its business. A client library was the obvious way and is not
//! taken: it costs a third of what a request may cost, and hides the instants
//! that are measured. Bodies are counted off and dropped, but for those that
//! somebody looks into. Whatever comes, the answer is a response, a wish for more, or
//! an error; never a panic.

use std::mem::MaybeUninit;

use crate::model::Content;
use crate::net::framing::{BodyReader, FramingFields, RequestKind, items};
use crate::units::Nanos;

/// Bytes of a response's head at most; the common servers send at most 8 KiB.
const HEAD_MAX: usize = 16 * 1024;
/// Header fields of a response at most.
const FIELDS_MAX: usize = 100;
/// Interim (1xx) responses before the real one at most.
const INTERIM_MAX: u8 = 16;

/// Why bytes are not a response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Broken {
    /// The head is not HTTP/1.
    Head,
    /// The head is longer, or has more fields, than anybody needs.
    HeadTooLarge,
    /// The content length is no number, or two numbers.
    Length,
    /// The chunked coding is damaged.
    Chunk,
    /// The server switches to a protocol that nobody asked for.
    Upgrade,
    /// More interim responses than anybody needs.
    Interim,
    /// The connection ended before the response did.
    Truncated,
    /// A frame of HTTP/2 is not what or where it may be.
    Frame,
    /// The header fields of HTTP/2 cannot be read, or have no status.
    Fields,
}

/// A whole response, as far as anybody cares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Response {
    /// Its status code.
    pub status: u16,
    /// Whether the server keeps the connection for another request.
    pub keep_alive: bool,
    /// How long the server asks to be left alone (RFC 9110, section 10.2.3),
    /// where it says so in seconds. A date is passed over: it would have to be
    /// held against a clock that need not be the server's.
    pub retry_after: Option<Nanos>,
}

/// What came of some bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// They are all used, and the response is not whole.
    Incomplete,
    /// The response is whole after the first `used` of them.
    Complete {
        /// The response.
        response: Response,
        /// Bytes that belonged to it; what follows was not asked for.
        used: usize,
    },
}

#[derive(Debug)]
enum ReadingState {
    Head,
    Body(BodyReader),
}

/// Reads one response after the other.
#[derive(Debug)]
pub struct ResponseReader {
    state: ReadingState,
    /// A head that came in pieces; empty where it came in one, which is the rule.
    head: Vec<u8>,
    response: Response,
    to_head: bool,
    interim: u8,
    started: bool,
    /// What is kept of the response, where anything is.
    content: Option<Box<Content>>,
}

impl Default for ResponseReader {
    fn default() -> Self {
        Self::new()
    }
}

impl ResponseReader {
    /// A reader that is ready for a response to anything but HEAD.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            state: ReadingState::Head,
            head: Vec::new(),
            response: Response {
                status: 0,
                keep_alive: false,
                retry_after: None,
            },
            to_head: false,
            interim: 0,
            started: false,
            content: None,
        }
    }

    /// Gets ready for the response to a new request; `to_head`: to a HEAD,
    /// which has no body; `keep`: it is kept.
    pub fn begin(&mut self, to_head: bool, keep: bool) {
        self.state = ReadingState::Head;
        self.head.clear();
        self.to_head = to_head;
        self.interim = 0;
        self.started = false;
        self.content = keep.then(Box::default);
    }

    /// What was kept of the response.
    pub(super) fn take_content(&mut self) -> Option<Box<Content>> {
        self.content.take()
    }

    /// Whether any byte of the response has come.
    #[must_use]
    pub const fn started(&self) -> bool {
        self.started
    }

    /// Reads on. After a complete response or an error it needs [`ResponseReader::begin`].
    ///
    /// # Errors
    ///
    /// Where the bytes are no response.
    pub fn feed(&mut self, bytes: &[u8]) -> Result<Progress, Broken> {
        self.started |= !bytes.is_empty();
        let mut used = 0;
        loop {
            let rest = &bytes[used..];
            match &mut self.state {
                ReadingState::Head => match self.read_head(rest)? {
                    None => return Ok(Progress::Incomplete),
                    Some(taken) => used += taken,
                },
                ReadingState::Body(body) => {
                    let content = &mut self.content;
                    let taken = body.feed(rest, |data| {
                        if let Some(content) = content {
                            content.add(data);
                        }
                    });
                    used += taken.map_err(|_| Broken::Chunk)?;
                    let complete = body.finished();
                    return Ok(self.progress(complete, used));
                }
            }
        }
    }

    const fn progress(&self, complete: bool, used: usize) -> Progress {
        if complete {
            let response = self.response;
            return Progress::Complete { response, used };
        }
        Progress::Incomplete
    }

    /// The connection has ended: the response, where its end is the connection's.
    ///
    /// # Errors
    ///
    /// Where the response was not whole.
    pub const fn finish(&self) -> Result<Response, Broken> {
        match self.state {
            ReadingState::Body(BodyReader::UntilClose) => Ok(self.response),
            _ => Err(Broken::Truncated),
        }
    }

    /// Reads a head: bytes of `bytes` that belonged to it, or none while it is not whole.
    fn read_head(&mut self, bytes: &[u8]) -> Result<Option<usize>, Broken> {
        let before = self.head.len();
        let piece = &bytes[..bytes.len().min(HEAD_MAX - before)];
        let mut kept = std::mem::take(&mut self.head);
        let content = self.content.as_deref_mut();
        let whole = if kept.is_empty() {
            parse_head(piece, content)?
        } else {
            kept.extend_from_slice(piece);
            parse_head(&kept, content)?
        };
        let Some((length, head)) = whole else {
            if before + piece.len() == HEAD_MAX {
                return Err(Broken::HeadTooLarge);
            }
            if before == 0 {
                kept.extend_from_slice(piece);
            }
            self.head = kept;
            return Ok(None);
        };
        kept.clear();
        self.head = kept;
        self.enter_body(&head)?;
        Ok(Some(length - before))
    }

    /// Decides where the body ends (RFC 9112, section 6.3).
    fn enter_body(&mut self, head: &Head) -> Result<(), Broken> {
        self.response = Response {
            status: head.status,
            keep_alive: head.keep_alive,
            retry_after: head.retry_after,
        };
        self.state = match head.status {
            101 => return Err(Broken::Upgrade),
            100..=199 => {
                self.interim += 1;
                if self.interim > INTERIM_MAX {
                    return Err(Broken::Interim);
                }
                ReadingState::Head
            }
            _ => {
                let to = if self.to_head {
                    RequestKind::Head
                } else {
                    RequestKind::Other
                };
                let framing = head.framing.response(to, head.status);
                let body = BodyReader::from(framing.map_err(|_| Broken::Length)?);
                // After either of these nobody knows where the next response begins.
                if body == BodyReader::UntilClose || head.framing.contradict() {
                    self.response.keep_alive = false;
                }
                ReadingState::Body(body)
            }
        };
        Ok(())
    }
}

/// What a head says.
struct Head {
    status: u16,
    keep_alive: bool,
    retry_after: Option<Nanos>,
    framing: FramingFields,
}

/// Parses a head: its length and what it says; none while it is not whole. Its
/// fields go to `content`, where they are kept.
fn parse_head(
    bytes: &[u8],
    content: Option<&mut Content>,
) -> Result<Option<(usize, Head)>, Broken> {
    // Not filled beforehand: that would cost as much as the parsing itself.
    let mut fields = [const { MaybeUninit::uninit() }; FIELDS_MAX];
    let mut response = httparse::Response::new(&mut []);
    let parser = httparse::ParserConfig::default();
    let parsed = parser.parse_response_with_uninit_headers(&mut response, bytes, &mut fields);
    let length = match parsed {
        Ok(httparse::Status::Complete(length)) => length,
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(httparse::Error::TooManyHeaders) => return Err(Broken::HeadTooLarge),
        Err(_) => return Err(Broken::Head),
    };
    let (Some(status), Some(version)) = (response.code, response.version) else {
        return Err(Broken::Head);
    };
    if let Some(content) = content {
        // In the place of an interim response's.
        let fields = response.headers.iter();
        content.headers = fields
            .map(|field| (field.name.as_bytes().to_vec(), field.value.to_vec()))
            .collect();
    }
    let mut keep_alive = version == 1;
    let mut retry_after = None;
    let mut framing = FramingFields::default();
    for field in response.headers {
        if framing.add(field.name, field.value) {
            continue;
        }
        if field.name.eq_ignore_ascii_case("connection") {
            for item in items(field.value) {
                if item.eq_ignore_ascii_case(b"close") {
                    keep_alive = false;
                } else if item.eq_ignore_ascii_case(b"keep-alive") {
                    keep_alive = true;
                }
            }
        } else if field.name.eq_ignore_ascii_case("retry-after") {
            retry_after = delay(field.value);
        }
    }
    let head = Head {
        status,
        keep_alive,
        retry_after,
        framing,
    };
    Ok(Some((length, head)))
}

/// A delay in whole seconds; none where it is anything else, such as a date.
pub(super) fn delay(value: &[u8]) -> Option<Nanos> {
    let digits = value.trim_ascii();
    let whole = !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
    let text = std::str::from_utf8(digits).ok().filter(|_| whole)?;
    // More than fits is for ever, either way.
    let seconds = text.parse::<u64>().unwrap_or(u64::MAX);
    Some(Nanos(seconds.saturating_mul(Nanos::from_secs(1).0)))
}

#[cfg(test)]
mod tests;
