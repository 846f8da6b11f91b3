//! Responses, damaged at random and read in random pieces.
//!
//! Shared by the test that reads some and the bench that reads a million.

use std::fmt::Write as _;

use rand::RngExt as _;
use rand::seq::IndexedRandom as _;
use threadbare::load::{Progress, Response, ResponseReader};
use threadbare::model::FailureCause;
use threadbare::rng::{self, StdRng};

/// Responses whose end shows without the connection's end.
const WHOLE: [&str; 9] = [
    "HTTP/1.1 200 OK\r\ncontent-length: 13\r\n\r\nHello, world!",
    "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nserver: x\r\n\r\n",
    "HTTP/1.1 404 Not Found\r\ncontent-type: text/plain\r\ncontent-length: 2, 2\r\n\r\nno",
    "HTTP/1.0 200 OK\r\nconnection: keep-alive\r\ncontent-length: 1\r\n\r\n\n",
    "HTTP/1.1 503 No\r\nconnection: close\r\ncontent-length: 3\r\n\r\nno\n",
    "HTTP/1.1 204 No Content\r\ndate: now\r\n\r\n",
    "HTTP/1.1 304 Not Modified\r\ncontent-length: 99\r\n\r\n",
    "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5;a=b\r\nhello\r\n1\r\n!\r\n0\r\nt: u\r\n\r\n",
    "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 201 Created\r\ncontent-length: 4\r\n\r\nHTTP",
];
/// What damage is often made of.
const PIECES: [&str; 12] = [
    "\r\n",
    "\r",
    "\n",
    "\0",
    " ",
    ":",
    "content-length: 7\r\n",
    "transfer-encoding: chunked\r\n",
    "HTTP/1.1 ",
    "HTTP/1.1 100 Continue\r\n\r\n",
    "ffffffffffffffff",
    "-1",
];

/// What came of reading bytes: every response with its end, and why there was no other.
type Outcome = (Vec<(Response, usize)>, Option<FailureCause>);

/// Reads so many cases of this seed and panics over the first that is read
/// wrongly; the bytes and the responses that there were.
pub(crate) fn read_cases(cases: u64, seed: u64) -> (usize, usize) {
    let mut rng = rng::stream(seed, "responses");
    let (mut bytes_read, mut responses) = (0, 0);
    for case in 0..cases {
        let (bytes, ends) = stream(&mut rng);
        let to_head = rng.random_ratio(1, 16);
        let outcome = read(&bytes, to_head, |left| left);
        let split = read(&bytes, to_head, |left| rng.random_range(1..=left.min(40)));
        let shown = || {
            let mut text = format!("case {case} of seed {seed}: ");
            let _ = write!(text, "{}", bytes.escape_ascii());
            text
        };
        assert_eq!(split, outcome, "in pieces: {}", shown());
        // Never two responses from one: each has a status line among its own bytes.
        let mut from = 0;
        for (_, to) in &outcome.0 {
            let own = bytes.get(from..*to).unwrap_or_default();
            assert!(
                own.windows(7).any(|bytes| bytes == b"HTTP/1."),
                "up to {to}: {}",
                shown()
            );
            from = *to;
        }
        if let Some(ends) = ends.filter(|_| !to_head) {
            let found: Vec<usize> = outcome.0.iter().map(|(_, end)| *end).collect();
            assert_eq!((found, outcome.1), (ends, None), "undamaged: {}", shown());
        }
        bytes_read += bytes.len();
        responses += outcome.0.len();
    }
    (bytes_read, responses)
}

/// One to three responses, mostly damaged; where they are whole, their ends.
fn stream(rng: &mut StdRng) -> (Vec<u8>, Option<Vec<usize>>) {
    let (mut bytes, mut ends) = (Vec::new(), Vec::new());
    for _ in 0..rng.random_range(1..=3) {
        bytes.extend_from_slice(WHOLE.choose(rng).unwrap().as_bytes());
        ends.push(bytes.len());
    }
    let wounds = rng.random_range(0..=4);
    for _ in 0..wounds {
        damage(&mut bytes, rng);
    }
    (bytes, (wounds == 0).then_some(ends))
}

/// Changes, adds, takes away or repeats something somewhere.
fn damage(bytes: &mut Vec<u8>, rng: &mut StdRng) {
    let from = rng.random_range(0..=bytes.len());
    let to = (from + rng.random_range(0..20)).min(bytes.len());
    match rng.random_range(0..6) {
        0 if from < bytes.len() => bytes[from] = rng.random(),
        0 | 1 => drop(bytes.splice(from..from, PIECES.choose(rng).unwrap().bytes())),
        2 => drop(bytes.splice(from..to, PIECES.choose(rng).unwrap().bytes())),
        3 => drop(bytes.drain(from..to)),
        4 => {
            let again = bytes[from..to].to_vec();
            drop(bytes.splice(to..to, again));
        }
        _ => bytes.truncate(from),
    }
}

/// Reads all bytes in pieces whose lengths `piece` chooses, told what is left,
/// then ends the connection.
fn read(bytes: &[u8], to_head: bool, mut piece: impl FnMut(usize) -> usize) -> Outcome {
    let mut reader = ResponseReader::new();
    let mut responses = Vec::new();
    let (mut at, mut upto) = (0, 0);
    reader.begin(to_head, false);
    while at < bytes.len() {
        if at == upto {
            upto += piece(bytes.len() - at);
        }
        match reader.feed(&bytes[at..upto]) {
            Err(broken) => return (responses, Some(broken)),
            Ok(Progress::Incomplete) => at = upto,
            Ok(Progress::Complete { response, used }) => {
                assert!((1..=upto - at).contains(&used), "{used} of {}", upto - at);
                at += used;
                responses.push((response, at));
                reader.begin(to_head, false);
            }
        }
    }
    let broken = if reader.started() {
        reader
            .finish()
            .map(|response| responses.push((response, at)))
            .err()
    } else {
        None
    };
    (responses, broken)
}
