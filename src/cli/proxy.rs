//! `threadbare proxy`: faults on the way to any server.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::sync::{Arc, mpsc};
use std::thread::{self, JoinHandle};

use clap::Args;

use super::telemetry::ServedMetrics;
use super::tell::{Tell, ToldRun};
use super::{Code, View};
use crate::error::{Error, Kind};
use crate::live::Interrupt;
use crate::model::fault::{Effect, Mode};
use crate::net::AllowedHosts;
use crate::proxy::{Api, Draft, Injected, Listener, Proxies, ProxyCounters, Refusal, Settings};
use crate::telemetry::proxy_metrics;
use crate::units::counted;

#[derive(Debug, Args)]
#[command(after_help = help())]
pub(super) struct Arguments {
    /// Where clients connect to; port 0 picks a free one [default: none; the API creates proxies]
    #[arg(long, value_name = "HOST:PORT", requires = "to")]
    listen: Option<String>,
    /// Where connections are forwarded to: the server, or its database
    #[arg(long, value_name = "HOST:PORT", requires = "listen")]
    to: Option<String>,
    /// The name of this proxy in the API and in seeded shares
    #[arg(long, value_name = "NAME", default_value = "proxy")]
    name: String,
    /// Parse HTTP/1.1, for faults of single requests
    #[arg(long)]
    http: bool,
    /// Where Toxiproxy's API is served; loopback only
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8474")]
    api: SocketAddr,
    /// No API: the proxy forwards everything unchanged
    #[arg(long, conflicts_with = "api")]
    no_api: bool,
    /// Allow a host other than this machine, to listen on or to forward to, exactly as
    /// it is named; may be repeated
    #[arg(long, value_name = "HOST")]
    allow_host: Vec<String>,
    /// Limit on concurrent connections; further ones are closed at once
    #[arg(long, value_name = "N", default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    connections: u32,
    /// Seed of the shares and jitters of faults
    #[arg(long, default_value_t = 1)]
    seed: u64,
    #[command(flatten)]
    tell: Tell,
    #[command(flatten)]
    served: ServedMetrics,
}

const EXAMPLES: &str = "\
Examples:
  threadbare proxy --listen 127.0.0.1:9000 --to 127.0.0.1:8000           then point clients at 9000
  threadbare proxy --listen 127.0.0.1:9000 --to 127.0.0.1:8000 --http    with faults of requests
  threadbare proxy                        only the API: Toxiproxy's clients create the proxies

While it runs, the API injects and removes faults, also on open connections:
  curl -d '{\"type\":\"latency\",\"attributes\":{\"latency\":200,\"jitter\":50}}' 127.0.0.1:8474/proxies/proxy/toxics
  curl -d '{\"type\":\"http_status\",\"stream\":\"upstream\",\"attributes\":{\"status\":503,\"match\":{\"path\":\"/api\",\"count\":2}}}' 127.0.0.1:8474/proxies/proxy/toxics
  curl -X DELETE 127.0.0.1:8474/proxies/proxy/toxics/latency_downstream
  curl -d '{\"enabled\":false}' 127.0.0.1:8474/proxies/proxy              down
  curl -X POST 127.0.0.1:8474/reset                                     everything as it was";

/// Examples, the faults of the catalogue, exit codes.
fn help() -> String {
    let faults = Effect::TYPES.iter().copied();
    let (requests, bytes): (Vec<_>, Vec<_>) = faults.partition(|kind| kind.starts_with("http_"));
    format!(
        "{EXAMPLES}\n\n\
         Faults of connections:\n  {}\n\
         Faults of requests, with --http:\n  {}\n\
         Each has \"stream\" (upstream, downstream), \"toxicity\" (a share) and attributes of its \
         own: docs/PROXY.md.\n\n\
         Exit codes: 2 wrong usage, 3 a port is taken or a host unknown, 130/143 ended by a signal.",
        bytes.join(", "),
        requests.join(", "),
    )
}

impl Arguments {
    pub(super) fn run(self, view: &View) -> Code {
        if self.no_api && self.listen.is_none() {
            return Err(Error::usage(
                "without the API a proxy needs an address; add --listen and --to, or leave \
                 --no-api out",
            ));
        }
        let allowed = AllowedHosts::of_command_line(self.allow_host.clone());
        let told = self.tell.run(&allowed, "threadbare proxy")?;
        let proxies = Arc::new(Proxies::new(Settings {
            seed: self.seed,
            connections_max: self.connections,
            allowed,
        }));
        let (ended, end) = mpsc::channel::<()>();
        let interrupt = Interrupt::listen(move || drop(ended))?;
        let draft = self.draft();
        let address = match &draft {
            Some(draft) => Some(proxies.create(draft).map_err(|refusal| unfit(&refusal))?),
            None => None,
        };
        let (listener, reporting) = told.map(reporter).unzip();
        let api =
            (!self.no_api).then(|| Api::start_telling(self.api, Arc::clone(&proxies), listener));
        let api = api.transpose()?;
        let metrics = self.served.serve(proxy_metrics(Arc::clone(&proxies)))?;
        let api_address = api.as_ref().map(Api::address);
        super::answer(self.announcement(address, api_address).as_bytes())?;
        // Nothing is ever sent: the other end is dropped with the first signal.
        let _ = end.recv();
        drop(metrics);
        drop(api);
        // What acted until now has ended, and is reported before this program is gone.
        if let Some(reporting) = reporting {
            let _ = reporting.join();
        }
        if !view.quiet {
            let mut told = String::new();
            proxies.each(|proxy| {
                told.push_str(&in_words(proxy.name(), &proxy.counters()));
                told.push_str(&proxies.failures(proxy.name()));
            });
            super::answer(told.as_bytes())?;
        }
        Ok(128 + interrupt.signal().unwrap_or_default())
    }

    fn draft(&self) -> Option<Draft> {
        let (listen, to) = self.listen.clone().zip(self.to.clone())?;
        Some(Draft {
            name: self.name.clone(),
            listen,
            upstream: to,
            enabled: true,
            mode: if self.http { Mode::Http } else { Mode::Tcp },
        })
    }

    fn announcement(&self, proxy: Option<SocketAddr>, api: Option<SocketAddr>) -> String {
        let leads = match (proxy, &self.to) {
            (Some(address), Some(to)) => format!("{address} forwards to {to}, until Ctrl-C.\n"),
            _ => String::new(),
        };
        let Some(api) = api else {
            return leads;
        };
        let hint = if proxy.is_some() {
            format!(
                "\nTry:\n  curl -d '{{\"type\":\"latency\",\"attributes\":{{\"latency\":200}}}}' \
                 http://{api}/proxies/{}/toxics\n  curl -X POST http://{api}/reset\n",
                self.name
            )
        } else {
            format!(
                "\nTry:\n  curl -d '{{\"name\":\"db\",\"listen\":\"127.0.0.1:9000\",\
                 \"upstream\":\"127.0.0.1:5432\"}}' http://{api}/proxies\n"
            )
        };
        format!("{leads}Toxiproxy's API is at http://{api}.\n{hint}")
    }
}

/// Reports what is injected on a thread of its own, so that a run that does not answer holds
/// up no call of the API; it ends with the listener.
fn reporter(run: ToldRun) -> (Listener, JoinHandle<()>) {
    let (reports, inbox) = mpsc::channel::<Injected>();
    let thread = thread::spawn(move || {
        for injected in inbox {
            run.tell_or_say(&injected.what, injected.kind);
        }
    });
    let listener: Listener = Box::new(move |injected| {
        // The thread ends after this has gone.
        let _ = reports.send(injected);
    });
    (listener, thread)
}

/// A refusal at the start, where the answer is an exit code.
fn unfit(refusal: &Refusal) -> Error {
    let kind = if refusal.status < 500 {
        Kind::Usage
    } else {
        Kind::Unfit
    };
    Error::new(kind, refusal.sentence.clone())
}

/// What a proxy has counted, without what is zero.
fn in_words(name: &str, counters: &ProxyCounters) -> String {
    let mut text = format!(
        "{name}: {}, {} to the target, {} to clients\n",
        counted(counters.accepted, "connection"),
        counted(counters.bytes_upstream, "byte"),
        counted(counters.bytes_downstream, "byte")
    );
    for (number, what) in [
        (counters.requests, "HTTP requests"),
        (counters.own_answers, "answered by the proxy itself"),
        (counters.malformed, "malformed or too long heads or bodies"),
        (
            counters.unanswered,
            "closed by the target with a request unanswered",
        ),
        (
            counters.unreachable,
            "not connected, because the target could not be reached",
        ),
        (counters.refused, "refused beyond the limit of connections"),
        (counters.closed, "connections closed by a fault"),
        (counters.reset, "connections reset"),
        (counters.bytes_swallowed, "bytes dropped by a fault"),
    ] {
        if number > 0 {
            let _ = writeln!(text, "  {number} {what}");
        }
    }
    for (fault, counters) in &counters.faults {
        let _ = writeln!(
            text,
            "  {fault} affected {} of {}",
            counters.met, counters.seen
        );
    }
    text
}
