//! What is always this machine: one rule, for addresses and for hosts as they are written.

use core::net::IpAddr;

/// Whether an address is always this machine: 127.0.0.0/8, `::1`, and the former
/// mapped into IPv6. What stands for all addresses, `0.0.0.0` and `::`, is not: a
/// listener there can be reached from outside.
pub(crate) fn is_loopback(address: IpAddr) -> bool {
    address.to_canonical().is_loopback()
}

/// Whether a host, without brackets, is always this machine's before it is looked up: such an
/// address, or `localhost` in any case, also with the dot of the root.
pub(crate) fn names_loopback(host: &str) -> bool {
    let name = host.strip_suffix('.').unwrap_or(host);
    let address: Option<IpAddr> = host.parse().ok();
    name.eq_ignore_ascii_case("localhost") || address.is_some_and(is_loopback)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_always_this_machine_by_its_writing() {
        for host in [
            "127.0.0.1",
            "127.255.255.254",
            "::1",
            "::ffff:127.0.0.1",
            "localhost",
            "LOCALHOST",
            "localhost.",
        ] {
            assert!(names_loopback(host), "{host}");
        }
        for host in [
            "",
            ".",
            "0.0.0.0",
            "::",
            "192.0.2.1",
            "::ffff:192.0.2.1",
            "localhost.test",
            "localhost..",
            "127.0.0.1.",
            "127.0.0.1.test",
        ] {
            assert!(!names_loopback(host), "{host}");
        }
    }
}
