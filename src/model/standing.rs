//! What a request is to an instance that cannot serve everyone.
//!
//! A first try is somebody's only chance; a retry or a hedge had one, and a probe
//! is nobody's intent. Who asks is not known here: a probe is told by its path,
//! so that any load generator's probes are known, and a retry by a header.

/// The header that tells which attempt it is: `first`, `retry` or `hedge`.
pub(crate) const ATTEMPT_HEADER: &str = "x-attempt";

/// The word of a first try in that header.
pub(crate) const FIRST_TRY: &str = "first";

/// What a request is, to whoever has to choose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// The first try of a step.
    FirstTry,
    /// A retry, or a hedge.
    Again,
    /// A probe.
    Probe,
}

impl Standing {
    /// That of a request that is no probe and came with this header, or without.
    pub fn of_attempt(header: Option<&[u8]>) -> Self {
        match header {
            None => Self::FirstTry,
            Some(word) if word == FIRST_TRY.as_bytes() => Self::FirstTry,
            Some(_) => Self::Again,
        }
    }
}

/// How far a probe reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Probed {
    /// A worker answers, and that is all.
    Shallow,
    /// The authorization and the database answer too.
    Deep,
}

/// Whether a target is that of the fleet's own deep probe, and no more.
pub(crate) fn is_deep(target: &str) -> bool {
    target == "/readyz?deep=true"
}

impl Probed {
    /// What a GET of this path probes; none where it is no probe.
    pub(crate) fn by(path: &str, query: Option<&str>) -> Option<Self> {
        let deep = query.is_some_and(|query| query.split('&').any(|pair| pair == "deep=true"));
        match path {
            "/readyz" if deep => Some(Self::Deep),
            "/readyz" | "/healthz" => Some(Self::Shallow),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn probes_are_known_by_their_path() {
        for (path, query, expected) in [
            ("/readyz", None, Some(Probed::Shallow)),
            ("/readyz", Some("deep=false"), Some(Probed::Shallow)),
            ("/readyz", Some("x=1&deep=true"), Some(Probed::Deep)),
            ("/healthz", Some("deep=true"), Some(Probed::Shallow)),
            ("/readyzz", None, None),
            ("/projects/1/tasks", Some("deep=true"), None),
        ] {
            assert_eq!(Probed::by(path, query), expected, "{path} {query:?}");
        }
    }

    #[test]
    fn whatever_is_no_first_try_is_one_more() {
        for (header, expected) in [
            (None, Standing::FirstTry), // a generator that tells nothing
            (Some(&b"first"[..]), Standing::FirstTry),
            (Some(&b"retry"[..]), Standing::Again),
            (Some(&b"hedge"[..]), Standing::Again),
        ] {
            assert_eq!(Standing::of_attempt(header), expected);
        }
    }
}
