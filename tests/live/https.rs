//! A service under https is asked whether it is ready, called by hooks and read for
//! gauges, and a certificate that is not trusted is told in one sentence.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Output};
use std::sync::{Arc, Mutex};
use std::thread;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use serde_json::Value;
use tempfile::TempDir;

/// An authority's certificate in `folder`/ca.pem, and a server that it vouches for as
/// `localhost`.
pub(crate) fn authority(folder: &Path) -> ServerConfig {
    let mut parameters = CertificateParams::default();
    parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    // Of an issuer with the server's own name OpenSSL thinks that it signed itself.
    let name = &mut parameters.distinguished_name;
    name.push(DnType::CommonName, "An authority of the tests");
    let issuer = CertifiedIssuer::self_signed(parameters, KeyPair::generate().unwrap()).unwrap();
    fs::write(folder.join("ca.pem"), issuer.pem()).unwrap();
    let key = KeyPair::generate().unwrap();
    let parameters = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    let certificate = parameters.signed_by(&key, &issuer).unwrap();
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key)
        .unwrap()
}

/// A server under https, and the request lines that it has read.
pub(crate) struct Server {
    port: u16,
    seen: Arc<Mutex<Vec<String>>>,
}

impl Server {
    /// Serves until the test ends, with a thread for each connection.
    pub(crate) fn start(config: ServerConfig) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let (config, seen) = (Arc::new(config), Arc::new(Mutex::new(Vec::new())));
        let lines = Arc::clone(&seen);
        thread::spawn(move || {
            while let Ok((stream, _)) = listener.accept() {
                let (config, lines) = (Arc::clone(&config), Arc::clone(&lines));
                thread::spawn(move || converse(stream, config, &lines));
            }
        });
        Self { port, seen }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("https://localhost:{}{path}", self.port)
    }

    pub(crate) fn saw(&self, line: &str) -> bool {
        let line = format!("{line} HTTP/1.1");
        self.seen.lock().unwrap().contains(&line)
    }
}

/// Answers every request with a page of gauges, until the connection ends.
fn converse(stream: TcpStream, config: Arc<ServerConfig>, lines: &Mutex<Vec<String>>) {
    let mut stream = StreamOwned::new(ServerConnection::new(config).unwrap(), stream);
    let mut head = Vec::new();
    let mut byte = [0];
    while let Ok(1) = stream.read(&mut byte) {
        head.push(byte[0]);
        if head.ends_with(b"\r\n\r\n") {
            let text = String::from_utf8(std::mem::take(&mut head)).unwrap();
            let line = text.lines().next().unwrap();
            lines.lock().unwrap().push(line.to_owned());
            let answer = "HTTP/1.1 200 OK\r\ncontent-length: 11\r\n\r\napp_busy 3\n";
            if stream.write_all(answer.as_bytes()).is_err() {
                return;
            }
        }
    }
}

fn threadbare(arguments: &[&str]) -> (Option<i32>, String) {
    let Output {
        status,
        stdout,
        stderr,
    } = Command::new(env!("CARGO_BIN_EXE_threadbare"))
        .args(arguments)
        .output()
        .unwrap();
    let text = String::from_utf8([stdout, stderr].concat()).unwrap();
    (status.code(), text)
}

/// Runs a scenario on a server of which everything is under https; its events.
fn run(folder: &TempDir, server: &Server) -> (Option<i32>, String, Vec<Value>) {
    let text = r#"
        title = "All of it under https"
        claim = "It is asked, called and read."
        warm_up = "500ms"
        interval = "250ms"
        drain = "1s"
        end = "2s"
        [target]
        url = "URL"
        ca = "ca.pem"
        ready = "GET /health"
        ready_within = "1s"
        [load]
        rate = "20/s"
        [[gauges]]
        name = "app"
        url = "URL/metrics"
        busy = "app_busy"
        every = "500ms"
        [[hook]]
        name = "deploy"
        request = "POST URL/deploy"
        undo = { request = "POST URL/undo" }
        [[timeline]]
        at = "1s"
        do = "hook"
        hook = "deploy"
    "#;
    let file = folder.path().join("case.toml");
    fs::write(&file, text.replace("URL", &server.url(""))).unwrap();
    let directory = folder.path().join("run");
    let arguments = [
        "run",
        file.to_str().unwrap(),
        "--out",
        directory.to_str().unwrap(),
    ];
    let (code, said) = threadbare(&arguments);
    let journal = fs::read_to_string(directory.join("journal.jsonl")).unwrap_or_default();
    let events = journal.lines().map(serde_json::from_str);
    (code, said, events.collect::<Result<_, _>>().unwrap())
}

#[test]
fn ready_checks_hooks_and_gauges_trust_whom_the_target_names() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(authority(folder.path()));
    let (_, said, events) = run(&folder, &server);
    for line in ["GET /health", "GET /metrics", "POST /deploy", "POST /undo"] {
        assert!(server.saw(line), "{line}: {said}");
    }
    let outcomes = |name: &str| -> Vec<&Value> {
        let named = events.iter().filter(|event| event["event"] == name);
        named.map(|event| &event["outcome"]["outcome"]).collect()
    };
    assert_eq!(outcomes("action_ended"), ["applied"], "{said}");
    assert_eq!(outcomes("undone"), ["applied"], "{said}");
    assert!(outcomes("scrape_failed").is_empty(), "{events:?}");
}

#[test]
fn a_server_that_is_not_trusted_is_not_ready_and_the_reason_is_told() {
    let (folder, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let server = Server::start(authority(elsewhere.path()));
    authority(folder.path());
    let (code, said, _) = run(&folder, &server);
    assert_eq!(code, Some(3), "{said}");
    let told = "/health did not answer: the server's certificate was not accepted: no trusted authority \
                signed it; name a file with the certificate of the one that did as `ca`";
    assert!(said.contains(told), "{said}");
    assert!(server.seen.lock().unwrap().is_empty());
}

#[test]
fn one_page_is_read_under_https_where_its_certificate_fits() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(authority(folder.path()));
    let ca = folder.path().join("ca.pem");
    let trusting = ["--busy", "app_busy", "--cacert", ca.to_str().unwrap()];
    let plain = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = plain.local_addr().unwrap().port();
    thread::spawn(move || {
        while let Ok((mut stream, _)) = plain.accept() {
            let _ = stream.write_all(b"220 smtp ready\r\n");
        }
    });
    for (url, flags, code, told) in [
        (server.url("/metrics"), &trusting[..], 0, "busy      3"),
        // the system's authorities do not know it
        (
            server.url("/metrics"),
            &trusting[..2],
            3,
            "no trusted authority signed it",
        ),
        // another name than the certificate's
        (
            server.url("/").replace("localhost", "127.0.0.1"),
            &trusting[..],
            3,
            "it is for another name than the URL's host",
        ),
        // not encrypted
        (
            format!("https://localhost:{port}/"),
            &trusting[..],
            3,
            "the server does not speak TLS; should its URL begin with http://?",
        ),
        // no file of certificates
        (
            server.url("/metrics"),
            &["--cacert", "README.md"],
            2,
            "failed to read certificates (PEM) from README.md: it contains none",
        ),
        (
            server.url("/metrics"),
            &["--cacert", "/dev/null"],
            2,
            "failed to read certificates (PEM) from /dev/null: it is no regular file",
        ),
        // another machine, which nobody named
        (
            "https://192.0.2.1/metrics".to_owned(),
            &trusting[..],
            2,
            "allow it with --allow-host 192.0.2.1",
        ),
    ] {
        let (exit, said) = threadbare(&[&["gauges", &url], flags].concat());
        assert_eq!(exit, Some(code), "{url}: {said}");
        assert!(said.contains(told), "{url}: {said}");
    }
}
