//! A user's own service, with real processes: what is done to it is recorded and
//! undone, whoever dies in between, and nothing is left behind.

mod asked;
mod hooks;
mod http2;
mod refused;
mod runs;
mod undo;
mod undone;

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

use crate::run::{events, run_directory, summary, threadbare};
use crate::server::Server;

const SOON: Duration = Duration::from_secs(20);

/// A server that says where it listens; what it answers depends on its environment.
const SERVER: &str = r#"
import http.server, os, sys
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1
    def answer(self):
        health = os.environ.get("HEALTH", "200")
        broken = "500" if os.environ.get("BROKEN") else "200"
        status = health if self.path == "/health" else broken
        if self.path == "/end":
            os._exit(7)
        self.send_response(int(status))
        self.send_header("content-length", "2")
        self.end_headers()
        self.wfile.write(b"ok")
    do_GET = do_POST = answer
    def log_message(self, *arguments): pass
class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
server = Server(("127.0.0.1", int(sys.argv[1])), Handler)
print("listening on", server.server_address[1], flush=True)
server.serve_forever()
"#;

/// A scenario's file in a folder of its own, which ends when it is dropped.
struct Case {
    folder: TempDir,
}

impl Case {
    /// `text` follows what all of these have in common.
    fn new(text: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("server.py"), SERVER).unwrap();
        let case = Self { folder };
        case.write(text);
        case
    }

    fn write(&self, text: &str) {
        let common = r#"
            title = "A target of the user's"
            claim = "What is done to it is undone."
            warm_up = "500ms"
            interval = "250ms"
            drain = "1s"
        "#;
        let file = self.folder.path().join("case.toml");
        fs::write(file, format!("{common}\n{text}")).unwrap();
    }

    fn directory(&self) -> PathBuf {
        run_directory(&self.folder)
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = threadbare();
        command
            .arg("run")
            .arg(self.folder.path().join("case.toml"))
            .args(arguments)
            .stdin(Stdio::null());
        command
    }

    /// Runs it to its end.
    fn run(&self) -> Output {
        let directory = self.directory();
        let directory = directory.to_str().unwrap();
        self.command(&["--out", directory]).output().unwrap()
    }

    /// Starts it.
    fn start(&self) -> Child {
        self.command(&["--out", self.directory().to_str().unwrap()])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap()
    }

    fn events(&self, name: &str) -> Vec<Value> {
        let events = events(&self.directory()).into_iter();
        events.filter(|event| event["event"] == name).collect()
    }

    fn summary(&self) -> Value {
        summary(&self.directory()).unwrap()
    }

    fn phase(&self, name: &str, figure: &str) -> Value {
        let summary = self.summary();
        let phases = summary["phases"].as_array().unwrap();
        let phase = phases.iter().find(|phase| phase["name"] == name);
        phase.unwrap_or_else(|| panic!("no phase {name}: {phases:?}"))[figure].clone()
    }

    /// What came of the entry of the timeline at this place.
    fn outcome(&self, entry: u64) -> Value {
        let ended = self.events("action_ended");
        let ended = ended.iter().find(|event| event["entry"] == entry);
        ended.unwrap_or_else(|| panic!("entry {entry} has not ended"))["outcome"].clone()
    }

    /// The process of the target that the journal names last.
    fn pid(&self) -> u32 {
        let serving = self.events("serving");
        u32::try_from(serving.last().unwrap()["pid"].as_u64().unwrap()).unwrap()
    }
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout)
}

/// A scenario on a URL.
fn on(url: &str, end: &str, rest: &str) -> String {
    format!(
        "end = \"{end}\"\n[target]\nurl = \"{url}\"\nready = \"GET /health\"\n[load]\nrate = \
         \"100/s\"\narrivals = \"constant\"\n[load.client]\ntimeout = \"300ms\"\n{rest}"
    )
}

/// A port that nobody listens on.
fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

/// A scenario whose target is started by a command.
fn command(port: u16, target: &str, end: &str, rest: &str) -> String {
    format!(
        "end = \"{end}\"\n[target]\nurl = \"http://127.0.0.1:{port}\"\ncommand = [\"python3\", \
         \"server.py\", \"{port}\"]\n{target}\n[load]\nrate = \"50/s\"\n[load.client]\ntimeout = \
         \"300ms\"\n{rest}"
    )
}

fn url(server: &Server) -> String {
    format!("http://{}", server.address())
}

/// A server of the user's, which ends with the test.
struct Theirs {
    child: Child,
    port: u16,
}

impl Theirs {
    fn start() -> Self {
        let mut child = Command::new("python3")
            .args(["-c", SERVER, "0"])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let output = child.stdout.as_mut().unwrap();
        BufReader::new(output).read_line(&mut line).unwrap();
        let port = line.trim().rsplit(' ').next().unwrap().parse().unwrap();
        Self { child, port }
    }

    fn serves(&self) -> bool {
        let agent: ureq::Agent = ureq::Agent::config_builder()
            .timeout_global(Some(Duration::from_secs(2)))
            .build()
            .into();
        agent
            .get(format!("http://127.0.0.1:{}/", self.port))
            .call()
            .is_ok()
    }
}

impl Drop for Theirs {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Processes whose folder is this one.
fn leftovers(folder: &Path) -> Vec<String> {
    let processes = fs::read_dir("/proc").unwrap();
    let processes = processes.filter_map(|entry| {
        let path = entry.ok()?.path();
        let there = fs::read_link(path.join("cwd")).ok()?;
        (there == folder.canonicalize().ok()?).then_some(())?;
        fs::read_to_string(path.join("cmdline")).ok()
    });
    processes.filter(|line| !line.is_empty()).collect()
}

fn recover(directory: &Path, arguments: &[&str]) -> Output {
    let mut command = threadbare();
    command.arg("recover").arg(directory).args(arguments);
    command.stdin(Stdio::null()).output().unwrap()
}
