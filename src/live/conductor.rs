//! The conductor: one loop that receives everything and decides what is next.
//!
//! Everyone else (generator, sampler, actor, signals) runs on threads of its
//! own and sends [`Message`]s. Only this loop writes the record, so the journal
//! has one order. Actions are journalled before they act.

mod last;
mod people;
mod threads;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};

use self::threads::{hear, start_actor};
use super::admitted::admit;
use super::gauges;
use super::guardian::Guardian;
use super::message::Message;
use super::sampler::Sampler;
use super::signals::Interrupt;
use super::system::{self, Start, SystemUnderTest};
use super::watch::Watch;
use crate::clock::Clock;
use crate::error::{Error, Result};
use crate::gauges::{AcceptQueue, Sockets};
use crate::load::{Address, Command, LoadSource, Sending, Setup, Update};
use crate::model::Ordered;
use crate::plan::{Action, Plan, Responders, Timeline};
use crate::record::{Event, FailureBook, Observer, Outcome, Recorder, Sample, StopCause};
use crate::units::Nanos;

/// Between the fleet's readiness and the load's zero: enough for every thread
/// to have started.
const LEAD: Nanos = Nanos::from_millis(200);
/// How long a generator that was told to stop may take to write its last samples.
const PATIENCE: Nanos = Nanos::from_secs(5);
/// Woken later than this, the whole process stood still: a busy machine delays a thread by
/// less. Ours.
const STOOD_STILL: Nanos = Nanos::from_secs(1);

/// Carries out the plan on a real target, and records what happens. `binary` is
/// this program's own executable, from which the fleet and the guardian are
/// started; `allowed`: the hosts that the command line names; `source`: who sends the load;
/// `orders`: what people in the
/// room ask for, where there are any.
///
/// Returns why the run stopped; an interrupted run is recorded as far as it went.
///
/// # Errors
///
/// Where the target cannot be had or is not healthy before anything is injected,
/// a process of the fleet ends on its own, or the record cannot be written.
/// Nothing is left running, what was done is undone, and what was recorded can
/// still be reported.
pub(crate) fn conduct(
    plan: &Plan,
    recorder: &mut Recorder,
    (binary, allowed): (&Path, &[String]),
    source: &mut dyn LoadSource,
    warnings: &[String],
    orders: Option<Receiver<Ordered>>,
    observer: &mut dyn Observer,
) -> Result<StopCause> {
    let (sender, messages) = mpsc::channel();
    let mut asked = None;
    if let Some(orders) = orders {
        asked = Some(orders);
    }
    let signals = sender.clone();
    let interrupt = Interrupt::listen(move || {
        // Nobody listens once the run has ended; then there is nothing to interrupt.
        let _ = signals.send(Message::Interrupted);
    })?;
    if let Some(orders) = asked {
        hear(orders, sender.clone(), interrupt.clone());
    }
    let guardian = Arc::new(Guardian::start(binary)?);
    let mut run = Run {
        plan,
        recorder,
        observer,
        guardian: &guardian,
        interrupt,
        clock: Clock::start(),
        sender,
        messages,
        timeline: Timeline::new(plan),
        responders: Responders::new(plan),
        watch: Watch::new(plan),
        patience: PATIENCE,
        afar: Nanos::ZERO,
        finished: false,
        load_ended: false,
        stopped_by: None,
        under_way: BTreeMap::new(),
    };
    let cause = run.all(binary, allowed, source, warnings);
    let ended = run.end(cause);
    // Past this point no process of the run is left, so what becomes of the
    // guardian changes nothing about the run: it ends with this process.
    if let Some(guardian) = Arc::into_inner(guardian) {
        let _ = guardian.dismiss();
    }
    ended
}

/// A run under way.
struct Run<'a> {
    plan: &'a Plan,
    recorder: &'a mut Recorder,
    observer: &'a mut dyn Observer,
    guardian: &'a Arc<Guardian>,
    interrupt: Interrupt,
    clock: Clock,
    sender: Sender<Message>,
    messages: Receiver<Message>,
    timeline: Timeline,
    responders: Responders,
    watch: Watch,
    /// How long those who send the load may take to tell their end.
    patience: Nanos,
    /// How long those who send the load from afar may take to tell what they counted last.
    afar: Nanos,
    /// Whether they have.
    finished: bool,
    /// Whether the last operation was scheduled.
    load_ended: bool,
    /// Who in the room ends the run.
    stopped_by: Option<String>,
    /// What has begun and not ended, by its place in the timeline.
    under_way: BTreeMap<usize, Action>,
}

impl Run<'_> {
    /// Set-up, load, timeline, drain. What it started ends with it.
    fn all(
        &mut self,
        binary: &Path,
        allowed: &[String],
        source: &mut dyn LoadSource,
        warnings: &[String],
    ) -> Result<StopCause> {
        for text in warnings {
            self.event(&Event::Warning { text: text.clone() })?;
        }
        let plan = self.plan;
        let admitted = admit(plan, allowed)?;
        let sockets = Sockets::open(&admitted.scrapes)?;
        let failures = Arc::new(FailureBook::default());
        let system = system::begin(&Start {
            plan,
            directory: self.recorder.directory(),
            binary,
            addresses: &admitted.addresses,
            guardian: self.guardian,
            interrupt: &self.interrupt,
            clock: self.clock,
            messages: &self.sender,
            failures: &failures,
        })?;
        let (generator, accept_queue) = match self.generator(&*system, source, &failures) {
            Ok(begun) => begun,
            Err(error) => {
                self.give_up(&*system);
                return Err(error);
            }
        };
        let mut reading = gauges::start(sockets, plan, self.clock, &self.sender, &failures);
        let mut sampler = Sampler::start(
            self.clock,
            plan.interval,
            Arc::clone(&system),
            accept_queue,
            failures,
            self.sender.clone(),
        );
        let actor = start_actor(Arc::clone(&system), self.clock, self.sender.clone());
        let cause = self
            .event(&Event::LoadStarted)
            .and_then(|()| self.heard_before(&*generator, &actor))
            .and_then(|()| self.conduct(&*generator, &actor));
        if !matches!(cause, Ok(StopCause::Completed)) {
            generator.command(Command::Stop);
        }
        // At once, and whatever fails next: what acts on others is undone first.
        let mut told = Ok(());
        system.undo(&mut |event| {
            let written = self.event(&event);
            if told.is_ok() {
                told = written;
            }
        });
        // What its last readings were refused is told with the last sample.
        reading.stop();
        sampler.stop();
        let afar = self.heard_from_afar(&cause);
        let last = afar.and(self.last_messages());
        let (events, undone) = system.stop();
        // What was armed and settled meanwhile is told before the end.
        let later = self.last_messages();
        for event in events {
            self.event(&event)?;
        }
        if let Err(left) = &undone {
            let text = left.to_string();
            self.event(&Event::Warning { text })?;
        }
        let last = told.and(last).and(later);
        match cause? {
            StopCause::Completed => {
                generator.join()?;
                last.and(undone).map(|()| StopCause::Completed)
            }
            // A generator that does not end in time ends with this process.
            stopped => Ok(stopped),
        }
    }

    /// Starts the load on what was begun, and finds its accept queue.
    fn generator(
        &mut self,
        system: &dyn SystemUnderTest,
        source: &mut dyn LoadSource,
        failures: &FailureBook,
    ) -> Result<(Box<dyn Sending>, Option<AcceptQueue>)> {
        let plan = self.plan;
        let destinations = system.destinations()?;
        // A proxy takes connections at once: it is the program's own queue that tells.
        let site = destinations.first().map(|first| first.site.clone());
        let mut setups: Vec<(Setup, u32)> = destinations
            .into_iter()
            .map(|destination| {
                let setup = Setup {
                    plan: plan.clone(),
                    endpoint: destination.endpoint,
                    work: destination.work,
                    clock: self.clock,
                };
                (setup, destination.weight)
            })
            .collect();
        source.prepare(&setups)?;
        self.afar = source.patience();
        self.patience = PATIENCE.max(self.afar);
        self.clock = Clock::start_in(LEAD.max(source.lead()));
        failures.begin(self.clock);
        for event in system.serving() {
            self.event(&event)?;
        }
        for (setup, _) in &mut setups {
            setup.clock = self.clock;
        }
        self.watch.threads(setups.len(), plan.load.drive.threads);
        let accept_queue = site.and_then(|site| match site {
            Address::Tcp(address) => AcceptQueue::of(address),
            Address::Unix(_) => None,
        });
        let updates = self.sender.clone();
        let updates = Box::new(move |update| {
            let _ = updates.send(Message::Load(update));
        });
        let generator = source.start(&setups, updates)?;
        Ok((generator, accept_queue))
    }

    /// Undoes and ends what was begun where no load could be, with all that it has started.
    fn give_up(&mut self, system: &dyn SystemUnderTest) {
        // What cannot be recorded is done all the same: the first failure is the cause.
        system.undo(&mut |event| {
            let _ = self.event(&event);
        });
        let (mut events, undone) = system.stop();
        events.extend(undone.err().map(|left| Event::Warning {
            text: left.to_string(),
        }));
        for event in events {
            let _ = self.event(&event);
        }
    }

    /// What people asked for while the run was set up comes before anything that is planned.
    fn heard_before(
        &mut self,
        generator: &dyn Sending,
        actor: &Sender<(usize, Action)>,
    ) -> Result<()> {
        let mut others = Vec::new();
        while let Ok(message) = self.messages.try_recv() {
            match message {
                Message::Ordered(ordered) => self.ordered(ordered, generator, actor)?,
                other => others.push(other),
            }
        }
        for message in others {
            // It is there as long as this is.
            let _ = self.sender.send(message);
        }
        Ok(())
    }

    /// The loop itself, until the load has drained or was interrupted.
    fn conduct(
        &mut self,
        generator: &dyn Sending,
        actor: &Sender<(usize, Action)>,
    ) -> Result<StopCause> {
        let mut end = self.plan.end + self.plan.drain + self.patience;
        loop {
            let now = self.clock.now();
            if let Some(cause) = self.asked_to_stop() {
                end = end.min(now + self.patience);
                if now >= end {
                    return Ok(cause);
                }
            } else {
                if now >= end {
                    return Err(Error::failed(
                        "the load generator did not end with the drain, which is a bug of \
                         threadbare; please report it with the run directory",
                    ));
                }
                // What a hold has put off until after the load does not come any more.
                if !(self.load_ended && self.timeline.was_held()) {
                    while let Some(entry) = self.timeline.take(now) {
                        self.begin(entry, generator, actor)?;
                    }
                    // Those on call wait with the timeline.
                    if !self.timeline.is_held() {
                        self.respond(now, generator, actor)?;
                    }
                }
            }
            let waits = self.timeline.is_held() || self.load_ended && self.timeline.was_held();
            let due = [
                self.timeline.next_deadline(),
                self.responders.next_deadline(),
            ]
            .map(|due| due.filter(|_| !waits));
            let wake = due
                .into_iter()
                .flatten()
                .min()
                .filter(|_| !self.stopping())
                .map_or(end, |due| due.min(end));
            let asleep = self.clock.now();
            let wait = wake.saturating_sub(asleep);
            let received = self.messages.recv_timeout(wait.to_duration());
            let late = self.clock.now().saturating_sub(asleep + wait);
            if late > STOOD_STILL {
                // The generator stood still too, and has as much to catch up with.
                end += late;
                self.stood_still(late)?;
            }
            let message = match received {
                Ok(message) => message,
                Err(RecvTimeoutError::Timeout) => continue,
                Err(RecvTimeoutError::Disconnected) => {
                    return Err(Error::failed("the run's own threads have ended early"));
                }
            };
            match message {
                Message::Load(Update::Finished) => {
                    self.finished = true;
                    return Ok(self.asked_to_stop().unwrap_or(StopCause::Completed));
                }
                Message::Load(Update::LoadEnded) => {
                    self.load_ended = true;
                    self.event(&Event::LoadEnded)?;
                }
                Message::Load(Update::Failed(reason)) => return Err(Error::failed(reason)),
                Message::Load(Update::FirstFailure(failure)) => {
                    self.event(&Event::FirstFailure(failure))?;
                }
                Message::Load(Update::Slowest(operations)) => {
                    self.event(&Event::Slowest { operations })?;
                }
                Message::Load(Update::Warning(text)) => self.event(&Event::Warning { text })?,
                Message::Load(Update::Happened(event)) => self.event(&event)?,
                Message::Load(Update::Sample(sample)) | Message::Sample(sample) => {
                    self.sample(&sample)?;
                }
                Message::Sampled { from, to } => self.sampled(from, to)?,
                Message::Event(event) => self.happened(&event)?,
                Message::Died(event) => return self.died(&event),
                Message::ActionEnded { entry, outcome } => {
                    self.happened(&Event::ActionEnded { entry, outcome })?;
                }
                Message::Interrupted => generator.command(Command::Stop),
                Message::Ordered(ordered) => self.ordered(ordered, generator, actor)?,
            }
            if let Some(cause) = self.watch.aborted() {
                return Ok(cause.clone());
            }
        }
    }

    /// Why the run ends before its planned end, where a signal or somebody in the room asks
    /// for it.
    fn asked_to_stop(&self) -> Option<StopCause> {
        let interrupted = self.interrupt.signal();
        let interrupted = interrupted.map(|signal| StopCause::Interrupted { signal });
        let stopped = || self.stopped_by.clone().map(|by| StopCause::Stopped { by });
        interrupted.or_else(stopped)
    }

    fn stood_still(&mut self, late: Nanos) -> Result<()> {
        let text = format!(
            "The run stood still for {:.1} s: it was stopped, or its machine was. What was due \
             meanwhile came late.",
            late.as_secs_f64()
        );
        self.event(&Event::Warning { text })
    }

    /// Carries out a timeline entry: clients and monitors here, the system on the actor.
    fn begin(
        &mut self,
        entry: usize,
        generator: &dyn Sending,
        actor: &Sender<(usize, Action)>,
    ) -> Result<()> {
        let action = self.timeline.entries()[entry].action.clone();
        if action.begins().is_some() {
            self.watch.healthy(self.clock.now())?;
        }
        self.event(&Event::ActionStarted {
            entry,
            action: action.clone(),
        })?;
        self.under_way.insert(entry, action.clone());
        let Action::Clients(action) = action else {
            return actor
                .send((entry, action))
                .map_err(|_| Error::failed("the thread that carries out actions has ended"));
        };
        generator.command(Command::Act(action));
        let detail = action.done();
        self.happened(&Event::ActionEnded {
            entry,
            outcome: Outcome::Applied { detail },
        })
    }

    /// An event that timeline entries may be waiting for.
    fn happened(&mut self, event: &Event) -> Result<()> {
        let now = self.clock.now();
        if let Event::ActionEnded { entry, .. } = event {
            self.under_way.remove(entry);
        }
        let trigger = event.trigger(self.timeline.entries());
        if let Some(trigger) = trigger {
            self.timeline.on(now, &trigger);
        }
        event.tell(now, &mut self.responders);
        self.event(event)
    }

    fn died(&mut self, event: &Event) -> Result<StopCause> {
        let text = match event {
            Event::Died { source, status } => format!(
                "{source} ended on its own at {:.1} s ({status}); its last output is in the run \
                 directory's fleet.log",
                self.clock.now().as_secs_f64()
            ),
            _ => "a process of the fleet ended on its own".to_owned(),
        };
        self.event(event)?;
        Err(Error::failed(text))
    }

    fn sample(&mut self, sample: &Sample) -> Result<()> {
        self.recorder.sample(sample)?;
        self.observer.sample(sample);
        let changes = self.watch.sample(sample);
        changes.iter().try_for_each(|event| self.happened(event))
    }

    /// Every gauge of an interval has been read: the fleet's saturation is known.
    fn sampled(&mut self, from: Nanos, to: Nanos) -> Result<()> {
        let changes = self.watch.sampled(from, to);
        changes.iter().try_for_each(|event| self.happened(event))?;
        self.guardian.check()?;
        self.recorder.flush()
    }

    fn event(&mut self, event: &Event) -> Result<()> {
        let now = self.clock.now();
        let event = event.redacted();
        self.watch.event(now, &event);
        self.recorder.event(now, &event)?;
        self.observer.event(now, &event);
        Ok(())
    }

    /// Closes the record with why the run stopped.
    fn end(&mut self, cause: Result<StopCause>) -> Result<StopCause> {
        while let Ok(message) = self.messages.try_recv() {
            if let Message::Ordered(ordered) = message {
                let _ = self.too_late(ordered);
            }
        }
        if self.timeline.is_held() {
            let text = "the timeline was held until the end; what it had left did not come";
            let _ = self.event(&Event::Warning { text: text.into() });
        }
        for entry in self.timeline.waiting().collect::<Vec<_>>() {
            let text = format!(
                "the timeline entry `{}` never ran: the event it waits for did not occur",
                self.plan.timeline[entry].phase
            );
            let _ = self.event(&Event::Warning { text });
        }
        // Interrupted comes first: what fails while everything is being ended is
        // its consequence, and is told beside it.
        let cause = match (self.interrupt.signal(), cause) {
            (Some(signal), cause) => {
                if let Err(error) = cause {
                    let text = error.to_string();
                    let _ = self.event(&Event::Warning { text });
                }
                Ok(StopCause::Interrupted { signal })
            }
            // Stopped while it was set up.
            (None, Err(error)) if self.stopped_by.is_some() => {
                let text = error.to_string();
                let _ = self.event(&Event::Warning { text });
                Ok(StopCause::Stopped {
                    by: self.stopped_by.clone().unwrap_or_default(),
                })
            }
            (None, cause) => cause,
        };
        let stop = match &cause {
            Ok(stop) => stop.clone(),
            Err(error) => StopCause::Failed {
                reason: error.to_string(),
                code: error.exit_code(),
            },
        };
        let written = self
            .event(&Event::RunEnded { cause: stop })
            .and_then(|()| self.recorder.flush());
        // The first failure is the cause; a full disk usually shows twice.
        match cause {
            Ok(StopCause::Completed) => written.map(|()| StopCause::Completed),
            cause => cause,
        }
    }
}
