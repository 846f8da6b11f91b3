//! `[[gauges]]` and what they mean: sources with their expressions.

use super::file::{self, File};
use super::leaf::Spanned;
use super::meaning::Reader;
use crate::model::{Expression, GaugePlace, GaugeSource, Roles};
use crate::units::Nanos;

/// Readings are at least so far apart: one takes a thread's while, and more
/// would be a load of their own.
const EVERY_MIN: Nanos = Nanos::from_millis(50);
/// Sources at most: each has a thread.
const SOURCES_MAX: usize = 32;
/// The longest name; it stands in tables.
const NAME_MAX: usize = 40;

/// The sources of the file; one that has a mistake is left out.
pub(super) fn read(reader: &mut Reader, file: &File) -> Vec<GaugeSource> {
    let mut sources: Vec<GaugeSource> = Vec::new();
    for gauges in &file.gauges {
        let Some(source) = source(reader, gauges) else {
            continue;
        };
        if sources.iter().any(|other| other.name == source.name) {
            let message = format!("other gauges are called `{}`", source.name);
            let suggestion = "give these a `name` of their own";
            match &gauges.value.name {
                Some(name) => reader.report(name, message, "taken", suggestion),
                None => reader.report(gauges, message, "taken", suggestion),
            }
        }
        sources.push(source);
    }
    if let Some(one) = file.gauges.get(SOURCES_MAX) {
        let message = format!("there are more than {SOURCES_MAX} [[gauges]]");
        reader.report(one, message, "too many", "remove some");
    }
    sources
}

fn source(reader: &mut Reader, gauges: &Spanned<file::Gauges>) -> Option<GaugeSource> {
    let own = &gauges.value;
    let place = place(reader, gauges);
    let every = own.every.value.0.0;
    if every < EVERY_MIN {
        let message = format!("`every` is {every}");
        let suggestion = format!("write at least \"{EVERY_MIN}\"");
        reader.report(&own.every, message, "too often", suggestion);
    }
    if let Some(name) = &own.name {
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, ' ' | '-' | '_' | '.');
        let fits = (1..=NAME_MAX).contains(&name.value.len()) && name.value.chars().all(plain);
        if !fits {
            let message = format!("gauges cannot be called `{}`", name.value);
            let suggestion =
                format!("write 1 to {NAME_MAX} letters, digits, spaces and `-`, `_`, `.`");
            reader.report(name, message, "not a name", suggestion);
        }
    }
    let preset = own.preset.map(|preset| preset.0);
    let mut roles = preset.map(Roles::of).unwrap_or_default();
    for (role, text) in [
        (&mut roles.busy, &own.busy),
        (&mut roles.workers, &own.workers),
        (&mut roles.queue, &own.queue),
        (&mut roles.completed, &own.completed),
    ] {
        if let Some(text) = text {
            *role = expression(reader, text);
        }
    }
    let written = [&own.busy, &own.workers, &own.queue, &own.completed];
    let keys = ["preset", "busy", "workers", "queue", "completed"];
    let told = preset.is_some() || written.iter().any(|text| text.is_some());
    if !told && !reader.was_taken_out(gauges, &keys) {
        reader.report(
            gauges,
            "[[gauges]] does not say what to read",
            "incomplete",
            "add `preset = \"puma\"`, or expressions: `busy`, `workers`, `queue`, `completed`",
        );
    }
    let name = own.name.as_ref().map(|name| name.value.clone());
    let preset_name = preset.map(|preset| preset.name.to_owned());
    Some(GaugeSource {
        name: name.or(preset_name).unwrap_or_else(|| "gauges".into()),
        place: place?,
        roles,
        every,
    })
}

fn place(reader: &mut Reader, gauges: &Spanned<file::Gauges>) -> Option<GaugePlace> {
    match (&gauges.value.url, &gauges.value.listen) {
        (Some(url), None) => Some(GaugePlace::Page(url.value.0.clone())),
        (None, Some(listen)) => Some(GaugePlace::Statsd(listen.value.0.0)),
        (Some(_), Some(listen)) => {
            let message = "gauges have either a page or a port for datagrams";
            reader.report(listen, message, "one too many", "remove `url` or `listen`");
            None
        }
        (None, None) => {
            if !reader.was_taken_out(gauges, &["url", "listen"]) {
                reader.report(
                    gauges,
                    "[[gauges]] does not say where they are",
                    "incomplete",
                    "add `url = \"http://127.0.0.1:9100/metrics\"`, or `listen` for statsd",
                );
            }
            None
        }
    }
}

fn expression(reader: &mut Reader, text: &Spanned<String>) -> Option<Expression> {
    match text.value.parse() {
        Ok(expression) => Some(expression),
        Err(error) => {
            let message = format!("`{}` is not an expression: {error}", text.value);
            let suggestion = "write metrics with `+`, `-`, `*`, `/`, `or`, for example \
                              \"app_busy{pool=\\\"x\\\"} or 4\"";
            reader.report(text, message, "not an expression", suggestion);
            None
        }
    }
}
