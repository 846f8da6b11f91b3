//! A table of shapes: what happened to a service, second by second, and what must be
//! said of it. Each row holds the incidents with instants and verdict; a snapshot holds
//! the sentences of all.
//!
//! Unless a row says otherwise 350 operations a second are offered for 100 s, a push
//! begins at 20 s and is rolled back at 60 s.

mod chance;
mod dips;
mod latency;
mod odd;
mod several;

use std::fmt::Write as _;

use threadbare::analysis::{Findings, Incident, findings};
use threadbare::model::ServiceAction;
use threadbare::plan::Action;

use super::builder::{GOOD, Run, Second, applied, push};

/// A shape and what must be said of it: `impact→recovered verdict`, and in brackets each
/// relapse.
pub(super) struct Shape {
    name: String,
    run: Run,
    expected: &'static str,
}

pub(super) fn shape(name: impl Into<String>, run: Run, expected: &'static str) -> Shape {
    Shape {
        name: name.into(),
        run,
        expected,
    }
}

pub(super) const ROLLBACK: Action = Action::Service(ServiceAction::Rollback);

/// Nothing but a push at 20 s and its rollback at 60 s.
pub(super) fn pushed() -> Run {
    Run::steady()
        .act(20.0, 20.0, push(), "push", applied())
        .act(60.0, 60.0, ROLLBACK, "rollback", applied())
}

/// A second in which so many per cent fail.
pub(super) fn failing(percent: u64) -> Second {
    Second {
        failed: GOOD.offered * percent / 100,
        ..GOOD
    }
}

/// A second in which so many of all operations take 300 ms.
pub(super) const fn tail(slow: u64) -> Second {
    Second { slow, ..GOOD }
}

fn line(incident: &Incident) -> String {
    let at = |seconds: Option<f64>| seconds.map_or("–".into(), |seconds| format!("{seconds}"));
    let mut text = format!(
        "{}→{} {}",
        at(incident.impact_s),
        at(incident.recovered_s),
        incident.verdict.word()
    );
    for relapse in &incident.relapses {
        let _ = write!(text, " ({}→{})", relapse.lost_s, at(relapse.back_s));
    }
    text
}

/// All incidents of a run; where nobody was harmed, what is said of that.
fn lines(found: &Findings) -> String {
    if found.incidents.is_empty() {
        return line(&found.incident);
    }
    let lines: Vec<String> = found.incidents.iter().map(line).collect();
    lines.join("; ")
}

/// Sentences about the workers and the machine, which these shapes leave as they are.
const ELSE: [&str; 3] = ["No instance was", "Retries led", "Monitors added"];

fn all() -> Vec<Shape> {
    let mut all = dips::shapes();
    all.extend(latency::shapes());
    all.extend(several::shapes());
    all.extend(odd::shapes());
    all
}

#[test]
fn every_shape_has_its_incidents_instants_and_sentences() {
    let shapes = all();
    assert!(shapes.len() >= 100, "{} shapes", shapes.len());
    let (mut wrong, mut told) = (Vec::new(), String::new());
    for Shape {
        name,
        run,
        expected,
    } in shapes
    {
        let found = findings(&run.record());
        let seen = lines(&found);
        if seen != expected {
            wrong.push(format!("{name}: {seen}"));
        }
        let _ = writeln!(told, "{name}: {seen}");
        let sentences = found.sentences.iter();
        for sentence in sentences.filter(|it| !ELSE.iter().any(|other| it.starts_with(other))) {
            let _ = writeln!(told, "    {sentence}");
        }
        holds(&name, &found);
    }
    insta::assert_snapshot!("shapes", told);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What holds for every run, whatever happened in it.
fn holds(name: &str, found: &Findings) {
    let mut before = 0.0;
    for incident in &found.incidents {
        let impact = incident.impact_s.unwrap();
        assert!(impact >= before, "{name}: out of order");
        before = impact;
        for at in [
            incident.recovered_s,
            incident.mitigated_s,
            incident.detected_s,
        ] {
            assert!(
                at.is_none_or(|at| at >= impact),
                "{name}: before its impact"
            );
        }
        for relapse in &incident.relapses {
            assert!(Some(relapse.lost_s) >= incident.recovered_s, "{name}");
            assert!(
                relapse.back_s.is_none_or(|at| at > relapse.lost_s),
                "{name}"
            );
        }
        let relapsed = incident.relapses.first().map(|relapse| relapse.lost_s);
        assert_eq!(incident.relapsed_s, relapsed, "{name}");
        assert!(incident.harm.is_some(), "{name}: no size");
    }
    let main = &found.incident;
    assert!(
        found.incidents.is_empty() || found.incidents.contains(main),
        "{name}: the run is judged by none of its incidents"
    );
    for sentence in &found.sentences {
        assert!(
            sentence.ends_with('.') && !sentence.contains("NaN") && !sentence.contains(".."),
            "{name}: {sentence}"
        );
    }
}
