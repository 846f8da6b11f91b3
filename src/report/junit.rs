//! `junit.xml`: the expectations as a build server reads them.
//!
//! One test case for each expectation. An invalid measurement is an *error* and
//! never a failure, since it says nothing about the target; a run of which
//! nothing was expected and whose measurement is invalid gets a test case of its
//! own, so that no build passes on it.

use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};

use super::answer::incident_line;
use super::failures;
use crate::analysis::{ExpectationResult, Findings, Validity};
use crate::error::{Error, Result};
use crate::record::printable;

/// The expectations as one test suite.
///
/// # Errors
///
/// Never for findings that were read from a record; a failure is our mistake.
pub fn render(findings: &Findings) -> Result<String> {
    let name = printable(&findings.scenario).into_owned();
    let invalid = findings.measurement.validity == Validity::Invalid;
    let mut suite = TestSuite::new(name.clone());
    for expectation in &findings.expectations {
        let mut case = TestCase::new(
            printable(&expectation.that).into_owned(),
            status(expectation, findings),
        );
        case.set_classname(name.clone());
        suite.add_test_case(case);
    }
    if invalid && findings.expectations.is_empty() {
        let mut case = TestCase::new("the measurement is valid", unjudged(&invalidity(findings)));
        case.set_classname(name);
        suite.add_test_case(case);
    }
    let mut found = vec![
        format!("incident: {}", incident_line(findings)),
        sentences(findings),
    ];
    found.extend(failures::lines(findings, usize::MAX));
    suite.set_system_out(found.join("\n"));
    let mut report = Report::new("threadbare");
    report.add_test_suite(suite);
    report
        .to_string()
        .map_err(|cause| Error::failed(format!("failed to write junit.xml: {cause}")))
}

fn sentences(findings: &Findings) -> String {
    let safe = findings.sentences.iter().map(|s| printable(s));
    safe.collect::<Vec<_>>().join("\n")
}

fn status(expectation: &ExpectationResult, findings: &Findings) -> TestCaseStatus {
    let Some(passed) = expectation.passed else {
        return unjudged(&match findings.measurement.validity {
            Validity::Valid => expectation.observed.clone(),
            Validity::Invalid => invalidity(findings),
        });
    };
    if passed {
        return TestCaseStatus::success();
    }
    let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
    status.set_message(
        printable(&format!(
            "observed: {}; required: {}",
            expectation.observed, expectation.required
        ))
        .into_owned(),
    );
    status
}

fn invalidity(findings: &Findings) -> String {
    let reasons = findings.measurement.reasons.join(" ");
    format!("the measurement is invalid, so nothing is judged. {reasons}")
}

fn unjudged(why: &str) -> TestCaseStatus {
    let mut status = TestCaseStatus::non_success(NonSuccessKind::Error);
    status.set_message(printable(why).trim_end().to_owned());
    status
}
