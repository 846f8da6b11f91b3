//! Expectations: a figure, the phase it is taken in, and one bound in its unit.

use std::collections::BTreeSet;
use std::iter;
use std::ops::Range;

use super::diagnostics::{Diagnostics, Mistake, suggest};
use super::file::{self, File, Limit};
use super::leaf::Spanned;
use super::meaning::Reader;
use super::statement::{self, Statement, Stretch};
use crate::error::{Error, Result};
use crate::model::{
    Action, Bound, Expectation, FailuresOf, Figure, Moment, ProxyAction, Scope, SourceName, Surge,
    Unit, Word,
};
use crate::plan::{BASELINE, Entry, surge_phases};
use crate::units::Ratio;

/// What the file was found to mean, as far as it could be read.
pub(super) struct Known<'a> {
    pub timeline: &'a [Option<Entry>],
    /// Those of the load.
    pub surges: Option<&'a [Surge]>,
    /// The names of the kinds of operation, and URLs where there are several.
    pub parts: Option<&'a [String]>,
}

/// An expectation of the command line: a statement with its bound, of a load that has
/// these kinds of operation.
///
/// # Errors
///
/// Wrong usage, with the place of the mistake.
pub(crate) fn expectation(text: &str, kinds: &[String], color: bool) -> Result<Expectation> {
    read_alone(text, kinds).map_err(|mistake| {
        let told = Diagnostics::new("--expect", text, vec![mistake]);
        Error::usage(told.render(color))
    })
}

fn read_alone(text: &str, kinds: &[String]) -> std::result::Result<Expectation, Mistake> {
    let statement = statement::read(text)?;
    fits(&statement)?;
    let kind = part(&statement, kinds)?;
    let whole = || 0..text.len();
    let Some(bound) = statement.bound else {
        let (figure, value) = (
            statement.figure.word(),
            statement::example(statement.figure),
        );
        let sign = match statement.figure.unit() {
            Unit::Word => "is",
            _ => "<=",
        };
        return Err(Mistake::new(
            whole(),
            "this has no bound",
            "incomplete",
            format!("write it like `{figure} {sign} {value}`"),
        ));
    };
    let known = [BASELINE];
    let (phase, window) = match statement.window {
        Stretch::Unsaid | Stretch::Whole => (None, None),
        Stretch::Phase(name, span) if !known.contains(&name.as_str()) => {
            let message = format!("a load has no phase `{name}`");
            return Err(Mistake::new(
                span,
                message,
                "unknown phase",
                suggest(&name, &known),
            ));
        }
        Stretch::Phase(name, _) => (Some(name), None),
        Stretch::Window(window, span) => {
            if let Some(name) = window.phases().find(|name| !known.contains(name)) {
                let message = format!("a load has no event and no phase `{name}`");
                let events = Moment::ALL.iter().map(|(_, word)| *word);
                let events: Vec<&str> = events.chain(known).collect();
                let help = suggest(name, &events);
                return Err(Mistake::new(span, message, "unknown event", help));
            }
            (None, Some(window))
        }
    };
    Ok(Expectation {
        that: statement.figure,
        phase,
        window,
        kind,
        of: FailuresOf::default(),
        bound,
        abort: false,
        share: statement.share,
    })
}

/// Whether a text is a statement with its bound, whatever the load has.
///
/// # Errors
///
/// The mistake, at its place in the file.
pub(super) fn readable(text: &Spanned<String>) -> std::result::Result<(), Mistake> {
    let read = statement::read(&text.value).and_then(|said| {
        fits(&said)?;
        said.bound.map(|_| ()).ok_or_else(|| {
            Mistake::new(
                0..text.value.len(),
                "this has no bound",
                "incomplete",
                "write a bound after it, as in `incident verdict is no_impact`",
            )
        })
    });
    read.map_err(|mistake| Mistake {
        span: within(text, &mistake.span),
        ..mistake
    })
}

/// Reports what the figure cannot be taken over.
fn fits(statement: &Statement) -> std::result::Result<(), Mistake> {
    let figure = statement.figure;
    let span = match &statement.window {
        Stretch::Phase(_, span) | Stretch::Window(_, span) => Some(span.clone()),
        _ => None,
    };
    if let Some(span) = span.clone()
        && figure.scope() == Scope::Incident
    {
        return Err(Mistake::new(
            span,
            format!("`{}` is a figure of the whole incident", figure.word()),
            "no phase here",
            "remove it",
        ));
    }
    if let Stretch::Window(_, span) = &statement.window
        && figure.scope() == Scope::Phase
    {
        return Err(Mistake::new(
            span.clone(),
            format!(
                "`{}` is counted over a phase or the whole run",
                figure.word()
            ),
            "no window here",
            "name a phase, as in `in baseline`, or remove it",
        ));
    }
    match &statement.kind {
        Some((_, span)) if !figure.is_by_kind() => Err(Mistake::new(
            span.clone(),
            format!("`{}` is not counted by kind of operation", figure.word()),
            "not here",
            "remove `of` and the name",
        )),
        _ => Ok(()),
    }
}

/// The kind of operation or the URL that is meant, of those that are known.
fn part(statement: &Statement, known: &[String]) -> std::result::Result<Option<String>, Mistake> {
    let Some((name, span)) = &statement.kind else {
        return Ok(None);
    };
    // A URL is known without the slash at the end of its host.
    let bare = name.strip_suffix('/').unwrap_or(name);
    let mut all = known.iter();
    if let Some(own) = all.find(|own| *own == name || *own == bare) {
        return Ok(Some(own.clone()));
    }
    let known: Vec<&str> = known.iter().map(String::as_str).collect();
    let help = match known.as_slice() {
        [] | [_] => "remove `of` and the name: there is one kind of operation".into(),
        _ => suggest(name, &known),
    };
    let message = format!("there is no operation `{name}`");
    Err(Mistake::new(
        span.clone(),
        message,
        "unknown operation",
        help,
    ))
}

/// The expectations of the file; none for one that has a mistake.
pub(super) fn read(
    reader: &mut Reader,
    file: &File,
    known: &Known<'_>,
) -> Vec<Option<Expectation>> {
    let Known {
        timeline, surges, ..
    } = *known;
    let entries = timeline.iter().flatten();
    let names: Vec<&str> = entries.map(|entry| entry.phase.as_str()).collect();
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
            let said = statement(reader, expectation, known.parts);
            let figure = said.as_ref().map(|said| said.figure);
            let phases = complete.then_some(&phases);
            let stretch = stretch(reader, expectation, said.as_ref(), phases);
            let of = which(reader, &sources, expectation, figure);
            let bound = bound(reader, expectation, said.as_ref());
            let share = share(reader, expectation, said.as_ref());
            let (phase, window) = match stretch {
                Stretch::Unsaid | Stretch::Whole => (None, None),
                Stretch::Phase(name, _) => (Some(name), None),
                Stretch::Window(window, _) => (None, Some(window)),
            };
            Some(Expectation {
                that: figure?,
                phase,
                window,
                kind: said?.kind.map(|(name, _)| name),
                of,
                bound: bound?,
                abort: expectation.value.abort,
                share,
            })
        })
        .collect()
}

/// What `that` says.
fn statement(
    reader: &mut Reader,
    expectation: &Spanned<file::Expect>,
    parts: Option<&[String]>,
) -> Option<Statement> {
    let that = expectation.value.that.as_ref()?;
    let said = statement::read(&that.value).and_then(|mut said| {
        fits(&said)?;
        if let Some(parts) = parts {
            let name = part(&said, parts)?;
            said.kind = name.zip(said.kind.map(|(_, span)| span));
        }
        Ok(said)
    });
    said.map_err(|mistake| {
        let span = within(that, &mistake.span);
        reader.mistakes.push(Mistake { span, ..mistake });
    })
    .ok()
}

/// Where something of a text stands in the file: its quotes are one byte each, where it has
/// nothing that is written otherwise than it reads.
fn within(that: &Spanned<String>, place: &Range<usize>) -> Range<usize> {
    let plain = that.span.len() == that.value.len() + 2;
    let begin = that.span.start + 1;
    if plain {
        begin + place.start..begin + place.end
    } else {
        that.span.clone()
    }
}

/// What the figure is taken over: by `that` or by `in`.
fn stretch(
    reader: &mut Reader,
    expectation: &Spanned<file::Expect>,
    said: Option<&Statement>,
    phases: Option<&BTreeSet<&str>>,
) -> Stretch {
    let Some(said) = said else {
        return Stretch::Unsaid;
    };
    let Some(given) = &expectation.value.r#in else {
        let that = expectation.value.that.as_ref();
        let named = match &said.window {
            Stretch::Phase(name, span) => vec![(name.as_str(), span)],
            Stretch::Window(window, span) => window.phases().map(|it| (it, span)).collect(),
            _ => Vec::new(),
        };
        for (name, span) in named {
            let place = Spanned {
                value: (),
                span: that.map_or_else(|| span.clone(), |that| within(that, span)),
            };
            reader.known("phase", &place, name, phases);
        }
        return said.window.clone();
    };
    if said.window != Stretch::Unsaid {
        reader.report(
            given,
            "`that` says already what the figure is taken over",
            "second",
            "remove `in`",
        );
    } else if said.figure.scope() == Scope::Incident {
        reader.report(
            given,
            format!("`{}` is a figure of the whole incident", said.figure.word()),
            "no phase here",
            "remove `in`",
        );
    } else {
        reader.known("phase", given, &given.value, phases);
    }
    Stretch::Phase(given.value.clone(), given.span.clone())
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
    said: Option<&Statement>,
) -> Option<Bound> {
    let file::Expect {
        at_most,
        at_least,
        is,
        that,
        ..
    } = &expectation.value;
    let figure = said.map(|said| said.figure);
    let said = said.and_then(|said| said.bound.clone());
    match (at_most, at_least, is, said) {
        (Some(most), None, None, None) => limit(reader, most, figure?).map(Bound::AtMost),
        (None, Some(least), None, None) => limit(reader, least, figure?).map(Bound::AtLeast),
        (None, None, Some(is), None) => word(reader, is, figure?).map(Bound::Is),
        (None, None, None, Some(bound)) => Some(bound),
        (None, None, None, None) => {
            let unread = that.is_some() && figure.is_none();
            if !unread && !reader.was_taken_out(expectation, &["at_most", "at_least", "is"]) {
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
            let spans = [
                at_most.as_ref().map(|bound| bound.span.clone()),
                at_least.as_ref().map(|bound| bound.span.clone()),
                is.as_ref().map(|bound| bound.span.clone()),
            ];
            let last = spans.into_iter().flatten().max_by_key(|span| span.start);
            let last = Spanned {
                value: (),
                span: last.unwrap_or_default(),
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

/// The share of seeds, by `that` or by its key.
fn share(
    reader: &mut Reader,
    expectation: &Spanned<file::Expect>,
    said: Option<&Statement>,
) -> Option<Ratio> {
    let said = said.and_then(|said| said.share);
    let Some(key) = &expectation.value.share else {
        return said;
    };
    if said.is_some() {
        let message = "`that` says already in which share of seeds";
        reader.report(key, message, "second", "remove `share`");
    } else if expectation.value.abort {
        let message = "one run cannot fail what is about a share of seeds";
        reader.report(key, message, "without effect", "remove `abort`, or `share`");
    }
    if key.value.0.0 == Ratio::WHOLE {
        let suggestion = "leave `share` out: then every run must";
        reader.report(key, statement::NEVER_ALL, "can never hold", suggestion);
    } else if key.value.0.0 > Ratio::WHOLE || key.value.0.0.get() <= 0.0 {
        let message = format!("{} is no share of seeds", key.value.0.0);
        let suggestion = "write one above 0 % and below 100 %, such as `share = \"40 %\"`";
        reader.report(key, message, "not between 0 % and 100 %", suggestion);
    }
    Some(key.value.0.0)
}

/// How a bound of the figure is written as a key.
fn example(figure: Option<Figure>) -> String {
    match figure {
        None => "`at_most = \"60s\"`".into(),
        Some(Figure::Failures) => "`at_most = 0`".into(),
        Some(figure) => {
            let value = statement::example(figure);
            match figure.unit() {
                Unit::Seconds => "`at_most = \"60s\"`".into(),
                Unit::Share => "`at_most = \"50 %\"`".into(),
                Unit::PerSecond => format!("`at_least = \"{value}\"`"),
                Unit::Number => format!("`at_least = {value}`"),
                Unit::Word => format!("`is = \"{value}\"`"),
            }
        }
    }
}

/// A bound as a number in the figure's unit: seconds, a share of 1, or itself.
fn limit(reader: &mut Reader, limit: &Spanned<Limit>, figure: Figure) -> Option<f64> {
    let number = match (figure.unit(), &limit.value) {
        (Unit::Number, Limit::Number(number)) => Some(*number),
        (Unit::Number, Limit::Text(_)) => None,
        (_, Limit::Text(text)) => statement::value(figure, text),
        _ => None,
    };
    if number.is_none() {
        let unit = statement::needs(figure);
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
