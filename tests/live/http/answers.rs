//! Odd answers of HTTP/1.1: each is read as curl reads it, or there is a reason.

use super::curl::{Case, holds};
use super::sites::After::{Closes, Resets, Stays};
use super::sites::{After, Site};

fn case(name: &'static str, bytes: impl AsRef<[u8]>, after: After) -> Case {
    Case {
        name,
        site: Site {
            bytes: bytes.as_ref().to_vec(),
            after,
        },
        differs: None,
    }
}

/// An answer that is read otherwise than by curl, and why.
fn differs(case: Case, why: &'static str) -> Case {
    Case {
        differs: Some(why),
        ..case
    }
}

/// An answer with these header fields, each with its line's end, and this body.
fn with(fields: &str, body: &str) -> String {
    format!("HTTP/1.1 200 OK\r\n{fields}\r\n{body}")
}

#[test]
fn status_lines_are_read_as_curl_reads_them() {
    let line = |line: &str| format!("{line}\r\nContent-Length: 2\r\n\r\nok");
    holds(&[
        case("plain", line("HTTP/1.1 200 OK"), Stays),
        case("no reason", line("HTTP/1.1 200"), Stays),
        case("an empty reason", line("HTTP/1.1 200 "), Stays),
        case("a reason in UTF-8", line("HTTP/1.1 200 schön"), Stays),
        case(
            "a long reason",
            line(&format!("HTTP/1.1 200 {}", "x".repeat(2000))),
            Stays,
        ),
        case("HTTP/1.0", line("HTTP/1.0 200 OK"), Stays),
        case("a made-up status", line("HTTP/1.1 299 Fine"), Stays),
        case("599", line("HTTP/1.1 599 Odd"), Stays),
        case("letters in the status", line("HTTP/1.1 2x0 OK"), Closes),
        case("two digits", line("HTTP/1.1 20 OK"), Closes),
        case("another protocol", "SSH-2.0-OpenSSH_9.6\r\n", Closes),
        case("nothing", "", Closes),
        case("nothing but a reset", "", Resets),
        case("half a status line", "HTTP/1.1 2", Closes),
        case(
            "line feeds alone",
            "HTTP/1.1 200 OK\nContent-Length: 2\n\nok",
            Stays,
        ),
        case(
            "a line feed and a carriage return",
            "HTTP/1.1 200 OK\nContent-Length: 2\r\n\r\nok",
            Stays,
        ),
        case("two blanks", line("HTTP/1.1  200 OK"), Stays),
        differs(
            case(
                "an empty line first",
                format!("\r\n{}", line("HTTP/1.1 200 OK")),
                Stays,
            ),
            "RFC 9112, section 2.2, lets a reader pass over it",
        ),
        case(
            "garbage first",
            format!("garbage\r\n{}", line("HTTP/1.1 200 OK")),
            Stays,
        ),
        differs(
            case("lower case", line("http/1.1 200 OK"), Closes),
            "curl takes it; the name of the protocol is in capitals (RFC 9112, section 2.3)",
        ),
        case("ICY", line("ICY 200 OK"), Closes),
    ]);
}

#[test]
fn every_status_is_read() {
    let names: Vec<(u16, &'static str)> = vec![
        (200, "200"),
        (201, "201"),
        (202, "202"),
        (203, "203"),
        (206, "206"),
        (207, "207"),
        (300, "300"),
        (301, "301"),
        (302, "302"),
        (303, "303"),
        (307, "307"),
        (308, "308"),
        (400, "400"),
        (401, "401"),
        (402, "402"),
        (403, "403"),
        (404, "404"),
        (405, "405"),
        (406, "406"),
        (408, "408"),
        (409, "409"),
        (410, "410"),
        (411, "411"),
        (412, "412"),
        (413, "413"),
        (414, "414"),
        (415, "415"),
        (418, "418"),
        (421, "421"),
        (422, "422"),
        (425, "425"),
        (429, "429"),
        (431, "431"),
        (451, "451"),
        (500, "500"),
        (501, "501"),
        (502, "502"),
        (503, "503"),
        (504, "504"),
        (505, "505"),
        (507, "507"),
        (511, "511"),
    ];
    let cases: Vec<Case> = names
        .into_iter()
        .map(|(status, name)| {
            let text = format!("HTTP/1.1 {status} X\r\nContent-Length: 2\r\n\r\nok");
            case(name, text, Stays)
        })
        .chain([
            case("204 without a body", "HTTP/1.1 204 No\r\n\r\n", Stays),
            case("204 with a length", "HTTP/1.1 204 No\r\nContent-Length: 2\r\n\r\n", Stays),
            case("205", "HTTP/1.1 205 Reset\r\nContent-Length: 0\r\n\r\n", Stays),
            case("304 with a length", "HTTP/1.1 304 No\r\nContent-Length: 9\r\n\r\n", Stays),
            case("a redirect", "HTTP/1.1 302 X\r\nLocation: /0\r\nContent-Length: 0\r\n\r\n", Stays),
            case("hints first", with("Content-Length: 2\r\n", "ok").replace("HTTP/1.1 200", "HTTP/1.1 103 Hints\r\nLink: <x>\r\n\r\nHTTP/1.1 200"), Stays),
            case("100 first", format!("HTTP/1.1 100 Continue\r\n\r\n{}", with("Content-Length: 2\r\n", "ok")), Stays),
            case("100 and no more", "HTTP/1.1 100 Continue\r\n\r\n", Closes),
            case("a retry after a date", "HTTP/1.1 503 X\r\nRetry-After: Wed, 21 Oct 2099 07:28:00 GMT\r\nContent-Length: 0\r\n\r\n", Stays),
            case("101", "HTTP/1.1 101 Switching\r\nUpgrade: h2c\r\nConnection: upgrade\r\n\r\n", Closes),
        ])
        .collect();
    holds(&cases);
}

#[test]
fn header_fields_are_read_as_curl_reads_them() {
    let field = |field: &str| with(&format!("{field}Content-Length: 2\r\n"), "ok");
    let many = |count: usize| "Set-Cookie: s=1\r\n".repeat(count);
    let large = |bytes: usize| format!("X-Large: {}\r\n", "v".repeat(bytes));
    holds(&[
        case("folded", field("X-Long: one\r\n two\r\n"), Stays),
        case(
            "folded with a tab",
            field("X-Long: one\r\n\ttwo\r\n"),
            Stays,
        ),
        case(
            "quoted",
            with("Content-Length: 2\r\n\"Connection: close\"\r\n", "ok"),
            Stays,
        ),
        differs(
            case("no colon", field("nonsense\r\n"), Stays),
            "curl gives up; the line is passed over, and the rest is plain",
        ),
        case("no name", field(": nonsense\r\n"), Stays),
        case("no value", field("X-Empty:\r\n"), Stays),
        case("no blank after the colon", field("X-Tight:1\r\n"), Stays),
        case("a tab after the colon", field("X-Tab:\t1\r\n"), Stays),
        case(
            "a value in Latin-1",
            [b"HTTP/1.1 200 OK\r\nX-Name: J\xf6rg\r\nContent-Length: 2\r\n\r\nok".as_slice()]
                .concat(),
            Stays,
        ),
        case("a name with a slash", field("X/Y: 1\r\n"), Stays),
        case("120 fields", field(&many(120)), Stays),
        case("2,000 fields", field(&many(2000)), Stays),
        case("20 KiB", field(&large(20_000)), Stays),
        case("3 × 60 KiB", field(&large(60_000).repeat(3)), Stays),
        case("400 KiB", field(&large(60_000).repeat(7)), Closes),
        differs(
            case(
                "a blank before the colon",
                with("Content-Length : 2\r\n", "ok"),
                Stays,
            ),
            "RFC 9112, section 5.1: a client drops the blank; curl waits for the end",
        ),
        case("connection: close", field("Connection: close\r\n"), Stays),
        case(
            "connection: keep-alive",
            field("Connection: keep-alive\r\n"),
            Stays,
        ),
        case("a list", field("Connection: x, Close\r\n"), Stays),
    ]);
}

#[test]
fn lengths_are_read_as_curl_reads_them() {
    let length = |value: &str| with(&format!("Content-Length: {value}\r\n"), "ok");
    holds(&[
        case("zero", with("Content-Length: 0\r\n", ""), Stays),
        case("lower case", with("content-length: 2\r\n", "ok"), Stays),
        case("blanks around it", length("  2  "), Stays),
        case("leading zeros", length("0002"), Stays),
        case(
            "twice the same",
            with("Content-Length: 2\r\nContent-Length: 2\r\n", "ok"),
            Stays,
        ),
        case("cut short", with("Content-Length: 9\r\n", "ok"), Closes),
        case(
            "reset in the middle",
            with("Content-Length: 9\r\n", "ok"),
            Resets,
        ),
        case(
            "more than stated, then closed",
            with("Content-Length: 2\r\n", "okok"),
            Closes,
        ),
        case("none, until the end", with("", "all of it"), Closes),
        case(
            "none and HTTP/1.0",
            "HTTP/1.0 200 OK\r\n\r\nall of it",
            Closes,
        ),
        case("none, never closed", with("Server: nginx\r\n", ""), Stays),
        differs(
            case("huge", length("99999999999999999999"), Closes),
            "curl reads to the end; the length is not one that anybody could send",
        ),
        case("negative", length("-1"), Closes),
        case("letters", length("two"), Closes),
        differs(
            case(
                "twice, different",
                with("Content-Length: 2\r\nContent-Length: 3\r\n", "okk"),
                Stays,
            ),
            "curl believes the last; RFC 9112, section 6.3, calls it an error, and the next answer \
             would begin nobody knows where",
        ),
        differs(
            case("digits, then letters", length("2abc"), Stays),
            "curl reads the digits; the length is no number",
        ),
    ]);
}

#[test]
fn chunks_are_read_as_curl_reads_them() {
    let chunked = |body: &str| with("Transfer-Encoding: chunked\r\n", body);
    holds(&[
        case("one", chunked("2\r\nok\r\n0\r\n\r\n"), Stays),
        case(
            "many",
            chunked(&format!("{}0\r\n\r\n", "1\r\nx\r\n".repeat(500))),
            Stays,
        ),
        case("none", chunked("0\r\n\r\n"), Stays),
        case(
            "extensions",
            chunked("2;ext=1;\"q\"\r\nok\r\n0\r\n\r\n"),
            Stays,
        ),
        case(
            "trailers",
            chunked("2\r\nok\r\n0\r\nX-Sum: 7\r\n\r\n"),
            Stays,
        ),
        case(
            "capitals",
            with("Transfer-Encoding: Chunked\r\n", "2\r\nok\r\n0\r\n\r\n"),
            Stays,
        ),
        case(
            "hexadecimal",
            chunked(&format!("1A\r\n{}\r\n0\r\n\r\n", "x".repeat(26))),
            Stays,
        ),
        case("leading zeros", chunked("002\r\nok\r\n000\r\n\r\n"), Stays),
        case(
            "a length too",
            with(
                "Content-Length: 9\r\nTransfer-Encoding: chunked\r\n",
                "2\r\nok\r\n0\r\n\r\n",
            ),
            Stays,
        ),
        case("no last chunk", chunked("2\r\nok\r\n"), Closes),
        case("no number", chunked("zz\r\nok\r\n0\r\n\r\n"), Closes),
        case(
            "a chunk that is longer",
            chunked("2\r\nokok\r\n0\r\n\r\n"),
            Closes,
        ),
        case("endless digits", chunked("fffffffffffffffff\r\nok"), Closes),
        case(
            "a blank after the size",
            chunked("2 \r\nok\r\n0\r\n\r\n"),
            Stays,
        ),
        differs(
            case("line feeds alone", chunked("2\nok\n0\n\n"), Stays),
            "two readings of where a chunk ends are how requests are smuggled, and the proxy reads by the same code",
        ),
    ]);
}
