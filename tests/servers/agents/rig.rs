//! A NATS server, agents as processes, and a target that knows what it was asked for.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

use crate::run::{threadbare, wait_until};
use crate::server::free_ports;

/// What a busy machine may take for anything.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);

/// A NATS server; it is killed when it is dropped.
pub(crate) struct Nats {
    child: Child,
    folder: TempDir,
    host: String,
    port: u16,
    arguments: Vec<String>,
}

/// Where Debian's package has the server.
fn program() -> &'static str {
    let places = ["/usr/sbin/nats-server", "/usr/bin/nats-server"];
    let found = places.into_iter().find(|place| Path::new(place).exists());
    found.expect("nats-server is missing: run `./test setup`, which installs it")
}

impl Nats {
    /// Starts one on a port of its own, and waits until it listens.
    pub(crate) fn start(arguments: &[&str]) -> Self {
        Self::at("127.0.0.1", arguments)
    }

    /// The same at another address of this machine.
    fn at(host: &str, arguments: &[&str]) -> Self {
        let [port] = free_ports();
        let arguments: Vec<String> = arguments.iter().map(|it| (*it).to_owned()).collect();
        let folder = tempfile::tempdir().unwrap();
        let child = spawn((host, port), &arguments, &folder);
        let nats = Self {
            child,
            folder,
            host: host.to_owned(),
            port,
            arguments,
        };
        nats.await_ready();
        nats
    }

    /// One with a token, and encrypted; `ca.pem` in the folder vouches for it.
    pub(crate) fn encrypted(folder: &Path, token: &str) -> Self {
        Self::encrypted_at("127.0.0.1", folder, token)
    }

    /// The same at another address of this machine, which the certificate names.
    pub(crate) fn encrypted_at(host: &str, folder: &Path, token: &str) -> Self {
        authority(folder, host);
        let file = |name: &str| folder.join(name).display().to_string();
        let (cert, key) = (file("cert.pem"), file("key.pem"));
        let arguments = [
            "--auth",
            token,
            "--tls",
            "--tlscert",
            &cert,
            "--tlskey",
            &key,
        ];
        Self::at(host, &arguments)
    }

    pub(crate) fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }

    pub(crate) fn encrypted_url(&self) -> String {
        format!("tls://{}:{}", self.host, self.port)
    }

    /// Ends it as a crash would.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// The same server again, where it was.
    pub(crate) fn start_again(&mut self) {
        self.child = spawn((&self.host, self.port), &self.arguments, &self.folder);
        self.await_ready();
    }

    fn await_ready(&self) {
        wait_until(PATIENCE, "the NATS server listens", || {
            TcpStream::connect((self.host.as_str(), self.port)).is_ok()
        });
    }
}

fn spawn((host, port): (&str, u16), arguments: &[String], folder: &TempDir) -> Child {
    let log = fs::File::create(folder.path().join("log")).unwrap();
    Command::new(program())
        .args(["-a", host, "-p", &port.to_string()])
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log)
        .spawn()
        .unwrap()
}

impl Drop for Nats {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Writes `ca.pem`, and `cert.pem` with its key for a host.
fn authority(folder: &Path, host: &str) {
    let mut parameters = CertificateParams::default();
    parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let name = &mut parameters.distinguished_name;
    name.push(DnType::CommonName, "An authority of the tests");
    let issuer = CertifiedIssuer::self_signed(parameters, KeyPair::generate().unwrap()).unwrap();
    fs::write(folder.join("ca.pem"), issuer.pem()).unwrap();
    let key = KeyPair::generate().unwrap();
    let parameters = CertificateParams::new(vec![host.to_owned()]).unwrap();
    let certificate = parameters.signed_by(&key, &issuer).unwrap();
    fs::write(folder.join("cert.pem"), certificate.pem()).unwrap();
    fs::write(folder.join("key.pem"), key.serialize_pem()).unwrap();
}

/// An agent; it is killed when it is dropped.
pub(crate) struct Agent {
    child: Child,
    said: Arc<Mutex<Vec<String>>>,
}

impl Agent {
    /// Starts one, and waits until it waits for work.
    pub(crate) fn start(url: &str, name: &str) -> Self {
        Self::with(url, name, &[], &[])
    }

    /// The same with more arguments and variables.
    pub(crate) fn with(
        url: &str,
        name: &str,
        arguments: &[&str],
        variables: &[(&str, &str)],
    ) -> Self {
        Self::by(threadbare(), url, name, arguments, variables)
    }

    /// The same by a command that runs the program.
    pub(crate) fn by(
        mut program: Command,
        url: &str,
        name: &str,
        arguments: &[&str],
        variables: &[(&str, &str)],
    ) -> Self {
        let mut child = program
            .args(["agent", "--nats", url, "--name", name])
            .args(arguments)
            .envs(variables.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let said = Arc::new(Mutex::new(Vec::new()));
        let (lines, heard) = (
            BufReader::new(child.stderr.take().unwrap()),
            Arc::clone(&said),
        );
        thread::spawn(move || {
            for line in lines.lines().map_while(Result::ok) {
                heard.lock().unwrap().push(line);
            }
        });
        let agent = Self { child, said };
        agent.await_saying("waits for work");
        agent
    }

    pub(crate) fn has_said(&self, what: &str) -> bool {
        self.said
            .lock()
            .unwrap()
            .iter()
            .any(|line| line.contains(what))
    }

    pub(crate) fn await_saying(&self, what: &str) {
        wait_until(PATIENCE, what, || self.has_said(what));
    }

    /// Ends it as a crash would.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Sends it a signal.
    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A target that answers at once, and keeps the paths that it was asked for.
#[derive(Clone)]
pub(crate) struct Target {
    pub(crate) address: SocketAddr,
    paths: Arc<Mutex<Vec<String>>>,
}

impl Target {
    /// Serves as long as the test's process lives.
    pub(crate) fn start() -> Self {
        Self::at("127.0.0.1")
    }

    /// The same at another address of this machine.
    pub(crate) fn at(host: &str) -> Self {
        let listener = TcpListener::bind((host, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let paths = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&paths);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let kept = Arc::clone(&kept);
                thread::spawn(move || answer(&stream, &kept));
            }
        });
        Self { address, paths }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn asked(&self) -> usize {
        self.paths.lock().unwrap().len()
    }

    /// The paths, sorted.
    pub(crate) fn paths(&self) -> Vec<String> {
        let mut paths = self.paths.lock().unwrap().clone();
        paths.sort();
        paths
    }
}

fn answer(mut stream: &TcpStream, kept: &Mutex<Vec<String>>) {
    let mut path = String::new();
    for line in BufReader::new(stream).lines().map_while(Result::ok) {
        if let Some(asked) = line.strip_prefix("GET ") {
            asked
                .split(' ')
                .next()
                .unwrap_or_default()
                .clone_into(&mut path);
        }
        if line.is_empty() {
            kept.lock().unwrap().push(std::mem::take(&mut path));
            let response = b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nok\n";
            if stream.write_all(response).is_err() {
                return;
            }
        }
    }
}

/// `threadbare load URL … --json`, begun.
pub(crate) fn load(target: &str, agents: &str, arguments: &[&str]) -> Child {
    threadbare()
        .args(["load", target, "--json", "--agents", agents])
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// What it found, and its exit code.
pub(crate) fn found(load: Child) -> (Value, i32) {
    let output = load.wait_with_output().unwrap();
    let code = output.status.code().unwrap_or(-1);
    let text = String::from_utf8_lossy(&output.stdout);
    let found = serde_json::from_str(&text);
    (
        found.unwrap_or_else(|_| panic!("{code}: {}", said(&output))),
        code,
    )
}

pub(crate) fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}
