//! What may begin an incident, and when it was over.
//!
//! A cause acts from the instant at which an action *began* to bring it about,
//! or the load to surge, up to the instant at which what ends it had *ended*. A push
//! after the first one is a cause only of an incident that begins with it: within one it
//! may as well be the cure.

use super::journal::Taken;
use crate::plan::{Cause, SurgeChange};
use crate::units::Nanos;

/// One cause and how long it acted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Acting {
    pub cause: Cause,
    pub from: Nanos,
    /// When it ceased; none where it never did.
    pub to: Option<Nanos>,
    /// Whether it is a push that may be the cure of an earlier one.
    maybe_cure: bool,
}

/// Everything that could be a cause, in the order in which it began.
#[derive(Debug)]
pub(super) struct Causes(Vec<Acting>);

impl Causes {
    pub(super) fn of(taken: &[Taken<'_>], surges: &[SurgeChange]) -> Self {
        let mut all: Vec<Acting> = of_actions(taken).chain(of_load(surges)).collect();
        all.sort_by_key(|acting| acting.from);
        Self(all)
    }

    /// The first cause; none where nothing that could be one was applied.
    pub(super) fn first(&self) -> Option<Acting> {
        self.0.first().copied()
    }

    /// All but cures.
    pub(super) fn all(&self) -> Vec<Acting> {
        let all = self.0.iter().filter(|acting| !acting.maybe_cure);
        all.copied().collect()
    }

    /// What began a loss of service, of what began at or after `since`. The first
    /// operation that was hurt was intended at `impact`, and an operation waits for
    /// `patience` at most: what begins while it waits may hurt it. First comes what acts at
    /// the impact, then what begins soon after, then what is over already.
    pub(super) fn trigger_of(
        &self,
        impact: Nanos,
        patience: Nanos,
        since: Nanos,
    ) -> Option<Acting> {
        let own = || self.0.iter().filter(|acting| acting.from >= since);
        let before = || own().filter(|acting| acting.from <= impact);
        let acting = before().filter(|it| it.to.is_none_or(|to| to > impact));
        let soon = own().filter(|acting| {
            acting.from > impact && acting.from <= impact.saturating_add(patience)
        });
        let found = acting
            .max_by_key(|it| it.from)
            .or_else(|| soon.min_by_key(|it| it.from))
            .or_else(|| before().max_by_key(|it| it.from));
        found.copied()
    }

    /// What began from `since` to before `until` and is no cure.
    pub(super) fn between(&self, since: Nanos, until: Nanos) -> impl Iterator<Item = Acting> + '_ {
        let own = self.0.iter().copied();
        own.filter(move |it| !it.maybe_cure && it.from >= since && it.from < until)
    }
}

/// When the last of some causes ceased to act, or one that never did.
pub(super) fn off(causes: &[Acting]) -> Option<Result<Nanos, Cause>> {
    let ends = causes.iter().map(|acting| acting.to.ok_or(acting.cause));
    match ends.collect::<Result<Vec<Nanos>, Cause>>() {
        Ok(ends) => ends.into_iter().max().map(Ok),
        Err(endless) => Some(Err(endless)),
    }
}

fn of_actions<'a>(taken: &'a [Taken<'a>]) -> impl Iterator<Item = Acting> + 'a {
    let mut pushed = false;
    taken.iter().filter_map(move |begun| {
        let cause = begun.action.begins()?;
        begun.applied()?;
        let again = cause == Cause::Push && std::mem::replace(&mut pushed, true);
        Some(Acting {
            cause,
            from: begun.at,
            to: ended(begun, taken),
            maybe_cure: again,
        })
    })
}

/// When what a cause's action began had been ended.
pub(super) fn ended(begun: &Taken<'_>, taken: &[Taken<'_>]) -> Option<Nanos> {
    if begun.action.momentary() {
        return begun.applied();
    }
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
        maybe_cure: false,
    })
}
