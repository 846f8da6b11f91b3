//! Where a run is seen besides its report: `--metrics`, `--otlp`, `--annotations`, `--trace`.

use std::io::{self, Write as _};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use clap::Args;

use crate::analysis::Findings;
use crate::clock;
use crate::error::{Error, Result};
use crate::live::Interrupt;
use crate::model::Tracing;
use crate::net::AllowedHosts;
use crate::plan::Plan;
use crate::record::Record;
use crate::run::Room;
use crate::telemetry::{
    AnnotationsTo, Metrics, MetricsServer, Receiver, Telemetry, TelemetrySettings,
};
use crate::units::{Nanos, Ratio};

/// Header fields for the receiver of OTLP, as OpenTelemetry's own exporters read them.
const OTLP_HEADERS: &str = "OTEL_EXPORTER_OTLP_HEADERS";
/// What the receiver of annotations asks for, such as a token of Grafana's.
const ANNOTATIONS_TOKEN: &str = "THREADBARE_ANNOTATIONS_TOKEN";

/// Where a run is seen.
#[derive(Debug, Clone, Args)]
pub(super) struct TelemetryArguments {
    #[command(flatten)]
    outputs: TelemetryOutputs,
    /// After the run, serve the last page of metrics until it has been read, for this long at
    /// most
    #[arg(long, value_name = "TIME", default_value = "20s", requires = "metrics")]
    metrics_linger: Nanos,
    /// Put `traceparent` on each request and mark this share of operations as sampled, such as
    /// '1 %'; the report then names the traces of the slowest of them
    #[arg(long, value_name = "SHARE", value_parser = share)]
    trace: Option<Ratio>,
}

/// Where loads are seen while they go on.
#[derive(Debug, Clone, Args)]
pub(super) struct TelemetryOutputs {
    #[command(flatten)]
    served: ServedMetrics,
    /// Send metrics and the run as a trace to an OpenTelemetry collector, over http/protobuf
    #[arg(long, value_name = "URL")]
    otlp: Option<String>,
    /// Write a line of JSON for each action and finding to the standard output (`-`) or a file,
    /// or POST it to a URL, as Grafana's annotations take it
    #[arg(long, value_name = "-|FILE|URL", value_parser = annotations)]
    annotations: Option<String>,
    /// Whether a run has begun the file: the next of several adds to it.
    #[arg(skip)]
    is_begun: Arc<AtomicBool>,
}

/// An address that serves metrics.
#[derive(Debug, Clone, Args)]
pub(super) struct ServedMetrics {
    /// Serve metrics for Prometheus at http://HOST:PORT/metrics; without a host it is 127.0.0.1
    /// (docs/OBSERVABILITY.md)
    #[arg(long, value_name = "HOST:PORT", value_parser = address)]
    metrics: Option<SocketAddr>,
    /// Serve the metrics elsewhere than on loopback: whoever reaches the port can read them
    #[arg(long, requires = "metrics")]
    insecure_metrics: bool,
}

/// A share of operations: of one at most.
fn share(text: &str) -> std::result::Result<Ratio, String> {
    let share: Ratio = text.parse().map_err(|cause| format!("{cause}"))?;
    if share > Ratio::WHOLE {
        return Err("it is a share of the operations, at most '100 %'".into());
    }
    Ok(share)
}

/// Where annotations go. A URL of another kind is not taken for the name of a file.
fn annotations(text: &str) -> std::result::Result<String, String> {
    let scheme = text.split_once("://").map(|(scheme, _)| scheme);
    match scheme {
        None | Some("http" | "https") if !text.is_empty() => Ok(text.to_owned()),
        _ => Err("write `-`, the name of a file, or a URL of http or https".into()),
    }
}

/// An address to listen on.
fn address(text: &str) -> std::result::Result<SocketAddr, String> {
    let wrong = || {
        "write HOST:PORT with an address as the host, such as 127.0.0.1:9464, or only :9464"
            .to_owned()
    };
    let (host, port) = text.rsplit_once(':').ok_or_else(wrong)?;
    let port: u16 = port.parse().map_err(|_| wrong())?;
    let host = match host.trim_matches(['[', ']']) {
        "" | "localhost" => IpAddr::V4(Ipv4Addr::LOCALHOST),
        host => host.parse().map_err(|_| wrong())?,
    };
    Ok(SocketAddr::new(host, port))
}

impl ServedMetrics {
    /// Serves these metrics, where that is wanted, and says where.
    ///
    /// # Errors
    ///
    /// As [`MetricsServer::start`].
    pub(super) fn serve(&self, metrics: Arc<dyn Metrics>) -> Result<Option<MetricsServer>> {
        let server = self
            .metrics
            .map(|address| MetricsServer::start(address, self.insecure_metrics, metrics));
        let server = server.transpose()?;
        if let Some(server) = &server {
            say_where(server.address());
        }
        Ok(server)
    }
}

impl TelemetryArguments {
    /// The plan with what its requests say of their traces.
    pub(super) fn plan(&self, mut plan: Plan) -> Plan {
        // Two runs of one seed have traces of their own.
        let salt = plan.seed.rotate_left(32) ^ clock::wall_millis() ^ u64::from(std::process::id());
        plan.load.trace = self.trace.map(|share| Tracing { share, salt });
        plan
    }

    /// Telemetry of a run of this plan, where any is wanted.
    ///
    /// # Errors
    ///
    /// As [`TelemetryOutputs::start`].
    pub(super) fn start(&self, plan: &Plan, allowed: &[String]) -> Result<Option<Telemetry>> {
        self.outputs.start(plan, allowed, self.metrics_linger)
    }

    /// Whether it goes together with a full screen, where one is shown.
    ///
    /// # Errors
    ///
    /// Where both want the standard output.
    pub(super) fn beside(&self, screen: bool) -> Result<()> {
        if screen && self.outputs.annotations.as_deref() == Some("-") {
            return Err(Error::usage(
                "--annotations - writes its lines where --screen shows the run; name a file, or \
                 leave --screen out",
            ));
        }
        Ok(())
    }
}

impl TelemetryOutputs {
    /// Telemetry of this plan, where any is wanted. It is sent to this machine, and to hosts
    /// that were allowed. `linger`: how long the last page of metrics is served at most.
    ///
    /// # Errors
    ///
    /// Where a receiver is none or not allowed, or as [`Telemetry::start`].
    pub(super) fn start(
        &self,
        plan: &Plan,
        allowed: &[String],
        linger: Nanos,
    ) -> Result<Option<Telemetry>> {
        let settings = self.settings(allowed, linger)?;
        let is_wanted =
            settings.metrics.is_some() || settings.otlp.is_some() || settings.annotations.is_some();
        if !is_wanted {
            return Ok(None);
        }
        let telemetry = Telemetry::start(&settings, plan)?;
        self.is_begun.store(true, Ordering::Relaxed);
        if let Some(address) = telemetry.metrics_address() {
            say_where(address);
        }
        Ok(Some(telemetry))
    }

    fn settings(&self, allowed: &[String], linger: Nanos) -> Result<TelemetrySettings> {
        let allowed = AllowedHosts::of_command_line(allowed.to_vec());
        let served = &self.served;
        let otlp = self.otlp.as_deref().map(|url| {
            let headers = std::env::var(OTLP_HEADERS).unwrap_or_default();
            Receiver::at("--otlp", url, header_fields(&headers), &allowed)
        });
        let annotations = self.annotations.as_deref().map(|to| match to {
            "-" => Ok(AnnotationsTo::Stdout),
            url if url.starts_with("http://") || url.starts_with("https://") => {
                let token = std::env::var(ANNOTATIONS_TOKEN).ok();
                let token = token.filter(|token| !token.is_empty());
                let field = token.map(|it| ("authorization".to_owned(), format!("Bearer {it}")));
                let headers = field.into_iter().collect();
                Receiver::at("--annotations", url, headers, &allowed).map(AnnotationsTo::Url)
            }
            file => Ok(AnnotationsTo::File {
                path: file.into(),
                added: self.is_begun.load(Ordering::Relaxed),
            }),
        });
        Ok(TelemetrySettings {
            metrics: served
                .metrics
                .map(|address| (address, served.insecure_metrics)),
            linger,
            otlp: otlp.transpose()?,
            annotations: annotations.transpose()?,
        })
    }
}

/// Telemetry joins the room of a run.
pub(super) fn join(room: &mut Room, telemetry: Telemetry) {
    room.views.push(Box::new(telemetry.view()));
    let last = move |record: &Record, findings: &Findings| end(telemetry, record, findings);
    room.reported.push(Box::new(last));
}

/// The run has ended: its last word goes everywhere. A signal ends the wait for a scrape.
pub(super) fn end(telemetry: Telemetry, record: &Record, findings: &Findings) {
    let interrupt = Interrupt::listen(|| {}).ok();
    let over = || interrupt.as_ref().is_some_and(|it| it.signal().is_some());
    telemetry.end(record, findings, &|sentence| super::tell(&sentence), &over);
}

/// Says it beside the answer. Nobody may be able to read it: then it is not said.
fn say_where(address: SocketAddr) {
    let _ = writeln!(io::stderr(), "Metrics are at http://{address}/metrics.");
}

/// Names and values as `name=value,name=value`, where the values may be escaped as in a URL.
fn header_fields(text: &str) -> Vec<(String, String)> {
    let pairs = text.split(',').filter_map(|pair| pair.split_once('='));
    pairs
        .map(|(name, value)| (name.trim().to_owned(), unescaped(value.trim())))
        .collect()
}

fn unescaped(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut plain = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        let digits = bytes.get(at + 1..at + 3);
        let digits = digits.and_then(|digits| str::from_utf8(digits).ok());
        let escaped = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok());
        if let Some(value) = escaped.filter(|_| *byte == b'%') {
            plain.push(value);
            at += 3;
        } else {
            plain.push(*byte);
            at += 1;
        }
    }
    String::from_utf8_lossy(&plain).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{Event, Observer as _};

    #[test]
    fn an_address_is_loopback_unless_another_is_written() {
        for (text, expected) in [
            (":9464", Some("127.0.0.1:9464")),
            ("localhost:0", Some("127.0.0.1:0")),
            ("[::1]:9464", Some("[::1]:9464")),
            ("0.0.0.0:1", Some("0.0.0.0:1")),
            ("9464", None),
            ("host.example:9464", None),
            ("127.0.0.1:x", None),
        ] {
            let read = address(text).ok().map(|it| it.to_string());
            assert_eq!(read.as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn annotations_go_to_a_file_or_over_http() {
        for (text, fits) in [
            ("-", true),
            ("annotations.jsonl", true),
            ("/tmp/a:b", true),
            ("http://127.0.0.1:3000/api/annotations", true),
            ("htp://127.0.0.1:3000/api/annotations", false),
            ("", false),
        ] {
            assert_eq!(annotations(text).is_ok(), fits, "{text}");
        }
    }

    #[test]
    fn the_next_of_several_runs_adds_to_the_file_of_annotations() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("annotations.jsonl");
        std::fs::write(&file, "of another day\n").unwrap();
        let outputs = TelemetryOutputs {
            served: ServedMetrics {
                metrics: None,
                insecure_metrics: false,
            },
            otlp: None,
            annotations: Some(file.to_str().unwrap().to_owned()),
            is_begun: Arc::default(),
        };
        for run in ["first", "second"] {
            let telemetry = outputs.start(&Plan::default(), &[], Nanos::ZERO);
            let telemetry = telemetry.unwrap().unwrap();
            let warning = Event::Warning { text: run.into() };
            telemetry.view().event(Nanos::ZERO, &warning);
            telemetry.stop(&|sentence| panic!("{sentence}"));
        }
        let text = std::fs::read_to_string(&file).unwrap();
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines.len(), 2, "{text}");
        assert!(lines[0].contains("first") && lines[1].contains("second"));
    }

    #[test]
    fn header_fields_are_read_as_other_exporters_read_them() {
        let read = header_fields("Authorization=Basic%20YTpi, x-scope=a%zz,nothing,k=a=b");
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(
            read,
            [
                pair("Authorization", "Basic YTpi"),
                pair("x-scope", "a%zz"),
                pair("k", "a=b")
            ]
        );
        assert_eq!(header_fields(""), []);
    }
}
