//! Every format of the answer and of progress, on a made-up record of the
//! founding incident.

mod endings;
mod founding;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use threadbare::analysis::{
    Ending, Estimate, Findings, GaugeFigures, InferredCapacity, ProcessFigures, Validity, Verdict,
};
use threadbare::model::SourceName;
use threadbare::record::{Event, Observer, Outcome, Record};
use threadbare::report::{html, json, junit, markdown, text, write_all};
use threadbare::ui::{Lines, Live};
use threadbare::units::Nanos;

/// Text that tries to leave every format.
const HOSTILE: &str =
    "</script><script>alert(1)</script><!-- \u{1b}[31m `x` | [a](http://a.example) \"'&";

/// The findings of a run that was cut short, not trusted, and hostile.
fn worst() -> (Record, Findings) {
    let mut record = founding::record();
    let mut findings = founding::findings();
    findings.complete = false;
    findings.verdict = Verdict::Invalid;
    findings.measurement.validity = Validity::Invalid;
    findings.measurement.reasons = vec![HOSTILE.into()];
    findings.ending = Ending {
        reasons: vec![HOSTILE.into()],
        ..Ending::default()
    };
    HOSTILE.clone_into(&mut findings.command);
    for text in [
        &mut findings.title,
        &mut findings.claim,
        &mut findings.scenario,
        &mut findings.sentences[0],
        &mut findings.phases[1].name,
        &mut findings.actions[0].detail,
        &mut findings.expectations[0].that,
        &mut findings.machine.processor,
    ] {
        HOSTILE.clone_into(text);
    }
    findings.exhaustion[0].instance = HOSTILE.into();
    HOSTILE.clone_into(&mut findings.actions[1].what);
    HOSTILE.clone_into(&mut findings.expectations[1].observed);
    findings.warnings.push(HOSTILE.into());
    for expectation in &mut findings.expectations {
        expectation.passed = None;
    }
    let incident = &mut findings.incident;
    incident.recovered_s = None;
    incident.recovery_after_rollback_s = None;
    incident.recovery_after_rollback_censored_after_s = Some(40.2);
    incident.rollback_rejected_because = Some(HOSTILE.into());
    HOSTILE.clone_into(&mut record.header.plan.source);
    record.samples.edit(|samples| {
        for sample in samples {
            if sample.source == SourceName::Instance(1) {
                sample.source = HOSTILE.into();
            }
        }
    });
    record.events.push((
        Nanos::from_secs(60),
        Event::AlertFired {
            alert: HOSTILE.into(),
        },
    ));
    (record, findings)
}

#[test]
fn the_terminals_answer() {
    let directory = Path::new("reports/run-1");
    let answer = text::render(
        &founding::record(),
        &founding::findings(),
        Some(directory),
        false,
    );
    insta::assert_snapshot!(answer);
    assert!(answer.lines().all(|line| line.chars().count() <= 120));
}

#[test]
fn the_terminals_answer_at_its_worst() {
    let (record, findings) = worst();
    let plain = text::render(&record, &findings, None, false);
    assert!(!plain.contains('\u{1b}'), "nothing steers the terminal");
    let headline = plain
        .lines()
        .find(|line| line.contains("recovery after rollback"));
    assert!(headline.is_some_and(|line| line.contains("> 40.2 s  not reached")));
    assert!(plain.contains("INVALID") && plain.contains("Incomplete"));
    let coloured = text::render(&record, &findings, None, true);
    assert!(coloured.contains("\u{1b}[33mINVALID\u{1b}[0m"));
    assert!(!coloured.contains("\u{1b}[31m `x`"));
}

#[test]
fn the_postmortem() {
    insta::assert_snapshot!(markdown::render(
        &founding::record(),
        &founding::findings(),
        None
    ));
    let (record, findings) = worst();
    let draft = markdown::render(&record, &findings, None);
    // What is left once every escaped character is taken out.
    let mut rendered = String::new();
    let mut characters = draft.chars();
    while let Some(character) = characters.next() {
        if character == '\\' {
            characters.next();
        } else {
            rendered.push(character);
        }
    }
    assert!(draft.contains("script"));
    for active in ["<", "![", "](", "://", "`", "\u{1b}"] {
        assert!(!rendered.contains(active), "{active}");
    }
}

#[test]
fn the_build_servers_answer() {
    insta::assert_snapshot!(junit::render(&founding::findings()).unwrap());
    let (_, findings) = worst();
    let invalid = junit::render(&findings).unwrap();
    assert!(invalid.contains(r#"failures="0" errors="8""#), "{invalid}");
    assert!(!invalid.contains("<script"));
}

#[test]
fn the_summary_keeps_its_contract() {
    let text = json::render(&founding::findings()).unwrap();
    let summary: serde_json::Value = serde_json::from_str(&text).unwrap();
    for pointer in [
        "/format",
        "/scenario",
        "/measurement/send_lag_us/p99",
        "/conservation/missed_deadline",
        "/phases/0/queue_depth/max",
        "/phases/0/response_ms/p999",
        "/exhaustion/0/instance",
        "/incident/recovery_after_rollback_s",
        "/expectations/0/required",
    ] {
        let value = summary.pointer(pointer).unwrap();
        assert!(!value.is_null(), "{pointer}");
    }
    assert_eq!(summary["conservation"].as_object().unwrap().len(), 7);
    assert_eq!(summary["verdict"], "failed");
    let (_, censored) = worst();
    let summary: serde_json::Value =
        serde_json::from_str(&json::render(&censored).unwrap()).unwrap();
    let incident = &summary["incident"];
    assert!(incident["recovery_after_rollback_s"].is_null());
    assert_eq!(incident["recovery_after_rollback_censored_after_s"], 40.2);
}

#[test]
fn the_page_holds_everything_and_fetches_nothing() {
    let page = html::render(&founding::record(), &founding::findings(), None).unwrap();
    for loads in [
        "src=",
        "href=",
        "url(",
        "@import",
        "fetch(",
        "XMLHttpRequest",
        "WebSocket",
        "import(",
    ] {
        assert!(!page.contains(loads), "{loads}");
    }
    assert!(page.contains("default-src 'none'"));
    assert!(
        page.contains("Permission is hereby granted"),
        "uPlot's licence"
    );
    let data = data(&page);
    let charts = data["charts"].as_array().unwrap();
    for id in [
        "operations",
        "attempts",
        "workers",
        "queue",
        "latency",
        "processor",
    ] {
        assert!(page.contains(&format!("id=\"chart-{id}\"")), "{id}");
        let chart = charts.iter().find(|chart| chart["id"] == id).unwrap();
        let line = chart["lines"][0]["values"].as_array().unwrap();
        assert_eq!(line.len(), data["at_s"].as_array().unwrap().len());
        assert!(line.iter().any(|value| value.as_f64() > Some(0.0)), "{id}");
    }
    for id in ["response", "service", "wait"] {
        assert!(page.contains(&format!("id=\"spread-{id}\"")), "{id}");
    }
}

/// The page's data block, as a browser would read it.
fn data(page: &str) -> serde_json::Value {
    let (_, rest) = page
        .split_once("<script type=\"application/json\" id=\"data\">")
        .unwrap();
    let (data, _) = rest.split_once("</script>").unwrap();
    serde_json::from_str(data).unwrap()
}

#[test]
fn the_page_at_its_worst() {
    let (record, findings) = worst();
    let page = html::render(&record, &findings, None).unwrap();
    // Two scripts and the data: nobody else's.
    assert_eq!(page.matches("<script").count(), 3);
    assert_eq!(page.matches("</script").count(), 3);
    assert!(!page.contains("<!--"));
    assert!(page.contains("&#62; 40.2 s") || page.contains("&gt; 40.2 s"));
    assert!(page.contains("Incomplete:") && page.contains("Invalid measurement:"));
    assert!(data(&page).to_string().contains("<script>alert(1)"));
    keep("worst", &record, &findings);
}

/// The findings of the user's target.
fn observed() -> Findings {
    let mut findings = founding::findings();
    findings.phases.truncate(1);
    let phase = &mut findings.phases[0];
    phase.saturation = None;
    phase.saturation_inferred = Some(0.455);
    phase.gauges = vec![
        GaugeFigures {
            source: "puma".into(),
            readings: 36,
            failed: 2,
            busy: Some(3.5),
            busy_max: Some(4.0),
            workers: Some(4.0),
            saturation: Some(0.875),
            queue: Some(7.25),
            queue_max: Some(19.0),
            completed_per_s: None,
            workers_stated: false,
        },
        GaugeFigures {
            source: HOSTILE.into(),
            readings: 36,
            failed: 0,
            busy: None,
            busy_max: None,
            workers: Some(200.0),
            saturation: None,
            queue: None,
            queue_max: None,
            completed_per_s: None,
            workers_stated: true,
        },
    ];
    phase.processes = vec![ProcessFigures {
        source: "target".into(),
        readings: 36,
        processes: Some(5.0),
        threads: Some(9.5),
        threads_max: Some(12),
        threads_running: Some(0.5),
        threads_blocked: Some(0.0),
        processors: Some(0.31),
        memory_bytes_max: Some(150 << 20),
        files: Some(40.0),
        files_max: Some(44),
        listen_queue: Some(17.0),
        listen_queue_max: Some(36),
        failed: 0,
    }];
    let estimate = |value: f64| Estimate {
        value,
        low: value * 0.98,
        high: value * 1.02,
    };
    findings.inferred_capacity = Some(InferredCapacity {
        per_s: estimate(80.0),
        workers: Some(estimate(4.0)),
        service_ms: Some(50.2),
        buckets: 14,
        in_flight_min: 40.0,
        in_flight_max: 480.0,
        usl: None,
    });
    findings
}

#[test]
fn the_users_target_is_told_with_how_its_figures_are_known() {
    let findings = observed();
    let answer = text::render(&founding::record(), &findings, None, false);
    let begin = answer.find("The target’s own gauges").unwrap();
    let end = answer.find("\nIncident clock").unwrap();
    insta::assert_snapshot!(&answer[begin..end]);
    assert!(answer.lines().all(|line| line.chars().count() <= 120));
    let draft = markdown::render(&founding::record(), &findings, None);
    let page = html::render(&founding::record(), &findings, None).unwrap();
    for told in [&draft, &page] {
        for words in ["Point samples", "Not measured", "36", "200*", "78.4–81.6"] {
            assert!(
                told.contains(words) || told.contains(&words.replace('*', "\\*")),
                "{words}"
            );
        }
    }
    assert!(!page.contains("<script>alert") && !draft.contains("<script>alert"));
    // A fleet of our own has none of these tables.
    let own = text::render(&founding::record(), &founding::findings(), None, false);
    assert!(!own.contains("own gauges") && !own.contains("inferred"));
}

#[test]
fn the_files_are_private_and_replaced() {
    let (record, findings) = (founding::record(), founding::findings());
    let directory = keep("founding", &record, &findings);
    for name in ["report.html", "summary.json", "postmortem.md", "junit.xml"] {
        let file = fs::metadata(directory.join(name)).unwrap();
        assert_eq!(file.permissions().mode() & 0o777, 0o600, "{name}");
    }
    let path = write_all(&directory, &record, &findings, None).unwrap();
    assert_eq!(path, directory.join("report.html"));
    let nowhere = write_all(&directory.join("nowhere"), &record, &findings, None);
    assert!(nowhere.unwrap_err().to_string().contains("failed to write"));
}

/// Writes a run's files where a person can look at them after the test.
fn keep(name: &str, record: &Record, findings: &Findings) -> std::path::PathBuf {
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR"))
        .join("report")
        .join(name);
    fs::create_dir_all(&directory).unwrap();
    write_all(&directory, record, findings, None).unwrap();
    directory
}

/// Lets a view see the record in the order of time.
fn watch(view: &mut impl Observer, record: &Record) {
    let mut samples = record.samples.iter().peekable();
    for (at, event) in &record.events {
        while let Some(sample) = samples.next_if(|sample| sample.to <= *at) {
            view.sample(&sample);
        }
        view.event(*at, event);
    }
}

#[test]
fn progress_in_a_log() {
    let record = founding::record();
    let mut out = Vec::new();
    watch(&mut Lines::new(&mut out, &founding::plan()), &record);
    let text = String::from_utf8(out).unwrap();
    let seconds = text.lines().map(|line| line.split_once(" s").unwrap().0);
    let seconds: Vec<f64> = seconds.map(|text| text.trim().parse().unwrap()).collect();
    assert!(seconds.is_sorted(), "{text}");
    insta::assert_snapshot!(text);
}

#[test]
fn progress_on_a_terminal() {
    let record = founding::record();
    let mut out = Vec::new();
    watch(&mut Live::new(&mut out, &founding::plan(), 60), &record);
    let text = String::from_utf8(out).unwrap();
    let screen: Vec<&str> = text.split('\n').collect();
    // What happened scrolls away; the live line is gone at the end.
    assert!(
        screen[1].ends_with("applied: version 2 released"),
        "{}",
        screen[1]
    );
    assert_eq!(screen.last().unwrap().rsplit("\u{1b}[2K").next(), Some(""));
    for rewritten in text.split("\r\u{1b}[2K") {
        let live = rewritten.rsplit('\n').next().unwrap();
        assert!(live.chars().count() < 60, "{live}");
    }
}

#[test]
fn progress_lets_nothing_steer_the_terminal() {
    let mut out = Vec::new();
    let mut view = Lines::new(&mut out, &founding::plan());
    let outcome = Outcome::Failed {
        reason: HOSTILE.into(),
    };
    view.event(Nanos::ZERO, &Event::ActionEnded { entry: 0, outcome });
    drop(view);
    let text = String::from_utf8(out).unwrap();
    assert!(
        text.contains("\\u{1b}[31m") && !text.contains('\u{1b}'),
        "{text}"
    );
}
