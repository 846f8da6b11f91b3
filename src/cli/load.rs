//! `threadbare load`: a load on any HTTP server, and its result.

use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::{fmt, io, iter};

use clap::{Args, ValueEnum};
use hyper::Uri;

use super::by_agents::LoadByAgents;
use super::ci::CiReport;
use super::client::ClientArguments;
use super::gated::Gated;
use super::offered::Offered;
use super::request::RequestArguments;
use super::telemetry::{self, TelemetryArguments};
use super::{Code, View};
use crate::error::{Error, Result};
use crate::load::{Address, Endpoint, Protocol, Redirects, Work};
use crate::model::{ArrivalProcess, HttpWork, Part, Replay, TargetSpec};
use crate::net::{AllowedHosts, KnownHosts, Tls, TlsOptions};
use crate::plan::{ClosedLoop, Drive, Load, Pacing, Plan, kinds};
use crate::record::Observer;
use crate::telemetry::Telemetry;
use crate::units::Nanos;
use crate::{bounds, files, report, run, scenario};

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a flag of its own on the command line"
)]
pub(super) struct Arguments {
    /// The URL to load, such as `http://127.0.0.1:8080/` or `https://localhost:8443/`
    url: String,
    /// Total operations per second, whatever the target does: `2000`, a ramp
    /// `1000:20000`, steps of equal length `1000,2000,4000`, a rate with spikes
    /// `1000,5000@10s+5s` (5000 from 10 s on, for 5 s) or a sine `1000~500/30s`
    /// (1000 ± 500, one period every 30 s) [default: a closed loop, in which each
    /// connection sends the next request when it is answered]
    #[arg(short = 'R', long, short_alias = 'q', value_name = "RATE")]
    rate: Option<Offered>,
    /// A file of recorded times to replay: one line each, in seconds since the
    /// start, such as `12.345`; `#` begins a comment
    #[arg(long, value_name = "FILE", conflicts_with_all = ["rate", "arrivals", "think"])]
    replay: Option<PathBuf>,
    /// Limit on connections; when all are in use, operations wait for one
    #[arg(short, long, value_name = "N", default_value_t = 64, value_parser = clap::value_parser!(u32).range(0..=1_000_000))]
    connections: u32,
    /// How long operations are scheduled; then those in flight are drained for the
    /// timeout and the pauses of their retries, or the deadline [default: 10s, or
    /// until the last recorded time]
    #[arg(short, long, short_alias = 'z', value_name = "TIME", value_parser = super::some_time)]
    duration: Option<Nanos>,
    /// Limit on operations [default: as many as the time allows]
    #[arg(short = 'n', long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    operations: Option<u64>,
    /// Threads that share the load
    #[arg(short, long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(0..=1024))]
    threads: u32,
    /// How arrivals are spread
    #[arg(long, value_enum, default_value_t = Spread::Constant)]
    arrivals: Spread,
    /// How closely sends follow their intended starts; the closer, the more CPU
    #[arg(long, value_enum, default_value_t = Closeness::Balanced)]
    pacing: Closeness,
    /// Pause between an answer and the next request, in a closed loop
    #[arg(
        long,
        value_name = "TIME",
        default_value = "0s",
        conflicts_with = "rate"
    )]
    think: Nanos,
    /// A file of operations, with weights, steps, values and checks (docs/LOAD.md);
    /// the URL then names the host only
    #[arg(short, long, value_name = "FILE", conflicts_with_all = ["method", "body", "body_file"])]
    file: Option<PathBuf>,
    #[command(flatten)]
    request: RequestArguments,
    #[command(flatten)]
    client: ClientArguments,
    /// Limit on operations that wait for a connection; one more is shed, and the
    /// measurement is invalid
    #[arg(long, value_name = "N", default_value_t = 100_000, value_parser = clap::value_parser!(u32).range(0..=1_000_000))]
    backlog: u32,
    /// Open a connection for each request
    #[arg(long)]
    disable_keepalive: bool,
    /// Use HTTP/2: with prior knowledge for http, by ALPN for https
    #[arg(long, conflicts_with = "disable_keepalive")]
    http2: bool,
    /// Limit on concurrent requests on each HTTP/2 connection
    #[arg(long, value_name = "N", default_value_t = TargetSpec::STREAMS, requires = "http2", value_parser = clap::value_parser!(u32).range(0..=10_000))]
    streams: u32,
    /// Connect to this Unix socket instead of the URL's host
    #[arg(long, value_name = "FILE", conflicts_with = "resolve")]
    unix_socket: Option<PathBuf>,
    /// Use this address for a host, as `HOST:PORT:ADDRESS`; may be repeated
    #[arg(long, value_name = "HOST:PORT:ADDRESS", value_parser = override_of)]
    resolve: Vec<Override>,
    /// Trust any certificate
    #[arg(short = 'k', long)]
    insecure: bool,
    /// A file of certificates (PEM) to trust in place of the system's
    #[arg(long, value_name = "FILE", conflicts_with = "insecure")]
    cacert: Option<PathBuf>,
    /// A file with the client's certificate chain (PEM)
    #[arg(long, value_name = "FILE", requires = "key")]
    cert: Option<PathBuf>,
    /// A file with the client's private key (PEM)
    #[arg(long, value_name = "FILE", requires = "cert")]
    key: Option<PathBuf>,
    /// Allow a host other than this machine, exactly as the URL names it; may be
    /// repeated
    #[arg(long, alias = "allow", value_name = "HOST")]
    allow_host: Vec<String>,
    /// Seed of every random stream
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// What must hold, such as 'p99 <= 50ms', 'error share <= 0.1 %' or
    /// 'p99 from 10s to the end <= 80ms'; may be repeated (docs/EXPECTATIONS.md)
    #[arg(long, value_name = "EXPECTATION")]
    expect: Vec<String>,
    /// Write a run directory, which `report`, `compare` and `trend` read: every interval,
    /// histograms, the page [default: nothing is written]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Print the summary as JSON instead of the table
    #[arg(long, conflicts_with_all = ["repeat", "baseline"])]
    json: bool,
    /// Write the histograms of each interval to this file, as an interval log of
    /// `HdrHistogram`; with --repeat each run has its own `latency.hlog`
    #[arg(long, value_name = "FILE", conflicts_with = "repeat")]
    hdr: Option<PathBuf>,
    /// Show the load on a full screen of the terminal; lines where there is none
    #[arg(long)]
    screen: bool,
    #[command(flatten)]
    gated: Gated,
    #[command(flatten)]
    by_agents: LoadByAgents,
    #[command(flatten)]
    telemetry: TelemetryArguments,
    /// Accepted for users of other tools; always on
    #[arg(long)]
    latency_correction: bool,
}

/// Requests at a time at most: each is held in memory.
const USERS_MAX: u32 = 1_000_000;
/// How long operations are scheduled, unless something else says so.
const DURATION: Nanos = Nanos::from_secs(10);

const EXAMPLES: &str = "\
Examples:
  threadbare load http://127.0.0.1:8080/ -R 30000 -d 30s    an open loop: 30,000/s, whatever comes
  threadbare load http://127.0.0.1:8080/ -c 64 -d 10s       a closed loop, as fast as it goes
  threadbare load http://127.0.0.1:8080/ -R 200 --arrivals poisson --deadline 1s
  threadbare load http://127.0.0.1:8080/ -R 1000~500/30s -d 2min
  threadbare load http://127.0.0.1:8080/ --replay times.txt
  threadbare load http://127.0.0.1:8080/ -R 500 --file shop.toml    operations of several steps
  threadbare load http://127.0.0.1:8080/ -R 500 --expect 'p99 <= 50ms' --expect 'error share <= 0.1 %'
  threadbare load http://127.0.0.1:8080/ -R 500 -d 60s --out reports/load-1    a run to compare
  threadbare load http://shop.test/ -R 800000 --allow-host shop.test --agents tls://nats.test --generators 4
  threadbare load https://localhost:8443/ --http2 -c 4 --streams 32 --cacert ca.pem

Exit codes: 0 measured, and what was expected held; 1 nothing succeeded or failed to run,
2 wrong usage, 3 environment unfit, 97 measurement invalid, 99 an expectation failed,
130/143 interrupted.";

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
    /// Waits for a kernel timer before each send
    Balanced,
    /// Sends once a millisecond what is due
    Thrifty,
}

/// An address for a host and port, in place of what the system would resolve.
#[derive(Debug, Clone)]
struct Override {
    host: String,
    port: u16,
    address: IpAddr,
}

fn override_of(text: &str) -> std::result::Result<Override, String> {
    let read = || {
        // An IPv6 address in brackets has colons of its own, as a host or as the address.
        let (host, rest) = match text.strip_prefix('[') {
            Some(text) => text.split_once("]:")?,
            None => text.split_once(':')?,
        };
        let (port, address) = rest.split_once(':')?;
        Some(Override {
            host: host.to_owned(),
            port: port.parse().ok()?,
            address: address.trim_matches(['[', ']']).parse().ok()?,
        })
    };
    match read() {
        Some(given) if !given.host.is_empty() => Ok(given),
        _ => Err("write it as HOST:PORT:ADDRESS, such as shop.test:80:127.0.0.1".into()),
    }
}

impl Arguments {
    pub(super) fn run(self, view: &View) -> Code {
        self.by_agents.refuse(&[
            (self.unix_socket.is_some(), "--unix-socket"),
            (self.cert.is_some(), "--cert with its key"),
        ])?;
        self.by_agents.refuse_changing(self.gated.repeats())?;
        let engagement = self.by_agents.engagement(&self.allow_host)?;
        let (endpoint, host, work) = self.request(view)?;
        let mut plan = self.plan(&host, &work)?;
        let color = view.color(&io::stderr());
        let expected = self.expect.iter();
        let expected = expected.map(|text| scenario::expectation(text, &plan.kinds, color));
        plan.expectations = expected.collect::<Result<_>>()?;
        let plan = self.gated.plan(plan);
        let quiet = view.quiet || self.json;
        let screen = view.screen(self.screen);
        self.telemetry.beside(screen)?;
        let options = run::Options {
            quiet,
            screen,
            histograms: self.hdr.clone(),
            agents: engagement,
            ..view.options(self.out.clone())
        };
        if self.gated.is_wanted() {
            return self.gated.run(&plan, view, &options, &mut |plan, options| {
                let work = Work::Http {
                    host: host.clone(),
                    work: work.clone(),
                };
                let plan = self.telemetry.plan(plan);
                let telemetry = self.telemetry.start(&plan, &self.allow_host)?;
                let views = views(telemetry.as_ref());
                let loaded = run::load(plan, endpoint.clone(), work, options, views);
                let (record, findings, written) = loaded?;
                super::answer(report::load::line(&record, &findings).as_bytes())?;
                if let Some(telemetry) = telemetry {
                    telemetry::end(telemetry, &record, &findings);
                }
                written.map(|()| findings)
            });
        }
        let work = Work::Http { host, work };
        let plan = self.telemetry.plan(plan);
        let telemetry = self.telemetry.start(&plan, &self.allow_host)?;
        let views = views(telemetry.as_ref());
        let (record, findings, written) = run::load(plan, endpoint, work, &options, views)?;
        let answer = if self.json {
            report::json::render(&findings)?
        } else if view.quiet {
            report::load::line(&record, &findings)
        } else {
            report::load::render(&record, &findings)
        };
        super::answer(answer.as_bytes())?;
        if let Some(telemetry) = telemetry {
            telemetry::end(telemetry, &record, &findings);
        }
        written?;
        if let Some(directory) = self.out.as_deref().filter(|_| !quiet) {
            let page = directory.join("report.html");
            super::answer(format!("\nReport: {}\n", page.display()).as_bytes())?;
        }
        CiReport::default().run(&findings).write()?;
        Ok(findings.exit_code())
    }

    /// Where requests go, the host that they name, and what they are.
    fn request(&self, view: &View) -> Result<(Endpoint, String, HttpWork)> {
        let wrong = |what: &str| {
            Error::usage(format!(
                "`{}` {what}; write a URL such as http://127.0.0.1:8080/",
                self.url.escape_debug()
            ))
        };
        let uri: Uri = self.url.parse().map_err(|_| wrong("is not a URL"))?;
        let encrypted = match uri.scheme_str() {
            Some("http") => false,
            Some("https") => true,
            Some(_) => return Err(wrong("is neither http nor https")),
            None => return Err(wrong("has no scheme")),
        };
        let authority = uri.authority().ok_or_else(|| wrong("names no host"))?;
        if authority.as_str().contains('@') {
            return Err(wrong("holds a user's name: give it as a header instead"));
        }
        let target = uri.path_and_query().map_or("/", |target| target.as_str());
        // `http://host?x=1` asks for `/?x=1`.
        let target = &match target.strip_prefix('?') {
            Some(query) => format!("/?{query}"),
            None => target.to_owned(),
        };
        let work = match &self.file {
            None => self.request.work(target, self.headers()?)?,
            Some(_) if target.as_str() != "/" => {
                return Err(wrong("has a path, and the file of operations has its own"));
            }
            Some(file) => {
                let colour = view.color(&io::stderr());
                self.with_headers(scenario::load_operations(file, colour)?)?
            }
        };
        let host = authority.host().trim_matches(['[', ']']);
        let port = match authority.port_u16() {
            Some(0) => return Err(wrong("has port 0")),
            Some(port) => port,
            // What stands there is not a number up to 65,535.
            None if authority.as_str() != authority.host() => {
                return Err(wrong("has an invalid port"));
            }
            None if encrypted => 443,
            None => 80,
        };
        let endpoint = Endpoint {
            address: match &self.unix_socket {
                Some(path) => Address::Unix(path.clone()),
                None => Address::Tcp(self.resolve(host, port)?),
            },
            tls: encrypted.then(|| self.tls(host)).transpose()?,
            protocol: if self.http2 {
                let streams = self.streams;
                Protocol::Http2 { streams }
            } else {
                Protocol::Http1
            },
            redirects: self.redirects(host, &work)?,
        };
        Ok((endpoint, authority.as_str().to_owned(), work))
    }

    /// Operations whose every request has the headers of the command line too,
    /// in place of its own of those names.
    fn with_headers(&self, mut work: HttpWork) -> Result<HttpWork> {
        let given = self.headers()?;
        let steps = work.operations.iter_mut().flat_map(|kind| &mut kind.steps);
        for step in steps {
            for (name, value) in &given {
                step.headers
                    .retain(|(own, _)| !own.eq_ignore_ascii_case(name));
                let value = vec![Part::Literal(value.clone().into_bytes())];
                step.headers.push((name.clone(), value));
            }
        }
        Ok(work)
    }

    fn tls(&self, host: &str) -> Result<Tls> {
        let options = TlsOptions {
            insecure: self.insecure,
            ca: self.cacert.clone(),
            identity: self.cert.clone().zip(self.key.clone()),
        };
        Tls::new(host, self.http2, &options)
    }

    /// The one address of a host: the user's own, or what the system resolves it to;
    /// checked in either case.
    fn resolve(&self, host: &str, port: u16) -> Result<SocketAddr> {
        let allowed = AllowedHosts::of_command_line(self.allow_host.clone());
        let mut overrides = self.resolve.iter();
        match overrides.find(|given| given.host.eq_ignore_ascii_case(host) && given.port == port) {
            Some(given) => allowed.choose(host, &[SocketAddr::new(given.address, port)]),
            None => allowed.resolve(host, port),
        }
    }

    /// Where redirects may lead besides: over one protocol on TCP, and where any is followed.
    fn redirects(&self, host: &str, work: &HttpWork) -> Result<Option<Redirects>> {
        if self.http2 || self.unix_socket.is_some() || !work.follows() {
            return Ok(None);
        }
        let allowed = AllowedHosts::of_command_line(self.allow_host.clone());
        let given = self.resolve.iter();
        let given = given.map(|given| (given.host.clone(), given.port, given.address));
        let given: Vec<_> = given.collect();
        Ok(Some(Redirects {
            hosts: KnownHosts::look_up(allowed, iter::once(host), &given),
            tls: self.tls(host)?,
        }))
    }

    /// The headers of the command line.
    fn headers(&self) -> Result<Vec<(String, String)>> {
        let mut headers = self.request.headers()?;
        if self.disable_keepalive {
            headers.push(("connection".to_owned(), "close".to_owned()));
        }
        Ok(headers)
    }

    fn plan(&self, host: &str, work: &HttpWork) -> Result<Plan> {
        let at_a_time = if self.http2 { self.streams } else { 1 };
        let users = self.connections.saturating_mul(at_a_time);
        if users > USERS_MAX {
            return Err(Error::usage(format!(
                "{} connections of {at_a_time} requests at a time are more than the {USERS_MAX} \
                 that are held in memory; lower --connections or --streams",
                self.connections
            )));
        }
        let replay = self.replay.as_deref().map(recorded).transpose()?;
        let closed = (self.rate.is_none() && replay.is_none()).then_some(ClosedLoop {
            users,
            think: self.think,
        });
        let end = self.end(replay.as_ref());
        Ok(Plan {
            scenario: "load".into(),
            title: {
                let names: Vec<_> = work.names().collect();
                format!("{host}: {}", names.join(", "))
            },
            requests: if self.http2 {
                format!("{} over HTTP/2", work.digest())
            } else {
                work.digest()
            },
            kinds: kinds(work.names().map(str::to_owned).collect()),
            seed: self.seed,
            end,
            drain: self.client.longest(),
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
                client: self.client.policy(),
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
                ..Load::default()
            },
            ..Plan::default()
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
            Some(last) => {
                let end = last.saturating_add(Nanos::from_millis(1));
                self.duration.map_or(end, |most| end.min(most))
            }
            None => self.duration.unwrap_or(DURATION),
        }
    }
}

/// Who hears of a load besides the terminal.
fn views(telemetry: Option<&Telemetry>) -> Vec<Box<dyn Observer + Send>> {
    let view = telemetry.map(|telemetry| Box::new(telemetry.view()) as Box<dyn Observer + Send>);
    view.into_iter().collect()
}

/// The times that a file holds.
fn recorded(file: &Path) -> Result<Replay> {
    let wrong = |cause: &dyn fmt::Display| {
        let file = file.display();
        Error::usage(format!(
            "failed to read the recorded times in {file}: {cause}"
        ))
    };
    let bytes = files::read(file, &bounds::REPLAY).map_err(|cause| wrong(&cause))?;
    Replay::parse(&String::from_utf8_lossy(&bytes)).map_err(|cause| wrong(&cause))
}
