//! What began the incident, and when it was over.
//!
//! A cause acts from the instant at which an action *began* to bring it about,
//! or the load to surge, up to the instant at which what ends it had *ended*. Of
//! pushes the first is the cause: a later one may as well be the cure.

use super::journal::Taken;
use crate::plan::{Cause, SurgeChange};
use crate::units::Nanos;

/// The causes of an incident as one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Trigger {
    /// What began first.
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

/// The trigger; none where nothing that could be one was applied.
pub(super) fn trigger(taken: &[Taken<'_>], surges: &[SurgeChange]) -> Option<Trigger> {
    let causes: Vec<Acting> = of_actions(taken).chain(of_load(surges)).collect();
    let first = causes.iter().min_by_key(|acting| acting.from)?;
    let ends = causes.iter().map(|acting| acting.to.ok_or(acting.cause));
    let ends: Result<Vec<Nanos>, Cause> = ends.collect();
    Some(Trigger {
        cause: first.cause,
        at: first.from,
        off: ends.map(|ends| ends.into_iter().max().unwrap_or(first.from)),
    })
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
