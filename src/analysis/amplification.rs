//! Amplification: how much load each operation became, and what kept it going.
//!
//! Attempts lie on the instant axis and operations on the intended-start axis.
//! So attempts are divided by *first tries*, which lie on the same axis; a
//! phase does not count the retries of its predecessor against its own users.

use super::findings::SustainingShares;
use super::series::{Series, share};
use super::totals::Totals;
use crate::model::{MonitorPolicy, SustainingEffect};
use crate::units::Nanos;

/// An effect with a smaller share is no loop worth naming: taking it away
/// would change the load by less than a tenth.
const NAMED_FROM: f64 = 0.10;

/// Users' attempts / first tries; none where there was none.
pub(super) fn attempts_per_operation(totals: &Totals) -> Option<f64> {
    share(totals.users.started(), totals.users.first_tries)
}

/// Probes / operations; none where there was no operation.
pub(super) fn probes_per_operation(totals: &Totals) -> Option<f64> {
    share(totals.monitors.started(), totals.operations.scheduled)
}

/// Who made the load and what held the workers between two instants; none
/// where neither attempts nor workers were read.
pub(super) fn sustaining_shares(
    series: &Series,
    from: Nanos,
    to: Nanos,
) -> Option<SustainingShares> {
    let whole = series.between(series.edge_after(from), series.edge_before(to));
    // A window shorter than a bucket has none of its own: those it touches stand for it.
    let buckets = if whole.is_empty() {
        series.between(series.edge_before(from), series.edge_after(to))
    } else {
        whole
    };
    let totals = Totals::over(buckets);
    let probes = totals.monitors.started();
    let load = totals.users.started().saturating_add(probes);
    let fleet = &totals.fleet.counters;
    if load == 0 && fleet.busy_ns == 0 {
        return None;
    }
    let of_load = |part| share(part, load).unwrap_or(0.0);
    // Of workers that nobody read, nothing is known; of those that were idle, all is.
    let read = !series.instances.is_empty();
    let of_busy = |part| read.then(|| totals.busy_share(part).unwrap_or(0.0));
    Some(SustainingShares {
        retries: of_load(totals.users.retries),
        monitor_probes: of_load(probes),
        zombie_work: of_busy(fleet.busy_zombie_ns),
        cold_start: of_busy(fleet.busy_cold_ns),
        detached_tasks: of_busy(fleet.busy_detached_ns),
    })
}

/// The same effect where clients hold sessions and nobody else probes: then what is
/// counted as probes are their attempts at one.
pub(super) fn whose(effect: SustainingEffect, monitors: &[MonitorPolicy]) -> SustainingEffect {
    let sessions = !monitors.is_empty() && monitors.iter().all(|it| it.reconnects.is_some());
    match effect {
        SustainingEffect::MonitorProbes if sessions => SustainingEffect::Reconnections,
        effect => effect,
    }
}

/// The loop that kept the incident going: the largest amplifier, else zombie work.
///
/// Zombie work comes last whatever its share: it is what an overload looks
/// like, and it needs an amplifier to be fed.
pub(super) fn sustaining(shares: &SustainingShares) -> Option<SustainingEffect> {
    let amplifiers = [
        (SustainingEffect::Retries, shares.retries),
        (SustainingEffect::MonitorProbes, shares.monitor_probes),
        (
            SustainingEffect::ColdStart,
            shares.cold_start.unwrap_or(0.0),
        ),
        (
            SustainingEffect::DetachedTasks,
            shares.detached_tasks.unwrap_or(0.0),
        ),
    ];
    let largest = amplifiers
        .into_iter()
        .filter(|(_, share)| *share >= NAMED_FROM)
        .max_by(|(_, one), (_, other)| one.total_cmp(other));
    match largest {
        Some((effect, _)) => Some(effect),
        None => (shares.zombie_work? >= NAMED_FROM).then_some(SustainingEffect::ZombieWork),
    }
}
