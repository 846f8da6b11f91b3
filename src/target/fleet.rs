//! The fleet as a whole: started, addressed, ended.
//!
//! What can be done to it lies in `operations` and `restart`, what is read from
//! it in `gauges`. All methods may be called from different threads. Locks are
//! taken in the order release, rotation, slot, and never two slots at once.

use std::fs::File;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Condvar, Mutex};
use std::time::Duration;

use rand::RngExt as _;

use super::database::{self, Tokens};
use super::gauges::Books;
use super::lock;
use super::message::{BalancerConfig, Common, IdentityConfig, InstanceConfig};
use super::part::{Launcher, Part, Starting};
use super::restart::stop_instance;
use crate::clock::Clock;
use crate::error::{Error, Result};
use crate::model::{FleetSpec, Release, Settings};
use crate::record::{Event, claim_directory, write_private};

/// What is needed to start a fleet.
pub struct Launch<'a> {
    /// Its parameters.
    pub spec: &'a FleetSpec,
    /// The seed of its random streams, its users and their tokens.
    pub seed: u64,
    /// Dates what is released through the control listener of [`super::serve_alone`].
    pub clock: Clock,
    /// A directory for the database and the control token, which is made, or
    /// is empty. Beside it, with `.log` added to its name, lies what the parts
    /// wrote to their standard errors.
    pub data: &'a Path,
    /// The binary that the parts are started from; its hidden subcommand
    /// `__part` must call [`super::serve_part`].
    pub binary: &'a Path,
    /// Where the balancer listens; none: on a free loopback port.
    pub listen: Option<SocketAddr>,
    /// Told of every process as it starts, before it serves.
    pub on_process: Box<dyn Fn(Process) + Send + Sync>,
}

/// A process of the fleet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Process {
    /// The part's name: `instance-1`, `balancer`, `identity`.
    pub name: String,
    /// Its process id.
    pub pid: u32,
}

/// A running fleet. Dropping it ends every process.
pub struct Fleet {
    pub(super) spec: FleetSpec,
    pub(super) release: Mutex<Release>,
    pub(super) rotation: Mutex<Vec<Option<SocketAddr>>>,
    pub(super) instances: Vec<Slot>,
    pub(super) balancer: Slot,
    pub(super) identity: Slot,
    pub(super) restarting: Mutex<()>,
    pub(super) ending: Ending,
    starter: Starter,
    tokens: Tokens,
    token_file: PathBuf,
    address: SocketAddr,
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
}

impl Slot {
    fn new(name: String, part: Option<Part>) -> Self {
        let state = SlotState {
            part,
            books: Books::default(),
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

/// What it takes to start an instance, first and again.
struct Starter {
    launcher: Launcher,
    clock: Clock,
    seed: u64,
    database: PathBuf,
    identity: SocketAddr,
    launches: AtomicU32,
    on_process: Box<dyn Fn(Process) + Send + Sync>,
}

impl Fleet {
    /// Seeds the database and starts every process, in the order in which they
    /// need each other; returns once all of them serve.
    ///
    /// # Errors
    ///
    /// Where the address is taken or file descriptors have run out (unfit), the
    /// binary cannot be started or the directory not be written (failed), or
    /// the directory holds something already (usage). Nothing is left running.
    pub fn launch(launch: Launch) -> Result<Self> {
        let spec = launch.spec.clone();
        make_directory(launch.data)?;
        check_descriptors(launch.data, 2 + spec.instances as usize)?;
        let database = launch.data.join("fleet.db");
        let tokens = database::seed(&database, &spec, launch.seed)?;
        let token = format!("{:032x}", rand::rng().random::<u128>());
        write_private(launch.data, TOKEN_FILE, format!("{token}\n").as_bytes())?;
        let launcher = Launcher {
            binary: launch.binary.to_owned(),
            log: log_beside(launch.data),
            token,
        };
        let common = |name: &str| Common {
            name: name.into(),
            token: launcher.token.clone(),
            seed: launch.seed,
        };
        let identity = IdentityConfig {
            common: common(IDENTITY),
            spec: spec.identity.clone(),
        };
        let identity = launcher.start(IDENTITY, IDENTITY, &identity)?;
        (launch.on_process)(process(IDENTITY, identity.pid()));
        let identity = identity.serving(Duration::ZERO)?;
        let starter = Starter {
            launcher: launcher.clone(),
            clock: launch.clock,
            seed: launch.seed,
            database,
            identity: identity.address,
            launches: AtomicU32::new(0),
            on_process: launch.on_process,
        };
        let parts = starter.first_instances(&spec)?;
        let members: Vec<SocketAddr> = parts.iter().map(|part| part.address).collect();
        let balancer = BalancerConfig {
            common: common(BALANCER),
            listen: launch
                .listen
                .unwrap_or_else(|| (Ipv4Addr::LOCALHOST, 0).into()),
            members: members.clone(),
        };
        let balancer = launcher.start(BALANCER, BALANCER, &balancer)?;
        (starter.on_process)(process(BALANCER, balancer.pid()));
        let balancer = balancer.serving(Duration::ZERO)?;
        let instances = parts
            .into_iter()
            .enumerate()
            .map(|(index, part)| Slot::new(instance_name(index), Some(part)))
            .collect();
        Ok(Self {
            release: Mutex::new(Release::new(Settings::default())),
            rotation: Mutex::new(members.into_iter().map(Some).collect()),
            instances,
            address: balancer.address,
            balancer: Slot::new(BALANCER.into(), Some(balancer)),
            identity: Slot::new(IDENTITY.into(), Some(identity)),
            restarting: Mutex::default(),
            ending: Ending::default(),
            token_file: launch.data.join(TOKEN_FILE),
            spec,
            starter,
            tokens,
        })
    }

    /// Where the balancer listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The users' tokens.
    #[must_use]
    pub fn tokens(&self) -> &Tokens {
        &self.tokens
    }

    /// The file with the run's control token, which only its owner can read.
    #[must_use]
    pub fn token_file(&self) -> &Path {
        &self.token_file
    }

    /// The file with what the parts wrote to their standard errors.
    #[must_use]
    pub fn log(&self) -> &Path {
        &self.starter.launcher.log
    }

    /// The parameters it was started with.
    #[must_use]
    pub fn spec(&self) -> &FleetSpec {
        &self.spec
    }

    /// The processes that run now.
    #[must_use]
    pub fn processes(&self) -> Vec<Process> {
        self.slots()
            .filter_map(|slot| {
                let state = lock(&slot.state);
                let part = state.part.as_ref()?;
                Some(process(&slot.name, part.pid))
            })
            .collect()
    }

    /// Every process that has ended without having been told to; each once.
    #[must_use]
    pub fn dead(&self) -> Vec<Event> {
        self.slots()
            .filter_map(|slot| {
                let mut state = lock(&slot.state);
                let status = state.part.as_mut()?.died()?;
                Some(Event::Died {
                    source: slot.name.clone(),
                    status,
                })
            })
            .collect()
    }

    /// Ends every process and waits for it: first the instances, which give
    /// their final counters, as [`Event::Stopped`] and to the next
    /// [`Fleet::sample`]. Calling it again does nothing.
    pub fn stop(&self) -> Vec<Event> {
        self.ending.begin();
        let stopped = self
            .instances
            .iter()
            .filter_map(|slot| stop_instance(slot).ok())
            .collect();
        for slot in self.slots() {
            // Killed where it still runs: it holds nothing that would be lost.
            drop(lock(&slot.state).part.take());
        }
        stopped
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
    pub(super) fn start_cold(&self, index: usize, settings: Settings) -> Result<Starting> {
        self.starter.instance(&self.spec, index, settings, false)
    }
}

impl Drop for Fleet {
    fn drop(&mut self) {
        self.ending.begin();
    }
}

impl Starter {
    /// Starts all instances together and waits until they serve. They are warm:
    /// the fleet is one that has long been in service.
    fn first_instances(&self, spec: &FleetSpec) -> Result<Vec<Part>> {
        let starting: Vec<Starting> = (0..spec.instances as usize)
            .map(|index| self.instance(spec, index, Settings::default(), true))
            .collect::<Result<_>>()?;
        starting
            .into_iter()
            .map(|instance| instance.serving(spec.boot.to_duration()))
            .collect()
    }

    fn instance(
        &self,
        spec: &FleetSpec,
        index: usize,
        settings: Settings,
        warm: bool,
    ) -> Result<Starting> {
        let name = instance_name(index);
        let config = InstanceConfig {
            common: Common {
                name: name.clone(),
                token: self.launcher.token.clone(),
                seed: self.seed,
            },
            spec: spec.clone(),
            launch: self.launches.fetch_add(1, Ordering::Relaxed),
            warm,
            settings,
            identity: self.identity,
            database: self.database.clone(),
        };
        let starting = self.launcher.start("instance", &name, &config)?;
        (self.on_process)(process(&name, starting.pid()));
        Ok(starting)
    }
}

const TOKEN_FILE: &str = "control.token";
const IDENTITY: &str = "identity";
const BALANCER: &str = "balancer";

fn instance_name(index: usize) -> String {
    format!("instance-{}", index + 1)
}

fn process(name: &str, pid: u32) -> Process {
    Process {
        name: name.into(),
        pid,
    }
}

fn log_beside(data: &Path) -> PathBuf {
    let mut name = data.as_os_str().to_owned();
    name.push(".log");
    PathBuf::from(name)
}

fn make_directory(data: &Path) -> Result<()> {
    let failed = |cause: std::io::Error| {
        Error::failed(format!(
            "failed to make {} for the fleet: {cause}",
            data.display()
        ))
    };
    if !claim_directory(data).map_err(failed)? {
        return Err(Error::usage(format!(
            "{} already holds something; a fleet needs a directory of its own",
            data.display()
        )));
    }
    Ok(())
}

/// File descriptors that a part takes of its conductor: pipes, log, control
/// connection, and the spare ones of a start.
const DESCRIPTORS_PER_PART: usize = 8;

/// Finds out whether there are file descriptors enough before anything starts:
/// what fails for want of one rarely says so.
fn check_descriptors(data: &Path, parts: usize) -> Result<()> {
    let wanted = parts * DESCRIPTORS_PER_PART;
    let probes: std::io::Result<Vec<File>> = (0..wanted).map(|_| File::open(data)).collect();
    probes.map(drop).map_err(|cause| {
        Error::unfit(format!(
            "failed to open {wanted} file descriptors for {parts} processes: {cause}; \
             raise the limit with `ulimit -n`"
        ))
    })
}
