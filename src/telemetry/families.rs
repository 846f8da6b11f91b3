//! The metrics of a run: its totals under the names that dashboards know.
//!
//! Names and units stay as they are, since other people's queries hold them
//! (`docs/OBSERVABILITY.md` has the table, which a test compares). Counters count from the
//! start of the load, warm-up included, as `conservation` in `summary.json` does.

use super::family::{Family, seconds};
use super::sums::{AttemptSums, Sums, TrafficClass};
use super::totals::{RunStage, Serving, Totals};
use crate::analysis::{Findings, Validity, Verdict};
use crate::record::{Histogram, Measure};

/// The metrics of a run, in the order of the page.
pub fn families(totals: &Totals) -> Vec<Family> {
    let sums = &totals.sums;
    let mut all = standing(totals);
    all.extend(operations(sums));
    all.extend(attempts(totals));
    all.extend(durations(sums));
    all.extend(generator(totals));
    all.extend(machine(sums));
    all.extend(serving(totals));
    all.extend(happened(totals));
    all.extend(found(totals.findings.as_deref()));
    all
}

/// Which run it is, and where it stands.
fn standing(totals: &Totals) -> Vec<Family> {
    let plan = totals.plan();
    let seed = plan.seed.to_string();
    let about = [
        ("scenario", plan.scenario.as_str()),
        ("seed", seed.as_str()),
        ("version", env!("CARGO_PKG_VERSION")),
    ];
    let mut state = Family::gauge(
        "threadbare_state",
        "1",
        "How far the run is: 1 for what it is in, 0 for the rest.",
    );
    for (stage, word) in RunStage::ALL {
        let here = u64::from(stage == totals.stage);
        state.add(&[("state", word)], here);
    }
    let mut phase = Family::gauge(
        "threadbare_phase",
        "1",
        "The phase that goes on, with value 1.",
    );
    let under_way = matches!(totals.stage, RunStage::Load | RunStage::Draining);
    if let Some(name) = totals.phase().filter(|_| under_way) {
        phase.add(&[("phase", name)], 1_u64);
    }
    let mut began = Family::gauge(
        "threadbare_load_start_time_seconds",
        "s",
        "When the load began, in seconds since 1970.",
    );
    if let Some(zero) = totals.zero.ms() {
        began.add(&[], zero as f64 / 1e3);
    }
    let info = Family::gauge("threadbare_run_info", "1", "Which run it is, with value 1.");
    vec![info.with(&about, 1_u64), state, phase, began]
}

fn operations(sums: &Sums) -> Vec<Family> {
    let counters = &sums.operations;
    let mut ended = Family::counter(
        "threadbare_operations_total",
        "{operation}",
        "Operations by outcome. An interval of intended starts is counted once all of its \
         operations have ended.",
    );
    for (outcome, count) in [
        ("succeeded", counters.succeeded),
        ("failed", counters.failed()),
        ("timed_out", counters.timed_out),
        ("missed_deadline", counters.missed_deadline),
        ("shed", counters.shed),
        ("unfinished", counters.unfinished),
    ] {
        ended.add(&[("outcome", outcome)], count);
    }
    let mut failed = Family::counter(
        "threadbare_operations_failed_total",
        "{operation}",
        "Operations with the outcome failed, by the reason.",
    );
    for (reason, count) in [
        ("server_error", counters.failed_server_error),
        ("refused", counters.failed_refused),
        ("wrongly_allowed", counters.failed_wrongly_allowed),
        ("check", counters.failed_check),
        ("connection", counters.failed_connection),
        ("protocol", counters.failed_protocol),
    ] {
        failed.add(&[("reason", reason)], count);
    }
    let users = sums.of_class(TrafficClass::User).attempts;
    let mut by_instant = Family::counter(
        "threadbare_operations_ended_total",
        "{operation}",
        "Operations that ended, counted at the instant at which they did: what to watch while \
         a run goes on.",
    );
    by_instant.add(&[("result", "success")], users.ended_well);
    by_instant.add(&[("result", "failure")], users.ended_badly);
    let scheduled = Family::counter(
        "threadbare_operations_scheduled_total",
        "{operation}",
        "Operations that were due: the offered load.",
    );
    vec![
        scheduled.with(&[], sums.generator.scheduled),
        ended,
        failed,
        by_instant,
    ]
}

fn attempts(totals: &Totals) -> Vec<Family> {
    let attempt = |name, help| Family::counter(name, "{attempt}", help);
    let mut started = attempt(
        "threadbare_attempts_started_total",
        "HTTP requests that started, by which try they were.",
    );
    let mut ended = attempt(
        "threadbare_attempts_total",
        "HTTP requests that ended, by how they did.",
    );
    let mut responses = Family::counter(
        "threadbare_responses_total",
        "{response}",
        "Responses by status code; `other` beyond the first sixteen codes.",
    );
    let mut failures = attempt(
        "threadbare_attempt_failures_total",
        "HTTP requests that failed, by cause.",
    );
    let mut in_flight = Family::gauge(
        "threadbare_attempts_in_flight",
        "{attempt}",
        "HTTP requests under way at the end of the last interval.",
    );
    for class in TrafficClass::ALL {
        let sums = totals.sums.of_class(class);
        let word = class.word();
        for (kind, count) in kinds(&sums) {
            started.add(&[("class", word), ("kind", kind)], count);
        }
        for (outcome, count) in outcomes(&sums) {
            ended.add(&[("class", word), ("outcome", outcome)], count);
        }
        for (status, count) in sums.statuses.each() {
            let code = status.to_string();
            responses.add(&[("class", word), ("code", code.as_str())], count);
        }
        if sums.statuses.others() > 0 {
            let labels = [("class", word), ("code", "other")];
            responses.add(&labels, sums.statuses.others());
        }
        for (cause, count) in sums.failures.iter() {
            failures.add(&[("class", word), ("cause", cause.word())], count);
        }
        let level = totals.in_flight.get(&class).copied().unwrap_or_default();
        in_flight.add(&[("class", word)], level.get());
    }
    vec![started, ended, responses, failures, in_flight]
}

fn kinds(sums: &AttemptSums) -> [(&'static str, u64); 4] {
    let counters = &sums.attempts;
    [
        ("first_try", counters.first_tries),
        ("retry", counters.retries),
        ("hedge", counters.hedges),
        ("resend", counters.resends),
    ]
}

fn outcomes(sums: &AttemptSums) -> [(&'static str, u64); 6] {
    let counters = &sums.attempts;
    [
        ("response", counters.responses),
        ("timeout", counters.timeouts),
        ("connection_error", counters.connection_errors),
        ("protocol_error", counters.protocol_errors),
        ("cancelled", counters.cancelled),
        ("unfinished", counters.unfinished),
    ]
}

fn durations(sums: &Sums) -> Vec<Family> {
    let empty = Histogram::small();
    let of = |measure, class| sums.durations_of(measure, class).unwrap_or(&empty);
    let response = Family::histogram(
        "threadbare_operation_duration_seconds",
        "Response time of operations, from their intended start; of those that did not succeed, \
         how long they were waited for.",
    )
    .with(&[("result", "success")], of(Measure::Response, None))
    .with(&[("result", "failure")], of(Measure::Unserved, None));
    let mut service = Family::histogram(
        "threadbare_attempt_duration_seconds",
        "Service time of HTTP requests that were answered, from their send.",
    );
    for class in TrafficClass::ALL {
        let histogram = of(Measure::Service, Some(class));
        service.add(&[("class", class.word())], histogram);
    }
    let mut all = vec![response, service];
    for (measure, name, help) in [
        (
            Measure::SendLag,
            "threadbare_send_lag_seconds",
            "How late first tries were sent: the generator's own error.",
        ),
        (
            Measure::PoolWait,
            "threadbare_connection_wait_seconds",
            "How long operations waited for a free connection.",
        ),
        (
            Measure::Connect,
            "threadbare_connect_seconds",
            "How long connections took to be made.",
        ),
        (
            Measure::TlsHandshake,
            "threadbare_tls_handshake_seconds",
            "How long the two sides took to agree on encryption.",
        ),
        (
            Measure::FirstByte,
            "threadbare_first_byte_seconds",
            "From the send of users' requests to the first byte of their answers.",
        ),
        (
            Measure::QueueWait,
            "threadbare_queue_wait_seconds",
            "How long jobs of the built-in fleet waited for a worker.",
        ),
    ] {
        let mut family = Family::histogram(name, help);
        // The lag is there from the start, what a target may not have only once it is measured.
        let always = matches!(measure, Measure::SendLag | Measure::PoolWait);
        let measured = sums.durations_of(measure, None);
        if let Some(histogram) = measured.or_else(|| always.then_some(&empty)) {
            family.add(&[], histogram);
        }
        all.push(family);
    }
    all
}

fn generator(totals: &Totals) -> Vec<Family> {
    let counters = &totals.sums.generator;
    let time = |name, help, nanos| Family::counter(name, "s", help).with(&[], seconds(nanos));
    let bytes = |name, help, count: u64| Family::counter(name, "By", help).with(&[], count);
    let level = |name, unit, help, count: u64| Family::gauge(name, unit, help).with(&[], count);
    vec![
        bytes(
            "threadbare_sent_bytes_total",
            "Bytes handed to the kernel, before encryption.",
            counters.sent_bytes,
        ),
        bytes(
            "threadbare_received_bytes_total",
            "Bytes taken from the kernel, likewise.",
            counters.received_bytes,
        ),
        Family::counter(
            "threadbare_connections_opened_total",
            "{connection}",
            "Connections opened.",
        )
        .with(&[], counters.connections_opened),
        level(
            "threadbare_connections_open",
            "{connection}",
            "Connections open at the end of the last interval.",
            totals.connections.get(),
        ),
        level(
            "threadbare_operations_waiting_max",
            "{operation}",
            "Most operations that waited for a connection at a time in the last interval.",
            totals.backlog.get(),
        ),
        time(
            "threadbare_generator_cpu_seconds_total",
            "CPU time of the generator's threads, deliberate spinning not counted.",
            counters.cpu_ns,
        ),
        time(
            "threadbare_generator_spin_seconds_total",
            "Time that the generator's threads spun on purpose.",
            counters.spin_ns,
        ),
        time(
            "threadbare_generator_delayed_seconds_total",
            "Time that the generator's threads were ready to run and had no CPU.",
            counters.delayed_ns,
        ),
    ]
}

fn machine(sums: &Sums) -> Vec<Family> {
    let counters = &sums.machine;
    let used = counters.busy_ns.saturating_add(counters.steal_ns);
    let mut cpu = Family::counter(
        "threadbare_machine_cpu_seconds_total",
        "s",
        "CPU time of the generator's machine: used by anything, stolen by the hypervisor, and \
         idle.",
    );
    for (mode, nanos) in [
        ("busy", counters.busy_ns),
        ("steal", counters.steal_ns),
        ("idle", counters.total_ns.saturating_sub(used)),
    ] {
        cpu.add(&[("mode", mode)], seconds(nanos));
    }
    vec![cpu]
}

/// The fleet's workers and queues, and those of a target that publishes them.
fn serving(totals: &Totals) -> Vec<Family> {
    let mut workers = Family::gauge("threadbare_workers", "{worker}", "Workers that serve.");
    let mut busy = Family::gauge(
        "threadbare_workers_busy",
        "{worker}",
        "Busy workers: of the built-in fleet on average over the last interval, of a target's \
         own gauges as it published them.",
    );
    let mut queue = Family::gauge(
        "threadbare_queue_depth",
        "{job}",
        "Jobs that waited for a worker, likewise.",
    );
    for (source, serving) in totals.serving() {
        let source = source.to_string();
        let labels = [("source", source.as_str())];
        let Serving {
            workers: all,
            busy: busy_workers,
            queue: waiting,
            ..
        } = serving;
        let told = [
            (&mut workers, all),
            (&mut busy, busy_workers),
            (&mut queue, waiting),
        ];
        for (family, value) in told {
            if let Some(value) = value {
                family.add(&labels, *value);
            }
        }
    }
    vec![workers, busy, queue]
}

/// What was done, and what fired.
fn happened(totals: &Totals) -> Vec<Family> {
    let mut actions = Family::counter(
        "threadbare_actions_total",
        "{action}",
        "Actions that ended, by name and outcome.",
    );
    for ((action, outcome), count) in &totals.actions {
        actions.add(&[("action", *action), ("outcome", *outcome)], *count);
    }
    let mut firing = Family::gauge(
        "threadbare_alert_firing",
        "1",
        "Whether an alert of the scenario fires, once it has fired.",
    );
    for (alert, fires) in &totals.alerts {
        firing.add(&[("alert", alert.as_str())], u64::from(*fires));
    }
    vec![actions, firing]
}

/// What was found in the end: until then without a point.
fn found(findings: Option<&Findings>) -> Vec<Family> {
    let mut verdict = Family::gauge(
        "threadbare_verdict",
        "1",
        "The verdict of the run, with value 1; once it has ended.",
    );
    let mut valid = Family::gauge(
        "threadbare_measurement_valid",
        "1",
        "Whether the measurement is valid; once the run has ended.",
    );
    let mut expectations = Family::gauge(
        "threadbare_expectations",
        "{expectation}",
        "What the run was expected to show, by the result; once it has ended.",
    );
    let mut instants = Family::gauge(
        "threadbare_incident_seconds",
        "s",
        "The incident's clock, in seconds since the load began; once the run has ended.",
    );
    if let Some(findings) = findings {
        verdict.add(&[("verdict", verdict_word(findings.verdict))], 1_u64);
        let is_valid = findings.measurement.validity == Validity::Valid;
        valid.add(&[], u64::from(is_valid));
        for (result, passed) in [
            ("passed", Some(true)),
            ("failed", Some(false)),
            ("not_measured", None),
        ] {
            let all = findings.expectations.iter();
            let count = all.filter(|it| it.passed == passed).count() as u64;
            expectations.add(&[("result", result)], count);
        }
        for (what, at) in clock(findings) {
            if let Some(at) = at {
                instants.add(&[("instant", what)], at);
            }
        }
    }
    vec![verdict, valid, expectations, instants]
}

const fn verdict_word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Passed => "passed",
        Verdict::Failed => "failed",
        Verdict::Invalid => "invalid",
    }
}

fn clock(findings: &Findings) -> [(&'static str, Option<f64>); 5] {
    let incident = &findings.incident;
    [
        ("impact", incident.impact_s),
        ("detected", incident.detected_s),
        ("trigger_off", incident.trigger_off_s),
        ("mitigated", incident.mitigated_s),
        ("recovered", incident.recovered_s),
    ]
}
