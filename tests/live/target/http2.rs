//! Runs on a service that speaks HTTP/2: with prior knowledge, by ALPN, and where it does not.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::sync::Arc;
use std::thread;

use hyper::Version;

use super::{Case, on, said};
use crate::https::authority;
use crate::load::published::{Manner, Published};
use crate::run::alone;

/// The same scenario over HTTP/2, with these keys in `[load]`.
fn over_http2(text: &str, load: &str) -> String {
    text.replace("[load]\n", &format!("http2 = true\n[load]\n{load}"))
}

/// How often each cause of failure was counted, by its source.
fn failures(case: &Case) -> Vec<(String, String, u64)> {
    let summary = case.summary();
    let failures = summary["failures"].as_array().cloned().unwrap_or_default();
    let told = failures.iter().map(|it| {
        let word = |key: &str| it[key].as_str().unwrap().to_owned();
        (word("source"), word("cause"), it["count"].as_u64().unwrap())
    });
    told.collect()
}

/// A push breaks the service, and a rollback mends it: what comes of that is not the
/// protocol's doing.
#[test]
fn an_incident_over_http2_meets_what_is_expected_of_it_over_http1() {
    let _alone = alone();
    let mut verdicts = Vec::new();
    for version in [Version::HTTP_11, Version::HTTP_2] {
        let (server, address) = Published::tcp("127.0.0.1", Manner::default());
        let rest = format!(
            r#"
            [[monitor]]
            name = "health"
            probe = "/health"
            every = "100ms"
            [recovery]
            hold = "500ms"
            operations_min = 20
            [[hook]]
            name = "deploy"
            request = "POST http://{address}/break"
            undo = {{ request = "POST http://{address}/mend" }}
            [[hook]]
            name = "back"
            request = "POST http://{address}/mend"
            [[timeline]]
            at = "1500ms"
            do = "hook"
            hook = "deploy"
            as = "push"
            phase = "push"
            [[timeline]]
            at = "2s"
            do = "hook"
            hook = "back"
            as = "rollback"
            phase = "rollback"
            [[expect]]
            that = "recovery after rollback"
            at_most = "800ms"
            "#
        );
        let text = on(&format!("http://{address}"), "3s", &rest);
        let http2 = version == Version::HTTP_2;
        let text = if http2 {
            over_http2(&text, "streams = 4\nconnections = 2\n")
        } else {
            text
        };
        let case = Case::new(&text);
        let output = case.run();
        assert_eq!(
            output.status.code(),
            Some(0),
            "{version:?}: {}",
            said(&output)
        );
        assert!(case.phase("push", "error_share").as_f64().unwrap() > 0.8);
        verdicts.push(case.summary()["incident"]["verdict"].clone());
        // Users, monitors and the ready check speak one protocol; hooks are HTTP/1.1.
        let requests = server.requests();
        for path in ["/", "/health", "/break", "/mend"] {
            let hook = matches!(path, "/break" | "/mend");
            let expected = if hook { Version::HTTP_11 } else { version };
            let mut own = requests.iter().filter(|(_, target, _)| target == path);
            assert!(own.clone().next().is_some(), "{path}");
            assert!(own.all(|(own, ..)| *own == expected), "{path}: {version:?}");
        }
        // The report names the protocol, and a run over HTTP/1.1 is as it was.
        let postmortem = fs::read_to_string(case.directory().join("postmortem.md")).unwrap();
        assert_eq!(postmortem.contains(" over HTTP/2"), http2, "{postmortem}");
        assert_eq!(postmortem.contains("4 streams each"), http2, "{postmortem}");
    }
    assert_eq!(verdicts[0], verdicts[1]);
}

#[test]
fn a_target_under_https_agrees_on_http2_by_alpn() {
    let _alone = alone();
    let case = Case::new("");
    let mut config = authority(case.folder.path());
    config.alpn_protocols = vec![b"http/1.1".to_vec(), b"h2".to_vec()];
    let manner = Manner {
        tls: Some(Arc::new(config)),
        ..Manner::default()
    };
    let (server, address) = Published::tcp("127.0.0.1", manner);
    let text = on(
        &format!("https://localhost:{}", address.port()),
        "1500ms",
        "",
    );
    let text = over_http2(&text, "").replace("http2 = true\n", "http2 = true\nca = \"ca.pem\"\n");
    case.write(&text);
    let output = case.run();
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    assert_eq!(case.summary()["conservation"]["succeeded"], 150);
    let requests = server.requests();
    assert!(requests.len() > 150, "{}", requests.len());
    assert!(
        requests
            .iter()
            .all(|(version, ..)| *version == Version::HTTP_2)
    );
}

#[test]
fn a_target_that_goes_away_loses_no_operation() {
    let _alone = alone();
    let manner = Manner {
        goes_away_after: Some(10),
        ..Manner::default()
    };
    let (server, address) = Published::tcp("127.0.0.1", manner);
    let text = on(&format!("http://{address}"), "1500ms", "");
    let case = Case::new(&over_http2(&text, "streams = 4\nconnections = 2\n"));
    let output = case.run();
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    assert_eq!(case.summary()["conservation"]["succeeded"], 150);
    // Each took ten requests, and what was under way with the tenth.
    assert!(server.connections() >= 10, "{}", server.connections());
}

/// One connection of four streams, which nobody answers: whoever finds none free waits for a
/// connection, a stream that is given up leaves its connection, and probes wait for neither.
#[test]
fn monitors_wait_for_no_stream_and_cancelled_streams_leave_their_connection() {
    let _alone = alone();
    let (server, address) = Published::tcp("127.0.0.1", Manner::default());
    let monitor = "[[monitor]]\nname = \"health\"\nprobe = \"/health\"\nevery = \"100ms\"\n";
    let text = on(&format!("http://{address}/hang"), "1500ms", monitor);
    let text = text.replace("100/s", "20/s");
    let case = Case::new(&over_http2(&text, "streams = 4\nconnections = 1\n"));
    let output = case.run();
    assert!(output.status.code().is_some(), "{}", said(&output));
    let told = failures(&case);
    let is_monitors = |(source, ..): &(String, _, _)| source.starts_with("monitor");
    assert!(!told.iter().any(is_monitors), "{told:?}");
    assert!(!told.is_empty(), "{}", said(&output));
    assert!(
        told.iter().all(|(_, cause, _)| cause == "no_answer"),
        "{told:?}"
    );
    let spent = &case.summary()["time_spent"];
    let waited = spent["connection_wait_ns"].as_u64().unwrap();
    assert!(waited > spent["target_ns"].as_u64().unwrap(), "{spent}");
    // One of the users, one of the monitor; before and after them one for each time that it
    // was asked whether it serves.
    let asked = server.requests();
    let asked = asked.iter().filter(|(_, target, _)| target == "/health");
    assert!(asked.count() > 10);
    assert!(server.connections() <= 6, "{}", server.connections());
}

/// Or one stuck connection would be a server that is down.
#[test]
fn a_probe_that_is_not_answered_closes_its_connection() {
    let _alone = alone();
    let (server, address) = Published::tcp("127.0.0.1", Manner::default());
    let monitor = "[[monitor]]\nname = \"stuck\"\nprobe = \"/hang\"\nevery = \"100ms\"\n\
                   timeout = \"50ms\"\n";
    let text = on(&format!("http://{address}"), "1500ms", monitor);
    let case = Case::new(&over_http2(&text, "streams = 4\nconnections = 1\n"));
    let output = case.run();
    assert!(output.status.code().is_some(), "{}", said(&output));
    let asked = server.requests();
    let asked = asked.iter().filter(|(_, target, _)| target == "/hang");
    let asked = asked.count();
    assert!(asked > 5, "{asked}: {}", said(&output));
    // Besides, one of the users and those of the ready checks.
    assert!(server.connections() > asked, "{}", server.connections());
}

#[test]
fn there_is_no_fallback_to_http1() {
    let _alone = alone();
    // By ALPN: the server offers HTTP/1.1 and nothing else.
    let case = Case::new("");
    let mut config = authority(case.folder.path());
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    let manner = Manner {
        tls: Some(Arc::new(config)),
        ..Manner::default()
    };
    let (server, address) = Published::tcp("127.0.0.1", manner);
    let url = format!("https://localhost:{}", address.port());
    let keys = "http2 = true\nca = \"ca.pem\"\nready_within = \"300ms\"\n";
    let text = over_http2(&on(&url, "1s", ""), "");
    case.write(&text.replace("http2 = true\n", keys));
    let output = case.run();
    assert_eq!(output.status.code(), Some(3), "{}", said(&output));
    assert!(said(&output).contains("TLS failed"), "{}", said(&output));
    assert!(server.requests().is_empty());

    // With prior knowledge: the server answers in HTTP/1.1.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        for mut socket in listener.incoming().flatten() {
            thread::spawn(move || {
                let mut buffer = [0; 1024];
                if matches!(socket.read(&mut buffer), Ok(1..)) {
                    let _ = socket.write_all(b"HTTP/1.1 400 No\r\ncontent-length: 0\r\n\r\n");
                    // Until the client has read it, and gone.
                    while matches!(socket.read(&mut buffer), Ok(1..)) {}
                }
            });
        }
    });
    let text = over_http2(&on(&url, "1s", ""), "");
    let impatient = "http2 = true\nready_within = \"300ms\"\n";
    let case = Case::new(&text.replace("http2 = true\n", impatient));
    let output = case.run();
    assert_eq!(output.status.code(), Some(3), "{}", said(&output));
    let told = "the server speaks HTTP/1.1 and not HTTP/2";
    assert!(said(&output).contains(told), "{}", said(&output));

    // Without a ready check it is loaded, and every operation fails by that cause.
    let case = Case::new(&text.replace("ready = \"GET /health\"\n", ""));
    let output = case.run();
    assert!(output.status.code().is_some(), "{}", said(&output));
    let told = failures(&case);
    assert!(!told.is_empty(), "{}", said(&output));
    assert!(
        told.iter().all(|(_, cause, _)| cause == "http1_instead"),
        "{told:?}"
    );
    assert_eq!(case.summary()["conservation"]["succeeded"], 0);
}
