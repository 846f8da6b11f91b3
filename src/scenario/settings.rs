//! Settings on the command line: keys of a scenario with other values.
//!
//! The file is read as it stands, its values are exchanged, and what comes of it
//! is read again as any file is; so a setting is held to the same rules, and a
//! mistake in one is shown in its place in the text that it leads to.

use std::fmt;
use std::iter;
use std::path::PathBuf;
use std::str::FromStr;

use toml::{Table, Value};

use super::diagnostics::suggest;
use super::variants::{self, FileVariant};
use super::{parse, shipped};
use crate::error::{Error, Result};
use crate::model::redact;
use crate::plan::Plan;

/// A key of a scenario and the value it is to have: `target.fleet.queue=35`.
///
/// Tables and arrays of the file are stepped into by name and by place, counted
/// from 0: `timeline.3.share=20 %`. A value is a text, or anything else that
/// TOML knows.
#[derive(Debug, Clone, PartialEq)]
pub struct Setting {
    path: Vec<String>,
    value: String,
}

impl Setting {
    /// This key with another value.
    pub fn with(&self, value: impl Into<String>) -> Self {
        Self {
            path: self.path.clone(),
            value: value.into(),
        }
    }

    /// The key, as it was written.
    pub fn key(&self) -> String {
        self.path.join(".")
    }

    /// The value.
    pub fn value(&self) -> &str {
        &self.value
    }
}

impl FromStr for Setting {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        let wrong = || format!("{text:?} is not a setting; write one as target.fleet.workers=8");
        let (key, value) = text.split_once('=').ok_or_else(wrong)?;
        let path: Vec<String> = key.split('.').map(|part| part.trim().to_owned()).collect();
        if path.iter().any(String::is_empty) {
            return Err(wrong());
        }
        Ok(Self {
            path,
            value: value.trim().to_owned(),
        })
    }
}

impl fmt::Display for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.key(), self.value)
    }
}

/// A scenario with some keys set otherwise; opened as [`super::load`] does.
///
/// # Errors
///
/// As [`super::load`], for the file as it stands and for what the settings make
/// of it.
pub fn load_with(name_or_path: &str, settings: &[Setting], colour: bool) -> Result<Plan> {
    let changes = Changes {
        settings,
        ..Changes::default()
    };
    load_changed(name_or_path, &changes, colour)
}

/// What the command line changes of a scenario.
#[derive(Debug, Clone, Copy, Default)]
pub struct Changes<'a> {
    /// The profile of the file whose settings come first.
    pub profile: Option<&'a str>,
    /// The variant of the file whose settings come next.
    pub variant: Option<&'a str>,
    /// Settings.
    pub settings: &'a [Setting],
    /// What is expected besides, in one line each.
    pub expected: &'a [String],
}

/// A scenario with these changes; opened as [`super::load`] does.
///
/// # Errors
///
/// As [`load_with`]; wrong usage, where there is no such profile.
pub fn load_changed(name_or_path: &str, changes: &Changes<'_>, colour: bool) -> Result<Plan> {
    changed(&shipped::find(name_or_path)?, changes, colour)
}

/// A scenario that was read once, and leads to many plans.
#[derive(Debug)]
pub(crate) struct Opened(shipped::Found);

impl Opened {
    /// The scenario of this text, where it was made here and not read from a file: files
    /// that it names are looked for in the folder that this program runs in; or else the
    /// file of this path, or the shipped scenario of this name.
    ///
    /// # Errors
    ///
    /// Wrong usage, where there is none.
    pub(crate) fn new(name_or_path: &str, made: Option<&str>) -> Result<Self> {
        let found = made.map_or_else(
            || shipped::find(name_or_path),
            |text| Ok(made_here("limit", text)),
        );
        found.map(Self)
    }

    /// Its plan with these changes.
    ///
    /// # Errors
    ///
    /// As [`load_changed`].
    pub(crate) fn plan(&self, changes: &Changes<'_>, colour: bool) -> Result<Plan> {
        changed(&self.0, changes, colour)
    }

    /// The plans of its variants with these changes.
    ///
    /// # Errors
    ///
    /// As [`super::variants`].
    pub(crate) fn variants(&self, changes: &Changes<'_>, colour: bool) -> Result<Vec<Plan>> {
        super::variants::of(&self.0, changes, colour)
    }
}

/// The text of a scenario with these settings in it, those of the profile first, without
/// comments and secrets: of one that was made here, or else of that file or shipped one.
///
/// # Errors
///
/// As [`load_changed`], but for mistakes that only a scenario as a whole has.
pub(crate) fn text_with(
    name_or_path: &str,
    made: Option<&str>,
    profile: Option<&str>,
    settings: &[String],
) -> Result<String> {
    let file = made.map_or_else(
        || shipped::find(name_or_path),
        |text| Ok(made_here("limit", text)),
    );
    let settings = settings
        .iter()
        .map(|text| text.parse().map_err(Error::usage));
    let changes = Changes {
        profile,
        settings: &settings.collect::<Result<Vec<_>>>()?,
        ..Changes::default()
    };
    let (table, _) = table(&file?, &changes)?;
    let failed = |cause: &dyn fmt::Display| {
        Error::failed(format!(
            "failed to write the scenario {name_or_path}: {cause}"
        ))
    };
    let json = serde_json::to_string(&table).map_err(|cause| failed(&cause))?;
    let safe: Table = serde_json::from_str(&redact::json(&json)).map_err(|cause| failed(&cause))?;
    Ok(safe.to_string())
}

fn made_here(name: &str, text: &str) -> shipped::Found {
    shipped::Found {
        name: name.to_owned(),
        path: format!("{name}.toml"),
        text: text.to_owned(),
        folder: PathBuf::new(),
    }
}

/// The plan of a scenario with these changes.
pub(super) fn changed(file: &shipped::Found, changes: &Changes<'_>, colour: bool) -> Result<Plan> {
    let as_it_stands = file.open(colour)?;
    let Changes {
        profile,
        variant,
        settings,
        expected,
    } = *changes;
    if settings.is_empty() && profile.is_none() && variant.is_none() && expected.is_empty() {
        return Ok(as_it_stands);
    }
    let (table, found) = table(file, changes)?;
    let profile = profile.map(|name| format!(" --profile {name}"));
    let variant = variant.map(|name| format!(" --variant '{name}'"));
    let written = settings.iter().map(|setting| format!(" --set {setting}"));
    let expected = expected.iter().map(|text| format!(" --expect '{text}'"));
    let path: String = iter::once(file.path.clone())
        .chain(profile)
        .chain(variant)
        .chain(written)
        .chain(expected)
        .collect();
    match parse::parse_in(&file.folder, &file.name, &path, &table.to_string()) {
        Ok(plan) => Ok(Plan {
            variant: found.map(|found| found.variant),
            ..plan
        }),
        Err(of_all) => {
            // A mistake of the variant itself has a place in the file.
            let placed = found.map(|_| variants::placed(file, changes)).transpose()?;
            let told = placed.flatten().unwrap_or(of_all);
            Err(Error::usage(told.render(colour)))
        }
    }
}

/// A scenario with these changes in it, and the variant that it is.
fn table(file: &shipped::Found, changes: &Changes<'_>) -> Result<(Table, Option<FileVariant>)> {
    let (mut table, variant) = table_with(file, changes)?;
    if let Some(variant) = &variant {
        variant.apply(&mut table)?;
    }
    for setting in changes.settings {
        set(&mut table, setting).map_err(|why| Error::usage(format!("--set {setting}: {why}")))?;
    }
    expect(&mut table, changes.expected);
    Ok((table, variant))
}

/// A scenario with the settings of the profile in it, and the variant that is to be applied.
pub(super) fn table_with(
    file: &shipped::Found,
    changes: &Changes<'_>,
) -> Result<(Table, Option<FileVariant>)> {
    let mut table: Table = file
        .text
        .parse()
        .map_err(|error| Error::usage(format!("failed to read {}: {error}", file.path)))?;
    let variant = changes.variant;
    let variant = variant.map(|name| variants::find(&table, name, &file.path));
    if let Some(name) = changes.profile {
        for setting in &of_profile(&table, name, &file.path)? {
            set(&mut table, setting)
                .map_err(|why| Error::usage(format!("profile `{name}`, {setting}: {why}")))?;
        }
    }
    Ok((table, variant.transpose()?))
}

/// Puts expectations to those of the file.
pub(super) fn expect(table: &mut Table, expected: &[String]) {
    if expected.is_empty() {
        return;
    }
    let list = table.entry("expect");
    let list = list.or_insert_with(|| Value::Array(Vec::new()));
    if let Value::Array(list) = list {
        list.extend(expected.iter().map(|text| {
            let that = ("that".to_owned(), Value::String(text.clone()));
            Value::Table(iter::once(that).collect())
        }));
    }
}

/// The settings of a profile.
fn of_profile(table: &Table, name: &str, path: &str) -> Result<Vec<Setting>> {
    let profiles = table.get("profile").and_then(Value::as_table);
    let found = profiles.and_then(|profiles| profiles.get(name));
    let Some(found) = found.and_then(Value::as_array) else {
        let names = profiles.map(|it| it.keys().map(String::as_str).collect::<Vec<_>>());
        let help = match names.unwrap_or_default().as_slice() {
            [] => "add [profile] with a list of settings".to_owned(),
            names => suggest(name, names),
        };
        return Err(Error::usage(format!(
            "{path} has no profile `{name}`; {help}"
        )));
    };
    let texts = found.iter().map(|it| it.as_str().unwrap_or_default());
    let settings = texts.map(|text| text.parse().map_err(Error::usage));
    settings.collect()
}

/// Gives a key its value; why that cannot be, in a clause.
pub(super) fn set(table: &mut Table, setting: &Setting) -> std::result::Result<(), String> {
    let (last, before) = setting
        .path
        .split_last()
        .expect("a setting has a key of one part at least");
    let mut at = Place::Table(table);
    for part in before {
        at = at.step(part)?;
    }
    at.set(last, setting)
}

/// Where in the document a path has come to.
enum Place<'a> {
    Table(&'a mut Table),
    Array(&'a mut Vec<Value>),
}

impl Place<'_> {
    fn step(self, part: &str) -> std::result::Result<Self, String> {
        let value = match self {
            Self::Table(table) => table
                .entry(part)
                .or_insert_with(|| Value::Table(Table::new())),
            Self::Array(array) => item(array, part)?,
        };
        match value {
            Value::Table(table) => Ok(Place::Table(table)),
            Value::Array(array) => Ok(Place::Array(array)),
            _ => Err(format!("`{part}` is a value and has no keys")),
        }
    }

    fn set(self, part: &str, setting: &Setting) -> std::result::Result<(), String> {
        match self {
            Self::Table(table) => {
                let value = meant(&setting.value, table.get(part));
                table.insert(part.to_owned(), value);
            }
            // The place after the last: one more.
            Self::Array(array) if part.parse() == Ok(array.len()) => {
                array.push(meant(&setting.value, None));
            }
            Self::Array(array) => {
                let item = item(array, part)?;
                *item = meant(&setting.value, Some(item));
            }
        }
        Ok(())
    }
}

fn item<'a>(array: &'a mut [Value], part: &str) -> std::result::Result<&'a mut Value, String> {
    let count = array.len();
    let place = part.parse::<usize>().ok();
    place
        .and_then(|place| array.get_mut(place))
        .ok_or_else(|| format!("`{part}` is not an index of a list of {count}; indexes start at 0"))
}

/// What the text means in the place of `before`: a text where a text stood,
/// else what TOML makes of it, else a text.
fn meant(text: &str, before: Option<&Value>) -> Value {
    let as_text = || Value::String(text.to_owned());
    if matches!(before, Some(Value::String(_))) {
        let unquoted = text
            .strip_prefix('"')
            .and_then(|rest| rest.strip_suffix('"'));
        return unquoted.map_or_else(as_text, |inner| Value::String(inner.to_owned()));
    }
    let document: Option<Table> = format!("value = {text}").parse().ok();
    document
        .and_then(|mut table| table.remove("value"))
        .unwrap_or_else(as_text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(settings: &[&str]) -> Result<Plan> {
        let settings: Vec<Setting> = settings.iter().map(|text| text.parse().unwrap()).collect();
        load_with("missing-await", &settings, false)
    }

    #[test]
    fn settings_take_the_place_of_what_the_file_says() {
        let scenario = with(&[
            "target.fleet.instances=2",
            "load.rate = 100/s",
            "load.client.retries=1",
            "target.fleet.queue=\"bounded(7), lifo\"",
            "monitor.0.count=3",
            "timeline.7.share=50 %",
            "recovery.hold=5s", // a table that the file does not have
        ])
        .unwrap();
        let fleet = scenario.fleet.unwrap();
        assert_eq!(fleet.instances, 2);
        assert_eq!(fleet.queue.to_string(), "bounded(7), lifo");
        assert_eq!(scenario.load.rate[0].1.to_string(), "100/s");
        assert_eq!(scenario.load.client.retries, 1);
        assert_eq!(scenario.monitors[0].count, 3);
        assert_eq!(scenario.recovery.hold.to_string(), "5s");
    }

    #[test]
    fn mistakes_in_settings_are_told() {
        for (setting, told) in [
            ("load.rate=fast", "fast"),
            ("target.fleet.wrokers=4", "workers"),
            ("timeline.99.at=1s", "indexes start at 0"),
            ("title.x=1", "has no keys"),
        ] {
            let error = with(&[setting]).unwrap_err().to_string();
            assert!(error.contains(told), "{setting}: {error}");
        }
        for text in ["", "a", "=1", "a..b=1"] {
            assert!(text.parse::<Setting>().is_err(), "{text}");
        }
    }
}
