//! The autoscaler in virtual time: it looks at the edges of intervals, as it does live.

use super::Fleet;
use crate::model::ScalingStep;
use crate::record::Event;
use crate::units::Nanos;

impl Fleet {
    /// Looks at how busy the workers were, and does what follows. While instances restart
    /// it waits.
    pub(super) fn autoscale(&mut self, from: Nanos, now: Nanos, busy: Option<f64>) {
        let Some(scaler) = self.scaler.as_mut().filter(|_| self.restart.is_none()) else {
            return;
        };
        match scaler.step(from, now, busy) {
            None => {}
            Some(ScalingStep::Starts(_, decision)) => {
                self.happened.push(Event::of_scaling(decision));
            }
            Some(ScalingStep::Joins(index)) => {
                scaler.joined();
                self.responder.scale(index + 1);
                self.start_instance(now, index);
            }
            Some(ScalingStep::Leaves(index, decision)) => {
                self.responder.scale(index);
                self.members.retain(|member| *member as usize != index);
                self.happened.push(Event::of_scaling(decision));
            }
            Some(ScalingStep::Ends(index)) => self.take_down(now, index..index + 1),
        }
    }
}
