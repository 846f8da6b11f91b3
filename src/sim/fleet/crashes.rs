//! Instances that crash by a fault, and the supervisor that starts them again.

use super::super::calendar::{Event, Place};
use super::super::instance::NONE;
use super::Fleet;
use crate::record;
use crate::units::Nanos;

/// When a crash that is due looks again whether a process that stands still goes on.
const LOOK_AGAIN: Nanos = Nanos::from_millis(100);

impl Fleet {
    /// The instance crashes after a while, where a fault lets it.
    pub(super) fn next_crash(&mut self, now: Nanos, index: usize) {
        let own = &mut self.instances[index];
        own.crash.plan += 1;
        let Some(crashes) = own.faults.crash_loop.as_ref() else {
            return;
        };
        let at = now.saturating_add(crashes.after.sample(&mut own.crash.rng));
        let place = own.place(own.crash.plan);
        self.calendar.enter(at, Event::Crashes(place));
    }

    pub(super) fn crashes(&mut self, now: Nanos, place: Place) {
        let index = place.instance as usize;
        let own = &self.instances[index];
        if !own.runs(place) || own.crash.plan != place.worker {
            return;
        }
        if own.stands_still() {
            let later = now.saturating_add(LOOK_AGAIN);
            return self.calendar.enter(later, Event::Crashes(place));
        }
        self.stop_instance(now, index);
        let own = &mut self.instances[index];
        own.crash.down = true;
        let served = now.saturating_sub(own.crash.serves_since);
        let crashes = own.faults.crash_loop.as_ref();
        let pause = crashes.map_or(Nanos::ZERO, |it| it.pause(&mut own.crash.row, served));
        let at = now.saturating_add(pause).saturating_add(self.spec.boot);
        self.calendar.enter(at, Event::StartsAgain(place));
    }

    /// The supervisor's process serves, unless a restart has come before it.
    pub(super) fn starts_again(&mut self, now: Nanos, place: Place) {
        let own = &self.instances[place.instance as usize];
        if own.crash.down && own.launch == place.launch {
            self.start_instance(now, place.instance as usize);
        }
    }

    /// The instance stops; what waits and runs in it is lost.
    pub(super) fn stop_instance(&mut self, now: Nanos, index: usize) {
        // What is paused could not stop.
        self.go_on(now, index);
        let instance = &mut self.instances[index];
        let (counters, lost) = instance.stop(now, &mut self.jobs);
        self.happened.push(record::Event::Stopped {
            source: instance.name().clone(),
            counters,
        });
        for job in lost {
            self.broke(job);
        }
        for arrival in self.instances[index].links.close() {
            self.breaks(arrival.job);
        }
        self.end_sessions(index);
    }

    /// A process of the instance serves, cold, and is in rotation.
    pub(super) fn start_instance(&mut self, now: Nanos, index: usize) {
        let settings = self.responder.settings_of(index);
        self.instances[index].start(now, settings);
        self.begin_faults(now, index);
        self.follow_telemetry(now, index, true);
        self.happened.push(record::Event::Serving {
            source: self.instances[index].name().clone(),
            pid: 0,
        });
        let place = u32::try_from(index).unwrap_or(NONE);
        if let Err(at) = self.members.binary_search(&place) {
            self.members.insert(at, place);
        }
    }

    /// The request is lost with the connection that it came on, or cannot be made.
    pub(super) fn breaks(&mut self, job: u32) {
        if let Some(job) = self.jobs.remove(job) {
            self.broke(job);
        }
    }
}
