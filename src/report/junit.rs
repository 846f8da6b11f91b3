//! `junit.xml`: the expectations as a build server reads them.
//!
//! One test case for each expectation, and one for the run itself. An invalid
//! measurement and a run that did not come to its end are *errors* and never failures,
//! since they say nothing about the target. The run's own case is there so that no build
//! passes on a run whose verdict is not `passed`.

use quick_junit::{NonSuccessKind, Property, Report, TestCase, TestCaseStatus, TestSuite};

use super::answer::{expectation_required, incident_line, verdict_word};
use super::{facts as provenance, failures};
use crate::analysis::{EndedBy, ExpectationResult, Findings, Validity, Verdict};
use crate::error::{Error, Result};
use crate::record::printable;

/// The expectations as one test suite.
///
/// # Errors
///
/// Never for findings that were read from a record; a failure is our mistake.
pub fn render(findings: &Findings) -> Result<String> {
    let name = printable(&findings.scenario).into_owned();
    let mut suite = TestSuite::new(name.clone());
    for expectation in &findings.expectations {
        let mut case = TestCase::new(
            printable(&expectation.that).into_owned(),
            status(expectation, findings),
        );
        case.set_classname(name.clone());
        suite.add_test_case(case);
    }
    let mut case = TestCase::new("the run", run(findings));
    case.set_classname(name);
    suite.add_test_case(case);
    for (name, value) in facts(findings) {
        suite.add_property(Property::new(name, printable(&value).into_owned()));
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

/// What makes the run again, and how it ended.
fn facts(findings: &Findings) -> [(&'static str, String); 4] {
    [
        ("command", provenance::command(findings)),
        ("seed", findings.seed.to_string()),
        ("verdict", verdict_word(findings).to_owned()),
        ("exit code", findings.exit_code().to_string()),
    ]
}

/// How the run ended. Expectations that did not hold are told by their own cases.
fn run(findings: &Findings) -> TestCaseStatus {
    let kind = match (findings.ending.by, findings.verdict) {
        (EndedBy::Completed, Verdict::Passed) => return TestCaseStatus::success(),
        (EndedBy::Completed, Verdict::Failed) if findings.missed_expectations() > 0 => {
            return TestCaseStatus::success();
        }
        (EndedBy::Completed, Verdict::Failed) => NonSuccessKind::Failure,
        _ => NonSuccessKind::Error,
    };
    let mut status = TestCaseStatus::non_success(kind);
    let reasons = findings.ending.reasons.join("; ");
    status.set_message(printable(&reasons).into_owned());
    status
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
            "observed: {}; {}",
            expectation.observed,
            expectation_required(expectation)
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
