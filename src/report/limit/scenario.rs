//! `limit.toml`: a scenario that shows the edge, with a profile just below it and one just
//! above.
//!
//! Both are the same run at another rate, held against the same expectations: those of
//! `below` hold, and those of `above` do not. The edge is that from which service comes
//! back, where that was looked for and something is known of it; else that of what is
//! served.

use std::fmt::Write as _;

use toml::{Table, Value};

use super::wording::per_second;
use crate::analysis::limit::{
    BACKLOG, LimitFound, LimitObjective, LimitStage, LimitStep, LimitVerdict, TrialTimes,
    hold_operations,
};
use crate::model::{LimitTrigger, RecoveryRule, client_words, redact};
use crate::record::{Backend, printable};
use crate::units::{Nanos, Rate};

/// Keys of a scenario that belong to another run than this one.
const DROPPED: [&str; 5] = ["drain", "expect", "profile", "story", "timeline"];
/// The edge that is shown.
struct Edge<'a> {
    below: Option<Side<'a>>,
    above: Option<Side<'a>>,
    trigger: Option<LimitTrigger>,
}

/// A rate at the edge, and the last step that showed it to be on its side.
struct Side<'a> {
    rate: f64,
    step: Option<&'a LimitStep>,
}

/// A scenario that shows the edge; none where nothing is known of one, where there is no
/// scenario to begin with, or where a scenario cannot say what the trigger was.
pub fn scenario(found: &LimitFound) -> Option<String> {
    let sought = &found.sought;
    let text = sought.scenario_text.as_ref().or(sought.scenario.as_ref())?;
    let mut file: Table = text.parse().ok()?;
    let edge = edge(found)?;
    let rate = edge.below.as_ref().or(edge.above.as_ref())?.rate;
    for key in DROPPED {
        file.remove(key);
    }
    described(&mut file, found, &edge);
    loaded(inner(&mut file, "load")?, found, rate)?;
    times(&mut file, found, &edge)?;
    file.insert("expect".into(), Value::Array(expectations(found, &edge)));
    file.insert("profile".into(), Value::Table(profiles(&edge)?));
    Some(head(found, &edge, text) + &file.to_string())
}

/// What the scenario is about.
fn described(file: &mut Table, found: &LimitFound, edge: &Edge<'_>) {
    let words = match edge.trigger {
        Some(_) => "comes back by itself",
        None => "is served",
    };
    let below = edge
        .below
        .as_ref()
        .map(|_| format!("just below the edge it {words}"));
    let above = edge
        .above
        .as_ref()
        .map(|_| "just above it does not".to_owned());
    let told: Vec<String> = below.into_iter().chain(above).collect();
    let claim = format!("The edge: {}.", told.join(", and "));
    set(
        file,
        "title",
        format!("The edge of {}", found.sought.target),
    );
    set(file, "claim", claim);
    set(file, "source", found.command.clone());
    set(file, "warm_up", time(found.sought.warm_up_s));
    file.insert("seed".into(), integer(found.sought.seed));
}

/// One rate, from clients as they were.
fn loaded(load: &mut Table, found: &LimitFound, rate: f64) -> Option<()> {
    load.remove("step");
    load.remove("swing");
    set(load, "rate", rate_text(rate)?);
    load.insert("backlog".into(), integer(BACKLOG.into()));
    match &found.sought.client {
        Some(policy) => client(inner(load, "client")?, policy),
        None => Some(()),
    }
}

/// Whether the target is the user's own.
fn is_own(file: &Table) -> bool {
    let target = file.get("target").and_then(Value::as_table);
    target.is_some_and(|target| !target.contains_key("fleet"))
}

fn edge(found: &LimitFound) -> Option<Edge<'_>> {
    let side = |rate: Option<f64>, stage, verdict| {
        rate.map(|rate| Side {
            rate,
            step: last(&found.steps, (rate, stage, verdict)),
        })
    };
    let both = |stage, low, high| {
        (
            side(low, stage, LimitVerdict::Holds),
            side(high, stage, LimitVerdict::DoesNot),
        )
    };
    let returns = found.returns.as_ref();
    let returns = returns.filter(|it| it.low_per_s.or(it.high_per_s).is_some());
    let tried = found.sought.trigger.as_ref().zip(returns);
    let ((below, above), trigger) = if let Some((trigger, returns)) = tried {
        let sides = both(LimitStage::Returns, returns.low_per_s, returns.high_per_s);
        (sides, Some(trigger.parse().ok()?))
    } else {
        let served = &found.served;
        let (below, above) = both(LimitStage::Served, served.low_per_s, served.high_per_s);
        // A scenario can expect an objective, and not that nothing piles up.
        let told = |it: &LimitStep| it.objectives.iter().any(LimitObjective::is_broken);
        let above = above.filter(|side| side.step.is_some_and(told));
        ((below, above), None)
    };
    (below.is_some() || above.is_some()).then_some(Edge {
        below,
        above,
        trigger,
    })
}

/// The last step at this rate that came out so.
fn last(
    steps: &[LimitStep],
    (rate, stage, verdict): (f64, LimitStage, LimitVerdict),
) -> Option<&LimitStep> {
    let mut own = steps.iter().filter(|step| {
        let same = (step.rate_per_s - rate).abs() <= rate * 1e-9;
        same && step.stage == stage && step.verdict == verdict
    });
    own.next_back()
}

/// When the run ends, and with a trigger when that begins and ends, as the search had it:
/// a baseline, the trigger, and as long as service may take to come back.
fn times(file: &mut Table, found: &LimitFound, edge: &Edge<'_>) -> Option<()> {
    let sought = &found.sought;
    let Some(trigger) = &edge.trigger else {
        let steps = sides(edge).filter_map(|(_, side)| side.step);
        let window = steps.map(|it| it.window_s).fold(sought.window_s, f64::max);
        set(file, "end", time((sought.warm_up_s + window).ceil()));
        return Some(());
    };
    let slowest = sides(edge).map(|(_, side)| side.rate);
    let slowest = slowest.fold(f64::INFINITY, f64::min);
    let hold = recovery(file, slowest)?;
    let times = TrialTimes::of(sought, slowest, trigger.lasts, hold);
    set(file, "warm_up", times.warm_up.to_string());
    set(file, "end", times.end.to_string());
    set(file, "interval", times.bucket.to_string());
    if let Some(factor) = trigger.surge() {
        let mut step = Table::new();
        set(&mut step, "at", times.begin.to_string());
        set(&mut step, "rate", rate_text(slowest * factor)?);
        set(&mut step, "for", trigger.lasts.to_string());
        let steps = Value::Array(vec![Value::Table(step)]);
        inner(file, "load")?.insert("step".into(), steps);
    } else {
        let timeline = value(&trigger.timeline(times.begin, is_own(file)))?;
        file.insert("timeline".into(), timeline);
    }
    Some(())
}

/// The hold window, which must not need more operations than come in it at this rate.
fn recovery(file: &mut Table, rate: f64) -> Option<Nanos> {
    let rule = RecoveryRule::default();
    let own = inner(file, "recovery")?;
    let hold = own.get("hold").and_then(Value::as_str);
    let hold: Nanos = hold.and_then(|it| it.parse().ok()).unwrap_or(rule.hold);
    let least = own.get("operations_min").and_then(Value::as_integer);
    let least = least.and_then(|it| u64::try_from(it).ok());
    let least = hold_operations(rate, hold, least.unwrap_or(rule.operations_min));
    own.insert("operations_min".into(), integer(least));
    Some(hold)
}

/// The objectives: with a trigger before it, and then service is back in time.
fn expectations(found: &LimitFound, edge: &Edge<'_>) -> Vec<Value> {
    let objective = |objective: &String| {
        let mut it = Table::new();
        set(&mut it, "that", objective.clone());
        if edge.trigger.is_some() {
            set(&mut it, "in", "baseline".to_owned());
        }
        Value::Table(it)
    };
    let mut all: Vec<Value> = found.sought.objectives.iter().map(objective).collect();
    if edge.trigger.is_some() {
        let mut it = Table::new();
        set(&mut it, "that", "recovery after trigger off".to_owned());
        set(&mut it, "at_most", time(found.sought.return_within_s));
        all.push(Value::Table(it));
    }
    all
}

/// The settings of each side of the edge.
fn profiles(edge: &Edge<'_>) -> Option<Table> {
    let mut profiles = Table::new();
    for (name, side) in sides(edge) {
        let mut settings = vec![format!("load.rate={}", rate_text(side.rate)?)];
        if let Some(factor) = edge.trigger.as_ref().and_then(LimitTrigger::surge) {
            let surge = rate_text(side.rate * factor)?;
            settings.push(format!("load.step.0.rate={surge}"));
        }
        settings.extend(side.step.map(|it| format!("seed={}", it.seed)));
        let settings = settings.into_iter().map(Value::String).collect();
        profiles.insert(name.into(), Value::Array(settings));
    }
    Some(profiles)
}

/// The sides that are known.
fn sides<'a>(edge: &'a Edge<'_>) -> impl Iterator<Item = (&'static str, &'a Side<'a>)> {
    let below = edge.below.iter().map(|side| ("below", side));
    below.chain(edge.above.iter().map(|side| ("above", side)))
}

/// What the file is, and how it is run.
fn head(found: &LimitFound, edge: &Edge<'_>, base: &str) -> String {
    let mut head = String::new();
    let mut line = |text: &str| {
        // A comment ends with its line: nothing in it may begin another.
        let _ = writeln!(head, "{}", format!("# {}", printable(text)).trim_end());
    };
    line("The edge that `threadbare limit` found. The same run twice, at two rates:");
    line("");
    let command = match found.backend {
        Backend::Sim => "simulate",
        Backend::Live => "run",
    };
    for (name, side) in sides(edge) {
        let expected = match (name, &edge.trigger) {
            ("below", Some(_)) => "comes back by itself",
            (_, Some(_)) => "does not come back in time",
            ("below", None) => "is served",
            (_, None) => "is not served",
        };
        line(&format!(
            "  threadbare {command} limit.toml --profile {name}    # {} {expected}",
            per_second(side.rate)
        ));
    }
    line("");
    line(&found.sentence);
    if found.sought.scenario.is_none() {
        line("");
        line(&format!(
            "Files and folders that it names are looked for beside this file: copy it beside {}.",
            found.sought.target
        ));
    }
    if base.contains(redact::LEFT_OUT) {
        line("");
        line("Secrets were left out: give them where it says so.");
    }
    head.push('\n');
    head
}

/// Puts a policy of clients, as `--client` has it, over that of the scenario.
fn client(keys: &mut Table, policy: &str) -> Option<()> {
    for (key, text) in client_words(policy).ok()? {
        let value = value(&text).unwrap_or(Value::String(text));
        keys.insert(key.to_owned(), value);
    }
    Some(())
}

/// A value of TOML, if the text is one.
fn value(text: &str) -> Option<Value> {
    let mut table: Table = format!("it = {text}").parse().ok()?;
    table.remove("it")
}

fn set(table: &mut Table, key: &str, value: String) {
    table.insert(key.to_owned(), Value::String(value));
}

fn inner<'a>(table: &'a mut Table, key: &str) -> Option<&'a mut Table> {
    let value = table
        .entry(key)
        .or_insert_with(|| Value::Table(Table::new()));
    value.as_table_mut()
}

fn integer(value: u64) -> Value {
    Value::Integer(i64::try_from(value).unwrap_or(i64::MAX))
}

fn time(seconds: f64) -> String {
    Nanos::from_secs_f64(seconds).to_string()
}

fn rate_text(rate: f64) -> Option<String> {
    Rate::per_second(rate).map(|rate| rate.to_string())
}
