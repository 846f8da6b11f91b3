//! An instance: a listener, job queues, and workers that block.
//!
//! The listener (hyper, on the main thread) only accepts and parses; whatever
//! takes time happens on a worker thread, which holds its job from the first
//! byte of work to the last. So a worker that waits for the identity service is
//! busy, and there is a number of them, not a pool that grows.

mod api;
mod crash;
mod descriptors;
mod faults;
mod gate;
mod job;
mod listener;
mod peers;
mod pool;
mod telemetry;
mod worker;

pub(super) use api::{BODY_MAX, too_long};

use std::sync::{Arc, Mutex};
use std::thread;

use super::{connections, serve};
use crate::clock::Clock;
use crate::error::{Error, Result};
use crate::fleet::database::Database;
use crate::fleet::message::{InstanceConfig, SettingsPut, StartReport};
use crate::fleet::wire::{Request, Response};
use crate::fleet::{control, lock};
use crate::model::{Bulkhead, Crew, FleetSpec, RoleCache};
use crate::rng;
use descriptors::Descriptors;
use faults::Faults;
use gate::{Gate, World};
use peers::Map;
use pool::{Pool, Post};
use worker::Worker;

/// What the workers of an instance share.
struct Shared {
    spec: FleetSpec,
    pool: Pool,
    bulkhead: Mutex<Bulkhead>,
    settings: Mutex<SettingsPut>,
    roles: Mutex<RoleCache>,
    faults: Faults,
    descriptors: Arc<Descriptors>,
    /// The map of the cluster; whole where there is none.
    map: Map,
    /// The lock that requests take where a fault makes them.
    lock: Gate,
    /// The pool of connections to the database, where there is one.
    connections: Option<Gate>,
    world: World,
}

/// Serves until the process ends.
pub(super) fn serve(config: InstanceConfig) -> Result<()> {
    thread::sleep(config.spec.boot.to_duration());
    let clock = Clock::start();
    let roles = if config.warm {
        RoleCache::warm(config.spec.service_user() + 1)
    } else {
        RoleCache::default()
    };
    let shared = Arc::new(Shared {
        pool: Pool::new(clock, &config.spec),
        bulkhead: Mutex::new(Bulkhead::new(config.spec.bulkhead)),
        spec: config.spec.clone(),
        settings: Mutex::new(SettingsPut {
            order: 0,
            settings: config.settings,
            slow: config.slow,
            faults: config.faults.clone(),
            forgotten: config.forgotten,
        }),
        roles: Mutex::new(roles),
        faults: Faults::new(config.faults.clone()),
        descriptors: Arc::new(Descriptors::new()?),
        map: Map::default(),
        lock: Gate::new(1),
        connections: config.spec.pool.map(|pool| Gate::new(pool.size)),
        world: World::default(),
    });
    let stream = |of: &str| {
        let stream = format!("{} {} {of}", config.common.name, config.launch);
        rng::stream(config.common.seed, &stream)
    };
    faults::stop_the_world(Arc::clone(&shared), stream("world"))?;
    let crash_rng = stream("crash");
    telemetry::collect(&shared, &config)?;
    let crews = [
        (Crew::Serving, config.spec.workers),
        (Crew::Monitors, config.spec.monitor_workers),
    ];
    let posts = crews.into_iter().flat_map(|(crew, workers)| {
        let post = move |index| Post { crew, index };
        (0..workers as usize).map(post)
    });
    for post in posts {
        let database = Database::open(&config.database).map_err(|cause| {
            Error::failed(format!(
                "failed to open the fleet's database {}: {cause}",
                config.database.display()
            ))
        })?;
        Worker::new(post, &config, Arc::clone(&shared), database).start()?;
    }
    let token = config.common.token;
    let (steered, limit) = (Arc::clone(&shared), Arc::clone(&shared.descriptors));
    let control = control::listen_beside(&token, limit, move |request| steered.steer(request))?;
    // Last of what takes addresses, which a limit on its threads is reckoned from.
    peers::keep(&shared)?;
    let runtime = connections::runtime()?;
    runtime.block_on(async {
        let listener = connections::bind(([127, 0, 0, 1], 0).into()).await?;
        let address = connections::local_address(&listener)?;
        descriptors::follow(&shared)?;
        serve::announce(&StartReport::Ready { address, control })?;
        crash::crash_some_day(Arc::clone(&shared), crash_rng)?;
        listener::serve(listener, shared).await
    })
}

impl Shared {
    /// Answers a control request.
    fn steer(&self, request: &Request) -> Option<Response> {
        Some(match (request.method.as_str(), request.path()) {
            ("GET", "/gauges") => Response::json(200, &self.pool.read()),
            ("POST", "/gauges/mark") => Response::json(200, &self.pool.mark()),
            ("PUT", "/settings") => match serde_json::from_slice::<SettingsPut>(&request.body) {
                Ok(put) => {
                    let mut in_force = lock(&self.settings);
                    if put.order >= in_force.order {
                        if put.forgotten > in_force.forgotten {
                            *lock(&self.roles) = RoleCache::default();
                        }
                        self.faults.put(put.faults.clone());
                        *in_force = put;
                    }
                    Response::json(200, &*in_force)
                }
                Err(cause) => Response::error(400, &format!("not settings: {cause}")),
            },
            ("POST", "/stop") => Response::json(200, &self.pool.freeze()).last(),
            _ => return None,
        })
    }
}
