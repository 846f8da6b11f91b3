//! `threadbare list`: the shipped scenarios and their claims.

use super::Code;
use crate::error::EXIT_PASSED;
use crate::scenario;

pub(super) fn run() -> Code {
    for (name, _) in scenario::shipped() {
        let plan = scenario::load(name, false)?;
        println!("{name}\n  {}\n  claim: {}\n", plan.title, plan.claim);
    }
    println!("Run one with `threadbare run NAME`, from any folder.");
    Ok(EXIT_PASSED)
}
