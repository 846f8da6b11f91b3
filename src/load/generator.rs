//! The generator as its user sees it: started, told, heard of, joined.

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::sync::mpsc::{Sender, channel};
use std::thread::{self, JoinHandle};

use super::engine::Engine;
use super::poller::{Poller, Waker};
use crate::clock::Clock;
use crate::error::{Error, Result};
use crate::model::Role;
use crate::plan::Plan;
use crate::record::Sample;
use crate::units::Nanos;

/// Who the generator speaks as: bearer tokens that the target knows.
///
/// Printing it for debugging shows how many there are and none of them.
#[derive(Clone, Default)]
pub struct Identities {
    /// Tokens of users by their role.
    pub users: BTreeMap<Role, Vec<String>>,
    /// The token that monitors carry.
    pub service: String,
}

impl fmt::Debug for Identities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let users: usize = self.users.values().map(Vec::len).sum();
        write!(f, "Identities({users} users, tokens not shown)")
    }
}

/// What a generator needs to know.
#[derive(Debug, Clone)]
pub struct Setup {
    /// What to do: of it, the load, the monitors, the seed and the times count.
    pub plan: Plan,
    /// Where requests go; the host that the user named has been resolved.
    pub address: SocketAddr,
    /// Who asks.
    pub identities: Identities,
    /// The run's clock; its zero is the start of the load and may lie ahead.
    pub clock: Clock,
}

/// What a running generator can be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Command {
    /// Switch every monitor on or off; switched on, they begin afresh.
    Monitors {
        /// On or off.
        on: bool,
    },
    /// Clients make at most so many retries, in all that is decided from now
    /// on; a retry that waits for its pause or a connection is still made.
    Retries(u32),
    /// End at once: what is under way is unfinished.
    Stop,
}

/// What a running generator tells.
#[derive(Debug, Clone, PartialEq)]
pub enum Update {
    /// An interval or a bucket is complete.
    Sample(Sample),
    /// The last operation has been scheduled; what is under way may end.
    LoadEnded,
    /// Everything has ended or the drain is over. Nothing follows.
    Finished,
    /// Something about this machine that spoils the load, in one sentence;
    /// each is told once.
    Warning(String),
    /// The generator cannot go on, in one sentence. Nothing follows.
    Failed(String),
}

/// A generator at work, in a thread of its own.
///
/// Dropping it stops the load and does not wait for the thread.
#[derive(Debug)]
pub struct Generator {
    commands: Sender<Command>,
    waker: Waker,
    thread: Option<JoinHandle<()>>,
}

impl Generator {
    /// Starts a generator; the load begins at the clock's zero.
    ///
    /// `updates` is called on the generator's own thread: while it works, no
    /// load is sent, so it should do no more than pass things on.
    ///
    /// # Errors
    ///
    /// Where the plan cannot be carried out (a mix without weight, a role
    /// without a token, a token that would break the request, no subject to
    /// ask about), or the machine gives no file descriptors or no thread.
    pub fn start(setup: &Setup, updates: impl FnMut(Update) + Send + 'static) -> Result<Self> {
        let users = check(setup)?;
        let machine = |what: &str, cause: &dyn fmt::Display| {
            Error::unfit(format!(
                "failed to start the load generator: {what}: {cause}; free some and run again"
            ))
        };
        let (poller, waker) = Poller::new(setup.clock)
            .map_err(|cause| machine("no file descriptor for its timers", &cause))?;
        let (commands, receiver) = channel();
        let engine = Engine::new(setup, users, poller, receiver, Box::new(updates));
        let thread = thread::Builder::new()
            .name("load-1".to_owned())
            .spawn(move || engine.run())
            .map_err(|cause| machine("no thread", &cause))?;
        Ok(Self {
            commands,
            waker,
            thread: Some(thread),
        })
    }

    /// Tells it something; without effect where it has finished already.
    pub fn command(&self, command: Command) {
        if self.commands.send(command).is_ok() {
            self.waker.wake();
        }
    }

    /// Waits until it has finished; it finishes by itself after the drain.
    ///
    /// # Errors
    ///
    /// Where its thread died, which is a bug.
    pub fn join(mut self) -> Result<()> {
        let thread = self.thread.take();
        thread.map_or(Ok(()), JoinHandle::join).map_err(|_| {
            Error::failed("the load generator's thread died, which is a bug; please report it")
        })
    }
}

impl Drop for Generator {
    fn drop(&mut self) {
        if self.thread.is_some() {
            self.command(Command::Stop);
        }
    }
}

/// Finds the plan fit for the engine: the tokens that each entry of the mix chooses from.
fn check(setup: &Setup) -> Result<Vec<Vec<String>>> {
    let plan = &setup.plan;
    let load = &plan.load;
    let unfit = |what: &str| Err(Error::usage(format!("failed to plan the load: {what}")));
    let weights = load
        .mix
        .iter()
        .try_fold(0u32, |sum, entry| sum.checked_add(entry.weight));
    if weights.is_none_or(|sum| sum == 0) || u16::try_from(load.mix.len()).is_err() {
        return unfit("the weights of `mix` must add up to more than zero");
    }
    if load.connections == 0 {
        return unfit("`connections` must be at least 1");
    }
    if plan.interval < Nanos::from_millis(1) {
        return unfit("`interval` must be at least 1ms");
    }
    if plan.fleet.projects == 0 || plan.fleet.tasks == 0 {
        return unfit("there must be at least one project and one task to ask about");
    }
    let mut tokens = vec![&setup.identities.service];
    let mut users = Vec::new();
    for entry in &load.mix {
        let of_role = setup.identities.users.get(&entry.role);
        let Some(of_role) = of_role.filter(|tokens| !tokens.is_empty()) else {
            return unfit(&format!("no user has the role {}", entry.role.name()));
        };
        tokens.extend(of_role);
        users.push(of_role.clone());
    }
    if !tokens
        .iter()
        .all(|token| token.bytes().all(|byte| byte.is_ascii_graphic()))
    {
        return unfit("a bearer token holds a character that HTTP does not allow in one");
    }
    let paths = plan.monitors.iter().map(|monitor| monitor.probe.as_bytes());
    if !paths
        .clone()
        .all(|path| path.starts_with(b"/") && path.iter().all(u8::is_ascii_graphic))
    {
        return unfit("a monitor's `probe` must be a path such as \"/readyz\"");
    }
    Ok(users)
}
