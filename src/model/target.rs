//! The user's target: where it serves, and how it is held.
//!
//! Parameters only, with nothing running. What is asked of it is not written
//! into a record, since requests hold secrets.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::{Front, Hook, HostPort, HttpWork, Proxied, Statuses, Url, secret};
use crate::units::Nanos;

/// The user's target.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TargetSpec {
    /// Where it serves, each with its share of the load.
    pub sites: Vec<Site>,
    /// What of it runs here.
    pub origin: Origin,
    /// When it counts as ready, and as back in its steady state.
    pub ready: Option<Ready>,
    /// What the user's own tools can do to it.
    pub hooks: Vec<Hook>,
    /// Proxies in front of it, and of what it depends on.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub proxies: Vec<Proxied>,
    /// What users ask of it. It is not written: requests hold secrets.
    #[serde(skip)]
    pub work: HttpWork,
    /// The scenario's folder, from which relative paths count.
    pub folder: PathBuf,
    /// A file of certificates (PEM) to trust in place of the system's.
    pub ca: Option<PathBuf>,
    /// Requests at a time on a connection of HTTP/2, at most; none: it is loaded over
    /// HTTP/1.1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub streams: Option<u32>,
}

/// One place where a target serves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Site {
    /// Where; the query is not written.
    #[serde(serialize_with = "super::url::without_query")]
    pub url: Url,
    /// Its share of the load is weight / sum of weights.
    pub weight: u32,
}

/// What of a target runs here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// Nothing that is known: it is somewhere, and answers.
    Elsewhere,
    /// A command that a run starts, and ends with its process group.
    Command(Command),
    /// A process that runs already, by its id.
    Process(u32),
    /// A process that runs already, by the port it listens on.
    Port(u16),
}

/// A command that serves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Command {
    /// The program and its arguments; no shell is in between. Secrets among
    /// them are not written.
    #[serde(serialize_with = "secret::words")]
    pub words: Vec<String>,
    /// Variables that are set besides those of threadbare's own environment;
    /// secrets among them are not written.
    #[serde(serialize_with = "secret::map")]
    pub env: BTreeMap<String, String>,
    /// The folder that it runs in.
    pub directory: PathBuf,
    /// How long it may take to end once it was asked to; then it is killed.
    pub stop_within: Nanos,
}

/// How a target is asked whether it serves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ready {
    /// The method.
    pub method: String,
    /// Where. The query is not written.
    #[serde(serialize_with = "super::url::without_query")]
    pub url: Url,
    /// How long a yes may be waited for.
    pub within: Nanos,
    /// Statuses that mean yes; none: any 2xx or 3xx.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expect_status: Option<Statuses>,
}

impl Ready {
    /// The statuses that mean yes, in words.
    pub fn statuses(&self) -> String {
        let stated = self.expect_status.as_ref();
        stated.map_or_else(|| "2xx or 3xx".to_owned(), ToString::to_string)
    }

    /// Whether an answer of this status is a yes.
    pub fn means_yes(&self, status: u16) -> bool {
        match &self.expect_status {
            Some(statuses) => statuses.allow(status),
            None => (200..=399).contains(&status),
        }
    }
}

impl TargetSpec {
    /// Requests at a time on a connection of HTTP/2, where nothing else is said: a third of
    /// what servers allow (100 and more), and enough that a few connections carry a load.
    pub(crate) const STREAMS: u32 = 32;

    /// Whether the ready check is asked over HTTP/2: where the target is loaded over it, and
    /// the check is at one of its sites. Another server is not known to speak it.
    pub(crate) fn ready_over_http2(&self) -> bool {
        let origin = |url: &Url| (url.encrypted, url.host.to_ascii_lowercase(), url.port);
        let ready = self.ready.as_ref().filter(|_| self.streams.is_some());
        ready.is_some_and(|ready| {
            let mut sites = self.sites.iter();
            sites.any(|site| origin(&site.url) == origin(&ready.url))
        })
    }

    /// Who is asked whether it serves: its ready check, or else each of its sites.
    fn asked(&self) -> impl Iterator<Item = &Url> {
        let sites = self.sites.iter().map(|site| &site.url);
        let sites = sites.filter(|_| self.ready.is_none());
        self.ready.iter().map(|ready| &ready.url).chain(sites)
    }

    /// The pause between two questions whether it serves: short on this machine, so that a
    /// run begins at once, and long elsewhere, where each counts in the run's bounds.
    pub(crate) fn asked_every(&self) -> Nanos {
        if self.asked().all(Url::names_loopback) {
            Nanos::from_millis(50)
        } else {
            Nanos::from_secs(1)
        }
    }

    /// Questions a second at most whether it serves.
    pub(crate) fn questions_max(&self) -> f64 {
        self.asked().count() as f64 / self.asked_every().as_secs_f64()
    }

    /// The hook of this name.
    pub fn hook(&self, name: &str) -> Option<&Hook> {
        self.hooks.iter().find(|hook| hook.name == name)
    }

    /// Where it serves, each with its share of the load, 0 to 1.
    pub(crate) fn shares(&self) -> impl Iterator<Item = (&Site, f64)> {
        let whole: u32 = self.sites.iter().map(|site| site.weight).sum();
        let share = move |site: &Site| f64::from(site.weight) / f64::from(whole.max(1));
        self.sites.iter().map(move |site| (site, share(site)))
    }

    /// The proxy in front of it, where there is one.
    pub fn front(&self) -> Option<&Proxied> {
        let mut proxies = self.proxies.iter();
        proxies.find(|proxy| matches!(proxy.front, Front::Target(_)))
    }

    /// Where proxies listen, and where those of dependencies lead.
    pub(crate) fn ends_of_proxies(&self) -> impl Iterator<Item = &HostPort> {
        let ends = self.proxies.iter().map(|proxy| match &proxy.front {
            Front::Target(listen) => [listen.as_ref(), None],
            Front::Dependency { listen, to } => [Some(listen), Some(to)],
        });
        ends.flatten().flatten()
    }

    /// Every URL that a run may send to: where it serves, its ready check, its hooks.
    pub(crate) fn urls(&self) -> impl Iterator<Item = &Url> {
        let calls = self
            .hooks
            .iter()
            .flat_map(|hook| [Some(&hook.call), hook.undo.as_ref()]);
        let requests = calls.flatten().filter_map(|call| match &call.what {
            super::Called::Request { url, .. } => Some(url),
            super::Called::Command(_) => None,
        });
        let sites = self.sites.iter().map(|site| &site.url);
        let ready = self.ready.iter().map(|ready| &ready.url);
        sites.chain(ready).chain(requests)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(site: &str, ready: &str, streams: Option<u32>) -> TargetSpec {
        TargetSpec {
            sites: vec![Site {
                url: site.parse().unwrap(),
                weight: 1,
            }],
            origin: Origin::Elsewhere,
            ready: Some(Ready {
                method: "GET".into(),
                url: ready.parse().unwrap(),
                within: Nanos::from_secs(1),
                expect_status: None,
            }),
            hooks: Vec::new(),
            proxies: Vec::new(),
            work: HttpWork::default(),
            folder: PathBuf::new(),
            ca: None,
            streams,
        }
    }

    #[test]
    fn a_ready_check_speaks_what_users_speak_there_and_http1_elsewhere() {
        let own = "http://Shop.test:8000/orders?key=1";
        for (site, ready, streams, over_http2) in [
            (own, "http://shop.test:8000/health", Some(8), true),
            (own, "http://shop.test:8000/health", None, false),
            // Another server: by its port, its name, its encryption.
            (own, "http://shop.test:8001/health", Some(8), false),
            (own, "http://admin.test:8000/health", Some(8), false),
            (own, "https://shop.test:8000/health", Some(8), false),
            // The port that https has.
            ("https://a.test/", "https://a.test:443/up", Some(8), true),
        ] {
            let spec = spec(site, ready, streams);
            assert_eq!(spec.ready_over_http2(), over_http2, "{ready}: {streams:?}");
        }
    }
}
