//! The metrics of fault proxies that run by themselves: what their counters say.

use std::sync::Arc;

use super::family::Family;
use super::server::Metrics;
use crate::proxy::Proxies;

/// Serves the metrics of proxies: they have no last page, since nothing sums them up.
struct ProxyMetrics(Arc<Proxies>);

impl Metrics for ProxyMetrics {
    fn now(&self) -> (Vec<Family>, bool) {
        (families(&self.0), false)
    }
}

/// The metrics of these proxies, for a server of them.
pub(crate) fn proxy_metrics(proxies: Arc<Proxies>) -> Arc<dyn Metrics> {
    Arc::new(ProxyMetrics(proxies))
}

fn families(proxies: &Proxies) -> Vec<Family> {
    let counter = Family::counter;
    let connection = "{connection}";
    let mut accepted = counter(
        "threadbare_proxy_connections_total",
        connection,
        "Connections that the proxy accepted.",
    );
    let mut ended = counter(
        "threadbare_proxy_connections_broken_total",
        connection,
        "Connections that did not end by themselves, by how.",
    );
    let mut open = Family::gauge(
        "threadbare_proxy_connections_open",
        connection,
        "Connections open now.",
    );
    let mut bytes = counter(
        "threadbare_proxy_bytes_total",
        "By",
        "Bytes that passed, by direction, or that a fault dropped.",
    );
    let mut requests = counter(
        "threadbare_proxy_requests_total",
        "{request}",
        "HTTP requests whose head was read; only with --http.",
    );
    let mut answers = counter(
        "threadbare_proxy_own_answers_total",
        "{request}",
        "HTTP requests that the proxy answered itself.",
    );
    let mut affected = counter(
        "threadbare_proxy_fault_affected_total",
        "1",
        "Connections, or requests, that a fault affected.",
    );
    proxies.each(|proxy| {
        let counters = proxy.counters();
        let name = proxy.name();
        let own = ("proxy", name);
        accepted.add(&[own], counters.accepted);
        for (how, count) in [
            ("refused", counters.refused),
            ("unreachable", counters.unreachable),
            ("closed", counters.closed),
            ("reset", counters.reset),
            ("unanswered", counters.unanswered),
        ] {
            ended.add(&[own, ("how", how)], count);
        }
        open.add(&[own], counters.open);
        for (direction, count) in [
            ("upstream", counters.bytes_upstream),
            ("downstream", counters.bytes_downstream),
            ("dropped", counters.bytes_swallowed),
        ] {
            bytes.add(&[own, ("direction", direction)], count);
        }
        requests.add(&[own], counters.requests);
        answers.add(&[own], counters.own_answers);
        for (fault, counters) in &counters.faults {
            affected.add(&[own, ("fault", fault.as_str())], counters.met);
        }
    });
    vec![accepted, ended, open, bytes, requests, answers, affected]
}
