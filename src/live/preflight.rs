//! Is this machine fit for the run? Asked before anything is started.

use std::fs;
use std::thread;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::admitted::admit;
use crate::error::{Error, Kind, Result};
use crate::gauges::Machine;
use crate::model::{FleetSpec, Origin, ProxyAction};
use crate::plan::{Action, Plan};
use crate::process::ProcessHandle;
use crate::record::Counters;
use crate::units::Nanos;

/// The local ports that connections are given (ip(7)).
const PORT_RANGE: &str = "/proc/sys/net/ipv4/ip_local_port_range";
/// Instances that a live run starts at most.
const INSTANCES_MAX: u32 = 64;
/// How long the processor is watched before a run.
const WATCH: Nanos = Nanos::from_millis(300);
/// How often it is watched again while others keep it busy, before a run is refused: what is
/// over within three seconds refuses none.
const WATCHES: u32 = 10;
/// Busier than this by others, and the reader of the figures must know.
const BUSY_WARNING: f64 = 0.25;
/// Busier than this by others, and no run can be valid: the founding scenario
/// alone needs about half of two cores.
const BUSY_UNFIT: f64 = 0.90;
/// File descriptors that a process needs besides its connections: listeners,
/// epoll, logs, database, and room for connections that are being closed.
const DESCRIPTORS_SPARE: u64 = 256;

/// Checks the machine, and raises the limit on open files as far as allowed.
/// Returns warnings, one sentence each. `allowed`: the hosts that the command
/// line names.
///
/// # Errors
///
/// [`crate::error::Kind::Unfit`] where the run could not be valid here: too few
/// file descriptors, or a processor that others keep busy. Wrong usage, where a
/// host may not be sent to, or not so much.
pub(crate) fn preflight(plan: &Plan, allowed: &[String]) -> Result<Vec<String>> {
    refuse(plan, allowed)?;
    check_descriptors(plan)?;
    check_ports(plan)?;
    let mut warnings = Vec::new();
    let mut watches = (0..WATCHES).map(|_| others_share());
    let busy = |share: &Option<f64>| share.is_some_and(is_too_busy);
    let first_free = watches.find(|share| !busy(share));
    match first_free.unwrap_or_else(others_share) {
        Some(share) if is_too_busy(share) => {
            return Err(Error::unfit(format!(
                "other programs or virtual machines use {:.0} % of the CPU, so a run could not \
                 be valid; wait until they have ended",
                share * 100.0
            )));
        }
        Some(share) if share > BUSY_WARNING => warnings.push(format!(
            "other programs or virtual machines used {:.0} % of the CPU before the run began",
            share * 100.0
        )),
        Some(_) => {}
        None => warnings.push("CPU usage could not be read".to_owned()),
    }
    Ok(warnings)
}

/// Refuses what no machine may carry out: a host or a process that may not be touched, or
/// more than may be sent. Names are looked up for it; nothing is sent, started or changed.
///
/// # Errors
///
/// Wrong usage, and an unfit environment where a name leads nowhere.
pub(crate) fn refuse(plan: &Plan, allowed: &[String]) -> Result<()> {
    admit(plan, allowed)?;
    check_instances(plan)?;
    let held = match plan.target.as_ref().map(|target| &target.origin) {
        Some(Origin::Process(pid)) => ProcessHandle::take(*pid),
        Some(Origin::Port(port)) => ProcessHandle::listening(*port),
        _ => return Ok(()),
    };
    match held {
        Err(error) if error.kind() == Kind::Usage => Err(error),
        // One that is not there yet may come.
        _ => Ok(()),
    }
}

/// Each instance is a process; a larger fleet can be simulated.
fn check_instances(plan: &Plan) -> Result<()> {
    let instances = plan.fleet.as_ref().map_or(0, FleetSpec::places);
    if instances > INSTANCES_MAX {
        return Err(Error::usage(format!(
            "a live run starts {INSTANCES_MAX} instances at most, each a process, and the \
             scenario has {instances}; `threadbare simulate` takes any number"
        )));
    }
    Ok(())
}

/// Whether there are files and ports for all connections of a run; the rest of
/// [`preflight`] changes from moment to moment.
///
/// # Errors
///
/// An unfit environment, where there are not.
pub(crate) fn room(plan: &Plan) -> Result<()> {
    check_descriptors(plan)?;
    check_ports(plan)
}

/// The most connections that [`room`] finds room for, in a plan that is else as this one.
pub(crate) fn connections_max(plan: &Plan) -> u32 {
    let (mut fits, mut not) = (1, plan.load.connections.max(1).saturating_add(1));
    while fits + 1 < not {
        let middle = fits.midpoint(not);
        let mut tried = plan.clone();
        tried.load.connections = middle;
        if room(&tried).is_ok() {
            fits = middle;
        } else {
            not = middle;
        }
    }
    fits
}

/// The balancer holds two descriptors for each connection; it needs the most.
fn check_descriptors(plan: &Plan) -> Result<()> {
    let needed = 2 * (u64::from(plan.load.connections) + probes_at_a_time(plan))
        + of_faults(plan)
        + DESCRIPTORS_SPARE;
    let limit = getrlimit(Resource::Nofile);
    let hard = limit.maximum.unwrap_or(u64::MAX);
    if hard < needed {
        return Err(Error::unfit(format!(
            "the run needs {needed} open files in one process and the limit is {hard}; raise it \
             with `ulimit -Hn {needed}` or lower load.connections in the scenario"
        )));
    }
    if limit.current.is_some_and(|current| current < needed) {
        let raised = Rlimit {
            current: Some(needed),
            maximum: limit.maximum,
        };
        setrlimit(Resource::Nofile, raised).map_err(|cause| {
            Error::unfit(format!(
                "failed to raise the limit on open files to {needed}: {cause}; raise it with \
                 `ulimit -n {needed}`"
            ))
        })?;
    }
    Ok(())
}

/// What the run's own faults hold: a proxy two descriptors for each connection that
/// goes through it, and an occupation one for each of its own.
fn of_faults(plan: &Plan) -> u64 {
    let Some(target) = &plan.target else {
        return 0;
    };
    let through = u64::from(plan.load.connections) + probes_at_a_time(plan);
    let held = plan.timeline.iter().map(|entry| match entry.action {
        Action::Proxy(ProxyAction::Occupy { connections, .. }) => u64::from(connections),
        _ => 0,
    });
    2 * through * target.proxies.len() as u64 + held.sum::<u64>() * target.sites.len() as u64
}

/// Every connection has a local port, at the generator's end and at the balancer's.
fn check_ports(plan: &Plan) -> Result<()> {
    let needed = 2 * (u64::from(plan.load.connections) + probes_at_a_time(plan));
    let range = fs::read_to_string(PORT_RANGE).unwrap_or_default();
    let ends: Vec<u64> = range
        .split_whitespace()
        .filter_map(|end| end.parse().ok())
        .collect();
    // Where the kernel does not tell, the run will.
    let [first, last] = ends[..] else {
        return Ok(());
    };
    let free = (last + 1).saturating_sub(first);
    if free < needed {
        return Err(Error::unfit(format!(
            "the run may need {needed} local ports at a time and {PORT_RANGE} has {free}; widen \
             the range or lower load.connections in the scenario"
        )));
    }
    Ok(())
}

/// Probes that can be under way together when all of them hang.
fn probes_at_a_time(plan: &Plan) -> u64 {
    plan.monitors
        .iter()
        .map(|monitor| {
            let every = monitor.every.min(monitor.every_after_failure).0.max(1);
            let each = if monitor.overlap {
                monitor.timeout.0.div_ceil(every) + 1
            } else {
                1
            };
            each * u64::from(monitor.count)
        })
        .sum()
}

/// The share of the processor that others use, where no run could be valid beside them;
/// watches it for 300 ms.
pub(crate) fn too_busy() -> Option<f64> {
    others_share().filter(|share| is_too_busy(*share))
}

fn is_too_busy(share: f64) -> bool {
    share > BUSY_UNFIT
}

/// Share of the machine's processor time that is in use or stolen now.
fn others_share() -> Option<f64> {
    let mut machine = Machine::default();
    machine.sample(Nanos::ZERO, WATCH).ok()?;
    thread::sleep(WATCH.to_duration());
    let sample = machine.sample(Nanos::ZERO, WATCH).ok()??;
    let Counters::Machine(counters) = sample.counters else {
        return None;
    };
    (counters.total_ns > 0)
        .then(|| (counters.busy_ns + counters.steal_ns) as f64 / counters.total_ns as f64)
}
