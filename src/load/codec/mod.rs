//! Reads HTTP/1.1 responses from bytes as they come, and keeps nothing of them.
//!
//! It is told bytes and says when a response is whole (RFC 9112); sockets are
//! none of its business. A client library was the obvious way and is not
//! taken: it costs a third of what a request may cost, and hides the instants
//! that are measured. Bodies are counted off and dropped, but for those that
//! somebody looks into. Whatever comes, the answer is a response, a wish for more, or
//! an error; never a panic.

use crate::model::{Content, FailureCause};
use crate::net::framing::{BodyReader, Framing, FramingFields, RequestKind, items};
use crate::net::head::{self, HEAD_MAX, INTERIM_MAX};
use crate::units::Nanos;

/// Bytes of a response that are kept to be shown where it may be a failure.
const SEEN_MAX: usize = 512;

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

/// The result of some bytes.
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
    /// How a response begins that may be a failure, to be shown.
    seen: Vec<u8>,
}

impl Default for ResponseReader {
    fn default() -> Self {
        Self::new()
    }
}

impl ResponseReader {
    /// A reader that is ready for a response to anything but HEAD.
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
            seen: Vec::new(),
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
        self.seen.clear();
    }

    /// Gives up what was seen of a response that may be a failure.
    pub(super) fn seen(&mut self, into: &mut Vec<u8>) {
        into.clear();
        self.copy_seen(into);
    }

    /// Adds what was seen of the response to `into`.
    pub(super) fn copy_seen(&self, into: &mut Vec<u8>) {
        into.extend_from_slice(&self.seen);
        if matches!(self.state, ReadingState::Head) {
            into.extend_from_slice(&self.head[..self.head.len().min(SEEN_MAX)]);
        }
    }

    /// What a client whose time is over waits for.
    pub(super) const fn waits_for(&self) -> FailureCause {
        match self.state {
            ReadingState::Head if !self.started => FailureCause::NoAnswer,
            ReadingState::Body(BodyReader::UntilClose) => FailureCause::AnswerEndless,
            ReadingState::Head | ReadingState::Body(_) => FailureCause::AnswerUnfinished,
        }
    }

    /// What was kept of the response.
    pub(super) fn take_content(&mut self) -> Option<Box<Content>> {
        self.content.take()
    }

    /// Whether any byte of the response has come.
    pub const fn started(&self) -> bool {
        self.started
    }

    /// Reads on. After a complete response or an error it needs [`ResponseReader::begin`].
    ///
    /// # Errors
    ///
    /// Where the bytes are no response.
    pub fn feed(&mut self, bytes: &[u8]) -> Result<Progress, FailureCause> {
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
                    let (content, seen) = (&mut self.content, &mut self.seen);
                    let taken = body.feed(rest, |data| {
                        if let Some(content) = content {
                            content.add(data);
                        }
                        if !seen.is_empty() {
                            see(seen, data);
                        }
                    });
                    used += taken.map_err(|_| FailureCause::BadChunk)?;
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
    pub fn finish(&self) -> Result<Response, FailureCause> {
        match self.state {
            ReadingState::Body(BodyReader::UntilClose) => Ok(self.response),
            ReadingState::Head if !self.head.is_empty() => {
                parse_head(&self.head, None)?;
                Err(FailureCause::Truncated)
            }
            _ => Err(FailureCause::Truncated),
        }
    }

    /// Reads a head: bytes of `bytes` that belonged to it, or none while it is not whole.
    fn read_head(&mut self, bytes: &[u8]) -> Result<Option<usize>, FailureCause> {
        let before = self.head.len();
        let piece = &bytes[..bytes.len().min(HEAD_MAX - before)];
        let mut kept = std::mem::take(&mut self.head);
        let content = self.content.as_deref_mut();
        let parsed = if before == 0 {
            parse_head(piece, content)
        } else {
            kept.extend_from_slice(piece);
            // Parsed again only where it may be whole: a head that drips in would
            // take time with the square of its length.
            if blank_line(&kept[before.saturating_sub(BLANK_LINE_MAX)..]) {
                parse_head(&kept, content)
            } else {
                Ok(None)
            }
        };
        let parsed = match parsed {
            Ok(None) if before + piece.len() == HEAD_MAX => Err(FailureCause::HeadTooLarge),
            parsed => parsed,
        };
        let whole = parsed.inspect_err(|_| {
            // From its beginning: what stands in the middle may be a secret.
            see(&mut self.seen, if before == 0 { piece } else { &kept });
        })?;
        let Some((length, head)) = whole else {
            if before == 0 {
                kept.extend_from_slice(piece);
            }
            self.head = kept;
            return Ok(None);
        };
        let all = if before == 0 { piece } else { &kept };
        let entered = self.enter_body(&head, &all[..length]);
        kept.clear();
        self.head = kept;
        entered?;
        Ok(Some(length - before))
    }

    /// Decides where the body ends (RFC 9112, section 6.3).
    fn enter_body(&mut self, head: &Head, bytes: &[u8]) -> Result<(), FailureCause> {
        self.response = Response {
            status: head.status,
            keep_alive: head.keep_alive,
            retry_after: head.retry_after,
        };
        self.state = match head.status {
            101 => {
                see(&mut self.seen, bytes);
                return Err(FailureCause::Upgraded);
            }
            100..=199 => {
                self.interim += 1;
                if self.interim > INTERIM_MAX {
                    return Err(FailureCause::InterimFlood);
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
                let framing = framing.map_err(|_| FailureCause::BadLength);
                if head.status >= 300
                    || !matches!(framing, Ok(Framing::Length(_) | Framing::Chunked))
                {
                    see(&mut self.seen, bytes);
                }
                let body = BodyReader::from(framing?);
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

/// The longest end of a line and an empty line after it.
const BLANK_LINE_MAX: usize = 4;

/// Whether a head may end in these bytes.
fn blank_line(bytes: &[u8]) -> bool {
    let mut ends = bytes.windows(2).enumerate();
    ends.any(|(at, pair)| match pair {
        b"\n\n" => true,
        b"\n\r" => bytes.get(at + 2) == Some(&b'\n'),
        _ => false,
    })
}

/// Parses a head: its length and what it says; none while it is not whole. Its
/// fields go to `content`, where they are kept.
fn parse_head(
    bytes: &[u8],
    content: Option<&mut Content>,
) -> Result<Option<(usize, Head)>, FailureCause> {
    head::read(bytes, |length, response| {
        read_fields(length, response, content)
    })
}

/// What a head of this length says.
fn read_fields(
    length: usize,
    response: &httparse::Response<'_, '_>,
    content: Option<&mut Content>,
) -> Result<(usize, Head), FailureCause> {
    let (Some(status), Some(version)) = (response.code, response.version) else {
        return Err(FailureCause::NotHttp);
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
    for field in response.headers.iter() {
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
    Ok((length, head))
}

/// Keeps more of what is seen, as far as it is shown.
pub(super) fn see(seen: &mut Vec<u8>, bytes: &[u8]) {
    let room = SEEN_MAX.saturating_sub(seen.len());
    seen.extend_from_slice(&bytes[..bytes.len().min(room)]);
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
