//! `postmortem.md`: a draft for people to finish.
//!
//! It holds what was measured and leaves questions where only people know the
//! answer. Every text that came from a scenario or a target is escaped, since a
//! postmortem is read where Markdown renders links and images.

use std::fmt::Write as _;

use super::answer;
use super::facts;
use super::figures::{NONE, count, maybe, percent, plural, words};
use super::incidents;
use super::moments::{moments, troubles};
use super::observed::{self, Table};
use super::phase_table::{self, COLUMNS};
use super::what_if;
use crate::analysis::{Findings, WhatIf};
use crate::plan::Cause;
use crate::record::{Record, printable};

/// Sentences about the cause; those after them tell what followed.
const CAUSE: usize = 3;

/// The draft.
pub fn render(record: &Record, findings: &Findings, tried: Option<&WhatIf>) -> String {
    let mut text = String::new();
    let _ = writeln!(text, "# Postmortem (draft): {}\n", escaped(&findings.title));
    let _ = writeln!(text, "{}\n", escaped(&facts::under_title(record, findings)));
    for banner in answer::banners(findings) {
        let _ = writeln!(text, "> **{}**\n", escaped(&banner));
    }
    summary(&mut text, findings);
    let (incidents, observed): (Vec<_>, Vec<_>) = observed::tables(findings)
        .into_iter()
        .partition(|table| table.title == incidents::TITLE);
    tables(&mut text, &incidents);
    impact(&mut text, findings);
    timeline(&mut text, record, findings);
    let (cause, followed) = findings
        .sentences
        .split_at(findings.sentences.len().min(CAUSE));
    section(&mut text, "Cause");
    items(&mut text, cause);
    sustained(&mut text, findings);
    recovery(&mut text, findings, followed);
    figures(&mut text, findings);
    tables(&mut text, &observed);
    if let Some(tried) = tried {
        measures(&mut text, tried);
    }
    trust(&mut text, findings);
    questions(&mut text, findings);
    section(&mut text, "How this run was made");
    for (name, fact) in facts::facts(record, findings) {
        let _ = writeln!(text, "- {name}: {}", escaped(&fact));
    }
    text
}

fn section(text: &mut String, title: &str) {
    let _ = writeln!(text, "\n## {title}\n");
}

fn items(text: &mut String, sentences: &[String]) {
    for sentence in sentences {
        let _ = writeln!(text, "- {}", escaped(sentence));
    }
    if sentences.is_empty() {
        text.push_str("- nothing was found\n");
    }
}

fn summary(text: &mut String, findings: &Findings) {
    text.push_str("## Summary\n\n");
    let recovery = answer::recovery_after(findings);
    let label = recovery.label.replacen('r', "R", 1);
    let _ = writeln!(
        text,
        "The incident: **{}**. {label}: **{}**. The run {}: {}.",
        escaped(&answer::incident_line(findings)),
        recovery.value,
        answer::verdict_word(findings),
        escaped(&answer::verdict_reason(findings)),
    );
    if !findings.claim.is_empty() {
        let claim = facts::claim(findings);
        let _ = writeln!(text, "\nClaim under test: {}", escaped(&claim));
    }
}

fn impact(text: &mut String, findings: &Findings) {
    section(text, "Impact");
    let conservation = &findings.conservation;
    let _ = writeln!(
        text,
        "- {} of {} did not succeed ({}).",
        count(conservation.lost()),
        plural(conservation.scheduled, "operation"),
        percent(conservation.lost_share())
    );
    let wrongly_allowed = findings.wrongly_allowed();
    if wrongly_allowed > 0 {
        let _ = writeln!(
            text,
            "- {} should have been refused and got through.",
            plural(wrongly_allowed, "operation")
        );
    }
    for figure in answer::headline(findings).iter().skip(2) {
        let note = escaped(&figure.note);
        let _ = writeln!(text, "- {}: {} ({note}).", figure.label, figure.value);
    }
}

fn timeline(text: &mut String, record: &Record, findings: &Findings) {
    section(text, "Timeline");
    text.push_str("Seconds from the start of the load; beside them the incident’s own time.\n\n");
    text.push_str("| run | story | what happened | result |\n|---:|---:|---|---|\n");
    for moment in moments(record, findings) {
        let _ = writeln!(
            text,
            "| {} | {} | {} | {} |",
            moment.at(),
            moment.story.as_deref().unwrap_or_default(),
            escaped(&moment.what),
            escaped(&moment.detail)
        );
    }
}

fn sustained(text: &mut String, findings: &Findings) {
    section(text, "What sustained it");
    match findings.incident.sustaining {
        Some(effect) => {
            let _ = writeln!(
                text,
                "Named from the shares below: **{}**.",
                escaped(&words(effect.word()))
            );
        }
        None if findings.instances == 0 => {
            text.push_str("No sustaining effect was named; what the workers did is unknown.\n");
        }
        None => text.push_str("No sustaining effect was named.\n"),
    }
    let Some(shares) = findings.incident.sustaining_shares else {
        return;
    };
    text.push_str("\nFrom the trigger’s end to the next action or the recovery:\n\n");
    for (name, share, of) in [
        ("retries", Some(shares.retries), "attempts and probes"),
        (
            "monitor probes",
            Some(shares.monitor_probes),
            "attempts and probes",
        ),
        (
            "zombie work (the caller had gone)",
            shares.zombie_work,
            "busy worker-time",
        ),
        ("cold cache", shares.cold_start, "busy worker-time"),
        ("detached tasks", shares.detached_tasks, "busy worker-time"),
    ] {
        if let Some(share) = share {
            let _ = writeln!(text, "- {name}: {} of the {of}", percent(share));
        }
    }
}

fn recovery(text: &mut String, findings: &Findings, followed: &[String]) {
    section(text, "Recovery");
    text.push_str("| duration | value | | definition |\n|---|---:|---|---|\n");
    for span in answer::spans(findings) {
        let _ = writeln!(
            text,
            "| {} | {} | {} | {} |",
            span.label,
            escaped(&span.value),
            escaped(&span.note),
            span.definition
        );
    }
    if !followed.is_empty() {
        text.push('\n');
        items(text, followed);
    }
}

fn figures(text: &mut String, findings: &Findings) {
    section(text, "Figures");
    let heads = COLUMNS.map(|(above, below, _)| phase_table::name(above, below));
    let _ = writeln!(text, "| {} |", heads.join(" | "));
    let _ = writeln!(text, "|---|{}", "---:|".repeat(heads.len() - 1));
    for phase in &findings.phases {
        let cells = phase_table::cells(phase).map(|cell| escaped(&cell));
        let _ = writeln!(text, "| {} |", cells.join(" | "));
    }
    if findings.expectations.is_empty() {
        return;
    }
    text.push_str("\n| | figure | observed | required | margin |\n|---|---|---|---|---|\n");
    for expectation in &findings.expectations {
        let _ = writeln!(
            text,
            "| {} | {} | {} | {} | {} |",
            answer::expectation_sign(expectation.judged()),
            escaped(&answer::expectation_named(expectation)),
            escaped(&words(&expectation.observed)),
            escaped(&words(&expectation.required)),
            expectation.margin.as_deref().unwrap_or(NONE)
        );
    }
}

/// Tables that not every run has.
fn tables(text: &mut String, tables: &[Table]) {
    for table in tables {
        section(text, table.title);
        let _ = writeln!(text, "{}\n", escaped(table.about));
        let _ = writeln!(text, "| {} |", table.columns.join(" | "));
        let figures = table.columns.len() - table.texts;
        let _ = writeln!(
            text,
            "{}|{}",
            "|---".repeat(table.texts),
            "---:|".repeat(figures)
        );
        for row in &table.rows {
            let cells: Vec<_> = row.iter().map(|cell| escaped(cell)).collect();
            let _ = writeln!(text, "| {} |", cells.join(" | "));
        }
    }
}

fn measures(text: &mut String, tried: &WhatIf) {
    section(text, "What could have been different");
    let _ = writeln!(text, "{}\n", what_if::heading(tried));
    let heads = what_if::COLUMNS.map(|(name, _)| name);
    let _ = writeln!(text, "| {} |", heads.join(" | "));
    let _ = writeln!(text, "|---|---|{}", "---:|".repeat(heads.len() - 2));
    for row in what_if::rows(tried) {
        let _ = writeln!(text, "| {} |", row.map(|cell| escaped(&cell)).join(" | "));
    }
    text.push('\n');
    for (name, change) in what_if::legend(tried) {
        let _ = writeln!(text, "- **{}**: {}", escaped(&name), escaped(&change));
    }
}

fn trust(text: &mut String, findings: &Findings) {
    section(text, "Can the figures be trusted?");
    let _ = writeln!(
        text,
        "- Measurement: {}.",
        answer::measurement_line(findings)
    );
    let _ = writeln!(
        text,
        "- Operations: {}.",
        answer::conservation_line(findings)
    );
    for trouble in troubles(findings) {
        let _ = writeln!(text, "- {}", escaped(&trouble));
    }
}

/// What a machine cannot know.
fn questions(text: &mut String, findings: &Findings) {
    section(text, "Open questions");
    let incident = &findings.incident;
    let detected = maybe(incident.time_to_detect_s, super::figures::seconds);
    let why = match incident.trigger {
        None | Some(Cause::Push) => "Why did the change pass review and tests?".to_owned(),
        Some(cause) => format!("What caused the {cause}, and can it happen again?"),
    };
    let mut questions = vec![
        why,
        format!("Why did detection take {detected}, and what would have shown it sooner?"),
    ];
    if let Some(because) = &incident.rollback_rejected_because {
        questions.push(format!(
            "The rollback was {}: who may lift that check, and how fast?",
            escaped(because.trim_end_matches('.'))
        ));
    }
    if let Some(effect) = incident.sustaining {
        questions.push(format!(
            "What limits {} next time?",
            escaped(&words(effect.word()))
        ));
    }
    questions.push("Which follow-up actions are needed, who owns them, and by when?".to_owned());
    for question in questions {
        let _ = writeln!(text, "- [ ] {question}");
    }
}

/// The text on one line, with nothing in it that Markdown would render.
fn escaped(text: &str) -> String {
    let text = printable(text);
    let mut safe = String::with_capacity(text.len() + 8);
    for (index, character) in text.char_indices() {
        let leads = index == 0 && matches!(character, '-' | '+' | '=');
        let steers = matches!(
            character,
            '\\' | '`'
                | '*'
                | '_'
                | '['
                | ']'
                | '<'
                | '>'
                | '|'
                | '~'
                | '&'
                | '#'
                | '!'
                | '$'
                | '@'
        );
        if leads || steers {
            safe.push('\\');
        }
        safe.push(character);
    }
    // What looks like an address becomes a link without any brackets.
    let mut safe = safe.replace("://", "\\://").replace("www.", "www\\.");
    let digits = safe.bytes().take_while(u8::is_ascii_digit).count();
    let after = safe[digits..].strip_prefix(['.', ')']);
    if digits > 0 && after.is_some_and(|rest| rest.is_empty() || rest.starts_with(' ')) {
        safe.insert(digits, '\\');
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::escaped;

    #[test]
    fn nothing_from_outside_is_rendered() {
        for (text, safe) in [
            ("plain (text), 1.5 %", "plain (text), 1.5 %"),
            ("![x](http://a)", "\\!\\[x\\](http\\://a)"),
            ("<b>|a_b*c`d`", "\\<b\\>\\|a\\_b\\*c\\`d\\`"),
            ("1. one", "1\\. one"),
            ("1.5 s", "1.5 s"),
            ("- one", "\\- one"),
            ("one\n# two", "one\\\\u{a}\\# two"),
            ("www.example.org", "www\\.example.org"),
        ] {
            assert_eq!(escaped(text), safe);
        }
    }
}
