//! The answer of `threadbare load`: one table, in the order in which it is read.
//!
//! The headline is goodput, and where nothing succeeded it says so: a rate of
//! failures is never printed as throughput. Response time counts from the
//! intended start and service time from the send; they stand side by side,
//! since the difference between them is what a closed tool would hide.

use std::fmt::Write as _;

use crate::analysis::{Findings, Limiter, Validity};
use crate::model::SourceName;
use crate::plan::Pacing;
use crate::record::{AttemptCounters, Counters, Histogram, Measure, OperationCounters, Record};
use crate::units::{Nanos, counted};

/// The percentiles shown, in percent.
const SPECTRUM: [f64; 8] = [50.0, 75.0, 90.0, 95.0, 99.0, 99.9, 99.99, 100.0];
/// Seconds and operations below which a rate says nothing.
const SHORTEST: f64 = 0.1;
const FEWEST: u64 = 10;
/// Share of a load's length past which its end is worth telling.
const LATE: f64 = 0.1;

/// What a record of a load alone holds.
#[derive(Debug, Default)]
struct Totals<'a> {
    operations: OperationCounters,
    attempts: AttemptCounters,
    opened: u64,
    sent_bytes: u64,
    received_bytes: u64,
    response: Option<&'a Histogram>,
    service: Option<&'a Histogram>,
    pool_wait: Option<&'a Histogram>,
    send_lag: Option<&'a Histogram>,
}

impl<'a> Totals<'a> {
    fn of(record: &'a Record) -> Self {
        let mut totals = Self::default();
        for sample in &record.samples {
            match sample.counters {
                Counters::Operations(counters) => {
                    totals.operations = counters;
                    totals.response = sample.histogram(Measure::Response);
                }
                Counters::Attempts(counters) if sample.source == SourceName::User => {
                    totals.attempts = counters;
                    totals.service = sample.histogram(Measure::Service);
                }
                Counters::Generator(counters) => {
                    totals.opened = counters.connections_opened;
                    totals.sent_bytes = counters.sent_bytes;
                    totals.received_bytes = counters.received_bytes;
                    totals.pool_wait = sample.histogram(Measure::PoolWait);
                    totals.send_lag = sample.histogram(Measure::SendLag);
                }
                _ => {}
            }
        }
        totals
    }
}

/// The table, with a newline at its end. `record` holds one sample for each source.
#[must_use]
pub fn render(record: &Record, findings: &Findings) -> String {
    let totals = Totals::of(record);
    let seconds = record.load_end().as_secs_f64();
    let mut text = String::new();
    // Writing to a string cannot fail.
    // Of an open loop, how long its operations went on after the last was due.
    let stopped = record.events.last().map_or(Nanos::ZERO, |(at, _)| *at);
    let after = match record.header.plan.load.drive.closed {
        None => stopped.saturating_sub(record.load_end()),
        Some(_) => Nanos::ZERO,
    };
    let _ = write!(text, "{}", headline(&totals, seconds, after));
    let _ = write!(text, "{}", spectrum(&totals));
    let _ = write!(text, "{}", counts(&totals));
    let _ = write!(text, "{}", generator(record, findings, &totals));
    text
}

fn headline(totals: &Totals, seconds: f64, after: Nanos) -> String {
    let operations = &totals.operations;
    let (scheduled, succeeded) = (operations.scheduled, operations.succeeded);
    let goodput = succeeded as f64 / seconds;
    let offered = scheduled as f64 / seconds;
    if scheduled == 0 {
        return "Nothing was sent.\n\n".into();
    }
    if succeeded == 0 {
        return format!(
            "NOTHING SUCCEEDED: none of {} in {seconds:.1} s; {}.\n\n",
            counted(scheduled, "operation"),
            worst(operations)
        );
    }
    let share = 100.0 * succeeded as f64 / scheduled as f64;
    if seconds < SHORTEST || scheduled < FEWEST {
        return format!(
            "{succeeded} of {scheduled} ({share:.2} %) operations succeeded in {:.0} ms: too \
             short for a rate\n\n",
            seconds * 1e3
        );
    }
    let after = after.as_secs_f64();
    let all = if after > LATE * seconds {
        format!(
            "; the last ended {after:.1} s later: {:.1}/s overall",
            succeeded as f64 / (seconds + after)
        )
    } else {
        String::new()
    };
    format!(
        "{goodput:.1} operations/s succeeded, {offered:.1}/s offered, over {seconds:.1} s: \
         {succeeded} of {scheduled} ({share:.2} %){all}\n\n"
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
        (
            "shed by the generator",
            operations.shed.saturating_sub(operations.shed_by_breaker),
        ),
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
    for percent in SPECTRUM {
        let at = |histogram: Option<&Histogram>| {
            let value = histogram.and_then(|histogram| {
                if percent < 100.0 {
                    histogram.quantile(percent / 100.0)
                } else {
                    histogram.max()
                }
            });
            value.map_or_else(|| "–".into(), duration)
        };
        let name = if percent < 100.0 {
            format!("p{percent}")
        } else {
            "max".into()
        };
        let (response, service) = (at(totals.response), at(totals.service));
        let _ = writeln!(text, "  {name:<10} {response:>14} {service:>14}");
    }
    let mean = |histogram: Option<&Histogram>| {
        let value = histogram.and_then(Histogram::mean);
        value.map_or_else(|| "–".into(), duration)
    };
    let (response, service) = (mean(totals.response), mean(totals.service));
    let _ = writeln!(text, "  {:<10} {response:>14} {service:>14}", "mean");
    text.push_str(
        "  response time: of succeeded operations, from the intended start; service time: of \
         answered attempts, from the send\n\n",
    );
    text
}

fn counts(totals: &Totals) -> String {
    let attempts = &totals.attempts;
    let classes = [
        (2, attempts.status_2xx),
        (3, attempts.status_3xx),
        (4, attempts.status_4xx),
        (5, attempts.status_5xx),
    ];
    let statuses: Vec<String> = classes
        .into_iter()
        .map(|(class, count)| {
            let own = attempts.statuses().filter(|(it, _)| it / 100 == class);
            let own: Vec<_> = own.map(|(it, count)| format!("{it}: {count}")).collect();
            if own.is_empty() {
                format!("{class}xx {count}")
            } else {
                format!("{class}xx {count} ({})", own.join(", "))
            }
        })
        .collect();
    let mut text = format!("  statuses      {}\n", statuses.join(", "));
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
        counted(totals.opened, "connection")
    );
    let _ = writeln!(
        text,
        "  bytes         {} sent, {} received",
        bytes(totals.sent_bytes),
        bytes(totals.received_bytes)
    );
    let waited = totals.pool_wait.and_then(|wait| wait.quantile(0.99));
    let waited = waited.unwrap_or(Nanos::ZERO);
    let _ = writeln!(
        text,
        "  conn. wait    p99 {} (time spent waiting for a free connection)",
        duration(waited)
    );
    text
}

fn generator(record: &Record, findings: &Findings, totals: &Totals) -> String {
    let drive = record.header.plan.load.drive;
    let measurement = &findings.measurement;
    let mut text = String::new();
    let at = |quantile| {
        let value = totals.send_lag.and_then(|lag| lag.quantile(quantile));
        value.map_or_else(|| "–".into(), duration)
    };
    let pacing = match drive.pacing {
        _ if drive.closed.is_some() => "closed loop",
        Pacing::Precise => "precise",
        Pacing::Balanced => "balanced",
        Pacing::Thrifty => "thrifty: arrivals are due on ticks of 1 ms",
    };
    let _ = writeln!(
        text,
        "  send lag      p50 {}, p90 {}, p99 {}, max {} ({pacing})",
        at(0.5),
        at(0.9),
        at(0.99),
        at(1.0)
    );
    let percent = |share: Option<f64>| {
        share.map_or_else(|| "–".into(), |share| format!("{:.0} %", share * 100.0))
    };
    let _ = writeln!(
        text,
        "  generator     {} busy, machine {} busy",
        percent(measurement.generator_busy),
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
        Limiter::Machine => "possibly this machine: no CPU was free",
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
