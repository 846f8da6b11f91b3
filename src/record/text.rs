//! How what is in a record is written for people, wherever that is.
//!
//! Here rather than in `report` or `ui`, because both need it and neither may
//! import the other. It escapes for terminals only; HTML, Markdown and XML have
//! escapes of their own, which come on top.

use std::borrow::Cow;
use std::num::NonZeroU32;

use super::Outcome;
use crate::model::ProcessSelector;
use crate::model::fault::Hold;
use crate::model::secret::{command, shown};
use crate::plan::{Action, Story};
use crate::units::{ClockTime, Nanos};

/// A story that runs at least this fast is told in minutes: its seconds pass in
/// less than a bucket, and would be false precision.
const MINUTES_FROM_SCALE: f64 = 30.0;

/// The text with every character made visible that could steer a terminal or
/// reorder a line: control characters, line and paragraph separators, and the
/// Unicode marks that change the direction of text.
#[must_use]
pub fn printable(text: &str) -> Cow<'_, str> {
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

/// What an action does, in a few words; not yet [`printable`].
#[must_use]
pub fn action_text(action: &Action) -> String {
    match action {
        Action::Push { set, canary, .. } => {
            let changes: Vec<String> = set
                .iter()
                .map(|(name, value)| format!("{name} = {value}"))
                .collect();
            let to = canary.map_or_else(String::new, |share| format!(" to {share}"));
            format!("push {}{to}", changes.join(", "))
                .trim_end()
                .to_owned()
        }
        Action::Rollback => "rollback".into(),
        Action::Waive { check } => format!("waive `{check}`"),
        Action::Restart { pause: None } => "restart all at once".into(),
        Action::Restart { pause: Some(_) } => "restart one after the other".into(),
        Action::Admit { share } => format!("admit {share}"),
        Action::Monitors { on: true } => "monitors on".into(),
        Action::Monitors { on: false } => "monitors off".into(),
        Action::Retries { retries } => format!("retries {retries}"),
        Action::Hook { hook, .. } => format!("hook `{hook}`"),
        Action::Process { fault, whom } => match whom {
            ProcessSelector::All => format!("{fault} the target"),
            ProcessSelector::First => format!("{fault} the target's first process"),
            ProcessSelector::Child => format!("{fault} a child of the target"),
        },
        Action::Configure { env, args } => {
            let set = env
                .iter()
                .map(|(name, value)| format!("{name}={}", shown(name, value)));
            let args = args
                .iter()
                .map(|args| format!("arguments {}", command(args)));
            let changes: Vec<String> = set.chain(args).collect();
            format!("push {}", changes.join(", "))
        }
        Action::Slow { part, factor } if *factor > 1.0 => format!("{part} {factor}× as slow"),
        Action::Slow { part, .. } => format!("{part} as usual"),
        Action::Pause { instances } => counted("pause", *instances),
        Action::Continue { instances } => counted("continue", *instances),
        Action::Fault {
            proxy, breakage, ..
        } => format!("fault of `{proxy}` ({breakage})"),
        Action::Occupy {
            hold,
            connections,
            path,
            ..
        } => {
            let path = match (hold, path.split('?').next()) {
                (Hold::SlowHeaders, _) | (_, None) => String::new(),
                (_, Some(path)) => format!(" at {path}"),
            };
            format!("occupation ({connections} × {hold}{path})")
        }
        Action::Undo { name } => format!("undo `{name}`"),
    }
}

fn counted(what: &str, instances: Option<NonZeroU32>) -> String {
    match instances.map(NonZeroU32::get) {
        None => what.to_owned(),
        Some(1) => format!("{what} 1 instance"),
        Some(count) => format!("{what} {count} instances"),
    }
}

/// What came of an action, in one line; not yet [`printable`].
#[must_use]
pub fn outcome_text(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Applied { detail } if detail.is_empty() => "applied".into(),
        Outcome::Applied { detail } => format!("applied: {detail}"),
        Outcome::Rejected { check, reason } => format!("refused by `{check}`: {reason}"),
        Outcome::Failed { reason } => format!("failed: {reason}"),
    }
}

/// The story's time at an instant of the run: to the minute where the story
/// runs fast, to the second otherwise.
#[must_use]
pub fn story_time(story: &Story, at: Nanos) -> String {
    let time = story.at(at);
    if story.scale < MINUTES_FROM_SCALE {
        return time.to_string();
    }
    ClockTime::from_seconds((time.as_seconds() + 30) / 60 * 60).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::SlowPart;
    use crate::units::Ratio;

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
    fn actions_and_outcomes_read_as_sentences() {
        let push = Action::Push {
            set: [("a".into(), "1".into()), ("b".into(), "2".into())].into(),
            schema: Some(3),
            tested: false,
            canary: Ratio::new(0.25),
        };
        let admit = Action::Admit {
            share: Ratio::new(0.45).unwrap(),
        };
        let restart = Action::Restart {
            pause: Some(Nanos::from_secs(2)),
        };
        let slow = |factor| Action::Slow {
            part: SlowPart::Database,
            factor,
        };
        for (action, text) in [
            (push, "push a = 1, b = 2 to 25 %"),
            (admit, "admit 45 %"),
            (restart, "restart one after the other"),
            (Action::Monitors { on: false }, "monitors off"),
            (Action::Retries { retries: 0 }, "retries 0"),
            (slow(5.0), "database 5× as slow"),
            (slow(1.0), "database as usual"),
            (Action::Pause { instances: None }, "pause"),
            (
                Action::Continue {
                    instances: NonZeroU32::new(2),
                },
                "continue 2 instances",
            ),
        ] {
            assert_eq!(action_text(&action), text);
        }
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
