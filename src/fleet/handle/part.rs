//! A part of the fleet as the conductor sees it: a child process with a control
//! listener.
//!
//! Dropping it kills the process and waits for its end, so no way out of a
//! function leaves one behind. A part has a process group of its own: Ctrl-C at
//! a terminal reaches the conductor only, which then ends the fleet in order.

use std::io::{self, BufRead as _, BufReader, Write as _};
use std::net::SocketAddr;
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::clock::Clock;
use crate::error::{Error, Result};
use crate::fleet::message::{Reading, StartReport};
use crate::fleet::wire::Client;
use crate::process::last_words;
use crate::record::open_to_append;

/// How long a part may take to serve, its boot delay not counted; a hundred
/// times what it takes on an idle machine.
const START_MAX: Duration = Duration::from_secs(20);
/// How long a control request may take. Gauges are read every second, and one
/// that cannot be read is recorded as such rather than waited for.
const CONTROL_MAX: Duration = Duration::from_millis(500);
/// How long an interrupt of the set-up may go unnoticed.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// How long the last words of a part that has ended may take: they are in the pipe.
const LAST_WORDS_MAX: Duration = Duration::from_millis(500);
/// How long a part that was told to stop may take to end before it is killed.
const STOP_MAX: Duration = Duration::from_secs(2);

/// What is needed to start a part.
#[derive(Debug, Clone)]
pub(super) struct Launcher {
    /// The binary that all parts are.
    pub binary: PathBuf,
    /// Where the parts' standard errors go.
    pub log: PathBuf,
    /// The control token.
    pub token: String,
}

/// A child process that does not outlive this value.
#[derive(Debug)]
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended already; then there is nothing to kill.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A part that has been started and does not serve yet.
#[derive(Debug)]
pub(super) struct Starting {
    name: String,
    process: Process,
    answer: Receiver<String>,
    launcher: Launcher,
    log_from: u64,
}

/// A part that serves.
#[derive(Debug)]
pub(super) struct Part {
    /// Its process id.
    pub pid: u32,
    /// Where its service listens.
    pub address: SocketAddr,
    process: Process,
    control: Client,
    /// What it says after it has said that it serves.
    said: Receiver<String>,
    died: bool,
}

impl Launcher {
    /// Starts the process of a `kind` of part, under a name, with its configuration.
    pub(super) fn start(
        &self,
        kind: &str,
        name: &str,
        config: &impl Serialize,
    ) -> Result<Starting> {
        let failed = |cause: io::Error| self.start_error(name, &cause);
        let log = open_to_append(&self.log).map_err(failed)?;
        let log_from = log.metadata().map_err(failed)?.len();
        let mut child = Command::new(&self.binary)
            .args(["__part", kind])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(log)
            .process_group(0)
            .spawn()
            .map_err(failed)?;
        let (stdin, stdout) = (child.stdin.take(), child.stdout.take());
        let mut process = Process(child);
        let (mut stdin, stdout) = stdin.zip(stdout).expect("both were asked for as pipes");
        let mut line = serde_json::to_string(config)
            .map_err(|cause| Error::failed(format!("failed to configure {name}: {cause}")))?;
        line.push('\n');
        // A part that ended before it read this is found out by `serving`.
        let _ = stdin.write_all(line.as_bytes());
        // The pipe stays open: its end is the part's end.
        process.0.stdin = Some(stdin);
        let (sender, answer) = mpsc::channel();
        thread::Builder::new()
            .name("part answer".into())
            .spawn(move || {
                // How the start went; and, of one that crashes by a fault, what it had
                // counted.
                let lines = BufReader::new(stdout).lines().map_while(io::Result::ok);
                for line in lines.take(2) {
                    let _ = sender.send(line);
                }
            })
            .map_err(failed)?;
        Ok(Starting {
            name: name.to_owned(),
            process,
            answer,
            launcher: self.clone(),
            log_from,
        })
    }

    fn start_error(&self, name: &str, cause: &io::Error) -> Error {
        let binary = self.binary.display();
        let exhausted = [rustix::io::Errno::MFILE, rustix::io::Errno::NFILE]
            .iter()
            .any(|errno| cause.raw_os_error() == Some(errno.raw_os_error()));
        if exhausted {
            return Error::unfit(format!(
                "failed to start {name}: no free file descriptors; raise the limit with `ulimit -n`"
            ));
        }
        Error::failed(format!(
            "failed to start {name} from {binary}: {cause}; \
             the fleet's parts are this binary, so it must still be there and executable"
        ))
    }
}

impl Starting {
    /// The process id.
    pub(super) fn pid(&self) -> u32 {
        self.process.0.id()
    }

    /// Waits until the part serves, or `interrupted` says that nobody wants it
    /// any more; `boot` is added to the time it may take.
    pub(super) fn serving(
        mut self,
        boot: Duration,
        interrupted: &dyn Fn() -> bool,
    ) -> Result<Part> {
        let line = self.line(START_MAX + boot, interrupted)?;
        let answer = line.and_then(|line| serde_json::from_str::<StartReport>(&line).ok());
        match answer {
            Some(StartReport::Ready { address, control }) => Ok(Part {
                pid: self.pid(),
                address,
                process: self.process,
                said: self.answer,
                control: Client::new(control, Some(&self.launcher.token), CONTROL_MAX),
                died: false,
            }),
            Some(StartReport::Failed { sentence, unfit }) => {
                let sentence = format!("{} did not start: {sentence}", self.name);
                Err(if unfit {
                    Error::unfit(sentence)
                } else {
                    Error::failed(sentence)
                })
            }
            None => Err(self.silent()),
        }
    }

    /// What the part says; none where it ended or said nothing in time.
    fn line(&self, patience: Duration, interrupted: &dyn Fn() -> bool) -> Result<Option<String>> {
        let clock = Clock::start();
        loop {
            if interrupted() {
                return Err(Error::failed("the set-up was interrupted"));
            }
            match self.answer.recv_timeout(LOOK_EVERY) {
                Ok(line) => return Ok(Some(line)),
                Err(RecvTimeoutError::Timeout) if clock.now().to_duration() < patience => {}
                Err(_) => return Ok(None),
            }
        }
    }

    /// The error for a part that said nothing that could be understood.
    fn silent(&mut self) -> Error {
        let ended = match self.process.0.try_wait() {
            Ok(Some(status)) => format!("it ended with {status}"),
            _ => format!("it did not answer within {} s", START_MAX.as_secs()),
        };
        let words = last_words(&self.launcher.log, self.log_from).unwrap_or_default();
        let words = words.trim();
        let said = if words.is_empty() {
            "without any output".to_owned()
        } else {
            format!("and its last output was: {words}")
        };
        Error::failed(format!("{} did not start: {ended} {said}", self.name))
    }
}

impl Part {
    /// A control request; the answer's content, or why there is none in words.
    pub(super) fn call<T: DeserializeOwned>(
        &mut self,
        method: &str,
        target: &str,
        body: &impl Serialize,
    ) -> std::result::Result<T, String> {
        call(&mut self.control, method, target, body)
    }

    /// Another way to its control listener, for a request that may take longer:
    /// it can be used while others use the part.
    pub(super) fn control_within(&self, patience: Duration) -> Client {
        self.control.another(patience)
    }

    /// Its exit status, where it has ended by itself; once.
    pub(super) fn died(&mut self) -> Option<ExitStatus> {
        if self.died {
            return None;
        }
        let status = self.process.0.try_wait().ok().flatten()?;
        self.died = true;
        Some(status)
    }

    /// What it had counted, where it has crashed by a fault and said so.
    pub(super) fn last_words(&self) -> Option<Reading> {
        let line = self.said.recv_timeout(LAST_WORDS_MAX).ok()?;
        serde_json::from_str(&line).ok()
    }

    /// Whether its process has ended.
    pub(super) fn ended(&mut self) -> bool {
        matches!(self.process.0.try_wait(), Ok(Some(_)))
    }

    /// Sends its process a signal; why it could not be sent, in words.
    ///
    /// A process id can go to a stranger once its process has been waited for,
    /// which only this value does: so the pidfd that is opened here is ours.
    pub(super) fn signal(&mut self, signal: Signal) -> std::result::Result<(), String> {
        if self.ended() {
            return Err("it has ended on its own".to_owned());
        }
        pidfd_open(Pid::from_child(&self.process.0), PidfdFlags::empty())
            .and_then(|process| pidfd_send_signal(&process, signal))
            .map_err(|cause| cause.to_string())
    }

    /// Waits for the end of a part that was told to stop, and makes it end
    /// where it does not.
    pub(super) fn end(mut self) {
        let clock = Clock::start();
        drop(self.process.0.stdin.take());
        while clock.now().to_duration() < STOP_MAX {
            if !matches!(self.process.0.try_wait(), Ok(None)) {
                return;
            }
            thread::sleep(Duration::from_millis(1));
        }
    }
}

/// A control request; the answer's content, or why there is none in words.
pub(super) fn call<T: DeserializeOwned>(
    control: &mut Client,
    method: &str,
    target: &str,
    body: &impl Serialize,
) -> std::result::Result<T, String> {
    let body = serde_json::to_vec(body).map_err(|cause| cause.to_string())?;
    let (status, answer) = control
        .call(method, target, &body)
        .map_err(|cause| cause.to_string())?;
    if status != 200 {
        let text = String::from_utf8_lossy(&answer);
        return Err(format!("{method} {target} was answered {status}: {text}"));
    }
    serde_json::from_slice(&answer).map_err(|cause| cause.to_string())
}
