//! A bounded queue with a thread that delivers what is in it.
//!
//! Whoever puts something in never waits: where the queue is full, since the receiver hangs,
//! what comes is lost and counted. At the end what is left may take so long and no longer.

use std::fmt;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{self, SyncSender};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::sync::lock;

/// How long delivery may go on at the end: in steps of this, so often. Longer than a receiver
/// that answers takes, shorter than anybody waits for a prompt.
const LAST: (Duration, u32) = (Duration::from_millis(10), 500);
/// Given up, a delivery ends so soon: the small client looks every 50 ms.
const GIVEN_UP: (Duration, u32) = (Duration::from_millis(10), 20);

/// Delivers one thing; the argument besides says whether that was given up.
pub(super) type Deliver<T> = Box<dyn FnMut(T, &dyn Fn() -> bool) -> Result<(), String> + Send>;

/// What has become of what was put in.
#[derive(Debug, Default)]
struct Fate {
    put: AtomicU64,
    arrived: AtomicU64,
    /// Why the last that failed did.
    cause: Mutex<String>,
    over: AtomicBool,
}

/// The queue.
pub(super) struct Outbox<T> {
    queue: Option<SyncSender<T>>,
    thread: Option<JoinHandle<()>>,
    fate: Arc<Fate>,
}

impl<T> fmt::Debug for Outbox<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outbox")
            .field("fate", &self.fate)
            .finish_non_exhaustive()
    }
}

impl<T: Send + 'static> Outbox<T> {
    /// A queue of at most `most`, delivered by `deliver` on a thread of this name.
    ///
    /// # Errors
    ///
    /// Where there can be no thread.
    pub(super) fn start(name: &str, most: usize, mut deliver: Deliver<T>) -> std::io::Result<Self> {
        let (queue, inbox) = mpsc::sync_channel(most);
        let fate = Arc::<Fate>::default();
        let own = Arc::clone(&fate);
        let thread = thread::Builder::new().name(name.into()).spawn(move || {
            for thing in inbox {
                let over = || own.over.load(Ordering::Acquire);
                if over() {
                    break;
                }
                match deliver(thing, &over) {
                    Ok(()) => _ = own.arrived.fetch_add(1, Ordering::Release),
                    Err(cause) => *lock(&own.cause) = cause,
                }
            }
        })?;
        Ok(Self {
            queue: Some(queue),
            thread: Some(thread),
            fate,
        })
    }

    /// Puts something in; where there is no room it is lost.
    pub(super) fn put(&self, thing: T) {
        let Some(queue) = &self.queue else { return };
        self.fate.put.fetch_add(1, Ordering::Relaxed);
        // Full, or whoever delivers has panicked: it does not arrive.
        let _ = queue.try_send(thing);
    }

    /// Delivers what is left, as far as that goes in time; how many did not arrive, and why.
    pub(super) fn end(mut self) -> Option<(u64, String)> {
        self.close();
        let put = self.fate.put.load(Ordering::Relaxed);
        let missing = put.saturating_sub(self.fate.arrived.load(Ordering::Acquire));
        let cause = lock(&self.fate.cause).clone();
        let cause = if cause.is_empty() {
            "it did not take them in time".to_owned()
        } else {
            cause
        };
        (missing > 0).then_some((missing, cause))
    }

    fn close(&mut self) {
        self.queue = None;
        if self.wait(LAST) {
            return;
        }
        self.fate.over.store(true, Ordering::Release);
        // It may hang in a write that nothing ends.
        self.wait(GIVEN_UP);
    }

    /// Whether the thread has ended within so many steps.
    fn wait(&mut self, (step, steps): (Duration, u32)) -> bool {
        let Some(thread) = self.thread.take() else {
            return true;
        };
        for _ in 0..steps {
            if thread.is_finished() {
                // A panic there was printed already.
                let _ = thread.join();
                return true;
            }
            thread::park_timeout(step);
        }
        self.thread = Some(thread);
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_put_in_is_delivered_in_order() {
        let (sender, arrived) = mpsc::channel();
        let deliver: Deliver<u32> = Box::new(move |thing, _| {
            let _ = sender.send(thing);
            Ok(())
        });
        let outbox = Outbox::start("test", 16, deliver).unwrap();
        (0..10).for_each(|thing| outbox.put(thing));
        assert_eq!(outbox.end(), None);
        assert_eq!(
            arrived.iter().collect::<Vec<_>>(),
            (0..10).collect::<Vec<_>>()
        );
    }

    #[test]
    fn a_receiver_that_hangs_holds_up_nobody_and_what_it_missed_is_counted() {
        let (entered, in_delivery) = mpsc::channel();
        let deliver: Deliver<u32> = Box::new(move |_, over| {
            let _ = entered.send(());
            while !over() {
                thread::park_timeout(Duration::from_millis(1));
            }
            Err("it hung".into())
        });
        let outbox = Outbox::start("test", 4, deliver).unwrap();
        outbox.put(0);
        in_delivery.recv().unwrap();
        (1..100).for_each(|thing| outbox.put(thing));
        outbox.fate.over.store(true, Ordering::Release);
        assert_eq!(outbox.end(), Some((100, "it hung".into())));
    }

    #[test]
    fn what_waits_behind_a_write_that_nothing_ends_is_counted_too() {
        let (entered, in_delivery) = mpsc::channel();
        let (let_go, held) = mpsc::channel::<()>();
        let deliver: Deliver<u32> = Box::new(move |_, _| {
            let _ = entered.send(());
            let _ = held.recv();
            Ok(())
        });
        let mut outbox = Outbox::start("test", 4, deliver).unwrap();
        (0..3).for_each(|thing| outbox.put(thing));
        in_delivery.recv().unwrap();
        // As if it had been waited for long enough.
        outbox.thread = None;
        let told = outbox.end();
        drop(let_go);
        assert_eq!(told, Some((3, "it did not take them in time".into())));
    }

    #[test]
    fn why_something_did_not_arrive_is_told() {
        let deliver: Deliver<u32> = Box::new(|thing, _| match thing {
            1 => Err("status 500".into()),
            _ => Ok(()),
        });
        let outbox = Outbox::start("test", 4, deliver).unwrap();
        (0..3).for_each(|thing| outbox.put(thing));
        assert_eq!(outbox.end(), Some((1, "status 500".into())));
    }
}
