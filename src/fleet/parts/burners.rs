//! Threads that burn a share of every processor while a fault says so.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use crate::clock::Clock;
use crate::units::Nanos;

/// How long a thread burns and rests in all before it looks whether it is to go on.
const TURN: Nanos = Nanos::from_millis(10);

/// Those that burn now, by their number.
#[derive(Debug, Default)]
pub(super) struct Burners(Arc<AtomicU64>);

impl Burners {
    /// From now on this share of each processor is burned, or none.
    pub(super) fn burn(&self, share: Option<f64>) {
        let own = self.0.fetch_add(1, Ordering::Relaxed) + 1;
        let Some(share) = share else { return };
        let processors = thread::available_parallelism().map_or(1, usize::from);
        for _ in 0..processors {
            let number = Arc::clone(&self.0);
            // One that does not start burns less, which the machine's gauges show.
            let _ = thread::Builder::new().name("burner".into()).spawn(move || {
                while number.load(Ordering::Relaxed) == own {
                    turn(share);
                }
            });
        }
    }
}

fn turn(share: f64) {
    let busy = Nanos::from_secs_f64(TURN.as_secs_f64() * share);
    let clock = Clock::start();
    while clock.now() < busy {
        std::hint::spin_loop();
    }
    thread::sleep(TURN.saturating_sub(busy).to_duration());
}
