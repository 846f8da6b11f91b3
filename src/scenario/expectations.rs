//! Expectations: a figure, the phase it is taken in, and one bound in its unit.

use std::collections::BTreeSet;
use std::iter;

use super::file::{self, File, Limit};
use super::leaf::Spanned;
use super::meaning::Reader;
use crate::model::{
    Action, Bound, Expectation, FailuresOf, Figure, ProxyAction, Scope, SourceName, Surge, Unit,
    Word,
};
use crate::plan::{BASELINE, Entry, surge_phases};
use crate::units::{Nanos, Ratio};

/// The expectations of the file; none for one that has a mistake. `surges`:
/// those of the load, where it could be read.
pub(super) fn read(
    reader: &mut Reader,
    file: &File,
    timeline: &[Option<Entry>],
    surges: Option<&[Surge]>,
) -> Vec<Option<Expectation>> {
    let known = timeline.iter().flatten();
    let names: Vec<&str> = known.map(|entry| entry.phase.as_str()).collect();
    // With an entry that could not be read, nobody knows every phase.
    let nameless = |entry| reader.was_taken_out(entry, &["phase"]);
    let complete = names.len() == timeline.len()
        && surges.is_some()
        && !reader.file_lacks("timeline")
        && !file.timeline.iter().any(nameless);
    let of_surges = surge_phases(surges.unwrap_or_default(), &names);
    let of_surges = of_surges.iter().map(String::as_str);
    let phases: BTreeSet<&str> = iter::once(BASELINE).chain(names).chain(of_surges).collect();
    let sources = sources(file, timeline);
    file.expect
        .iter()
        .map(|expectation| {
            let figure = expectation.value.that.as_ref().map(|that| that.value.0);
            let phases = complete.then_some(&phases);
            phase(reader, expectation, figure, phases);
            let of = which(reader, &sources, expectation, figure);
            let bound = bound(reader, expectation, figure);
            Some(Expectation {
                that: figure?,
                phase: expectation
                    .value
                    .r#in
                    .as_ref()
                    .map(|phase| phase.value.clone()),
                of,
                bound: bound?,
            })
        })
        .collect()
}

fn phase(
    reader: &mut Reader,
    expectation: &Spanned<file::Expect>,
    figure: Option<Figure>,
    phases: Option<&BTreeSet<&str>>,
) {
    let Some(figure) = figure else { return };
    match &expectation.value.r#in {
        Some(phase) if figure.scope() == Scope::Incident => reader.report(
            phase,
            format!("`{}` is a figure of the whole incident", figure.word()),
            "no phase here",
            "remove `in`",
        ),
        Some(phase) => reader.known("phase", phase, &phase.value, phases),
        None if figure.scope() == Scope::Phase => {
            if let Some(that) = &expectation.value.that {
                reader.report(
                    that,
                    format!(
                        "`{}` is reported by phase, and no phase is given",
                        figure.word()
                    ),
                    "in which phase?",
                    format!("add `in = \"{BASELINE}\"`, or another phase"),
                );
            }
        }
        None => {}
    }
}

/// Which failures are meant; only of these can a cause and a source be told.
fn which(
    reader: &mut Reader,
    sources: &[String],
    expectation: &Spanned<file::Expect>,
    figure: Option<Figure>,
) -> FailuresOf {
    let file::Expect { cause, source, .. } = &expectation.value;
    if let Some(figure) = figure.filter(|figure| *figure != Figure::Failures) {
        let places = [
            ("cause", cause.as_ref().map(|it| it.span.clone())),
            ("source", source.as_ref().map(|it| it.span.clone())),
        ];
        for (key, span) in places {
            let Some(span) = span else { continue };
            reader.report(
                &Spanned { value: (), span },
                format!("`{}` has no `{key}`: only failures have one", figure.word()),
                "not here",
                format!("remove `{key}`, or write `that = \"failures\"`"),
            );
        }
        return FailuresOf::default();
    }
    if let Some(source) = source {
        let known = sources.iter().map(String::as_str).collect();
        reader.known("source of failures", source, &source.value, Some(&known));
    }
    FailuresOf {
        cause: cause.as_ref().map(|cause| cause.value.0),
        source: source.as_ref().map(|source| source.value.as_str().into()),
    }
}

/// Whose failures a run of this file counts.
fn sources(file: &File, timeline: &[Option<Entry>]) -> Vec<String> {
    let names = |each: &mut dyn Iterator<Item = &Option<Spanned<String>>>, of: fn(&str) -> _| {
        let named = each.flatten().map(|name| of(&name.value));
        named.collect::<Vec<SourceName>>()
    };
    let mut all = vec![
        SourceName::User,
        SourceName::Monitor,
        SourceName::of_ready(),
    ];
    let mut hooks = file.hook.iter().map(|hook| &hook.value.name);
    all.extend(names(&mut hooks, SourceName::of_hook));
    let mut gauges = file.gauges.iter().map(|gauges| &gauges.value.name);
    all.extend(names(&mut gauges, SourceName::of_gauges));
    let mut proxies = file.proxy.iter().map(|proxy| &proxy.value.name);
    all.extend(names(&mut proxies, SourceName::of_proxy));
    all.extend(
        timeline
            .iter()
            .flatten()
            .filter_map(|entry| match &entry.action {
                Action::Proxy(ProxyAction::Occupy { name, .. }) => {
                    Some(SourceName::of_occupation(name))
                }
                _ => None,
            }),
    );
    all.iter().map(SourceName::to_string).collect()
}

fn bound(
    reader: &mut Reader,
    expectation: &Spanned<file::Expect>,
    figure: Option<Figure>,
) -> Option<Bound> {
    let file::Expect {
        at_most,
        at_least,
        is,
        ..
    } = &expectation.value;
    match (at_most, at_least, is) {
        (Some(most), None, None) => limit(reader, most, figure?).map(Bound::AtMost),
        (None, Some(least), None) => limit(reader, least, figure?).map(Bound::AtLeast),
        (None, None, Some(is)) => word(reader, is, figure?).map(Bound::Is),
        (None, None, None) => {
            if !reader.was_taken_out(expectation, &["at_most", "at_least", "is"]) {
                reader.report(
                    expectation,
                    "[[expect]] lacks its bound",
                    "incomplete",
                    format!("add {}", example(figure)),
                );
            }
            None
        }
        _ => {
            let mut spans = [
                at_most.as_ref().map(|bound| bound.span.clone()),
                at_least.as_ref().map(|bound| bound.span.clone()),
                is.as_ref().map(|bound| bound.span.clone()),
            ];
            spans.sort_by_key(|span| span.as_ref().map(|span| span.start));
            let last = Spanned {
                value: (),
                span: spans[2].clone().unwrap_or_default(),
            };
            reader.report(
                &last,
                "an expectation has one bound, and this one has more",
                "second bound",
                "write an [[expect]] for each",
            );
            None
        }
    }
}

/// How a bound of the figure is written.
fn example(figure: Option<Figure>) -> String {
    match figure.map(|figure| (figure.unit(), figure)) {
        None | Some((Unit::Seconds, _)) => "`at_most = \"60s\"`".into(),
        Some((Unit::Number, Figure::Failures)) => "`at_most = 0`".into(),
        Some((Unit::Share, _)) => "`at_most = \"50 %\"`".into(),
        Some((Unit::Number, _)) => "`at_least = 1`".into(),
        Some((Unit::Word, figure)) => format!("`is = \"{}\"`", figure.words()[0].text()),
    }
}

/// A bound as a number in the figure's unit: seconds, a share of 1, or itself.
fn limit(reader: &mut Reader, limit: &Spanned<Limit>, figure: Figure) -> Option<f64> {
    let number = match (figure.unit(), &limit.value) {
        (Unit::Seconds, Limit::Text(text)) => text.parse().ok().map(Nanos::as_secs_f64),
        (Unit::Share, Limit::Text(text)) => text.parse().ok().map(Ratio::get),
        (Unit::Number, Limit::Number(number)) => Some(*number),
        _ => None,
    };
    if number.is_none() {
        let unit = match figure.unit() {
            Unit::Seconds => "a duration",
            Unit::Share => "a share in percent",
            Unit::Number => "a bare number",
            Unit::Word => "a word",
        };
        reader.report(
            limit,
            format!("`{}` needs {unit}, and this is not one", figure.word()),
            format!("not {unit}"),
            format!("write it like {}", example(Some(figure))),
        );
    }
    number
}

fn word(reader: &mut Reader, word: &Spanned<String>, figure: Figure) -> Option<Word> {
    let words = figure.words();
    if words.is_empty() {
        reader.report(
            word,
            format!(
                "`{}` is a number and cannot be compared with a word",
                figure.word()
            ),
            "not a word",
            format!("write {}", example(Some(figure))),
        );
        return None;
    }
    let named = words.iter().find(|it| it.text() == word.value);
    if named.is_none() {
        let texts: Vec<_> = words.iter().map(|word| word.text()).collect();
        reader.unknown(figure.word(), word, &word.value, &texts);
    }
    named.copied()
}
