//! The fleet as a whole: addressed, looked after, ended.
//!
//! How it is started lies in `launch`, what can be done to it in `operations`
//! `pauses`, `restart` and `supervisor`, what is read from it in `gauges`. All methods may be
//! called from different threads. Locks are taken in the order restarting, in
//! force, rotation, slot, and never two slots at once. A slot's lock is held for a
//! gauge's reading at most, so that a slow instance delays no other's gauges:
//! whoever stops a part takes it out first.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicU64;
use std::sync::{Condvar, Mutex, OnceLock};
use std::time::Duration;

use super::autoscaler::{Looks, Scaler};
use super::gauges::Books;
use super::launch::Starter;
use super::part::{Part, Starting};
use super::restart::stop_instances;
use super::supervisor::{Crash, take_over};
use crate::clock::Clock;
use crate::error::Result;
use crate::fleet::database::Tokens;
use crate::fleet::lock;
use crate::fleet::message::{CRASHED, SettingsPut};
use crate::model::{FleetSpec, ReleasePolicy, Responder};
use crate::record::Event;
use crate::units::Nanos;

/// A process of the fleet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Process {
    /// The part's name: `instance-1`, `balancer`, `identity`.
    pub name: String,
    /// Its process id.
    pub pid: u32,
}

/// Hears what happens to instances by themselves.
pub(super) type Listener = Box<dyn Fn(Event) + Send + Sync>;

/// A running fleet. Dropping it ends every process.
pub struct Fleet {
    pub(super) spec: FleetSpec,
    pub(super) in_force: Mutex<Responder>,
    /// How many times settings were put to the instances.
    pub(super) puts: AtomicU64,
    pub(super) rotation: Mutex<Vec<Option<SocketAddr>>>,
    pub(super) instances: Vec<Slot>,
    pub(super) balancer: Slot,
    pub(super) identity: Slot,
    pub(super) restarting: Mutex<()>,
    /// What changes the number of instances, where something does; taken after
    /// `restarting`.
    pub(super) scaler: Option<Mutex<Scaler>>,
    /// Where it is told how busy the workers are, once it is at work.
    pub(super) looks: OnceLock<Looks>,
    /// What it did, until it is told; taken before a slot, and held while news are told.
    pub(super) scaled: Mutex<Vec<Event>>,
    /// Who is told at once what happens to instances by themselves.
    pub(super) listener: OnceLock<Listener>,
    pub(super) ending: Ending,
    pub(super) starter: Starter,
    pub(super) tokens: Tokens,
    pub(super) token_file: PathBuf,
    pub(super) address: SocketAddr,
}

/// A place in the fleet and the process that fills it.
pub(super) struct Slot {
    pub name: String,
    pub state: Mutex<SlotState>,
}

/// What a slot holds.
#[derive(Default)]
pub(super) struct SlotState {
    /// None while it is restarted, and after the end.
    pub part: Option<Part>,
    pub books: Books,
    /// Whether its process was stopped where it was, and has yet to go on.
    pub paused: bool,
    /// Whether settings were put to the others while it was paused.
    pub behind: bool,
    /// How processes ended without having been told to, until it is told.
    pub deaths: Vec<String>,
    /// Since when its process serves, by the fleet's clock.
    pub serves_since: Nanos,
    /// Where it has crashed by a fault: what the supervisor does about it.
    pub crash: Option<Crash>,
    /// Crashes in a row, as back-offs count them.
    pub crashes: u32,
    /// What became of it by crashes, until it is told.
    pub news: Vec<Event>,
}

impl SlotState {
    /// Takes note where the process has ended without having been told to.
    pub(super) fn look(&mut self) {
        // Whoever starts it has the word until it serves; what ends meanwhile is found then.
        if matches!(self.crash, Some(Crash::Starting)) {
            return;
        }
        match self.part.as_mut().and_then(Part::died) {
            Some(status) if status.code() == Some(CRASHED) => self.crash = Some(Crash::Found),
            Some(status) => self.deaths.push(status.to_string()),
            None => {}
        }
    }
}

impl Slot {
    /// A place that nobody fills yet.
    pub(super) fn empty(name: String) -> Self {
        Self {
            name,
            state: Mutex::default(),
        }
    }

    /// A place that this part fills.
    pub(super) fn new(name: String, part: Part) -> Self {
        let state = SlotState {
            part: Some(part),
            ..SlotState::default()
        };
        Self {
            name,
            state: Mutex::new(state),
        }
    }
}

/// Whether the fleet is being ended; pauses end with it.
#[derive(Default)]
pub(super) struct Ending {
    begun: Mutex<bool>,
    changed: Condvar,
}

impl Ending {
    /// From now on nothing is started.
    fn begin(&self) {
        *lock(&self.begun) = true;
        self.changed.notify_all();
    }

    /// Whether it has begun.
    pub(super) fn begun(&self) -> bool {
        *lock(&self.begun)
    }

    /// Waits for so long, or until the end begins.
    pub(super) fn pause(&self, duration: Duration) {
        let begun = lock(&self.begun);
        drop(
            self.changed
                .wait_timeout_while(begun, duration, |begun| !*begun),
        );
    }
}

impl Fleet {
    /// Where the balancer listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The users' tokens.
    pub fn tokens(&self) -> &Tokens {
        &self.tokens
    }

    /// The file with the run's control token, which only its owner can read.
    pub fn token_file(&self) -> &Path {
        &self.token_file
    }

    /// From now on the release system demands what this policy says.
    pub fn govern(&self, policy: ReleasePolicy) {
        lock(&self.in_force).govern(policy);
    }

    /// From now on `listener` hears at once what happens to instances by themselves, in place
    /// of who asks for [`Fleet::news`].
    pub(crate) fn tell(&self, listener: impl Fn(Event) + Send + Sync + 'static) {
        // The first one hears it all.
        let _ = self.listener.set(Box::new(listener));
    }

    /// Tells it at once, or keeps it for who asks.
    pub(super) fn happened(&self, event: Event) {
        match self.listener.get() {
            Some(listener) => listener(event),
            None => lock(&self.scaled).push(event),
        }
    }

    /// The processes that run now.
    pub fn processes(&self) -> Vec<Process> {
        self.slots()
            .filter_map(|slot| {
                let state = lock(&slot.state);
                let part = state.part.as_ref()?;
                Some(process(&slot.name, part.pid))
            })
            .collect()
    }

    /// Every process that has ended without having been told to; each once,
    /// also where another has taken its place since.
    pub fn dead(&self) -> Vec<Event> {
        self.slots()
            .flat_map(|slot| {
                let mut state = lock(&slot.state);
                state.look();
                std::mem::take(&mut state.deaths)
                    .into_iter()
                    .map(|status| Event::Died {
                        source: slot.name.as_str().into(),
                        status,
                    })
            })
            .collect()
    }

    /// Ends every process and waits for it: first the instances, which give
    /// their final counters, as [`Event::Stopped`] and to the next
    /// [`Fleet::sample`]. An instance that gives none is killed, which is an
    /// [`Event::Warning`]; what [`Fleet::dead`] would tell comes too. A restart
    /// under way is cut short and waited for. Calling it again does nothing.
    pub fn stop(&self) -> Vec<Event> {
        self.ending.begin();
        let _none_restarts = lock(&self.restarting);
        for slot in &self.instances {
            take_over(slot);
        }
        self.give_up_scaling();
        let running = self
            .instances
            .iter()
            .filter(|slot| lock(&slot.state).part.is_some());
        let mut events = stop_instances(running);
        events.extend(self.news());
        events.extend(self.dead());
        for slot in self.slots() {
            // Killed where it still runs: it holds nothing that would be lost.
            drop(lock(&slot.state).part.take());
        }
        self.starter.retire();
        // Nobody listens for it any more; where it cannot be removed, it opens nothing.
        let _ = fs::remove_file(&self.token_file);
        events
    }

    pub(super) fn token(&self) -> &str {
        &self.starter.launcher.token
    }

    pub(super) fn clock(&self) -> Clock {
        self.starter.clock
    }

    pub(super) fn slots(&self) -> impl Iterator<Item = &Slot> {
        self.instances
            .iter()
            .chain([&self.balancer, &self.identity])
    }

    /// Starts the process of an instance that takes another's place: cold.
    pub(super) fn start_cold(&self, index: usize, put: SettingsPut) -> Result<Starting> {
        self.starter.instance(&self.spec, index, put, false)
    }
}

impl Drop for Fleet {
    fn drop(&mut self) {
        self.ending.begin();
    }
}

/// A process of the fleet by its part's name.
pub(super) fn process(name: &str, pid: u32) -> Process {
    Process {
        name: name.into(),
        pid,
    }
}
