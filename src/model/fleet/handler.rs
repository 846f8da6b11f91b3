//! The handler of a job, as stages: which comes next, given the result of the last,
//! and what is answered at the end.
//!
//! ```text
//! (lock →) application → authenticate → verify → (connect →) database → answer
//!                                     ↘ detach ↗
//! ```
//!
//! A live worker is a thread that blocks in each stage; a simulated one enters the
//! stage's end into the calendar. Both ask here how long a stage takes and what
//! comes after it, so that the order and the answers stand once. What comes before
//! a worker has the job is in [`FleetSpec::crew`] and the policies of the queue.

use std::ops::ControlFlow;

use rand::Rng;
use serde::{Deserialize, Serialize};

use super::{Denial, FleetSpec};
use crate::model::fault::FaultSet;
use crate::model::{Patience, Settings, SlowPart, Slowness};
use crate::units::Nanos;

/// Whether the handler waits for the verification it starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verification {
    /// It does.
    #[default]
    Awaited,
    /// It does not: the verification becomes a job of its own on the same
    /// workers, and the handler goes on without its result.
    Detached,
}

/// What a handler makes of a verification whose result it does not have: the
/// three outcomes of a missing await.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unverified {
    /// No result is no permission: it answers 500.
    #[default]
    Deny,
    /// A promise is truthy: everyone gets in.
    Allow,
    /// The response is never sent.
    Hang,
}

/// What a job is, as far as its stages depend on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum JobKind {
    /// A request that takes the authorization path.
    Request,
    /// A probe that a worker answers, and that is all.
    Shallow,
    /// A session is set up by the authorization path, and held without a worker.
    Session,
    /// A detached verification, of which nobody learns how it ended.
    Verification,
}

/// What a worker does with a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    /// It waits for the lock of its instance and holds it, where requests take one.
    Lock,
    /// The application's own part.
    Application,
    /// It finds out who asks, which takes no time of its own.
    Authenticate,
    /// It asks the identity service and waits, where the bulkhead lets it; then it
    /// looks whether the role allows the request.
    Verify,
    /// It makes the verification a job of its own, which takes no time; and goes on
    /// with this in place of the result.
    Detach(Unverified),
    /// It waits for a connection of the pool, and takes it beside so many others.
    Connect(u32),
    /// The way to the database and back, with so many connections beside the first.
    Database(u32),
}

/// What a statement comes to by the faults of the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DatabaseFate {
    /// It is carried out.
    Works,
    /// It fails at once.
    Fails,
    /// It waits for a lock, and fails after so long.
    Waits(Nanos),
}

impl FaultSet {
    /// What a statement comes to.
    pub(crate) fn statement(&self, writes: bool) -> DatabaseFate {
        if self.database_down.is_some() || (writes && self.database_full.is_some()) {
            return DatabaseFate::Fails;
        }
        match &self.database_locked {
            Some(locked) if writes => DatabaseFate::Waits(locked.waits),
            _ => DatabaseFate::Works,
        }
    }
}

/// What comes after a stage: another one, or the end of the job with what whoever waits
/// is answered; none: nobody ever gets an answer.
pub(crate) type HandlerStep = ControlFlow<Option<Result<(), Denial>>, Stage>;

const SUCCEED: HandlerStep = ControlFlow::Break(Some(Ok(())));
const SILENCE: HandlerStep = ControlFlow::Break(None);

const fn deny(denial: Denial) -> HandlerStep {
    ControlFlow::Break(Some(Err(denial)))
}

/// The handler of one job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Handler {
    /// What the job is.
    pub kind: JobKind,
    /// How long its caller waits.
    pub patience: Patience,
}

impl Handler {
    /// The stage that it begins with.
    pub(crate) const fn first(self, faults: &FaultSet) -> Stage {
        match self.kind {
            JobKind::Verification => Stage::Verify,
            JobKind::Request | JobKind::Shallow | JobKind::Session
                if faults.lock_convoy.is_some() =>
            {
                Stage::Lock
            }
            JobKind::Request | JobKind::Shallow | JobKind::Session => Stage::Application,
        }
    }

    /// What comes after a stage that ended like this, under the settings in force
    /// now. A stage that failed is the last.
    pub(crate) fn after(
        self,
        stage: Stage,
        result: Result<(), Denial>,
        now: Nanos,
        settings: Settings,
        spec: &FleetSpec,
    ) -> HandlerStep {
        if let Err(denial) = result {
            return deny(denial);
        }
        match (stage, self.kind) {
            (Stage::Lock, _) => ControlFlow::Continue(Stage::Application),
            (Stage::Connect(beside), _) => ControlFlow::Continue(Stage::Database(beside)),
            // What it has it keeps while it waits for one more.
            (Stage::Database(beside), _) if spec.pool.is_some_and(|it| beside < it.nested) => {
                ControlFlow::Continue(Stage::Connect(beside + 1))
            }
            (Stage::Application, JobKind::Shallow) | (Stage::Database(_), _) => SUCCEED,
            (Stage::Application, _) => ControlFlow::Continue(Stage::Authenticate),
            (Stage::Authenticate, _) => self.in_time(now, authorize(settings)),
            // A session that is set up is not answered while it lasts.
            (Stage::Verify, JobKind::Verification)
            | (Stage::Verify | Stage::Detach(Unverified::Allow), JobKind::Session)
            | (Stage::Detach(Unverified::Hang), _) => SILENCE,
            (Stage::Detach(Unverified::Deny), _) => deny(Denial::NoResult),
            (Stage::Verify | Stage::Detach(Unverified::Allow), _) => {
                self.in_time(now, to_the_database(spec))
            }
        }
    }

    /// What is costly is begun only while somebody waits.
    fn in_time(self, now: Nanos, stage: Stage) -> HandlerStep {
        if self.patience.over(now) {
            deny(Denial::TimeOver)
        } else {
            ControlFlow::Continue(stage)
        }
    }
}

const fn to_the_database(spec: &FleetSpec) -> Stage {
    if spec.pool.is_some() {
        Stage::Connect(0)
    } else {
        Stage::Database(0)
    }
}

const fn authorize(settings: Settings) -> Stage {
    match settings.verification {
        Verification::Awaited => Stage::Verify,
        Verification::Detached => Stage::Detach(settings.unverified),
    }
}

impl Stage {
    /// How long the worker is in it, beside `others` jobs that workers of the
    /// instance hold; none for a stage that takes no time, or as long as another takes:
    /// the identity service, whoever has the lock or the connection.
    pub(crate) fn takes(
        self,
        spec: &FleetSpec,
        slow: Slowness,
        others: u64,
        rng: &mut impl Rng,
    ) -> Nanos {
        match self {
            Self::Application => {
                let drawn = spec.application.sample(rng);
                spec.contended(slow.stretch(SlowPart::Application, drawn), others)
            }
            Self::Database(_) => slow.stretch(SlowPart::Database, spec.database.sample(rng)),
            Self::Lock | Self::Connect(_) | Self::Authenticate | Self::Verify | Self::Detach(_) => {
                Nanos::ZERO
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Nanos = Nanos::from_secs(1);

    /// The stages of a job under the settings, of which `fails` fails; and the end.
    fn walk(
        handler: Handler,
        settings: Settings,
        fails: Option<(Stage, Denial)>,
    ) -> (Vec<Stage>, HandlerStep) {
        let spec = FleetSpec::default();
        let mut stages = vec![handler.first(&FaultSet::default())];
        loop {
            let stage = stages[stages.len() - 1];
            let failed = fails.filter(|(failing, _)| *failing == stage);
            let result = failed.map_or(Ok(()), |(_, denial)| Err(denial));
            match handler.after(stage, result, NOW, settings, &spec) {
                ControlFlow::Continue(next) => stages.push(next),
                end @ ControlFlow::Break(_) => return (stages, end),
            }
        }
    }

    #[test]
    fn a_job_goes_through_its_stages_to_one_answer() {
        use Stage::{Application, Authenticate, Detach, Verify};
        const DATABASE: Stage = Stage::Database(0);
        use Unverified::{Allow, Deny as NoResult, Hang};
        let awaited = Settings::default();
        let detached = |unverified| Settings {
            verification: Verification::Detached,
            unverified,
            ..Settings::default()
        };
        let (request, shallow, detached_job) =
            (JobKind::Request, JobKind::Shallow, JobKind::Verification);
        let fails = |stage, denial| Some((stage, denial));
        let front = [Application, Authenticate];
        for (kind, settings, failing, after_front, end) in [
            (request, awaited, None, vec![Verify, DATABASE], SUCCEED),
            (
                request,
                detached(Allow),
                None,
                vec![Detach(Allow), DATABASE],
                SUCCEED,
            ),
            (
                request,
                detached(NoResult),
                None,
                vec![Detach(NoResult)],
                deny(Denial::NoResult),
            ),
            (request, detached(Hang), None, vec![Detach(Hang)], SILENCE),
            (
                request,
                awaited,
                fails(Authenticate, Denial::UnknownToken),
                vec![],
                deny(Denial::UnknownToken),
            ),
            (
                request,
                awaited,
                fails(Verify, Denial::BulkheadFull),
                vec![Verify],
                deny(Denial::BulkheadFull),
            ),
            (
                request,
                awaited,
                fails(DATABASE, Denial::DatabaseFailed),
                vec![Verify, DATABASE],
                deny(Denial::DatabaseFailed),
            ),
        ] {
            let patience = Patience::ENDLESS;
            let expected = [&front[..], &after_front].concat();
            let found = walk(Handler { kind, patience }, settings, failing);
            assert_eq!(found, (expected, end), "{settings:?} {failing:?}");
        }
        // A session is set up once it is verified, and goes on without an answer.
        let session = Handler {
            kind: JobKind::Session,
            patience: Patience::ENDLESS,
        };
        let found = walk(session, awaited, None);
        assert_eq!(found, (vec![Application, Authenticate, Verify], SILENCE));
        // A probe that a worker answers is verified under no settings.
        for (kind, stages, end) in [
            (shallow, vec![Application], SUCCEED),
            (detached_job, vec![Verify], SILENCE),
        ] {
            let patience = Patience::ENDLESS;
            for settings in [awaited, detached(NoResult)] {
                let found = walk(Handler { kind, patience }, settings, None);
                assert_eq!(found, (stages.clone(), end), "{kind:?}");
            }
        }
    }

    #[test]
    fn nothing_costly_is_begun_for_a_caller_who_has_gone() {
        let handler = |kind| Handler {
            kind,
            patience: Patience::told(Nanos::ZERO, Some(999)),
        };
        let over = deny(Denial::TimeOver);
        let settings = Settings::default();
        let request = handler(JobKind::Request);
        let walked = walk(request, settings, None);
        assert_eq!(
            walked,
            (vec![Stage::Application, Stage::Authenticate], over)
        );
        let verified = request.after(Stage::Verify, Ok(()), NOW, settings, &FleetSpec::default());
        assert_eq!(verified, over);
        // What has failed is answered as that.
        let forbidden = Err(Denial::RoleForbids);
        let spec = FleetSpec::default();
        let forbidden = request.after(Stage::Verify, forbidden, NOW, settings, &spec);
        assert_eq!(forbidden, deny(Denial::RoleForbids));
        // A probe of the worker alone costs nothing more.
        let shallow = walk(handler(JobKind::Shallow), settings, None);
        assert_eq!(shallow.1, SUCCEED);
    }

    #[test]
    fn a_request_takes_the_lock_first_and_its_connections_one_by_one() {
        let handler = Handler {
            kind: JobKind::Request,
            patience: Patience::ENDLESS,
        };
        let mut faults = FaultSet::default();
        assert_eq!(handler.first(&faults), Stage::Application);
        faults.put(crate::model::fault::FleetFaultKind::LockConvoy.usual());
        assert_eq!(handler.first(&faults), Stage::Lock);
        let pool = crate::model::PoolSpec {
            size: 4,
            timeout: None,
            nested: 1,
        };
        let spec = FleetSpec {
            pool: Some(pool),
            ..FleetSpec::default()
        };
        let mut stages = vec![Stage::Lock];
        while let ControlFlow::Continue(next) = handler.after(
            stages[stages.len() - 1],
            Ok(()),
            NOW,
            Settings::default(),
            &spec,
        ) {
            stages.push(next);
        }
        let tail = [
            Stage::Connect(0),
            Stage::Database(0),
            Stage::Connect(1),
            Stage::Database(1),
        ];
        assert_eq!(stages[stages.len() - 4..], tail);
    }

    #[test]
    fn what_is_wrong_with_the_database_concerns_whoever_meets_it() {
        use crate::model::fault::FleetFaultKind::{DatabaseDown, DatabaseFull, DatabaseLocked};
        let waits = DatabaseFate::Waits(Nanos::from_secs(5));
        for (kind, reads, writes) in [
            (DatabaseDown, DatabaseFate::Fails, DatabaseFate::Fails),
            (DatabaseFull, DatabaseFate::Works, DatabaseFate::Fails),
            (DatabaseLocked, DatabaseFate::Works, waits),
        ] {
            let mut faults = FaultSet::default();
            faults.put(kind.usual());
            assert_eq!(faults.statement(false), reads, "{kind}");
            assert_eq!(faults.statement(true), writes, "{kind}");
        }
    }
}
