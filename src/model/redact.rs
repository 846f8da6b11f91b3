//! What may be a secret, in any text, and how it is written: not at all.
//!
//! Secrets come in from everywhere: the environment of a command, its flags, the header
//! fields of a hook, the address of a database, a tool's last words, the error of a library
//! that quotes what it was given. So there is one function, [`text`], and everything that is
//! written goes through it: the record where it is written and where it is read, what is
//! printed, every error.
//!
//! A secret is known by its name (`password=…`, `--token …`, `Authorization: …`), by its
//! place (`scheme://user:password@host`), or by its own shape (a JSON web token, a key with a
//! known beginning). There is no other sign. Where it is not clear, more is left out than had
//! to be: a word too few is read around, a secret too many is not taken back.

mod flags;

use std::borrow::Cow;
use std::ops::Range;

use self::flags::{joined, program_of, takes_user, value_after};

/// What stands for a secret.
pub const LEFT_OUT: &str = "(not shown)";
/// The same in a URL, which stays one.
const LEFT_OUT_OF_URL: &str = "***";

/// Parts of names whose values are secrets, in small letters, wherever they stand.
const TELLING: [&str; 10] = [
    "authorization",
    "cookie",
    "credential",
    "passphrase",
    "passwd",
    "password",
    "private",
    "secret",
    "signature",
    "token",
];
/// Ends of a word of a name that tell the same.
const TELLING_ENDS: [&str; 6] = ["key", "keys", "pass", "pwd", "auth", "sig"];
/// Names that are words of any sentence: a colon after them begins no value.
const WORDS_OF_PROSE: [&str; 9] = [
    "auth",
    "credential",
    "credentials",
    "key",
    "keys",
    "pass",
    "private",
    "sig",
    "signature",
];
/// Fields of HTTP whose value is all that follows on their line.
const WHOLE_FIELDS: [&str; 4] = [
    "authorization",
    "cookie",
    "proxy-authorization",
    "set-cookie",
];
/// Words after which a credential comes (RFC 9110, section 11.4).
const SCHEMES: [&str; 2] = ["bearer", "basic"];
/// How keys of well-known services begin; what follows is random.
const BEGINNINGS: [&str; 18] = [
    "AKIA",
    "ASIA",
    "AIza",
    "ghp_",
    "gho_",
    "ghs_",
    "ghu_",
    "github_pat_",
    "glpat-",
    "hvs.",
    "npm_",
    "pypi-",
    "sk-",
    "sk_live_",
    "sk_test_",
    "xoxb-",
    "xoxp-",
    "ya29.",
];
/// What a usage says for the value of any setting, after `<KEY=`.
const VALUES_ASKED_FOR: [&str; 2] = ["VALUE>", "A..B>"];
/// Characters of such a key at least: shorter ones are words.
const KEY_MIN: usize = 16;
/// The text without the secrets in it.
pub fn text(text: &str) -> Cow<'_, str> {
    replaced(text, secrets(text))
}

/// The words of a command without the secrets in them: one word may announce the next.
pub fn words(words: &[String]) -> Vec<Cow<'_, str>> {
    let each = (0..words.len()).map(|place| {
        let found = in_word(words, place);
        replaced(&words[place], found)
    });
    each.collect()
}

/// The same for whoever is asked whether the command may be called: from the first
/// character on that a shell acts upon, a value is shown.
pub fn harmless_words(words: &[String]) -> Vec<Cow<'_, str>> {
    let each = (0..words.len()).map(|place| {
        let word = &words[place];
        replaced(word, cut_where_shells_act(word, in_word(words, place)))
    });
    each.collect()
}

/// The same of a document in JSON: of each text in it.
pub fn json(document: &str) -> Cow<'_, str> {
    let mut safe = String::new();
    let mut done = 0;
    for literal in literals(document) {
        let Ok(plain) = serde_json::from_str::<String>(&document[literal.clone()]) else {
            continue;
        };
        let Cow::Owned(shown) = text(&plain) else {
            continue;
        };
        safe.push_str(&document[done..literal.start]);
        safe.push_str(&serde_json::Value::from(shown).to_string());
        done = literal.end;
    }
    if done == 0 {
        return Cow::Borrowed(document);
    }
    safe.push_str(&document[done..]);
    Cow::Owned(safe)
}

/// The text with a star for every byte of a secret, so that places in it stay what they are.
pub fn starred(text: &str) -> Cow<'_, str> {
    let found = secrets(text);
    if found.is_empty() {
        return Cow::Borrowed(text);
    }
    let mut safe = String::with_capacity(text.len());
    let mut done = 0;
    for secret in found {
        safe.push_str(&text[done..secret.place.start]);
        safe.extend(std::iter::repeat_n('*', secret.place.len()));
        done = secret.place.end;
    }
    safe.push_str(&text[done..]);
    Cow::Owned(safe)
}

/// Whether the value of what has this name is a secret.
pub fn telling(name: &str) -> bool {
    // A key of a configuration is told by its last part: `authorization.verification` is none.
    let name = name.rsplit('.').next().unwrap_or(name).to_ascii_lowercase();
    let mut words = name.split(|c: char| !c.is_ascii_alphanumeric());
    TELLING.iter().any(|part| name.contains(part))
        || words.any(|word| {
            word.starts_with("key") || TELLING_ENDS.iter().any(|end| word.ends_with(end))
        })
}

/// Whether what follows this word of a command is a secret, and a word of its own.
fn announces(word: &str) -> bool {
    let name = word.trim_start_matches('-');
    name.len() < word.len() && !name.is_empty() && !name.contains('=') && telling(name)
}

/// What was found, and what stands in its place.
#[derive(Debug)]
struct Secret {
    place: Range<usize>,
    in_url: bool,
}

fn replaced(text: &str, found: Vec<Secret>) -> Cow<'_, str> {
    if found.is_empty() {
        return Cow::Borrowed(text);
    }
    let mut safe = String::with_capacity(text.len());
    let mut done = 0;
    for Secret { place, in_url } in found {
        safe.push_str(&text[done..place.start]);
        safe.push_str(if in_url { LEFT_OUT_OF_URL } else { LEFT_OUT });
        done = place.end;
    }
    safe.push_str(&text[done..]);
    Cow::Owned(safe)
}

/// The secrets in a word of a command, by the words before it and by its own text.
fn in_word(words: &[String], place: usize) -> Vec<Secret> {
    let word = words[place].as_str();
    let whole = |start: usize| {
        let found = Secret {
            place: start..word.len(),
            in_url: false,
        };
        vec![found]
    };
    let before = place.checked_sub(1).map(|before| words[before].as_str());
    let program = words[..place].iter().rev().find_map(|it| program_of(it));
    if let Some(start) = before.and_then(|before| value_after(before, program, word))
        && word[start..] != *LEFT_OUT
    {
        return whole(start);
    }
    if let Some(start) = joined(program, word)
        && word[start..] != *LEFT_OUT
    {
        return whole(start);
    }
    let flag = |c: char| c.is_ascii_alphanumeric() || "_.-".contains(c);
    if let Some((name, value)) = word.split_once('=')
        && name.chars().all(flag)
        && telling(name)
        && value != LEFT_OUT
    {
        return whole(name.len() + 1);
    }
    // On lines of their own: a value that goes on to the end of its line ends with its word.
    let mut text = words[..place].join("\n");
    text.push('\n');
    let start = text.len();
    text.push_str(word);
    let here = secrets(&text)
        .into_iter()
        .filter(|found| found.place.end > start);
    let here = here.map(|Secret { place, in_url }| Secret {
        place: place.start.max(start) - start..place.end - start,
        in_url,
    });
    here.collect()
}

/// What is left of secrets where a shell's own characters, and all that follows, are shown.
fn cut_where_shells_act(text: &str, mut found: Vec<Secret>) -> Vec<Secret> {
    for secret in &mut found {
        let value = &text[secret.place.clone()];
        let acts = |c: char| ";&|<>()$`\\\n".contains(c);
        let end = value.find(acts).unwrap_or(value.len());
        secret.place.end = secret.place.start + end;
    }
    found.retain(|secret| !secret.place.is_empty());
    found
}

/// A value that is not in quotes ends here.
fn ends_value(character: char) -> bool {
    character.is_whitespace() || "\"'`".contains(character)
}

/// Every secret of a text, in order and apart from each other.
fn secrets(text: &str) -> Vec<Secret> {
    let mut found = Vec::new();
    userinfo(text, &mut found);
    named(text, &mut found);
    announced(text, &mut found);
    shaped(text, &mut found);
    private_keys(text, &mut found);
    found.retain(|secret| {
        let value = &text[secret.place.clone()];
        // What was left out already stays so.
        let (before, rest) = text.split_at(secret.place.start);
        let asked_for = |value: &str| before.ends_with("<KEY=") && rest.starts_with(value);
        !value.is_empty()
            && !rest.starts_with(LEFT_OUT)
            && !rest.starts_with(LEFT_OUT_OF_URL)
            && !VALUES_ASKED_FOR.iter().any(|value| asked_for(value))
    });
    found.sort_by_key(|secret| (secret.place.start, std::cmp::Reverse(secret.place.end)));
    let mut apart: Vec<Secret> = Vec::new();
    for secret in found {
        match apart.last_mut() {
            Some(last) if secret.place.start < last.place.end => {
                last.place.end = last.place.end.max(secret.place.end);
            }
            _ => apart.push(secret),
        }
    }
    apart
}

/// Words of the text, each with its place: what stands between blanks.
fn blank_apart(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let words = text.split(char::is_whitespace);
    let start = text.as_ptr().addr();
    let placed = words.map(move |word| (word.as_ptr().addr() - start, word));
    placed.filter(|(_, word)| !word.is_empty())
}

/// Users and passwords before a host: of a URL, and of a data source without a scheme.
fn userinfo(text: &str, found: &mut Vec<Secret>) {
    for (start, word) in blank_apart(text) {
        for part in parts(start, word) {
            let (start, word) = part;
            match word.find("://") {
                Some(at) => of_url(start + at + 3, &word[at + 3..], found),
                None => of_source(start, word, found),
            }
        }
    }
}

/// What quotes and brackets divide.
fn parts(start: usize, word: &str) -> impl Iterator<Item = (usize, &str)> {
    let from = word.as_ptr().addr();
    let parts = word.split(|c: char| "\"'`<>{}".contains(c));
    parts.map(move |part| (start + part.as_ptr().addr() - from, part))
}

fn of_url(start: usize, rest: &str, found: &mut Vec<Secret>) {
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let authority = &rest[..end];
    let port = authority.rsplit_once(':').map(|(_, port)| port);
    // A password may hold what ends an authority: then what seems a port is no number.
    let broken = port.is_some_and(|port| {
        !port.is_empty() && !port.ends_with(']') && !port.bytes().all(|it| it.is_ascii_digit())
    });
    let at = authority
        .rfind('@')
        .or_else(|| rest.rfind('@').filter(|_| broken));
    found.extend(at.map(|at| Secret {
        place: start..start + at,
        in_url: true,
    }));
}

/// `user:password@host`, as drivers take it, and a line of `PostgreSQL`'s password file.
fn of_source(start: usize, word: &str, found: &mut Vec<Secret>) {
    let name = |c: char| c.is_ascii_alphanumeric() || "_.%+-".contains(c);
    if let Some(at) = word.rfind('@')
        && let Some(colon) = word[..at].find(':')
        && word[..colon].ends_with(name)
        && !word[..colon].ends_with("mailto")
    {
        found.push(Secret {
            place: start + colon + 1..start + at,
            in_url: true,
        });
    }
    // host:port:database:user:password
    let fields: Vec<&str> = word.split(':').collect();
    if let [host, port, _, user, password] = fields.as_slice()
        && !host.is_empty()
        && !user.is_empty()
        && (*port == "*" || (!port.is_empty() && port.bytes().all(|it| it.is_ascii_digit())))
    {
        let end = start + word.len();
        found.push(Secret {
            place: end - password.len()..end,
            in_url: false,
        });
    }
}

/// Values that follow a telling name and `=` or `:`.
fn named(text: &str, found: &mut Vec<Secret>) {
    for (at, sign) in text.match_indices(['=', ':']) {
        let Some(name) = name_before(text, at, sign) else {
            continue;
        };
        if !telling(name.text) || (sign == ":" && !name.begins_value()) {
            continue;
        }
        let rest = &text[at + 1..];
        let blank = rest.len() - rest.trim_start_matches([' ', '\t']).len();
        let start = at + 1 + blank;
        let whole = sign == ":" && WHOLE_FIELDS.contains(&name.text.to_ascii_lowercase().as_str());
        if whole && !rest[blank..].starts_with(['"', '\'', '\\']) {
            let line = |c: char| c == '\n' || name.quote.is_some_and(|quote| quote == c);
            let end = text[start..]
                .find(line)
                .map_or(text.len(), |end| start + end);
            found.push(Secret {
                place: start..end,
                in_url: false,
            });
            continue;
        }
        // The fields of a query end where the next begins.
        let in_url = sign == "=" && in_query(&text[..at]);
        let ends = |c: char| ends_value(c) || (in_url && "&#".contains(c));
        found.push(Secret {
            place: value_at(text, start, &ends),
            in_url,
        });
    }
}

/// A name before a sign.
struct Name<'a> {
    text: &'a str,
    /// The quote before it: of a name in quotes, or of a text that begins with it.
    quote: Option<char>,
    /// Whether it is in quotes itself, as in JSON.
    quoted: bool,
}

impl Name<'_> {
    /// Whether a colon after it begins a value, and not the rest of a sentence.
    fn begins_value(&self) -> bool {
        let name = self.text.to_ascii_lowercase();
        // Of several nobody says one value: `cookies: yes`.
        self.quoted || !(name.ends_with('s') || WORDS_OF_PROSE.contains(&name.as_str()))
    }
}

fn name_before<'a>(text: &'a str, at: usize, sign: &str) -> Option<Name<'a>> {
    // Comparisons, and what divides paths.
    let (before, after) = (&text[..at], &text[at + 1..]);
    let compares = before.ends_with(['=', '!', '<', '>', '~']) || after.starts_with(['=', '~']);
    let divides = sign == ":" && (before.ends_with(':') || after.starts_with([':', '/']));
    if compares || divides {
        return None;
    }
    let before = match sign {
        "=" => before.trim_end_matches([' ', '\t']),
        _ => before,
    };
    let bare = before.trim_end_matches(['"', '\'', '\\']);
    let quoted = bare.len() < before.len();
    let part = |c: char| c.is_ascii_alphanumeric() || "_.-".contains(c);
    let name = &bare[bare.trim_end_matches(part).len()..];
    let name = name.trim_start_matches('-');
    let quote = bare[..bare.len() - name.len()].chars().next_back();
    (!name.is_empty()).then_some(Name {
        text: name,
        quote: quote.filter(|c| "\"'".contains(*c)),
        quoted,
    })
}

/// Whether a text ends within the query of an address.
fn in_query(before: &str) -> bool {
    let word = before.rsplit(char::is_whitespace).next().unwrap_or(before);
    word.contains('?')
}

/// The place of a value: what is in quotes, or up to where one ends.
fn value_at(text: &str, start: usize, ends: &dyn Fn(char) -> bool) -> Range<usize> {
    let rest = &text[start..];
    for quote in ["\\\"", "\"", "'"] {
        if let Some(inside) = rest.strip_prefix(quote) {
            let from = start + quote.len();
            let end = closing(inside, quote).unwrap_or(inside.len());
            return from..from + end;
        }
    }
    let end = rest.find(ends).unwrap_or(rest.len());
    // A sentence goes on after it.
    let value = rest[..end].trim_end_matches([',', ';', ':', ')', ']', '}']);
    start..start + value.len()
}

/// Where a quoted text ends; a quote after a backslash does not end it.
fn closing(inside: &str, quote: &str) -> Option<usize> {
    let mut ends = inside.match_indices(quote).map(|(at, _)| at);
    ends.find(|at| quote.len() > 1 || !inside[..*at].ends_with('\\'))
}

/// Values that are words of their own: after a flag, a scheme, or a program's own flag.
fn announced(text: &str, found: &mut Vec<Secret>) {
    let mut program = None;
    let mut before: Option<&str> = None;
    for (start, word) in blank_apart(text) {
        let bare = word.trim_start_matches(['"', '\'', '(', '[', '`']);
        let announced = before.and_then(|before| announced_by(before, program, text, start, word));
        if let Some(place) = announced {
            found.push(Secret {
                place,
                in_url: false,
            });
        }
        if let Some(known) = program_of(bare) {
            program = Some(known);
        } else if let Some(inside) = joined(program, bare) {
            let from = start + (word.len() - bare.len()) + inside;
            found.push(Secret {
                place: value_at(text, from, &ends_value),
                in_url: false,
            });
        }
        before = Some(bare);
    }
}

/// The secret that begins here, where the word before announces one.
fn announced_by(
    before: &str,
    program: Option<&str>,
    text: &str,
    start: usize,
    word: &str,
) -> Option<Range<usize>> {
    let value = value_at(text, start, &ends_value);
    if let Some(inside) = value_after(before, program, &text[value.clone()]) {
        return Some(value.start + inside..value.end);
    }
    if word.starts_with('-') || takes_user(before) {
        return None;
    }
    let scheme = before.rsplit(|c: char| !c.is_ascii_alphanumeric()).next()?;
    let scheme = scheme.to_ascii_lowercase();
    if !SCHEMES.contains(&scheme.as_str()) {
        return None;
    }
    let end = |c: char| !(c.is_ascii_alphanumeric() || "-._~+/=".contains(c));
    let length = word.find(end).unwrap_or(word.len());
    // A word of a sentence is in small letters, and a credential hardly ever is.
    let opaque = word[..length]
        .bytes()
        .any(|it| !it.is_ascii_lowercase() && it != b'.');
    (length >= 6 && opaque).then_some(start..start + length)
}

/// What is known by its own shape: JSON web tokens, and keys with a known beginning.
fn shaped(text: &str, found: &mut Vec<Secret>) {
    let part = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    let mut at = 0;
    while let Some(offset) = text[at..].find(part) {
        let start = at + offset;
        let end = text[start..]
            .find(|c| !part(c))
            .map_or(text.len(), |end| start + end);
        let word = &text[start..end];
        // Its header is a JSON object, so it begins like this (RFC 7519, section 3).
        let web_token = word.starts_with("eyJ") && word.contains('.');
        let key = BEGINNINGS
            .iter()
            .any(|beginning| word.starts_with(beginning));
        if word.len() >= KEY_MIN && (web_token || key) {
            found.push(Secret {
                place: start..end,
                in_url: in_query(&text[..start]),
            });
        }
        at = end;
    }
}

/// Private keys in PEM (RFC 7468), whole.
fn private_keys(text: &str, found: &mut Vec<Secret>) {
    for (at, begin) in text.match_indices("PRIVATE KEY-----") {
        let start = at + begin.len();
        let Some(line) = text[..at].rfind("-----") else {
            continue;
        };
        if text[line..].starts_with("-----BEGIN") {
            let end = text[start..]
                .find("-----END")
                .map_or(text.len(), |end| start + end);
            found.push(Secret {
                place: start..end,
                in_url: false,
            });
        }
    }
}

/// Where the texts of a document in JSON stand, with their quotes.
fn literals(document: &str) -> Vec<Range<usize>> {
    let mut literals = Vec::new();
    let mut start = None;
    let mut escaped = false;
    for (at, byte) in document.bytes().enumerate() {
        match (start, byte) {
            (Some(_), _) if escaped => escaped = false,
            (Some(_), b'\\') => escaped = true,
            (Some(from), b'"') => {
                literals.push(from..at + 1);
                start = None;
            }
            (None, b'"') => start = Some(at),
            _ => {}
        }
    }
    literals
}
