//! Gunicorn, with sync workers or with threads.
//!
//! A sync worker accepts only when it is free, so what waits is in the listening
//! socket's queue. Threads accept at once and queue inside, where nobody sees it.

use std::process::Command;

use threadbare::model::{GaugePlace, GaugeSource, Preset, Roles};
use threadbare::units::Nanos;

use super::{Process, Server, directory, free_ports, installed};

const APPLICATION: &str = r#"
import time
import urllib.request


def app(environ, start_response):
    path, value = environ["PATH_INFO"], environ["QUERY_STRING"].partition("=")[2]
    if path == "/sleep":
        time.sleep(int(value) / 1000)
    if path == "/dependency":
        urllib.request.urlopen(f"http://127.0.0.1:{value}/").read()
    start_response("200 OK", [("content-type", "text/plain"), ("content-length", "3")])
    return [b"ok\n"]
"#;

/// What its workers are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Class {
    /// Processes that serve one request at a time.
    Sync,
    /// Threads of one process.
    Threads,
}

pub(crate) struct Gunicorn {
    process: Process,
    workers: u32,
    statsd: Option<u16>,
}

impl Gunicorn {
    /// Starts it with so many workers; it sends its gauges to a port of this
    /// machine, where one is given. Whoever wants them all listens there before.
    pub(crate) fn start(class: Class, workers: u32, statsd: Option<u16>) -> Self {
        Self::start_with(class, workers, statsd, &[])
    }

    /// Starts it with one sync worker; the kernel keeps so many connections for it.
    pub(crate) fn with_backlog(backlog: u32) -> Self {
        let backlog = backlog.to_string();
        Self::start_with(Class::Sync, 1, None, &["--backlog", &backlog])
    }

    fn start_with(class: Class, workers: u32, statsd: Option<u16>, more: &[&str]) -> Self {
        let [port] = free_ports();
        let directory = directory(&[("app.py", APPLICATION)]);
        let mut command = Command::new(installed("gunicorn"));
        command.args(["--bind", &format!("127.0.0.1:{port}"), "--timeout", "300"]);
        // Its control socket would lie in a folder that all servers share.
        command.env("HOME", directory.path());
        let count = workers.to_string();
        match class {
            Class::Sync => command.args(["--workers", &count]),
            Class::Threads => command.args(["--workers", "1", "--threads", &count]),
        };
        if let Some(statsd) = statsd {
            command.args(["--statsd-host", &format!("127.0.0.1:{statsd}")]);
            command.arg("--enable-backlog-metric");
        }
        command.args(more).arg("app:app");
        Self {
            process: Process::start(command, directory, port, "/"),
            workers,
            statsd,
        }
    }

    /// Gauges that come to a port, to be listened to before it starts.
    pub(crate) fn sent_to(statsd: u16) -> GaugeSource {
        GaugeSource {
            name: "gunicorn".into(),
            place: GaugePlace::Statsd(([127, 0, 0, 1], statsd).into()),
            roles: Roles::of(Preset::of("gunicorn").unwrap()),
            every: Nanos::from_millis(100),
        }
    }
}

impl Server for Gunicorn {
    fn process(&self) -> &Process {
        &self.process
    }

    fn workers(&self) -> u32 {
        self.workers
    }

    fn gauges(&self) -> Vec<GaugeSource> {
        self.statsd.map(Self::sent_to).into_iter().collect()
    }
}
