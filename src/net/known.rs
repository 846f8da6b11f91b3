//! Hosts that an answer may lead to.
//!
//! Whoever follows a redirect must not ask a resolver: it would wait, and be told something
//! else than what was checked. So every host that the user allows is looked up once, before
//! anything is sent, by the rule of [`super::hosts`]; a host that is not among them is not
//! led to.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use super::hosts::{AllowedHosts, bare};
use crate::model::NotFollowed;
use crate::model::is_loopback;

/// A host, at which port where that matters, and its address where one was found.
type Known = (String, Option<u16>, Option<IpAddr>);

/// Every host that is allowed, looked up once.
#[derive(Debug, Clone)]
pub struct KnownHosts {
    allowed: AllowedHosts,
    known: Arc<[Known]>,
}

impl KnownHosts {
    /// Those that are allowed by name, this machine, and the `own` hosts of what is asked;
    /// `given`: addresses that the user has for a host and port, in place of the resolver's.
    pub fn look_up<'a>(
        allowed: AllowedHosts,
        own: impl Iterator<Item = &'a str>,
        given: &[(String, u16, IpAddr)],
    ) -> Self {
        let chosen = given.iter().filter_map(|(host, port, address)| {
            let address = allowed.choose(host, &[SocketAddr::new(*address, *port)]);
            Some((host.clone(), Some(*port), Some(address.ok()?.ip())))
        });
        let mut known: Vec<Known> = chosen.collect();
        let mut names: Vec<String> = own.map(str::to_owned).collect();
        names.extend(allowed.named().map(str::to_owned));
        names.push("localhost".into());
        known.extend(names.into_iter().map(|name| {
            let address = allowed.resolve(&name, 0).ok();
            (name, None, address.map(|address| address.ip()))
        }));
        let known = known.into();
        Self { allowed, known }
    }

    /// Whether any of them is not this machine.
    pub fn leave_this_machine(&self) -> bool {
        let mut found = self.known.iter().filter_map(|(.., address)| *address);
        found.any(|address| !is_loopback(address))
    }

    /// The address of a host that an answer leads to.
    ///
    /// # Errors
    ///
    /// Where it is not allowed, or was not found when it was looked up.
    pub fn address(&self, host: &str, port: u16) -> Result<SocketAddr, NotFollowed> {
        let at = |ip| SocketAddr::new(ip, port);
        let host = bare(host).map_err(|_| NotFollowed::Nowhere)?;
        if let Ok(ip) = host.parse::<IpAddr>() {
            let chosen = self.allowed.choose(host, &[at(ip)]);
            return chosen.map_err(|_| NotFollowed::NotAllowed);
        }
        let known = self.known.iter().filter(|(name, ..)| name == host);
        let mut fitting = known.filter(|(_, only, _)| only.is_none_or(|only| only == port));
        match fitting.next() {
            None => Err(NotFollowed::NotAllowed),
            Some((_, _, None)) => Err(NotFollowed::NotFound),
            Some((_, _, Some(ip))) => Ok(at(*ip)),
        }
    }

    /// What the user can do where a host is not allowed, in one sentence.
    pub fn refusal(&self, host: &str) -> String {
        let missing = self.allowed.missing(host);
        let way_out = missing.map_or_else(String::new, |missing| {
            format!("; if you may use it, allow it {missing}")
        });
        format!("it leads to {host}, which is not this machine's loopback{way_out}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(named: &[&str]) -> KnownHosts {
        let named = named.iter().map(|name| (*name).to_owned()).collect();
        let allowed = AllowedHosts::of_command_line(named);
        let given = |host: &str, address: &str| (host.to_owned(), 81, address.parse().unwrap());
        let given = [
            given("shop.test", "127.0.0.9"),
            given("far.test", "192.0.2.9"),
        ];
        KnownHosts::look_up(allowed, ["127.0.0.1"].into_iter(), &given)
    }

    #[test]
    fn a_host_is_led_to_where_it_is_allowed_and_was_found() {
        let nobody = known(&[]);
        let named = known(&["192.0.2.1", "2001:db8::1", "gone.invalid", "far.test"]);
        let to = |known: &KnownHosts, host: &str, port| match known.address(host, port) {
            Ok(address) => address.to_string(),
            Err(why) => format!("{why:?}"),
        };
        for (host, port, by_nobody, by_name) in [
            // this machine, at any port
            ("127.0.0.1", 80, "127.0.0.1:80", "127.0.0.1:80"),
            ("::1", 80, "[::1]:80", "[::1]:80"),
            ("[::1]", 80, "[::1]:80", "[::1]:80"),
            ("localhost", 82, "127.0.0.1:82", "127.0.0.1:82"),
            // addresses elsewhere, exactly as they are named
            ("192.0.2.1", 80, "NotAllowed", "192.0.2.1:80"),
            ("192.0.2.2", 80, "NotAllowed", "NotAllowed"),
            ("2001:db8::1", 80, "NotAllowed", "[2001:db8::1]:80"),
            // names: one that leads nowhere, one that nobody named
            ("gone.invalid", 80, "NotAllowed", "NotFound"),
            ("other.invalid", 80, "NotAllowed", "NotAllowed"),
            // an address that was given, at its port only; the name must be allowed too
            ("shop.test", 81, "127.0.0.9:81", "127.0.0.9:81"),
            ("shop.test", 80, "NotAllowed", "NotAllowed"),
            ("far.test", 81, "NotAllowed", "192.0.2.9:81"),
            ("user@127.0.0.1", 80, "Nowhere", "Nowhere"),
        ] {
            assert_eq!(to(&nobody, host, port), by_nobody, "{host}:{port}");
            assert_eq!(to(&named, host, port), by_name, "{host}:{port}");
        }
        assert!(named.leave_this_machine() && !nobody.leave_this_machine());
        assert_eq!(
            nobody.refusal("192.0.2.1"),
            "it leads to 192.0.2.1, which is not this machine's loopback; if you may use it, \
             allow it with --allow-host 192.0.2.1"
        );
    }
}
