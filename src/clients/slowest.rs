//! The slowest operations of a bucket, of those whose traces are recorded.
//!
//! A few of each bucket, so that whoever divides a run into phases later finds the slowest of
//! any: the slowest of a phase is the slowest of some bucket of it.

use crate::model::Tracing;
use crate::record::SlowOperation;
use crate::units::Nanos;

/// Operations that are kept of a bucket: as many as a reader looks at of a phase, which may
/// all lie in one bucket.
pub(super) const SLOWEST_KEPT: usize = 5;

/// An operation that has ended, or not.
#[derive(Debug, Clone, Copy)]
pub(super) struct SlowDraft {
    pub(super) intended: Nanos,
    pub(super) response: Nanos,
    pub(super) succeeded: bool,
    pub(super) number: u64,
}

/// The slowest so far, in any order.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Slowest([Option<SlowDraft>; SLOWEST_KEPT]);

impl Slowest {
    /// Takes an operation, where it is slower than one that is kept.
    pub(super) fn note(&mut self, draft: SlowDraft) {
        let places = self.0.iter_mut();
        // A free place is less than any.
        let least = places.min_by_key(|place| place.map(|kept| kept.response));
        if let Some(place) = least
            && place.is_none_or(|kept| kept.response < draft.response)
        {
            *place = Some(draft);
        }
    }

    /// What was kept, with its traces.
    pub(super) fn traced(self, trace: Tracing) -> impl Iterator<Item = SlowOperation> {
        let kept = self.0.into_iter().flatten();
        kept.map(move |draft| SlowOperation {
            intended: draft.intended,
            response: draft.response,
            succeeded: draft.succeeded,
            trace: trace.id(draft.number).to_string(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_slowest_stay_whatever_their_order() {
        let mut slowest = Slowest::default();
        for number in [3, 9, 1, 7, 5, 8, 2, 6, 4] {
            slowest.note(SlowDraft {
                intended: Nanos::ZERO,
                response: Nanos::from_millis(number),
                succeeded: true,
                number,
            });
        }
        let trace = Tracing {
            share: "100 %".parse().unwrap(),
            salt: 1,
        };
        let mut kept: Vec<_> = slowest.traced(trace).map(|it| it.response).collect();
        kept.sort();
        assert_eq!(kept, [5, 6, 7, 8, 9].map(Nanos::from_millis));
    }
}
