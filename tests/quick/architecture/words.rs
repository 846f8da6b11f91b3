//! Words that are gone: each has a plainer one, which a search finds.

use super::source::{Source, sources};

/// Names that say nothing of a type. It is called for what it is: `MemoryRecorder`
/// and not `Kept`.
const TYPES: [&str; 20] = [
    "Alone", "Answer", "Asked", "Begun", "Counted", "Do", "Held", "Kept", "Left", "Met", "Other",
    "Passed", "Placed", "Popped", "Put", "State", "Told", "Undone", "What", "Whom",
];

/// Words that are nowhere in the places of [`PLACES`]: a target is the target, or
/// the user's service.
const WORDS: [&str; 3] = ["foreign", "not ours", "somebody else"];
/// Where prose and code are read for them.
const PLACES: [&str; 5] = ["README.md", "docs", "examples", "scenarios", "src"];
/// What stays as it is: records that are older than the word are still read.
const FIXED: [&str; 1] = ["alias = \"foreign\""];

/// The names of the types that code declares.
fn types(code: &str) -> Vec<&str> {
    let words: Vec<_> = code
        .split(|c: char| !c.is_alphanumeric() && c != '_')
        .filter(|word| !word.is_empty())
        .collect();
    let declared = words
        .windows(2)
        .filter(|pair| matches!(pair[0], "struct" | "enum" | "trait" | "type" | "union"));
    declared.map(|pair| pair[1]).collect()
}

/// The lines of a file on which a word begins, however it is written and broken.
fn lines_with(source: &Source, word: &str) -> Vec<usize> {
    let mut text = source.text.to_lowercase();
    for fixed in FIXED {
        text = text.replace(fixed, "");
    }
    // All on one line, without what only begins or ends a line of a comment or a text.
    let mut flat = String::new();
    let mut starts = Vec::new();
    for (line, content) in text.lines().enumerate() {
        for part in content.split_whitespace() {
            let part = part.trim_matches(['/', '!', '*', '#', '|', '\\']);
            starts.push((flat.len(), line + 1));
            flat.push_str(part);
            flat.push_str(if part.is_empty() { "" } else { " " });
        }
    }
    let line = |at| starts[starts.partition_point(|(start, _)| *start <= at) - 1].1;
    flat.match_indices(word).map(|(at, _)| line(at)).collect()
}

#[test]
fn no_type_has_a_name_that_says_nothing() {
    let mut wrong = Vec::new();
    for source in sources(&["benches", "src", "tests"], &["rs"]) {
        let code = source.code();
        let banned = types(&code).into_iter().filter(|name| TYPES.contains(name));
        wrong.extend(banned.map(|name| format!("{}: {name}", source.path)));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn no_word_that_is_gone_comes_back() {
    let mut wrong = Vec::new();
    for place in PLACES {
        let read = sources(
            &[place],
            &["md", "toml", "json", "sh", "py", "rs", "html", "snap"],
        );
        for word in WORDS {
            for source in &read {
                let lines = lines_with(source, word).into_iter();
                wrong.extend(lines.map(|line| format!("{}:{line}: {word}", source.path)));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_word_is_found_across_lines_and_a_type_by_its_declaration() {
    let source = |text: &str| Source {
        path: String::new(),
        text: text.into(),
    };
    let text = source("a\n/// that is not\n/// ours, and Not Ours\n");
    assert_eq!(lines_with(&text, "not ours"), [2, 3]);
    assert!(lines_with(&source("#[serde(alias = \"foreign\")]"), "foreign").is_empty());
    let code = "pub(crate) enum State<T> { Other }\ntype What = Do;";
    assert_eq!(types(code), ["State", "What"]);
}
