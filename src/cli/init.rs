//! `threadbare init`: a scenario to start from, for a kind of server.

use clap::Args;

use super::Code;
use crate::error::{EXIT_PASSED, Error};

/// Every preset: its name, what it is for, and its text.
pub(super) const PRESETS: [(&str, &str, &str); 9] = [
    (
        "url",
        "any server that is already running, by its URL",
        include_str!("presets/url.toml"),
    ),
    (
        "gunicorn",
        "a Python application under gunicorn",
        include_str!("presets/gunicorn.toml"),
    ),
    (
        "uvicorn",
        "a FastAPI application under uvicorn, whose handlers run on a pool of threads",
        include_str!("presets/uvicorn.toml"),
    ),
    (
        "puma",
        "a Ruby application under Puma",
        include_str!("presets/puma.toml"),
    ),
    (
        "node",
        "a Node.js application",
        include_str!("presets/node.toml"),
    ),
    (
        "tomcat",
        "a Java application under Tomcat, by its port",
        include_str!("presets/tomcat.toml"),
    ),
    (
        "haproxy",
        "a service behind HAProxy, controlled through its admin socket",
        include_str!("presets/haproxy.toml"),
    ),
    (
        "slow-dependency",
        "a service whose dependency becomes slow or silent, behind a fault proxy",
        include_str!("presets/slow-dependency.toml"),
    ),
    (
        "capacity",
        "steps of load on a server by its URL, which show how much it can do",
        include_str!("presets/capacity.toml"),
    ),
];

#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    threadbare init\n  \
    threadbare init --preset gunicorn > mine.toml")]
pub(super) struct Arguments {
    /// The kind of server; without it, list the presets
    #[arg(long, value_name = "NAME")]
    preset: Option<String>,
}

impl Arguments {
    pub(super) fn run(self) -> Code {
        let Some(wanted) = self.preset else {
            let lines = PRESETS
                .iter()
                .map(|(name, what, _)| format!("{name:<16} {what}\n"));
            super::answer(lines.collect::<String>().as_bytes())?;
            return Ok(EXIT_PASSED);
        };
        let found = PRESETS.iter().find(|(name, ..)| *name == wanted);
        let (_, _, text) = found.ok_or_else(|| {
            let names: Vec<&str> = PRESETS.iter().map(|(name, ..)| *name).collect();
            Error::usage(format!(
                "there is no preset {wanted:?}; there are {}",
                names.join(", ")
            ))
        })?;
        super::answer(text.as_bytes())?;
        Ok(EXIT_PASSED)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario;

    #[test]
    fn every_preset_is_a_scenario_without_a_mistake() {
        for (name, _, text) in PRESETS {
            let read = scenario::parse(name, &format!("{name}.toml"), text);
            let read = read.unwrap_or_else(|mistakes| panic!("{}", mistakes.render(false)));
            assert!(read.target.is_some(), "{name}");
            // What is done to it is in its timeline, or it is the load itself.
            assert!(
                !read.timeline.is_empty() || read.load.rate.len() > 1,
                "{name}"
            );
            assert!(!read.safety.abort_if.is_empty(), "{name}");
        }
    }

    #[test]
    fn every_preset_of_a_server_reads_its_gauges() {
        for (name, _, text) in PRESETS {
            let read = scenario::parse(name, &format!("{name}.toml"), text).unwrap();
            // Of any server nobody knows what it publishes: the text says how to find out.
            if ["url", "capacity"].contains(&name) {
                assert!(text.contains("auges"), "{name}");
                continue;
            }
            let [source] = read.gauges.as_slice() else {
                panic!("{name} has {} sources of gauges", read.gauges.len());
            };
            assert!(source.roles.busy.is_some(), "{name}");
            assert!(source.roles.workers.is_some(), "{name}");
        }
    }
}
