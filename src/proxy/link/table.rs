//! The faults in force: one table that every connection reads before it does anything.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::counters::FaultCounters;
use crate::model::fault::{Effect, Latency, ProxyFault, RequestView, Stream};
use crate::proxy::http::{MatchedFault, Rules};
use crate::rng;
use crate::units::Nanos;

/// What is in force. A change makes another table, which takes the place of this
/// one at once for everybody.
#[derive(Debug, Clone)]
pub(super) struct Table {
    /// Connections of another epoch end.
    pub epoch: u64,
    /// Where connections lead to.
    pub upstream: SocketAddr,
    /// The faults, in the order in which they were injected.
    pub placed: Vec<Arc<InjectedFault>>,
}

/// A fault in force.
#[derive(Debug)]
pub(super) struct InjectedFault {
    /// Its number; a changed fault is another.
    pub id: u64,
    pub fault: ProxyFault,
    /// When it was injected.
    pub since: Nanos,
    seen: AtomicU64,
    met: AtomicU64,
}

impl InjectedFault {
    pub(super) fn new(id: u64, fault: ProxyFault, since: Nanos) -> Self {
        Self {
            id,
            fault,
            since,
            seen: AtomicU64::new(0),
            met: AtomicU64::new(0),
        }
    }

    pub(super) fn counters(&self) -> FaultCounters {
        FaultCounters {
            met: self.met.load(Ordering::Relaxed),
            seen: self.seen.load(Ordering::Relaxed),
        }
    }

    /// A connection was looked at, and is met or not.
    pub(super) fn count(&self, met: bool) {
        self.seen.fetch_add(1, Ordering::Relaxed);
        self.met.fetch_add(u64::from(met), Ordering::Relaxed);
    }
}

/// The faults of requests in force, as the exchanges of one proxy ask for them.
pub(super) struct RequestRules<'a> {
    pub table: &'a Table,
    pub seed: u64,
    pub proxy: &'a str,
}

impl Rules for RequestRules<'_> {
    fn any(&self, stream: Stream) -> bool {
        let mut placed = self.table.placed.iter();
        placed.any(|own| own.fault.stream == stream && own.fault.effect.matching().is_some())
    }

    fn meeting(&self, stream: Stream, request: &RequestView<'_>) -> Vec<MatchedFault> {
        let mut met = Vec::new();
        for placed in &self.table.placed {
            let fault = &placed.fault;
            let Some(matching) = fault.effect.matching() else {
                continue;
            };
            if fault.stream != stream || !matching.fits(request) {
                continue;
            }
            let index = placed.seen.fetch_add(1, Ordering::Relaxed);
            if matching.counts(index) && fault.meets(self.seed, self.proxy, index) {
                placed.met.fetch_add(1, Ordering::Relaxed);
                met.push(MatchedFault {
                    id: placed.id,
                    effect: fault.effect.clone(),
                    delay: self.delay(fault, index),
                });
            }
        }
        met
    }

    fn lasts(&self, id: u64) -> bool {
        self.table.placed.iter().any(|placed| placed.id == id)
    }
}

impl RequestRules<'_> {
    fn delay(&self, fault: &ProxyFault, index: u64) -> Nanos {
        let Effect::HttpDelay(delay) = &fault.effect else {
            return Nanos::ZERO;
        };
        let name = format!("proxy {} {} request {index}", self.proxy, fault.name);
        Latency {
            latency: delay.delay,
            jitter: delay.jitter,
        }
        .draw(&mut rng::stream(self.seed, &name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_count_is_of_those_that_fit_and_a_share_is_of_the_counted() {
        let table = |toxicity: f64| Table {
            epoch: 0,
            upstream: "127.0.0.1:1".parse().unwrap(),
            placed: vec![Arc::new(InjectedFault::new(
                1,
                ProxyFault::read(&json!({
                    "type": "http_abort", "stream": "upstream", "toxicity": toxicity,
                    "attributes": { "match": { "method": "POST", "count": 400 } }
                }))
                .unwrap(),
                Nanos::ZERO,
            ))],
        };
        let met = |table: &Table| {
            let rules = RequestRules {
                table,
                seed: 1,
                proxy: "api",
            };
            let ask = |method| {
                let request = RequestView {
                    method,
                    target: "/",
                    headers: &[],
                };
                rules.meeting(Stream::Upstream, &request).len()
            };
            (0..1_000).map(|_| ask("GET") + ask("POST")).sum::<usize>()
        };
        let all = table(1.0);
        assert_eq!(met(&all), 400);
        assert_eq!(
            all.placed[0].counters(),
            FaultCounters {
                met: 400,
                seen: 1_000
            }
        );
        // The standard error of half of 400 is 10; six of them.
        let half = met(&table(0.5));
        assert!(half.abs_diff(200) < 60, "{half}");
        assert_eq!(half, met(&table(0.5)));
    }
}
