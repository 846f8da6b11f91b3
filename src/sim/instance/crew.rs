//! Jobs, and the crews that hold them: workers with a queue of their own.

use crate::model::{Handler, JobKind, Level, Patience, Queue, QueuePolicy, Stage};
use crate::units::Nanos;

/// No job, no attempt.
pub(in crate::sim) const NONE: u32 = u32::MAX;

/// What a job asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::sim) enum Call {
    /// A request that takes the authorization path; whether the role allows it, and
    /// whether it writes to the database.
    Request { allowed: bool, writes: bool },
    /// A worker answers, and that is all.
    Shallow,
    /// A session is set up.
    Session,
    /// A verification that nobody waits for.
    Verification,
}

/// Something that waits for a worker or is held by one.
#[derive(Debug, Clone, Copy)]
pub(in crate::sim) struct Job {
    pub(in crate::sim) call: Call,
    pub(in crate::sim) user: u32,
    /// Whether it is a probe of a monitor.
    pub(in crate::sim) probe: bool,
    /// The attempt that waits for it; [`NONE`] where nobody does (any more).
    pub(in crate::sim) caller: u32,
    /// When the caller went; [`Nanos::MAX`] while they are there.
    pub(in crate::sim) gone_at: Nanos,
    /// How long the caller said that they wait, once the request has been read.
    pub(in crate::sim) patience: Patience,
    /// The instance whose connection it came on; [`NONE`] where it has not been read, or
    /// the connection has closed.
    pub(in crate::sim) link: u32,
    /// Whether it is nowhere but with its caller, who waits.
    pub(in crate::sim) unseen: bool,
}

impl Job {
    /// Whether its caller has gone, or there never was one.
    pub(in crate::sim) const fn abandoned(&self) -> bool {
        self.caller == NONE
    }

    /// Whether it writes to the database.
    pub(in crate::sim) const fn writes(&self) -> bool {
        matches!(self.call, Call::Request { writes: true, .. })
    }

    /// What its worker has to do.
    pub(in crate::sim) const fn handler(&self) -> Handler {
        let kind = match self.call {
            Call::Request { .. } => JobKind::Request,
            Call::Shallow => JobKind::Shallow,
            Call::Session => JobKind::Session,
            Call::Verification => JobKind::Verification,
        };
        Handler {
            kind,
            patience: self.patience,
        }
    }
}

/// A worker and the job it holds.
#[derive(Debug, Clone, Copy)]
pub(in crate::sim) struct Worker {
    /// [`NONE`] where it is free.
    pub(in crate::sim) job: u32,
    pub(in crate::sim) stage: Stage,
    /// The number of the verification it waits for; zero where it waits for none.
    pub(in crate::sim) awaits: u32,
    /// When it gives that up.
    pub(in crate::sim) gives_up_at: Nanos,
    /// Whether it waits for an end of a fault that lets it go on.
    pub(in crate::sim) blocked: bool,
    /// Connections of the pool that it has.
    pub(in crate::sim) connections: u32,
    /// What a warm role cache would have saved of the job in hand.
    pub(in crate::sim) cold: Nanos,
    /// Up to when the time it holds its job is in the books.
    pub(super) booked: Nanos,
}

impl Worker {
    /// Whether it is in a wait for a connection.
    pub(super) const fn waits_for_connection(&self) -> bool {
        matches!(self.stage, Stage::Connect(_)) && self.awaits != 0
    }
}

pub(super) const FREE: Worker = Worker {
    job: NONE,
    stage: Stage::Application,
    awaits: 0,
    gives_up_at: Nanos::MAX,
    blocked: false,
    connections: 0,
    cold: Nanos::ZERO,
    booked: Nanos::ZERO,
};

/// Workers with a queue of their own; they are the instance's from `first` on.
#[derive(Debug)]
pub(super) struct Team {
    pub(super) first: u32,
    pub(super) workers: u32,
    pub(super) queue: Queue<u32>,
    pub(super) free: Vec<u32>,
    pub(super) busy: Level,
}

impl Team {
    pub(super) fn new(first: u32, workers: u32, policy: QueuePolicy) -> Self {
        Self {
            first,
            workers,
            queue: Queue::new(policy),
            free: (first..first + workers).rev().collect(),
            busy: Level::default(),
        }
    }

    /// The same with nothing to do; what waited.
    pub(super) fn clear(&mut self) -> Vec<u32> {
        let fresh = Self::new(self.first, self.workers, self.queue.policy());
        std::mem::replace(self, fresh).queue.into_jobs().collect()
    }
}
