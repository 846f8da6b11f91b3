//! Every fault of a proxy under one type, in the form that Toxiproxy's clients send.

use std::fmt;

use rand::RngExt as _;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::stage::Stage;
use super::{
    Bandwidth, HttpAbort, HttpCut, HttpDelay, HttpHeader, HttpHold, HttpMatch, HttpStatus, Latency,
    LimitData, ResetPeer, Slicer, SlowClose, Timeout,
};
use crate::rng;
use crate::units::{Nanos, Ratio};

/// A direction, seen from the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Stream {
    /// Client to target: requests.
    Upstream,
    /// Target to client: answers.
    Downstream,
}

impl Stream {
    /// Both with their names.
    pub const ALL: [(Self, &'static str); 2] = [
        (Self::Upstream, Self::Upstream.name()),
        (Self::Downstream, Self::Downstream.name()),
    ];

    /// Its name in faults.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Upstream => "upstream",
            Self::Downstream => "downstream",
        }
    }
}

/// What every fault says of itself, in its own file.
pub(super) trait Fault {
    /// What is wrong with the attributes, in a sentence.
    fn mistake(&self) -> Option<String> {
        None
    }

    /// The attributes in words, without their defaults where those say nothing.
    fn told(&self) -> Vec<String> {
        Vec::new()
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

/// The one list of faults: type and name.
macro_rules! catalogue {
    ($($fault:ident = $name:literal),* $(,)?) => {
        /// What a fault does.
        #[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(tag = "type", content = "attributes")]
        #[expect(missing_docs, reason = "each is described in its own file")]
        pub enum Effect {
            $(#[serde(rename = $name)] $fault($fault)),*
        }

        impl Effect {
            /// The names of all of them.
            pub const TYPES: &[&str] = &[$($name),*];

            /// Its name.
            #[must_use]
            pub const fn kind(&self) -> &'static str {
                match self { $(Self::$fault(_) => $name),* }
            }

            fn fault(&self) -> &dyn Fault {
                match self { $(Self::$fault(fault) => fault),* }
            }

            fn fault_mut(&mut self) -> &mut dyn Fault {
                match self { $(Self::$fault(fault) => fault),* }
            }
        }
    };
}

catalogue! {
    Latency = "latency",
    Bandwidth = "bandwidth",
    SlowClose = "slow_close",
    Timeout = "timeout",
    ResetPeer = "reset_peer",
    Slicer = "slicer",
    LimitData = "limit_data",
    HttpDelay = "http_delay",
    HttpStatus = "http_status",
    HttpAbort = "http_abort",
    HttpHeader = "http_header",
    HttpCut = "http_cut",
    HttpHold = "http_hold",
}

impl Effect {
    /// The effect at work on one direction of one connection, on which it acts
    /// since `since`; none for one that meets requests.
    #[must_use]
    pub(crate) fn stage(&self, since: Nanos) -> Option<Box<dyn Stage>> {
        self.fault().at_work(since)
    }

    /// Which requests it meets; none for one that acts on connections.
    #[must_use]
    pub(crate) fn matching(&self) -> Option<&HttpMatch> {
        self.fault().matching()
    }
}

/// A fault as it is put on a proxy.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
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
    /// A parameter is missing, unknown, of another kind or out of its range.
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
    #[must_use]
    pub fn new(effect: Effect) -> Self {
        Self::of(effect, Stream::Downstream)
    }

    /// The effect on one direction of everything, named `TYPE_DIRECTION`.
    #[must_use]
    pub fn of(effect: Effect, stream: Stream) -> Self {
        Self {
            name: format!("{}_{}", effect.kind(), stream.name()),
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
        let kind = text("type")?;
        if !Effect::TYPES.contains(&kind) {
            return Err(FaultError::Type);
        }
        let fault = Self {
            name: match text("name")? {
                "" => format!("{kind}_{}", stream.name()),
                name => name.to_owned(),
            },
            stream,
            toxicity: toxicity(&value["toxicity"], 1.0)?,
            effect: effect(kind, value["attributes"].clone())?,
        };
        Ok(fault)
    }

    /// This fault with the `attributes` and the `toxicity` that are given, and its own elsewhere.
    ///
    /// # Errors
    ///
    /// Where one of them is not one of this fault's, or is out of its range.
    pub fn updated(&self, value: &Value) -> Result<Self, FaultError> {
        let own = serde_json::to_value(&self.effect).unwrap_or_default();
        let mut attributes = own["attributes"].as_object().cloned().unwrap_or_default();
        match &value["attributes"] {
            Value::Null => {}
            Value::Object(given) => attributes.extend(given.clone()),
            other => {
                let sentence = format!("attributes is {other}, not an object");
                return Err(FaultError::Malformed(sentence));
            }
        }
        let kind = self.effect.kind();
        Ok(Self {
            toxicity: toxicity(&value["toxicity"], self.toxicity)?,
            effect: effect(kind, Value::Object(attributes))?,
            ..self.clone()
        })
    }

    /// The same as it may be written: the values of header fields that speak of
    /// secrets are left out.
    #[must_use]
    pub(crate) fn without_secrets(&self) -> Self {
        let mut fault = self.clone();
        fault.effect.fault_mut().hide_secrets();
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
            .fault()
            .mistake()
            .map_or(Ok(()), |mistake| Err(FaultError::Malformed(mistake)))
    }

    /// Whether the fault meets the connection (or matching request) of this number.
    ///
    /// Drawn from a stream of its own for each, so that it depends on nothing but
    /// seed, proxy, fault and number; with a larger share, those that were met are met again.
    #[must_use]
    pub fn meets(&self, seed: u64, proxy: &str, number: u64) -> bool {
        if self.toxicity >= 1.0 {
            return true;
        }
        let mut rng = rng::stream(seed, &format!("proxy {proxy} {} share {number}", self.name));
        rng.random::<f64>() < self.toxicity
    }
}

/// As a sentence calls it: `latency 2s, jitter 100ms on answers`, without secrets.
impl fmt::Display for ProxyFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = self.without_secrets().effect;
        let mut parts = shown.fault().told();
        parts.extend(shown.matching().map(HttpMatch::told).unwrap_or_default());
        let share = Ratio::new(self.toxicity).filter(|share| *share != Ratio::WHOLE);
        let share = share.map_or_else(String::new, |share| format!("{share} of the "));
        let of = match self.stream {
            Stream::Upstream => "requests",
            Stream::Downstream => "answers",
        };
        let blank = if parts.is_empty() { "" } else { " " };
        let words = shown.kind().replace('_', " ");
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

fn effect(kind: &str, attributes: Value) -> Result<Effect, FaultError> {
    let attributes = match attributes {
        Value::Null => Value::Object(Map::new()),
        given => given,
    };
    let tagged = json!({ "type": kind, "attributes": attributes });
    let effect: Effect =
        serde_json::from_value(tagged).map_err(|cause| FaultError::Malformed(cause.to_string()))?;
    match effect.fault().mistake() {
        Some(mistake) => Err(FaultError::Malformed(mistake)),
        None => Ok(effect),
    }
}

#[cfg(test)]
mod tests {
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
                "a time is longer than a day (86400000 ms)",
            ),
            (
                json!({ "type": "slicer" }),
                "the average_size 0 is not from 1 to 1000000000000 bytes",
            ),
            (
                json!({ "type": "slicer", "attributes": { "average_size": 5, "size_variation": 5 } }),
                "the size_variation 5 is not less than the average_size 5",
            ),
            (
                json!({ "type": "http_status", "attributes": { "status": 99 } }),
                "the status 99 is not from 200 to 599",
            ),
            (
                json!({ "type": "http_header", "attributes": { "name": "a b" } }),
                "`a b` is not the name of a header",
            ),
            (
                json!({ "type": "http_header", "attributes": { "name": "a", "value": "b\r\nc: d" } }),
                "the value of `a` holds a control character",
            ),
        ] {
            let error = ProxyFault::read(&sent).unwrap_err();
            assert_eq!(error.to_string(), told, "{sent}");
        }
        for (attributes, part) in [
            (json!({ "latency": -1 }), "invalid value: integer `-1`"),
            (json!({ "latenzy": 1 }), "unknown field `latenzy`"),
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
