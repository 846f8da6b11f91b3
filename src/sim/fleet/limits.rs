//! What the operating system refuses an instance: threads for its peers, and descriptors
//! for its connections.

use super::super::calendar::{Event, Place};
use super::super::instance::{Link, NONE};
use super::balancing::Checks;
use super::{Arrival, Fleet};
use crate::units::Nanos;

impl Fleet {
    /// The instance has the threads that it gets, where its cluster is another than it
    /// knows, or it has just started.
    pub(super) fn follow_peers(&mut self, now: Nanos, index: usize, launched: bool) {
        let Some(spec) = self.spec.peers else { return };
        let own = &mut self.instances[index];
        let threads = spec.threads(&own.faults);
        if launched || own.map.differs(threads.wanted) {
            let refused = own.map.make(threads);
            self.again(now, index, refused);
        }
    }

    /// An instance that was refused a thread tries again, unless it is another by now.
    pub(super) fn tries_again(&mut self, now: Nanos, place: Place) {
        let Some(spec) = self.spec.peers else { return };
        let own = &mut self.instances[place.instance as usize];
        if own.runs(place) {
            let threads = spec.threads(&own.faults);
            let refused = own.map.make(threads);
            self.again(now, place.instance as usize, refused);
        }
    }

    fn again(&mut self, now: Nanos, index: usize, refused: bool) {
        let again = self.spec.peers.and_then(|peers| peers.again);
        if let Some(again) = again.filter(|_| refused) {
            let place = self.instances[index].place(NONE);
            self.calendar
                .enter(now.saturating_add(again), Event::TriesAgain(place));
        }
    }

    /// A request reaches an instance that is up: it is read, or waits in the kernel.
    pub(super) fn link(&mut self, now: Nanos, instance: u32, arrival: Arrival) {
        let Some(job) = self.jobs.get_mut(arrival.job) else {
            return;
        };
        let fresh = Checks::instance(job.caller).is_some();
        let own = &mut self.instances[instance as usize];
        match own.links.enter(now, fresh, arrival) {
            Link::Made => {
                job.link = instance;
                self.read(now, instance, arrival);
            }
            Link::Waits => {}
            Link::Dropped => job.unseen = true,
        }
    }

    /// A connection to this instance carries nothing any more.
    pub(super) fn unlink(&mut self, now: Nanos, link: u32, kept: bool) {
        if link != NONE {
            self.instances[link as usize].links.leave(kept);
            if !kept {
                self.accept(now, link);
            }
        }
    }

    /// Accepts what waits, as far as there are descriptors.
    pub(super) fn accept(&mut self, now: Nanos, instance: u32) {
        loop {
            let own = &mut self.instances[instance as usize];
            if !own.up || own.pause.is_some() {
                return;
            }
            let Some(arrival) = own.links.accept(now) else {
                return;
            };
            match self.jobs.get_mut(arrival.job) {
                Some(job) if !job.abandoned() => {
                    job.link = instance;
                    self.read(now, instance, arrival);
                }
                // Its caller has gone: there is a connection to close, and no request.
                _ => {
                    own.links.leave(false);
                    self.jobs.remove(arrival.job);
                }
            }
        }
    }
}
