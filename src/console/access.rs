//! Who may ask for what: keys, the address that a request names, and where it comes from.
//!
//! A key is in the link's fragment, which no browser sends, and comes back as a header, which
//! no page of another site can set. So neither a page elsewhere nor a name that leads here by
//! another's doing gets in: the `Host` must be one that was printed, and an `Origin`, where
//! there is one, the same.

use std::net::{IpAddr, SocketAddr};

use hyper::header::{CONTENT_TYPE, HOST, HeaderMap, ORIGIN};

use super::refusal::Refusal;
use crate::model::{GameRole, is_loopback};

/// The header that a key comes in.
pub(super) const KEY: &str = "x-threadbare-key";
/// The header that tells which person it is.
pub(super) const SESSION: &str = "x-threadbare-session";

/// What a key opens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Entrant {
    /// A person, at most in this role.
    Person(GameRole),
    /// A tool that reports what it does elsewhere.
    Tool,
}

/// A secret of 128 random bits, as text.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) struct Secret(String);

/// The keys of a console.
#[derive(Debug, Clone)]
pub struct Keys {
    keys: Vec<(Entrant, Secret)>,
}

/// Never shows what it is.
impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(…)")
    }
}

impl Secret {
    /// A new one, from the generator of the system.
    pub(super) fn new() -> Self {
        Self(format!("{:032x}", rand::random::<u128>()))
    }

    /// As it is written.
    pub(super) fn text(&self) -> &str {
        &self.0
    }

    /// Whether this is it. How long that takes does not depend on where they differ.
    pub(super) fn is(&self, other: &str) -> bool {
        let (own, other) = (self.0.as_bytes(), other.as_bytes());
        let differ = own.iter().zip(other).fold(0, |all, (a, b)| all | (a ^ b));
        std::hint::black_box(differ) == 0 && own.len() == other.len()
    }
}

impl Default for Keys {
    fn default() -> Self {
        Self::new()
    }
}

impl Keys {
    /// New keys for everybody.
    pub fn new() -> Self {
        let roles = GameRole::ALL.map(|(role, _)| Entrant::Person(role));
        let all = roles.into_iter().chain([Entrant::Tool]);
        Self {
            keys: all.map(|entrant| (entrant, Secret::new())).collect(),
        }
    }

    /// The key of an entrant.
    pub fn of(&self, wanted: Entrant) -> &str {
        let mut keys = self.keys.iter();
        let own = keys.find(|(entrant, _)| *entrant == wanted);
        own.map_or("", |(_, key)| key.text())
    }

    /// What the key of a request opens. Every key is looked at, whichever it is.
    pub fn opens(&self, given: &str) -> Option<Entrant> {
        let mut found = None;
        for (entrant, key) in &self.keys {
            if key.is(given) {
                found = Some(*entrant);
            }
        }
        found
    }
}

/// The addresses by which the page may be asked for.
#[derive(Debug, Clone)]
pub struct Addresses {
    scheme: &'static str,
    /// Host and port as they are written; the first is the one that is printed.
    hosts: Vec<String>,
}

impl Addresses {
    /// Of a page that is served at this address, and by a name, where it has one.
    pub fn new(address: SocketAddr, name: Option<&str>, tls: bool) -> Self {
        let port = address.port();
        let ip = address.ip();
        let mut names: Vec<String> = name.map(str::to_owned).into_iter().collect();
        match ip {
            _ if ip.is_unspecified() => {}
            IpAddr::V4(ip) => names.push(ip.to_string()),
            IpAddr::V6(ip) => names.push(format!("[{ip}]")),
        }
        if is_loopback(ip) {
            names.push("localhost".to_owned());
        }
        // Browsers leave out the port that goes without saying.
        let default = port == if tls { 443 } else { 80 };
        let mut hosts: Vec<_> = names.iter().map(|name| format!("{name}:{port}")).collect();
        hosts.extend(names.into_iter().filter(|_| default));
        Self {
            scheme: if tls { "https" } else { "http" },
            hosts,
        }
    }

    /// The link that is printed, by the name, where there is one.
    pub fn link(&self, key: &str) -> String {
        let host = self.hosts.first().map_or("localhost", String::as_str);
        format!("{}://{host}/#key={key}", self.scheme)
    }

    /// Why a request is not from a page that was served here, or a tool that was told the
    /// address.
    ///
    /// # Errors
    ///
    /// In one sentence.
    pub fn admit(&self, headers: &HeaderMap) -> Result<(), Refusal> {
        let text = |value: &hyper::header::HeaderValue| value.to_str().ok().map(str::to_owned);
        let mut hosts = headers.get_all(HOST).iter();
        let host = hosts.next().and_then(text);
        let is_own = |host: &str| {
            let mut own = self.hosts.iter();
            own.any(|own| own.eq_ignore_ascii_case(host))
        };
        if hosts.next().is_some() || !host.is_some_and(|host| is_own(&host)) {
            return Err(Refusal::forbidden(
                "the Host is not an address of this page: open the link as it was printed; \
                 `threadbare run` takes another name with --console-name",
            ));
        }
        let mut origins = headers.get_all(ORIGIN).iter();
        let Some(origin) = origins.next() else {
            return Ok(());
        };
        let origin = text(origin).unwrap_or_default();
        let same = origin
            .strip_prefix(self.scheme)
            .and_then(|rest| rest.strip_prefix("://"));
        if origins.next().is_some() || !same.is_some_and(is_own) {
            return Err(Refusal::forbidden(
                "the Origin is not this page: another site may not ask for anything here",
            ));
        }
        Ok(())
    }
}

/// Whether a body is said to be JSON, which no form of another site can send.
///
/// # Errors
///
/// Where it is not.
pub(super) fn demand_json(headers: &HeaderMap) -> Result<(), Refusal> {
    let kind = headers
        .get(CONTENT_TYPE)
        .and_then(|kind| kind.to_str().ok());
    let kind = kind.and_then(|kind| kind.split(';').next()).unwrap_or("");
    if kind.trim().eq_ignore_ascii_case("application/json") {
        return Ok(());
    }
    Err(Refusal::new(
        415,
        "the body must be JSON: send Content-Type: application/json",
    ))
}

/// Whether `role` is no more than a key for `most` opens.
pub(super) const fn is_within(role: GameRole, most: GameRole) -> bool {
    match most {
        GameRole::Facilitator => true,
        GameRole::Responder => !matches!(role, GameRole::Facilitator),
        GameRole::Observer => matches!(role, GameRole::Observer),
    }
}

#[cfg(test)]
mod tests {
    use hyper::header::HeaderName;

    use super::*;

    fn headers(all: &[(&str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in all {
            let name: HeaderName = name.parse().unwrap();
            headers.append(name, value.parse().unwrap());
        }
        headers
    }

    #[test]
    fn a_key_opens_its_role_and_nothing_else_does() {
        let keys = Keys::new();
        for (role, _) in GameRole::ALL {
            let key = keys.of(Entrant::Person(role)).to_owned();
            assert_eq!(key.len(), 32);
            assert_eq!(keys.opens(&key), Some(Entrant::Person(role)));
            assert_eq!(keys.opens(&key[1..]), None);
            assert_eq!(keys.opens(&format!("{key}0")), None);
        }
        assert_eq!(keys.opens(keys.of(Entrant::Tool)), Some(Entrant::Tool));
        assert_eq!(keys.opens(""), None);
        assert_ne!(Keys::new().of(Entrant::Tool), keys.of(Entrant::Tool));
        assert!(!format!("{keys:?}").contains(keys.of(Entrant::Tool)));
    }

    #[test]
    fn only_addresses_that_were_printed_lead_here() {
        let local = Addresses::new("127.0.0.1:8080".parse().unwrap(), None, false);
        assert_eq!(local.link("k"), "http://127.0.0.1:8080/#key=k");
        for (sent, admitted) in [
            (&[("host", "127.0.0.1:8080")][..], true),
            (&[("host", "LOCALHOST:8080")][..], true),
            (&[("host", "127.0.0.1:8081")][..], false),
            (&[("host", "127.0.0.1")][..], false),
            (&[("host", "evil.example:8080")][..], false), // a name that leads to loopback
            (&[][..], false),
            (
                &[("host", "127.0.0.1:8080"), ("host", "evil.example")][..],
                false,
            ),
            (
                &[
                    ("host", "127.0.0.1:8080"),
                    ("origin", "http://localhost:8080"),
                ][..],
                true,
            ),
            (
                &[
                    ("host", "127.0.0.1:8080"),
                    ("origin", "https://127.0.0.1:8080"),
                ][..],
                false,
            ),
            (
                &[
                    ("host", "127.0.0.1:8080"),
                    ("origin", "http://evil.example"),
                ][..],
                false,
            ),
            (&[("host", "127.0.0.1:8080"), ("origin", "null")][..], false),
        ] {
            assert_eq!(local.admit(&headers(sent)).is_ok(), admitted, "{sent:?}");
        }
        let all = "0.0.0.0:443".parse().unwrap();
        let named = Addresses::new(all, Some("room.example"), true);
        assert_eq!(named.link("k"), "https://room.example:443/#key=k");
        for (host, admitted) in [
            ("room.example", true),
            ("room.example:443", true),
            ("0.0.0.0:443", false),
            ("localhost:443", false),
        ] {
            let sent = headers(&[("host", host)]);
            assert_eq!(named.admit(&sent).is_ok(), admitted, "{host}");
        }
        let six = Addresses::new("[::1]:80".parse().unwrap(), None, false);
        assert_eq!(six.link("k"), "http://[::1]:80/#key=k");
        assert!(six.admit(&headers(&[("host", "[::1]:80")])).is_ok());
    }

    #[test]
    fn only_json_is_taken() {
        for (kind, taken) in [
            ("application/json", true),
            ("Application/JSON; charset=utf-8", true),
            ("text/plain", false),
            ("application/x-www-form-urlencoded", false),
        ] {
            let sent = headers(&[("content-type", kind)]);
            assert_eq!(demand_json(&sent).is_ok(), taken, "{kind}");
        }
        assert!(demand_json(&HeaderMap::new()).is_err());
    }

    #[test]
    fn nobody_takes_a_role_above_their_key() {
        use GameRole::{Facilitator, Observer, Responder};
        for (role, most, within) in [
            (Facilitator, Facilitator, true),
            (Observer, Facilitator, true),
            (Facilitator, Responder, false),
            (Responder, Responder, true),
            (Responder, Observer, false),
            (Observer, Observer, true),
        ] {
            assert_eq!(is_within(role, most), within, "{role:?} {most:?}");
        }
    }
}
