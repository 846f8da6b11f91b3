//! Where the body of an HTTP/1.1 message ends: one reading of RFC 9112, section 6.3.
//!
//! The generator, the proxy and the small client each parse heads in their own way
//! and ask here what follows one, so that no two of them see another message in the
//! same bytes. A decision takes the fields that frame, and what the message is; it
//! allocates nothing, and is told nothing of sockets.
//!
//! Responses are read as the RFC says. Requests are held to more: what the proxy
//! cannot be sure of, or would have to rewrite to pass on, it refuses, since two
//! readers who disagree over where a request ends are how one is smuggled.

pub(crate) use super::chunked::Damaged;
use super::chunked::{self, Chunks};

/// How the end of a body is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    /// After so many bytes.
    Length(u64),
    /// After the last chunk.
    Chunked,
    /// When the connection ends.
    UntilClose,
}

/// Why it cannot be known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FramingError {
    /// The content length is no number, or several different ones.
    #[error("content-length is not a number, or several that differ")]
    Length,
    /// A transfer coding that does not say where the request ends.
    #[error("the transfer coding does not say where the body ends; chunked does")]
    Coding,
    /// A request with a transfer coding and a content length.
    #[error("content-length and transfer-encoding contradict each other; send one of them")]
    Both,
}

/// What a response answers, as far as its body depends on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RequestKind {
    /// HEAD: the response has no body.
    Head,
    /// CONNECT: what follows a success is a tunnel.
    Connect,
    /// Any other method.
    Other,
}

impl From<&str> for RequestKind {
    fn from(method: &str) -> Self {
        match method {
            "HEAD" => Self::Head,
            "CONNECT" => Self::Connect,
            _ => Self::Other,
        }
    }
}

/// What a head says about the length of its body, gathered field by field.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct FramingFields {
    length: StatedLength,
    coding: Option<Coding>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum StatedLength {
    #[default]
    Unstated,
    One(u64),
    /// No number, or different ones.
    Wrong,
}

/// A list of transfer codings.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Coding {
    /// Whether the last one is `chunked`.
    last: bool,
    /// Whether an earlier one is.
    earlier: bool,
}

impl FramingFields {
    /// Those of a head.
    pub fn of(headers: &[httparse::Header<'_>]) -> Self {
        let mut fields = Self::default();
        for header in headers {
            fields.add(header.name, header.value);
        }
        fields
    }

    /// Takes a field, where it is one of those that frame; whether it is.
    pub fn add(&mut self, name: &str, value: &[u8]) -> bool {
        if name.eq_ignore_ascii_case("content-length") {
            self.add_lengths(value);
        } else if name.eq_ignore_ascii_case("transfer-encoding") {
            self.add_codings(value);
        } else {
            return false;
        }
        true
    }

    fn add_lengths(&mut self, value: &[u8]) {
        for item in items(value) {
            self.length = match (self.length, number(item)) {
                (StatedLength::Unstated, Some(length)) => StatedLength::One(length),
                (StatedLength::One(stated), Some(length)) if stated == length => continue,
                _ => StatedLength::Wrong,
            };
        }
    }

    fn add_codings(&mut self, value: &[u8]) {
        let coding = self.coding.get_or_insert_default();
        for item in items(value).filter(|item| !item.is_empty()) {
            coding.earlier |= coding.last;
            coding.last = item.eq_ignore_ascii_case(b"chunked");
        }
    }

    /// Whether both a transfer coding and a length are stated. The coding holds, and
    /// the connection is not used again (RFC 9112, section 6.1).
    pub fn contradict(&self) -> bool {
        self.coding.is_some() && self.length != StatedLength::Unstated
    }

    /// Where a response with this status ends.
    ///
    /// # Errors
    ///
    /// Where it depends on a length that is none.
    pub fn response(&self, to: RequestKind, status: u16) -> Result<Framing, FramingError> {
        let bodiless = match (to, status) {
            (_, 100..=199 | 204 | 304) | (RequestKind::Head, _) => true,
            (RequestKind::Connect, status) => matches!(status, 200..=299),
            (RequestKind::Other, _) => false,
        };
        match (self.coding, self.length) {
            _ if bodiless => Ok(Framing::Length(0)),
            (Some(Coding { last: true, .. }), _) => Ok(Framing::Chunked),
            (Some(_), _) | (None, StatedLength::Unstated) => Ok(Framing::UntilClose),
            (None, StatedLength::One(length)) => Ok(Framing::Length(length)),
            (None, StatedLength::Wrong) => Err(FramingError::Length),
        }
    }

    /// Where a request ends.
    ///
    /// # Errors
    ///
    /// Where that is not certain.
    pub fn request(&self) -> Result<Framing, FramingError> {
        const CHUNKED: Coding = Coding {
            last: true,
            earlier: false,
        };
        match (self.coding, self.length) {
            (Some(CHUNKED), StatedLength::Unstated) => Ok(Framing::Chunked),
            (Some(_), StatedLength::Unstated) => Err(FramingError::Coding),
            (Some(_), _) => Err(FramingError::Both),
            (None, StatedLength::Unstated) => Ok(Framing::Length(0)),
            (None, StatedLength::One(length)) => Ok(Framing::Length(length)),
            (None, StatedLength::Wrong) => Err(FramingError::Length),
        }
    }
}

/// The items of a comma-separated field.
pub(crate) fn items(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii)
}

/// Digits and nothing else, up to 64 bits.
fn number(item: &[u8]) -> Option<u64> {
    let digits = !item.is_empty() && item.iter().all(u8::is_ascii_digit);
    let text = str::from_utf8(item).ok().filter(|_| digits)?;
    text.parse().ok()
}

/// How far a body has been read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BodyReader {
    /// So many bytes are left.
    Length(u64),
    /// Chunks.
    Chunked(Chunks),
    /// The connection's end is the body's.
    UntilClose,
}

impl From<Framing> for BodyReader {
    fn from(framing: Framing) -> Self {
        match framing {
            Framing::Length(length) => Self::Length(length),
            Framing::Chunked => Self::Chunked(Chunks::new()),
            Framing::UntilClose => Self::UntilClose,
        }
    }
}

impl BodyReader {
    /// Whether the body is over; never before the connection, where that is its end.
    pub const fn finished(&self) -> bool {
        match self {
            Self::Length(left) => *left == 0,
            Self::Chunked(chunks) => chunks.finished(),
            Self::UntilClose => false,
        }
    }

    /// Reads on: how many of these bytes belong to the body. The data among them goes
    /// to `sink`, in pieces.
    ///
    /// # Errors
    ///
    /// Where they are not the chunks that they should be.
    pub fn feed(&mut self, bytes: &[u8], mut sink: impl FnMut(&[u8])) -> Result<usize, Damaged> {
        match self {
            Self::Length(left) => {
                let taken = chunked::take(left, bytes.len());
                sink(&bytes[..taken]);
                Ok(taken)
            }
            Self::Chunked(chunks) => chunks.feed(bytes, sink),
            Self::UntilClose => {
                sink(bytes);
                Ok(bytes.len())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(head: &[(&str, &str)]) -> FramingFields {
        let mut fields = FramingFields::default();
        for (name, value) in head {
            fields.add(name, value.as_bytes());
        }
        fields
    }

    #[test]
    fn a_field_is_taken_where_it_frames() {
        let mut fields = FramingFields::default();
        assert!(fields.add("CONTENT-length", b"1"));
        assert!(fields.add("Transfer-Encoding", b"chunked"));
        assert!(!fields.add("content-encoding", b"gzip"));
        assert!(fields.contradict());
    }

    // What all who read responses make of them: tests/live/framing.rs.

    #[test]
    fn a_request_is_certain_or_refused() {
        const CL: &str = "content-length";
        const TE: &str = "transfer-encoding";
        for (head, expected) in [
            // no field, no body (section 6.3, item 7)
            (&[][..], Ok(Framing::Length(0))),
            // a length (item 6), repeated (item 5)
            (&[(CL, "5")], Ok(Framing::Length(5))),
            (&[(CL, "5, 5")], Ok(Framing::Length(5))),
            (&[(CL, "5"), (CL, " 5 ")], Ok(Framing::Length(5))),
            (
                &[(CL, "18446744073709551615")],
                Ok(Framing::Length(u64::MAX)),
            ),
            // different ones, or no number (item 5)
            (&[(CL, "5, 6")], Err(FramingError::Length)),
            (
                &[(CL, "5"), (CL, "6"), (CL, "5")],
                Err(FramingError::Length),
            ),
            (&[(CL, "")], Err(FramingError::Length)),
            (&[(CL, "5,")], Err(FramingError::Length)),
            (&[(CL, "+5")], Err(FramingError::Length)),
            (&[(CL, "-1")], Err(FramingError::Length)),
            (&[(CL, "0x5")], Err(FramingError::Length)),
            (&[(CL, "5 5")], Err(FramingError::Length)),
            (&[(CL, "18446744073709551616")], Err(FramingError::Length)),
            // chunks (item 4), also after another coding
            (&[(TE, "Chunked")], Ok(Framing::Chunked)),
            (&[(TE, "gzip, chunked")], Ok(Framing::Chunked)),
            (&[(TE, "gzip"), (TE, "chunked")], Ok(Framing::Chunked)),
            // chunks that are not last, or twice (item 4, section 6.1)
            (&[(TE, "gzip")], Err(FramingError::Coding)),
            (&[(TE, "")], Err(FramingError::Coding)),
            (&[(TE, "chunked, gzip")], Err(FramingError::Coding)),
            (
                &[(TE, "chunked"), (TE, "identity")],
                Err(FramingError::Coding),
            ),
            (&[(TE, "chunked, chunked")], Err(FramingError::Coding)),
            (&[(TE, "xchunked")], Err(FramingError::Coding)),
            // both (item 3: "ought to be handled as an error")
            (&[(CL, "5"), (TE, "chunked")], Err(FramingError::Both)),
            (&[(TE, "chunked"), (CL, "x")], Err(FramingError::Both)),
        ] {
            assert_eq!(fields(head).request(), expected, "{head:?}");
        }
    }

    #[test]
    fn bodies_end_where_their_framing_says_however_they_come() {
        let chunked: &[u8] = b"5\r\nhello\r\nA;x=y\r\n0123456789\r\n0\r\na: b\r\n\r\nGET /";
        for (framing, used, data) in [
            (Framing::Length(7), 7, &b"5\r\nhell"[..]),
            (Framing::Chunked, chunked.len() - 5, b"hello0123456789"),
            (Framing::UntilClose, chunked.len(), chunked),
        ] {
            for size in 1..=chunked.len() {
                let mut body = BodyReader::from(framing);
                let (mut taken, mut kept) = (0, Vec::new());
                for piece in chunked.chunks(size) {
                    taken += body
                        .feed(piece, |data| kept.extend_from_slice(data))
                        .unwrap();
                }
                assert_eq!((taken, kept.as_slice()), (used, data), "{framing:?} {size}");
                assert_eq!(body.finished(), framing != Framing::UntilClose);
            }
        }
    }
}
