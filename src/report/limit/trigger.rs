//! What takes service away: from the words of `--trigger`, which the search has read
//! before, to what a scenario has.

use toml::{Table, Value};

use crate::model::fault::{Attribute, Effect, Field};
use crate::units::Nanos;

/// What a fault is called in the timeline.
const NAME: &str = "trigger";

/// What takes service away, and for how long.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Trigger {
    pub(super) lasts: Nanos,
    pub(super) onset: Onset,
}

/// How it begins and ends.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Onset {
    /// So many times the rate is offered.
    Surge(f64),
    /// Entries of the timeline, without their times: the one that begins it and the one
    /// that ends it; of a hook that ends by itself there is no second.
    Entries(Table, Option<Table>),
}

/// Reads a trigger; `own`: the target is the user's, and not the built-in fleet. None
/// where this is not one.
pub(super) fn read(text: &str, own: bool) -> Option<Trigger> {
    let (what, rest) = text.split_once(" for ")?;
    let (lasts, then) = match rest.split_once(" then ") {
        Some((lasts, then)) => (lasts, Some(then.trim())),
        None => (rest, None),
    };
    let words: Vec<&str> = what.split_whitespace().collect();
    let onset = match (words.as_slice(), then) {
        (["hook", name], then) => {
            let back = then.map(|then| hook(then, "rollback"));
            Onset::Entries(hook(name, "push"), back)
        }
        (["surge", factor], None) => Onset::Surge(times(factor)?),
        (["pause"], None) if own => both(
            [("do", "process"), ("fault", "pause")],
            [("do", "process"), ("fault", "continue")],
        ),
        (["pause"], None) => both([("do", "pause")], [("do", "continue")]),
        (["slow", part, factor], None) => {
            Onset::Entries(slow(part, times(factor)?), Some(slow(part, 1.0)))
        }
        (["fault", proxy, kind, attributes @ ..], None) => fault(proxy, kind, attributes)?,
        _ => return None,
    };
    Some(Trigger {
        lasts: lasts.parse().ok()?,
        onset,
    })
}

/// `3x`.
fn times(text: &str) -> Option<f64> {
    let number = text.strip_suffix(['x', '×']).unwrap_or(text);
    number.parse().ok().filter(|factor| *factor > 0.0)
}

fn hook(name: &str, kind: &str) -> Table {
    table([("do", "hook"), ("hook", name), ("as", kind)])
}

fn slow(part: &str, factor: f64) -> Table {
    let mut entry = table([("do", "slow"), ("part", part)]);
    entry.insert("factor".into(), Value::Float(factor));
    entry
}

fn fault(proxy: &str, kind: &str, words: &[&str]) -> Option<Onset> {
    let mut effect = Effect::of(kind);
    if effect.is_none() && kind != "down" {
        return None;
    }
    let known = effect.as_mut().map(Effect::attributes).unwrap_or_default();
    let with = words.iter().map(|word| attribute(&known, word));
    let with: Option<Table> = with.collect();
    let mut begin = table([
        ("do", "fault"),
        ("proxy", proxy),
        ("fault", kind),
        ("name", NAME),
    ]);
    begin.insert("with".into(), Value::Table(with?));
    let end = table([("do", "undo"), ("name", NAME)]);
    Some(Onset::Entries(begin, Some(end)))
}

/// `jitter=100ms`, or the value of the first of the fault's attributes alone.
fn attribute(known: &[Attribute<'_>], word: &str) -> Option<(String, Value)> {
    let (attribute, value) = match word.split_once('=') {
        Some((name, value)) => (known.iter().find(|it| it.name == name)?, value),
        None => (known.first()?, word),
    };
    let value = match attribute.field {
        Field::Count(..) | Field::Status(_) => Value::Integer(value.parse().ok()?),
        _ => Value::String(value.to_owned()),
    };
    Some((attribute.name.to_owned(), value))
}

fn both<const N: usize>(begin: [(&str, &str); N], end: [(&str, &str); N]) -> Onset {
    Onset::Entries(table(begin), Some(table(end)))
}

fn table<const N: usize>(keys: [(&str, &str); N]) -> Table {
    let pairs = keys.map(|(key, value)| (key.to_owned(), Value::String(value.to_owned())));
    pairs.into_iter().collect()
}
