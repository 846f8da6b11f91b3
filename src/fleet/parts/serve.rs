//! The life of a part: its configuration, its manners, its end.
//!
//! A part ends when its standard input does, so that nothing outlives the
//! conductor; a panic in any of its threads ends it too, since a fleet with a
//! worker less would measure something nobody asked for.

use std::ffi::CString;
use std::io::{self, BufRead as _, Read as _, Write as _};
use std::num::NonZeroU64;
use std::thread;

use rustix::process::{Resource, Rlimit};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::balancer;
use super::identity;
use super::instance;
use crate::error::{Error, Kind, Result};
use crate::fleet::message::{Common, Reading, StartReport};

/// How much nicer the fleet is than the generator: an incident made by lack of
/// processor is not the incident claimed, and a late generator measures wrongly.
const NICER_BY: i32 = 5;
/// A sleep ends so long after its time at most, where the kernel's default is
/// 50 µs: a hundredth of the shortest service time in use.
const TIMER_SLACK_NS: NonZeroU64 = NonZeroU64::new(1_000).expect("a thousand is not zero");

/// Serves the part of this name (`instance`, `balancer`, `identity`) until its
/// standard input ends, which it is told how to by one line of JSON on it.
///
/// # Errors
///
/// Where the configuration cannot be read or the part cannot listen; the
/// conductor has been told then, on the standard output.
pub(crate) fn serve_part(part: &str) -> Result<()> {
    let result = read_config().and_then(|line| match part {
        "instance" => instance::serve(settle(&line)?),
        "balancer" => balancer::serve(settle(&line)?),
        "identity" => identity::serve(settle(&line)?),
        _ => Err(Error::usage(format!("a fleet has no part called `{part}`"))),
    });
    if let Err(error) = &result {
        // Where this cannot be said either, the exit status says it.
        let _ = announce(&StartReport::Failed {
            sentence: error.to_string(),
            unfit: error.kind() == Kind::Unfit,
        });
    }
    result
}

fn read_config() -> Result<String> {
    let mut line = String::new();
    io::stdin().lock().read_line(&mut line).map_err(|cause| {
        Error::failed(format!("failed to read a part's configuration: {cause}"))
    })?;
    Ok(line)
}

/// Reads the configuration and puts the process in order.
fn settle<T: DeserializeOwned>(line: &str) -> Result<T> {
    let not_valid = |cause| Error::usage(format!("a part's configuration is not valid: {cause}"));
    let common: Common = serde_json::from_str(line).map_err(not_valid)?;
    let config = serde_json::from_str(line).map_err(not_valid)?;
    end_on_panic();
    end_with_standard_input()?;
    // What follows makes figures better where it is allowed; a part that may
    // not do it still serves.
    let _ = rustix::process::nice(NICER_BY);
    let _ = rustix::thread::set_current_timer_slack(Some(TIMER_SLACK_NS));
    if let Ok(name) = CString::new(common.name) {
        let _ = rustix::thread::set_name(&name);
    }
    raise_descriptor_limit();
    Ok(config)
}

/// Every request under way holds two descriptors of the balancer.
fn raise_descriptor_limit() {
    let limit = rustix::process::getrlimit(Resource::Nofile);
    let _ = rustix::process::setrlimit(
        Resource::Nofile,
        Rlimit {
            current: limit.maximum,
            maximum: limit.maximum,
        },
    );
}

fn end_on_panic() {
    let report = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        report(panic);
        std::process::exit(101);
    }));
}

fn end_with_standard_input() -> Result<()> {
    thread::Builder::new()
        .name("stdin".into())
        .spawn(|| {
            let mut nothing = [0; 64];
            while !matches!(io::stdin().lock().read(&mut nothing), Ok(0) | Err(_)) {}
            std::process::exit(0);
        })
        .map(drop)
        .map_err(|cause| Error::unfit(format!("failed to start a thread: {cause}")))
}

/// Tells the conductor how the start went.
pub(super) fn announce(answer: &StartReport) -> Result<()> {
    tell(answer)
}

/// Tells the conductor what the part has counted, since it ends by itself.
pub(super) fn last_words(reading: &Reading) -> Result<()> {
    tell(reading)
}

fn tell(message: &impl Serialize) -> Result<()> {
    let mut line = serde_json::to_string(message).expect("messages are valid JSON");
    line.push('\n');
    let mut stdout = io::stdout().lock();
    stdout
        .write_all(line.as_bytes())
        .and_then(|()| stdout.flush())
        .map_err(|cause| Error::failed(format!("failed to report to the conductor: {cause}")))
}
