//! What an answer means to who asked.

use crate::model::{AttemptOutcome, CheckFailure, Expected};
use crate::units::Nanos;

/// Judges a response by its status, and by `inside` where that is as expected. A
/// check that fails goes to `failed`.
pub(super) fn judge(
    expected: &Expected,
    status: u16,
    retry_after: Option<Nanos>,
    inside: impl FnOnce() -> Result<(), CheckFailure>,
    failed: &mut Option<CheckFailure>,
) -> AttemptOutcome {
    if expected.allows(status) {
        *failed = inside().err();
        return match failed {
            None => AttemptOutcome::Expected,
            Some(_) => AttemptOutcome::CheckFailed,
        };
    }
    if (200..=299).contains(&status) && !expected.success() {
        return AttemptOutcome::WronglyAllowed;
    }
    AttemptOutcome::Unexpected {
        status,
        retry_after,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_judged_by_what_was_expected() {
        let success = Expected::default();
        let refusal = Expected::statuses(403..=403);
        let redirect = Expected::statuses(200..=302);
        let other = |status| AttemptOutcome::Unexpected {
            status,
            retry_after: None,
        };
        for (expected, status, inside, outcome) in [
            (&success, 200, true, AttemptOutcome::Expected),
            (&success, 299, true, AttemptOutcome::Expected),
            (&redirect, 302, true, AttemptOutcome::Expected),
            (&refusal, 403, true, AttemptOutcome::Expected),
            // As expected from outside only.
            (&success, 204, false, AttemptOutcome::CheckFailed),
            (&refusal, 403, false, AttemptOutcome::CheckFailed),
            // It should have been refused.
            (&refusal, 200, true, AttemptOutcome::WronglyAllowed),
            // Another status is that status, whatever is inside.
            (&refusal, 500, true, other(500)),
            (&refusal, 404, false, other(404)),
            (&success, 403, true, other(403)),
            (&success, 199, true, other(199)),
            (&success, 300, true, other(300)),
        ] {
            let (mut failed, failure) = (None, CheckFailure::Body(0));
            let inside = if inside { Ok(()) } else { Err(failure) };
            let judged = judge(expected, status, None, || inside, &mut failed);
            let checked = outcome == AttemptOutcome::CheckFailed;
            assert_eq!(failed, checked.then_some(failure));
            assert_eq!(
                judged, outcome,
                "{status} where {:?} is expected",
                expected.statuses
            );
        }
    }
}
