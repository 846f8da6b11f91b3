//! Texts without a gap: where a text goes on in the next line and its backslash is
//! lost, the indentation stands in the middle of what a user reads.

use super::source::sources;

/// Blanks in a row that nobody writes between two words: less than the least
/// indentation of a text, more than any table that is printed has.
const GAP: &str = "          ";
/// Examples of commands that are laid out by hand.
const BY_HAND: [&str; 2] = ["src/cli/mod.rs", "src/cli/proxy.rs"];

/// Whether words stand before and behind a gap on this line.
fn has_gap(line: &str) -> bool {
    let Some((before, behind)) = line.trim().split_once(GAP) else {
        return false;
    };
    let letter = |c: char| c.is_alphanumeric();
    let comment = before.starts_with("//");
    !comment && before.contains('"') && behind.trim_start().starts_with(letter)
}

#[test]
fn no_text_has_a_gap() {
    let mut wrong = Vec::new();
    for source in sources(&["src"], &["rs"]) {
        let lines = source.text.lines().enumerate();
        let gaps = lines.filter(|(_, line)| has_gap(line));
        if !BY_HAND.contains(&source.path.as_str()) {
            wrong.extend(gaps.map(|(place, _)| format!("{}:{}", source.path, place + 1)));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_check_itself_sees_a_gap() {
    assert!(has_gap(
        "    \"each a process, and the              scenario\""
    ));
    assert!(!has_gap("            \"each a process, and the scenario\""));
    assert!(!has_gap("    \"5\",              // a comment"));
}
