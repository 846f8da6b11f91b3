//! Kinds of failure and the exit codes they lead to.
//!
//! A message is one sentence: what failed, where, and what to do about it. The
//! kind decides the exit code; `docs/EXIT-CODES.md` lists them for users.

use std::fmt;

/// Everything passed, or there was nothing to judge.
pub const EXIT_PASSED: i32 = 0;
/// The run itself failed: a process died, the disk was full.
pub const EXIT_FAILED: i32 = 1;
/// Wrong usage, or an invalid scenario.
pub const EXIT_USAGE: i32 = 2;
/// The environment is unfit: target unreachable, port taken, too few file descriptors.
pub const EXIT_UNFIT: i32 = 3;
/// The measurement is invalid: the generator was the bottleneck.
pub const EXIT_INVALID: i32 = 97;
/// An expectation of the scenario failed. k6 uses the same code for a failed threshold.
pub const EXIT_EXPECTATION: i32 = 99;
/// What a signal's number is added to in the exit code of what it ended.
pub const EXIT_SIGNAL_BASE: i32 = 128;
/// Interrupted by SIGINT (128 + 2), after clean-up.
pub const EXIT_INTERRUPTED: i32 = 130;
/// Ended by SIGTERM (128 + 15), after clean-up.
pub const EXIT_TERMINATED: i32 = 143;

/// What sort of failure it was; it decides the exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The run failed ([`EXIT_FAILED`]).
    Failed,
    /// The user's command line or scenario is wrong ([`EXIT_USAGE`]).
    Usage,
    /// The machine or the target cannot carry the run ([`EXIT_UNFIT`]).
    Unfit,
    /// A signal ended the run ([`EXIT_INTERRUPTED`], [`EXIT_TERMINATED`]).
    Interrupted {
        /// The signal's number.
        signal: i32,
    },
}

/// A failure with its kind and a sentence for the user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    kind: Kind,
    message: String,
}

/// A result whose failure is an [`Error`].
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// The run failed.
    pub fn failed(message: impl Into<String>) -> Self {
        Self::new(Kind::Failed, message)
    }

    /// The command line or the scenario is wrong.
    pub fn usage(message: impl Into<String>) -> Self {
        Self::new(Kind::Usage, message)
    }

    /// The environment cannot carry the run.
    pub fn unfit(message: impl Into<String>) -> Self {
        Self::new(Kind::Unfit, message)
    }

    /// A failure of the given kind.
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
        }
    }

    /// What sort of failure it was.
    pub const fn kind(&self) -> Kind {
        self.kind
    }

    /// The exit code that this failure leads to.
    pub const fn exit_code(&self) -> i32 {
        match self.kind {
            Kind::Failed => EXIT_FAILED,
            Kind::Usage => EXIT_USAGE,
            Kind::Unfit => EXIT_UNFIT,
            Kind::Interrupted { signal } => EXIT_SIGNAL_BASE + signal,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {}
