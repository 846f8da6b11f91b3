//! The fleet alone, guarded like a run's: `threadbare target`.

use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use signal_hook::consts::SIGTERM;

use super::guardian::Guardian;
use super::signals::Interrupt;
use crate::clock::Clock;
use crate::error::Result;
use crate::fleet::{Launch, StandaloneFleet, serve_alone};
use crate::model::{FleetSpec, ReleasePolicy};
use crate::record::Event;

/// Serves a fleet until a signal ends it, and returns that signal's number.
///
/// `data` is made for the database and the fleet's log, `listen` is the
/// balancer's address, `on_ready` is told where everything is, `on_event` what
/// happens to the processes.
///
/// # Errors
///
/// Where the fleet or its guardian cannot be started.
pub(crate) fn serve(
    (spec, release): (&FleetSpec, ReleasePolicy),
    seed: u64,
    listen: Option<SocketAddr>,
    (data, binary): (&Path, &Path),
    on_ready: &mut dyn FnMut(&StandaloneFleet),
    on_event: impl Fn(Event) + Send + Sync + 'static,
) -> Result<i32> {
    let interrupt = Interrupt::listen(|| {})?;
    let guardian = Arc::new(Guardian::start(binary)?);
    let watcher = Arc::clone(&guardian);
    let launch = Launch {
        spec,
        seed,
        clock: Clock::start(),
        data,
        binary,
        listen,
        stop: None,
        on_process: Box::new(move |process| {
            if let Err(error) = watcher.watch(process.pid) {
                let _ = writeln!(io::stderr(), "threadbare: {error}");
            }
        }),
    };
    serve_alone(launch, release, interrupt.flag(), on_ready, on_event)?;
    if let Some(guardian) = Arc::into_inner(guardian) {
        guardian.dismiss()?;
    }
    // It serves until a signal ends it.
    Ok(interrupt.signal().unwrap_or(SIGTERM))
}
