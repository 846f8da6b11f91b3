//! What the drawings of the pages share: round steps of an axis, and text that is safe
//! inside of one.

/// The least round step that is at least so large: 1, 2 or 5 times a power of ten.
pub(super) fn round_step(least: f64) -> f64 {
    let power = 10_f64.powf(least.log10().floor());
    let round = [1.0, 2.0, 5.0, 10.0].map(|digit| digit * power);
    round
        .into_iter()
        .find(|step| *step >= least * 0.999_999)
        .unwrap_or(power)
}

/// Text inside of XML.
pub(super) fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            c if c.is_control() => escaped.push('\u{fffd}'),
            c => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::{escaped, round_step};

    #[test]
    fn steps_are_round() {
        for (least, round) in [(0.013, 0.02), (1.0, 1.0), (3.4, 5.0), (62.0, 100.0)] {
            assert!((round_step(least) / round - 1.0).abs() < 1e-9, "{least}");
        }
    }

    #[test]
    fn no_text_leaves_its_place() {
        assert_eq!(
            escaped("<a b=\"&\">\n"),
            "&lt;a b=&quot;&amp;&quot;&gt;\u{fffd}"
        );
    }
}
