//! Proxies that a run puts in front of the user's target, or in front of
//! what the target depends on; and how what passes one is broken.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize, Serializer};

use super::fault::{Mode, ProxyFault};
use crate::named::as_text;
use crate::units::UnitError;

/// A proxy of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proxied {
    /// What the timeline calls it; shares are drawn by it.
    pub name: String,
    /// What it stands in front of.
    pub front: Front,
    /// What it reads in what passes.
    pub mode: Mode,
}

/// What a proxy stands in front of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Front {
    /// The target: what users and monitors send goes through it. None: a free port.
    Target(Option<HostPort>),
    /// What the target depends on, and reaches here.
    Dependency {
        /// Where the target connects to.
        listen: HostPort,
        /// Where that leads.
        to: HostPort,
    },
}

/// A host and a port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostPort {
    /// The host as it was written, without brackets.
    pub host: String,
    /// The port.
    pub port: u16,
}

impl FromStr for HostPort {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        let wrong = || {
            UnitError::new(
                text,
                "a host and a port from 1 to 65535, for example \"127.0.0.1:5432\"",
            )
        };
        let (host, port) = text.rsplit_once(':').ok_or_else(wrong)?;
        let bare = host.strip_prefix('[').and_then(|it| it.strip_suffix(']'));
        let host = bare.unwrap_or(host);
        let plain = |it: char| it.is_ascii_graphic() && !"/@[]?#".contains(it);
        // Colons belong to addresses, which stand in brackets.
        let fits =
            !host.is_empty() && host.chars().all(plain) && host.contains(':') == bare.is_some();
        let port = port.parse().ok().filter(|port| fits && *port > 0);
        Ok(Self {
            host: host.to_owned(),
            port: port.ok_or_else(wrong)?,
        })
    }
}

impl fmt::Display for HostPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, port } = self;
        if host.contains(':') {
            return write!(f, "[{host}]:{port}");
        }
        write!(f, "{host}:{port}")
    }
}

as_text!(HostPort);

/// How what passes a proxy is broken.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Breakage {
    /// Nothing listens, and what is open is closed.
    Down,
    /// A fault of the catalogue; secrets in it are not written.
    Fault(#[serde(serialize_with = "without_secrets")] ProxyFault),
}

fn without_secrets<S: Serializer>(fault: &ProxyFault, serializer: S) -> Result<S::Ok, S::Error> {
    fault.without_secrets().serialize(serializer)
}

impl fmt::Display for Breakage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Down => f.write_str("down"),
            Self::Fault(fault) => fault.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::fault::{Effect, HttpHeader, HttpMatch};
    use super::*;

    #[test]
    fn hosts_and_ports_are_read_and_printed_again() {
        for text in ["127.0.0.1:5432", "db.test:1", "[::1]:65535"] {
            assert_eq!(text.parse::<HostPort>().unwrap().to_string(), text);
        }
        for text in [
            "",
            "5432",
            ":5432",
            "db:0",
            "db:65536",
            "::1:80",
            "http://db:80",
            "[db]:1",
        ] {
            assert!(text.parse::<HostPort>().is_err(), "{text}");
        }
    }

    #[test]
    fn no_secret_of_a_fault_is_written() {
        let fault = ProxyFault::new(Effect::HttpHeader(HttpHeader {
            matching: HttpMatch {
                header: Some("X-Api-Key: hunter2".into()),
                ..HttpMatch::default()
            },
            name: "Authorization".into(),
            value: Some("Bearer hunter2".into()),
        }));
        let breakage = Breakage::Fault(fault);
        let written = serde_json::to_string(&breakage).unwrap() + &breakage.to_string();
        assert!(!written.contains("hunter2"), "{written}");
        assert!(written.contains("X-Api-Key"), "{written}");
    }
}
