//! A target that is somebody else's, with real processes: what is done to it is
//! recorded and undone, whoever dies in between, and nothing is left behind.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "common/drive.rs"]
mod common;
#[path = "common/server.rs"]
#[allow(dead_code, unreachable_pub, reason = "shared with other tests")]
mod server;

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::Arc;
use std::time::Duration;

use common::{alone, events, run_directory, threadbare, wait_until};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use server::{Answer, Server, Then};
use tempfile::TempDir;
use threadbare::model::fault::Mode;
use threadbare::net::AllowedHosts;
use threadbare::proxy::{Api, Draft, Proxies, Settings};

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
            title = "A target of somebody else's"
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
        common::summary(&self.directory()).unwrap()
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

/// The state letter of a process; none where there is none.
fn state(pid: u32) -> Option<char> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit(')').next()?.trim().chars().next()
}

fn gone(pid: u32) -> bool {
    matches!(state(pid), None | Some('Z'))
}

fn signal(pid: u32, signal: Signal) {
    kill_process(Pid::from_raw(i32::try_from(pid).unwrap()).unwrap(), signal).unwrap();
}

/// A server of somebody else's, which ends with the test.
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

#[test]
fn a_url_is_loaded_recorded_and_reported_without_gauges_that_nobody_read() {
    let _alone = alone();
    let server = Server::start(|_| Answer::status(200));
    let monitor = "[[monitor]]\nname = \"health\"\nprobe = \"/health\"\nevery = \"100ms\"\n";
    let case = Case::new(&on(&url(&server), "2s", monitor));
    let output = case.run();
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    assert_eq!(case.summary()["conservation"]["succeeded"], 199);
    for figure in ["saturation", "zombie_share"] {
        assert!(case.phase("baseline", figure).is_null(), "{figure}");
    }
    assert!(case.phase("baseline", "queue_depth")["max"].is_null());
    assert!(
        case.phase("baseline", "probes_per_operation")
            .as_f64()
            .unwrap()
            > 0.05
    );
    let postmortem = fs::read_to_string(case.directory().join("postmortem.md")).unwrap();
    assert!(!postmortem.contains("0 of 0"), "{postmortem}");
    assert_eq!(case.events("steady_state")[0]["returned"], true);
}

#[test]
fn several_urls_share_the_load_by_their_weights_exactly() {
    let _alone = alone();
    let servers = [(); 2].map(|()| Server::start(|_| Answer::status(200)));
    let text = format!(
        "end = \"2s\"\n[target]\nurls = [{{ url = \"{}\", weight = 3 }}, {{ url = \"{}\" }}]\n\
         [load]\nrate = \"100/s\"\narrivals = \"constant\"\n",
        url(&servers[0]),
        url(&servers[1])
    );
    let case = Case::new(&text);
    let output = case.run();
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    let counts = servers.each_ref().map(|server| server.requests().len());
    // One every 10 ms, from 10 ms on: 199 before the end, and three of every four
    // are the first's.
    assert_eq!(counts, [150, 49]);
    assert_eq!(case.summary()["conservation"]["succeeded"], 199);
}

#[test]
fn a_command_is_awaited_watched_pushed_rolled_back_and_ended() {
    let _alone = alone();
    let port = free_port();
    let target = "env = { API_TOKEN = \"hunter2\" }\nready = \"GET /health\"";
    let timeline = r#"
        [[timeline]]
        at = "2s"
        do = "configure"
        env = { BROKEN = "yes", DB_PASSWORD = "hunter2" }
        phase = "push"
        [[timeline]]
        at = "4s"
        do = "rollback"
    "#;
    let case = Case::new(&command(port, target, "6s", timeline));
    let output = case.run();
    assert!(output.status.code().is_some(), "{}", said(&output));
    for entry in [0, 1] {
        assert_eq!(
            case.outcome(entry)["outcome"],
            "applied",
            "{}",
            said(&output)
        );
    }
    // Each configuration is a process of its own, and the last one is ended too.
    assert_eq!(case.events("serving").len(), 3);
    assert_eq!(case.events("ended").len(), 3);
    let (pids, directory) = (common::pids(&case.directory()), case.directory());
    assert!(pids.into_iter().all(gone));
    assert!(case.phase("push", "error_share").as_f64().unwrap() > 0.9);
    assert!(case.phase("rollback", "goodput_per_s").as_f64().unwrap() > 30.0);
    let trigger = case.summary()["incident"]["trigger_s"].as_f64().unwrap();
    assert!((2.0..2.5).contains(&trigger), "{trigger}");
    assert!(
        case.summary()["incident"]["rollback_applied_s"]
            .as_f64()
            .unwrap()
            >= 4.0
    );
    let output = fs::read_to_string(directory.join("target.log")).unwrap();
    assert_eq!(output.matches("listening on").count(), 3, "{output}");
    // Threads and memory were read; secrets were not written.
    let series = fs::read_to_string(directory.join("series.csv")).unwrap();
    assert!(series.contains("process,target,threads_max"), "{series}");
    for entry in fs::read_dir(&directory).unwrap() {
        let path = entry.unwrap().path();
        let bytes = fs::read(&path).unwrap_or_default();
        let text = String::from_utf8_lossy(&bytes);
        assert!(!text.contains("hunter2"), "{}", path.display());
    }
}

#[test]
fn a_command_that_ends_in_the_run_is_a_recorded_datum() {
    let _alone = alone();
    let end = r#"
        [[hook]]
        name = "end it"
        request = "GET http://127.0.0.1:PORT/end"
        [[timeline]]
        at = "1500ms"
        do = "hook"
        hook = "end it"
    "#;
    let port = free_port();
    let end = end.replace("PORT", &port.to_string());
    let case = Case::new(&command(port, "ready = \"GET /health\"", "3s", &end));
    let output = case.run();
    let died = case.events("died");
    assert_eq!(died.len(), 1, "{}", said(&output));
    assert_eq!(died[0]["status"], "exit status: 7");
    assert_eq!(case.outcome(0)["outcome"], "failed"); // it never answered
    // The run went on to its end, and is no success: the target does not serve.
    assert_eq!(case.events("run_ended")[0]["cause"]["cause"], "completed");
    assert_eq!(case.summary()["steady_state_returned"], false);
    assert_ne!(output.status.code(), Some(0));
}

#[test]
fn a_target_that_cannot_be_had_is_an_unfit_environment_and_leaves_nothing() {
    let _alone = alone();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = taken.local_addr().unwrap().port();
    let server = Server::start(|_| Answer::status(200));
    let busy = server.address().port();
    let never = "env = { HEALTH = \"503\" }\nready = \"GET /health\"\nready_within = \"700ms\"";
    let mut failing = command(free_port(), "ready = \"GET /health\"", "3s", "");
    failing = failing.replace("\"server.py\"", "\"no-such-file.py\"");
    let proxy =
        format!("[[proxy]]\nname = \"db\"\nlisten = \"127.0.0.1:{busy}\"\nto = \"127.0.0.1:1\"\n");
    for (text, told) in [
        (
            command(free_port(), "", "3s", &proxy),
            "the proxy `db`: failed to listen on",
        ),
        (command(free_port(), never, "3s", ""), "answered 503"),
        (failing, "no-such-file.py"),
        (command(busy, "", "3s", ""), "is served already"),
        (
            on(&format!("http://127.0.0.1:{}", free_port()), "3s", ""),
            "did not",
        ),
        (
            on(&format!("http://127.0.0.1:{taken}"), "3s", ""),
            "did not",
        ),
    ] {
        let case = Case::new(&text);
        let output = case.run();
        assert_eq!(output.status.code(), Some(3), "{told}: {}", said(&output));
        assert!(said(&output).contains(told), "{told}: {}", said(&output));
        assert!(common::pids(&case.directory()).into_iter().all(gone));
        assert_eq!(leftovers(case.folder.path()), Vec::<String>::new());
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

#[test]
fn nothing_is_injected_into_what_is_broken_already() {
    let _alone = alone();
    // It answers its health check, and closes every other connection.
    let server = Server::start(|request| {
        if request.line().contains("/health") {
            return Answer::status(200);
        }
        Answer::text("").then(Then::Close)
    });
    let hook = r#"
        [[hook]]
        name = "deploy"
        command = ["touch", "deployed"]
        [[timeline]]
        at = "1500ms"
        do = "hook"
        hook = "deploy"
        as = "push"
    "#;
    let case = Case::new(&on(&url(&server), "3s", hook));
    let output = case.run();
    assert_eq!(output.status.code(), Some(3), "{}", said(&output));
    assert!(
        said(&output).contains("not healthy before the first fault"),
        "{}",
        said(&output)
    );
    assert!(!case.folder.path().join("deployed").exists());
    assert!(case.events("action_started").is_empty());
}

#[test]
fn hooks_push_hang_and_refuse_and_are_undone() {
    let _alone = alone();
    let server = Server::start(|_| Answer::status(200));
    let hooks = r#"
        [[hook]]
        name = "deploy"
        command = ["sh", "-c", "echo deployed; touch deployed"]
        undo = { command = ["rm", "deployed"] }
        [[hook]]
        name = "hang"
        command = ["sleep", "60"]
        timeout = "300ms"
        [[hook]]
        name = "back"
        command = ["sh", "-c", "echo the schema is newer; exit 2"]
        undo = { command = ["touch", "wrongly-undone"] }
        [[hook]]
        name = "by request"
        request = "POST URL/rollback"
        expect = "status 409"
        [[timeline]]
        at = "1500ms"
        do = "hook"
        hook = "deploy"
        as = "push"
        [[timeline]]
        at = "1600ms"
        do = "hook"
        hook = "hang"
        [[timeline]]
        at = "1700ms"
        do = "hook"
        hook = "back"
        as = "rollback"
        [[timeline]]
        after = "rollback rejected"
        do = "hook"
        hook = "by request"
        phase = "again"
    "#;
    let hooks = hooks.replace("URL", &url(&server));
    let case = Case::new(&on(&url(&server), "4s", &hooks));
    let output = case.run();
    assert_eq!(case.outcome(0)["outcome"], "applied", "{}", said(&output));
    let hung = case.outcome(1);
    assert_eq!(hung["outcome"], "failed");
    assert!(
        hung["reason"]
            .as_str()
            .unwrap()
            .contains("did not end within 300ms"),
        "{hung}"
    );
    let refused = case.outcome(2);
    assert_eq!(refused["outcome"], "rejected");
    assert_eq!(refused["check"], "back");
    assert!(
        refused["reason"]
            .as_str()
            .unwrap()
            .contains("the schema is newer"),
        "{refused}"
    );
    // The answer was 200 where 409 was expected.
    assert_eq!(case.outcome(3)["outcome"], "rejected");
    let because = case.summary()["incident"]["rollback_rejected_because"].clone();
    assert!(
        because.as_str().unwrap().contains("the schema is newer"),
        "{because}"
    );
    // The push is undone at the end, the refusal is not.
    assert!(!case.folder.path().join("deployed").exists());
    assert!(!case.folder.path().join("wrongly-undone").exists());
    assert_eq!(case.events("undone").len(), 1);
    assert_eq!(leftovers(case.folder.path()), Vec::<String>::new());
    let kept = fs::read_to_string(case.directory().join("hooks.log")).unwrap();
    assert!(
        kept.contains("deployed") && kept.contains("the schema is newer"),
        "{kept}"
    );
}

/// A pause of somebody else's process that the timeline never ends.
fn paused(theirs: &Theirs, end: &str, rest: &str) -> String {
    let target = format!(
        "end = \"{end}\"\n[target]\nport = {}\nready = \"GET /health\"\n[load]\nrate = \
         \"50/s\"\n[load.client]\ntimeout = \"200ms\"\n",
        theirs.port
    );
    let pause = "[[timeline]]\nat = \"1500ms\"\ndo = \"process\"\nfault = \"pause\"\n";
    format!("{target}{pause}{rest}")
}

#[test]
fn a_paused_process_goes_on_when_the_run_ends() {
    let _alone = alone();
    let theirs = Theirs::start();
    let limit = r#"
        [[timeline]]
        at = "1200ms"
        do = "process"
        fault = "limit"
        open_files = 64
        phase = "limited"
    "#;
    let files = || {
        let text = fs::read_to_string(format!("/proc/{}/limits", theirs.child.id())).unwrap();
        let line = text.lines().find(|line| line.starts_with("Max open files"));
        line.unwrap().to_owned()
    };
    let before = files();
    let case = Case::new(&paused(&theirs, "3s", limit));
    let child = case.start();
    wait_until(SOON, "it is paused", || {
        state(theirs.child.id()) == Some('T')
    });
    assert!(files() != before);
    let status = child.wait_with_output().unwrap().status;
    assert!(status.code().is_some());
    assert_eq!(case.pid(), theirs.child.id());
    assert_ne!(state(theirs.child.id()), Some('T'));
    assert_eq!(files(), before);
    assert!(theirs.serves());
    assert_eq!(case.events("undone").len(), 2);
    assert_eq!(case.events("steady_state")[0]["returned"], true);
    assert!(case.phase("pause", "error_share").as_f64().unwrap() > 0.9);
}

#[test]
fn a_stop_condition_undoes_at_once() {
    let _alone = alone();
    let theirs = Theirs::start();
    let stop = "[safety]\nabort_if = [\"error share > 50 % for 500ms\"]\n";
    let case = Case::new(&paused(&theirs, "60s", stop));
    let output = case.run();
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    let ended = case.events("run_ended")[0]["cause"].clone();
    assert_eq!(ended["cause"], "aborted");
    assert_eq!(ended["because"], "error share > 50 % for 500ms");
    assert_eq!(case.events("undone").len(), 1);
    assert!(theirs.serves());
    assert_eq!(case.summary()["complete"], false);
}

/// The guardian of a conductor.
fn guardian(conductor: u32) -> u32 {
    let processes = fs::read_dir("/proc").unwrap();
    let found = processes.filter_map(|entry| {
        let path = entry.ok()?.path();
        let pid: u32 = path.file_name()?.to_str()?.parse().ok()?;
        let stat = fs::read_to_string(path.join("stat")).ok()?;
        let parent = stat.rsplit(')').next()?.split_whitespace().nth(1)?;
        let line = fs::read_to_string(path.join("cmdline")).ok()?;
        (parent == conductor.to_string() && line.contains("__guardian")).then_some(pid)
    });
    found.last().unwrap()
}

fn recover(directory: &Path, arguments: &[&str]) -> Output {
    let mut command = threadbare();
    command.arg("recover").arg(directory).args(arguments);
    command.stdin(Stdio::null()).output().unwrap()
}

#[test]
fn a_killed_conductor_is_undone_in_every_phase() {
    let _alone = alone();
    let rest = r#"
        [[timeline]]
        at = "1200ms"
        do = "hook"
        hook = "deploy"
        as = "push"
        phase = "push"
        [[timeline]]
        at = "2s"
        do = "process"
        fault = "continue"
        phase = "rollback"
        [[hook]]
        name = "deploy"
        command = ["touch", "deployed"]
        undo = { command = ["rm", "deployed"] }
    "#;
    for (phase, ended) in [
        ("baseline", 0),
        ("under the fault", 2),
        ("after the rollback", 3),
    ] {
        let theirs = Theirs::start();
        let mut scenario: toml::Table = paused(&theirs, "60s", rest).parse().unwrap();
        // Nothing more is done, however late the conductor dies.
        let timeline = scenario
            .get_mut("timeline")
            .and_then(|it| it.as_array_mut());
        timeline.unwrap().truncate(ended);
        let case = Case::new(&scenario.to_string());
        let mut child = case.start();
        wait_until(SOON, phase, || {
            !case.events("load_started").is_empty() && case.events("action_ended").len() >= ended
        });
        assert_eq!(state(theirs.child.id()) == Some('T'), ended == 2, "{phase}");
        child.kill().unwrap();
        child.wait().unwrap();
        wait_until(SOON, "it goes on", || {
            state(theirs.child.id()) != Some('T') && !case.folder.path().join("deployed").exists()
        });
        assert!(theirs.serves(), "{phase}");
        wait_until(SOON, "the guardian has done its work", || {
            recover(&case.directory(), &[]).status.success()
        });
        let output = recover(&case.directory(), &[]);
        assert!(
            said(&output).contains("Nothing is left to undo"),
            "{}",
            said(&output)
        );
        let undone = said(&output).matches("the guardian: ").count();
        assert_eq!(undone, [0, 0, 2, 1][ended], "{phase}: {}", said(&output));
        // The run can still be reported, as one that was not seen to its end.
        let report = threadbare()
            .arg("report")
            .arg(case.directory())
            .output()
            .unwrap();
        assert!(report.status.success());
        assert_eq!(case.summary()["complete"], false);
    }
}

#[test]
fn recover_undoes_what_nobody_could_and_does_so_once() {
    let _alone = alone();
    let theirs = Theirs::start();
    let case = Case::new(&paused(&theirs, "60s", ""));
    let mut child = case.start();
    wait_until(SOON, "it is paused", || {
        state(theirs.child.id()) == Some('T')
    });
    // While the run is under way it is not recovered.
    let output = recover(&case.directory(), &["--yes"]);
    assert_eq!(output.status.code(), Some(3), "{}", said(&output));
    assert!(
        said(&output).contains("still under way"),
        "{}",
        said(&output)
    );
    signal(guardian(child.id()), Signal::KILL);
    child.kill().unwrap();
    child.wait().unwrap();
    // What it would do is told first, and nothing is done unasked.
    let output = recover(&case.directory(), &[]);
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    assert!(said(&output).contains(&format!("let the processes {}", theirs.child.id())));
    assert_eq!(state(theirs.child.id()), Some('T'));
    let output = recover(&case.directory(), &["--yes"]);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    assert!(theirs.serves());
    let output = recover(&case.directory(), &["--yes"]);
    assert!(
        said(&output).contains("Nothing is left to undo"),
        "{}",
        said(&output)
    );
    assert!(
        said(&output).contains("recover: let the processes"),
        "{}",
        said(&output)
    );
}

/// A second push that is refused changes nothing about the first, which is undone.
#[test]
fn a_refused_push_leaves_the_undo_of_an_earlier_one() {
    let _alone = alone();
    let server = Server::start(|_| Answer::status(200));
    let twice = r#"
        [[hook]]
        name = "deploy"
        command = ["mkdir", "deployed"]
        undo = { command = ["rmdir", "deployed"] }
        [[timeline]]
        at = "700ms"
        do = "hook"
        hook = "deploy"
        as = "push"
        [[timeline]]
        at = "1200ms"
        do = "hook"
        hook = "deploy"
        as = "push"
        phase = "again"
    "#;
    let case = Case::new(&on(&url(&server), "2s", twice));
    case.run();
    assert_eq!(case.outcome(0)["outcome"], "applied");
    assert_eq!(case.outcome(1)["outcome"], "rejected");
    assert!(!case.folder.path().join("deployed").exists());
    let undone = case.events("undone");
    assert_eq!(undone.len(), 1, "{undone:?}");
}

/// A proxy that stands beside a target is broken by hooks, as docs/TARGETS.md has it,
/// and mended by whoever outlives the run.
#[test]
fn a_proxy_beside_the_target_is_mended_when_the_conductor_dies() {
    let _alone = alone();
    let server = Server::start(|_| Answer::status(200));
    let proxies = Arc::new(Proxies::new(Settings {
        seed: 1,
        connections_max: 100,
        allowed: AllowedHosts::default(),
    }));
    let database = proxies.create(&Draft {
        name: "database".into(),
        listen: String::new(),
        upstream: server.address().to_string(),
        enabled: true,
        mode: Mode::Tcp,
    });
    let any = "127.0.0.1:0".parse().unwrap();
    let api = Api::start(any, Arc::clone(&proxies)).unwrap();
    let page = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/TARGETS.md")).unwrap();
    let mut examples = page
        .split("```toml\n")
        .filter_map(|text| text.split("```").next());
    let hook = examples.find(|text| text.contains("/toxics")).unwrap();
    let hook = hook.replace("127.0.0.1:8474", &api.address().to_string());
    let push =
        "[[timeline]]\nat = \"1s\"\ndo = \"hook\"\nhook = \"slow database\"\nas = \"push\"\n";
    let url = format!("http://{}", database.unwrap());
    let case = Case::new(&on(&url, "60s", &format!("{hook}{push}")));
    let mut conductor = case.start();
    wait_until(SOON, "it is slow", || {
        !case.events("action_ended").is_empty()
    });
    let faults = || {
        proxies
            .with("database", |it| Ok(it.faults().len()))
            .unwrap()
    };
    assert_eq!(
        (case.outcome(0)["outcome"].as_str(), faults()),
        (Some("applied"), 1)
    );
    conductor.kill().unwrap();
    conductor.wait().unwrap();
    wait_until(SOON, "the guardian mends it", || faults() == 0);
}

/// A conductor that stands still would hold what it occupies while its undos are
/// carried out: the guardian ends it first.
#[test]
fn a_conductor_that_stands_still_is_ended_and_undone() {
    let _alone = alone();
    let theirs = Theirs::start();
    let occupied = r#"
        [[timeline]]
        at = "1s"
        do = "occupy"
        connections = 4
    "#;
    let text = paused(&theirs, "60s", occupied);
    let case = Case::new(&text);
    let mut conductor = case.start();
    wait_until(SOON, "it is occupied and paused", || {
        case.events("action_ended").len() == 2
    });
    signal(conductor.id(), Signal::STOP);
    wait_until(2 * SOON, "the guardian ends it", || {
        conductor.try_wait().unwrap().is_some()
    });
    wait_until(SOON, "the guardian has done its work", || {
        recover(&case.directory(), &[]).status.success()
    });
    assert!(theirs.serves());
}

#[test]
fn a_killed_conductor_leaves_no_command_behind() {
    let _alone = alone();
    let case = Case::new(&command(free_port(), "ready = \"GET /health\"", "60s", ""));
    let mut child = case.start();
    wait_until(SOON, "the load begins", || {
        !case.events("load_started").is_empty()
    });
    let pid = case.pid();
    // A stopped process hears nothing of the end.
    signal(pid, Signal::STOP);
    child.kill().unwrap();
    child.wait().unwrap();
    wait_until(SOON, "the guardian ends the command", || gone(pid));
}

#[test]
fn a_dry_run_says_everything_and_touches_nothing() {
    let _alone = alone();
    let server = Server::start(|_| Answer::status(200));
    let rest = r#"
        [[hook]]
        name = "deploy"
        request = "POST URL/deploy"
        undo = { command = ["touch", "undone"] }
        [[timeline]]
        at = "7s"
        do = "hook"
        hook = "deploy"
        as = "push"
        [[timeline]]
        after = "alert errors"
        delay = "2s"
        do = "hook"
        hook = "deploy"
        as = "rollback"
        [[alert]]
        name = "errors"
        when = "error share > 50 %"
        for = "1s"
        [safety]
        abort_if = ["error share > 90 % for 30s"]
    "#;
    let case = Case::new(&on(
        &url(&server),
        "20s",
        &rest.replace("URL", &url(&server)),
    ));
    let output = case
        .command(&["--dry-run"])
        .current_dir(case.folder.path())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    let said = said(&output);
    for told in [
        "100/s",
        "7.0 s  hook `deploy`",
        "2s after the alert `errors`",
        "touch undone within 30s",
        "error share > 90 % for 30s",
        "GET http://127.0.0.1",
    ] {
        assert!(said.contains(told), "{told} in {said}");
    }
    assert_eq!(server.connections(), 0);
    let mut left: Vec<_> = fs::read_dir(case.folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    left.sort();
    assert_eq!(left, ["case.toml", "server.py"]);
}

#[test]
fn what_must_not_be_touched_is_refused_before_anything_is_made() {
    let elsewhere = on("http://192.0.2.7:80", "3s", "");
    let named = format!("{elsewhere}\n[safety]\nhosts = [\"192.0.2.7\"]\n");
    let much = format!("{named}rate_max = \"99/s\"\n");
    let long = format!("{named}rate_max = \"1000/s\"\nduration_max = \"2s\"\n");
    let first = "end = \"3s\"\n[target]\nurl = \"http://127.0.0.1:1\"\npid = 2\n[load]\nrate = \
                 \"1/s\"\n";
    let own = first.replace("pid = 2", &format!("pid = {}", std::process::id()));
    for (text, arguments, told) in [
        (
            elsewhere.as_str(),
            &["--allow-host", "192.0.2.7"][..],
            "[safety] hosts",
        ),
        (&named, &[][..], "--allow-host 192.0.2.7"),
        (
            &named,
            &["--allow-host", "192.0.2.70"][..],
            "--allow-host 192.0.2.7",
        ),
        (&much, &["--allow-host", "192.0.2.7"][..], "rate_max"),
        (&long, &["--allow-host", "192.0.2.7"][..], "duration_max"),
    ] {
        let case = Case::new(text);
        let out = case.directory();
        let mut command = case.command(arguments);
        let output = command.arg("--out").arg(&out).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{told}: {}", said(&output));
        assert!(said(&output).contains(told), "{told}: {}", said(&output));
        assert!(!out.exists());
    }
    let _alone = alone();
    let case = Case::new(&own);
    let output = case.run();
    assert_eq!(output.status.code(), Some(2), "{}", said(&output));
    assert!(
        said(&output).contains("does not touch it"),
        "{}",
        said(&output)
    );
}
