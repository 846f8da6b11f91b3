//! Tables of a game day: what people expected and what was measured, what they said, and what
//! the run would have been without them.

use super::figures::{count, maybe, percent, seconds, words};
use super::observed::Table;
use crate::analysis::{Findings, GameDay};
use crate::model::Person;
use crate::record::printable;

fn who(by: &Person) -> String {
    printable(&format!("{} ({})", by.name, by.role.word())).into_owned()
}

fn text(text: &str) -> String {
    printable(text).into_owned()
}

/// What people expected before or during the run, beside what was measured.
pub(super) fn predictions(findings: &Findings) -> Table {
    let predictions = findings.game_day.iter().flat_map(|day| &day.predictions);
    Table {
        title: "Predictions",
        about: "What people expected, and what was measured. The last column is of the record; \
                the one before it is what somebody wrote.",
        columns: vec!["who", "question", "predicted", "measured", "written at"],
        texts: 4,
        rows: predictions
            .map(|it| {
                vec![
                    who(&it.by),
                    it.question.in_words().to_owned(),
                    text(&it.answer),
                    text(&it.measured),
                    seconds(it.at_s),
                ]
            })
            .collect(),
    }
}

/// What people said, asked for in vain, and for how long they held the timeline.
pub(super) fn said(findings: &Findings) -> Table {
    let mut rows: Vec<(f64, Vec<String>)> = Vec::new();
    let mut row = |at: f64, by: &Person, kind: &str, what: String| {
        rows.push((at, vec![who(by), kind.to_owned(), what, seconds(at)]));
    };
    if let Some(day) = &findings.game_day {
        for note in &day.notes {
            row(note.at_s, &note.by, "note", text(&note.text));
        }
        for hold in &day.holds {
            let what = hold.to_s.map_or_else(
                || "the timeline, until the end".to_owned(),
                |to| {
                    format!(
                        "the timeline, for {}; the load went on",
                        seconds(to - hold.from_s)
                    )
                },
            );
            row(hold.from_s, &hold.by, "held", what);
        }
        for declined in &day.declined {
            let what = format!("{}: {}", declined.what, declined.reason);
            row(
                declined.at_s,
                &declined.by,
                "asked for, not done",
                text(&what),
            );
        }
    }
    rows.sort_by(|one, other| one.0.total_cmp(&other.0));
    Table {
        title: "What people said",
        about: "Notes and decisions about the game itself, at the seconds at which they were \
                made. What people did to the system is in the timeline.",
        columns: vec!["who", "kind", "what", "at"],
        texts: 3,
        rows: rows.into_iter().map(|(_, row)| row).collect(),
    }
}

/// The run beside the same plan without people, which is simulated.
pub(super) fn without(findings: &Findings) -> Table {
    let day = findings.game_day.as_ref();
    let row = |(name, load_s): (&str, f64),
               verdict: &str,
               recovery: Option<f64>,
               lost: u64,
               share: Option<f64>| {
        vec![
            name.to_owned(),
            words(verdict),
            seconds(load_s),
            maybe(recovery, seconds),
            count(lost),
            maybe(share, percent),
        ]
    };
    let rows = day
        .and_then(|day| Some((day.load_s, day.as_written.as_ref()?)))
        .map(|(load_s, written)| {
            let conservation = &findings.conservation;
            vec![
                row(
                    ("this run, measured", load_s),
                    findings.incident.verdict.word(),
                    findings.incident.recovery_after_trigger_off_s,
                    conservation.lost(),
                    (conservation.scheduled > 0).then(|| conservation.lost_share()),
                ),
                row(
                    ("the timeline as written, simulated", written.load_s),
                    written.outcome.verdict.word(),
                    written.outcome.recovery_s,
                    written.outcome.lost,
                    written.outcome.lost_share(),
                ),
            ]
        });
    Table {
        title: "Without the people",
        about: "The same plan and seed with the timeline as the scenario has it. The first row is \
                measured, the second is the simulator’s; docs/SIMULATOR.md says how far they \
                agree. Where the loads lasted for different times, only verdict and recovery \
                can be held against each other.",
        columns: vec![
            "",
            "incident",
            "load lasted",
            "recovery",
            "did not succeed",
            "share",
        ],
        texts: 2,
        rows: rows.unwrap_or_default(),
    }
}

/// Who took part, as one sentence; none where nobody did.
pub(super) fn took_part(day: &GameDay) -> String {
    let names: Vec<String> = day.people.iter().map(who).collect();
    let decided = if day.manual {
        "; people decided when each entry of the timeline was carried out"
    } else {
        ""
    };
    format!("{}{decided}", names.join(", "))
}
