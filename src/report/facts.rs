//! How a run was made: what a reader needs to judge it, and to make it again.

use std::fmt::Write as _;

use super::figures::{count, percent, plural, utc};
use super::people;
use crate::analysis::Findings;
use crate::model::{Backoff, ClientPolicy, FleetSpec, Origin, Retryable, TargetSpec, secret};
use crate::plan::Plan;
use crate::record::{Backend, Record, printable};

/// The line under the title: scenario, backend, seed, date.
pub(super) fn under_title(record: &Record, findings: &Findings) -> String {
    printable(&format!(
        "{}{} · {} · seed {} · {}",
        findings.scenario,
        match &findings.variant {
            Some(variant) => format!(", variant `{}`", variant.name),
            None => String::new(),
        },
        backend(findings),
        findings.seed,
        utc(record.header.started_wall_ms)
    ))
    .into_owned()
}

fn backend(findings: &Findings) -> &'static str {
    match findings.backend {
        Backend::Live => "run live",
        Backend::Sim => "simulated",
    }
}

/// What a run is to show: of a variant, what is different in it.
pub(super) fn claim(findings: &Findings) -> String {
    let claim = match &findings.variant {
        Some(variant) => format!("Variant {}", variant.line()),
        None => findings.claim.clone(),
    };
    printable(&claim).into_owned()
}

/// Every fact with its name.
pub(super) fn facts(record: &Record, findings: &Findings) -> Vec<(&'static str, String)> {
    let header = &record.header;
    let plan = &header.plan;
    let machine = &findings.machine;
    let mut facts = vec![
        ("command", command(findings)),
        ("exit code", exit_code(findings)),
        (
            "made",
            format!(
                "{}, {}, threadbare {}, record format {}",
                backend(findings),
                utc(header.started_wall_ms),
                header.version,
                header.format
            ),
        ),
        (
            "machine",
            format!(
                "{}, {}, {} MiB of memory, {}",
                machine.processor,
                plural(machine.cores.into(), "core"),
                count(machine.memory_bytes >> 20),
                machine.kernel
            ),
        ),
    ];
    facts.extend(plan.variant.iter().map(|variant| {
        let set = variant.set.join(", ");
        ("variant", format!("{}; it sets {set}", variant.line()))
    }));
    let day = findings.game_day.as_ref();
    facts.extend(day.map(|day| ("people", people::took_part(day))));
    facts.extend(plan.fleet.as_ref().map(|spec| ("fleet", fleet(spec))));
    facts.extend(
        plan.target
            .as_ref()
            .map(|spec| ("target", target_fact(spec))),
    );
    facts.push(("users", users(plan)));
    facts.extend(plan.monitors.iter().map(|monitor| {
        if let Some(reconnects) = monitor.reconnects {
            let count = plural(monitor.count.into(), "client");
            let text =
                format!("{count}, each of which holds one; the pause before another: {reconnects}");
            return ("sessions", text);
        }
        let text = format!(
            "{}: {} probing {} every {} each, every {} after a failure{}",
            monitor.name,
            plural(monitor.count.into(), "monitor"),
            monitor.probe,
            monitor.every,
            monitor.every_after_failure,
            if monitor.overlap {
                ", whether or not the last probe has ended"
            } else {
                ""
            }
        );
        ("monitors", text)
    }));
    facts.push(("recovered", recovered(plan)));
    facts.push((
        "resolution",
        format!("buckets of {}; warm-up of {}", plan.interval, plan.warm_up),
    ));
    if !plan.source.is_empty() {
        facts.push(("source", plan.source.clone()));
    }
    for (_, fact) in &mut facts {
        *fact = printable(fact).into_owned();
    }
    facts
}

/// The whole command that makes the run again.
pub(super) fn command(findings: &Findings) -> String {
    if findings.command.is_empty() {
        let (scenario, seed) = (&findings.scenario, findings.seed);
        return format!("not recorded; the scenario was {scenario}, the seed {seed}");
    }
    findings.command.clone()
}

fn exit_code(findings: &Findings) -> String {
    let code = findings.ending.exit_code;
    code.map_or_else(
        || "none: the run was killed, or goes on".to_owned(),
        |code| code.to_string(),
    )
}

fn fleet(fleet: &FleetSpec) -> String {
    format!(
        "{} of {}; queue {}; verification {}, {} at a time, {}× longer with a cold cache",
        plural(fleet.instances.into(), "instance"),
        plural(fleet.workers.into(), "worker"),
        fleet.queue,
        fleet.identity.latency,
        fleet.identity.capacity,
        fleet.identity.cold_factor
    )
}

fn target_fact(target: &TargetSpec) -> String {
    let sites: Vec<String> = match target.sites.as_slice() {
        [only] => vec![only.url.without_query().to_string()],
        _ => target
            .shares()
            .map(|(site, share)| {
                format!(
                    "{} ({} of the load)",
                    site.url.without_query(),
                    percent(share)
                )
            })
            .collect(),
    };
    let held = match &target.origin {
        Origin::Elsewhere => String::new(),
        Origin::Command(command) => format!("; started by `{}`", secret::command(&command.words)),
        Origin::Process(pid) => format!("; process {pid}"),
        Origin::Port(port) => format!("; the process that listens on port {port}"),
    };
    let over = target.streams.map_or("", |_| " over HTTP/2");
    format!("{}{over}{held}", sites.join(", "))
}

fn users(plan: &Plan) -> String {
    let load = &plan.load;
    let rates: Vec<String> = load
        .rate
        .iter()
        .map(|(from, rate)| format!("{rate} from {from}"))
        .collect();
    let client = &load.client;
    let deadline = client
        .deadline
        .map_or_else(|| "no deadline".to_owned(), |d| format!("deadline {d}"));
    format!(
        "{}; timeout {}, {}, {deadline}; at most {}{}",
        rates.join(", "),
        client.timeout,
        retries(client),
        plural(load.connections.into(), "connection"),
        plan.streams().map_or_else(String::new, |streams| format!(
            " with at most {} each",
            plural(streams.into(), "stream")
        ))
    )
}

fn recovered(plan: &Plan) -> String {
    let rule = &plan.recovery;
    format!(
        "goodput at least {} of the baseline’s, error share at most {} above it, p99 at most {}× \
         or {} above it, for {} with at least {} operations",
        rule.goodput,
        rule.error_margin,
        rule.p99_factor,
        rule.p99_margin,
        rule.hold,
        count(rule.operations_min)
    )
}

/// How clients retry, and when they do not: what is said of a plain client is short.
fn retries(client: &ClientPolicy) -> String {
    let pause = match client.backoff {
        Backoff::None => "at once".to_owned(),
        Backoff::Fixed(pause) => format!("after {pause}"),
        growing @ Backoff::Exponential { .. } => format!("after {growing}"),
    };
    let mut text = match client.retries {
        0 => format!("no retry {pause}"),
        retries => format!("{} {pause}", plural(retries.into(), "retry")),
    };
    // Writing to a string cannot fail.
    if !client.retry_on.is_default() {
        let words = Retryable::ALL.into_iter();
        let words: Vec<_> = words
            .filter(|(outcome, _)| client.retry_on.iter().any(|it| it == *outcome))
            .map(|(_, word)| word)
            .collect();
        let _ = write!(text, " (on {})", words.join(", "));
    }
    if client.respect_retry_after {
        text.push_str(", Retry-After respected");
    }
    if let Some(budget) = client.retry_budget {
        let _ = write!(text, ", retry budget {budget}");
    }
    if let Some(after) = client.hedge_after {
        let _ = write!(text, ", hedged after {after}");
    }
    if let Some(breaker) = client.breaker {
        let _ = write!(text, ", circuit breaker {breaker}");
    }
    text
}
