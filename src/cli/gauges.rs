//! `threadbare gauges`: reads a server's gauges once, and says what it found.
//!
//! So that a preset is tried before the day on which it counts. It sends one GET
//! to the address that was typed, and nothing else.

use std::fmt::Write as _;
use std::path::PathBuf;

use clap::Args;

use super::{Code, some_time};
use crate::error::{EXIT_PASSED, EXIT_UNFIT, Error, Result};
use crate::gauges::{fetch, read_page};
use crate::model::{Expression, FailureCause, GaugeUrl, PRESETS, Page, Preset, Reading, Roles};
use crate::net::{AllowedHosts, Failed, Tls};
use crate::record::printable;
use crate::units::{Nanos, counted};

/// Metrics of the page named at most, where nothing fits.
const NAMED: usize = 20;

#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    threadbare gauges http://127.0.0.1:9100/metrics\n  \
    threadbare gauges http://127.0.0.1:9293/stats --preset puma")]
pub(super) struct Arguments {
    /// The page: Prometheus' text, Puma's /stats, `HAProxy`'s CSV, Tomcat's status as XML
    url: GaugeUrl,
    /// Which server publishes it; without it, every preset is tried
    #[arg(long, value_parser = preset)]
    preset: Option<&'static Preset>,
    /// Busy workers, as an expression such as `app_busy{pool="x"}`
    #[arg(long, value_name = "EXPRESSION")]
    busy: Option<Expression>,
    /// Workers, as an expression
    #[arg(long, value_name = "EXPRESSION")]
    workers: Option<Expression>,
    /// Jobs waiting for a worker, as an expression
    #[arg(long, value_name = "EXPRESSION")]
    queue: Option<Expression>,
    /// Requests completed since the server began, as an expression that only grows
    #[arg(long, value_name = "EXPRESSION")]
    completed: Option<Expression>,
    /// Limit on reading the page
    #[arg(long, default_value = "2s", value_parser = some_time)]
    timeout: Nanos,
    /// Allow a host other than this machine, exactly as the URL names it; may be
    /// repeated
    #[arg(long, value_name = "HOST")]
    allow_host: Vec<String>,
    /// A file of certificates (PEM) to trust under https in place of the system's
    #[arg(long, value_name = "FILE")]
    cacert: Option<PathBuf>,
}

fn preset(name: &str) -> std::result::Result<&'static Preset, String> {
    Preset::of(name).ok_or_else(|| {
        let near = PRESETS
            .iter()
            .map(|preset| (strsim::jaro_winkler(name, preset.name), preset.name))
            .filter(|(likeness, _)| *likeness > 0.8)
            .max_by(|one, other| one.0.total_cmp(&other.0));
        let names = || {
            let names: Vec<_> = PRESETS.iter().map(|preset| preset.name).collect();
            format!("there are: {}", names.join(", "))
        };
        near.map_or_else(names, |(_, near)| format!("did you mean `{near}`?"))
    })
}

impl Arguments {
    pub(super) fn run(self) -> Code {
        let page = self.page()?;
        let own = Roles {
            busy: self.busy,
            workers: self.workers,
            queue: self.queue,
            completed: self.completed,
        };
        let asked = own.each().iter().any(|(_, own)| own.is_some());
        let mut text = format!("{}: {} series\n", self.url, page.series.len());
        if let Some((line, what)) = &page.malformed.first {
            let _ = writeln!(
                text,
                "{} cannot be read, the first is line {line}: {}",
                counted(page.malformed.count, "line"),
                printable(what)
            );
        }
        let found = match (self.preset, asked) {
            (None, false) => every_preset(&page, &mut text),
            (preset, _) => {
                let of_preset = preset.map(Roles::of).unwrap_or_default();
                let roles = Roles {
                    busy: own.busy.or(of_preset.busy),
                    workers: own.workers.or(of_preset.workers),
                    queue: own.queue.or(of_preset.queue),
                    completed: own.completed.or(of_preset.completed),
                };
                let reading = roles.reading(&page);
                tell(
                    preset.map_or("expressions", |it| it.name),
                    &reading,
                    &mut text,
                );
                reading.holds()
            }
        };
        if !found {
            name_metrics(&page, &mut text);
        }
        super::answer(text.as_bytes())?;
        Ok(if found { EXIT_PASSED } else { EXIT_UNFIT })
    }

    fn page(&self) -> Result<Page> {
        let url = &self.url;
        let allowed = AllowedHosts::of_command_line(self.allow_host.clone());
        let address = allowed.resolve(url.host(), url.port())?;
        let tls = url
            .encrypted()
            .then(|| Tls::trusting(url.host(), self.cacert.as_deref()))
            .transpose()?;
        let read = fetch(url, address, tls.as_ref(), self.timeout)
            .map_err(|failed| told(&failed))
            .and_then(|bytes| read_page(&bytes, &|_| true));
        read.map_err(|cause| {
            let cause = printable(&cause).into_owned();
            Error::unfit(format!("failed to read {}: {cause}", self.url))
        })
    }
}

/// Why a page could not be read, with the cause by which such failures are counted, where
/// the words do not say it.
fn told(failed: &Failed) -> String {
    let cause = failed.cause.map(FailureCause::clause);
    let cause = cause.filter(|clause| !failed.words.contains(clause));
    cause.map_or_else(
        || failed.words.clone(),
        |clause| format!("{}; counted as: {clause}", failed.words),
    )
}

/// Tells of every preset of which the page has something; whether there is one.
fn every_preset(page: &Page, text: &mut String) -> bool {
    let mut found = false;
    for preset in &PRESETS {
        let reading = Roles::of(preset).reading(page);
        if reading.holds() {
            tell(preset.name, &reading, text);
            found = true;
        }
    }
    if !found {
        text.push_str("No preset fits.\n");
    }
    found
}

fn tell(name: &str, reading: &Reading, text: &mut String) {
    let _ = writeln!(text, "\n{name}");
    for (role, value) in reading.each() {
        let _ = match value {
            None => writeln!(text, "  {role:<9} –  nothing that this server publishes"),
            Some(Ok(value)) if value.stated => {
                writeln!(
                    text,
                    "  {role:<9} {}  stated, not read: the page does not say",
                    value.value
                )
            }
            Some(Ok(value)) => writeln!(text, "  {role:<9} {}", value.value),
            Some(Err(cause)) => writeln!(text, "  {role:<9} –  {}", printable(&cause.to_string())),
        };
    }
}

/// Metrics that could be what was looked for.
fn name_metrics(page: &Page, text: &mut String) {
    let mut names: Vec<&str> = page
        .series
        .iter()
        .map(|series| series.name.as_str())
        .collect();
    names.sort_unstable();
    names.dedup();
    let likely = |name: &&str| {
        let words = [
            "busy", "active", "queue", "backlog", "pending", "threads", "workers", "max",
        ];
        words.iter().any(|word| name.contains(word))
    };
    let (mut shown, others): (Vec<&str>, Vec<&str>) = names.into_iter().partition(likely);
    shown.extend(others);
    let more = shown.len().saturating_sub(NAMED);
    shown.truncate(NAMED);
    text.push_str("\nThe page has:\n");
    for name in shown {
        let _ = writeln!(text, "  {}", printable(name));
    }
    if more > 0 {
        let _ = writeln!(text, "  and {more} more");
    }
}
