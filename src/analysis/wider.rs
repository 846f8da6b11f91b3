//! A table of fewer rows: what a picture of a long run can show.
//!
//! A day has 86,400 buckets of a second, and a screen a thousand columns. Buckets that lie
//! beside each other are merged, as everything in a record is, by addition: a rate is that
//! of the wider bucket, a percentile that of all its values, the largest the largest. The
//! findings are made from the narrow ones, so what no picture shows (send lag, connection
//! wait) is left out here.

use std::borrow::Cow;

use super::Series;
use super::series::{Bucket, GeneratorBucket, InstanceBucket, merge};
use crate::record::{
    AttemptCounters, BalancerCounters, GaugeCounters, Histogram, IdentityCounters, MachineCounters,
    OperationCounters, ProcessCounters,
};

impl Series {
    /// The table with at most so many rows for the time that it spans.
    pub fn at_most(&self, rows: u64) -> Cow<'_, Self> {
        let (Some(first), Some(last)) = (self.buckets.first(), self.buckets.last()) else {
            return Cow::Borrowed(self);
        };
        let narrow = self.interval.0.max(1);
        let there = last.to.saturating_sub(first.from).0.div_ceil(narrow);
        let factor = there.div_ceil(rows.max(1));
        if factor <= 1 {
            return Cow::Borrowed(self);
        }
        let interval = self.interval * factor;
        let mut buckets: Vec<Bucket> = Vec::new();
        for bucket in &self.buckets {
            let from = interval * (bucket.from.0 / interval.0);
            match buckets.last_mut() {
                Some(wide) if wide.from == from => wide.merge(bucket),
                last => {
                    // What is whole is kept small.
                    last.map(Bucket::pack);
                    buckets.push(Bucket {
                        from,
                        to: from.saturating_add(interval),
                        own: None,
                        send_lag: None,
                        pool_wait: None,
                        ..bucket.clone()
                    });
                }
            }
        }
        // The last is as long as what was recorded, or its rates would be too small.
        if let Some(wide) = buckets.last_mut() {
            wide.to = last.to;
        }
        Cow::Owned(Self {
            interval,
            buckets,
            instances: self.instances.clone(),
            gauges: self.gauges.clone(),
            processes: self.processes.clone(),
        })
    }
}

impl Bucket {
    fn pack(&mut self) {
        for histogram in [&mut self.response, &mut self.service, &mut self.queue_wait] {
            *histogram = histogram.as_ref().map(Histogram::packed);
        }
    }

    /// Adds what was recorded in another one and is drawn.
    fn merge(&mut self, other: &Self) {
        let histograms = [
            (&mut self.response, &other.response),
            (&mut self.service, &other.service),
            (&mut self.queue_wait, &other.queue_wait),
        ];
        for (own, other) in histograms {
            merge_histogram(own, other.as_ref());
        }
        one(
            &mut self.operations,
            other.operations.as_ref(),
            OperationCounters::merge,
        );
        one(
            &mut self.users,
            other.users.as_ref(),
            AttemptCounters::merge,
        );
        one(&mut self.monitors, other.monitors.as_ref(), |own, other| {
            own.merge(other);
        });
        one(
            &mut self.generator,
            other.generator.as_ref(),
            GeneratorBucket::merge,
        );
        one(
            &mut self.balancer,
            other.balancer.as_ref(),
            BalancerCounters::merge,
        );
        one(
            &mut self.identity,
            other.identity.as_ref(),
            IdentityCounters::merge,
        );
        one(
            &mut self.machine,
            other.machine.as_ref(),
            MachineCounters::merge,
        );
        each(&mut self.instances, &other.instances, InstanceBucket::merge);
        each(&mut self.gauges, &other.gauges, GaugeCounters::merge);
        each(
            &mut self.processes,
            &other.processes,
            ProcessCounters::merge,
        );
    }
}

impl GeneratorBucket {
    fn merge(&mut self, other: &Self) {
        self.counters.merge(&other.counters);
        self.thread_ns = self.thread_ns.saturating_add(other.thread_ns);
    }
}

impl InstanceBucket {
    fn merge(&mut self, other: &Self) {
        self.counters.merge(&other.counters);
        self.covered_ns = self.covered_ns.saturating_add(other.covered_ns);
    }
}

fn merge_histogram(own: &mut Option<Histogram>, other: Option<&Histogram>) {
    if let Some(other) = other {
        merge(own, other);
    }
}

/// Merges what may not be there on either side.
fn one<T: Default>(own: &mut Option<T>, other: Option<&T>, merge: impl Fn(&mut T, &T)) {
    if let Some(other) = other {
        merge(own.get_or_insert_default(), other);
    }
}

/// The same of each source.
fn each<T: Default>(own: &mut [Option<T>], other: &[Option<T>], merge: impl Fn(&mut T, &T)) {
    for (own, other) in own.iter_mut().zip(other) {
        one(own, other.as_ref(), &merge);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::Nanos;

    fn series(seconds: impl Iterator<Item = u64>) -> Series {
        let bucket = |second| {
            let mut response = Histogram::small();
            response.record(Nanos::from_millis(second));
            Bucket {
                from: Nanos::from_secs(second),
                to: Nanos::from_secs(second + 1),
                operations: Some(OperationCounters {
                    scheduled: second,
                    ..OperationCounters::default()
                }),
                response: Some(response),
                ..Bucket::default()
            }
        };
        Series {
            interval: Nanos::from_secs(1),
            buckets: seconds.map(bucket).collect(),
            ..Series::default()
        }
    }

    #[test]
    fn a_table_that_fits_is_the_same() {
        let series = series(0..10);
        assert!(matches!(series.at_most(10), Cow::Borrowed(_)));
        assert!(matches!(Series::default().at_most(1), Cow::Borrowed(_)));
    }

    #[test]
    fn a_wider_bucket_holds_what_its_own_held() {
        // 20 to 39 were not recorded.
        let series = series((0..20).chain(40..65));
        let wide = series.at_most(7);
        assert_eq!(wide.interval, Nanos::from_secs(10));
        let sums: Vec<u64> = wide.buckets.iter().map(Bucket::scheduled).collect();
        assert_eq!(sums, [45, 145, 445, 545, 310]);
        let spans = wide.buckets.iter().map(|it| (it.from.0, it.to.0));
        let seconds: Vec<_> = spans
            .map(|(from, to)| (from / 1_000_000_000, to / 1_000_000_000))
            .collect();
        assert_eq!(seconds, [(0, 10), (10, 20), (40, 50), (50, 60), (60, 65)]);
        let values: Vec<u64> = wide
            .buckets
            .iter()
            .map(|it| it.response.as_ref().unwrap().count())
            .collect();
        assert_eq!(values, [10, 10, 10, 10, 5]);
    }
}
