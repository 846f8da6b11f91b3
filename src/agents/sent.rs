//! A sample as it is sent: the same counters and histograms, by name.
//!
//! Counters are whole numbers and histograms counts of buckets, so what is read is what was
//! counted, and what is added up of several agents is what one would have counted, bit for
//! bit. A name that this side does not know is refused: leaving it out would be a guess.

use serde::{Deserialize, Serialize};

use crate::model::SourceName;
use crate::record::{Counters, Histogram, Measure, Sample};
use crate::units::Nanos;

/// A sample as it is sent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct SentSample {
    from_ns: Nanos,
    to_ns: Nanos,
    source: SourceName,
    kind: String,
    /// Those that are not zero.
    counters: Vec<(String, u64)>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    histograms: Vec<(String, Histogram)>,
}

impl From<&Sample> for SentSample {
    fn from(sample: &Sample) -> Self {
        let rows = sample.counters.rows().into_iter();
        let rows = rows.filter(|(_, value)| *value != 0);
        let histograms = sample.histograms.iter();
        Self {
            from_ns: sample.from,
            to_ns: sample.to,
            source: sample.source.clone(),
            kind: sample.counters.kind().to_owned(),
            counters: rows.map(|(name, value)| (name.to_owned(), value)).collect(),
            histograms: histograms
                .filter(|(_, histogram)| !histogram.is_empty())
                .map(|(measure, histogram)| (measure.word().to_owned(), histogram.clone()))
                .collect(),
        }
    }
}

impl TryFrom<SentSample> for Sample {
    type Error = String;

    fn try_from(sent: SentSample) -> Result<Self, String> {
        let mut counters = Counters::of_kind(&sent.kind)
            .ok_or_else(|| format!("no counters are called `{}`", sent.kind))?;
        for (name, value) in &sent.counters {
            if !counters.merge_row(name, *value) {
                return Err(format!("no counter of `{}` is called `{name}`", sent.kind));
            }
        }
        let histograms = sent.histograms.into_iter().map(|(name, histogram)| {
            let mut all = Measure::ALL.iter();
            let known = all.find(|(_, word)| *word == name);
            let measure = known.map(|(measure, _)| *measure);
            let measure = measure.ok_or_else(|| format!("nothing measures `{name}`"))?;
            Ok((measure, histogram))
        });
        Ok(Self {
            from: sent.from_ns,
            to: sent.to_ns,
            source: sent.source,
            counters,
            histograms: histograms.collect::<Result<_, String>>()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::stream::{Inbox, Outbox};
    use super::*;
    use crate::record::{AttemptCounters, GeneratorCounters, OperationCounters, StatusCounters};

    /// The sums of samples, in the order of their intervals, sources and kinds.
    fn sums(samples: impl Iterator<Item = Sample>) -> Vec<(Sample, Vec<String>)> {
        let mut sums: Vec<Sample> = Vec::new();
        for sample in samples {
            let key = |it: &Sample| (it.from, it.to, it.source.to_string(), it.counters.kind());
            match sums.iter_mut().find(|sum| key(sum) == key(&sample)) {
                None => sums.push(sample),
                Some(sum) => {
                    for (name, value) in sample.counters.rows() {
                        assert!(sum.counters.merge_row(name, value));
                    }
                    for (measure, histogram) in &sample.histograms {
                        match sum.histograms.iter_mut().find(|(own, _)| own == measure) {
                            Some((_, own)) => own.merge(histogram),
                            None => sum.histograms.push((*measure, histogram.clone())),
                        }
                    }
                }
            }
        }
        sums.sort_by_key(|sum| (sum.from, sum.source.to_string(), sum.counters.kind()));
        for sum in &mut sums {
            sum.histograms
                .retain(|(_, histogram)| !histogram.is_empty());
            sum.histograms.sort_by_key(|(measure, _)| *measure);
        }
        // The bytes too, which other tools read.
        let encoded = |sum: &Sample| {
            let each = sum.histograms.iter();
            each.map(|(_, it)| it.packed().encode()).collect()
        };
        sums.into_iter()
            .map(|sum| {
                let encoded = encoded(&sum);
                (sum, encoded)
            })
            .collect()
    }

    fn samples() -> impl Strategy<Value = Vec<Sample>> {
        let sample = (
            0u64..6,
            0u8..4,
            any::<u64>(),
            prop::collection::vec(0u64..4_000_000_000_000, 0..40),
        );
        let sample = sample.prop_map(|(second, kind, value, durations)| {
            let mut histogram = Histogram::new();
            for duration in &durations {
                histogram.record(Nanos(*duration));
            }
            let (source, counters, measure) = match kind {
                0 => (
                    SourceName::User,
                    Counters::Operations(OperationCounters {
                        scheduled: value >> 8,
                        first_failed_min: value % 7,
                        ..Default::default()
                    }),
                    Measure::Response,
                ),
                1 => (
                    SourceName::User,
                    Counters::Attempts(AttemptCounters {
                        first_tries: value >> 8,
                        in_flight: value % 100,
                        ..Default::default()
                    }),
                    Measure::Service,
                ),
                2 => {
                    let mut counters = StatusCounters::default();
                    for _ in 0..value % 9 {
                        counters.count(200);
                    }
                    (
                        SourceName::User,
                        Counters::Statuses(counters),
                        Measure::Service,
                    )
                }
                _ => (
                    SourceName::Generator,
                    Counters::Generator(GeneratorCounters {
                        threads: 1,
                        cpu_ns: value >> 8,
                        backlog_max: value % 50,
                        ..Default::default()
                    }),
                    Measure::SendLag,
                ),
            };
            Sample {
                from: Nanos::from_secs(second),
                to: Nanos::from_secs(second + 1),
                source,
                counters,
                histograms: vec![(measure, histogram)],
            }
        });
        prop::collection::vec(sample, 0..30)
    }

    proptest! {
        /// What several agents send adds up to what one would have counted, bit for bit,
        /// however often each delivery comes and in which order.
        #[test]
        fn the_whole_is_the_sum_of_the_parts(
            parts in prop::collection::vec(samples(), 1..5),
            order in prop::collection::vec(any::<prop::sample::Index>(), 1..60),
        ) {
            let whole = sums(parts.iter().flatten().cloned());
            let mut arrived = Vec::new();
            for part in &parts {
                let mut out = Outbox::default();
                for sample in part {
                    let text = serde_json::to_vec(&SentSample::from(sample)).unwrap();
                    out.push(text).unwrap();
                }
                // In any order, some of them twice, and at last each once more.
                let pieces = out.due(Nanos::ZERO);
                let drawn = order.iter().filter(|_| !pieces.is_empty());
                let any = drawn.map(|index| index.get(&pieces).clone()).collect::<Vec<_>>();
                let mut inbox = Inbox::default();
                for piece in any.into_iter().chain(pieces.iter().cloned()) {
                    for message in inbox.take(piece).unwrap() {
                        let sent: SentSample = serde_json::from_slice(&message).unwrap();
                        arrived.push(Sample::try_from(sent).unwrap());
                    }
                }
                prop_assert_eq!(inbox.messages(), part.len() as u64);
            }
            prop_assert_eq!(sums(arrived.into_iter()), whole);
        }
    }

    #[test]
    fn a_name_that_nobody_knows_is_refused() {
        let text = |kind: &str, counter: &str, measure: &str| {
            let sent = format!(
                "{{\"from_ns\":0,\"to_ns\":1,\"source\":\"user\",\"kind\":\"{kind}\",\
                 \"counters\":[[\"{counter}\",1]],\"histograms\":[[\"{measure}\",{}]]}}",
                serde_json::to_string(&Histogram::new()).unwrap()
            );
            let sent: SentSample = serde_json::from_str(&sent).unwrap();
            Sample::try_from(sent).map(|_| ())
        };
        assert_eq!(text("attempts", "first_tries", "service"), Ok(()));
        for (kind, counter, measure) in [
            ("moods", "first_tries", "service"),
            ("attempts", "moods", "service"),
            ("attempts", "first_tries", "moods"),
        ] {
            let refused = text(kind, counter, measure).unwrap_err();
            assert!(refused.contains("moods"), "{refused}");
        }
    }
}
