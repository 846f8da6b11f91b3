//! Real servers, started by a test on ports of its own and stopped with it.
//!
//! Each has the same slow endpoint, which keeps one worker busy for as long as
//! it is asked to, and few workers, so that it is soon exhausted. A server runs
//! in a private directory and in a process group of its own, which is ended with
//! it, by its pid. `./test setup` installs what they need; where something is missing
//! the test fails and says what.

mod example;
mod gunicorn;
mod haproxy;
mod http_server;
mod prometheus;
mod puma;
mod tomcat;

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};
use tempfile::TempDir;
use threadbare::model::{GaugePlace, GaugeSource, Preset, Roles};
use threadbare::units::Nanos;

pub(crate) use example::Example;
pub(crate) use gunicorn::{Class, Gunicorn};
pub(crate) use haproxy::HaProxy;
pub(crate) use http_server::HttpServer;
pub(crate) use prometheus::Prometheus;
pub(crate) use puma::Puma;
pub(crate) use tomcat::Tomcat;

/// A virtual machine on a busy machine takes seconds; one that takes a minute is broken.
const READY_MAX: Duration = Duration::from_mins(1);
/// How long a server may take to end before its group is killed.
const END_MAX: Duration = Duration::from_secs(5);
/// Between two looks at a condition that is waited for.
const LOOK: Duration = Duration::from_millis(20);

/// A server that runs.
pub(crate) trait Server: Send + Sync {
    /// Its process.
    fn process(&self) -> &Process;

    /// How many requests it works on at a time.
    fn workers(&self) -> u32;

    /// Where its gauges are read; none where it publishes nothing.
    fn gauges(&self) -> Vec<GaugeSource>;

    /// Its process id: of the one that was started, which may have children.
    fn pid(&self) -> u32 {
        self.process().child.id()
    }

    /// Its address.
    fn address(&self) -> SocketAddr {
        self.process().address
    }

    /// Its address as a URL, without a path.
    fn url(&self) -> String {
        format!("http://{}", self.address())
    }

    /// The path of the endpoint that keeps a worker busy for so many milliseconds.
    fn slow_path(&self, ms: u64) -> String {
        format!("/sleep?ms={ms}")
    }

    /// The path of the endpoint that asks a server at this port of this machine.
    fn dependency_path(&self, port: u16) -> String {
        format!("/dependency?port={port}")
    }
}

/// A process of a server with its directory; it ends when it is dropped.
pub(crate) struct Process {
    child: Child,
    directory: TempDir,
    address: SocketAddr,
}

impl Process {
    /// Starts `command` in a private directory, and waits until a GET of `path` at this
    /// port is answered with 200; what it writes goes to its `log`.
    fn start(mut command: Command, directory: TempDir, port: u16, path: &str) -> Self {
        let log = File::create(directory.path().join("log")).unwrap();
        let program = command.get_program().to_owned();
        let child = command
            .current_dir(directory.path())
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .process_group(0)
            .spawn()
            .unwrap_or_else(|cause| panic!("{}: {cause}; `./test` installs it", program.display()));
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        let mut process = Self {
            child,
            directory,
            address,
        };
        process.await_ready(path);
        process
    }

    /// What it has written.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.path("log")).unwrap_or_default()
    }

    /// A file of its directory.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn await_ready(&mut self, path: &str) {
        let begun = Instant::now();
        loop {
            if get(self.address, path).is_some_and(|answer| answer.starts_with("HTTP/1.1 200")) {
                return;
            }
            let ended = self.child.try_wait().unwrap();
            assert!(
                ended.is_none() && begun.elapsed() < READY_MAX,
                "the server is not ready ({ended:?}); it wrote:\n{}",
                self.log()
            );
            thread::sleep(LOOK);
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let group = Pid::from_child(&self.child);
        let _ = kill_process_group(group, Signal::TERM);
        let begun = Instant::now();
        while matches!(self.child.try_wait(), Ok(None)) && begun.elapsed() < END_MAX {
            thread::sleep(LOOK);
        }
        // Whatever is left of the group; the pid is its own until it was awaited.
        let _ = kill_process_group(group, Signal::KILL);
        let _ = self.child.wait();
    }
}

/// Ports of this machine that were free a moment ago, each another.
pub(crate) fn free_ports<const N: usize>() -> [u16; N] {
    let held = [(); N].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
    held.map(|listener| listener.local_addr().unwrap().port())
}

/// A dependency that answers every request at once, as long as the test's process lives.
pub(crate) fn dependency() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            thread::spawn(move || answer(&stream));
        }
    });
    address
}

/// Answers until the client closes. A request ends with an empty line.
fn answer(mut stream: &TcpStream) {
    let lines = BufReader::new(stream).lines();
    for line in lines.map_while(Result::ok) {
        let response = b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nok\n";
        if line.is_empty() && stream.write_all(response).is_err() {
            return;
        }
    }
}

fn directory(files: &[(&str, &str)]) -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    for (name, content) in files {
        let path = directory.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }
    directory
}

/// Gauges on a page, read as often as a test wants to see them.
fn page(name: &str, preset: &str, url: &str) -> GaugeSource {
    GaugeSource {
        name: name.into(),
        place: GaugePlace::Page(url.parse().unwrap()),
        roles: Roles::of(Preset::of(preset).unwrap()),
        every: Nanos::from_millis(100),
    }
}

/// The answer to a GET, if there is one.
pub(crate) fn get(address: SocketAddr, path: &str) -> Option<String> {
    let mut stream = ask(address, path)?;
    stream.set_read_timeout(Some(READY_MAX)).ok()?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).ok()?;
    Some(String::from_utf8_lossy(&answer).into_owned())
}

/// A connection on which a GET has been sent.
pub(crate) fn ask(address: SocketAddr, path: &str) -> Option<TcpStream> {
    let mut stream = TcpStream::connect_timeout(&address, READY_MAX).ok()?;
    let (line, rest) = request(address, path);
    stream.write_all((line + &rest).as_bytes()).ok()?;
    Some(stream)
}

/// The line of a request, and the rest of it.
fn request(address: SocketAddr, path: &str) -> (String, String) {
    let rest = format!("host: {address}\r\nconnection: close\r\n\r\n");
    (format!("GET {path} HTTP/1.1\r\n"), rest)
}

/// Requests that keep a server's workers busy, each on a connection of its own.
pub(crate) struct Occupied(Vec<TcpStream>);

impl Occupied {
    /// Sends so many requests to the slow endpoint, of so many milliseconds each.
    pub(crate) fn with(server: &dyn Server, requests: u32, ms: u64) -> Self {
        let path = server.slow_path(ms);
        let sent = (0..requests).map(|_| ask(server.address(), &path).unwrap());
        Self(sent.collect())
    }

    /// The same from clients whose connections the server has accepted before the
    /// first of them asks, as with connections that are kept. A server that
    /// accepts only while it has a free worker queues these inside.
    pub(crate) fn accepted(server: &dyn Server, requests: u32, ms: u64) -> Self {
        let address = server.address();
        let (line, rest) = request(address, &server.slow_path(ms));
        let begun = (0..requests).map(|_| {
            let mut stream = TcpStream::connect(address).unwrap();
            stream.write_all(line.as_bytes()).unwrap();
            stream
        });
        let mut begun: Vec<_> = begun.collect();
        // Connections are accepted in order: where a later one is answered, these were.
        assert!(get(address, "/").is_some());
        for stream in &mut begun {
            stream.write_all(rest.as_bytes()).unwrap();
        }
        Self(begun)
    }

    /// Waits until every one of them was answered.
    pub(crate) fn release(self) {
        for mut stream in self.0 {
            stream.set_read_timeout(Some(READY_MAX)).unwrap();
            let mut answer = String::new();
            stream.read_to_string(&mut answer).unwrap();
            assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        }
    }
}

/// What `./test` installs from the Python package index.
pub(crate) fn installed(program: &str) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    root.join("target/venv/bin").join(program)
}
