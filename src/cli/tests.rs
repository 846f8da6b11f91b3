//! Every example of a `--help`, of README.md and of docs/, read by the real parser.

use std::path::Path;
use std::{fs, mem};

use super::*;

/// The words of a command line as a shell splits them.
fn words(line: &str) -> Vec<String> {
    let (mut words, mut word, mut quoted) = (Vec::new(), String::new(), false);
    for c in line.chars() {
        match c {
            '\'' | '"' => quoted = !quoted,
            ' ' if !quoted => words.push(mem::take(&mut word)),
            c => word.push(c),
        }
    }
    words.push(word);
    words
}

/// The command lines of a text that are indented so far, without what explains them and
/// where their output goes.
fn examples(text: &str, indent: &str) -> Vec<String> {
    let joined: Vec<_> = text.split("\\\n").map(str::trim_start).collect();
    let joined = format!("{indent}{}", joined.join(""));
    let lines = joined.lines().filter_map(|line| line.strip_prefix(indent));
    let examples = lines.filter(|line| line.starts_with("threadbare "));
    let bare = |line: &str| {
        let end = ["   ", " > "].map(|end| line.find(end).unwrap_or(line.len()));
        line[..end[0].min(end[1])].trim_end().to_owned()
    };
    examples.map(bare).collect()
}

fn understood(place: &str, examples: &[String]) {
    for example in examples {
        if let Err(error) = Arguments::try_parse_from(words(example)) {
            panic!("{place}: {example}: {error}");
        }
    }
}

#[test]
fn every_command_has_two_examples_that_are_understood() {
    let whole = described();
    let shown = whole.get_subcommands().filter(|it| !it.is_hide_set());
    for command in shown.chain([&whole]) {
        let help = command.get_after_help().map(ToString::to_string);
        let examples = examples(&help.unwrap_or_default(), "  ");
        assert!(examples.len() >= 2, "{}: {examples:?}", command.get_name());
        understood(command.get_name(), &examples);
    }
}

#[test]
fn every_command_line_of_the_documents_is_understood() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let docs = fs::read_dir(root.join("docs")).unwrap();
    let docs = docs.map(|entry| entry.unwrap().path());
    let mut read = 0;
    for path in docs.chain([root.join("README.md")]) {
        if path.extension().is_some_and(|ending| ending == "md") {
            let examples = examples(&fs::read_to_string(&path).unwrap(), "    ");
            understood(&path.display().to_string(), &examples);
            read += examples.len();
        }
    }
    assert!(read > 30, "{read}");
}

#[test]
fn what_could_not_be_kept_or_could_never_fail_is_refused() {
    let read = |line: &str| Arguments::try_parse_from(words(line)).map(|_| ());
    let load = "threadbare load http://127.0.0.1:8080/ --hdr all.hlog";
    assert!(read(load).is_ok());
    // One file for several runs would be the last one's.
    assert!(read(&format!("{load} --repeat 3")).is_err());
    assert!(read("threadbare trend --fail-on-worse=1").is_ok());
    assert!(read("threadbare trend --fail-on-worse=0").is_err());
}

#[test]
fn what_is_no_number_is_told_what_to_write() {
    for (line, reason) in [
        (
            "threadbare run surge --seed abc",
            "write a whole number, in digits",
        ),
        (
            "threadbare load http://[::1]/ -c 1.5",
            "write a whole number, in digits",
        ),
        (
            "threadbare trend --fail-on-worse=0",
            "the number must be 1 or more",
        ),
        (
            "threadbare run surge --seed 18446744073709551616",
            "the number is too large",
        ),
    ] {
        let Err(error) = Arguments::try_parse_from(words(line)) else {
            panic!("{line}");
        };
        let text = error.to_string();
        assert!(plainly(&text, &error).contains(reason), "{line}: {text}");
    }
}
