//! The leaves of a scenario file: texts with units, words of closed lists, and
//! where in the file they stand.
//!
//! Each kind of text names itself by a *format* in the schema; `check` is what
//! holds a text against the format, and is the same parser that later reads it.

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::operations::{Capturing, Check, HeaderLine, RequestLine};
use super::quantities::{
    After, Condition, Loopback, Moment, Positive, ProbePath, ReadyCheck, Share, StopCondition,
    UrlRequest,
};
use crate::model::{
    Backoff, BreakerPolicy, Distribution, ExpectedAnswer, GaugeUrl, HostPort, PRESETS, Preset,
    QueuePolicy, RetryBudgetPolicy, Statuses, Url,
};
use crate::named::Named;
use crate::units::{ClockTime, Nanos, Rate, UnitError};

/// A value and where in the file it stands; 0..0 where it is a default.
#[derive(Debug, Clone)]
pub(super) struct Spanned<T> {
    pub(super) value: T,
    pub(super) span: Range<usize>,
}

impl<T> Spanned<T> {
    /// The place, for a message about it.
    pub(super) fn at(&self) -> Spanned<()> {
        Spanned {
            value: (),
            span: self.span.clone(),
        }
    }
}

impl<T> From<T> for Spanned<T> {
    fn from(value: T) -> Self {
        Self { value, span: 0..0 }
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Spanned<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let spanned = toml::Spanned::<T>::deserialize(deserializer)?;
        let span = spanned.span();
        let value = spanned.into_inner();
        Ok(Self { value, span })
    }
}

impl<T: Serialize> Serialize for Spanned<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.value.serialize(serializer)
    }
}

impl<T: JsonSchema> JsonSchema for Spanned<T> {
    fn schema_name() -> Cow<'static, str> {
        T::schema_name()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        T::json_schema(generator)
    }
}

/// A quantity that scenario files write as text.
pub(super) trait Quantity: FromStr<Err = UnitError> {
    /// The format's name in the schema.
    const FORMAT: &'static str;
    /// A text of this format.
    const EXAMPLE: &'static str;
}

/// A quantity, read from its text.
#[derive(Debug, Clone, Copy)]
pub(super) struct Text<T>(pub(super) T);

impl<'de, T: Quantity> Deserialize<'de> for Text<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map(Self).map_err(serde::de::Error::custom)
    }
}

impl<T: fmt::Display> Serialize for Text<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

impl<T: Quantity> JsonSchema for Text<T> {
    fn schema_name() -> Cow<'static, str> {
        T::FORMAT.into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "format": T::FORMAT, "examples": [T::EXAMPLE] })
    }
}

/// A queue policy, read from its text or from a number, which is its bound.
#[derive(Debug, Clone, Copy)]
pub(super) struct QueueText(pub(super) QueuePolicy);

impl<'de> Deserialize<'de> for QueueText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Written {
            Bound(u32),
            Policy(String),
        }
        match Written::deserialize(deserializer)? {
            Written::Bound(bound) => Ok(Self(QueuePolicy::bounded(bound))),
            Written::Policy(text) => text.parse().map(Self).map_err(serde::de::Error::custom),
        }
    }
}

impl Serialize for QueueText {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

impl JsonSchema for QueueText {
    fn schema_name() -> Cow<'static, str> {
        QueuePolicy::FORMAT.into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": ["string", "integer"],
            "format": QueuePolicy::FORMAT,
            "examples": [QueuePolicy::EXAMPLE],
            "minimum": 1,
            "maximum": u32::MAX,
        })
    }
}

/// A thing, read from its word.
#[derive(Debug, Clone, Copy)]
pub(super) struct Word<T>(pub(super) T);

impl<'de, T: Named> Deserialize<'de> for Word<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<'de, str>::deserialize(deserializer)?;
        let found = T::all().into_iter().find(|(_, word)| *word == text);
        found
            .map(|(thing, _)| Self(thing))
            .ok_or_else(|| serde::de::Error::custom("not a word of the list"))
    }
}

impl<T: Named + PartialEq> Serialize for Word<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let words = T::all();
        let found = words.iter().find(|(thing, _)| *thing == self.0);
        serializer.serialize_str(found.map_or("", |(_, word)| word))
    }
}

impl<T: Named> JsonSchema for Word<T> {
    fn schema_name() -> Cow<'static, str> {
        "word".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let words: Vec<_> = T::all().into_iter().map(|(_, word)| word).collect();
        json_schema!({ "type": "string", "enum": words })
    }
}

impl Named for &'static Preset {
    fn all() -> Vec<(Self, &'static str)> {
        PRESETS.iter().map(|preset| (preset, preset.name)).collect()
    }
}

/// Formats with what holds a text against them.
type Holds = fn(&str) -> Result<(), UnitError>;

/// Declares quantities that are texts of their own: how each is called, and a text of it.
macro_rules! quantities {
    ($($kind:ty = $format:literal, $example:literal;)+) => {
        $(impl Quantity for $kind {
            const FORMAT: &'static str = $format;
            const EXAMPLE: &'static str = $example;
        })+

        const FORMATS: &[(&str, Holds)] = &[$(format::<$kind>()),+];
    };
}

quantities! {
    Nanos = "duration", "500ms";
    Positive = "positive duration", "500ms";
    Rate = "rate", "350/s";
    Share = "share", "45 %";
    ClockTime = "time of day", "16:30";
    Moment = "moment", "18s";
    Distribution = "distribution", "exponential(mean 4ms)";
    QueuePolicy = "queue policy", "unbounded";
    Backoff = "back-off", "exponential 50ms..2s, full jitter";
    RetryBudgetPolicy = "retry budget", "20 %, reserve 10/s";
    BreakerPolicy = "circuit breaker", "5 failures, pause 5s";
    Condition = "condition", "error share > 50 %";
    After = "event", "rollback rejected";
    ProbePath = "path", "/readyz";
    GaugeUrl = "page of gauges", "http://127.0.0.1:9100/metrics";
    Loopback = "port of this machine", "127.0.0.1:8125";
    Url = "URL", "http://127.0.0.1:8000";
    HostPort = "host and port", "127.0.0.1:5432";
    ReadyCheck = "ready check", "GET /health";
    UrlRequest = "request to a URL", "POST http://127.0.0.1:9000/deploy";
    ExpectedAnswer = "expected answer", "exit 0";
    StopCondition = "stop condition", "error share > 50 % for 30s";
    RequestLine = "request", "GET /items/7";
    HeaderLine = "header", "accept: application/json";
    Check = "check", "status 200..299";
    Statuses = "statuses", "200,302";
    Capturing = "capture", "order = body /id";
}

const fn format<T: Quantity>() -> (&'static str, Holds) {
    (T::FORMAT, |text| text.parse::<T>().map(|_| ()))
}

/// Holds a text against a format of the schema; a format of no quantity holds always.
pub(super) fn check(format: &str, text: &str) -> Result<(), UnitError> {
    FORMATS
        .iter()
        .find(|(name, _)| *name == format)
        .map_or(Ok(()), |(_, check)| check(text))
}
