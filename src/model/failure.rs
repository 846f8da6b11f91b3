//! Why an attempt failed: one list of causes for everything that asks anybody.
//!
//! A cause is what the network, the target, its answer or this machine did, as far
//! as a client can tell. How a client's operation counts it (a timeout, a connection
//! error, an answer that is no HTTP) follows from the cause.

use serde::{Deserialize, Serialize};

use super::redact;
use crate::named::Named;

/// How an attempt without a usable answer is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unanswered {
    /// Its time was over first.
    TimedOut,
    /// Its connection could not be made, or ended.
    Connection,
    /// What came cannot be read as HTTP.
    Protocol,
}

/// Declares the causes: variant, word, what it is counted as, and its sentence.
macro_rules! causes {
    ($($(#[$doc:meta])* $variant:ident $word:literal $counted:expr, $sentence:literal;)*) => {
        /// Why an attempt failed.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum FailureCause {
            $($(#[$doc])* #[serde(rename = $word)] $variant,)*
        }

        impl FailureCause {
            /// All of them, in the order in which an attempt can meet them.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The word for it, in the record and in scenarios.
            pub const fn word(self) -> &'static str {
                match self { $(Self::$variant => $word,)* }
            }

            /// What happened, as a clause about attempts: `12 were refused`.
            pub const fn clause(self) -> &'static str {
                match self { $(Self::$variant => $sentence,)* }
            }

            /// What an attempt that failed so is counted as; none where it was answered.
            pub const fn counted(self) -> Option<Unanswered> {
                match self { $(Self::$variant => $counted,)* }
            }
        }
    };
}

use Unanswered::{Connection, Protocol, TimedOut};

causes! {
    /// This machine had no file descriptor for another connection.
    NoDescriptor "no_descriptor" Some(Connection), "no file descriptor free on this machine";
    /// This machine had no local port for another connection.
    NoPort "no_port" Some(Connection), "no local port free on this machine";
    /// Nobody listens there.
    Refused "refused" Some(Connection), "connection refused";
    /// The network has no way there, or the kernel forbids it.
    Unreachable "unreachable" Some(Connection), "host unreachable";
    /// The queue of a Unix socket's server is full.
    QueueFull "queue_full" Some(Connection), "accept queue full";
    /// No connection came about in time: on one machine, the accept queue was full.
    ConnectTimedOut "connect_timed_out" Some(TimedOut), "could not connect in time";
    /// The two sides do not agree on encryption.
    Tls "tls" Some(Connection), "TLS failed";
    /// The server does not speak TLS on this port.
    NotTls "not_tls" Some(Connection), "the server does not speak TLS";
    /// The TLS handshake was not over in time.
    TlsTimedOut "tls_timed_out" Some(TimedOut), "no end of the TLS handshake in time";
    /// The connection was reset.
    Reset "reset" Some(Connection), "connection reset";
    /// The connection was closed before any of the answer.
    Closed "closed" Some(Connection), "connection closed without an answer";
    /// The connection, or the stream of HTTP/2, ended in the middle of the answer.
    Truncated "truncated" Some(Connection), "answer ended before it was whole";
    /// An HTTP/2 server ended the connection or the request with an error code.
    Http2Refused "http2_refused" Some(Connection), "ended by the server with an HTTP/2 error";
    /// Connected, and the target did not take all of the request in time.
    RequestUnsent "request_unsent" Some(TimedOut), "request not taken in time";
    /// Connected and sent, and nothing came in time.
    NoAnswer "no_answer" Some(TimedOut), "connected and not answered in time";
    /// Part of the answer came in time.
    AnswerUnfinished "answer_unfinished" Some(TimedOut), "answer begun and not finished in time";
    /// The answer states no length and no chunks, and the connection stays open.
    AnswerEndless "answer_endless" Some(TimedOut),
        "answer without content-length or chunks, on a connection that stays open";
    /// The answer is not HTTP.
    NotHttp "not_http" Some(Protocol), "answer is not HTTP";
    /// What was asked without encryption was answered in TLS.
    TlsInstead "tls_instead" Some(Protocol), "the server speaks TLS on this port: use https";
    /// What was asked over HTTP/2 was answered in HTTP/1.1.
    Http1Instead "http1_instead" Some(Protocol), "the server speaks HTTP/1.1 and not HTTP/2";
    /// The head has more bytes or fields than are read.
    HeadTooLarge "head_too_large" Some(Protocol),
        "head of the answer over 300 KiB or 5,000 fields";
    /// The content length is no number, or two different ones, or in HTTP/2 less than came.
    BadLength "bad_length" Some(Protocol),
        "content-length is not a number, several, or less than the answer's";
    /// The chunked coding is damaged.
    BadChunk "bad_chunk" Some(Protocol), "damaged chunk";
    /// The server switches to a protocol that nobody asked for.
    Upgraded "upgraded" Some(Protocol), "status 101: a protocol nobody asked for";
    /// More interim answers than are read.
    InterimFlood "interim_flood" Some(Protocol), "over 16 interim answers (1xx)";
    /// A frame of HTTP/2 is not what or where it may be.
    BadFrame "bad_frame" Some(Protocol), "damaged HTTP/2 frame";
    /// The header fields of HTTP/2 cannot be read, or have no status.
    BadFields "bad_fields" Some(Protocol), "HTTP/2 header fields cannot be read";
    /// The server compresses fields in a way that the client has declined.
    DynamicTable "dynamic_table" Some(Protocol),
        "HTTP/2 header compression by a table that was declined (SETTINGS_HEADER_TABLE_SIZE 0)";
    /// An unexpected status, 3xx.
    Redirected "redirected" None, "unexpected redirect (3xx)";
    /// An unexpected status, 4xx.
    ClientError "client_error" None, "unexpected client error (4xx)";
    /// An unexpected status, 5xx.
    ServerError "server_error" None, "server error (5xx)";
    /// An unexpected status of another class.
    OtherStatus "other_status" None, "unexpected status";
    /// Answered though it should have been refused.
    WronglyAllowed "wrongly_allowed" None, "allowed, and should have been refused";
    /// The status was expected, and the rest of the answer was not.
    CheckFailed "check_failed" None, "failed a check of the answer";
}

impl Named for FailureCause {
    fn all() -> Vec<(Self, &'static str)> {
        let all = Self::ALL.iter();
        all.map(|cause| (*cause, cause.word())).collect()
    }
}

impl FailureCause {
    /// The cause with this word.
    pub fn by_word(word: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|cause| cause.word() == word)
    }

    /// That of an unexpected status.
    pub const fn of_status(status: u16) -> Self {
        match status / 100 {
            3 => Self::Redirected,
            4 => Self::ClientError,
            5 => Self::ServerError,
            _ => Self::OtherStatus,
        }
    }

    /// Whether the machine that generates the load lacked something: the target
    /// never saw the attempt.
    pub const fn is_own(self) -> bool {
        matches!(self, Self::NoDescriptor | Self::NoPort)
    }
}

/// Letters of an answer's body that an example holds at most.
const EXAMPLE_MAX: usize = 256;
/// Bytes of it that are looked at for that.
const READ_MAX: usize = 1024;
/// Letters of a line of its head, likewise.
const LINE_MAX: usize = 100;

/// What an answer looked like: its status line, its server and its body's first
/// bytes, with everything that is no plain letter escaped. Other fields are left out,
/// and of the rest what may be a secret: bodies hold anything.
pub(crate) fn example(answer: &[u8]) -> String {
    let (head, body) = parts(answer);
    // A little more than is shown: a body of a mebibyte would hold up the generator.
    let whole = body.len() <= READ_MAX;
    let body = String::from_utf8_lossy(&body[..body.len().min(READ_MAX)]);
    let body = redact::text(body.trim_end());
    let mut letters = body.chars();
    let mut shown: String = letters.by_ref().take(EXAMPLE_MAX).collect();
    if letters.next().is_some() || !whole {
        shown.push('…');
    }
    let parts = [head, shown.escape_debug().to_string()];
    let parts: Vec<String> = parts.into_iter().filter(|part| !part.is_empty()).collect();
    parts.join("; ")
}

/// The lines of a head that are shown, and what follows it. Where there is no head,
/// all of it follows.
fn parts(answer: &[u8]) -> (String, &[u8]) {
    if !answer.starts_with(b"HTTP/") {
        return (String::new(), answer);
    }
    let mut lines = Vec::new();
    let mut rest = answer;
    while !rest.is_empty() {
        let end = rest.iter().position(|byte| *byte == b'\n');
        let (line, after) = rest.split_at(end.map_or(rest.len(), |end| end + 1));
        rest = after;
        let line = String::from_utf8_lossy(line);
        let line = line.trim_end();
        if line.is_empty() {
            break;
        }
        let name = line.split(':').next().unwrap_or_default();
        if lines.is_empty() || name.trim_end().eq_ignore_ascii_case("server") {
            let shown = line.chars().take(LINE_MAX).flat_map(char::escape_debug);
            lines.push(shown.collect::<String>());
        }
    }
    (lines.join("; "), rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_cause_has_a_word_of_its_own() {
        for cause in FailureCause::ALL {
            assert_eq!(FailureCause::by_word(cause.word()), Some(*cause));
            let written = serde_json::to_value(cause).unwrap();
            assert_eq!(written, cause.word());
        }
        assert_eq!(FailureCause::by_word("nothing"), None);
    }

    #[test]
    fn an_example_is_short_and_harmless() {
        assert_eq!(example(b"\x1b[31mred\r\n"), "\\u{1b}[31mred");
        assert_eq!(example(&[b'x'; 300]), format!("{}…", "x".repeat(256)));
        assert_eq!(example(b""), "");
        let secret = example(br#"{"password": "hunter2", "state": "down"}"#);
        assert!(
            secret.contains("down") && !secret.contains("hunter2"),
            "{secret}"
        );
    }

    #[test]
    fn of_a_head_only_what_is_no_secret_is_shown() {
        let answer = b"HTTP/1.1 503 Busy\r\nSet-Cookie: sid=secret\r\nServer: nginx\r\n\r\n<h1>no";
        assert_eq!(example(answer), "HTTP/1.1 503 Busy; Server: nginx; <h1>no");
        assert_eq!(
            example(b"HTTP/1.1 503 Busy\r\nAuthorization: x"),
            "HTTP/1.1 503 Busy"
        );
    }
}
