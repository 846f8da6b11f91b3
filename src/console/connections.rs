//! The connections that are open, and which of them makes room.
//!
//! Where there are too many, the one is closed whose last answer or message, or whose
//! beginning where it had none, is longest ago: who opens connections and says nothing
//! keeps nobody out. Its page connects again.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::task::AbortHandle;

/// The connections that are open.
#[derive(Debug)]
pub(super) struct Connections {
    most: usize,
    /// Grows with everything that happens on any of them: an order, and no time.
    turns: Arc<AtomicU64>,
    open: Vec<(AbortHandle, Turn)>,
}

/// When something happened last on a connection.
#[derive(Debug, Clone)]
pub(super) struct Turn {
    turns: Arc<AtomicU64>,
    last: Arc<AtomicU64>,
}

impl Turn {
    /// Something happens on it now.
    pub(super) fn touch(&self) {
        let now = self.turns.fetch_add(1, Ordering::Relaxed);
        self.last.store(now, Ordering::Relaxed);
    }
}

impl Connections {
    /// At most so many at a time.
    pub(super) fn new(most: usize) -> Self {
        Self {
            most,
            turns: Arc::default(),
            open: Vec::new(),
        }
    }

    /// The turn of a connection that begins.
    pub(super) fn next_turn(&self) -> Turn {
        let turn = Turn {
            turns: Arc::clone(&self.turns),
            last: Arc::default(),
        };
        turn.touch();
        turn
    }

    /// Takes a connection in; the idlest makes room where there are too many.
    pub(super) fn admit(&mut self, task: AbortHandle, turn: Turn) {
        self.open.retain(|(task, _)| !task.is_finished());
        if self.open.len() >= self.most {
            let places = self.open.iter().enumerate();
            let idlest = places.min_by_key(|(_, (_, turn))| turn.last.load(Ordering::Relaxed));
            if let Some((place, _)) = idlest {
                self.open.swap_remove(place).0.abort();
            }
        }
        self.open.push((task, turn));
    }
}
