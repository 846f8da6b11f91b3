//! Which addresses may be listened on and sent to.

use std::net::{Ipv4Addr, SocketAddr, ToSocketAddrs as _};

use crate::error::{Error, Result};

/// Hosts other than this machine that the user has named, exactly.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Allowed(pub Vec<String>);

impl Allowed {
    /// The address that `host:port` leads to, resolved once: it is the address that
    /// must be this machine's, since a name can lead anywhere. Without a host it is
    /// 127.0.0.1.
    ///
    /// # Errors
    ///
    /// Where the text is no such thing, cannot be resolved, or leads to another
    /// machine that was not named.
    pub fn resolve(&self, text: &str) -> Result<SocketAddr> {
        let wrong = || {
            Error::usage(format!(
                "`{}` is no address; write HOST:PORT, such as 127.0.0.1:9000",
                text.escape_debug()
            ))
        };
        let (host, port) = text.rsplit_once(':').ok_or_else(wrong)?;
        let port: u16 = port.parse().map_err(|_| wrong())?;
        let host = host.trim_matches(['[', ']']);
        if host.is_empty() {
            return Ok(SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
        }
        let found: Vec<SocketAddr> = (host, port)
            .to_socket_addrs()
            .map_err(|cause| {
                Error::unfit(format!(
                    "failed to resolve the host {}: {cause}; is it spelt right?",
                    host.escape_debug()
                ))
            })?
            .collect();
        let local = found
            .iter()
            .filter(|address| address.ip().to_canonical().is_loopback());
        // 127.0.0.1 before ::1, since servers and clients of tests mostly know it alone.
        if let Some(address) = local.min_by_key(|address| address.is_ipv6()) {
            return Ok(*address);
        }
        let first = found.first().copied().ok_or_else(wrong)?;
        if self.0.iter().any(|named| named == host) {
            return Ok(first);
        }
        Err(Error::usage(format!(
            "{host} is {}, which is not this machine's loopback; where you may use it, say so with \
             --allow-host {host}",
            first.ip()
        )))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_is_free_and_the_rest_must_be_named() {
        let nobody = Allowed::default();
        for (text, address) in [
            ("127.0.0.1:80", "127.0.0.1:80"),
            ("[::1]:80", "[::1]:80"),
            ("localhost:0", "127.0.0.1:0"),
            (":9000", "127.0.0.1:9000"),
        ] {
            assert_eq!(nobody.resolve(text).unwrap(), address.parse().unwrap());
        }
        for text in ["", "80", "localhost", "localhost:http", "127.0.0.1:65536"] {
            let told = nobody.resolve(text).unwrap_err().to_string();
            assert!(told.contains("is no address"), "{told}");
        }
        for text in ["0.0.0.0:80", "192.0.2.1:80", "[::]:80"] {
            let told = nobody.resolve(text).unwrap_err().to_string();
            assert!(told.contains("say so with --allow-host"), "{told}");
        }
        let named = Allowed(vec!["192.0.2.1".into()]);
        assert!(named.resolve("192.0.2.1:80").is_ok());
        assert!(named.resolve("192.0.2.2:80").is_err());
    }
}
