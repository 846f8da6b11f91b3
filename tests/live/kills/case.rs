//! A run that is disturbed, and what of it can be left.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use super::PATIENCE;
use crate::rig::state;
use crate::run::{events, threadbare, wait_until};

/// The service of the user: one file, one port.
const SERVER: &str = r#"
import http.server, sys
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1
    def do_GET(self):
        self.send_response(200)
        self.send_header("content-length", "2")
        self.end_headers()
        self.wfile.write(b"ok")
    def log_message(self, *arguments): pass
class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
Server(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"#;

const FLEET: &str = r#"
    [target.fleet]
    instances = 2
    workers = 2
    users = 30
    tasks = 100
    [load]
    rate = "40/s"
    mix = [{ weight = 1, request = "list tasks", role = "viewer" }]
    [[timeline]]
    at = "500ms"
    do = "push"
    set = { "authorization.verification" = "detached" }
    [[timeline]]
    at = "1s"
    do = "pause"
    instances = 1
    [[timeline]]
    at = "2s"
    do = "continue"
    [[timeline]]
    at = "2500ms"
    do = "rollback"
"#;

/// What is done to a target of the user's: limits, a hook with an undo, a fault on the way,
/// a pause.
const BROKEN: &str = r#"
    [[timeline]]
    at = "400ms"
    do = "process"
    fault = "limit"
    open_files = 77
    phase = "limited"
    [[timeline]]
    at = "800ms"
    do = "hook"
    hook = "deploy"
    as = "push"
    phase = "push"
    [[timeline]]
    at = "1200ms"
    do = "fault"
    proxy = "users"
    fault = "latency"
    with = { latency = "20ms" }
    [[timeline]]
    at = "1600ms"
    do = "process"
    fault = "pause"
    phase = "paused"
    [[timeline]]
    at = "2400ms"
    do = "process"
    fault = "continue"
    phase = "continued"
    [[hook]]
    name = "deploy"
    command = ["touch", "deployed"]
    undo = { command = ["rm", "deployed"] }
"#;

/// Whose target it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Fleet,
    /// The run starts it.
    Command,
    /// It runs before, and goes on after.
    Running,
}

/// One run that is disturbed.
pub(super) struct Case {
    folder: TempDir,
    pub(super) kind: Kind,
    port: u16,
    front: u16,
    pub(super) theirs: Option<Child>,
    limit_before: Option<String>,
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

impl Case {
    pub(super) fn new(kind: Kind) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("server.py"), SERVER).unwrap();
        fs::create_dir(folder.path().join("tmp")).unwrap();
        let mut case = Self {
            folder,
            kind,
            port: free_port(),
            front: free_port(),
            theirs: None,
            limit_before: None,
        };
        fs::write(case.path("case.toml"), case.scenario()).unwrap();
        if kind == Kind::Running {
            let mut server = Command::new("python3");
            server.args(["server.py", &case.port.to_string()]);
            server
                .current_dir(case.folder.path())
                .stdout(Stdio::null())
                .stderr(Stdio::null());
            let child = server.spawn().unwrap();
            wait_until(PATIENCE, "it serves", || {
                TcpStream::connect(("127.0.0.1", case.port)).is_ok()
            });
            case.limit_before = open_files(child.id());
            case.theirs = Some(child);
        }
        case
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn scenario(&self) -> String {
        let common = "title = 'a'\nclaim = 'b'\nwarm_up = '0s'\nend = '3s'\n\
            interval = '250ms'\ndrain = '500ms'\n";
        let Self { port, front, .. } = self;
        let target = match self.kind {
            Kind::Fleet => return format!("{common}{FLEET}"),
            Kind::Command => format!(
                "url = 'http://127.0.0.1:{port}'\ncommand = ['python3', 'server.py', '{port}']"
            ),
            Kind::Running => format!("port = {port}"),
        };
        format!(
            "{common}[target]\n{target}\nready = 'GET /'\n\
             [load]\nrate = '20/s'\n[load.client]\ntimeout = '300ms'\n\
             [[proxy]]\nname = 'users'\n\
             [[proxy]]\nname = 'front'\nlisten = '127.0.0.1:{front}'\nto = '127.0.0.1:{port}'\n\
             {BROKEN}"
        )
    }

    /// Starts the run, again where this machine is too busy for a valid one, and waits
    /// until it has its directory.
    pub(super) fn start(&self) -> Child {
        let mut child = self.attempt();
        wait_until(20 * PATIENCE, "a run is begun", || {
            let ended = child.try_wait().unwrap();
            if ended.is_some_and(|status| status.code() == Some(3)) {
                child = self.attempt();
            }
            ended.is_some_and(|status| status.code() != Some(3))
                || self.path("run/run.json").exists()
        });
        child
    }

    fn attempt(&self) -> Child {
        threadbare()
            .args(["run", "--quiet"])
            .arg(self.path("case.toml"))
            .arg("--out")
            .arg(self.path("run"))
            .current_dir(self.folder.path())
            .env("TMPDIR", self.path("tmp"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(fs::File::create(self.path("said")).unwrap())
            .spawn()
            .unwrap()
    }

    /// The processes of this case, but the user's own.
    pub(super) fn processes(&self) -> Vec<u32> {
        let own = self.theirs.as_ref().map(Child::id);
        let folder = self.folder.path().canonicalize().unwrap();
        let mine = |pid: &u32| {
            let at = |name: &str| PathBuf::from(format!("/proc/{pid}/{name}"));
            let inside = |it: PathBuf| it.starts_with(&folder);
            let here = fs::read_link(at("cwd")).is_ok_and(inside);
            let told = fs::read(at("environ")).unwrap_or_default();
            let marked = String::from_utf8_lossy(&told).contains(&*folder.to_string_lossy());
            (here || marked) && Some(*pid) != own && state(*pid) != Some('Z')
        };
        all_processes().into_iter().filter(mine).collect()
    }

    /// Whether the load has begun and not ended, and whether anything acts meanwhile.
    pub(super) fn stage(&self) -> (bool, bool) {
        let events = events(&self.path("run"));
        let began = |name: &str| events.iter().any(|event| event["event"] == name);
        let load = began("load_started") && !began("load_ended");
        (load, load && began("action_started"))
    }

    /// What of this case is left, in words.
    pub(super) fn left(&self) -> Vec<String> {
        let mut left: Vec<String> = Vec::new();
        for pid in self.processes() {
            left.push(format!("process {pid}: {}", command_line(pid)));
        }
        if let Some(theirs) = &self.theirs
            && state(theirs.id()).is_some_and(|state| state != 'Z')
        {
            if state(theirs.id()) == Some('T') {
                left.push("the user's process is stopped".into());
            }
            if open_files(theirs.id()) != self.limit_before {
                left.push("the limit on its open files".into());
            }
        }
        if self.path("deployed").exists() {
            left.push("the hook's file".into());
        }
        let ports = [(self.front, true), (self.port, self.kind != Kind::Running)];
        for (port, own) in ports {
            if own && listens(port) {
                left.push(format!("a socket on port {port}"));
            }
        }
        let temporary = fs::read_dir(self.path("tmp")).unwrap().flatten();
        left.extend(temporary.map(|it| format!("temporary {}", it.path().display())));
        left
    }
}

impl Drop for Case {
    fn drop(&mut self) {
        for pid in self.processes() {
            send(pid, Signal::KILL);
        }
        if let Some(theirs) = &mut self.theirs {
            let _ = theirs.kill();
            let _ = theirs.wait();
        }
    }
}

/// Signals a process that may have ended meanwhile.
pub(super) fn send(pid: u32, signal: Signal) {
    if let Some(pid) = Pid::from_raw(pid.cast_signed()) {
        let _ = kill_process(pid, signal);
    }
}

fn all_processes() -> Vec<u32> {
    let entries = fs::read_dir("/proc").unwrap().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.collect()
}

pub(super) fn command_line(pid: u32) -> String {
    let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    String::from_utf8_lossy(&line).replace('\0', " ")
}

/// The soft limit on open files.
fn open_files(pid: u32) -> Option<String> {
    let text = fs::read_to_string(format!("/proc/{pid}/limits")).ok()?;
    let line = text
        .lines()
        .find(|line| line.starts_with("Max open files"))?;
    Some(line.split_whitespace().nth(3)?.to_owned())
}

/// Whether anybody listens on this port of the loopback address (proc(5), state 0A).
fn listens(port: u16) -> bool {
    let table = fs::read_to_string("/proc/net/tcp").unwrap_or_default();
    let local = format!("0100007F:{port:04X}");
    table.lines().any(|line| {
        let mut fields = line.split_whitespace().skip(1);
        fields.next() == Some(&local) && fields.nth(1) == Some("0A")
    })
}
