//! What was found, for a review: a few lines of Markdown, and annotations.

use std::fmt::Write as _;

use super::junit::failure;
use super::text::passed;
use super::wording::{banners, limited_by, returns, served};
use crate::analysis::limit::{LimitExpectation, LimitFound, LimitStatus, LimitVerdict};
use crate::record::printable;
use crate::report::answer::expectation_sign;
use crate::report::ci::Note;
use crate::report::compare::markdown;
use crate::report::figures::{maybe, percent};

/// What was found in a few lines of Markdown: the sentence, the limits, what was expected,
/// the command.
pub fn summary(found: &LimitFound) -> String {
    let mut text = format!(
        "### {} The limit of {}\n\n{}\n",
        sign(found),
        markdown(&found.sought.target),
        markdown(&found.sentence)
    );
    for banner in banners(found) {
        let _ = writeln!(text, "\n**{}**", markdown(&banner));
    }
    text.push_str("\n| | |\n|---|---|\n");
    for (label, value) in rows(found) {
        let _ = writeln!(text, "| {label} | {} |", markdown(&value));
    }
    if !found.expectations.is_empty() {
        text.push_str("\n| | expected | observed | |\n|---|---|---|---|\n");
    }
    for it in &found.expectations {
        let cells = [&*it.expectation, &it.observed, it.verdict.words()].map(markdown);
        let sign = expectation_sign(passed(it.verdict));
        let _ = writeln!(text, "| {sign} | {} |", cells.join(" | "));
    }
    if !found.command.is_empty() {
        let _ = writeln!(text, "\n    {}", printable(&found.command));
    }
    text.push('\n');
    text
}

fn rows(found: &LimitFound) -> Vec<(&'static str, String)> {
    let (served, returns) = (served(found), returns(found));
    let left = found.beyond.as_ref().map(|it| {
        let share = maybe(it.share_at_half_more, percent);
        format!(
            "{}; {share} of the peak is left at 1.5 times the limit",
            it.shape.word()
        )
    });
    let mut rows = vec![
        ("served", format!("{}: {}", served.value, served.note)),
        ("limited by", limited_by(found).join(" ")),
        ("beyond", left.unwrap_or_else(|| "not tried".into())),
        (
            "returns from",
            format!("{}: {}", returns.value, returns.note),
        ),
    ];
    rows.extend(
        found
            .headroom
            .iter()
            .map(|it| ("headroom", it.sentence.clone())),
    );
    rows
}

fn sign(found: &LimitFound) -> &'static str {
    let mut verdicts = found.expectations.iter().map(|it| it.verdict);
    if verdicts.any(|it| it == LimitVerdict::DoesNot) {
        return "❌";
    }
    let told = found.expectations.iter().all(LimitExpectation::passed);
    let shown = matches!(
        found.served.status,
        LimitStatus::Found | LimitStatus::NoLimit
    );
    if told && banners(found).is_empty() && shown {
        "✅"
    } else {
        "❔"
    }
}

/// What of it a reviewer is to see: what was expected and not shown, and why the search
/// may not be relied on.
pub fn notes(found: &LimitFound) -> Vec<Note> {
    let target = &found.sought.target;
    let missed = found.expectations.iter().filter_map(|it| {
        Some(Note {
            fails: true,
            about: "limit".to_owned(),
            title: format!("{target}: {}", it.expectation),
            message: failure(it, found)?,
        })
    });
    let doubts = banners(found).into_iter().map(|banner| Note {
        fails: false,
        about: "limit".to_owned(),
        title: format!("the limit of {target}"),
        message: banner,
    });
    missed.chain(doubts).collect()
}
