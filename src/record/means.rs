//! Means of what was counted, and what they are taken over.

use super::{GaugeCounters, InstanceCounters, ProcessCounters};
use crate::units::Nanos;

impl InstanceCounters {
    /// Jobs that the workers that serve have finished: those that the busy time is of.
    pub const fn finished_serving(&self) -> u64 {
        self.finished.saturating_sub(self.finished_for_monitors)
    }
}

impl GaugeCounters {
    /// Busy workers on average; none where no reading told.
    pub fn busy(&self) -> Option<f64> {
        mean(self.busy_milli, self.busy_readings).map(|milli| milli / 1e3)
    }

    /// Workers on average; none where no reading told.
    pub fn workers(&self) -> Option<f64> {
        mean(self.workers_milli, self.workers_readings).map(|milli| milli / 1e3)
    }

    /// Jobs waiting on average; none where no reading told.
    pub fn queue(&self) -> Option<f64> {
        mean(self.queue_milli, self.queue_readings).map(|milli| milli / 1e3)
    }

    /// Requests completed per second; none where no two readings told their count.
    pub fn completed_per_s(&self) -> Option<f64> {
        let completed = self.completed_milli as f64 / 1e3;
        let seconds = Nanos(self.completed_covered_ns).as_secs_f64();
        (self.completed_covered_ns > 0).then(|| completed / seconds)
    }

    /// Busy workers / workers; none where either is unknown, or there is no worker.
    pub fn saturation(&self) -> Option<f64> {
        let share = self.busy()? / self.workers()?;
        share.is_finite().then_some(share)
    }
}

impl ProcessCounters {
    /// Connections not accepted yet, on average; none where no reading told.
    pub fn listen_queue(&self) -> Option<f64> {
        mean(self.listen_queue, self.listen_readings)
    }
}

/// The mean of `sum` over `readings`; none where there was none.
pub(crate) fn mean(sum: u64, readings: u64) -> Option<f64> {
    (readings > 0).then(|| sum as f64 / readings as f64)
}
