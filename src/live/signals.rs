//! Signals that ask for an end: SIGINT, SIGTERM, SIGHUP.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicUsize, Ordering};
use std::thread;

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::error::{Error, Result};
use crate::process::give_terminal_back;

/// Signals that are told before the next ends this process. Several may listen, such as a
/// series of loads and the one under way: none of them ends it while another is still told.
static TOLD_MOST: AtomicUsize = AtomicUsize::new(1);

/// Whether, and by which signal, an end was asked for.
#[derive(Debug, Clone)]
pub(crate) struct Interrupt {
    raised: Arc<AtomicBool>,
    number: Arc<AtomicI32>,
}

impl Interrupt {
    /// Listens from now on. The first signal is told to `on_first`; the second
    /// ends this process at once, and the guardian ends the rest.
    ///
    /// # Errors
    ///
    /// Where signals cannot be listened for.
    pub(crate) fn listen(on_first: impl FnOnce() + Send + 'static) -> Result<Self> {
        let mut on_first = Some(on_first);
        Self::listen_to(1, move || {
            if let Some(on_first) = on_first.take() {
                on_first();
            }
        })
    }

    /// Listens from now on. So many signals are told to `on_each`; the next ends this process
    /// at once, unless another listener is told of it.
    ///
    /// # Errors
    ///
    /// As [`Interrupt::listen`].
    pub(super) fn listen_to(
        many: usize,
        mut on_each: impl FnMut() + Send + 'static,
    ) -> Result<Self> {
        let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP])
            .map_err(|cause| Error::failed(format!("failed to listen for signals: {cause}")))?;
        TOLD_MOST.fetch_max(many, Ordering::AcqRel);
        let interrupt = Self {
            raised: Arc::default(),
            number: Arc::default(),
        };
        let told = interrupt.clone();
        thread::spawn(move || {
            for (number, signal) in (1_usize..).zip(signals.forever()) {
                if number <= many {
                    // Why it ends is what the first one said.
                    let first = &told.number;
                    let _ = first.compare_exchange(0, signal, Ordering::Release, Ordering::Relaxed);
                    told.raised.store(true, Ordering::Release);
                    on_each();
                } else if number > TOLD_MOST.load(Ordering::Acquire) {
                    give_terminal_back();
                    std::process::exit(128 + signal);
                }
            }
        });
        Ok(interrupt)
    }

    /// The first signal's number, once there was one.
    pub(crate) fn signal(&self) -> Option<i32> {
        Some(self.number.load(Ordering::Acquire)).filter(|number| *number != 0)
    }

    /// Ends what waits for something to be ready, without a signal.
    pub(super) fn stop_waiting(&self) {
        self.raised.store(true, Ordering::Release);
    }

    /// The flag that is raised with the first signal.
    pub(super) const fn flag(&self) -> &Arc<AtomicBool> {
        &self.raised
    }
}
