//! What is injected elsewhere is reported to a run, over TLS as well, by the commands themselves.

use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc::Receiver;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use serde_json::Value;
use tempfile::TempDir;

use crate::founding::founding;
use crate::run::{alone, events, run_directory, summary, threadbare, wait_until};

use super::server::{SOON, links};

/// A run whose console is encrypted, and the files with which it was started.
struct EncryptedGame {
    folder: TempDir,
    child: Child,
    /// Those of a facilitator, a responder, an observer and of tools.
    links: Vec<String>,
    said: Receiver<String>,
}

/// An authority in `ca.pem`, and what it vouches for as `localhost` in `cert.pem` and `key.pem`.
fn certificates(folder: &Path) {
    let mut parameters = CertificateParams::default();
    parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let name = &mut parameters.distinguished_name;
    name.push(DnType::CommonName, "An authority of the tests");
    let issuer = CertifiedIssuer::self_signed(parameters, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let parameters = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    let certificate = parameters.signed_by(&key, &issuer).unwrap();
    fs::write(folder.join("ca.pem"), issuer.pem()).unwrap();
    fs::write(folder.join("cert.pem"), certificate.pem()).unwrap();
    fs::write(folder.join("key.pem"), key.serialize_pem()).unwrap();
}

fn start() -> EncryptedGame {
    let folder = tempfile::tempdir().unwrap();
    certificates(folder.path());
    let mut table = founding("warm_up = '1s'\nend = '60s'");
    table.remove("gameday");
    table.remove("timeline");
    let file = folder.path().join("game.toml");
    fs::write(&file, toml::to_string(&table).unwrap()).unwrap();
    let mut child = threadbare()
        .args(["run", "--console", "--console-name", "localhost"])
        .arg("--console-cert")
        .arg(folder.path().join("cert.pem"))
        .arg("--console-key")
        .arg(folder.path().join("key.pem"))
        .args(["--no-tui", "--out"])
        .arg(run_directory(&folder))
        .arg(&file)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let (links, said) = links(&mut child);
    EncryptedGame {
        folder,
        child,
        links,
        said,
    }
}

impl EncryptedGame {
    fn file(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }
}

/// Asks as a browser would.
fn curl(arguments: &[&str]) -> Output {
    let mut curl = Command::new("curl");
    curl.args(["--silent", "--show-error", "--max-time", "10"]);
    curl.args(arguments).output().unwrap()
}

impl Drop for EncryptedGame {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn an_encrypted_console_serves_its_page_and_takes_reports_of_occupation() {
    let _alone = alone();
    let mut game = start();
    let directory = run_directory(&game.folder);
    assert!(
        game.links
            .iter()
            .all(|it| it.starts_with("https://localhost:"))
    );
    let (page, key) = game.links[0].split_once("#key=").unwrap();
    let ca = game.file("ca.pem");

    // The page and its figures, to whoever trusts the authority; in the clear nothing.
    let answered = curl(&["--cacert", &ca, page]);
    let html = String::from_utf8_lossy(&answered.stdout).into_owned();
    assert!(
        html.starts_with("<!doctype html>"),
        "{html}: {}",
        said(&answered)
    );
    let header = format!("x-threadbare-key: {key}");
    let plan = curl(&["--cacert", &ca, "--header", &header, &format!("{page}plan")]);
    let plan: Value = serde_json::from_slice(&plan.stdout).unwrap();
    assert_eq!(plan["mode"], "live");
    assert!(!curl(&[page]).status.success());
    let clear = page.replace("https://", "http://");
    assert!(!String::from_utf8_lossy(&curl(&[&clear]).stdout).contains("<!doctype"));

    wait_until(SOON, "the load", || {
        events(&directory)
            .iter()
            .any(|it| it["event"] == "load_started")
    });
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = server.local_addr().unwrap().to_string();
    let occupy = |arguments: &[&str]| {
        let mut occupy = threadbare();
        occupy.args([
            "occupy", &address, "-c", "2", "-d", "1s", "--hold", "silent",
        ]);
        occupy
            .args(["--by", "Dee", "--tell"])
            .args(arguments)
            .output()
            .unwrap()
    };
    // A certificate that nobody vouches for: nothing begins.
    let refused = occupy(&[&game.links[3]]);
    assert_eq!(refused.status.code(), Some(3), "{}", said(&refused));
    assert!(
        said(&refused).contains("failed to report"),
        "{}",
        said(&refused)
    );
    // An observer's link is no tool's.
    let refused = occupy(&[
        &game.links[2].replace("/#key=", "/happened#key="),
        "--tell-cacert",
        &ca,
    ]);
    assert_eq!(refused.status.code(), Some(3), "{}", said(&refused));
    // No process list has the link.
    fs::write(game.file("link"), &game.links[3]).unwrap();
    let occupied = occupy(&[&format!("@{}", game.file("link")), "--tell-cacert", &ca]);
    assert!(occupied.status.success(), "{}", said(&occupied));

    let link = format!("{page}stop");
    let stopped = curl(&[
        "--cacert",
        &ca,
        "--header",
        &header,
        "--header",
        "content-type: application/json",
        "--data",
        "{}",
        &link,
    ]);
    assert!(stopped.status.success(), "{}", said(&stopped));
    let ended = game.child.wait().unwrap();
    let printed: Vec<String> = game.said.iter().collect();
    assert!(matches!(ended.code(), Some(0 | 97 | 99)), "{printed:?}");
    let acted = events(&directory);
    let acted: Vec<&Value> = acted.iter().filter(|it| it["event"] == "ordered").collect();
    assert_eq!(acted.len(), 2, "{acted:?}");
    assert!(
        acted.iter().all(|it| it["by"]["name"] == "Dee"),
        "{acted:?}"
    );
    assert!(acted[0].to_string().contains(&address), "{acted:?}");
    let found = summary(&directory).unwrap();
    assert_eq!(found["actions"][0]["by"]["name"], "Dee");
}

#[test]
fn a_report_to_a_run_that_is_over_is_said_and_nothing_begins() {
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap();
    let link = format!("http://{}/happened#key=abc", nobody.local_addr().unwrap());
    drop(nobody);
    let mut occupy = threadbare();
    occupy
        .arg("occupy")
        .arg(server.local_addr().unwrap().to_string());
    let output = occupy.args(["--tell", &link]).output().unwrap();
    assert_eq!(output.status.code(), Some(3), "{}", said(&output));
    assert!(
        said(&output).contains("failed to report"),
        "{}",
        said(&output)
    );
    server.set_nonblocking(true).unwrap();
    assert!(
        server.accept().is_err(),
        "the occupation began all the same"
    );
}
