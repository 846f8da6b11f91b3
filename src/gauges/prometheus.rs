//! Prometheus' text exposition format, 0.0.4, what `OpenMetrics` adds to it, and the
//! quoted names of its version 1.0.0 (any UTF-8, as servers of Prometheus 3 send them).
//!
//! A parser of our own: it is a page of code, and what crates there are build an
//! index of families and types with a regular expression engine beneath, while
//! all that is wanted is names, labels and values. It goes on after a line that
//! it cannot read, and tells how many there were: a page of which one line is
//! malformed still says how many workers are busy.

use crate::bounds::GAUGES_LINE;
use crate::model::{Malformed, Page, Series};

/// The longest line read.
const LINE_MAX: usize = GAUGES_LINE.length_max();

/// Reads a page; series whose name `keep` refuses are left out.
pub(super) fn parse(text: &str, keep: &dyn Fn(&str) -> bool) -> Page {
    let mut page = Page {
        series: Vec::new(),
        malformed: Malformed::default(),
    };
    for (number, line) in (1..).zip(text.lines()) {
        let line = line.trim();
        // HELP, TYPE, UNIT, EOF and remarks: values need none of them.
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if line.len() > LINE_MAX {
            page.malformed
                .note(number, format!("it has more than {LINE_MAX} bytes"));
            continue;
        }
        match sample(line, keep) {
            Ok(series) => page.series.extend(series),
            Err(what) => page.malformed.note(number, what),
        }
    }
    page
}

/// Whether a page begins like a series whose name is in quotes, and not like JSON.
pub(super) fn begins_quoted(text: &str) -> bool {
    let line = text.lines().next().unwrap_or_default();
    line.starts_with('{') && line.len() <= LINE_MAX && sample(line, &|_| true).is_ok()
}

/// `name{label="text"} value timestamp # exemplar`, or with a name that needs quotes
/// `{"name", "label"="text"} value`; none where it is not kept.
fn sample(line: &str, keep: &dyn Fn(&str) -> bool) -> Result<Option<Series>, &'static str> {
    let end = line.find(|c: char| c == '{' || c.is_ascii_whitespace());
    let (name, mut rest) = line.split_at(end.ok_or("it has no value")?);
    let mut name = name.to_owned();
    if !name.is_empty() && !is_name(&name) {
        return Err("it does not begin with a metric's name");
    }
    let mut series = Series::new("", 0.0);
    if let Some(inside) = rest.strip_prefix('{') {
        rest = labels(inside, &mut name, &mut series.labels)?;
    }
    if name.is_empty() {
        return Err("it does not begin with a metric's name");
    }
    let value = rest
        .split_ascii_whitespace()
        .next()
        .ok_or("it has no value")?;
    series.value = number(value).ok_or("its value is not a number")?;
    let kept = keep(&name);
    series.name = name;
    Ok(kept.then_some(series))
}

fn is_name(name: &str) -> bool {
    let inside = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | ':' | '.');
    name.chars().all(inside) && name.starts_with(|c: char| !c.is_ascii_digit())
}

/// Reads labels up to the closing brace; gives what follows it. A text in quotes by
/// itself is the metric's name, where it has none yet.
fn labels<'a>(
    mut rest: &'a str,
    name: &mut String,
    into: &mut Vec<(String, String)>,
) -> Result<&'a str, &'static str> {
    loop {
        rest = rest.trim_start_matches([' ', '\t', ',']);
        if let Some(after) = rest.strip_prefix('}') {
            return Ok(after);
        }
        let (label, after) = if let Some(quoted) = rest.strip_prefix('"') {
            let (text, after) = unquoted(quoted)?;
            (text, after.trim_start())
        } else {
            let end = rest.find('=').ok_or("its labels do not close")?;
            (rest[..end].trim().to_owned(), &rest[end..])
        };
        let Some(after) = after.strip_prefix('=') else {
            if !name.is_empty() || !after.starts_with([',', '}']) {
                return Err("a label has no text");
            }
            *name = label;
            rest = after;
            continue;
        };
        let quoted = after.trim_start().strip_prefix('"');
        let (text, after) = unquoted(quoted.ok_or("a label's text is not in quotes")?)?;
        into.push((label, text));
        rest = after;
    }
}

/// The text up to the closing quote, its escapes undone, and what follows.
fn unquoted(text: &str) -> Result<(String, &str), &'static str> {
    let mut plain = String::new();
    let mut characters = text.char_indices();
    while let Some((index, character)) = characters.next() {
        match character {
            '"' => return Ok((plain, &text[index + 1..])),
            '\\' => match characters.next() {
                Some((_, 'n')) => plain.push('\n'),
                Some((_, kept @ ('"' | '\\'))) => plain.push(kept),
                // Any other escape stands for itself, backslash included.
                Some((_, kept)) => plain.extend(['\\', kept]),
                None => break,
            },
            _ => plain.push(character),
        }
    }
    Err("a label's text does not close")
}

/// A number as Go's `ParseFloat` reads it: `+Inf` and `NaN` too.
fn number(text: &str) -> Option<f64> {
    match text {
        "+Inf" | "Inf" => Some(f64::INFINITY),
        "-Inf" => Some(f64::NEG_INFINITY),
        "NaN" => Some(f64::NAN),
        // Rust's own spellings of these are none of the format's.
        _ if text.contains(|c: char| c.is_ascii_alphabetic() && !matches!(c, 'e' | 'E')) => None,
        _ => text.parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn all(text: &str) -> Page {
        parse(text, &|_| true)
    }

    #[test]
    fn the_formats_own_example_is_read() {
        // From Prometheus' documentation, "Exposition formats".
        let page = all(r#"
# HELP http_requests_total The total number of HTTP requests.
# TYPE http_requests_total counter
http_requests_total{method="post",code="200"} 1027 1395066363000
http_requests_total{method="post",code="400"}    3 1395066363000

# Escaping in label values:
msdos_file_access_time_seconds{path="C:\\DIR\\FILE.TXT",error="Cannot find file:\n\"FILE.TXT\""} 1.458255915e9

# Minimalistic line:
metric_without_timestamp_and_labels 12.47

# A weird metric from before the epoch:
something_weird{problem="division by zero"} +Inf -3982045

http_request_duration_seconds_bucket{le="0.05",} 24054 # {trace_id="KOO5S4vxi0o"} 0.67
# EOF
"#);
        assert_eq!(page.malformed, Malformed::default());
        assert_eq!(page.series.len(), 6);
        assert_eq!(
            page.series[0],
            Series::new("http_requests_total", 1027.0)
                .with("method", "post")
                .with("code", "200")
        );
        assert_eq!(page.series[2].label("path"), "C:\\DIR\\FILE.TXT");
        assert_eq!(
            page.series[2].label("error"),
            "Cannot find file:\n\"FILE.TXT\""
        );
        assert!(page.series[4].value.is_infinite());
        assert_eq!(page.series[5].label("le"), "0.05");
    }

    #[test]
    fn a_malformed_line_is_told_and_the_others_are_read() {
        let lines = [
            "good 1",
            "no_value",
            "bad{a=\"x} 1",
            "bad{a=x} 1",
            "bad{a=\"x\" 1",
            "bad zero",
            "bad inf",
            "0bad 1",
            "{} 1",
            "{\"a\" 1",
            "{\"a\":1}",
            "{\"a\",\"b\"} 1",
            "a{\"b\"} 1",
            "{\"\"} 1",
            "nan NaN",
        ];
        let page = all(&lines.join("\n"));
        assert_eq!(page.series.len(), 2);
        assert!(page.series[1].value.is_nan());
        assert_eq!(page.malformed.count, 13);
        assert_eq!(page.malformed.first, Some((2, "it has no value".into())));
        let long = format!("a{{b=\"{}\"}} 1\nc 2", "x".repeat(LINE_MAX));
        assert_eq!(all(&long).malformed.count, 1);
        assert_eq!(all(&long).series, [Series::new("c", 2.0)]);
    }

    #[test]
    fn names_in_quotes_are_read() {
        let page = all(concat!(
            "{\"executor.active\",pool=\"web\"} 3\n",
            "{ \"größe \\\"x\\\"\" , \"pool.name\" = \"a,b}\" } 4 1395066363000\n",
            "{pool=\"web\",\"late name\"} 5\n",
            "plain{\"label.x\"=\"y\"} 6\n",
            "{\"alone\"} 7\n",
        ));
        assert_eq!(page.malformed, Malformed::default());
        assert_eq!(
            page.series,
            [
                Series::new("executor.active", 3.0).with("pool", "web"),
                Series::new("größe \"x\"", 4.0).with("pool.name", "a,b}"),
                Series::new("late name", 5.0).with("pool", "web"),
                Series::new("plain", 6.0).with("label.x", "y"),
                Series::new("alone", 7.0),
            ]
        );
    }

    #[test]
    fn only_what_is_wanted_is_kept() {
        let page = parse("a 1\nb 2\nc", &|name| name == "b");
        assert_eq!(page.series, [Series::new("b", 2.0)]);
        assert_eq!(page.malformed.count, 1);
    }

    proptest! {
        #[test]
        fn whatever_a_target_sends_is_survived(text in "[a-z{}=\"\\\\, 0-9.#\n]{0,200}") {
            let page = all(&text);
            prop_assert!(page.series.len() + usize::try_from(page.malformed.count).unwrap() <= text.lines().count());
        }

        #[test]
        fn what_is_written_by_the_rules_is_read(label in "[^\r\n]{0,20}", value in -1e12..1e12_f64) {
            let escaped = label.replace('\\', "\\\\").replace('"', "\\\"");
            let page = all(&format!("m{{l=\"{escaped}\"}} {value}\n"));
            prop_assert_eq!(page.series, [Series::new("m", value).with("l", label)]);
        }
    }
}
