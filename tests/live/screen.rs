//! The full screen on a terminal: a pseudo-terminal on one side of which the program runs,
//! and on the other something that shows what a terminal would.

use std::fs::{File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{LocalModes, Winsize, tcgetattr, tcsetwinsize};

use crate::founding::{founding, survivors};
use crate::run::{alone, events, run_directory, wait_until};
use crate::server::{ScriptedAnswer, Server};

const PATIENCE: Duration = Duration::from_secs(15);

/// A program on a terminal of its own.
struct OnTerminal {
    child: Child,
    /// Where keys are pressed.
    keys: File,
    /// The program's side, held so that it outlives the program.
    own: File,
    shown: Arc<Mutex<vt100::Parser>>,
}

impl OnTerminal {
    /// Starts threadbare in a session of its own, so that Ctrl-C is a signal to it.
    fn start(arguments: &[&str], folder: &Path) -> Self {
        let keys = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&keys).unwrap();
        unlockpt(&keys).unwrap();
        let name = ptsname(&keys, Vec::new()).unwrap();
        let own = OpenOptions::new()
            .read(true)
            .write(true)
            .custom_flags_no_tty()
            .open(name.to_str().unwrap())
            .unwrap();
        let keys = File::from(keys);
        size(&keys, 80, 24);
        let shown = Arc::new(Mutex::new(vt100::Parser::new(24, 80, 0)));
        let side = || Stdio::from(own.try_clone().unwrap());
        let child = Command::new("setsid")
            .arg("--ctty")
            .arg(env!("CARGO_BIN_EXE_threadbare"))
            .args(arguments)
            .current_dir(folder)
            .env("TERM", "xterm-256color")
            .env("USER", "ana")
            .env_remove("NO_COLOR")
            .stdin(side())
            .stdout(side())
            .stderr(side())
            .spawn()
            .unwrap();
        let mut from = keys.try_clone().unwrap();
        let into = Arc::clone(&shown);
        thread::spawn(move || {
            let mut bytes = [0; 4096];
            // It ends when the terminal does.
            while let Ok(count @ 1..) = from.read(&mut bytes) {
                into.lock().unwrap().process(&bytes[..count]);
            }
        });
        Self {
            child,
            keys,
            own,
            shown,
        }
    }

    fn press(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).unwrap();
    }

    fn screen(&self) -> String {
        self.shown.lock().unwrap().screen().contents()
    }

    fn resize(&self, columns: u16, rows: u16) {
        self.shown
            .lock()
            .unwrap()
            .screen_mut()
            .set_size(rows, columns);
        size(&self.keys, columns, rows);
    }

    /// Waits until the screen has all of these.
    fn shows(&self, texts: &[&str]) {
        let all = || texts.iter().all(|text| self.screen().contains(text));
        wait_until(PATIENCE, &format!("{texts:?} in\n{}", self.screen()), all);
    }

    /// Waits for the end, and holds that the terminal is as it was before.
    fn ends_restored(&mut self) -> ExitStatus {
        let mut status = None;
        let child = &mut self.child;
        wait_until(PATIENCE, "the end", || {
            status = child.try_wait().unwrap();
            status.is_some()
        });
        wait_until(PATIENCE, "the terminal's own screen", || {
            let shown = self.shown.lock().unwrap();
            !shown.screen().alternate_screen() && !shown.screen().hide_cursor()
        });
        let modes = tcgetattr(&self.own).unwrap().local_modes;
        let usual = LocalModes::ICANON | LocalModes::ECHO | LocalModes::ISIG;
        assert!(modes.contains(usual), "{modes:?}");
        status.unwrap()
    }
}

impl Drop for OnTerminal {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            // What the guardian does then is not this test's business.
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

/// The test itself must not get this terminal as its own.
trait NoTty {
    fn custom_flags_no_tty(&mut self) -> &mut Self;
}

impl NoTty for OpenOptions {
    fn custom_flags_no_tty(&mut self) -> &mut Self {
        use std::os::unix::fs::OpenOptionsExt as _;
        let flags = OpenptFlags::NOCTTY.bits();
        self.custom_flags(flags.try_into().unwrap())
    }
}

fn size(terminal: &File, columns: u16, rows: u16) {
    let size = Winsize {
        ws_col: columns,
        ws_row: rows,
        ws_xpixel: 0,
        ws_ypixel: 0,
    };
    tcsetwinsize(terminal, size).unwrap();
}

/// A run of the fleet in which only people decide.
const GAME: &str = r#"
warm_up = "1s"
end = "60s"
[[timeline]]
offered = true
do = "monitors"
on = false
phase = "monitors off"
[[timeline]]
offered = true
do = "pause"
phase = "paused"
"#;

fn started(folder: &Path) -> OnTerminal {
    let scenario = toml::to_string(&founding(GAME)).unwrap();
    std::fs::write(folder.join("game.toml"), scenario).unwrap();
    let terminal = OnTerminal::start(&["run", "game.toml", "--screen", "--out", "run"], folder);
    terminal.shows(&["users", "actions", "monitors off", "1-9 act"]);
    terminal
}

#[test]
fn keys_act_in_their_authors_name_and_the_terminal_is_given_back() {
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    let mut terminal = started(folder.path());
    // Figures move: something is offered, and workers are known.
    terminal.shows(&["busy of", "/s"]);
    terminal.press("1");
    terminal.shows(&["ana decides"]);
    terminal.press("h");
    terminal.shows(&["HELD"]);
    terminal.press("g");
    terminal.press("nall is well\r");
    terminal.shows(&["ana: all is well"]);
    // What is dangerous is asked once, and another key is no.
    terminal.press("2");
    terminal.shows(&["Do it?"]);
    terminal.press("x");
    terminal.shows(&["1-9 act"]);
    terminal.resize(60, 20);
    terminal.shows(&["The screen needs 80 × 24"]);
    terminal.resize(100, 30);
    terminal.shows(&["what holds the workers"]);
    terminal.press("s");
    terminal.shows(&["Stop and undo everything?"]);
    terminal.press("y");
    let _ = terminal.ends_restored();
    let directory = run_directory(&folder);
    let journal = events(&directory);
    let place = |event: &str| journal.iter().position(|it| it["event"] == event);
    let ordered = place("ordered").unwrap();
    assert_eq!(journal[ordered]["by"]["name"], "ana");
    assert_eq!(journal[ordered]["by"]["role"], "facilitator");
    assert!(ordered < place("action_started").unwrap());
    for event in ["joined", "held", "went_on", "noted", "stop_ordered"] {
        let line = &journal[place(event).unwrap_or_else(|| panic!("no {event}"))];
        assert_eq!(line["by"]["name"], "ana", "{line}");
    }
    let begun = journal.iter().filter(|it| it["event"] == "action_started");
    assert_eq!(begun.count(), 1);
    assert_eq!(survivors(&directory), [0_u32; 0]);
}

#[test]
fn an_interrupt_gives_the_terminal_back() {
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    let mut terminal = started(folder.path());
    terminal.shows(&["busy of"]);
    // Ctrl-C, of which the kernel makes a signal as ever.
    terminal.press("\u{3}");
    assert_eq!(terminal.ends_restored().code(), Some(130));
    let directory = run_directory(&folder);
    let ended = events(&directory).pop().unwrap();
    assert_eq!(ended["cause"]["cause"], "interrupted", "{ended}");
    assert_eq!(survivors(&directory), [0_u32; 0]);
}

#[test]
fn a_load_shows_its_times_and_then_its_answer() {
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(|_| ScriptedAnswer::status(200));
    let url = format!("http://{}/", server.address());
    let arguments = ["load", &url, "-R", "200", "-d", "3s", "--screen"];
    let mut terminal = OnTerminal::start(&arguments, folder.path());
    terminal.shows(&["response times so far", "p99.99", "none so far", "/s"]);
    assert_eq!(terminal.ends_restored().code(), Some(0));
    terminal.shows(&["200/s"]);
}

#[test]
fn without_a_terminal_there_are_lines() {
    let _alone = alone();
    let server = Server::start(|_| ScriptedAnswer::status(200));
    let url = format!("http://{}/", server.address());
    let output = Command::new(env!("CARGO_BIN_EXE_threadbare"))
        .args(["load", &url, "-R", "50", "-d", "1s", "--screen"])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("--screen needs a terminal"), "{said}");
    assert!(!said.contains('\u{1b}'), "{said}");
    assert!(output.status.success());
}
