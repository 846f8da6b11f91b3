//! The JSON schema of scenario files, generated from the structs in `file`.
//!
//! It is committed as `docs/scenario.schema.json`, for editors, and it is what
//! `structure` holds a file against.

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value};

use super::file::File;

/// The JSON schema of scenario files, as text that ends with a newline.
pub fn schema() -> String {
    printed(&value())
}

/// A schema as text that ends with a newline.
pub(super) fn printed(schema: &Value) -> String {
    let mut text = serde_json::to_string_pretty(schema).expect("a JSON value prints");
    text.push('\n');
    text
}

/// The same as a value.
pub(super) fn value() -> Value {
    of::<File>("threadbare scenario")
}

/// The schema of a kind of file, without references: every table is written out
/// in its place.
pub(super) fn of<T: JsonSchema>(title: &str) -> Value {
    let settings =
        SchemaSettings::draft2020_12().with(|settings| settings.inline_subschemas = true);
    let mut schema = settings
        .for_deserialize()
        .into_generator()
        .into_root_schema_for::<T>()
        .to_value();
    tidy(&mut schema);
    if let Some(root) = schema.as_object_mut() {
        root.insert("title".into(), title.into());
    }
    schema
}

/// Makes a schema fit TOML, which has no null: a key is simply absent.
fn tidy(schema: &mut Value) {
    match schema {
        Value::Array(items) => items.iter_mut().for_each(tidy),
        Value::Object(object) => {
            // The default of a table is that of each of its keys.
            if matches!(object.get("default"), Some(Value::Null | Value::Object(_))) {
                object.remove("default");
            }
            if let Some(Value::String(description)) = object.get_mut("description") {
                *description = description.replace('\n', " ");
            }
            take_null_type(object);
            if let Some(Value::Object(only)) = take_null_alternative(object) {
                for (key, value) in only {
                    object.entry(key).or_insert(value);
                }
            }
            object.values_mut().for_each(tidy);
        }
        _ => {}
    }
}

/// `type: [x, null]` becomes `type: x`.
fn take_null_type(object: &mut Map<String, Value>) {
    let Some(Value::Array(types)) = object.get_mut("type") else {
        return;
    };
    types.retain(|kind| kind != "null");
    if let [only] = types.as_mut_slice() {
        let only = only.take();
        object.insert("type".into(), only);
    }
}

/// `anyOf: [x, null]` becomes what x holds; `enum: [x, null]` loses the null.
fn take_null_alternative(object: &mut Map<String, Value>) -> Option<Value> {
    if let Some(Value::Array(words)) = object.get_mut("enum") {
        words.retain(|word| !word.is_null());
    }
    let Some(Value::Array(alternatives)) = object.get_mut("anyOf") else {
        return None;
    };
    alternatives.retain(|alternative| alternative["type"] != "null");
    if alternatives.len() != 1 {
        return None;
    }
    let only = alternatives.pop();
    object.remove("anyOf");
    only
}
