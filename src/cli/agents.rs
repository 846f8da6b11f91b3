//! `threadbare agents`: which agents wait at a NATS server.

use std::path::PathBuf;

use clap::Args;

use super::{Code, View, by_agents};
use crate::error::EXIT_PASSED;
use crate::{report, run};

#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    threadbare agents nats://127.0.0.1:4222\n  \
    threadbare agents tls://nats.test --json\n\n\
THREADBARE_NATS_TOKEN holds the server's token.\n\n\
Exit codes: 0 whoever is there was listed, 3 the server is not there or refuses the login.")]
pub(super) struct Arguments {
    /// The NATS server, nats://HOST:PORT or tls://HOST:PORT
    #[arg(value_name = "URL")]
    nats: String,
    /// A file of certificates (PEM) to trust for it in place of the system's
    #[arg(long, value_name = "FILE")]
    nats_ca: Option<PathBuf>,
    /// Print the list as JSON
    #[arg(long)]
    json: bool,
}

impl Arguments {
    pub(super) fn run(&self, view: &View) -> Code {
        let server = by_agents::server(&self.nats, self.nats_ca.clone())?;
        let found = run::find_agents(&server)?;
        let lines: Vec<report::agents::Line> = found
            .iter()
            .map(|found| report::agents::Line {
                name: found.presence.name.clone(),
                version: found.presence.version.clone(),
                cores: found.presence.machine.cores,
                processor: found.presence.machine.processor.clone(),
                kernel: found.presence.machine.kernel.clone(),
                offset_us: found.offset.map(|it| it.offset_ns as f64 / 1e3),
                offset_bound_us: found.offset.map(|it| it.bound_ns as f64 / 1e3),
                busy: found.presence.busy.clone(),
                secure: found.presence.secure,
            })
            .collect();
        let text = if self.json {
            report::agents::json(&lines)?
        } else {
            report::agents::text(&lines, &server.address(), view.quiet)
        };
        super::answer(text.as_bytes())?;
        Ok(EXIT_PASSED)
    }
}
