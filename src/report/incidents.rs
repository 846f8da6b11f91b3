//! The table of incidents, where there are several or service was lost again.

use super::figures::{NONE, count, maybe, seconds, words};
use super::observed::Table;
use crate::analysis::{Findings, Harm, Incident};

/// What the table is called.
pub(super) const TITLE: &str = "Incidents";

/// One row for each incident and each relapse; no rows where one line says it all.
pub(super) fn table(findings: &Findings) -> Table {
    let incidents = &findings.incidents;
    let several = incidents.len() > 1 || incidents.iter().any(|it| !it.relapses.is_empty());
    let told = incidents.iter().filter(|_| several).enumerate();
    Table {
        title: TITLE,
        about: "Each loss of service in the order of time. A loss without a cause of its own is a \
                relapse of the incident before it.",
        columns: vec![
            "",
            "began with",
            "impact",
            "cause off",
            "back",
            "did not succeed",
            "verdict",
        ],
        texts: 2,
        rows: told
            .flat_map(|(place, incident)| rows(place + 1, incident))
            .collect(),
    }
}

fn rows(number: usize, incident: &Incident) -> Vec<Vec<String>> {
    let cause = incident
        .trigger
        .map_or("nothing of this run", |it| it.name());
    let back = incident.back_early_s.or(incident.recovered_s);
    let failed = |harm: Option<Harm>| maybe(harm, |harm| count(harm.failed));
    let mut rows = vec![vec![
        number.to_string(),
        cause.to_owned(),
        maybe(incident.impact_s, seconds),
        maybe(incident.trigger_off_s, seconds),
        maybe(back, seconds),
        failed(incident.harm),
        words(incident.verdict.word()),
    ]];
    rows.extend(incident.relapses.iter().map(|relapse| {
        vec![
            String::new(),
            "lost again".to_owned(),
            seconds(relapse.lost_s),
            NONE.to_owned(),
            maybe(relapse.back_s, seconds),
            failed(relapse.harm),
            String::new(),
        ]
    }));
    rows
}
