//! Which HTTP requests a fault meets.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::model::secret;

/// What a fault looks at to know whether a request is meant.
#[derive(Debug, Clone, Copy)]
pub struct RequestView<'a> {
    /// The method, as sent.
    pub method: &'a str,
    /// The target, as sent; a query may follow.
    pub target: &'a str,
    /// Names and values.
    pub headers: &'a [(&'a str, &'a [u8])],
}

/// Which requests are meant: those that fit everything that is given.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct HttpMatch {
    /// The method, in any case.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    /// The beginning of the path, or, where it holds a `*` (any text), the whole path.
    /// The query is not looked at.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// A header that the request has: `name`, or `name: value`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub header: Option<String>,
    /// Only the first so many requests that fit.
    #[schemars(range(min = 1))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub count: Option<u64>,
}

impl HttpMatch {
    /// Whether the request fits, whatever the count.
    pub fn fits(&self, request: &RequestView<'_>) -> bool {
        let method = self.method.as_deref();
        let path = request.target.split('?').next().unwrap_or_default();
        method.is_none_or(|method| method.eq_ignore_ascii_case(request.method))
            && self
                .path
                .as_deref()
                .is_none_or(|wanted| path_fits(wanted, path))
            && self
                .header
                .as_deref()
                .is_none_or(|wanted| header_fits(wanted, request.headers))
    }

    /// What is given, in words.
    pub(in crate::model::fault) fn told(&self) -> Vec<String> {
        let count = self.count.map(|count| format!("count {count}"));
        let texts = [
            ("header", &self.header),
            ("method", &self.method),
            ("path", &self.path),
        ];
        let texts = texts.into_iter().filter_map(|(name, text)| {
            let text = text.as_ref()?;
            Some(format!("{name} {text}"))
        });
        count.into_iter().chain(texts).collect()
    }

    /// Leaves out the value of a header that speaks of secrets.
    pub(in crate::model::fault) fn hide_secrets(&mut self) {
        if let Some(header) = &mut self.header
            && let Some((name, value)) = header.split_once(':')
        {
            *header = format!("{name}: {}", secret::shown(name, value.trim()));
        }
    }

    /// Whether the request is meant that is the `index`-th to fit, from 0.
    pub fn counts(&self, index: u64) -> bool {
        self.count.is_none_or(|count| index < count)
    }
}

fn path_fits(wanted: &str, path: &str) -> bool {
    let Some((first, rest)) = wanted.split_once('*') else {
        return path.starts_with(wanted);
    };
    let Some(mut path) = path.strip_prefix(first) else {
        return false;
    };
    // Between two stars the earliest place will do; after the last one the end must fit.
    let mut parts: Vec<&str> = rest.split('*').collect();
    let last = parts.pop().unwrap_or_default();
    for part in parts {
        match path.find(part) {
            Some(at) => path = &path[at + part.len()..],
            None => return false,
        }
    }
    path.ends_with(last)
}

fn header_fits(wanted: &str, headers: &[(&str, &[u8])]) -> bool {
    let (name, value) = match wanted.split_once(':') {
        Some((name, value)) => (name.trim(), Some(value.trim().as_bytes())),
        None => (wanted.trim(), None),
    };
    headers.iter().any(|(own, has)| {
        own.eq_ignore_ascii_case(name) && value.is_none_or(|value| value == has.trim_ascii())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fits(matching: &HttpMatch) -> bool {
        matching.fits(&RequestView {
            method: "GET",
            target: "/projects/7/tasks?done=true",
            headers: &[("Authorization", b"Bearer x"), ("accept", b"*/*")],
        })
    }

    #[test]
    fn requests_are_matched_by_all_that_is_given() {
        assert!(fits(&HttpMatch::default()));
        let method = |text: &str| HttpMatch {
            method: Some(text.into()),
            ..HttpMatch::default()
        };
        assert!(fits(&method("get")));
        assert!(!fits(&method("POST")));
        for (path, expected) in [
            ("/", true),
            ("/projects", true),
            ("/tasks", false),
            ("/projects/*/tasks", true),
            ("/projects/*", true),
            ("*tasks", true),
            ("/projects/*/tas", false), // with a star the whole path
            ("/*ects/*ks", true),
            ("*done*", false),                  // the query
            ("/projects/7/tasks*tasks", false), // nothing is used twice
        ] {
            let matching = HttpMatch {
                path: Some(path.into()),
                ..HttpMatch::default()
            };
            assert_eq!(fits(&matching), expected, "{path}");
        }
        for (header, expected) in [
            ("authorization", true),
            ("cookie", false),
            ("Accept: */*", true),
            ("accept: text/html", false),
        ] {
            let matching = HttpMatch {
                header: Some(header.into()),
                ..method("GET")
            };
            assert_eq!(fits(&matching), expected, "{header}");
        }
    }

    #[test]
    fn the_first_two() {
        let matching = HttpMatch {
            count: Some(2),
            ..HttpMatch::default()
        };
        let meant: Vec<_> = (0..4).map(|index| matching.counts(index)).collect();
        assert_eq!(meant, [true, true, false, false]);
        assert!(HttpMatch::default().counts(u64::MAX));
    }
}
