//! Agents that send a load or do work: the arguments that name them.

use std::env;
use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::agents::{Engagement, LEASE, LEASES, NatsServer, OnAgentLost};
use crate::error::{Error, Result};
use crate::units::Nanos;

/// Where the token of a NATS server is taken from: arguments can be seen by others.
const TOKEN: &str = "THREADBARE_NATS_TOKEN";

/// Agents that do work.
#[derive(Debug, Clone, Args)]
pub(super) struct WorkByAgents {
    /// Have the work done by the agents that wait at this NATS server, nats://HOST:PORT or
    /// tls://HOST:PORT (docs/DISTRIBUTED.md); the result is the same
    #[arg(long, value_name = "NATS-URL")]
    agents: Option<String>,
    /// A file of certificates (PEM) to trust for that server in place of the system's
    #[arg(long, value_name = "FILE", requires = "agents")]
    agents_ca: Option<PathBuf>,
}

/// Agents that send a load.
#[derive(Debug, Clone, Args)]
pub(super) struct LoadByAgents {
    /// Have the load sent by agents that wait at this NATS server, nats://HOST:PORT or
    /// tls://HOST:PORT (docs/DISTRIBUTED.md); what they count is added up exactly
    #[arg(long, value_name = "NATS-URL")]
    agents: Option<String>,
    /// A file of certificates (PEM) to trust for that server in place of the system's
    #[arg(long, value_name = "FILE", requires = "agents")]
    agents_ca: Option<PathBuf>,
    /// Agents that share the load, each with the threads of the plan [default: all that are
    /// free]
    #[arg(long, value_name = "N", requires = "agents", value_parser = clap::value_parser!(u32).range(1..=256))]
    generators: Option<u32>,
    /// What becomes of the run when an agent is lost; its share counts as not offered, and
    /// the measurement is invalid
    #[arg(long, value_enum, value_name = "WHAT", default_value_t = Lost::GoOn, requires = "agents")]
    on_agent_lost: Lost,
    /// After so long without a word an agent stops by itself, and counts as lost (2s to 5min)
    #[arg(long, value_name = "TIME", default_value_t = LEASE, value_parser = lease, requires = "agents")]
    lease: Nanos,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Lost {
    /// The others go on with their shares
    GoOn,
    /// The run ends
    Stop,
}

fn lease(text: &str) -> std::result::Result<Nanos, String> {
    let lease: Nanos = text.parse().map_err(|error| format!("{error}"))?;
    if (LEASES.0..=LEASES.1).contains(&lease) {
        Ok(lease)
    } else {
        Err(format!("it must be between {} and {}", LEASES.0, LEASES.1))
    }
}

/// The server of a URL, with the token of the environment.
pub(super) fn server(url: &str, ca: Option<PathBuf>) -> Result<NatsServer> {
    let token = env::var(TOKEN).ok().filter(|token| !token.is_empty());
    NatsServer::new(url, token, ca)
}

impl WorkByAgents {
    /// Whom they are, where any are wanted.
    pub(super) fn engagement(&self) -> Result<Option<Engagement>> {
        let Some(url) = &self.agents else {
            return Ok(None);
        };
        Ok(Some(Engagement {
            server: server(url, self.agents_ca.clone())?,
            agents: None,
            lease: LEASE,
            on_lost: OnAgentLost::GoOn,
            allowed: Vec::new(),
        }))
    }

    /// Refuses them for runs that are live, which this machine carries out itself.
    pub(super) fn refuse_live(&self) -> Result<()> {
        if self.agents.is_none() {
            return Ok(());
        }
        Err(Error::usage(
            "--agents shares what is simulated; live variants run one after the other on this \
             machine, so leave it out, or use `threadbare run --agents` for each",
        ))
    }
}

impl LoadByAgents {
    /// Whom they are, where any are wanted; `allowed`: hosts that the user allows.
    pub(super) fn engagement(&self, allowed: &[String]) -> Result<Option<Engagement>> {
        let Some(url) = &self.agents else {
            return Ok(None);
        };
        Ok(Some(Engagement {
            server: server(url, self.agents_ca.clone())?,
            agents: self.generators,
            lease: self.lease,
            on_lost: match self.on_agent_lost {
                Lost::GoOn => OnAgentLost::GoOn,
                Lost::Stop => OnAgentLost::Stop,
            },
            allowed: allowed.to_vec(),
        }))
    }

    /// Refuses several runs of which each could have other agents: what differs between them
    /// would be the agents.
    pub(super) fn refuse_changing(&self, repeats: bool) -> Result<()> {
        if self.agents.is_none() || self.generators.is_some() || !repeats {
            return Ok(());
        }
        Err(Error::usage(
            "runs that are repeated need the same number of agents each; say how many with \
             --generators",
        ))
    }

    /// Refuses what agents cannot do; `what` is given, and each of it names what it is.
    pub(super) fn refuse(&self, what: &[(bool, &str)]) -> Result<()> {
        let mut given = what.iter().filter(|(given, _)| *given);
        match given.next().filter(|_| self.agents.is_some()) {
            None => Ok(()),
            Some((_, name)) => Err(Error::usage(format!(
                "{name} is of this machine alone, and agents cannot use it; leave it out"
            ))),
        }
    }
}

/// A word of the command line as it may be written down: the URL of a NATS server without its
/// token.
pub(super) fn without_token(word: String) -> String {
    let url = word.strip_prefix("--agents=").unwrap_or(&word);
    if !(url.starts_with("nats://") || url.starts_with("tls://")) || !url.contains('@') {
        return word;
    }
    let shown = NatsServer::new(url, None, None).map(|server| server.address());
    let shown = shown.unwrap_or_else(|_| "nats://(not shown)".to_owned());
    word.replace(url, &shown)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_down_has_no_token() {
        for (word, shown) in [
            ("nats://s3cret@127.0.0.1:4222", "nats://127.0.0.1:4222"),
            (
                "--agents=tls://me:s3cret@a.test",
                "--agents=tls://a.test:4222",
            ),
            ("nats://s3cret@a/b", "nats://(not shown)"),
            ("nats://127.0.0.1:4222", "nats://127.0.0.1:4222"),
            ("http://a@b", "http://a@b"),
        ] {
            assert_eq!(without_token(word.into()), shown);
        }
    }
}
