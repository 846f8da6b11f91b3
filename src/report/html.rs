//! `report.html`: one file that opens offline and shows the cause at a glance.
//!
//! It asks nothing of the network: styles, scripts and data are inside, and its
//! Content-Security-Policy lets no other script run than the two whose hashes it
//! names, whatever a target may have written into a text. Tables are plain HTML
//! and readable without scripts; only the charts need them.

use askama::Template;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use super::answer::{self, Figure};
use super::charts::{Chart, Rows};
use super::facts;
use super::figures::{NONE, seconds, words};
use super::incidents;
use super::moments::{Moment, moments, troubles};
use super::observed::{self, Table};
use super::phase_table::{self, COLUMNS};
use super::spread::{Spread, spreads};
use super::what_if;
use crate::analysis::{Findings, Incident, Phase, WhatIf, series};
use crate::error::{Error, Result};
use crate::record::{Record, printable};

const STYLE: &str = include_str!("assets/report.css");
/// What the report and the console both draw, and what only the report does: one script, so
/// that the policy names one hash.
const SCRIPT: &str = concat!(
    include_str!("assets/draw.js"),
    include_str!("assets/report.js")
);
const UPLOT_STYLE: &str = include_str!("assets/uPlot.min.css");
const UPLOT_SCRIPT: &str = include_str!("assets/uPlot.iife.min.js");
const UPLOT_LICENSE: &str = include_str!("assets/uPlot.LICENSE");

/// Points of a line at most: more than any screen has columns.
const POINTS_MAX: u64 = 3_000;
/// Sentences that stand at the top; the others follow in a list.
const LEAD: usize = 3;

#[derive(Template)]
#[template(path = "report.html", config = "src/report/askama.toml")]
struct Page<'a> {
    title: String,
    claim: String,
    under_title: String,
    verdict_word: &'static str,
    verdict_reason: String,
    incident: String,
    banners: Vec<String>,
    headline: [Figure; 4],
    lead: Vec<String>,
    more: Vec<String>,
    strip: Strip,
    moments: Vec<Moment>,
    charts: &'a [Chart],
    spreads: &'a [Spread],
    columns: [(&'static str, &'static str, &'static str); 14],
    column_names: [String; 14],
    phases: Vec<[String; 14]>,
    what_if: Option<Measures>,
    observed: Vec<Table>,
    incidents: Option<Table>,
    spans: Vec<Figure>,
    exhaustion: Vec<(String, String)>,
    expectations: Vec<Expectation>,
    troubles: Vec<String>,
    measurement: String,
    conservation: String,
    facts: Vec<(&'static str, String)>,
    style: String,
    script: &'static str,
    uplot: String,
    script_hash: String,
    uplot_hash: String,
    data: String,
}

/// The phases in proportion to their length, and the marks above them.
struct Strip {
    phases: Vec<StripPhase>,
    marks: Vec<StripMark>,
    /// Where a trigger is on: left edge and width in per cent.
    triggers: Vec<(String, String)>,
    /// Where service was lost, likewise.
    lost: Vec<(String, String)>,
}

struct StripPhase {
    left: String,
    width: String,
    name: String,
    span: String,
}

struct StripMark {
    left: String,
    mark: String,
    class: &'static str,
    title: String,
}

struct Expectation {
    sign: &'static str,
    class: &'static str,
    that: String,
    observed: String,
    required: String,
    margin: String,
}

/// What corrective measures were found to change.
struct Measures {
    heading: String,
    columns: [(&'static str, &'static str); 7],
    rows: Vec<[String; 7]>,
    legend: Vec<(String, String)>,
}

/// What the scripts read.
#[derive(Serialize)]
struct Data<'a> {
    /// The start of the load is 0; the last instant shown.
    to_s: f64,
    story: Option<DataStory>,
    phases: Vec<(f64, f64)>,
    marks: Vec<(f64, String, &'static str)>,
    triggers: Vec<(f64, f64)>,
    lost: Vec<(f64, f64)>,
    at_s: &'a [f64],
    charts: &'a [Chart],
    spreads: &'a [Spread],
}

#[derive(Serialize)]
struct DataStory {
    starts_s: u32,
    scale: f64,
}

/// The page as one HTML document.
///
/// # Errors
///
/// Never for findings that were read from a record; a failure is our mistake.
pub fn render(record: &Record, findings: &Findings, tried: Option<&WhatIf>) -> Result<String> {
    let series = series(record);
    let shown = series.at_most(POINTS_MAX);
    let rows = Rows::new(&shown);
    let mut charts = rows.charts();
    if shown.interval > series.interval {
        for chart in &mut charts {
            let points = format!(" Each point stands for {}.", shown.interval);
            chart.about.push_str(&points);
        }
    }
    let spreads = spreads(&series, findings);
    let mut moments = moments(record, findings);
    for moment in &mut moments {
        moment.what = quoted(&moment.what);
        moment.detail = quoted(&moment.detail);
    }
    let last = shown.buckets.last();
    let to_s = last.map_or(1.0, |last| last.to.as_secs_f64());
    let triggers = triggers(findings, to_s);
    let data = Data {
        to_s,
        story: findings.story.map(|story| DataStory {
            starts_s: story.starts.as_seconds(),
            scale: story.scale,
        }),
        phases: findings
            .phases
            .iter()
            .map(|phase| (phase.from_s, phase.to_s))
            .collect(),
        marks: moments
            .iter()
            .map(|moment| (moment.at_s, moment.mark(), moment.class()))
            .collect(),
        triggers: triggers.clone(),
        lost: findings.lost_spans(),
        at_s: &rows.at_s,
        charts: &charts,
        spreads: &spreads,
    };
    let data = embedded(&data)?;
    let mut page = page(record, findings, moments, data);
    page.strip = strip(findings, &page.moments, &triggers, to_s);
    page.charts = &charts;
    page.spreads = &spreads;
    page.what_if = tried.map(|tried| Measures {
        heading: what_if::heading(tried),
        columns: what_if::COLUMNS,
        rows: what_if::rows(tried),
        legend: what_if::legend(tried),
    });
    page.render()
        .map_err(|cause| Error::failed(format!("failed to write report.html: {cause}")))
}

fn page<'a>(record: &Record, findings: &Findings, moments: Vec<Moment>, data: String) -> Page<'a> {
    let mut sentences = findings
        .sentences
        .iter()
        .map(|sentence| quoted(&printable(sentence)));
    // The licence asks to stand wherever the library does.
    let uplot = format!("/*!\n{}*/\n{UPLOT_SCRIPT}", UPLOT_LICENSE.trim_start());
    let mut observed = observed::tables(findings);
    let first = observed
        .first()
        .filter(|table| table.title == incidents::TITLE);
    // It is what a reader must see first, before the charts.
    let incidents = first.is_some().then(|| observed.remove(0));
    Page {
        title: printable(&findings.title).into_owned(),
        claim: facts::claim(findings),
        under_title: facts::under_title(record, findings),
        verdict_word: answer::verdict_word(findings),
        verdict_reason: answer::verdict_reason(findings),
        incident: answer::incident_line(findings),
        banners: answer::banners(findings),
        headline: answer::headline(findings),
        lead: sentences.by_ref().take(LEAD).collect(),
        more: sentences.collect(),
        strip: Strip {
            phases: Vec::new(),
            marks: Vec::new(),
            triggers: Vec::new(),
            lost: Vec::new(),
        },
        moments,
        charts: &[],
        spreads: &[],
        what_if: None,
        observed,
        incidents,
        columns: COLUMNS,
        column_names: COLUMNS.map(|(above, below, _)| phase_table::name(above, below)),
        phases: findings.phases.iter().map(phase_table::cells).collect(),
        spans: answer::spans(findings),
        exhaustion: answer::exhaustion_by_instance(findings),
        expectations: expectations(findings),
        troubles: troubles(findings),
        measurement: answer::measurement_line(findings),
        conservation: answer::conservation_line(findings),
        facts: facts::facts(record, findings),
        style: format!("{UPLOT_STYLE}\n{STYLE}"),
        script: SCRIPT,
        script_hash: hash(SCRIPT),
        uplot_hash: hash(&uplot),
        uplot,
        data,
    }
}

/// From each trigger to its end, or to that of the run where it was never off.
fn triggers(findings: &Findings, to_s: f64) -> Vec<(f64, f64)> {
    let all = match &findings.incidents[..] {
        [] => std::slice::from_ref(&findings.incident),
        all => all,
    };
    let acted = |it: &Incident| Some((it.trigger_s?, it.trigger_off_s.unwrap_or(to_s)));
    all.iter().filter_map(acted).collect()
}

fn strip(findings: &Findings, moments: &[Moment], triggers: &[(f64, f64)], to_s: f64) -> Strip {
    let percent = |at_s: f64| format!("{:.3}", 100.0 * (at_s / to_s).clamp(0.0, 1.0));
    let phase = |phase: &Phase| StripPhase {
        left: percent(phase.from_s),
        width: percent(phase.to_s - phase.from_s),
        name: printable(&phase.name).into_owned(),
        span: format!("{}–{}", phase.from_s, seconds(phase.to_s)),
    };
    let span = |(from, to): &(f64, f64)| (percent(*from), percent(to - from));
    let mark = |moment: &Moment| StripMark {
        left: percent(moment.at_s),
        mark: moment.mark(),
        class: moment.class(),
        title: format!("{} {}", seconds(moment.at_s), moment.what),
    };
    Strip {
        phases: findings.phases.iter().map(phase).collect(),
        marks: moments.iter().map(mark).collect(),
        triggers: triggers.iter().map(span).collect(),
        lost: findings.lost_spans().iter().map(span).collect(),
    }
}

fn expectations(findings: &Findings) -> Vec<Expectation> {
    let all = findings.expectations.iter();
    all.map(|expectation| Expectation {
        sign: answer::expectation_sign(expectation.judged()),
        class: match expectation.judged() {
            Some(true) => "passed",
            Some(false) => "failed",
            None => "invalid",
        },
        that: quoted(&printable(&answer::expectation_named(expectation))),
        observed: quoted(&printable(&words(&expectation.observed))),
        required: quoted(&printable(&words(&expectation.required))),
        margin: expectation
            .margin
            .clone()
            .unwrap_or_else(|| NONE.to_owned()),
    })
    .collect()
}

/// Names in grave accents, as the terminal has them, in quotation marks; a
/// single accent stays.
pub(super) fn quoted(text: &str) -> String {
    let parts: Vec<&str> = text.split('`').collect();
    let mut quoted = String::with_capacity(text.len() + 8);
    for (index, part) in parts.iter().enumerate() {
        quoted.push_str(match index {
            0 => "",
            _ if index % 2 == 0 => "”",
            _ if index + 1 < parts.len() => "“",
            _ => "`",
        });
        quoted.push_str(part);
    }
    quoted
}

/// JSON that no text inside can break out of: `<`, `>` and `&` are written as
/// escapes, so neither `</script>` nor `<!--` can occur in it.
fn embedded(data: &impl Serialize) -> Result<String> {
    let text = serde_json::to_string(data)
        .map_err(|cause| Error::failed(format!("failed to write report.html: {cause}")))?;
    Ok(text
        .replace('<', "\\u003c")
        .replace('>', "\\u003e")
        .replace('&', "\\u0026"))
}

/// A script's hash as a Content-Security-Policy names it (CSP level 3, section 2.3.1).
fn hash(script: &str) -> String {
    BASE64_STANDARD.encode(Sha256::digest(script.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::quoted;

    #[test]
    fn grave_accents_become_quotation_marks() {
        for (text, expected) in [
            ("waive `schema`", "waive “schema”"),
            ("`a` and `b`", "“a” and “b”"),
            ("a ` alone", "a ` alone"),
            ("none", "none"),
        ] {
            assert_eq!(quoted(text), expected);
        }
    }
}
