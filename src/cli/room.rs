//! Who is in the room of a run: `--console` and `--manual`.

use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::mpsc;

use clap::Args;

use crate::console::{Console, ConsoleSettings, Links};
use crate::error::{Error, Result};
use crate::plan::Plan;
use crate::run::Room;

#[derive(Debug, Clone, Args)]
pub(super) struct InRoom {
    /// Serve a page on which a room follows the run and acts in it; its links are printed, one
    /// for each role
    #[arg(long)]
    console: bool,
    /// Let people decide when each entry of the timeline is carried out: it offers, and does
    /// nothing by itself
    #[arg(long)]
    manual: bool,
    #[command(flatten)]
    place: ConsolePlace,
}

/// Where a console listens.
#[derive(Debug, Clone, Args)]
struct ConsolePlace {
    /// Port of the console [default: a free one]
    #[arg(long, value_name = "PORT", requires = "console")]
    console_port: Option<u16>,
    /// Address that the console listens on [default: 127.0.0.1]; elsewhere than on loopback
    /// only with TLS or --insecure-console
    #[arg(long, value_name = "ADDRESS", requires = "console")]
    console_host: Option<IpAddr>,
    /// Name or address by which browsers ask for the console; needed with 0.0.0.0
    #[arg(long, value_name = "NAME", requires = "console")]
    console_name: Option<String>,
    /// File with the console's certificate chain (PEM)
    #[arg(long, value_name = "FILE", requires_all = ["console", "console_key"])]
    console_cert: Option<PathBuf>,
    /// File with the private key of that certificate (PEM)
    #[arg(long, value_name = "FILE", requires = "console_cert")]
    console_key: Option<PathBuf>,
    /// Serve the console without TLS elsewhere than on loopback: whoever is on the way can
    /// read its keys
    #[arg(long, requires = "console")]
    insecure_console: bool,
}

impl InRoom {
    /// Whether anybody is in the room.
    pub(super) const fn is_wanted(&self) -> bool {
        self.console
    }

    /// The plan as people carry it out, where they are to; `screen`: whether somebody sits at
    /// the terminal.
    ///
    /// # Errors
    ///
    /// Where nobody could.
    pub(super) fn plan(&self, plan: Plan, screen: bool) -> Result<Plan> {
        if !self.manual {
            return Ok(plan);
        }
        if !self.is_wanted() && !screen {
            return Err(Error::usage(
                "with --manual nothing is done unless somebody decides it, and nobody could; add \
                 --console or --screen",
            ));
        }
        Ok(plan.by_hand())
    }

    /// Opens the console, where one is wanted, and says where it is.
    ///
    /// # Errors
    ///
    /// As [`Console::start`].
    pub(super) fn open(&self, plan: &Plan) -> Result<Room> {
        if !self.console {
            return Ok(Room::default());
        }
        let (orders, inbox) = mpsc::channel();
        let console = Console::start(&self.place.settings(), plan, orders)?;
        say(&console.links());
        Ok(Room {
            views: vec![Box::new(console.view())],
            orders: Some(inbox),
            ended: Some(Box::new(move |findings, directory| {
                console.end(findings, directory);
            })),
            ..Room::default()
        })
    }
}

impl ConsolePlace {
    fn settings(&self) -> ConsoleSettings {
        let default = ConsoleSettings::default();
        let files = self.console_cert.clone().zip(self.console_key.clone());
        ConsoleSettings {
            host: self.console_host.unwrap_or(default.host),
            port: self.console_port.unwrap_or(default.port),
            name: self.console_name.clone(),
            tls: files,
            insecure: self.insecure_console,
        }
    }
}

/// Prints the links beside the answer. Nobody may be able to read them: then they are not.
fn say(links: &Links) {
    let mut text = String::from("The console is open. A link lets in whoever has it:\n");
    for (who, link) in [
        ("facilitator", &links.facilitator),
        ("responder", &links.responder),
        ("observer", &links.observer),
        ("tools (--tell)", &links.tool),
    ] {
        let _ = writeln!(text, "  {who:<15} {link}");
    }
    let _ = writeln!(io::stderr(), "{text}");
}
