//! The answer of `threadbare load`: one table, in the order in which it is read.
//!
//! The headline is goodput, and where nothing succeeded it says so: a rate of
//! failures is never printed as throughput. Response time counts from the
//! intended start and service time from the send; they stand side by side,
//! since the difference between them is what a closed tool would hide.

use std::fmt::Write as _;

use super::failures as by_cause;
use super::figures::maybe;
use crate::analysis::{Findings, Latency, Limiter, Totals, Validity, load_rates, series};
use crate::plan::{Drive, Pacing};
use crate::record::{AttemptCounters, Histogram, OperationCounters, Record};
use crate::units::{Nanos, counted};

/// The percentiles shown, in per cent; the last is the largest value.
const SPECTRUM: [f64; 8] = [50.0, 75.0, 90.0, 95.0, 99.0, 99.9, 99.99, 100.0];
/// Columns at most.
const WIDTH: usize = 120;
/// Columns before what belongs to the line above.
const INDENT: usize = 16;

/// The table, with a newline at its end.
pub(crate) fn render(record: &Record, findings: &Findings) -> String {
    let totals = Totals::over(&series(record).buckets);
    [
        headline(record, &totals),
        spectrum(&totals),
        counts(&totals, findings),
        generator(record.header.plan.load.drive, findings, &totals),
    ]
    .concat()
}

/// The answer in one line, with a newline at its end.
pub(crate) fn line(record: &Record, findings: &Findings) -> String {
    let totals = Totals::over(&series(record).buckets);
    let headline = headline(record, &totals);
    let at = |quantile| {
        let response = totals.response.as_ref();
        maybe(response.and_then(|it| it.told_quantile(quantile)), duration)
    };
    let validity = match findings.measurement.validity {
        Validity::Valid => String::new(),
        Validity::Invalid => format!("; INVALID: {}", findings.measurement.reasons.join(" ")),
    };
    let (p50, p99) = (at(0.5), at(0.99));
    let headline = headline.trim_end().trim_end_matches('.');
    format!("{headline}; response time p50 {p50}, p99 {p99}{validity}\n")
}

fn headline(record: &Record, totals: &Totals) -> String {
    let OperationCounters {
        scheduled,
        succeeded,
        ..
    } = totals.operations;
    let seconds = record.load_end().as_secs_f64();
    let Some(share) = totals.succeeded_share() else {
        return "Nothing was sent.\n\n".into();
    };
    if succeeded == 0 {
        return format!(
            "NOTHING SUCCEEDED: none of {} in {seconds:.1} s; {}.\n\n",
            counted(scheduled, "operation"),
            worst(&totals.operations)
        );
    }
    let share = 100.0 * share;
    let Some(rates) = load_rates(record, &totals.operations) else {
        return format!(
            "{succeeded} of {scheduled} ({share:.2} %) operations succeeded in {:.0} ms: too \
             short for a rate\n\n",
            seconds * 1e3
        );
    };
    let all = rates.late.map_or_else(String::new, |(after, all)| {
        format!("; the last ended {after:.1} s later: {all:.1}/s overall")
    });
    format!(
        "{:.1} operations/s succeeded, {:.1}/s offered, over {seconds:.1} s: {succeeded} of \
         {scheduled} ({share:.2} %){all}\n\n",
        rates.goodput_per_s, rates.offered_per_s
    )
}

/// Every way in which operations ended without success, with how many did.
fn failures(operations: &OperationCounters) -> [(&'static str, u64); 11] {
    [
        ("server errors (5xx)", operations.failed_server_error),
        ("unexpected statuses", operations.failed_refused),
        ("wrongly allowed", operations.failed_wrongly_allowed),
        ("failed a check", operations.failed_check),
        ("connection failed", operations.failed_connection),
        ("not HTTP", operations.failed_protocol),
        ("timed out", operations.timed_out),
        ("missed the deadline", operations.missed_deadline),
        ("shed by the generator", operations.shed_by_backlog()),
        ("shed by the breaker", operations.shed_by_breaker),
        ("unfinished", operations.unfinished),
    ]
}

fn worst(operations: &OperationCounters) -> String {
    let ways = failures(operations).into_iter();
    let (way, count) = ways.max_by_key(|(_, count)| *count).unwrap_or_default();
    format!("{count} {way}")
}

fn spectrum(totals: &Totals) -> String {
    let mut text = format!(
        "  {:<10} {:>14} {:>14}\n",
        "latency", "response time", "service time"
    );
    let mut row = |name: &str, value: &dyn Fn(&Histogram) -> Option<Nanos>| {
        let [response, service] = [&totals.response, &totals.service]
            .map(|histogram| maybe(histogram.as_ref().and_then(value), duration));
        // Writing to a string cannot fail.
        let _ = writeln!(text, "  {name:<10} {response:>14} {service:>14}");
    };
    for percent in SPECTRUM {
        if percent < 100.0 {
            row(&format!("p{percent}"), &|it| {
                it.told_quantile(percent / 100.0)
            });
        } else {
            row("max", &Histogram::max);
        }
    }
    row("mean", &Histogram::mean);
    text.push_str(
        "  response time: of succeeded operations, from the intended start; service time: of \
         answered attempts, from the send\n\n",
    );
    text
}

/// Answers by class, each with its statuses where that says more than 200.
fn statuses(attempts: &AttemptCounters, findings: &Findings) -> String {
    let own = |class: u16| {
        let all = findings.exchanged.statuses.iter();
        let own = all.filter(move |it| it.status / 100 == class);
        own.map(|it| format!("{}: {}", it.status, it.count))
            .collect::<Vec<_>>()
    };
    let classes = [
        (2, attempts.status_2xx),
        (3, attempts.status_3xx),
        (4, attempts.status_4xx),
        (5, attempts.status_5xx),
    ];
    let told = classes.into_iter().map(|(class, count)| {
        let own = own(class);
        match own.as_slice() {
            [] => format!("{class}xx {count}"),
            [only] if only.starts_with("200:") => format!("{class}xx {count}"),
            own => format!("{class}xx {count} ({})", own.join(", ")),
        }
    });
    let unknown = (6..=9).flat_map(own);
    told.chain(unknown).collect::<Vec<_>>().join(", ")
}

/// What connecting, encryption and the first byte of an answer took, where connections
/// were made.
fn times(findings: &Findings) -> String {
    let mut text = String::new();
    let phase = findings.phases.first();
    let line = |name: &str, latency: Option<Latency>, about: &str| {
        let Some(latency) = latency else {
            return String::new();
        };
        let at = |ms: Option<f64>| maybe(ms, |ms| duration(Nanos::from_secs_f64(ms / 1e3)));
        let (p50, p99, max) = (at(latency.p50), at(latency.told_p99()), at(latency.max));
        format!("  {name:<13} p50 {p50}, p99 {p99}, max {max} ({about})\n")
    };
    if let Some(phase) = phase {
        text += &line("connect", phase.connect_ms, "until a connection was made");
        text += &line(
            "TLS",
            phase.tls_ms,
            "from then until encryption was agreed on",
        );
        text += &line(
            "first byte",
            phase.first_byte_ms,
            "of the answer, from the send",
        );
    }
    text
}

fn counts(totals: &Totals, findings: &Findings) -> String {
    let (attempts, generator) = (&totals.users, &totals.generator.counters);
    let statuses = statuses(attempts, findings);
    let mut text = format!("  statuses      {statuses}\n");
    let failed: Vec<String> = failures(&totals.operations)
        .into_iter()
        .filter(|(_, count)| *count > 0)
        .map(|(way, count)| format!("{way} {count}"))
        .collect();
    let failed = if failed.is_empty() {
        "none".into()
    } else {
        failed.join(", ")
    };
    let _ = writeln!(text, "  failures      {failed}");
    for line in by_cause::lines(findings, WIDTH - INDENT) {
        let _ = writeln!(text, "{:INDENT$}{line}", "");
    }
    if let Some(sentence) = findings.not_taken() {
        let _ = writeln!(text, "{:INDENT$}{sentence}", "");
    }
    let hedges = match attempts.hedges {
        0 => String::new(),
        hedges => format!(", {}", counted(hedges, "hedge")),
    };
    let _ = writeln!(
        text,
        "  attempts      {}, {}{hedges}, {} after a stale connection; {} opened",
        counted(attempts.first_tries, "first try"),
        counted(attempts.retries, "retry"),
        counted(attempts.resends, "resend"),
        counted(generator.connections_opened, "connection")
    );
    let _ = writeln!(
        text,
        "  bytes         {} sent, {} received",
        bytes(generator.sent_bytes),
        bytes(generator.received_bytes)
    );
    let waited = totals.pool_wait.as_ref();
    let waited = waited.and_then(|wait| wait.quantile(0.99));
    let _ = writeln!(
        text,
        "  conn. wait    p99 {} (time spent waiting for a free connection)",
        duration(waited.unwrap_or(Nanos::ZERO))
    );
    text + &times(findings)
}

fn generator(drive: Drive, findings: &Findings, totals: &Totals) -> String {
    let measurement = &findings.measurement;
    let mut text = String::new();
    let lag = measurement.send_lag_us;
    let told = |us: Option<f64>| maybe(us, |us| duration(Nanos::from_secs_f64(us / 1e6)));
    let pacing = match drive.pacing {
        _ if drive.closed.is_some() => "closed loop",
        Pacing::Precise => "precise",
        Pacing::Balanced => "balanced",
        Pacing::Thrifty => "thrifty: arrivals are due on ticks of 1 ms",
    };
    let _ = writeln!(
        text,
        "  send lag      p50 {}, p90 {}, p99 {}, max {} ({pacing})",
        told(lag.p50),
        told(lag.p90),
        told(lag.p99),
        told(lag.max)
    );
    let percent = |share| maybe(share, |share: f64| format!("{:.0} %", share * 100.0));
    let _ = writeln!(
        text,
        "  generator     {} busy, without a processor {} of the time, machine {} busy",
        percent(measurement.generator_busy),
        percent(measurement.generator_delayed),
        percent(measurement.machine_busy_max)
    );
    if drive.closed.is_some() && totals.operations.succeeded > 0 {
        let _ = writeln!(text, "  limited by    {}", limiter(measurement.limiter()));
    }
    let _ = match measurement.validity {
        Validity::Valid => writeln!(text, "  validity      valid"),
        Validity::Invalid => writeln!(
            text,
            "  validity      INVALID: {}",
            measurement.reasons.join(" ")
        ),
    };
    for warning in &findings.warnings {
        let _ = writeln!(text, "  warning       {warning}");
    }
    text
}

/// What a closed loop went as fast as.
const fn limiter(limiter: Limiter) -> &'static str {
    match limiter {
        Limiter::Generator => {
            "the generator: its threads were busy; add --threads, or take the figure as a lower \
             bound"
        }
        Limiter::Machine => {
            "this machine, perhaps: no processor was free, and what the generator waited for one \
             is in the times above"
        }
        Limiter::Target => "the target, or the number of connections",
    }
}

/// A duration with three significant digits in the unit that suits it.
fn duration(value: Nanos) -> String {
    scaled(value.0, ["ns", "µs", "ms", "s"])
}

/// Bytes, likewise.
fn bytes(value: u64) -> String {
    scaled(value, ["B", "kB", "MB", "GB"])
}

/// A number with three significant digits in the unit, of four that are a
/// thousand times each other, that suits it.
fn scaled(value: u64, units: [&str; 4]) -> String {
    let number = value as f64;
    let (number, unit) = match value {
        0..1_000 => return format!("{value} {}", units[0]),
        1_000..1_000_000 => (number / 1e3, units[1]),
        1_000_000..1_000_000_000 => (number / 1e6, units[2]),
        _ => (number / 1e9, units[3]),
    };
    let digits = match number {
        100.0.. => 0,
        10.0.. => 1,
        _ => 2,
    };
    format!("{number:.digits$} {unit}")
}
