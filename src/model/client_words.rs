//! How clients behave, in a few words: `timeout 1s, retries 3, backoff 100ms`.
//!
//! The words are the keys of `[load.client]`, with blanks or not, and the values are as
//! there: the scenario language reads and checks them.

/// The keys of `[load.client]`.
const KEYS: [&str; 9] = [
    "timeout",
    "deadline",
    "retries",
    "backoff",
    "retry_on",
    "respect_retry_after",
    "retry_budget",
    "breaker",
    "hedge_after",
];

/// Each key of `[load.client]` that the words name, with its value as a `--set` has it.
///
/// # Errors
///
/// Words that name no key, with those that there are.
pub fn client_words(text: &str) -> Result<Vec<(&'static str, String)>, String> {
    let mut pairs: Vec<(&str, String)> = Vec::new();
    for part in text.split(',') {
        let part = part.trim();
        match (key_of(part), pairs.last_mut()) {
            (Some((key, value)), _) => pairs.push((key, value.to_owned())),
            // The comma is one of the value's own: "20 %, reserve 10/s".
            (None, Some((_, value))) => *value = format!("{value}, {part}"),
            (None, None) => {
                let words = KEYS.map(|key| format!("`{}`", key.replace('_', " ")));
                return Err(format!(
                    "`{part}` says nothing of clients; begin with one of {}, as in 'timeout 1s, \
                     retries 3'",
                    words.join(", ")
                ));
            }
        }
    }
    for (key, value) in &mut pairs {
        match *key {
            // A list: `retry on timeout connection`.
            "retry_on" => {
                let words = value.split([' ', ',']).filter(|word| !word.is_empty());
                let words: Vec<String> = words.map(|word| format!("\"{word}\"")).collect();
                *value = format!("[{}]", words.join(", "));
            }
            "respect_retry_after" if value.is_empty() => "true".clone_into(value),
            _ => {}
        }
    }
    Ok(pairs)
}

/// The key that a part begins with, and the rest.
fn key_of(part: &str) -> Option<(&'static str, &str)> {
    KEYS.iter().find_map(|key| {
        let words = key.replace('_', " ");
        let rest = part
            .strip_prefix(words.as_str())
            .or_else(|| part.strip_prefix(*key))?;
        let ends = rest.is_empty() || rest.starts_with([' ', '=']);
        ends.then(|| (*key, rest.trim_start_matches([' ', '='])))
    })
}

#[cfg(test)]
mod tests {
    use super::client_words;

    fn told(text: &str) -> Vec<String> {
        let pairs = client_words(text).unwrap();
        let settings = pairs.iter().map(|(key, value)| format!("{key}={value}"));
        settings.collect()
    }

    #[test]
    fn words_become_keys_of_the_clients() {
        assert_eq!(told("timeout 1s, retries 3"), ["timeout=1s", "retries=3"]);
        assert_eq!(
            told("backoff exponential 50ms..2s, full jitter, retry budget 20 %, burst 50"),
            [
                "backoff=exponential 50ms..2s, full jitter",
                "retry_budget=20 %, burst 50"
            ]
        );
        assert_eq!(
            told("retry_on=timeout connection, respect retry after"),
            [
                "retry_on=[\"timeout\", \"connection\"]",
                "respect_retry_after=true"
            ]
        );
        let mistake = client_words("patience 3s").unwrap_err();
        assert!(mistake.contains("`retry budget`"), "{mistake}");
    }
}
