//! Where a team looks: a run as metrics, as a trace and as annotations, in the tools that are
//! watched anyway.
//!
//! | file | what it answers |
//! |---|---|
//! | `sums`, `totals` | what a run has come to, added up from what its record is told |
//! | `family`, `families`, `proxies` | the same as metrics with names, units and labels |
//! | `page`, `server` | the page that Prometheus reads, and its address |
//! | `otlp/` | the same as OpenTelemetry's messages, and the run as a trace |
//! | `annotations` | actions and findings, a line of JSON each |
//! | `receiver`, `outbox` | who is sent to, and a bounded queue before each |
//!
//! It decides nothing about a run and writes no record: it is one more view (`Observer`) on a
//! thread of its own, and everything that leaves the machine leaves from threads behind
//! queues. So a receiver that hangs or dies costs telemetry, and no operation. What a view
//! missed is made good at the end, from the record itself.

mod annotations;
mod families;
mod family;
mod otlp;
mod outbox;
mod page;
mod proxies;
mod receiver;
mod server;
mod sums;
mod totals;

use std::fmt;
use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

#[cfg(feature = "testing")]
pub use annotations::Annotation;
pub use annotations::Annotator;
pub use families::families;
pub use family::Family;
#[cfg(feature = "testing")]
pub use family::{BOUNDS_S, Buckets, MetricKind, Point, PointValue};
pub use otlp::{Origin, RunTrace};
#[cfg(feature = "testing")]
pub use otlp::{metrics_request, trace_request};
#[cfg(feature = "testing")]
pub use page::page;
pub(crate) use proxies::proxy_metrics;
pub use receiver::Receiver;
pub use server::{Metrics, MetricsServer};
#[cfg(feature = "testing")]
pub use sums::Sums;
pub use totals::Totals;

use otlp::{OtlpSender, Snapshot};
use outbox::{Deliver, Outbox};
use totals::RunStage;

use crate::analysis::Findings;
use crate::bounds::ANNOTATIONS_MAX;
use crate::clock;
use crate::error::{Error, Result};
use crate::plan::Plan;
use crate::record::{Event, Observer, Record, Sample, open_anew, open_to_append};
use crate::sync::lock;
use crate::units::{Nanos, counted};

/// What of a run goes where.
#[derive(Debug, Clone, Default)]
pub struct TelemetrySettings {
    /// Where metrics are served, and whether that may be elsewhere than on loopback.
    pub metrics: Option<(SocketAddr, bool)>,
    /// How long the last page is served at most.
    pub linger: Nanos,
    /// Where OTLP is sent.
    pub otlp: Option<Receiver>,
    /// Where annotations go.
    pub annotations: Option<AnnotationsTo>,
}

/// Where annotations go.
#[derive(Debug, Clone)]
pub enum AnnotationsTo {
    /// The standard output.
    Stdout,
    /// A file: written anew, or added to where an earlier run of this program began it.
    File {
        /// Where it is.
        path: PathBuf,
        /// Whether what is there stays.
        added: bool,
    },
    /// Whoever takes them by POST.
    Url(Receiver),
}

/// Telemetry of a run, until it is ended or dropped.
#[must_use]
pub struct Telemetry {
    told: Arc<Run>,
    server: Option<MetricsServer>,
    otlp: Option<OtlpSender>,
    annotated_to: String,
    otlp_to: String,
    linger: Nanos,
    origin: Origin,
    started_wall_ms: u64,
}

/// What is told of a run, shared by the view and those who read.
struct Run {
    totals: Mutex<Totals>,
    annotator: Mutex<Annotator>,
    annotations: Mutex<Option<Outbox<String>>>,
}

/// Tells telemetry what the run's record is told.
pub struct TelemetryView {
    told: Arc<Run>,
}

impl fmt::Debug for Telemetry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Telemetry")
            .field("server", &self.server)
            .field("otlp", &self.otlp)
            .finish_non_exhaustive()
    }
}

impl Metrics for Run {
    fn now(&self) -> (Vec<Family>, bool) {
        let totals = lock(&self.totals);
        (families(&totals), totals.is_settled())
    }
}

impl Telemetry {
    /// Telemetry of a run of this plan; it serves and sends from now on.
    ///
    /// # Errors
    ///
    /// Where an address cannot be listened on, or a file not be written.
    pub fn start(settings: &TelemetrySettings, plan: &Plan) -> Result<Self> {
        let now = clock::wall_millis();
        let outbox = settings.annotations.as_ref().map(deliver_annotations);
        let told = Arc::new(Run {
            totals: Mutex::new(Totals::new(plan)),
            annotator: Mutex::new(Annotator::new(plan, now)),
            annotations: Mutex::new(outbox.transpose()?),
        });
        let metrics: Arc<dyn Metrics> = Arc::clone(&told) as Arc<dyn Metrics>;
        let server = settings
            .metrics
            .map(|(address, insecure)| MetricsServer::start(address, insecure, metrics));
        let origin = Origin {
            scenario: plan.scenario.clone(),
            seed: plan.seed,
            instance: RunTrace::new(plan.seed, now).id(),
        };
        let otlp = settings.otlp.as_ref().map(|receiver| {
            let run = Arc::clone(&told);
            let snapshot: Snapshot = Box::new(move || families(&lock(&run.totals)));
            OtlpSender::start(receiver, origin.clone(), snapshot)
                .map_err(|cause| Error::failed(format!("failed to start sending OTLP: {cause}")))
        });
        Ok(Self {
            server: server.transpose()?,
            otlp: otlp.transpose()?,
            annotated_to: settings
                .annotations
                .as_ref()
                .map_or_else(String::new, AnnotationsTo::in_words),
            otlp_to: settings
                .otlp
                .as_ref()
                .map_or_else(String::new, |it| it.authority().to_owned()),
            linger: settings.linger,
            origin,
            started_wall_ms: now,
            told,
        })
    }

    /// Where the metrics are served, where they are.
    pub fn metrics_address(&self) -> Option<SocketAddr> {
        self.server.as_ref().map(MetricsServer::address)
    }

    /// What is to be told everything that happens in the run.
    pub fn view(&self) -> TelemetryView {
        TelemetryView {
            told: Arc::clone(&self.told),
        }
    }

    /// The run has ended, and this was found in its record: the last word goes everywhere.
    /// Returns once it has arrived or was waited for long enough. What somebody should know
    /// meanwhile is told to `say`, a sentence each; where `over` says so, nobody waits for a
    /// scrape.
    pub fn end(
        mut self,
        record: &Record,
        findings: &Findings,
        say: &dyn Fn(&str),
        over: &dyn Fn() -> bool,
    ) {
        let zero = {
            let mut totals = lock(&self.told.totals);
            totals.settle(record, findings);
            totals.zero.ms().unwrap_or(self.started_wall_ms)
        };
        let trace = RunTrace::new(self.origin.seed, zero);
        if let Some(otlp) = &mut self.otlp {
            // Both go at once, so that the end waits for the slower one only.
            otlp.finish(Some(otlp::trace_request(&self.origin, &trace, findings)));
        }
        self.end_annotations(Some(findings), say);
        if self.end_otlp(say) {
            let to = &self.otlp_to;
            say(&format!("the trace of this run is {} at {to}", trace.id()));
        }
        if let Some(server) = self.server.take() {
            if self.linger > Nanos::ZERO {
                say(&format!(
                    "the metrics stay at http://{}/metrics until their last page has been read, \
                     for {} at most (--metrics-linger)",
                    server.address(),
                    self.linger
                ));
            }
            server.end(self.linger, over);
        }
    }

    /// What makes views of loads that follow one another, one of each plan.
    pub fn loads(&self) -> impl Fn(&Plan) -> TelemetryView + Send + Sync + use<> {
        let told = Arc::clone(&self.told);
        move |plan| {
            lock(&told.totals).begin(plan);
            *lock(&told.annotator) = Annotator::new(plan, clock::wall_millis());
            TelemetryView {
                told: Arc::clone(&told),
            }
        }
    }

    /// The program ends, and nothing was found in any record: what was told goes everywhere.
    pub fn stop(mut self, say: &dyn Fn(&str)) {
        self.finish(say);
    }

    /// The same, where there may be nothing left to do.
    fn finish(&mut self, say: &dyn Fn(&str)) {
        if let Some(otlp) = &mut self.otlp {
            otlp.finish(None);
        }
        self.end_annotations(None, say);
        self.end_otlp(say);
    }

    /// Whether a trace has arrived.
    fn end_otlp(&mut self, say: &dyn Fn(&str)) -> bool {
        let delivered = self.otlp.take().map(OtlpSender::end).unwrap_or_default();
        if let Some((count, cause)) = &delivered.missing {
            let (missing, to) = (counted(*count, "request"), &self.otlp_to);
            say(&format!("{missing} of OTLP did not reach {to}: {cause}"));
        }
        delivered.trace
    }

    fn end_annotations(&self, findings: Option<&Findings>, say: &dyn Fn(&str)) {
        let outbox = lock(&self.told.annotations).take();
        let Some(outbox) = outbox else { return };
        let found = findings.map(|findings| lock(&self.told.annotator).findings(findings));
        for annotation in found.into_iter().flatten() {
            outbox.put(annotation.line());
        }
        if let Some((count, cause)) = outbox.end() {
            let to = &self.annotated_to;
            let missing = counted(count, "annotation");
            say(&format!("{missing} did not reach {to}: {cause}"));
        }
    }
}

/// A run that failed before its report has told what led to it.
impl Drop for Telemetry {
    fn drop(&mut self) {
        if lock(&self.told.totals).stage != RunStage::SetUp {
            self.finish(&|_| {});
        }
    }
}

impl Observer for TelemetryView {
    fn event(&mut self, at: Nanos, event: &Event) {
        let now = clock::wall_millis();
        lock(&self.told.totals).event(at, event, now);
        if let Some(outbox) = lock(&self.told.annotations).as_ref()
            && let Some(annotation) = lock(&self.told.annotator).event(at, &event.redacted(), now)
        {
            outbox.put(annotation.line());
        }
    }

    fn sample(&mut self, sample: &Sample) {
        lock(&self.told.totals).sample(sample);
    }
}

impl AnnotationsTo {
    fn in_words(&self) -> String {
        match self {
            Self::Stdout => "the standard output".into(),
            Self::File { path, .. } => path.display().to_string(),
            Self::Url(receiver) => receiver.authority().to_owned(),
        }
    }
}

fn deliver_annotations(to: &AnnotationsTo) -> Result<Outbox<String>> {
    let deliver: Deliver<String> = match to {
        AnnotationsTo::Stdout => Box::new(|line, _| {
            let mut out = io::stdout();
            let written = writeln!(out, "{line}").and_then(|()| out.flush());
            written.map_err(|cause| cause.to_string())
        }),
        AnnotationsTo::File { path, added } => {
            let opened = if *added {
                open_to_append(path)
            } else {
                open_anew(path)
            };
            let mut file = opened.map_err(|cause| {
                let path = path.display();
                Error::failed(format!(
                    "failed to write the annotations to {path}: {cause}; name another file with \
                     --annotations"
                ))
            })?;
            Box::new(move |line, _| {
                let written = writeln!(file, "{line}");
                written.map_err(|cause| cause.to_string())
            })
        }
        AnnotationsTo::Url(receiver) => {
            let receiver = receiver.clone();
            Box::new(move |line, over| {
                let posted = receiver.post("application/json", line.as_bytes(), over);
                posted.map(drop)
            })
        }
    };
    Outbox::start("annotations", ANNOTATIONS_MAX, deliver)
        .map_err(|cause| Error::failed(format!("failed to start sending annotations: {cause}")))
}
