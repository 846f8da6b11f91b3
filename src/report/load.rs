//! The answer of `threadbare load`: one table, in the order in which it is read.
//!
//! The headline is goodput, and where nothing succeeded it says so: a rate of
//! failures is never printed as throughput. Response time counts from the
//! intended start and service time from the send; they stand side by side,
//! since the difference between them is what a closed tool would hide.

use std::fmt::Write as _;

use super::agents as by_agent;
use super::answer::{self, verdict_reason, verdict_word};
use super::failures as by_cause;
use super::figures::{MARK, NONE, maybe, percent};
use super::kinds as by_kind;
use super::observed::Table;
use super::steps as by_step;
use super::text::{Paint, table};
use super::traces;
use crate::analysis::{
    Findings, Latency, Limiter, OverAll, Totals, Validity, load_rates, over_all, series,
};
use crate::plan::{Drive, Pacing};
use crate::record::{AttemptCounters, Histogram, OperationCounters, Record, is_told, printable};
use crate::units::{Nanos, counted};

/// The percentiles shown, in per cent.
const SPECTRUM: [f64; 7] = [50.0, 75.0, 90.0, 95.0, 99.0, 99.9, 99.99];
/// Columns at most.
const WIDTH: usize = 120;
/// Columns before what belongs to the line above.
const INDENT: usize = 16;
/// What a star says.
const MARK_MEANS: &str = "*: more than a tenth of it is the generator's own lag, so it is not the \
                          target's";

/// The table, with a newline at its end.
pub(crate) fn render(record: &Record, findings: &Findings) -> String {
    let totals = Totals::over(&series(record).buckets);
    [
        headline(record, findings, &totals),
        spectrum(&totals),
        steps(findings),
        counts(&totals, findings),
        generator(record.header.plan.load.drive, findings, &totals),
        kinds(findings),
        slowest(findings),
        agents(findings),
        expectations(findings),
        verdict(findings),
    ]
    .concat()
}

/// The answer in one line, with a newline at its end.
pub(crate) fn line(record: &Record, findings: &Findings) -> String {
    let totals = Totals::over(&series(record).buckets);
    let headline = headline(record, findings, &totals);
    let at = |quantile| response(&totals, quantile);
    let validity = match findings.measurement.validity {
        Validity::Valid => String::new(),
        Validity::Invalid => format!("; INVALID: {}", findings.measurement.reasons.join(" ")),
    };
    let (p50, p99) = (at(0.5), at(0.99));
    let headline = headline.trim_end().trim_end_matches('.');
    let star = if p50.contains(MARK) || p99.contains(MARK) {
        format!(" ({MARK_MEANS})")
    } else {
        String::new()
    };
    let word = verdict_word(findings).to_uppercase();
    format!("{word}  {headline}; response time p50 {p50}, p99 {p99}{star}{validity}\n")
}

/// A percentile of the response time, with a star where it is not the target's alone.
fn response(totals: &Totals, quantile: f64) -> String {
    let value = |it: &Option<Histogram>| it.as_ref()?.told_quantile(quantile);
    maybe(value(&totals.response), |value| {
        let star = if totals.lags(quantile) { MARK } else { "" };
        format!("{}{star}", duration(value))
    })
}

/// The same over all operations, with `>` where it is longer than a time.
fn of_all(totals: &Totals, quantile: f64) -> String {
    if !is_told(quantile, totals.operations.scheduled) {
        return NONE.to_owned();
    }
    let star = |quantile| if totals.lags(quantile) { MARK } else { "" };
    let served = totals.succeeded_share().unwrap_or(1.0);
    maybe(over_all(totals, quantile), |value| match value {
        // It is a later percentile of those that succeeded.
        OverAll::Seen(value) => format!("{}{}", duration(value), star(quantile / served)),
        OverAll::Above(value) => format!("> {}{}", duration(value), star(quantile)),
    })
}

fn headline(record: &Record, findings: &Findings, totals: &Totals) -> String {
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
    let mut phases = findings.phases.iter();
    let completed = phases.find_map(|phase| phase.completed_per_s);
    let Some(rates) = load_rates(record, &totals.operations, completed) else {
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
        rates.succeeded_per_s, rates.offered_per_s
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

/// The percentiles. Where operations failed, those of the ones that succeeded stand beside
/// those of all.
fn spectrum(totals: &Totals) -> String {
    let served = totals.succeeded_share().unwrap_or_default();
    let all = served < 1.0;
    let mut text = String::new();
    let mut row = |name: &str, response: &str, over_all: &str, service: &str| {
        let over_all = if all {
            format!(" {over_all:>14}")
        } else {
            String::new()
        };
        // Writing to a string cannot fail.
        let _ = writeln!(text, "  {name:<10} {response:>14}{over_all} {service:>14}");
    };
    row("latency", "response time", "over all", "service time");
    for percent in SPECTRUM {
        let quantile = percent / 100.0;
        let service = totals.service.as_ref();
        let service = maybe(service.and_then(|it| it.told_quantile(quantile)), duration);
        let response = response(totals, quantile);
        row(
            &format!("p{percent}"),
            &response,
            &of_all(totals, quantile),
            &service,
        );
    }
    for (name, value) in [
        ("max", Histogram::max as fn(&Histogram) -> Option<Nanos>),
        ("mean", Histogram::mean),
    ] {
        let [response, service] = [&totals.response, &totals.service]
            .map(|histogram| maybe(histogram.as_ref().and_then(value), duration));
        row(name, &response, NONE, &service);
    }
    let starred = text.contains(MARK);
    let _ = writeln!(
        text,
        "  response time: of the {} that succeeded, from the intended start; service time: of \
         answers, from the send",
        percent(served)
    );
    if all {
        let _ = writeln!(
            text,
            "  over all: {} have no response time, and rank behind those that have one: longer than \
             (>) they were waited for",
            percent(1.0 - served)
        );
    }
    if starred {
        let _ = writeln!(text, "  {MARK_MEANS}");
    }
    text.push('\n');
    text
}

/// The rows of a load whose rate changes, and the capacity that they show.
fn steps(findings: &Findings) -> String {
    let Table {
        columns,
        texts,
        rows,
        ..
    } = by_step::table(findings);
    let mut text = String::new();
    if rows.is_empty() {
        return text;
    }
    let heading = columns.into_iter().map(str::to_owned).collect();
    let rows = [vec![heading], rows].concat();
    table(&mut text, rows, texts, 1, Paint(false));
    if text.contains(MARK) {
        let _ = writeln!(text, "  {MARK_MEANS}");
    }
    if let Some(sentence) = findings.capacity_sentence() {
        let _ = writeln!(text, "  {sentence}");
    }
    text.push('\n');
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
    let waited = waited.and_then(|wait| wait.told_quantile(0.99));
    let _ = writeln!(
        text,
        "  conn. wait    p99 {} (time spent waiting for a free connection)",
        maybe(waited, duration)
    );
    if let Some(spent) = &findings.time_spent {
        let line = answer::time_line(spent);
        let shares = line.split_once(": ").map_or("", |(_, shares)| shares);
        let _ = writeln!(text, "  time went to  {shares}");
    }
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
    let away = measurement.generator_away.map_or_else(String::new, |away| {
        format!(", away {} of it", percent(Some(away)))
    });
    let _ = writeln!(
        text,
        "  generator     {} busy, without a processor {} of the time{away}, machine {} busy",
        percent(measurement.generator_busy),
        percent(measurement.generator_delayed),
        percent(measurement.machine_busy_max)
    );
    if measurement.never_sent > 0 {
        let never = counted(measurement.never_sent, "operation");
        let _ = writeln!(
            text,
            "{:INDENT$}{never} never sent, because the generator was late",
            ""
        );
    }
    if drive.closed.is_some() && totals.operations.succeeded > 0 {
        let limiter = limiter(measurement.limiter(), drive.pacing);
        let _ = writeln!(text, "  limited by    {limiter}");
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

/// Each kind of operation, where there are several.
fn kinds(findings: &Findings) -> String {
    below(by_kind::kinds(findings))
}

/// The slowest operations that can be looked at, where requests told their traces.
fn slowest(findings: &Findings) -> String {
    below(traces::table(findings))
}

/// Each agent, where agents sent the load, and how well they began together.
fn agents(findings: &Findings) -> String {
    let told = findings.agents.as_ref();
    let told = told.map_or_else(String::new, |it| {
        format!("  agents        {}\n", it.sentence())
    });
    told + &below(by_agent::table(findings))
}

/// A table below the rest.
fn below(shown: Table) -> String {
    let Table {
        columns,
        texts,
        rows,
        ..
    } = shown;
    let mut text = String::new();
    if rows.is_empty() {
        return text;
    }
    text.push('\n');
    let heading = columns.into_iter().map(str::to_owned).collect();
    let rows = [vec![heading], rows].concat();
    table(&mut text, rows, texts, 1, Paint(false));
    text.push('\n');
    text
}

/// What was expected, a line each.
fn expectations(findings: &Findings) -> String {
    let lines = findings.expectations.iter().map(|expectation| {
        let sign = answer::expectation_sign(expectation.judged());
        format!(
            "  expected      {sign} {}: {} ({})\n",
            answer::expectation_named(expectation),
            expectation.observed,
            answer::expectation_required(expectation)
        )
    });
    lines
        .map(|line| printable(line.trim_end()).into_owned() + "\n")
        .collect()
}

/// How it ended, and what makes it again.
fn verdict(findings: &Findings) -> String {
    let (word, reason) = (verdict_word(findings), verdict_reason(findings));
    let code = findings.exit_code();
    let mut text = format!("  verdict       {word}: {reason} (exit code {code})\n");
    if !findings.command.is_empty() {
        let _ = writeln!(text, "  again         {}", printable(&findings.command));
    }
    text
}

/// What a closed loop went as fast as.
const fn limiter(limiter: Limiter, pacing: Pacing) -> &'static str {
    match limiter {
        Limiter::Generator => {
            "the generator: its threads were busy; add --threads, or take the figure as a lower \
             bound"
        }
        Limiter::Machine => {
            "this machine, perhaps: no processor was free, or the generator stood still for a while"
        }
        Limiter::Target if matches!(pacing, Pacing::Thrifty) => {
            "the generator's ticks, perhaps: with thrifty pacing a connection carries one request a \
             millisecond at most"
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
