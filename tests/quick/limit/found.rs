//! The form of what a search found.

use threadbare::analysis::limit::{FORMAT, LimitFound, LimitStatus, LimitVerdict};

/// An example of every part.
pub(super) const EXAMPLE: &str = include_str!("found.json");

#[test]
fn the_example_is_read_and_written_as_it_is() {
    let found: LimitFound = serde_json::from_str(EXAMPLE).unwrap();
    assert_eq!(found.format, FORMAT);
    assert_eq!(found.served.status, LimitStatus::Found);
    assert_eq!(found.steps[1].verdict, LimitVerdict::DoesNot);
    assert!(found.expectations[0].passed());
    let example: serde_json::Value = serde_json::from_str(EXAMPLE).unwrap();
    assert_eq!(serde_json::to_value(&found).unwrap(), example);
}
