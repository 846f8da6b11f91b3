//! Expressions over a page's metrics: what busy, workers and queue are.
//!
//! ```text
//! expression = sum { "or" sum }                 the first that the page has
//! sum        = product { ("+" | "-") product }
//! product    = factor { ("*" | "/") factor }
//! factor     = number | "-" factor | "(" expression ")" | metric
//!            | ("sum" | "max" | "count") "(" metric ")"
//! metric     = name [ "{" [ matcher { "," matcher } ] "}" ]
//!            | "{" text { "," matcher } "}"         a name in quotes
//! matcher    = (label | text) ("=" | "!=") text
//! ```
//!
//! A metric with several series is their sum. `or` is what makes lists of
//! spellings and defaults need no syntax of their own: `a or b or 200` is 200
//! where the page has neither `a` nor `b`, and [`Value::stated`] says so. There
//! is no rate and no regular expression on purpose: a queue is a level, and what
//! needs more than this is better written where the metrics are made.

use std::fmt;

use super::{Page, Series};
use crate::named::as_text;

/// An expression over the metrics of a page.
#[derive(Debug, Clone, PartialEq)]
pub struct Expression(pub(super) Node);

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Node {
    Number(f64),
    Negated(Box<Node>),
    Pair(Sign, Box<Node>, Box<Node>),
    Of(Fold, Metric),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sign {
    Or,
    Plus,
    Minus,
    Times,
    Over,
}

impl Sign {
    /// How it is written, and how tightly it binds.
    pub(super) const fn written(self) -> (&'static str, u8) {
        match self {
            Self::Or => ("or", 1),
            Self::Plus => ("+", 2),
            Self::Minus => ("-", 2),
            Self::Times => ("*", 3),
            Self::Over => ("/", 3),
        }
    }
}

/// How several series become one value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fold {
    Sum,
    Max,
    Count,
}

impl Fold {
    pub(super) const ALL: [(Self, &'static str); 3] = [
        (Self::Sum, "sum"),
        (Self::Max, "max"),
        (Self::Count, "count"),
    ];
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Metric {
    pub(super) name: String,
    pub(super) matchers: Vec<Matcher>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Matcher {
    pub(super) label: String,
    pub(super) equal: bool,
    pub(super) text: String,
}

/// What an expression came to on a page.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Value {
    /// The number.
    pub value: f64,
    /// Whether the expression itself states it, without any metric of the page.
    pub stated: bool,
}

/// Why an expression has no value on a page.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Absent {
    /// The page has no such series.
    #[error("the page has no {0}")]
    Metric(String),
    /// A division by zero, or a metric that is not a number.
    #[error("it is not a number")]
    NotANumber,
}

/// Why a text is no expression.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("at character {at}: {what}")]
pub struct ExpressionError {
    /// Where, counted in characters from 1.
    pub at: usize,
    /// What is wrong there, and what would be right.
    pub what: String,
}

impl Expression {
    /// Its value on this page.
    ///
    /// # Errors
    ///
    /// Where the page lacks a metric of it, or it comes to no finite number.
    pub fn value(&self, page: &Page) -> Result<Value, Absent> {
        let value = self.0.value(page)?;
        if value.value.is_finite() {
            Ok(value)
        } else {
            Err(Absent::NotANumber)
        }
    }

    /// The names of all metrics that it may read.
    pub fn metrics(&self) -> Vec<&str> {
        let mut names = Vec::new();
        self.0.metrics(&mut names);
        names
    }
}

impl Node {
    fn value(&self, page: &Page) -> Result<Value, Absent> {
        Ok(match self {
            Self::Number(value) => Value {
                value: *value,
                stated: true,
            },
            Self::Negated(inner) => {
                let inner = inner.value(page)?;
                Value {
                    value: -inner.value,
                    ..inner
                }
            }
            Self::Pair(Sign::Or, first, second) => match first.value(page) {
                Err(Absent::Metric(_)) => second.value(page)?,
                told => told?,
            },
            Self::Pair(sign, one, other) => {
                let (one, other) = (one.value(page)?, other.value(page)?);
                let value = match sign {
                    Sign::Plus | Sign::Or => one.value + other.value,
                    Sign::Minus => one.value - other.value,
                    Sign::Times => one.value * other.value,
                    Sign::Over => one.value / other.value,
                };
                Value {
                    value,
                    stated: one.stated && other.stated,
                }
            }
            Self::Of(fold, metric) => Value {
                value: metric.value(*fold, page)?,
                stated: false,
            },
        })
    }

    fn metrics<'a>(&'a self, names: &mut Vec<&'a str>) {
        match self {
            Self::Number(_) => {}
            Self::Negated(inner) => inner.metrics(names),
            Self::Pair(_, one, other) => {
                one.metrics(names);
                other.metrics(names);
            }
            Self::Of(_, metric) => names.push(&metric.name),
        }
    }

    /// Writes it, in parentheses where it binds less than what is around it.
    fn write(&self, f: &mut fmt::Formatter<'_>, least: u8) -> fmt::Result {
        match self {
            Self::Number(value) => write!(f, "{value}"),
            Self::Negated(inner) => {
                f.write_str("-")?;
                inner.write(f, 4)
            }
            Self::Pair(sign, one, other) => {
                let (text, binds) = sign.written();
                if binds < least {
                    f.write_str("(")?;
                }
                one.write(f, binds)?;
                write!(f, " {text} ")?;
                other.write(f, binds + 1)?;
                if binds < least {
                    f.write_str(")")?;
                }
                Ok(())
            }
            Self::Of(Fold::Sum, metric) => write!(f, "{metric}"),
            Self::Of(fold, metric) => {
                let names = Fold::ALL.iter();
                let name = names.filter(|(own, _)| own == fold).map(|(_, name)| *name);
                write!(f, "{}({metric})", name.collect::<String>())
            }
        }
    }
}

impl Metric {
    fn value(&self, fold: Fold, page: &Page) -> Result<f64, Absent> {
        let mut series = page.of(&self.name).filter(|series| self.matches(series));
        let Some(first) = series.next() else {
            return Err(Absent::Metric(self.to_string()));
        };
        Ok(match fold {
            Fold::Sum => series.fold(first.value, |sum, series| sum + series.value),
            // `f64::max` would pass over what is not a number.
            Fold::Max => series.fold(first.value, |most, series| {
                if series.value > most || series.value.is_nan() {
                    series.value
                } else {
                    most
                }
            }),
            Fold::Count => (1 + series.count()) as f64,
        })
    }

    fn matches(&self, series: &Series) -> bool {
        let mut matchers = self.matchers.iter();
        matchers.all(|matcher| (series.label(&matcher.label) == matcher.text) == matcher.equal)
    }
}

impl fmt::Display for Metric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plain = is_plain(&self.name);
        if plain {
            f.write_str(&self.name)?;
        } else {
            write!(f, "{{{}", quoted(&self.name))?;
        }
        for (index, matcher) in self.matchers.iter().enumerate() {
            let sign = if matcher.equal { "=" } else { "!=" };
            let before = if plain && index == 0 { "{" } else { ", " };
            let label = if is_plain(&matcher.label) {
                matcher.label.clone()
            } else {
                quoted(&matcher.label)
            };
            write!(f, "{before}{label}{sign}{}", quoted(&matcher.text))?;
        }
        if plain && self.matchers.is_empty() {
            return Ok(());
        }
        f.write_str("}")
    }
}

/// Whether a name can be written without quotes.
fn is_plain(name: &str) -> bool {
    let begins = |c: char| c.is_ascii_alphabetic() || matches!(c, '_' | ':');
    let inside = |c: char| begins(c) || c.is_ascii_digit() || c == '.';
    name != "or" && name.starts_with(begins) && name.chars().all(inside)
}

/// A text in quotes, as it is read back.
fn quoted(text: &str) -> String {
    let text = text.replace('\\', "\\\\").replace('"', "\\\"");
    format!("\"{}\"", text.replace('\n', "\\n"))
}

impl fmt::Display for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.write(f, 0)
    }
}

as_text!(Expression);
