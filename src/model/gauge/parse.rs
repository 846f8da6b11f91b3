//! How an expression is read: recursive descent, with a bound on its depth.
//!
//! The grammar stands in `expression`. A mistake has its place, counted in
//! characters, and says what would be right there.

use std::str::FromStr;

use super::expression::{Expression, ExpressionError, Fold, Matcher, Metric, Node, Sign};

/// The longest expression read; the longest preset has a quarter of it.
const LENGTH_MAX: usize = 1024;
/// Parentheses and signs within each other at most: what recursion is bounded by.
const DEPTH_MAX: usize = 32;

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
        if self.rest.starts_with('{') {
            return Ok(Node::Of(Fold::Sum, self.quoted_metric()?));
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
                let metric = if self.rest.trim_start().starts_with('{') {
                    self.quoted_metric()?
                } else {
                    let name = self.name();
                    self.metric(name)?
                };
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
        let value = value.ok_or_else(|| self.wrong(format!("`{number}` is not a number")))?;
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

    /// A metric whose name is in quotes, and stands first in the braces.
    fn quoted_metric(&mut self) -> Result<Metric, ExpressionError> {
        self.needs("{", "expected `{` here")?;
        let name = self.quoted()?;
        if name.is_empty() {
            return Err(self.wrong("a metric's name is not empty"));
        }
        let mut matchers = Vec::new();
        while !self.takes("}") {
            self.needs(",", "expected `,` or `}` after a name or a label's text")?;
            matchers.push(self.matcher()?);
        }
        Ok(Metric { name, matchers })
    }

    fn matcher(&mut self) -> Result<Matcher, ExpressionError> {
        self.space();
        let label = if self.rest.starts_with(['"', '\'']) {
            self.quoted()?
        } else {
            self.name().to_owned()
        };
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
