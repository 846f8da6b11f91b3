//! Occupation: holding a server's workers from outside, without its help.
//!
//! A server that gives each connection a worker can be held by connections that
//! take their time; any server can, by requests to an endpoint that is slow. This
//! is thread exhaustion on a server of any make, with as many connections as are
//! stated and for as long: it is no flood, and stops at once.

use std::fmt;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use serde::Serialize;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
use tokio::runtime::Builder;
use tokio::sync::oneshot;
use tokio::time::MissedTickBehavior;

use crate::error::{Error, Result};
use crate::model::fault::Hold;
use crate::model::{FailureCause, SourceName};
use crate::net::Failed;
use crate::record::FailureBook;
use crate::sync::lock;
use crate::units::{Nanos, counted};

/// Connections at most: as many as a process has file descriptors for, usually.
const CONNECTIONS_MAX: u32 = 10_000;
/// The longest occupation: a day, as long as the longest time of a fault.
const DURATION_MAX: Nanos = Nanos::from_secs(86_400);
/// The shortest pause between two bytes: the runtime's timer is no finer.
const EVERY_MIN: Nanos = Nanos::from_millis(1);
/// From the beginning of a connection to that of the next in its place, at least.
const AGAIN_AFTER: Duration = Duration::from_millis(1_000 / Hold::BEGUN_PER_SECOND as u64);
/// How long the server may take to accept.
const CONNECT_MAX: Duration = Duration::from_secs(10);
/// What a slow body is announced to have: more than is sent in a day, a byte a millisecond.
const BODY_ANNOUNCED: u64 = 1_000_000_000;
/// What a slow reader lets the kernel keep for it: the least there is.
const RECEIVE_BUFFER: u32 = 2_048;

/// Who is held, how, and for how long.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Occupier {
    /// The server. Whoever starts an occupation answers for this address: see
    /// [`AllowedHosts`](crate::net::AllowedHosts).
    pub target: SocketAddr,
    /// What the requests name as host.
    pub host: String,
    /// How.
    pub hold: Hold,
    /// The path that is asked for: of [`Hold::SlowBodies`] one that takes a body, of
    /// [`Hold::SlowReads`] one of a long answer. [`Hold::SlowHeaders`] and [`Hold::Silent`] do
    /// without.
    pub path: String,
    /// Connections that hold at a time.
    pub connections: u32,
    /// Pause between two bytes (or header lines).
    pub every: Nanos,
    /// When it ends by itself.
    pub duration: Nanos,
}

/// What an occupation has done so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct OccupationCounters {
    /// Connections that hold now: open, and with a request that is not answered.
    pub held: u64,
    /// Connections opened.
    pub opened: u64,
    /// Connections that could not be opened.
    pub unreachable: u64,
    /// Connections that the server closed or broke before it answered.
    pub lost: u64,
    /// Requests that the server answered, whatever it said.
    pub answered: u64,
}

/// What became of the connections, without those that hold now.
impl fmt::Display for OccupationCounters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (opened, answered) = (
            counted(self.opened, "connection"),
            counted(self.answered, "request"),
        );
        let (failed, lost) = (self.unreachable, self.lost);
        write!(
            f,
            "{opened} opened, {failed} failed; {lost} closed by the server, {answered} answered"
        )
    }
}

/// An occupation under way, with a thread of its own. Dropped, it has let everything go.
#[derive(Debug)]
pub struct Occupation {
    counts: Arc<Mutex<OccupationCounters>>,
    running: Mutex<Option<Running>>,
}

/// The thread that holds, and what ends it.
#[derive(Debug)]
struct Running {
    stop: oneshot::Sender<()>,
    thread: JoinHandle<()>,
}

impl Occupation {
    /// Begins to hold.
    ///
    /// # Errors
    ///
    /// Where a number is out of its range, a path is none, or no thread can be started.
    #[cfg(feature = "testing")]
    pub fn start(occupier: Occupier) -> Result<Self> {
        let source = SourceName::of_occupation(&occupier.host);
        Self::start_noting(occupier, source, Arc::default())
    }

    /// The same, and notes which of its connections fail.
    ///
    /// # Errors
    ///
    /// As [`Occupation::start`].
    pub(crate) fn start_noting(
        occupier: Occupier,
        source: SourceName,
        failures: Arc<FailureBook>,
    ) -> Result<Self> {
        check(&occupier)?;
        let failed =
            |cause| Error::unfit(format!("failed to start the occupation's thread: {cause}"));
        let runtime = Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(failed)?;
        let counts = Arc::<Mutex<OccupationCounters>>::default();
        let (stop, stopped) = oneshot::channel();
        let books = Books {
            counts: Arc::clone(&counts),
            source,
            failures,
        };
        let occupying = async move {
            for _ in 0..occupier.connections {
                tokio::spawn(occupy(occupier.clone(), books.clone()));
            }
            tokio::select! {
                _ = stopped => {}
                () = tokio::time::sleep(occupier.duration.to_duration()) => {}
            }
        };
        let told = Arc::clone(&counts);
        let thread = thread::Builder::new()
            .name("occupation".into())
            .spawn(move || {
                runtime.block_on(occupying);
                // With the runtime every connection is closed.
                drop(runtime);
                lock(&told).held = 0;
            })
            .map_err(failed)?;
        Ok(Self {
            counts,
            running: Mutex::new(Some(Running { stop, thread })),
        })
    }

    /// What it has done so far.
    pub fn counters(&self) -> OccupationCounters {
        *lock(&self.counts)
    }

    /// Whether its time is over.
    pub fn ended(&self) -> bool {
        let running = lock(&self.running);
        let running = running.as_ref();
        running.is_none_or(|running| running.thread.is_finished())
    }

    /// Closes every connection, and tells what was done.
    pub fn undo(&self) -> OccupationCounters {
        let mut running = lock(&self.running);
        if let Some(Running { stop, thread }) = running.take() {
            drop(stop);
            let _ = thread.join();
        }
        self.counters()
    }
}

impl Drop for Occupation {
    fn drop(&mut self) {
        self.undo();
    }
}

fn check(occupier: &Occupier) -> Result<()> {
    let wrong = |sentence: String| Err(Error::usage(sentence));
    let Occupier {
        connections,
        every,
        duration,
        ..
    } = *occupier;
    if !(1..=CONNECTIONS_MAX).contains(&connections) {
        return wrong(format!(
            "an occupation has 1 to {CONNECTIONS_MAX} connections, not {connections}"
        ));
    }
    if every < EVERY_MIN {
        return wrong(format!(
            "the pause between two bytes is at least {EVERY_MIN}, not {every}"
        ));
    }
    if duration == Nanos::ZERO || duration > DURATION_MAX {
        return wrong(format!(
            "an occupation lasts more than zero and at most {DURATION_MAX}, not {duration}"
        ));
    }
    let path = &occupier.path;
    let plain = |text: &str| text.bytes().all(|byte| byte.is_ascii_graphic());
    if !path.starts_with('/') || !plain(path) || !plain(&occupier.host) {
        return wrong(format!(
            "`{}` at `{}` cannot be requested; a path begins with / and has no spaces",
            path.escape_debug(),
            occupier.host.escape_debug()
        ));
    }
    Ok(())
}

/// Where connections are counted, and those that fail are noted.
#[derive(Debug, Clone)]
struct Books {
    counts: Arc<Mutex<OccupationCounters>>,
    source: SourceName,
    failures: Arc<FailureBook>,
}

impl Books {
    fn count(&self, count: impl FnOnce(&mut OccupationCounters)) {
        count(&mut lock(&self.counts));
    }

    fn note(&self, failed: &Failed) {
        self.failures.note(&self.source, failed);
    }
}

/// Holds with one connection after the other, until the runtime ends.
async fn occupy(occupier: Occupier, books: Books) {
    let mut turns = tokio::time::interval(AGAIN_AFTER);
    turns.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        // At once after one that held for longer.
        turns.tick().await;
        let connected = tokio::time::timeout(CONNECT_MAX, connect(&occupier)).await;
        let connected = connected.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
        let mut stream = match connected {
            Ok(stream) => stream,
            Err(cause) => {
                books.count(|counts| counts.unreachable += 1);
                books.note(&Failed::of_io(&cause, FailureCause::ConnectTimedOut));
                continue;
            }
        };
        books.count(|counts| {
            counts.opened += 1;
            counts.held += 1;
        });
        let answered = hold(&occupier, &mut stream).await;
        drop(stream);
        books.count(|counts| {
            counts.held -= 1;
            counts.answered += u64::from(answered);
            counts.lost += u64::from(!answered);
        });
        if !answered {
            books.note(&FailureCause::Closed.into());
        }
    }
}

async fn connect(occupier: &Occupier) -> io::Result<TcpStream> {
    let socket = if occupier.target.is_ipv4() {
        TcpSocket::new_v4()?
    } else {
        TcpSocket::new_v6()?
    };
    if matches!(occupier.hold, Hold::SlowReads) {
        // Before the connection is made, since the window is agreed on then.
        socket.set_recv_buffer_size(RECEIVE_BUFFER)?;
    }
    let stream = socket.connect(occupier.target).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// Holds until the server has had enough; whether it answered.
async fn hold(occupier: &Occupier, stream: &mut TcpStream) -> bool {
    let Occupier { host, path, .. } = occupier;
    let get = |path: &str| format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n");
    match occupier.hold {
        Hold::SlowHeaders => trickle(stream, &get("/"), "X-Slow: 1\r\n", occupier.every).await,
        Hold::SlowBodies => {
            let head = format!(
                "POST {path} HTTP/1.1\r\nHost: {host}\r\nContent-Length: {BODY_ANNOUNCED}\r\n\r\n"
            );
            trickle(stream, &head, "x", occupier.every).await
        }
        Hold::SlowReads => {
            let ahead = format!("{}\r\n", get(path)).repeat(Hold::SENT_AHEAD as usize);
            sip(stream, &ahead, occupier.every).await;
            false
        }
        Hold::SlowEndpoint => {
            let request = format!("{}Connection: close\r\n\r\n", get(path));
            let sent = stream.write_all(request.as_bytes()).await.is_ok();
            sent && heard(stream).await
        }
        Hold::Silent => heard(stream).await,
    }
}

/// Sends a beginning and then a little at a time; whether the server answered before it closed.
async fn trickle(stream: &mut TcpStream, first: &str, then: &str, every: Nanos) -> bool {
    let (mut from, mut to) = stream.split();
    let sending = async {
        to.write_all(first.as_bytes()).await?;
        loop {
            tokio::time::sleep(every.to_duration()).await;
            to.write_all(then.as_bytes()).await?;
        }
    };
    let hearing = async {
        let mut byte = [0];
        matches!(from.read(&mut byte).await, Ok(1))
    };
    first_of(sending, hearing).await
}

async fn first_of(
    sending: impl Future<Output = io::Result<()>>,
    hearing: impl Future<Output = bool>,
) -> bool {
    tokio::select! {
        heard = hearing => heard,
        _ = sending => false,
    }
}

/// Sends everything, and reads a byte at a time until the server closes.
async fn sip(stream: &mut TcpStream, requests: &str, every: Nanos) {
    let (mut from, mut to) = stream.split();
    let sending = async {
        // The server may stop reading long before: it is being held.
        let _ = to.write_all(requests.as_bytes()).await;
        std::future::pending::<()>().await;
    };
    let reading = async {
        let mut byte = [0];
        while matches!(from.read(&mut byte).await, Ok(1)) {
            tokio::time::sleep(every.to_duration()).await;
        }
    };
    tokio::select! {
        () = sending => {}
        () = reading => {}
    }
}

/// Reads until the server closes; whether it said anything.
async fn heard(stream: &mut TcpStream) -> bool {
    let mut buffer = [0; 4096];
    let mut said = false;
    while let Ok(length @ 1..) = stream.read(&mut buffer).await {
        said |= length > 0;
    }
    said
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_held_is_told() {
        let fine = Occupier {
            target: "127.0.0.1:1".parse().unwrap(),
            host: "localhost".into(),
            hold: Hold::SlowHeaders,
            path: "/".into(),
            connections: 1,
            every: Nanos::from_millis(100),
            duration: Nanos::from_secs(1),
        };
        assert!(check(&fine).is_ok());
        for wrong in [
            Occupier {
                connections: 0,
                ..fine.clone()
            },
            Occupier {
                connections: CONNECTIONS_MAX + 1,
                ..fine.clone()
            },
            Occupier {
                every: Nanos::ZERO,
                ..fine.clone()
            },
            Occupier {
                duration: Nanos::from_secs(100_000),
                ..fine.clone()
            },
            Occupier {
                path: "/a HTTP/1.1\r\nx: y".into(),
                ..fine.clone()
            },
            Occupier {
                host: "a b".into(),
                ..fine
            },
        ] {
            assert!(check(&wrong).is_err(), "{wrong:?}");
        }
    }
}
