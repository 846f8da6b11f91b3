//! What was expected over several runs: on a terminal, and for a build server.

use std::fmt::Write as _;

use quick_junit::{NonSuccessKind, Property, Report, TestCase, TestCaseStatus, TestSuite};

use super::answer::expectation_sign;
use super::text::Paint;
use crate::analysis::RepeatedRuns;
use crate::error::{EXIT_INVALID, EXIT_PASSED, Error, Result};
use crate::record::printable;

/// A line for each expectation, and for each run that does not count.
pub(crate) fn text(runs: &RepeatedRuns, color: bool) -> String {
    let paint = Paint(color);
    let mut text = String::from("\nExpectations over the runs\n");
    if runs.expectations.is_empty() {
        text.push_str("  none; `[[expect]]` or --expect says what must hold\n");
    }
    for result in &runs.expectations {
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
    for line in amiss(runs) {
        let _ = writeln!(text, "  ! {}", printable(&line));
    }
    text
}

/// What the runs came to, in a word.
pub(super) fn word(runs: &RepeatedRuns) -> &'static str {
    match runs.exit_code() {
        EXIT_PASSED => "passed",
        EXIT_INVALID if runs.runs == 0 => "invalid",
        EXIT_INVALID => "cannot tell",
        _ => "failed",
    }
}

/// What is to be known besides what is expected, a sentence each.
pub(super) fn amiss(runs: &RepeatedRuns) -> Vec<String> {
    let failed = runs.failed.iter().map(|(_, why)| why.clone());
    let ended = Some(runs.ended.clone()).filter(|it| !it.is_empty());
    failed
        .chain(ended)
        .chain(runs.left_out.iter().cloned())
        .collect()
}

/// The expectations over the runs as one test suite: a case for each, and one for the runs.
///
/// # Errors
///
/// Where it cannot be written, which is a bug.
pub(crate) fn junit(runs: &RepeatedRuns) -> Result<String> {
    let name = printable(&runs.scenario).into_owned();
    let mut suite = TestSuite::new(name.clone());
    for result in &runs.expectations {
        let kind = match result.passed {
            Some(true) => None,
            Some(false) => Some(NonSuccessKind::Failure),
            None => Some(NonSuccessKind::Error),
        };
        let message = format!("{}; {}", result.required, result.reason);
        let mut case = TestCase::new(printable(&result.that).into_owned(), status(kind, &message));
        case.set_classname(name.clone());
        suite.add_test_case(case);
    }
    let mut case = TestCase::new("the runs", status(of_runs(runs), &amiss(runs).join("; ")));
    case.set_classname(name);
    suite.add_test_case(case);
    let code = runs.exit_code().to_string();
    for (name, value) in [("command", &runs.command), ("exit code", &code)] {
        suite.add_property(Property::new(name, printable(value).into_owned()));
    }
    suite.set_system_out(text(runs, false));
    let mut report = Report::new("threadbare");
    report.add_test_suite(suite);
    report
        .to_string()
        .map_err(|cause| Error::failed(format!("failed to write junit.xml: {cause}")))
}

/// How the runs went, whatever is expected of them.
fn of_runs(runs: &RepeatedRuns) -> Option<NonSuccessKind> {
    // Where it is not settled, and none was left out, the expectation says so.
    let lacking = runs.runs == 0 || !runs.left_out.is_empty();
    if !runs.ended.is_empty() || (lacking && runs.exit_code() == EXIT_INVALID) {
        return Some(NonSuccessKind::Error);
    }
    runs.failed.is_some().then_some(NonSuccessKind::Failure)
}

fn status(kind: Option<NonSuccessKind>, message: &str) -> TestCaseStatus {
    let Some(kind) = kind else {
        return TestCaseStatus::success();
    };
    let mut status = TestCaseStatus::non_success(kind);
    status.set_message(printable(message).into_owned());
    status
}
