//! Source files as the rules of the house read them: their code alone, without
//! comments, texts and unit tests.

use std::fs;
use std::path::{Path, PathBuf};

/// A file of the repository.
pub(super) struct Source {
    /// Its path from the root of the repository.
    pub(super) path: String,
    /// What it holds.
    pub(super) text: String,
}

/// Every file with one of these endings in these places, sorted.
pub(super) fn sources(places: &[&str], endings: &[&str]) -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    for place in places {
        walk(&root.join(place), &mut files);
    }
    files.sort();
    files.retain(|path| {
        let ending = path.extension().and_then(|ending| ending.to_str());
        ending.is_some_and(|ending| endings.contains(&ending))
    });
    let read = |path: PathBuf| Source {
        text: fs::read_to_string(&path).unwrap(),
        path: path.strip_prefix(root).unwrap().to_str().unwrap().into(),
    };
    files.into_iter().map(read).collect()
}

fn walk(place: &Path, files: &mut Vec<PathBuf>) {
    if place.is_dir() {
        for entry in fs::read_dir(place).unwrap() {
            walk(&entry.unwrap().path(), files);
        }
    } else {
        files.push(place.to_owned());
    }
}

impl Source {
    /// The top-level module of `src/` that it belongs to.
    pub(super) fn module(&self) -> &str {
        let inside = self.path.strip_prefix("src/").unwrap();
        let module = inside.split('/').next().unwrap();
        module.trim_end_matches(".rs")
    }

    /// Its code without comments, texts and unit tests; nothing of a file that is
    /// a module of unit tests.
    pub(super) fn code(&self) -> String {
        if self.path.ends_with("/tests.rs") {
            return String::new();
        }
        without_tests(&blanked(&self.text))
    }

    /// Its texts alone, each on the lines on which it stands, without those of unit
    /// tests at its end.
    pub(super) fn texts(&self) -> String {
        if self.path.ends_with("/tests.rs") {
            return String::new();
        }
        let program = self.text.split("#[cfg(test)]\nmod ").next();
        let parts = parts(program.unwrap_or_default()).into_iter();
        let texts = parts.map(|(shown, part)| match shown {
            "\"\"" => part.to_owned(),
            _ => "\n".repeat(part.matches('\n').count()),
        });
        texts.collect()
    }
}

/// The code with every comment gone and every text and character empty.
pub(super) fn blanked(text: &str) -> String {
    let parts = parts(text).into_iter();
    parts.map(|(shown, _)| shown).collect()
}

/// The parts of code, each behind what is left of it when it is blanked.
fn parts(text: &str) -> Vec<(&str, &str)> {
    let mut parts: Vec<(&str, &str)> = Vec::new();
    let mut rest = text;
    while let Some(next) = rest.chars().next() {
        let before = parts.last().map_or("", |(shown, _)| shown);
        let within_name = before.ends_with(|c: char| c.is_alphanumeric() || c == '_');
        let (length, shown) = if rest.starts_with("//") {
            (rest.find('\n').unwrap_or(rest.len()), "")
        } else if rest.starts_with("/*") {
            (comment(rest), "")
        } else if let Some(length) = raw_text(rest).filter(|_| !within_name) {
            (length, "\"\"")
        } else if next == '"' {
            (quoted(rest, '"'), "\"\"")
        } else if let Some(length) = character(rest) {
            (length, "''")
        } else {
            (next.len_utf8(), &rest[..next.len_utf8()])
        };
        parts.push((shown, &rest[..length]));
        rest = &rest[length..];
    }
    parts
}

/// The length of a block comment, with those inside it.
fn comment(text: &str) -> usize {
    let mut depth = 0;
    for (at, _) in text.char_indices() {
        if text[at..].starts_with("/*") {
            depth += 1;
        } else if text[..at].ends_with("*/") && at > 3 {
            depth -= 1;
            if depth == 0 {
                return at;
            }
        }
    }
    text.len()
}

/// The length of a raw text such as `r#"…"#`, where there is one.
fn raw_text(text: &str) -> Option<usize> {
    let raw = text.strip_prefix('b').unwrap_or(text).strip_prefix('r')?;
    let content = raw.trim_start_matches('#');
    let end = format!("\"{}", &raw[..raw.len() - content.len()]);
    let length = content.strip_prefix('"')?.find(&end)?;
    Some(text.len() - content.len() + 1 + length + end.len())
}

/// The length of what begins and ends with this mark, which may be escaped inside.
fn quoted(text: &str, mark: char) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        if c == mark && !escaped {
            return at + 1;
        }
        escaped = c == '\\' && !escaped;
    }
    text.len()
}

/// The length of a character such as `'x'`, where it is one and no lifetime.
fn character(text: &str) -> Option<usize> {
    let inside = text.strip_prefix('\'')?;
    let first = inside.chars().next()?;
    let whole = first == '\\' || inside[first.len_utf8()..].starts_with('\'');
    whole.then(|| quoted(text, '\''))
}

/// Blanked code without the items that are compiled for unit tests only.
pub(super) fn without_tests(code: &str) -> String {
    let mark = "#[cfg(test)]";
    let mut kept = String::new();
    let mut rest = code;
    while let Some(at) = rest.find(mark) {
        kept.push_str(&rest[..at]);
        rest = &rest[at + mark.len()..];
        rest = &rest[item(rest)..];
    }
    kept + rest
}

/// The length of the item that blanked code begins with: to its semicolon, or to
/// the end of its braces.
fn item(code: &str) -> usize {
    let mut depth = 0;
    for (at, c) in code.char_indices() {
        match c {
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' => depth -= 1,
            _ => {}
        }
        if depth == 0 && matches!(c, ';' | '}') {
            return at + 1;
        }
    }
    code.len()
}

#[test]
fn code_is_what_is_left_without_comments_texts_and_tests() {
    for (text, code) in [
        ("a // b\nc", "a \nc"),
        ("a /* b /* c */ d */ e", "a  e"),
        ("a \"b // \\\" {\" c", "a \"\" c"),
        ("a r#\"b \" {\"# c", "a \"\" c"),
        ("a br\"b\" c", "a \"\" c"),
        ("for r in 'a'..='\\'' {}", "for r in ''..='' {}"),
        (
            "fn f<'a>(x: &'a str, y: char) {}",
            "fn f<'a>(x: &'a str, y: char) {}",
        ),
        ("writer\"x\"", "writer\"\""),
        ("a\n#[cfg(test)]\nmod tests;\nb", "a\n\nb"),
        (
            "#[cfg(test)]\nmod tests { fn f() { \"}\"; '}'; } }\nb",
            "\nb",
        ),
        (
            "#[cfg(test)]\n#[allow(x)]\nfn f(x: [u8; 3]) { g(); }\nb",
            "\nb",
        ),
    ] {
        assert_eq!(without_tests(&blanked(text)), code, "{text}");
    }
}
