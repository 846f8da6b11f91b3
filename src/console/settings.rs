//! Where a console listens, and why it would not.
//!
//! Loopback unless told otherwise. Elsewhere a key would cross a network in the clear, so
//! there it needs encryption, or somebody who says that it does not.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;

use rustls::ServerConfig;

use crate::error::{Error, Result};
use crate::model::is_loopback;
use crate::net::tls;

/// Where a console listens.
#[derive(Debug, Clone)]
pub struct ConsoleSettings {
    /// The address.
    pub host: IpAddr,
    /// The port; 0: a free one.
    pub port: u16,
    /// The name by which browsers ask for it, besides its address.
    pub name: Option<String>,
    /// Files with its certificate chain and its private key (PEM).
    pub tls: Option<(PathBuf, PathBuf)>,
    /// Whether it may be elsewhere than on loopback without encryption.
    pub insecure: bool,
}

/// On loopback, at a free port.
impl Default for ConsoleSettings {
    fn default() -> Self {
        Self {
            host: IpAddr::V4(Ipv4Addr::LOCALHOST),
            port: 0,
            name: None,
            tls: None,
            insecure: false,
        }
    }
}

impl ConsoleSettings {
    /// Where it listens.
    pub const fn address(&self) -> SocketAddr {
        SocketAddr::new(self.host, self.port)
    }

    /// Whether it may listen there, and how it is encrypted.
    ///
    /// # Errors
    ///
    /// Where it may not, or a file of it cannot be used.
    pub(super) fn encryption(&self) -> Result<Option<Arc<ServerConfig>>> {
        let host = self.host;
        let loopback = is_loopback(host);
        if !loopback && self.tls.is_none() && !self.insecure {
            return Err(Error::usage(format!(
                "{host} is not loopback, and without TLS everybody on the way could read the keys \
                 of the console; add --console-cert and --console-key, or --insecure-console if \
                 the network is your own"
            )));
        }
        if host.is_unspecified() && self.name.is_none() {
            return Err(Error::usage(format!(
                "{host} is every address of this machine, so nobody knows which one browsers will \
                 ask for; add --console-name with the name or address that they use"
            )));
        }
        if let Some(name) = &self.name
            && !is_a_host(name)
        {
            return Err(Error::usage(format!(
                "`{}` cannot be a host; --console-name takes a name or an address without a port",
                name.escape_debug()
            )));
        }
        let files = self.tls.as_ref();
        files
            .map(|(chain, key)| tls::server(chain, key))
            .transpose()
    }
}

/// Whether a text can be a host in a link: a name, an address, or one in brackets.
fn is_a_host(name: &str) -> bool {
    let bare = name
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'));
    if let Some(address) = bare {
        return address.parse::<std::net::Ipv6Addr>().is_ok();
    }
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.');
    !name.is_empty() && name.len() <= 253 && name.chars().all(fits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elsewhere_only_with_encryption_or_a_word_and_everywhere_only_with_a_name() {
        let there = |host: &str, name: Option<&str>, insecure| {
            let settings = ConsoleSettings {
                host: host.parse().unwrap(),
                name: name.map(str::to_owned),
                insecure,
                ..ConsoleSettings::default()
            };
            let refused = settings
                .encryption()
                .map(|_| ())
                .map_err(|it| it.to_string());
            refused.err().unwrap_or_default()
        };
        for (host, name, insecure, refused) in [
            ("127.0.0.1", None, false, ""),
            ("::1", None, false, ""),
            ("127.9.9.9", Some("room.example"), false, ""),
            ("192.0.2.7", None, false, "--insecure-console"),
            ("192.0.2.7", None, true, ""),
            ("0.0.0.0", None, true, "--console-name"),
            ("::", None, true, "--console-name"),
            ("0.0.0.0", Some("room.example"), false, "--console-cert"),
            ("0.0.0.0", Some("room.example"), true, ""),
            ("0.0.0.0", Some("[2001:db8::1]"), true, ""),
            ("127.0.0.1", Some("room:80"), false, "cannot be a host"),
            ("127.0.0.1", Some("a/b"), false, "cannot be a host"),
            ("127.0.0.1", Some(""), false, "cannot be a host"),
        ] {
            let said = there(host, name, insecure);
            assert_eq!(
                said.is_empty(),
                refused.is_empty(),
                "{host} {name:?}: {said}"
            );
            assert!(said.contains(refused), "{host} {name:?}: {said}");
        }
        let settings = ConsoleSettings {
            tls: Some(("/nowhere/cert.pem".into(), "/nowhere/key.pem".into())),
            ..ConsoleSettings::default()
        };
        assert!(
            settings
                .encryption()
                .unwrap_err()
                .to_string()
                .contains("/nowhere/cert.pem")
        );
    }
}
