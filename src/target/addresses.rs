//! The addresses of every host that a run may send to.
//!
//! Each was resolved once and checked ([`AllowedHosts`]); whoever sends asks here and
//! resolves nothing.

use std::net::SocketAddr;

use crate::error::Result;
use crate::model::{TargetSpec, Url, is_loopback};
use crate::net::{AllowedHosts, KnownHosts};

/// The addresses of every host that a run may send to, each checked.
#[derive(Debug, Clone, Default)]
pub(crate) struct Addresses {
    known: Vec<(String, u16, SocketAddr)>,
    /// Where redirects may lead, where any is followed.
    redirects: Option<KnownHosts>,
}

impl Addresses {
    /// Resolves and checks every URL of a target, and every end of its proxies.
    ///
    /// # Errors
    ///
    /// As [`AllowedHosts::resolve`].
    pub(crate) fn of(target: &TargetSpec, allowed: &AllowedHosts) -> Result<Self> {
        let urls = target.urls().map(|url| (url.host.as_str(), url.port));
        let ends = target.ends_of_proxies();
        let ends = ends.map(|end| (end.host.as_str(), end.port));
        let mut addresses = Self::default();
        for (host, port) in urls.chain(ends) {
            if addresses.get_host(host, port).is_none() {
                let address = allowed.resolve(host, port)?;
                addresses.known.push((host.to_owned(), port, address));
            }
        }
        if target.work.follows() {
            let own = target.sites.iter().map(|site| site.url.host.as_str());
            addresses.redirects = Some(KnownHosts::look_up(allowed.clone(), own, &[]));
        }
        Ok(addresses)
    }

    /// Where redirects of the load may lead; none where none is followed.
    pub(crate) const fn redirects(&self) -> Option<&KnownHosts> {
        self.redirects.as_ref()
    }

    /// The address of a URL that was admitted.
    pub(crate) fn get(&self, url: &Url) -> Option<SocketAddr> {
        self.get_host(&url.host, url.port)
    }

    /// The address of a host and port that were admitted.
    pub(crate) fn get_host(&self, host: &str, port: u16) -> Option<SocketAddr> {
        let mut known = self.known.iter();
        known
            .find(|(known, at, _)| known == host && *at == port)
            .map(|(_, _, address)| *address)
    }

    /// Whether any of them is not this machine's.
    pub(crate) fn leave_this_machine(&self) -> bool {
        let redirects = self.redirects.as_ref();
        redirects.is_some_and(KnownHosts::leave_this_machine)
            || self
                .known
                .iter()
                .any(|(_, _, address)| !is_loopback(address.ip()))
    }
}
