//! The generator as its user sees it: started, told, heard of, joined.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};

use super::endpoint::Endpoint;
use super::engine::Engine;
use super::poller::{Poller, Waker};
use super::prepared::PreparedWork;
use crate::clock::Clock;
use crate::error::{Error, Result};
use crate::model::{ClientsAction, FailureCause, HttpWork, Role, SourceName};
use crate::plan::{Plan, Portion, Slice};
use crate::record::{Event, FirstFailure, Sample, SlowOperation};
use crate::sync::lock;
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

/// What operations ask for.
///
/// Printing it for debugging shows no request: some hold secrets.
#[derive(Clone)]
pub enum Work {
    /// The built-in fleet's requests, as the plan mixes them, by these users.
    Fleet(Identities),
    /// The user's own operations.
    Http {
        /// The `host` field of requests that have none of their own.
        host: String,
        /// What they are.
        work: HttpWork,
    },
}

impl fmt::Debug for Work {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fleet(identities) => identities.fmt(f),
            Self::Http { host, work } => {
                let kinds = work.operations.len();
                write!(f, "{kinds} kinds of operations at {host}, not shown")
            }
        }
    }
}

/// What a generator needs to know.
#[derive(Debug, Clone)]
pub struct Setup {
    /// What to do: of it, the load, the monitors, the seed and the times count.
    pub plan: Plan,
    /// Where requests go, and by what.
    pub endpoint: Endpoint,
    /// What is asked, and who asks.
    pub work: Work,
    /// The run's clock; its zero is the start of the load and may lie ahead.
    pub clock: Clock,
}

/// What a running generator can be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Command {
    /// Do what the timeline says. Monitors that are switched on begin afresh; a
    /// retry that waits for its pause or a connection is still made.
    Act(ClientsAction),
    /// End the load at an instant of its clock: nothing starts from then on. What is under
    /// way may end as after the planned end. One that hears of it later ends then.
    EndLoad {
        /// From when nothing starts.
        at: Nanos,
        /// Until when what is under way may end.
        drained: Nanos,
    },
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
    /// Attempts failed in a way in which none had before; this was the first.
    FirstFailure(FirstFailure),
    /// The slowest operations of an interval, of those whose traces are recorded.
    Slowest(Vec<SlowOperation>),
    /// Something happened to who sends the load, for the journal.
    Happened(Event),
    /// Something about this machine that spoils the load, in one sentence;
    /// each is told once.
    Warning(String),
    /// The generator cannot go on, in one sentence. Nothing follows.
    Failed(String),
}

/// A generator at work, in threads of its own.
///
/// Dropping it stops the load and does not wait for the threads.
#[derive(Debug)]
pub struct Generator {
    slices: Vec<Worker>,
}

/// One thread of it, with its slice of the load.
#[derive(Debug)]
struct Worker {
    commands: Sender<Command>,
    waker: Waker,
    thread: Option<JoinHandle<()>>,
}

impl Generator {
    /// Starts a generator; the load begins at the clock's zero.
    ///
    /// `updates` is called on the generator's own threads, by one at a time:
    /// while it works no load is sent, so it should do no more than pass
    /// things on. Each thread tells its own samples, and those of one source
    /// and interval add up.
    ///
    /// # Errors
    ///
    /// Where the plan cannot be carried out (a mix without weight, a role
    /// without a token, a token that would break the request, no subject to
    /// ask about), or the machine gives no file descriptors or no thread.
    #[cfg(feature = "testing")]
    pub fn start(setup: &Setup, updates: impl FnMut(Update) + Send + 'static) -> Result<Self> {
        Self::across(&[(setup.clone(), 1)], updates)
    }

    /// The same with several targets, each with its weight: of every so many
    /// operations as all weights add up to, a target gets its own number. Each
    /// target has threads of its own, and its operations are counted under its own name
    /// too; monitors probe the first.
    ///
    /// # Errors
    ///
    /// As [`Generator::start`], and where no target has a weight.
    pub fn across(
        targets: &[(Setup, u32)],
        updates: impl FnMut(Update) + Send + 'static,
    ) -> Result<Self> {
        Self::portion(targets, Portion::WHOLE, Nanos::MAX, updates)
    }

    /// The same with a portion of all threads, where other generators have the others: what
    /// all of them schedule together is what one alone would, operation by operation. A thread
    /// that stands still for longer than the lease sends nothing any more: it is late for a
    /// load that goes on without it.
    ///
    /// # Errors
    ///
    /// As [`Generator::across`], and where the portion has no thread.
    pub fn portion(
        targets: &[(Setup, u32)],
        portion: Portion,
        lease: Nanos,
        updates: impl FnMut(Update) + Send + 'static,
    ) -> Result<Self> {
        let asked = targets.iter().map(|(setup, _)| check(setup));
        let asked: Vec<PreparedWork> = asked.collect::<Result<_>>()?;
        let slices = targets.iter().map(|(setup, weight)| {
            let threads = setup.plan.load.drive.threads;
            weight.checked_mul(threads).map(|all| (threads, all))
        });
        let slices: Option<Vec<(u32, u32)>> = slices.collect();
        let widths = slices
            .as_ref()
            .map(|slices| slices.iter().map(|(_, all)| *all));
        let of = widths.and_then(|mut widths| widths.try_fold(0u32, u32::checked_add));
        let (Some(slices), Some(of)) = (slices, of.filter(|of| *of > 0)) else {
            return Err(Error::usage(
                "failed to plan the load: the targets' weights must add up to more than zero, \
                 and to less than four billion",
            ));
        };
        let own = |threads: u32| portion.threads(threads);
        let threads = slices.iter().map(|(threads, _)| own(*threads).len());
        let threads = u32::try_from(threads.sum::<usize>()).unwrap_or(u32::MAX);
        if threads == 0 {
            return Err(Error::usage(
                "failed to plan the load: there are more generators than threads",
            ));
        }
        let told = MergedUpdates::new(threads, updates);
        let mut generator = Self { slices: Vec::new() };
        let mut index = 0;
        let several = targets.len() > 1;
        let all = targets.iter().zip(asked).zip(slices).enumerate();
        for (place, (((setup, weight), asked), (threads, _))) in all {
            let told = told.of_url(several.then_some(place));
            for thread in 0..threads {
                if !own(threads).contains(&thread) {
                    index += weight;
                    continue;
                }
                let slice = Slice {
                    index,
                    width: *weight,
                    of,
                };
                let worker = Worker::start(setup, asked.clone(), (slice, lease), told.clone())?;
                generator.slices.push(worker);
                index += weight;
            }
        }
        Ok(generator)
    }

    /// Tells it something; without effect where it has finished already.
    pub fn command(&self, command: Command) {
        for worker in &self.slices {
            if worker.commands.send(command).is_ok() {
                worker.waker.wake();
            }
        }
    }

    /// Waits until it has finished; it finishes by itself after the drain.
    ///
    /// # Errors
    ///
    /// Where a thread of it died, which is a bug.
    pub fn join(mut self) -> Result<()> {
        let mut all = Ok(());
        for worker in &mut self.slices {
            let joined = worker.thread.take().map_or(Ok(()), JoinHandle::join);
            if joined.is_err() {
                all = Err(Error::failed(DIED));
            }
        }
        all
    }
}

impl Drop for Generator {
    fn drop(&mut self) {
        if self.slices.iter().any(|worker| worker.thread.is_some()) {
            self.command(Command::Stop);
        }
    }
}

impl Worker {
    fn start(
        setup: &Setup,
        asked: PreparedWork,
        (slice, lease): (Slice, Nanos),
        told: MergedUpdates,
    ) -> Result<Self> {
        let machine = |what: &str, cause: &dyn fmt::Display| {
            Error::unfit(format!(
                "failed to start the load generator: {what}: {cause}; free some and run again"
            ))
        };
        let (poller, waker) = Poller::new(setup.clock)
            .map_err(|cause| machine("no file descriptor for its timers", &cause))?;
        let (commands, receiver) = channel();
        let alarm = Alarm(told.clone());
        let updates = Box::new(move |update| told.tell(update));
        let engine = Engine::new(setup, asked, slice, poller, receiver, updates).leased(lease);
        let thread = thread::Builder::new()
            .name(format!("load-{}", slice.index + 1))
            .spawn(move || {
                let _alarm = alarm;
                engine.run();
            })
            .map_err(|cause| machine("no thread", &cause))?;
        Ok(Self {
            commands,
            waker,
            thread: Some(thread),
        })
    }
}

/// Tells where a thread dies of a bug: nobody else would hear of it in time.
struct Alarm(MergedUpdates);

impl Drop for Alarm {
    fn drop(&mut self) {
        if thread::panicking() {
            self.0.tell(Update::Failed(DIED.to_owned()));
        }
    }
}

const DIED: &str = "a thread of the load generator died, which is a bug; please report it";

/// What the threads tell, passed on as from one.
#[derive(Clone)]
struct MergedUpdates {
    telling: Arc<Mutex<Telling>>,
    /// The URL that these threads load, where there are several.
    url: Option<SourceName>,
}

struct Telling {
    updates: Box<dyn FnMut(Update) + Send>,
    /// Threads whose load has not ended yet.
    loading: u32,
    /// Threads that have not finished yet.
    working: u32,
    warnings: Vec<String>,
    failures: Vec<(SourceName, FailureCause, Option<u16>)>,
}

impl MergedUpdates {
    fn new(threads: u32, updates: impl FnMut(Update) + Send + 'static) -> Self {
        let telling = Telling {
            updates: Box::new(updates),
            loading: threads,
            working: threads,
            warnings: Vec::new(),
            failures: Vec::new(),
        };
        Self {
            telling: Arc::new(Mutex::new(telling)),
            url: None,
        }
    }

    /// The same for the threads that load one of several URLs.
    fn of_url(&self, place: Option<usize>) -> Self {
        Self {
            url: place.map(SourceName::of_url),
            ..self.clone()
        }
    }

    /// Users' operations once more, under the name of the URL that had them.
    fn by_url(&self, update: &Update) -> Option<Update> {
        match (&self.url, update) {
            (Some(url), Update::Sample(sample)) if sample.is_of_all_operations() => {
                Some(Update::Sample(Sample {
                    source: url.clone(),
                    ..sample.clone()
                }))
            }
            _ => None,
        }
    }

    /// Passes a sample on at once, an end with the last thread's, a warning once.
    fn tell(&self, update: Update) {
        let by_url = self.by_url(&update);
        let mut telling = lock(&self.telling);
        if let Some(by_url) = by_url {
            (telling.updates)(by_url);
        }
        let passed_on = match &update {
            Update::Sample(_) | Update::Slowest(_) | Update::Happened(_) | Update::Failed(_) => {
                true
            }
            Update::LoadEnded => {
                telling.loading -= 1;
                telling.loading == 0
            }
            Update::Finished => {
                telling.working -= 1;
                telling.working == 0
            }
            Update::FirstFailure(failure) => {
                let kind = (failure.source.clone(), failure.cause, failure.status);
                let new = !telling.failures.contains(&kind);
                if new {
                    telling.failures.push(kind);
                }
                new
            }
            Update::Warning(text) => {
                let new = !telling.warnings.contains(text);
                if new {
                    telling.warnings.push(text.clone());
                }
                new
            }
        };
        if passed_on {
            (telling.updates)(update);
        }
    }
}

/// Finds the plan fit for the engine.
fn check(setup: &Setup) -> Result<PreparedWork> {
    let plan = &setup.plan;
    let unfit = |what: &str| Err(Error::usage(format!("failed to plan the load: {what}")));
    let (load, drive) = (&plan.load, plan.load.drive);
    if load.connections == 0 {
        return unfit("`connections` must be at least 1");
    }
    if drive.threads == 0 || drive.threads > load.connections {
        return unfit("there must be a thread, and no more threads than connections");
    }
    if drive
        .closed
        .is_some_and(|closed| closed.users < drive.threads)
    {
        return unfit("there must be no more threads than users");
    }
    let client = &load.client;
    if client
        .hedge_after
        .is_some_and(|after| after >= client.timeout)
    {
        return unfit("a hedge must come before the timeout of the first try");
    }
    if client.breaker.is_some()
        && drive
            .closed
            .is_some_and(|closed| closed.think == Nanos::ZERO)
    {
        // Whoever is shed asks again at once, and so a million times a second.
        return unfit(
            "in a closed loop a circuit breaker needs users who think between operations",
        );
    }
    let fleet = matches!(setup.work, Work::Fleet(_));
    if let Err(reason) = setup.endpoint.protocol.fits(drive.fresh_connections, fleet) {
        return unfit(reason);
    }
    if plan.interval < Nanos::from_millis(1) {
        return unfit("`interval` must be at least 1ms");
    }
    let paths = plan.monitors.iter().map(|monitor| monitor.probe.as_bytes());
    if !paths
        .clone()
        .all(|path| path.starts_with(b"/") && path.iter().all(u8::is_ascii_graphic))
    {
        return unfit("a monitor's `probe` must be a path such as \"/readyz\"");
    }
    let asked = PreparedWork::new(setup)?;
    if client.hedge_after.is_some() && !asked.requests.any_idempotent() {
        return unfit("nothing can be hedged: no request may be made twice, as a GET may");
    }
    Ok(asked)
}
