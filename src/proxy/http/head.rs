//! Heads of requests and answers: how long they are, what follows them, and how
//! they are edited. Lines that are not edited stay as they came.

use httparse::{EMPTY_HEADER, Header, Status};

use crate::model::FailureCause;
use crate::model::fault::RequestView;
use crate::net::framing::{BodyReader, Damaged, FramingError, FramingFields, RequestKind, items};
use crate::net::head::read;

/// Headers of a request's head at most; servers allow about as many.
const HEADERS_MAX: usize = 128;

/// It is not HTTP: a head that cannot be read, or a body that is not framed as its
/// head says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Malformed;

impl From<Damaged> for Malformed {
    fn from(_: Damaged) -> Self {
        Self
    }
}

impl From<FramingError> for Malformed {
    fn from(_: FramingError) -> Self {
        Self
    }
}

/// What is known of a request once its head is complete.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct RequestHead {
    /// Bytes of the head.
    pub length: usize,
    /// What follows it.
    pub body: BodyReader,
    /// What it asks for, as far as the answer's body depends on it.
    pub kind: RequestKind,
    /// Whether nothing follows it on this connection where the proxy answers it
    /// itself: the client closes after it, or waits for a word before it sends the
    /// body, and may or may not send it then.
    pub last: bool,
}

/// What is known of an answer once its head is complete.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct AnswerHead {
    /// Bytes of the head.
    pub length: usize,
    /// Its status.
    pub status: u16,
    /// What follows it.
    pub body: BodyReader,
}

/// Reads a request's head; none while it is not complete.
pub(super) fn request(bytes: &[u8]) -> Result<Option<RequestHead>, Malformed> {
    let mut headers = [EMPTY_HEADER; HEADERS_MAX];
    let mut request = httparse::Request::new(&mut headers);
    let Status::Complete(length) = request.parse(bytes).map_err(|_| Malformed)? else {
        return Ok(None);
    };
    Ok(Some(RequestHead {
        length,
        body: FramingFields::of(request.headers).request()?.into(),
        kind: request.method.unwrap_or_default().into(),
        last: request.version == Some(0)
            || has_token(request.headers, "connection", "close")
            || values(request.headers, "expect").next().is_some(),
    }))
}

/// Reads the head of an answer to such a request, as the generator reads it: what it would
/// take without the proxy, it takes with it.
pub(super) fn answer(bytes: &[u8], to: RequestKind) -> Result<Option<AnswerHead>, Malformed> {
    let read = read(bytes, |length, answer| {
        let status = answer.code.unwrap_or_default();
        let framing = FramingFields::of(answer.headers).response(to, status);
        Ok(AnswerHead {
            length,
            status,
            body: framing.map_err(|_| FailureCause::BadLength)?.into(),
        })
    });
    read.map_err(|_| Malformed)
}

fn values<'a>(headers: &'a [Header<'_>], name: &str) -> impl Iterator<Item = &'a [u8]> {
    let named = headers
        .iter()
        .filter(move |header| header.name.eq_ignore_ascii_case(name));
    named.map(|header| header.value)
}

fn has_token(headers: &[Header<'_>], name: &str, token: &str) -> bool {
    let mut tokens = values(headers, name).flat_map(items);
    tokens.any(|own| own.eq_ignore_ascii_case(token.as_bytes()))
}

/// Looks at a request's head, which has been read before.
pub(super) fn view<T>(head: &[u8], look: impl FnOnce(&RequestView<'_>) -> T) -> Option<T> {
    let mut headers = [EMPTY_HEADER; HEADERS_MAX];
    let mut request = httparse::Request::new(&mut headers);
    request.parse(head).ok()?;
    let headers: Vec<(&str, &[u8])> = request
        .headers
        .iter()
        .map(|header| (header.name, header.value))
        .collect();
    Some(look(&RequestView {
        method: request.method?,
        target: request.path?,
        headers: &headers,
    }))
}

/// A change to a head.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Edit {
    /// Another status of an answer.
    Status(u16),
    /// Another value of a header, or none.
    Header { name: String, value: Option<String> },
}

/// The head with its changes.
pub(super) fn edited(head: &[u8], edits: &[Edit]) -> Vec<u8> {
    let mut lines: Vec<Vec<u8>> = head
        .split_inclusive(|byte| *byte == b'\n')
        .map(<[u8]>::to_vec)
        .collect();
    for edit in edits {
        match edit {
            Edit::Status(status) => lines[0] = status_line(&lines[0], *status),
            Edit::Header { name, value } => edit_header(&mut lines, name, value.as_deref()),
        }
    }
    lines.concat()
}

/// A status line with another status; its reason goes, since it would be another's.
fn status_line(line: &[u8], status: u16) -> Vec<u8> {
    let version = line.split(|byte| *byte == b' ').next().unwrap_or_default();
    let mut line = version.to_vec();
    line.extend_from_slice(format!(" {status} {}\r\n", reason(status)).as_bytes());
    line
}

/// The reason of a status, as the registry has it; empty where it has none.
fn reason(status: u16) -> &'static str {
    let known = hyper::StatusCode::from_u16(status).ok();
    known
        .and_then(|status| status.canonical_reason())
        .unwrap_or("")
}

fn edit_header(lines: &mut Vec<Vec<u8>>, name: &str, value: Option<&str>) {
    let is = |line: &[u8]| {
        let own = line.split(|byte| *byte == b':').next().unwrap_or_default();
        line.contains(&b':') && own.trim_ascii_end().eq_ignore_ascii_case(name.as_bytes())
    };
    // The first line is no header, the last one is empty.
    let first = (1..lines.len()).find(|index| is(&lines[*index]));
    let (mut index, mut taken) = (0, false);
    lines.retain(|line| {
        index += 1;
        // A line that begins with a blank goes on with the field before it.
        if !matches!(line.first(), Some(b' ' | b'\t')) {
            taken = index > 1 && is(line);
        }
        !taken
    });
    if let Some(value) = value {
        let at = first.unwrap_or(lines.len() - 1);
        lines.insert(at, format!("{name}: {value}\r\n").into_bytes());
    }
}

/// An answer of the proxy's own, with a sentence for who reads it.
pub(super) fn own_answer(status: u16, sentence: &str, closes: bool) -> Vec<u8> {
    let body = serde_json::json!({ "error": sentence }).to_string();
    let connection = if closes { "connection: close\r\n" } else { "" };
    format!(
        "HTTP/1.1 {status} {}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\
         {connection}\r\n{body}",
        reason(status),
        body.len()
    )
    .into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::Framing;

    #[test]
    fn requests_say_what_follows_them() {
        for (text, body) in [
            ("GET / HTTP/1.1\r\n\r\n", Framing::Length(0)),
            (
                "POST / HTTP/1.1\r\nContent-Length: 12\r\n\r\n",
                Framing::Length(12),
            ),
            (
                "POST / HTTP/1.1\r\nTransfer-Encoding: gzip, Chunked\r\n\r\n",
                Framing::Chunked,
            ),
        ] {
            let head = request(text.as_bytes()).unwrap().unwrap();
            assert_eq!(
                (head.body, head.length),
                (body.into(), text.len()),
                "{text}"
            );
            assert_eq!(request(&text.as_bytes()[..text.len() - 1]), Ok(None));
        }
        for text in [
            "\u{1}\r\n\r\n",
            // Passed on as they came, these could be read in two ways behind the proxy.
            "POST / HTTP/1.1\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\n",
            "POST / HTTP/1.1\r\ncontent-length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
            "POST / HTTP/1.1\r\ntransfer-encoding: gzip\r\n\r\n",
        ] {
            assert_eq!(request(text.as_bytes()), Err(Malformed), "{text}");
        }
    }

    #[test]
    fn answers_say_what_follows_them() {
        let text = "HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\n";
        for (to, body) in [
            (RequestKind::Other, Framing::Length(3)),
            (RequestKind::Head, Framing::Length(0)),
        ] {
            let read = answer(text.as_bytes(), to).unwrap().unwrap();
            assert_eq!((read.body, read.length), (body.into(), text.len()));
        }
    }

    #[test]
    fn what_the_generator_reads_is_an_answer_here_too() {
        let many = "a: b\r\n".repeat(130);
        for fields in ["x: a\r\n b\r\n", "x : a\r\n", "no field\r\n", many.as_str()] {
            let text = format!("HTTP/1.1  200 OK\r\n{fields}content-length: 3\r\n\r\n");
            let read = answer(text.as_bytes(), RequestKind::Other)
                .unwrap()
                .unwrap();
            assert_eq!((read.status, read.length), (200, text.len()), "{fields}");
            assert_eq!(read.body, Framing::Length(3).into(), "{fields}");
        }
        let text = format!("HTTP/1.1 200 OK\r\n{}\r\n", "a: b\r\n".repeat(5001));
        assert_eq!(answer(text.as_bytes(), RequestKind::Other), Err(Malformed));
    }

    #[test]
    fn a_field_is_edited_with_the_lines_that_it_goes_on_in() {
        let head = b"HTTP/1.1 200 OK\r\nX : a\r\n b\r\n\tc\r\nY: d\r\n e\r\n\r\n";
        let without = Edit::Header {
            name: "x".into(),
            value: None,
        };
        assert_eq!(
            edited(head, &[without]),
            b"HTTP/1.1 200 OK\r\nY: d\r\n e\r\n\r\n"
        );
    }

    #[test]
    fn edits_leave_the_rest_as_it_was() {
        let head = b"GET /a HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer y\r\nauthorization: z\r\nX-Y:1\r\n\r\n";
        let header = |name: &str, value: Option<&str>| Edit::Header {
            name: name.into(),
            value: value.map(Into::into),
        };
        for (edits, expected) in [
            (vec![], &head[..]),
            (
                vec![header("AUTHORIZATION", None)],
                b"GET /a HTTP/1.1\r\nHost: x\r\nX-Y:1\r\n\r\n",
            ),
            (
                vec![
                    header("authorization", Some("no")),
                    header("new", Some("1")),
                ],
                b"GET /a HTTP/1.1\r\nHost: x\r\nauthorization: no\r\nX-Y:1\r\nnew: 1\r\n\r\n",
            ),
        ] {
            assert_eq!(edited(head, &edits), expected);
        }
        assert_eq!(
            edited(b"HTTP/1.1 200 OK\r\nA: b\r\n\r\n", &[Edit::Status(503)]),
            b"HTTP/1.1 503 Service Unavailable\r\nA: b\r\n\r\n"
        );
    }

    #[test]
    fn an_answer_of_our_own_is_an_answer() {
        let text = own_answer(503, "a \"fault\"", true);
        let read = answer(&text, RequestKind::Other).unwrap().unwrap();
        assert_eq!(read.status, 503);
        assert_eq!(
            read.body,
            BodyReader::Length(text.len() as u64 - read.length as u64)
        );
    }
}
