//! The loop that does everything: one thread, one epoll, no locks.
//!
//! One wake-up serves all that is ready and all that is due, in the order in
//! which it was due. Nothing here waits for anything but the poller. What the
//! clients decide is in [`crate::clients`]; the sockets carry it.
//!
//! - [`sockets`]: connections and pools, as the wire of the clients
//! - [`events`]: what sockets say
//! - [`failures`]: how attempts fail
//! - [`exchange`]: what goes on on a connection, by its protocol
//! - [`single`]: attempts one at a time on a connection of HTTP/1.1
//! - [`streams`]: attempts as streams of HTTP/2 connections
//! - [`times`]: what connections and answers take, apart

mod events;
mod exchange;
mod failures;
mod single;
mod sockets;
mod streams;
mod times;

pub(super) use self::exchange::Exchange;

use std::sync::mpsc::Receiver;

use rustix::io::Errno;

use self::sockets::Sockets;
pub(super) use self::times::Step;
use super::generator::{Command, Setup, Update};
use super::poller::{Poller, Ready};
use super::prepared::PreparedWork;
use crate::clients::{AWAY, Clients};
use crate::model::Pacing;
use crate::plan::Slice;
use crate::units::Nanos;

/// Due things served before the sockets are looked at again.
const BATCH: usize = 64;

/// How long before an instant precise pacing begins to spin: longer than most
/// wake-ups of a virtual machine's idle core take.
const SPIN: Nanos = Nanos::from_micros(60);
/// Longest wait: what is due at a known instant at the latest shows by how much it was
/// missed, and so whether this process stood still.
const WAIT_MOST: Nanos = Nanos::from_millis(20);
/// Width of the ticks on which thrifty pacing wakes up.
const TICK: Nanos = Nanos::from_millis(1);

/// How the sockets were waited for.
#[derive(Debug, Clone, Copy)]
enum Wait {
    /// Not at all: it was looked which are ready.
    None,
    /// Until an instant, whatever they did.
    Asleep { until: Nanos },
    /// Until one was ready, or an instant.
    Open { until: Nanos },
}

/// The first tick at or after an instant.
const fn tick_after(instant: Nanos) -> Nanos {
    Nanos(instant.0.div_ceil(TICK.0).saturating_mul(TICK.0))
}

/// Why a load ends before its time.
enum Broken {
    /// Its sockets cannot be waited for.
    Wait(Errno),
    /// It stood still for longer than it may.
    StoodStill(Nanos),
}

impl From<Errno> for Broken {
    fn from(error: Errno) -> Self {
        Self::Wait(error)
    }
}

/// Who is told.
pub(super) type Updates = Box<dyn FnMut(Update) + Send>;

/// Everything the generator's thread owns.
pub(super) struct Engine {
    commands: Receiver<Command>,
    pacing: Pacing,
    clients: Clients,
    sockets: Sockets,
    stopped: bool,
    /// Between two turns at most.
    lease: Nanos,
}

impl Engine {
    /// An engine for a slice of a setup that was found fit.
    pub(super) fn new(
        setup: &Setup,
        mut work: PreparedWork,
        slice: Slice,
        poller: Poller,
        commands: Receiver<Command>,
        updates: Updates,
    ) -> Self {
        let choices = std::mem::take(&mut work.choices);
        Self {
            commands,
            pacing: setup.plan.load.drive.pacing,
            clients: Clients::new(&setup.plan, choices, slice),
            sockets: Sockets::new(setup, work, slice, poller, updates),
            stopped: false,
            lease: Nanos::MAX,
        }
    }

    /// The same, which sends nothing any more once it has stood still for longer than this:
    /// by then whoever has the load sent counts it as lost.
    pub(super) fn leased(self, lease: Nanos) -> Self {
        Self { lease, ..self }
    }

    /// Generates the load from the clock's zero until all is over.
    pub(super) fn run(mut self) {
        if let Err(error) = self.await_start() {
            return self.fail(&error.into());
        }
        self.clients.begin(&mut self.sockets);
        if let Err(broken) = self.generate() {
            return self.fail(&broken);
        }
        self.clients.finish(&mut self.sockets);
        self.sockets.close_all();
        self.sockets.tell(Update::Finished);
    }

    fn fail(&mut self, broken: &Broken) {
        let why = match broken {
            Broken::Wait(error) => format!("failed to wait for sockets: {error}"),
            Broken::StoodStill(time) => format!(
                "the load generator stood still for {:.1} s, which is more than its lease",
                time.as_secs_f64()
            ),
        };
        self.sockets
            .tell(Update::Failed(format!("{why}; the load has stopped")));
    }

    /// Finds out whether it has stood still since its last turn. It waits for no longer than
    /// [`WAIT_MOST`], so a longer pause is none of its own.
    fn goes_on(&self, turned: Nanos, now: Nanos) -> Result<(), Broken> {
        let time = now.saturating_sub(turned);
        if time > self.lease {
            return Err(Broken::StoodStill(time));
        }
        Ok(())
    }

    /// Waits for the clock's zero. The clock reads zero until then as well.
    fn await_start(&mut self) -> Result<(), Errno> {
        let mut ready = Ready::default();
        while self.sockets.read_clock() == Nanos::ZERO && !self.stopped {
            self.sockets.poller.wait(Nanos(1), &mut ready)?;
            self.obey(&ready);
        }
        Ok(())
    }

    fn generate(&mut self) -> Result<(), Broken> {
        let mut ready = Ready::default();
        let mut turned = Nanos::ZERO;
        loop {
            let mut now = self.now();
            self.goes_on(turned, now)?;
            turned = now;
            if now.saturating_sub(self.sockets.polled) > AWAY {
                // An answer that has come in time must not be found late.
                self.sockets.poller.look(&mut ready)?;
                self.sockets.away(self.sockets.polled, now);
                self.sockets.heard(Wait::None);
                self.serve_ready(&ready);
                now = self.now();
            }
            let more = self.serve_due(now);
            self.flush();
            self.settle(now);
            if self.over(now) {
                return Ok(());
            }
            let until = self.clients.next_instant();
            let now = self.now();
            let waits = !more && !self.sockets.more_to_read() && until > now;
            let wait = if waits {
                self.pause(now, until, &mut ready)?
            } else {
                self.sockets.poller.look(&mut ready)?;
                Wait::None
            };
            self.sockets.heard(wait);
            self.goes_on(turned, self.sockets.polled)?;
            self.serve_ready(&ready);
            self.obey(&ready);
        }
    }

    /// Serves the sockets that are ready.
    fn serve_ready(&mut self, ready: &Ready) {
        for (token, flags) in ready.sockets() {
            self.sockets.on_socket(token, flags, &self.clients);
            self.clients.take_ends(&mut self.sockets);
            self.clients.serve_free_users(&mut self.sockets);
            self.flush();
        }
        for (token, flags) in self.sockets.take_more_to_read() {
            self.sockets.on_socket(token, flags, &self.clients);
            self.clients.take_ends(&mut self.sockets);
        }
        self.flush();
    }

    /// Waits for sockets and for `until`, as closely as the pacing asks.
    fn pause(&mut self, now: Nanos, until: Nanos, ready: &mut Ready) -> Result<Wait, Errno> {
        let until = until.min(now.saturating_add(WAIT_MOST));
        let poller = &mut self.sockets.poller;
        match self.pacing {
            Pacing::Precise if until.saturating_sub(now) <= SPIN => {
                poller.look(ready)?;
                self.sockets.spun_since(now);
                Ok(Wait::None)
            }
            Pacing::Balanced | Pacing::Precise => {
                let until = match self.pacing {
                    Pacing::Precise => until.saturating_sub(SPIN),
                    _ => until,
                };
                poller.wait(until, ready)?;
                Ok(Wait::Open { until })
            }
            Pacing::Thrifty => {
                // Responses are harvested on ticks too, as long as any is awaited.
                let until = if self.clients.idle() {
                    until
                } else {
                    until.min(Nanos(now.0 + 1))
                };
                let until = tick_after(until);
                poller.sleep(until, ready)?;
                Ok(Wait::Asleep { until })
            }
        }
    }

    fn now(&mut self) -> Nanos {
        self.clients.now(&mut self.sockets)
    }

    /// Serves what is due, in its order; true where more may be due than one turn allows.
    fn serve_due(&mut self, now: Nanos) -> bool {
        for _ in 0..BATCH {
            match self.clients.earliest() {
                Some((at, due)) if at <= now => self.clients.serve(due, &mut self.sockets),
                _ => return false,
            }
            self.clients.take_ends(&mut self.sockets);
        }
        true
    }

    /// Gathered bytes leave. Where a connection turns out to be broken, its room
    /// is for those who wait, and theirs leave too.
    fn flush(&mut self) {
        loop {
            self.sockets.flush_sessions();
            if !self.clients.take_ends(&mut self.sockets) {
                return;
            }
        }
    }

    /// Lets final buckets go, and notices the end of the load.
    fn settle(&mut self, now: Nanos) {
        self.clients.settle(now, &mut self.sockets);
        if self.clients.load_ends(now) {
            self.sockets.tell(Update::LoadEnded);
        }
    }

    fn over(&self, now: Nanos) -> bool {
        self.stopped || self.clients.drained(now)
    }

    fn obey(&mut self, ready: &Ready) {
        if !ready.woken {
            return;
        }
        while let Ok(command) = self.commands.try_recv() {
            match command {
                Command::Act(action) => self.clients.act(action, &mut self.sockets),
                Command::EndLoad { at, drained } => self.clients.end_load(at, drained),
                Command::Stop => self.stopped = true,
            }
        }
    }
}
