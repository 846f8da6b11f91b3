//! Failures say why: each by a cause of its own, with what was seen.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::thread;

use serde_json::Value;

use super::curl::load;
use super::sites::{After, Site, serve};

/// The one failure of one operation.
fn failure(url: &str, flags: &[&str]) -> (String, String) {
    let summary = load(url, flags);
    let failures = summary["failures"].as_array();
    let [failure] = failures.map_or(&[][..], Vec::as_slice) else {
        panic!("{summary}");
    };
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    assert!(failure["first_s"].as_f64().unwrap() >= 0.0);
    (
        text(&failure["cause"]),
        text(&failure["examples"][0]["seen"]),
    )
}

fn site(text: &str, after: After) -> String {
    let address = serve(vec![Site {
        bytes: text.into(),
        after,
    }]);
    format!("http://{address}/0")
}

/// Has every connection dealt with like this.
fn each(deal: impl Fn(TcpStream) + Send + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || listener.incoming().flatten().for_each(deal));
    address
}

#[test]
fn what_an_answer_lacks_is_named() {
    let ok = "HTTP/1.1 200 OK\r\n";
    for (text, after, cause, seen) in [
        (
            "SSH-2.0-OpenSSH_9.6\r\n".to_owned(),
            After::Closes,
            "not_http",
            "SSH-2.0-OpenSSH_9.6",
        ),
        (
            format!("{ok}Server: nginx\r\n\r\nhel"),
            After::Stays,
            "answer_endless",
            "HTTP/1.1 200 OK; Server: nginx; hel",
        ),
        (
            format!("{ok}Content-Length: 9\r\n\r\nok"),
            After::Stays,
            "answer_unfinished",
            "",
        ),
        (
            format!("{ok}Content-Len"),
            After::Stays,
            "answer_unfinished",
            "HTTP/1.1 200 OK",
        ),
        (
            format!("{ok}Content-Length: 9\r\n\r\nok"),
            After::Closes,
            "truncated",
            "",
        ),
        (String::new(), After::Closes, "closed", ""),
        (String::new(), After::Stays, "no_answer", ""),
        (
            format!("{ok}Content-Length: two\r\n\r\n"),
            After::Stays,
            "bad_length",
            "HTTP/1.1 200 OK",
        ),
        (
            format!("{ok}Transfer-Encoding: chunked\r\n\r\nzz\r\n"),
            After::Stays,
            "bad_chunk",
            "",
        ),
        (
            format!("{ok}X: {}\r\n", "v".repeat(400_000)),
            After::Stays,
            "head_too_large",
            "HTTP/1.1 200 OK",
        ),
        (
            "HTTP/1.1 101 Switching\r\n\r\n".to_owned(),
            After::Stays,
            "upgraded",
            "HTTP/1.1 101 Switching",
        ),
        (
            "HTTP/1.1 503 Busy\r\nServer: x\r\nSet-Cookie: secret\r\nContent-Length: 4\r\n\r\nfull"
                .to_owned(),
            After::Stays,
            "server_error",
            "HTTP/1.1 503 Busy; Server: x; full",
        ),
        (
            "HTTP/1.1 302 Found\r\nLocation: /x\r\nContent-Length: 0\r\n\r\n".to_owned(),
            After::Stays,
            "redirected",
            "HTTP/1.1 302 Found",
        ),
        (
            "\u{15}\u{3}\u{1}".to_owned(),
            After::Closes,
            "tls_instead",
            "\\u{15}\\u{3}\\u{1}",
        ),
    ] {
        let found = failure(&site(&text, after), &[]);
        assert_eq!(found, (cause.to_owned(), seen.to_owned()), "{text:.60}");
    }
    // What may be a secret is left out, wherever it stands.
    let body = r#"{"password": "hunter2", "state": "down"}"#;
    let head = format!(
        "HTTP/1.1 503 Busy\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    let (_, seen) = failure(&site(&(head + body), After::Stays), &[]);
    assert!(seen.contains("down") && !seen.contains("hunter2"), "{seen}");
    let (cause, seen) = failure(&site("", After::Resets), &[]);
    assert_eq!(cause, "reset");
    assert!(seen.contains("reset"), "{seen}");
}

#[test]
fn what_keeps_a_connection_from_coming_about_is_named() {
    let nobody = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let (cause, seen) = failure(&format!("http://{nobody}/"), &[]);
    assert_eq!(cause, "refused");
    assert!(seen.contains("refused"), "{seen}");

    let plain = site(
        "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n",
        After::Stays,
    );
    let (cause, _) = failure(&plain.replace("http:", "https:"), &["--insecure"]);
    assert!(
        ["not_tls", "tls_timed_out"].contains(&cause.as_str()),
        "{cause}"
    );

    let speaks = each(|mut connection| {
        let _ = connection.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n");
        let _ = connection.read(&mut [0; 1000]);
    });
    let (cause, _) = failure(&format!("https://{speaks}/"), &["--insecure"]);
    assert_eq!(cause, "not_tls");
    let (cause, seen) = failure(&format!("http://{speaks}/"), &["--http2"]);
    assert_eq!(
        (cause.as_str(), seen.as_str()),
        ("http1_instead", "HTTP/1.1 400 Bad Request")
    );

    let silent = each(|connection| {
        let _ = (&connection).read(&mut [0; 1]);
        std::mem::forget(connection);
    });
    let (cause, _) = failure(&format!("https://{silent}/"), &["--insecure"]);
    assert_eq!(cause, "tls_timed_out");
}

/// Answers on the head alone, and closes with the upload unread.
fn refuses_uploads() -> SocketAddr {
    each(|mut connection| {
        let mut head = Vec::new();
        let mut byte = [0];
        while !head.ends_with(b"\r\n\r\n") && connection.read(&mut byte).unwrap_or(0) > 0 {
            head.push(byte[0]);
        }
        let answer = "HTTP/1.1 413 Too Large\r\nconnection: close\r\ncontent-length: 3\r\n\r\nbig";
        let _ = connection.write_all(answer.as_bytes());
        let _ = connection.shutdown(Shutdown::Write);
    })
}

#[test]
fn an_answer_to_an_upload_that_was_not_taken_counts() {
    let url = format!("http://{}/", refuses_uploads());
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("upload");
    std::fs::write(&file, vec![b'x'; 8 << 20]).unwrap();
    let flags = ["-D", file.to_str().unwrap()];
    for _ in 0..5 {
        let found = failure(&url, &flags);
        let seen = "HTTP/1.1 413 Too Large; big";
        assert_eq!(found, ("client_error".to_owned(), seen.to_owned()));
    }
}

#[test]
fn checks_that_fail_say_which() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("operations.toml");
    let url = site(
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
        After::Stays,
    );
    let (base, path) = url.rsplit_once('/').unwrap();
    for (line, seen) in [
        (
            "check = [\"body: ready\"]",
            "the body does not contain `ready`; hello",
        ),
        (
            "check = [\"header etag: 7\"]",
            "no header `etag` that contains `7`; hello",
        ),
        (
            "capture = [\"id = body /id\"]",
            "nothing to capture from body /id; hello",
        ),
        (
            "capture = [\"id = body matching id=([0-9]+)\"]",
            "nothing to capture from body matching id=([0-9]+); hello",
        ),
    ] {
        let text = format!(
            "[[operation]]\nname = \"one\"\n[[operation.step]]\nrequest = \"GET /{path}\"\n{line}\n"
        );
        std::fs::write(&file, text).unwrap();
        let found = failure(&format!("{base}/"), &["--file", file.to_str().unwrap()]);
        assert_eq!(found, ("check_failed".to_owned(), seen.to_owned()));
    }
}
