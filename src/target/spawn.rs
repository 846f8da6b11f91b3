//! A command that serves: started behind the gate, its output kept, ended with
//! its whole group and with all that has left it.

use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, ExitStatus};

use super::call::{Marked, behind_the_gate, end, kept_in, open};
use super::family::{ask_to_end, end_strays};
use super::undo::{Safeguard, Undo};
use crate::error::{Error, Result};
use crate::model::Command;
use crate::process::{ProcessHandle, ProcessIdentity};
use crate::record::Outcome;

/// A command that runs.
#[derive(Debug)]
pub(super) struct Running {
    child: Child,
    held: ProcessHandle,
    armed: u64,
    spec: Command,
    /// Its end, once it was seen.
    ended: Option<ExitStatus>,
}

impl Running {
    /// Starts a command; its end is armed before its first instruction.
    pub(super) fn start(
        spec: &Command,
        binary: &Path,
        log: &Path,
        safeguard: &dyn Safeguard,
    ) -> Result<Self> {
        let shown = spec.words.first().map_or("", String::as_str);
        let failed = |cause: std::io::Error| {
            Error::unfit(format!(
                "failed to start {shown} in {}: {cause}",
                spec.directory.display()
            ))
        };
        let mut child = behind_the_gate(binary, &spec.words, Marked::Yes)
            .envs(&spec.env)
            .current_dir(&spec.directory)
            .stdout(kept_in(Some(log)))
            .stderr(kept_in(Some(log)))
            .process_group(0)
            .spawn()
            .map_err(failed)?;
        let identity = ProcessIdentity::of(child.id());
        // Not reaped, so it is there, even if it has ended already.
        let identity = identity.ok_or_else(|| Error::failed("a process just started is gone"))?;
        let held = identity.hold();
        let armed = safeguard.arm(Undo::EndGroup(identity));
        let (Some(held), Ok(armed)) = (held, &armed) else {
            end(&mut child, identity);
            return Err(armed
                .err()
                .unwrap_or_else(|| Error::unfit(format!("{shown} ended before it could begin"))));
        };
        open(&mut child);
        Ok(Self {
            child,
            held,
            armed: *armed,
            spec: spec.clone(),
            ended: None,
        })
    }

    /// The process.
    pub(super) const fn held(&self) -> &ProcessHandle {
        &self.held
    }

    /// What was started.
    pub(super) const fn spec(&self) -> &Command {
        &self.spec
    }

    /// How it ended, where it has.
    pub(super) fn ended(&mut self) -> Option<ExitStatus> {
        if self.ended.is_none() && self.held.ended_within(crate::units::Nanos::ZERO) {
            // What is left of its group ends too, while the number is its own.
            self.ended = end(&mut self.child, self.held.identity());
        }
        self.ended
    }

    /// Ends it: asks, waits for as long as it may take, kills; with its group and all
    /// that it has started. How it ended, and what there is to tell of the latter.
    pub(super) fn stop(mut self, safeguard: &dyn Safeguard) -> (String, Option<String>) {
        let identity = self.held.identity();
        let mut asked = Vec::new();
        if self.ended.is_none() {
            asked = ask_to_end(identity);
            self.held.ended_within(self.spec.stop_within);
            self.ended = end(&mut self.child, identity);
        }
        let strays = end_strays(identity, &asked);
        let status = self.ended.map_or_else(
            || "its status is not known".to_owned(),
            |status| status.to_string(),
        );
        let outcome = if strays.left.is_empty() {
            Outcome::Applied {
                detail: status.clone(),
            }
        } else {
            Outcome::Failed {
                reason: strays.left.join("; "),
            }
        };
        safeguard.settle(self.armed, &outcome);
        (status, strays.in_words())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // No way out of a function leaves it behind; `stop` has ended it already.
        if self.ended.is_none() {
            end(&mut self.child, self.held.identity());
        }
    }
}
