//! `threadbare occupy`: holding the workers of any server.

use std::sync::mpsc;
use std::time::Duration;

use clap::{Args, ValueEnum};

use super::{Code, View};
use crate::error::{EXIT_PASSED, Error};
use crate::live::Interrupt;
use crate::model::fault::Hold;
use crate::net::AllowedHosts;
use crate::proxy::{Occupation, OccupationCounters, Occupier};
use crate::units::Nanos;

/// How often what is held is told.
const TELL_EVERY: Duration = Duration::from_secs(1);

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Arguments {
    /// The server
    #[arg(value_name = "HOST:PORT")]
    target: String,
    /// How workers are held
    #[arg(long, value_enum, default_value_t = How::SlowHeaders)]
    hold: How,
    /// The path that is asked for [default: /]; of `slow-endpoint` one that is known to
    /// be slow
    #[arg(long, required_if_eq("hold", "slow-endpoint"))]
    path: Option<String>,
    /// Connections that hold at a time
    #[arg(short, long, value_name = "N", default_value_t = 16)]
    connections: u32,
    /// Pause between two bytes, or two header lines
    #[arg(long, value_name = "TIME", value_parser = super::some_time, default_value = "1s")]
    every: Nanos,
    /// When it ends by itself; a day at most
    #[arg(short, long, value_name = "TIME", value_parser = super::some_time, default_value = "30s")]
    duration: Nanos,
    /// A host other than this machine that may be held, exactly as it is named;
    /// may be repeated
    #[arg(long, value_name = "HOST")]
    allow_host: Vec<String>,
}

const EXAMPLES: &str = "\
Examples:
  threadbare occupy 127.0.0.1:8000 -c 50 -d 30s
  threadbare occupy 127.0.0.1:8000 --hold slow-bodies --path /upload
  threadbare occupy 127.0.0.1:8000 --hold slow-endpoint --path '/report?year=2020' -c 8

Ctrl-C lets everything go at once.

Exit codes: 0 its time is over, 2 wrong usage, 3 the host is unknown, 130/143 ended by a signal.";

#[derive(Debug, Clone, Copy, ValueEnum)]
#[expect(
    clippy::enum_variant_names,
    reason = "slow is what each of them is, and what they are called"
)]
enum How {
    /// Heads that never end
    SlowHeaders,
    /// Bodies that come byte by byte
    SlowBodies,
    /// Answers that are read byte by byte
    SlowReads,
    /// An endpoint that is slow, asked again and again
    SlowEndpoint,
}

impl Arguments {
    pub(super) fn run(self, view: &View) -> Code {
        let target = self.target.clone();
        let occupation = Occupation::start(Occupier {
            target: AllowedHosts::of_command_line(self.allow_host).resolve_text(&self.target)?,
            host: self.target,
            hold: match self.hold {
                How::SlowHeaders => Hold::SlowHeaders,
                How::SlowBodies => Hold::SlowBodies,
                How::SlowReads => Hold::SlowReads,
                How::SlowEndpoint => Hold::SlowEndpoint,
            },
            path: self.path.unwrap_or_else(|| "/".into()),
            connections: self.connections,
            every: self.every,
            duration: self.duration,
        })?;
        let (ended, end) = mpsc::channel::<()>();
        let interrupt = Interrupt::listen(move || drop(ended))?;
        while !occupation.ended() && interrupt.signal().is_none() {
            if !view.quiet {
                eprintln!("threadbare: {} held", occupation.counters().held);
            }
            // Either the time is over, or the other end was dropped by a signal.
            let _ = end.recv_timeout(TELL_EVERY);
        }
        let counters = occupation.undo();
        super::answer(in_words(&counters).as_bytes())?;
        if counters.opened == 0 && counters.unreachable > 0 && interrupt.signal().is_none() {
            return Err(Error::unfit(format!(
                "{target} could not be reached, so nothing was held; does it listen there?"
            )));
        }
        Ok(interrupt
            .signal()
            .map_or(EXIT_PASSED, |signal| 128 + signal))
    }
}

fn in_words(counters: &OccupationCounters) -> String {
    format!(
        "{} connections opened, {} not; {} lost to the server, {} requests answered\n",
        counters.opened, counters.unreachable, counters.lost, counters.answered
    )
}
