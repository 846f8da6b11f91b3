//! One call of the user's own tools, carried out: a command or an HTTP request.
//!
//! What it answered is kept. An answer that is not the expected one is a
//! refusal; no answer in time, or a tool that cannot be started, is a failure.

use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use rustix::process::Signal;
use serde::{Deserialize, Serialize};

use super::addresses::Addresses;
use super::family::signal_group;
use super::undo::{Safeguard, Undo};
use crate::bounds::HOOK_ANSWER;
use crate::model::{Call, Called, ExpectedAnswer, TargetSpec, Url, redact, secret};
use crate::net::http::{self, HttpRequest, HttpResponse};
use crate::net::{Failed, Tls};
use crate::process;
use crate::process::ProcessIdentity;
use crate::record::{Outcome, open_to_append};
use crate::units::Nanos;

/// Characters of its last line that are told.
const TOLD_MAX: usize = 200;

/// A call with everything that carrying it out takes, secrets included: what a
/// scenario's [`Call`] leaves out when it is written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Plain {
    /// What stands in the journal of refusals: the hook's name.
    name: String,
    what: CallKind,
    timeout: Nanos,
    expect: ExpectedAnswer,
    /// The folder that commands run in.
    folder: PathBuf,
    /// Where their output is kept; none: nowhere.
    log: Option<PathBuf>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum CallKind {
    Command(Vec<String>),
    Request(Request),
}

/// A request with the address that was checked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Request {
    method: String,
    url: Url,
    headers: Vec<(String, String)>,
    body: String,
    address: SocketAddr,
    /// Who is trusted under https in place of the system's, by a path that holds
    /// wherever it is undone from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ca: Option<PathBuf>,
}

/// Where a call's command runs, what is kept of it, and whom its request trusts.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place<'a> {
    pub folder: &'a Path,
    pub log: Option<&'a Path>,
    pub ca: Option<&'a Path>,
}

/// What keeps a command from outliving the run.
#[derive(Clone, Copy)]
pub(super) struct Guarded<'a> {
    /// This program's own file, which is the gate.
    pub binary: &'a Path,
    pub safeguard: &'a dyn Safeguard,
    /// Whether the run is being ended.
    pub ending: &'a (dyn Fn() -> bool + Sync),
    /// Who is told of requests that fail.
    pub failed: &'a (dyn Fn(&Failed) + Sync),
}

/// Calls a hook between runs, with nobody beside it who would undo it; none where there is
/// no such hook, or its URL was not admitted.
pub(crate) fn call_hook(
    target: &TargetSpec,
    name: &str,
    addresses: &Addresses,
    log: Option<&Path>,
) -> Option<Outcome> {
    let place = Place {
        folder: &target.folder,
        log,
        ca: target.ca.as_deref(),
    };
    let call = &target.hook(name)?.call;
    let call = Plain::new(name, call, |url| addresses.get(url), place)?;
    Some(call.carry_out(&|_| {}))
}

impl Plain {
    /// A call with its addresses; none where its URL was not admitted.
    pub(super) fn new(
        name: &str,
        call: &Call,
        address: impl Fn(&Url) -> Option<SocketAddr>,
        place: Place<'_>,
    ) -> Option<Self> {
        let what = match &call.what {
            Called::Command(words) => CallKind::Command(words.clone()),
            Called::Request {
                method,
                url,
                headers,
                body,
            } => CallKind::Request(Request {
                method: method.clone(),
                url: url.clone(),
                headers: headers.clone(),
                body: body.clone(),
                address: address(url)?,
                ca: place.ca.filter(|_| url.encrypted).map(absolute),
            }),
        };
        Some(Self {
            name: name.to_owned(),
            what,
            timeout: call.timeout,
            expect: call.expect.clone(),
            folder: place.folder.to_owned(),
            log: place.log.map(Path::to_owned),
        })
    }

    /// What is called, without secrets.
    pub(super) fn called(&self) -> String {
        match &self.what {
            CallKind::Command(words) => Called::Command(words.clone()).to_string(),
            CallKind::Request(Request { method, url, .. }) => {
                format!("{method} {}", url.without_query())
            }
        }
    }

    /// The same, with all that it does: what is called, in which folder, and what is sent.
    pub(super) fn in_full(&self) -> String {
        match &self.what {
            CallKind::Command(words) => format!(
                "{}, in {}",
                secret::command_in_full(words),
                self.folder.display()
            ),
            CallKind::Request(request) => {
                let mut told = format!(
                    "{} {} at {}",
                    request.method,
                    redact::text(&request.url.to_string()),
                    request.address
                );
                for (name, value) in &request.headers {
                    let _ = write!(told, ", {name}: {}", secret::shown(name, value));
                }
                if !request.body.is_empty() {
                    let _ = write!(told, ", with the body {}", redact::text(&request.body));
                }
                told
            }
        }
    }

    /// The hook's name.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// How long it may take.
    pub(super) const fn timeout(&self) -> Nanos {
        self.timeout
    }

    /// Calls, and waits for the answer; for whoever undoes a run that is dead. `failed`
    /// hears why a request had no usable answer.
    pub(super) fn carry_out(&self, failed: &dyn Fn(&Failed)) -> Outcome {
        self.outcome(None, failed)
    }

    /// The same within a run: a command ends with it.
    pub(super) fn guarded(&self, guarded: Guarded<'_>) -> Outcome {
        self.outcome(Some(guarded), guarded.failed)
    }

    fn outcome(&self, guarded: Option<Guarded<'_>>, failed: &dyn Fn(&Failed)) -> Outcome {
        // What follows in the log is this call's.
        self.keep(format!("== {}: {}", self.name, self.called()).as_bytes());
        let answered = match &self.what {
            CallKind::Command(words) => self.command(words, guarded),
            CallKind::Request(request) => self.request(request, failed, guarded),
        };
        match answered {
            Ok((true, detail)) => Outcome::Applied { detail },
            Ok((false, reason)) => Outcome::Rejected {
                check: self.name.clone(),
                reason,
            },
            Err(reason) => Outcome::Failed { reason },
        }
    }

    /// Whether the answer is the expected one, and the answer in words.
    fn request(
        &self,
        request: &Request,
        note: &dyn Fn(&Failed),
        guarded: Option<Guarded<'_>>,
    ) -> Result<(bool, String), String> {
        let over = || guarded.is_some_and(|guarded| (guarded.ending)());
        let answer = request.send(self.timeout, &over).map_err(|failed| {
            // Where the run gave it up, nobody has failed to answer.
            if over() {
                let called = self.called();
                return format!("{called} had no answer when the run was ended");
            }
            note(&failed);
            format!("failed to call {}: {failed}", self.called())
        })?;
        // One that is longer is not needed: the status has been read.
        let body = answer.body.unwrap_or_default();
        self.keep(&body);
        let ExpectedAnswer::Status(expected) = &self.expect else {
            return Err("an exit code is expected of a request".into());
        };
        let words = last_line(&String::from_utf8_lossy(&body));
        let told = format!("it answered {}{words}", answer.status);
        if expected.contains(&answer.status) {
            return Ok((true, told));
        }
        note(&Failed::of_status(answer.status, &*told));
        match answer.status {
            // It broke half-way, for all that is known: no refusal.
            500.. => Err(told),
            _ => Ok((false, told)),
        }
    }

    fn command(
        &self,
        words: &[String],
        guarded: Option<Guarded<'_>>,
    ) -> Result<(bool, String), String> {
        let ExpectedAnswer::Exit(expected) = &self.expect else {
            return Err("a status is expected of a command".into());
        };
        let from = self.log.as_ref().and_then(|log| log.metadata().ok());
        let from = from.map_or(0, |log| log.len());
        let failed = |cause: io::Error| format!("failed to start {}: {cause}", self.called());
        let mut command = match guarded {
            Some(guarded) => behind_the_gate(guarded.binary, words, Marked::No),
            None => plain(words),
        };
        command
            .current_dir(&self.folder)
            .stdout(kept_in(self.log.as_deref()))
            .stderr(kept_in(self.log.as_deref()))
            .process_group(0);
        let mut child = command.spawn().map_err(failed)?;
        let identity = ProcessIdentity::of(child.id()).ok_or("the command is gone at once")?;
        let armed = guarded.map(|guarded| guarded.safeguard.arm(Undo::EndGroup(identity)));
        let armed = match armed.transpose() {
            Ok(armed) => armed,
            Err(error) => {
                end(&mut child, identity);
                return Err(error.to_string());
            }
        };
        if guarded.is_some() {
            open(&mut child);
        }
        let in_time = self.awaited(identity, guarded);
        let status = end(&mut child, identity);
        if let (Some(guarded), Some(armed)) = (guarded, armed) {
            let outcome = Outcome::Applied {
                detail: "it has ended".into(),
            };
            guarded.safeguard.settle(armed, &outcome);
        }
        if !in_time {
            return Err(format!(
                "{} did not end within {}, and was ended",
                self.called(),
                self.timeout
            ));
        }
        let words = self
            .log
            .as_ref()
            .and_then(|log| process::last_words(log, from).ok());
        let words = last_line(&words.unwrap_or_default());
        match status.and_then(|status| status.code()) {
            Some(code) => Ok((
                expected.contains(&code),
                format!("it exited with {code}{words}"),
            )),
            // Half-way through, for all that is known: no refusal.
            None => Err(format!("it was ended by a signal{words}")),
        }
    }

    /// Waits for the command's end; whether it came in time.
    fn awaited(&self, identity: ProcessIdentity, guarded: Option<Guarded<'_>>) -> bool {
        /// How long the end of a run may go unnoticed.
        const LOOK_EVERY: Nanos = Nanos::from_millis(50);

        let Some(held) = identity.hold() else {
            return true;
        };
        let mut left = self.timeout;
        while left > Nanos::ZERO && !guarded.is_some_and(|guarded| (guarded.ending)()) {
            let look = left.min(LOOK_EVERY);
            if held.ended_within(look) {
                return true;
            }
            left = left.saturating_sub(look);
        }
        false
    }

    /// Keeps what was answered, where it is to be kept.
    fn keep(&self, bytes: &[u8]) {
        if let Some(mut log) = self.log.as_ref().and_then(|log| open_to_append(log).ok()) {
            // What cannot be kept is not what the call is judged by.
            let _ = log.write_all(bytes).and_then(|()| log.write_all(b"\n"));
        }
    }
}

impl Request {
    /// Sends it, and waits for the answer until it is `over`.
    fn send(&self, timeout: Nanos, over: &dyn Fn() -> bool) -> Result<HttpResponse, Failed> {
        let tls = self
            .url
            .encrypted
            .then(|| Tls::trusting(&self.url.host, self.ca.as_deref()))
            .transpose()
            .map_err(|error| Failed::unsendable(error.to_string()))?;
        let headers = self.headers.iter();
        let headers: Vec<_> = headers.map(|(name, value)| (&**name, &**value)).collect();
        let request = HttpRequest {
            method: &self.method,
            address: self.address,
            tls: tls.as_ref(),
            authority: &self.url.authority,
            target: &self.url.target,
            headers: &headers,
            body: self.body.as_bytes(),
            timeout,
            body_max: HOOK_ANSWER.length_max(),
        };
        http::ask_unless(&request, Some(over))
    }
}

/// A path that holds in every folder.
fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

/// A command of these words.
fn plain(words: &[String]) -> Command {
    let mut command = Command::new(words.first().map_or("", String::as_str));
    command.args(words.iter().skip(1)).stdin(Stdio::null());
    command
}

/// Whether all that a command starts is marked as its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Marked {
    Yes,
    No,
}

/// The same, held back until its gate is opened.
pub(super) fn behind_the_gate(binary: &Path, words: &[String], marked: Marked) -> Command {
    let mut command = Command::new(binary);
    command.arg("__gate");
    if marked == Marked::Yes {
        command.arg("--marked");
    }
    command.arg("--").args(words).stdin(Stdio::piped());
    command
}

/// Lets a command that is held back begin.
pub(super) fn open(child: &mut Child) {
    if let Some(mut stdin) = child.stdin.take() {
        // One that has ended already is found out by its end.
        let _ = stdin.write_all(process::OPEN);
    }
}

/// Ends what is left of a command and its group.
pub(super) fn end(
    child: &mut Child,
    identity: ProcessIdentity,
) -> Option<std::process::ExitStatus> {
    // Not reaped yet, so its number is still its own.
    signal_group(identity, Signal::KILL);
    child.wait().ok()
}

/// Where the output of a command goes: into its log, or nowhere. Nothing that is done, and
/// no undo, depends on whether a log can be opened.
pub(super) fn kept_in(log: Option<&Path>) -> Stdio {
    let opened = log.and_then(|log| open_to_append(log).ok());
    opened.map_or_else(Stdio::null, Stdio::from)
}

/// The last line that says anything, as the end of a sentence.
pub(super) fn last_line(text: &str) -> String {
    let line = text.lines().rev().find(|line| !line.trim().is_empty());
    line.map_or_else(String::new, |line| {
        let told: String = line.trim().chars().take(TOLD_MAX).collect();
        format!(" and its last output was: {told}")
    })
}

#[cfg(test)]
impl Plain {
    /// The same with its output kept.
    pub(super) fn with_log(self, log: &Path) -> Self {
        let log = Some(log.to_owned());
        Self { log, ..self }
    }
}

/// A command that is expected to exit with 0.
#[cfg(test)]
pub(super) fn plain_command(words: &[&str]) -> Plain {
    Plain {
        name: "test".into(),
        what: CallKind::Command(words.iter().map(|word| (*word).to_owned()).collect()),
        timeout: Nanos::from_secs(10),
        expect: ExpectedAnswer::Exit(0..=0),
        folder: PathBuf::from("."),
        log: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_names_whom_it_trusts_by_a_path_that_holds_everywhere() {
        let place = Place {
            folder: Path::new("."),
            log: None,
            ca: Some(Path::new("ca.pem")),
        };
        let here = std::env::current_dir().unwrap().join("ca.pem");
        // Under http it is written as it always was.
        for (scheme, ca) in [("https", Some(here.as_path())), ("http", None)] {
            let call = Call {
                what: Called::Request {
                    method: "POST".into(),
                    url: format!("{scheme}://localhost:1/undo").parse().unwrap(),
                    headers: Vec::new(),
                    body: String::new(),
                },
                timeout: Nanos::from_secs(1),
                expect: ExpectedAnswer::Status(200..=299),
            };
            let address = |_: &Url| Some(SocketAddr::from(([127, 0, 0, 1], 1)));
            let plain = Plain::new("test", &call, address, place).unwrap();
            let written = serde_json::to_value(&plain).unwrap();
            let request = &written["what"]["request"];
            assert_eq!(
                request.get("ca").map(|it| Path::new(it.as_str().unwrap())),
                ca
            );
            assert_eq!(serde_json::from_value::<Plain>(written).unwrap(), plain);
        }
    }

    #[test]
    fn an_unexpected_exit_is_a_refusal_and_a_hang_a_failure() {
        let log = tempfile::NamedTempFile::new().unwrap();
        let call = |words: &[&str], timeout| Plain {
            log: Some(log.path().to_owned()),
            timeout,
            ..plain_command(words)
        };
        let patience = Nanos::from_secs(10);
        let refused =
            call(&["sh", "-c", "echo schema is newer >&2; exit 3"], patience).carry_out(&|_| {});
        let reason = "it exited with 3 and its last output was: schema is newer".to_owned();
        let check = "test".to_owned();
        assert_eq!(refused, Outcome::Rejected { check, reason });
        let hung = call(&["sleep", "60"], Nanos::from_millis(100)).carry_out(&|_| {});
        assert!(matches!(hung, Outcome::Failed { reason } if reason.contains("did not end")));
        // Where its output cannot be kept it is carried out all the same.
        let nowhere = plain_command(&["true"]).with_log(Path::new("/no/such/folder/log"));
        assert!(matches!(
            nowhere.carry_out(&|_| {}),
            Outcome::Applied { .. }
        ));
        let gone = call(&["/no/such/tool"], patience).carry_out(&|_| {});
        assert!(matches!(gone, Outcome::Failed { reason } if reason.contains("failed to start")));
    }
}
