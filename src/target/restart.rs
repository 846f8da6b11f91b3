//! Restarts: all instances at once, or one after the other.
//!
//! An instance leaves the rotation, is stopped (what waits and runs is lost,
//! and counted), and a new process takes its place with an empty role cache and
//! the settings in force.

use serde_json::Value;

use super::fleet::{Fleet, Slot};
use super::gauges::unread;
use super::lock;
use super::message::{PartCounters, Reading};
use super::operations::put_settings;
use super::part::Starting;
use crate::record::{Event, Outcome};
use crate::units::Nanos;

impl Fleet {
    /// Restarts every instance: without a pause all at once, else one after the
    /// other, each in service again for the pause before the next leaves it.
    /// Returns when all serve again; [`Fleet::stop`] cuts it short.
    pub fn restart(&self, pause: Option<Nanos>, on_event: &dyn Fn(Event)) -> Outcome {
        let Ok(_alone) = self.restarting.try_lock() else {
            return Outcome::Failed {
                reason: "another restart is under way".into(),
            };
        };
        let all: Vec<usize> = (0..self.instances.len()).collect();
        let groups: Vec<&[usize]> = match pause {
            None => vec![&all],
            Some(_) => all.chunks(1).collect(),
        };
        let last = groups.len().saturating_sub(1);
        let mut failures = Vec::new();
        for (place, group) in groups.into_iter().enumerate() {
            self.restart_group(group, on_event, &mut failures);
            if self.ending.begun() {
                failures.push("the fleet was ended".to_owned());
                break;
            }
            if let Some(pause) = pause.filter(|_| place < last) {
                self.ending.pause(pause.to_duration());
            }
        }
        if failures.is_empty() {
            let how = pause.map_or_else(
                || "all at once".to_owned(),
                |pause| format!("one after the other, {pause} apart"),
            );
            let detail = format!("{} instances restarted {how}", all.len());
            Outcome::Applied { detail }
        } else {
            Outcome::Failed {
                reason: failures.join("; "),
            }
        }
    }

    /// Restarts these instances together.
    fn restart_group(&self, group: &[usize], on_event: &dyn Fn(Event), failures: &mut Vec<String>) {
        if let Err(reason) = self.rotate(group.iter().map(|index| (*index, None))) {
            failures.push(reason);
        }
        for index in group {
            match stop_instance(&self.instances[*index]) {
                Ok(stopped) => on_event(stopped),
                // It had died, which is told by `Fleet::dead`: a restart brings it back.
                Err(cause) => on_event(Event::Warning { text: cause }),
            }
        }
        let settings = lock(&self.release).active().settings;
        let starting: Vec<_> = group
            .iter()
            .filter(|_| !self.ending.begun())
            .map(|index| (*index, self.start_cold(*index, settings)))
            .collect();
        for (index, starting) in starting {
            match starting
                .map_err(|error| error.to_string())
                .and_then(|starting| self.fill_slot(index, starting))
            {
                Ok(serving) => on_event(serving),
                Err(reason) => failures.push(reason),
            }
        }
        let back = group.iter().filter_map(|index| {
            let state = lock(&self.instances[*index].state);
            Some((*index, Some(state.part.as_ref()?.address)))
        });
        let back: Vec<_> = back.collect();
        if let Err(reason) = self.rotate(back) {
            failures.push(reason);
        }
    }

    /// Waits until a new process serves and gives it its place.
    fn fill_slot(&self, index: usize, starting: Starting) -> Result<Event, String> {
        let part = starting
            .serving(self.spec.boot.to_duration())
            .map_err(|error| error.to_string())?;
        let slot = &self.instances[index];
        // A release made since the process was configured must not pass it by.
        let release = lock(&self.release);
        let serving = {
            let mut state = lock(&slot.state);
            if self.ending.begun() {
                return Err(format!("{} was ended while it started", slot.name));
            }
            state.books.begin();
            let pid = part.pid;
            state.part = Some(part);
            Event::Serving {
                source: slot.name.clone(),
                pid,
            }
        };
        put_settings(slot, release.active().settings)?;
        Ok(serving)
    }
}

/// Stops an instance for good; its final counters go into the event and to
/// the next sample.
pub(super) fn stop_instance(slot: &Slot) -> Result<Event, String> {
    let mut state = lock(&slot.state);
    let name = &slot.name;
    let mut part = state
        .part
        .take()
        .ok_or_else(|| format!("{name} was not running"))?;
    let reading = part
        .call::<Reading>("POST", "/stop", &Value::Null)
        .map_err(|cause| format!("{name} gave no final counters: {cause}"));
    if reading.is_ok() {
        part.end();
    }
    let reading = reading?;
    let PartCounters::Instance(counters) = reading.counters else {
        return Err(unread(name));
    };
    state.books.close(&reading);
    Ok(Event::Stopped {
        source: name.clone(),
        counters,
    })
}
