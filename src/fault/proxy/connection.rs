//! One connection: a client, a target, a pipe each way, and what the faults say.
//!
//! Both directions are one task, and its turns are synchronous: look at the table,
//! let pass what is due, read what has come, wait. So a change of the table lies
//! between two turns, and no byte passes by a rule that is no longer in force. Two
//! tasks that copy, the obvious way, would each have to be stopped in its wait.

use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::BytesMut;
use rustix::net::Shutdown;
use tokio::io::Interest;
use tokio::net::TcpStream;
use tokio::sync::watch;

use super::counters::{Counts, add, count};
use super::handle::{Mode, Shared};
use super::table::{RequestRules, Table};
use crate::fault::http::{Exchange, sooner};
use crate::model::fault::{Ending, Flow, Pipe, Stream};
use crate::rng;
use crate::units::Nanos;

/// Bytes that are read at once: half of what a socket's buffer holds by default.
const READ_MAX: usize = 64 * 1024;
/// Pieces that pass in one turn of one direction; then others have theirs.
const PIECES_MAX: usize = 32;
/// How long the target may take to accept.
const CONNECT_MAX: Duration = Duration::from_secs(10);
/// How long a client may take to close after its last answer. Closing first, with
/// bytes of the client's unread, would reset the answer away.
const LINGER: Nanos = Nanos::from_secs(1);

/// A socket and what is known of it.
struct Peer {
    socket: TcpStream,
    /// Nothing more comes from it.
    ended: bool,
    /// It was told that nothing more comes.
    told: bool,
    /// It takes no bytes at the moment.
    full: bool,
}

/// How far the way to the target is.
enum Target {
    /// Nothing has needed it so far.
    Unneeded,
    Wanted(Connecting),
    Reached(Peer),
    Unreachable,
}

type Connecting = Pin<Box<dyn Future<Output = io::Result<TcpStream>> + Send>>;

pub(super) struct Connection {
    number: u64,
    shared: Arc<Shared>,
    watched: watch::Receiver<Arc<Table>>,
    table: Arc<Table>,
    /// Faults below this number have been counted for this connection.
    counted_to: u64,
    opened: Nanos,
    client: Peer,
    target: Target,
    up: Pipe,
    down: Pipe,
    http: Option<Exchange>,
    buffer: BytesMut,
    /// When its last answer was complete, of an HTTP connection that ends.
    over: Option<Nanos>,
}

/// What a turn leads to.
enum Turn {
    /// Something happened: another turn may follow at once.
    Moved,
    /// Nothing happens before this instant, unless a socket or the table changes.
    Still(Option<Nanos>),
    /// The connection is over.
    Over(Over),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Over {
    /// Both sides are done.
    Done,
    /// By a fault, or by a side that broke it.
    By(Ending),
}

impl Peer {
    fn new(socket: TcpStream) -> Self {
        // Without this a small answer may wait 40 ms for an acknowledgement.
        let _ = socket.set_nodelay(true);
        Self {
            socket,
            ended: false,
            told: false,
            full: false,
        }
    }
}

impl Connection {
    pub(super) fn new(
        client: TcpStream,
        number: u64,
        shared: Arc<Shared>,
        mut watched: watch::Receiver<Arc<Table>>,
    ) -> Self {
        let table = Arc::clone(&watched.borrow_and_update());
        let http = (shared.mode == Mode::Http).then(Exchange::new);
        let mut connection = Self {
            number,
            opened: shared.clock.now(),
            client: Peer::new(client),
            counted_to: 0,
            target: match http {
                Some(_) => Target::Unneeded,
                None => Target::Wanted(connect(table.upstream)),
            },
            up: Pipe::default(),
            down: Pipe::default(),
            http,
            buffer: BytesMut::new(),
            over: None,
            shared,
            watched,
            table,
        };
        connection.act();
        connection
    }

    /// Carries what passes until the connection is over.
    pub(super) async fn carry(mut self) {
        let over = loop {
            match self.turn() {
                Turn::Over(over) => break over,
                Turn::Moved => tokio::task::consume_budget().await,
                Turn::Still(until) => {
                    if let Some(over) = self.rest(until).await {
                        break over;
                    }
                }
            }
        };
        let counts = &self.shared.counts;
        match over {
            Over::Done => {}
            Over::By(Ending::Close) => count(&counts.closed),
            Over::By(Ending::Reset) => {
                count(&counts.reset);
                self.reset();
            }
        }
        counts.open.fetch_sub(1, Ordering::Relaxed);
    }

    fn turn(&mut self) -> Turn {
        // The value itself is compared: having waited for a change marks it as seen.
        let table = Arc::clone(&self.watched.borrow_and_update());
        if !Arc::ptr_eq(&table, &self.table) {
            if table.epoch != self.table.epoch {
                return Turn::Over(Over::By(Ending::Close));
            }
            self.table = table;
            self.act();
        }
        let now = self.shared.clock.now();
        let mut until = None;
        if let Some(over) = self.exchange(now, &mut until) {
            return Turn::Over(over);
        }
        let mut moved = match self.let_pass(now, &mut until) {
            Ok(moved) => moved,
            Err(over) => return Turn::Over(over),
        };
        match self.read(now) {
            Ok(read) => moved |= read,
            Err(_) => return Turn::Over(Over::By(Ending::Reset)),
        }
        let swallowed = self.up.swallowed() + self.down.swallowed();
        add(&self.shared.counts.swallowed, swallowed);
        if let Some(over) = self.finished(now, &mut until) {
            return Turn::Over(over);
        }
        if moved {
            Turn::Moved
        } else {
            Turn::Still(until)
        }
    }

    /// Lets the faults of the table act on the pipes.
    fn act(&mut self) {
        let (shared, number, opened) = (&self.shared, self.number, self.opened);
        let placed = &self.table.placed;
        let mut acting: [Vec<u64>; 2] = Default::default();
        for own in placed
            .iter()
            .filter(|own| own.fault.effect.matching().is_none())
        {
            let meets = own.fault.meets(shared.seed, &shared.name, number);
            // Numbers grow: those below have been counted for this connection.
            if own.id >= self.counted_to {
                own.count(meets);
            }
            if meets {
                acting[usize::from(own.fault.stream == Stream::Downstream)].push(own.id);
            }
        }
        let last = placed.iter().map(|own| own.id + 1).max();
        self.counted_to = self.counted_to.max(last.unwrap_or(0));
        let start = |id: u64| {
            let own = placed.iter().find(|own| own.id == id);
            let own = own.expect("only faults of the table act");
            let stage = own.fault.effect.stage(own.since.max(opened));
            let name = format!("proxy {} {} draws {number}", shared.name, own.fault.name);
            (
                stage.expect("faults of requests were left out"),
                rng::stream(shared.seed, &name),
            )
        };
        self.up.act(&acting[0], start);
        self.down.act(&acting[1], start);
    }

    /// Lets requests and answers go into the pipes.
    fn exchange(&mut self, now: Nanos, until: &mut Option<Nanos>) -> Option<Over> {
        let http = self.http.as_mut()?;
        let rules = RequestRules {
            table: &self.table,
            seed: self.shared.seed,
            proxy: &self.shared.name,
        };
        let step = http.turn(now, &rules, &mut self.up, &mut self.down);
        self.shared.counts.http(http.counted());
        if matches!(self.target, Target::Unneeded) && !self.up.is_empty() {
            self.target = Target::Wanted(connect(self.table.upstream));
        }
        *until = step.until;
        step.ending.map(Over::By)
    }

    /// Writes what is due, both ways.
    fn let_pass(&mut self, now: Nanos, until: &mut Option<Nanos>) -> Result<bool, Over> {
        let counts = &self.shared.counts;
        let target = match &mut self.target {
            Target::Reached(target) => Some(target),
            _ => None,
        };
        let up = flush(&mut self.up, target, Stream::Upstream, now, until, counts)?;
        let client = Some(&mut self.client);
        let down = flush(
            &mut self.down,
            client,
            Stream::Downstream,
            now,
            until,
            counts,
        )?;
        Ok(up || down)
    }

    /// Reads what has come, from both sides.
    fn read(&mut self, now: Nanos) -> io::Result<bool> {
        let mut sides = Sides {
            http: &mut self.http,
            buffer: &mut self.buffer,
            now,
        };
        let mut moved = sides.read(&mut self.client, &mut self.up, Stream::Upstream)?;
        if let Target::Reached(target) = &mut self.target {
            moved |= sides.read(target, &mut self.down, Stream::Downstream)?;
        }
        Ok(moved)
    }

    /// Whether both sides are done.
    fn finished(&mut self, now: Nanos, until: &mut Option<Nanos>) -> Option<Over> {
        if self.http.is_none() {
            let target_told = match &self.target {
                Target::Reached(target) => target.told,
                _ => false,
            };
            return (self.client.told && target_told).then_some(Over::Done);
        }
        if !self.client.told {
            return None;
        }
        let over = *self.over.get_or_insert(now);
        let ends = over.saturating_add(LINGER);
        if self.client.ended || now >= ends {
            return Some(Over::Done);
        }
        sooner(until, ends);
        None
    }

    /// Waits until a turn may change something.
    async fn rest(&mut self, until: Option<Nanos>) -> Option<Over> {
        let now = self.shared.clock.now();
        let pause = until.map(|until| until.saturating_sub(now).to_duration());
        let client_reads = !self.client.ended && self.room(Stream::Upstream) > 0;
        let target_has_room = self.room(Stream::Downstream) > 0;
        let (target, connecting) = match &mut self.target {
            Target::Reached(target) => (Some(&*target), None),
            Target::Wanted(connecting) => (None, Some(connecting)),
            Target::Unneeded | Target::Unreachable => (None, None),
        };
        let target_reads = target_has_room && target.is_some_and(|target| !target.ended);
        let target_full = target.is_some_and(|target| target.full);
        let client = &self.client.socket;
        let reached = tokio::select! {
            biased;
            // Its other end is dropped with this thread only.
            _ = self.watched.changed() => return None,
            _ = client.readable(), if client_reads => return None,
            _ = client.writable(), if self.client.full => return None,
            () = ready(target, Interest::READABLE), if target_reads => return None,
            () = ready(target, Interest::WRITABLE), if target_full => return None,
            () = tokio::time::sleep(pause.unwrap_or_default()), if pause.is_some() => return None,
            reached = connected(connecting) => reached,
        };
        self.reached(reached)
    }

    fn reached(&mut self, reached: io::Result<TcpStream>) -> Option<Over> {
        let cause = match reached {
            Ok(socket) => {
                self.target = Target::Reached(Peer::new(socket));
                return None;
            }
            Err(cause) => cause,
        };
        count(&self.shared.counts.unreachable);
        self.target = Target::Unreachable;
        let Some(http) = &mut self.http else {
            return Some(Over::By(Ending::Reset));
        };
        let now = self.shared.clock.now();
        let address = self.table.upstream;
        let sentence = format!("the target {address} cannot be reached: {cause}");
        http.unreachable(now, &sentence, &mut self.down);
        None
    }

    fn room(&self, stream: Stream) -> usize {
        match (&self.http, stream) {
            (Some(http), stream) => http.room(stream),
            (None, Stream::Upstream) => self.up.room(),
            (None, Stream::Downstream) => self.down.room(),
        }
    }

    /// Makes both ends see a reset instead of an end.
    fn reset(&self) {
        let at_once = Some(Duration::ZERO);
        // Where a socket does not take it, it is closed in the usual way.
        let _ = rustix::net::sockopt::set_socket_linger(&self.client.socket, at_once);
        if let Target::Reached(target) = &self.target {
            let _ = rustix::net::sockopt::set_socket_linger(&target.socket, at_once);
        }
    }
}

fn connect(address: SocketAddr) -> Connecting {
    Box::pin(async move {
        let reached = tokio::time::timeout(CONNECT_MAX, TcpStream::connect(address)).await;
        reached.unwrap_or_else(|_| Err(ErrorKind::TimedOut.into()))
    })
}

async fn connected(connecting: Option<&mut Connecting>) -> io::Result<TcpStream> {
    match connecting {
        Some(connecting) => connecting.await,
        None => std::future::pending().await,
    }
}

/// Waits until the socket is ready for it, or broken, which the next turn sees.
async fn ready(peer: Option<&Peer>, interest: Interest) {
    match peer {
        Some(peer) => drop(peer.socket.ready(interest).await),
        None => std::future::pending().await,
    }
}

/// Writes what is due of one direction; whether anything was.
fn flush(
    pipe: &mut Pipe,
    mut to: Option<&mut Peer>,
    stream: Stream,
    now: Nanos,
    until: &mut Option<Nanos>,
    counts: &Counts,
) -> Result<bool, Over> {
    let mut moved = false;
    if let Some(to) = &mut to {
        to.full = false;
    }
    for _ in 0..PIECES_MAX {
        match pipe.next(now) {
            Flow::Ended(ending) => return Err(Over::By(ending)),
            Flow::Idle => return Ok(moved),
            Flow::Wait(at) => {
                sooner(until, at);
                return Ok(moved);
            }
            Flow::Ready => {
                let Some(to) = &mut to else {
                    return Ok(moved);
                };
                match to.socket.try_write(pipe.ready()) {
                    Ok(length) => {
                        pipe.gone(length);
                        counts.bytes(stream, length as u64);
                        moved = true;
                    }
                    Err(cause) if cause.kind() == ErrorKind::WouldBlock => {
                        to.full = true;
                        return Ok(moved);
                    }
                    Err(_) => return Err(Over::By(Ending::Reset)),
                }
            }
            Flow::End => {
                if let Some(to) = to.filter(|to| !to.told) {
                    // A socket that is broken already needs no end.
                    let _ = rustix::net::shutdown(&to.socket, Shutdown::Write);
                    to.told = true;
                    moved = true;
                }
                return Ok(moved);
            }
        }
    }
    Ok(moved)
}

/// Where bytes that are read go.
struct Sides<'a> {
    http: &'a mut Option<Exchange>,
    buffer: &'a mut BytesMut,
    now: Nanos,
}

impl Sides<'_> {
    /// Reads once from a side that has something and may give it; whether it did.
    fn read(&mut self, from: &mut Peer, pipe: &mut Pipe, stream: Stream) -> io::Result<bool> {
        let room = match &self.http {
            Some(http) => http.room(stream),
            None => pipe.room(),
        };
        if from.ended || room == 0 {
            return Ok(false);
        }
        if self.buffer.capacity() < READ_MAX / 4 {
            self.buffer.reserve(READ_MAX);
        }
        match from.socket.try_read_buf(self.buffer) {
            Ok(0) => {
                from.ended = true;
                match &mut self.http {
                    Some(http) => http.end(stream),
                    None => pipe.end(self.now),
                }
                Ok(true)
            }
            Ok(_) => {
                let bytes = self.buffer.split();
                match &mut self.http {
                    Some(http) => http.push(stream, &bytes),
                    None => pipe.push(self.now, bytes.freeze()),
                }
                Ok(true)
            }
            Err(cause) if cause.kind() == ErrorKind::WouldBlock => Ok(false),
            Err(cause) => Err(cause),
        }
    }
}
