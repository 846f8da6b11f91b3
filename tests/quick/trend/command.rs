//! `threadbare trend` as its user meets it.

use std::fs;

use serde_json::{Value, json};

use super::folder::{Folder, answer, assert_refused, json as parsed};

#[test]
fn a_step_is_found_at_its_run_with_its_size_and_chance() {
    let folder = Folder::step(123.0);
    let trend = parsed(&folder.threadbare("trend", "", &["--json"]));
    assert_eq!(trend["shown"], "changed");
    assert_eq!(trend["figure"], "response p99");
    assert_eq!(trend["unit"], "ms");
    let [change] = &trend["changes"].as_array().unwrap()[..] else {
        panic!("{trend}");
    };
    let run = folder.path("run-11").display().to_string();
    assert_eq!(change["run"], json!(run));
    assert_eq!(change["index"], 10);
    assert_eq!(change["mean_before"], 100.0);
    assert_eq!(change["mean_after"], 123.0);
    assert_eq!(
        (&change["runs_before"], &change["runs_after"]),
        (&json!(10), &json!(10))
    );
    assert!((change["change"].as_f64().unwrap() - 0.23).abs() < 1e-9);
    assert!(change["p_value"].as_f64().unwrap() < 1e-9);
    assert_eq!(change["effect"], "worse");
    let said = answer(&folder.threadbare("trend", "", &[]), 0);
    let told = format!(
        "response p99 became worse at {run} (2026-11-11 00:00 UTC): +23.0 %, from 100 ms to 123 ms, \
         p < 0.000001\n"
    );
    assert!(said.starts_with(&told), "{said}");
    assert_eq!(
        answer(&folder.threadbare("trend", "", &["--quiet"]), 0),
        told
    );
    // The order is that of time, not of names.
    folder.run("zero", 1, 100.0);
    let trend = parsed(&folder.threadbare("trend", "", &["--json"]));
    assert_eq!(trend["changes"][0]["index"], 11);
}

#[test]
fn a_change_for_the_better_and_one_of_a_goodput_have_their_own_sign() {
    let folder = Folder::step(80.0);
    let trend = parsed(&folder.threadbare("trend", "", &["--json"]));
    assert_eq!(trend["changes"][0]["effect"], "better");
    let folder = Folder::new();
    for day in 1..=12 {
        folder.edited(&format!("{day:02}"), day, 100.0, |_, summary| {
            let goodput = if day <= 6 { 350.0 } else { 300.0 };
            summary["whole_run"]["goodput_per_s"] = (goodput + (day % 3) as f64).into();
        });
    }
    let trend = parsed(&folder.threadbare("trend", "", &["--figure", "goodput", "--json"]));
    assert_eq!(trend["changes"][0]["effect"], "worse");
    assert_eq!(trend["changes"][0]["index"], 6);
}

#[test]
fn runs_of_one_kind_show_no_change_and_how_large_one_would_have_to_be() {
    let folder = Folder::step(100.0);
    let trend = parsed(&folder.threadbare("trend", "", &["--json"]));
    assert_eq!(trend["shown"], "no change shown");
    // The spread alone would show less than what counts.
    assert_eq!(trend["least_change"], 0.05);
    let said = answer(&folder.threadbare("trend", "", &[]), 0);
    assert!(said.contains("no change shown in 20 runs"), "{said}");
    assert!(said.contains("A difference of 5.00 % between"), "{said}");
    let said = answer(&folder.threadbare("trend", "", &["--magnitude", "0%"]), 0);
    assert!(said.contains("would have to differ by 2.5"), "{said}");
}

#[test]
fn too_few_runs_cannot_tell() {
    let folder = Folder::new();
    for day in 1..=5 {
        folder.run(&format!("{day}"), day, if day < 3 { 100.0 } else { 900.0 });
    }
    let said = answer(
        &folder.threadbare("trend", "", &["--quiet", "--fail-on-worse"]),
        0,
    );
    assert_eq!(
        said,
        "response p99: cannot tell: 5 runs, at least 6 needed\n"
    );
    let trend = parsed(&folder.threadbare("trend", "", &["--json"]));
    assert_eq!(trend["shown"], "cannot tell");
    assert_eq!(trend["changes"], json!([]));
}

/// A folder of a step, and runs in it that are no points.
fn mixed() -> Folder {
    let folder = Folder::step(123.0);
    folder.edited("plan", 3, 900.0, |header, _| {
        header["plan"]["load"]["connections"] = 9.into();
    });
    folder.edited("machine", 4, 900.0, |header, _| {
        header["machine"]["cores"] = 64.into();
    });
    folder.edited("invalid", 5, 900.0, |_, summary| {
        summary["measurement"]["validity"] = "invalid".into();
        summary["measurement"]["reasons"] = json!(["the generator was late"]);
    });
    folder.edited("incomplete", 6, 900.0, |_, summary| {
        summary["complete"] = false.into();
    });
    folder.edited("unreported", 7, 900.0, |_, summary| *summary = Value::Null);
    folder.edited("other-format", 8, 900.0, |header, _| {
        header["format"] = 2.into();
    });
    folder.edited("without", 9, 900.0, |_, summary| {
        summary["whole_run"]["response_ms"]["count"] = 9.into();
    });
    folder
}

#[test]
fn what_cannot_be_compared_is_left_out_with_its_reason() {
    let trend = parsed(&mixed().threadbare("trend", "", &["--json"]));
    assert_eq!(trend["points"].as_array().unwrap().len(), 20);
    assert_eq!(trend["changes"].as_array().unwrap().len(), 1);
    let left_out = trend["left_out"].as_array().unwrap().iter().map(|it| {
        let run = it["run"].as_str().unwrap().rsplit('/').next().unwrap();
        (
            run,
            it["why"].as_str().unwrap(),
            it["reason"].as_str().unwrap(),
        )
    });
    let left_out: Vec<_> = left_out.collect();
    let reasons = [
        ("plan", "plan", "its plan differs in `load`"),
        (
            "machine",
            "machine",
            "it is of another machine: 64 cores of AMD EPYC, 24 GiB",
        ),
        ("invalid", "invalid", "the generator was late"),
        (
            "incomplete",
            "incomplete",
            "it did not reach its planned end",
        ),
        ("unreported", "incomplete", "writes one"),
        ("other-format", "damaged", "is a run of format 2"),
        (
            "without",
            "no value",
            "9 values are too few, this percentile needs 299",
        ),
    ];
    assert_eq!(left_out.len(), reasons.len());
    for (run, why, reason) in reasons {
        let found = left_out.iter().find(|it| it.0 == run).unwrap();
        assert_eq!(found.1, why, "{run}");
        assert!(found.2.contains(reason), "{found:?}");
    }
}

#[test]
fn what_is_included_by_name_is_a_point() {
    let folder = mixed();
    for (which, points) in [
        ("plan", 21),
        ("machine", 21),
        ("invalid", 21),
        ("incomplete", 21),
        ("plan,machine,invalid,incomplete", 24),
    ] {
        let trend = parsed(&folder.threadbare("trend", "", &["--json", "--include", which]));
        assert_eq!(trend["points"].as_array().unwrap().len(), points, "{which}");
    }
    let refused = folder.threadbare("trend", "", &["--include", "damaged"]);
    assert_refused(
        &refused,
        &["it is one of: plan, machine, invalid, incomplete"],
    );
}

#[test]
fn seeds_titles_and_expectations_are_of_one_series_and_a_new_kernel_is_told() {
    let folder = Folder::new();
    for day in 1..=12 {
        folder.edited(
            &format!("{day:02}"),
            day,
            100.0 + (day % 3) as f64,
            |header, summary| {
                header["plan"]["seed"] = day.into();
                header["plan"]["title"] = format!("title {day}").into();
                header["plan"]["expectations"] = json!([]);
                if day > 6 {
                    header["machine"]["kernel"] = "Linux 7".into();
                    summary["whole_run"]["response_ms"]["p99"] = (150.0 + (day % 3) as f64).into();
                }
            },
        );
    }
    let trend = parsed(&folder.threadbare("trend", "", &["--json"]));
    assert_eq!(trend["left_out"], json!([]));
    let beside = trend["changes"][0]["beside"][0].as_str().unwrap();
    assert!(beside.starts_with("kernel Linux 6"), "{beside}");
    let said = answer(&folder.threadbare("trend", "", &[]), 0);
    assert!(said.contains("new in this run: kernel Linux 6"), "{said}");
}

#[test]
fn a_scenario_among_several_is_asked_for_by_name() {
    let folder = Folder::step(123.0);
    folder.edited("newest", 30, 100.0, |header, _| {
        header["plan"]["scenario"] = "another".into();
    });
    let trend = parsed(&folder.threadbare("trend", "", &["--json"]));
    assert_eq!(trend["scenario"], "another");
    assert_eq!(trend["shown"], "cannot tell");
    assert_eq!(
        trend["left_out"][0]["reason"],
        "it is of the scenario `missing-await`"
    );
    let of = |name: &str| folder.threadbare("trend", "", &["--json", "--scenario", name]);
    let trend = parsed(&of("missing-await"));
    assert_eq!(
        (&trend["shown"], &trend["left_out"]),
        (&json!("changed"), &json!([]))
    );
    assert_refused(
        &of("nothing"),
        &["no run of the scenario `nothing`", "threadbare runs"],
    );
}

#[test]
fn censored_recoveries_are_no_points_and_are_warned_of() {
    let folder = Folder::new();
    for day in 1..=8 {
        folder.edited(&format!("{day}"), day, 100.0, |_, summary| {
            let incident = &mut summary["incident"];
            incident["recovery_after_rollback_s"] = (30.0 + (day % 3) as f64).into();
            if day > 6 {
                incident["recovery_after_rollback_s"] = Value::Null;
                incident["recovery_after_rollback_censored_after_s"] = 40.0.into();
            }
        });
    }
    let figure = ["--figure", "recovery after rollback"];
    let said = answer(&folder.threadbare("trend", "", &figure), 0);
    for told in [
        "no change shown in 6 runs",
        "it is censored: > 40.0 s (no value)",
        "In 2 runs the figure is censored",
    ] {
        assert!(said.contains(told), "{told} in {said}");
    }
}

#[test]
fn ci_is_told_of_a_change_for_the_worse_while_it_is_new() {
    let folder = Folder::step(123.0);
    for (flag, code) in [
        ("--fail-on-worse", 99),
        ("--fail-on-worse=10", 99),
        ("--fail-on-worse=9", 0),
        ("--quiet", 0),
    ] {
        answer(&folder.threadbare("trend", "", &[flag]), code);
    }
    answer(
        &Folder::step(80.0).threadbare("trend", "", &["--fail-on-worse"]),
        0,
    );
}

#[test]
fn the_page_has_the_series_with_its_marks_and_hides_no_text() {
    let folder = Folder::step(123.0);
    folder.run("run-21 <script>", 21, 123.0);
    let page = folder.path("trend.html");
    for _ in 0..2 {
        answer(
            &folder.threadbare("trend", "", &["--html", &page.to_string_lossy()]),
            0,
        );
    }
    let text = fs::read_to_string(&page).unwrap();
    // Once for a screen, once for a telephone.
    assert_eq!(text.matches("class=\"value\" cx").count(), 2 * 21);
    assert_eq!(text.matches("class=\"change worse\"").count(), 2);
    assert_eq!(text.matches("class=\"mean\"").count(), 4);
    assert!(
        text.contains("default-src 'none'") && !text.contains("http://127"),
        "{text}"
    );
    assert!(!text.contains("<script>") && text.contains("run-21 &lt;script&gt;"));
    let refused = folder.threadbare("trend", "", &["--html", "/"]);
    assert_refused(&refused, &["does not name a file"]);
}

#[test]
fn wrong_usage_names_what_is_wrong_and_what_to_do() {
    let folder = Folder::step(100.0);
    fs::create_dir(folder.path("sweep")).unwrap();
    for (name, more, told) in [
        (
            "sweep",
            &[][..],
            &["sweep", "it is not a run, and none lies there"][..],
        ),
        ("nowhere", &[], &["nowhere", "No such file"]),
        ("none-*", &[], &["none-*", "none lies there"]),
        (
            "",
            &["--figure", "respnse p99"],
            &["there is no figure `respnse p99`; did you mean `response p99`?"],
        ),
        (
            "",
            &["--figure", "beauty"],
            &["there are: `recovery after rollback`"],
        ),
        (
            "",
            &["--figure", "response p99 in basline"],
            &[
                "no run has a value of `response p99 in basline`",
                "it has no phase `basline`; did you mean `baseline`?",
            ],
        ),
        (
            "",
            &["--figure", "time to detect in push"],
            &["is a figure of the whole run; leave out `in push`"],
        ),
        ("", &["--significance", "0.7"], &["it is a probability"]),
        ("", &["--window", "3"], &["4..=500"]),
    ] {
        assert_refused(&folder.threadbare("trend", name, more), told);
    }
}
