//! Python's `http.server`, which serves one connection after the other.

use std::process::Command;

use threadbare::model::GaugeSource;

use super::{Process, Server, directory, free_ports};

const PROGRAM: &str = r#"
import http.server
import sys
import time


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        path, _, value = self.path.partition("?ms=")
        if path == "/sleep":
            time.sleep(int(value) / 1000)
        self.send_response(200)
        self.send_header("content-length", "3")
        self.send_header("connection", "close")
        self.end_headers()
        self.wfile.write(b"ok\n")

    def log_message(self, *arguments):
        pass


http.server.HTTPServer.request_queue_size = int(sys.argv[2])
http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"#;

pub(crate) struct HttpServer {
    process: Process,
}

impl HttpServer {
    /// Starts it; the kernel keeps so many connections for it.
    pub(crate) fn start(backlog: u32) -> Self {
        let [port] = free_ports();
        let mut command = Command::new("python3");
        command.args(["program.py", &port.to_string(), &backlog.to_string()]);
        let directory = directory(&[("program.py", PROGRAM)]);
        Self {
            process: Process::start(command, directory, port, "/"),
        }
    }
}

impl Server for HttpServer {
    fn process(&self) -> &Process {
        &self.process
    }

    fn workers(&self) -> u32 {
        1
    }

    fn gauges(&self) -> Vec<GaugeSource> {
        Vec::new()
    }
}
