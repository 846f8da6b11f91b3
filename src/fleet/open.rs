//! The connections that are open to a listener, and which of them makes room for one more.
//!
//! A listener that turns away the next where it is full can be closed by anybody who opens
//! connections and says nothing. So the one makes room that has asked for nothing for the
//! longest time; one whose request is being answered stays. Who is closed and still wants
//! something connects again, as with any connection that was kept too long.

use std::net::{Shutdown, TcpStream};
use std::sync::Mutex;

use crate::sync::lock;

/// Connections by what they last did, at most so many.
#[derive(Debug)]
pub(super) struct Open {
    most: usize,
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    /// Grows with everything that is done: an order, and no time.
    turn: u64,
    connections: Vec<Connection>,
}

#[derive(Debug)]
struct Connection {
    id: u64,
    stream: TcpStream,
    /// When it last began to wait for a request; none while one is answered.
    idle_since: Option<u64>,
}

impl Open {
    /// None yet, and at most so many.
    pub(super) fn new(most: usize) -> Self {
        let inner = Mutex::default();
        Self { most, inner }
    }

    /// Takes one more, where another can make room; gives what it is known by.
    pub(super) fn admit(&self, stream: &TcpStream) -> Option<u64> {
        let stream = stream.try_clone().ok()?;
        let mut inner = lock(&self.inner);
        if inner.connections.len() >= self.most {
            inner.close_idlest()?;
        }
        let id = inner.next();
        let idle_since = Some(id);
        inner.connections.push(Connection {
            id,
            stream,
            idle_since,
        });
        Some(id)
    }

    /// Its request is being answered from here on, or it waits for the next.
    pub(super) fn answering(&self, id: u64, answering: bool) {
        let mut inner = lock(&self.inner);
        let turn = inner.next();
        let mut connections = inner.connections.iter_mut();
        if let Some(own) = connections.find(|it| it.id == id) {
            own.idle_since = (!answering).then_some(turn);
        }
    }

    /// It has ended.
    pub(super) fn ended(&self, id: u64) {
        lock(&self.inner).connections.retain(|it| it.id != id);
    }
}

impl Inner {
    fn next(&mut self) -> u64 {
        self.turn += 1;
        self.turn
    }

    /// Closes the one that has been idle for longest; none where none is idle.
    fn close_idlest(&mut self) -> Option<()> {
        let idle = self.connections.iter().enumerate();
        let idle = idle.filter_map(|(place, it)| Some((it.idle_since?, place)));
        let (_, place) = idle.min()?;
        let idlest = self.connections.swap_remove(place);
        // Its thread reads the end, and ends.
        let _ = idlest.stream.shutdown(Shutdown::Both);
        Some(())
    }
}
