//! A thread that posts metrics now and then, and in the end the last ones with the trace.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceResponse;
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use prost::Message as _;

use super::{Origin, metrics_request};
use crate::clock::{self, Clock};
use crate::record::printable;
use crate::sync::lock;
use crate::telemetry::family::Family;
use crate::telemetry::receiver::Receiver;
use crate::units::Nanos;

/// So often metrics are posted.
const EVERY: Duration = Duration::from_secs(5);
/// How long the last requests may take.
const LAST_MAX: Nanos = Nanos::from_secs(5);
/// Between two looks at whether they have gone.
const LOOK: Duration = Duration::from_millis(10);
/// Characters of what a receiver says that are told on.
const CAUSE_MAX: usize = 200;
const PROTOBUF: &str = "application/x-protobuf";

/// What gives the metrics as they are now.
pub(in crate::telemetry) type Snapshot = Box<dyn Fn() -> Vec<Family> + Send>;

/// What has become of what was to be posted.
#[derive(Debug, Default)]
struct Fate {
    due: AtomicU64,
    arrived: AtomicU64,
    /// Whether the trace is among those.
    has_trace: AtomicBool,
    /// Why the last that did not arrive did not.
    cause: Mutex<String>,
    over: AtomicBool,
}

/// What has arrived in the end.
#[derive(Debug, Default)]
pub(in crate::telemetry) struct Delivered {
    /// Whether the trace has.
    pub trace: bool,
    /// How many requests have not, and why.
    pub missing: Option<(u64, String)>,
}

/// The thread, until it is ended or dropped.
#[derive(Debug)]
pub(in crate::telemetry) struct OtlpSender {
    last: Option<Sender<Option<ExportTraceServiceRequest>>>,
    /// Since when the last requests are under way.
    since: Clock,
    thread: Option<JoinHandle<()>>,
    fate: Arc<Fate>,
}

/// What is posted.
struct Posting {
    metrics: Receiver,
    traces: Receiver,
    origin: Origin,
    snapshot: Snapshot,
    from_ms: u64,
    fate: Arc<Fate>,
}

impl OtlpSender {
    /// Posts to the receiver below `/v1/metrics` and `/v1/traces`.
    ///
    /// # Errors
    ///
    /// Where there can be no thread.
    pub(in crate::telemetry) fn start(
        receiver: &Receiver,
        origin: Origin,
        snapshot: Snapshot,
    ) -> std::io::Result<Self> {
        let (last, ends) = mpsc::channel::<Option<ExportTraceServiceRequest>>();
        let fate = Arc::<Fate>::default();
        let posting = Posting {
            metrics: receiver.below("/v1/metrics"),
            traces: receiver.below("/v1/traces"),
            origin,
            snapshot,
            from_ms: clock::wall_millis(),
            fate: Arc::clone(&fate),
        };
        let thread = thread::Builder::new().name("otlp".into()).spawn(move || {
            loop {
                match ends.recv_timeout(EVERY) {
                    Err(RecvTimeoutError::Timeout) => {
                        posting.fate.due.fetch_add(1, Ordering::Relaxed);
                        posting.post_metrics();
                    }
                    Ok(trace) => {
                        posting.post_metrics();
                        if let Some(trace) = trace {
                            posting.post_trace(&trace);
                        }
                        return;
                    }
                    // The run was never reported.
                    Err(RecvTimeoutError::Disconnected) => return,
                }
            }
        })?;
        Ok(Self {
            last: Some(last),
            since: Clock::start(),
            thread: Some(thread),
            fate,
        })
    }

    /// From now on the last metrics are posted, and the trace where there is one.
    pub(in crate::telemetry) fn finish(&mut self, trace: Option<ExportTraceServiceRequest>) {
        self.since = Clock::start();
        if let Some(last) = self.last.take() {
            let due = 1 + u64::from(trace.is_some());
            self.fate.due.fetch_add(due, Ordering::Relaxed);
            let _ = last.send(trace);
        }
    }

    /// Waits until what is posted last has arrived, for so long and no longer.
    pub(in crate::telemetry) fn end(mut self) -> Delivered {
        let Some(thread) = self.thread.take() else {
            return Delivered::default();
        };
        while !thread.is_finished() && self.since.now() < LAST_MAX {
            thread::park_timeout(LOOK);
        }
        self.fate.over.store(true, Ordering::Release);
        let arrived = self.fate.arrived.load(Ordering::Acquire);
        let due = self.fate.due.load(Ordering::Relaxed);
        let cause = lock(&self.fate.cause).clone();
        let cause = if cause.is_empty() {
            "it did not answer in time".to_owned()
        } else {
            cause
        };
        let missing = due.saturating_sub(arrived);
        Delivered {
            trace: self.fate.has_trace.load(Ordering::Acquire),
            missing: (missing > 0).then_some((missing, cause)),
        }
    }
}

/// What is being posted is given up.
impl Drop for OtlpSender {
    fn drop(&mut self) {
        self.fate.over.store(true, Ordering::Release);
    }
}

impl Posting {
    fn post_metrics(&self) {
        let families = (self.snapshot)();
        let now = clock::wall_millis();
        let request = metrics_request(&self.origin, &families, self.from_ms, now);
        self.post(&self.metrics, &request.encode_to_vec(), |body| {
            let answer = ExportMetricsServiceResponse::decode(body).ok()?;
            let partial = answer.partial_success?;
            Some((partial.rejected_data_points, partial.error_message))
        });
    }

    fn post_trace(&self, trace: &ExportTraceServiceRequest) {
        let arrived = self.post(&self.traces, &trace.encode_to_vec(), |body| {
            let answer = ExportTraceServiceResponse::decode(body).ok()?;
            let partial = answer.partial_success?;
            Some((partial.rejected_spans, partial.error_message))
        });
        self.fate.has_trace.store(arrived, Ordering::Release);
    }

    /// Posts a body; `rejected`: how much of it the answer says was not taken, and why.
    /// Whether it has arrived.
    fn post(
        &self,
        to: &Receiver,
        body: &[u8],
        rejected: fn(&[u8]) -> Option<(i64, String)>,
    ) -> bool {
        let over = || self.fate.over.load(Ordering::Acquire);
        let answer = to.post(PROTOBUF, body, &over);
        let arrived = answer.and_then(|answer| match rejected(&answer) {
            Some((count, why)) if count > 0 => {
                let why: String = why.chars().take(CAUSE_MAX).collect();
                Err(format!("it refused a part of it: {}", printable(&why)))
            }
            _ => Ok(()),
        });
        match arrived {
            Ok(()) => {
                self.fate.arrived.fetch_add(1, Ordering::Release);
                true
            }
            Err(cause) => {
                *lock(&self.fate.cause) = cause;
                false
            }
        }
    }
}
