//! The connections that are open to a listener, and which of them makes room for one more.
//!
//! A listener that turns away the next where it is full can be closed by anybody who opens
//! connections and says nothing. So the one makes room that has asked for nothing for the
//! longest time; one whose request is being answered stays. Who is closed and still wants
//! something connects again, as with any connection that was kept too long.

use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use crate::sync::lock;

/// A limit on the descriptors of this process, which the connections of a listener are
/// beside: they are let in under it, and nobody else gets what they had.
pub(super) trait Limit: Send + Sync {
    /// Accepts a connection; none where it cannot.
    fn accept(&self, accept: &dyn Fn() -> Option<TcpStream>) -> Option<TcpStream>;

    /// Closes one that it let in, by this.
    fn close(&self, close: &mut dyn FnMut());
}

/// There is no such limit.
pub(super) struct Unlimited;

impl Limit for Unlimited {
    fn accept(&self, accept: &dyn Fn() -> Option<TcpStream>) -> Option<TcpStream> {
        accept()
    }

    fn close(&self, close: &mut dyn FnMut()) {
        close();
    }
}

/// A connection that was let in, until nobody holds it.
pub(super) struct LetIn {
    stream: Option<TcpStream>,
    limit: Arc<dyn Limit>,
}

impl LetIn {
    /// Who is next; none where nobody waits, or no descriptor is to be had.
    pub(super) fn next(listener: &TcpListener, limit: &Arc<dyn Limit>) -> Option<Arc<Self>> {
        let stream = limit.accept(&|| Some(listener.accept().ok()?.0))?;
        Some(Arc::new(Self {
            stream: Some(stream),
            limit: Arc::clone(limit),
        }))
    }

    /// What is read from and written to.
    pub(super) fn stream(&self) -> &TcpStream {
        self.stream
            .as_ref()
            .expect("it is open until it is dropped")
    }
}

impl Drop for LetIn {
    fn drop(&mut self) {
        let stream = &mut self.stream;
        self.limit.close(&mut || *stream = None);
    }
}

/// Connections by what they last did, at most so many.
pub(super) struct Open {
    most: usize,
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    /// Grows with everything that is done: an order, and no time.
    turn: u64,
    connections: Vec<Connection>,
}

struct Connection {
    id: u64,
    let_in: Arc<LetIn>,
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
    pub(super) fn admit(&self, let_in: &Arc<LetIn>) -> Option<u64> {
        let mut inner = lock(&self.inner);
        if inner.connections.len() >= self.most {
            inner.close_idlest()?;
        }
        let id = inner.next();
        let idle_since = Some(id);
        inner.connections.push(Connection {
            id,
            let_in: Arc::clone(let_in),
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
        let _ = idlest.let_in.stream().shutdown(Shutdown::Both);
        Some(())
    }
}
