//! How what is in a record is written for people, wherever that is.
//!
//! Here rather than in `report` or `ui`, because both need it and neither may
//! import the other. It escapes for terminals only; HTML, Markdown and XML have
//! escapes of their own, which come on top.

use std::borrow::Cow;

use super::Outcome;
use crate::plan::Story;
use crate::units::{ClockTime, Nanos};

/// A story that runs at least this fast is told in minutes: its seconds pass in
/// less than a bucket, and would be false precision.
const MINUTES_FROM_SCALE: f64 = 30.0;

/// The text with every character made visible that could steer a terminal or
/// reorder a line: control characters, line and paragraph separators, and the
/// Unicode marks that change the direction of text.
pub(crate) fn printable(text: &str) -> Cow<'_, str> {
    if !text.chars().any(steers) {
        return Cow::Borrowed(text);
    }
    let mut safe = String::with_capacity(text.len() + 8);
    for character in text.chars() {
        if steers(character) {
            safe.extend(character.escape_unicode());
        } else {
            safe.push(character);
        }
    }
    Cow::Owned(safe)
}

fn steers(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// The result of an action, in one line; not yet [`printable`].
pub(crate) fn outcome_text(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Applied { detail } if detail.is_empty() => "applied".into(),
        Outcome::Applied { detail } => format!("applied: {detail}"),
        Outcome::Rejected { check, reason } => format!("refused by `{check}`: {reason}"),
        Outcome::Failed { reason } => format!("failed: {reason}"),
    }
}

/// A signal by its name, of those that interrupt a run.
pub(crate) fn signal_name(signal: i32) -> String {
    match signal {
        1 => "SIGHUP".into(),
        2 => "SIGINT".into(),
        15 => "SIGTERM".into(),
        number => format!("signal {number}"),
    }
}

/// The story's time at an instant of the run: to the minute where the story
/// runs fast, to the second otherwise.
pub(crate) fn story_time(story: &Story, at: Nanos) -> String {
    let time = story.at(at);
    if story.scale < MINUTES_FROM_SCALE {
        return time.to_string();
    }
    ClockTime::from_seconds((time.as_seconds() + 30) / 60 * 60).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_steers_a_terminal_passes() {
        for (text, safe) in [
            ("plain, with ümlaut and 1 %", "plain, with ümlaut and 1 %"),
            ("\u{1b}[31mred\u{7}", "\\u{1b}[31mred\\u{7}"),
            ("one\r\ntwo", "one\\u{d}\\u{a}two"),
            ("\u{9b}2J", "\\u{9b}2J"), // the one-character form of ESC [
            ("abc\u{202e}def", "abc\\u{202e}def"), // right to left from here on
            ("one\u{2028}two", "one\\u{2028}two"),
        ] {
            assert_eq!(printable(text), safe);
        }
        assert!(matches!(printable("untouched"), Cow::Borrowed(_)));
    }

    #[test]
    fn outcomes_read_as_sentences() {
        let refused = Outcome::Rejected {
            check: "schema".into(),
            reason: "it is too old".into(),
        };
        assert_eq!(outcome_text(&refused), "refused by `schema`: it is too old");
    }

    #[test]
    fn a_fast_story_is_told_in_minutes() {
        let story = |scale| Story {
            starts: ClockTime::from_seconds(16 * 3600),
            scale,
        };
        let at = Nanos::from_millis(78_630);
        assert_eq!(story_time(&story(100.0), at), "18:11");
        assert_eq!(story_time(&story(1.0), at), "16:01:19");
    }
}
