//! What was expected over several runs, on a terminal.

use std::fmt::Write as _;

use super::answer::expectation_sign;
use super::text::Paint;
use crate::analysis::RepeatedExpectation;
use crate::record::printable;

/// A line for each expectation.
pub(crate) fn text(results: &[RepeatedExpectation], color: bool) -> String {
    let paint = Paint(color);
    let mut text = String::from("\nExpectations over the runs\n");
    if results.is_empty() {
        text.push_str("  none; `[[expect]]` or --expect says what must hold\n");
    }
    for result in results {
        let sign = expectation_sign(result.passed);
        let sign = match result.passed {
            Some(true) => paint.green(sign),
            Some(false) => paint.red(sign),
            None => paint.yellow(sign),
        };
        let _ = writeln!(
            text,
            "  {sign} {}, {}: {}",
            printable(&result.that),
            printable(&result.required),
            printable(&result.reason)
        );
    }
    text
}
