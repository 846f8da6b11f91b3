//! The supervisor of the instances: starts those again that crash by a fault.
//!
//! As systemd or the kubelet does it: at once or after a back-off, each by itself, and
//! whatever the others do. The balancer keeps an instance that is down, as nobody told
//! it, and finds it at its new address once it serves. Whoever ends in another way is
//! not started again: nobody asked for that, and it ends the run.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use super::fleet::{Fleet, Slot, SlotState};
use super::gauges::unread;
use crate::error::{Error, Result};
use crate::fleet::lock;
use crate::fleet::message::PartCounters;
use crate::model::fault::CrashLoop;
use crate::record::Event;
use crate::units::Nanos;

/// How often it looks while instances crash: far more often than anything is seen of it.
const LOOK_EVERY: Duration = Duration::from_millis(10);
/// How often it looks whether they do.
const IDLE_EVERY: Duration = Duration::from_millis(100);

/// A crash, until its instance serves again.
#[derive(Debug, Clone, Copy)]
pub(super) enum Crash {
    /// It has not been dealt with.
    Found,
    /// It is down, and is started then.
    Down(Nanos),
    /// It is being started.
    Starting,
}

impl Fleet {
    /// Supervises the instances for as long as the fleet is there, and has its autoscaler
    /// follow the load.
    ///
    /// # Errors
    ///
    /// Where no thread can be started.
    pub fn supervise(self: &Arc<Self>) -> Result<()> {
        self.follow_load()?;
        let fleet = Arc::downgrade(self);
        let run = move || {
            while let Some(fleet) = fleet.upgrade() {
                if fleet.ending.begun() {
                    return;
                }
                let busy = fleet.look_after();
                fleet.tell_news();
                // Not kept while it waits, so that the fleet ends with its last user.
                drop(fleet);
                thread::sleep(if busy { LOOK_EVERY } else { IDLE_EVERY });
            }
        };
        thread::Builder::new()
            .name("supervisor".into())
            .spawn(run)
            .map(drop)
            .map_err(|cause| Error::unfit(format!("failed to start a thread: {cause}")))
    }

    /// Deals with crashes that are found, and starts what is due; whether there may be
    /// more of it soon.
    fn look_after(self: &Arc<Self>) -> bool {
        let faults = lock(&self.in_force).faults().clone();
        let mut busy = faults.crash_loop.is_some();
        for (index, slot) in self.instances.iter().enumerate() {
            let now = self.clock().now();
            let crashes = faults.of(index).crash_loop;
            let mut state = lock(&slot.state);
            state.look();
            busy |= state.crash.is_some();
            match state.crash {
                Some(Crash::Found) => {
                    let event = bury(slot, &mut state);
                    state.news.push(event);
                    let pause = pause(&mut state, crashes.as_ref(), now);
                    state.crash = Some(Crash::Down(now.saturating_add(pause)));
                }
                Some(Crash::Down(due)) if due <= now => {
                    state.crash = Some(Crash::Starting);
                    drop(state);
                    self.start_aside(index);
                }
                _ => {}
            }
        }
        busy
    }

    /// Starts it on a thread of its own: others may be due meanwhile.
    fn start_aside(self: &Arc<Self>, index: usize) {
        let fleet = Arc::clone(self);
        let started = thread::Builder::new()
            .name("start".into())
            .spawn(move || fleet.start_again(index));
        if started.is_err() {
            // Once more when the supervisor looks next.
            lock(&self.instances[index].state).crash = Some(Crash::Down(Nanos::ZERO));
        }
    }

    fn start_again(&self, index: usize) {
        let in_force = lock(&self.in_force).clone();
        let put = self.next_put(&in_force, index);
        drop(in_force);
        let started = self
            .start_cold(index, put.clone())
            .map_err(|error| error.to_string())
            .and_then(|starting| self.fill_slot(index, starting, &put));
        let slot = &self.instances[index];
        let address = {
            let mut state = lock(&slot.state);
            match started {
                Ok(serving) => state.news.push(serving),
                // What the end of the fleet interrupts is no news.
                Err(_) if self.ending.begun() => {}
                Err(reason) => state.deaths.push(reason),
            }
            state.part.as_ref().map(|part| part.address)
        };
        if let Some(address) = address
            && let Err(reason) = self.rotate([(index, Some(address))])
        {
            lock(&slot.state).deaths.push(reason);
        }
        lock(&slot.state).crash = None;
        self.tell_news();
    }

    /// What became of instances that crashed, and what the autoscaler did, each once.
    pub fn news(&self) -> Vec<Event> {
        self.take_news(&mut lock(&self.scaled))
    }

    /// Tells it to who wants to hear it at once: its instant is in the journal. Nobody takes
    /// news meanwhile: they are told in their order, and before the fleet has stopped.
    fn tell_news(&self) {
        if let Some(listener) = self.listener.get() {
            let mut scaled = lock(&self.scaled);
            self.take_news(&mut scaled).into_iter().for_each(listener);
        }
    }

    fn take_news(&self, scaled: &mut Vec<Event>) -> Vec<Event> {
        let slots = self.instances.iter();
        slots
            .flat_map(|slot| std::mem::take(&mut lock(&slot.state).news))
            .chain(std::mem::take(scaled))
            .collect()
    }
}

/// How long the supervisor waits now; a fault that was mended meanwhile asks for no pause.
fn pause(state: &mut SlotState, crashes: Option<&CrashLoop>, now: Nanos) -> Nanos {
    let served = now.saturating_sub(state.serves_since);
    crashes.map_or(Nanos::ZERO, |it| it.pause(&mut state.crashes, served))
}

/// Takes out a process that has crashed, and enters its last reading into the books.
pub(super) fn bury(slot: &Slot, state: &mut SlotState) -> Event {
    state.crash = None;
    let reading = state.part.take().and_then(|part| part.last_words());
    let counters = reading.as_ref().map(|reading| reading.counters);
    match (reading, counters) {
        (Some(reading), Some(PartCounters::Instance(counters))) => {
            state.books.close(&reading);
            Event::Stopped {
                source: slot.name.as_str().into(),
                counters,
            }
        }
        (None, _) => Event::Warning {
            text: format!(
                "{} crashed without its final counters, so the counters of that instance are \
                 incomplete: what it did since they were last read is missing",
                slot.name
            ),
        },
        _ => Event::Warning {
            text: unread(&slot.name),
        },
    }
}

/// From here on the supervisor leaves the instance alone; waits where it starts it just
/// now. Whether the instance is down since a crash.
pub(super) fn take_over(slot: &Slot) -> bool {
    loop {
        let mut state = lock(&slot.state);
        state.look();
        match state.crash {
            None => return false,
            Some(Crash::Starting) => {}
            Some(Crash::Found) => {
                let event = bury(slot, &mut state);
                state.news.push(event);
                return true;
            }
            Some(Crash::Down(_)) => {
                state.crash = None;
                return true;
            }
        }
        drop(state);
        thread::sleep(LOOK_EVERY);
    }
}
