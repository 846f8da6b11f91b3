//! `threadbare occupy`: holding the workers of any server.

use std::sync::{Arc, mpsc};
use std::time::Duration;

use clap::{Args, ValueEnum};

use super::tell::Tell;
use super::{Code, View};
use crate::error::{EXIT_PASSED, Error};
use crate::live::Interrupt;
use crate::model::fault::Hold;
use crate::model::{Reported, SourceName};
use crate::net::AllowedHosts;
use crate::proxy::{Occupation, Occupier};
use crate::record::FailureBook;
use crate::units::{Nanos, counted};

/// How often the connections that are held are reported.
const TELL_EVERY: Duration = Duration::from_secs(1);

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Arguments {
    /// The server
    #[arg(value_name = "HOST:PORT")]
    target: String,
    /// How workers are occupied
    #[arg(long, value_enum, default_value_t = How::SlowHeaders)]
    hold: How,
    /// The path that is requested [default: /]; for `slow-endpoint` one that is known to
    /// be slow
    #[arg(long, required_if_eq("hold", "slow-endpoint"))]
    path: Option<String>,
    /// Number of concurrent connections
    #[arg(short, long, value_name = "N", default_value_t = 16)]
    connections: u32,
    /// Pause between two bytes, or two header lines
    #[arg(long, value_name = "TIME", value_parser = super::some_time, default_value = "1s")]
    every: Nanos,
    /// How long; at most a day
    #[arg(short, long, value_name = "TIME", value_parser = super::some_time, default_value = "30s")]
    duration: Nanos,
    /// Allow a host other than this machine, exactly as it is named; may be repeated
    #[arg(long, value_name = "HOST")]
    allow_host: Vec<String>,
    #[command(flatten)]
    tell: Tell,
}

const EXAMPLES: &str = "\
Examples:
  threadbare occupy 127.0.0.1:8000 -c 50 -d 30s
  threadbare occupy 127.0.0.1:8000 --hold slow-bodies --path /upload
  threadbare occupy 127.0.0.1:8000 --hold slow-endpoint --path '/report?year=2020' -c 8
  threadbare occupy 127.0.0.1:8000 --tell 'http://127.0.0.1:8080/happened#key=KEY' --by Ana

Ctrl-C closes all connections at once.

Exit codes: 0 ended after its time, 2 wrong usage, 3 the host is unknown, 130/143 ended by a signal.";

#[derive(Debug, Clone, Copy, ValueEnum)]
enum How {
    /// Request headers that never end
    SlowHeaders,
    /// Request bodies sent byte by byte
    SlowBodies,
    /// Answers read byte by byte
    SlowReads,
    /// Requests to a slow endpoint, again and again
    SlowEndpoint,
    /// Connections on which nothing is sent
    Silent,
}

impl How {
    /// As it is written on the command line.
    const fn word(self) -> &'static str {
        match self {
            Self::SlowHeaders => "slow-headers",
            Self::SlowBodies => "slow-bodies",
            Self::SlowReads => "slow-reads",
            Self::SlowEndpoint => "slow-endpoint",
            Self::Silent => "silent",
        }
    }
}

impl Arguments {
    pub(super) fn run(self, view: &View) -> Code {
        let target = self.target.clone();
        let source = SourceName::of_occupation(&target);
        let failures = Arc::<FailureBook>::default();
        let allowed = AllowedHosts::of_command_line(self.allow_host);
        let told = self.tell.run(&allowed, "threadbare occupy")?;
        let held = counted(self.connections.into(), "connection");
        let what = format!("occupation of {target} with {held}, {}", self.hold.word());
        let occupier = Occupier {
            target: allowed.resolve_text(&self.target)?,
            host: self.target,
            hold: match self.hold {
                How::SlowHeaders => Hold::SlowHeaders,
                How::SlowBodies => Hold::SlowBodies,
                How::SlowReads => Hold::SlowReads,
                How::SlowEndpoint => Hold::SlowEndpoint,
                How::Silent => Hold::Silent,
            },
            path: self.path.unwrap_or_else(|| "/".into()),
            connections: self.connections,
            every: self.every,
            duration: self.duration,
        };
        let noted = Arc::clone(&failures);
        if let Some(told) = &told {
            told.tell(&what, Reported::Began)?;
        }
        let started = Occupation::start_noting(occupier, source.clone(), noted);
        let ended_in_run = || {
            if let Some(told) = &told {
                told.tell_or_say(&what, Reported::Ended);
            }
        };
        let occupation = started.inspect_err(|_| ended_in_run())?;
        let (ended, end) = mpsc::channel::<()>();
        let interrupt = Interrupt::listen(move || drop(ended))?;
        while !occupation.ended() && interrupt.signal().is_none() {
            if !view.quiet {
                let held = counted(occupation.counters().held, "connection");
                super::tell(&format!("holding {held}"));
            }
            // Either the time is over, or the other end was dropped by a signal.
            let _ = end.recv_timeout(TELL_EVERY);
        }
        let counters = occupation.undo();
        ended_in_run();
        let failed = failures.lines(&source);
        super::answer(format!("{counters}\n{failed}").as_bytes())?;
        if counters.opened == 0 && counters.unreachable > 0 && interrupt.signal().is_none() {
            return Err(Error::unfit(format!(
                "{target} could not be reached, so no worker was held; does it listen there?"
            )));
        }
        Ok(interrupt
            .signal()
            .map_or(EXIT_PASSED, |signal| 128 + signal))
    }
}
