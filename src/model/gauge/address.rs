//! The address of a page of gauges, whose secrets are written nowhere.

use std::fmt;
use std::str::FromStr;

use crate::named::as_text;
use crate::units::UnitError;

/// What stands in the place of a secret.
const HIDDEN: &str = "***";
/// Parts of names of query fields whose values are secret.
const SECRETS: [&str; 6] = ["token", "key", "secret", "pass", "auth", "sig"];

const EXPECTED: &str = "an address that begins with http:// or https://, with a host and a path, \
                        for example \"http://127.0.0.1:9100/metrics\"";

/// An address of http or https. It prints, and is recorded, without its secrets: the
/// user and password, and the values of query fields such as `token`.
#[derive(Clone, PartialEq, Eq)]
pub struct GaugeUrl {
    encrypted: bool,
    user: Option<String>,
    host: String,
    port: u16,
    target: String,
}

impl GaugeUrl {
    /// Whether it is https.
    pub const fn encrypted(&self) -> bool {
        self.encrypted
    }

    /// The host, to be resolved and checked by whoever is to connect to it.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port, the scheme's own where none is written.
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// Path and query, as a request line has them; secret.
    pub fn target(&self) -> &str {
        &self.target
    }

    /// `user:password`, where the address has them; secret.
    pub fn user(&self) -> Option<&str> {
        self.user.as_deref()
    }

    /// The host as a `Host` header has it.
    pub fn authority(&self) -> String {
        let host = if self.host.contains(':') {
            format!("[{}]", self.host)
        } else {
            self.host.clone()
        };
        if self.port == default_port(self.encrypted) {
            return host;
        }
        format!("{host}:{}", self.port)
    }
}

impl FromStr for GaugeUrl {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        // The text itself may hold a password: no error quotes it.
        read(text).ok_or_else(|| UnitError::unquoted(EXPECTED))
    }
}

const fn default_port(encrypted: bool) -> u16 {
    if encrypted { 443 } else { 80 }
}

fn read(text: &str) -> Option<GaugeUrl> {
    let (encrypted, rest) = match text.strip_prefix("https://") {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix("http://")?),
    };
    // What a request line can hold: no spaces, nothing that ends the line.
    if !rest.bytes().all(|byte| byte.is_ascii_graphic()) {
        return None;
    }
    let rest = rest.split('#').next().unwrap_or_default();
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    let (authority, target) = rest.split_at(end);
    let (user, place) = match authority.rsplit_once('@') {
        Some((user, place)) => (Some(user.to_owned()), place),
        None => (None, authority),
    };
    let (host, port) = match place.strip_prefix('[') {
        Some(rest) => {
            let (host, port) = rest.split_once(']')?;
            (
                host,
                if port.is_empty() {
                    None
                } else {
                    Some(port.strip_prefix(':')?)
                },
            )
        }
        None => match place.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (place, None),
        },
    };
    let port = match port {
        Some(port) => port.parse().ok().filter(|port| *port > 0)?,
        None => default_port(encrypted),
    };
    let named = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ':');
    if host.is_empty() || !host.chars().all(named) {
        return None;
    }
    let target = if target.starts_with('/') {
        target.to_owned()
    } else {
        format!("/{target}")
    };
    Some(GaugeUrl {
        encrypted,
        user,
        host: host.to_owned(),
        port,
        target,
    })
}

impl fmt::Display for GaugeUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.encrypted {
            "https://"
        } else {
            "http://"
        })?;
        if self.user.is_some() {
            write!(f, "{HIDDEN}@")?;
        }
        f.write_str(&self.authority())?;
        let Some((path, query)) = self.target.split_once('?') else {
            return f.write_str(&self.target);
        };
        write!(f, "{path}?")?;
        for (index, field) in query.split('&').enumerate() {
            let name = field.split('=').next().unwrap_or_default();
            let lower = name.to_ascii_lowercase();
            let secret = SECRETS.iter().any(|part| lower.contains(part));
            let before = if index == 0 { "" } else { "&" };
            if secret && field.len() > name.len() {
                write!(f, "{before}{name}={HIDDEN}")?;
            } else {
                write!(f, "{before}{field}")?;
            }
        }
        Ok(())
    }
}

impl fmt::Debug for GaugeUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "GaugeUrl({self})")
    }
}

as_text!(GaugeUrl);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_in_their_parts() {
        for (text, host, port, target) in [
            (
                "http://127.0.0.1:9100/metrics",
                "127.0.0.1",
                9100,
                "/metrics",
            ),
            ("http://app", "app", 80, "/"),
            ("http://app?x=1", "app", 80, "/?x=1"),
            ("http://[::1]:80/a;csv#b", "::1", 80, "/a;csv"),
            ("http://u:p@h@app:81/x", "app", 81, "/x"),
            // The host is what is connected to, whatever stands before it.
            ("http://127.0.0.1@192.0.2.1/", "192.0.2.1", 80, "/"),
            ("https://app/x", "app", 443, "/x"),
            ("https://app:80/x", "app", 80, "/x"),
        ] {
            let url: GaugeUrl = text.parse().unwrap();
            assert_eq!((url.host(), url.port(), url.target()), (host, port, target));
            assert_eq!(url.encrypted(), text.starts_with("https"));
        }
        let user = "http://u:p@app/".parse::<GaugeUrl>().unwrap();
        assert_eq!(user.user(), Some("u:p"));
        for wrong in [
            "ftp://app/",
            "app:80/",
            "http://",
            "http://:80/",
            "http://app:0/",
            "http://app:70000/",
            "http://[::1/",
            "http://[::1]80/",
            "http://a b/",
            "http://app/\r\nx: y",
        ] {
            assert!(wrong.parse::<GaugeUrl>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn no_secret_is_written() {
        let url: GaugeUrl =
            "http://admin:hunter2@127.0.0.1:8080/stats?token=abc&XML=true&API_KEY=q"
                .parse()
                .unwrap();
        let written = serde_json::to_string(&url).unwrap();
        for text in [url.to_string(), format!("{url:?}"), written.clone()] {
            assert!(!text.contains("hunter2") && !text.contains("abc") && !text.contains("=q"));
            assert!(text.contains("127.0.0.1:8080/stats?token=***&XML=true&API_KEY=***"));
        }
        // What was recorded is read back, without them.
        let back: GaugeUrl = serde_json::from_str(&written).unwrap();
        assert_eq!(back.to_string(), url.to_string());
    }
}
