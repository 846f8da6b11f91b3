//! Which hosts may be sent to, and at which addresses.
//!
//! A name can lead anywhere, and elsewhere the next time it is asked; so each
//! is resolved once, the address is what is checked, and the address is what is
//! connected to. No redirect is ever followed.

use std::net::{IpAddr, SocketAddr, ToSocketAddrs as _};

use crate::error::{Error, Result};
use crate::model::{Safety, TargetSpec, Url};
use crate::plan::Plan;

/// The addresses of every host that a run may send to, each checked.
#[derive(Debug, Clone, Default)]
pub struct Addresses {
    known: Vec<(String, u16, SocketAddr)>,
}

impl Addresses {
    /// Resolves and checks every URL of a target, and every end of its proxies; `allowed`: the hosts that the
    /// command line names.
    ///
    /// # Errors
    ///
    /// Wrong usage, where a host is not this machine and not named exactly both
    /// in the scenario and on the command line; an unfit environment, where a
    /// name leads nowhere.
    pub fn of(target: &TargetSpec, safety: &Safety, allowed: &[String]) -> Result<Self> {
        let mut addresses = Self::default();
        for url in target.urls() {
            addresses.admit(&url.host, url.port, safety, allowed)?;
        }
        for end in target.ends_of_proxies() {
            addresses.admit(&end.host, end.port, safety, allowed)?;
        }
        Ok(addresses)
    }

    /// Resolves and checks a host, unless that was done before.
    ///
    /// # Errors
    ///
    /// As [`Addresses::of`].
    fn admit(
        &mut self,
        host: &str,
        port: u16,
        safety: &Safety,
        allowed: &[String],
    ) -> Result<SocketAddr> {
        if let Some(address) = self.get_host(host, port) {
            return Ok(address);
        }
        let address = admitted_host(host, port, safety, allowed)?;
        self.known.push((host.to_owned(), port, address));
        Ok(address)
    }

    /// The address of a URL that was admitted.
    #[must_use]
    pub fn get(&self, url: &Url) -> Option<SocketAddr> {
        self.get_host(&url.host, url.port)
    }

    /// The address of a host and port that were admitted.
    #[must_use]
    pub fn get_host(&self, host: &str, port: u16) -> Option<SocketAddr> {
        let mut known = self.known.iter();
        known
            .find(|(known, at, _)| known == host && *at == port)
            .map(|(_, _, address)| *address)
    }

    /// Whether any of them is not this machine's.
    #[must_use]
    pub fn leave_this_machine(&self) -> bool {
        self.known
            .iter()
            .any(|(_, _, address)| !local(address.ip()))
    }

    /// Holds a plan to the bounds for hosts that are not this machine's.
    ///
    /// # Errors
    ///
    /// Wrong usage, where it asks for more than the scenario allows.
    pub fn hold(&self, plan: &Plan) -> Result<()> {
        if !self.leave_this_machine() {
            return Ok(());
        }
        let (asked, most) = (
            plan.requests_max_per_second(),
            plan.safety.rate_max_per_second(),
        );
        if asked > most {
            return Err(Error::usage(format!(
                "the run could send {asked:.0} requests/s, retries and probes included, to a host \
                 that is not this machine, and {most:.0}/s is the bound; raise it explicitly with \
                 `rate_max` in [safety], or lower load.rate"
            )));
        }
        let longest = plan.safety.duration_max;
        if plan.end > longest {
            return Err(Error::usage(format!(
                "the run loads a host that is not this machine for {}, and {longest} is the \
                 bound; raise it explicitly with `duration_max` in [safety], or shorten the run",
                plan.end
            )));
        }
        Ok(())
    }
}

fn local(address: IpAddr) -> bool {
    address.to_canonical().is_loopback()
}

/// The address of a host, resolved and checked; `allowed`: the hosts that the
/// command line names.
///
/// # Errors
///
/// As [`Addresses::of`].
pub fn admitted_host(
    host: &str,
    port: u16,
    safety: &Safety,
    allowed: &[String],
) -> Result<SocketAddr> {
    let resolved = (host, port).to_socket_addrs().map_err(|cause| {
        Error::unfit(format!(
            "failed to resolve the host {host}: {cause}; is it spelt right?"
        ))
    })?;
    let addresses: Vec<SocketAddr> = resolved.collect();
    // 127.0.0.1 before ::1, since many a server and client knows it alone.
    let own = addresses.iter().filter(|address| local(address.ip()));
    if let Some(address) = own.min_by_key(|address| address.is_ipv6()) {
        return Ok(*address);
    }
    let first = addresses.first().copied().ok_or_else(|| {
        Error::unfit(format!(
            "the host {host} has no address; is it spelt right?"
        ))
    })?;
    let in_file = safety.hosts.iter().any(|named| named == host);
    let on_line = allowed.iter().any(|named| named == host);
    let missing = match (in_file, on_line) {
        (true, true) => return Ok(first),
        (false, true) => format!("in the scenario, as [safety] hosts = [\"{host}\"]"),
        (true, false) => format!("on the command line, with --allow-host {host}"),
        (false, false) => format!(
            "in the scenario, as [safety] hosts = [\"{host}\"], and on the command line, with \
             --allow-host {host}"
        ),
    };
    let known = if first.ip().to_string() == host {
        String::new()
    } else {
        format!(" {},", first.ip())
    };
    Err(Error::usage(format!(
        "{host} is{known} not this machine; where you may break it, say so {missing}"
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Url {
        text.parse().unwrap()
    }

    #[test]
    fn a_host_elsewhere_must_be_named_twice_exactly() {
        // An address needs no name server; 192.0.2.0/24 is for documentation (RFC 5737).
        let there = url("http://192.0.2.7:80");
        let named = Safety {
            hosts: vec!["192.0.2.7".into()],
            ..Safety::default()
        };
        let allowed = vec!["192.0.2.7".to_owned()];
        let admit = |safety: &Safety, allowed: &[String]| {
            Addresses::default().admit(&there.host, there.port, safety, allowed)
        };
        assert!(admit(&named, &allowed).is_ok());
        for (safety, allowed, told) in [
            (Safety::default(), allowed.as_slice(), "[safety]"),
            (named.clone(), &[], "--allow-host"),
            (named, &["192.0.2".to_owned()], "--allow-host"),
        ] {
            let error = admit(&safety, allowed).unwrap_err();
            assert_eq!(error.exit_code(), 2);
            assert!(error.to_string().contains(told), "{error}");
        }
    }

    #[test]
    fn this_machine_needs_no_name() {
        let mut addresses = Addresses::default();
        for text in ["http://127.0.0.1:1", "http://[::1]:1", "http://127.9.9.9:1"] {
            let url = url(text);
            let admitted = addresses.admit(&url.host, url.port, &Safety::default(), &[]);
            assert!(admitted.is_ok());
        }
        assert!(!addresses.leave_this_machine());
    }
}
