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
use std::time::Duration;

use bytes::BytesMut;
use tokio::io::Interest;
use tokio::net::TcpStream;
use tokio::sync::watch;

use super::handle::Shared;
use super::peer::{Over, Peer, Sides, flush, ready};
use super::table::{RequestRules, Table};
use crate::model::fault::{Ending, Mode, Pipe, Stream};
use crate::model::{FailureCause, SourceName};
use crate::net::Failed;
use crate::proxy::http::{Exchange, ExchangeCounters, sooner};
use crate::rng;
use crate::units::Nanos;

/// Turns that a busy connection takes before others have theirs: about a millisecond.
const TURNS_MAX: u32 = 16;
/// How long the target may take to accept.
const CONNECT_MAX: Duration = Duration::from_secs(10);
/// How long a client may take to close after its last answer. Closing first, with
/// bytes of the client's unread, would reset the answer away.
const LINGER: Nanos = Nanos::from_secs(1);

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
    /// Whether its client has sent something, and nothing has come back.
    asked: bool,
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
            asked: false,
            shared,
            watched,
            table,
        };
        connection.act();
        connection
    }

    /// Carries what passes until the connection is over.
    pub(super) async fn carry(mut self) {
        let mut turns = 0;
        let over = loop {
            match self.turn() {
                Turn::Over(over) => break over,
                Turn::Moved => {
                    turns += 1;
                    if turns % TURNS_MAX == 0 {
                        tokio::task::yield_now().await;
                    }
                }
                Turn::Still(until) => {
                    if let Some(over) = self.rest(until).await {
                        break over;
                    }
                }
            }
        };
        if matches!(over, Over::By(Ending::Reset)) {
            self.reset();
        }
        self.answered(self.shared.clock.now(), false);
        self.shared.counts.add(|counted| {
            match over {
                Over::Done => {}
                Over::By(Ending::Close) => counted.closed += 1,
                Over::By(Ending::Reset) => counted.reset += 1,
            }
            counted.open -= 1;
        });
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
        if swallowed > 0 {
            let counts = &self.shared.counts;
            counts.add(|counted| counted.bytes_swallowed += swallowed);
        }
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
        let counted = http.counted();
        if counted != ExchangeCounters::default() {
            self.shared.counts.http(counted);
        }
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
        if down.is_some_and(|bytes| bytes > 0) {
            self.answered(now, true);
        }
        Ok(up.is_some() || down.is_some())
    }

    /// The exchange of which something went to the client, or that is given up, is over.
    fn answered(&mut self, now: Nanos, answered: bool) {
        if std::mem::take(&mut self.asked) {
            self.shared.counts.over(now, answered);
        }
    }

    /// Reads what has come, from both sides.
    fn read(&mut self, now: Nanos) -> io::Result<bool> {
        let mut sides = Sides {
            http: &mut self.http,
            buffer: &mut self.buffer,
            now,
        };
        let mut moved = sides.read(&mut self.client, &mut self.up, Stream::Upstream)?;
        if moved && !self.client.ended && !self.asked {
            self.asked = true;
            self.shared.counts.asked(now);
        }
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
        // A client that never asked for anything, or nothing that reached the target.
        let spent = self.http.as_ref().is_some_and(Exchange::spent);
        if spent && matches!(self.target, Target::Unneeded) && self.down.is_empty() {
            return Some(Over::Done);
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
        let counts = &self.shared.counts;
        counts.add(|counted| counted.unreachable += 1);
        let failed = Failed::of_io(&cause, FailureCause::ConnectTimedOut);
        let source = SourceName::of_proxy(&self.shared.name);
        self.shared.failures.note(&source, &failed);
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
