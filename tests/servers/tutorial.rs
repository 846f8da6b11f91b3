//! docs/TUTORIAL.md, carried out as its reader would: every command, in order.

use std::env;
use std::fs;
use std::os::unix::fs::symlink;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use serde_json::Value;

use crate::run::{alone, summary, wait_until};
use crate::server::get;

/// The service in the reader's second terminal.
const SERVE: &str = "examples/fastapi/serve.sh";
const SOON: Duration = Duration::from_secs(30);

/// A command of the page, and the exit code that it says.
struct Step {
    line: String,
    code: i32,
}

/// The commands of the page: lines of its indented blocks, without their comments.
fn steps(page: &str) -> Vec<Step> {
    // A line that ends with a backslash goes on in the next.
    let parts: Vec<&str> = page.split("\\\n").collect();
    let joined = parts.iter().enumerate().map(|(place, part)| match place {
        0 => part,
        _ => part.trim_start(),
    });
    let joined: String = joined.collect();
    let lines = joined.lines().filter_map(|line| line.strip_prefix("    "));
    let wanted = ["threadbare ", "curl ", SERVE];
    let lines = lines.filter(|line| wanted.iter().any(|begin| line.starts_with(begin)));
    let step = |line: &str| {
        let (line, comment) = line.split_once("   #").unwrap_or((line, ""));
        let code = comment.split_once("ends with ").map_or(0, |(_, code)| {
            let digits = code.split(|c: char| !c.is_ascii_digit()).next();
            digits.unwrap().parse().unwrap()
        });
        Step {
            line: line.trim_end().to_owned(),
            code,
        }
    };
    lines.map(step).collect()
}

/// A line as a shell carries it out, in this folder.
fn shell(line: &str, folder: &Path) -> Command {
    let program = Path::new(env!("CARGO_BIN_EXE_threadbare"));
    let path = env::var("PATH").unwrap();
    let mut command = Command::new("sh");
    command.args(["-c", line]).current_dir(folder);
    command.env("NO_COLOR", "1");
    command.env(
        "PATH",
        format!("{}:{path}", program.parent().unwrap().display()),
    );
    command
}

/// The second terminal; its process group ends with it.
struct Terminal(Child);

impl Terminal {
    fn open(folder: &Path) -> Self {
        let mut command = shell(SERVE, folder);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        let terminal = Self(command.process_group(0).spawn().unwrap());
        let address = "127.0.0.1:8401".parse().unwrap();
        wait_until(SOON, "the service serves", || {
            get(address, "/orders").is_some_and(|answer| answer.starts_with("HTTP/1.1 200"))
        });
        terminal
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // As Ctrl-C does; what does not end by it is killed.
        let group = Pid::from_child(&self.0);
        let _ = kill_process_group(group, Signal::INT);
        let _ = self.0.wait();
        let _ = kill_process_group(group, Signal::KILL);
    }
}

#[test]
#[ignore = "takes five minutes: ./test --long"]
fn every_command_of_the_tutorial_does_what_the_page_says() {
    let _alone = alone();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = fs::read_to_string(root.join("docs/TUTORIAL.md")).unwrap();
    let folder = tempfile::tempdir().unwrap();
    symlink(root.join("examples"), folder.path().join("examples")).unwrap();
    let steps = steps(&page);
    assert!(steps.len() >= 8, "{}", steps.len());
    let mut terminal = None;
    let mut said = Vec::new();
    for Step { line, code } in &steps {
        if line == SERVE {
            terminal = Some(Terminal::open(folder.path()));
            continue;
        }
        // The page has it closed before threadbare starts the service by itself.
        if line.contains("threadbare run") || line.contains("--live") {
            drop(terminal.take());
        }
        let output = shell(line, folder.path()).output().unwrap();
        let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        assert_eq!(output.status.code(), Some(*code), "{line}\n{text}");
        said.push((line, text));
    }
    let verdict = |run: &str| -> Value {
        summary(&folder.path().join(run)).unwrap()["incident"]["verdict"].clone()
    };
    // What the page says of the two runs that it compares.
    assert_ne!(verdict("reports/as-it-is"), "slow_drain");
    let found = summary(&folder.path().join("reports/as-it-is")).unwrap();
    assert_eq!(
        found["incident"]["recovery_after_trigger_off_s"],
        Value::Null
    );
    assert_eq!(found["incident"]["sustaining"], "retries");
    let found = summary(&folder.path().join("reports/no-retries")).unwrap();
    assert!(found["incident"]["recovery_after_trigger_off_s"].is_f64());
    // The table: every variant has a row, and the scenario as it is never came back.
    let (_, table) = said
        .iter()
        .find(|(line, _)| line.contains("--live"))
        .unwrap();
    let row = |name: &str| {
        let mut rows = table
            .lines()
            .filter(|line| line.trim_start().starts_with(name));
        rows.next()
            .unwrap_or_else(|| panic!("no {name} in {table}"))
            .to_owned()
    };
    assert!(row("unchanged").contains("> "), "{table}");
    for name in ["no retries", "retry budget"] {
        assert!(!row(name).contains("> "), "{table}");
    }
}
