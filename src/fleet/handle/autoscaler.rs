//! The autoscaler, carried out: processes that begin and end while the run goes on.
//!
//! What it does and why is decided by [`Autoscaler`], as it is for the simulated fleet; it
//! looks when the gauges are read, on a thread of its own: what it does takes seconds, and
//! the gauges are read on meanwhile. An instance that is added is a new process, and cold;
//! one that is removed leaves the rotation, and has until the next reading to finish.

use std::sync::mpsc::{self, SyncSender};
use std::sync::{Arc, Mutex};
use std::thread;

use super::fleet::{Fleet, Slot};
use super::part::Starting;
use super::restart::stop_instances;
use super::supervisor::take_over;
use crate::error::{Error, Result};
use crate::fleet::lock;
use crate::fleet::message::SettingsPut;
use crate::model::{Autoscaler, FleetSpec, Responder, ScalingStep};
use crate::record::Event;
use crate::units::Nanos;

/// How busy the workers were from an instant to another; none where no gauge could be read.
pub(super) type Look = (Nanos, Nanos, Option<f64>);

/// Where looks are sent. One waits at most: what comes while something is done is of no use
/// after it.
pub(super) type Looks = SyncSender<Look>;

/// The autoscaler, and the process that it has started last.
pub(super) struct Scaler {
    rule: Autoscaler,
    starting: Option<(Starting, SettingsPut)>,
}

impl Scaler {
    /// That of the fleet, where it has one.
    pub(super) fn new(spec: &FleetSpec) -> Option<Mutex<Self>> {
        let own = spec.autoscaler?;
        Some(Mutex::new(Self {
            rule: Autoscaler::new(own, spec.instances, spec.boot),
            starting: None,
        }))
    }
}

impl Fleet {
    /// Whether an instance starts or leaves.
    pub(super) fn is_scaling(&self) -> bool {
        let scaler = self.scaler.as_ref();
        scaler.is_some_and(|scaler| lock(scaler).rule.is_scaling())
    }

    /// The same, without waiting for what is carried out just now: that is scaling.
    pub(super) fn scales_now(&self) -> bool {
        let scaler = self.scaler.as_ref();
        scaler.is_some_and(|scaler| {
            let free = scaler.try_lock();
            free.map_or(true, |scaler| scaler.rule.is_scaling())
        })
    }

    /// The end has begun: what starts is ended.
    pub(super) fn give_up_scaling(&self) {
        if let Some(scaler) = &self.scaler {
            drop(lock(scaler).starting.take());
        }
    }

    /// Does what the autoscaler decides for as long as the fleet is there, where it has one.
    ///
    /// # Errors
    ///
    /// Where no thread can be started.
    pub(super) fn follow_load(self: &Arc<Self>) -> Result<()> {
        if self.scaler.is_none() {
            return Ok(());
        }
        let (looks, inbox) = mpsc::sync_channel::<Look>(1);
        let fleet = Arc::downgrade(self);
        let run = move || {
            // It ends with the fleet, which has the other end.
            for (from, now, busy) in inbox {
                let Some(fleet) = fleet.upgrade() else {
                    return;
                };
                fleet.autoscale(from, now, busy);
            }
        };
        thread::Builder::new()
            .name("autoscaler".into())
            .spawn(run)
            .map_err(|cause| Error::unfit(format!("failed to start a thread: {cause}")))?;
        // Once: a fleet is supervised by one.
        let _ = self.looks.set(looks);
        Ok(())
    }

    /// The gauges were read: the autoscaler looks, unless it has still to do what it decided
    /// before.
    pub(super) fn look_at_load(&self, (from, now, busy): Look) {
        if let Some(looks) = self.looks.get().filter(|_| now > from) {
            let _ = looks.try_send((from, now, busy));
        }
    }

    /// Looks at how busy the workers were from `from` to `now`, and does what follows.
    /// While instances restart it waits.
    fn autoscale(&self, from: Nanos, now: Nanos, busy: Option<f64>) {
        let Some(scaler) = self.scaler.as_ref() else {
            return;
        };
        let Ok(_alone) = self.restarting.try_lock() else {
            return;
        };
        if self.ending.begun() {
            return;
        }
        let mut scaler = lock(scaler);
        let Some(step) = scaler.rule.step(from, now, busy) else {
            return;
        };
        if let Err(reason) = self.scale(&mut scaler, step) {
            scaler.rule.failed();
            // What the end of the fleet interrupts is no news.
            if !self.ending.begun() {
                let text = format!("the autoscaler could not do what it decided: {reason}");
                self.happened(Event::Warning { text });
            }
        }
    }

    fn scale(&self, scaler: &mut Scaler, step: ScalingStep) -> std::result::Result<(), String> {
        match step {
            ScalingStep::Starts(index, decision) => {
                let put = self.next_put(&lock(&self.in_force), index);
                let starting = self.start_cold(index, put.clone());
                let starting = starting.map_err(|error| error.to_string())?;
                scaler.starting = Some((starting, put));
                self.happened(Event::of_scaling(decision));
            }
            ScalingStep::Joins(index) => {
                let Some((starting, put)) = scaler.starting.take() else {
                    return Ok(());
                };
                let slot = &self.instances[index];
                // In one step: what is released from then on is put to it too.
                let counted = |in_force: &mut Responder| in_force.scale(index + 1);
                self.happened(self.fill_slot_and(index, starting, &put, counted)?);
                let state = lock(&slot.state);
                let address = state.part.as_ref().map(|part| part.address);
                drop(state);
                if let Err(reason) = self.rotate([(index, address)]) {
                    // It gets no requests, so it is none of those that serve.
                    lock(&self.rotation)[index] = None;
                    lock(&self.in_force).scale(index);
                    self.end_instance(slot);
                    return Err(reason);
                }
                scaler.rule.joined();
            }
            ScalingStep::Leaves(index, decision) => {
                let before = lock(&self.rotation)[index];
                if let Err(reason) = self.rotate([(index, None)]) {
                    // It gets requests as before.
                    lock(&self.rotation)[index] = before;
                    scaler.rule.stays();
                    return Err(reason);
                }
                lock(&self.in_force).scale(index);
                self.happened(Event::of_scaling(decision));
            }
            ScalingStep::Ends(index) => {
                let slot = &self.instances[index];
                let is_down = take_over(slot);
                // Its supervisor may have put it into rotation again; where it cannot be taken
                // out, it ends all the same.
                let rotated = self.rotate([(index, None)]);
                if !is_down {
                    self.end_instance(slot);
                }
                rotated?;
            }
        }
        Ok(())
    }

    fn end_instance(&self, slot: &Slot) {
        for event in stop_instances([slot].into_iter()) {
            self.happened(event);
        }
    }
}
