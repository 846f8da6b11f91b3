//! Restarts: all instances at once, or one after the other.
//!
//! An instance leaves the rotation, is stopped (what waits and runs is lost,
//! and counted), and a new process takes its place with an empty role cache and
//! the settings in force.

use std::ops::Range;
use std::thread;
use std::time::Duration;

use rustix::process::Signal;
use serde_json::Value;

use super::fleet::{Fleet, Slot};
use super::gauges::unread;
use super::operations::PUT_MAX;
use super::part::{self, Part, Starting};
use super::supervisor::{Crash, bury, take_over};
use crate::fleet::lock;
use crate::fleet::message::{CRASHED, PartCounters, Reading, SettingsPut};
use crate::model::{Responder, RestartOrder};
use crate::record::{Event, Outcome};

/// How long an instance may take to give its final counters: they are lost
/// otherwise, and a machine that is short of processors is slow.
const STOP_MAX: Duration = Duration::from_secs(5);

impl Fleet {
    /// Restarts every instance, group by group, and returns when all serve again.
    ///
    /// An instance that had died comes back too; its death is told by
    /// [`Fleet::dead`].
    pub(super) fn restart_all(&self, mut order: RestartOrder, on_event: &dyn Fn(Event)) -> Outcome {
        let Ok(_alone) = self.restarting.try_lock() else {
            return if self.scales_now() {
                RestartOrder::refused_while_scaling()
            } else {
                RestartOrder::refused()
            };
        };
        if self.is_scaling() {
            return RestartOrder::refused_while_scaling();
        }
        let mut failures = Vec::new();
        if !self.ending.begun() {
            self.take_down(order.stops_first(), on_event, &mut failures);
        }
        loop {
            if !self.ending.begun() {
                if order.stops_groups() {
                    self.take_down(order.group(), on_event, &mut failures);
                }
                self.start_group(order.group(), on_event, &mut failures);
            }
            if self.ending.begun() {
                return order.cut_short(failures);
            }
            match order.next_group() {
                Some(pause) => self.ending.pause(pause.to_duration()),
                None => return order.ended(&failures),
            }
        }
    }

    /// These instances leave the rotation and stop.
    fn take_down(&self, group: Range<usize>, on_event: &dyn Fn(Event), failures: &mut Vec<String>) {
        if group.is_empty() {
            return;
        }
        // First, so that no supervisor puts one of them into rotation again.
        let slots = self.instances[group.clone()].iter();
        let up: Vec<&Slot> = slots.filter(|slot| !take_over(slot)).collect();
        if let Err(reason) = self.rotate(group.map(|index| (index, None))) {
            failures.push(reason);
        }
        stop_instances(up.into_iter())
            .into_iter()
            .for_each(on_event);
    }

    /// Starts these instances together and puts them into rotation.
    fn start_group(
        &self,
        group: Range<usize>,
        on_event: &dyn Fn(Event),
        failures: &mut Vec<String>,
    ) {
        let in_force = lock(&self.in_force).clone();
        let starting: Vec<_> = group
            .clone()
            .filter(|_| !self.ending.begun())
            .map(|index| {
                let put = self.next_put(&in_force, index);
                {
                    let starting = self.start_cold(index, put.clone());
                    (index, put, starting)
                }
            })
            .collect();
        for (index, put, starting) in starting {
            match starting
                .map_err(|error| error.to_string())
                .and_then(|starting| self.fill_slot(index, starting, &put))
            {
                Ok(serving) => on_event(serving),
                // What the end of the fleet interrupts is told once, for all.
                Err(_) if self.ending.begun() => {}
                Err(reason) => failures.push(reason),
            }
        }
        let back = group.filter_map(|index| {
            let state = lock(&self.instances[index].state);
            Some((index, Some(state.part.as_ref()?.address)))
        });
        let back: Vec<_> = back.collect();
        if let Err(reason) = self.rotate(back) {
            failures.push(reason);
        }
    }

    /// Waits until a new process, configured with these settings, serves, and
    /// gives it its place.
    pub(super) fn fill_slot(
        &self,
        index: usize,
        starting: Starting,
        configured: &SettingsPut,
    ) -> Result<Event, String> {
        self.fill_slot_and(index, starting, configured, |_| ())
    }

    /// The same; with its place it has `counted` done to what is in force, before any other
    /// release is made.
    pub(super) fn fill_slot_and(
        &self,
        index: usize,
        starting: Starting,
        configured: &SettingsPut,
        counted: impl FnOnce(&mut Responder),
    ) -> Result<Event, String> {
        let part = starting
            .serving(self.spec.boot.to_duration(), &|| self.ending.begun())
            .map_err(|error| error.to_string())?;
        let slot = &self.instances[index];
        // A release made since the process was configured must not pass it by:
        // until it has its place here none other is made.
        let mut in_force = lock(&self.in_force);
        let put = self.next_put(&in_force, index);
        let same = |a: &SettingsPut, b: &SettingsPut| {
            (a.settings, a.slow) == (b.settings, b.slow) && a.faults == b.faults
        };
        if !same(&put, configured) {
            let mut control = part.control_within(PUT_MAX);
            part::call::<Value>(&mut control, "PUT", "/settings", &put).map_err(|cause| {
                format!(
                    "{} was ended, since it did not accept its settings: {cause}",
                    slot.name
                )
            })?;
        }
        let mut state = lock(&slot.state);
        state.books.begin();
        (state.paused, state.behind) = (false, false);
        state.serves_since = self.clock().now();
        let pid = part.pid;
        state.part = Some(part);
        counted(&mut in_force);
        Ok(Event::Serving {
            source: slot.name.as_str().into(),
            pid,
        })
    }
}

/// Stops these instances together and for good; what became of each.
pub(super) fn stop_instances<'a>(slots: impl Iterator<Item = &'a Slot>) -> Vec<Event> {
    thread::scope(|scope| {
        let stops: Vec<_> = slots
            .map(|slot| scope.spawn(move || stop_instance(slot)))
            .collect();
        stops
            .into_iter()
            .filter_map(|stop| stop.join().expect("stopping an instance does not panic"))
            .collect()
    })
}

/// Stops an instance; its final counters go into the event and to the next
/// sample. Its lock is not held meanwhile: the gauges of the others are read on. None
/// where a crash had stopped it, which is told by [`Fleet::news`].
fn stop_instance(slot: &Slot) -> Option<Event> {
    if take_over(slot) {
        return None;
    }
    let name = &slot.name;
    let taken = {
        let mut state = lock(&slot.state);
        // Whoever died before it could be stopped has died all the same.
        state.look();
        if matches!(state.crash, Some(Crash::Found)) {
            let event = bury(slot, &mut state);
            state.news.push(event);
            return None;
        }
        // What is paused could not answer.
        if std::mem::take(&mut state.paused)
            && let Some(part) = &mut state.part
        {
            // Where it cannot go on, it gives no final counters and is killed.
            let _ = part.signal(Signal::CONT);
        }
        state.part.take()
    };
    let Some(mut part) = taken else {
        let text = format!("{name} was not running when it was to be stopped");
        return Some(Event::Warning { text });
    };
    let result = last_reading(slot, &mut part);
    Some(stopped(slot, part, result))
}

/// What became of an instance that was told to stop, with this result.
fn stopped(slot: &Slot, mut part: Part, result: Result<Event, String>) -> Event {
    let name = &slot.name;
    if result.is_ok() {
        part.end();
    } else {
        // It may have ended between the look and the call.
        let died = part.died().filter(|status| !status.success());
        if died.is_some_and(|status| status.code() == Some(CRASHED)) {
            let mut state = lock(&slot.state);
            state.part = Some(part);
            return bury(slot, &mut state);
        }
        let status = died.map(|status| status.to_string());
        lock(&slot.state).deaths.extend(status);
    }
    match result {
        Ok(stopped) => stopped,
        Err(cause) => Event::Warning {
            text: format!(
                "{name} gave no final counters ({cause}), so the counters of that instance are \
                 incomplete: what it did since they were last read is missing"
            ),
        },
    }
}

/// Tells an instance to stop and enters its last reading into the books.
fn last_reading(slot: &Slot, part: &mut Part) -> Result<Event, String> {
    if part.ended() {
        return Err("it had ended on its own".to_owned());
    }
    let mut control = part.control_within(STOP_MAX);
    let reading: Reading = part::call(&mut control, "POST", "/stop", &Value::Null)?;
    let PartCounters::Instance(counters) = reading.counters else {
        return Err(unread(&slot.name));
    };
    lock(&slot.state).books.close(&reading);
    Ok(Event::Stopped {
        source: slot.name.as_str().into(),
        counters,
    })
}
