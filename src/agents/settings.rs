//! Which NATS server, and who may read what is sent over it.
//!
//! A load's requests hold secrets. So it is sent over TLS, or to a server on this machine,
//! and nowhere else: an agent says which of the two its own connection is, and one that is
//! neither gets no load. What only simulates holds none, and may go over any.

use std::fmt;
use std::net::ToSocketAddrs as _;
use std::path::PathBuf;

use super::packet::is_name;
use crate::error::{Error, Result};
use crate::model::{Url, is_loopback};
use crate::units::Nanos;

/// The port of NATS.
const PORT: u16 = 4222;

/// A NATS server, and how it knows this program.
#[derive(Clone, PartialEq, Eq)]
pub struct NatsServer {
    pub(super) tls: bool,
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) auth: Auth,
    /// A file of certificates (PEM) to trust in place of the system's.
    pub(super) ca: Option<PathBuf>,
}

/// What this program shows to the server.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Auth {
    Nothing,
    Token(String),
    User(String, String),
}

/// What it shows is not printed.
impl fmt::Debug for NatsServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.address())
    }
}

impl NatsServer {
    /// The server of a URL: `nats://HOST:PORT` or `tls://HOST:PORT`, with a token or a user and
    /// password before an `@`. `token`: one that was given otherwise.
    ///
    /// # Errors
    ///
    /// Wrong usage, where it is no such URL.
    pub fn new(url: &str, token: Option<String>, ca: Option<PathBuf>) -> Result<Self> {
        // Neither the token nor the password is repeated.
        let wrong = || {
            Error::usage(
                "this is not the URL of a NATS server; write nats://HOST:PORT, or tls://HOST:PORT \
                 for an encrypted connection",
            )
        };
        let (scheme, rest) = url.split_once("://").ok_or_else(wrong)?;
        let tls = match scheme {
            "nats" => ca.is_some(),
            "tls" => true,
            _ => return Err(wrong()),
        };
        let rest = rest.trim_end_matches('/');
        let (user, place) = match rest.rsplit_once('@') {
            Some((user, place)) => (Some(user), place),
            None => (None, rest),
        };
        let auth = match (user.map(|user| user.split_once(':')), token) {
            (None, None) => Auth::Nothing,
            (None, Some(token)) => Auth::Token(token),
            (Some(_), Some(_)) => {
                return Err(Error::usage(
                    "the NATS server is given a user or token twice: in its URL and in \
                     THREADBARE_NATS_TOKEN; leave one of them out",
                ));
            }
            (Some(Some((user, password))), None) => Auth::User(user.into(), password.into()),
            (Some(None), None) => Auth::Token(user.unwrap_or_default().into()),
        };
        // The same places as in a URL of HTTP.
        let place: Url = format!("http://{place}").parse().map_err(|_| wrong())?;
        if place.target != "/" {
            return Err(wrong());
        }
        let stated = place.authority != place.host && !place.authority.ends_with(']');
        Ok(Self {
            tls,
            port: if stated { place.port } else { PORT },
            host: place.host,
            auth,
            ca,
        })
    }

    /// Its address without what is secret.
    pub fn address(&self) -> String {
        let scheme = if self.tls { "tls" } else { "nats" };
        let host = &self.host;
        if host.contains(':') {
            return format!("{scheme}://[{host}]:{}", self.port);
        }
        format!("{scheme}://{host}:{}", self.port)
    }

    /// Whether nobody else can read what is sent to it: it is encrypted, or every address of
    /// the server is this machine's loopback.
    pub fn is_secure(&self) -> bool {
        let mut addresses = (self.host.as_str(), self.port)
            .to_socket_addrs()
            .into_iter()
            .flatten()
            .peekable();
        self.tls || addresses.peek().is_some() && addresses.all(|address| is_loopback(address.ip()))
    }
}

/// What an agent is started with.
#[derive(Debug, Clone)]
pub struct AgentSettings {
    /// Where it waits for work.
    pub server: NatsServer,
    /// What it is called.
    pub name: String,
    /// Hosts other than its own machine that it may send to.
    pub allowed: Vec<String>,
}

impl AgentSettings {
    /// # Errors
    ///
    /// Wrong usage, where an agent cannot be called so.
    pub fn new(server: NatsServer, name: String, allowed: Vec<String>) -> Result<Self> {
        if !is_name(&name) {
            return Err(Error::usage(format!(
                "`{}` cannot be the name of an agent; give it one with --name, of up to 40 letters, \
                 digits and -_.:",
                name.escape_debug()
            )));
        }
        Ok(Self {
            server,
            name,
            allowed,
        })
    }
}

/// What becomes of a run that has lost an agent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnAgentLost {
    /// The others go on with their shares.
    #[default]
    GoOn,
    /// It ends.
    Stop,
}

/// Whom a conductor engages, and for how long without a word.
#[derive(Debug, Clone)]
pub struct Engagement {
    /// Where agents wait.
    pub server: NatsServer,
    /// How many are engaged; none: all that are free.
    pub agents: Option<u32>,
    /// After so long without a word an agent lets go, and counts as lost.
    pub lease: Nanos,
    /// What becomes of a run that has lost one.
    pub on_lost: OnAgentLost,
    /// Hosts that the user allows; an agent's own start must allow them too.
    pub allowed: Vec<String>,
}

/// Leases that can be kept: what a server needs to start again, and what may go on unseen.
pub const LEASES: (Nanos, Nanos) = (Nanos::from_secs(2), Nanos::from_secs(300));
/// The usual lease.
pub const LEASE: Nanos = Nanos::from_secs(10);

#[cfg(test)]
mod tests {
    use super::*;

    fn server(url: &str) -> Result<NatsServer> {
        NatsServer::new(url, None, None)
    }

    #[test]
    fn a_server_is_read_in_its_parts() {
        for (url, address, auth) in [
            (
                "nats://127.0.0.1:4222",
                "nats://127.0.0.1:4222",
                Auth::Nothing,
            ),
            // the usual port
            ("nats://localhost", "nats://localhost:4222", Auth::Nothing),
            ("tls://nats.test/", "tls://nats.test:4222", Auth::Nothing),
            // HTTP's own port, stated
            ("nats://a.test:80", "nats://a.test:80", Auth::Nothing),
            ("nats://[::1]:9", "nats://[::1]:9", Auth::Nothing),
            ("nats://[::1]", "nats://[::1]:4222", Auth::Nothing),
            (
                "tls://s3cret@a.test",
                "tls://a.test:4222",
                Auth::Token("s3cret".into()),
            ),
            (
                "nats://me:p@ss@a.test:1",
                "nats://a.test:1",
                Auth::User("me".into(), "p@ss".into()),
            ),
        ] {
            let server = server(url).unwrap();
            assert_eq!(server.address(), address);
            assert!(server.auth == auth, "{url}");
            // What is secret is nowhere.
            assert_eq!(format!("{server:?}"), address);
        }
    }

    #[test]
    fn what_is_no_server_is_refused_without_repeating_it() {
        for url in [
            "",
            "127.0.0.1:4222",
            "http://s3cret@a",
            "nats://",
            "nats://s3cret@a/b",
        ] {
            let refused = server(url).unwrap_err().to_string();
            assert!(!refused.contains("s3cret"), "{refused}");
        }
        let twice = NatsServer::new("nats://s3cret@a", Some("other".into()), None);
        let refused = twice.unwrap_err().to_string();
        assert!(
            refused.contains("twice") && !refused.contains("s3cret"),
            "{refused}"
        );
    }

    #[test]
    fn secrets_go_over_tls_or_stay_here() {
        assert!(server("nats://127.0.0.1").unwrap().is_secure());
        assert!(server("nats://[::1]").unwrap().is_secure());
        assert!(server("tls://192.0.2.1").unwrap().is_secure());
        assert!(!server("nats://192.0.2.1").unwrap().is_secure());
        assert!(!server("nats://0.0.0.0").unwrap().is_secure());
        // Nobody knows where it is.
        assert!(!server("nats://gone.invalid").unwrap().is_secure());
        // Certificates are named to be used.
        let named = NatsServer::new("nats://192.0.2.1", None, Some("ca.pem".into()));
        assert!(named.unwrap().is_secure());
    }

    #[test]
    fn an_agent_has_a_name_that_can_be_told() {
        let named = |name: &str| {
            AgentSettings::new(server("nats://localhost").unwrap(), name.into(), Vec::new())
        };
        assert!(named("east-1").is_ok());
        assert_eq!(named("two words").unwrap_err().exit_code(), 2);
    }
}
