//! A base and a candidate in turns, each started by a command or described by a scenario.

use std::fs;
use std::path::Path;
use std::process::Output;

use serde_json::Value;
use tempfile::TempDir;

use super::gate::{said, threadbare};
use crate::run::alone;

/// A server that answers after so many seconds.
const SERVER: &str = r#"
import http.server, sys, time
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1
    def do_GET(self):
        time.sleep(float(sys.argv[2]))
        self.send_response(200)
        self.send_header("content-length", "2")
        self.end_headers()
        self.wfile.write(b"ok")
    def log_message(self, *arguments): pass
class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
Server(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"#;

/// A folder with the server's program, and a port that nobody listens on.
fn folder() -> (TempDir, u16) {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("server.py"), SERVER).unwrap();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    (folder, listener.local_addr().unwrap().port())
}

/// What starts the server, in words.
fn command(folder: &Path, port: u16, seconds: &str) -> [String; 4] {
    let program = folder.join("server.py").display().to_string();
    [
        "python3".to_owned(),
        program,
        port.to_string(),
        seconds.to_owned(),
    ]
}

/// Both were run three times with the same arrivals, one after the other, and told apart.
fn assert_told_apart(folder: &Path, output: &Output) {
    let told = said(output);
    assert_eq!(output.status.code(), Some(99), "{told}");
    let comparison = fs::read(folder.join("ab/comparison.json")).unwrap();
    let comparison: Value = serde_json::from_slice(&comparison).unwrap();
    assert_eq!(comparison["figures"][0]["figure"], "response p50");
    assert_eq!(comparison["figures"][0]["verdict"], "worse", "{told}");
    assert_eq!(comparison["method"]["paired"], true);
    assert_eq!(
        comparison["base"]["seeds"],
        comparison["candidate"]["seeds"]
    );
    // What changed is the command, and nothing else.
    let changed = comparison["changed"].as_array().unwrap().iter();
    let keys: Vec<&str> = changed.map(|it| it["key"].as_str().unwrap()).collect();
    assert_eq!(keys, ["target.origin.command.words"], "{told}");
    for side in ["base", "candidate"] {
        let journal = folder.join(format!("ab/round-03-{side}/journal.jsonl"));
        let journal = fs::read_to_string(journal).unwrap();
        assert!(journal.contains("\"event\":\"ended\""), "{side}: {journal}");
    }
}

#[test]
#[ignore = "half a minute; `./test --long` runs it"]
fn two_commands_in_turns_are_told_apart() {
    let _alone = alone();
    let (folder, port) = folder();
    let [base, candidate] =
        ["0.02", "0.06"].map(|seconds| command(folder.path(), port, seconds).join(" "));
    let url = format!("http://127.0.0.1:{port}/");
    let sides = [
        "ab",
        "--base",
        &base,
        "--candidate",
        &candidate,
        "--url",
        &url,
    ];
    let how = [
        "-R",
        "50",
        "-d",
        "2s",
        "--warm-up",
        "500ms",
        "--rounds",
        "3",
        "--out",
        "ab",
    ];
    let output = threadbare(folder.path(), &[&sides[..], &how].concat());
    assert_told_apart(folder.path(), &output);
}

#[test]
fn two_scenarios_in_turns_are_told_apart() {
    let _alone = alone();
    let (folder, port) = folder();
    for (name, seconds) in [("base", "0.02"), ("candidate", "0.06")] {
        let words = command(folder.path(), port, seconds);
        let text = format!(
            "title = \"A server\"\nclaim = \"It answers.\"\nwarm_up = \"500ms\"\nend = \"2500ms\"\n\
             [target]\nurl = \"http://127.0.0.1:{port}\"\ncommand = {words:?}\n[load]\nrate = \
             \"50/s\"\n"
        );
        fs::write(folder.path().join(format!("{name}.toml")), text).unwrap();
    }
    let words = [
        "ab",
        "base.toml",
        "candidate.toml",
        "--rounds",
        "3",
        "--out",
        "ab",
    ];
    let output = threadbare(folder.path(), &words);
    assert_told_apart(folder.path(), &output);
}
