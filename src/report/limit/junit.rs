//! What was expected of the limits as a build server reads it.
//!
//! A case for each expectation, and one for the search itself. What cannot be told is a
//! failure with its reason: whoever expects a limit wants it shown. So is a search that
//! did not come to its end, unless its own bounds ended it: what they left open fails
//! where it was expected.

use quick_junit::{NonSuccessKind, Property, Report, TestCase, TestCaseStatus, TestSuite};

use super::text::text;
use super::wording::per_second;
use crate::analysis::limit::{LimitEnded, LimitExpectation, LimitFound, LimitVerdict};
use crate::error::{Error, Result};
use crate::record::printable;

/// The expectations as one test suite.
///
/// # Errors
///
/// Never; a failure is our mistake.
pub fn render(found: &LimitFound) -> Result<String> {
    let name = printable(&found.sought.target).into_owned();
    let mut suite = TestSuite::new(name.clone());
    let mut put = |case: &str, failure: Option<String>| {
        let status = failure.map_or_else(TestCaseStatus::success, |why| {
            let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
            status.set_message(printable(&why).into_owned());
            status
        });
        let mut case = TestCase::new(printable(case).into_owned(), status);
        case.set_classname(name.clone());
        suite.add_test_case(case);
    };
    for expectation in &found.expectations {
        put(&expectation.expectation, failure(expectation, found));
    }
    put("the search", unfinished(found));
    for (name, value) in [
        ("command", found.command.clone()),
        ("seed", found.sought.seed.to_string()),
        ("ended", found.ended.word().to_owned()),
    ] {
        suite.add_property(Property::new(name, printable(&value).into_owned()));
    }
    suite.set_system_out(text(found, false));
    let mut report = Report::new("threadbare");
    report.add_test_suite(suite);
    report
        .to_string()
        .map_err(|cause| Error::failed(format!("failed to write junit.xml: {cause}")))
}

/// Why an expectation is no pass; none where it is one.
pub(super) fn failure(expectation: &LimitExpectation, found: &LimitFound) -> Option<String> {
    let required = per_second(expectation.at_least_per_s);
    let said = format!(
        "observed: {}; required: at least {required}",
        expectation.observed
    );
    match (expectation.verdict, found.ended) {
        (LimitVerdict::Holds, _) => None,
        (LimitVerdict::DoesNot, _) => Some(said),
        (LimitVerdict::CannotTell, LimitEnded::Complete) => Some(format!("cannot tell: {said}")),
        (LimitVerdict::CannotTell, ended) => Some(format!(
            "cannot tell: {said}; the search ended early: {}: {}",
            ended.word(),
            found.ended_because
        )),
    }
}

/// Why the search is not whole; none where it came to its end or to its bounds.
fn unfinished(found: &LimitFound) -> Option<String> {
    match found.ended {
        LimitEnded::Complete | LimitEnded::Bound => None,
        ended => Some(format!("{}: {}", ended.word(), found.ended_because)),
    }
}
