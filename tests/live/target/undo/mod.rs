//! An undo is complete: it reaches what came into being meanwhile, is begun once, needs
//! neither a log nor its directory, and says what it cannot reach.

mod directories;
mod families;
mod under_way;

use std::fs;
use std::path::Path;

use super::{Case, command, free_port, recover, said};
use crate::rig::signal;

/// A server with one worker at a time: one that ends is replaced. Each after the first
/// starts a process in a session of its own, which nobody is the parent of.
const PREFORK: &str = r#"
import http.server, os, sys, time
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1
    def do_GET(self):
        self.send_response(200)
        self.send_header("content-length", "2")
        self.end_headers()
        self.wfile.write(b"ok")
    def log_message(self, *arguments): pass
server = http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler)
print("listening on", server.server_address[1], flush=True)
def daemon():
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            time.sleep(120)
        os._exit(0)
    os.wait()
def worker(first):
    if os.fork() == 0:
        if not first and "daemon" in sys.argv:
            daemon()
        server.serve_forever()
worker(True)
while True:
    os.wait()
    worker(False)
"#;

/// Processes whose folder is this one, each with its soft limit on open files.
fn open_files(folder: &Path) -> Vec<(u32, String)> {
    let processes = fs::read_dir("/proc").unwrap();
    let found = processes.filter_map(|entry| {
        let path = entry.ok()?.path();
        let pid: u32 = path.file_name()?.to_str()?.parse().ok()?;
        let there = fs::read_link(path.join("cwd")).ok()?;
        (there == folder.canonicalize().ok()?).then_some(())?;
        let text = fs::read_to_string(path.join("limits")).ok()?;
        let line = text
            .lines()
            .find(|line| line.starts_with("Max open files"))?;
        Some((pid, line.split_whitespace().nth(3)?.to_owned()))
    });
    found.collect()
}

/// How many of them have this limit.
fn with_limit(folder: &Path, limit: &str) -> usize {
    let files = open_files(folder).into_iter();
    files.filter(|(_, files)| files == limit).count()
}
