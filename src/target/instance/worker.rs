//! A worker: a thread that runs whole handlers, blocking.
//!
//! authenticate → authorize → database → respond. Whether it waits for the
//! verification that authorizing starts is up to the settings in force when it
//! gets there; nothing else about an incident is known here.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use super::super::database::Database;
use super::super::lock;
use super::super::message::{InstanceConfig, Verified};
use super::super::wire::Client;
use super::Shared;
use super::api::{Answer, Call};
use super::job::{Job, Reply};
use crate::error::{Error, Result};
use crate::model::{Distribution, SlowPart, Unverified, Verification};
use crate::rng::{self, StdRng};
use crate::units::Nanos;

/// A verification that takes longer than this has failed: far past every
/// timeout of a client, so that none is cut short by it.
const VERIFICATION_MAX: Duration = Duration::from_mins(1);

/// One worker of an instance.
pub(super) struct Worker {
    index: usize,
    shared: Arc<Shared>,
    database: Database,
    identity: Client,
    rng: StdRng,
    application: Distribution,
    database_time: Distribution,
    service_user: u32,
    /// Of the job in hand: what a warm role cache would have saved.
    cold: Nanos,
}

/// How the authorization of a call ended.
enum Authorization {
    /// The call may go on.
    Granted,
    /// It may not: this is its answer.
    Refused(Answer),
    /// It hangs for ever.
    Never,
}

impl Worker {
    pub(super) fn new(
        index: usize,
        config: &InstanceConfig,
        shared: Arc<Shared>,
        database: Database,
    ) -> Self {
        let stream = format!("{} {} worker {index}", config.common.name, config.launch);
        Self {
            index,
            shared,
            database,
            identity: Client::new(config.identity, None, VERIFICATION_MAX),
            rng: rng::stream(config.common.seed, &stream),
            application: config.spec.application,
            database_time: config.spec.database,
            service_user: config.spec.service_user(),
            cold: Nanos::ZERO,
        }
    }

    /// Starts the thread, which ends when the instance stops.
    pub(super) fn start(mut self) -> Result<()> {
        thread::Builder::new()
            .name(format!("worker-{}", self.index + 1))
            .spawn(move || self.run())
            .map(drop)
            .map_err(|cause| Error::unfit(format!("failed to start a worker: {cause}")))
    }

    fn run(&mut self) {
        let shared = Arc::clone(&self.shared);
        while let Some(job) = shared.pool.take(self.index) {
            self.cold = Nanos::ZERO;
            match job {
                Job::Request {
                    call, token, reply, ..
                } => {
                    let answer = self.handle(&call, token.as_deref());
                    if shared.pool.finish(self.index, self.cold) {
                        // A caller who has gone needs no answer.
                        let _ = reply.send(answer);
                    }
                }
                Job::Verification { user } => {
                    // Nobody learns how it ended: that is the bug being modelled.
                    let _ = self.verify(user);
                    shared.pool.finish(self.index, self.cold);
                }
            }
        }
    }

    fn handle(&mut self, call: &Call, token: Option<&str>) -> Reply {
        self.pause(SlowPart::Application, self.application);
        if *call == Call::Shallow {
            return Some(Answer::json(200, &serde_json::json!({ "status": "ok" })));
        }
        let user = match self.authenticate(call, token) {
            Ok(Some(user)) => user,
            Ok(None) => return Some(Answer::error(401, "the token is missing or unknown")),
            Err(cause) => return Some(database_error(&cause)),
        };
        match self.authorize(user, call) {
            Authorization::Granted => {}
            Authorization::Refused(answer) => return Some(answer),
            Authorization::Never => return None,
        }
        self.pause(SlowPart::Database, self.database_time);
        Some(
            self.carry_out(call)
                .unwrap_or_else(|cause| database_error(&cause)),
        )
    }

    /// Blocks the thread for a duration drawn from the part's distribution.
    fn pause(&mut self, part: SlowPart, distribution: Distribution) {
        let drawn = distribution.sample(&mut self.rng);
        let duration = lock(&self.shared.settings).slow.stretch(part, drawn);
        if duration > Nanos::ZERO {
            thread::sleep(duration.to_duration());
        }
    }

    fn authenticate(&self, call: &Call, token: Option<&str>) -> rusqlite::Result<Option<u32>> {
        match token {
            Some(token) => self.database.user(token),
            None if *call == Call::Deep => Ok(Some(self.service_user)),
            None => Ok(None),
        }
    }

    fn authorize(&mut self, user: u32, call: &Call) -> Authorization {
        let settings = lock(&self.shared.settings).settings;
        if settings.verification == Verification::Awaited {
            return self.verify_and_check(user, call);
        }
        // Where the queue is full the verification is dropped, unseen by anyone.
        let _ = self.shared.pool.submit(Job::Verification { user });
        match settings.unverified {
            Unverified::Deny => {
                Authorization::Refused(Answer::error(500, "the verification gave no result"))
            }
            Unverified::Allow => Authorization::Granted,
            Unverified::Hang => Authorization::Never,
        }
    }

    fn verify_and_check(&mut self, user: u32, call: &Call) -> Authorization {
        if let Err(cause) = self.verify(user) {
            let sentence = format!("the identity service failed: {cause}");
            return Authorization::Refused(Answer::error(503, &sentence));
        }
        match self.database.allows(user, call.permission()) {
            Ok(true) => Authorization::Granted,
            Ok(false) => {
                Authorization::Refused(Answer::error(403, "the user's role does not allow this"))
            }
            Err(cause) => Authorization::Refused(database_error(&cause)),
        }
    }

    /// Blocks until the identity service has answered.
    fn verify(&mut self, user: u32) -> std::io::Result<()> {
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

    fn carry_out(&self, call: &Call) -> rusqlite::Result<Answer> {
        let database = &self.database;
        let no_project = || Answer::error(404, "there is no such project");
        Ok(match call {
            Call::List { project } => database.list(*project)?.map_or_else(no_project, |tasks| {
                Answer::json(200, &serde_json::json!({ "tasks": tasks }))
            }),
            Call::Create { project, title } => database
                .create(*project, title)?
                .map_or_else(no_project, |task| Answer::json(201, &task)),
            Call::Update { task, title, done } => database
                .update(*task, title.as_deref(), *done)?
                .map_or_else(
                    || Answer::error(404, "there is no such task"),
                    |task| Answer::json(200, &task),
                ),
            Call::Close { project } if database.close(*project)? => Answer::json(
                200,
                &serde_json::json!({ "project": project, "closed": true }),
            ),
            Call::Close { .. } => no_project(),
            Call::Shallow | Call::Deep => {
                database.touch()?;
                Answer::json(200, &serde_json::json!({ "status": "ok" }))
            }
        })
    }
}

fn database_error(cause: &rusqlite::Error) -> Answer {
    Answer::error(500, &format!("the database failed: {cause}"))
}
