//! The identity service: slots, and those who wait for one.

use std::collections::VecDeque;

use rand::RngExt as _;

use super::calendar::{Awaited, Calendar, Event};
use crate::model::{FleetSpec, IdentitySpec, Level, SlowPart, Slowness, SourceName};
use crate::record::{Counters, IdentityCounters, Sample};
use crate::rng::{self, StdRng};
use crate::units::Nanos;

/// The name of its random stream.
const STREAM: &str = "identity";

/// Verifies users, so many at a time; the others wait their turn. That whoever
/// asked has given it up changes nothing here: it is done for nobody.
#[derive(Debug)]
pub(super) struct Identity {
    spec: IdentitySpec,
    /// Verifications that wait or run at most.
    most: u32,
    rng: StdRng,
    pub(super) slow: Slowness,
    /// The share of the verifications that it refuses.
    pub(super) down: Option<f64>,
    busy: Level,
    waiting: VecDeque<(Awaited, bool)>,
    waited: Level,
    verifications: u64,
    /// Areas of `busy` and `waited` at the last sample.
    sampled: (u64, u64),
}

/// A verification that has begun.
#[derive(Debug, Clone, Copy)]
pub(super) struct StartedVerification {
    pub(super) awaited: Awaited,
    /// What a warm role cache would have saved of it.
    pub(super) cold: Nanos,
}

/// What comes of asking.
#[derive(Debug, Clone, Copy)]
pub(super) enum VerificationAdmission {
    /// It has begun.
    Begun(StartedVerification),
    /// It waits for its turn.
    Waits,
    /// There are too many.
    Refused,
}

impl Identity {
    pub(super) fn new(spec: &FleetSpec, seed: u64) -> Self {
        Self {
            spec: spec.identity.clone(),
            most: spec.verifications_max(),
            rng: rng::stream(seed, STREAM),
            slow: Slowness::default(),
            down: None,
            busy: Level::default(),
            waiting: VecDeque::new(),
            waited: Level::default(),
            verifications: 0,
            sampled: (0, 0),
        }
    }

    /// A worker asks; `held`: whether its instance holds the user's roles.
    pub(super) fn ask(
        &mut self,
        now: Nanos,
        awaited: Awaited,
        held: bool,
        calendar: &mut Calendar,
    ) -> VerificationAdmission {
        if let Some(share) = self.down
            && self.rng.random::<f64>() < share
        {
            return VerificationAdmission::Refused;
        }
        if self.busy.get() < u64::from(self.spec.capacity.max(1)) {
            return VerificationAdmission::Begun(self.begin(now, awaited, held, calendar));
        }
        if self.busy.get() + self.waiting.len() as u64 >= u64::from(self.most) {
            return VerificationAdmission::Refused;
        }
        self.waiting.push_back((awaited, held));
        self.waited.set(now, self.waiting.len() as u64);
        VerificationAdmission::Waits
    }

    /// A verification has ended: the next begins.
    pub(super) fn ended(
        &mut self,
        now: Nanos,
        calendar: &mut Calendar,
    ) -> Option<StartedVerification> {
        self.verifications += 1;
        self.busy.set(now, self.busy.get() - 1);
        let (awaited, held) = self.waiting.pop_front()?;
        self.waited.set(now, self.waiting.len() as u64);
        Some(self.begin(now, awaited, held, calendar))
    }

    fn begin(
        &mut self,
        now: Nanos,
        awaited: Awaited,
        held: bool,
        calendar: &mut Calendar,
    ) -> StartedVerification {
        self.busy.set(now, self.busy.get() + 1);
        let drawn = self.spec.latency.sample(&mut self.rng);
        let warm = self.slow.stretch(SlowPart::Identity, drawn);
        let took = if held {
            warm
        } else {
            Nanos::from_secs_f64(warm.as_secs_f64() * self.spec.cold_factor)
        };
        calendar.enter(now.saturating_add(took), Event::Verified(awaited));
        StartedVerification {
            awaited,
            cold: took.saturating_sub(warm),
        }
    }

    /// What it did since the last sample.
    pub(super) fn sample(&mut self, from: Nanos, to: Nanos) -> Sample {
        let areas = (self.busy.read(to).area, self.waited.read(to).area);
        let counters = IdentityCounters {
            verifications: std::mem::take(&mut self.verifications),
            busy_ns: areas.0 - self.sampled.0,
            waiting_ns: areas.1 - self.sampled.1,
        };
        self.sampled = areas;
        Sample {
            from,
            to,
            source: SourceName::Identity,
            counters: Counters::Identity(counters),
            histograms: Vec::new(),
        }
    }
}
