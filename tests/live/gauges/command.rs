//! `threadbare gauges` as its user meets it.

use std::process::{Command, Output};

use crate::server::{ScriptedAnswer, Server};

fn gauges(server: &Server, flags: &[&str]) -> (Option<i32>, String) {
    let Output {
        status,
        stdout,
        stderr,
    } = Command::new(env!("CARGO_BIN_EXE_threadbare"))
        .args([
            "gauges",
            &format!("http://{}/x?token=hidden", server.address()),
        ])
        .args(flags)
        .output()
        .unwrap();
    let text = String::from_utf8([stdout, stderr].concat()).unwrap();
    assert!(
        !text.contains("hidden") && !text.contains('\u{1b}'),
        "{text}"
    );
    (status.code(), text)
}

fn serving(body: &'static str) -> Server {
    Server::start(move |_| {
        ScriptedAnswer::text(&format!(
            "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        ))
    })
}

#[test]
fn one_reading_tells_what_fits_and_what_is_missing() {
    let server =
        serving("hikaricp_connections_active 3\nhikaricp_connections_pending 2\n\u{1b}[2J\n");
    let (code, text) = gauges(&server, &[]);
    assert_eq!(code, Some(0), "{text}");
    for told in [
        "2 series",
        "1 line cannot be read, the first is line 3",
        "hikaricp\n  busy      3\n  workers   10  stated, not read: the page does not say\n  queue     2\n",
    ] {
        assert!(text.contains(told), "{told}: {text}");
    }
    assert!(!text.contains("tomcat"), "{text}");
    let busy = [
        "--busy",
        "hikaricp_connections_active / 2",
        "--queue",
        "gone",
    ];
    let (code, text) = gauges(&server, &busy);
    assert_eq!(code, Some(0), "{text}");
    assert!(
        text.contains("busy      1.5") && text.contains("queue     –  the page has no gone"),
        "{text}"
    );
    let (code, text) = gauges(&server, &["--preset", "puma"]);
    assert_eq!(code, Some(3), "{text}");
    assert!(
        text.contains("workers   5  stated") && text.contains("The page has:\n  hikaricp"),
        "{text}"
    );
}

#[test]
fn what_is_wrong_is_said_in_a_sentence() {
    let server = serving("<html>");
    let (code, text) = gauges(&server, &[]);
    assert_eq!(code, Some(3));
    assert!(
        text.contains("?token=***: the page is HTML, not metrics"),
        "{text}"
    );
    // With the cause by which such failures are counted, once.
    for (status, told) in [
        (
            503,
            "?token=***: it answered with status 503; counted as: server error (5xx)\n",
        ),
        (
            302,
            "no redirect is followed; counted as: unexpected redirect (3xx)\n",
        ),
    ] {
        let server = Server::start(move |_| ScriptedAnswer::status(status));
        let (code, text) = gauges(&server, &[]);
        assert_eq!(code, Some(3));
        assert!(text.ends_with(told), "{text}");
    }
    let (code, text) = gauges(&server, &["--preset", "pumma"]);
    assert_eq!(code, Some(2));
    assert!(text.contains("did you mean `puma`?"), "{text}");
    let (code, text) = gauges(&server, &["--busy", "a +"]);
    assert_eq!(code, Some(2));
    assert!(
        text.contains("at character 4: expected a metric's name"),
        "{text}"
    );
}
