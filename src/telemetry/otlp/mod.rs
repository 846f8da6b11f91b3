//! `--otlp`: the metrics and the run's trace as OpenTelemetry has them, over http/protobuf.
//!
//! | file | what it answers |
//! |---|---|
//! | `metrics` | families as an export request |
//! | `spans` | a run and its phases as a trace, actions as events on it |
//! | `sender` | a thread that posts them |
//!
//! The messages are those of the published crate `opentelemetry-proto`, of which nothing but
//! the messages is used: its exporter would bring a runtime, a client and metric objects of
//! its own, and the record's sums would have to be set into them.

mod metrics;
mod sender;
mod spans;

pub use metrics::metrics_request;
pub(super) use sender::{OtlpSender, Snapshot};
pub use spans::{RunTrace, trace_request};

use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::resource::v1::Resource;

use crate::model::redact;

/// Who sends: what every message says of its origin.
#[derive(Debug, Clone)]
pub struct Origin {
    /// The scenario's name.
    pub scenario: String,
    /// The seed of the run.
    pub seed: u64,
    /// What tells this run from others.
    pub instance: String,
}

impl Origin {
    fn resource(&self) -> Resource {
        Resource {
            attributes: vec![
                text("service.name", "threadbare"),
                text("service.version", env!("CARGO_PKG_VERSION")),
                text("service.instance.id", &self.instance),
                text("threadbare.scenario", &self.scenario),
                text("threadbare.seed", &self.seed.to_string()),
            ],
            ..Resource::default()
        }
    }
}

fn scope() -> InstrumentationScope {
    InstrumentationScope {
        name: "threadbare".into(),
        version: env!("CARGO_PKG_VERSION").into(),
        ..InstrumentationScope::default()
    }
}

/// An attribute that is a text, without secrets.
fn text(key: &str, value: &str) -> KeyValue {
    attribute(key, Value::StringValue(shown(value)))
}

/// A text as it may leave the machine.
fn shown(text: &str) -> String {
    redact::text(text).into_owned()
}

/// An attribute that is a number.
fn number(key: &str, value: f64) -> KeyValue {
    attribute(key, Value::DoubleValue(value))
}

fn attribute(key: &str, value: Value) -> KeyValue {
    KeyValue {
        key: key.to_owned(),
        value: Some(AnyValue { value: Some(value) }),
        ..KeyValue::default()
    }
}

/// Milliseconds since 1970 as nanoseconds.
const fn wall_nanos(wall_ms: u64) -> u64 {
    wall_ms.saturating_mul(1_000_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_be_a_secret_does_not_leave_the_machine() {
        let told = text("a", "failed to reach postgres://shop:hunter2@127.0.0.1/");
        let told = format!("{told:?}");
        assert!(!told.contains("hunter2"), "{told}");
        assert!(told.contains("127.0.0.1"), "{told}");
    }
}
