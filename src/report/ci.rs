//! What build servers take: a summary that a reviewer reads in ten seconds, annotations in
//! GitHub's and GitLab's own forms, and the JSON of github-action-benchmark.

use std::fmt::Write as _;

use serde::Serialize;
use sha2::{Digest as _, Sha256};

use super::answer::{
    expectation_named, expectation_required, expectation_sign, verdict_reason, verdict_word,
};
use super::figures::words;
use super::{compare, repeated};
use crate::analysis::compare::{Comparison, ComparisonVerdict};
use crate::analysis::{Findings, RepeatedRuns, Validity, Verdict};
use crate::error::{Error, Result};
use crate::record::{is_told, printable};

/// Sentences of a run that a summary has.
const SENTENCES: usize = 3;

/// Something that a reviewer is to see.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// Whether it fails the build; else it is a warning.
    pub fails: bool,
    /// What was run or compared.
    pub about: String,
    /// What it is about.
    pub title: String,
    /// What is said.
    pub message: String,
}

/// A run in a few lines of Markdown: verdict, expectations, cause, the command.
pub(crate) fn summary(findings: &Findings) -> String {
    let sign = match (findings.verdict, findings.complete) {
        (Verdict::Passed, _) => "✅",
        (Verdict::Invalid, _) | (_, false) => "❔",
        (Verdict::Failed, true) => "❌",
    };
    let partial = if findings.complete {
        ""
    } else {
        " (partial: the run did not come to its end)"
    };
    let mut text = format!(
        "### {sign} {}: {}{partial}\n\n{}\n",
        compare::markdown(&findings.scenario),
        verdict_word(findings),
        compare::markdown(&verdict_reason(findings))
    );
    if !findings.expectations.is_empty() {
        text.push_str("\n| | figure | observed | required |\n|---|---|---|---|\n");
        for expectation in &findings.expectations {
            let cells = [
                expectation_sign(expectation.judged()).to_owned(),
                expectation_named(expectation),
                words(&expectation.observed),
                expectation_required(expectation),
            ];
            let cells = cells.map(|cell| compare::markdown(&cell));
            let _ = writeln!(text, "| {} |", cells.join(" | "));
        }
    }
    text.push('\n');
    for sentence in findings.sentences.iter().take(SENTENCES) {
        let _ = writeln!(text, "- {}", compare::markdown(sentence));
    }
    text.push_str(&compare::command(&findings.command));
    text.push('\n');
    text
}

/// The same of several runs that are judged together.
pub(crate) fn summary_of_runs(runs: &RepeatedRuns) -> String {
    let word = repeated::word(runs);
    let sign = match word {
        "passed" => "✅",
        "failed" => "❌",
        _ => "❔",
    };
    let partial = if runs.ended.is_empty() {
        ""
    } else {
        " (partial)"
    };
    let mut text = format!(
        "### {sign} {}: {word}{partial}\n\n{} runs with other seeds, judged together\n",
        compare::markdown(&runs.scenario),
        runs.runs
    );
    if !runs.expectations.is_empty() {
        text.push_str("\n| | figure | required | over the runs |\n|---|---|---|---|\n");
        for result in &runs.expectations {
            let cells = [
                expectation_sign(result.passed),
                &result.that,
                &result.required,
                &result.reason,
            ];
            let cells = cells.map(compare::markdown);
            let _ = writeln!(text, "| {} |", cells.join(" | "));
        }
    }
    text.push('\n');
    for sentence in repeated::amiss(runs) {
        let _ = writeln!(text, "- {}", compare::markdown(&sentence));
    }
    text.push_str(&compare::command(&runs.command));
    text.push('\n');
    text
}

/// What of a run a reviewer is to see.
pub(crate) fn notes(findings: &Findings) -> Vec<Note> {
    let missed = findings.expectations.iter();
    let missed = missed.filter(|it| it.passed != Some(true));
    let mut notes: Vec<Note> = missed
        .map(|it| Note {
            fails: it.passed == Some(false),
            about: findings.scenario.clone(),
            title: format!("{}: {}", findings.scenario, expectation_named(it)),
            message: format!("observed: {}; {}", it.observed, expectation_required(it)),
        })
        .collect();
    if findings.verdict == Verdict::Invalid || !findings.complete {
        notes.push(Note {
            fails: false,
            about: findings.scenario.clone(),
            title: findings.scenario.clone(),
            message: verdict_reason(findings),
        });
    }
    notes
}

/// What of several runs that are judged together a reviewer is to see.
pub(crate) fn notes_of_runs(runs: &RepeatedRuns) -> Vec<Note> {
    let note = |fails, title: String, message| Note {
        fails,
        about: runs.scenario.clone(),
        title,
        message,
    };
    let missed = runs.expectations.iter();
    let missed = missed.filter(|it| it.passed != Some(true));
    let mut notes: Vec<Note> = missed
        .map(|it| {
            let title = format!("{}: {}", runs.scenario, it.that);
            let message = format!("required: {}; {}", it.required, it.reason);
            note(it.passed == Some(false), title, message)
        })
        .collect();
    let amiss = repeated::amiss(runs);
    if !amiss.is_empty() {
        let fails = runs.failed.is_some();
        notes.push(note(fails, runs.scenario.clone(), amiss.join("; ")));
    }
    notes
}

/// What comparisons are about, for a build server.
const COMPARISON: &str = "comparison";

/// What of a comparison a reviewer is to see.
pub(crate) fn notes_of(comparison: &Comparison) -> Vec<Note> {
    let rows = comparison.figures.iter();
    let worse = rows.filter(|row| row.verdict == ComparisonVerdict::Worse);
    let mut notes: Vec<Note> = worse
        .map(|row| Note {
            fails: true,
            about: COMPARISON.to_owned(),
            title: format!("worse: {}", compare::named(row)),
            message: compare::row(row),
        })
        .collect();
    let untold = matches!(
        comparison.verdict,
        ComparisonVerdict::CannotTell | ComparisonVerdict::NotComparable
    );
    if untold {
        notes.push(Note {
            fails: false,
            about: COMPARISON.to_owned(),
            title: comparison.verdict.words().to_owned(),
            message: comparison.reason.clone(),
        });
    }
    notes
}

/// A line for GitHub's runner.
pub(crate) fn github(note: &Note) -> String {
    let level = if note.fails { "error" } else { "warning" };
    let data = |text: &str| {
        let lines = text.lines().map(printable);
        let lines: Vec<_> = lines.map(|line| line.replace('%', "%25")).collect();
        lines.join("%0A")
    };
    let property = |text: &str| data(text).replace(':', "%3A").replace(',', "%2C");
    format!(
        "::{level} title={}::{}\n",
        property(&note.title),
        data(&note.message)
    )
}

/// An issue of GitLab's code quality report.
#[derive(Serialize)]
struct Issue {
    description: String,
    check_name: String,
    fingerprint: String,
    severity: &'static str,
    location: Location,
}

#[derive(Serialize)]
struct Location {
    path: String,
    lines: Lines,
}

#[derive(Serialize)]
struct Lines {
    begin: u32,
}

/// GitLab's code quality report. It merges issues of one fingerprint, so each has its own,
/// which stays the same from run to run.
///
/// # Errors
///
/// Where it cannot be written, which is a bug.
pub(crate) fn gitlab(notes: &[Note]) -> Result<String> {
    let issues = notes.iter().enumerate().map(|(place, note)| {
        let alike = |it: &&Note| (&it.about, &it.title) == (&note.about, &note.title);
        let before = notes[..place].iter().filter(alike).count();
        Issue {
            description: printable(&format!("{}: {}", note.title, note.message)).into_owned(),
            check_name: "threadbare".to_owned(),
            fingerprint: fingerprint(&[&note.about, &note.title, &before.to_string()]),
            severity: if note.fails { "major" } else { "minor" },
            location: Location {
                path: note.about.clone(),
                lines: Lines { begin: 1 },
            },
        }
    });
    pretty(&issues.collect::<Vec<_>>())
}

fn fingerprint(parts: &[&str]) -> String {
    let parts = parts.iter().fold(Sha256::new(), |digest, part| {
        // What ends a part is in none.
        digest.chain_update(part.as_bytes()).chain_update([0])
    });
    let bytes = parts.finalize();
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// A figure as github-action-benchmark takes it (`customSmallerIsBetter`).
#[derive(Serialize)]
struct Benchmark {
    name: String,
    unit: &'static str,
    value: f64,
    extra: String,
}

/// The figures of a run of which less is better; none of a run that is partial or invalid.
///
/// # Errors
///
/// Where it cannot be written, which is a bug.
pub(crate) fn benchmark(findings: &Findings) -> Result<String> {
    let mut all: Vec<Benchmark> = Vec::new();
    // Who keeps a history of it takes each value for the target's.
    if !findings.complete || findings.measurement.validity == Validity::Invalid {
        return pretty(&all);
    }
    let mut put = |name: String, unit: &'static str, value: Option<f64>| {
        if let Some(value) = value {
            all.push(Benchmark {
                name,
                unit,
                value,
                extra: findings.command.clone(),
            });
        }
    };
    for phase in &findings.phases {
        let name = |what: &str| format!("{}: {what} in {}", findings.scenario, phase.name);
        let response = &phase.response_ms;
        let p50 = response
            .p50
            .filter(|_| is_told(0.5, response.count) && !response.marked.p50);
        put(name("response p50"), "ms", p50);
        put(
            name("response p99"),
            "ms",
            response.told_p99().filter(|_| !response.marked.p99),
        );
        put(
            name("error share"),
            "%",
            phase.error_share.map(|share| share * 100.0),
        );
    }
    let recovery = findings.incident.recovery_after_rollback_s;
    put(
        format!("{}: recovery after rollback", findings.scenario),
        "s",
        recovery,
    );
    pretty(&all)
}

fn pretty(value: &impl Serialize) -> Result<String> {
    serde_json::to_string_pretty(value)
        .map(|text| text + "\n")
        .map_err(|cause| {
            Error::failed(format!(
                "failed to write what a build server takes: {cause}"
            ))
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::RepeatedExpectation;

    /// The committed sample, which passes, with changes.
    fn sample(change: fn(&mut Findings)) -> Findings {
        let text = include_str!("../../reports/sample-missing-await/summary.json");
        let mut findings = serde_json::from_str(text).unwrap();
        change(&mut findings);
        findings
    }

    fn missed(findings: &mut Findings, passed: Option<bool>) {
        findings.expectations[0].passed = passed;
        findings.verdict = Verdict::Failed;
    }

    #[test]
    fn every_output_says_what_a_run_came_to() {
        type Row = (
            &'static str,
            fn(&mut Findings),
            &'static str,
            Option<bool>,
            bool,
        );
        let rows: [Row; 5] = [
            ("passes", |_| {}, "### ✅", None, true),
            (
                "fails",
                |it| missed(it, Some(false)),
                "### ❌",
                Some(true),
                true,
            ),
            (
                "cannot tell",
                |it| missed(it, None),
                "### ❌",
                Some(false),
                true,
            ),
            (
                "is partial",
                |it| {
                    it.complete = false;
                    it.verdict = Verdict::Failed;
                },
                "### ❔",
                Some(false),
                false,
            ),
            (
                "is invalid",
                |it| {
                    it.measurement.validity = Validity::Invalid;
                    it.verdict = Verdict::Invalid;
                },
                "### ❔",
                Some(false),
                false,
            ),
        ];
        for (what, change, sign, fails, benchmarks) in rows {
            let findings = sample(change);
            let text = summary(&findings);
            assert!(text.starts_with(sign), "{what}: {text}");
            let partial = text.contains("(partial: ");
            assert_eq!(partial, !findings.complete, "{what}: {text}");
            let notes = notes(&findings);
            assert_eq!(notes.first().map(|note| note.fails), fails, "{what}");
            for note in &notes {
                let (level, severity) = if note.fails {
                    ("::error ", "major")
                } else {
                    ("::warning ", "minor")
                };
                assert!(github(note).starts_with(level), "{what}: {}", github(note));
                let report = gitlab(std::slice::from_ref(note)).unwrap();
                assert!(report.contains(severity), "{what}: {report}");
            }
            let figures = benchmark(&findings).unwrap();
            assert_eq!(
                figures.contains("response p99"),
                benchmarks,
                "{what}: {figures}"
            );
        }
    }

    #[test]
    fn a_note_cannot_begin_a_command_of_its_own() {
        let note = Note {
            fails: true,
            about: "load".into(),
            title: "p99, in: a".into(),
            message: "50 %\n::set-output name=x::y".into(),
        };
        assert_eq!(
            github(&note),
            "::error title=p99%2C in%3A a::50 %25%0A::set-output name=x::y\n"
        );
    }
    #[test]
    fn each_issue_of_gitlab_has_its_own_fingerprint_and_keeps_it() {
        let note = |title: &str, message: &str| Note {
            fails: true,
            about: "comparison".into(),
            title: title.into(),
            message: message.into(),
        };
        let fingerprints = |notes: &[Note]| -> Vec<String> {
            let report: serde_json::Value = serde_json::from_str(&gitlab(notes).unwrap()).unwrap();
            let issues = report.as_array().unwrap().iter();
            issues
                .map(|it| it["fingerprint"].as_str().unwrap().into())
                .collect()
        };
        let notes = [
            note("worse: response p99 in calm", "1 ms"),
            note("worse: response p99 in surge", "2 ms"),
            // two bounds of one figure
            note("load: response p99", "required: at most 5 ms"),
            note("load: response p99", "required: at most 9 ms"),
        ];
        let mut found = fingerprints(&notes);
        assert_eq!(fingerprints(&notes[..1]), found[..1]);
        assert_eq!(
            fingerprints(&[note("worse: response p99 in calm", "7 ms")]),
            found[..1]
        );
        found.sort();
        found.dedup();
        assert_eq!(found.len(), 4);
    }

    #[test]
    fn several_runs_are_told_by_what_they_show_together() {
        let expectation = |that: &str, passed| RepeatedExpectation {
            that: that.into(),
            required: "at most 50 ms".into(),
            observed: vec!["40 ms".into(), "60 ms".into()],
            mean: None,
            low: None,
            high: None,
            passed,
            reason: "mean 45 ms".into(),
        };
        let runs = |passed| RepeatedRuns {
            scenario: "load".into(),
            command: "threadbare load --expect 'p99 <= 50ms'".into(),
            runs: 3,
            expectations: vec![expectation("response p99", passed)],
            ..RepeatedRuns::default()
        };
        // One of the runs may have missed it.
        let passed = runs(Some(true));
        assert!(notes_of_runs(&passed).is_empty());
        let summary = summary_of_runs(&passed);
        assert!(summary.starts_with("### ✅ load: passed\n"), "{summary}");
        assert!(summary.contains("\n```text\nthreadbare load"), "{summary}");
        let junit = repeated::junit(&passed).unwrap();
        assert!(junit.contains("failures=\"0\" errors=\"0\""), "{junit}");

        let missed = runs(Some(false));
        let notes = notes_of_runs(&missed);
        assert_eq!((notes.len(), notes[0].fails), (1, true));
        assert_eq!(notes[0].title, "load: response p99");
        assert!(summary_of_runs(&missed).starts_with("### ❌ load: failed\n"));
        let junit = repeated::junit(&missed).unwrap();
        assert!(junit.contains("failures=\"1\" errors=\"0\""), "{junit}");

        let mut open = runs(None);
        assert!(!notes_of_runs(&open)[0].fails);
        assert!(summary_of_runs(&open).starts_with("### ❔ load: cannot tell\n"));
        open.left_out = vec!["run 2 is left out: the CPU was busy".into()];
        open.ended = "ended after 2 of 5 runs: interrupted by SIGTERM".into();
        let summary = summary_of_runs(&open);
        assert!(
            summary.starts_with("### ❔ load: cannot tell (partial)\n"),
            "{summary}"
        );
        assert!(summary.contains("- run 2 is left out: "), "{summary}");
        assert!(summary.contains("- ended after 2 of 5 runs: "), "{summary}");
        let junit = repeated::junit(&open).unwrap();
        assert!(junit.contains("failures=\"0\" errors=\"2\""), "{junit}");
    }
}
