//! `threadbare target`: the fleet alone, for curl or any other load generator.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use clap::Args;

use super::Code;
use crate::error::Error;
use crate::fleet::StandaloneFleet;
use crate::model::{Role, is_loopback};
use crate::process::own_program;
use crate::record::Event;
use crate::{clock, live, scenario};

#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    threadbare target\n  \
    threadbare target slow-database --listen 127.0.0.1:8080")]
pub(super) struct Arguments {
    /// The scenario whose fleet is served: a file, or a name that `threadbare list` shows
    #[arg(default_value = "missing-await")]
    scenario: String,
    /// The balancer's address [default: a free port of 127.0.0.1]
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<SocketAddr>,
    /// Directory of the database and the fleet's log [default: reports/target-DATE]
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
}

impl Arguments {
    pub(super) fn run(self) -> Code {
        if let Some(address) = self.listen.filter(|address| !is_loopback(address.ip())) {
            return Err(Error::usage(format!(
                "the fleet listens on loopback only, and {address} is not; use 127.0.0.1 or [::1]"
            )));
        }
        let plan = scenario::load(&self.scenario, false)?;
        let fleet = plan.fleet.ok_or_else(|| {
            Error::usage("the scenario's target is your own service, so there is no fleet to serve")
        })?;
        let data = self.data.unwrap_or_else(|| {
            Path::new("reports").join(format!("target-{}", clock::stamp(clock::wall_millis())))
        });
        let binary = own_program();
        let signal = live::serve(
            (&fleet, plan.release),
            plan.seed,
            self.listen,
            (&data, &binary),
            &mut announce,
            |event| {
                if let Some(sentence) = in_words(&event) {
                    super::tell(&sentence);
                }
            },
        )?;
        Ok(128 + signal)
    }
}

/// Prints where everything is, and commands to try.
fn announce(alone: &StandaloneFleet) {
    let StandaloneFleet {
        address,
        control,
        token_file,
        tokens,
    } = alone;
    let mut text =
        format!("The fleet serves at http://{address}, until Ctrl-C. A token of each role:\n");
    for (role, _) in Role::ALL {
        if let Some(token) = tokens.of(role).first() {
            // Writing to a string cannot fail.
            let _ = writeln!(text, "  {role:<12} {token}");
        }
    }
    let first = |role| tokens.of(role).first().map_or("TOKEN", String::as_str);
    let (viewer, contributor) = (first(Role::Viewer), first(Role::Contributor));
    let _ = writeln!(
        text,
        "\nTry:\n  curl -H 'Authorization: Bearer {contributor}' http://{address}/projects/1/tasks\n  \
         curl -H 'Authorization: Bearer {contributor}' -d '{{\"title\":\"write a test\"}}' http://{address}/projects/1/tasks\n  \
         curl -X PATCH -H 'Authorization: Bearer {viewer}' -d '{{\"done\":true}}' http://{address}/tasks/1"
    );
    let _ = writeln!(
        text,
        "\nBreak it (the control listener demands the token in {}):\n  \
         curl -H \"Authorization: Bearer $(cat '{}')\" -d '{{\"set\":{{\"authorization.verification\":\"detached\"}}}}' http://{control}/push",
        token_file.display(),
        token_file.display()
    );
    // It serves whether or not anybody can read this.
    let _ = super::answer(text.as_bytes());
}

/// What a watcher of the fleet wants to know; none for what is only counted.
fn in_words(event: &Event) -> Option<String> {
    match event {
        Event::Died { source, status } => Some(format!("{source} ended on its own ({status})")),
        Event::Serving { source, pid } => Some(format!("{source} serves as process {pid}")),
        Event::Stopped { source, .. } => Some(format!("{source} was stopped")),
        Event::Warning { text } => Some(text.clone()),
        Event::Scaled { from, to, reason } => Some(format!(
            "the autoscaler goes from {from} instances to {to}: {reason}"
        )),
        _ => None,
    }
}
