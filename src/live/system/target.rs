//! A target as the system of a run, and the net under it:
//! what is done to it is written down before it acts, and undone.

use std::path::PathBuf;
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex};

use super::super::faults::{Faults, FaultsStart};
use super::super::message::Message;
use super::{Death, Destination, Start, SystemUnderTest};
use crate::error::{Error, Result};
use crate::load::{Address, Endpoint, Protocol, Redirects, Work, http2_status};
use crate::model::{Action, Site, TargetAction, TargetSpec, Url};
use crate::net::{Failed, Tls, http};
use crate::record::{Event, FailureBook, Outcome, Sample};
use crate::sync::lock;
use crate::target::{Addresses, Armed, Begin, Safeguard, Target, Undo, Undos};
use crate::units::{Nanos, counted};

/// The user's target with what is to be undone of it.
struct GuardedTarget {
    spec: TargetSpec,
    addresses: Addresses,
    target: Target,
    faults: Faults,
    undo_log: Arc<UndoLog>,
    directory: PathBuf,
}

/// Where undos are written down.
struct UndoLog {
    undos: Mutex<Undos>,
    /// The conductor, which outlives all who arm; where it does not, nobody reads.
    messages: Mutex<Sender<Message>>,
    failures: Arc<FailureBook>,
}

impl UndoLog {
    fn tell(&self, event: Event) {
        let messages = lock(&self.messages);
        let _ = messages.send(Message::Event(event));
    }
}

impl Safeguard for UndoLog {
    fn arm(&self, undo: Undo) -> Result<u64> {
        let armed = lock(&self.undos).arm(undo)?;
        self.tell(Event::Armed {
            undo: armed.undo.in_words(),
        });
        Ok(armed.id)
    }

    fn carry_out(&self, id: u64, undo: &Undo) -> Outcome {
        // Not under the lock: it may take its time, and others arm meanwhile.
        let carrier = lock(&self.undos).carrier();
        let source = undo.source();
        let note = |failed: &Failed| {
            if let Some(source) = &source {
                self.failures.note(source, failed);
            }
        };
        let undo = undo.clone();
        let outcome = match carrier {
            Ok(carrier) => carrier.carry_out(&Armed { id, undo }, &note),
            // Without it, it is undone all the same.
            Err(_) => undo.carry_out_noting(&note),
        };
        self.settle(id, &outcome);
        outcome
    }

    fn settle(&self, id: u64, outcome: &Outcome) {
        if let Err(error) = lock(&self.undos).undone(id, outcome) {
            let text = error.to_string();
            self.tell(Event::Warning { text });
        }
    }
}

/// Starts, holds or finds the target, once its hosts have been admitted.
pub(super) fn begin(start: &Start<'_>, spec: &TargetSpec) -> Result<Arc<dyn SystemUnderTest>> {
    let plan = start.plan;
    let addresses = start.addresses.clone();
    let mut undos =
        Undos::open(start.directory, "the run")?.with_program(Some(start.binary.to_owned()));
    undos.begin()?;
    // It opens them while they are where they are said to be, and before anything acts.
    start.guardian.undo(start.directory)?;
    let undo_log = Arc::new(UndoLog {
        undos: Mutex::new(undos),
        messages: Mutex::new(start.messages.clone()),
        failures: Arc::clone(start.failures),
    });
    let safeguard: Arc<dyn Safeguard> = undo_log.clone();
    // The proxies first: the target may need what is behind them to begin with.
    let begun = Faults::begin(FaultsStart {
        plan,
        spec,
        addresses: &addresses,
        safeguard: safeguard.clone(),
        failures: start.failures,
    })
    .and_then(|faults| {
        let target = Target::begin(Begin {
            spec,
            addresses: addresses.clone(),
            directory: start.directory,
            binary: start.binary,
            safeguard,
            failures: Arc::clone(start.failures),
            stop: start.interrupt.flag(),
            ask: if spec.ready_over_http2() {
                http2_status
            } else {
                |request| http::ask(request).map(|answer| answer.status)
            },
        })?;
        Ok((faults, target))
    });
    if begun.is_err() {
        lock(&undo_log.undos).close();
    }
    let (faults, target) = begun?;
    Ok(Arc::new(GuardedTarget {
        spec: spec.clone(),
        addresses,
        target,
        faults,
        undo_log,
        directory: start.directory.to_owned(),
    }))
}

impl GuardedTarget {
    fn destination(&self, site: &Site) -> Result<Destination> {
        let url = &site.url;
        let address = self.addresses.get(url).ok_or_else(|| {
            Error::failed(format!(
                "{url} was not admitted, which is a bug of threadbare"
            ))
        })?;
        Ok(Destination {
            site: Address::Tcp(address),
            endpoint: Endpoint {
                address: Address::Tcp(self.faults.front().unwrap_or(address)),
                tls: url
                    .encrypted
                    .then(|| {
                        let ca = self.spec.ca.as_deref();
                        Tls::speaking(&url.host, self.spec.streams.is_some(), ca)
                    })
                    .transpose()?,
                protocol: match self.spec.streams {
                    None => Protocol::Http1,
                    Some(streams) => Protocol::Http2 { streams },
                },
                redirects: self.redirects(url)?,
            },
            work: Work::Http {
                host: url.authority.clone(),
                work: self.spec.work.clone(),
            },
            weight: site.weight,
        })
    }
}

impl GuardedTarget {
    /// Where redirects may lead besides, where any is followed: over HTTP/1.1.
    fn redirects(&self, url: &Url) -> Result<Option<Redirects>> {
        let hosts = self.addresses.redirects();
        let hosts = hosts.filter(|_| self.spec.streams.is_none());
        let redirects = hosts.map(|hosts| {
            Ok(Redirects {
                hosts: hosts.clone(),
                tls: Tls::trusting(&url.host, self.spec.ca.as_deref())?,
            })
        });
        redirects.transpose()
    }
}

impl SystemUnderTest for GuardedTarget {
    fn destinations(&self) -> Result<Vec<Destination>> {
        let sites = self.spec.sites.iter();
        sites.map(|site| self.destination(site)).collect()
    }

    fn serving(&self) -> Vec<Event> {
        self.target.serving().into_iter().collect()
    }

    fn sample(&self, from: Nanos, to: Nanos) -> Vec<std::result::Result<Sample, Event>> {
        let own = self.target.sample(from, to).into_iter();
        own.chain(self.faults.sample(from, to)).map(Ok).collect()
    }

    fn dead(&self) -> Vec<Death> {
        let died = self.target.died().into_iter();
        // That the target's program ends is the result of the experiment.
        let deaths = died.map(|event| Death {
            event,
            ends_the_run: false,
        });
        deaths.collect()
    }

    fn act(&self, now: Nanos, action: Action, tell: &dyn Fn(Event)) -> Outcome {
        match action {
            Action::Service(action) => self.target.serve_again(action, tell),
            Action::Target(action) => self.target.act(&action, tell),
            Action::Proxy(action) => self.faults.act(now, &action),
            Action::Clients(_) | Action::Fleet(_) | Action::Outside(_) => {
                Outcome::of_another_target(&action)
            }
        }
    }

    fn takes_time(&self, action: &Action) -> bool {
        matches!(
            action,
            Action::Service(_)
                | Action::Target(TargetAction::Hook { .. } | TargetAction::Configure { .. })
        )
    }

    fn undo(&self, tell: &mut dyn FnMut(Event)) {
        // At the same time in effect: what the run holds itself goes in microseconds.
        self.faults.undo(tell);
        self.target.undo(tell);
        tell(self.target.steady());
    }

    fn stop(&self) -> (Vec<Event>, Result<()>) {
        let mut events = self.target.stop();
        events.extend(self.faults.warnings());
        let mut undos = lock(&self.undo_log.undos);
        undos.close();
        let undone = match undos.outstanding().len() as u64 {
            0 => Ok(()),
            left => Err(Error::failed(format!(
                "{} could not be carried out; `threadbare recover {}` tries again",
                counted(left, "undo"),
                self.directory.display()
            ))),
        };
        (events, undone)
    }
}
