//! `HAProxy` in front of a server of this test's, which takes as many requests at
//! a time as come: the limit is the proxy's, `maxconn`.

use std::process::Command;
use std::time::Duration;

use threadbare::model::GaugeSource;

use super::{Process, Server, directory, free_ports, page, plain};

pub(crate) struct HaProxy {
    process: Process,
    port: u16,
    statistics: u16,
    maxconn: u32,
    _behind: plain::Server,
}

impl HaProxy {
    /// Starts it with so many requests at a time; more wait.
    pub(crate) fn start(maxconn: u32) -> Self {
        let behind = plain::Server::start(|request| {
            let ms = request
                .line()
                .split_once("ms=")
                .map_or("", |(_, rest)| rest);
            let ms = ms.split(' ').next().and_then(|ms| ms.parse().ok());
            plain::Answer::status(200).after(Duration::from_millis(ms.unwrap_or(0)))
        });
        let [port, statistics] = free_ports();
        let config = format!(
            "global\n  maxconn 200\ndefaults\n  mode http\n  timeout connect 5s\n  \
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
        let mut server = Self {
            process: Process::start(command, directory),
            port,
            statistics,
            maxconn,
            _behind: behind,
        };
        let address = server.address();
        server.process.await_ready(address, "/");
        server
    }
}

impl Server for HaProxy {
    fn process(&self) -> &Process {
        &self.process
    }

    fn port(&self) -> u16 {
        self.port
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
