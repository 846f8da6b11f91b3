//! The autoscaler, carried out: processes that begin and end while the run goes on.
//!
//! What it does and why is decided by [`Autoscaler`], as it is for the simulated fleet; it
//! looks when the gauges are read. An instance that is added is a new process, and cold;
//! one that is removed leaves the rotation, and has until the next reading to finish.

use std::sync::Mutex;

use super::fleet::Fleet;
use super::part::Starting;
use super::restart::stop_instances;
use super::supervisor::take_over;
use crate::fleet::lock;
use crate::fleet::message::SettingsPut;
use crate::model::{Autoscaler, FleetSpec, ScalingStep};
use crate::record::Event;
use crate::units::Nanos;

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

    /// The end has begun: what starts is ended.
    pub(super) fn give_up_scaling(&self) {
        if let Some(scaler) = &self.scaler {
            drop(lock(scaler).starting.take());
        }
    }

    /// Looks at how busy the workers were from `from` to `now`, and does what follows; what
    /// happened. While instances restart it waits.
    pub(super) fn autoscale(&self, from: Nanos, now: Nanos, busy: Option<f64>) -> Vec<Event> {
        let Some(scaler) = self.scaler.as_ref().filter(|_| now > from) else {
            return Vec::new();
        };
        let Ok(_alone) = self.restarting.try_lock() else {
            return Vec::new();
        };
        if self.ending.begun() {
            return Vec::new();
        }
        let mut scaler = lock(scaler);
        let Some(step) = scaler.rule.step(from, now, busy) else {
            return Vec::new();
        };
        match self.scale(&mut scaler, step) {
            Ok(events) => events,
            Err(reason) => {
                scaler.rule.failed();
                let text = format!("the autoscaler could not do what it decided: {reason}");
                vec![Event::Warning { text }]
            }
        }
    }

    fn scale(&self, scaler: &mut Scaler, step: ScalingStep) -> Result<Vec<Event>, String> {
        match step {
            ScalingStep::Starts(index, decision) => {
                let put = self.next_put(&lock(&self.in_force), index);
                let starting = self.start_cold(index, put.clone());
                let starting = starting.map_err(|error| error.to_string())?;
                scaler.starting = Some((starting, put));
                Ok(vec![Event::of_scaling(decision)])
            }
            ScalingStep::Joins(index) => {
                let Some((starting, put)) = scaler.starting.take() else {
                    return Ok(Vec::new());
                };
                let serving = self.fill_slot(index, starting, &put)?;
                lock(&self.in_force).scale(index + 1);
                scaler.rule.joined();
                let state = lock(&self.instances[index].state);
                let address = state.part.as_ref().map(|part| part.address);
                drop(state);
                self.rotate([(index, address)])?;
                Ok(vec![serving])
            }
            ScalingStep::Leaves(index, decision) => {
                lock(&self.in_force).scale(index);
                self.rotate([(index, None)])?;
                Ok(vec![Event::of_scaling(decision)])
            }
            ScalingStep::Ends(index) => {
                let slot = &self.instances[index];
                let is_down = take_over(slot);
                // Its supervisor may have put it into rotation again.
                self.rotate([(index, None)])?;
                let up = [slot].into_iter().filter(|_| !is_down);
                Ok(stop_instances(up))
            }
        }
    }
}
