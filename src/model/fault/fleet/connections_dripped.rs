//! Requests that drip from the balancer to an instance, a few bytes at a time.

use serde::{Deserialize, Serialize};

use super::Attribute;
use super::catalogue::{Fault, FaultPlace};
use crate::units::Nanos;

/// Bytes that arrive a few at a time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ConnectionsDripped {
    /// How many bytes are sent at a time.
    pub bytes: u64,
    /// From one such piece to the next.
    pub every: Nanos,
    /// Instances that it reaches.
    pub instances: u64,
}

impl Default for ConnectionsDripped {
    fn default() -> Self {
        Self {
            bytes: 16,
            every: Nanos::from_millis(20),
            instances: 0,
        }
    }
}

/// How many bytes a request has on its way from the balancer to an instance, where
/// nothing is sent. Those of the generator have 156 where they list tasks, and some sixty
/// more where they have a body.
pub(crate) const REQUEST_BYTES: u64 = 180;

impl Fault for ConnectionsDripped {
    const ABOUT: &'static str = "What the balancer sends to an instance drips: a few bytes, a pause, \
         a few more. An instance has to wait for the whole request, with a connection and without \
         a worker; the answer comes back as usual. In a simulated run a request has 180 bytes.";
    const CAUSE: &'static str = "dripped connections behind the balancer";
    const UNDO: &'static str =
        "After the pause that lasts, the rest of each request is sent at once.";
    const PLACE: FaultPlace = FaultPlace::Balancer;

    fn attributes(&mut self) -> Vec<Attribute<'_>> {
        let every = "The pause after each piece.";
        vec![
            Attribute::count(
                "bytes",
                &mut self.bytes,
                "How many bytes are sent at a time.",
            ),
            Attribute::time("every", &mut self.every, every),
            Attribute::instances(&mut self.instances),
        ]
    }

    fn mistake(&self) -> Option<(&'static str, String)> {
        if self.bytes == 0 {
            let sentence = "0 bytes never arrive: the fault `balancer_link_lost` does that";
            return Some(("bytes", sentence.to_owned()));
        }
        if self.bytes >= REQUEST_BYTES {
            let sentence = format!(
                "{} bytes are a whole request, so that nothing drips",
                self.bytes
            );
            return Some(("bytes", sentence));
        }
        (self.every < Nanos::from_millis(1)).then(|| {
            let sentence = format!("{} is less than 1 ms", self.every);
            ("every", sentence)
        })
    }

    fn instances(&self) -> u64 {
        self.instances
    }
}

impl ConnectionsDripped {
    /// How long so many bytes take to arrive.
    pub(crate) fn takes(&self, bytes: u64) -> Nanos {
        let pieces = bytes.div_ceil(self.bytes.max(1));
        Nanos(self.every.0.saturating_mul(pieces.saturating_sub(1)))
    }
}

impl super::FaultSet {
    /// How requests drip to the instance at this place, where they do.
    pub(crate) fn drips_to(&self, index: usize) -> Option<&ConnectionsDripped> {
        let dripped = self.connections_dripped.as_ref()?;
        super::catalogue::reaches(dripped.instances, index).then_some(dripped)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_piece_but_the_last_is_followed_by_a_pause() {
        let dripped = ConnectionsDripped::default();
        for (bytes, pauses) in [(1, 0), (16, 0), (17, 1), (32, 1), (180, 11)] {
            let expected = Nanos::from_millis(20 * pauses);
            assert_eq!(dripped.takes(bytes), expected, "{bytes}");
        }
    }
}
