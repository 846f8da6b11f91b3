//! What a server says of a request or of its end, in words.

use super::fields::Fields;
use super::frame;
use crate::units::Nanos;

use super::super::codec::{Response, delay};

use crate::model::{Content, FailureCause};

/// What a server made of a request.
#[derive(Debug)]
pub(in super::super) enum StreamEnd {
    /// None yet: the first of the answer has come, and there is more.
    Began,
    /// A whole response.
    Response {
        /// Its status and what it asks for.
        response: Response,
        /// What was kept of it, where anything was.
        content: Option<Box<Content>>,
        /// How it looks, where it may be a failure.
        seen: Vec<u8>,
    },
    /// Nothing, and it says so: the request may be made again. With why.
    Refused(String),
    /// It broke off. With why.
    Reset(String),
    /// What is no answer.
    Failed {
        /// Why it is none.
        cause: FailureCause,
        /// How it looks, as far as it came.
        seen: Vec<u8>,
    },
}

/// Bytes of a server's last words that are shown.
const FAREWELL_MAX: usize = 128;

/// What a server said when it ended something: the frame, the error by its name in
/// RFC 9113, section 7, and its own words.
pub(super) fn said(frame: &str, code: u32, words: &[u8]) -> String {
    let name = usize::try_from(code).ok();
    let name = name.and_then(|code| frame::ERRORS.get(code).copied());
    let words = String::from_utf8_lossy(&words[..words.len().min(FAREWELL_MAX)]);
    let colon = if words.is_empty() { "" } else { ": " };
    format!(
        "{frame} {} ({code}){colon}{words}",
        name.unwrap_or("unknown error")
    )
}

/// How the head of a response looks, as HTTP/1.1 would write it.
pub(super) fn looks(status: u16, block: &[u8]) -> Vec<u8> {
    let mut fields = Vec::new();
    let _ = Fields::new(block).keep(&mut fields);
    let mut head = format!("HTTP/2 {status}\r\n").into_bytes();
    for (name, value) in fields {
        head.extend([name.as_slice(), b": ", &value, b"\r\n"].concat());
    }
    head.extend(b"\r\n");
    head
}

/// The delay that a response asks for. Only of those that anybody retries:
/// the fields of the others are not worth decoding.
pub(super) fn retry_after(status: u16, block: &[u8]) -> Option<Nanos> {
    if status != 429 && status < 500 {
        return None;
    }
    let mut fields = Vec::new();
    Fields::new(block).keep(&mut fields).ok()?;
    let (_, value) = fields
        .iter()
        .rev()
        .find(|(name, _)| name == b"retry-after")?;
    delay(value)
}
