//! What a run would do: every rate, fault, hook and undo, with its time.
//!
//! It is put together from the plan alone. Whether a run may do so is for who asks.

use std::fmt::Write as _;

use super::figures::percent;
use crate::model::fault::Mode;
use crate::model::{
    Action, Call, Front, GaugePlace, Origin, Part, Proxied, TargetAction, TargetSpec, Template,
    redact, secret,
};
use crate::plan::{Entry, Plan, When};
use crate::record::{printable, story_time};
use crate::units::{Nanos, counted};

/// What a run of the plan would do, as text.
pub fn render(plan: &Plan) -> String {
    let mut text = format!(
        "{}\nNothing is sent, started or changed; a run would:\n",
        plan.title
    );
    let lines = [
        target(plan),
        load(plan),
        monitors(plan),
        gauges(plan),
        timeline(plan),
        safety(plan),
    ];
    for (heading, lines) in lines {
        if lines.is_empty() {
            continue;
        }
        let _ = writeln!(text, "\n{heading}");
        for line in lines {
            let _ = writeln!(text, "  {}", printable(&redact::text(&line)));
        }
    }
    text
}

type Section = (&'static str, Vec<String>);

fn target(plan: &Plan) -> Section {
    let lines = match (&plan.target, &plan.fleet) {
        (Some(target), _) => serving(target),
        (None, Some(fleet)) => vec![format!(
            "start the built-in fleet on this machine: {}, {} each",
            counted(fleet.instances.into(), "instance"),
            counted(fleet.workers.into(), "worker")
        )],
        (None, None) => Vec::new(),
    };
    ("Target", lines)
}

fn serving(target: &TargetSpec) -> Vec<String> {
    let mut lines = Vec::new();
    match &target.origin {
        Origin::Elsewhere => {}
        Origin::Command(command) => lines.push(format!(
            "start `{}` in {}, and end it with its group (within {}, then killed)",
            secret::command(&command.words),
            command.directory.display(),
            command.stop_within
        )),
        Origin::Process(pid) => lines.push(format!("use the process {pid}")),
        Origin::Port(port) => lines.push(format!("use the process that listens on port {port}")),
    }
    lines.extend(target.proxies.iter().map(proxy));
    if let Some(ready) = &target.ready {
        lines.push(format!(
            "request {} {} until the answer is {}, for at most {}",
            ready.method,
            ready.url.without_query(),
            ready.statuses(),
            ready.within
        ));
    }
    let over = target.streams.map_or("", |_| " over HTTP/2");
    for (site, share) in target.shares() {
        lines.push(format!(
            "send {} of the load to {}{over}",
            percent(share),
            site.url.without_query()
        ));
    }
    for kind in &target.work.operations {
        let steps = kind.steps.iter();
        let steps: Vec<String> = steps
            .map(|step| format!("{} {}", step.method, path(&step.target)))
            .collect();
        let weight = kind.weight;
        lines.push(format!(
            "operation `{}`, weight {weight}: {}",
            kind.name,
            steps.join(", ")
        ));
    }
    lines
}

fn proxy(proxied: &Proxied) -> String {
    let name = &proxied.name;
    let reads = match proxied.mode {
        Mode::Tcp => "bytes",
        Mode::Http => "HTTP/1.1",
    };
    match &proxied.front {
        Front::Target(listen) => {
            let at = listen.as_ref().map_or_else(
                || "a free port of 127.0.0.1".to_owned(),
                ToString::to_string,
            );
            format!("proxy `{name}` on {at} in front of the target, reading {reads}")
        }
        Front::Dependency { listen, to } => {
            format!("proxy `{name}` on {listen} in front of {to}, reading {reads}")
        }
    }
}

/// The path of a step, with … where a value will stand, and without its query.
fn path(target: &Template) -> String {
    let parts = target.iter().map(|part| match part {
        Part::Literal(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        _ => "…".to_owned(),
    });
    let whole: String = parts.collect();
    whole.split('?').next().unwrap_or_default().to_owned()
}

fn gauges(plan: &Plan) -> Section {
    let lines = plan.gauges.iter().map(|source| match &source.place {
        GaugePlace::Page(url) => {
            format!("read `{}` at {url} every {}", source.name, source.every)
        }
        GaugePlace::Statsd(address) => {
            format!("listen for `{}` on {address}", source.name)
        }
    });
    ("Gauges", lines.collect())
}

fn load(plan: &Plan) -> Section {
    let mut lines: Vec<String> = plan
        .load
        .rate
        .iter()
        .map(|(from, shape)| format!("{}  {shape}", at(plan, *from)))
        .collect();
    lines.push(format!("{}  nothing more is scheduled", at(plan, plan.end)));
    lines.push(format!(
        "at most {} per operation; {:.0} requests/s at most, including retries, resends, \
         probes, occupations and gauges",
        counted(plan.load.client.retries.into(), "retry"),
        plan.requests_max_per_second()
    ));
    ("Operations per second", lines)
}

fn monitors(plan: &Plan) -> Section {
    let lines = plan.monitors.iter().map(|monitor| {
        if let Some(reconnects) = monitor.reconnects {
            return format!(
                "{} clients hold a session each; the pause before another: {reconnects}",
                monitor.count
            );
        }
        format!(
            "{} × {}: GET {} every {}, every {} after a failure",
            monitor.count,
            monitor.name,
            secret::without_query(&monitor.probe),
            monitor.every,
            monitor.every_after_failure
        )
    });
    ("Monitors", lines.collect())
}

fn timeline(plan: &Plan) -> Section {
    let mut lines = Vec::new();
    for entry in &plan.timeline {
        let when = match &entry.when {
            When::At(instant) => at(plan, *instant),
            When::After { event, delay } => format!("{delay} after {}", event.in_words()),
            When::Offered => "when people decide".into(),
        };
        lines.push(format!("{when}  {}", entry.action.in_words()));
        lines.extend(
            details(plan, entry)
                .into_iter()
                .map(|line| format!("    {line}")),
        );
    }
    ("Timeline", lines)
}

/// What an action calls, and what undoes it.
fn details(plan: &Plan, entry: &Entry) -> Vec<String> {
    let hook = match &entry.action {
        Action::Target(TargetAction::Hook { hook, .. }) => {
            plan.target.as_ref().and_then(|it| it.hook(hook))
        }
        _ => None,
    };
    if let Some(hook) = hook {
        let mut lines = vec![call(&hook.call)];
        lines.push(hook.undo.as_ref().map_or_else(
            || "undo: none".to_owned(),
            |undo| format!("undo, unless it is refused or rolled back: {}", call(undo)),
        ));
        return lines;
    }
    let undo = match &entry.action {
        Action::Target(_) | Action::Proxy(_) => entry.action.undone_by(),
        // The fleet and the clients are gone when the run is.
        Action::Clients(_) | Action::Service(_) | Action::Fleet(_) | Action::Outside(_) => None,
    };
    undo.map(|undo| format!("undo: {undo}"))
        .into_iter()
        .collect()
}

fn call(call: &Call) -> String {
    format!(
        "{} within {}, expecting {}",
        call.what, call.timeout, call.expect
    )
}

fn safety(plan: &Plan) -> Section {
    let bounds = &plan.safety;
    let mut lines = vec![format!(
        "inject nothing where more than {} of the operations fail before the first fault",
        bounds.baseline_errors
    )];
    for rule in &bounds.abort_if {
        lines.push(format!("stop and undo everything when {}", rule.name));
    }
    if plan.target.is_some() {
        let hosts = match bounds.hosts.as_slice() {
            [] => "none".to_owned(),
            hosts => hosts.join(", "),
        };
        lines.push(format!(
            "hosts besides this machine: {hosts}; at most {:.0} requests/s and {} to them",
            bounds.rate_max_per_second(),
            bounds.duration_max
        ));
    }
    ("Safety", lines)
}

/// An instant, with the story's time where there is one.
fn at(plan: &Plan, instant: Nanos) -> String {
    let story = plan.story.as_ref();
    let story = story.map_or_else(String::new, |story| {
        format!(" {}", story_time(story, instant))
    });
    format!("{:>7.1} s{story}", instant.as_secs_f64())
}
