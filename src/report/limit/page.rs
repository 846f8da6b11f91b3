//! `limit.html`: one file without scripts, which opens offline. The sentence comes first,
//! then four figures, then the pictures, each with its table behind it.

use askama::Template;

use super::plot;
use super::steps::{COLUMNS, cells, class, question};
use super::text::passed;
use super::wording::{self, banners, effect, limited_by, probability, returns, served, trials};
use crate::analysis::limit::{
    LimitEnded, LimitExpectation, LimitFound, LimitReturnRate, LimitStatus,
};
use crate::error::{Error, Result};
use crate::record::printable;
use crate::report::answer::expectation_sign;
use crate::report::figures::{NONE, maybe, number, percent, plural, seconds, utc};
use crate::report::html::quoted;

/// How wide the pictures are on a screen, and on a telephone.
const WIDTHS: (f64, f64) = (1130.0, 390.0);

#[derive(Template)]
#[template(path = "limit.html", config = "src/report/askama.toml")]
struct Page {
    target: String,
    subject: String,
    word: &'static str,
    word_class: &'static str,
    sentence: String,
    banners: Vec<String>,
    style: &'static str,
    tiles: Vec<(&'static str, String, String)>,
    expectations: Vec<Expectation>,
    goodput: Option<Drawn>,
    served: String,
    beyond: Option<String>,
    returns: Option<Drawn>,
    edge: Option<String>,
    causes: Vec<String>,
    headroom: Option<String>,
    advice: Vec<[String; 4]>,
    columns: [&'static str; 9],
    steps: Vec<Row>,
    sought: Vec<(&'static str, String)>,
    ended: String,
    command: String,
}

/// A picture in two widths, and the table behind it.
struct Drawn {
    wide: String,
    narrow: String,
    heads: &'static [&'static str],
    rows: Vec<Vec<String>>,
}

/// A row of the table of steps.
struct Row {
    question: String,
    cells: [String; 9],
    class: &'static str,
    /// Where its run's report lies.
    report: Option<String>,
}

struct Expectation {
    sign: &'static str,
    class: &'static str,
    that: String,
    verdict: &'static str,
    observed: String,
}

/// The page.
///
/// # Errors
///
/// Never; a failure is our mistake.
pub fn html(found: &LimitFound) -> Result<String> {
    let (word, word_class) = word(found);
    let edge = found.returns.as_ref();
    Page {
        target: printable(&found.sought.target).into_owned(),
        subject: format!(
            "{} · {}",
            wording::machine(found),
            utc(found.started_wall_ms)
        ),
        word,
        word_class,
        sentence: shown(&found.sentence),
        banners: banners(found).iter().map(|it| shown(it)).collect(),
        style: include_str!("../assets/report.css"),
        tiles: tiles(found),
        expectations: expectations(found),
        goodput: goodput(found),
        served: shown(&found.served.sentence),
        beyond: found.beyond.as_ref().map(|it| shown(&it.sentence)),
        returns: times(found),
        edge: edge.map(|it| shown(&it.sentence)),
        causes: limited_by(found).iter().map(|it| shown(it)).collect(),
        headroom: found.headroom.as_ref().map(|it| shown(&it.sentence)),
        advice: advice(found),
        columns: COLUMNS,
        steps: steps(found),
        sought: wording::sought(&found.sought),
        ended: format!(
            "{} after {}: {}",
            found.ended.word(),
            plural(found.steps.len() as u64, "step"),
            shown(&found.ended_because)
        ),
        command: printable(&found.command).into_owned(),
    }
    .render()
    .map_err(|cause| Error::failed(format!("failed to write limit.html: {cause}")))
}

/// Text as the page has it.
fn shown(text: &str) -> String {
    quoted(&printable(text))
}

/// The word beside the sentence, and how it looks.
fn word(found: &LimitFound) -> (&'static str, &'static str) {
    let expected = &found.expectations;
    if expected.iter().any(|it| passed(it.verdict) == Some(false)) {
        return ("failed", "failed");
    }
    if found.ended != LimitEnded::Complete {
        return (found.ended.word(), "invalid");
    }
    match (found.served.status, expected.is_empty()) {
        (_, false) if expected.iter().all(LimitExpectation::passed) => ("passed", "passed"),
        (_, false) | (LimitStatus::Unknown, _) => ("cannot tell", "invalid"),
        (LimitStatus::Nothing, _) => ("nothing is served", "failed"),
        (LimitStatus::Found, _) => ("limit found", "neutral"),
        (LimitStatus::NoLimit | LimitStatus::NotTheService, _) => ("no limit found", "neutral"),
    }
}

/// What stands above the pictures: label, value, note.
fn tiles(found: &LimitFound) -> Vec<(&'static str, String, String)> {
    let (served, returns) = (served(found), returns(found));
    let cause = found.limited_by.first();
    let beyond = found.beyond.as_ref();
    vec![
        ("serves up to", served.value, served.note),
        (
            "comes back by itself from up to",
            returns.value,
            returns.note,
        ),
        (
            "what limits it",
            match found.served.status {
                LimitStatus::NotTheService => "not the service".into(),
                _ => maybe(cause, |it| it.resource.word().to_owned()),
            },
            cause.map_or_else(|| limited_by(found).concat(), |it| shown(&it.sentence)),
        ),
        (
            "of the peak is left at 1.5 times the limit",
            maybe(beyond.and_then(|it| it.share_at_half_more), percent),
            beyond.map_or("not tried", |it| it.shape.word()).to_owned(),
        ),
    ]
}

fn expectations(found: &LimitFound) -> Vec<Expectation> {
    let all = found.expectations.iter();
    all.map(|it| Expectation {
        sign: expectation_sign(passed(it.verdict)),
        class: class(it.verdict),
        that: shown(&it.expectation),
        verdict: it.verdict.words(),
        observed: shown(&it.observed),
    })
    .collect()
}

fn goodput(found: &LimitFound) -> Option<Drawn> {
    let rows = plot::points(found).into_iter().map(|point| {
        let figures = &point.step.figures;
        vec![
            number(figures.offered_per_s),
            number(figures.goodput_per_s),
            maybe(point.interval, |(low, high)| {
                format!("{} to {}", number(low), number(high))
            }),
            point.step.verdict.words().to_owned(),
            point.step.number.to_string(),
        ]
    });
    Some(Drawn {
        wide: plot::goodput(found, WIDTHS.0)?,
        narrow: plot::goodput(found, WIDTHS.1)?,
        heads: &[
            "offered/s",
            "goodput/s",
            "95 % interval",
            "objectives",
            "step",
        ],
        rows: rows.collect(),
    })
}

fn times(found: &LimitFound) -> Option<Drawn> {
    let rates = found.returns.iter().flat_map(|it| &it.rates);
    Some(Drawn {
        wide: plot::returns(found, WIDTHS.0)?,
        narrow: plot::returns(found, WIDTHS.1)?,
        heads: &["rate/s", "came back", "probability, 95 %", "after", "steps"],
        rows: rates.map(times_row).collect(),
    })
}

fn times_row(rate: &LimitReturnRate) -> Vec<String> {
    let listed = |all: Vec<String>| match all.join(", ") {
        none if none.is_empty() => NONE.to_owned(),
        all => all,
    };
    vec![
        number(rate.rate_per_s),
        format!("{} of {}", rate.returned, rate.trials),
        probability(rate),
        listed(rate.after_s.iter().map(|after| seconds(*after)).collect()),
        listed(rate.steps.iter().map(u32::to_string).collect()),
    ]
}

/// Measures: name, what became of it, the trials, what it changes.
fn advice(found: &LimitFound) -> Vec<[String; 4]> {
    let all = found.advice.iter();
    all.map(|it| {
        let tried = match trials(&it.rates) {
            none if none.is_empty() => NONE.to_owned(),
            tried => tried,
        };
        [
            shown(&it.name),
            shown(&effect(it)),
            tried,
            shown(&it.change),
        ]
    })
    .collect()
}

fn steps(found: &LimitFound) -> Vec<Row> {
    let all = found.steps.iter();
    all.map(|step| Row {
        question: question(step),
        cells: cells(step).map(|cell| shown(&cell)),
        class: class(step.verdict),
        report: step.run.as_deref().map(report_of),
    })
    .collect()
}

/// Where the report of a run lies, seen from the page; never another site.
fn report_of(run: &str) -> String {
    let mut path = String::from("./");
    for c in run.chars() {
        match c {
            '%' => path.push_str("%25"),
            '#' => path.push_str("%23"),
            '?' => path.push_str("%3F"),
            c if c.is_control() => {}
            c => path.push(c),
        }
    }
    path + "/report.html"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_stays_beside_the_page() {
        assert_eq!(report_of("step-001"), "./step-001/report.html");
        assert_eq!(report_of("a#b?c%"), "./a%23b%3Fc%25/report.html");
        assert_eq!(report_of("javascript:x"), "./javascript:x/report.html");
    }
}
