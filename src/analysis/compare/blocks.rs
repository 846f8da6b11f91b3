//! A stretch of a run in blocks of equal length, and sums of blocks.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::analysis::phases::Stretch;
use crate::analysis::series::{Series, bad, share};
use crate::analysis::totals::Totals;
use crate::analysis::{beyond_zeros, lags};
use crate::plan::Figure;
use crate::record::{Histogram, is_told};
use crate::units::{Nanos, whole};

/// Blocks of a stretch at most. With the length of the run they grow, and what depends on
/// each other lies within one: as in the method of batch means.
const BLOCKS_MAX: usize = 20;

/// A stretch of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(in crate::analysis) struct Blocks {
    /// Its phase; empty for the whole run.
    pub name: String,
    pub blocks: Vec<Block>,
}

/// A part of a stretch.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub(in crate::analysis) struct Block {
    pub seconds: f64,
    pub scheduled: u64,
    pub succeeded: u64,
    pub bad: u64,
    pub ended: u64,
    pub first_tries: u64,
    pub attempts: u64,
    pub response: Histogram,
    pub service: Histogram,
    pub send_lag: Histogram,
    /// The generator's part of response times, where it is not zero; empty in records that
    /// are older than it.
    #[serde(default = "Histogram::small")]
    pub own: Histogram,
}

impl Blocks {
    /// The buckets of a stretch in at most twenty blocks.
    pub(in crate::analysis) fn of(series: &Series, stretch: &Stretch) -> Self {
        let buckets = stretch.buckets(series);
        let count = buckets.len().min(BLOCKS_MAX);
        let edge = |place: usize| place * buckets.len() / count.max(1);
        let blocks = (0..count).map(|place| {
            let own = &buckets[edge(place)..edge(place + 1)];
            let totals = Totals::over(own);
            let operations = &totals.operations;
            let packed = |histogram: Option<Histogram>| {
                histogram
                    .as_ref()
                    .map_or_else(Histogram::small, Histogram::packed)
            };
            Block {
                seconds: own.iter().map(super::super::Bucket::seconds).sum(),
                scheduled: operations.scheduled,
                succeeded: operations.succeeded,
                bad: bad(operations),
                ended: operations.ended(),
                first_tries: totals.users.first_tries,
                attempts: totals.users.started(),
                response: packed(totals.response),
                service: packed(totals.service),
                send_lag: packed(totals.send_lag),
                own: packed(totals.own),
            }
        });
        Self {
            name: stretch.name.clone(),
            blocks: blocks.collect(),
        }
    }
}

/// Figures that are compared over a stretch, in the order in which they are told.
pub(in crate::analysis) const FIGURES: [Figure; 11] = [
    Figure::ResponseP50,
    Figure::ResponseP90,
    Figure::ResponseP99,
    Figure::ResponseP999,
    Figure::ServiceP50,
    Figure::ServiceP90,
    Figure::ServiceP99,
    Figure::ServiceP999,
    Figure::ErrorShare,
    Figure::Goodput,
    Figure::AttemptsPerOperation,
];

/// Figures of the whole incident, of which a run has one value.
pub(super) const INCIDENT: [Figure; 4] = [
    Figure::RecoveryAfterRollback,
    Figure::RecoveryAfterTriggerOff,
    Figure::TimeToDetect,
    Figure::TimeToRecover,
];

/// Of a percentile: of which time, and at which quantile.
pub(in crate::analysis) const fn percentile(figure: Figure) -> Option<(Timed, f64)> {
    Some(match figure {
        Figure::ResponseP50 => (Timed::Response, 0.5),
        Figure::ResponseP90 => (Timed::Response, 0.9),
        Figure::ResponseP99 => (Timed::Response, 0.99),
        Figure::ResponseP999 => (Timed::Response, 0.999),
        Figure::ServiceP50 => (Timed::Service, 0.5),
        Figure::ServiceP90 => (Timed::Service, 0.9),
        Figure::ServiceP99 => (Timed::Service, 0.99),
        Figure::ServiceP999 => (Timed::Service, 0.999),
        _ => return None,
    })
}

/// A time of operations or attempts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::analysis) enum Timed {
    Response,
    Service,
}

/// Blocks from which sums are drawn quickly: each histogram as counts of the values that
/// any of them has.
pub(in crate::analysis) struct Pool<'a> {
    blocks: Vec<&'a Block>,
    response: Spectrum,
    service: Spectrum,
    send_lag: Spectrum,
    own: Spectrum,
}

/// Histograms over one list of values.
struct Spectrum {
    values: Vec<u64>,
    /// Of each block: place among the values, and how often.
    counts: Vec<Vec<(usize, u64)>>,
}

impl Spectrum {
    fn of<'a>(histograms: impl Iterator<Item = &'a Histogram>) -> Self {
        let lists: Vec<Vec<(Nanos, u64)>> = histograms.map(Histogram::buckets).collect();
        let values: BTreeSet<u64> = lists.iter().flatten().map(|(value, _)| value.0).collect();
        let places: BTreeMap<u64, usize> = values.iter().copied().zip(0..).collect();
        let counts = lists.iter().map(|list| {
            let own = list.iter().map(|(value, count)| (places[&value.0], *count));
            own.collect::<Vec<_>>()
        });
        Self {
            counts: counts.collect(),
            values: values.into_iter().collect(),
        }
    }

    fn count(&self, weights: &[u32]) -> u64 {
        let counts = self.counts.iter().zip(weights);
        let sums = counts.map(|(own, weight)| {
            own.iter().map(|(_, count)| count).sum::<u64>() * u64::from(*weight)
        });
        sums.sum()
    }

    /// Quantiles of the blocks, each taken so often; none where there is no value.
    fn quantiles(&self, weights: &[u32], quantiles: &[f64]) -> Vec<Option<f64>> {
        let mut sums = vec![0u64; self.values.len()];
        for (counts, weight) in self.counts.iter().zip(weights) {
            if *weight > 0 {
                for (place, count) in counts {
                    sums[*place] += count * u64::from(*weight);
                }
            }
        }
        let all: u64 = sums.iter().sum();
        let mut below = 0;
        let mut place = 0;
        let found = quantiles.iter().map(|quantile| {
            let rank = whole((quantile * all as f64).ceil()).clamp(1, all.max(1));
            while place < sums.len() && below + sums[place] < rank {
                below += sums[place];
                place += 1;
            }
            self.values.get(place).map(|value| *value as f64 / 1e9)
        });
        found.collect()
    }
}

/// The figures of a sum of blocks, in the order of [`FIGURES`].
pub(in crate::analysis) type Values = [Option<f64>; FIGURES.len()];

impl<'a> Pool<'a> {
    pub(in crate::analysis) fn new(blocks: Vec<&'a Block>) -> Self {
        let all = || blocks.iter();
        Self {
            response: Spectrum::of(all().map(|block| &block.response)),
            service: Spectrum::of(all().map(|block| &block.service)),
            send_lag: Spectrum::of(all().map(|block| &block.send_lag)),
            own: Spectrum::of(all().map(|block| &block.own)),
            blocks,
        }
    }

    pub(in crate::analysis) fn len(&self) -> usize {
        self.blocks.len()
    }

    /// Every block once.
    pub(in crate::analysis) fn whole(&self) -> Vec<u32> {
        vec![1; self.blocks.len()]
    }

    /// The figures of the blocks, each taken so often.
    pub(in crate::analysis) fn values(&self, weights: &[u32]) -> Values {
        let sum = |of: fn(&Block) -> u64| -> u64 {
            let blocks = self.blocks.iter().zip(weights);
            blocks
                .map(|(block, weight)| of(block) * u64::from(*weight))
                .sum()
        };
        let blocks = self.blocks.iter().zip(weights);
        let seconds: f64 = blocks
            .map(|(block, weight)| block.seconds * f64::from(*weight))
            .sum();
        let timed = |of: Timed| {
            let spectrum = match of {
                Timed::Response => &self.response,
                Timed::Service => &self.service,
            };
            spectrum.quantiles(weights, &QUANTILES)
        };
        let (response, service) = (timed(Timed::Response), timed(Timed::Service));
        let rest = [
            share(sum(|it| it.bad), sum(|it| it.ended)),
            (seconds > 0.0).then(|| sum(|it| it.succeeded) as f64 / seconds),
            share(sum(|it| it.attempts), sum(|it| it.first_tries)),
        ];
        let mut all = response.into_iter().chain(service).chain(rest);
        std::array::from_fn(|_| all.next().flatten())
    }

    /// Why a figure of all blocks is not to be told; none where it is.
    pub(in crate::analysis) fn untold(&self, figure: Figure) -> Option<String> {
        let (timed, quantile) = percentile(figure)?;
        let spectrum = match timed {
            Timed::Response => &self.response,
            Timed::Service => &self.service,
        };
        let count = spectrum.count(&self.whole());
        if !is_told(quantile, count) {
            return Some(format!("{count} values are too few for this percentile"));
        }
        let time = spectrum.quantiles(&self.whole(), &[quantile])[0];
        let part = Nanos::from_secs_f64(self.lag(figure));
        let late = timed == Timed::Response && lags(time.map(Nanos::from_secs_f64), Some(part));
        late.then(|| "more than a tenth of it is the generator's own lag".to_owned())
    }

    /// The generator's own lag at the quantile of a response time, in seconds: before the
    /// first send, or all of its part.
    pub(in crate::analysis) fn lag(&self, figure: Figure) -> f64 {
        match percentile(figure) {
            Some((Timed::Response, quantile)) => {
                let whole = self.whole();
                let at = |of: &Spectrum, quantile| of.quantiles(&whole, &[quantile])[0];
                let counts = (self.response.count(&whole), self.own.count(&whole));
                let own = beyond_zeros(quantile, counts.0, counts.1);
                let own = own.and_then(|quantile| at(&self.own, quantile));
                let parts = [at(&self.send_lag, quantile), own];
                parts.into_iter().flatten().fold(0.0, f64::max)
            }
            _ => 0.0,
        }
    }

    /// Of a figure that is a share of a count, or made of one: how many of how many. Of
    /// goodput those that did not succeed, of attempts those that were retries.
    pub(super) fn counts(&self, figure: Figure) -> Option<(u64, u64)> {
        let sum = |of: fn(&Block) -> u64| self.blocks.iter().map(|block| of(block)).sum::<u64>();
        Some(match figure {
            Figure::ErrorShare => (sum(|it| it.bad), sum(|it| it.ended)),
            Figure::Goodput => (
                sum(|it| it.scheduled.saturating_sub(it.succeeded)),
                sum(|it| it.scheduled),
            ),
            Figure::AttemptsPerOperation => (
                sum(|it| it.attempts.saturating_sub(it.first_tries)),
                sum(|it| it.first_tries),
            ),
            _ => return None,
        })
    }

    /// Operations that were scheduled, of all blocks.
    pub(in crate::analysis) fn scheduled(&self) -> u64 {
        self.blocks.iter().map(|block| block.scheduled).sum()
    }

    /// The response times of all blocks.
    pub(in crate::analysis) fn response(&self) -> Histogram {
        let mut all = Histogram::new();
        for block in &self.blocks {
            all.merge(&block.response);
        }
        all
    }
}

const QUANTILES: [f64; 4] = [0.5, 0.9, 0.99, 0.999];
