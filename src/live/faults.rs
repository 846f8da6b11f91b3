//! Faults that the run itself holds: its proxies, and its occupations.
//!
//! They are threads and sockets of this process and so end with it, whatever
//! ends it; that they act is written down all the same, for whoever reads
//! afterwards what a dead run left.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};

use crate::error::{Error, Result};
use crate::model::{Breakage, Front, HostPort, Proxied, ProxyAction, SourceName, TargetSpec};
use crate::plan::Plan;
use crate::proxy::{Occupation, OccupationCounters, Occupier, Proxy, ProxyCounters, ProxySpec};
use crate::record::{Counters, Event, FailureBook, Outcome, Sample};
use crate::sync::lock;
use crate::target::{Addresses, Safeguard, Undo};
use crate::units::{Nanos, counted};

/// Connections that a proxy of a run carries at a time: as many as a load may
/// have. Ours; those past it are told of.
const CONNECTIONS_MAX: u32 = 10_000;

/// The proxies of a run, and what acts by its own doing.
pub(super) struct Faults {
    proxies: Vec<Proxy>,
    /// Of each, whether it stands in front of a dependency.
    dependencies: Vec<bool>,
    /// Where the target is reached through the proxy in front of it.
    front: Option<SocketAddr>,
    /// Where the target is occupied, each with what requests name as host.
    sites: Vec<(SocketAddr, String)>,
    /// When an occupation ends at the latest: with the load.
    end: Nanos,
    /// What acts; none once everything was undone and nothing may act any more.
    acting: Mutex<Option<Vec<Acting>>>,
    safeguard: Arc<dyn Safeguard>,
    failures: Arc<FailureBook>,
}

/// What they begin with.
pub(super) struct FaultsStart<'a> {
    pub plan: &'a Plan,
    pub spec: &'a TargetSpec,
    pub addresses: &'a Addresses,
    pub safeguard: Arc<dyn Safeguard>,
    /// Where connections that fail are noted.
    pub failures: &'a Arc<FailureBook>,
}

/// What acts now.
struct Acting {
    name: String,
    /// The number under which its undo is armed.
    id: u64,
    what: ActingKind,
}

enum ActingKind {
    /// A fault of the proxy of this place.
    Fault(usize),
    /// The proxy of this place is down.
    Down(usize),
    Occupation(Vec<Occupation>),
}

impl Faults {
    /// Starts the proxies, without faults.
    ///
    /// # Errors
    ///
    /// Where one cannot listen.
    pub(super) fn begin(begun: FaultsStart<'_>) -> Result<Self> {
        let FaultsStart {
            plan,
            spec,
            addresses,
            safeguard,
            failures,
        } = begun;
        let sites = spec.sites.iter();
        let sites = sites.filter_map(|site| {
            let address = addresses.get(&site.url)?;
            Some((address, site.url.authority.clone()))
        });
        let sites: Vec<(SocketAddr, String)> = sites.collect();
        let start = |proxied: &Proxied| {
            let admitted = |end: &HostPort| {
                addresses.get_host(&end.host, end.port).ok_or_else(|| {
                    Error::failed(format!(
                        "{end} was not admitted, which is a bug of threadbare"
                    ))
                })
            };
            let (listen, to) = match (&proxied.front, sites.first()) {
                (Front::Dependency { listen, to }, _) => (admitted(listen)?, admitted(to)?),
                (Front::Target(Some(listen)), Some((site, _))) => (admitted(listen)?, *site),
                (Front::Target(None), Some((site, _))) => {
                    (SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), *site)
                }
                (Front::Target(_), None) => {
                    return Err(Error::failed("a target serves nowhere".to_owned()));
                }
            };
            let spec = ProxySpec {
                name: proxied.name.clone(),
                mode: proxied.mode,
                seed: plan.seed,
                connections_max: CONNECTIONS_MAX,
                ..ProxySpec::new(listen, to)
            };
            let proxy = Proxy::start_noting(spec, Arc::clone(failures));
            proxy.map_err(|cause| {
                let sentence = format!("the proxy `{}`: {cause}", proxied.name);
                Error::new(cause.kind(), sentence)
            })
        };
        let proxies = spec.proxies.iter().map(start);
        let proxies: Vec<Proxy> = proxies.collect::<Result<_>>()?;
        let behind = |it: &Proxied| matches!(it.front, Front::Dependency { .. });
        let front = spec.front().and_then(|front| {
            let mut proxies = proxies.iter();
            proxies.find(|proxy| proxy.name() == front.name)
        });
        Ok(Self {
            front: front.map(Proxy::address),
            proxies,
            dependencies: spec.proxies.iter().map(behind).collect(),
            sites,
            end: plan.end,
            acting: Mutex::new(Some(Vec::new())),
            safeguard,
            failures: Arc::clone(failures),
        })
    }

    /// Where the target is reached through the proxy in front of it, if there is one.
    pub(super) const fn front(&self) -> Option<SocketAddr> {
        self.front
    }

    /// Brings a fault or an occupation, or undoes one.
    pub(super) fn act(&self, now: Nanos, action: &ProxyAction) -> Outcome {
        Outcome::from(match action {
            ProxyAction::Fault {
                proxy,
                name,
                breakage,
            } => self.fault(proxy, name, breakage),
            ProxyAction::Occupy {
                name,
                hold,
                path,
                connections,
                every,
            } => self.occupy(name, |target, host| Occupier {
                target,
                host: host.to_owned(),
                hold: *hold,
                path: path.clone(),
                connections: *connections,
                every: *every,
                duration: self.end.saturating_sub(now).max(Nanos(1)),
            }),
            ProxyAction::Undo { name } => return self.undo_one(name),
        })
    }

    fn fault(&self, proxy: &str, name: &str, breakage: &Breakage) -> Result<String> {
        let place = self.proxies.iter().position(|it| it.name() == proxy);
        let place = place.ok_or_else(|| Error::failed(format!("there is no proxy `{proxy}`")))?;
        let what = match breakage {
            Breakage::Down => ActingKind::Down(place),
            Breakage::Fault(_) => ActingKind::Fault(place),
        };
        let words = format!("remove `{name}` from the proxy `{proxy}`");
        self.bring(name, &words, || {
            match breakage {
                Breakage::Down => self.proxies[place].set_enabled(false)?,
                Breakage::Fault(fault) => self.proxies[place].inject(fault.clone())?,
            }
            Ok(what)
        })
    }

    fn occupy(
        &self,
        name: &str,
        occupier: impl Fn(SocketAddr, &str) -> Occupier,
    ) -> Result<String> {
        self.bring(name, &format!("end the occupation `{name}`"), || {
            let sites = self.sites.iter();
            let begun = sites.map(|(target, host)| {
                let source = SourceName::of_occupation(name);
                Occupation::start_noting(occupier(*target, host), source, self.failures.clone())
            });
            begun.collect::<Result<_>>().map(ActingKind::Occupation)
        })
    }

    /// Arms what ends it, and then lets it act; one of the same name ends.
    fn bring(
        &self,
        name: &str,
        undo: &str,
        act: impl FnOnce() -> Result<ActingKind>,
    ) -> Result<String> {
        let mut acting = lock(&self.acting);
        let acting = acting.as_mut().ok_or_else(ended)?;
        let id = self.safeguard.arm(Undo::WithTheRun(undo.to_owned()))?;
        match act() {
            Ok(what) => {
                // Of one name is one kind (the scenario is held to that). A proxy has put
                // the new fault in the place of the old one; an occupation ends once its
                // successor holds, so that there is no gap between them.
                if let Some(old) = take(acting, name) {
                    if let ActingKind::Occupation(_) = old.what {
                        self.end(&old)?;
                    }
                    let detail = "replaced by a later one".to_owned();
                    self.safeguard.settle(old.id, &Outcome::Applied { detail });
                }
                let name = name.to_owned();
                acting.push(Acting { name, id, what });
                // The action itself says what it is.
                Ok(String::new())
            }
            Err(cause) => {
                let detail = "it was never active".to_owned();
                self.safeguard.settle(id, &Outcome::Applied { detail });
                Err(cause)
            }
        }
    }

    fn undo_one(&self, name: &str) -> Outcome {
        let mut acting = lock(&self.acting);
        let Some(acting) = acting.as_mut() else {
            return Outcome::from(Err(ended()));
        };
        let Some(one) = take(acting, name) else {
            let sentence = format!("`{name}` is not active, so there is nothing to undo");
            return Outcome::from(Err(sentence));
        };
        let outcome = Outcome::from(self.end(&one));
        self.safeguard.settle(one.id, &outcome);
        if matches!(outcome, Outcome::Failed { .. }) {
            // It acts still, and is undone at the end.
            acting.push(one);
        }
        outcome
    }

    /// Ends one; what it did.
    fn end(&self, one: &Acting) -> Result<String> {
        match &one.what {
            ActingKind::Down(place) => {
                self.proxies[*place].set_enabled(true)?;
                Ok("it listens again".into())
            }
            ActingKind::Fault(place) => {
                let proxy = &self.proxies[*place];
                let faults = proxy.faults();
                let fault = faults.iter().find(|fault| fault.name == one.name);
                let requests = fault.is_some_and(|it| it.effect.matching().is_some());
                let of = if requests { "requests" } else { "connections" };
                let counters = proxy.counters();
                proxy.undo(&one.name);
                let met = counters.faults.iter().find(|(name, _)| **name == one.name);
                Ok(met.map_or_else(String::new, |(_, it)| {
                    format!("it affected {} of {} {of}", it.met, it.seen)
                }))
            }
            ActingKind::Occupation(occupations) => {
                let mut sum = OccupationCounters::default();
                for occupation in occupations {
                    let held = occupation.counters().held;
                    let told = occupation.undo();
                    sum.held += held;
                    sum.opened += told.opened;
                    sum.unreachable += told.unreachable;
                    sum.lost += told.lost;
                    sum.answered += told.answered;
                }
                let held = counted(sum.held, "connection");
                Ok(format!("holding {held} at the end; {sum}"))
            }
        }
    }

    /// Undoes everything that acts, the last first; the result of each. From then on
    /// nothing acts any more.
    pub(super) fn undo(&self, tell: &mut dyn FnMut(Event)) {
        let acting = lock(&self.acting).take().unwrap_or_default();
        for one in acting.iter().rev() {
            let undo = format!("undo `{}`", one.name);
            let outcome = Outcome::from(self.end(one));
            self.safeguard.settle(one.id, &outcome);
            tell(Event::Undone { undo, outcome });
        }
    }

    /// What the proxies in front of dependencies saw of them in an interval.
    pub(super) fn sample(&self, from: Nanos, to: Nanos) -> Vec<Sample> {
        let proxies = self.proxies.iter().zip(&self.dependencies);
        let behind = proxies.filter(|(_, dependency)| **dependency);
        let samples = behind.map(|(proxy, _)| Sample {
            from,
            to,
            source: SourceName::of_proxy(proxy.name()),
            counters: Counters::Dependency(proxy.exchanges()),
            histograms: Vec::new(),
        });
        samples.collect()
    }

    /// What a reader of the figures must know of the proxies, once the load has ended.
    pub(super) fn warnings(&self) -> Vec<Event> {
        let proxies = self.proxies.iter();
        let warnings = proxies.flat_map(|proxy| {
            let upstream = proxy.upstream().to_string();
            warnings_of(proxy.name(), &upstream, &proxy.counters())
        });
        warnings.map(|text| Event::Warning { text }).collect()
    }
}

/// What a proxy did of which its clients saw something that was not the target's.
fn warnings_of(name: &str, upstream: &str, counters: &ProxyCounters) -> Vec<String> {
    let refused = format!(
        "The proxy `{name}` closed {} beyond its limit of {CONNECTIONS_MAX}: what those clients \
         saw was caused by the proxy.",
        counted(counters.refused, "connection")
    );
    let unreachable = format!(
        "The proxy `{name}` could not reach {upstream} for {}.",
        counted(counters.unreachable, "connection")
    );
    let malformed = format!(
        "The proxy `{name}` could not read {} as HTTP/1.1: the statuses 400, 431 and 502 that \
         those clients got, or the end of the answer, came from the proxy.",
        counted(counters.malformed, "message")
    );
    let all = [
        (counters.refused, refused),
        (counters.unreachable, unreachable),
        (counters.malformed, malformed),
    ];
    let met = all.into_iter().filter(|(count, _)| *count > 0);
    met.map(|(_, text)| text).collect()
}

fn ended() -> Error {
    Error::failed("the run is being ended")
}

fn take(acting: &mut Vec<Acting>, name: &str) -> Option<Acting> {
    let place = acting.iter().position(|one| one.name == name)?;
    Some(acting.remove(place))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_proxy_answered_itself_is_warned_of() {
        let none = ProxyCounters::default();
        assert!(warnings_of("p", "127.0.0.1:1", &none).is_empty());
        let counters = ProxyCounters {
            unreachable: 1,
            malformed: 2,
            ..none
        };
        let told = warnings_of("p", "127.0.0.1:1", &counters);
        assert_eq!(told.len(), 2, "{told:?}");
        assert!(told[0].contains("could not reach 127.0.0.1:1 for 1 connection."));
        assert!(told[1].contains("could not read 2 messages as HTTP/1.1"));
    }
}
