//! What an agent is told to do, and what it tells.
//!
//! A generator gets the plan, its portion and what is asked of whom, and nothing is left to
//! decide: it draws what every other draws and keeps its own. Requests hold secrets, so this
//! goes over nothing that others can read (`settings`), and is written into no record.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use super::sent::SentSample;
use crate::clock::Clock;
use crate::error::{Error, Result};
use crate::load::{Address, Endpoint, Identities, Protocol, Redirects, Setup, Work};
use crate::model::{ClientsAction, HttpOrigin, HttpWork, Role, is_loopback};
use crate::net::{AllowedHosts, KnownHosts, Tls, TlsAsked, finds};
use crate::plan::{Plan, Portion};
use crate::record::{FirstFailure, SlowOperation};
use crate::units::Nanos;

/// To an agent.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Order {
    /// Which of all threads of the next load are yours. It comes before the load, which is the
    /// same for all: however long it is, it is written once.
    Share(Portion),
    /// Make ready for your share of a load.
    Load(Box<LoadOrder>),
    /// Begin, at this instant of your clock.
    Begin {
        /// The load's zero.
        at_ns: Nanos,
    },
    /// Do what the timeline says.
    Act(ClientsAction),
    /// End the load: nothing starts from an instant on, and what is under way may end.
    EndLoad {
        /// From when nothing starts, counted from the load's zero.
        at_ns: Nanos,
        /// Until when what is under way may end, likewise.
        drained_ns: Nanos,
    },
    /// End: what is under way is unfinished.
    Stop,
    /// Carry out a piece of work.
    Try {
        /// Its number.
        number: u64,
        /// What it is, as its makers write it.
        job: String,
    },
}

/// By an agent.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Report {
    /// It can begin.
    Ready,
    /// It does not, for this reason.
    Refused {
        /// A sentence.
        reason: String,
    },
    /// What was counted.
    Samples(Vec<SentSample>),
    /// The last operation has been scheduled.
    LoadEnded,
    /// Everything has ended.
    Finished,
    /// The first failure of its kind.
    FirstFailure(FirstFailure),
    /// The slowest operations of an interval, of those whose traces are recorded.
    Slowest(Vec<SlowOperation>),
    /// Something that spoils the load.
    Warning(String),
    /// It cannot go on, in a sentence.
    Failed(String),
    /// A piece of work is done.
    Tried {
        /// Its number.
        number: u64,
        /// The result, or why there is none.
        result: std::result::Result<String, String>,
    },
}

/// A load, of which each agent has a share.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct LoadOrder {
    plan: Plan,
    /// What each group of monitors requests: a plan is written without what may be secret.
    probes: Vec<String>,
    targets: Vec<SentTarget>,
    /// Hosts that the conductor's user allows.
    hosts: Vec<String>,
}

/// What is asked is not shown: it holds secrets.
impl std::fmt::Debug for LoadOrder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("LoadOrder(not shown)")
    }
}

/// Where a part of the load goes, and what is asked there.
#[derive(Clone, Serialize, Deserialize)]
struct SentTarget {
    /// Host and port as requests name them.
    authority: String,
    /// An address that the user gave, or that a proxy has; none: the host's own.
    address: Option<SocketAddr>,
    tls: Option<TlsAsked>,
    /// Requests at a time on a connection of HTTP/2; none: HTTP/1.1.
    streams: Option<u32>,
    /// How redirects are encrypted, where any is followed.
    redirects: Option<TlsAsked>,
    work: SentWork,
    weight: u32,
}

#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum SentWork {
    Fleet {
        users: BTreeMap<Role, Vec<String>>,
        service: String,
    },
    Http(HttpWork),
}

impl LoadOrder {
    /// What is told of a load that is ready to be sent; `hosts`: those that its user allows.
    ///
    /// # Errors
    ///
    /// Where only this machine could send it.
    pub(super) fn of(targets: &[(Setup, u32)], hosts: &[String]) -> Result<Self> {
        let (first, _) = targets
            .first()
            .ok_or_else(|| Error::usage("failed to plan the load: it goes nowhere"))?;
        let sent = targets
            .iter()
            .map(|(setup, weight)| SentTarget::of(setup, *weight));
        Ok(Self {
            plan: first.plan.clone(),
            probes: first
                .plan
                .monitors
                .iter()
                .map(|policy| policy.probe.clone())
                .collect(),
            targets: sent.collect::<Result<_>>()?,
            hosts: hosts.to_vec(),
        })
    }

    /// What an agent sends whose start allowed these hosts, by this clock. Every name is
    /// looked up by the agent itself, as its own users are served.
    ///
    /// # Errors
    ///
    /// Where it may not send there, or cannot.
    pub(super) fn setups(&self, own_hosts: &[String], clock: Clock) -> Result<Vec<(Setup, u32)>> {
        let allowed = AllowedHosts::of_scenario(&self.hosts, own_hosts);
        let setups = self.targets.iter().map(|target| {
            let setup = Setup {
                plan: self.plan(),
                endpoint: target.endpoint(&allowed)?,
                work: target.work(),
                clock,
            };
            Ok((setup, target.weight))
        });
        setups.collect()
    }

    /// The plan as the conductor has it, but for what users ask of its target, which each
    /// target of the load has.
    fn plan(&self) -> Plan {
        let mut plan = self.plan.clone();
        for (policy, probe) in plan.monitors.iter_mut().zip(&self.probes) {
            policy.probe.clone_from(probe);
        }
        plan
    }

    /// The plan, with the connections that this portion may open: what its machine needs room
    /// for.
    pub(super) fn own_plan(&self, portion: Portion) -> Plan {
        let mut plan = self.plan.clone();
        let all = plan.load.drive.threads.max(1);
        let own = portion.threads(all).len() as u64;
        let connections = u64::from(plan.load.connections) * own;
        let connections = connections.div_ceil(u64::from(all)).max(1);
        plan.load.connections = u32::try_from(connections).unwrap_or(u32::MAX);
        plan
    }
}

impl SentTarget {
    fn of(setup: &Setup, weight: u32) -> Result<Self> {
        let endpoint = &setup.endpoint;
        let Address::Tcp(address) = endpoint.address else {
            return Err(Error::usage(
                "agents cannot reach a Unix socket of this machine; name the host and port",
            ));
        };
        let asked = |tls: Option<&Tls>| tls.map(Tls::asked).transpose();
        let (authority, work) = match &setup.work {
            Work::Fleet(identities) => (
                address.to_string(),
                SentWork::Fleet {
                    users: identities.users.clone(),
                    service: identities.service.clone(),
                },
            ),
            Work::Http { host, work } => (host.clone(), SentWork::Http(work.clone())),
        };
        let named = named(endpoint.tls.is_some(), &authority)?;
        let own = finds(&named.host, address);
        Ok(Self {
            authority,
            address: (!own).then_some(address),
            tls: asked(endpoint.tls.as_ref())?,
            streams: match endpoint.protocol {
                Protocol::Http1 => None,
                Protocol::Http2 { streams } => Some(streams),
            },
            redirects: asked(endpoint.redirects.as_ref().map(|it| &it.tls))?,
            work,
            weight,
        })
    }

    fn endpoint(&self, allowed: &AllowedHosts) -> Result<Endpoint> {
        let named = named(self.tls.is_some(), &self.authority)?;
        let address = match self.address {
            Some(address) => allowed.given(&named.host, address)?,
            None => allowed.resolve(&named.host, named.port)?,
        };
        let tls = |asked: &Option<TlsAsked>| asked.as_ref().map(Tls::as_asked).transpose();
        let redirects = tls(&self.redirects)?.map(|tls| Redirects {
            hosts: KnownHosts::look_up(allowed.clone(), std::iter::once(named.host.as_str()), &[]),
            tls,
        });
        Ok(Endpoint {
            address: Address::Tcp(address),
            tls: tls(&self.tls)?,
            protocol: match self.streams {
                None => Protocol::Http1,
                Some(streams) => Protocol::Http2 { streams },
            },
            redirects,
        })
    }

    fn work(&self) -> Work {
        match &self.work {
            SentWork::Fleet { users, service } => Work::Fleet(Identities {
                users: users.clone(),
                service: service.clone(),
            }),
            SentWork::Http(work) => Work::Http {
                host: self.authority.clone(),
                work: work.clone(),
            },
        }
    }
}

fn named(encrypted: bool, authority: &str) -> Result<HttpOrigin> {
    HttpOrigin::named(encrypted, authority).ok_or_else(|| {
        Error::usage(format!(
            "`{}` is not a host and port",
            authority.escape_debug()
        ))
    })
}

/// A target that is this machine's alone: its address is a loopback's.
pub(super) fn only_here(targets: &[(Setup, u32)]) -> Option<SocketAddr> {
    targets
        .iter()
        .find_map(|(setup, _)| match setup.endpoint.address {
            Address::Tcp(address) => is_loopback(address.ip()).then_some(address),
            Address::Unix(_) => None,
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{ArrivalProcess, Load, MonitorPolicy, Shape, Step};
    use crate::plan::{ClosedLoop, Drive};
    use crate::units::Rate;

    fn setup(authority: &str, address: &str) -> Setup {
        let mut work = HttpWork::single("GET /".into(), Step::new("GET", "/"));
        let secret = vec![crate::model::Part::Literal(b"Bearer s3cret".to_vec())];
        work.operations[0].steps[0]
            .headers
            .push(("authorization".into(), secret));
        let rate = Rate::per_second(1_234.567_891_234_5).unwrap();
        Setup {
            plan: Plan {
                seed: u64::MAX,
                end: Nanos::from_secs(3),
                load: Load {
                    process: ArrivalProcess::Poisson,
                    rate: vec![(Nanos::ZERO, Shape::Constant(rate))],
                    drive: Drive {
                        threads: 6,
                        closed: Some(ClosedLoop {
                            users: 7,
                            think: Nanos(3),
                        }),
                        ..Drive::default()
                    },
                    ..Load::default()
                },
                ..Plan::default()
            },
            endpoint: Endpoint::from(address.parse::<SocketAddr>().unwrap()),
            work: Work::Http {
                host: authority.into(),
                work,
            },
            clock: Clock::start(),
        }
    }

    fn sent(setup: Setup, hosts: &[&str]) -> Result<LoadOrder> {
        let hosts: Vec<String> = hosts.iter().map(|host| (*host).to_owned()).collect();
        let order = LoadOrder::of(&[(setup, 3)], &hosts)?;
        let text = serde_json::to_string(&Order::Load(Box::new(order))).unwrap();
        match serde_json::from_str(&text).unwrap() {
            Order::Load(order) => Ok(*order),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn an_agent_has_the_plan_as_it_is_and_all_that_is_asked() {
        let mut own = setup("127.0.0.1:8000", "127.0.0.1:8000");
        // A query may be secret, so records have none.
        own.plan.monitors.push(MonitorPolicy {
            name: "monitors".into(),
            probe: "/ready?key=s3cret".into(),
            count: 1,
            every: Nanos::from_secs(1),
            every_after_failure: Nanos::from_secs(1),
            overlap: false,
            timeout: Nanos::from_secs(1),
            expect_status: None,
            reconnects: None,
        });
        let order = sent(own.clone(), &[]).unwrap();
        assert_eq!(order.plan(), own.plan);
        let connections = own.plan.load.connections.div_ceil(3);
        let share = order.own_plan(Portion { index: 1, of: 3 });
        assert_eq!(share.load.connections, connections);
        let clock = Clock::start();
        let setups = order.setups(&[], clock).unwrap();
        let (setup, weight) = &setups[0];
        assert_eq!((setup.clock, *weight), (clock, 3));
        assert_eq!(setup.plan, own.plan);
        assert_eq!(setup.endpoint.address, own.endpoint.address);
        match (&setup.work, &own.work) {
            (
                Work::Http { host, work },
                Work::Http {
                    host: as_sent,
                    work: own,
                },
            ) => {
                assert_eq!((host, work), (as_sent, own));
            }
            other => panic!("{other:?}"),
        }
        // What is printed for debugging shows no secret.
        assert!(!format!("{order:?}").contains("s3cret"));
    }

    #[test]
    fn an_agent_sends_where_both_its_user_and_the_conductors_allow_it() {
        // 192.0.2.0/24 is for documentation (RFC 5737); nothing is sent.
        let there = || setup("192.0.2.1:80", "192.0.2.1:80");
        let own = ["192.0.2.1".to_owned()];
        let order = sent(there(), &["192.0.2.1"]).unwrap();
        assert!(order.setups(&own, Clock::start()).is_ok());
        let refused = order.setups(&[], Clock::start()).unwrap_err();
        assert!(
            refused.to_string().contains("--allow-host 192.0.2.1"),
            "{refused}"
        );
        let order = sent(there(), &[]).unwrap();
        assert!(order.setups(&own, Clock::start()).is_err());
        // A name that the user gave an address for.
        let order = sent(setup("shop.invalid:80", "192.0.2.1:80"), &["shop.invalid"]).unwrap();
        assert!(order.setups(&own, Clock::start()).is_err());
        // The name alone does not allow whatever address somebody gives it.
        let own = ["shop.invalid".to_owned()];
        let refused = order.setups(&own, Clock::start()).unwrap_err();
        assert!(
            refused.to_string().contains("--allow-host 192.0.2.1"),
            "{refused}"
        );
        let own = ["shop.invalid", "192.0.2.1"].map(str::to_owned);
        let setups = order.setups(&own, Clock::start()).unwrap();
        let expected = Address::Tcp("192.0.2.1:80".parse().unwrap());
        assert_eq!(setups[0].0.endpoint.address, expected);
    }

    #[test]
    fn what_only_this_machine_has_is_known() {
        let here = [(setup("a.test", "127.0.0.1:1"), 1)];
        assert!(only_here(&here).is_some());
        assert!(only_here(&[(setup("a.test", "192.0.2.1:1"), 1)]).is_none());
    }
}
