//! The attributes of faults: how each is called, written, told and held to a range.
//!
//! A fault lists its attributes once; what Toxiproxy's clients send, what records
//! hold, the keys of scenario files and the words of reports follow from the list.
//! Clients and records count times in whole units (`"latency": 2000`), a scenario
//! writes texts such as "2s": both are read here, so that everybody else has
//! durations and bytes, and no one multiplies by a thousand.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, IntoDeserializer, Unexpected, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Serialize, Serializer};

use super::http::HttpMatch;
use crate::model::Distribution;
use crate::units::{Nanos, Ratio};

/// A day: longer than any run, and far from where sums of times end.
const TIME_MAX: Nanos = Nanos::from_secs(24 * 3600);
/// A petabyte in all, or in kilobytes a second; more is a mistake of units.
pub(super) const AMOUNT_MAX: u64 = 1_000_000_000_000;
/// The unit of nearly all times.
const MILLISECOND: Nanos = Nanos::from_millis(1);

/// One attribute of a fault, with its place in it.
pub struct Attribute<'a> {
    /// Its name.
    pub name: &'static str,
    /// What it is, as the schema of scenario files describes it.
    pub about: &'static str,
    /// What it holds.
    pub field: Field<'a>,
}

/// What an attribute holds.
pub enum Field<'a> {
    /// A time, counted in this unit.
    Time(Nanos, &'a mut Nanos),
    /// A number, counted in so many.
    Count(u64, &'a mut u64),
    /// A status of HTTP.
    Status(&'a mut u16),
    /// A text.
    Text(&'a mut String),
    /// A text that may be left out.
    OptionalText(&'a mut Option<String>),
    /// Which requests are met.
    Match(&'a mut HttpMatch),
    /// A share, written as "45 %".
    Share(&'a mut Ratio),
    /// Durations, drawn from a distribution.
    Durations(&'a mut Distribution),
    /// Yes or no.
    Flag(&'a mut bool),
}

/// What is wrong with a fault, and with which attribute of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttributeMistake {
    /// The attribute.
    pub name: String,
    /// What is wrong, in a sentence.
    pub sentence: String,
}

impl<'a> Attribute<'a> {
    pub(super) const fn new(name: &'static str, field: Field<'a>, about: &'static str) -> Self {
        Self { name, about, field }
    }

    /// A time in milliseconds.
    pub(super) const fn time(name: &'static str, time: &'a mut Nanos, about: &'static str) -> Self {
        Self::new(name, Field::Time(MILLISECOND, time), about)
    }

    /// A plain number.
    pub(super) const fn count(name: &'static str, count: &'a mut u64, about: &'static str) -> Self {
        Self::new(name, Field::Count(1, count), about)
    }

    /// A share of something.
    pub(super) const fn share(
        name: &'static str,
        share: &'a mut Ratio,
        about: &'static str,
    ) -> Self {
        Self::new(name, Field::Share(share), about)
    }

    /// Durations that are drawn.
    pub(super) const fn durations(
        name: &'static str,
        durations: &'a mut Distribution,
        about: &'static str,
    ) -> Self {
        Self::new(name, Field::Durations(durations), about)
    }

    /// Yes or no.
    pub(super) const fn flag(name: &'static str, flag: &'a mut bool, about: &'static str) -> Self {
        Self::new(name, Field::Flag(flag), about)
    }

    /// Why a fault with this attribute does nothing; none where it may do something.
    pub(super) fn without_effect(&self) -> Option<String> {
        match &self.field {
            Field::Share(share) if share.get() <= 0.0 => Some("0 % is nothing".into()),
            Field::Durations(durations) if durations.mean() == Nanos::ZERO => {
                Some(format!("{durations} takes no time"))
            }
            _ => None,
        }
    }

    /// The attribute of every fault that can reach some instances of the fleet only.
    pub(super) const fn instances(instances: &'a mut u64) -> Self {
        let about = "How many instances it reaches, from the first on; 0: all of them.";
        Self::count("instances", instances, about)
    }

    /// The attribute that every fault of requests has.
    pub(super) const fn matching(matching: &'a mut HttpMatch) -> Self {
        let about = "Which requests: those that fit everything given.";
        Self::new("match", Field::Match(matching), about)
    }

    /// Takes the value that is given.
    ///
    /// # Errors
    ///
    /// Where it is no value of this attribute.
    pub(super) fn read<'de, D: Deserializer<'de>>(&mut self, given: D) -> Result<(), D::Error> {
        match &mut self.field {
            Field::Time(unit, time) => **time = Count(*unit).deserialize(given)?,
            Field::Count(unit, count) => **count = u64::deserialize(given)?.saturating_mul(*unit),
            Field::Status(status) => **status = u16::deserialize(given)?,
            Field::Text(text) => **text = String::deserialize(given)?,
            Field::OptionalText(text) => **text = Option::deserialize(given)?,
            Field::Match(matching) => **matching = HttpMatch::deserialize(given)?,
            Field::Share(share) => {
                let text = String::deserialize(given)?;
                let read: Ratio = text.parse().map_err(D::Error::custom)?;
                **share = read;
            }
            Field::Durations(durations) => {
                let text = String::deserialize(given)?;
                **durations = text.parse().map_err(D::Error::custom)?;
            }
            Field::Flag(flag) => **flag = bool::deserialize(given)?,
        }
        Ok(())
    }

    /// Writes it as Toxiproxy's clients read it.
    pub(super) fn write<M: SerializeMap>(&self, attributes: &mut M) -> Result<(), M::Error> {
        match &self.field {
            Field::Time(unit, time) => attributes.serialize_entry(self.name, &(time.0 / unit.0)),
            Field::Count(unit, count) => attributes.serialize_entry(self.name, &(**count / unit)),
            Field::Status(status) => attributes.serialize_entry(self.name, status),
            Field::Text(text) => attributes.serialize_entry(self.name, text),
            Field::OptionalText(None) => Ok(()),
            Field::OptionalText(text) => attributes.serialize_entry(self.name, text),
            Field::Match(matching) => attributes.serialize_entry(self.name, matching),
            Field::Share(share) => attributes.serialize_entry(self.name, share),
            Field::Durations(durations) => attributes.serialize_entry(self.name, durations),
            Field::Flag(flag) => attributes.serialize_entry(self.name, flag),
        }
    }

    /// What is wrong with its value.
    pub(super) fn mistake(&self) -> Option<String> {
        match &self.field {
            Field::Time(_, time) if **time > TIME_MAX => {
                Some("a time is longer than a day (86400000 ms)".into())
            }
            Field::Count(unit, count) if **count / unit > AMOUNT_MAX => {
                let count = **count / unit;
                let sentence = format!("{count} is more than {AMOUNT_MAX}; is the unit right?");
                Some(sentence)
            }
            Field::Status(status) if !(200..600).contains(&**status) => {
                Some(format!("{status} is not from 200 to 599"))
            }
            Field::Share(share) if !(0.0..=1.0).contains(&share.get()) => {
                Some(format!("{share} is not between 0 % and 100 %"))
            }
            Field::Durations(durations) if durations.mean() > TIME_MAX => {
                Some(format!("{durations} is longer than a day in the mean"))
            }
            _ => None,
        }
    }

    /// Its value as a scenario writes it, without quotes.
    pub(crate) fn value(&self) -> String {
        match &self.field {
            Field::Time(_, time) => time.to_string(),
            Field::Count(unit, count) => (**count / unit).to_string(),
            Field::Status(status) => status.to_string(),
            Field::Text(text) => (**text).clone(),
            Field::OptionalText(text) => (**text).clone().unwrap_or_default(),
            Field::Match(matching) => matching.told().join(", "),
            Field::Share(share) => share.to_string(),
            Field::Durations(durations) => durations.to_string(),
            Field::Flag(flag) => flag.to_string(),
        }
    }

    /// Whether a scenario writes it in quotes.
    pub(crate) const fn is_text(&self) -> bool {
        !matches!(
            self.field,
            Field::Count(..) | Field::Status(_) | Field::Flag(_)
        )
    }

    /// It in the words of a sentence about a fault of this `kind`, which need not
    /// repeat the kind's own name; nothing where nothing is set.
    pub(super) fn told(&self, kind: &str) -> Vec<String> {
        let own = kind.ends_with(self.name);
        let text = match &self.field {
            Field::Time(_, time) if **time == Nanos::ZERO && !own => return Vec::new(),
            Field::Time(_, time) => time.to_string(),
            Field::Count(unit, count) => (**count / unit).to_string(),
            Field::Status(status) => status.to_string(),
            Field::Text(text) => (**text).clone(),
            Field::OptionalText(None) => return Vec::new(),
            Field::OptionalText(Some(text)) => text.clone(),
            Field::Match(matching) => return matching.told(),
            Field::Share(_) | Field::Durations(_) | Field::Flag(_) => self.value(),
        };
        vec![if own {
            text
        } else {
            format!("{} {text}", self.name)
        }]
    }
}

/// Reads a count of this unit, or a text with units, as a time.
struct Count(Nanos);

impl Count {
    fn word(&self) -> &'static str {
        if self.0 == MILLISECOND {
            "millisecond"
        } else {
            "microsecond"
        }
    }
}

impl<'de> DeserializeSeed<'de> for Count {
    type Value = Nanos;

    fn deserialize<D: Deserializer<'de>>(self, given: D) -> Result<Nanos, D::Error> {
        given.deserialize_any(self)
    }
}

impl Visitor<'_> for Count {
    type Value = Nanos;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a count of {}s", self.word())
    }

    fn visit_u64<E: Error>(self, count: u64) -> Result<Nanos, E> {
        Ok(Nanos(count.saturating_mul(self.0.0)))
    }

    fn visit_i64<E: Error>(self, count: i64) -> Result<Nanos, E> {
        match u64::try_from(count) {
            Ok(count) => self.visit_u64(count),
            Err(_) => Err(E::invalid_value(Unexpected::Signed(count), &self)),
        }
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Nanos, E> {
        let time: Nanos = text.parse().map_err(E::custom)?;
        if time.0.is_multiple_of(self.0.0) {
            return Ok(time);
        }
        Err(E::custom(format!(
            "{time} is not in whole {}s",
            self.word()
        )))
    }
}

/// Sets the attributes that are given; what is wrong with each of those that could
/// not be set.
pub(super) fn set<'de, V, E>(
    kind: &str,
    attributes: &mut [Attribute<'_>],
    given: impl IntoIterator<Item = (String, V)>,
) -> Vec<AttributeMistake>
where
    V: IntoDeserializer<'de, E>,
    E: Error,
{
    let mut mistakes = Vec::new();
    for (name, value) in given {
        let own = attributes.iter_mut().find(|own| own.name == name);
        let read = match own {
            Some(own) => own
                .read(value.into_deserializer())
                .map_err(|cause| cause.to_string()),
            None => Err(format!("`{kind}` has no such attribute")),
        };
        if let Err(sentence) = read {
            mistakes.push(AttributeMistake { name, sentence });
        }
    }
    mistakes
}

/// Attributes as a map.
pub(super) struct Written<'a>(pub(super) Vec<Attribute<'a>>);

impl Serialize for Written<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut attributes = serializer.serialize_map(None)?;
        for attribute in &self.0 {
            attribute.write(&mut attributes)?;
        }
        attributes.end()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::{Effect, Latency, ProxyFault, Slicer};
    use crate::units::Nanos;

    fn read(kind: &str, attributes: &Value) -> Result<Effect, String> {
        let sent = json!({ "type": kind, "attributes": attributes });
        let fault = ProxyFault::read(&sent).map_err(|cause| cause.to_string())?;
        Ok(fault.effect)
    }

    #[test]
    fn times_are_counts_or_texts_and_are_written_as_counts() {
        for given in [json!(2_000), json!("2s")] {
            let effect = read("latency", &json!({ "latency": given })).unwrap();
            let latency = Nanos::from_secs(2);
            let jitter = Nanos::ZERO;
            assert_eq!(effect, Effect::Latency(Latency { latency, jitter }));
            let written = serde_json::to_value(effect).unwrap();
            assert_eq!(
                written,
                json!({ "type": "latency", "attributes": { "latency": 2_000, "jitter": 0 } })
            );
        }
        let slicer = read("slicer", &json!({ "average_size": 1, "delay": 300 }));
        let delay = Nanos::from_micros(300);
        let expected = Slicer {
            average_size: 1,
            size_variation: 0,
            delay,
        };
        assert_eq!(slicer, Ok(Effect::Slicer(expected)));
        let error = read("latency", &json!({ "latency": "1500us" })).unwrap_err();
        assert!(
            error.starts_with("latency: 1.5ms is not in whole milliseconds"),
            "{error}"
        );
    }
}
