//! A view on a thread of its own, so that a terminal that does not read cannot
//! hold up the run.

use std::sync::mpsc::{self, SyncSender};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::record::{Event, Observer, Sample};
use crate::units::Nanos;

/// What may wait to be shown: some seconds' worth. When a view falls further
/// behind, what comes then is not shown; the record has it all.
const WAITING_MAX: usize = 4096;
/// How long a view may take to show its last lines: in steps of this, so often.
const LAST_WORDS: (Duration, u32) = (Duration::from_millis(10), 100);

/// Tells another observer on a thread of its own.
#[derive(Debug)]
pub(crate) struct Aside {
    told: Option<SyncSender<Update>>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug)]
enum Update {
    Event(Nanos, Event),
    Sample(Sample),
}

impl Aside {
    /// From now on `view` is told on its own thread.
    pub(crate) fn new(mut view: Box<dyn Observer + Send>) -> Self {
        let (told, inbox) = mpsc::sync_channel(WAITING_MAX);
        let thread = thread::spawn(move || {
            for message in inbox {
                match message {
                    Update::Event(at, event) => view.event(at, &event),
                    Update::Sample(sample) => view.sample(&sample),
                }
            }
        });
        Self {
            told: Some(told),
            thread: Some(thread),
        }
    }

    fn tell(&self, message: Update) {
        if let Some(told) = &self.told {
            // Full, or the view has panicked: the run goes on without it.
            let _ = told.try_send(message);
        }
    }
}

impl Observer for Aside {
    fn event(&mut self, at: Nanos, event: &Event) {
        self.tell(Update::Event(at, event.clone()));
    }

    fn sample(&mut self, sample: &Sample) {
        self.tell(Update::Sample(sample.clone()));
    }
}

impl Drop for Aside {
    fn drop(&mut self) {
        self.told = None;
        let Some(thread) = self.thread.take() else {
            return;
        };
        let (step, steps) = LAST_WORDS;
        for _ in 0..steps {
            if thread.is_finished() {
                // A panic there was printed already.
                let _ = thread.join();
                return;
            }
            thread::park_timeout(step);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A view that never gets past its first event until it is let go.
    struct Stuck(mpsc::Receiver<()>, mpsc::Sender<()>);

    impl Observer for Stuck {
        fn event(&mut self, _: Nanos, _: &Event) {
            let _ = self.1.send(());
            let _ = self.0.recv();
        }

        fn sample(&mut self, _: &Sample) {}
    }

    #[test]
    fn a_stuck_view_holds_up_nobody() {
        let (let_go, held) = mpsc::channel();
        let (entered, in_view) = mpsc::channel();
        let mut aside = Aside::new(Box::new(Stuck(held, entered)));
        aside.event(Nanos::ZERO, &Event::LoadStarted);
        in_view.recv().unwrap();
        for _ in 0..2 * WAITING_MAX {
            aside.event(Nanos::ZERO, &Event::LoadStarted);
        }
        drop(let_go);
    }
}
