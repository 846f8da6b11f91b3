//! Every way in which a run can end, in every format and as an exit code.

use threadbare::analysis::{self, EndedBy, Findings, Verdict};
use threadbare::model::{FailuresOf, SourceName};
use threadbare::plan::{Bound, Expectation, Figure};
use threadbare::record::{Counters, Event, Record, StopCause};
use threadbare::report::{html, json, junit, markdown, text};
use threadbare::units::Nanos;

use super::founding;

/// What a case changes in a run that passes.
type Change = fn(&mut Record);

/// A way to end, with what follows from it.
struct Case {
    what: &'static str,
    changes: &'static [Change],
    by: EndedBy,
    verdict: Verdict,
    exit_code: Option<i32>,
    /// The first reason.
    reason: &'static str,
    /// Failures and errors in junit.xml.
    junit: (u64, u64),
}

const CASES: &[Case] = &[
    Case {
        what: "passed",
        changes: &[easy],
        by: EndedBy::Completed,
        verdict: Verdict::Passed,
        exit_code: Some(0),
        reason: "the one expectation held",
        junit: (0, 0),
    },
    Case {
        what: "nothing expected",
        changes: &[without_expectations],
        by: EndedBy::Completed,
        verdict: Verdict::Passed,
        exit_code: Some(0),
        reason: "this run has no expectations",
        junit: (0, 0),
    },
    Case {
        what: "an expectation failed",
        changes: &[impossible],
        by: EndedBy::Completed,
        verdict: Verdict::Failed,
        exit_code: Some(99),
        reason: "1 of 1 expectation did not hold",
        junit: (1, 0),
    },
    Case {
        what: "invalid",
        changes: &[easy, unmeasured],
        by: EndedBy::Completed,
        verdict: Verdict::Invalid,
        exit_code: Some(97),
        reason: "the measurement is invalid, so nothing is judged",
        junit: (0, 2),
    },
    Case {
        what: "invalid is before failed",
        changes: &[impossible, unmeasured],
        by: EndedBy::Completed,
        verdict: Verdict::Invalid,
        exit_code: Some(97),
        reason: "the measurement is invalid, so nothing is judged",
        junit: (0, 2),
    },
    Case {
        what: "invalid without expectations",
        changes: &[without_expectations, unmeasured],
        by: EndedBy::Completed,
        verdict: Verdict::Invalid,
        exit_code: Some(97),
        reason: "the measurement is invalid, so nothing is judged",
        junit: (0, 1),
    },
    Case {
        what: "interrupted",
        changes: &[without_expectations, interrupted::<2>],
        by: EndedBy::Interrupted,
        verdict: Verdict::Failed,
        exit_code: Some(130),
        reason: "interrupted by SIGINT at 143.0 s",
        junit: (0, 1),
    },
    Case {
        what: "terminated, with an expectation that did not hold",
        changes: &[impossible, interrupted::<15>],
        by: EndedBy::Interrupted,
        verdict: Verdict::Failed,
        exit_code: Some(143),
        reason: "interrupted by SIGTERM at 143.0 s; 1 of 1 expectation did not hold",
        junit: (1, 1),
    },
    Case {
        what: "the terminal is gone, and the measurement invalid",
        changes: &[easy, unmeasured, interrupted::<1>],
        by: EndedBy::Interrupted,
        verdict: Verdict::Invalid,
        exit_code: Some(129),
        reason: "interrupted by SIGHUP at 143.0 s; the measurement is invalid, so nothing is judged",
        junit: (0, 2),
    },
    Case {
        what: "stopped by its condition",
        changes: &[easy, aborted],
        by: EndedBy::Aborted,
        verdict: Verdict::Failed,
        exit_code: Some(1),
        reason: "stopped at 143.0 s by its stop condition (error share over 90 %)",
        junit: (0, 1),
    },
    Case {
        what: "an expectation can no longer hold",
        changes: &[easy, lost],
        by: EndedBy::Aborted,
        verdict: Verdict::Failed,
        exit_code: Some(99),
        reason: "stopped at 143.0 s because an expectation can no longer hold (failures: 3 so far; \
                 required at most 2)",
        junit: (0, 1),
    },
    Case {
        what: "the same, and the measurement invalid",
        changes: &[easy, unmeasured, lost],
        by: EndedBy::Aborted,
        verdict: Verdict::Invalid,
        exit_code: Some(97),
        reason: "stopped at 143.0 s because an expectation can no longer hold",
        junit: (0, 2),
    },
    Case {
        what: "failed",
        changes: &[without_expectations, failed::<1>],
        by: EndedBy::Failed,
        verdict: Verdict::Failed,
        exit_code: Some(1),
        reason: "the run failed at 143.0 s: the disk is full",
        junit: (0, 1),
    },
    Case {
        what: "the environment was unfit",
        changes: &[without_expectations, failed::<3>],
        by: EndedBy::Failed,
        verdict: Verdict::Failed,
        exit_code: Some(3),
        reason: "the run failed at 143.0 s: the disk is full",
        junit: (0, 1),
    },
    Case {
        what: "killed",
        changes: &[without_expectations, killed],
        by: EndedBy::Unknown,
        verdict: Verdict::Failed,
        exit_code: None,
        reason: "the run did not reach its planned end",
        junit: (0, 1),
    },
    Case {
        what: "the target is left broken",
        changes: &[easy, left_broken],
        by: EndedBy::Completed,
        verdict: Verdict::Failed,
        exit_code: Some(99),
        reason: "the target did not serve after everything was undone",
        junit: (1, 0),
    },
    Case {
        what: "nothing succeeded",
        changes: &[without_expectations, dead],
        by: EndedBy::Completed,
        verdict: Verdict::Failed,
        exit_code: Some(1),
        reason: "nothing succeeded: none of",
        junit: (1, 0),
    },
];

fn expect(record: &mut Record, bound: Bound) {
    record.header.plan.expectations = vec![Expectation {
        window: None,
        kind: None,
        that: Figure::RejectedRollbacks,
        phase: None,
        of: FailuresOf::default(),
        bound,
        abort: false,
        share: None,
    }];
}

fn easy(record: &mut Record) {
    expect(record, Bound::AtLeast(0.0));
}

fn impossible(record: &mut Record) {
    expect(record, Bound::AtLeast(100.0));
}

fn without_expectations(record: &mut Record) {
    record.header.plan.expectations.clear();
}

/// Nobody measured the generator.
fn unmeasured(record: &mut Record) {
    record
        .samples
        .retain(|sample| sample.source != SourceName::Generator);
}

fn ends(record: &mut Record, end: StopCause) {
    let last = record.events.last_mut().unwrap();
    last.1 = Event::RunEnded { cause: end };
}

fn interrupted<const SIGNAL: i32>(record: &mut Record) {
    ends(record, StopCause::Interrupted { signal: SIGNAL });
}

fn aborted(record: &mut Record) {
    let cause = StopCause::Aborted {
        because: "error share over 90 %".into(),
        expectation: false,
    };
    ends(record, cause);
}

fn lost(record: &mut Record) {
    let cause = StopCause::Aborted {
        because: "failures: 3 so far; required at most 2".into(),
        expectation: true,
    };
    ends(record, cause);
}

fn failed<const CODE: i32>(record: &mut Record) {
    let reason = "the disk is full".into();
    ends(record, StopCause::Failed { reason, code: CODE });
}

fn killed(record: &mut Record) {
    record.events.pop();
}

fn left_broken(record: &mut Record) {
    let before_the_end = record.events.len() - 1;
    let event = Event::SteadyState {
        returned: false,
        detail: "status 503".into(),
    };
    record
        .events
        .insert(before_the_end, (Nanos::from_secs(125), event));
}

/// Every operation failed.
fn dead(record: &mut Record) {
    record.samples.edit(|samples| {
        for sample in samples {
            if let Counters::Operations(counters) = &mut sample.counters {
                counters.failed_server_error += std::mem::take(&mut counters.succeeded);
            }
        }
    });
}

fn ended(case: &Case) -> (Record, Findings) {
    let mut record = founding::record();
    for change in case.changes {
        change(&mut record);
    }
    let findings = analysis::findings(&record);
    (record, findings)
}

#[test]
fn every_end_has_one_verdict_one_reason_and_one_exit_code() {
    for case in CASES {
        let (_, findings) = ended(case);
        let what = case.what;
        assert_eq!(findings.verdict, case.verdict, "{what}");
        assert_eq!(findings.ending.by, case.by, "{what}");
        assert_eq!(findings.ending.exit_code, case.exit_code, "{what}");
        let reason = &findings.ending.reasons[0];
        assert!(reason.starts_with(case.reason), "{what}: {reason}");
    }
}

#[test]
fn every_format_says_so() {
    for case in CASES {
        let (record, findings) = ended(case);
        let word = match case.verdict {
            Verdict::Passed => "passed",
            Verdict::Failed => "failed",
            Verdict::Invalid => "invalid",
        };
        let command = "threadbare run founding.toml --set load.rate=350/s --seed 1";
        let terminal = text::render(&record, &findings, None, false);
        let page = html::render(&record, &findings, None).unwrap();
        let draft = markdown::render(&record, &findings, None).replace('\\', "");
        let suite = junit::render(&findings).unwrap();
        let summary = json::render(&findings).unwrap();
        for (format, text) in [
            ("terminal", terminal.to_lowercase()),
            ("html", page),
            ("markdown", draft),
            ("junit", suite.clone()),
            ("json", summary.clone()),
        ] {
            let what = case.what;
            assert!(text.contains(word), "{what}: verdict in {format}: {text}");
            assert!(text.contains(command), "{what}: command in {format}");
            let passes = format == "junit" && case.junit == (0, 0)
                || case.reason.contains("expectation did");
            let said = text.to_lowercase().contains(&case.reason.to_lowercase());
            assert!(said || passes, "{what}: reason in {format}: {text}");
        }
        let quiet = text::verdict(&findings);
        assert!(quiet.contains(case.reason), "{quiet}");
        let (failures, errors) = case.junit;
        let counts = format!(r#"failures="{failures}" errors="{errors}""#);
        assert!(suite.contains(&counts), "{}: {suite}", case.what);
        let summary: serde_json::Value = serde_json::from_str(&summary).unwrap();
        assert_eq!(
            summary["ending"]["exit_code"],
            serde_json::json!(case.exit_code)
        );
    }
}
