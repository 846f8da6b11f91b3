//! A run as a trace: one span for the run, one below it for each phase, and what was done as
//! events on the phase in which it began.
//!
//! It is made of the findings once the run has ended, so that its phases are those of the
//! report to the bucket. A run that is killed has none; its metrics were sent until then.

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::trace::v1::span::{Event, SpanKind};
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status};
use rand::RngExt as _;

use super::{Origin, number, scope, shown, text, wall_nanos};
use crate::analysis::{ActionOutcome, Findings, Phase, Verdict};
use crate::rng;

/// The trace of a run.
#[derive(Debug, Clone, Copy)]
pub struct RunTrace {
    trace: [u8; 16],
    seed: u64,
    /// When the load began, in milliseconds since 1970.
    zero_wall_ms: u64,
}

impl RunTrace {
    /// A trace of its own for a run with this seed whose load begins at this instant.
    pub fn new(seed: u64, zero_wall_ms: u64) -> Self {
        // Two runs of one seed have two traces.
        let seed = seed.rotate_left(32) ^ zero_wall_ms ^ u64::from(std::process::id());
        let drawn: u128 = rng::stream(seed, "trace of the run").random();
        Self {
            trace: drawn.max(1).to_be_bytes(),
            seed,
            zero_wall_ms,
        }
    }

    /// Its id in hexadecimal digits, as tools ask for it.
    pub fn id(&self) -> String {
        format!("{:032x}", u128::from_be_bytes(self.trace))
    }

    fn span_id(&self, place: usize) -> Vec<u8> {
        let drawn: u64 = rng::stream(self.seed, &format!("span {place}")).random();
        drawn.max(1).to_be_bytes().to_vec()
    }

    /// An instant of the run, in seconds, on the wall clock.
    fn wall(&self, at_s: f64) -> u64 {
        let nanos = crate::units::Nanos::from_secs_f64(at_s).0;
        wall_nanos(self.zero_wall_ms).saturating_add(nanos)
    }
}

/// The trace of a run in which this was found.
pub fn trace_request(
    origin: &Origin,
    trace: &RunTrace,
    findings: &Findings,
) -> ExportTraceServiceRequest {
    let phases = &findings.phases;
    let root = trace.span_id(0);
    let to = phases.last().map_or(0.0, |phase| phase.to_s);
    let mut spans = vec![Span {
        name: format!("run {}", findings.scenario),
        span_id: root.clone(),
        start_time_unix_nano: trace.wall(0.0),
        end_time_unix_nano: trace.wall(to),
        attributes: vec![
            text("threadbare.scenario", &findings.scenario),
            text("threadbare.verdict", verdict(findings.verdict)),
            text("threadbare.incident", findings.incident.verdict.word()),
        ],
        events: before(trace, findings),
        status: Some(Status {
            code: match findings.verdict {
                Verdict::Passed => StatusCode::Ok,
                Verdict::Failed => StatusCode::Error,
                Verdict::Invalid => StatusCode::Unset,
            }
            .into(),
            message: match findings.verdict {
                Verdict::Failed => findings
                    .ending
                    .reasons
                    .first()
                    .map_or_else(String::new, |it| shown(it)),
                _ => String::new(),
            },
        }),
        ..bare(trace)
    }];
    for (place, phase) in phases.iter().enumerate() {
        spans.push(Span {
            name: format!("phase {}", phase.name),
            span_id: trace.span_id(place + 1),
            parent_span_id: root.clone(),
            start_time_unix_nano: trace.wall(phase.from_s),
            end_time_unix_nano: trace.wall(phase.to_s),
            attributes: figures(phase),
            events: events(trace, findings, phase),
            ..bare(trace)
        });
    }
    ExportTraceServiceRequest {
        resource_spans: vec![ResourceSpans {
            resource: Some(origin.resource()),
            scope_spans: vec![ScopeSpans {
                scope: Some(scope()),
                spans,
                ..ScopeSpans::default()
            }],
            ..ResourceSpans::default()
        }],
    }
}

fn bare(trace: &RunTrace) -> Span {
    Span {
        trace_id: trace.trace.to_vec(),
        kind: SpanKind::Internal.into(),
        ..Span::default()
    }
}

const fn verdict(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Passed => "passed",
        Verdict::Failed => "failed",
        Verdict::Invalid => "invalid",
    }
}

/// The figures of a phase that a reader of traces looks for.
fn figures(phase: &Phase) -> Vec<opentelemetry_proto::tonic::common::v1::KeyValue> {
    let given = [
        ("threadbare.offered_per_s", Some(phase.offered_per_s)),
        ("threadbare.goodput_per_s", Some(phase.goodput_per_s)),
        ("threadbare.error_share", phase.error_share),
        ("threadbare.response_p50_ms", phase.response_ms.p50),
        ("threadbare.response_p99_ms", phase.response_ms.p99),
        ("threadbare.saturation", phase.saturation),
    ];
    let mut all = vec![text("threadbare.phase", &phase.name)];
    let given = given.into_iter();
    all.extend(given.filter_map(|(key, value)| value.map(|value| number(key, value))));
    let slowest = phase.slowest.iter().map(|slow| slow.trace.as_str());
    let slowest: Vec<_> = slowest.collect();
    if !slowest.is_empty() {
        all.push(text("threadbare.slowest_traces", &slowest.join(" ")));
    }
    all
}

/// What was done before the first phase: in the warm-up.
fn before(trace: &RunTrace, findings: &Findings) -> Vec<Event> {
    let first = findings.phases.first().map_or(f64::MAX, |it| it.from_s);
    between(trace, findings, f64::MIN, first)
}

/// What was done in a phase; in the last, what came after it too.
fn events(trace: &RunTrace, findings: &Findings, phase: &Phase) -> Vec<Event> {
    let last = findings.phases.last().is_some_and(|last| {
        // Phases follow each other, so the later start is the last's.
        last.from_s <= phase.from_s
    });
    let to = if last { f64::MAX } else { phase.to_s };
    between(trace, findings, phase.from_s, to)
}

fn between(trace: &RunTrace, findings: &Findings, from_s: f64, to_s: f64) -> Vec<Event> {
    let actions = findings.actions.iter();
    let inside = actions.filter(|it| (from_s..to_s).contains(&it.at_s));
    inside
        .map(|action| {
            let mut attributes = vec![
                text("threadbare.action", action.action.word()),
                text("threadbare.detail", &action.detail),
            ];
            let outcome = action.outcome.map(outcome);
            attributes.extend(outcome.map(|word| text("threadbare.outcome", word)));
            let by = action.by.as_ref();
            attributes.extend(by.map(|by| text("threadbare.by", &by.name)));
            let ended = action.ended_s.map(|ended| ended - action.at_s);
            attributes.extend(ended.map(|it| number("threadbare.took_s", it)));
            Event {
                time_unix_nano: trace.wall(action.at_s),
                name: shown(&action.what),
                attributes,
                ..Event::default()
            }
        })
        .collect()
}

const fn outcome(outcome: ActionOutcome) -> &'static str {
    match outcome {
        ActionOutcome::Applied => "applied",
        ActionOutcome::Rejected => "rejected",
        ActionOutcome::Failed => "failed",
    }
}
