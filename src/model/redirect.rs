//! Redirects that are followed: where an answer leads, and as which request.
//!
//! As `curl -L` does (RFC 9110, section 15.4), with two exceptions: never from https to
//! http, and to another host only where it is allowed and was looked up before the load.
//! A redirect that is followed is one more request of its operation. Pure: it reads a
//! field and says what is asked next.

use core::net::SocketAddr;
use std::sync::Arc;

/// Scheme, host and port.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct HttpOrigin {
    /// Whether it is https.
    pub encrypted: bool,
    /// Host and port as a `host` field names them: without the port that is the scheme's own.
    pub authority: String,
    /// The host, without the brackets of an IPv6 address.
    pub host: String,
    /// The port.
    pub port: u16,
}

impl HttpOrigin {
    /// The one of this host and port; none where they are not a host with or without a
    /// port, or name a user.
    pub fn named(encrypted: bool, authority: &str) -> Option<Self> {
        let fits = |byte: u8| byte.is_ascii_graphic() && !b"@\\\"'<>".contains(&byte);
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) if !port.contains(']') => (host, port),
            _ => (authority, ""),
        };
        let own_port = if encrypted { 443 } else { 80 };
        let port: u16 = match port {
            "" => own_port,
            port => port.parse().ok().filter(|port| *port > 0)?,
        };
        let bare = match host.strip_prefix('[') {
            Some(rest) => rest.strip_suffix(']')?,
            None if host.contains(':') => return None,
            None => host,
        };
        let whole = !bare.is_empty() && host.bytes().all(fits);
        whole.then(|| Self {
            encrypted,
            authority: if port == own_port {
                host.to_owned()
            } else {
                format!("{host}:{port}")
            },
            host: bare.to_owned(),
            port,
        })
    }

    /// Whether it is the same.
    pub fn is(&self, other: &Self) -> bool {
        self.encrypted == other.encrypted && self.authority.eq_ignore_ascii_case(&other.authority)
    }
}

/// Another origin than an operation's own, at the address that was found for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Elsewhere {
    /// Which.
    pub origin: HttpOrigin,
    /// Where that is.
    pub address: SocketAddr,
}

/// The request that a redirect has led to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Redirected {
    /// Path and query.
    pub target: Vec<u8>,
    /// Whether it keeps the method and the body; else it is a GET without one.
    pub keeps: bool,
    /// Redirects that led to it.
    pub hops: u32,
    /// Where it is made, if not where the operation began.
    pub elsewhere: Option<Arc<Elsewhere>>,
}

/// Why a redirect is not followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotFollowed {
    /// As many were followed as may be.
    TooMany,
    /// It leads to a host that is not this machine, and that nobody allowed.
    NotAllowed,
    /// It leads to a host that was not found when the load began.
    NotFound,
    /// It leads to another scheme, host or port, which this protocol or socket does not.
    OneOrigin,
    /// It leads from https to http.
    Downgrade,
    /// It leads to neither http nor https, or names a user.
    NotHttp,
    /// It does not say where it leads, or in a way that cannot be read.
    Nowhere,
}

impl NotFollowed {
    /// Why, as a clause.
    pub const fn clause(self) -> &'static str {
        match self {
            Self::TooMany => "as many redirects were followed as --follow allows",
            Self::NotAllowed => "it leads to a host that is not allowed",
            Self::NotFound => "it leads to a host that was not found when the load began",
            Self::OneOrigin => {
                "it leads to another scheme, host or port, and is not followed over HTTP/2 or a \
                 Unix socket"
            }
            Self::Downgrade => "it leads from https to http, and is not followed",
            Self::NotHttp => "it leads to neither http nor https, or names a user",
            Self::Nowhere => "it does not say where it leads",
        }
    }
}

/// The longest path and query that is followed.
const TARGET_MAX: usize = 8 * 1024;

/// What was asked, and how far it may lead.
#[derive(Debug, Clone, Copy)]
pub struct FollowFrom<'a> {
    /// Where.
    pub origin: &'a HttpOrigin,
    /// The same, if that is not where the operation began.
    pub elsewhere: Option<&'a Arc<Elsewhere>>,
    /// Path and query.
    pub target: &'a [u8],
    /// The method.
    pub method: &'a str,
    /// Whether an earlier redirect made it a GET.
    pub kept: bool,
    /// Redirects that led to it.
    pub hops: u32,
    /// Redirects that may be followed.
    pub most: u32,
}

impl FollowFrom<'_> {
    /// Whether an answer of this status leads elsewhere (RFC 9110, section 15.4).
    pub const fn leads(status: u16) -> bool {
        matches!(status, 301 | 302 | 303 | 307 | 308)
    }

    /// The request that an answer leads to. `admit` finds another origin: none where that
    /// is the operation's own again.
    ///
    /// # Errors
    ///
    /// Where it is not followed.
    pub fn follow(
        &self,
        status: u16,
        location: Option<&[u8]>,
        admit: impl FnOnce(HttpOrigin) -> Result<Option<Arc<Elsewhere>>, NotFollowed>,
    ) -> Result<Redirected, NotFollowed> {
        let location = location.ok_or(NotFollowed::Nowhere)?.trim_ascii();
        let (origin, target) = self.resolve(location)?;
        if self.hops >= self.most {
            return Err(NotFollowed::TooMany);
        }
        let keeps = match (status, self.method) {
            (307 | 308, _) => true,
            (303, method) => matches!(method, "GET" | "HEAD"),
            // What browsers made of it, and RFC 9110 allows.
            (_, method) => method != "POST",
        };
        Ok(Redirected {
            target,
            keeps: keeps && self.kept,
            hops: self.hops + 1,
            elsewhere: match origin {
                None => self.elsewhere.cloned(),
                Some(origin) => admit(origin)?,
            },
        })
    }

    /// Another origin, if it leads to one, and path and query of a reference (RFC 3986,
    /// section 5.2).
    fn resolve(&self, location: &[u8]) -> Result<(Option<HttpOrigin>, Vec<u8>), NotFollowed> {
        let location = until(location, b'#');
        let (encrypted, rest) = match scheme(location) {
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case(b"https") => (true, rest),
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case(b"http") => (false, rest),
            Some(_) => return Err(NotFollowed::NotHttp),
            None => (self.origin.encrypted, location),
        };
        let (origin, path) = match rest.strip_prefix(b"//") {
            Some(rest) => {
                let (authority, path) = split_authority(rest);
                let origin = std::str::from_utf8(authority).ok();
                let origin = origin.and_then(|it| HttpOrigin::named(encrypted, it));
                let origin = origin.ok_or(NotFollowed::NotHttp)?;
                let path = if path.starts_with(b"/") {
                    path.to_vec()
                } else {
                    [b"/", path].concat()
                };
                (Some(origin), path)
            }
            // A scheme without a host.
            None if rest.len() < location.len() => return Err(NotFollowed::NotHttp),
            None => (None, self.beside(rest)),
        };
        if self.origin.encrypted && !encrypted {
            return Err(NotFollowed::Downgrade);
        }
        if path.len() > TARGET_MAX {
            return Err(NotFollowed::Nowhere);
        }
        let origin = origin.filter(|origin| !origin.is(self.origin));
        Ok((origin, escaped(&without_dots(&path))))
    }

    /// A reference without scheme and host, seen from what was asked.
    fn beside(&self, reference: &[u8]) -> Vec<u8> {
        let path = until(self.target, b'?');
        match reference.first() {
            None => self.target.to_vec(),
            Some(b'/') => reference.to_vec(),
            Some(b'?') => [path, reference].concat(),
            Some(_) => {
                let folder = path.iter().rposition(|byte| *byte == b'/');
                let folder = &path[..folder.map_or(0, |slash| slash + 1)];
                [folder, reference].concat()
            }
        }
    }
}

/// The host that a reference names, where it does.
pub fn host_of(location: &[u8]) -> Option<String> {
    let location = location.trim_ascii();
    let rest = scheme(location).map_or(location, |(_, rest)| rest);
    let (authority, _) = split_authority(rest.strip_prefix(b"//")?);
    let authority = std::str::from_utf8(authority).ok()?;
    Some(HttpOrigin::named(false, authority)?.host)
}

/// Host and port, and the path and query after them.
fn split_authority(rest: &[u8]) -> (&[u8], &[u8]) {
    let end = rest.iter().position(|byte| b"/?#".contains(byte));
    rest.split_at(end.unwrap_or(rest.len()))
}

/// What stands before the first such byte.
fn until(text: &[u8], byte: u8) -> &[u8] {
    let end = text.iter().position(|it| *it == byte);
    &text[..end.unwrap_or(text.len())]
}

/// A scheme and what follows its colon.
fn scheme(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let colon = text.iter().position(|byte| *byte == b':')?;
    let (scheme, rest) = (&text[..colon], &text[colon + 1..]);
    let letters = scheme
        .iter()
        .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.'));
    (letters && scheme.first()?.is_ascii_alphabetic()).then_some((scheme, rest))
}

/// A path without the segments `.` and `..` (RFC 3986, section 5.2.4); its query stays.
fn without_dots(target: &[u8]) -> Vec<u8> {
    let path = until(target, b'?');
    let query = &target[path.len()..];
    let mut kept: Vec<&[u8]> = Vec::new();
    let mut segments = path.split(|byte| *byte == b'/').skip(1).peekable();
    while let Some(segment) = segments.next() {
        let last = segments.peek().is_none();
        match segment {
            b"." | b".." => {
                if segment == b".." {
                    kept.pop();
                }
                if last {
                    kept.push(b"");
                }
            }
            segment => kept.push(segment),
        }
    }
    let mut plain = Vec::with_capacity(target.len() + 1);
    for segment in &kept {
        plain.push(b'/');
        plain.extend_from_slice(segment);
    }
    if plain.is_empty() {
        plain.push(b'/');
    }
    plain.extend_from_slice(query);
    plain
}

/// The same with what a request line cannot hold escaped.
fn escaped(target: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(target.len());
    for byte in target {
        if byte.is_ascii_graphic() {
            bytes.push(*byte);
        } else {
            bytes.extend_from_slice(format!("%{byte:02X}").as_bytes());
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shop() -> HttpOrigin {
        HttpOrigin::named(false, "shop.test:8080").unwrap()
    }

    const fn from(origin: &HttpOrigin) -> FollowFrom<'_> {
        FollowFrom {
            origin,
            elsewhere: None,
            target: b"/a/b?c=d/e",
            method: "GET",
            kept: true,
            hops: 0,
            most: 1,
        }
    }

    /// Everything is allowed, and at one address.
    fn anywhere(origin: HttpOrigin) -> Arc<Elsewhere> {
        let address = SocketAddr::from(([127, 0, 0, 1], origin.port));
        Arc::new(Elsewhere { origin, address })
    }

    fn follow(
        asked: &FollowFrom<'_>,
        status: u16,
        location: Option<&str>,
    ) -> Result<Redirected, NotFollowed> {
        let location = location.map(str::as_bytes);
        asked.follow(status, location, |origin| Ok(Some(anywhere(origin))))
    }

    /// Where it leads: the origin, if that is another, and the target; or why it does not.
    fn led(asked: &FollowFrom<'_>, location: &str) -> String {
        match follow(asked, 302, Some(location)) {
            Ok(next) => {
                let target = String::from_utf8(next.target).unwrap();
                let elsewhere = next.elsewhere.map_or_else(String::new, |it| {
                    let scheme = if it.origin.encrypted { "https" } else { "http" };
                    format!("{scheme}://{}", it.origin.authority)
                });
                format!("{elsewhere}{target}")
            }
            Err(why) => format!("{why:?}"),
        }
    }

    #[test]
    fn a_reference_is_resolved_from_where_it_was_met() {
        let shop = shop();
        for (location, target) in [
            // RFC 3986, section 5.4, as far as it has a path
            ("/x", "/x"),
            ("x", "/a/x"),
            ("./x", "/a/x"),
            ("../x", "/x"),
            ("../../x", "/x"),
            (".", "/a/"),
            ("..", "/"),
            ("x/../y?q=../z#f", "/a/y?q=../z"),
            ("?q", "/a/b?q"),
            ("", "/a/b?c=d/e"),
            ("#f", "/a/b?c=d/e"),
            ("/a b/\u{e4}", "/a%20b/%C3%A4"),
            ("http://shop.test:8080", "/"),
            ("HTTP://SHOP.test:8080?q", "/?q"),
            ("//shop.test:8080/x", "/x"),
            // another origin
            ("https://shop.test:8080/x", "https://shop.test:8080/x"),
            ("https://shop.test/x", "https://shop.test/x"),
            ("https://shop.test:443/x", "https://shop.test/x"),
            ("http://shop.test/x", "http://shop.test/x"),
            ("http://shop.test:/x", "http://shop.test/x"),
            ("//other.test/x", "http://other.test/x"),
            ("//[::1]:81/x", "http://[::1]:81/x"),
            ("//[::1]?x", "http://[::1]/?x"),
            // none that is led to
            ("http://user@shop.test:8080/x", "NotHttp"),
            ("http://shop.test:0/x", "NotHttp"),
            ("http://shop.test:99999/x", "NotHttp"),
            ("http://::1/x", "NotHttp"),
            ("http:///x", "NotHttp"),
            ("http:x", "NotHttp"),
            ("x:y", "NotHttp"),
            ("mailto:a@shop.test", "NotHttp"),
        ] {
            assert_eq!(led(&from(&shop), location), target, "{location}");
        }
        let secure = HttpOrigin::named(true, "shop.test").unwrap();
        assert_eq!(led(&from(&secure), "https://shop.test:443/x"), "/x");
        for location in [
            "http://shop.test/x",
            "http://shop.test:443/x",
            "http://a.test",
        ] {
            assert_eq!(led(&from(&secure), location), "Downgrade", "{location}");
        }
    }

    #[test]
    fn what_is_beside_another_origin_stays_there() {
        let (shop, other) = (shop(), anywhere(HttpOrigin::named(true, "b.test").unwrap()));
        let there = FollowFrom {
            origin: &other.origin,
            elsewhere: Some(&other),
            ..from(&shop)
        };
        assert_eq!(led(&there, "x"), "https://b.test/a/x");
        assert_eq!(led(&there, "//b.test/y"), "https://b.test/y");
        assert_eq!(led(&there, "https://c.test/y"), "https://c.test/y");
    }

    #[test]
    fn the_host_of_a_reference_is_told() {
        for (location, host) in [
            ("http://a.test/x", Some("a.test")),
            (" //a.test:81?x", Some("a.test")),
            ("https://[2001:db8::1]:81/x", Some("2001:db8::1")),
            ("/x", None),
            ("http://u@a.test/", None),
        ] {
            assert_eq!(host_of(location.as_bytes()).as_deref(), host, "{location}");
        }
    }

    #[test]
    fn the_method_is_kept_as_curl_keeps_it() {
        for (status, method, keeps) in [
            (301, "GET", true),
            (301, "POST", false),
            (302, "POST", false),
            (302, "PUT", true),
            (303, "GET", true),
            (303, "HEAD", true),
            (303, "PUT", false),
            (307, "POST", true),
            (308, "POST", true),
        ] {
            let shop = shop();
            let asked = FollowFrom {
                method,
                ..from(&shop)
            };
            let next = follow(&asked, status, Some("/x")).unwrap();
            assert_eq!(next.keeps, keeps, "{status} {method}");
            // What has become a GET stays one.
            let changed = FollowFrom {
                kept: false,
                ..asked
            };
            let next = follow(&changed, status, Some("/x"));
            assert!(!next.unwrap().keeps);
        }
    }

    #[test]
    fn what_is_not_followed_says_why() {
        let shop = shop();
        let first = from(&shop);
        let nowhere = follow(&first, 302, None);
        assert_eq!(nowhere, Err(NotFollowed::Nowhere));
        let last = FollowFrom { hops: 1, ..first };
        assert_eq!(led(&last, "/x"), "TooMany");
        assert_eq!(
            led(&first, &format!("/{}", "x".repeat(TARGET_MAX))),
            "Nowhere"
        );
        let refused = first.follow(302, Some(b"//a.test"), |_| Err(NotFollowed::NotAllowed));
        assert_eq!(refused, Err(NotFollowed::NotAllowed));
        assert!(FollowFrom::leads(308) && !FollowFrom::leads(304) && !FollowFrom::leads(300));
    }
}
