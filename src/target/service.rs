//! The user's target, while a run has to do with it.
//!
//! All methods may be called from different threads: a hook or a restart takes
//! its time, and gauges are read meanwhile. What runs is under one lock, which
//! is held while it is started or ended, so that a rollback comes after the
//! push that it takes back.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use super::addresses::Addresses;
use super::call::{Guarded, Place, Plain, last_line};
use super::family::family;
use super::gauges::Books;
use super::lock;
use super::process::{Acting, Injector};
use super::spawn::Running;
use super::undo::{Safeguard, Undo};
use crate::bounds::HOOK_ANSWER;
use crate::clock::Clock;
use crate::error::{Error, Result};
use crate::model::{
    Command, HookKind, Origin, ProcessFault, ProcessSelector, Ready, ServiceAction, SourceName,
    TargetAction, TargetSpec, Url,
};
use crate::net::http::{self, HttpRequest};
use crate::net::{Failed, Tls};
use crate::process::proc::{self, Stat};
use crate::process::{ProcessHandle, ProcessIdentity, last_words};
use crate::record::{Event, FailureBook, Outcome, Sample, printable};
use crate::units::Nanos;

/// What the target's one source is called in the record.
const SOURCE: &str = "target";
/// The file of the run directory that keeps a command's output.
const OUTPUT: &str = "target.log";
/// The file that keeps the output of hooks.
const HOOKS_OUTPUT: &str = "hooks.log";
/// Limit on one question whether the target serves.
const ASK_MAX: Nanos = Nanos::from_secs(1);
/// How long a command without a ready check may take until it can be reached.
const START_WITHIN: Nanos = Nanos::from_secs(30);
/// How long a target that runs already may take, without one.
const REACH_WITHIN: Nanos = Nanos::from_secs(5);
/// How long the steady state is waited for once everything was undone.
const STEADY_WITHIN: Nanos = Nanos::from_secs(5);

/// Why a wait for the target ended with the run.
const INTERRUPTED: &str = "the run was ended before it was ready";

/// What a target begins with.
pub(crate) struct Begin<'a> {
    /// What it is.
    pub spec: &'a TargetSpec,
    /// The addresses that may be sent to.
    pub addresses: Addresses,
    /// The run directory, where output is kept.
    pub directory: &'a Path,
    /// This program's own file.
    pub binary: &'a Path,
    /// Who sees to it that everything is undone.
    pub safeguard: Arc<dyn Safeguard>,
    /// Where requests that fail are noted.
    pub failures: Arc<FailureBook>,
    /// Raised, it interrupts the set-up and everything that takes its time.
    pub stop: &'a Arc<AtomicBool>,
    /// How its ready check is asked: over HTTP/2, where it is.
    pub ask: AskStatus,
}

/// Sends a request: the status of the answer, or why there is none.
pub(crate) type AskStatus = fn(&HttpRequest<'_>) -> std::result::Result<u16, Failed>;

/// The user's target.
pub(crate) struct Target {
    spec: TargetSpec,
    addresses: Addresses,
    /// Encryption of the ready check, where it is one under https.
    ready_tls: Option<Tls>,
    ask: AskStatus,
    directory: PathBuf,
    binary: PathBuf,
    safeguard: Arc<dyn Safeguard>,
    failures: Arc<FailureBook>,
    stop: Arc<AtomicBool>,
    ending: AtomicBool,
    /// Whether the end of what runs has been told, or is expected.
    told: AtomicBool,
    /// Held by each call of a hook, and by the undo: it comes after them.
    calls: RwLock<()>,
    /// How many restarts wait for what runs: one that waits until the target is ready
    /// makes way for them. A target that its clients hold exhausted would else keep its
    /// own rollback waiting.
    next: AtomicU32,
    runs: Mutex<Runs>,
    /// The process that is held now; apart from `runs`, which is locked for as
    /// long as a restart takes, so that gauges are read meanwhile.
    leader: Mutex<Option<ProcessIdentity>>,
    /// What acts now and is to be undone.
    acting: Mutex<Vec<Acting>>,
    /// Hooks that are to be undone, by their names.
    hooked: Mutex<Vec<Hooked>>,
    books: Mutex<Books>,
}

/// A hook that acts now.
struct Hooked {
    kind: HookKind,
    acting: Acting,
}

/// What the end of the command found beside its group.
fn of_strays(told: &str) -> Event {
    let text = format!("The target's command has ended; {told}.");
    Event::Warning { text }
}

/// What comes of an action that comes after the end.
fn ended() -> Outcome {
    Outcome::Failed {
        reason: "the run is being ended".into(),
    }
}

/// What of it runs here.
enum Runs {
    Nothing,
    /// Started by this run, with the configurations that it had before.
    Started {
        running: Option<Running>,
        earlier: Vec<Command>,
    },
    /// It ran already.
    Attached(ProcessHandle),
}

impl Target {
    /// Starts it, or holds what runs already, and waits until it serves.
    ///
    /// # Errors
    ///
    /// An unfit environment, where it cannot be started or held, does not
    /// serve in time or cannot be reached; wrong usage, where a process may not
    /// be touched. Nothing is left running.
    pub(crate) fn begin(begin: Begin<'_>) -> Result<Self> {
        let ready = begin.spec.ready.as_ref().map(|ready| &ready.url);
        let ready_tls = ready.filter(|url| url.encrypted).map(|url| {
            let ca = begin.spec.ca.as_deref();
            Tls::speaking(&url.host, begin.spec.ready_over_http2(), ca)
        });
        let target = Self {
            ready_tls: ready_tls.transpose()?,
            ask: begin.ask,
            runs: Mutex::new(Runs::Nothing),
            leader: Mutex::default(),
            spec: begin.spec.clone(),
            addresses: begin.addresses,
            directory: begin.directory.to_owned(),
            binary: begin.binary.to_owned(),
            safeguard: begin.safeguard,
            failures: begin.failures,
            stop: Arc::clone(begin.stop),
            ending: AtomicBool::new(false),
            told: AtomicBool::new(false),
            calls: RwLock::default(),
            next: AtomicU32::new(0),
            acting: Mutex::default(),
            hooked: Mutex::default(),
            books: Mutex::default(),
        };
        let runs = match &target.spec.origin {
            Origin::Elsewhere => Runs::Nothing,
            Origin::Process(pid) => target.hold(ProcessHandle::take(*pid)?),
            Origin::Port(port) => target.hold(ProcessHandle::listening(*port)?),
            Origin::Command(command) => {
                target.free()?;
                Runs::Started {
                    running: Some(target.start(command)?),
                    earlier: Vec::new(),
                }
            }
        };
        let mut runs_now = lock(&target.runs);
        *runs_now = runs;
        let served = target.serves(&mut runs_now);
        if served.is_err()
            && let Runs::Started { running, .. } = &mut *runs_now
            && let Some(running) = running.take()
        {
            running.stop(&*target.safeguard);
        }
        drop(runs_now);
        served.map_err(Error::unfit)?;
        Ok(target)
    }

    fn hold(&self, held: ProcessHandle) -> Runs {
        *lock(&self.leader) = Some(held.identity());
        Runs::Attached(held)
    }

    /// A command that is to serve at an address must find it free: else
    /// another process answers.
    fn free(&self) -> Result<()> {
        for site in &self.spec.sites {
            if let Some(address) = self.addresses.get(&site.url)
                && http::connects(address, ASK_MAX).is_ok()
            {
                return Err(Error::unfit(format!(
                    "another process already serves {}; stop it, or name another \
                     url",
                    site.url
                )));
            }
        }
        Ok(())
    }

    fn start(&self, command: &Command) -> Result<Running> {
        let log = self.directory.join(OUTPUT);
        let running = Running::start(command, &self.binary, &log, &*self.safeguard)?;
        *lock(&self.leader) = Some(running.held().identity());
        Ok(running)
    }

    fn interrupted(&self) -> bool {
        self.stop.load(Ordering::Relaxed) || self.ending.load(Ordering::Relaxed)
    }

    /// Waits until it serves.
    ///
    /// # Errors
    ///
    /// Why it does not, in one sentence.
    fn serves(&self, runs: &mut Runs) -> std::result::Result<(), String> {
        let starting = matches!(runs, Runs::Started { .. });
        let within = match (&self.spec.ready, starting) {
            (Some(ready), _) => ready.within,
            (None, true) => START_WITHIN,
            (None, false) => REACH_WITHIN,
        };
        let from = self
            .directory
            .join(OUTPUT)
            .metadata()
            .map_or(0, |it| it.len());
        let clock = Clock::start();
        loop {
            let Err(last) = self.asked() else {
                return Ok(());
            };
            if self.interrupted() {
                return Err(INTERRUPTED.into());
            }
            if self.next.load(Ordering::Acquire) > 0 {
                return Err(format!("the next action came before it was ready: {last}"));
            }
            if let Runs::Started {
                running: Some(running),
                ..
            } = runs
                && let Some(status) = running.ended()
            {
                return Err(format!(
                    "the command ended with {status} before it served{}; its output is in the \
                     run directory's {OUTPUT}",
                    self.said(from.saturating_sub(4096))
                ));
            }
            if clock.now() >= within {
                let what = self.spec.ready.as_ref().map_or_else(
                    || "could not be reached".to_owned(),
                    |ready| {
                        format!(
                            "did not answer {} {} with {}",
                            ready.method,
                            ready.url,
                            ready.statuses()
                        )
                    },
                );
                return Err(format!(
                    "the target {what} within {within}: {last}; is it running, and is its URL \
                     right?{}",
                    if starting {
                        self.said(0)
                    } else {
                        String::new()
                    }
                ));
            }
            // A pause that ends at once where the command does.
            match runs {
                Runs::Started {
                    running: Some(running),
                    ..
                } => {
                    running.held().ended_within(self.spec.asked_every());
                }
                Runs::Attached(held) => {
                    held.ended_within(self.spec.asked_every());
                }
                _ => std::thread::park_timeout(self.spec.asked_every().to_duration()),
            }
        }
    }

    /// The last thing that the command said, as the end of a sentence.
    fn said(&self, from: u64) -> String {
        let words = last_words(&self.directory.join(OUTPUT), from).unwrap_or_default();
        printable(&last_line(&words)).into_owned()
    }

    /// Asks once whether it serves: by its ready check, or else by a connection
    /// to each of its sites.
    fn asked(&self) -> std::result::Result<String, String> {
        if let Some(ready) = &self.spec.ready {
            return self.yes(ready);
        }
        for site in &self.spec.sites {
            http::connects(self.address(&site.url)?, ASK_MAX).map_err(|failed| {
                self.not_ready(&failed);
                format!("{} cannot be reached: {failed}", site.url)
            })?;
        }
        Ok("it accepts connections; without a `ready` check no more is known".into())
    }

    fn yes(&self, ready: &Ready) -> std::result::Result<String, String> {
        let url = &ready.url;
        let status = (self.ask)(&HttpRequest {
            method: &ready.method,
            address: self.address(url)?,
            tls: self.ready_tls.as_ref(),
            authority: &url.authority,
            target: &url.target,
            headers: &[],
            body: b"",
            timeout: ASK_MAX,
            body_max: HOOK_ANSWER.length_max(),
        });
        let status = status.map_err(|failed| {
            self.not_ready(&failed);
            format!("{url} did not answer: {failed}")
        })?;
        let told = format!("{url} answered {status}");
        if ready.means_yes(status) {
            return Ok(told);
        }
        self.not_ready(&Failed::of_status(status, &*told));
        Err(told)
    }

    fn not_ready(&self, failed: &Failed) {
        self.failures.note(&SourceName::of_ready(), failed);
    }

    fn address(&self, url: &Url) -> std::result::Result<std::net::SocketAddr, String> {
        self.addresses
            .get(url)
            .ok_or_else(|| format!("{url} was not admitted"))
    }

    /// The process that is held, as a command that this run has started; none where it
    /// has started none.
    fn started(&self) -> Option<ProcessIdentity> {
        let started = matches!(self.spec.origin, Origin::Command(_));
        (*lock(&self.leader)).filter(|_| started)
    }

    /// All its processes that are there now, the held one first.
    fn processes(&self) -> Vec<Stat> {
        let Some(leader) = *lock(&self.leader) else {
            return Vec::new();
        };
        let mut found = family(&[leader], self.started()).unwrap_or_default();
        found.sort_by_key(|stat| stat.identity() != leader);
        found
    }

    /// Its processes as they are read once an interval, the held one first. Those that
    /// have left its group and their parents are not looked for that often.
    fn tree(&self) -> Vec<Stat> {
        let Some(leader) = *lock(&self.leader) else {
            return Vec::new();
        };
        if proc::stat(leader.pid).is_some_and(|stat| stat.started != leader.started) {
            return Vec::new();
        }
        let mut tree = proc::tree(leader.pid);
        if self.started().is_some() {
            // Members of the group whose parent has gone belong to it too.
            let members = proc::all()
                .into_iter()
                .filter(|stat| stat.group == leader.pid);
            let orphans = members.filter(|stat| tree.iter().all(|known| known.pid != stat.pid));
            let orphans: Vec<Stat> = orphans.collect();
            tree.extend(orphans);
        }
        tree
    }

    /// The process that is held now, as an event.
    pub(crate) fn serving(&self) -> Option<Event> {
        let pid = (*lock(&self.leader))?.pid;
        let source = SOURCE.into();
        Some(Event::Serving { source, pid })
    }

    /// What its processes used since the last sample; none where none is known.
    pub(crate) fn sample(&self, from: Nanos, to: Nanos) -> Option<Sample> {
        if matches!(self.spec.origin, Origin::Elsewhere) {
            return None;
        }
        let tree = self.tree();
        let local = self
            .spec
            .sites
            .iter()
            .filter(|site| site.url.names_loopback());
        let ports: Vec<u16> = local.map(|site| site.url.port).collect();
        Some(lock(&self.books).sample(&tree, &ports, from, to))
    }

    /// That it has ended by itself; once. While it is restarted it is not asked.
    pub(crate) fn died(&self) -> Option<Event> {
        let mut runs = self.runs.try_lock().ok()?;
        let status = match &mut *runs {
            Runs::Started {
                running: Some(running),
                ..
            } => running.ended()?.to_string(),
            Runs::Attached(held) if !held.alive() => {
                "only its parent knows its exit status".to_owned()
            }
            _ => return None,
        };
        let told = self.told.swap(true, Ordering::AcqRel);
        (!told).then(|| Event::Died {
            source: SOURCE.into(),
            status,
        })
    }

    /// Does to the target what the timeline says; `tell` hears of processes that
    /// come and go.
    pub(crate) fn act(&self, action: &TargetAction, tell: &dyn Fn(Event)) -> Outcome {
        match action {
            TargetAction::Hook { hook, kind } => self.call(hook, *kind),
            TargetAction::Process { fault, whom } => {
                if *fault == ProcessFault::Kill
                    && *whom != ProcessSelector::Child
                    && !self.tree().is_empty()
                {
                    self.expect_end(tell);
                }
                let mut acting = lock(&self.acting);
                // The undo has come, or waits for this.
                if self.ending.load(Ordering::Acquire) {
                    return ended();
                }
                let mut injector = Injector {
                    tree: &|| self.processes(),
                    command: self.started(),
                    acting: &mut acting,
                    safeguard: &*self.safeguard,
                };
                injector.act(*fault, *whom)
            }
            TargetAction::Configure { env, args } => self.release(tell, |now, earlier| {
                earlier.push(now.clone());
                let mut next = now.clone();
                next.env.extend(env.clone());
                if let Some(args) = args {
                    next.words.truncate(1);
                    next.words.extend(args.iter().cloned());
                }
                Ok(next)
            }),
        }
    }

    /// Restores the target's command as it was before the last push, or starts it again.
    pub(crate) fn serve_again(&self, action: ServiceAction, tell: &dyn Fn(Event)) -> Outcome {
        match action {
            ServiceAction::Rollback => self.release(tell, |_, earlier| {
                earlier
                    .pop()
                    .ok_or_else(|| "nothing was pushed before, so nothing can be restored".into())
            }),
            // A command is one instance: there is no pause between several.
            ServiceAction::Restart { pause: _ } => self.release(tell, |now, _| Ok(now.clone())),
        }
    }

    /// Its end is told as one that was wanted.
    fn expect_end(&self, tell: &dyn Fn(Event)) {
        if !self.told.swap(true, Ordering::AcqRel) {
            tell(Event::Ended {
                source: SOURCE.into(),
                status: "killed by the timeline".to_owned(),
            });
        }
    }

    /// Ends the command and starts it again as `next` says, given what it is
    /// now and what it was before; waits until it serves, or the next action comes.
    fn release(
        &self,
        tell: &dyn Fn(Event),
        next: impl FnOnce(&Command, &mut Vec<Command>) -> std::result::Result<Command, String>,
    ) -> Outcome {
        let failed = |reason: String| Outcome::Failed { reason };
        self.next.fetch_add(1, Ordering::AcqRel);
        let mut runs = lock(&self.runs);
        self.next.fetch_sub(1, Ordering::AcqRel);
        let Runs::Started {
            running, earlier, ..
        } = &mut *runs
        else {
            return failed("the target was not started by a command".into());
        };
        if self.ending.load(Ordering::Acquire) {
            return ended();
        }
        let Some(spec) = running.as_ref().map(|running| running.spec().clone()) else {
            return failed("the command is not running".into());
        };
        let next = match next(&spec, earlier) {
            Ok(next) => next,
            Err(reason) => return failed(reason),
        };
        // What acted on its processes ends with them.
        self.forget_processes();
        if let Some(old) = running.take() {
            let (status, strays) = old.stop(&*self.safeguard);
            let source = SOURCE.into();
            tell(Event::Ended { source, status });
            strays.as_deref().map(of_strays).into_iter().for_each(tell);
        }
        let started = match self.start(&next) {
            Ok(started) => started,
            Err(error) => return failed(error.to_string()),
        };
        let pid = started.held().identity().pid;
        *running = Some(started);
        self.told.store(false, Ordering::Release);
        let source = SOURCE.into();
        tell(Event::Serving { source, pid });
        // What was to run runs. Whether it serves is another matter: one that does not has
        // changed the target all the same, and what follows is its doing.
        let detail = match self.serves(&mut runs) {
            Ok(()) => format!("process {pid} serves"),
            Err(reason) => format!("process {pid} was started and does not serve: {reason}"),
        };
        Outcome::Applied { detail }
    }

    fn forget_processes(&self) {
        let gone = Outcome::Applied {
            detail: "its processes are ended".into(),
        };
        for one in lock(&self.acting).drain(..) {
            // A paused process would not hear that it is to end.
            let _ = self.safeguard.carry_out(one.id, &one.undo);
            self.safeguard.settle(one.id, &gone);
        }
    }

    fn call(&self, name: &str, kind: HookKind) -> Outcome {
        let failed = |reason: &str| Outcome::Failed {
            reason: reason.to_owned(),
        };
        let _calls = self.calls.read().unwrap_or_else(PoisonError::into_inner);
        if self.ending.load(Ordering::Acquire) {
            return ended();
        }
        let Some(hook) = self.spec.hook(name) else {
            return failed("there is no such hook");
        };
        let log = self.directory.join(HOOKS_OUTPUT);
        let place = Place {
            folder: &self.spec.folder,
            log: Some(&log),
            ca: self.spec.ca.as_deref(),
        };
        let plain = |call| Plain::new(name, call, |url| self.addresses.get(url), place);
        let Some(call) = plain(&hook.call) else {
            return failed("its host is not allowed");
        };
        let mut armed = None;
        if let Some(undo) = &hook.undo {
            let Some(undo) = plain(undo) else {
                return failed("the host of its undo is not allowed");
            };
            let undo = Undo::Call(Box::new(undo));
            // Armed before it acts: a hook that is killed half-way has acted too.
            match self.safeguard.arm(undo.clone()) {
                Ok(id) => {
                    armed = Some(id);
                    lock(&self.hooked).push(Hooked {
                        kind,
                        acting: Acting { id, undo },
                    });
                }
                Err(error) => return failed(&error.to_string()),
            }
        }
        let source = SourceName::of_hook(name);
        let outcome = call.guarded(Guarded {
            binary: &self.binary,
            safeguard: &*self.safeguard,
            ending: &|| self.interrupted(),
            failed: &|failed| self.failures.note(&source, failed),
        });
        match (&outcome, kind) {
            // Refused: nothing was changed, so there is nothing to undo.
            (Outcome::Rejected { .. }, _) => {
                self.settle_hooks(|it| Some(it.acting.id) == armed, &outcome);
            }
            // A rollback that was applied has undone what was pushed. Of several pushes it
            // is not known which: what is undone once more is better off than what never is.
            (Outcome::Applied { .. }, HookKind::Rollback) if self.pushes() == 1 => {
                self.settle_hooks(|it| it.kind == HookKind::Push, &outcome);
            }
            _ => {}
        }
        outcome
    }

    /// How many pushes are to be undone.
    fn pushes(&self) -> usize {
        let hooked = lock(&self.hooked);
        hooked.iter().filter(|it| it.kind == HookKind::Push).count()
    }

    fn settle_hooks(&self, which: impl Fn(&Hooked) -> bool, outcome: &Outcome) {
        let mut hooked = lock(&self.hooked);
        let (settled, rest): (Vec<_>, Vec<_>) = hooked.drain(..).partition(which);
        *hooked = rest;
        for Hooked { acting, .. } in settled {
            let detail = match outcome {
                Outcome::Applied { .. } => "undone by a rollback",
                _ => "refused, so nothing was changed",
            };
            self.safeguard.settle(
                acting.id,
                &Outcome::Applied {
                    detail: detail.into(),
                },
            );
        }
    }

    /// Undoes everything that still acts, faults of processes first, and of each kind the
    /// last first; `tell` hears the result of each as it is done.
    pub(crate) fn undo(&self, tell: &mut dyn FnMut(Event)) {
        self.ending.store(true, Ordering::Release);
        // What stands still goes on at once, whatever a call waits for.
        let acting: Vec<Acting> = lock(&self.acting).drain(..).collect();
        self.undo_each(acting, tell);
        // A call under way is sent before it is undone; it ends soon, since the run does.
        let _calls = self.calls.write().unwrap_or_else(PoisonError::into_inner);
        let hooked: Vec<Acting> = lock(&self.hooked).drain(..).map(|it| it.acting).collect();
        self.undo_each(hooked, tell);
    }

    fn undo_each(&self, mut acting: Vec<Acting>, tell: &mut dyn FnMut(Event)) {
        acting.sort_by_key(|one| std::cmp::Reverse(one.id));
        for one in acting {
            let outcome = self.safeguard.carry_out(one.id, &one.undo);
            tell(Event::Undone {
                undo: one.undo.in_words(),
                outcome,
            });
        }
    }

    /// Whether it serves, after everything was undone.
    pub(crate) fn steady(&self) -> Event {
        let clock = Clock::start();
        loop {
            match self.asked() {
                Ok(detail) => {
                    return Event::SteadyState {
                        returned: true,
                        detail,
                    };
                }
                Err(detail) if clock.now() >= STEADY_WITHIN => {
                    return Event::SteadyState {
                        returned: false,
                        detail,
                    };
                }
                Err(_) => std::thread::park_timeout(self.spec.asked_every().to_duration()),
            }
        }
    }

    /// Ends what this run has started.
    pub(crate) fn stop(&self) -> Vec<Event> {
        self.ending.store(true, Ordering::Release);
        let mut events: Vec<Event> = self.died().into_iter().collect();
        if let Runs::Started { running, .. } = &mut *lock(&self.runs)
            && let Some(running) = running.take()
        {
            let (status, strays) = running.stop(&*self.safeguard);
            if !self.told.swap(true, Ordering::AcqRel) {
                let source = SOURCE.into();
                events.push(Event::Ended { source, status });
            }
            events.extend(strays.as_deref().map(of_strays));
        }
        events
    }
}
