//! `threadbare run`: drive the fleet through a scenario, measure, report.

use std::io;
use std::path::PathBuf;

use clap::Args;

use super::by_agents::LoadByAgents;
use super::chosen::Chosen;
use super::ci::CiReport;
use super::gated::Gated;
use super::room::InRoom;
use super::telemetry::{self, TelemetryArguments};
use super::{Code, View};
use crate::error::{EXIT_PASSED, Error};
use crate::live;
use crate::model::{GameRole, NAME_MAX, Person};
use crate::plan::Plan;
use crate::report;
use crate::run;

#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    threadbare run missing-await\n  \
    threadbare run mine.toml --dry-run\n  \
    threadbare run missing-await --repeat 5 --baseline main\n  \
    threadbare run missing-await --console    a page for the room, at the links that are printed\n  \
    threadbare run mine.toml --agents tls://nats.test --generators 4\n  \
    threadbare run missing-await --console --manual    the timeline offers, people decide\n  \
    threadbare run missing-await --metrics 127.0.0.1:9464    for Prometheus, while it goes on")]
pub(super) struct Arguments {
    #[command(flatten)]
    chosen: Chosen,
    /// The run directory [default: reports/SCENARIO-DATE]; never overwritten
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Allow a host other than this machine to be loaded and broken, exactly as
    /// the scenario's [safety] names it; may be repeated
    #[arg(long, value_name = "HOST")]
    allow_host: Vec<String>,
    /// Print every rate, fault, hook and undo with its time, and do nothing; what a
    /// run would refuse is refused
    #[arg(long, conflicts_with = "out")]
    dry_run: bool,
    /// Show the run on a full screen of the terminal, with what the scenario allows on keys;
    /// lines where there is no terminal (docs/GAMEDAY.md)
    #[arg(long, conflicts_with_all = ["dry_run", "console"])]
    screen: bool,
    #[command(flatten)]
    gated: Gated,
    #[command(flatten)]
    by_agents: LoadByAgents,
    #[command(flatten)]
    room: InRoom,
    #[command(flatten)]
    telemetry: TelemetryArguments,
}

impl Arguments {
    pub(super) fn run(self, view: &View) -> Code {
        let plan = self
            .room
            .plan(self.chosen.plan(view, &[])?, view.screen(self.screen))?;
        let plan = self.gated.plan(plan);
        if self.dry_run {
            super::answer(report::dry_run::render(&plan).as_bytes())?;
            // The same rule as a run's: what it would refuse, a dry run refuses.
            live::refuse(&plan, &self.allow_host)?;
            return Ok(EXIT_PASSED);
        }
        self.by_agents.refuse_changing(self.gated.repeats())?;
        // Of hosts that both sides name, as in any run.
        let both = self.allow_host.iter();
        let both: Vec<String> = both
            .filter(|host| plan.safety.hosts.contains(host))
            .cloned()
            .collect();
        let options = run::Options {
            agents: self.by_agents.engagement(&both)?,
            allowed: self.allow_host,
            ..view.options(self.out)
        };
        if self.gated.is_wanted() && self.room.is_wanted() {
            return Err(Error::usage(
                "a console is of one run; leave it out, or leave out what repeats and compares",
            ));
        }
        let screen = view.screen(self.screen);
        self.telemetry.beside(screen)?;
        let colour = view.color(&io::stderr());
        let mut one = |plan: Plan, options: &run::Options| {
            let plan = self.telemetry.plan(plan);
            // What it says of itself comes before a screen that takes the terminal.
            let telemetry = self.telemetry.start(&plan, &options.allowed)?;
            let mut room = if screen {
                run::on_screen(&plan, at_the_terminal(), colour)?
            } else {
                self.room.open(&plan)?
            };
            if let Some(telemetry) = telemetry {
                telemetry::join(&mut room, telemetry);
            }
            run::live_with(plan, options, room)
        };
        if self.gated.is_wanted() {
            return self.gated.run(&plan, view, &options, &mut one);
        }
        let findings = one(plan, &options)?;
        CiReport::default().run(&findings).write()?;
        Ok(findings.exit_code())
    }
}

/// Who sits at the terminal: whoever started the run leads the game.
fn at_the_terminal() -> Person {
    let name = std::env::var("USER").unwrap_or_default();
    let name: String = name.chars().take(NAME_MAX).collect();
    Person {
        name: if name.trim().is_empty() {
            "terminal".to_owned()
        } else {
            name
        },
        role: GameRole::Facilitator,
    }
}
