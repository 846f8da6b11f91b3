//! The fleet alone, guarded like a run's: `threadbare target`.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};
use std::thread;
use std::time::Duration;

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use super::guardian::Guardian;
use crate::clock::Clock;
use crate::error::{Error, Result};
use crate::model::FleetSpec;
use crate::record::Event;
use crate::target::{Alone, Launch, serve_alone};

/// How often the guardian's lease is renewed.
const BEAT: Duration = Duration::from_secs(1);

/// Serves a fleet until a signal ends it, and returns that signal's number.
///
/// `data` is made for the database and the fleet's log, `listen` is the
/// balancer's address, `on_ready` is told where everything is, `on_event` what
/// happens to the processes.
///
/// # Errors
///
/// Where the fleet or its guardian cannot be started.
pub fn serve(
    spec: &FleetSpec,
    seed: u64,
    listen: Option<SocketAddr>,
    (data, binary): (&Path, &Path),
    on_ready: &mut dyn FnMut(&Alone),
    on_event: impl Fn(Event) + Send + Sync + 'static,
) -> Result<i32> {
    let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP])
        .map_err(|cause| Error::failed(format!("failed to listen for signals: {cause}")))?;
    let stop = Arc::new(AtomicBool::new(false));
    let ended_by = Arc::new(AtomicI32::new(SIGTERM));
    let guardian = Arc::new(Guardian::start(binary)?);
    let (stopper, ender) = (Arc::clone(&stop), Arc::clone(&ended_by));
    thread::spawn(move || {
        if let Some(signal) = signals.forever().next() {
            ender.store(signal, Ordering::Relaxed);
            stopper.store(true, Ordering::Relaxed);
        }
    });
    let (guard, ending) = (Arc::clone(&guardian), Arc::clone(&stop));
    let beats = thread::spawn(move || {
        while !ending.load(Ordering::Relaxed) && guard.beat().is_ok() {
            thread::park_timeout(BEAT);
        }
    });
    let watcher = Arc::clone(&guardian);
    let launch = Launch {
        spec,
        seed,
        clock: Clock::start(),
        data,
        binary,
        listen,
        stop: Some(&stop),
        on_process: Box::new(move |process| {
            if let Err(error) = watcher.watch(process.pid) {
                eprintln!("threadbare: {error}");
            }
        }),
    };
    let served = serve_alone(launch, &stop, on_ready, on_event);
    stop.store(true, Ordering::Relaxed);
    beats.thread().unpark();
    // A panic there was printed already.
    let _ = beats.join();
    if let Some(guardian) = Arc::into_inner(guardian) {
        guardian.dismiss()?;
    }
    served.map(|()| ended_by.load(Ordering::Relaxed))
}
