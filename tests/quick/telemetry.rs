//! A run as metrics, as OTLP and as annotations, without a socket: the numbers are those of
//! the findings, the names are those of the documents and of the dashboard.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::number_data_point::Value as Number;
use regex::Regex;
use serde_json::Value;
use threadbare::analysis::{self, Findings};
use threadbare::model::SourceName;
use threadbare::plan::Plan;
use threadbare::record::{Counters, Event, Histogram, Measure, Record};
use threadbare::scenario;
use threadbare::telemetry::{
    Annotation, Annotator, BOUNDS_S, Family, MetricKind, Origin, Point, PointValue, RunTrace,
    Totals, families, metrics_request, page, trace_request,
};

use crate::documented::documented;
use crate::simulated::simulated;

/// A push that is taken back, in half a minute of virtual time.
const INCIDENT: &str = r#"
title = "a push"
claim = "service is back after the rollback"
end = "40s"
warm_up = "2s"
interval = "500ms"
[target.fleet]
instances = 2
workers = 2
users = 30
boot = "0s"
[load]
rate = "40/s"
mix = [{ weight = 1, request = "list tasks", role = "contributor" }]
client = { timeout = "2s", retries = 1 }
[[timeline]]
at = "8s"
do = "slow"
part = "database"
factor = 40
phase = "slow"
[[timeline]]
at = "16s"
do = "slow"
part = "database"
factor = 1
phase = "back"
"#;

/// When the load of these runs began, in milliseconds since 1970.
const ZERO_MS: u64 = 1_795_384_870_000;

fn record() -> Record {
    let mut plan = scenario::parse("push", "push.toml", INCIDENT).unwrap();
    plan.seed = 3;
    simulated(plan)
}

/// What a view is told of a record, in the order of time.
fn totals(record: &Record) -> Totals {
    let mut totals = Totals::new(&record.header.plan);
    for (at, event) in &record.events {
        totals.event(*at, event, ZERO_MS + at.0 / 1_000_000);
    }
    for sample in &record.samples {
        totals.sample(&sample);
    }
    totals
}

fn ended(record: &Record, findings: &Findings) -> Vec<Family> {
    let mut totals = totals(record);
    totals.settle(record, findings);
    families(&totals)
}

/// The value of a point by its labels, `name{a=b}`.
fn values(families: &[Family]) -> BTreeMap<String, f64> {
    let mut values = BTreeMap::new();
    for family in families {
        for Point { labels, value } in &family.points {
            let labels = labels.iter().map(|(name, value)| format!("{name}={value}"));
            let name = format!(
                "{}{{{}}}",
                family.name,
                labels.collect::<Vec<_>>().join(",")
            );
            let value = match value {
                PointValue::Whole(value) => *value as f64,
                PointValue::Real(value) => *value,
                PointValue::Durations(buckets) => buckets.count as f64,
            };
            assert!(values.insert(name.clone(), value).is_none(), "{name} twice");
        }
    }
    values
}

/// What must be equal: a point, and a figure of the summary.
fn equal(summary: &Value) -> Vec<(String, f64)> {
    let conservation = &summary["conservation"];
    let mut all: Vec<_> = [
        "succeeded",
        "failed",
        "timed_out",
        "missed_deadline",
        "shed",
        "unfinished",
    ]
    .into_iter()
    .map(|outcome| {
        let point = format!("threadbare_operations_total{{outcome={outcome}}}");
        (point, conservation[outcome].as_f64().unwrap())
    })
    .collect();
    let scheduled = conservation["scheduled"].as_f64().unwrap();
    all.push(("threadbare_operations_scheduled_total{}".into(), scheduled));
    let succeeded = conservation["succeeded"].as_f64().unwrap();
    let point = "threadbare_operation_duration_seconds{result=success}";
    all.push((point.into(), succeeded));
    for status in summary["exchanged"]["statuses"].as_array().unwrap() {
        let code = &status["status"];
        let point = format!("threadbare_responses_total{{class=user,code={code}}}");
        all.push((point, status["count"].as_f64().unwrap()));
    }
    all
}

#[test]
fn the_last_page_is_what_the_summary_has() {
    let record = record();
    let findings = analysis::findings(&record);
    let summary: Value = serde_json::to_value(&findings).unwrap();
    let families = ended(&record, &findings);
    let values = values(&families);
    for (point, expected) in equal(&summary) {
        assert!(expected < 1e9);
        let value = values.get(&point).copied();
        assert_eq!(value, Some(expected), "{point}");
    }
    for (point, expected) in [
        ("threadbare_state{state=ended}", 1.0),
        ("threadbare_state{state=load}", 0.0),
        ("threadbare_actions_total{action=slow,outcome=applied}", 2.0),
    ] {
        assert_eq!(values.get(point), Some(&expected), "{point}");
    }
    assert!(values["threadbare_operations_total{outcome=succeeded}"] > 1_000.0);
}

#[test]
fn what_a_view_missed_is_made_good_from_the_record() {
    let record = record();
    let findings = analysis::findings(&record);
    let whole = values(&ended(&record, &findings));
    // A view that was told nothing of the samples.
    let mut totals = Totals::new(&record.header.plan);
    totals.settle(&record, &findings);
    let late = values(&families(&totals));
    for (point, value) in &whole {
        if point.contains("_total{") {
            assert_eq!(late.get(point), Some(value), "{point}");
        }
    }
}

#[test]
fn what_a_view_tells_after_the_record_is_not_counted_twice() {
    let record = record();
    let findings = analysis::findings(&record);
    let mut totals = totals(&record);
    totals.settle(&record, &findings);
    let settled = page(&families(&totals));
    for sample in &record.samples {
        totals.sample(&sample);
    }
    for (at, event) in &record.events {
        totals.event(*at, event, ZERO_MS + at.0 / 1_000_000);
    }
    assert_eq!(page(&families(&totals)), settled);
    // Whoever served is gone, and with it what was read of it.
    assert!(!settled.contains("threadbare_workers"), "{settled}");
}

#[test]
fn while_it_goes_on_the_page_has_no_last_word_and_only_grows() {
    let record = record();
    let mut totals = Totals::new(&record.header.plan);
    let mut before = BTreeMap::new();
    for (at, event) in record.events.iter().take(1) {
        totals.event(*at, event, ZERO_MS);
    }
    for (place, sample) in record.samples.iter().enumerate() {
        totals.sample(&sample);
        if place % 50 == 0 {
            let families = families(&totals);
            let counters = families.iter().filter(|it| it.kind != MetricKind::Gauge);
            let now = values(&counters.cloned().collect::<Vec<_>>());
            for (point, value) in &before {
                assert!(now[point] >= *value, "{point} went back");
            }
            before = now;
        }
    }
    let text = page(&families(&totals));
    assert!(!text.contains("threadbare_verdict"), "{text}");
}

#[test]
fn a_page_has_each_name_once_and_each_line_is_a_sample() {
    let record = record();
    let findings = analysis::findings(&record);
    let text = page(&ended(&record, &findings));
    let sample = Regex::new(
        r#"^[a-z_]+(\{[a-z]+="([^"\\\n]|\\.)*"(,[a-z]+="([^"\\\n]|\\.)*")*\})? [0-9.eE+-]+$"#,
    )
    .unwrap();
    let mut seen = BTreeSet::new();
    for line in text.lines() {
        if line.starts_with("# HELP ") {
            continue;
        }
        if let Some(name) = line.strip_prefix("# TYPE ") {
            assert!(seen.insert(name.to_owned()), "{name} twice");
            continue;
        }
        assert!(sample.is_match(line), "{line}");
    }
    assert!(
        text.contains("threadbare_run_info{scenario=\"push\",seed=\"3\","),
        "{text}"
    );
}

#[test]
fn a_bucket_has_what_the_record_has_up_to_its_end() {
    let record = record();
    let findings = analysis::findings(&record);
    let families = ended(&record, &findings);
    let mut family = families.iter();
    let family = family.find(|it| it.name == "threadbare_operation_duration_seconds");
    let mut points = family.unwrap().points.iter();
    let point = points.find(|it| it.labels == [("result", "success".to_owned())]);
    let PointValue::Durations(buckets) = &point.unwrap().value else {
        panic!("{point:?}");
    };
    let mut durations = Vec::new();
    for sample in &record.samples {
        let is_of_all = sample.source == SourceName::User;
        if is_of_all && matches!(sample.counters, Counters::Operations(_)) {
            let response = sample.histogram(Measure::Response);
            durations.extend(response.into_iter().flat_map(Histogram::buckets));
        }
    }
    let mut below = 0;
    for (bound, count) in BOUNDS_S.iter().zip(buckets.counts) {
        below += count;
        let up_to = durations
            .iter()
            .filter(|(it, _)| it.as_secs_f64() <= *bound);
        let expected: u64 = up_to.map(|(_, times)| times).sum();
        assert_eq!(below, expected, "up to {bound} s");
    }
    let all: u64 = durations.iter().map(|(_, times)| times).sum();
    assert_eq!((buckets.count, all > 1_000), (all, true));
    // The page has them as Prometheus reads them: each with those below it, the last with all.
    let text = page(&families);
    let begin = "threadbare_operation_duration_seconds_bucket{result=\"success\",le=\"";
    let mut ends = Vec::new();
    let mut counts: Vec<u64> = Vec::new();
    for line in text.lines().filter_map(|line| line.strip_prefix(begin)) {
        let (end, count) = line.split_once("\"} ").unwrap();
        ends.push(end);
        counts.push(count.parse().unwrap());
    }
    assert_eq!(ends.pop(), Some("+Inf"));
    assert_eq!(ends.len(), BOUNDS_S.len());
    for (end, bound) in ends.iter().zip(BOUNDS_S) {
        assert!((end.parse::<f64>().unwrap() / bound - 1.0).abs() < 1e-9);
    }
    assert!(counts.is_sorted());
    assert_eq!(counts.last(), Some(&buckets.count));
}

#[test]
fn names_are_by_the_conventions_of_prometheus() {
    for family in families(&Totals::new(&Plan::default())) {
        let name = family.name;
        assert!(name.starts_with("threadbare_"), "{name}");
        let is_counter = family.kind == MetricKind::Counter;
        assert_eq!(name.ends_with("_total"), is_counter, "{name}");
        let (unit, word) = match family.unit {
            "s" => (true, "_seconds"),
            "By" => (true, "_bytes"),
            _ => (false, "_seconds"),
        };
        assert_eq!(name.contains(word), unit, "{name} in {}", family.unit);
        assert!(family.help.ends_with('.'), "{name}: {}", family.help);
    }
}

#[test]
fn the_documents_have_every_metric() {
    let mut table = String::from("| metric | type | what it is |\n|---|---|---|\n");
    for family in families(&Totals::new(&Plan::default())) {
        let kind = match family.kind {
            MetricKind::Counter => "counter",
            MetricKind::Gauge => "gauge",
            MetricKind::Histogram => "histogram",
        };
        let _ = writeln!(table, "| `{}` | {kind} | {} |", family.name, family.help);
    }
    let again = "cargo test --test quick telemetry";
    documented("docs/OBSERVABILITY.md", "metrics", &table, again);
}

#[test]
fn every_query_of_the_dashboard_asks_for_metrics_that_there_are() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("dashboards/threadbare.json");
    let dashboard: Value = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    let known = families(&Totals::new(&Plan::default()));
    let mut known: BTreeSet<_> = known.iter().map(|family| family.name.to_owned()).collect();
    // Those of the proxies need proxies; the tests on servers ask for them.
    let page =
        fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/OBSERVABILITY.md"))
            .unwrap();
    let word = Regex::new("threadbare_[a-z_]+").unwrap();
    known.extend(word.find_iter(&page).map(|it| it.as_str().to_owned()));
    let mut asked = BTreeSet::new();
    for panel in dashboard["panels"].as_array().unwrap() {
        for target in panel["targets"].as_array().into_iter().flatten() {
            let query = target["expr"].as_str().unwrap();
            for name in word.find_iter(query) {
                let name = name.as_str().trim_end_matches("_bucket");
                assert!(known.contains(name), "{name} in {query}");
                asked.insert(name.to_owned());
            }
        }
    }
    // Every metric of a run has its place.
    for family in families(&Totals::new(&Plan::default())) {
        assert!(
            asked.contains(family.name),
            "no panel shows {}",
            family.name
        );
    }
}

fn origin() -> Origin {
    Origin {
        scenario: "push".into(),
        seed: 3,
        instance: "i".into(),
    }
}

#[test]
fn otlp_has_the_same_numbers_as_the_page() {
    let record = record();
    let findings = analysis::findings(&record);
    let families = ended(&record, &findings);
    let own = values(&families);
    let request = metrics_request(&origin(), &families, ZERO_MS, ZERO_MS + 40_000);
    let resource = &request.resource_metrics[0];
    let attributes = &resource.resource.as_ref().unwrap().attributes;
    assert!(attributes.iter().any(|it| it.key == "service.name"));
    let mut seen = 0;
    for metric in &resource.scope_metrics[0].metrics {
        let family = families.iter().find(|it| it.name == metric.name).unwrap();
        assert_eq!(
            (metric.unit.as_str(), metric.description.as_str()),
            (family.unit, family.help)
        );
        let labelled = |attributes: &[opentelemetry_proto::tonic::common::v1::KeyValue]| {
            let labels = attributes.iter().map(|it| {
                let value = format!("{:?}", it.value);
                let value = value.split('"').nth(1).unwrap_or_default().to_owned();
                format!("{}={value}", it.key)
            });
            format!(
                "{}{{{}}}",
                metric.name,
                labels.collect::<Vec<_>>().join(",")
            )
        };
        let numbers = match metric.data.as_ref().unwrap() {
            Data::Sum(sum) => {
                assert!(sum.is_monotonic && sum.aggregation_temporality == 2);
                &sum.data_points
            }
            Data::Gauge(gauge) => &gauge.data_points,
            Data::Histogram(histogram) => {
                for point in &histogram.data_points {
                    let sum: u64 = point.bucket_counts.iter().sum();
                    assert_eq!(sum, point.count);
                    assert_eq!(point.bucket_counts.len(), point.explicit_bounds.len() + 1);
                    let name = labelled(&point.attributes);
                    assert!((own[&name] - point.count as f64).abs() < 0.5, "{name}");
                    seen += 1;
                }
                continue;
            }
            other => panic!("{other:?}"),
        };
        for point in numbers {
            assert_eq!(point.time_unix_nano, (ZERO_MS + 40_000) * 1_000_000);
            assert_eq!(point.start_time_unix_nano, ZERO_MS * 1_000_000);
            let value = match point.value.unwrap() {
                Number::AsInt(value) => value as f64,
                Number::AsDouble(value) => value,
            };
            let name = labelled(&point.attributes);
            assert!((own[&name] - value).abs() < 1e-9, "{name}: {value}");
            seen += 1;
        }
    }
    assert_eq!(seen, own.len());
}

#[test]
fn the_run_is_a_trace_whose_spans_are_the_phases_and_whose_events_are_the_actions() {
    let record = record();
    let findings = analysis::findings(&record);
    let trace = RunTrace::new(3, ZERO_MS);
    let request = trace_request(&origin(), &trace, &findings);
    let spans = &request.resource_spans[0].scope_spans[0].spans;
    let (root, phases) = spans.split_first().unwrap();
    assert_eq!(phases.len(), findings.phases.len());
    assert!(root.parent_span_id.is_empty() && root.trace_id.len() == 16);
    let id = root.trace_id.as_slice().try_into().unwrap();
    assert_eq!(format!("{:032x}", u128::from_be_bytes(id)), trace.id());
    let ids: BTreeSet<_> = spans.iter().map(|span| span.span_id.clone()).collect();
    assert_eq!(ids.len(), spans.len());
    for (span, phase) in phases.iter().zip(&findings.phases) {
        assert_eq!(span.name, format!("phase {}", phase.name));
        assert_eq!(span.parent_span_id, root.span_id);
        assert_eq!(span.trace_id, root.trace_id);
        let begins = ZERO_MS as f64 / 1e3 + phase.from_s;
        assert!((span.start_time_unix_nano as f64 / 1e9 - begins).abs() < 1e-3);
        assert!(span.start_time_unix_nano >= root.start_time_unix_nano);
        assert!(span.end_time_unix_nano <= root.end_time_unix_nano);
    }
    let events = spans.iter().flat_map(|span| &span.events);
    let named: Vec<_> = events.map(|event| event.name.as_str()).collect();
    let done: Vec<_> = findings.actions.iter().map(|it| it.what.as_str()).collect();
    assert_eq!(named, done);
    // Another run with this seed is another trace.
    assert_ne!(RunTrace::new(3, ZERO_MS + 1).id(), trace.id());
}

#[test]
fn each_action_is_annotated_when_it_begins_and_as_a_stretch_when_it_has_ended() {
    let record = record();
    let findings = analysis::findings(&record);
    let mut annotator = Annotator::new(&record.header.plan, ZERO_MS);
    let mut all: Vec<Annotation> = Vec::new();
    for (at, event) in &record.events {
        let wall = ZERO_MS + at.0 / 1_000_000;
        all.extend(annotator.event(*at, event, wall));
    }
    let actions = record.events.iter();
    let actions = actions.filter(|(_, event)| matches!(event, Event::ActionStarted { .. }));
    let actions = actions.count();
    let tagged = |tag: &str| {
        let all = all.iter().filter(|it| it.tags.iter().any(|own| own == tag));
        all.collect::<Vec<_>>()
    };
    let (started, applied) = (tagged("started"), tagged("applied"));
    assert_eq!((started.len(), applied.len()), (actions, actions));
    for (begin, end) in started.iter().zip(&applied) {
        assert_eq!(begin.time_end, None);
        assert_eq!(begin.time, end.time);
        assert!(end.time_end >= Some(end.time));
        assert_eq!(begin.tags[..3], ["threadbare", "push", "action"]);
    }
    let last = annotator.findings(&findings);
    let phases = last
        .iter()
        .filter(|it| it.tags.contains(&"phase".to_owned()));
    assert_eq!(phases.count(), findings.phases.len());
    assert!(
        last.iter()
            .any(|it| it.tags.contains(&"verdict".to_owned()))
    );
    for annotation in all.iter().chain(&last) {
        let line = annotation.line();
        let read: Value = serde_json::from_str(&line).unwrap();
        assert!(read["time"].is_u64() && read["text"].is_string() && !line.contains('\n'));
    }
}
