//! The cookies of one operation: what its answers set, its later requests send.
//!
//! As a browser would on one host (RFC 6265), without what needs more than one:
//! domains are not compared, since only those of the operation's own host are kept and
//! sent, and every cookie ends with its operation.

/// A cookie that was set.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Cookie {
    name: Vec<u8>,
    value: Vec<u8>,
    /// The paths that it is sent to begin with this.
    path: Vec<u8>,
    /// Whether it is sent encrypted only.
    secure: bool,
}

/// The cookies of an operation.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Cookies(Vec<Cookie>);

/// Cookies of an operation at most: as many as browsers keep of one host.
const COOKIES_MAX: usize = 180;
/// Bytes of a cookie at most: as browsers have it.
const COOKIE_MAX: usize = 4096;

impl Cookies {
    /// None.
    pub const NONE: Self = Self(Vec::new());

    /// Takes the value of a `Set-Cookie` field, which came encrypted or not; one that is no
    /// cookie is passed over.
    pub fn set(&mut self, field: &[u8], encrypted: bool) {
        let mut parts = field.split(|byte| *byte == b';').map(<[u8]>::trim_ascii);
        let pair = parts.next().unwrap_or_default();
        let Some((name, value)) = split(pair, b'=') else {
            return;
        };
        if name.is_empty() || pair.len() > COOKIE_MAX || pair.iter().any(u8::is_ascii_control) {
            return;
        }
        let mut path = b"/".to_vec();
        let (mut ended, mut secure) = (false, false);
        for attribute in parts {
            let (key, value) = split(attribute, b'=').unwrap_or((attribute, b""));
            if key.eq_ignore_ascii_case(b"path") && value.starts_with(b"/") {
                path = value.to_vec();
            } else if key.eq_ignore_ascii_case(b"max-age") {
                ended = value == b"0" || value.starts_with(b"-");
            } else if key.eq_ignore_ascii_case(b"secure") {
                // Over http it could never be sent back, and is taken as if it had not said so.
                secure = encrypted;
            }
        }
        self.0
            .retain(|cookie| cookie.name != name || cookie.path != path);
        if !ended && self.0.len() < COOKIES_MAX {
            self.0.push(Cookie {
                name: name.to_vec(),
                value: value.to_vec(),
                path,
                secure,
            });
        }
    }

    /// Whether none was set.
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The value of the `Cookie` field of a request for a path, which is encrypted or not;
    /// empty where it has none.
    pub fn field(&self, path: &[u8], encrypted: bool) -> Vec<u8> {
        let path = path.split(|byte| *byte == b'?').next().unwrap_or_default();
        let fits = |cookie: &&Cookie| within(path, &cookie.path) && (encrypted || !cookie.secure);
        let sent = self.0.iter().filter(fits);
        let pairs = sent.map(|cookie| [&cookie.name, b"=".as_slice(), &cookie.value].concat());
        pairs.collect::<Vec<_>>().join(b"; ".as_slice())
    }
}

fn split(bytes: &[u8], at: u8) -> Option<(&[u8], &[u8])> {
    let place = bytes.iter().position(|byte| *byte == at)?;
    Some((bytes[..place].trim_ascii(), bytes[place + 1..].trim_ascii()))
}

/// Whether a path lies within another (RFC 6265, section 5.1.4).
fn within(path: &[u8], within: &[u8]) -> bool {
    path.strip_prefix(within)
        .is_some_and(|rest| rest.is_empty() || within.ends_with(b"/") || rest.starts_with(b"/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(fields: &[&str], path: &str) -> String {
        let mut cookies = Cookies::default();
        for field in fields {
            cookies.set(field.as_bytes(), false);
        }
        String::from_utf8(cookies.field(path.as_bytes(), false)).unwrap()
    }

    #[test]
    fn what_is_set_is_sent_where_it_belongs() {
        for (fields, path, expected) in [
            (
                &["sid=abc123; Path=/; HttpOnly", "theme=dark; Path=/"][..],
                "/x",
                "sid=abc123; theme=dark",
            ),
            // the last one of a name and a path
            (&["sid=1", "sid=2"], "/", "sid=2"),
            // paths, with their query left out
            (
                &["a=1; path=/shop", "b=2; path=/"],
                "/shop/cart?x=1",
                "a=1; b=2",
            ),
            (&["a=1; path=/shop", "b=2; path=/"], "/shopping", "b=2"),
            // ended at once
            (&["sid=1", "sid=; Max-Age=0"], "/", ""),
            (&["sid=1", "sid=x; max-age=-1"], "/", ""),
            // quoted values are sent as they came
            (&["q=\"a b\""], "/", "q=\"a b\""),
            // no cookies
            (&["", "=x", "word", "a\u{7}=1"], "/", ""),
        ] {
            assert_eq!(sent(fields, path), expected, "{fields:?} {path}");
        }
    }

    #[test]
    fn what_came_encrypted_and_is_secure_is_never_sent_plain() {
        for (encrypted, plain) in [(true, "b=2"), (false, "a=1; b=2")] {
            let mut cookies = Cookies::default();
            cookies.set(b"a=1; Secure", encrypted);
            cookies.set(b"b=2", encrypted);
            assert_eq!(cookies.field(b"/", false), plain.as_bytes());
            assert_eq!(cookies.field(b"/", true), b"a=1; b=2");
        }
    }

    #[test]
    fn there_is_an_end_to_cookies() {
        let many: Vec<String> = (0..500).map(|number| format!("c{number}=1")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        assert_eq!(sent(&many, "/").split("; ").count(), COOKIES_MAX);
        assert_eq!(sent(&[&"x=".repeat(COOKIE_MAX)], "/"), "");
    }
}
