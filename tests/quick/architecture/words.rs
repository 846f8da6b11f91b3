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
const PLACES: [&str; 8] = [
    "README.md",
    "benches",
    "docs",
    "examples",
    "scenarios",
    "src",
    "tests/live",
    "tests/servers",
];
/// Phrases that are in no text a user reads. Comments in code may use them; documents,
/// scenarios, schemas, texts in code and `--help` may not.
const DIALECT: [(&str, &str); 31] = [
    ("also found", "other findings"),
    ("and said:", "its last output was"),
    ("are told", "are reported"),
    ("came of it", "the result"),
    ("has to do with", "targets"),
    ("in force", "active"),
    ("is brought by no", "no entry injects"),
    ("is brought only", "is injected only"),
    ("is told", "is reported"),
    ("is no address", "is not an address"),
    ("is no expression", "is not an expression"),
    ("is no host", "is not a host"),
    ("is no http", "is not HTTP"),
    ("is no name of", "cannot be"),
    ("is no number", "is not a number"),
    ("is no time", "is not a time"),
    ("is no url", "is not a URL"),
    ("meets http", "needs HTTP"),
    ("nobody was told", "undetected"),
    ("not of this target", "this target has no such action"),
    ("pool wait", "connection wait"),
    ("reads bytes only", "is in TCP mode"),
    ("short of processor", "short of CPU"),
    ("somebody is told", "what fires an alert"),
    ("the target's doing", "say what happened"),
    ("too fine", "shorter than 1 ms"),
    ("took its place", "replaced by a later one"),
    ("took service away", "caused an outage"),
    ("waited to be accepted", "accept queue"),
    ("was never off", "was never cleared"),
    ("what came", "the result"),
];
/// Where those are looked for besides the texts in `src`.
const READ: [&str; 8] = [
    "CHANGELOG.md",
    "README.md",
    "docs",
    "examples",
    "reports/README.md",
    "scenarios",
    "src/cli",
    "src/report/templates",
];
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
        let mut read = sources(
            &[place],
            &["md", "toml", "json", "sh", "py", "rs", "html", "snap"],
        );
        // A name in code is read as its words.
        for source in &mut read {
            source.text = source.text.replace('_', " ");
        }
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
fn what_a_user_reads_is_in_plain_words() {
    let mut read = sources(&READ, &["md", "toml", "json", "rs", "html"]);
    read.extend(sources(&["src"], &["rs"]).into_iter().map(|it| Source {
        text: it.texts(),
        path: it.path,
    }));
    let mut wrong = Vec::new();
    for (phrase, plain) in DIALECT {
        for source in &read {
            let lines = lines_with(source, phrase).into_iter();
            wrong
                .extend(lines.map(|line| format!("{}:{line}: {phrase}; say {plain}", source.path)));
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
    let code =
        source("// is told\n/// told\nf(\"it is \\\n told\");\n#[cfg(test)]\nmod t { \"told\" }");
    let texts = source(&code.texts());
    assert_eq!(lines_with(&texts, "is told"), [3]);
    assert_eq!(lines_with(&texts, "told"), [4]);
    let code = "pub(crate) enum State<T> { Other }\ntype What = Do;";
    assert_eq!(types(code), ["State", "What"]);
}
