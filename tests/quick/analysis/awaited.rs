//! What the headline says of a trigger that was never off.

use super::builder::founding_findings;

#[test]
fn a_push_that_was_rolled_back_while_something_else_acts_lacks_no_rollback() {
    let mut found = founding_findings();
    assert!(found.incident.rollback_applied_s.is_some());
    found.incident.trigger_off_s = None;
    assert!(!found.recovery().after_rollback);
    found.incident.rollback_applied_s = None;
    assert!(found.recovery().after_rollback);
}
