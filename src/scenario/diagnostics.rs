//! Mistakes in a scenario file, told to whoever wrote it.
//!
//! Each mistake has its place, what is wrong there, and one suggestion. Text
//! that came from the file is made safe before it is printed: a scenario may
//! come from anywhere, and a terminal obeys control characters.

use std::fmt;
use std::ops::Range;

use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};

use crate::model::redact;
pub(super) use crate::named::{list, nearest, suggest};
use crate::units::counted;

/// One mistake of a scenario file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    /// The bytes of the file that are wrong.
    pub span: Range<usize>,
    /// What is wrong, in one sentence.
    pub message: String,
    /// The same in a word or two, for the underline.
    pub label: String,
    /// What to do about it.
    pub suggestion: String,
}

impl Mistake {
    /// A mistake at `span`; its texts may quote the file, and are made safe here.
    pub(super) fn new(
        span: Range<usize>,
        message: impl AsRef<str>,
        label: impl AsRef<str>,
        suggestion: impl AsRef<str>,
    ) -> Self {
        Self {
            span,
            message: printable(&redact::text(message.as_ref())),
            label: printable(&redact::text(label.as_ref())),
            suggestion: printable(suggestion.as_ref()),
        }
    }

    /// A mistake at `span` that lies in another file: what is told of that one is shown as
    /// it is, line by line.
    pub(super) fn elsewhere(span: Range<usize>, message: &str, label: &str, told: &str) -> Self {
        let lines: Vec<_> = told.lines().map(printable).collect();
        Self {
            suggestion: lines.join("\n"),
            ..Self::new(span, message, label, "")
        }
    }
}

/// Every mistake of one scenario file, in the order of the file; there is at least one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostics {
    path: String,
    text: String,
    mistakes: Vec<Mistake>,
}

impl Diagnostics {
    /// The mistakes of the file with this text; `path` is shown, never opened.
    pub(super) fn new(path: &str, text: &str, mut mistakes: Vec<Mistake>) -> Self {
        mistakes.sort_by_key(|mistake| (mistake.span.start, mistake.span.end));
        mistakes.dedup();
        Self {
            path: printable(path),
            text: text.to_owned(),
            mistakes,
        }
    }

    /// How many mistakes there are.
    pub const fn count(&self) -> usize {
        self.mistakes.len()
    }

    /// The mistakes, in the order of the file.
    pub fn mistakes(&self) -> &[Mistake] {
        &self.mistakes
    }

    /// The mistakes for a terminal, each with its line, column, underlined
    /// text and suggestion, then their number; ends without a newline.
    pub fn render(&self, colour: bool) -> String {
        let renderer = if colour {
            Renderer::styled()
        } else {
            Renderer::plain()
        };
        let renderer = renderer.decor_style(DecorStyle::Ascii);
        // The lines around a mistake may hold secrets; its place stays what it is.
        let whole = redact::starred(&self.text);
        let lines = Lines::of(&whole);
        let mut told = String::new();
        for mistake in &self.mistakes {
            // Its own lines only: the whole file for each mistake would take long.
            let (first, shown) = lines.around(&mistake.span);
            let text = &whole[shown.clone()];
            let source = visible(text);
            let at = |offset: usize| visible_length(text, offset.saturating_sub(shown.start));
            let snippet = Snippet::source(source.as_str())
                .line_start(first)
                .path(self.path.as_str())
                .annotation(
                    AnnotationKind::Primary
                        .span(at(mistake.span.start)..at(mistake.span.end))
                        .label(mistake.label.as_str()),
                );
            let report = Level::ERROR
                .primary_title(mistake.message.as_str())
                .element(snippet)
                .element(Level::HELP.message(mistake.suggestion.as_str()));
            told.push_str(&renderer.render(&[report]));
            told.push_str("\n\n");
        }
        told.push_str(&self.summary());
        told
    }

    fn summary(&self) -> String {
        let mistakes = counted(self.count() as u64, "mistake");
        format!("{}: {mistakes}; nothing was run", self.path)
    }
}

/// Where the lines of a text begin.
pub(super) struct Lines {
    starts: Vec<usize>,
    length: usize,
}

impl Lines {
    /// The lines of this text.
    pub(super) fn of(text: &str) -> Self {
        let ends = text.bytes().enumerate();
        let ends = ends.filter(|(_, byte)| *byte == b'\n');
        Self {
            starts: std::iter::once(0)
                .chain(ends.map(|(at, _)| at + 1))
                .collect(),
            length: text.len(),
        }
    }

    /// The line that holds this byte, from 0.
    pub(super) fn line(&self, offset: usize) -> usize {
        self.starts.partition_point(|start| *start <= offset) - 1
    }

    /// The number of the first line of a span, from 1, and the bytes of all its lines.
    fn around(&self, span: &Range<usize>) -> (usize, Range<usize>) {
        let first = self.line(span.start.min(self.length));
        let last = self.line(span.end.min(self.length)).max(first);
        let end = self.starts.get(last + 1).copied().unwrap_or(self.length);
        (first + 1, self.starts[first]..end)
    }
}

impl fmt::Display for Diagnostics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(false))
    }
}

impl std::error::Error for Diagnostics {}

/// Whether a terminal could obey the character instead of showing it:
/// control characters, and marks that reorder the text around them.
fn obeyed(character: char) -> bool {
    let reorders = matches!(
        character,
        '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}'
    );
    character.is_control() || reorders
}

/// A quotation from the file on one line, with its control characters spelt out.
fn printable(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for character in text.chars() {
        if obeyed(character) {
            safe.extend(character.escape_default());
        } else {
            safe.push(character);
        }
    }
    safe
}

/// The file's text with a sign in the place of each control character; tabs
/// and line ends stay.
fn visible(text: &str) -> String {
    text.chars()
        .map(|character| match character {
            '\n' | '\t' | '\r' => character,
            other if obeyed(other) => char::REPLACEMENT_CHARACTER,
            other => other,
        })
        .collect()
}

/// How long the text is up to this byte when it is shown, which may be longer; never
/// past its end, and never within a character.
fn visible_length(text: &str, offset: usize) -> usize {
    visible(&text[..text.floor_char_boundary(offset)]).len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_from_the_file_reaches_the_terminal_as_a_command() {
        let text = "title = \"\u{1b}[2J\u{9b}31m\u{202e}\"\n";
        let mistake = Mistake::new(8..19, "`\u{1b}[2J` is wrong\n", "\u{7}", "\u{9b}");
        let diagnostics = Diagnostics::new("\u{1b}]0;x\u{7}", text, vec![mistake]);
        let rendered = diagnostics.render(false);
        assert!(
            !rendered.chars().any(|c| obeyed(c) && c != '\n'),
            "{rendered:?}"
        );
        assert!(diagnostics.render(true).contains("\u{1b}[")); // our own colours
    }

    #[test]
    fn a_span_outside_the_text_does_no_harm() {
        let mistake = Mistake::new(3..900, "wrong", "here", "mend it");
        assert!(
            Diagnostics::new("f", "µµ", vec![mistake])
                .render(false)
                .contains("wrong")
        );
    }
}
