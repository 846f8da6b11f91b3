//! Readings added up until the bucket that they fall into is over.

use crate::model::SourceName;
use crate::record::{Counters, GaugeCounters, Sample};
use crate::units::Nanos;

/// The readings of one source in the bucket that is under way.
#[derive(Debug)]
pub(super) struct Bin {
    source: SourceName,
    interval: Nanos,
    /// The bucket's start, and what was added up in it.
    open: Option<(Nanos, GaugeCounters)>,
}

impl Bin {
    /// A bin of this source on the grid of `interval`.
    pub(super) fn new(source: &str, interval: Nanos) -> Self {
        Self {
            source: source.into(),
            interval,
            open: None,
        }
    }

    /// Adds a reading made at this instant; gives the bucket that is over by it.
    pub(super) fn add(
        &mut self,
        at: Nanos,
        add: impl FnOnce(&mut GaugeCounters),
    ) -> Option<Sample> {
        let from = Nanos(at.0 / self.interval.0 * self.interval.0);
        let over = self.over(at);
        let (_, counters) = self
            .open
            .get_or_insert_with(|| (from, GaugeCounters::default()));
        add(counters);
        over
    }

    /// When the bucket that is under way will be over.
    pub(super) fn end(&self) -> Option<Nanos> {
        self.open.map(|(from, _)| from + self.interval)
    }

    /// The bucket that is over at this instant, if one was under way.
    pub(super) fn over(&mut self, now: Nanos) -> Option<Sample> {
        let to = self.end()?;
        (to <= now).then(|| self.close(to)).flatten()
    }

    /// The bucket that is under way, cut off here; whole milliseconds, the
    /// precision of the record's axis.
    pub(super) fn close(&mut self, now: Nanos) -> Option<Sample> {
        let (from, counters) = self.open.take()?;
        let millis = Nanos::from_millis(now.0.div_ceil(1_000_000));
        Some(Sample {
            from,
            to: millis
                .max(from + Nanos::from_millis(1))
                .min(from + self.interval),
            source: self.source.clone(),
            counters: Counters::Gauges(counters),
            histograms: Vec::new(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn readings_add_up_in_the_bucket_of_their_instant() {
        let ms = Nanos::from_millis;
        let mut bin = Bin::new("app", ms(100));
        let read = |counters: &mut GaugeCounters| counters.readings += 1;
        assert_eq!(bin.add(ms(210), read), None);
        assert_eq!(bin.add(ms(299), read), None);
        assert_eq!(bin.over(ms(299)), None);
        assert_eq!(bin.end(), Some(ms(300)));
        let over = bin.add(ms(450), read).unwrap();
        let Counters::Gauges(counters) = over.counters else {
            panic!("{over:?}");
        };
        assert_eq!(
            (over.from, over.to, counters.readings),
            (ms(200), ms(300), 2)
        );
        let last = bin.close(ms(460)).unwrap();
        assert_eq!(
            (last.from, last.to, &last.source),
            (ms(400), ms(460), &"app".into())
        );
        assert_eq!(bin.close(ms(470)), None);
        assert_eq!(bin.over(ms(900)), None); // a bucket without a reading is absent
    }
}
