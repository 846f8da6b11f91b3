//! A connection whose bytes drip while a fault says so: a few, a pause, a few more.
//!
//! Only what is written drips; what comes back is read as usual. The fault is looked at
//! with each piece, so that a request that has begun to drip is sent at once when the
//! fault is mended.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Sleep, sleep};

use crate::fleet::lock;
use crate::model::fault::FaultSet;

/// The faults by which connections drip, as all connections see them.
#[derive(Debug, Clone, Default)]
pub(super) struct DripRule(Arc<Mutex<FaultSet>>);

impl DripRule {
    /// From now on these act.
    pub(super) fn put(&self, faults: FaultSet) {
        *lock(&self.0) = faults;
    }
}

/// A connection to the instance at a place.
#[derive(Debug)]
pub(super) struct Dripping {
    stream: TcpStream,
    index: usize,
    rule: DripRule,
    /// The pause after the last piece.
    pause: Option<Pin<Box<Sleep>>>,
}

impl Dripping {
    pub(super) fn new(stream: TcpStream, index: usize, rule: DripRule) -> Self {
        Self {
            stream,
            index,
            rule,
            pause: None,
        }
    }
}

impl AsyncWrite for Dripping {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if let Some(pause) = &mut self.pause {
            ready!(pause.as_mut().poll(context));
            self.pause = None;
        }
        let drips = lock(&self.rule.0).drips_to(self.index).cloned();
        let Some(drips) = drips else {
            return Pin::new(&mut self.stream).poll_write(context, bytes);
        };
        let most = usize::try_from(drips.bytes).unwrap_or(usize::MAX);
        let piece = &bytes[..bytes.len().min(most)];
        let written = ready!(Pin::new(&mut self.stream).poll_write(context, piece))?;
        self.pause = Some(Box::pin(sleep(drips.every.to_duration())));
        Poll::Ready(Ok(written))
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

impl AsyncRead for Dripping {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, into)
    }
}
