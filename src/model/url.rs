//! Where a server is: the URL that a user wrote, in its parts.
//!
//! Nothing is resolved here. A name can lead anywhere, so whoever connects
//! resolves it once and checks the address.

use std::fmt;
use std::str::FromStr;

use hyper::Uri;
use serde::{Serialize, Serializer};

use super::loopback::names_loopback;
use crate::named::as_text;
use crate::units::UnitError;

/// A URL of a server: `http://127.0.0.1:8000`, or with a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Url {
    /// Whether it is https.
    pub encrypted: bool,
    /// The host as it was written, without brackets.
    pub host: String,
    /// The port, the scheme's own where none was written.
    pub port: u16,
    /// Host and port as requests name them.
    pub authority: String,
    /// Path and query, from the `/` on.
    pub target: String,
}

impl Url {
    /// The same server with another path and query.
    pub(crate) fn with_target(&self, target: &str) -> Self {
        Self {
            target: target.to_owned(),
            ..self.clone()
        }
    }

    /// The same without its query: what stands there may be secret.
    pub fn without_query(&self) -> Self {
        self.with_target(self.target.split('?').next().unwrap_or_default())
    }

    /// Whether the host is an address or name that is always this machine's.
    pub(crate) fn names_loopback(&self) -> bool {
        names_loopback(&self.host)
    }
}

impl FromStr for Url {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        let wrong = || {
            UnitError::new(
                text,
                "a URL of http or https without a user's name, for example \
                 \"http://127.0.0.1:8000\"",
            )
        };
        let uri: Uri = text.parse().map_err(|_| wrong())?;
        let encrypted = match uri.scheme_str() {
            Some("http") => false,
            Some("https") => true,
            _ => return Err(wrong()),
        };
        let authority = uri.authority().ok_or_else(wrong)?;
        let port = match authority.port_u16() {
            Some(0) => return Err(wrong()),
            Some(port) => port,
            // What stands there is no number up to 65,535.
            None if authority.as_str() != authority.host() => return Err(wrong()),
            None if encrypted => 443,
            None => 80,
        };
        let host = authority.host().trim_matches(['[', ']']);
        if host.is_empty() || authority.as_str().contains('@') {
            return Err(wrong());
        }
        Ok(Self {
            encrypted,
            host: host.to_owned(),
            port,
            authority: authority.as_str().to_owned(),
            target: uri
                .path_and_query()
                .map_or("/", |target| target.as_str())
                .to_owned(),
        })
    }
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.encrypted { "https" } else { "http" };
        let target = if self.target == "/" { "" } else { &self.target };
        write!(f, "{scheme}://{}{target}", self.authority)
    }
}

as_text!(Url);

/// Serializes a URL without its query.
pub(super) fn without_query<S: Serializer>(url: &Url, serializer: S) -> Result<S::Ok, S::Error> {
    url.without_query().serialize(serializer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_read_in_their_parts_and_printed_again() {
        for (text, encrypted, host, port, target) in [
            ("http://127.0.0.1:8000", false, "127.0.0.1", 8000, "/"),
            ("https://shop.test", true, "shop.test", 443, "/"),
            ("http://[::1]:80/a?b=c", false, "::1", 80, "/a?b=c"),
        ] {
            let url: Url = text.parse().unwrap();
            let parts = (url.encrypted, url.host.as_str(), url.port);
            assert_eq!(parts, (encrypted, host, port));
            assert_eq!(url.target, target);
            assert_eq!(url.to_string(), text);
        }
    }

    #[test]
    fn what_is_no_url_of_a_server_is_refused() {
        for text in [
            "",
            "127.0.0.1:8000",
            "ftp://host",
            "http://user@host/",
            "http://host:0/",
            "http://host:99999/",
            "http://",
        ] {
            assert!(text.parse::<Url>().is_err(), "{text}");
        }
    }

    #[test]
    fn only_literal_loopback_is_taken_for_this_machine() {
        for (text, local) in [
            ("http://127.8.0.1", true),
            ("http://localhost:1", true),
            ("http://[::ffff:127.0.0.1]", true),
            ("http://127.0.0.1.test", false),
            ("http://10.0.0.1", false),
        ] {
            assert_eq!(
                text.parse::<Url>().unwrap().names_loopback(),
                local,
                "{text}"
            );
        }
    }
}
