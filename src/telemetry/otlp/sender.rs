//! A thread that posts metrics now and then, and in the end the last ones with the trace.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use prost::Message as _;

use super::{Origin, metrics_request};
use crate::clock;
use crate::telemetry::family::Family;
use crate::telemetry::receiver::Receiver;

/// So often metrics are posted.
const EVERY: Duration = Duration::from_secs(5);
/// How long the last requests may take: in steps of this, so often.
const LAST: (Duration, u32) = (Duration::from_millis(10), 500);
const PROTOBUF: &str = "application/x-protobuf";

/// What gives the metrics as they are now.
pub(in crate::telemetry) type Snapshot = Box<dyn Fn() -> Vec<Family> + Send>;

/// The thread, until it is ended or dropped.
pub(in crate::telemetry) struct OtlpSender {
    last: Option<Sender<Option<ExportTraceServiceRequest>>>,
    thread: Option<JoinHandle<Option<(u64, String)>>>,
    over: Arc<AtomicBool>,
}

impl fmt::Debug for OtlpSender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OtlpSender").finish_non_exhaustive()
    }
}

/// What is posted, and what became of it.
struct Posting {
    metrics: Receiver,
    traces: Receiver,
    origin: Origin,
    snapshot: Snapshot,
    from_ms: u64,
    over: Arc<AtomicBool>,
    failed: u64,
    cause: String,
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
        let over = Arc::<AtomicBool>::default();
        let mut posting = Posting {
            metrics: receiver.below("/v1/metrics"),
            traces: receiver.below("/v1/traces"),
            origin,
            snapshot,
            from_ms: clock::wall_millis(),
            over: Arc::clone(&over),
            failed: 0,
            cause: String::new(),
        };
        let thread = thread::Builder::new().name("otlp".into()).spawn(move || {
            loop {
                match ends.recv_timeout(EVERY) {
                    Err(RecvTimeoutError::Timeout) => posting.post_metrics(),
                    Ok(trace) => {
                        posting.post_metrics();
                        if let Some(trace) = trace {
                            posting.post_trace(&trace);
                        }
                        break;
                    }
                    // The run was never reported.
                    Err(RecvTimeoutError::Disconnected) => break,
                }
            }
            (posting.failed > 0).then_some((posting.failed, posting.cause))
        })?;
        Ok(Self {
            last: Some(last),
            thread: Some(thread),
            over,
        })
    }

    /// Posts the last metrics, and the trace where there is one; how many requests did not
    /// arrive, and why.
    pub(in crate::telemetry) fn end(
        mut self,
        trace: Option<ExportTraceServiceRequest>,
    ) -> Option<(u64, String)> {
        if let Some(last) = self.last.take() {
            let _ = last.send(trace);
        }
        let thread = self.thread.take()?;
        let (step, steps) = LAST;
        for _ in 0..steps {
            if thread.is_finished() {
                return thread.join().ok().flatten();
            }
            thread::park_timeout(step);
        }
        self.over.store(true, Ordering::Release);
        Some((1, "it did not answer in time".into()))
    }
}

/// What is being posted is given up.
impl Drop for OtlpSender {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Release);
    }
}

impl Posting {
    fn post_metrics(&mut self) {
        let families = (self.snapshot)();
        let now = clock::wall_millis();
        let request = metrics_request(&self.origin, &families, self.from_ms, now);
        let to = self.metrics.clone();
        self.post(&to, &request.encode_to_vec());
    }

    fn post_trace(&mut self, trace: &ExportTraceServiceRequest) {
        let to = self.traces.clone();
        self.post(&to, &trace.encode_to_vec());
    }

    fn post(&mut self, to: &Receiver, body: &[u8]) {
        let over = || self.over.load(Ordering::Acquire);
        if let Err(cause) = to.post(PROTOBUF, body, &over) {
            self.failed += 1;
            self.cause = cause;
        }
    }
}
