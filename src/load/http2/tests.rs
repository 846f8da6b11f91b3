use super::*;
use crate::units::Nanos;
use proptest::prelude::*;

/// A session with requests of places 10, 11, 12 … under way.
fn session(requests: u32) -> Session {
    let mut out = BytesMut::new();
    let mut session = Session::new(100, u32::MAX, &mut out);
    assert!(out.starts_with(PREFACE));
    for place in 0..requests {
        assert_eq!(
            session.open(10 + place, (false, false), &[0x82], &[], &mut out),
            2 * place + 1
        );
    }
    session
}

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let mut bytes = BytesMut::new();
    frame::write(kind, flags, stream, payload, &mut bytes);
    bytes.to_vec()
}

/// The result of bytes, fed in pieces of so many.
fn fed(
    session: &mut Session,
    bytes: &[u8],
    piece: usize,
) -> Result<Vec<(u32, Came)>, FailureCause> {
    let mut answers = Vec::new();
    for piece in bytes.chunks(piece) {
        session.feed(piece, &mut BytesMut::new(), &mut answers)?;
    }
    // That more is to come is no end.
    answers.retain(|(.., answer)| !matches!(answer, StreamEnd::Began));
    let came = |answer| match answer {
        StreamEnd::Began => unreachable!("left out"),
        StreamEnd::Response { response, .. } => Came::Status(response.status),
        StreamEnd::Refused(_) => Came::Refused,
        StreamEnd::Reset(_) => Came::Reset,
        StreamEnd::Failed { cause, .. } => Came::Failed(cause),
    };
    let answers = answers.into_iter();
    Ok(answers
        .map(|(place, _, answer)| (place, came(answer)))
        .collect())
}

/// An answer in short.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Came {
    Status(u16),
    Refused,
    Reset,
    Failed(FailureCause),
}

const fn response(status: u16) -> Came {
    Came::Status(status)
}

/// 103 and 200 with a padded body and trailers in two frames, 404 without a body.
fn two_responses() -> Vec<u8> {
    [
        frame(SETTINGS, 0, 0, &[]),
        frame(HEADERS, END_HEADERS, 1, &[0x08, 3, b'1', b'0', b'3']),
        frame(HEADERS, END_HEADERS | PRIORITY, 1, &[0, 0, 0, 0, 9, 0x88]),
        frame(HEADERS, END_HEADERS | END_STREAM, 3, &[0x8d]),
        frame(PING, 0, 0, b"8 bytes!"),
        frame(DATA, PADDED, 1, &[2, b'h', b'i', 0, 0]),
        frame(0xfa, 0xff, 1, b"a kind that nobody knows"),
        frame(HEADERS, END_STREAM, 1, &[]),
        frame(CONTINUATION, END_HEADERS, 1, &[]),
    ]
    .concat()
}

#[test]
fn responses_are_whole_however_they_are_cut() {
    let bytes = two_responses();
    for piece in 1..=bytes.len() {
        let answers = fed(&mut session(2), &bytes, piece).unwrap();
        assert_eq!(answers, [(11, response(404)), (10, response(200))]);
    }
}

#[test]
fn a_delay_is_read_where_somebody_may_retry() {
    for (status, value, expected) in [
        ("503", "7", Some(Nanos::from_secs(7))),
        ("429", "0", Some(Nanos::ZERO)),
        ("503", "Fri, 31 Dec 1999 23:59:59 GMT", None),
        ("200", "7", None),
    ] {
        let mut block = Vec::new();
        fields::write_field(b":status", status.as_bytes(), &mut block);
        fields::write_field(b"retry-after", value.as_bytes(), &mut block);
        let mut answers = Vec::new();
        let bytes = [
            frame(SETTINGS, 0, 0, &[]),
            frame(HEADERS, END_HEADERS | END_STREAM, 1, &block),
        ]
        .concat();
        session(1)
            .feed(&bytes, &mut BytesMut::new(), &mut answers)
            .unwrap();
        match &answers[..] {
            [(_, _, StreamEnd::Response { response, .. })] => {
                assert_eq!(response.retry_after, expected, "{status} {value}");
            }
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn the_protocol_is_answered() {
    let mut out = BytesMut::new();
    session(2)
        .feed(&two_responses(), &mut out, &mut Vec::new())
        .unwrap();
    let acknowledged = [
        frame(SETTINGS, ACK, 0, &[]),
        frame(PING, ACK, 0, b"8 bytes!"),
    ];
    assert_eq!(out, acknowledged.concat());
}

#[test]
fn requests_that_were_not_processed_are_told_from_those_that_broke_off() {
    let mut session = session(4);
    let bytes = [
        frame(RST_STREAM, 0, 1, &frame::REFUSED_STREAM.to_be_bytes()),
        frame(RST_STREAM, 0, 3, &frame::CANCEL.to_be_bytes()),
        // The last that was heard of is 5, so 7 was not.
        frame(GOAWAY, 0, 0, &[0, 0, 0, 5, 0, 0, 0, 0]),
    ];
    let answers = fed(&mut session, &bytes.concat(), 1000).unwrap();
    let (refused, reset) = (Came::Refused, Came::Reset);
    assert_eq!(answers, [(10, refused), (11, reset), (13, refused)]);
    assert!(session.retired() && !session.has_room() && !session.done());
    let last = frame(HEADERS, END_HEADERS | END_STREAM, 5, &[0x88]);
    assert_eq!(fed(&mut session, &last, 9).unwrap(), [(12, response(200))]);
    assert!(session.done());
}

#[test]
fn an_answer_to_a_request_that_was_given_up_is_nobodys() {
    let mut session = session(2);
    let mut out = BytesMut::new();
    session.cancel(1, &mut out);
    session.cancel(99, &mut out);
    assert_eq!(out, frame(RST_STREAM, 0, 1, &frame::CANCEL.to_be_bytes()));
    let answers = fed(&mut session, &two_responses(), 1000).unwrap();
    assert_eq!(answers, [(11, response(404))]);
}

#[test]
fn a_body_waits_for_the_servers_windows() {
    let mut session = session(0);
    let mut out = BytesMut::new();
    let data = |out: &[u8]| {
        let (mut sizes, mut rest) = (Vec::new(), out);
        while let Some(head) = Head::read(rest) {
            if head.kind == DATA {
                sizes.push((head.length, head.flags & END_STREAM != 0));
            }
            rest = &rest[HEAD_BYTES + head.length..];
        }
        sizes
    };
    session.open(0, (false, false), &[0x83], &vec![b'x'; 70_000], &mut out);
    assert_eq!(
        data(&out),
        [
            (16_384, false),
            (16_384, false),
            (16_384, false),
            (16_383, false)
        ]
    );
    // Room for the connection alone is none for the stream.
    let mut feed = |bytes: &[u8]| {
        let mut out = BytesMut::new();
        session.feed(bytes, &mut out, &mut Vec::new()).unwrap();
        data(&out)
    };
    let room = |stream, bytes: u32| frame(WINDOW_UPDATE, 0, stream, &bytes.to_be_bytes());
    assert_eq!(feed(&room(0, 100_000)), []);
    assert_eq!(feed(&room(1, 465)), [(465, false)]);
    // A larger window for every stream is one for those under way.
    let larger = [0, 4, 0, 1, 0xff, 0xff];
    assert_eq!(feed(&frame(SETTINGS, 0, 0, &larger)), [(4_000, true)]);
}

#[test]
fn what_no_server_may_send_ends_the_connection() {
    for bytes in [
        frame(HEADERS, END_HEADERS, 2, &[0x88]), // a stream of its own
        frame(HEADERS, END_HEADERS, 9, &[0x88]), // a stream that never was
        frame(PUSH_PROMISE, END_HEADERS, 1, &[0, 0, 0, 2]), // a push
        frame(DATA, PADDED, 1, &[9, 0]),         // more padding than there is
        frame(CONTINUATION, END_HEADERS, 1, &[0x88]), // of nothing
        frame(SETTINGS, 0, 0, &[0]),             // half a setting
        frame(GOAWAY, 0, 0, &[0]),               // cut off
        frame(HEADERS, END_HEADERS, 1, &[0xbe]), // a table that was declined
        vec![0xff; 20],                          // a frame of sixteen megabytes
        b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec(),
    ] {
        assert!(fed(&mut session(1), &bytes, 1000).is_err(), "{bytes:02x?}");
    }
}

#[test]
fn a_malformed_answer_ends_its_stream_and_no_other() {
    use FailureCause::{
        BadFields, BadFrame, BadLength, HeadTooLarge, InterimFlood, Truncated, Upgraded,
    };
    let head = |block: &[u8]| frame(HEADERS, END_HEADERS, 1, block);
    let ok = || head(&[0x88]);
    let long = |length: &[u8]| {
        let mut block = vec![0x88];
        fields::write_field(b"content-length", length, &mut block);
        head(&block)
    };
    let huge = frame(CONTINUATION, 0, 1, &[0x88; FRAME_MAX]).repeat(20);
    for (cause, bytes) in [
        (BadFrame, frame(DATA, 0, 1, b"early")),
        (BadFields, head(&[])),
        (BadFields, head(&[0x88, 0x89])),
        (Upgraded, head(&[0x08, 3, b'1', b'0', b'1'])),
        (InterimFlood, head(&[0x08, 3, b'1', b'0', b'3']).repeat(17)),
        (
            Truncated,
            frame(
                HEADERS,
                END_HEADERS | END_STREAM,
                1,
                &[0x08, 3, b'1', b'0', b'0'],
            ),
        ),
        // a head, and another that does not end the answer
        (BadFrame, ok().repeat(2)),
        (BadLength, long(b"two")),
        (BadLength, long(b"5, 6")),
        (
            BadLength,
            [long(b"1"), frame(DATA, END_STREAM, 1, b"ok")].concat(),
        ),
        (
            HeadTooLarge,
            [
                frame(HEADERS, 0, 1, &[0x88]),
                huge,
                frame(CONTINUATION, END_HEADERS, 1, &[]),
            ]
            .concat(),
        ),
        (HeadTooLarge, head(&[&[0x88][..], &[0x90; 5000]].concat())),
    ] {
        let mut session = session(2);
        let other = frame(HEADERS, END_HEADERS | END_STREAM, 3, &[0x8d]);
        // What still comes on the stream is nobody's.
        let late = frame(DATA, END_STREAM, 1, b"late");
        let answers = fed(&mut session, &[bytes, late, other].concat(), 100_000);
        let expected = [(10, Came::Failed(cause)), (11, response(404))];
        assert_eq!(answers, Ok(expected.to_vec()), "{cause:?}");
        assert_eq!(session.under_way(), 0);
    }
}

#[test]
fn the_server_hears_that_an_answer_is_none() {
    let mut out = BytesMut::new();
    session(1)
        .feed(
            &frame(HEADERS, END_HEADERS, 1, &[]),
            &mut out,
            &mut Vec::new(),
        )
        .unwrap();
    let code = frame::PROTOCOL_ERROR.to_be_bytes();
    assert_eq!(out, frame(RST_STREAM, 0, 1, &code));
}

#[test]
fn an_answer_is_as_long_as_it_says() {
    let truncated = Came::Failed(FailureCause::Truncated);
    for (to_head, status, length, body, came) in [
        (false, "200", "2", &b"ok"[..], response(200)),
        (false, "200", "2, 2", b"ok", response(200)),
        (false, "200", "0", b"", response(200)),
        (false, "200", "3", b"ok", truncated),
        (false, "200", "100", b"", truncated),
        (false, "503", "3", b"ok", truncated),
        // no body, whatever it says (RFC 9110, section 6.4.1)
        (true, "200", "100", b"", response(200)),
        (false, "304", "100", b"", response(304)),
    ] {
        let mut block = Vec::new();
        fields::write_field(b":status", status.as_bytes(), &mut block);
        fields::write_field(b"content-length", length.as_bytes(), &mut block);
        let padded = [&[3][..], body, &[0; 3]].concat();
        let pieces = [
            frame(HEADERS, END_HEADERS, 1, &block),
            frame(DATA, PADDED, 1, &padded),
        ];
        // Its end may come with the head, with the body, or with trailers.
        let [data, trailers] = [DATA, HEADERS].map(|kind| {
            let end = frame(kind, END_HEADERS | END_STREAM, 1, &[]);
            [&pieces.concat()[..], &end].concat()
        });
        let mut ends = vec![data, trailers];
        if body.is_empty() {
            ends.push(frame(HEADERS, END_HEADERS | END_STREAM, 1, &block));
        }
        for bytes in ends {
            let mut session = session(0);
            session.open(10, (to_head, false), &[0x82], &[], &mut BytesMut::new());
            let answers = fed(&mut session, &bytes, 1000).unwrap();
            assert_eq!(answers, [(10, came)], "{status} {length} {body:?}");
        }
    }
}

#[test]
fn a_server_shows_how_many_it_takes_where_it_refuses_others() {
    for (requests, last, code, shown) in [
        // It has been idle, or restarts: nothing was refused.
        (1, 1, frame::NO_ERROR, None),
        (3, 5, frame::NO_ERROR, None),
        (3, 0x7fff_ffff, frame::NO_ERROR, None),
        (3, 0, frame::NO_ERROR, None),
        (3, 1, frame::NO_ERROR, Some(1)),
        (3, 3, frame::NO_ERROR, Some(2)),
        (3, 3, frame::PROTOCOL_ERROR, None),
    ] {
        let mut session = session(requests);
        let farewell = [u32::to_be_bytes(last), code.to_be_bytes()].concat();
        fed(&mut session, &frame(GOAWAY, 0, 0, &farewell), 1000).unwrap();
        assert_eq!(session.taken(), shown, "{requests} {last} {code}");
        assert_eq!(session.taken(), None, "it is told once");
    }
}

#[test]
fn who_asks_for_answers_and_takes_none_is_left() {
    let mut session = session(1);
    let ping = frame(PING, 0, 0, b"8 bytes!");
    let patient = ping.repeat(1024);
    assert!(fed(&mut session, &patient, 9000).is_ok());
    session.sent();
    assert!(fed(&mut session, &patient, 9000).is_ok());
    assert!(fed(&mut session, &ping, 9000).is_err());
    let short = frame(PING, 0, 0, b"7 bytes");
    assert!(fed(&mut self::session(1), &short, 9000).is_err());
}

#[test]
fn a_body_that_nobody_wants_any_more_is_broken_off() {
    let mut session = session(0);
    let mut out = BytesMut::new();
    session.open(0, (false, false), &[0x83], &vec![b'x'; 100_000], &mut out);
    out.clear();
    let refusal = frame(
        HEADERS,
        END_HEADERS | END_STREAM,
        1,
        &[0x08, 3, b'4', b'1', b'3'],
    );
    let mut answers = Vec::new();
    session.feed(&refusal, &mut out, &mut answers).unwrap();
    assert_eq!(answers.len(), 1);
    assert_eq!(
        out.to_vec(),
        frame(RST_STREAM, 0, 1, &frame::CANCEL.to_be_bytes())
    );
}

proptest! {
    /// Never a panic, and never two answers to one request.
    #[test]
    fn no_bytes_are_too_much(
        frames in proptest::collection::vec(
            (0u8..11, any::<u8>(), 0u32..8, proptest::collection::vec(any::<u8>(), 0..40)),
            0..20,
        ),
        piece in 1usize..50,
    ) {
        let bytes: Vec<u8> = frames
            .iter()
            .flat_map(|(kind, flags, stream, payload)| frame(*kind, *flags, *stream, payload))
            .collect();
        let mut session = session(3);
        let mut answers = Vec::new();
        for piece in bytes.chunks(piece) {
            if session.feed(piece, &mut BytesMut::new(), &mut answers).is_err() {
                break;
            }
        }
        let ends = answers.iter().filter(|(.., end)| !matches!(end, StreamEnd::Began));
        let mut places: Vec<_> = ends.map(|(place, ..)| *place).collect();
        places.extend(session.abandon().iter().map(|(place, _)| *place));
        places.sort_unstable();
        prop_assert_eq!(places, [10, 11, 12]);
    }
}
