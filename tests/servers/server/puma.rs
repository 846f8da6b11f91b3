//! Puma, one process with threads, and its control application on another port.

use std::process::Command;

use threadbare::model::GaugeSource;

use super::{Process, Server, directory, free_ports, page};

const APPLICATION: &str = r#"
require "net/http"

run lambda { |env|
  path, value = env["PATH_INFO"], env["QUERY_STRING"].split("=").last.to_i
  sleep(value / 1000.0) if path == "/sleep"
  Net::HTTP.get(URI("http://127.0.0.1:#{value}/")) if path == "/dependency"
  [200, {"content-type" => "text/plain"}, ["ok\n"]]
}
"#;

/// What the control application asks for.
const TOKEN: &str = "a-token-of-the-test";

pub(crate) struct Puma {
    process: Process,
    control: u16,
    threads: u32,
}

impl Puma {
    /// Starts it with so many threads.
    pub(crate) fn start(threads: u32) -> Self {
        Self::start_with(threads, "")
    }

    /// Starts it with one thread; the kernel keeps so many connections for it.
    pub(crate) fn with_backlog(backlog: u32) -> Self {
        Self::start_with(1, &format!("?backlog={backlog}"))
    }

    fn start_with(threads: u32, of_socket: &str) -> Self {
        let [port, control] = free_ports();
        let mut command = Command::new("puma");
        command.args(["--bind", &format!("tcp://127.0.0.1:{port}{of_socket}")]);
        command.args(["--control-url", &format!("tcp://127.0.0.1:{control}")]);
        command.args(["--control-token", TOKEN]);
        command.args(["--threads", &format!("{threads}:{threads}"), "config.ru"]);
        let directory = directory(&[("config.ru", APPLICATION)]);
        Self {
            process: Process::start(command, directory, port, "/"),
            control,
            threads,
        }
    }
}

impl Server for Puma {
    fn process(&self) -> &Process {
        &self.process
    }

    fn workers(&self) -> u32 {
        self.threads
    }

    fn gauges(&self) -> Vec<GaugeSource> {
        let url = format!("http://127.0.0.1:{}/stats?token={TOKEN}", self.control);
        vec![page("puma", "puma", &url)]
    }
}
