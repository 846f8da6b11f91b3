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
use crate::model::secret;
use crate::rng;
use crate::units::{Nanos, Ratio};

/// A day: longer than any run, and far from where sums of times end.
const TIME_MAX_MS: u64 = 86_400_000;
/// A petabyte a second or in all; more is a mistake of units.
const AMOUNT_MAX: u64 = 1_000_000_000_000;

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

/// What a fault does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", content = "attributes", rename_all = "snake_case")]
#[expect(missing_docs, reason = "each is described at its parameters")]
pub enum Effect {
    Latency(Latency),
    Bandwidth(Bandwidth),
    SlowClose(SlowClose),
    Timeout(Timeout),
    ResetPeer(ResetPeer),
    Slicer(Slicer),
    LimitData(LimitData),
    HttpDelay(HttpDelay),
    HttpStatus(HttpStatus),
    HttpAbort(HttpAbort),
    HttpHeader(HttpHeader),
    HttpCut(HttpCut),
    HttpHold(HttpHold),
}

impl Effect {
    /// The names of all of them.
    pub const TYPES: [&'static str; 13] = [
        "latency",
        "bandwidth",
        "slow_close",
        "timeout",
        "reset_peer",
        "slicer",
        "limit_data",
        "http_delay",
        "http_status",
        "http_abort",
        "http_header",
        "http_cut",
        "http_hold",
    ];

    /// Its name.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Latency(_) => "latency",
            Self::Bandwidth(_) => "bandwidth",
            Self::SlowClose(_) => "slow_close",
            Self::Timeout(_) => "timeout",
            Self::ResetPeer(_) => "reset_peer",
            Self::Slicer(_) => "slicer",
            Self::LimitData(_) => "limit_data",
            Self::HttpDelay(_) => "http_delay",
            Self::HttpStatus(_) => "http_status",
            Self::HttpAbort(_) => "http_abort",
            Self::HttpHeader(_) => "http_header",
            Self::HttpCut(_) => "http_cut",
            Self::HttpHold(_) => "http_hold",
        }
    }

    /// The unit of an attribute that is a time, of the effect of this name.
    #[must_use]
    pub fn unit_of(kind: &str, attribute: &str) -> Option<Nanos> {
        match (kind, attribute) {
            ("slicer", "delay") => Some(Nanos::from_micros(1)),
            (_, "latency" | "jitter" | "delay" | "timeout") => Some(Nanos::from_millis(1)),
            _ => None,
        }
    }

    /// The effect at work on one direction of one connection, on which it acts
    /// since `since`; none for one that meets requests.
    #[must_use]
    pub fn stage(&self, since: Nanos) -> Option<Box<dyn Stage>> {
        Some(match self {
            Self::Latency(latency) => Box::new(latency.stage()),
            Self::Bandwidth(bandwidth) => Box::new(bandwidth.stage()),
            Self::SlowClose(slow_close) => Box::new(slow_close.stage()),
            Self::Timeout(timeout) => Box::new(timeout.stage(since)),
            Self::ResetPeer(reset_peer) => Box::new(reset_peer.stage(since)),
            Self::Slicer(slicer) => Box::new(slicer.stage()),
            Self::LimitData(limit_data) => Box::new(limit_data.stage()),
            _ => return None,
        })
    }

    /// Which requests it meets; none for one that acts on connections.
    #[must_use]
    pub const fn matching(&self) -> Option<&HttpMatch> {
        Some(match self {
            Self::HttpDelay(fault) => &fault.matching,
            Self::HttpStatus(fault) => &fault.matching,
            Self::HttpAbort(fault) => &fault.matching,
            Self::HttpHeader(fault) => &fault.matching,
            Self::HttpCut(fault) => &fault.matching,
            Self::HttpHold(fault) => &fault.matching,
            _ => return None,
        })
    }

    const fn matching_mut(&mut self) -> Option<&mut HttpMatch> {
        Some(match self {
            Self::HttpDelay(fault) => &mut fault.matching,
            Self::HttpStatus(fault) => &mut fault.matching,
            Self::HttpAbort(fault) => &mut fault.matching,
            Self::HttpHeader(fault) => &mut fault.matching,
            Self::HttpCut(fault) => &mut fault.matching,
            Self::HttpHold(fault) => &mut fault.matching,
            _ => return None,
        })
    }

    /// What is wrong with the parameters, in a sentence.
    fn mistake(&self) -> Option<String> {
        let times = match *self {
            Self::Latency(Latency { latency, jitter }) => [latency, jitter],
            Self::SlowClose(SlowClose { delay }) => [delay, 0],
            Self::Timeout(Timeout { timeout }) | Self::ResetPeer(ResetPeer { timeout }) => {
                [timeout, 0]
            }
            Self::Slicer(Slicer { delay, .. }) => [delay / 1_000, 0],
            Self::HttpDelay(HttpDelay { delay, jitter, .. }) => [delay, jitter],
            _ => [0, 0],
        };
        if times.into_iter().any(|time| time > TIME_MAX_MS) {
            return Some("a time is longer than a day (86400000 ms)".into());
        }
        match self {
            Self::Bandwidth(Bandwidth { rate: amount })
            | Self::LimitData(LimitData { bytes: amount })
            | Self::HttpCut(HttpCut { bytes: amount, .. })
                if *amount > AMOUNT_MAX =>
            {
                Some(format!(
                    "{amount} is more than {AMOUNT_MAX}; is the unit right?"
                ))
            }
            Self::Slicer(slicer) => slicer_mistake(*slicer),
            Self::HttpStatus(HttpStatus { status, .. }) if !(200..600).contains(status) => {
                Some(format!("the status {status} is not from 200 to 599"))
            }
            Self::HttpHeader(header) => header_mistake(header),
            _ => None,
        }
    }
}

fn slicer_mistake(slicer: Slicer) -> Option<String> {
    let Slicer {
        average_size,
        size_variation,
        ..
    } = slicer;
    if average_size == 0 || average_size > AMOUNT_MAX {
        return Some(format!(
            "the average_size {average_size} is not from 1 to {AMOUNT_MAX} bytes"
        ));
    }
    (size_variation >= average_size).then(|| {
        format!(
            "the size_variation {size_variation} is not less than the average_size {average_size}"
        )
    })
}

fn header_mistake(header: &HttpHeader) -> Option<String> {
    // RFC 9110, 5.6.2: the characters of a token.
    let token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    if header.name.is_empty() || !header.name.bytes().all(token) {
        return Some(format!(
            "`{}` is not the name of a header",
            header.name.escape_debug()
        ));
    }
    let value = header.value.as_deref().unwrap_or_default();
    let breaks = value
        .bytes()
        .any(|byte| byte < b' ' && byte != b'\t' || byte == 0x7f);
    breaks.then(|| format!("the value of `{}` holds a control character", header.name))
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
    pub fn without_secrets(&self) -> Self {
        let mut fault = self.clone();
        if let Effect::HttpHeader(HttpHeader {
            name,
            value: Some(value),
            ..
        }) = &mut fault.effect
        {
            *value = secret::shown(name, value).into_owned();
        }
        if let Some(header) = fault
            .effect
            .matching_mut()
            .and_then(|it| it.header.as_mut())
            && let Some((name, value)) = header.split_once(':')
        {
            *header = format!("{name}: {}", secret::shown(name, value.trim()));
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
        let kind = self.effect.kind();
        let shown = serde_json::to_value(&self.without_secrets().effect).unwrap_or_default();
        let none = Map::new();
        let attributes = shown["attributes"].as_object().unwrap_or(&none);
        let matching = attributes.get("match").and_then(Value::as_object);
        let (own, rest): (Vec<_>, Vec<_>) = attributes
            .iter()
            .filter(|(name, value)| *name != "match" && (*name != "jitter" || **value != 0))
            .partition(|(name, _)| kind.ends_with(name.as_str()));
        let parts = own
            .into_iter()
            .chain(rest)
            .chain(matching.into_iter().flatten());
        let parts = parts.map(|(name, value)| {
            let unit = Effect::unit_of(kind, name);
            let value = match (unit, value) {
                (Some(unit), Value::Number(count)) => {
                    let count = count.as_u64().unwrap_or_default();
                    Nanos(unit.0.saturating_mul(count)).to_string()
                }
                (_, Value::String(text)) => text.clone(),
                (_, value) => value.to_string(),
            };
            // `latency 2s`, and not `latency latency 2s`.
            if kind.ends_with(name.as_str()) {
                value
            } else {
                format!("{name} {value}")
            }
        });
        let parts: Vec<String> = parts.collect();
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

fn effect(kind: &str, attributes: Value) -> Result<Effect, FaultError> {
    let attributes = match attributes {
        Value::Null => Value::Object(Map::new()),
        given => given,
    };
    let tagged = json!({ "type": kind, "attributes": attributes });
    let effect: Effect =
        serde_json::from_value(tagged).map_err(|cause| FaultError::Malformed(cause.to_string()))?;
    match effect.mistake() {
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
                latency: 100,
                jitter: 10
            })
        );
        assert_eq!(serde_json::to_value(&fault).unwrap(), sent);
    }

    #[test]
    fn every_type_has_toxiproxys_defaults() {
        for kind in Effect::TYPES {
            let attributes = match kind {
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
                latency: 5,
                jitter: 10
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
