//! A small HTTP/1.1 server with a thread for each connection, told how to answer.
//!
//! It shares no code with what it tests. A thread that waits is a server that
//! takes so long, not a test that sleeps until something may have happened.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// A request as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Request {
    /// The head and the body.
    pub(crate) text: String,
    /// How many requests came before it on its connection.
    pub(crate) index: usize,
}

impl Request {
    pub(crate) fn line(&self) -> &str {
        self.text.lines().next().unwrap_or_default()
    }
}

/// What to do about a request.
#[derive(Debug, Clone)]
pub(crate) struct ScriptedAnswer {
    /// How long it takes.
    pub(crate) after: Duration,
    /// What is written, each piece by itself.
    pub(crate) pieces: Vec<Vec<u8>>,
    /// What comes after it.
    pub(crate) then: Then,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Then {
    /// Wait for the next request.
    Keep,
    /// Close the connection.
    Close,
    /// Do nothing until the other side closes.
    Hang,
}

impl ScriptedAnswer {
    /// An answer with this status and a small body.
    pub(crate) fn status(status: u16) -> Self {
        let text = format!("HTTP/1.1 {status} Whatever\r\ncontent-length: 13\r\n\r\nHello, world!");
        Self::text(&text)
    }

    /// These bytes, whatever they are.
    pub(crate) fn text(text: &str) -> Self {
        Self {
            after: Duration::ZERO,
            pieces: vec![text.as_bytes().to_vec()],
            then: Then::Keep,
        }
    }

    /// No answer, ever.
    pub(crate) fn never() -> Self {
        Self::text("").then(Then::Hang)
    }

    pub(crate) fn after(mut self, after: Duration) -> Self {
        self.after = after;
        self
    }

    pub(crate) fn then(mut self, then: Then) -> Self {
        self.then = then;
        self
    }

    /// The same, byte by byte.
    pub(crate) fn byte_by_byte(mut self) -> Self {
        self.pieces = self
            .pieces
            .concat()
            .into_iter()
            .map(|byte| vec![byte])
            .collect();
        self
    }
}

type Behaviour = dyn Fn(&Request) -> ScriptedAnswer + Send + Sync;

struct Shared {
    behaviour: Box<Behaviour>,
    log: Mutex<Vec<Request>>,
    connections: AtomicUsize,
    stopping: AtomicBool,
}

/// A server on a port of its own; it ends when it is dropped.
pub(crate) struct Server {
    address: SocketAddr,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    pub(crate) fn start(
        behaviour: impl Fn(&Request) -> ScriptedAnswer + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared {
            behaviour: Box::new(behaviour),
            log: Mutex::default(),
            connections: AtomicUsize::new(0),
            stopping: AtomicBool::new(false),
        });
        let thread = thread::spawn({
            let shared = Arc::clone(&shared);
            move || accept(&listener, &shared)
        });
        Self {
            address,
            shared,
            thread: Some(thread),
        }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Every request so far, in the order in which they were read.
    pub(crate) fn requests(&self) -> Vec<Request> {
        self.shared.log.lock().unwrap().clone()
    }

    /// Connections accepted so far.
    pub(crate) fn connections(&self) -> usize {
        self.shared.connections.load(Ordering::SeqCst)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.shared.stopping.store(true, Ordering::SeqCst);
        // A connection of our own wakes the thread that accepts.
        let _ = TcpStream::connect(self.address);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn accept(listener: &TcpListener, shared: &Arc<Shared>) {
    for stream in listener.incoming() {
        if shared.stopping.load(Ordering::SeqCst) {
            return;
        }
        let Ok(stream) = stream else { continue };
        shared.connections.fetch_add(1, Ordering::SeqCst);
        let shared = Arc::clone(shared);
        thread::spawn(move || serve(stream, &shared));
    }
}

/// Answers requests until either side has had enough.
fn serve(mut stream: TcpStream, shared: &Shared) -> Option<()> {
    stream.set_nodelay(true).ok()?;
    let mut bytes = Vec::new();
    for index in 0.. {
        let text = read_request(&mut stream, &mut bytes)?;
        let request = Request { text, index };
        shared.log.lock().unwrap().push(request.clone());
        let answer = (shared.behaviour)(&request);
        thread::sleep(answer.after);
        for piece in &answer.pieces {
            stream.write_all(piece).ok()?;
        }
        match answer.then {
            Then::Keep => {}
            Then::Close => return None,
            Then::Hang => while stream.read(&mut [0; 1024]).ok()? > 0 {},
        }
    }
    None
}

/// The next request's head and body; what came after them stays in `bytes`.
fn read_request(stream: &mut TcpStream, bytes: &mut Vec<u8>) -> Option<String> {
    loop {
        let head = bytes.windows(4).position(|window| window == b"\r\n\r\n");
        if let Some(head) = head.map(|at| at + 4) {
            let text = String::from_utf8_lossy(&bytes[..head]).to_lowercase();
            let body = text
                .lines()
                .find_map(|line| line.strip_prefix("content-length: ")?.parse::<usize>().ok());
            let whole = head + body.unwrap_or(0);
            if bytes.len() >= whole {
                let rest = bytes.split_off(whole);
                let request = std::mem::replace(bytes, rest);
                return String::from_utf8(request).ok();
            }
        }
        let mut piece = [0; 4096];
        let length = stream.read(&mut piece).ok()?;
        if length == 0 {
            return None;
        }
        bytes.extend_from_slice(&piece[..length]);
    }
}
