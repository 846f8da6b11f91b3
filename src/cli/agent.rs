//! `threadbare agent`: waits at a NATS server for a share of a load, or for work.

use std::path::PathBuf;

use clap::Args;
use rustix::system::uname;

use super::telemetry::TelemetryOutputs;
use super::{Code, by_agents};
use crate::agents::AgentSettings;
use crate::plan::Plan;
use crate::run;
use crate::units::Nanos;

#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    threadbare agent --nats nats://127.0.0.1:4222 --name east-1\n  \
    threadbare agent --nats tls://nats.test --allow-host shop.test\n  \
    threadbare agent --nats tls://nats.test --metrics :9464    what it sends, for Prometheus\n\n\
It waits for whoever conducts a run with --agents, and stops by itself what it does when\n\
nothing is heard of them within their lease. THREADBARE_NATS_TOKEN holds the server's token.\n\n\
Exit codes: 2 wrong usage, 3 the server does not let it in, 130/143 ended by a signal.")]
pub(super) struct Arguments {
    /// The NATS server, nats://HOST:PORT or tls://HOST:PORT
    #[arg(long, value_name = "URL")]
    nats: String,
    /// A file of certificates (PEM) to trust for it in place of the system's
    #[arg(long, value_name = "FILE")]
    nats_ca: Option<PathBuf>,
    /// What it is called in reports [default: the machine's name]
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// Allow a host other than this machine to be loaded, exactly as it is named there; may be
    /// repeated. Whoever conducts must allow it too
    #[arg(long, value_name = "HOST")]
    allow_host: Vec<String>,
    #[command(flatten)]
    telemetry: TelemetryOutputs,
}

impl Arguments {
    pub(super) fn run(self) -> Code {
        let server = by_agents::server(&self.nats, self.nats_ca)?;
        let name = self.name.unwrap_or_else(|| {
            let host = uname().nodename().to_string_lossy().into_owned();
            host.split('.').next().unwrap_or_default().to_owned()
        });
        let settings = AgentSettings::new(server, name, self.allow_host)?;
        // What it is until it has a share of a load.
        let idle = Plan {
            scenario: format!("agent {}", settings.name),
            ..Plan::default()
        };
        // It goes on until it is stopped, so there is no last page to wait with.
        let telemetry = self
            .telemetry
            .start(&idle, &settings.allowed, Nanos::ZERO)?;
        let mut say = |text: &str| super::tell(&text);
        let ended = run::serve_agent(&settings, telemetry.as_ref(), &mut say);
        if let Some(telemetry) = telemetry {
            telemetry.stop(&|sentence| super::tell(&sentence));
        }
        ended
    }
}
