//! How a schema is put to users: types, examples, tags.

use serde_json::Value;
use toml::de::DeValue;

/// The key whose constant tells the branches apart.
pub(super) fn tag_of(branches: &[Value]) -> String {
    branches
        .first()
        .and_then(|branch| branch["properties"].as_object())
        .and_then(|properties| {
            properties
                .iter()
                .find(|(_, schema)| !schema["const"].is_null())
        })
        .map_or_else(String::new, |(tag, _)| tag.clone())
}

pub(super) fn words(value: &Value) -> Vec<String> {
    let words = value.as_array().map(Vec::as_slice).unwrap_or_default();
    let texts = words.iter().filter_map(Value::as_str);
    texts.map(str::to_owned).collect()
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
