//! What is kept of a response that is looked into: its fields and its body.

use std::borrow::Cow;
use std::io::Read;

use flate2::read::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};

use crate::bounds::CHECKED_BODY;

/// What was kept of a response, to be judged or captured from.
#[derive(Debug, Clone, Default)]
pub struct Content {
    /// Its header fields, as names and values.
    pub headers: Vec<(Vec<u8>, Vec<u8>)>,
    /// Its body, as far as it was kept: a mebibyte at most.
    pub body: Vec<u8>,
    /// Whether there was more of the body than was kept.
    pub cut: bool,
}

/// Bytes of a body that are kept at most, before and after it is decoded.
const BODY_MAX: usize = CHECKED_BODY.length_max();

/// Why a body cannot be looked into.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unreadable {
    /// It is longer than what is kept of one.
    TooLong,
    /// Its content coding is none that can be decoded, or it is damaged.
    Coding,
}

impl Content {
    /// Keeps more of the body.
    pub fn add(&mut self, bytes: &[u8]) {
        let room = BODY_MAX - self.body.len();
        self.cut |= bytes.len() > room;
        self.body.extend_from_slice(&bytes[..bytes.len().min(room)]);
    }

    /// The value of the first header field of this name.
    pub fn header<'a>(&'a self, name: &'a str) -> Option<&'a [u8]> {
        self.all(name).next()
    }

    /// The values of all header fields of this name.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a [u8]> {
        let headers = self.headers.iter();
        let own = headers.filter(|(given, _)| given.eq_ignore_ascii_case(name.as_bytes()));
        own.map(|(_, value)| value.as_slice())
    }

    /// The body with its content codings taken off (RFC 9110, section 8.4).
    ///
    /// # Errors
    ///
    /// Where it is too long, or coded in a way that is not known.
    pub fn decoded(&self) -> Result<Cow<'_, [u8]>, Unreadable> {
        if self.cut {
            return Err(Unreadable::TooLong);
        }
        let codings: Vec<&[u8]> = self
            .all("content-encoding")
            .flat_map(|value| value.split(|byte| *byte == b','))
            .map(<[u8]>::trim_ascii)
            .filter(|coding| !coding.is_empty() && !coding.eq_ignore_ascii_case(b"identity"))
            .collect();
        let mut body = Cow::Borrowed(self.body.as_slice());
        // The last one was put on last.
        for coding in codings.into_iter().rev() {
            body = Cow::Owned(decode(coding, &body)?);
        }
        Ok(body)
    }

    /// What it looked like, beginning with its status where that is not as expected.
    pub fn seen(&self, status: Option<u16>) -> Vec<u8> {
        let status = status.map(|status| format!("status {status}").into_bytes());
        let server = self.header("server");
        let server = server.map(|server| [b"server: ", server].concat());
        let mut seen = Vec::new();
        for part in status.into_iter().chain(server) {
            seen.extend(part);
            seen.extend(b"; ");
        }
        seen.extend(self.decoded().as_deref().unwrap_or(&self.body));
        seen
    }
}

fn decode(coding: &[u8], body: &[u8]) -> Result<Vec<u8>, Unreadable> {
    match coding.to_ascii_lowercase().as_slice() {
        b"gzip" | b"x-gzip" => bounded(MultiGzDecoder::new(body)),
        // RFC 9110, section 8.4.1.2: with zlib's frame, and some servers send it bare.
        b"deflate" => bounded(ZlibDecoder::new(body)).or_else(|cause| match cause {
            Unreadable::Coding => bounded(DeflateDecoder::new(body)),
            Unreadable::TooLong => Err(cause),
        }),
        _ => Err(Unreadable::Coding),
    }
}

fn bounded(reader: impl Read) -> Result<Vec<u8>, Unreadable> {
    let mut decoded = Vec::new();
    let read = reader.take(BODY_MAX as u64 + 1).read_to_end(&mut decoded);
    read.map_err(|_| Unreadable::Coding)?;
    if decoded.len() > BODY_MAX {
        return Err(Unreadable::TooLong);
    }
    Ok(decoded)
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use flate2::Compression;
    use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};

    use super::*;

    const TEXT: &[u8] = br#"{"token": "abc", "state": "ready"}"#;

    fn content(coding: &str, body: Vec<u8>) -> Content {
        Content {
            headers: vec![(b"Content-Encoding".to_vec(), coding.into())],
            body,
            cut: false,
        }
    }

    fn gzip(text: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn codings_are_taken_off_in_their_order() {
        let mut zlib = ZlibEncoder::new(Vec::new(), Compression::fast());
        zlib.write_all(TEXT).unwrap();
        let mut bare = DeflateEncoder::new(Vec::new(), Compression::fast());
        bare.write_all(TEXT).unwrap();
        for (coding, body) in [
            ("gzip", gzip(TEXT)),
            ("X-GZIP", gzip(TEXT)),
            ("deflate", zlib.finish().unwrap()),
            ("deflate", bare.finish().unwrap()),
            ("gzip, gzip", gzip(&gzip(TEXT))),
            ("identity", TEXT.to_vec()),
            ("", TEXT.to_vec()),
        ] {
            let content = content(coding, body);
            assert_eq!(content.decoded().as_deref(), Ok(TEXT), "{coding}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_told_apart() {
        let zeros = gzip(&vec![0; BODY_MAX + 1]);
        for (coding, body, expected) in [
            ("br", TEXT.to_vec(), Unreadable::Coding),
            ("gzip", TEXT.to_vec(), Unreadable::Coding),
            ("deflate", vec![0xff; 9], Unreadable::Coding),
            ("gzip", zeros, Unreadable::TooLong),
        ] {
            assert_eq!(content(coding, body).decoded(), Err(expected), "{coding}");
        }
    }

    #[test]
    fn a_body_is_kept_up_to_its_bound() {
        let mut content = Content::default();
        content.add(&vec![b'x'; BODY_MAX - 1]);
        content.add(b"yz");
        assert_eq!((content.body.len(), content.cut), (BODY_MAX, true));
        assert_eq!(content.decoded(), Err(Unreadable::TooLong));
    }
}
