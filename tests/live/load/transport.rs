//! `threadbare load` over what carries requests: HTTP/2, TLS, Unix sockets, IPv6.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output};
use std::sync::Arc;

use hyper::Version;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use tempfile::TempDir;

use super::published::{Manner, Published};

fn load(url: &str, flags: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_threadbare"))
        .args(["load", url])
        .args(flags)
        .output()
        .unwrap()
}

/// The table of a load that must have been measured.
fn table(url: &str, flags: &[&str]) -> String {
    let output = load(url, flags);
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    // 1: nothing succeeded, which some of these are about.
    assert!(matches!(output.status.code(), Some(0 | 1)), "{error}");
    String::from_utf8(output.stdout).unwrap()
}

fn assert_all_succeeded(table: &str, operations: usize) {
    let all = format!("{operations} of {operations} (100.00 %)");
    assert!(table.contains(&all), "{table}");
}

/// An authority with certificates for a server and a client, in files.
struct Authority {
    folder: TempDir,
    issuer: CertifiedIssuer<'static, KeyPair>,
}

impl Authority {
    fn new() -> Self {
        let mut parameters = CertificateParams::default();
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let authority = Self {
            folder: tempfile::tempdir().unwrap(),
            issuer: CertifiedIssuer::self_signed(parameters, key).unwrap(),
        };
        fs::write(authority.file("ca.pem"), authority.issuer.pem()).unwrap();
        authority
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A file's path as an argument.
    fn path(&self, name: &str) -> String {
        self.file(name).to_str().unwrap().to_owned()
    }

    fn issue(&self, name: &str) -> (CertificateDer<'static>, PrivateKeyDer<'static>) {
        let key = KeyPair::generate().unwrap();
        let parameters = CertificateParams::new(vec![name.to_owned()]).unwrap();
        let certificate = parameters.signed_by(&key, &self.issuer).unwrap();
        fs::write(self.file("cert.pem"), certificate.pem()).unwrap();
        fs::write(self.file("key.pem"), key.serialize_pem()).unwrap();
        let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        (certificate.der().clone(), key)
    }

    /// A server's encryption, as `localhost`; `known`: only to clients with a
    /// certificate of this authority.
    fn server(&self, known: bool) -> Manner {
        let (certificate, key) = self.issue("localhost");
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .unwrap();
        let builder = if known {
            let mut roots = RootCertStore::empty();
            roots.add(self.issuer.der().clone()).unwrap();
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
            builder.with_client_cert_verifier(verifier.build().unwrap())
        } else {
            builder.with_no_client_auth()
        };
        let mut config = builder.with_single_cert(vec![certificate], key).unwrap();
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Manner {
            tls: Some(Arc::new(config)),
            ..Manner::default()
        }
    }
}

#[test]
fn http2_carries_many_requests_on_few_connections() {
    let (server, address) = Published::tcp("127.0.0.1", Manner::default());
    let url = format!("http://{address}/all");
    let flags = ["--http2", "-c", "2", "--streams", "16", "-n", "500"];
    assert_all_succeeded(&table(&url, &flags), 500);
    assert!(server.connections() <= 2);
    let requests = server.requests();
    assert_eq!(requests.len(), 500);
    assert!(
        requests
            .iter()
            .all(|(version, target, _)| *version == Version::HTTP_2 && target == "/all")
    );
}

#[test]
fn a_body_larger_than_the_servers_windows_arrives_whole() {
    let (server, address) = Published::tcp("127.0.0.1", Manner::default());
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("body");
    fs::write(&file, vec![b'x'; 300_000]).unwrap();
    let url = format!("http://{address}/");
    let body = file.to_str().unwrap();
    let flags = [
        "--http2",
        "-c",
        "1",
        "--streams",
        "4",
        "-n",
        "20",
        "-D",
        body,
    ];
    assert_all_succeeded(&table(&url, &flags), 20);
    let requests = server.requests();
    assert!(requests.iter().all(|(_, _, bytes)| *bytes == 300_000));
}

#[test]
fn a_server_that_allows_fewer_streams_gets_no_more() {
    let manner = Manner {
        streams: Some(2),
        ..Manner::default()
    };
    let (server, address) = Published::tcp("127.0.0.1", manner);
    let url = format!("http://{address}/");
    let flags = ["--http2", "-c", "1", "--streams", "32", "-n", "200"];
    assert_all_succeeded(&table(&url, &flags), 200);
    assert_eq!(server.requests().len(), 200);
}

#[test]
fn a_server_that_goes_away_is_left_and_nothing_is_lost() {
    let manner = Manner {
        goes_away_after: Some(10),
        ..Manner::default()
    };
    let (server, address) = Published::tcp("127.0.0.1", manner);
    let url = format!("http://{address}/");
    let flags = ["--http2", "-c", "1", "--streams", "4", "-n", "100"];
    assert_all_succeeded(&table(&url, &flags), 100);
    assert!(server.connections() >= 5, "{}", server.connections());
    assert_eq!(server.requests().len(), 100);
}

#[test]
fn an_unanswered_stream_times_out_and_its_connection_stays() {
    let (server, address) = Published::tcp("127.0.0.1", Manner::default());
    let url = format!("http://{address}/hang");
    let flags = ["--http2", "-c", "1", "-n", "8", "--timeout", "200ms"];
    let table = table(&url, &flags);
    assert!(table.starts_with("NOTHING SUCCEEDED"), "{table}");
    assert!(table.contains("timed out 8"), "{table}");
    assert_eq!(server.connections(), 1);
}

#[test]
fn tls_is_spoken_to_a_server_that_is_trusted() {
    let authority = Authority::new();
    let (server, address) = Published::tcp("127.0.0.1", authority.server(false));
    let url = format!("https://localhost:{}/", address.port());
    let ca = authority.path("ca.pem");
    let encrypted = table(&url, &["-n", "50", "-c", "2", "--cacert", &ca]);
    assert_all_succeeded(&encrypted, 50);
    for row in [
        "  connect       p50 ",
        "  TLS           p50 ",
        "  first byte    p50 ",
    ] {
        assert!(encrypted.contains(row), "{row}: {encrypted}");
    }
    let first = server.requests().len();
    let flags = ["-n", "50", "-c", "2", "--http2", "--insecure"];
    let encrypted = table(&url, &flags);
    assert_all_succeeded(&encrypted, 50);
    assert!(encrypted.contains("  TLS           p50 "), "{encrypted}");
    let requests = server.requests();
    assert!(
        requests[..first]
            .iter()
            .all(|(version, ..)| *version == Version::HTTP_11)
    );
    assert!(
        requests[first..]
            .iter()
            .all(|(version, ..)| *version == Version::HTTP_2)
    );
    assert_eq!(requests.len(), 100);
}

#[test]
fn a_server_that_is_not_trusted_gets_nothing_and_the_reason_is_told() {
    let (trusted, other) = (Authority::new(), Authority::new());
    let (server, address) = Published::tcp("127.0.0.1", other.server(false));
    let url = format!("https://localhost:{}/", address.port());
    let ca = trusted.path("ca.pem");
    let table = table(&url, &["-n", "20", "--cacert", &ca]);
    assert!(table.starts_with("NOTHING SUCCEEDED"), "{table}");
    assert!(table.contains("--cacert"), "{table}");
    assert!(server.requests().is_empty());
}

#[test]
fn a_server_that_wants_to_know_its_clients_is_told() {
    let authority = Authority::new();
    let (server, address) = Published::tcp("127.0.0.1", authority.server(true));
    authority.issue("client");
    let url = format!("https://localhost:{}/", address.port());
    let (ca, cert, key) = (
        authority.path("ca.pem"),
        authority.path("cert.pem"),
        authority.path("key.pem"),
    );
    let stranger = ["-n", "20", "--cacert", &ca];
    assert!(table(&url, &stranger).starts_with("NOTHING SUCCEEDED"));
    let known = [
        "-n", "20", "-c", "2", "--cacert", &ca, "--cert", &cert, "--key", &key,
    ];
    assert_all_succeeded(&table(&url, &known), 20);
    assert_eq!(server.requests().len(), 20);
}

#[test]
fn a_dead_port_fails_everyone_at_once_over_http2_too() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", free.local_addr().unwrap());
    drop(free);
    let flags = [
        "--http2",
        "-c",
        "1",
        "--streams",
        "32",
        "-n",
        "64",
        "-d",
        "1h",
    ];
    let table = table(&url, &flags);
    assert!(table.contains("connection failed 64"), "{table}");
}

/// A server that answers one request of a connection and ends it.
#[test]
fn a_server_that_breaks_every_connection_gets_no_more_of_them_at_a_time() {
    let manner = Manner {
        goes_away_after: Some(1),
        ..Manner::default()
    };
    let (server, address) = Published::tcp("127.0.0.1", manner);
    let url = format!("http://{address}/");
    let flags = ["--http2", "-c", "2", "--streams", "16", "-n", "200"];
    assert_all_succeeded(&table(&url, &flags), 200);
    assert_eq!(server.requests().len(), 200);
    assert!(server.open_max() <= 2, "{}", server.open_max());
}

#[test]
fn a_unix_socket_is_as_good_as_an_address() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("api.sock");
    let server = Published::unix(&path, Manner::default());
    let socket = path.to_str().unwrap();
    for protocol in [&[][..], &["--http2"]] {
        let flags = [&["-n", "100", "-c", "4", "--unix-socket", socket], protocol].concat();
        assert_all_succeeded(&table("http://api.test/", &flags), 100);
    }
    assert_eq!(server.requests().len(), 200);
}

#[test]
fn ipv6_and_names_of_ones_own_lead_to_the_server() {
    let (server, address) = Published::tcp("::1", Manner::default());
    let port = address.port();
    assert_all_succeeded(&table(&format!("http://[::1]:{port}/"), &["-n", "50"]), 50);
    let resolve = format!("shop.test:{port}:[::1]");
    let url = format!("http://shop.test:{port}/");
    assert_all_succeeded(&table(&url, &["-n", "50", "--resolve", &resolve]), 50);
    assert_eq!(server.requests().len(), 100);
    // An override leads nowhere that may not be loaded.
    let output = load(&url, &["--resolve", &format!("shop.test:{port}:192.0.2.1")]);
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn a_server_that_does_not_speak_http2_is_not_taken_for_one_that_does() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for socket in listener.incoming() {
            let _ = std::io::Write::write_all(&mut socket.unwrap(), b"HTTP/1.1 400 No\r\n\r\n");
        }
    });
    let table = table(&url, &["--http2", "-n", "20"]);
    assert!(table.starts_with("NOTHING SUCCEEDED"), "{table}");
}
