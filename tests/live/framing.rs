//! Where a response ends (RFC 9112, section 6.3): one table, and everything here that
//! reads responses held to it, each by its own door.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread;

use threadbare::load::{Progress, ResponseReader};
use threadbare::model::fault::Mode;
use threadbare::net::http::{self, HttpRequest};
use threadbare::net::{AllowedHosts, Framing, FramingError, FramingFields, RequestKind};
use threadbare::proxy::{Draft, Proxies, Settings};
use threadbare::units::Nanos;

/// What every server of these tests sends after its response, and then it closes.
const SURPLUS: &str = "SURPLUS";

/// How a response ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// With its last byte, so that the surplus is none of it; another may follow on its
    /// connection, or none.
    Known { reused: bool },
    /// With its connection.
    Close,
    /// Nobody can tell: it is refused.
    Never,
}

const REUSED: End = End::Known { reused: true };
const NOT_REUSED: End = End::Known { reused: false };

struct Case {
    method: &'static str,
    /// The status line and the fields, without the empty line.
    head: &'static str,
    /// The bytes of the body.
    body: &'static str,
    /// What they carry.
    data: &'static str,
    end: End,
}

const fn case(
    method: &'static str,
    head: &'static str,
    (body, data): (&'static str, &'static str),
    end: End,
) -> Case {
    Case {
        method,
        head,
        body,
        data,
        end,
    }
}

const NOTHING: (&str, &str) = ("", "");
const HELLO: (&str, &str) = ("hello", "hello");
const CHUNKS: (&str, &str) = ("3\r\nhel\r\n2;x=y\r\nlo\r\n0\r\nt: u\r\n\r\n", "hello");

/// The items are those of section 6.3 of RFC 9112.
const CASES: [Case; 30] = [
    // Item 1: none of these has a body, whatever its fields say.
    case(
        "HEAD",
        "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n",
        NOTHING,
        REUSED,
    ),
    case(
        "HEAD",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n",
        NOTHING,
        REUSED,
    ),
    case("HEAD", "HTTP/1.1 200 OK\r\n", NOTHING, REUSED),
    case("GET", "HTTP/1.1 204 No Content\r\n", NOTHING, REUSED),
    case(
        "GET",
        "HTTP/1.1 204 No Content\r\ncontent-length: 5\r\n",
        NOTHING,
        REUSED,
    ),
    case(
        "GET",
        "HTTP/1.1 304 Not Modified\r\ncontent-length: 5\r\n",
        NOTHING,
        REUSED,
    ),
    case(
        "GET",
        "HTTP/1.1 304 Not Modified\r\ncontent-length: 5, 6\r\n",
        NOTHING,
        REUSED,
    ),
    // Item 1, and section 15.2 of RFC 9110: the final response comes after the interim ones.
    case(
        "GET",
        "HTTP/1.1 103 Early Hints\r\ncontent-length: 9\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 5\r\n",
        HELLO,
        REUSED,
    ),
    // Item 3: a transfer coding wins over a length, and nothing follows it.
    case(
        "GET",
        "HTTP/1.1 200 OK\r\ncontent-length: 2\r\ntransfer-encoding: chunked\r\n",
        CHUNKS,
        NOT_REUSED,
    ),
    case(
        "GET",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ncontent-length: 2, 3\r\n",
        CHUNKS,
        NOT_REUSED,
    ),
    case(
        "GET",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: gzip\r\ncontent-length: 2\r\n",
        HELLO,
        End::Close,
    ),
    // Item 4: chunks, where they are the last coding; their name has no case (section 7).
    case(
        "GET",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n",
        CHUNKS,
        REUSED,
    ),
    case(
        "GET",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n",
        CHUNKS,
        REUSED,
    ),
    case(
        "GET",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: gzip, chunked\r\n",
        CHUNKS,
        REUSED,
    ),
    case(
        "GET",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: gzip\r\ntransfer-encoding: chunked\r\n",
        CHUNKS,
        REUSED,
    ),
    // Item 4: where they are not, until the connection ends.
    case(
        "GET",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: gzip\r\n",
        HELLO,
        End::Close,
    ),
    case(
        "GET",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked, gzip\r\n",
        HELLO,
        End::Close,
    ),
    case(
        "GET",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ntransfer-encoding: identity\r\n",
        HELLO,
        End::Close,
    ),
    case(
        "GET",
        "HTTP/1.1 200 OK\r\ntransfer-encoding:\r\n",
        HELLO,
        End::Close,
    ),
    // Item 5: a length that is repeated is one; different ones, or no number, are an error.
    case(
        "GET",
        "HTTP/1.1 200 OK\r\ncontent-length: 5, 5\r\n",
        HELLO,
        REUSED,
    ),
    case(
        "GET",
        "HTTP/1.1 200 OK\r\ncontent-length: 5\r\ncontent-length: 5\r\n",
        HELLO,
        REUSED,
    ),
    case(
        "GET",
        "HTTP/1.1 200 OK\r\ncontent-length: 5, 6\r\n",
        HELLO,
        End::Never,
    ),
    case(
        "GET",
        "HTTP/1.1 200 OK\r\ncontent-length: 5\r\nContent-Length: 6\r\n",
        HELLO,
        End::Never,
    ),
    case(
        "GET",
        "HTTP/1.1 200 OK\r\ncontent-length: five\r\n",
        HELLO,
        End::Never,
    ),
    case(
        "GET",
        "HTTP/1.1 200 OK\r\ncontent-length: +5\r\n",
        HELLO,
        End::Never,
    ),
    case(
        "GET",
        "HTTP/1.1 200 OK\r\ncontent-length:\r\n",
        HELLO,
        End::Never,
    ),
    case(
        "GET",
        "HTTP/1.1 200 OK\r\ncontent-length: 18446744073709551616\r\n",
        HELLO,
        End::Never,
    ),
    // Item 6: a length.
    case(
        "GET",
        "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n",
        HELLO,
        REUSED,
    ),
    case(
        "GET",
        "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n",
        NOTHING,
        REUSED,
    ),
    // Item 8: neither.
    case("GET", "HTTP/1.1 200 OK\r\n", HELLO, End::Close),
];

impl Case {
    fn head(&self) -> String {
        format!("{}\r\n", self.head)
    }

    /// What is sent, the surplus included.
    fn sent(&self) -> String {
        format!("{}{}{SURPLUS}", self.head(), self.body)
    }

    /// What of it is the response; none where it is refused.
    fn response(&self) -> Option<String> {
        match self.end {
            End::Known { .. } => Some(format!("{}{}", self.head(), self.body)),
            End::Close => Some(self.sent()),
            End::Never => None,
        }
    }

    /// What the response carries.
    fn carried(&self) -> Option<String> {
        match self.end {
            End::Known { .. } => Some(self.data.to_owned()),
            End::Close => Some(format!("{}{SURPLUS}", self.body)),
            End::Never => None,
        }
    }
}

#[test]
fn the_rule_itself() {
    for case in &CASES {
        // The last head, where interim ones come before it.
        let text = case.head();
        let begin = text.rfind("HTTP/1.1").unwrap();
        let mut headers = [httparse::EMPTY_HEADER; 8];
        let mut response = httparse::Response::new(&mut headers);
        response.parse(&text.as_bytes()[begin..]).unwrap();
        let fields = FramingFields::of(response.headers);
        let framing = fields.response(case.method.into(), response.code.unwrap());
        match case.end {
            End::Known { reused } => {
                assert!(matches!(framing, Ok(Framing::Length(_) | Framing::Chunked)));
                assert_eq!(fields.contradict(), !reused, "{text}");
            }
            End::Close => assert_eq!(framing, Ok(Framing::UntilClose), "{text}"),
            End::Never => assert_eq!(framing, Err(FramingError::Length), "{text}"),
        }
    }
    // Item 2: what follows a granted CONNECT is a tunnel; a refusal is like any other.
    let mut fields = FramingFields::default();
    fields.add("content-length", b"5");
    for (status, length) in [(200, 0), (299, 0), (407, 5)] {
        let framing = fields.response(RequestKind::Connect, status);
        assert_eq!(framing, Ok(Framing::Length(length)), "{status}");
    }
}

#[test]
fn the_generator_reads_them_so() {
    for case in &CASES {
        let mut reader = ResponseReader::new();
        reader.begin(case.method == "HEAD", false);
        let text = case.sent();
        let read = match reader.feed(text.as_bytes()) {
            Ok(Progress::Complete { response, used }) => Some((used, response.keep_alive)),
            Ok(Progress::Incomplete) => {
                let response = reader.finish().unwrap();
                Some((text.len(), response.keep_alive))
            }
            Err(_) => None,
        };
        let expected = case.response().map(|response| response.len());
        assert_eq!(read.map(|(used, _)| used), expected, "{text}");
        if let Some((_, keep_alive)) = read {
            assert_eq!(keep_alive, case.end == REUSED, "{text}");
        }
    }
}

/// Answers one request with `text`, and closes.
fn serve(text: String) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        read_head(&mut stream);
        // Whoever refuses the head may be gone before the end.
        let _ = stream.write_all(text.as_bytes());
    });
    address
}

fn read_head(stream: &mut TcpStream) {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte).unwrap() > 0 {
        head.push(byte[0]);
    }
}

#[test]
fn the_small_client_reads_them_so() {
    for case in &CASES {
        let read = http::ask(&HttpRequest {
            method: case.method,
            address: serve(case.sent()),
            tls: None,
            authority: "localhost",
            target: "/",
            headers: &[],
            body: b"",
            timeout: Nanos::from_secs(10),
            body_max: 1_000,
        });
        let body = read.ok().map(|response| response.body.unwrap());
        let body = body.map(|body| String::from_utf8(body).unwrap());
        assert_eq!(body, case.carried(), "{}", case.sent());
    }
}

#[test]
fn the_proxy_reads_them_so() {
    let proxies = Proxies::new(Settings {
        seed: 1,
        connections_max: 8,
        allowed: AllowedHosts::default(),
    });
    for (index, case) in CASES.iter().enumerate() {
        let listening = proxies.create(&Draft {
            name: format!("proxy {index}"),
            listen: String::new(),
            upstream: serve(case.sent()).to_string(),
            enabled: true,
            mode: Mode::Http,
        });
        let mut stream = TcpStream::connect(listening.unwrap()).unwrap();
        write!(stream, "{} / HTTP/1.1\r\nhost: x\r\n\r\n", case.method).unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        match case.response() {
            Some(response) => assert_eq!(text, response),
            None => assert!(text.starts_with("HTTP/1.1 502"), "{}: {text}", case.sent()),
        }
    }
}
