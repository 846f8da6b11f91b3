//! The reader of responses against what a damaged stream may hold. `cargo
//! bench --bench codec` reads a million of the same cases.

use crate::responses;

#[test]
fn damaged_responses_are_never_two_and_never_a_panic() {
    let (bytes, responses) = responses::read_cases(20_000, 1);
    // That many are still read shows that the damage is not all there is.
    assert!(
        bytes > 1_000_000 && responses > 10_000,
        "{bytes} {responses}"
    );
}
