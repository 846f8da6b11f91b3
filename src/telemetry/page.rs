//! The page that Prometheus reads: its text format, version 0.0.4.
//!
//! <https://prometheus.io/docs/instrumenting/exposition_formats/>. Every name is ours and fits
//! the format; the values of labels may be anything and are escaped.

use std::fmt::{Display, Write as _};

use super::family::{BOUNDS_S, Buckets, Family, MetricKind, Point, PointValue};

/// What the page is, as its head says it.
pub(super) const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// The metrics as a page; one without a point is left out.
pub fn page(families: &[Family]) -> String {
    let mut text = String::new();
    for family in families.iter().filter(|family| !family.points.is_empty()) {
        let kind = match family.kind {
            MetricKind::Counter => "counter",
            MetricKind::Gauge => "gauge",
            MetricKind::Histogram => "histogram",
        };
        let name = family.name;
        // To a string nothing fails to be written.
        let _ = writeln!(text, "# HELP {name} {}", help(family.help));
        let _ = writeln!(text, "# TYPE {name} {kind}");
        for point in &family.points {
            write_point(&mut text, name, point);
        }
    }
    text
}

fn write_point(text: &mut String, name: &str, point: &Point) {
    let labels = &point.labels;
    match &point.value {
        PointValue::Whole(value) => line(text, name, labels, None, value),
        PointValue::Real(value) => line(text, name, labels, None, value),
        PointValue::Durations(buckets) => write_buckets(text, name, labels, buckets),
    }
}

fn write_buckets(
    text: &mut String,
    name: &str,
    labels: &[(&'static str, String)],
    buckets: &Buckets,
) {
    let bucket = format!("{name}_bucket");
    let mut below = 0_u64;
    for (bound, count) in BOUNDS_S.iter().zip(&buckets.counts) {
        below = below.saturating_add(*count);
        line(text, &bucket, labels, Some(&bound.to_string()), &below);
    }
    line(text, &bucket, labels, Some("+Inf"), &buckets.count);
    line(text, &format!("{name}_sum"), labels, None, &buckets.sum_s);
    line(text, &format!("{name}_count"), labels, None, &buckets.count);
}

/// A line; `le`: the upper end of its bucket, where it is one.
fn line(
    text: &mut String,
    name: &str,
    labels: &[(&'static str, String)],
    le: Option<&str>,
    value: &dyn Display,
) {
    text.push_str(name);
    let labels = labels.iter().map(|(name, value)| (*name, value.as_str()));
    let all = labels.chain(le.map(|le| ("le", le)));
    let mut any = false;
    for (label, value) in all {
        text.push(if any { ',' } else { '{' });
        any = true;
        text.push_str(label);
        text.push_str("=\"");
        escape(text, value);
        text.push('"');
    }
    if any {
        text.push('}');
    }
    let _ = writeln!(text, " {value}");
}

fn escape(text: &mut String, value: &str) {
    for character in value.chars() {
        match character {
            '\\' => text.push_str("\\\\"),
            '"' => text.push_str("\\\""),
            '\n' => text.push_str("\\n"),
            other => text.push(other),
        }
    }
}

fn help(text: &str) -> String {
    text.replace('\\', "\\\\").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Histogram;
    use crate::units::Nanos;

    #[test]
    fn a_page_is_lines_of_its_format_and_nothing_ends_one() {
        let mut histogram = Histogram::new();
        histogram.record_times(Nanos::from_micros(80), 2);
        let families = [
            Family::counter("a_total", "1", "One\nof two.")
                .with(&[], 3_u64)
                .with(&[("why", "a \"b\"\n\\c")], 4_u64),
            Family::gauge("nothing", "1", "It has no point."),
            Family::gauge("b", "1", "A level.").with(&[], 0.25),
            Family::histogram("c_seconds", "Times.").with(&[("class", "user")], &histogram),
        ];
        let text = page(&families);
        let begins = "# HELP a_total One\\nof two.\n\
                      # TYPE a_total counter\n\
                      a_total 3\n\
                      a_total{why=\"a \\\"b\\\"\\n\\\\c\"} 4\n\
                      # HELP b A level.\n\
                      # TYPE b gauge\n\
                      b 0.25\n\
                      # HELP c_seconds Times.\n\
                      # TYPE c_seconds histogram\n\
                      c_seconds_bucket{class=\"user\",le=\"0.0001\"} 2\n";
        assert!(text.starts_with(begins), "{text}");
        assert!(text.contains("c_seconds_bucket{class=\"user\",le=\"+Inf\"} 2\n"));
        assert!(text.contains("c_seconds_count{class=\"user\"} 2\n"));
        assert!(!text.contains("nothing"), "{text}");
        assert!(text.lines().all(|line| !line.is_empty()), "{text}");
    }
}
