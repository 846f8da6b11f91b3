//! `HAProxy` in front of Gunicorn with as many threads as it lets requests through
//! at a time (`maxconn`): what waits, waits in `HAProxy`.

use std::path::PathBuf;
use std::process::Command;

use threadbare::model::GaugeSource;

use super::{Class, Gunicorn, Process, Server, directory, free_ports, page};

/// Its admin socket, in its directory.
const ADMIN: &str = "admin.sock";

pub(crate) struct HaProxy {
    process: Process,
    statistics: u16,
    maxconn: u32,
    _behind: Gunicorn,
}

impl HaProxy {
    /// Starts it with so many requests at a time; more wait.
    pub(crate) fn start(maxconn: u32) -> Self {
        let behind = Gunicorn::start(Class::Threads, maxconn, None);
        let [port, statistics] = free_ports();
        let config = format!(
            "global\n  maxconn 200\n  stats socket unix@{ADMIN} level admin\ndefaults\n  mode http\n  timeout connect 5s\n  \
             timeout client 60s\n  timeout server 60s\n  timeout queue 60s\n\
             frontend web\n  bind 127.0.0.1:{port}\n  default_backend app\n\
             frontend statistics\n  bind 127.0.0.1:{statistics}\n  \
             http-request use-service prometheus-exporter if {{ path /metrics }}\n  \
             stats enable\n  stats uri /stats\n\
             backend app\n  server app1 {} maxconn {maxconn}\n",
            behind.address()
        );
        let mut command = Command::new("/usr/sbin/haproxy");
        command.args(["-db", "-f", "haproxy.cfg"]);
        let directory = directory(&[("haproxy.cfg", config.as_str())]);
        Self {
            process: Process::start(command, directory, port, "/"),
            statistics,
            maxconn,
            _behind: behind,
        }
    }
}

impl HaProxy {
    /// The port of its pages of statistics.
    pub(crate) fn statistics(&self) -> u16 {
        self.statistics
    }

    /// Its admin socket.
    pub(crate) fn admin(&self) -> PathBuf {
        self.process.path(ADMIN)
    }
}

impl Server for HaProxy {
    fn process(&self) -> &Process {
        &self.process
    }

    fn workers(&self) -> u32 {
        self.maxconn
    }

    /// The same by both of its pages.
    fn gauges(&self) -> Vec<GaugeSource> {
        let url = |path: &str| format!("http://127.0.0.1:{}{path}", self.statistics);
        vec![
            page("metrics", "haproxy", &url("/metrics")),
            page("csv", "haproxy", &url("/stats;csv")),
        ]
    }
}
