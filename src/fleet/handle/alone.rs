//! A fleet on its own, for any other load generator: `threadbare target`.
//!
//! Its control listener keeps strangers out like those of the parts, with the
//! same token:
//!
//! | route | body |
//! |---|---|
//! | `POST /push` | `{"set": {"authorization.verification": "detached"}, "schema": 2, "tested": false, "canary": "25 %"}` |
//! | `POST /rollback` | none |
//! | `POST /waive` | `{"check": "schema current"}` |
//! | `POST /restart` | `{"pause": "2s"}`, or none for all at once |
//! | `POST /admission` | `{"share": "45 %"}` |
//! | `POST /slow` | `{"part": "database", "factor": 5}` |
//! | `POST /pause`, `POST /continue` | `{"instances": 2}`, or none for all |
//! | `POST /lose` | `{"instances": 1}` |
//! | `POST /cold_start` | `{"pause": "2s"}` |
//! | `POST /break` | `{"fault": "identity_down", "with": {"share": "50 %"}}` |
//! | `POST /mend` | `{"fault": "identity_down"}` |
//! | `GET /gauges` | |
//!
//! What was done is answered with 200, what a check refused with 409, what
//! could not be done with 502.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use serde::Deserialize;

use super::fleet::Fleet;
use super::launch::Launch;
use crate::error::Result;
use crate::fleet::control;
use crate::fleet::database::Tokens;
use crate::fleet::wire::{Request, Response};
use crate::model::fault::FleetFaultKind;
use crate::model::{Action, FleetAction, ReleasePolicy, ServiceAction, SlowPart};
use crate::record::{Event, Outcome};
use crate::units::{Nanos, Ratio, UnitError};

/// How long after the flag was raised, or a process died, it may go unnoticed.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// How often an autoscaler looks at how busy the workers are: as often as gauges are read in a
/// run whose file says nothing else.
const SCALE_EVERY: Nanos = Nanos::from_secs(1);
/// The author of what is done through the control listener.
const AUTHOR: &str = "control";

/// Where a fleet that serves alone can be reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StandaloneFleet {
    /// The balancer's address.
    pub address: SocketAddr,
    /// The control listener's address.
    pub control: SocketAddr,
    /// The file with the token that the control listener demands.
    pub token_file: PathBuf,
    /// The users' tokens.
    pub tokens: Tokens,
}

/// Starts a fleet, tells `on_ready` where it is, and serves it until `stop` is
/// raised, which also interrupts the set-up; `on_event` is told when a process
/// dies or is restarted. `release`: what its release system demands.
///
/// When it returns, nothing is left of the fleet: `launch.on_process` has been
/// dropped, and the control listener answers 503 until this process ends.
///
/// # Errors
///
/// Where the fleet cannot be started.
pub fn serve_alone(
    launch: Launch<'_>,
    release: ReleasePolicy,
    stop: &AtomicBool,
    on_ready: &mut dyn FnMut(&StandaloneFleet),
    on_event: impl Fn(Event) + Send + Sync + 'static,
) -> Result<()> {
    let launch = Launch {
        stop: Some(stop),
        ..launch
    };
    let fleet = match Fleet::launch(launch) {
        Ok(fleet) => Arc::new(fleet),
        Err(_) if stop.load(Ordering::Relaxed) => return Ok(()),
        Err(error) => return Err(error),
    };
    fleet.govern(release);
    fleet.supervise()?;
    let on_event = Arc::new(on_event);
    // The listener lives as long as the process, and must not keep the fleet.
    let (steered, told) = (Arc::downgrade(&fleet), Arc::clone(&on_event));
    let control = control::listen(fleet.token(), move |request| {
        match Weak::upgrade(&steered) {
            Some(fleet) => steer(&fleet, &*told, request),
            None => Some(Response::error(503, "the fleet has been ended")),
        }
    })?;
    on_ready(&StandaloneFleet {
        address: fleet.address(),
        control,
        token_file: fleet.token_file().to_owned(),
        tokens: fleet.tokens().clone(),
    });
    let mut read = Nanos::ZERO;
    while !stop.load(Ordering::Relaxed) {
        for event in fleet.news().into_iter().chain(fleet.dead()) {
            on_event(event);
        }
        let now = fleet.clock().now();
        if fleet.scaler.is_some() && now >= read.saturating_add(SCALE_EVERY) {
            // Nobody else reads the gauges; what cannot be read moves nothing.
            drop(fleet.sample(read, now));
            read = now;
        }
        fleet.ending.pause(LOOK_EVERY);
    }
    for event in fleet.stop() {
        // That instances were stopped is no news to whoever stopped them.
        if !matches!(event, Event::Stopped { .. }) {
            on_event(event);
        }
    }
    Ok(())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Push {
    set: BTreeMap<String, String>,
    schema: Option<u32>,
    #[serde(default)]
    tested: bool,
    canary: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Waive {
    check: String,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Restart {
    pause: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Slow {
    part: SlowPart,
    factor: f64,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Instances {
    instances: Option<NonZeroU32>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Lose {
    instances: NonZeroU32,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Admission {
    share: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Break {
    fault: FleetFaultKind,
    #[serde(default)]
    with: serde_json::Map<String, serde_json::Value>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Mend {
    fault: FleetFaultKind,
}

fn steer(fleet: &Fleet, on_event: &dyn Fn(Event), request: &Request) -> Option<Response> {
    if (request.method.as_str(), request.path()) == ("GET", "/gauges") {
        return Some(Response::json(200, &fleet.gauges()));
    }
    if request.method != "POST" {
        return None;
    }
    Some(match action(request.path(), &request.body)? {
        Err(cause) => Response::error(400, &cause),
        Ok(action) => {
            let outcome = fleet.act(fleet.clock().now(), AUTHOR, &action, on_event);
            let status = match &outcome {
                Outcome::Applied { .. } => 200,
                Outcome::Rejected { .. } => 409,
                Outcome::Failed { .. } => 502,
            };
            Response::json(status, &outcome)
        }
    })
}

/// The action that was asked for; none where there is no such route.
fn action(path: &str, body: &[u8]) -> Option<std::result::Result<Action, String>> {
    Some(match path {
        "/push" => parse::<Push>(body).and_then(|push| {
            Ok(Action::Fleet(FleetAction::Push {
                set: push.set,
                schema: push.schema,
                tested: push.tested,
                canary: push.canary.as_deref().map(share).transpose()?,
            }))
        }),
        "/rollback" => Ok(Action::Service(ServiceAction::Rollback)),
        "/waive" => {
            parse::<Waive>(body).map(|Waive { check }| Action::Fleet(FleetAction::Waive { check }))
        }
        "/restart" => {
            parse_pause(body).map(|pause| Action::Service(ServiceAction::Restart { pause }))
        }
        "/admission" => parse::<Admission>(body)
            .and_then(|admission| share(&admission.share))
            .map(|share| Action::Fleet(FleetAction::Admit { share })),
        "/slow" => parse::<Slow>(body).and_then(|Slow { part, factor }| match factor {
            factor if factor >= 1.0 && factor.is_finite() => {
                Ok(Action::Fleet(FleetAction::Slow { part, factor }))
            }
            factor => Err(format!("the factor is 1 or more, not {factor}")),
        }),
        "/pause" => parse_or_default(body)
            .map(|Instances { instances }| Action::Fleet(FleetAction::Pause { instances })),
        "/continue" => parse_or_default(body)
            .map(|Instances { instances }| Action::Fleet(FleetAction::Continue { instances })),
        "/lose" => parse::<Lose>(body)
            .map(|Lose { instances }| Action::Fleet(FleetAction::Lose { instances })),
        "/cold_start" => parse_pause(body)
            .map(Option::unwrap_or_default)
            .map(|pause| Action::Fleet(FleetAction::ColdStart { pause })),
        "/break" => parse::<Break>(body).and_then(|Break { fault, with }| {
            let mut fault = fault.usual();
            match fault.set(with).first() {
                Some(mistake) => Err(format!("{}: {}", mistake.name, mistake.sentence)),
                None => Ok(Action::Fleet(FleetAction::Break(fault))),
            }
        }),
        "/mend" => {
            parse::<Mend>(body).map(|Mend { fault }| Action::Fleet(FleetAction::Mend { fault }))
        }
        _ => return None,
    })
}

fn parse<'a, T: Deserialize<'a>>(body: &'a [u8]) -> std::result::Result<T, String> {
    serde_json::from_slice(body).map_err(|cause| format!("the body is malformed: {cause}"))
}

/// What the body says; where there is none, what is meant by that.
fn parse_or_default<'a, T: Deserialize<'a> + Default>(
    body: &'a [u8],
) -> std::result::Result<T, String> {
    if body.is_empty() {
        Ok(T::default())
    } else {
        parse(body)
    }
}

fn share(text: &str) -> std::result::Result<Ratio, String> {
    text.parse().map_err(|cause: UnitError| cause.to_string())
}

fn parse_pause(body: &[u8]) -> std::result::Result<Option<Nanos>, String> {
    let restart: Restart = parse_or_default(body)?;
    restart
        .pause
        .map(|pause| pause.parse().map_err(|cause: UnitError| cause.to_string()))
        .transpose()
}
