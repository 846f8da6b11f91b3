//! `[[variant]]`: what would have prevented or ended the incident, read, applied and checked.
//!
//! A variant is applied like settings of the command line: the values of its file are
//! exchanged, and the result is read again as any file is. A mistake that only the result
//! has is reported at the line of the variant that leads to it: the setting without which
//! there is none, or else the variant's name.

use toml::{Table, Value};

use super::diagnostics::{Diagnostics, Mistake, suggest};
use super::expectations;
use super::file::{self, File};
use super::leaf::Spanned;
use super::meaning::Reader;
use super::settings::{Changes, Setting, expect, set, table_with};
use super::{parse, schema, shipped};
use crate::error::{Error, Result};
use crate::model::Variant;
use crate::plan::Plan;

/// Reports what is wrong with the variants of a file by themselves.
pub(super) fn read(reader: &mut Reader, file: &File) {
    reader.unique("variant", file.variant.iter().map(|it| &it.value.name));
    for variant in file.variant.iter().map(|it| &it.value) {
        for (key, text) in [("name", &variant.name), ("about", &variant.about)] {
            if let Some(text) = text.as_ref().filter(|text| text.value.trim().is_empty()) {
                let message = format!("`{key}` of a variant is empty");
                reader.report(text, message, "empty", "say what is different");
            }
        }
        for text in settings(variant) {
            if text.value.parse::<Setting>().is_err() {
                let message = format!("`{}` is not a setting", text.value);
                let suggestion = "write a key and its value, such as \"load.client.retries=0\"";
                reader.report(text, message, "not a setting", suggestion);
            }
        }
        for text in &variant.expect {
            if let Err(mistake) = expectations::readable(text) {
                reader.mistakes.push(mistake);
            }
        }
    }
}

fn settings(variant: &file::Variant) -> &[Spanned<String>] {
    variant.set.as_ref().map_or(&[], |set| set.value.as_slice())
}

/// A variant as it stands in a file.
#[derive(Debug)]
pub(super) struct FileVariant {
    pub(super) variant: Variant,
    /// What is expected of it; none: what the file expects.
    expected: Option<Vec<String>>,
}

/// The variant of this name.
///
/// # Errors
///
/// Wrong usage, where there is none.
pub(super) fn find(table: &Table, name: &str, path: &str) -> Result<FileVariant> {
    let all = table.get("variant").and_then(Value::as_array);
    let all = all.into_iter().flatten().filter_map(Value::as_table);
    let wanted = |variant: &&Table| text(variant, "name") == name;
    let Some(found) = all.clone().find(wanted) else {
        let names: Vec<&str> = all.map(|variant| text(variant, "name")).collect();
        let help = match names.as_slice() {
            [] => "add a [[variant]] with `name`, `about` and `set`".to_owned(),
            names => suggest(name, names),
        };
        return Err(Error::usage(format!(
            "{path} has no variant `{name}`; {help}"
        )));
    };
    let verdict = found.get("verdict").and_then(Value::as_str);
    let expect = found.contains_key("expect").then(|| texts(found, "expect"));
    let expected = (verdict.is_some() || expect.is_some()).then(|| {
        let verdict = verdict.map(|word| format!("incident verdict is {word}"));
        verdict
            .into_iter()
            .chain(expect.into_iter().flatten())
            .collect()
    });
    Ok(FileVariant {
        variant: Variant {
            name: name.to_owned(),
            about: text(found, "about").to_owned(),
            set: texts(found, "set"),
        },
        expected,
    })
}

fn text<'t>(table: &'t Table, key: &str) -> &'t str {
    table.get(key).and_then(Value::as_str).unwrap_or_default()
}

fn texts(table: &Table, key: &str) -> Vec<String> {
    let texts = table
        .get(key)
        .and_then(Value::as_array)
        .into_iter()
        .flatten();
    let texts = texts.filter_map(Value::as_str);
    texts.map(str::to_owned).collect()
}

impl FileVariant {
    /// Puts what it changes into the tables of its file.
    ///
    /// # Errors
    ///
    /// Wrong usage, with the setting that cannot be made.
    pub(super) fn apply(&self, table: &mut Table) -> Result<()> {
        self.applied(table).map_err(|(place, why)| {
            let Variant { name, set, .. } = &self.variant;
            Error::usage(format!("variant `{name}`, {}: {why}", set[place]))
        })
    }

    /// The same; which of the settings cannot be made, and why.
    fn applied(&self, table: &mut Table) -> std::result::Result<(), (usize, String)> {
        for (place, text) in self.variant.set.iter().enumerate() {
            let wrong = |why| (place, why);
            let setting: Setting = text.parse().map_err(wrong)?;
            set(table, &setting).map_err(wrong)?;
        }
        if let Some(expected) = &self.expected {
            table.remove("expect");
            expect(table, expected);
        }
        Ok(())
    }
}

/// The plans of all variants of a file with these changes, in the order of the file.
///
/// # Errors
///
/// As [`super::load`]; every mistake of every variant at once, at its place in the file.
pub fn variants(name_or_path: &str, changes: &Changes<'_>, colour: bool) -> Result<Vec<Plan>> {
    of(&shipped::find(name_or_path)?, changes, colour)
}

/// The same of a file that was read before.
pub(super) fn of(file: &shipped::Found, changes: &Changes<'_>, colour: bool) -> Result<Vec<Plan>> {
    file.open(colour)?;
    let mut plans = Vec::new();
    let mut mistakes = Vec::new();
    for variant in in_file(file) {
        let Some(name) = &variant.value.name else {
            continue;
        };
        let changes = Changes {
            variant: Some(&name.value),
            ..*changes
        };
        let of_file = Changes {
            settings: &[],
            expected: &[],
            ..changes
        };
        match mistakes_of(file, &variant.value, &of_file) {
            Ok(found) if found.is_empty() => {
                plans.push(super::settings::changed(file, &changes, colour)?);
            }
            Ok(found) => mistakes.extend(found),
            Err(error) => return Err(error),
        }
    }
    if mistakes.is_empty() {
        return Ok(plans);
    }
    let told = Diagnostics::new(&file.path, &file.text, mistakes);
    Err(Error::usage(told.render(colour)))
}

/// The mistakes of the variant that is chosen, at their places in its file; none where the
/// file, the variant and the profile have none.
///
/// # Errors
///
/// As [`find`].
pub(super) fn placed(file: &shipped::Found, changes: &Changes<'_>) -> Result<Option<Diagnostics>> {
    let alone = Changes {
        settings: &[],
        expected: &[],
        ..*changes
    };
    for variant in in_file(file) {
        let name = variant.value.name.as_ref().map(|name| name.value.as_str());
        if name.is_some() && name == changes.variant {
            let found = mistakes_of(file, &variant.value, &alone)?;
            let told = || Diagnostics::new(&file.path, &file.text, found.clone());
            return Ok((!found.is_empty()).then(told));
        }
    }
    Ok(None)
}

/// The variants of a file that can be read; none of one that cannot.
fn in_file(file: &shipped::Found) -> Vec<Spanned<file::Variant>> {
    let read = parse::fit::<File>(&schema::value(), &file.path, &file.text);
    read.map(|(file, _)| file.variant).unwrap_or_default()
}

/// What is wrong with the file once the chosen variant is applied, each at the setting that
/// leads to it.
fn mistakes_of(
    file: &shipped::Found,
    variant: &file::Variant,
    changes: &Changes<'_>,
) -> Result<Vec<Mistake>> {
    let (mut table, found) = table_with(file, changes)?;
    let Some(found) = found else {
        return Ok(Vec::new());
    };
    let before = table.clone();
    if let Err((place, why)) = found.applied(&mut table) {
        let at = settings(variant).get(place);
        let mistake = at.map(|at| {
            Mistake::new(
                at.span.clone(),
                why,
                "cannot be set",
                "name a key that the file can have",
            )
        });
        return Ok(mistake.into_iter().collect());
    }
    let mistakes = mistakes_in(file, &table);
    if mistakes.is_empty() {
        return Ok(Vec::new());
    }
    let span = culprit(file, variant, &found, &before);
    let placed = mistakes.into_iter().map(|mistake| Mistake {
        span: span.clone(),
        message: format!("variant `{}`: {}", found.variant.name, mistake.message),
        ..mistake
    });
    Ok(placed.collect())
}

fn mistakes_in(file: &shipped::Found, table: &Table) -> Vec<Mistake> {
    let read = parse::parse_in(&file.folder, &file.name, &file.path, &table.to_string());
    read.map_or_else(|told| told.mistakes().to_vec(), |_| Vec::new())
}

/// Where the mistake lies: the setting, or what is expected, without which there is none.
fn culprit(
    file: &shipped::Found,
    variant: &file::Variant,
    found: &FileVariant,
    before: &Table,
) -> std::ops::Range<usize> {
    let is_whole = |other: &FileVariant| {
        let mut table = before.clone();
        other.applied(&mut table).is_ok() && mistakes_in(file, &table).is_empty()
    };
    let without = |place: usize| {
        let mut set = found.variant.set.clone();
        set.remove(place);
        FileVariant {
            variant: Variant {
                set,
                ..found.variant.clone()
            },
            expected: found.expected.clone(),
        }
    };
    let unexpected = FileVariant {
        variant: found.variant.clone(),
        expected: Some(Vec::new()),
    };
    let settings = settings(variant);
    if let Some(place) = (0..settings.len()).find(|place| is_whole(&without(*place))) {
        return settings[place].span.clone();
    }
    let expect = variant.expect.first().filter(|_| is_whole(&unexpected));
    let named = variant.name.as_ref();
    let place = expect.or(named);
    place.map_or(0..0, |place| place.span.clone())
}
