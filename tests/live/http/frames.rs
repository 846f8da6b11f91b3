//! Odd answers of HTTP/2: each is read as curl reads it, or there is a reason.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::Command;
use std::thread;
use std::time::Duration;

use serde_json::Value;

use super::curl::{curl, load, own};

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const PRIORITY: u8 = 2;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PUSH_PROMISE: u8 = 5;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const WINDOW_UPDATE: u8 = 8;
const CONTINUATION: u8 = 9;

const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;
const PADDED: u8 = 8;
const WITH_PRIORITY: u8 = 32;

/// `:status 200`, by the static table.
const OK: &[u8] = &[0x88];
/// How long a connection may be silent: a bound for what a test left behind.
const SILENCE: Duration = Duration::from_secs(20);

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// What a server does once it has answered.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Then {
    Listens,
    Resets,
}

/// Answers each request, which is on the first stream of its connection, with these bytes.
fn serve(answer: Vec<u8>) -> SocketAddr {
    serve_and(answer, Then::Listens)
}

fn serve_and(answer: Vec<u8>, then: Then) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for connection in listener.incoming().flatten() {
            let answer = answer.clone();
            thread::spawn(move || {
                let _ = connection.set_read_timeout(Some(SILENCE));
                let _ = converse(connection, &answer, then);
            });
        }
    });
    address
}

fn converse(mut connection: TcpStream, answer: &[u8], then: Then) -> std::io::Result<()> {
    let mut preface = [0; 24];
    connection.read_exact(&mut preface)?;
    connection.write_all(&frame(SETTINGS, 0, 0, &[]))?;
    loop {
        let mut head = [0; 9];
        connection.read_exact(&mut head)?;
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
        let mut payload = vec![0; length as usize];
        connection.read_exact(&mut payload)?;
        if head[3] == HEADERS {
            connection.write_all(answer)?;
            if then == Then::Resets {
                let linger = rustix::net::sockopt::set_socket_linger;
                return Ok(linger(&connection, Some(Duration::ZERO))?);
            }
        }
    }
}

const PLAIN: &[&str] = &["--http2-prior-knowledge"];

struct Case {
    name: &'static str,
    frames: Vec<Vec<u8>>,
    differs: Option<&'static str>,
}

fn case(name: &'static str, frames: Vec<Vec<u8>>) -> Case {
    Case {
        name,
        frames,
        differs: None,
    }
}

fn headers(flags: u8, block: &[u8]) -> Vec<u8> {
    frame(HEADERS, flags, 1, block)
}

/// A field block without an end of the stream, and with it.
fn ok() -> Vec<u8> {
    headers(END_HEADERS, OK)
}

fn whole() -> Vec<u8> {
    headers(END_HEADERS | END_STREAM, OK)
}

fn data() -> Vec<u8> {
    frame(DATA, END_STREAM, 1, b"ok")
}

fn literal(name: &[u8], value: &[u8]) -> Vec<u8> {
    let length = |text: &[u8]| u8::try_from(text.len()).unwrap();
    [&[0, length(name)], name, &[length(value)], value].concat()
}

fn with(name: &[u8], value: &[u8]) -> Vec<u8> {
    [OK, &literal(name, value)].concat()
}

fn holds(cases: &[Case]) {
    let mut wrong = Vec::new();
    for case in cases {
        let url = format!("http://{}/", serve(case.frames.concat()));
        let (curl, own) = (curl(&url, PLAIN), own(&url, &["--http2"]));
        if (own == curl) != case.differs.is_none() {
            wrong.push(format!("{}: curl {curl:?}, threadbare {own:?}", case.name));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn answers_are_read_as_curl_reads_them() {
    holds(&[
        case("no body", vec![whole()]),
        case("a body", vec![ok(), data()]),
        case("an empty body", vec![ok(), frame(DATA, END_STREAM, 1, b"")]),
        case(
            "many pieces",
            [vec![ok()], vec![frame(DATA, 0, 1, b"x"); 50], vec![data()]].concat(),
        ),
        case(
            "padding",
            vec![
                frame(HEADERS, END_HEADERS | PADDED, 1, &[3, 0x88, 0, 0, 0]),
                frame(DATA, END_STREAM | PADDED, 1, &[2, b'o', b'k', 0, 0]),
            ],
        ),
        case(
            "a priority",
            vec![frame(
                HEADERS,
                END_HEADERS | END_STREAM | WITH_PRIORITY,
                1,
                &[0, 0, 0, 0, 15, 0x88],
            )],
        ),
        case(
            "continued fields",
            vec![
                frame(HEADERS, END_STREAM, 1, OK),
                frame(CONTINUATION, END_HEADERS, 1, &literal(b"x-a", b"1")),
            ],
        ),
        case(
            "a field of its own",
            vec![headers(END_HEADERS | END_STREAM, &with(b"x-a", b"1"))],
        ),
        case(
            "trailers",
            vec![
                ok(),
                frame(DATA, 0, 1, b"ok"),
                headers(END_HEADERS | END_STREAM, &literal(b"x-sum", b"7")),
            ],
        ),
        case("404", vec![headers(END_HEADERS | END_STREAM, &[0x8d])]),
        case(
            "503 as a literal",
            vec![headers(
                END_HEADERS | END_STREAM,
                &literal(b":status", b"503"),
            )],
        ),
        case(
            "hints first",
            vec![
                headers(END_HEADERS, &literal(b":status", b"103")),
                ok(),
                data(),
            ],
        ),
        case(
            "the length that it states",
            vec![headers(END_HEADERS, &with(b"content-length", b"2")), data()],
        ),
        case("fields of 96 kilobytes", large_head(6)),
    ]);
}

/// A head of so many frames of fields.
fn large_head(frames: usize) -> Vec<Vec<u8>> {
    // 16,000 = 127 + 1 + 124 * 128, as HPACK writes a length.
    let value = [&[0x7f, 1 + 0x80, 124][..], &[b'x'; 16_000]].concat();
    let field = [&[0, 1, b'a'][..], &value].concat();
    let more = frame(CONTINUATION, 0, 1, &field);
    let last = frame(CONTINUATION, END_HEADERS, 1, &[]);
    [
        vec![frame(HEADERS, END_STREAM, 1, OK)],
        vec![more; frames],
        vec![last],
    ]
    .concat()
}

#[test]
fn what_stands_around_an_answer_is_read_as_curl_reads_it() {
    holds(&[
        case("a ping first", vec![frame(PING, 0, 0, &[7; 8]), whole()]),
        case(
            "settings first",
            vec![frame(SETTINGS, 0, 0, &[0, 3, 0, 0, 0, 9]), whole()],
        ),
        case(
            "a window first",
            vec![frame(WINDOW_UPDATE, 0, 0, &[0, 0, 1, 0]), whole()],
        ),
        case(
            "a priority frame first",
            vec![frame(PRIORITY, 0, 1, &[0, 0, 0, 0, 15]), whole()],
        ),
        case(
            "a frame of a kind nobody knows",
            vec![frame(77, 0, 0, b"x"), whole()],
        ),
        case(
            "a whole answer, then a reset without error",
            vec![ok(), data(), frame(RST_STREAM, 0, 1, &[0; 4])],
        ),
        case(
            "a good end after the answer",
            vec![whole(), frame(GOAWAY, 0, 0, &[0, 0, 0, 1, 0, 0, 0, 0])],
        ),
        case(
            "a good end before the answer",
            vec![frame(GOAWAY, 0, 0, &[0, 0, 0, 1, 0, 0, 0, 0]), whole()],
        ),
    ]);
}

#[test]
fn what_is_no_answer_is_none_for_curl_either() {
    holds(&[
        case(
            "reset by an error",
            vec![frame(RST_STREAM, 0, 1, &[0, 0, 0, 2])],
        ),
        case(
            "an error ends the connection",
            vec![frame(GOAWAY, 0, 0, &[0, 0, 0, 0, 0, 0, 0, 11])],
        ),
        case(
            "no status",
            vec![headers(END_HEADERS | END_STREAM, &literal(b"x-a", b"1"))],
        ),
        case("data before fields", vec![data()]),
        case(
            "less than the length that it states",
            vec![
                headers(END_HEADERS, &with(b"content-length", b"100")),
                data(),
            ],
        ),
        case(
            "nothing of the length that it states",
            vec![headers(
                END_HEADERS | END_STREAM,
                &with(b"content-length", b"100"),
            )],
        ),
        case(
            "more than the length that it states",
            vec![headers(END_HEADERS, &with(b"content-length", b"1")), data()],
        ),
        case(
            "an upgrade",
            vec![headers(END_HEADERS, &literal(b":status", b"101"))],
        ),
        case("two heads", vec![ok(), ok(), data()]),
        case(
            "a frame that is too large",
            vec![frame(DATA, 0, 1, &vec![0; 1 << 20])],
        ),
        Case {
            differs: Some(
                "curl passes over it; a client that has declined pushes has to end the connection (RFC 9113, section 8.4)",
            ),
            ..case(
                "a push that was declined",
                vec![
                    frame(PUSH_PROMISE, END_HEADERS, 1, &[0, 0, 0, 2, 0x82]),
                    whole(),
                ],
            )
        },
        case(
            "HTTP/1.1",
            vec![b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n".to_vec()],
        ),
        case("nothing", vec![]),
        case(
            "the table that was declined",
            vec![headers(
                END_HEADERS | END_STREAM,
                &[0x48, 3, b'2', b'0', b'1', 0xbe],
            )],
        ),
    ]);
}

#[test]
fn a_server_that_refuses_everything_is_not_asked_without_end() {
    let refused = [&[0, 0, 0, 0, 0, 0, 0, 11][..], b"too_many_resets"].concat();
    let address = serve(frame(GOAWAY, 0, 0, &refused));
    let summary = load(&format!("http://{address}/"), &["--http2"]);
    let failure = &summary["failures"][0];
    assert_eq!(failure["cause"], "http2_refused", "{summary}");
    // The request and what is made again at once.
    assert_eq!(failure["count"], 3, "{summary}");
    assert_eq!(
        failure["examples"][0]["seen"],
        "GOAWAY ENHANCE_YOUR_CALM (11): too_many_resets"
    );
    // Its retries are the policy's, and not made again at once as well.
    let summary = load(
        &format!("http://{address}/"),
        &["--http2", "--retries", "2"],
    );
    assert_eq!(summary["failures"][0]["count"], 5, "{summary}");
}

#[test]
fn its_last_words_are_kept_where_a_reset_follows_them() {
    let calm = [0, 0, 0, 1, 0, 0, 0, 11];
    let address = serve_and(frame(GOAWAY, 0, 0, &calm), Then::Resets);
    let summary = load(&format!("http://{address}/"), &["--http2"]);
    let failure = &summary["failures"][0];
    assert_eq!(failure["cause"], "http2_refused", "{summary}");
    assert_eq!(
        failure["examples"][0]["seen"],
        "GOAWAY ENHANCE_YOUR_CALM (11)"
    );
}

/// A connection that its server leaves, and on which nobody waits any more, is nobody's:
/// the next operation has the place of it.
#[test]
fn a_connection_that_is_left_and_silent_is_given_up() {
    let leaves = frame(GOAWAY, 0, 0, &[0, 0, 0, 1, 0, 0, 0, 0]);
    let url = format!("http://{}/", serve(leaves));
    let output = Command::new(env!("CARGO_BIN_EXE_threadbare"))
        .args(["load", &url, "--http2", "--json", "-c", "1", "-n", "3"])
        .args(["-d", "3s", "--timeout", "200ms"])
        .output()
        .unwrap();
    let summary: Value = serde_json::from_slice(&output.stdout).unwrap();
    let failures = summary["failures"].as_array().unwrap();
    assert_eq!(failures.len(), 1, "{summary}");
    assert_eq!(failures[0]["cause"], "no_answer", "{summary}");
    assert_eq!(failures[0]["count"], 3, "{summary}");
}
