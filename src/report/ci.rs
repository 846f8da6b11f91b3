//! What build servers take: a summary that a reviewer reads in ten seconds, annotations in
//! GitHub's and GitLab's own forms, and the JSON of github-action-benchmark.

use std::fmt::Write as _;

use serde::Serialize;
use sha2::{Digest as _, Sha256};

use super::answer::{
    expectation_named, expectation_required, expectation_sign, verdict_reason, verdict_word,
};
use super::compare;
use super::figures::words;
use crate::analysis::compare::{Comparison, ComparisonVerdict};
use crate::analysis::{Findings, Validity, Verdict};
use crate::error::{Error, Result};
use crate::record::printable;

/// Sentences of a run that a summary has.
const SENTENCES: usize = 3;

/// Something that a reviewer is to see.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Note {
    /// Whether it fails the build; else it is a warning.
    pub fails: bool,
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
                expectation_sign(expectation.passed).to_owned(),
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
    if !findings.command.is_empty() {
        let _ = writeln!(text, "\n    {}", printable(&findings.command));
    }
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
            title: format!("{}: {}", findings.scenario, expectation_named(it)),
            message: format!("observed: {}; {}", it.observed, expectation_required(it)),
        })
        .collect();
    if findings.verdict == Verdict::Invalid || !findings.complete {
        notes.push(Note {
            fails: false,
            title: findings.scenario.clone(),
            message: verdict_reason(findings),
        });
    }
    notes
}

/// What of a comparison a reviewer is to see.
pub(crate) fn notes_of(comparison: &Comparison) -> Vec<Note> {
    let rows = comparison.figures.iter();
    let worse = rows.filter(|row| row.verdict == ComparisonVerdict::Worse);
    let mut notes: Vec<Note> = worse
        .map(|row| Note {
            fails: true,
            title: format!("worse: {}", row.figure),
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

/// GitLab's code quality report; `file`: what the notes are about.
///
/// # Errors
///
/// Where it cannot be written, which is a bug.
pub(crate) fn gitlab(notes: &[Note], file: &str) -> Result<String> {
    let issues = notes.iter().map(|note| {
        let digest = Sha256::new()
            .chain_update(file.as_bytes())
            .chain_update(note.title.as_bytes())
            .finalize();
        Issue {
            description: printable(&format!("{}: {}", note.title, note.message)).into_owned(),
            check_name: "threadbare".to_owned(),
            fingerprint: digest.iter().fold(String::new(), |mut text, byte| {
                let _ = write!(text, "{byte:02x}");
                text
            }),
            severity: if note.fails { "major" } else { "minor" },
            location: Location {
                path: file.to_owned(),
                lines: Lines { begin: 1 },
            },
        }
    });
    pretty(&issues.collect::<Vec<_>>())
}

/// A figure as github-action-benchmark takes it (`customSmallerIsBetter`).
#[derive(Serialize)]
struct Benchmark {
    name: String,
    unit: &'static str,
    value: f64,
    extra: String,
}

/// The figures of a run of which less is better; none where the measurement is invalid.
///
/// # Errors
///
/// Where it cannot be written, which is a bug.
pub(crate) fn benchmark(findings: &Findings) -> Result<String> {
    let mut all: Vec<Benchmark> = Vec::new();
    if findings.measurement.validity == Validity::Invalid {
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
        put(name("response p50"), "ms", phase.response_ms.p50);
        put(name("response p99"), "ms", phase.response_ms.told_p99());
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
                true,
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
                let report = gitlab(std::slice::from_ref(note), "a").unwrap();
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
            title: "p99, in: a".into(),
            message: "50 %\n::set-output name=x::y".into(),
        };
        assert_eq!(
            github(&note),
            "::error title=p99%2C in%3A a::50 %25%0A::set-output name=x::y\n"
        );
    }
}
