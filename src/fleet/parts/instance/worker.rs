//! A worker: a thread that runs whole handlers, blocking.
//!
//! authenticate → authorize → database → respond. Whether it waits for the
//! verification that authorizing starts is up to the settings in force when it
//! gets there; nothing else about an incident is known here.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use super::Shared;
use super::api::{ApiAnswer, Call};
use super::job::{Job, Reply};
use super::pool::{Post, Taken};
use crate::error::{Error, Result};
use crate::fleet::database::Database;
use crate::fleet::lock;
use crate::fleet::message::{InstanceConfig, Verified};
use crate::fleet::wire::Client;
use crate::model::{Crew, Distribution, Patience, SlowPart, Unverified, Verification};
use crate::rng::{self, StdRng};
use crate::units::Nanos;

/// A verification that takes longer than this has failed where the scenario says
/// no limit: far past every timeout of a client, so that none is cut short by it.
const VERIFICATION_MAX: Duration = Duration::from_mins(1);

/// One worker of an instance.
pub(super) struct Worker {
    post: Post,
    shared: Arc<Shared>,
    database: Database,
    identity: Client,
    rng: StdRng,
    /// Of the job in hand: what a warm role cache would have saved.
    cold: Nanos,
}

/// How the authorization of a call ended.
enum Authorization {
    /// The call may go on.
    Granted,
    /// It may not: this is its answer.
    Refused(ApiAnswer),
    /// It hangs for ever.
    Never,
}

impl Worker {
    pub(super) fn new(
        post: Post,
        config: &InstanceConfig,
        shared: Arc<Shared>,
        database: Database,
    ) -> Self {
        let (name, launch) = (&config.common.name, config.launch);
        let stream = format!("{name} {launch} {} {}", kind(post), post.index);
        let timeout = config.spec.identity.timeout;
        let timeout = timeout.map_or(VERIFICATION_MAX, Nanos::to_duration);
        Self {
            post,
            shared,
            database,
            identity: Client::new(config.identity, None, timeout),
            rng: rng::stream(config.common.seed, &stream),
            cold: Nanos::ZERO,
        }
    }

    /// Starts the thread, which ends when the instance stops.
    pub(super) fn start(mut self) -> Result<()> {
        thread::Builder::new()
            .name(format!("{}-{}", kind(self.post), self.post.index + 1))
            .spawn(move || self.run())
            .map(drop)
            .map_err(|cause| Error::unfit(format!("failed to start a worker: {cause}")))
    }

    fn run(&mut self) {
        let shared = Arc::clone(&self.shared);
        while let Some(Taken { job, others }) = shared.pool.take(self.post) {
            self.cold = Nanos::ZERO;
            let patience = job.patience();
            match job {
                Job::Request {
                    call, token, reply, ..
                } => {
                    let alone = self.drawn(SlowPart::Application, shared.spec.application);
                    pause(shared.spec.contended(alone, others));
                    let answer = self.handle(&call, token.as_deref(), patience);
                    if shared.pool.finish(self.post, self.cold) {
                        // A caller who has gone needs no answer.
                        let _ = reply.send(answer);
                    }
                }
                Job::Verification { user } => {
                    // Nobody learns how it ended: that is the bug being modelled.
                    let _ = self.verify(user);
                    shared.pool.finish(self.post, self.cold);
                }
            }
        }
    }

    fn handle(&mut self, call: &Call, token: Option<&str>, patience: Patience) -> Reply {
        if *call == Call::Shallow {
            return Some(ApiAnswer::json(200, &serde_json::json!({ "status": "ok" })));
        }
        let user = match self.authenticate(call, token) {
            Ok(Some(user)) => user,
            Ok(None) => return Some(ApiAnswer::error(401, "the token is missing or unknown")),
            Err(cause) => return Some(database_error(&cause)),
        };
        if patience.over(self.shared.pool.clock.now()) {
            return Some(too_late());
        }
        match self.authorize(user, call) {
            Authorization::Granted => {}
            Authorization::Refused(answer) => return Some(answer),
            Authorization::Never => return None,
        }
        if patience.over(self.shared.pool.clock.now()) {
            return Some(too_late());
        }
        let takes = self.drawn(SlowPart::Database, self.shared.spec.database);
        pause(takes);
        Some(
            self.carry_out(call)
                .unwrap_or_else(|cause| database_error(&cause)),
        )
    }

    /// A duration drawn from the part's distribution, as slow as the part is.
    fn drawn(&mut self, part: SlowPart, distribution: Distribution) -> Nanos {
        let drawn = distribution.sample(&mut self.rng);
        lock(&self.shared.settings).slow.stretch(part, drawn)
    }

    fn authenticate(&self, call: &Call, token: Option<&str>) -> rusqlite::Result<Option<u32>> {
        match token {
            Some(token) => self.database.user(token),
            None if *call == Call::Deep => Ok(Some(self.shared.spec.service_user())),
            None => Ok(None),
        }
    }

    fn authorize(&mut self, user: u32, call: &Call) -> Authorization {
        let settings = lock(&self.shared.settings).settings;
        if settings.verification == Verification::Awaited {
            return self.verify_and_check(user, call);
        }
        self.shared.pool.detach(self.post.crew, user);
        match settings.unverified {
            Unverified::Deny => {
                Authorization::Refused(ApiAnswer::error(500, "the verification gave no result"))
            }
            Unverified::Allow => Authorization::Granted,
            Unverified::Hang => Authorization::Never,
        }
    }

    fn verify_and_check(&mut self, user: u32, call: &Call) -> Authorization {
        if let Err(cause) = self.verify(user) {
            let sentence = format!("the identity service failed: {cause}");
            return Authorization::Refused(ApiAnswer::error(503, &sentence));
        }
        match self.database.allows(user, call.permission()) {
            Ok(true) => Authorization::Granted,
            Ok(false) => {
                Authorization::Refused(ApiAnswer::error(403, "the user's role does not allow this"))
            }
            Err(cause) => Authorization::Refused(database_error(&cause)),
        }
    }

    /// Verifies the user, where the bulkhead lets the worker begin.
    fn verify(&mut self, user: u32) -> std::io::Result<()> {
        if !lock(&self.shared.bulkhead).enter() {
            return Err(std::io::Error::other("too many workers wait for it"));
        }
        let verified = self.ask_identity(user);
        lock(&self.shared.bulkhead).leave();
        verified
    }

    /// Blocks until the identity service has answered, or its time is over: then
    /// nothing was learnt, and the service goes on for nobody.
    fn ask_identity(&mut self, user: u32) -> std::io::Result<()> {
        let held = lock(&self.shared.roles).holds(user);
        let target = format!("/verify?user={user}&held={held}");
        let (status, body) = self.identity.call("GET", &target, &[])?;
        if status != 200 {
            return Err(std::io::Error::other(format!("it answered {status}")));
        }
        let verified: Verified = serde_json::from_slice(&body)?;
        self.cold = Nanos(verified.took_ns.saturating_sub(verified.warm_ns));
        if !held {
            lock(&self.shared.roles).insert(user);
        }
        Ok(())
    }

    fn carry_out(&self, call: &Call) -> rusqlite::Result<ApiAnswer> {
        let database = &self.database;
        let no_project = || ApiAnswer::error(404, "there is no such project");
        Ok(match call {
            Call::List { project } => database.list(*project)?.map_or_else(no_project, |tasks| {
                ApiAnswer::json(200, &serde_json::json!({ "tasks": tasks }))
            }),
            Call::Create { project, title } => database
                .create(*project, title)?
                .map_or_else(no_project, |task| ApiAnswer::json(201, &task)),
            Call::Update { task, title, done } => database
                .update(*task, title.as_deref(), *done)?
                .map_or_else(
                    || ApiAnswer::error(404, "there is no such task"),
                    |task| ApiAnswer::json(200, &task),
                ),
            Call::Close { project } if database.close(*project)? => ApiAnswer::json(
                200,
                &serde_json::json!({ "project": project, "closed": true }),
            ),
            Call::Close { .. } => no_project(),
            Call::Shallow | Call::Deep => {
                database.touch()?;
                ApiAnswer::json(200, &serde_json::json!({ "status": "ok" }))
            }
        })
    }
}

/// What workers of its kind are called.
const fn kind(post: Post) -> &'static str {
    match post.crew {
        Crew::Serving => "worker",
        Crew::Monitors => "monitor",
    }
}

/// Blocks the thread.
fn pause(duration: Nanos) {
    if duration > Nanos::ZERO {
        thread::sleep(duration.to_duration());
    }
}

/// Nobody waits any more, so that this is answered to nobody.
fn too_late() -> ApiAnswer {
    ApiAnswer::error(503, "the caller's time is over")
}

fn database_error(cause: &rusqlite::Error) -> ApiAnswer {
    ApiAnswer::error(500, &format!("the database failed: {cause}"))
}
