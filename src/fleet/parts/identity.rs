//! The identity service: verifies users, with a latency and a capacity.
//!
//! One thread per connection, and a connection per worker, so a verification
//! is a thread that waits for a slot and then sleeps. It does not hear that
//! whoever asked has gone, and goes on. That it can be swamped is the point: its
//! line holds all workers and thousands more before it refuses one.

use std::net::{Ipv4Addr, TcpListener};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;

use rand::RngExt as _;

use super::burners::Burners;
use super::serve;
use crate::clock::Clock;
use crate::error::{Error, Result};
use crate::fleet::control;
use crate::fleet::lock;
use crate::fleet::message::{
    FaultsPut, IdentityConfig, PartCounters, Reading, SlowPut, StartReport, Verified,
};
use crate::fleet::wire::{self, Handler, Request, Response};
use crate::model::{IdentitySpec, Level, SlowPart, Slowness};
use crate::record::IdentityCounters;
use crate::rng::{self, StdRng};
use crate::units::Nanos;

struct Identity {
    clock: Clock,
    spec: IdentitySpec,
    state: Mutex<IdentityState>,
    slot_free: Condvar,
    burners: Burners,
}

struct IdentityState {
    rng: StdRng,
    slow: Slowness,
    /// The share of the verifications that it refuses.
    down: Option<f64>,
    busy: Level,
    waiting: Level,
    verifications: u64,
}

/// Serves until the process ends.
pub(super) fn serve(config: IdentityConfig) -> Result<()> {
    let common = config.common;
    let identity = Arc::new(Identity {
        clock: Clock::start(),
        spec: config.spec,
        state: Mutex::new(IdentityState {
            rng: rng::stream(common.seed, &common.name),
            slow: Slowness::default(),
            down: None,
            busy: Level::default(),
            waiting: Level::default(),
            verifications: 0,
        }),
        slot_free: Condvar::new(),
        burners: Burners::default(),
    });
    let failed = |cause| Error::unfit(format!("failed to listen on loopback: {cause}"));
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    let steered = Arc::clone(&identity);
    let control = control::listen(&common.token, move |request| steered.steer(request))?;
    serve::announce(&StartReport::Ready { address, control })?;
    let handler: Handler = Arc::new(move |request| identity.answer(request));
    let most = usize::try_from(config.verifications_max).unwrap_or(usize::MAX);
    wire::serve(&listener, "verification", most, &handler);
    Ok(())
}

impl Identity {
    /// Answers a control request.
    fn steer(&self, request: &Request) -> Option<Response> {
        Some(match (request.method.as_str(), request.path()) {
            ("POST", "/gauges/mark") | ("GET", "/gauges") => Response::json(200, &self.read()),
            ("PUT", "/slow") => match serde_json::from_slice::<SlowPut>(&request.body) {
                Ok(put) => {
                    lock(&self.state).slow = put.slow;
                    Response::json(200, &put)
                }
                Err(cause) => Response::error(400, &format!("not what is slow: {cause}")),
            },
            ("PUT", "/faults") => match serde_json::from_slice::<FaultsPut>(&request.body) {
                Ok(put) => {
                    let down = put.faults.identity_down.as_ref();
                    lock(&self.state).down = down.map(|it| it.share.get());
                    let burned = put.faults.processor_burned.as_ref();
                    self.burners.burn(burned.map(|it| it.share.get()));
                    Response::json(200, &put)
                }
                Err(cause) => Response::error(400, &format!("not faults: {cause}")),
            },
            _ => return None,
        })
    }

    /// Whether a fault lets it refuse the next verification.
    fn is_down(&self) -> bool {
        let mut state = lock(&self.state);
        let share = state.down;
        share.is_some_and(|share| state.rng.random::<f64>() < share)
    }

    /// `GET /verify?user=7&held=true`
    fn answer(&self, request: &Request) -> Response {
        if (request.method.as_str(), request.path()) != ("GET", "/verify") {
            return Response::error(404, "this service knows GET /verify only");
        }
        let user = request.query("user").map(str::parse::<u32>);
        let held = request.query("held").map(str::parse::<bool>);
        match (user, held) {
            (Some(Ok(_)), Some(Ok(_))) if self.is_down() => Response::error(503, "it is down"),
            (Some(Ok(_)), Some(Ok(held))) => Response::json(200, &self.verify(held)),
            _ => Response::error(400, "user must be a number, and held true or false"),
        }
    }

    /// Blocks for as long as a verification takes.
    fn verify(&self, held: bool) -> Verified {
        let factor = if held { 1.0 } else { self.spec.cold_factor };
        let (warm, took) = {
            let mut state = lock(&self.state);
            let now = self.clock.now();
            let waiting = state.waiting.get() + 1;
            state.waiting.set(now, waiting);
            while state.busy.get() >= u64::from(self.spec.capacity.max(1)) {
                state = self
                    .slot_free
                    .wait(state)
                    .unwrap_or_else(PoisonError::into_inner);
            }
            let now = self.clock.now();
            let (waiting, busy) = (state.waiting.get() - 1, state.busy.get() + 1);
            state.waiting.set(now, waiting);
            state.busy.set(now, busy);
            let drawn = self.spec.latency.sample(&mut state.rng);
            let warm = state.slow.stretch(SlowPart::Identity, drawn);
            (warm, Nanos::from_secs_f64(warm.as_secs_f64() * factor))
        };
        thread::sleep(took.to_duration());
        let mut state = lock(&self.state);
        let busy = state.busy.get() - 1;
        state.busy.set(self.clock.now(), busy);
        state.verifications += 1;
        drop(state);
        self.slot_free.notify_one();
        Verified {
            took_ns: took.0,
            warm_ns: warm.0,
        }
    }

    fn read(&self) -> Reading {
        let state = lock(&self.state);
        let now = self.clock.now();
        let counters = IdentityCounters {
            verifications: state.verifications,
            busy_ns: state.busy.read(now).area,
            waiting_ns: state.waiting.read(now).area,
        };
        Reading::of(PartCounters::Identity(counters))
    }
}
