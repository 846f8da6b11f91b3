//! An expectation in one line: `p99 in the 10 s before trigger <= 50ms`.
//!
//! One grammar for the command line and for `[[expect]]`, whose keys may give the parts
//! instead. The words are those of `Figure` and `Moment`; docs/EXPECTATIONS.md is made
//! from them.
//!
//! ```text
//! statement = figure ["of" kind] [window] [("<=" | ">=" | "is") value] ["in" share "of seeds"]
//! window    = "in" phase | "in hold" | "in the whole run"
//!           | "in the" duration ("before" | "after") event
//!           | "from" instant "to" instant
//! instant   = event [("+" | "-") duration] | duration
//! event     = "the start" | "the end" | a moment | a phase
//! ```

use std::ops::Range;

use super::diagnostics::{Mistake, suggest};
use crate::model::{Anchor, Bound, Figure, Moment, Point, Unit, Window};
use crate::units::{Nanos, Rate, Ratio};

/// What was read.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Statement {
    pub figure: Figure,
    /// Of which kind of operation, and where that stands.
    pub kind: Option<(String, Range<usize>)>,
    pub window: Stretch,
    pub bound: Option<Bound>,
    /// The least share of seeds in which it holds.
    pub share: Option<Ratio>,
}

/// Over what a figure is taken.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Stretch {
    /// Nothing was said.
    Unsaid,
    Whole,
    Phase(String, Range<usize>),
    Window(Window, Range<usize>),
}

/// What is wrong with a share of all seeds.
pub(super) const NEVER_ALL: &str = "no number of seeds shows that something holds in 100 % of them";

/// A word of the text and where it stands.
#[derive(Debug, Clone, Copy)]
struct Token<'a> {
    text: &'a str,
    from: usize,
}

/// Reads a statement.
pub(super) fn read(text: &str) -> Result<Statement, Mistake> {
    let (text, share) = of_seeds(text)?;
    let tokens = tokens(text);
    let mut reader = Reader {
        text,
        tokens: &tokens,
        place: 0,
    };
    let figure = reader.figure()?;
    let kind = reader.kind()?;
    let window = reader.window()?;
    let bound = reader.bound(figure)?;
    Ok(Statement {
        figure,
        kind,
        window,
        bound,
        share,
    })
}

/// What stands before `in 40 % of seeds`, and the share.
fn of_seeds(text: &str) -> Result<(&str, Option<Ratio>), Mistake> {
    let Some(rest) = text.trim_end().strip_suffix(" of seeds") else {
        return Ok((text, None));
    };
    let split = rest.rsplit_once(" in ");
    let share = split.and_then(|(_, share)| share.trim().parse::<Ratio>().ok());
    if let Some(share) = share.filter(|share| *share > Ratio::WHOLE || share.get() <= 0.0) {
        return Err(Mistake::new(
            0..text.len(),
            format!("{share} is no share of seeds"),
            "not between 0 % and 100 %",
            "write one above 0 % and below 100 %, such as `in 40 % of seeds`",
        ));
    }
    if share == Some(Ratio::WHOLE) {
        return Err(Mistake::new(
            0..text.len(),
            NEVER_ALL,
            "can never hold",
            "leave `in 100 % of seeds` out: then every seed must",
        ));
    }
    match (split, share) {
        (Some((before, _)), Some(share)) => Ok((before, Some(share))),
        _ => Err(Mistake::new(
            0..text.len(),
            "`of seeds` stands behind no share",
            "in how many?",
            "write it like `incident verdict is metastable in 40 % of seeds`",
        )),
    }
}

/// Words, with signs of their own where no space stands beside them.
fn tokens(text: &str) -> Vec<Token<'_>> {
    let mut tokens = Vec::new();
    let mut rest = 0;
    for word in text.split_whitespace() {
        let from = rest + text[rest..].find(word).unwrap_or_default();
        rest = from + word.len();
        let mut begin = 0;
        while begin < word.len() {
            let left = &word[begin..];
            let sign = SIGNS.iter().find(|sign| left.starts_with(**sign));
            let length = sign.map_or_else(
                || {
                    let ends = SIGNS.iter().filter_map(|sign| left.find(sign));
                    ends.min().unwrap_or(left.len())
                },
                |sign| sign.len(),
            );
            tokens.push(Token {
                text: &left[..length],
                from: from + begin,
            });
            begin += length;
        }
    }
    tokens
}

/// Longer ones first.
const SIGNS: [&str; 8] = ["<=", ">=", "≤", "≥", "<", ">", "=", "+"];

struct Reader<'a> {
    text: &'a str,
    tokens: &'a [Token<'a>],
    place: usize,
}

impl<'a> Reader<'a> {
    fn peek(&self) -> Option<Token<'a>> {
        self.tokens.get(self.place).copied()
    }

    fn is(&self, words: &str) -> bool {
        let mut tokens = self.tokens[self.place..].iter();
        words
            .split(' ')
            .all(|word| tokens.next().is_some_and(|token| token.text == word))
    }

    /// Takes these words, where they come next.
    fn take(&mut self, words: &str) -> bool {
        let taken = self.is(words);
        if taken {
            self.place += words.split(' ').count();
        }
        taken
    }

    /// Takes the longest of these that comes next.
    fn longest<T: Copy>(&mut self, of: impl Iterator<Item = (T, &'static str)>) -> Option<T> {
        let fitting = of.filter(|(_, words)| self.is(words));
        let (found, words) = fitting.max_by_key(|(_, words)| words.len())?;
        self.take(words);
        Some(found)
    }

    /// Takes words up to one of these, or to a sign; none where there are none.
    fn until(&mut self, ends: &[&str]) -> Option<(String, Range<usize>)> {
        let from = self.place;
        while let Some(token) = self.peek()
            && !ends.contains(&token.text)
            && !SIGNS.contains(&token.text)
        {
            self.place += 1;
        }
        let taken = &self.tokens[from..self.place];
        let (first, last) = (taken.first()?, taken.last()?);
        let span = first.from..last.from + last.text.len();
        let text = self.text[span.clone()].trim_matches('`').to_owned();
        Some((text, span))
    }

    /// Where the next word stands, or the end of the text.
    fn here(&self) -> Range<usize> {
        match self.peek() {
            Some(token) => token.from..token.from + token.text.len(),
            None => self.text.len().saturating_sub(1)..self.text.len(),
        }
    }

    fn figure(&mut self) -> Result<Figure, Mistake> {
        if let Some(figure) = self.longest(Figure::names()) {
            return Ok(figure);
        }
        let here = self.here();
        let (word, span) = self
            .until(&["in", "from", "of", "is"])
            .unwrap_or((String::new(), here));
        let words: Vec<&str> = Figure::ALL.iter().map(|(_, word)| *word).collect();
        Err(Mistake::new(
            span,
            format!("there is no figure `{word}`"),
            "unknown figure",
            suggest(&word, &words),
        ))
    }

    fn kind(&mut self) -> Result<Option<(String, Range<usize>)>, Mistake> {
        if !self.take("of") {
            return Ok(None);
        }
        let here = self.here();
        let kind = self.until(&["in", "from", "is"]);
        kind.map(Some).ok_or_else(|| {
            Mistake::new(
                here,
                "`of` is followed by no kind of operation",
                "of which?",
                "write the name of an operation, as in `p99 of buy <= 50ms`",
            )
        })
    }

    fn window(&mut self) -> Result<Stretch, Mistake> {
        let from = self.here().start;
        let window = if self.take("in the whole run") {
            return Ok(Stretch::Whole);
        } else if self.take("in hold") {
            Window::Hold
        } else if self.take("in the") {
            self.beside()?
        } else if self.take("in") {
            let here = self.here();
            let phase = self.until(&["is"]);
            return phase
                .map(|(name, span)| Stretch::Phase(name, span))
                .ok_or_else(|| {
                    Mistake::new(
                        here,
                        "`in` is followed by no phase",
                        "in which?",
                        "write the name of a phase, as in `p99 in baseline <= 50ms`",
                    )
                });
        } else if self.take("from") {
            let begin = self.instant("to")?;
            self.demand("to", "write a window as `from rollback applied to the end`")?;
            Window::Between(begin, self.instant("is")?)
        } else {
            return Ok(Stretch::Unsaid);
        };
        let last = self.tokens[self.place - 1];
        Ok(Stretch::Window(window, from..last.from + last.text.len()))
    }

    fn demand(&mut self, word: &str, how: &str) -> Result<(), Mistake> {
        if self.take(word) {
            return Ok(());
        }
        let message = format!("`{word}` is missing here");
        Err(Mistake::new(self.here(), message, "incomplete", how))
    }

    /// `10 s before trigger`.
    fn beside(&mut self) -> Result<Window, Mistake> {
        let how = "write a window as `in the 10 s before trigger`";
        let width = self.duration(&["before", "after"], how)?;
        let before = self.take("before");
        if !before {
            self.demand("after", how)?;
        }
        let anchor = self.anchor("is")?;
        let edge = Point::at(anchor.clone());
        let other = Point {
            anchor,
            before: if before { width } else { Nanos::ZERO },
            after: if before { Nanos::ZERO } else { width },
        };
        Ok(if before {
            Window::Between(other, edge)
        } else {
            Window::Between(edge, other)
        })
    }

    fn instant(&mut self, end: &str) -> Result<Point, Mistake> {
        let begins = self.peek().and_then(|token| token.text.chars().next());
        if begins.is_some_and(|first| first.is_ascii_digit()) {
            let after = self.duration(&[end], "write an instant as `10s`")?;
            return Ok(Point {
                after,
                ..Point::at(Anchor::Zero)
            });
        }
        let anchor = self.anchor(end)?;
        let how = "write an instant as `rollback applied + 30s`";
        let point = Point::at(anchor);
        if self.take("+") {
            let after = self.duration(&[end], how)?;
            return Ok(Point { after, ..point });
        }
        if self.take("-") {
            let before = self.duration(&[end], how)?;
            return Ok(Point { before, ..point });
        }
        Ok(point)
    }

    fn anchor(&mut self, end: &str) -> Result<Anchor, Mistake> {
        if self.take("the start") {
            return Ok(Anchor::Start);
        }
        if self.take("the end") {
            return Ok(Anchor::End);
        }
        if let Some(moment) = self.longest(Moment::ALL.into_iter()) {
            return Ok(Anchor::Moment(moment));
        }
        let here = self.here();
        let phase = self.until(&[end, "-"]);
        phase.map(|(name, _)| Anchor::Phase(name)).ok_or_else(|| {
            let words = Moment::ALL.iter().map(|(_, word)| format!("`{word}`"));
            let words: Vec<String> = words.collect();
            Mistake::new(
                here,
                "no event stands here",
                "of which event?",
                format!(
                    "write `the start`, `the end`, a phase, or one of {}",
                    words.join(", ")
                ),
            )
        })
    }

    fn duration(&mut self, ends: &[&str], how: &str) -> Result<Nanos, Mistake> {
        let here = self.here();
        let (text, span) = self.until(ends).unwrap_or((String::new(), here));
        let wrong = |cause: &dyn std::fmt::Display| {
            Mistake::new(span.clone(), cause.to_string(), "not a duration", how)
        };
        text.parse().map_err(|cause| wrong(&cause))
    }

    fn bound(&mut self, figure: Figure) -> Result<Option<Bound>, Mistake> {
        let Some(sign) = self.peek() else {
            return Ok(None);
        };
        let bound: fn(f64) -> Bound = match sign.text {
            "<=" | "≤" => Bound::AtMost,
            ">=" | "≥" => Bound::AtLeast,
            "is" => {
                self.place += 1;
                return self.word(figure).map(Some);
            }
            _ => {
                return Err(Mistake::new(
                    self.here(),
                    format!("`{}` is no bound", sign.text),
                    "not understood",
                    "write `<=`, `>=` or `is`, and the value",
                ));
            }
        };
        self.place += 1;
        let from = self.here().start;
        let text = self.text.get(from..).unwrap_or_default().trim();
        match value(figure, text) {
            Some(value) if self.place < self.tokens.len() => {
                self.place = self.tokens.len();
                Ok(Some(bound(value)))
            }
            _ => Err(Mistake::new(
                from.min(self.text.len())..self.text.len(),
                format!("`{}` needs {}", figure.word(), needs(figure)),
                "not one",
                format!(
                    "write it like `{} {} {}`",
                    figure.word(),
                    sign.text,
                    example(figure)
                ),
            )),
        }
    }

    fn word(&mut self, figure: Figure) -> Result<Bound, Mistake> {
        let here = self.here();
        let (word, span) = self.until(&[]).unwrap_or((String::new(), here));
        let words = figure.words();
        let named = words.iter().find(|it| it.text() == word);
        named.copied().map(Bound::Is).ok_or_else(|| {
            let texts: Vec<&str> = words.iter().map(|it| it.text()).collect();
            let help = if texts.is_empty() {
                format!("write it like `{} <= {}`", figure.word(), example(figure))
            } else {
                suggest(&word, &texts)
            };
            let message = format!("`{}` is never `{word}`", figure.word());
            Mistake::new(span, message, "not one of its words", help)
        })
    }
}

/// A value in the figure's unit: seconds, a share of 1, per second, or itself.
pub(super) fn value(figure: Figure, text: &str) -> Option<f64> {
    match figure.unit() {
        Unit::Seconds => text.parse().ok().map(Nanos::as_secs_f64),
        Unit::Share => text.parse().ok().map(Ratio::get),
        Unit::PerSecond => text.parse().ok().map(Rate::as_per_second),
        Unit::Number => text.parse().ok().filter(|number: &f64| number.is_finite()),
        Unit::Word => None,
    }
}

/// What its values are, in words.
pub(super) const fn needs(figure: Figure) -> &'static str {
    match figure.unit() {
        Unit::Seconds => "a duration",
        Unit::Share => "a share in percent",
        Unit::PerSecond => "a rate",
        Unit::Number => "a bare number",
        Unit::Word => "a word",
    }
}

/// A value of it, as it is written.
pub(super) fn example(figure: Figure) -> &'static str {
    match figure.unit() {
        Unit::Seconds => "50ms",
        Unit::Share => "1 %",
        Unit::PerSecond => "100/s",
        Unit::Number => "1",
        Unit::Word => figure.words()[0].text(),
    }
}
