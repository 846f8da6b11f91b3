//! Holds a TOML document against the schema: keys, types, ranges, texts.
//!
//! It knows the few words of JSON schema that ours uses and nothing of
//! scenarios. What does not fit is reported and taken out of the document, so
//! that what remains can be read whatever else was wrong.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::ops::Range;

use serde_json::Value;
use toml::Spanned;
use toml::de::{DeArray, DeTable, DeValue};

use super::diagnostics::{Mistake, list, nearest, suggest};
use super::leaf;
use super::wording::{Place, example, in_words, kind, tag_of, with_article};
use crate::units::Ratio;

/// Reports what does not fit the schema, and takes it out. Missing keys are
/// reported only where the document is `whole`: a syntax error hides keys.
pub(super) fn check(schema: &Value, document: &mut Spanned<DeTable<'_>>, whole: bool) -> Fitted {
    let mut structure = Structure {
        fitted: Fitted::default(),
        whole,
    };
    let root = Place {
        table: String::new(),
        key: String::new(),
        in_array: false,
        span: 0..0,
    };
    structure.table(schema, document.get_mut(), &root);
    structure.fitted
}

/// What was found wrong with a document that now fits the schema, but for
/// required keys.
#[derive(Default)]
pub(super) struct Fitted {
    /// The mistakes.
    pub(super) mistakes: Vec<Mistake>,
    /// Where every key stands.
    pub(super) keys: Keys,
}

/// The keys of a document, by the spans of their tables.
#[derive(Default)]
pub(super) struct Keys(HashMap<Range<usize>, HashMap<String, Key>>);

struct Key {
    span: Range<usize>,
    value: Range<usize>,
    taken_out: bool,
}

impl Keys {
    fn get(&self, table: &Range<usize>, key: &str) -> Option<&Key> {
        self.0.get(table)?.get(key)
    }

    /// Whether the key was taken out of its table, and so reported.
    pub(super) fn was_taken_out(&self, table: &Range<usize>, key: &str) -> bool {
        self.get(table, key).is_some_and(|key| key.taken_out)
    }

    /// Where the last key of this path stands, seen from a table; where there is none,
    /// the last of those before it, or else the table.
    pub(super) fn span(&self, table: &Range<usize>, path: &[&str]) -> Range<usize> {
        let (mut found, mut table) = (table.clone(), table);
        for key in path {
            let Some(key) = self.get(table, key) else {
                break;
            };
            (found, table) = (key.span.clone(), &key.value);
        }
        found
    }
}

/// The keys that a table may have, with their schemas, and those that it must have.
struct Allowed<'a> {
    schemas: BTreeMap<&'a str, Cow<'a, Value>>,
    required: Vec<&'a str>,
}

impl<'a> Allowed<'a> {
    /// Those of this schema.
    fn of(schema: &'a Value) -> Self {
        let required = schema["required"].as_array().into_iter().flatten();
        let mut own = Self {
            schemas: BTreeMap::new(),
            required: required.filter_map(Value::as_str).collect(),
        };
        own.allow(schema);
        own
    }

    fn allow(&mut self, schema: &'a Value) {
        let properties = schema["properties"].as_object().into_iter().flatten();
        let properties = properties.map(|(key, schema)| (key.as_str(), Cow::Borrowed(schema)));
        self.schemas.extend(properties);
    }
}

struct Structure {
    fitted: Fitted,
    whole: bool,
}

impl Structure {
    fn report(&mut self, mistake: Mistake) {
        self.fitted.mistakes.push(mistake);
    }

    /// Whether the value fits; what does not fit inside it has been taken out.
    fn value(&mut self, schema: &Value, value: &mut DeValue<'_>, place: &Place) -> bool {
        if !self.type_fits(schema, value, place) {
            return false;
        }
        match value {
            DeValue::Table(table) => {
                self.table(schema, table, place);
                true
            }
            DeValue::Array(items) => self.array(schema, items, place),
            DeValue::String(text) => self.text(schema, text, place),
            DeValue::Integer(number) => {
                let value = i128::from_str_radix(number.as_str(), number.radix());
                self.number(schema, value.unwrap_or(i128::MAX) as f64, place)
            }
            DeValue::Float(number) => {
                // What TOML calls a float parses as one, `inf` and `nan` included.
                let value = number.as_str().replace('_', "").parse().unwrap_or(f64::NAN);
                self.number(schema, value, place)
            }
            DeValue::Boolean(_) | DeValue::Datetime(_) => true,
        }
    }

    fn type_fits(&mut self, schema: &Value, value: &DeValue<'_>, place: &Place) -> bool {
        let allowed: Vec<&str> = match &schema["type"] {
            Value::String(kind) => vec![kind],
            Value::Array(kinds) => kinds.iter().filter_map(Value::as_str).collect(),
            _ => return true,
        };
        let kind = kind(value);
        if allowed.contains(&kind) || (kind == "integer" && allowed.contains(&"number")) {
            return true;
        }
        let found = if kind == "number" {
            "a number with a fraction"
        } else {
            in_words(kind)
        };
        let names: Vec<_> = allowed.iter().map(|kind| in_words(kind)).collect();
        let suggestion = match (kind, allowed.as_slice()) {
            ("date or time", ["string"]) => "put it in quotes".into(),
            ("array", ["object"]) => format!("write [{0}], once, instead of [[{0}]]", place.path()),
            ("object", ["array"]) => format!("write [[{0}]] instead of [{0}]", place.path()),
            _ => with_unit(schema, value)
                .or_else(|| example(schema))
                .map_or_else(
                    || format!("write {}", names.join(" or ")),
                    |example| {
                        if place.in_array {
                            format!("write it like `{example}`")
                        } else {
                            format!("write it like `{} = {example}`", place.key)
                        }
                    },
                ),
        };
        self.report(Mistake::new(
            place.span.clone(),
            format!("{} is {}, not {found}", place.name(), names.join(" or ")),
            found,
            suggestion,
        ));
        false
    }

    fn table(&mut self, schema: &Value, table: &mut DeTable<'_>, place: &Place) {
        let allowed = self.allowed(schema, table, place);
        // A table of the user's own names says what each of them may hold.
        let any = &schema["additionalProperties"];
        let any = any.is_object().then_some(any);
        let mut wrong = HashSet::new();
        let mut meant = HashSet::new();
        let mut keys = HashMap::new();
        for (key, value) in table.iter_mut() {
            let name = key.get_ref().to_string();
            let value_span = value.span();
            let inner = Place {
                table: place.path(),
                key: name.clone(),
                in_array: false,
                span: value_span.clone(),
            };
            let own = allowed.schemas.get(name.as_str()).map(Cow::as_ref);
            let fits = if let Some(own) = own.or(any) {
                self.value(own, value.get_mut(), &inner)
            } else {
                meant.extend(self.unknown(schema, &name, key.span(), &allowed, place));
                false
            };
            if !fits {
                wrong.insert(name.clone());
            }
            let span = key.span();
            let key = Key {
                span,
                value: value_span,
                taken_out: !fits,
            };
            keys.insert(name, key);
        }
        for name in allowed.required {
            // A key that was meant by a misspelt one has been reported there.
            if !table.contains_key(name) && !meant.contains(name) {
                self.missing(name, allowed.schemas.get(name).map(Cow::as_ref), place);
            }
        }
        if !wrong.is_empty() {
            let all = std::mem::take(table).into_iter();
            *table = all
                .filter(|(key, _)| !wrong.contains(key.get_ref().as_ref()))
                .collect();
        }
        for name in meant {
            keys.entry(name.to_owned()).or_insert(Key {
                span: place.span.clone(),
                value: place.span.clone(),
                taken_out: true,
            });
        }
        self.fitted.keys.0.insert(place.span.clone(), keys);
    }

    /// The keys that a table may and must have. Where the schema has branches,
    /// the tag in the table decides which one holds; where a branch has rules, the
    /// word in the table that each asks for.
    fn allowed<'s>(
        &mut self,
        schema: &'s Value,
        table: &DeTable<'_>,
        place: &Place,
    ) -> Allowed<'s> {
        let word = |key: &str| table.get(key).and_then(|value| value.get_ref().as_str());
        let mut allowed = Allowed::of(schema);
        let Some(branches) = schema["oneOf"].as_array() else {
            return allowed;
        };
        let tag = tag_of(branches);
        let found = word(tag);
        let branch = branches
            .iter()
            .find(|branch| branch["properties"][tag]["const"].as_str() == found);
        if let (Some(branch), Some(_)) = (branch, found) {
            let of_the_branch = Allowed::of(branch);
            allowed.schemas.extend(of_the_branch.schemas);
            allowed.required.extend(of_the_branch.required);
            let rules = branch["allOf"].as_array().into_iter().flatten();
            for rule in rules.filter(|rule| holds(rule, word)) {
                allowed.allow(&rule["then"]);
            }
        } else {
            // Without the tag nobody knows which keys belong here: all may.
            let tags = branches.iter();
            let tags = tags.map(|branch| branch["properties"][tag]["const"].clone());
            let schema = serde_json::json!({ "type": "string", "enum": tags.collect::<Vec<_>>() });
            for branch in branches {
                allowed.allow(branch);
            }
            if !table.contains_key(tag) {
                self.missing(tag, Some(&schema), place);
            }
            allowed.schemas.insert(tag, Cow::Owned(schema));
        }
        allowed
    }

    fn missing(&mut self, name: &str, schema: Option<&Value>, place: &Place) {
        if !self.whole {
            return;
        }
        let schema = schema.unwrap_or(&Value::Null);
        let value = match (example(schema), schema["type"].as_str()) {
            (Some(example), _) => example,
            (None, Some("object")) => "{ … }".to_owned(),
            (None, Some("array")) => "[ … ]".to_owned(),
            (None, Some("boolean")) => "true".to_owned(),
            _ => "\"…\"".to_owned(),
        };
        let description = schema["description"].as_str().unwrap_or_default();
        let description = description.trim_end_matches('.');
        let why = if description.is_empty() { "" } else { ": " };
        self.report(Mistake::new(
            place.span.clone(),
            format!("{} lacks the key `{name}`", place.header()),
            "incomplete",
            format!("add `{name} = {value}`{why}{description}"),
        ));
    }

    /// Reports a key that the table does not have; gives the one that was
    /// meant, where that can be told.
    fn unknown<'s>(
        &mut self,
        schema: &Value,
        name: &str,
        span: Range<usize>,
        allowed: &Allowed<'s>,
        place: &Place,
    ) -> Option<&'s str> {
        let known: Vec<&'s str> = allowed.schemas.keys().copied().collect();
        let branches = schema["oneOf"].as_array().map_or(&[][..], Vec::as_slice);
        let tag = tag_of(branches);
        let owner = branches
            .iter()
            .find(|branch| branch["properties"].get(name).is_some());
        let suggestion = match owner {
            Some(branch) => {
                let owner = &branch["properties"][tag]["const"];
                format!("it belongs to `{tag} = {owner}`; remove it")
            }
            None => suggest(name, &known),
        };
        self.report(Mistake::new(
            span,
            format!("{} has no key `{name}`", place.header()),
            "unknown key",
            suggestion,
        ));
        nearest(name, known).filter(|_| owner.is_none())
    }

    fn array(&mut self, schema: &Value, items: &mut DeArray<'_>, place: &Place) -> bool {
        let least = schema["minItems"].as_u64().unwrap_or(0);
        if (items.len() as u64) < least {
            self.report(Mistake::new(
                place.span.clone(),
                format!("`{}` is empty", place.key),
                "empty",
                "give it at least one entry",
            ));
            return false;
        }
        let mut kept = Vec::new();
        for mut item in std::mem::replace(items, std::iter::empty().collect()) {
            let inner = Place {
                table: place.table.clone(),
                key: place.key.clone(),
                in_array: true,
                span: item.span(),
            };
            if self.value(&schema["items"], item.get_mut(), &inner) {
                kept.push(item);
            }
        }
        *items = kept.into_iter().collect();
        true
    }

    fn text(&mut self, schema: &Value, text: &str, place: &Place) -> bool {
        if let Some(allowed) = schema["enum"].as_array() {
            let allowed: Vec<&str> = allowed.iter().filter_map(Value::as_str).collect();
            if allowed.contains(&text) {
                return true;
            }
            let suggestion = match nearest(text, allowed.iter().copied()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("write one of {}", list(&allowed)),
            };
            self.report(Mistake::new(
                place.span.clone(),
                format!("`{}` cannot be `{text}`", place.key),
                "unknown word",
                suggestion,
            ));
            return false;
        }
        let format = schema["format"].as_str().unwrap_or_default();
        let Err(error) = leaf::check(format, text) else {
            return true;
        };
        self.report(Mistake::new(
            place.span.clone(),
            format!("{} cannot be `{text}`", place.name()),
            format!("not {}", with_article(format)),
            format!("write {}", error.expected()),
        ));
        false
    }

    fn number(&mut self, schema: &Value, value: f64, place: &Place) -> bool {
        let least = schema["minimum"].as_f64().unwrap_or(f64::NEG_INFINITY);
        let most = schema["maximum"].as_f64().unwrap_or(f64::INFINITY);
        if (least..=most).contains(&value) && value.is_finite() {
            return true;
        }
        let below = value < least;
        let bound = if below { least } else { most };
        let (label, word) = if below {
            ("too small", "least")
        } else {
            ("too large", "most")
        };
        self.report(Mistake::new(
            place.span.clone(),
            format!(
                "`{}` is {value}, and {bound} is the {word} it can be",
                place.key
            ),
            label,
            format!("write a number from {least} to {most}"),
        ));
        false
    }
}

/// A bare number with the unit that a text of this format most likely has.
fn with_unit(schema: &Value, value: &DeValue<'_>) -> Option<String> {
    let number = match value {
        DeValue::Integer(number) => number.as_str(),
        DeValue::Float(number) => number.as_str(),
        _ => return None,
    };
    let unit = match schema["format"].as_str()? {
        "duration" | "positive duration" | "moment" => "s",
        "rate" => "/s",
        // A share of 1, as other tools have it.
        "share"
            if number
                .parse()
                .is_ok_and(|share: f64| share > 0.0 && share <= 1.0) =>
        {
            let share = Ratio::new(number.parse().ok()?)?;
            return Some(format!("\"{share}\""));
        }
        "share" => " %",
        _ => return None,
    };
    let fits = leaf::check(schema["format"].as_str()?, &format!("{number}{unit}"));
    fits.ok().map(|()| format!("\"{number}{unit}\""))
}

/// Whether a rule of the schema is about this table: it asks for one word.
fn holds<'t>(rule: &Value, word: impl Fn(&str) -> Option<&'t str>) -> bool {
    let asked = rule["if"]["properties"].as_object().into_iter().flatten();
    let mut asked = asked.map(|(key, schema)| schema["const"].as_str() == word(key));
    asked.all(|holds| holds)
}
