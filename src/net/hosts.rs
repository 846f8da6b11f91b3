//! Which hosts may be sent to, and at which address: one rule for every command.
//!
//! A name can lead anywhere, and elsewhere the next time it is looked up; so it is
//! resolved once, the address is what is checked, and the address is what is
//! connected to. How a host is written decides nothing: `2130706433` is what it
//! resolves to. This machine's loopback needs no permission; every other host must
//! have been named by the user, exactly as it is written where it is used.
//!
//! [`AllowedHosts::choose`] decides and is pure; [`AllowedHosts::resolve`] asks the
//! system's resolver and hands over what it said. Where an answer leads is followed by the
//! generator alone, and only to hosts that were looked up before ([`super::KnownHosts`]).

use std::net::{Ipv4Addr, SocketAddr, ToSocketAddrs as _};

use crate::error::{Error, Result};
use crate::model::is_loopback;

/// The longest host name in text, with the dot at its end (RFC 1035, section 3.1:
/// 255 octets, of which a length and the root take the place of one character).
const HOST_MAX: usize = 254;

/// Hosts other than this machine that the user has named, exactly.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AllowedHosts {
    command_line: Vec<String>,
    /// None where there is no scenario, and the command line alone decides.
    scenario: Option<Vec<String>>,
}

impl AllowedHosts {
    /// Those of `--allow-host`; nothing else has to name them.
    pub const fn of_command_line(hosts: Vec<String>) -> Self {
        Self {
            command_line: hosts,
            scenario: None,
        }
    }

    /// Those that both the command line and the `[safety]` of a scenario name.
    pub fn of_scenario(scenario: &[String], command_line: &[String]) -> Self {
        Self {
            command_line: command_line.to_vec(),
            scenario: Some(scenario.to_vec()),
        }
    }

    /// The address of a host, looked up once and checked.
    ///
    /// # Errors
    ///
    /// Wrong usage, where the text is no host, or leads to another machine that was
    /// not named; an unfit environment, where it leads nowhere.
    pub fn resolve(&self, host: &str, port: u16) -> Result<SocketAddr> {
        let bare = bare(host)?;
        let resolved = (bare, port).to_socket_addrs().map_err(|cause| {
            Error::unfit(format!(
                "failed to resolve the host {bare}: {cause}; is it spelled right?"
            ))
        })?;
        self.choose(host, &resolved.collect::<Vec<_>>())
    }

    /// The same of `HOST:PORT`; without a host it is 127.0.0.1.
    ///
    /// # Errors
    ///
    /// As [`AllowedHosts::resolve`]; wrong usage, where there is no port.
    pub fn resolve_text(&self, text: &str) -> Result<SocketAddr> {
        let wrong = || {
            Error::usage(format!(
                "`{}` is not an address; write HOST:PORT, such as 127.0.0.1:9000",
                text.escape_debug()
            ))
        };
        let (host, port) = text.rsplit_once(':').ok_or_else(wrong)?;
        let port: u16 = port.parse().map_err(|_| wrong())?;
        if host.is_empty() {
            return Ok(SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
        }
        self.resolve(host, port)
    }

    /// The address that is sent to, of those that `host` resolves to: loopback where
    /// there is any, 127.0.0.1 before `::1`; or else the first, if the host was named.
    ///
    /// # Errors
    ///
    /// As [`AllowedHosts::resolve`].
    pub fn choose(&self, host: &str, resolved: &[SocketAddr]) -> Result<SocketAddr> {
        let host = bare(host)?;
        let loopback = resolved.iter().filter(|address| is_loopback(address.ip()));
        // IPv4 first, since many a server and client knows it alone.
        if let Some(address) = loopback.min_by_key(|address| address.is_ipv6()) {
            return Ok(*address);
        }
        let first = resolved.first().copied().ok_or_else(|| {
            Error::unfit(format!(
                "the host {host} has no address; is it spelled right?"
            ))
        })?;
        match self.missing(host) {
            None => Ok(first),
            Some(missing) => Err(not_named(host, first, &missing)),
        }
    }

    /// The address that another machine gives a host, as whoever conducts gives it to an agent.
    ///
    /// # Errors
    ///
    /// As [`AllowedHosts::choose`]; and where this machine finds the host elsewhere and the
    /// address itself was not named, since whoever gives it could else have requests sent
    /// anywhere under a name that is allowed.
    pub fn given(&self, host: &str, address: SocketAddr) -> Result<SocketAddr> {
        self.choose_given(host, address, finds(host, address))
    }

    fn choose_given(&self, host: &str, given: SocketAddr, is_found: bool) -> Result<SocketAddr> {
        let chosen = self.choose(host, &[given])?;
        let text = chosen.ip().to_string();
        if is_found || is_loopback(chosen.ip()) || self.command_line.contains(&text) {
            return Ok(chosen);
        }
        Err(Error::usage(format!(
            "whoever conducts gives {host} the address {text}, at which the agent does not find \
             it; start the agent with --allow-host {text} too"
        )))
    }

    /// Those that are named everywhere.
    pub(super) fn named(&self) -> impl Iterator<Item = &str> {
        let hosts = self.command_line.iter().map(String::as_str);
        hosts.filter(|host| self.missing(host).is_none())
    }

    /// Where a host still has to be named; none where it is named everywhere.
    pub(super) fn missing(&self, host: &str) -> Option<String> {
        let names = |hosts: &[String]| hosts.iter().any(|named| named == host);
        let on_line = format!("with --allow-host {host}");
        let in_file = format!("in the scenario, as [safety] hosts = [\"{host}\"]");
        match (&self.scenario, names(&self.command_line)) {
            (None, true) => None,
            (None, false) => Some(on_line),
            (Some(hosts), true) => (!names(hosts)).then_some(in_file),
            (Some(hosts), false) if names(hosts) => Some(format!("on the command line, {on_line}")),
            (Some(_), false) => Some(format!("{in_file}, and on the command line, {on_line}")),
        }
    }
}

/// Whether this machine finds the host at this address.
pub(crate) fn finds(host: &str, address: SocketAddr) -> bool {
    let found = bare(host).map(|bare| (bare, address.port()).to_socket_addrs());
    let mut found = found.into_iter().flatten().flatten();
    found.any(|found| found.ip() == address.ip())
}

fn not_named(host: &str, address: SocketAddr, missing: &str) -> Error {
    let address = address.ip();
    let known = if address.to_string() == host {
        String::new()
    } else {
        format!(" {address},")
    };
    Error::usage(format!(
        "{host} is{known} not this machine's loopback; if you may use it, allow it {missing}"
    ))
}

/// A host without the brackets of an IPv6 address.
pub(super) fn bare(host: &str) -> Result<&str> {
    let inside = host.strip_prefix('[').and_then(|it| it.strip_suffix(']'));
    let bare = inside.unwrap_or(host);
    // Whatever could end a host in a URL, or in a line of a request, is part of none.
    let fits = |byte: u8| byte.is_ascii_graphic() && !b"/\\@[]?#".contains(&byte);
    if bare.is_empty() || bare.len() > HOST_MAX || !bare.bytes().all(fits) {
        let shown: String = host.chars().take(40).collect();
        return Err(Error::usage(format!(
            "`{}` is not a host; write a name or an address, such as localhost or 127.0.0.1",
            shown.escape_debug()
        )));
    }
    Ok(bare)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addresses(texts: &[&str]) -> Vec<SocketAddr> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    /// What is chosen, or the whole sentence of the refusal.
    fn chosen(allowed: &AllowedHosts, host: &str, resolved: &[&str]) -> Result<String> {
        let chosen = allowed.choose(host, &addresses(resolved));
        chosen.map(|address| address.to_string())
    }

    #[test]
    fn loopback_is_free_however_it_is_written() {
        let nobody = AllowedHosts::default();
        for (host, resolved, expected) in [
            // the usual ones
            ("127.0.0.1", &["127.0.0.1:80"][..], "127.0.0.1:80"),
            ("::1", &["[::1]:80"], "[::1]:80"),
            // with the brackets of a URL
            ("[::1]", &["[::1]:80"], "[::1]:80"),
            // all of 127.0.0.0/8
            (
                "127.255.255.254",
                &["127.255.255.254:80"],
                "127.255.255.254:80",
            ),
            // IPv4 mapped into IPv6
            (
                "::ffff:127.0.0.1",
                &["[::ffff:127.0.0.1]:80"],
                "[::ffff:127.0.0.1]:80",
            ),
            // both: IPv4, whichever comes first
            ("localhost", &["[::1]:80", "127.0.0.1:80"], "127.0.0.1:80"),
            ("localhost", &["127.0.0.1:80", "[::1]:80"], "127.0.0.1:80"),
            // only the new one
            ("localhost", &["[::1]:80"], "[::1]:80"),
            // upper case, and the dot of the root
            ("LOCALHOST", &["127.0.0.1:80"], "127.0.0.1:80"),
            ("localhost.", &["127.0.0.1:80"], "127.0.0.1:80"),
            // one number; octal; hexadecimal with parts left out (inet_aton(3))
            ("2130706433", &["127.0.0.1:80"], "127.0.0.1:80"),
            ("0177.0.0.1", &["127.0.0.1:80"], "127.0.0.1:80"),
            ("0x7f.1", &["127.0.0.1:80"], "127.0.0.1:80"),
            // with a zone
            ("::1%lo", &["[::1%1]:80"], "[::1%1]:80"),
            // a name that leads here and elsewhere: only the checked address is used
            (
                "both.test",
                &["192.0.2.1:80", "127.0.0.1:80"],
                "127.0.0.1:80",
            ),
            ("both.test", &["192.0.2.1:80", "[::1]:80"], "[::1]:80"),
        ] {
            assert_eq!(chosen(&nobody, host, resolved).unwrap(), expected, "{host}");
        }
    }

    #[test]
    fn every_other_host_must_be_named_exactly() {
        // 192.0.2.0/24 and 2001:db8::/32 are for documentation (RFC 5737, RFC 3849).
        for (host, resolved, named) in [
            ("192.0.2.1", "192.0.2.1:80", "192.0.2.1"),
            ("2001:db8::1", "[2001:db8::1]:80", "2001:db8::1"),
            // the brackets are a URL's, not the host's
            ("[2001:db8::1]", "[2001:db8::1]:80", "2001:db8::1"),
            // this machine to connect to, and every network to listen on
            ("0.0.0.0", "0.0.0.0:80", "0.0.0.0"),
            ("::", "[::]:80", "::"),
            // mapped, but not loopback
            (
                "::ffff:192.0.2.1",
                "[::ffff:192.0.2.1]:80",
                "::ffff:192.0.2.1",
            ),
            // one number that is an address elsewhere
            ("3221225985", "192.0.2.1:80", "3221225985"),
            // of this link: with its zone
            ("fe80::1%eth0", "[fe80::1%2]:80", "fe80::1%eth0"),
            // a name that only looks like this machine's
            ("localhost", "192.0.2.1:80", "localhost"),
            ("127.0.0.1.test", "192.0.2.1:80", "127.0.0.1.test"),
            // upper case and a dot at the end are other spellings
            ("Shop.Test", "192.0.2.1:80", "Shop.Test"),
            ("shop.test.", "192.0.2.1:80", "shop.test."),
        ] {
            let refused = chosen(&AllowedHosts::default(), host, &[resolved]).unwrap_err();
            assert_eq!(refused.exit_code(), 2, "{host}");
            let hint = format!("allow it with --allow-host {named}");
            assert!(refused.to_string().ends_with(&hint), "{refused}");
            let allowed = AllowedHosts::of_command_line(vec![named.to_owned()]);
            assert_eq!(chosen(&allowed, host, &[resolved]).unwrap(), resolved);
        }
        for (named, host) in [
            // a part, a pattern, another case, another spelling, an address for a name
            ("192.0.2", "192.0.2.1"),
            ("*", "192.0.2.1"),
            ("", "192.0.2.1"),
            ("SHOP.test", "shop.test"),
            ("shop.test", "shop.test."),
            ("192.0.2.1", "shop.test"),
            ("[2001:db8::1]", "2001:db8::1"),
        ] {
            let allowed = AllowedHosts::of_command_line(vec![named.to_owned()]);
            assert!(
                chosen(&allowed, host, &["192.0.2.1:80"]).is_err(),
                "{named} {host}"
            );
        }
        // Of several, the first, as the resolver sorts them (RFC 6724).
        let allowed = AllowedHosts::of_command_line(vec!["shop.test".to_owned()]);
        let several = ["[2001:db8::1]:80", "192.0.2.1:80"];
        assert_eq!(chosen(&allowed, "shop.test", &several).unwrap(), several[0]);
    }

    #[test]
    fn an_address_that_is_given_is_one_where_the_host_is_found_or_that_was_named() {
        let (here, there) = ("127.0.0.1:80", "192.0.2.7:80");
        for (host, given, is_found, named, is_allowed) in [
            // this machine's, whatever its name
            ("shop.test", here, false, &[][..], true),
            ("localhost", here, true, &[], true),
            // the host is named, and found there
            ("shop.test", there, true, &["shop.test"], true),
            // the host is named, and found elsewhere or nowhere: the address must be as well
            ("shop.test", there, false, &["shop.test"], false),
            ("shop.test", there, false, &["shop.test", "192.0.2.7"], true),
            // another address than that which is given
            (
                "shop.test",
                there,
                false,
                &["shop.test", "192.0.2.8"],
                false,
            ),
            // found there, and not named
            ("shop.test", there, true, &[], false),
            ("shop.test", there, true, &["192.0.2.7"], false),
        ] {
            let named = named.iter().map(|it| (*it).to_owned()).collect();
            let allowed = AllowedHosts::of_command_line(named);
            let chosen = allowed.choose_given(host, given.parse().unwrap(), is_found);
            assert_eq!(chosen.is_ok(), is_allowed, "{host} {given} {allowed:?}");
        }
        assert!(finds("127.0.0.1", here.parse().unwrap()));
        assert!(finds("[::1]", "[::1]:80".parse().unwrap()));
        assert!(!finds("127.0.0.1", "127.0.0.2:80".parse().unwrap()));
        assert!(!finds("no host", here.parse().unwrap()));
    }

    #[test]
    fn a_scenario_and_the_command_line_must_agree() {
        let here = ["192.0.2.7".to_owned()];
        let near = ["192.0.2".to_owned()];
        let choose = |file: &[String], line: &[String]| {
            let allowed = AllowedHosts::of_scenario(file, line);
            chosen(&allowed, "192.0.2.7", &["192.0.2.7:80"])
        };
        assert!(choose(&here, &here).is_ok());
        for (file, line, told) in [
            // named by the command line, by the file, by neither, nearly
            (
                &[][..],
                &here[..],
                "allow it in the scenario, as [safety] hosts = [\"192.0.2.7\"]",
            ),
            (
                &here,
                &[],
                "allow it on the command line, with --allow-host 192.0.2.7",
            ),
            (
                &[],
                &[],
                "hosts = [\"192.0.2.7\"], and on the command line, with --allow-host",
            ),
            (
                &here,
                &near,
                "allow it on the command line, with --allow-host 192.0.2.7",
            ),
        ] {
            let error = choose(file, line).unwrap_err();
            assert_eq!(error.exit_code(), 2);
            assert!(error.to_string().contains(told), "{error}");
        }
    }

    #[test]
    fn what_is_no_host_is_refused_before_anybody_is_asked() {
        let long = "a".repeat(HOST_MAX + 1);
        for host in [
            "",                      // nothing
            "[]",                    // nothing in brackets
            "[[::1]]",               // brackets within brackets
            "user@127.0.0.1",        // the user's name of a URL
            "127.0.0.1@192.0.2.1",   // an address as a user's name
            "127.0.0.1/192.0.2.1",   // a path
            "127.0.0.1\\@192.0.2.1", // what some read as a path
            "127.0.0.1#192.0.2.1",   // a fragment
            "127.0.0.1 192.0.2.1",   // two
            "127.0.0.1\r\nx: y",     // a line of a request
            "127.0.0.1\0.192.0.2.1", // what a C string ends at
            "lоcalhost",             // a letter of another alphabet
            &long,                   // longer than any name
        ] {
            let refused = AllowedHosts::default().resolve(host, 80).unwrap_err();
            assert!(refused.to_string().contains("is not a host"), "{refused}");
            assert!(chosen(&AllowedHosts::default(), host, &["127.0.0.1:80"]).is_err());
        }
        // A host, which leads nowhere.
        let nowhere = chosen(&AllowedHosts::default(), "a.test", &[]).unwrap_err();
        assert_eq!(nowhere.exit_code(), 3);
    }

    #[test]
    fn the_resolver_is_asked_and_its_answer_checked() {
        let nobody = AllowedHosts::default();
        for (text, address) in [
            ("127.0.0.1:80", "127.0.0.1:80"),
            ("[::1]:80", "[::1]:80"),
            ("localhost:0", "127.0.0.1:0"),
            // without a host
            (":9000", "127.0.0.1:9000"),
            // what inet_aton(3) reads
            ("2130706433:80", "127.0.0.1:80"),
            ("0177.0.0.1:80", "127.0.0.1:80"),
            ("0x7f.1:80", "127.0.0.1:80"),
        ] {
            assert_eq!(nobody.resolve_text(text).unwrap(), address.parse().unwrap());
        }
        for text in ["", "80", "localhost", "localhost:http", "127.0.0.1:65536"] {
            let told = nobody.resolve_text(text).unwrap_err().to_string();
            assert!(told.contains("is not an address"), "{told}");
        }
        for text in ["0.0.0.0:80", "192.0.2.1:80", "[::]:80", "3221225985:80"] {
            let told = nobody.resolve_text(text).unwrap_err().to_string();
            assert!(told.contains("allow it with --allow-host"), "{told}");
        }
    }
}
