//! Several proxies by their names, and what a request of the API does to them.
//!
//! What is asked for is done whole or not at all: everything is checked, and every
//! new port taken, before anything that serves is touched.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{Proxy, ProxySpec};
use crate::error::Error;
use crate::model::SourceName;
use crate::model::fault::{FaultError, Mode, ProxyFault};
use crate::net::AllowedHosts;
use crate::record::FailureBook;

/// Proxies at most: each has a thread.
const PROXIES_MAX: usize = 64;

/// What all proxies of a set have in common.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Seed of their shares and jitters.
    pub seed: u64,
    /// Connections of each at a time.
    pub connections_max: u32,
    /// Hosts besides this machine that may be listened on or sent to.
    pub allowed: AllowedHosts,
}

/// A proxy as it is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Draft {
    /// Its name.
    #[serde(default)]
    pub name: String,
    /// Where it listens, `host:port`; without a host on 127.0.0.1, with port 0 on a free one.
    #[serde(default)]
    pub listen: String,
    /// Where connections lead to, `host:port`.
    #[serde(default)]
    pub upstream: String,
    /// Whether it listens.
    #[serde(default = "yes")]
    pub enabled: bool,
    /// What it reads. Ours: Toxiproxy reads bytes only.
    #[serde(default)]
    pub mode: Mode,
}

const fn yes() -> bool {
    true
}

/// Why a request was not carried out, with the status that HTTP has for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The status.
    pub status: u16,
    /// The reason.
    pub sentence: String,
}

impl Refusal {
    pub(super) fn new(status: u16, sentence: impl Into<String>) -> Self {
        Self {
            status,
            sentence: sentence.into(),
        }
    }

    pub(super) fn bad_body(cause: impl std::fmt::Display) -> Self {
        Self::new(400, format!("bad request body: {cause}"))
    }

    fn missing(field: &str) -> Self {
        Self::new(400, format!("missing required field: {field}"))
    }
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        let status = match error.kind() {
            crate::error::Kind::Usage => 400,
            _ => 500,
        };
        Self::new(status, error.to_string())
    }
}

impl From<FaultError> for Refusal {
    fn from(error: FaultError) -> Self {
        match error {
            FaultError::Malformed(cause) => Self::bad_body(cause),
            FaultError::Stream | FaultError::Type => Self::new(400, error.to_string()),
        }
    }
}

type ApiResult<T> = std::result::Result<T, Refusal>;
type Named = BTreeMap<String, Proxy>;

/// A set of proxies.
#[derive(Debug)]
pub struct Proxies {
    settings: Settings,
    named: Mutex<Named>,
    failures: Arc<FailureBook>,
}

impl Proxies {
    /// An empty set.
    pub fn new(settings: Settings) -> Self {
        Self {
            settings,
            named: Mutex::default(),
            failures: Arc::default(),
        }
    }

    /// Why connections of the proxy of this name failed: a line for each cause.
    pub(crate) fn failures(&self, name: &str) -> String {
        self.failures.lines(&SourceName::of_proxy(name))
    }

    /// Creates a proxy, and gives where it listens.
    ///
    /// # Errors
    ///
    /// Where the name is missing or taken, an address is none or not allowed, or the
    /// port is taken.
    pub fn create(&self, draft: &Draft) -> ApiResult<SocketAddr> {
        let mut named = self.named();
        if named.contains_key(&draft.name) {
            return Err(Refusal::new(409, "proxy already exists"));
        }
        if named.len() == PROXIES_MAX {
            return Err(too_many());
        }
        let proxy = self.start(self.spec(draft)?)?;
        let address = proxy.address();
        named.insert(draft.name.clone(), proxy);
        Ok(address)
    }

    /// Looks at every proxy.
    pub fn each(&self, mut look: impl FnMut(&Proxy)) {
        self.named().values().for_each(&mut look);
    }

    /// Does something with the proxy of this name.
    ///
    /// # Errors
    ///
    /// Where there is none, or what is done fails.
    pub fn with<T>(&self, name: &str, act: impl FnOnce(&Proxy) -> ApiResult<T>) -> ApiResult<T> {
        let named = self.named();
        act(named.get(name).ok_or_else(no_proxy)?)
    }

    /// Ends the proxy of this name.
    ///
    /// # Errors
    ///
    /// Where there is none.
    pub fn remove(&self, name: &str) -> ApiResult<()> {
        let removed = self.named().remove(name);
        removed.map(drop).ok_or_else(no_proxy)
    }

    /// Brings every proxy up, and takes every fault out of force.
    ///
    /// # Errors
    ///
    /// Where a port has been taken by another program meanwhile: then nothing has changed.
    pub fn reset(&self) -> ApiResult<()> {
        let named = self.named();
        raise(named.values())?;
        named.values().for_each(Proxy::clear);
        Ok(())
    }

    /// Changes where a proxy listens or leads to, or whether it listens. What is not
    /// given stays; a new address drops its connections, and its faults stay.
    ///
    /// # Errors
    ///
    /// As [`Proxies::create`]; then nothing has changed.
    pub fn update(&self, name: &str, given: &Value) -> ApiResult<()> {
        let mut named = self.named();
        let proxy = named.get(name).ok_or_else(no_proxy)?;
        let mut draft = serde_json::to_value(draft_of(proxy)).unwrap_or_default();
        let Some(given) = given.as_object() else {
            return Err(Refusal::bad_body("it is not a JSON object"));
        };
        for key in ["listen", "upstream", "enabled"] {
            if let Some(value) = given.get(key).filter(|value| !value.is_null()) {
                draft[key] = value.clone();
            }
        }
        let draft: Draft = serde_json::from_value(draft).map_err(Refusal::bad_body)?;
        let spec = self.spec(&draft)?;
        if same_listen(spec.listen, proxy.address()) {
            return adapt(proxy, &spec);
        }
        let moved = self.start(spec)?;
        for fault in proxy.faults() {
            moved.inject(fault)?;
        }
        named.insert(name.to_owned(), moved);
        Ok(())
    }

    /// Creates these proxies, in the place of those of the same names that differ;
    /// those that do not stay as they are. Gives their names.
    ///
    /// # Errors
    ///
    /// As [`Proxies::create`]; then nothing has changed.
    pub fn populate(&self, drafts: &[Draft]) -> ApiResult<Vec<String>> {
        let mut own = self.named();
        let mut names = BTreeSet::new();
        let mut specs = Vec::new();
        for (index, draft) in drafts.iter().enumerate() {
            if draft.name.is_empty() {
                return Err(Refusal::missing(&format!("name at proxy {}", index + 1)));
            }
            if draft.upstream.is_empty() {
                let field = format!("upstream at proxy {}", index + 1);
                return Err(Refusal::missing(&field));
            }
            if !names.insert(&draft.name) {
                let sentence = format!("duplicate proxy name {:?}", draft.name);
                return Err(Refusal::new(400, sentence));
            }
            specs.push(self.spec(draft)?);
        }
        let new = names.iter().filter(|name| !own.contains_key(**name));
        if own.len() + new.count() > PROXIES_MAX {
            return Err(too_many());
        }
        // Those that need a port take it now; where one cannot, those before it are dropped.
        let (adapted, started): (Vec<_>, Vec<_>) = specs.into_iter().partition(|spec| {
            own.get(&spec.name).is_some_and(|proxy| {
                proxy.mode() == spec.mode && same_listen(spec.listen, proxy.address())
            })
        });
        let started = started.into_iter().map(|spec| self.start(spec));
        let started = started.collect::<Result<Vec<Proxy>, Error>>()?;
        let up = adapted.iter().filter(|spec| spec.enabled);
        raise(up.map(|spec| &own[&spec.name]))?;
        for spec in &adapted {
            adapt(&own[&spec.name], spec)?;
        }
        for proxy in started {
            own.insert(proxy.name().to_owned(), proxy);
        }
        Ok(drafts.iter().map(|draft| draft.name.clone()).collect())
    }

    fn start(&self, spec: ProxySpec) -> crate::error::Result<Proxy> {
        Proxy::start_noting(spec, Arc::clone(&self.failures))
    }

    fn spec(&self, draft: &Draft) -> ApiResult<ProxySpec> {
        if draft.name.is_empty() {
            return Err(Refusal::missing("name"));
        }
        if draft.upstream.is_empty() {
            return Err(Refusal::missing("upstream"));
        }
        let allowed = &self.settings.allowed;
        let listen = match draft.listen.as_str() {
            "" => ":0",
            listen => listen,
        };
        Ok(ProxySpec {
            name: draft.name.clone(),
            listen: allowed.resolve_text(listen)?,
            to: allowed.resolve_text(&draft.upstream)?,
            mode: draft.mode,
            seed: self.settings.seed,
            connections_max: self.settings.connections_max,
            enabled: draft.enabled,
        })
    }

    fn named(&self) -> MutexGuard<'_, Named> {
        self.named.lock().expect("no holder of the lock panics")
    }
}

/// Brings all of these up, or none that was down.
fn raise<'a>(proxies: impl Iterator<Item = &'a Proxy>) -> ApiResult<()> {
    let mut raised: Vec<&Proxy> = Vec::new();
    for proxy in proxies.filter(|proxy| !proxy.enabled()) {
        if let Err(cause) = proxy.set_enabled(true) {
            for proxy in raised {
                proxy.set_enabled(false)?;
            }
            return Err(cause.into());
        }
        raised.push(proxy);
    }
    Ok(())
}

/// Where it leads to and whether it listens become what they should be. Up first:
/// that can fail.
fn adapt(proxy: &Proxy, spec: &ProxySpec) -> ApiResult<()> {
    proxy.set_enabled(spec.enabled)?;
    if proxy.upstream() != spec.to {
        proxy.set_upstream(spec.to);
    }
    Ok(())
}

/// Whether a proxy that listens at `own` is where it should listen; any port is a free one.
fn same_listen(wanted: SocketAddr, own: SocketAddr) -> bool {
    wanted == own || wanted.port() == 0 && wanted.ip() == own.ip()
}

fn draft_of(proxy: &Proxy) -> Draft {
    Draft {
        name: proxy.name().to_owned(),
        listen: proxy.address().to_string(),
        upstream: proxy.upstream().to_string(),
        enabled: proxy.enabled(),
        mode: proxy.mode(),
    }
}

/// A proxy as the API shows it.
pub(super) fn shown(proxy: &Proxy) -> Value {
    let mut shown = serde_json::to_value(draft_of(proxy)).unwrap_or_default();
    shown["toxics"] = json!(proxy.faults());
    shown
}

fn no_proxy() -> Refusal {
    Refusal::new(404, "proxy not found")
}

fn too_many() -> Refusal {
    let sentence = format!("there may be at most {PROXIES_MAX} proxies; delete one");
    Refusal::new(400, sentence)
}

/// Adds a fault under a name that is free.
pub(super) fn add_fault(proxy: &Proxy, sent: &Value) -> ApiResult<ProxyFault> {
    let fault = ProxyFault::read(sent)?;
    if find_fault(proxy, &fault.name).is_ok() {
        return Err(Refusal::new(409, "toxic already exists"));
    }
    proxy.inject(fault.clone())?;
    Ok(fault)
}

/// The fault of this name.
pub(super) fn find_fault(proxy: &Proxy, name: &str) -> ApiResult<ProxyFault> {
    let found = proxy.faults().into_iter().find(|fault| fault.name == name);
    found.ok_or_else(|| Refusal::new(404, "toxic not found"))
}

/// Changes a fault's parameters.
pub(super) fn update_fault(proxy: &Proxy, name: &str, sent: &Value) -> ApiResult<ProxyFault> {
    let fault = find_fault(proxy, name)?.updated(sent)?;
    proxy.inject(fault.clone())?;
    Ok(fault)
}

/// Takes a fault away.
pub(super) fn remove_fault(proxy: &Proxy, name: &str) -> ApiResult<()> {
    if proxy.undo(name) {
        return Ok(());
    }
    Err(Refusal::new(404, "toxic not found"))
}
