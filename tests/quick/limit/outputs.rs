//! Everything that is written of a search, for every way in which one can come out.

use std::fs;

use threadbare::analysis::limit::{LimitFound, LimitVerdict};
use threadbare::plan::Plan;
use threadbare::report::limit;
use threadbare::scenario::{self, Changes};

use super::cases;

/// A way to come out, and what each output says of it.
struct Case {
    what: &'static str,
    found: fn() -> LimitFound,
    /// The word beside the sentence of the page.
    word: &'static str,
    /// What the page's first two figures are.
    tiles: [&'static str; 2],
    /// Which of the two pictures there are.
    pictures: [bool; 2],
    /// A line of the terminal's answer.
    text: &'static str,
    /// Cases and failures in junit.xml.
    junit: (usize, usize),
    /// The first failure.
    failure: &'static str,
    /// The profiles of limit.toml; none where there is no such file.
    profiles: Option<&'static [(&'static str, f64)]>,
    /// The sign of the summary.
    sign: &'static str,
    /// Annotations: those that fail the build, and warnings.
    notes: (usize, usize),
}

const CASES: [Case; 9] = [
    Case {
        what: "found",
        found: cases::found,
        word: "passed",
        tiles: ["400/s", "200/s"],
        pictures: [true, true],
        text: "  It serves 400/s, and not 412/s: there `p99 <= 250ms` does not hold.",
        junit: (2, 0),
        failure: "",
        profiles: Some(&[("above", 300.0), ("below", 200.0)]),
        sign: "✅",
        notes: (0, 0),
    },
    Case {
        what: "collapses",
        found: cases::collapses,
        word: "passed",
        tiles: ["400/s", "200/s"],
        pictures: [true, true],
        text: "  no retries: it comes back by itself at up to 300/s (1 of 1 from 300/s). Clients do not retry.",
        junit: (2, 0),
        failure: "",
        profiles: Some(&[("above", 300.0), ("below", 200.0)]),
        sign: "✅",
        notes: (0, 0),
    },
    Case {
        what: "no limit",
        found: cases::no_limit,
        word: "passed",
        tiles: ["≥ 10,000/s", "≥ 10,000/s"],
        pictures: [true, true],
        text: "  Nothing up to the highest rate that was allowed.",
        junit: (2, 0),
        failure: "",
        profiles: Some(&[("below", 10_000.0)]),
        sign: "✅",
        notes: (0, 0),
    },
    Case {
        what: "the generator's limit",
        found: cases::the_generator,
        word: "cannot tell",
        tiles: ["≥ 400/s", "–"],
        pictures: [true, false],
        text: "  The generator's threads were 97 % busy.",
        junit: (2, 1),
        failure: "cannot tell: observed: not known; required: at least 400/s",
        profiles: Some(&[("below", 400.0)]),
        sign: "❔",
        notes: (1, 1),
    },
    Case {
        what: "nothing is served",
        found: cases::nothing,
        word: "failed",
        tiles: ["nothing", "–"],
        pictures: [true, false],
        text: "  It was not tried.",
        junit: (2, 1),
        failure: "observed: less than 412/s; required: at least 400/s",
        profiles: Some(&[("above", 412.0)]),
        sign: "❌",
        notes: (1, 0),
    },
    Case {
        what: "interrupted",
        found: cases::interrupted,
        word: "interrupted",
        tiles: ["≥ 400/s", "–"],
        pictures: [true, false],
        text: "!! Incomplete: interrupted. SIGINT came. What was found so far stands below.",
        junit: (2, 2),
        failure: "cannot tell: observed: not known; required: at least 400/s; the search ended \
                  early: interrupted: SIGINT came.",
        profiles: Some(&[("below", 400.0)]),
        sign: "❔",
        notes: (1, 1),
    },
    Case {
        what: "nothing was tried yet",
        found: cases::going,
        word: "going on",
        tiles: ["–", "–"],
        pictures: [false, false],
        text: "  No step was tried.",
        junit: (2, 2),
        failure: "cannot tell: observed: not known; required: at least 400/s; the search ended \
                  early: going on: No step has ended yet.",
        profiles: None,
        sign: "❔",
        notes: (1, 1),
    },
    Case {
        what: "a bistable edge",
        found: cases::bistable,
        word: "passed",
        tiles: ["400/s", "200/s"],
        pictures: [true, true],
        text: "  240/s: 2 of 4 trials came back, within 14.0 s (probability 10.0 % to 90.0 %)",
        junit: (2, 0),
        failure: "",
        profiles: Some(&[("above", 300.0), ("below", 200.0)]),
        sign: "✅",
        notes: (0, 0),
    },
    Case {
        what: "stays down",
        found: cases::stays_down,
        word: "the service stays down",
        tiles: ["400/s", "never"],
        pictures: [true, true],
        text: "  After `surge 3x for 10s` at 100/s the service stays down; say how it is restarted.",
        junit: (2, 1),
        failure: "the service stays down: After `surge 3x for 10s` at 100/s the service stays \
                  down; say how it is restarted.",
        profiles: Some(&[("above", 100.0)]),
        sign: "❔",
        notes: (0, 1),
    },
];

#[test]
fn the_page_says_first_what_was_found() {
    for case in &CASES {
        let what = case.what;
        let page = limit::html(&(case.found)()).unwrap();
        assert!(
            page.contains(&format!("\">{}</strong>", case.word)),
            "{what}"
        );
        let tiles = page.split("<div class=\"value\">").skip(1);
        let tiles: Vec<&str> = tiles.filter_map(|it| it.split('<').next()).collect();
        assert_eq!(tiles[..2], case.tiles, "{what}");
        for (about, there) in ["goodput over offered load", "time to return over rate"]
            .iter()
            .zip(case.pictures)
        {
            // One for a screen and one for a telephone.
            let drawn = page.matches(&format!("aria-label=\"{about}\"")).count();
            assert_eq!(drawn, if there { 2 } else { 0 }, "{what}: {about}");
        }
        // Nothing is loaded from elsewhere, and nothing runs.
        for outside in ["<script", "<link", "<img", "src=", "url(", "@import"] {
            assert!(!page.contains(outside), "{what}: {outside}");
        }
        assert!(!page.contains("NaN") && !page.contains(">inf"), "{what}");
    }
}

#[test]
fn every_step_and_every_trial_is_a_mark_and_a_row() {
    for case in &CASES {
        let found = (case.found)();
        let page = limit::html(&found).unwrap();
        for step in &found.steps {
            // Twice, since a picture is there in two widths.
            let marks = page
                .matches(&format!("<title>step {}:", step.number))
                .count();
            let drawn = if step.measure.is_some() { 0 } else { 2 };
            assert_eq!(marks, drawn, "{}: step {}", case.what, step.number);
            let report = format!("href=\"./{}/report.html\"", step.run.as_deref().unwrap());
            assert!(page.contains(&report), "{}: {report}", case.what);
        }
    }
    let page = limit::html(&cases::bistable()).unwrap();
    let shares = page.matches("<circle class=\"share\"").count();
    assert_eq!(shares, 6, "three rates, in two widths");
    assert!(page.contains("<title>240/s: 2 of 4 trials, 50.0 % (10.0 % to 90.0 %)</title>"));
}

#[test]
fn the_terminal_has_every_step_and_ends_with_the_sentence() {
    for case in &CASES {
        let found = (case.found)();
        let text = limit::text(&found, false);
        assert!(
            text.lines().any(|line| line == case.text),
            "{}: {text}",
            case.what
        );
        assert_eq!(text.lines().last(), Some(&*found.sentence), "{}", case.what);
        // The number of a step stands in the first column.
        let number = |line: &&str| {
            line.get(..6)
                .is_some_and(|it| it.trim().parse::<u32>().is_ok())
        };
        let rows = text.lines().filter(number);
        assert_eq!(rows.count(), found.steps.len(), "{}: {text}", case.what);
        assert!(
            text.lines().all(|line| line.chars().count() <= 120),
            "{}",
            case.what
        );
    }
}

#[test]
fn the_terminals_answer() {
    insta::assert_snapshot!(limit::text(&cases::found(), false));
}

#[test]
fn a_build_fails_where_what_was_expected_is_not_shown() {
    for case in &CASES {
        let what = case.what;
        let junit = limit::junit(&(case.found)()).unwrap();
        let report = quick_junit::Report::deserialize_from_str(&junit).unwrap();
        let suite = &report.test_suites[0];
        assert_eq!((suite.tests, suite.failures), case.junit, "{what}: {junit}");
        assert_eq!(suite.errors, 0, "{what}");
        let escaped = case.failure.replace('<', "&lt;");
        assert!(junit.contains(&escaped), "{what}: {junit}");
    }
    // What its own bounds left open fails only where it was expected.
    let mut bound = cases::found();
    bound.ended = threadbare::analysis::limit::LimitEnded::Bound;
    assert!(limit::junit(&bound).unwrap().contains("failures=\"0\""));
    bound.expectations[0].verdict = LimitVerdict::CannotTell;
    assert!(limit::junit(&bound).unwrap().contains("failures=\"1\""));
}

#[test]
fn a_review_sees_the_limits_and_what_was_missed() {
    for case in &CASES {
        let what = case.what;
        let found = (case.found)();
        let summary = limit::summary(&found);
        let head = format!("### {} The limit of http://127.0.0.1:8000/\n", case.sign);
        assert!(summary.starts_with(&head), "{what}: {summary}");
        let notes = limit::notes(&found);
        let fails = notes.iter().filter(|note| note.fails).count();
        assert_eq!(
            (fails, notes.len() - fails),
            case.notes,
            "{what}: {notes:?}"
        );
    }
    insta::assert_snapshot!(limit::summary(&cases::found()));
}

/// The plan that `limit.toml` leads to with one of its profiles.
fn profile(file: &std::path::Path, name: &str) -> Plan {
    let changes = Changes {
        profile: Some(name),
        ..Changes::default()
    };
    scenario::load_changed(file.to_str().unwrap(), &changes, false).unwrap()
}

#[test]
fn the_scenario_shows_the_edge_and_has_no_mistake() {
    for case in &CASES {
        let what = case.what;
        let text = limit::scenario(&(case.found)());
        assert_eq!(text.is_some(), case.profiles.is_some(), "{what}");
        let Some(text) = text else { continue };
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("limit.toml");
        fs::write(&file, &text).unwrap();
        scenario::load(file.to_str().unwrap(), false).unwrap();
        let table: toml::Table = text.parse().unwrap();
        let names: Vec<&String> = table["profile"].as_table().unwrap().keys().collect();
        let profiles = case.profiles.unwrap();
        assert_eq!(
            names,
            profiles.iter().map(|(name, _)| *name).collect::<Vec<_>>(),
            "{what}"
        );
        for (name, rate) in profiles {
            let plan = profile(&file, name);
            let first = plan.load.rate[0].1.highest();
            assert!((first - rate).abs() < 1e-9, "{what} {name}: {first}");
        }
    }
}

#[test]
fn the_two_sides_are_one_run_at_two_rates() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("limit.toml");
    fs::write(&file, limit::scenario(&cases::found()).unwrap()).unwrap();
    let [below, above] = ["below", "above"].map(|name| profile(&file, name));
    let rates = |plan: &Plan| -> Vec<f64> {
        plan.load
            .rate
            .iter()
            .map(|(_, shape)| shape.highest())
            .collect()
    };
    assert_eq!(rates(&below), [200.0, 600.0, 200.0]);
    assert_eq!(rates(&above), [300.0, 900.0, 300.0]);
    assert_ne!(below.seed, above.seed, "each as it was seen");
    assert_eq!(below.expectations, above.expectations);
    assert_eq!(below.expectations.len(), 3);
    assert_eq!(below.load.client.retries, 3);
    // Long enough that a return can be seen, and its hold window.
    let surge = below.load.rate[2].0;
    assert!(below.end >= surge + threadbare::units::Nanos::from_secs(60 + 10));
}
