//! The share of traffic that the balancer lets through.
//!
//! Error diffusion instead of a coin per request: at 45 % exactly 45 of 100
//! consecutive requests are admitted, evenly spread, so that the share itself
//! adds no noise to a measurement.

use crate::units::Ratio;

/// Admits a fixed share of requests, evenly spread.
#[derive(Debug, Clone)]
pub(crate) struct Admission {
    share: f64,
    credit: f64,
}

impl Admission {
    /// Admits `share` of the requests; shares above 100 % count as 100 %.
    pub(crate) fn new(share: Ratio) -> Self {
        Self {
            share: share.get().min(1.0),
            credit: 0.0,
        }
    }

    /// Whether the next request is admitted.
    pub(crate) fn admit(&mut self) -> bool {
        self.credit += self.share;
        // Half a billionth forgives the rounding of repeated addition.
        let admitted = self.credit >= 1.0 - 5e-10;
        if admitted {
            self.credit -= 1.0;
        }
        admitted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn admits_the_exact_share() {
        for percent in [0_u32, 1, 20, 45, 99, 100] {
            let mut admission = Admission::new(Ratio::new(f64::from(percent) / 100.0).unwrap());
            let admitted = (0..100).filter(|_| admission.admit()).count();
            assert_eq!(admitted, percent as usize, "{percent} %");
        }
    }
}
