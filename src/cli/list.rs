//! `threadbare list`: the shipped scenarios and their claims.

use std::fmt::Write as _;

use super::Code;
use crate::error::EXIT_PASSED;
use crate::scenario;

pub(super) fn run() -> Code {
    let mut text = String::new();
    for (name, _) in scenario::shipped() {
        let plan = scenario::load(name, false)?;
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{name}\n  {}\n  claim: {}\n", plan.title, plan.claim);
    }
    text.push_str("Run one with `threadbare run NAME`, from any folder.\n");
    super::answer(text.as_bytes())?;
    Ok(EXIT_PASSED)
}
