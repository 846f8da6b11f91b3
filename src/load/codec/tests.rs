use proptest::prelude::*;

use super::*;
use crate::net::head::FIELDS_MAX;

/// Reads `bytes` in pieces of these sizes (the last for ever), then ends the connection.
fn read(bytes: &[u8], pieces: &[usize], to_head: bool) -> Result<(Response, usize), FailureCause> {
    let mut reader = ResponseReader::new();
    reader.begin(to_head, false);
    let mut used_before = 0;
    let mut rest = bytes;
    for index in 0.. {
        let size = pieces.get(index).or(pieces.last()).copied().unwrap_or(1);
        let (piece, tail) = rest.split_at(size.clamp(1, rest.len().max(1)).min(rest.len()));
        if let Progress::Complete { response, used } = reader.feed(piece)? {
            return Ok((response, used_before + used));
        }
        used_before += piece.len();
        rest = tail;
        if rest.is_empty() {
            break;
        }
    }
    reader.finish().map(|response| (response, bytes.len()))
}

fn response(status: u16, keep_alive: bool) -> Response {
    Response {
        status,
        keep_alive,
        retry_after: None,
    }
}

#[test]
fn a_delay_in_seconds_is_read_and_a_date_is_passed_over() {
    for (value, expected) in [
        ("0", Some(Nanos::ZERO)),
        ("120", Some(Nanos::from_secs(120))),
        (" 7 ", Some(Nanos::from_secs(7))),
        ("99999999999999999999999", Some(Nanos::MAX)),
        ("Fri, 31 Dec 1999 23:59:59 GMT", None),
        ("1.5", None),
        ("-1", None),
        ("+1", None),
        ("", None),
    ] {
        let text = format!("HTTP/1.1 503 No\r\nRetry-After: {value}\r\ncontent-length: 0\r\n\r\n");
        let (response, _) = read(text.as_bytes(), &[text.len()], false).unwrap();
        assert_eq!(response.retry_after, expected, "{value}");
    }
    // Of this response, not of the one before.
    let mut reader = ResponseReader::new();
    for (field, expected) in [
        ("retry-after: 1\r\n", Some(Nanos::from_secs(1))),
        ("", None),
    ] {
        reader.begin(false, false);
        let text = format!("HTTP/1.1 503 No\r\n{field}content-length: 0\r\n\r\n");
        match reader.feed(text.as_bytes()).unwrap() {
            Progress::Complete { response, .. } => assert_eq!(response.retry_after, expected),
            Progress::Incomplete => panic!("{text}"),
        }
    }
}

#[test]
fn responses_end_where_they_should_however_they_are_split() {
    for (text, expected, surplus) in [
        (
            "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello",
            response(200, true),
            0,
        ),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
            response(200, true),
            0,
        ),
        (
            "HTTP/1.1 200 OK\r\ncontent-length: 5, 5\r\n\r\nhello",
            response(200, true),
            0,
        ),
        (
            "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhello",
            response(200, true),
            3,
        ),
        (
            "HTTP/1.1 404 Not Found\r\ncontent-length: 1\r\n\r\nx",
            response(404, true),
            0,
        ),
        // close, and keep-alive of the older version
        (
            "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 1\r\n\r\nx",
            response(200, false),
            0,
        ),
        (
            "HTTP/1.0 200 OK\r\ncontent-length: 1\r\n\r\nx",
            response(200, false),
            0,
        ),
        (
            "HTTP/1.0 200 OK\r\nconnection: Keep-Alive\r\ncontent-length: 1\r\n\r\nx",
            response(200, true),
            0,
        ),
        // chunked, and chunked over a length, after which nothing is certain
        (
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
            response(200, true),
            0,
        ),
        (
            "HTTP/1.1 200 OK\r\ncontent-length: 9\r\nTransfer-Encoding: gzip, Chunked\r\n\r\n0\r\n\r\n",
            response(200, false),
            0,
        ),
        // no body, whatever the head says
        (
            "HTTP/1.1 204 No Content\r\n\r\nHTTP/1.1",
            response(204, true),
            8,
        ),
        (
            "HTTP/1.1 304 Not Modified\r\ncontent-length: 7\r\n\r\n",
            response(304, true),
            0,
        ),
        // interim responses
        (
            "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\nHTTP/1.1 201 Created\r\ncontent-length: 1\r\n\r\nx",
            response(201, true),
            0,
        ),
        // until the connection ends
        ("HTTP/1.1 200 OK\r\n\r\nall of it", response(200, false), 0),
        (
            "HTTP/1.1 200 OK\r\ntransfer-encoding: gzip\r\n\r\nall of it",
            response(200, false),
            0,
        ),
    ] {
        let bytes = text.as_bytes();
        for size in 1..=bytes.len() {
            let result = read(bytes, &[size], false);
            assert_eq!(
                result,
                Ok((expected, bytes.len() - surplus)),
                "{text:?} by {size}"
            );
        }
        for at in 1..bytes.len() {
            let result = read(bytes, &[at, bytes.len()], false);
            assert_eq!(
                result,
                Ok((expected, bytes.len() - surplus)),
                "{text:?} at {at}"
            );
        }
    }
}

#[test]
fn a_response_to_head_has_no_body() {
    let text = b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n";
    assert_eq!(
        read(text, &[1], true),
        Ok((response(200, true), text.len()))
    );
}

#[test]
fn what_is_no_response_is_an_error() {
    let many = format!(
        "HTTP/1.1 200 OK\r\n{}\r\n",
        "a: b\r\n".repeat(FIELDS_MAX + 1)
    );
    let long = format!("HTTP/1.1 200 OK\r\na: {}\r\n\r\n", "b".repeat(HEAD_MAX));
    let interim = "HTTP/1.1 100 Continue\r\n\r\n".repeat(17);
    for (text, expected) in [
        ("garbage\r\n\r\n", FailureCause::NotHttp),
        ("\0\0\0\0", FailureCause::NotHttp),
        ("HTTP/2 200\r\n\r\n", FailureCause::NotHttp),
        (
            "HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n",
            FailureCause::BadLength,
        ),
        (
            "HTTP/1.1 200 OK\r\ncontent-length: 99999999999999999999\r\n\r\n",
            FailureCause::BadLength,
        ),
        (
            "HTTP/1.1 200 OK\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\n",
            FailureCause::BadLength,
        ),
        (
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
            FailureCause::BadChunk,
        ),
        (
            "HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\n\r\n",
            FailureCause::Upgraded,
        ),
        (
            "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhell",
            FailureCause::Truncated,
        ),
        ("HTTP/1.1 200", FailureCause::Truncated),
        ("", FailureCause::Truncated),
        (&interim, FailureCause::InterimFlood),
        (&many, FailureCause::HeadTooLarge),
        (&long, FailureCause::HeadTooLarge),
    ] {
        for size in [1, 7, text.len().max(1)] {
            let result = read(text.as_bytes(), &[size], false);
            assert_eq!(
                result,
                Err(expected),
                "{:?} by {size}",
                &text[..text.len().min(60)]
            );
        }
    }
}

/// Bytes that are often nearly a response.
fn nearly_http() -> impl Strategy<Value = Vec<u8>> {
    let part = prop_oneof![
        Just(b"HTTP/1.1 200 OK\r\n".to_vec()),
        Just(b"HTTP/1.1 100 Continue\r\n\r\n".to_vec()),
        Just(b"HTTP/1.0 503 No\r\n".to_vec()),
        Just(b"content-length: 3\r\n".to_vec()),
        Just(b"Transfer-Encoding: chunked\r\n".to_vec()),
        Just(b"connection: close\r\n".to_vec()),
        Just(b"\r\n".to_vec()),
        Just(b"3\r\nabc\r\n".to_vec()),
        Just(b"0\r\n\r\n".to_vec()),
        proptest::collection::vec(any::<u8>(), 0..8),
    ];
    proptest::collection::vec(part, 0..10).prop_map(|parts| parts.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4096))]

    /// Never a panic, and the same answer however the bytes are split.
    #[test]
    fn splitting_changes_nothing(
        bytes in nearly_http(),
        pieces in proptest::collection::vec(1usize..20, 1..10),
        to_head: bool,
    ) {
        // What two bytes tell, one alone does not.
        let tls = read(&[0x15, 3], &[2], to_head);
        prop_assert_eq!(read(&[0x15, 3], &[1], to_head), tls);
        let whole = read(&bytes, &[bytes.len().max(1)], to_head);
        prop_assert_eq!(read(&bytes, &pieces, to_head), whole);
        prop_assert_eq!(read(&bytes, &[1], to_head), whole);
        if let Ok((_, used)) = whole {
            prop_assert!(used <= bytes.len());
        }
    }
}
