//! A feed as server-sent events: what there is, then as it comes.
//!
//! Each reader has a task and room for a few pieces. One that does not take them in time is
//! let go: its page connects again with the last number it has, so it loses time and no
//! message, and whoever puts messages into the feed never waits for it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};

use super::connections::Turn;
use super::feed::Feed;

/// Messages that are sent in one piece at most.
const MESSAGES_MAX: usize = 256;
/// Pieces that wait for a reader at most.
const PIECES_MAX: usize = 8;
/// How long a reader may take to take one: a page that was put aside for less goes on.
const SLOW: Duration = Duration::from_secs(30);
/// So often something is sent, so that both sides know that the other is there.
const ALIVE_EVERY: Duration = Duration::from_secs(5);

/// Who reads, and who has read to the end.
#[derive(Debug, Default)]
pub(super) struct Readers {
    /// Those who read now.
    now: AtomicUsize,
    /// All there have been.
    ever: AtomicUsize,
    /// Those who have got the last message.
    done: AtomicUsize,
}

impl Readers {
    /// Whether nobody is left who has yet to get the last message, as far as can be told: one
    /// whose connection broke may come back.
    pub(super) fn are_done(&self) -> bool {
        let nobody = self.ever.load(Ordering::Acquire) == 0;
        let all = self.now.load(Ordering::Acquire) == 0;
        nobody || all && self.done.load(Ordering::Acquire) > 0
    }
}

/// Counts a reader while it is there.
struct Present(Arc<Readers>);

impl Present {
    fn new(readers: &Arc<Readers>) -> Self {
        readers.now.fetch_add(1, Ordering::AcqRel);
        readers.ever.fetch_add(1, Ordering::AcqRel);
        Self(Arc::clone(readers))
    }
}

impl Drop for Present {
    fn drop(&mut self) {
        self.0.now.fetch_sub(1, Ordering::AcqRel);
    }
}

/// What follows a number, in pieces.
pub(super) fn stream(
    feed: Arc<Feed>,
    after: u64,
    readers: &Arc<Readers>,
    turn: Turn,
) -> mpsc::Receiver<Bytes> {
    let (pieces, receiver) = mpsc::channel(PIECES_MAX);
    let present = Present::new(readers);
    tokio::spawn(async move {
        if read(&feed, after, &pieces, &turn).await.is_some() {
            // Until whoever sends it has taken the last piece, and closed behind it.
            drop(pieces);
            present.0.done.fetch_add(1, Ordering::AcqRel);
        }
        drop(present);
    });
    receiver
}

/// Sends until the end has been sent; none where the reader went first.
async fn read(feed: &Feed, mut seq: u64, pieces: &mpsc::Sender<Bytes>, turn: &Turn) -> Option<()> {
    let mut newest = feed.watch();
    send(pieces, ": threadbare\n\n".into(), turn).await?;
    loop {
        newest.borrow_and_update();
        let batch = feed.after(seq, MESSAGES_MAX);
        if let Some((last, _)) = batch.messages.last() {
            seq = *last;
            let mut text = String::new();
            for (seq, message) in &batch.messages {
                text.extend(["id: ", &seq.to_string(), "\ndata: ", message, "\n\n"]);
            }
            send(pieces, text, turn).await?;
        }
        if batch.ended {
            return Some(());
        }
        if !batch.messages.is_empty() {
            continue;
        }
        tokio::select! {
            changed = newest.changed() => changed.ok()?,
            () = pieces.closed() => return None,
            () = sleep(ALIVE_EVERY) => send(pieces, ": alive\n\n".into(), turn).await?,
        }
    }
}

async fn send(pieces: &mpsc::Sender<Bytes>, text: String, turn: &Turn) -> Option<()> {
    let sent = timeout(SLOW, pieces.send(text.into())).await;
    turn.touch();
    sent.ok()?.ok()
}
