//! What connections and answers take, apart: connecting, agreeing on encryption, and
//! waiting for the first byte of an answer.
//!
//! The clients know when an attempt was sent and when it was answered; what lies
//! between is the wire's to tell. It is counted here, without allocating, and leaves
//! once an interval with the generator's sample. Monitors are not in it.

use super::super::connection::{Carried, Connection, FirstByte};
use super::sockets::Sockets;
use crate::clients::{AWAY, Class};
use crate::record::{Counters, Histogram, Measure, Sample};
use crate::units::Nanos;

/// Durations since the last sample.
#[derive(Debug, Default)]
pub(super) struct Times {
    connect: Histogram,
    tls: Histogram,
    first_byte: Histogram,
}

/// How far a connection has come, as far as that is timed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::load) enum Step {
    /// It was begun then.
    Begun(Nanos),
    /// It was made then, and encryption is being agreed on.
    Made(Nanos),
    /// All of it has been counted.
    Timed,
}

impl Times {
    /// A connection was made; `secured`: there is nothing left to agree on.
    pub(super) fn made(&mut self, class: Class, step: Step, now: Nanos, secured: bool) -> Step {
        let user = class == Class::User;
        match step {
            Step::Begun(begun) if user => self.connect.record(now.saturating_sub(begun)),
            Step::Made(made) if user && secured => self.tls.record(now.saturating_sub(made)),
            _ => {}
        }
        match step {
            _ if secured => Step::Timed,
            Step::Begun(_) => Step::Made(now),
            step => step,
        }
    }

    /// A connection that is made is looked at: how far it has come by `now`.
    pub(super) fn see(&mut self, connection: &mut Connection, now: Nanos) {
        let secured = !connection.stream.handshaking();
        connection.step = self.made(connection.class, connection.step, now, secured);
    }

    /// The first byte of the answer to an attempt came so long after its send, where that
    /// is known.
    pub(super) fn first_byte(&mut self, class: Class, after: Option<Nanos>) {
        if let (Class::User, Some(after)) = (class, after) {
            self.first_byte.record(after);
        }
    }

    /// Adds what was counted to the generator's sample of the interval.
    pub(super) fn join(&mut self, sample: &mut Sample) {
        if !matches!(sample.counters, Counters::Generator(_)) {
            return;
        }
        for (measure, histogram) in [
            (Measure::Connect, &mut self.connect),
            (Measure::TlsHandshake, &mut self.tls),
            (Measure::FirstByte, &mut self.first_byte),
        ] {
            if !histogram.is_empty() {
                sample.histograms.push((measure, histogram.packed()));
                histogram.clear();
            }
        }
    }
}

/// A connection is held up while it is being made, and could go on, and nobody looks. What
/// is under way on it waits for the generator then, and not for the target.
impl Sockets {
    /// A connection that is ready is looked at: it may have been ready for a while.
    pub(super) fn look_at(&mut self, slot: u32) {
        let connection = self.connections.get(slot);
        if connection.is_none_or(|found| found.step == Step::Timed) {
            return;
        }
        let now = self.read_clock();
        if let Some(connection) = self.connections.get_mut(slot) {
            let ready = self.ready_from.max(connection.looked_at);
            connection.held_now = now.saturating_sub(ready);
            connection.looked_at = now;
        }
    }

    /// The look is over. What goes on was held up; what has ended knows by itself since when
    /// it was ready.
    pub(super) fn looked_at(&mut self, slot: u32, serial: u32) {
        if let Some(connection) = self.connections.get_mut(slot)
            && connection.serial == serial
        {
            let held_now = std::mem::take(&mut connection.held_now);
            connection.held = connection.held.saturating_add(held_now);
        }
    }

    /// For how long a connection has been held up.
    pub(super) fn held_of(&self, slot: u32) -> Nanos {
        let connection = self.connections.get(slot);
        connection.map_or(Nanos::ZERO, |connection| connection.held)
    }

    /// The same since an attempt on it began.
    pub(super) fn held_since(&self, carried: &Carried) -> Nanos {
        self.held_of(carried.connection)
            .saturating_sub(carried.held_before)
    }

    /// The first byte of an attempt's answer has come, or a later one.
    pub(super) fn first_byte_came(&mut self, place: u32) {
        let now = self.read_clock();
        let carried = self.carried(place);
        let Some(carried) = carried.filter(|it| it.first_byte == FirstByte::Awaited) else {
            return;
        };
        let came = self.known(self.ended_at(carried, now), now);
        let first_byte = came.map_or(FirstByte::Unknown, FirstByte::Came);
        self.carried[place as usize].first_byte = first_byte;
    }

    /// When something came that was seen at `now`; none where the generator was away and
    /// the kernel has not noted it.
    pub(super) fn known(&self, came: Nanos, now: Nanos) -> Option<Nanos> {
        let known = came < now || now.saturating_sub(self.ready_from) <= AWAY;
        known.then_some(came)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connecting_and_encryption_are_counted_apart_and_once() {
        let us = Nanos::from_micros;
        let mut times = Times::default();
        let plain = times.made(Class::User, Step::Begun(us(10)), us(40), true);
        assert_eq!(plain, Step::Timed);
        let encrypted = times.made(Class::User, Step::Begun(us(10)), us(50), false);
        assert_eq!(encrypted, Step::Made(us(50)));
        assert_eq!(times.made(Class::User, encrypted, us(60), false), encrypted);
        let secured = times.made(Class::User, encrypted, us(90), true);
        assert_eq!(secured, Step::Timed);
        times.made(Class::Monitor, Step::Begun(us(10)), us(40), true);
        assert_eq!((times.connect.count(), times.tls.count()), (2, 1));
        let mut expected = Histogram::new();
        expected.record(us(40));
        assert_eq!(times.tls, expected);
    }
}
