//! Arguments and subcommands, one file each.
//!
//! Arguments are parsed here and mean something in the subcommand's file; the
//! work itself is done by the rooms below.

mod ab;
mod agent;
mod agents;
mod baseline;
mod by_agents;
mod check;
mod chosen;
mod ci;
mod client;
mod compare;
mod completions;
mod console;
mod faults;
mod gated;
mod gauges;
mod init;
mod limit;
mod list;
mod load;
mod man;
mod occupy;
mod offered;
mod proxy;
mod recover;
mod report;
mod request;
mod room;
mod run;
mod runs;
mod schema;
mod simulate;
mod sweep;
mod target;
mod telemetry;
mod tell;
mod trend;
mod variants;
mod what_if;

use std::borrow::Cow;
use std::fmt;
use std::io::{self, IsTerminal as _, Write as _};
use std::iter;
use std::num::{IntErrorKind, ParseIntError};
use std::path::PathBuf;

use clap::{Args, CommandFactory as _, Parser, Subcommand};

use crate::error::{EXIT_FAILED, EXIT_PASSED, EXIT_USAGE, Error, Result};
use crate::fleet;
use crate::model::redact;
use crate::target::carry_out_alone;
use crate::units::Nanos;
use crate::{live, process};

/// Reproduce thread exhaustion and measure how a service comes back.
///
/// threadbare drives a fleet of real processes through an incident (a broken
/// push, monitors that amplify it, a rollback that is refused, one that is
/// applied, a gradual restart) and measures queueing, saturation, latency and
/// recovery time after rollback. Nothing about the outcome is scripted.
#[derive(Debug, Parser)]
#[command(version, after_help = EXAMPLES)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    view: View,
}

const EXAMPLES: &str = "\
Examples:
  threadbare list                        the incidents that are shipped
  threadbare run missing-await           run the founding incident (about two minutes)
  threadbare simulate missing-await      the same in virtual time (about a second)
  threadbare load http://127.0.0.1:8080/ -R 2000 -d 30s    a load on any server
  threadbare agent --nats nats://127.0.0.1:4222    wait for a share of a load (docs/DISTRIBUTED.md)
  threadbare limit http://127.0.0.1:8080/ --slo 'p99 <= 250ms'    how much it can take
  threadbare faults                      the faults that a scenario can inject into the fleet
  threadbare check mine.toml             every mistake in a scenario, with its place
  threadbare init --preset gunicorn      a scenario for a server of your own
  threadbare recover reports/RUN         undo what a killed run left behind
  threadbare report reports/RUN          report an earlier run again
  threadbare run missing-await --console    a page for the room: follow the run, act in it
  threadbare console reports/RUN         a finished run on the same page, at any speed
  threadbare runs                        the runs that lie in reports/, newest first
  threadbare trend --figure 'error share'    where over many runs did it change?
  threadbare gauges http://127.0.0.1:9100/metrics    read the gauges of a server
  threadbare target                      only the fleet, for curl or another load generator
  threadbare proxy --listen 127.0.0.1:9000 --to 127.0.0.1:8000    break connections to a server

Exit codes: 0 passed, 1 failed to run, 2 wrong usage or scenario, 3 environment unfit,
97 measurement invalid, 99 an expectation failed, 130/143 interrupted.";

/// How the answer is shown.
#[derive(Debug, Clone, Args)]
struct View {
    /// Print only the line with the verdict
    #[arg(long, global = true)]
    quiet: bool,
    /// No colour (also with `NO_COLOR` set, or when the output is not a terminal)
    #[arg(long, global = true)]
    no_color: bool,
    /// Print a progress line each second instead of one live line
    #[arg(long, global = true)]
    no_tui: bool,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run a scenario on the built-in fleet or on your own service, measure and report
    Run(run::Arguments),
    /// Simulate a scenario in virtual time: seconds instead of hours, any size of fleet
    Simulate(simulate::Arguments),
    /// Try every corrective measure on a scenario, alone and in pairs, and rank them
    WhatIf(what_if::Arguments),
    /// Run the variants of a scenario, live or simulated, each beside the scenario as it is
    Variants(variants::Arguments),
    /// Map a scenario over one or two of its keys: where it recovers, where it stays down
    Sweep(sweep::Arguments),
    /// Load any HTTP server, at a rate or in a closed loop, and measure
    Load(Box<load::Arguments>),
    /// Wait at a NATS server for a share of a load, or for work, until it is stopped
    Agent(agent::Arguments),
    /// List the agents that wait at a NATS server: cores, clock, what they do
    Agents(agents::Arguments),
    /// Hold two runs, or two sets of runs, against each other: did it get worse?
    Compare(compare::Arguments),
    /// Run a base and a candidate in turns, and tell whether it got worse
    Ab(ab::Arguments),
    /// Find how much a service can take, and from where it comes back by itself
    Limit(Box<limit::Arguments>),
    /// Accept runs as what later ones are compared with
    Baseline(baseline::Arguments),
    /// Find every mistake in a scenario file; runs nothing
    Check(check::Arguments),
    /// List the scenarios that come with threadbare by mechanism, and what each is like
    #[command(after_help = "Examples:\n  threadbare list\n  threadbare list --no-color")]
    List,
    /// List the faults that scenarios can inject into the built-in fleet, or describe one
    Faults(faults::Arguments),
    /// Undo what a run that was killed left behind
    Recover(recover::Arguments),
    /// Print a scenario to start from, for a kind of server
    Init(init::Arguments),
    /// Report an earlier run again, complete or not; runs nothing
    Report(report::Arguments),
    /// List the runs that lie in a folder, the newest first
    Runs(runs::Arguments),
    /// Find where over many runs a figure changed
    Trend(trend::Arguments),
    /// Show finished runs on a page: play one again, list them, compare two
    Console(console::Arguments),
    /// Start only the fleet, for curl or another load generator
    Target(target::Arguments),
    /// Start a fault proxy in front of a server or its database, and break what passes
    Proxy(proxy::Arguments),
    /// Occupy a server's workers from outside: slow headers, bodies, reads, or a slow endpoint
    Occupy(occupy::Arguments),
    /// Read a server's gauges once, and show which preset fits and what is missing
    Gauges(gauges::Arguments),
    /// Print the JSON schema of scenario files
    Schema(schema::Arguments),
    /// Print the completion script of a shell
    Completions(completions::Arguments),
    /// Print the manual page, or write one for each subcommand
    Man(man::Arguments),
    /// A process of the fleet
    #[command(name = "__part", hide = true)]
    Part { part: String },
    /// The process that ends the fleet when the conductor dies
    #[command(name = "__guardian", hide = true)]
    Guardian,
    /// What a command waits behind until it is known to the guardian
    #[command(name = "__gate", hide = true)]
    Gate {
        /// All that the command starts can be found again
        #[arg(long)]
        marked: bool,
        #[arg(last = true)]
        words: Vec<std::ffi::OsString>,
    },
    /// A process that carries out one undo
    #[command(name = "__undo", hide = true)]
    Undo,
}

/// A duration that is some.
fn some_time(text: &str) -> std::result::Result<Nanos, String> {
    match text.parse() {
        Ok(Nanos::ZERO) => Err("it must be more than zero".into()),
        Ok(time) => Ok(time),
        Err(error) => Err(format!("{error}")),
    }
}

/// Prints an answer.
fn answer(text: &[u8]) -> Result<()> {
    crate::run::say(text)
}

/// Says something beside the answer. Nobody may be able to hear it: then it is not said.
fn tell(text: &dyn fmt::Display) {
    let _ = writeln!(io::stderr(), "threadbare: {text}");
}

/// The command line as a whole, for what describes it elsewhere.
fn described() -> clap::Command {
    Arguments::command()
}

/// What is wrong with a number, in other words than the standard library's.
fn plainly<'a>(text: &'a str, error: &clap::Error) -> Cow<'a, str> {
    let source = std::error::Error::source(error);
    let Some(cause) = source.and_then(|it| it.downcast_ref::<ParseIntError>()) else {
        return text.into();
    };
    let reason = match cause.kind() {
        IntErrorKind::PosOverflow => "the number is too large",
        IntErrorKind::NegOverflow => "the number is too small",
        IntErrorKind::Zero => "the number must be 1 or more",
        _ => "write a whole number, in digits",
    };
    text.replace(&cause.to_string(), reason).into()
}

/// Parses the command line, does what it says, and returns the exit code.
pub fn main() -> i32 {
    process::keep_children();
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            // Help and version are answers; everything else is wrong usage.
            let code = if error.use_stderr() {
                EXIT_USAGE
            } else {
                EXIT_PASSED
            };
            let text = error.to_string();
            let plain = plainly(&text, &error);
            // The values that it quotes may be secrets.
            let shown = redact::text(&plain);
            if error.use_stderr() && shown != text {
                let _ = write!(io::stderr(), "{shown}");
            } else {
                let _ = error.print();
            }
            return code;
        }
    };
    let view = &arguments.view;
    let done = match arguments.command {
        Command::Run(arguments) => arguments.run(view),
        Command::Simulate(arguments) => arguments.run(view),
        Command::WhatIf(arguments) => arguments.run(view),
        Command::Variants(arguments) => arguments.run(view),
        Command::Sweep(arguments) => arguments.run(view),
        Command::Load(arguments) => arguments.run(view),
        Command::Agent(arguments) => arguments.run(),
        Command::Agents(arguments) => arguments.run(view),
        Command::Compare(arguments) => arguments.run(view),
        Command::Ab(arguments) => arguments.run(view),
        Command::Limit(arguments) => arguments.run(view),
        Command::Baseline(arguments) => arguments.run(),
        Command::Check(arguments) => arguments.run(view),
        Command::List => list::run(),
        Command::Faults(arguments) => arguments.run(),
        Command::Recover(arguments) => arguments.run(),
        Command::Init(arguments) => arguments.run(),
        Command::Report(arguments) => arguments.run(view),
        Command::Runs(arguments) => arguments.run(view),
        Command::Trend(arguments) => arguments.run(view),
        Command::Console(arguments) => arguments.run(),
        Command::Target(arguments) => arguments.run(),
        Command::Proxy(arguments) => arguments.run(view),
        Command::Occupy(arguments) => arguments.run(view),
        Command::Gauges(arguments) => arguments.run(),
        Command::Schema(arguments) => arguments.run(),
        Command::Completions(arguments) => arguments.run(),
        Command::Man(arguments) => arguments.run(),
        Command::Part { part } => fleet::serve_part(&part).map(|()| EXIT_PASSED),
        Command::Guardian => live::guard().map(|()| EXIT_PASSED),
        Command::Gate { marked, words } => process::gate(&words, marked).map(|()| EXIT_PASSED),
        Command::Undo => carry_out_alone().map(|done| if done { EXIT_PASSED } else { EXIT_FAILED }),
    };
    done.unwrap_or_else(|error| {
        tell(&redact::text(&error.to_string()));
        error.exit_code()
    })
}

impl View {
    fn color(&self, stream: &impl io::IsTerminal) -> bool {
        let asked_not = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        !self.no_color && !asked_not && stream.is_terminal()
    }

    /// Whether a full screen that was asked for can be had; lines take its place else.
    fn screen(&self, asked: bool) -> bool {
        if !asked || self.quiet || self.no_tui {
            return false;
        }
        let dumb = std::env::var_os("TERM").is_none_or(|kind| kind == "dumb");
        let there = io::stdout().is_terminal() && io::stderr().is_terminal() && !dumb;
        if !there {
            tell(&"--screen needs a terminal, and this is none; progress is shown in lines");
        }
        there
    }

    fn options(&self, out: Option<PathBuf>) -> crate::run::Options {
        crate::run::Options {
            out,
            quiet: self.quiet,
            silent: false,
            color: self.color(&io::stdout()),
            screen: false,
            live_width: (!self.no_tui && io::stderr().is_terminal()).then(terminal_width),
            allowed: Vec::new(),
            command: command_words(),
            histograms: None,
            agents: None,
        }
    }
}

/// The words of the command line, the program by its name.
fn command_words() -> Vec<String> {
    let words = std::env::args_os().skip(1);
    let words = words.map(|word| by_agents::without_token(word.to_string_lossy().into_owned()));
    iter::once("threadbare".to_owned()).chain(words).collect()
}

/// Columns of the terminal that progress is shown on; 80 where it does not tell.
fn terminal_width() -> usize {
    rustix::termios::tcgetwinsize(io::stderr())
        .ok()
        .map(|size| usize::from(size.ws_col))
        .filter(|columns| *columns > 0)
        .unwrap_or(80)
}

/// What every subcommand returns: the exit code.
type Code = Result<i32>;

/// The words of a command, split as a shell would; nothing is expanded.
fn words_of(command: &str) -> Result<Vec<String>> {
    let words = shlex::split(command).filter(|words| !words.is_empty());
    words.ok_or_else(|| {
        Error::usage(format!(
            "failed to split `{command}` into words: it is empty, or a quote or a backslash is \
             left open; write it as in a shell"
        ))
    })
}

#[cfg(test)]
mod tests;
