//! How figures are written: digits, units, dashes for what was not measured.
//!
//! One place, so that the terminal, the page and the postmortem agree to the
//! digit. Nothing here decides what a figure means.

use crate::units::numbered;

/// What stands for a figure that was not measured.
pub(super) const NONE: &str = "–";
/// What stands behind a percentile that is not the target's alone.
pub(super) const MARK: &str = "*";

/// A whole number with its thousands set apart: `20,123`.
pub(super) fn count(value: u64) -> String {
    grouped(&value.to_string())
}

/// A number with as many digits as a reader can use: three or four.
pub(super) fn number(value: f64) -> String {
    let digits = match value.abs() {
        magnitude if magnitude < 10.0 => 2,
        magnitude if magnitude < 100.0 => 1,
        _ => 0,
    };
    let text = format!("{value:.digits$}");
    grouped(
        text.strip_prefix('-')
            .filter(|_| value > -0.005)
            .unwrap_or(&text),
    )
}

/// Events per second, without the unit: `350`, `42.5`.
pub(super) fn rate(value: f64) -> String {
    let digits = usize::from(value < 100.0);
    grouped(&format!("{value:.digits$}"))
}

/// A share in per cent; what is little is never shown as nothing.
pub(super) fn percent(share: f64) -> String {
    if share > 0.0 && share < 0.000_5 {
        return "<0.1 %".into();
    }
    format!("{:.1} %", share * 100.0)
}

/// Seconds: `33.4 s`.
pub(super) fn seconds(value: f64) -> String {
    format!("{value:.1} s")
}

/// A value as `write` writes it, or a dash.
pub(super) fn maybe<T>(value: Option<T>, write: impl FnOnce(T) -> String) -> String {
    value.map_or_else(|| NONE.to_owned(), write)
}

/// A span of seconds that was seen, or `> 40.2 s` where it was watched for in
/// vain, or a dash where it does not apply.
pub(super) fn watched(seen: Option<f64>, censored_after: Option<f64>) -> String {
    match (seen, censored_after) {
        (Some(seen), _) => seconds(seen),
        (None, Some(after)) => format!("> {}", seconds(after)),
        (None, None) => NONE.to_owned(),
    }
}

/// A span of the story's time: `45 s`, `56 min`, `1 h 33 min`.
pub(super) fn story_span(story_seconds: f64) -> String {
    let minutes = (story_seconds / 60.0).round();
    if story_seconds < 90.0 {
        format!("{story_seconds:.0} s")
    } else if minutes < 60.0 {
        format!("{minutes:.0} min")
    } else {
        format!(
            "{:.0} h {:.0} min",
            (minutes / 60.0).floor(),
            minutes % 60.0
        )
    }
}

/// A count with its noun: `1 instance`, `4 instances`.
pub(super) fn plural(amount: u64, noun: &str) -> String {
    format!("{} {}", count(amount), numbered(amount, noun))
}

/// A word of the findings as people write it: `recovered by intervention`.
pub(super) fn words(word: &str) -> String {
    word.replace('_', " ")
}

/// A date in UTC from milliseconds since 1970: `2025-01-31 16:05 UTC`.
pub(super) fn utc(wall_ms: u64) -> String {
    let minutes = wall_ms / 60_000;
    let (days, hour, minute) = (minutes / 1440, minutes / 60 % 24, minutes % 60);
    // Hinnant's civil_from_days, for days since 1970 only: the year begins in
    // March, so that the leap day is its last.
    let shifted = days + 719_468;
    let era = shifted / 146_097;
    let day_of_era = shifted % 146_097;
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 {
        shifted_month + 3
    } else {
        shifted_month - 9
    };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02} UTC")
}

/// Sets the thousands of a decimal text apart.
fn grouped(text: &str) -> String {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let mut result = String::new();
    for (index, digit) in whole.chars().enumerate() {
        if index > 0 && (whole.len() - index).is_multiple_of(3) && !result.ends_with('-') {
            result.push(',');
        }
        result.push(digit);
    }
    if !fraction.is_empty() {
        result.push('.');
        result.push_str(fraction);
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_keep_the_digits_that_matter() {
        for (written, expected) in [
            (count(20_123), "20,123"),
            (count(999), "999"),
            (number(1_234_567.8), "1,234,568"),
            (number(12.34), "12.3"),
            (number(0.456), "0.46"),
            (number(-0.0), "0.00"),
            (number(-123_456.0), "-123,456"),
            (percent(0.0), "0.0 %"),
            (percent(0.000_1), "<0.1 %"),
            (percent(1.0), "100.0 %"),
            (watched(Some(33.41), None), "33.4 s"),
            (watched(None, Some(40.2)), "> 40.2 s"),
            (watched(None, None), NONE),
            (story_span(3_340.0), "56 min"),
            (story_span(5_580.0), "1 h 33 min"),
            (plural(1, "instance"), "1 instance"),
            (plural(0, "job"), "0 jobs"),
        ] {
            assert_eq!(written, expected);
        }
    }

    #[test]
    fn dates_follow_the_calendar() {
        for (wall_ms, expected) in [
            (0, "1970-01-01 00:00 UTC"),
            (951_782_400_000, "2000-02-29 00:00 UTC"),
            (1_767_225_599_000, "2025-12-31 23:59 UTC"),
            (4_107_542_400_000, "2100-03-01 00:00 UTC"), // 2100 has no leap day
        ] {
            assert_eq!(utc(wall_ms), expected);
        }
    }
}
