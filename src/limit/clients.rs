//! How clients behave, in a few words: `timeout 1s, retries 3, backoff 100ms`.
//!
//! The words are the keys of `[load.client]`, with blanks or not, and the values are as
//! there: the scenario language reads and checks them.

use crate::scenario::Setting;

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

/// The settings of a scenario that say so.
pub(super) fn settings(text: &str) -> Result<Vec<Setting>, String> {
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
    let settings = pairs.iter().map(|(key, value)| {
        let value = match *key {
            // A list: `retry on timeout connection`.
            "retry_on" => {
                let words = value.split([' ', ',']).filter(|word| !word.is_empty());
                let words: Vec<String> = words.map(|word| format!("\"{word}\"")).collect();
                format!("[{}]", words.join(", "))
            }
            "respect_retry_after" if value.is_empty() => "true".to_owned(),
            _ => value.clone(),
        };
        format!("load.client.{key}={value}").parse()
    });
    settings.collect()
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
    use super::settings;

    fn told(text: &str) -> Vec<String> {
        let settings = settings(text).unwrap();
        settings.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn words_become_keys_of_the_clients() {
        assert_eq!(
            told("timeout 1s, retries 3"),
            ["load.client.timeout=1s", "load.client.retries=3"]
        );
        assert_eq!(
            told("backoff exponential 50ms..2s, full jitter, retry budget 20 %, burst 50"),
            [
                "load.client.backoff=exponential 50ms..2s, full jitter",
                "load.client.retry_budget=20 %, burst 50"
            ]
        );
        assert_eq!(
            told("retry_on=timeout connection, respect retry after"),
            [
                "load.client.retry_on=[\"timeout\", \"connection\"]",
                "load.client.respect_retry_after=true"
            ]
        );
        let mistake = settings("patience 3s").unwrap_err();
        assert!(mistake.contains("`retry budget`"), "{mistake}");
    }
}
