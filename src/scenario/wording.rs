//! How places and schemas are put to users: headers, types, examples.

use std::ops::Range;

use serde_json::Value;
use toml::de::DeValue;

/// Where a value stands, for messages.
pub(super) struct Place {
    /// The dotted path of the table it stands in; empty at the top level.
    pub(super) table: String,
    /// Its own key.
    pub(super) key: String,
    /// Whether it is an element of an array.
    pub(super) in_array: bool,
    /// The bytes of the file that hold it.
    pub(super) span: Range<usize>,
}

impl Place {
    /// The path of the table that stands here.
    pub(super) fn path(&self) -> String {
        match (self.table.is_empty(), self.key.is_empty()) {
            (_, true) => self.table.clone(),
            (true, _) => self.key.clone(),
            _ => format!("{}.{}", self.table, self.key),
        }
    }

    /// The table that stands here, as its header would be written.
    pub(super) fn header(&self) -> String {
        match (self.path(), self.in_array) {
            (path, _) if path.is_empty() => "the file".into(),
            (path, true) => format!("[[{path}]]"),
            (path, false) => format!("[{path}]"),
        }
    }

    /// The value that stands here, as a sentence calls it.
    pub(super) fn name(&self) -> String {
        if self.in_array {
            format!("an entry of `{}`", self.key)
        } else {
            format!("`{}`", self.key)
        }
    }
}

/// The key whose constant tells the branches apart.
pub(super) fn tag_of(branches: &[Value]) -> &str {
    branches
        .first()
        .and_then(|branch| branch["properties"].as_object())
        .and_then(|properties| {
            properties
                .iter()
                .find(|(_, schema)| !schema["const"].is_null())
        })
        .map_or("", |(tag, _)| tag.as_str())
}

/// A right value as TOML, from the schema's examples, default or words.
pub(super) fn example(schema: &Value) -> Option<String> {
    let candidates = [
        &schema["default"],
        &schema["examples"][0],
        &schema["enum"][0],
        &schema["minimum"],
    ];
    let value = candidates
        .into_iter()
        .find(|value| !value.is_null() && !value.is_object() && !value.is_array())?;
    Some(value.to_string())
}

/// The value's type in the schema's words.
pub(super) const fn kind(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "string",
        DeValue::Integer(_) => "integer",
        DeValue::Float(_) => "number",
        DeValue::Boolean(_) => "boolean",
        DeValue::Datetime(_) => "date or time",
        DeValue::Array(_) => "array",
        DeValue::Table(_) => "object",
    }
}

pub(super) fn with_article(noun: &str) -> String {
    let article = if noun.starts_with(['a', 'e', 'i', 'o', 'u']) {
        "an"
    } else {
        "a"
    };
    format!("{article} {noun}")
}

/// A type of the schema in the user's words.
pub(super) fn in_words(kind: &str) -> &str {
    match kind {
        "string" => "text in quotes",
        "integer" => "a whole number",
        "number" => "a number",
        "boolean" => "true or false",
        "date or time" => "a date or time without quotes",
        "array" => "a list",
        "object" => "a table",
        other => other,
    }
}
