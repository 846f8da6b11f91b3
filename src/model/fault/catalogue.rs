//! Every fault of a proxy under one type, in the form that Toxiproxy's clients send.

use std::fmt;

use rand::RngExt as _;
use serde::de::{self, IntoDeserializer};
use serde::ser::SerializeMap as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value};

use super::attribute::{self, Attribute, AttributeMistake, Field, Written};
use super::stage::Stage;
use super::{Effect, HttpMatch};
use crate::named::named;
use crate::rng;
use crate::units::{Nanos, Ratio};

named! {
    /// A direction, seen from the client.
    #[derive(Hash)]
    pub enum Stream {
        /// Client to target: requests.
        Upstream = "upstream",
        /// Target to client: answers.
        Downstream = "downstream",
    }
}

/// What every fault says of itself, in its own file.
pub(super) trait Fault {
    /// Its attributes, in the order in which they are written.
    fn attributes(&mut self) -> Vec<Attribute<'_>>;

    /// What is wrong with the attributes, beside what holds for every one of their kind.
    fn mistake(&self) -> Option<(&'static str, String)> {
        None
    }

    /// The fault at work on one direction of one connection, on which it acts
    /// since `since`; none for one that meets requests.
    fn at_work(&self, _since: Nanos) -> Option<Box<dyn Stage>> {
        None
    }

    /// Which requests it meets; none for one that acts on connections.
    fn matching(&self) -> Option<&HttpMatch> {
        None
    }

    /// Leaves out what may not be written.
    fn hide_secrets(&mut self) {}
}

/// Makes the one list of faults, of types and names, a type.
macro_rules! catalogue {
    ($($file:ident :: $fault:ident = $name:literal),* $(,)?) => {
        $(pub use $file::$fault;)*

        /// What a fault does.
        #[derive(Debug, Clone, PartialEq, Eq)]
        #[expect(missing_docs, reason = "each is described in its own file")]
        pub enum Effect {
            $($fault($fault)),*
        }

        impl Effect {
            /// The names of all of them.
            pub const TYPES: &[&str] = &[$($name),*];

            /// The fault of this name with the defaults of its attributes.
            pub fn of(kind: &str) -> Option<Self> {
                match kind {
                    $($name => Some(Self::$fault($fault::default())),)*
                    _ => None,
                }
            }

            /// Its name.
            pub const fn kind(&self) -> &'static str {
                match self { $(Self::$fault(_) => $name),* }
            }

            fn fault(&self) -> &dyn catalogue::Fault {
                match self { $(Self::$fault(fault) => fault),* }
            }

            fn fault_mut(&mut self) -> &mut dyn catalogue::Fault {
                match self { $(Self::$fault(fault) => fault),* }
            }
        }
    };
}

pub(super) use catalogue;

impl Effect {
    /// Its attributes.
    pub fn attributes(&mut self) -> Vec<Attribute<'_>> {
        self.fault_mut().attributes()
    }

    /// Sets these attributes; what is wrong with them, or with the fault as a whole.
    pub fn set<'de, V, E>(
        &mut self,
        given: impl IntoIterator<Item = (String, V)>,
    ) -> Vec<AttributeMistake>
    where
        V: IntoDeserializer<'de, E>,
        E: de::Error,
    {
        let mut mistakes = attribute::set(self.kind(), &mut self.attributes(), given);
        if mistakes.is_empty() {
            mistakes.extend(self.mistake());
        }
        mistakes
    }

    fn mistake(&self) -> Option<AttributeMistake> {
        let mut own = self.clone();
        let attributes = own.attributes();
        let mut each = attributes.iter();
        let of_one = each.find_map(|one| Some((one.name, one.mistake()?)));
        let (name, sentence) = of_one.or_else(|| self.fault().mistake())?;
        Some(AttributeMistake {
            name: name.to_owned(),
            sentence,
        })
    }

    /// The effect at work on one direction of one connection, on which it acts
    /// since `since`; none for one that meets requests.
    pub(crate) fn stage(&self, since: Nanos) -> Option<Box<dyn Stage>> {
        self.fault().at_work(since)
    }

    /// Which requests it meets; none for one that acts on connections.
    pub(crate) fn matching(&self) -> Option<&HttpMatch> {
        self.fault().matching()
    }
}

impl Serialize for Effect {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut own = self.clone();
        let mut effect = serializer.serialize_map(Some(2))?;
        effect.serialize_entry("type", self.kind())?;
        effect.serialize_entry("attributes", &Written(own.attributes()))?;
        effect.end()
    }
}

/// A fault as it is put on a proxy.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ProxyFault {
    /// Its name on the proxy.
    pub name: String,
    /// The direction.
    pub stream: Stream,
    /// The share of connections (of requests that match, for a fault of requests)
    /// that it meets: 0 to 1.
    pub toxicity: f64,
    /// What it does.
    #[serde(flatten)]
    pub effect: Effect,
}

/// Why a text is not a fault.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FaultError {
    /// A parameter is unknown, of another kind or out of its range.
    #[error("{0}")]
    Malformed(String),
    /// The direction has another name.
    #[error("stream was invalid, can be either upstream or downstream")]
    Stream,
    /// There is no such type.
    #[error("invalid toxic type")]
    Type,
}

impl ProxyFault {
    /// The effect downstream on everything, named `TYPE_downstream`: Toxiproxy's defaults.
    pub fn new(effect: Effect) -> Self {
        Self::of(effect, Stream::Downstream)
    }

    /// The effect on one direction of everything, named `TYPE_DIRECTION`.
    pub fn of(effect: Effect, stream: Stream) -> Self {
        Self {
            name: format!("{}_{}", effect.kind(), stream.word()),
            stream,
            toxicity: 1.0,
            effect,
        }
    }

    /// Reads a fault as Toxiproxy's clients send it; `name`, `stream`, `toxicity` and
    /// attributes have defaults.
    ///
    /// # Errors
    ///
    /// Where it is none, or a parameter is out of its range.
    pub fn read(value: &Value) -> Result<Self, FaultError> {
        let text = |key: &str| match &value[key] {
            Value::Null => Ok(""),
            Value::String(text) => Ok(text.as_str()),
            other => Err(FaultError::Malformed(format!(
                "{key} is {other}, not a text"
            ))),
        };
        if !value.is_object() {
            return Err(FaultError::Malformed("it is not a JSON object".into()));
        }
        let stream = match text("stream")? {
            "upstream" => Stream::Upstream,
            "" | "downstream" => Stream::Downstream,
            _ => return Err(FaultError::Stream),
        };
        let mut fault = Self::of(Effect::of(text("type")?).ok_or(FaultError::Type)?, stream);
        let name = text("name")?;
        if !name.is_empty() {
            name.clone_into(&mut fault.name);
        }
        fault.updated(value)
    }

    /// This fault with the `attributes` and the `toxicity` that are given, and its own elsewhere.
    ///
    /// # Errors
    ///
    /// Where one of them is not one of this fault's, or is out of its range.
    pub fn updated(&self, value: &Value) -> Result<Self, FaultError> {
        let mut fault = self.clone();
        fault.toxicity = toxicity(&value["toxicity"], self.toxicity)?;
        let given = match &value["attributes"] {
            Value::Null => Map::new(),
            Value::Object(given) => given.clone(),
            other => {
                let sentence = format!("attributes is {other}, not an object");
                return Err(FaultError::Malformed(sentence));
            }
        };
        let mut mistakes = fault.effect.set(given).into_iter();
        mistakes
            .next()
            .map_or(Ok(fault), |mistake| Err(mistake.into()))
    }

    /// The same as it may be written: the values of header fields that speak of
    /// secrets are left out.
    pub(crate) fn without_secrets(&self) -> Self {
        let mut fault = self.clone();
        fault.effect.fault_mut().hide_secrets();
        for attribute in fault.effect.attributes() {
            if let Field::Match(matching) = attribute.field {
                matching.hide_secrets();
            }
        }
        fault
    }

    /// What is wrong with this fault, where it was not read from a text.
    ///
    /// # Errors
    ///
    /// Where a parameter is out of its range.
    pub fn check(&self) -> Result<(), FaultError> {
        if !(0.0..=1.0).contains(&self.toxicity) {
            let sentence = format!("toxicity is {}, not from 0 to 1", self.toxicity);
            return Err(FaultError::Malformed(sentence));
        }
        self.effect
            .mistake()
            .map_or(Ok(()), |mistake| Err(mistake.into()))
    }

    /// Whether the fault meets the connection (or matching request) of this number.
    ///
    /// Drawn from a stream of its own for each, so that it depends on nothing but
    /// seed, proxy, fault and number; with a larger share, those that were met are met again.
    pub fn meets(&self, seed: u64, proxy: &str, number: u64) -> bool {
        if self.toxicity >= 1.0 {
            return true;
        }
        let mut rng = rng::stream(seed, &format!("proxy {proxy} {} share {number}", self.name));
        rng.random::<f64>() < self.toxicity
    }
}

/// Reads what was written: what Toxiproxy's clients send.
impl<'de> Deserialize<'de> for ProxyFault {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        Self::read(&value).map_err(de::Error::custom)
    }
}

impl From<AttributeMistake> for FaultError {
    fn from(AttributeMistake { name, sentence }: AttributeMistake) -> Self {
        Self::Malformed(format!("{name}: {sentence}"))
    }
}

/// As a sentence calls it: `latency 2s, jitter 100ms on answers`, without secrets.
impl fmt::Display for ProxyFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = self.without_secrets().effect;
        let kind = shown.kind();
        let mut attributes = shown.attributes();
        attributes.sort_by_key(|it| matches!(it.field, Field::Match(_)));
        let parts: Vec<String> = attributes.iter().flat_map(|it| it.told(kind)).collect();
        let share = Ratio::new(self.toxicity).filter(|share| *share != Ratio::WHOLE);
        let share = share.map_or_else(String::new, |share| format!("{share} of the "));
        let of = match self.stream {
            Stream::Upstream => "requests",
            Stream::Downstream => "answers",
        };
        let blank = if parts.is_empty() { "" } else { " " };
        let words = kind.replace('_', " ");
        write!(f, "{words}{blank}{} on {share}{of}", parts.join(", "))
    }
}

fn toxicity(value: &Value, default: f64) -> Result<f64, FaultError> {
    if value.is_null() {
        return Ok(default);
    }
    let share = value.as_f64().filter(|share| (0.0..=1.0).contains(share));
    share.ok_or_else(|| FaultError::Malformed(format!("toxicity is {value}, not from 0 to 1")))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::Latency;
    use super::*;

    #[test]
    fn what_clients_send_is_read_and_given_back() {
        let sent = json!({
            "name": "late", "type": "latency", "stream": "upstream", "toxicity": 0.5,
            "attributes": { "latency": 100, "jitter": 10 }
        });
        let fault = ProxyFault::read(&sent).unwrap();
        assert_eq!(
            fault.effect,
            Effect::Latency(Latency {
                latency: Nanos::from_millis(100),
                jitter: Nanos::from_millis(10)
            })
        );
        assert_eq!(serde_json::to_value(&fault).unwrap(), sent);
    }

    #[test]
    fn every_type_has_toxiproxys_defaults() {
        for kind in Effect::TYPES {
            let attributes = match *kind {
                "slicer" => json!({ "average_size": 1 }),
                "http_status" => json!({ "status": 503 }),
                "http_header" => json!({ "name": "authorization" }),
                _ => Value::Null,
            };
            let fault =
                ProxyFault::read(&json!({ "type": kind, "attributes": attributes })).unwrap();
            assert_eq!(fault.name, format!("{kind}_downstream"));
            assert!((fault.toxicity - 1.0).abs() < f64::EPSILON);
            assert_eq!(ProxyFault::new(fault.effect.clone()), fault);
            let connection = fault.effect.stage(Nanos::ZERO).is_some();
            assert_ne!(connection, fault.effect.matching().is_some(), "{kind}");
        }
    }

    #[test]
    fn mistakes_are_told() {
        for (sent, told) in [
            (json!([]), "it is not a JSON object"),
            (json!({}), "invalid toxic type"),
            (json!({ "type": "earthquake" }), "invalid toxic type"),
            (
                json!({ "type": "latency", "stream": "sideways" }),
                "stream was invalid, can be either upstream or downstream",
            ),
            (
                json!({ "type": "latency", "toxicity": 2 }),
                "toxicity is 2, not from 0 to 1",
            ),
            (
                json!({ "type": "latency", "attributes": { "latency": 86_400_001 } }),
                "latency: a time is longer than a day (86400000 ms)",
            ),
            (
                json!({ "type": "slicer" }),
                "average_size: 0 is not from 1 to 1000000000000 bytes",
            ),
            (
                json!({ "type": "slicer", "attributes": { "average_size": 5, "size_variation": 5 } }),
                "size_variation: 5 is not less than the average_size 5",
            ),
            (
                json!({ "type": "http_status", "attributes": { "status": 99 } }),
                "status: 99 is not from 200 to 599",
            ),
            (
                json!({ "type": "http_header", "attributes": { "name": "a b" } }),
                "name: `a b` is not the name of a header",
            ),
            (
                json!({ "type": "http_header", "attributes": { "name": "a", "value": "b\r\nc: d" } }),
                "value: it holds a control character",
            ),
        ] {
            let error = ProxyFault::read(&sent).unwrap_err();
            assert_eq!(error.to_string(), told, "{sent}");
        }
        for (attributes, part) in [
            (json!({ "latency": -1 }), "invalid value: integer `-1`"),
            (
                json!({ "latenzy": 1 }),
                "latenzy: `latency` has no such attribute",
            ),
        ] {
            let sent = json!({ "type": "latency", "attributes": attributes });
            let told = ProxyFault::read(&sent).unwrap_err().to_string();
            assert!(told.contains(part), "{told}");
        }
    }

    #[test]
    fn an_update_keeps_what_it_does_not_name() {
        let fault = ProxyFault::read(&json!({
            "type": "latency", "attributes": { "latency": 100, "jitter": 10 }
        }))
        .unwrap();
        let updated = fault
            .updated(&json!({ "attributes": { "latency": 5 } }))
            .unwrap();
        assert_eq!(
            updated.effect,
            Effect::Latency(Latency {
                latency: Nanos::from_millis(5),
                jitter: Nanos::from_millis(10)
            })
        );
        assert!(
            fault
                .updated(&json!({ "attributes": { "rate": 5 } }))
                .is_err()
        );
    }

    #[test]
    fn a_share_is_reproducible_and_grows_with_what_it_met() {
        let share = |toxicity| ProxyFault {
            toxicity,
            ..ProxyFault::new(Effect::Latency(Latency::default()))
        };
        let met = |toxicity| -> Vec<u64> {
            let fault = share(toxicity);
            (0..2_000).filter(|n| fault.meets(7, "db", *n)).collect()
        };
        assert_eq!(met(0.3), met(0.3));
        assert_eq!((met(0.0).len(), met(1.0).len()), (0, 2_000));
        let (fewer, more) = (met(0.3), met(0.6));
        assert!(fewer.iter().all(|n| more.contains(n)));
        // The standard error of a share of 2,000 is 20.5 and 21.9; six of them.
        assert!(fewer.len().abs_diff(600) < 123, "{}", fewer.len());
        assert!(more.len().abs_diff(1_200) < 132, "{}", more.len());
        let other: Vec<u64> = (0..2_000)
            .filter(|n| share(0.3).meets(7, "api", *n))
            .collect();
        assert_ne!(fewer, other);
    }
}
