//! What takes service away, in a few words: `surge 3x for 10s`.
//!
//! ```text
//! trigger = what "for" duration ["then" hook]
//! what    = "surge" times | "pause" | "slow" part times
//!         | "fault" proxy fault [value] {key "=" value} | "hook" name
//! times   = number "x"
//! ```
//!
//! All but a surge become entries of a timeline, which the scenario language reads and
//! checks as if they stood in the file: a proxy or a hook that is not there is told with
//! what is.

use std::fmt::Write as _;
use std::str::FromStr;

use super::fault::{Attribute, Effect};
use crate::units::Nanos;

/// What takes service away, and for how long.
#[derive(Debug, Clone, PartialEq)]
pub struct LimitTrigger {
    /// What.
    pub what: Disturbance,
    /// For how long.
    pub lasts: Nanos,
}

/// What takes service away.
#[derive(Debug, Clone, PartialEq)]
pub enum Disturbance {
    /// So many times the load.
    Surge(f64),
    /// Its processes stand still.
    Pause,
    /// A part of the built-in fleet takes so many times as long.
    Slow {
        /// Which part.
        part: String,
        /// How many times.
        factor: f64,
    },
    /// What passes a proxy is broken.
    Fault {
        /// The proxy's name.
        proxy: String,
        /// The fault.
        fault: String,
        /// Its attributes, as TOML.
        with: String,
    },
    /// A tool of the user's own, and the one that takes it back.
    Hook {
        /// The hook that brings it.
        name: String,
        /// The hook that takes it back.
        then: String,
    },
}

/// How each is written.
const EXAMPLES: &str = "write it like 'surge 3x for 10s', 'pause for 5s', 'slow database 10x for \
                        10s', 'fault database latency 2s for 10s' or 'hook break for 10s then mend'";
/// What the fault of a proxy is called when it is undone.
const NAME: &str = "limit trigger";

impl FromStr for LimitTrigger {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = |what: &str| format!("{what}; {EXAMPLES}");
        let (what, rest) = text
            .split_once(" for ")
            .ok_or_else(|| wrong("it is not said for how long"))?;
        let (lasts, then) = match rest.split_once(" then ") {
            Some((lasts, then)) => (lasts, Some(then.trim().to_owned())),
            None => (rest, None),
        };
        let lasts: Nanos = lasts.parse().map_err(|error| wrong(&format!("{error}")))?;
        if lasts == Nanos::ZERO {
            return Err(wrong("it lasts no time"));
        }
        let words: Vec<&str> = what.split_whitespace().collect();
        let what = match (words.as_slice(), then) {
            (["hook", name], Some(then)) => Disturbance::Hook {
                name: (*name).to_owned(),
                then,
            },
            (["hook", _], None) => return Err(wrong("a hook is taken back by another")),
            (_, Some(_)) => return Err(wrong("only a hook is taken back by another")),
            (["surge", factor], None) => {
                Disturbance::Surge(times(factor).map_err(|it| wrong(&it))?)
            }
            (["pause"], None) => Disturbance::Pause,
            (["slow", part, factor], None) => Disturbance::Slow {
                part: (*part).to_owned(),
                factor: times(factor).map_err(|it| wrong(&it))?,
            },
            (["fault", proxy, fault, attributes @ ..], None) => Disturbance::Fault {
                proxy: (*proxy).to_owned(),
                fault: (*fault).to_owned(),
                with: with(fault, attributes).map_err(|it| wrong(&it))?,
            },
            _ => return Err(wrong(&format!("`{what}` is not a trigger"))),
        };
        Ok(Self { what, lasts })
    }
}

/// `3x`.
fn times(text: &str) -> Result<f64, String> {
    let number = text.strip_suffix(['x', '×']).unwrap_or(text);
    let factor = number.parse().ok().filter(|it| *it > 1.0 && *it <= 1_000.0);
    factor.ok_or_else(|| format!("`{text}` is not a factor above 1x and up to 1000x"))
}

/// The attributes of a fault as a table of TOML: a bare value is that of its first.
fn with(fault: &str, words: &[&str]) -> Result<String, String> {
    let mut effect = Effect::of(fault);
    let attributes = effect.as_mut().map(Effect::attributes).unwrap_or_default();
    let mut table = String::new();
    for word in words {
        let (name, value) = if let Some(pair) = word.split_once('=') {
            pair
        } else {
            let first = attributes.first().map(|it| it.name);
            (
                first.ok_or_else(|| format!("`{fault}` has no value `{word}`"))?,
                *word,
            )
        };
        let quoted = attributes
            .iter()
            .find(|it| it.name == name)
            .is_none_or(Attribute::is_text);
        let separator = if table.is_empty() { "" } else { ", " };
        let value = if quoted {
            text_value(value)
        } else {
            value.to_owned()
        };
        let _ = write!(table, "{separator}{name} = {value}");
    }
    Ok(format!("{{ {table} }}"))
}

/// A text of TOML, whose basic strings are those of JSON.
fn text_value(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

impl LimitTrigger {
    /// By how many times the load rises; none where something else is done.
    pub fn surge(&self) -> Option<f64> {
        match self.what {
            Disturbance::Surge(factor) => Some(factor),
            _ => None,
        }
    }

    /// The entries of a timeline, as TOML; `own`: of the user's target, and not of the
    /// built-in fleet.
    pub fn timeline(&self, from: Nanos, own: bool) -> String {
        let to = from + self.lasts;
        let (first, last) = match &self.what {
            Disturbance::Surge(_) => return "[]".to_owned(),
            Disturbance::Pause if own => (
                "do = \"process\", fault = \"pause\"".to_owned(),
                Some("do = \"process\", fault = \"continue\"".to_owned()),
            ),
            Disturbance::Pause => (
                "do = \"pause\"".to_owned(),
                Some("do = \"continue\"".to_owned()),
            ),
            Disturbance::Slow { part, factor } => {
                let slow = |factor: f64| {
                    format!(
                        "do = \"slow\", part = {}, factor = {factor:?}",
                        text_value(part)
                    )
                };
                (slow(*factor), Some(slow(1.0)))
            }
            Disturbance::Fault { proxy, fault, with } => (
                format!(
                    "do = \"fault\", proxy = {}, fault = {}, with = {with}, name = \"{NAME}\"",
                    text_value(proxy),
                    text_value(fault)
                ),
                Some(format!("do = \"undo\", name = \"{NAME}\"")),
            ),
            Disturbance::Hook { name, then } => {
                let hook = |name: &str, kind: &str| {
                    format!(
                        "do = \"hook\", hook = {}, as = \"{kind}\"",
                        text_value(name)
                    )
                };
                (hook(name, "push"), Some(hook(then, "rollback")))
            }
        };
        let first = format!("{{ at = \"{from}\", {first} }}");
        let last = last.map_or_else(String::new, |last| format!(", {{ at = \"{to}\", {last} }}"));
        format!("[{first}{last}]")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn timeline(text: &str, own: bool) -> String {
        let trigger: LimitTrigger = text.parse().unwrap();
        trigger.timeline(Nanos::from_secs(20), own)
    }

    #[test]
    fn triggers_become_entries_of_a_timeline() {
        let surge: LimitTrigger = "surge 3x for 10s".parse().unwrap();
        assert_eq!(
            (surge.surge(), surge.lasts),
            (Some(3.0), Nanos::from_secs(10))
        );
        assert_eq!(timeline("surge 3x for 10s", true), "[]");
        assert_eq!(
            timeline("pause for 5s", false),
            r#"[{ at = "20s", do = "pause" }, { at = "25s", do = "continue" }]"#
        );
        assert_eq!(
            timeline("pause for 5s", true),
            r#"[{ at = "20s", do = "process", fault = "pause" }, { at = "25s", do = "process", fault = "continue" }]"#
        );
        assert_eq!(
            timeline("slow database 10x for 10s", false),
            r#"[{ at = "20s", do = "slow", part = "database", factor = 10.0 }, { at = "30s", do = "slow", part = "database", factor = 1.0 }]"#
        );
        assert_eq!(
            timeline("fault database latency 2s jitter=100ms for 10s", true),
            r#"[{ at = "20s", do = "fault", proxy = "database", fault = "latency", with = { latency = "2s", jitter = "100ms" }, name = "limit trigger" }, { at = "30s", do = "undo", name = "limit trigger" }]"#
        );
        assert_eq!(
            timeline("hook break for 10s then mend", true),
            r#"[{ at = "20s", do = "hook", hook = "break", as = "push" }, { at = "30s", do = "hook", hook = "mend", as = "rollback" }]"#
        );
    }

    #[test]
    fn mistakes_are_told_with_an_example() {
        for (text, told) in [
            ("surge 3x", "it is not said for how long"),
            ("surge for 10s", "`surge` is not a trigger"),
            ("surge 1x for 10s", "above 1x and up to 1000x"),
            ("hook break for 10s", "taken back by another"),
            ("surge 3x for ever", "ever"),
            ("pause for 0s", "it lasts no time"),
            ("pause for 5s then mend", "only a hook"),
            ("fault database down 2s for 10s", "`down` has no value `2s`"),
            ("earthquake for 10s", "`earthquake` is not a trigger"),
        ] {
            let mistake = text.parse::<LimitTrigger>().unwrap_err();
            assert!(mistake.contains(told), "{text}: {mistake}");
            assert!(mistake.contains("'surge 3x for 10s'"), "{mistake}");
        }
    }
}
