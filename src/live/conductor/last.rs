//! What arrives once a run is ending: the last samples, of this machine and of others.

use super::super::message::Message;
use super::Run;
use crate::error::{Error, Result};
use crate::load::Update;
use crate::record::{Event, StopCause};

impl Run<'_> {
    /// Waits for what those who send the load from afar counted last, where the run ends before
    /// its load: their threads have been stopped, and it is under way.
    pub(super) fn heard_from_afar(&mut self, cause: &Result<StopCause>) -> Result<()> {
        if matches!(cause, Ok(StopCause::Completed)) {
            return Ok(());
        }
        let end = self.clock.now() + self.afar;
        let mut failed = Ok(());
        while !self.finished {
            let wait = end.saturating_sub(self.clock.now());
            let Ok(message) = self.messages.recv_timeout(wait.to_duration()) else {
                break;
            };
            let told = self.last_message(message);
            failed = failed.and(told);
        }
        failed
    }

    /// What was sent while the threads ended: the last samples, and the last deaths.
    pub(super) fn last_messages(&mut self) -> Result<()> {
        let mut failed = Ok(());
        while let Ok(message) = self.messages.try_recv() {
            let told = self.last_message(message);
            failed = failed.and(told);
        }
        failed
    }

    /// One of these.
    fn last_message(&mut self, message: Message) -> Result<()> {
        match message {
            Message::Load(Update::Sample(sample)) | Message::Sample(sample) => {
                self.sample(&sample)?;
            }
            Message::Load(Update::Warning(text)) => self.event(&Event::Warning { text })?,
            Message::Load(Update::FirstFailure(failure)) => {
                self.event(&Event::FirstFailure(failure))?;
            }
            Message::Load(Update::Slowest(operations)) => {
                self.event(&Event::Slowest { operations })?;
            }
            Message::Load(Update::Failed(reason)) => return Err(Error::failed(reason)),
            Message::Event(event) | Message::Load(Update::Happened(event)) => {
                self.event(&event)?;
            }
            Message::Died(event) => return self.died(&event).map(|_| ()),
            Message::ActionEnded { entry, outcome } => {
                self.event(&Event::ActionEnded { entry, outcome })?;
            }
            // What is written down is, also at the end; what would be done is not.
            Message::Ordered(ordered) => self.too_late(ordered)?,
            Message::Load(Update::Finished) => self.finished = true,
            Message::Load(Update::LoadEnded) | Message::Sampled { .. } | Message::Interrupted => {}
        }
        Ok(())
    }
}
