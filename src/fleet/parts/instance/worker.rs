//! A worker: a thread that runs whole handlers, blocking.
//!
//! Which stage comes next and what is answered is up to the [`Handler`](crate::model::Handler)
//! and the settings in force when it gets there; here is what a stage really does.
//! Nothing else about an incident is known.

use std::fmt;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use rand::RngExt as _;

use super::Shared;
use super::api::{ApiAnswer, Call};
use super::job::{Job, Reply};
use super::pool::Post;
use crate::error::Error;
use crate::fleet::database::Database;
use crate::fleet::lock;
use crate::fleet::message::{InstanceConfig, Verified};
use crate::fleet::wire::Client;
use crate::model::{Crew, Denial, Stage};
use crate::rng::{self, StdRng};
use crate::units::Nanos;

/// A verification that takes longer than this has failed where the scenario says
/// no limit: far past every timeout of a client, so that none is cut short by it.
pub(super) const VERIFICATION_MAX: Duration = Duration::from_mins(1);

/// One worker of an instance.
pub(super) struct Worker {
    post: Post,
    shared: Arc<Shared>,
    database: Database,
    identity: Client,
    rng: StdRng,
    /// Of the job in hand: what a warm role cache would have saved.
    cold: Nanos,
    /// Of the job in hand: connections of the pool that it has.
    connections: u32,
}

/// A job on its way through the stages of its handler.
struct JobInHand<'a> {
    /// None: it is a verification and nothing else.
    call: Option<&'a Call>,
    token: Option<&'a str>,
    /// Who asks, once that is known.
    user: u32,
    /// Its result, where it succeeds.
    answer: ApiAnswer,
    /// What the answer says of the stage that failed, where its cause is known.
    cause: Option<String>,
}

impl<'a> JobInHand<'a> {
    fn of(job: &'a Job) -> Self {
        let (call, token, user) = match job {
            Job::Request { call, token, .. } => (Some(call), token.as_deref(), 0),
            Job::Verification { user } => (None, None, *user),
        };
        Self {
            call,
            token,
            user,
            answer: ApiAnswer::ok(),
            cause: None,
        }
    }

    /// A stage of it has failed, for this cause.
    fn failed(&mut self, denial: Denial, cause: &impl fmt::Display) -> Denial {
        self.cause = Some(denial.because(cause));
        denial
    }

    fn denied(self, denial: Denial) -> ApiAnswer {
        match self.cause {
            Some(sentence) => ApiAnswer::error(denial.status(), &sentence),
            None => ApiAnswer::denied(denial),
        }
    }
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
            connections: 0,
        }
    }

    /// Starts the thread, which ends when the instance stops.
    pub(super) fn start(mut self) -> Result<(), Error> {
        thread::Builder::new()
            .name(format!("{}-{}", kind(self.post), self.post.index + 1))
            .spawn(move || self.run())
            .map(drop)
            .map_err(|cause| Error::unfit(format!("failed to start a worker: {cause}")))
    }

    fn run(&mut self) {
        let shared = Arc::clone(&self.shared);
        while let Some(job) = shared.pool.take(self.post) {
            self.cold = Nanos::ZERO;
            shared.world.pass();
            let answer = self.handle(&job);
            self.give_back(&job);
            if self.is_lost() {
                never_come_back(job, answer);
            }
            if shared.pool.finish(self.post, self.cold)
                && let Job::Request { reply, .. } = job
            {
                // A caller who has gone needs no answer.
                let _ = reply.send(answer);
            }
        }
    }

    /// Takes the job through the stages of its handler, blocking in each.
    fn handle(&mut self, job: &Job) -> Reply {
        let shared = Arc::clone(&self.shared);
        let handler = job.handler();
        let mut hand = JobInHand::of(job);
        let mut stage = handler.first(&shared.faults.now());
        loop {
            let result = self.carry_out(stage, &mut hand);
            shared.world.pass();
            let settings = lock(&shared.settings).settings;
            let now = shared.pool.clock.now();
            match handler.after(stage, result, now, settings, &shared.spec) {
                ControlFlow::Continue(next) => stage = next,
                ControlFlow::Break(answer) => {
                    return answer.map(|answer| match answer {
                        Ok(()) => hand.answer,
                        Err(denial) => hand.denied(denial),
                    });
                }
            }
        }
    }

    /// Does what there is to do in a stage, and takes its time.
    fn carry_out(&mut self, stage: Stage, hand: &mut JobInHand<'_>) -> Result<(), Denial> {
        let shared = Arc::clone(&self.shared);
        if matches!(stage, Stage::Authenticate | Stage::Database(_)) {
            let writes = stage != Stage::Authenticate && hand.call.is_some_and(Call::writes);
            if !shared.faults.statement(writes) {
                return Err(Denial::DatabaseFailed);
            }
        }
        if matches!(stage, Stage::Database(_))
            && let Some(cause) = shared.map.broken()
        {
            return Err(hand.failed(Denial::NoRoute, &cause));
        }
        let slow = lock(&shared.settings).slow;
        // What slows the application's part is there when that begins.
        let contended = stage == Stage::Application && shared.spec.contention > Nanos::ZERO;
        let others = if contended { shared.pool.others() } else { 0 };
        pause(stage.takes(&shared.spec, slow, others, &mut self.rng));
        match (stage, hand.call) {
            (Stage::Lock, _) => {
                self.hold_the_lock();
                Ok(())
            }
            (Stage::Connect(_), _) => self.connect(),
            (Stage::Authenticate, Some(call)) => self.authenticate(call, hand),
            (Stage::Verify, None) => self.verify(hand),
            (Stage::Verify, Some(call)) => {
                self.verify(hand)?;
                self.check_role(call, hand)
            }
            (Stage::Detach(_), _) => {
                self.shared.pool.detach(self.post.crew, hand.user);
                Ok(())
            }
            (Stage::Database(_), Some(call)) => self
                .query(call)
                .map(|answer| hand.answer = answer)
                .map_err(|cause| hand.failed(Denial::DatabaseFailed, &cause)),
            (Stage::Application, _) | (_, None) => Ok(()),
        }
    }

    /// Waits for the lock of the instance, and holds it for a while.
    fn hold_the_lock(&mut self) {
        self.shared.lock.enter(None);
        let faults = self.shared.faults.now();
        let convoy = faults.lock_convoy.as_ref();
        pause(convoy.map_or(Nanos::ZERO, |convoy| convoy.holds.sample(&mut self.rng)));
        // Whoever has the lock gives it back when the world goes on.
        self.shared.world.pass();
        self.shared.lock.leave();
    }

    /// Takes a connection of the pool, or waits for one.
    fn connect(&mut self) -> Result<(), Denial> {
        let Some(connections) = &self.shared.connections else {
            return Ok(());
        };
        let timeout = self.shared.spec.pool.and_then(|pool| pool.timeout);
        self.shared.pool.waits_for_connection(self.post, true);
        let entered = connections.enter(timeout.map(Nanos::to_duration));
        self.shared.pool.waits_for_connection(self.post, false);
        if !entered {
            return Err(Denial::NoConnection);
        }
        self.connections += 1;
        Ok(())
    }

    /// Gives the connections back that the job took, unless a fault keeps it from that.
    fn give_back(&mut self, job: &Job) {
        let count = std::mem::take(&mut self.connections);
        let Some(connections) = &self.shared.connections else {
            return;
        };
        let gone = matches!(job, Job::Request { caller, .. } if caller.gone());
        if gone && self.shared.faults.now().connections_leaked.is_some() {
            return;
        }
        for _ in 0..count {
            connections.leave();
        }
    }

    /// Whether a fault costs the instance this worker.
    fn is_lost(&mut self) -> bool {
        let faults = self.shared.faults.now();
        let leaked = faults.workers_leaked.as_ref();
        leaked.is_some_and(|leaked| self.rng.random::<f64>() < leaked.share.get())
    }

    fn authenticate(&self, call: &Call, hand: &mut JobInHand<'_>) -> Result<(), Denial> {
        let user = match hand.token {
            Some(token) => self.database.user(token),
            None if matches!(call, Call::Deep | Call::Session) => {
                Ok(Some(self.shared.spec.service_user()))
            }
            None => Ok(None),
        };
        let user = user.map_err(|cause| hand.failed(Denial::DatabaseFailed, &cause))?;
        hand.user = user.ok_or(Denial::UnknownToken)?;
        Ok(())
    }

    /// Verifies the user, where the bulkhead lets the worker begin.
    fn verify(&mut self, hand: &mut JobInHand<'_>) -> Result<(), Denial> {
        if !lock(&self.shared.bulkhead).enter() {
            return Err(Denial::BulkheadFull);
        }
        let timeout = self.shared.spec.identity.timeout;
        let verified = match self.shared.faults.blocked(timeout) {
            Some(cause) => Err(cause),
            None => self.ask_identity(hand.user, hand.call == Some(&Call::Session)),
        };
        lock(&self.shared.bulkhead).leave();
        verified.map_err(|cause| hand.failed(Denial::IdentityFailed, &cause))
    }

    fn check_role(&self, call: &Call, hand: &mut JobInHand<'_>) -> Result<(), Denial> {
        let allows = match &self.shared.faults.now().permissions_wrong {
            Some(wrong) => Ok(wrong.allow),
            None => self.database.allows(hand.user, call.permission()),
        };
        match allows {
            Ok(true) => Ok(()),
            Ok(false) => Err(Denial::RoleForbids),
            Err(cause) => Err(hand.failed(Denial::DatabaseFailed, &cause)),
        }
    }

    /// Blocks until the identity service has answered, or its time is over: then
    /// nothing was learnt, and the service goes on for nobody. What a session needs is
    /// held by no instance.
    fn ask_identity(&mut self, user: u32, session: bool) -> std::io::Result<()> {
        let held = !session && lock(&self.shared.roles).holds(user);
        let target = format!("/verify?user={user}&held={held}");
        let (status, body) = self.identity.call("GET", &target, &[])?;
        if status != 200 {
            return Err(std::io::Error::other(format!("it answered {status}")));
        }
        let verified: Verified = serde_json::from_slice(&body)?;
        self.cold = Nanos(verified.took_ns.saturating_sub(verified.warm_ns));
        if !held && !session {
            lock(&self.shared.roles).insert(user);
        }
        Ok(())
    }

    fn query(&self, call: &Call) -> rusqlite::Result<ApiAnswer> {
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
            Call::Shallow | Call::Deep | Call::Session => {
                database.touch()?;
                ApiAnswer::ok()
            }
        })
    }
}

/// Answers the job, and stays with it for good.
fn never_come_back(job: Job, answer: Reply) -> ! {
    if let Job::Request { reply, .. } = job {
        // A caller who has gone needs no answer.
        let _ = reply.send(answer);
    }
    loop {
        thread::park();
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
