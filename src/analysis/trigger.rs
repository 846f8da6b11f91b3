//! What began the incident, and when it was over.
//!
//! A cause acts from the instant at which an action *began* to bring it about,
//! or the load to surge, up to the instant at which what ends it had *ended*. Of
//! pushes the first is the cause: a later one may as well be the cure. Where several
//! things were done, the one that acted when users were first hurt is the trigger.

use super::journal::Taken;
use crate::plan::{Cause, SurgeChange};
use crate::units::Nanos;

/// The causes of an incident as one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Trigger {
    /// What began it: the first, unless another acted at the impact.
    pub cause: Cause,
    /// When it did.
    pub at: Nanos,
    /// When the last cause ceased to act, or one that never did.
    pub off: Result<Nanos, Cause>,
}

/// One cause and how long it acted.
struct Acting {
    cause: Cause,
    from: Nanos,
    to: Option<Nanos>,
}

/// Everything that could be a trigger.
pub(super) struct Causes(Vec<Acting>);

impl Causes {
    pub(super) fn of(taken: &[Taken<'_>], surges: &[SurgeChange]) -> Self {
        Self(of_actions(taken).chain(of_load(surges)).collect())
    }

    /// The trigger, as far as is known before the impact is: the first. None where
    /// nothing that could be one was applied.
    pub(super) fn trigger(&self) -> Option<Trigger> {
        let first = self.0.iter().min_by_key(|acting| acting.from)?;
        Some(self.triggered(first))
    }

    /// The trigger, given the intended start of the first operation that was hurt,
    /// and how long an operation waits at most: what begins while it waits may hurt it.
    pub(super) fn trigger_of(&self, impact: Nanos, patience: Nanos) -> Option<Trigger> {
        let before = || self.0.iter().filter(|acting| acting.from <= impact);
        let acting = before().filter(|it| it.to.is_none_or(|to| to > impact));
        let soon = self.0.iter().filter(|acting| {
            acting.from > impact && acting.from <= impact.saturating_add(patience)
        });
        let found = acting
            .max_by_key(|it| it.from)
            .or_else(|| soon.min_by_key(|it| it.from))
            .or_else(|| before().max_by_key(|it| it.from));
        found
            .map(|acting| self.triggered(acting))
            .or_else(|| self.trigger())
    }

    fn triggered(&self, by: &Acting) -> Trigger {
        let ends = self.0.iter().map(|acting| acting.to.ok_or(acting.cause));
        let ends: Result<Vec<Nanos>, Cause> = ends.collect();
        Trigger {
            cause: by.cause,
            at: by.from,
            off: ends.map(|ends| ends.into_iter().max().unwrap_or(by.from)),
        }
    }
}

fn of_actions<'a>(taken: &'a [Taken<'a>]) -> impl Iterator<Item = Acting> + 'a {
    let mut pushed = false;
    taken.iter().filter_map(move |begun| {
        let cause = begun.action.begins()?;
        begun.applied()?;
        if cause == Cause::Push && std::mem::replace(&mut pushed, true) {
            return None;
        }
        Some(Acting {
            cause,
            from: begun.at,
            to: ended(begun, taken),
        })
    })
}

/// When what a cause's action began had been ended.
pub(super) fn ended(begun: &Taken<'_>, taken: &[Taken<'_>]) -> Option<Nanos> {
    let ends = taken.iter().filter(|later| later.action.ends(begun.action));
    let ends = ends.filter_map(Taken::applied);
    ends.filter(|at| *at > begun.at).min()
}

fn of_load(surges: &[SurgeChange]) -> impl Iterator<Item = Acting> + '_ {
    let begins = surges.iter().enumerate().filter(|(_, it)| it.begins);
    begins.map(|(place, surge)| Acting {
        cause: Cause::Surge,
        from: surge.at,
        to: surges.get(place + 1).map(|over| over.at),
    })
}
