//! What waits in the queue: a request with the way back to its caller, or a
//! detached verification, which has no caller.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::oneshot;

use super::api::{ApiAnswer, Call};
use crate::clock::Clock;
use crate::model::{Handler, JobKind, Patience};
use crate::units::Nanos;

/// What a caller gets: an answer, or none ever.
pub(super) type Reply = Option<ApiAnswer>;

/// A job.
#[derive(Debug)]
pub(super) enum Job {
    /// A request.
    Request {
        /// What it asks for.
        call: Call,
        /// The token it came with.
        token: Option<String>,
        /// The way back.
        reply: oneshot::Sender<Reply>,
        /// Who waits.
        caller: Arc<Caller>,
        /// How long they said they would.
        patience: Patience,
    },
    /// The verification of a user that nobody waits for.
    Verification {
        /// The user.
        user: u32,
    },
}

impl Job {
    /// How long somebody waits for it.
    pub(super) const fn patience(&self) -> Patience {
        match self {
            Self::Request { patience, .. } => *patience,
            Self::Verification { .. } => Patience::ENDLESS,
        }
    }

    /// What its worker has to do.
    pub(super) const fn handler(&self) -> Handler {
        let kind = match self {
            Self::Request { call, .. } => call.kind(),
            Self::Verification { .. } => JobKind::Verification,
        };
        Handler {
            kind,
            patience: self.patience(),
        }
    }
}

/// Somebody who waits for a job, until they go.
#[derive(Debug)]
pub(super) struct Caller {
    gone_at: AtomicU64,
}

impl Caller {
    /// Whether they have gone.
    pub(super) fn gone(&self) -> bool {
        Nanos(self.gone_at.load(Ordering::Relaxed)) < Nanos::MAX
    }

    /// How much of `since..now` fell after the caller had gone.
    pub(super) fn absent(&self, since: Nanos, now: Nanos) -> Option<Nanos> {
        let gone_at = Nanos(self.gone_at.load(Ordering::Relaxed));
        (gone_at < Nanos::MAX).then(|| now.saturating_sub(since.max(gone_at)))
    }
}

/// Held by the connection that brought a job; dropped with it, which is how the
/// instant is known at which the caller went.
#[derive(Debug)]
pub(super) struct Presence {
    caller: Arc<Caller>,
    clock: Clock,
}

impl Presence {
    /// Somebody begins to wait.
    pub(super) fn new(clock: Clock) -> Self {
        let gone_at = AtomicU64::new(Nanos::MAX.0);
        Self {
            caller: Arc::new(Caller { gone_at }),
            clock,
        }
    }

    /// Who waits.
    pub(super) fn caller(&self) -> Arc<Caller> {
        Arc::clone(&self.caller)
    }
}

impl Drop for Presence {
    fn drop(&mut self) {
        let now = self.clock.now();
        self.caller.gone_at.store(now.0, Ordering::Relaxed);
    }
}
