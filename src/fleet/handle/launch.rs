//! How a fleet comes to be: its directory, its database, its processes.
//!
//! Everything is started in the order in which it is needed, and what has been
//! started ends where a later step fails. How instances are started again lies
//! here too, since it takes the same.

use std::fs::File;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Mutex, OnceLock};
use std::time::Duration;

use rand::RngExt as _;

use super::autoscaler::Scaler;
use super::fleet::{Ending, Fleet, Process, Slot, process};
use super::part::{Launcher, Part, Starting};
use crate::clock::Clock;
use crate::error::{Error, Result};
use crate::fleet::database;
use crate::fleet::lock;
use crate::fleet::message::{
    BalancerConfig, Common, IdentityConfig, InstanceConfig, Member, SettingsPut,
};
use crate::model::fault::FaultSet;
use crate::model::{FleetSpec, Responder, Settings, Slowness, instance_name};
use crate::record::{claim_directory, write_private};

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
    /// `__part` must call [`crate::fleet::serve_part`].
    pub binary: &'a Path,
    /// Where the balancer listens; none: on a free loopback port.
    pub listen: Option<SocketAddr>,
    /// Raised, it interrupts the set-up, and has no effect afterwards; none:
    /// nothing interrupts it.
    pub stop: Option<&'a AtomicBool>,
    /// Told of every process as it starts, before it serves; dropped once the
    /// fleet has been stopped.
    pub on_process: OnProcess,
}

type OnProcess = Box<dyn Fn(Process) + Send + Sync>;

/// What it takes to start an instance, first and again.
pub(super) struct Starter {
    pub launcher: Launcher,
    pub clock: Clock,
    seed: u64,
    database: PathBuf,
    identity: SocketAddr,
    launches: AtomicU32,
    on_process: Mutex<Option<OnProcess>>,
}

impl Fleet {
    /// Seeds the database and starts every process, in the order in which they
    /// need each other; returns once all of them serve.
    ///
    /// # Errors
    ///
    /// Where the address is taken or file descriptors have run out (unfit), the
    /// binary cannot be started, the directory not be written or the set-up was
    /// interrupted (failed), or the directory holds something already (usage).
    /// Nothing is left running.
    pub fn launch(launch: Launch) -> Result<Self> {
        let spec = launch.spec.clone();
        let stop = launch.stop;
        let interrupted = || stop.is_some_and(|stop| stop.load(Ordering::Relaxed));
        make_directory(launch.data)?;
        let places = spec.places() as usize;
        check_descriptors(launch.data, 2 + places)?;
        let database = launch.data.join("fleet.db");
        let tokens = database::seed(&database, &spec, launch.seed)?;
        let launcher = launcher(&launch)?;
        let common = |name: &str| Common {
            name: name.into(),
            token: launcher.token.clone(),
            seed: launch.seed,
        };
        let identity = IdentityConfig {
            common: common(IDENTITY),
            spec: spec.identity.clone(),
            verifications_max: spec.verifications_max(),
        };
        let identity = launcher.start(IDENTITY, IDENTITY, &identity)?;
        (launch.on_process)(process(IDENTITY, identity.pid()));
        let identity = identity.serving(Duration::ZERO, &interrupted)?;
        let starter = Starter {
            launcher: launcher.clone(),
            clock: launch.clock,
            seed: launch.seed,
            database,
            identity: identity.address,
            launches: AtomicU32::new(0),
            on_process: Mutex::new(Some(launch.on_process)),
        };
        let parts = starter.first_instances(&spec, &interrupted)?;
        let addresses: Vec<SocketAddr> = parts.iter().map(|part| part.address).collect();
        let members = addresses.iter().enumerate();
        let balancer = BalancerConfig {
            common: common(BALANCER),
            listen: launch
                .listen
                .unwrap_or_else(|| (Ipv4Addr::LOCALHOST, 0).into()),
            members: members
                .map(|(index, address)| Member {
                    index,
                    address: *address,
                })
                .collect(),
            spec: spec.balancer,
            places: spec.places(),
        };
        let balancer = launcher.start(BALANCER, BALANCER, &balancer)?;
        starter.tell(process(BALANCER, balancer.pid()));
        let balancer = balancer.serving(Duration::ZERO, &interrupted)?;
        let instances = parts
            .into_iter()
            .enumerate()
            .map(|(index, part)| Slot::new(instance_name(index), part));
        let further = (addresses.len()..places).map(|index| Slot::empty(instance_name(index)));
        let instances = instances.chain(further).collect();
        let in_force = Responder::with_places(spec.instances as usize, places);
        let mut rotation: Vec<_> = addresses.into_iter().map(Some).collect();
        rotation.resize(places, None);
        Ok(Self {
            in_force: Mutex::new(in_force),
            puts: AtomicU64::new(0),
            rotation: Mutex::new(rotation),
            scaler: Scaler::new(&spec),
            looks: OnceLock::new(),
            scaled: Mutex::default(),
            listener: OnceLock::new(),
            instances,
            address: balancer.address,
            balancer: Slot::new(BALANCER.into(), balancer),
            identity: Slot::new(IDENTITY.into(), identity),
            restarting: Mutex::default(),
            ending: Ending::default(),
            token_file: launch.data.join(TOKEN_FILE),
            spec,
            starter,
            tokens,
        })
    }
}

impl Starter {
    /// Starts all instances together and waits until they serve. They are warm:
    /// the fleet is one that has long been in service.
    fn first_instances(
        &self,
        spec: &FleetSpec,
        interrupted: &dyn Fn() -> bool,
    ) -> Result<Vec<Part>> {
        let first = SettingsPut {
            order: 0,
            settings: Settings::default(),
            slow: Slowness::default(),
            faults: FaultSet::default(),
            forgotten: 0,
        };
        let starting: Vec<Starting> = (0..spec.instances as usize)
            .map(|index| self.instance(spec, index, first.clone(), true))
            .collect::<Result<_>>()?;
        starting
            .into_iter()
            .map(|instance| instance.serving(spec.boot.to_duration(), interrupted))
            .collect()
    }

    /// Starts the process of an instance.
    pub(super) fn instance(
        &self,
        spec: &FleetSpec,
        index: usize,
        put: SettingsPut,
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
            settings: put.settings,
            slow: put.slow,
            faults: put.faults,
            forgotten: put.forgotten,
            identity: self.identity,
            database: self.database.clone(),
        };
        let starting = self.launcher.start("instance", &name, &config)?;
        self.tell(process(&name, starting.pid()));
        Ok(starting)
    }

    /// Nothing will be started any more: what is told of processes can go.
    pub(super) fn retire(&self) {
        *lock(&self.on_process) = None;
    }

    fn tell(&self, process: Process) {
        if let Some(on_process) = &*lock(&self.on_process) {
            on_process(process);
        }
    }
}

const TOKEN_FILE: &str = "control.token";
const IDENTITY: &str = "identity";
const BALANCER: &str = "balancer";

/// Makes the control token and writes it where its owner finds it.
fn launcher(launch: &Launch) -> Result<Launcher> {
    let token = format!("{:032x}", rand::rng().random::<u128>());
    write_private(launch.data, TOKEN_FILE, format!("{token}\n").as_bytes())?;
    Ok(Launcher {
        binary: launch.binary.to_owned(),
        log: log_beside(launch.data),
        token,
    })
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
    if !claim_directory(data, TOKEN_FILE).map_err(failed)? {
        return Err(Error::usage(format!(
            "{} is not empty; a fleet needs a directory of its own",
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
