//! Expressions over a page's metrics: what busy, workers and queue are.
//!
//! ```text
//! expression = sum { "or" sum }                 the first that the page has
//! sum        = product { ("+" | "-") product }
//! product    = factor { ("*" | "/") factor }
//! factor     = number | "-" factor | "(" expression ")" | metric
//!            | ("sum" | "max" | "count") "(" metric ")"
//! metric     = name [ "{" [ matcher { "," matcher } ] "}" ]
//! matcher    = label ("=" | "!=") text
//! ```
//!
//! A metric with several series is their sum. `or` is what makes lists of
//! spellings and defaults need no syntax of their own: `a or b or 200` is 200
//! where the page has neither `a` nor `b`, and [`Value::stated`] says so. There
//! is no rate and no regular expression on purpose: a queue is a level, and what
//! needs more than this is better written where the metrics are made.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::{Page, Series};

/// The longest expression read; the longest preset has a quarter of it.
const LENGTH_MAX: usize = 1024;
/// Parentheses and signs within each other at most: what recursion is bounded by.
const DEPTH_MAX: usize = 32;

/// An expression over the metrics of a page.
#[derive(Debug, Clone, PartialEq)]
pub struct Expression(Node);

#[derive(Debug, Clone, PartialEq)]
enum Node {
    Number(f64),
    Negated(Box<Node>),
    Pair(Sign, Box<Node>, Box<Node>),
    Of(Fold, Metric),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sign {
    Or,
    Plus,
    Minus,
    Times,
    Over,
}

impl Sign {
    /// How it is written, and how tightly it binds.
    const fn written(self) -> (&'static str, u8) {
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
enum Fold {
    Sum,
    Max,
    Count,
}

impl Fold {
    const ALL: [(Self, &'static str); 3] = [
        (Self::Sum, "sum"),
        (Self::Max, "max"),
        (Self::Count, "count"),
    ];
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Metric {
    name: String,
    matchers: Vec<Matcher>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Matcher {
    label: String,
    equal: bool,
    text: String,
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
    #[must_use]
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
        f.write_str(&self.name)?;
        for (index, matcher) in self.matchers.iter().enumerate() {
            let sign = if matcher.equal { "=" } else { "!=" };
            let text = matcher.text.replace('\\', "\\\\").replace('"', "\\\"");
            let text = text.replace('\n', "\\n");
            let before = if index == 0 { "{" } else { ", " };
            write!(f, "{before}{}{sign}\"{text}\"", matcher.label)?;
        }
        if self.matchers.is_empty() {
            return Ok(());
        }
        f.write_str("}")
    }
}

impl fmt::Display for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.write(f, 0)
    }
}

impl FromStr for Expression {
    type Err = ExpressionError;

    fn from_str(text: &str) -> Result<Self, ExpressionError> {
        let mut parser = Parser {
            rest: text,
            text,
            depth: 0,
        };
        if text.len() > LENGTH_MAX {
            return Err(ExpressionError {
                at: LENGTH_MAX,
                what: format!("an expression has at most {LENGTH_MAX} characters"),
            });
        }
        let node = parser.pair(1)?;
        parser.space();
        if parser.rest.is_empty() {
            Ok(Self(node))
        } else {
            Err(parser.wrong("expected `+`, `-`, `*`, `/`, `or` or the end here"))
        }
    }
}

impl Serialize for Expression {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Expression {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

struct Parser<'a> {
    text: &'a str,
    rest: &'a str,
    depth: usize,
}

impl<'a> Parser<'a> {
    fn wrong(&self, what: impl Into<String>) -> ExpressionError {
        let read = &self.text[..self.text.len() - self.rest.len()];
        ExpressionError {
            at: read.chars().count() + 1,
            what: what.into(),
        }
    }

    fn space(&mut self) {
        self.rest = self.rest.trim_start();
    }

    /// Takes the sign if it comes next.
    fn takes(&mut self, sign: &str) -> bool {
        self.space();
        match self.rest.strip_prefix(sign) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn needs(&mut self, sign: &str, what: &str) -> Result<(), ExpressionError> {
        if self.takes(sign) {
            Ok(())
        } else {
            Err(self.wrong(what))
        }
    }

    fn name(&mut self) -> &'a str {
        self.space();
        let inside = |(index, c): &(usize, char)| {
            let begins = c.is_ascii_alphabetic() || matches!(c, '_' | ':');
            begins || (*index > 0 && (c.is_ascii_digit() || *c == '.'))
        };
        let taken = self.rest.char_indices().take_while(inside);
        let length = taken.last().map_or(0, |(index, c)| index + c.len_utf8());
        let (name, rest) = self.rest.split_at(length);
        self.rest = rest;
        name
    }

    /// Pairs whose signs bind at least as tightly as this.
    fn pair(&mut self, least: u8) -> Result<Node, ExpressionError> {
        if least > 3 {
            return self.factor();
        }
        let mut node = self.pair(least + 1)?;
        while let Some(sign) = self.sign(least) {
            let other = self.pair(least + 1)?;
            node = Node::Pair(sign, Box::new(node), Box::new(other));
        }
        Ok(node)
    }

    fn sign(&mut self, binds: u8) -> Option<Sign> {
        let signs: &[Sign] = match binds {
            1 => {
                let before = self.rest;
                if self.name() == "or" {
                    return Some(Sign::Or);
                }
                self.rest = before;
                return None;
            }
            2 => &[Sign::Plus, Sign::Minus],
            _ => &[Sign::Times, Sign::Over],
        };
        let found = signs.iter().find(|sign| self.takes(sign.written().0));
        found.copied()
    }

    fn factor(&mut self) -> Result<Node, ExpressionError> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err(self.wrong(format!("more than {DEPTH_MAX} levels are not read")));
        }
        let node = self.deeper();
        self.depth -= 1;
        node
    }

    fn deeper(&mut self) -> Result<Node, ExpressionError> {
        if self.takes("-") {
            return Ok(Node::Negated(Box::new(self.factor()?)));
        }
        if self.takes("(") {
            let node = self.pair(1)?;
            self.needs(")", "expected `)` here")?;
            return Ok(node);
        }
        self.space();
        if self.rest.starts_with(|c: char| c.is_ascii_digit()) {
            return self.number();
        }
        let before = self.rest;
        let name = self.name();
        if name == "or" {
            self.rest = before;
            return Err(self.wrong("`or` stands between two alternatives: write `a or b`"));
        }
        let fold = Fold::ALL.iter().find(|(_, own)| *own == name);
        match fold {
            Some((fold, _)) if self.takes("(") => {
                let name = self.name();
                let metric = self.metric(name)?;
                self.needs(")", "expected `)` here: sum, max and count take one metric")?;
                Ok(Node::Of(*fold, metric))
            }
            _ if self.rest.trim_start().starts_with('(') && !name.is_empty() => {
                self.rest = before;
                Err(self.wrong(format!(
                    "there is no `{name}(…)`; there are sum, max and count"
                )))
            }
            _ => Ok(Node::Of(Fold::Sum, self.metric(name)?)),
        }
    }

    fn number(&mut self) -> Result<Node, ExpressionError> {
        let digits = |c: char| c.is_ascii_digit() || c == '.';
        let length = self.rest.find(|c| !digits(c)).unwrap_or(self.rest.len());
        let (number, rest) = self.rest.split_at(length);
        let value = number.parse::<f64>().ok().filter(|value| value.is_finite());
        let value = value.ok_or_else(|| self.wrong(format!("`{number}` is no number")))?;
        self.rest = rest;
        Ok(Node::Number(value))
    }

    /// The rest of a metric whose name has been taken.
    fn metric(&mut self, name: &str) -> Result<Metric, ExpressionError> {
        if name.is_empty() {
            return Err(self.wrong(
                "expected a metric's name, a number or `(` here, for example `app_busy{pool=\"x\"}`",
            ));
        }
        let mut metric = Metric {
            name: name.to_owned(),
            matchers: Vec::new(),
        };
        if !self.takes("{") {
            return Ok(metric);
        }
        while !self.takes("}") {
            if !metric.matchers.is_empty() {
                self.needs(",", "expected `,` or `}` after a label's text")?;
            }
            metric.matchers.push(self.matcher()?);
        }
        Ok(metric)
    }

    fn matcher(&mut self) -> Result<Matcher, ExpressionError> {
        let label = self.name().to_owned();
        if label.is_empty() {
            return Err(self.wrong("expected a label here, for example `{pool=\"x\"}`"));
        }
        let equal = !self.takes("!=");
        if equal {
            self.needs("=", "expected `=` or `!=` and a text in quotes here")?;
            if self.rest.starts_with('~') {
                return Err(self.wrong("labels are compared as they are: write `=` or `!=`"));
            }
        }
        let text = self.quoted()?;
        Ok(Matcher { label, equal, text })
    }

    /// A text in single or double quotes; a backslash keeps what follows.
    fn quoted(&mut self) -> Result<String, ExpressionError> {
        self.space();
        let quote = self.rest.chars().next().filter(|c| matches!(c, '"' | '\''));
        let quote = quote.ok_or_else(|| self.wrong("expected a text in quotes here"))?;
        let mut text = String::new();
        let mut characters = self.rest.char_indices().skip(1);
        while let Some((index, character)) = characters.next() {
            match character {
                '\\' => match characters.next() {
                    Some((_, 'n')) => text.push('\n'),
                    Some((_, kept)) => text.push(kept),
                    None => break,
                },
                _ if character == quote => {
                    self.rest = &self.rest[index + 1..];
                    return Ok(text);
                }
                _ => text.push(character),
            }
        }
        Err(self.wrong("the quotes that open here do not close"))
    }
}
