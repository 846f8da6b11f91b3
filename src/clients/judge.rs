//! What an answer means to who asked.

use crate::model::{AttemptOutcome, Expected};
use crate::units::Nanos;

/// Judges a response by its status, and by `inside` where that is as expected.
pub(super) fn judge(
    expected: &Expected,
    status: u16,
    retry_after: Option<Nanos>,
    inside: impl FnOnce() -> bool,
) -> AttemptOutcome {
    if expected.allows(status) {
        return if inside() {
            AttemptOutcome::Expected
        } else {
            AttemptOutcome::CheckFailed
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
            assert_eq!(
                judge(expected, status, None, || inside),
                outcome,
                "{status} where {:?} is expected",
                expected.statuses
            );
        }
    }
}
