//! Redirects that are followed: where an answer leads, and as which request.
//!
//! As `curl -L` does (RFC 9110, section 15.4), and no further than to the origin that
//! was asked: its scheme, host and port were checked and connected to, and no answer
//! may lead a load elsewhere. A redirect that is followed is one more request of its
//! operation. Pure: it reads a field and says what is asked next.

/// The request that a redirect has led to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Redirected {
    /// Path and query.
    pub target: Vec<u8>,
    /// Whether it keeps the method and the body; else it is a GET without one.
    pub keeps: bool,
    /// Redirects that led to it.
    pub hops: u32,
}

/// Why a redirect is not followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotFollowed {
    /// As many were followed as may be.
    TooMany,
    /// It leads to another scheme, host or port.
    Elsewhere,
    /// It does not say where it leads, or in a way that cannot be read.
    Nowhere,
}

impl NotFollowed {
    /// Why, as a clause.
    pub const fn clause(self) -> &'static str {
        match self {
            Self::TooMany => "as many redirects were followed as --follow allows",
            Self::Elsewhere => "it leads to another scheme, host or port, and is not followed",
            Self::Nowhere => "it does not say where it leads",
        }
    }
}

/// The longest path and query that is followed.
const TARGET_MAX: usize = 8 * 1024;

/// What was asked, and how far it may lead.
#[derive(Debug, Clone, Copy)]
pub struct FollowFrom<'a> {
    /// Whether it was encrypted.
    pub encrypted: bool,
    /// Host and port, the port left out where it is the scheme's own.
    pub authority: &'a str,
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

    /// The request that an answer leads to.
    ///
    /// # Errors
    ///
    /// Where it is not followed.
    pub fn follow(&self, status: u16, location: Option<&[u8]>) -> Result<Redirected, NotFollowed> {
        let location = location.ok_or(NotFollowed::Nowhere)?.trim_ascii();
        let target = self.resolve(location)?;
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
        })
    }

    /// Path and query of a reference (RFC 3986, section 5.2), within the same origin.
    fn resolve(&self, location: &[u8]) -> Result<Vec<u8>, NotFollowed> {
        let location = until(location, b'#');
        let rest = match scheme(location) {
            Some((scheme, rest)) => {
                let own: &[u8] = if self.encrypted { b"https" } else { b"http" };
                if !scheme.eq_ignore_ascii_case(own) {
                    return Err(NotFollowed::Elsewhere);
                }
                rest
            }
            None => location,
        };
        let path = match rest.strip_prefix(b"//") {
            Some(rest) => {
                let end = rest.iter().position(|byte| matches!(byte, b'/' | b'?'));
                let (authority, path) = rest.split_at(end.unwrap_or(rest.len()));
                if !self.names(authority) {
                    return Err(NotFollowed::Elsewhere);
                }
                if path.starts_with(b"/") {
                    path.to_vec()
                } else {
                    [b"/", path].concat()
                }
            }
            // A scheme without a host is of another kind: `mailto:`.
            None if rest.len() < location.len() => return Err(NotFollowed::Elsewhere),
            None => self.beside(rest),
        };
        if path.len() > TARGET_MAX {
            return Err(NotFollowed::Nowhere);
        }
        Ok(escaped(&without_dots(&path)))
    }

    /// Whether this is the host and port that was asked.
    fn names(&self, authority: &[u8]) -> bool {
        let default: &[u8] = if self.encrypted { b":443" } else { b":80" };
        let named = authority.strip_suffix(default).unwrap_or(authority);
        let own = self.authority.as_bytes();
        let own = own.strip_suffix(default).unwrap_or(own);
        named.eq_ignore_ascii_case(own)
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

    const FROM: FollowFrom<'_> = FollowFrom {
        encrypted: false,
        authority: "shop.test:8080",
        target: b"/a/b?c=d/e",
        method: "GET",
        kept: true,
        hops: 0,
        most: 1,
    };

    #[test]
    fn a_reference_is_resolved_within_the_origin() {
        // RFC 3986, section 5.4, as far as it has a path; and what leads elsewhere.
        for (location, target) in [
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
            ("x:y", "elsewhere"),
            ("https://shop.test:8080/x", "elsewhere"),
            ("http://shop.test/x", "elsewhere"),
            ("http://user@shop.test:8080/x", "elsewhere"),
            ("//other.test/x", "elsewhere"),
            ("mailto:a@shop.test", "elsewhere"),
        ] {
            let seen = match FROM.follow(302, Some(location.as_bytes())) {
                Ok(next) => String::from_utf8(next.target).unwrap(),
                Err(NotFollowed::Elsewhere) => "elsewhere".into(),
                Err(other) => panic!("{location}: {other:?}"),
            };
            assert_eq!(seen, target, "{location}");
        }
        let secure = FollowFrom {
            encrypted: true,
            authority: "shop.test",
            ..FROM
        };
        let to = |location: &str| secure.follow(302, Some(location.as_bytes()));
        assert!(to("https://shop.test:443/x").is_ok());
        // Never from https to http.
        assert_eq!(to("http://shop.test:443/x"), Err(NotFollowed::Elsewhere));
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
            let asked = FollowFrom { method, ..FROM };
            let next = asked.follow(status, Some(b"/x")).unwrap();
            assert_eq!(next.keeps, keeps, "{status} {method}");
            // What has become a GET stays one.
            let changed = FollowFrom {
                kept: false,
                ..asked
            };
            assert!(!changed.follow(status, Some(b"/x")).unwrap().keeps);
        }
    }

    #[test]
    fn what_is_not_followed_says_why() {
        assert_eq!(FROM.follow(302, None), Err(NotFollowed::Nowhere));
        let last = FollowFrom { hops: 1, ..FROM };
        assert_eq!(last.follow(302, Some(b"/x")), Err(NotFollowed::TooMany));
        let long = [b"/".as_slice(), &[b'x'; TARGET_MAX]].concat();
        assert_eq!(FROM.follow(302, Some(&long)), Err(NotFollowed::Nowhere));
        assert!(FollowFrom::leads(308) && !FollowFrom::leads(304) && !FollowFrom::leads(300));
    }
}
