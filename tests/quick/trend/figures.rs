//! Figures by name.

use std::fmt::Write as _;

use serde_json::Value;
use threadbare::analysis::Findings;
use threadbare::analysis::trend::{NamedFigure, Unit, figures};

use super::folder::sample;
use crate::documented::documented;

fn read(summary: Value, figure: &str) -> Result<f64, String> {
    let findings: Findings = serde_json::from_value(summary).unwrap();
    figure.parse::<NamedFigure>().unwrap().read(&findings)
}

#[test]
fn the_documents_have_every_figure() {
    let mut table = String::from("| figure | in | meaning | of a phase |\n|---|---|---|---|\n");
    for (name, unit, meaning, of_phase) in figures() {
        let unit = match unit {
            Unit::Milliseconds => "ms",
            Unit::Seconds => "s",
            Unit::Share => "%",
            Unit::PerSecond => "per second",
            Unit::Number => "–",
        };
        let of_phase = if of_phase { "yes" } else { "no" };
        let _ = writeln!(table, "| `{name}` | {unit} | {meaning} | {of_phase} |");
    }
    let again = "cargo test --test quick trend::figures";
    documented("docs/TREND.md", "figures", &table, again);
}

#[test]
fn every_figure_is_what_the_summary_says() {
    let summary = || sample("summary.json");
    for (figure, key) in [
        ("response p50", "/whole_run/response_ms/p50"),
        ("p99.9", "/whole_run/response_ms/p999"),
        ("Response p99 in baseline", "/phases/0/response_ms/p99"),
        (
            "service p90 in the phase `baseline`",
            "/phases/0/service_ms/p90",
        ),
        ("error share in push", "/phases/1/error_share"),
        ("goodput in 'push'", "/phases/1/goodput_per_s"),
        ("offered load in push", "/phases/1/offered_per_s"),
        (
            "attempts per operation in push",
            "/phases/1/attempts_per_operation",
        ),
        ("saturation in push", "/phases/1/saturation"),
        ("queue depth in push", "/phases/1/queue_depth/max"),
        (
            "recovery after rollback",
            "/incident/recovery_after_rollback_s",
        ),
        (
            "recovery after trigger off",
            "/incident/recovery_after_trigger_off_s",
        ),
        (
            "recovery after the last action",
            "/incident/recovery_after_last_action_s",
        ),
        ("time to detect", "/incident/time_to_detect_s"),
        ("time to mitigate", "/incident/time_to_mitigate_s"),
        ("time to recover", "/incident/time_to_recover_s"),
    ] {
        let expected = summary().pointer(key).and_then(Value::as_f64);
        assert!(expected.is_some(), "{key}");
        assert_eq!(read(summary(), figure).ok(), expected, "{figure}");
    }
    let phase = &summary()["phases"][1];
    let share = phase["goodput_per_s"].as_f64().unwrap() / phase["offered_per_s"].as_f64().unwrap();
    assert_eq!(read(summary(), "goodput share in push"), Ok(share));
}

#[test]
fn the_whole_run_is_all_of_its_phases() {
    let findings: Findings = serde_json::from_value(sample("summary.json")).unwrap();
    let whole = findings.whole().unwrap();
    let seconds = |from: f64, to: f64| to - from;
    let phases = findings.phases.iter();
    let succeeded: f64 = phases
        .map(|it| it.goodput_per_s * seconds(it.from_s, it.to_s))
        .sum();
    let of_whole = whole.goodput_per_s * seconds(whole.from_s, whole.to_s);
    assert!((succeeded - of_whole).abs() < 1e-6 * of_whole);
    let counts: u64 = findings.phases.iter().map(|it| it.response_ms.count).sum();
    assert_eq!(whole.response_ms.count, counts);
}

#[test]
fn what_a_summary_does_not_tell_is_no_figure() {
    let edited = |edit: fn(&mut Value)| {
        let mut summary = sample("summary.json");
        edit(&mut summary);
        summary
    };
    for (figure, edit, why) in [
        (
            "response p99",
            (|it| _ = it.as_object_mut().unwrap().remove("whole_run")) as fn(&mut Value),
            "older version",
        ),
        (
            "response p99",
            |it| {
                it["whole_run"]["response_ms"]["marked"] = serde_json::json!({
                    "p50": false, "p90": false, "p99": true, "p999": true
                });
            },
            "the generator's own lag",
        ),
        (
            "response p99",
            |it| it["whole_run"]["response_ms"]["count"] = 298.into(),
            "too few",
        ),
        (
            "response p50",
            |it| it["whole_run"]["response_ms"]["p50"] = Value::Null,
            "no value",
        ),
        (
            "error share",
            |it| it["whole_run"]["error_share"] = Value::Null,
            "no value",
        ),
        (
            "recovery after rollback",
            |it| it["incident"]["recovery_after_rollback_s"] = Value::Null,
            "not seen",
        ),
        (
            "response p99 in push back",
            |_| {},
            "it has no phase `push back`",
        ),
    ] {
        let read = read(edited(edit), figure).unwrap_err();
        assert!(read.contains(why), "{figure}: {read}");
    }
    // One phase is the whole run.
    let alone = edited(|it| {
        it.as_object_mut().unwrap().remove("whole_run");
        it["phases"].as_array_mut().unwrap().truncate(1);
    });
    assert_eq!(
        read(alone.clone(), "response p99"),
        read(alone, "response p99 in baseline")
    );
}
