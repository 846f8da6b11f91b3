//! The balancer in virtual time, where it has chosen and the instance restarts meanwhile.

use threadbare::record::{BalancerCounters, Counters, Record};
use threadbare::scenario;

use crate::simulated::simulated;

/// One instance, fifty requests a second, a second on their way; and a restart that takes a
/// tenth of that.
const DELAYED: &str = r#"
title = "a"
claim = "b"
end = "20s"
warm_up = "2s"

[target.fleet]
instances = 1
workers = 4
application = "constant(1ms)"
database = "constant(1ms)"
identity = { latency = "constant(1ms)" }
boot = "100ms"
HEALTH

[load]
arrivals = "constant"
rate = "50/s"
mix = [{ weight = 1, request = "list tasks", role = "viewer" }]
client = { timeout = "5s" }

[[timeline]]
at = "5s"
do = "break"
fault = "balancer_link_delayed"
with = { delay = "constant(1s)" }

[[timeline]]
at = "10s"
do = "restart"
"#;

fn counted(health: &str) -> BalancerCounters {
    let plan = scenario::parse("a", "a.toml", &DELAYED.replace("HEALTH", health));
    let record: Record = simulated(plan.unwrap_or_else(|it| panic!("{}", it.render(false))));
    let mut sum = BalancerCounters::default();
    for sample in &record.samples {
        if let Counters::Balancer(counters) = &sample.counters {
            sum.merge(counters);
        }
    }
    sum
}

#[test]
fn a_request_that_was_under_way_does_not_reach_the_next_launch() {
    let errors = counted("").upstream_errors;
    assert!((48..=52).contains(&errors), "{errors}");
}

#[test]
fn a_check_that_a_restart_meets_is_no_error_of_a_request() {
    let checked = "balancer = { health = { every = '100ms', timeout = '3s', unhealthy = 100 } }";
    let errors = counted(checked).upstream_errors;
    assert!((48..=52).contains(&errors), "{errors}");
}
