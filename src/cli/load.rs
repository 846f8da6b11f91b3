//! `threadbare load`: a load on any HTTP server, and what came of it.

use std::io::Read as _;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs as _};
use std::path::{Path, PathBuf};
use std::{fmt, fs, io};

use clap::{Args, ValueEnum};
use hyper::Uri;

use super::offered::Offered;
use super::{Code, View};
use crate::analysis::Verdict;
use crate::error::{EXIT_INVALID, EXIT_PASSED, Error, Result};
use crate::load::{HttpRequest, Work};
use crate::model::{ArrivalProcess, Backoff, ClientPolicy, Replay};
use crate::plan::{ClosedLoop, Drive, Load, Pacing, Plan, RecoveryRule};
use crate::record::{Record, StopCause};
use crate::units::Nanos;
use crate::{report, run};

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Arguments {
    /// What is asked for, such as `http://127.0.0.1:8080/`
    url: String,
    /// Operations per second in all, whatever the target does: `2000`, a ramp
    /// `1000:20000`, steps of equal length `1000,2000,4000`, a rate with spikes
    /// `1000,5000@10s+5s` (5000 from 10 s on, for 5 s) or a sine `1000~500/30s`
    /// (1000 ± 500, a swing every 30 s) [default: a closed loop, in which each
    /// connection asks again as soon as it is answered]
    #[arg(short = 'R', long, short_alias = 'q', value_name = "RATE")]
    rate: Option<Offered>,
    /// A file of recorded times to offer again: in each line the seconds since
    /// the start, such as `12.345`; `#` begins a comment
    #[arg(long, value_name = "FILE", conflicts_with_all = ["rate", "arrivals", "think"])]
    replay: Option<PathBuf>,
    /// Connections at most; past them operations wait for one
    #[arg(short, long, value_name = "N", default_value_t = 64)]
    connections: u32,
    /// How long operations are scheduled; what is under way then may end for the
    /// timeout [default: 10s, or until the last recorded time]
    #[arg(short, long, short_alias = 'z', value_name = "TIME")]
    duration: Option<Nanos>,
    /// Operations at most [default: as many as the time allows]
    #[arg(short = 'n', long, value_name = "N")]
    operations: Option<u64>,
    /// Threads that share the load
    #[arg(short, long, value_name = "N", default_value_t = 1)]
    threads: u32,
    /// How arrivals are spread
    #[arg(long, value_enum, default_value_t = Spread::Constant)]
    arrivals: Spread,
    /// How closely sends follow their intended starts, and what that costs
    #[arg(long, value_enum, default_value_t = Closeness::Balanced)]
    pacing: Closeness,
    /// Pause of a user between an answer and the next request, in a closed loop
    #[arg(
        long,
        value_name = "TIME",
        default_value = "0s",
        conflicts_with = "rate"
    )]
    think: Nanos,
    /// The method [default: GET, or POST with a body]
    #[arg(short, long, value_name = "METHOD")]
    method: Option<String>,
    /// A header, such as `-H 'accept: application/json'`; may be repeated
    #[arg(short = 'H', long = "header", value_name = "NAME: VALUE")]
    headers: Vec<String>,
    /// The body
    #[arg(long, value_name = "TEXT", conflicts_with = "body_file")]
    body: Option<String>,
    /// A file that holds the body
    #[arg(short = 'D', long, value_name = "FILE")]
    body_file: Option<PathBuf>,
    /// Limit on one attempt, from its send
    #[arg(long, value_name = "TIME", default_value = "5s")]
    timeout: Nanos,
    /// Limit on an operation, from its intended start [default: none]
    #[arg(long, value_name = "TIME")]
    deadline: Option<Nanos>,
    /// Attempts after the first, on 5xx, timeout and broken connections
    #[arg(long, value_name = "N", default_value_t = 0)]
    retries: u32,
    /// Operations that may wait for a connection; one more is shed, and the run is invalid
    #[arg(long, value_name = "N", default_value_t = 100_000)]
    backlog: u32,
    /// A connection for each request
    #[arg(long)]
    disable_keepalive: bool,
    /// A host other than this machine that may be loaded, exactly as the URL names it
    #[arg(long, value_name = "HOST")]
    allow: Option<String>,
    /// Seed of every random stream
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Print the summary as JSON instead of the table
    #[arg(long)]
    json: bool,
    /// Write the response times' histogram (`HdrHistogram` V2, base64) to a file
    #[arg(long, value_name = "FILE")]
    hdr: Option<PathBuf>,
    /// Accepted for users of other tools, and always on
    #[arg(long)]
    latency_correction: bool,
}

/// How long operations are scheduled, unless something else says so.
const DURATION: Nanos = Nanos::from_secs(10);
/// Bytes of a file of recorded times at most: some five million of them.
const RECORDING_MAX: u64 = 64 << 20;

const EXAMPLES: &str = "\
Examples:
  threadbare load http://127.0.0.1:8080/ -R 30000 -d 30s    an open loop: 30,000/s, whatever comes
  threadbare load http://127.0.0.1:8080/ -c 64 -d 10s       a closed loop, as fast as it goes
  threadbare load http://127.0.0.1:8080/ -R 200 --arrivals poisson --deadline 1s
  threadbare load http://127.0.0.1:8080/ -R 1000~500/30s -d 2min
  threadbare load http://127.0.0.1:8080/ --replay times.txt

Exit codes: 0 measured, 1 failed to run, 2 wrong usage, 3 environment unfit,
97 the generator was the bottleneck, 130/143 interrupted.";

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Spread {
    /// Evenly spaced
    Constant,
    /// Independent of each other: exponential gaps
    Poisson,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Closeness {
    /// Spins for the last microseconds before each send
    Precise,
    /// A kernel timer for each send
    Balanced,
    /// Gathers what is due for up to a millisecond
    Thrifty,
}

impl Arguments {
    pub(super) fn run(self, view: &View) -> Code {
        let (address, request) = self.request()?;
        let plan = self.plan(&request)?;
        let quiet = view.quiet || self.json;
        let options = run::Options {
            quiet,
            ..view.options(None)
        };
        let (record, findings, cause) = run::load(plan, address, Work::Http(request), &options)?;
        let answer = if self.json {
            report::json::render(&findings)?
        } else {
            report::load::render(&record, &findings)
        };
        print!("{answer}");
        if let Some(file) = &self.hdr {
            write_histogram(file, &record)?;
        }
        Ok(match (cause, findings.verdict) {
            (StopCause::Interrupted { signal }, _) => 128 + signal,
            (_, Verdict::Invalid) => EXIT_INVALID,
            _ => EXIT_PASSED,
        })
    }

    /// Where requests go, and what they are.
    fn request(&self) -> Result<(SocketAddr, HttpRequest)> {
        let wrong = |what: &str| {
            Error::usage(format!(
                "`{}` {what}; write a URL such as http://127.0.0.1:8080/",
                self.url.escape_debug()
            ))
        };
        let uri: Uri = self.url.parse().map_err(|_| wrong("is no URL"))?;
        match uri.scheme_str() {
            Some("http") => {}
            Some(_) => return Err(wrong("is not http, the only scheme so far")),
            None => return Err(wrong("has no scheme")),
        }
        let authority = uri.authority().ok_or_else(|| wrong("names no host"))?;
        if authority.as_str().contains('@') {
            return Err(wrong("holds a user's name: give it as a header instead"));
        }
        let body = self.body()?;
        let method = match &self.method {
            Some(method) => method.clone(),
            None if body.is_empty() => "GET".into(),
            None => "POST".into(),
        };
        let request = HttpRequest {
            method,
            target: uri
                .path_and_query()
                .map_or_else(|| "/".into(), |target| target.as_str().to_owned()),
            host: authority.as_str().to_owned(),
            headers: self.headers()?,
            body,
        };
        let host = authority.host().trim_matches(['[', ']']);
        let port = authority.port_u16().unwrap_or(80);
        Ok((self.resolve(host, port)?, request))
    }

    /// The one address that a host is resolved to, once; it is the address that
    /// must be this machine's, since a name can lead anywhere.
    fn resolve(&self, host: &str, port: u16) -> Result<SocketAddr> {
        let resolved = (host, port).to_socket_addrs().map_err(|cause| {
            Error::unfit(format!(
                "failed to resolve the host {host}: {cause}; is it spelt right?"
            ))
        })?;
        let addresses: Vec<SocketAddr> = resolved.collect();
        let local = |address: &&SocketAddr| address.ip().to_canonical().is_loopback();
        let named = self.allow.as_deref() == Some(host);
        let chosen = match addresses.iter().find(local) {
            Some(address) => Some(address),
            None if named => addresses.first(),
            None => None,
        };
        chosen.copied().ok_or_else(|| {
            let found = addresses.first().map(SocketAddr::ip);
            let found = found.map_or_else(|| "nothing".into(), |ip: IpAddr| ip.to_string());
            Error::usage(format!(
                "{host} is {found}, which is not this machine; where you may load it, say so with \
                 --allow {host}"
            ))
        })
    }

    fn body(&self) -> Result<Vec<u8>> {
        if let Some(file) = &self.body_file {
            return fs::read(file).map_err(|cause| {
                let file = file.display();
                Error::usage(format!("failed to read the body from {file}: {cause}"))
            });
        }
        Ok(self.body.clone().unwrap_or_default().into_bytes())
    }

    fn headers(&self) -> Result<Vec<(String, String)>> {
        let close = self
            .disable_keepalive
            .then(|| "connection: close".to_owned());
        let parsed = self.headers.iter().chain(&close).map(|header| {
            let (name, value) = header.split_once(':').ok_or_else(|| {
                Error::usage(
                    "a header has no colon; write it as -H 'accept: application/json'".to_owned(),
                )
            })?;
            Ok((name.trim().to_owned(), value.trim().to_owned()))
        });
        parsed.collect()
    }

    fn plan(&self, request: &HttpRequest) -> Result<Plan> {
        let replay = self.replay.as_deref().map(recorded).transpose()?;
        let closed = (self.rate.is_none() && replay.is_none()).then_some(ClosedLoop {
            users: self.connections,
            think: self.think,
        });
        let end = self.end(replay.as_ref());
        Ok(Plan {
            scenario: "load".into(),
            // The URL without its query: what stands there may be secret.
            title: {
                let path = request.target.split('?').next().unwrap_or_default();
                format!("{} {}{path}", request.method, request.host)
            },
            claim: String::new(),
            source: String::new(),
            seed: self.seed,
            story: None,
            warm_up: Nanos::ZERO,
            end,
            drain: self.deadline.unwrap_or(Nanos::ZERO).max(self.timeout),
            interval: Nanos::from_secs(1),
            fleet: None,
            load: Load {
                process: match self.arrivals {
                    Spread::Constant => ArrivalProcess::Constant,
                    Spread::Poisson => ArrivalProcess::Poisson,
                },
                rate: self
                    .rate
                    .as_ref()
                    .map_or_else(Vec::new, |rate| rate.pieces(end)),
                replay,
                mix: Vec::new(),
                client: ClientPolicy {
                    timeout: self.timeout,
                    deadline: self.deadline,
                    retries: self.retries,
                    backoff: Backoff::None,
                },
                connections: self.connections,
                backlog: self.backlog,
                drive: Drive {
                    closed,
                    operations: self.operations,
                    fresh_connections: self.disable_keepalive,
                    pacing: match self.pacing {
                        Closeness::Precise => Pacing::Precise,
                        Closeness::Balanced => Pacing::Balanced,
                        Closeness::Thrifty => Pacing::Thrifty,
                    },
                    threads: self.threads,
                },
            },
            monitors: Vec::new(),
            alerts: Vec::new(),
            timeline: Vec::new(),
            recovery: RecoveryRule::default(),
            expectations: Vec::new(),
        })
    }

    /// The end of the load: a count of operations at a rate takes its own time,
    /// and so does a recording.
    fn end(&self, replay: Option<&Replay>) -> Nanos {
        let last = match (self.operations, &self.rate, replay) {
            (Some(operations), Some(rate), _) => Some(rate.time_for(operations)),
            (_, _, Some(_)) if self.duration.is_some() => None,
            (_, _, Some(replay)) => replay.last(),
            _ => None,
        };
        match last {
            // The last one is due at that instant, and the end is exclusive.
            Some(last) => last.saturating_add(Nanos::from_millis(1)),
            None => self.duration.unwrap_or(DURATION),
        }
    }
}

/// The times that a file holds.
fn recorded(file: &Path) -> Result<Replay> {
    let wrong = |cause: &dyn fmt::Display| {
        let file = file.display();
        Error::usage(format!(
            "failed to read the recorded times in {file}: {cause}"
        ))
    };
    let mut bytes = Vec::new();
    let opened = fs::File::open(file).map_err(|cause| wrong(&cause))?;
    let read = opened.take(RECORDING_MAX + 1).read_to_end(&mut bytes);
    if read.map_err(|cause| wrong(&cause))? as u64 > RECORDING_MAX {
        return Err(wrong(&"it is longer than 64 MiB; split it"));
    }
    Replay::parse(&String::from_utf8_lossy(&bytes)).map_err(|cause| wrong(&cause))
}

fn write_histogram(file: &PathBuf, record: &Record) -> Result<()> {
    let text = report::load::response(record).map(|histogram| histogram.encode() + "\n");
    fs::write(file, text.unwrap_or_default()).map_err(|cause: io::Error| {
        let file = file.display();
        Error::failed(format!("failed to write the histogram to {file}: {cause}"))
    })
}
