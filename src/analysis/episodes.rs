//! From service, bucket by bucket, to the list of incidents.
//!
//! One loss of service after the other is looked for, each after the recovery from the
//! one before. A loss with a cause of its own begins an incident; one without belongs to
//! the incident before it: a relapse. Whatever else begins before service is back belongs
//! to the same incident, whose recovery is looked for only after the last of its causes is
//! off and its impact over. So no recovery stands before its impact, and two incidents are
//! apart by a hold window of good service at least.

use super::recovery::{Loss, Service};
use super::trigger::{self, Acting, Causes};
use crate::plan::Cause;
use crate::units::Nanos;

/// One incident.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Episode {
    /// What began it; none where nothing that the run did can have.
    pub trigger: Option<Acting>,
    /// All that acted in it.
    pub causes: Vec<Acting>,
    /// The intended start of the first operation that was hurt; none where none was.
    pub impact: Option<Nanos>,
    /// When service was back while a cause still acted; none where it was not.
    pub back_early: Option<Nanos>,
    /// When service was back after the last cause was off.
    pub recovered: Option<Nanos>,
    /// How often it was lost again without another cause.
    pub relapses: Vec<Relapse>,
}

/// Service lost again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Relapse {
    pub lost: Nanos,
    /// None where that was not seen.
    pub back: Option<Nanos>,
}

impl Episode {
    /// An incident in which nobody was hurt, of everything that could have hurt.
    pub(super) fn harmless(causes: &Causes) -> Self {
        Self {
            trigger: causes.first(),
            causes: causes.all(),
            ..Self::default()
        }
    }

    /// When the last cause ceased to act, or one that never did; none without a cause.
    pub(super) fn off(&self) -> Option<Result<Nanos, Cause>> {
        trigger::off(&self.causes)
    }

    /// When it began: its trigger, or the impact where that came first.
    pub(super) fn begins(&self) -> Option<Nanos> {
        let trigger = self.trigger.map(|trigger| trigger.from);
        [trigger, self.impact].into_iter().flatten().min()
    }

    /// When service was back for good, as far as was seen.
    pub(super) fn returned(&self) -> Option<Nanos> {
        match self.relapses.last() {
            Some(relapse) => relapse.back,
            None => self.recovered,
        }
    }
}

/// The incidents of a run, in the order of time; losses are looked for from `from` on. An
/// operation waits for `patience` at most.
pub(super) fn episodes(
    service: &Service<'_>,
    causes: &Causes,
    from: Nanos,
    patience: Nanos,
) -> Vec<Episode> {
    let mut all: Vec<Episode> = Vec::new();
    // Where the search goes on; none once service was not back.
    let mut next = Some(from);
    while let Some(from) = next
        && let Some(loss) = service.lost(from)
    {
        let since = all.last().map_or(Nanos::ZERO, |_| from);
        let trigger = causes.trigger_of(loss.first, patience, since);
        match all.last_mut() {
            Some(last) if trigger.is_none() => {
                let back = service.back(after(service, loss));
                last.relapses.push(Relapse {
                    lost: loss.first,
                    back,
                });
                next = back;
            }
            _ => {
                let episode = begun(service, causes, loss, trigger, since);
                next = episode.recovered;
                all.push(episode);
            }
        }
    }
    all
}

/// The first instant after a loss at which service may be back.
fn after(service: &Service<'_>, loss: Loss) -> Nanos {
    loss.bucket.saturating_add(service.interval())
}

/// An incident that a loss begins.
fn begun(
    service: &Service<'_>,
    causes: &Causes,
    loss: Loss,
    trigger: Option<Acting>,
    since: Nanos,
) -> Episode {
    let Some(trigger) = trigger else {
        return Episode {
            impact: Some(loss.first),
            recovered: service.back(after(service, loss)),
            ..Episode::default()
        };
    };
    // In the bucket of the trigger nobody was hurt by it before it acted.
    let in_bucket = trigger.from < after(service, loss);
    let impact = loss
        .first
        .max(if in_bucket { trigger.from } else { loss.first });
    // What was over before may have hurt nobody: only a trigger is known to have.
    let acts = |it: &Acting| it.to.is_none_or(|to| to > impact);
    let mut own: Vec<Acting> = causes.between(since, impact).filter(acts).collect();
    if !own.contains(&trigger) {
        own.push(trigger);
    }
    loop {
        let off = trigger::off(&own).and_then(Result::ok);
        let recovered = off.and_then(|off| service.back(off.max(after(service, loss))));
        let until = recovered.unwrap_or(service.end());
        let later = impact.max(since);
        let more = causes.between(later, until).filter(|it| !own.contains(it));
        let more: Vec<Acting> = more.collect();
        if more.is_empty() {
            own.sort_by_key(|acting| acting.from);
            return Episode {
                trigger: Some(trigger),
                causes: own,
                impact: Some(impact),
                back_early: back_early(service, loss, off),
                recovered,
                relapses: Vec::new(),
            };
        }
        own.extend(more);
    }
}

/// When service was back from its last loss, for a hold window before the causes were off.
fn back_early(service: &Service<'_>, mut loss: Loss, off: Option<Nanos>) -> Option<Nanos> {
    let acts = |at: Nanos| off.is_none_or(|off| at < off);
    loop {
        let back = service.back(after(service, loss))?;
        if !acts(back.saturating_add(service.hold())) {
            return None;
        }
        match service.lost(back).filter(|next| acts(next.bucket)) {
            Some(next) => loss = next,
            None => return Some(back),
        }
    }
}
