//! What a run may send to, how much and for how long: one rule, asked before anything is
//! started, and by a dry run as by a run.
//!
//! Whatever a run sends anywhere counts: what clients, monitors, occupations, ready checks
//! and hooks send, and what gauges are asked for, wherever each of them is.

use std::net::SocketAddr;

use crate::error::{Error, Result};
use crate::gauges::Scrape;
use crate::model::{GaugePlace, GaugeSource, is_loopback};
use crate::net::{AllowedHosts, Tls};
use crate::plan::Plan;
use crate::target::Addresses;

/// Every address that a run sends to, each resolved once and checked.
pub(super) struct Admitted {
    /// Of the target, its hooks and its proxies.
    pub addresses: Addresses,
    /// Of gauges, and the ports that are listened on for them.
    pub scrapes: Vec<Scrape>,
}

/// Finds and admits them; `allowed`: the hosts that the command line names.
///
/// # Errors
///
/// As [`AllowedHosts::resolve`], where certificates cannot be read, and wrong usage where
/// more would be sent to hosts that are not this machine than the scenario allows.
pub(super) fn admit(plan: &Plan, allowed: &[String]) -> Result<Admitted> {
    let allowed = AllowedHosts::of_scenario(&plan.safety.hosts, allowed);
    let target = plan.target.as_ref();
    let addresses = target.map(|target| Addresses::of(target, &allowed));
    let ca = target.and_then(|target| target.ca.as_deref());
    let gauges = plan.gauges.iter();
    let scrapes = gauges.map(|source| {
        let (address, tls) = match &source.place {
            GaugePlace::Page(url) => (
                allowed.resolve(url.host(), url.port())?,
                url.encrypted()
                    .then(|| Tls::trusting(url.host(), ca))
                    .transpose()?,
            ),
            GaugePlace::Statsd(address) => (*address, None),
        };
        Ok(Scrape {
            source: source.clone(),
            address,
            tls,
        })
    });
    let admitted = Admitted {
        addresses: addresses.transpose()?.unwrap_or_default(),
        scrapes: scrapes.collect::<Result<_>>()?,
    };
    admitted.hold(plan)?;
    Ok(admitted)
}

impl Admitted {
    /// Holds a plan to the bounds for hosts that are not this machine's.
    fn hold(&self, plan: &Plan) -> Result<()> {
        let target = self.addresses.leave_this_machine();
        let asked_there = |source: &GaugeSource| {
            let mut scrapes = self.scrapes.iter();
            scrapes.any(|scrape| scrape.source == *source && leaves(scrape))
        };
        if !target && !self.scrapes.iter().any(leaves) {
            return Ok(());
        }
        let (sent, most) = (
            plan.requests_max_to(target, asked_there),
            plan.safety.rate_max_per_second(),
        );
        if sent > most {
            return Err(Error::usage(format!(
                "the run could send {sent:.0} requests/s, retries, resends, probes, hooks and gauges included, to \
                 hosts that are not this machine, and {most:.0}/s is the bound; raise it \
                 explicitly with `rate_max` in [safety], or lower load.rate, or read gauges less \
                 often"
            )));
        }
        let longest = plan.safety.duration_max;
        if plan.end > longest {
            return Err(Error::usage(format!(
                "the run sends to a host that is not this machine for {}, and {longest} is the \
                 bound; raise it explicitly with `duration_max` in [safety], or shorten the run",
                plan.end
            )));
        }
        Ok(())
    }
}

/// Whether a page of gauges is asked for from another machine; a port is listened on here.
fn leaves(scrape: &Scrape) -> bool {
    let loopback = |address: SocketAddr| is_loopback(address.ip());
    matches!(scrape.source.place, GaugePlace::Page(_)) && !loopback(scrape.address)
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::model::{HttpWork, Origin, Roles, Shape, Site, Step, TargetSpec};
    use crate::units::{Nanos, Rate};

    fn gauges(url: &str, every: Nanos) -> GaugeSource {
        GaugeSource {
            name: url.into(),
            place: GaugePlace::Page(url.parse().unwrap()),
            roles: Roles::default(),
            every,
        }
    }

    /// A run that loads this machine alone, and reads gauges elsewhere.
    fn plan(end: Nanos, sources: Vec<GaugeSource>) -> Plan {
        let mut plan = Plan {
            end,
            gauges: sources,
            ..Plan::default()
        };
        // An address of the documentation's network (RFC 5737): nothing is sent to it.
        plan.safety.hosts = vec!["192.0.2.1".into()];
        plan
    }

    /// Operations on this machine that follow redirects, and another host that they may
    /// lead to.
    #[test]
    fn redirects_count_as_if_they_led_to_what_is_allowed() {
        for (follow, rate, refused) in [(0, 100.0, false), (1, 10.0, false), (1, 15.0, true)] {
            let mut plan = plan(Nanos::from_secs(10), Vec::new());
            let rate = Shape::Constant(Rate::per_second(rate).unwrap());
            plan.load.rate = vec![(Nanos::ZERO, rate)];
            let mut work = HttpWork::single("GET /".into(), Step::new("GET", "/"));
            work.operations[0].follow = follow;
            plan.target = Some(TargetSpec {
                sites: vec![Site {
                    url: "http://127.0.0.1:8000".parse().unwrap(),
                    weight: 1,
                }],
                origin: Origin::Elsewhere,
                ready: None,
                hooks: Vec::new(),
                proxies: Vec::new(),
                work,
                folder: PathBuf::new(),
                ca: None,
                streams: None,
            });
            let admitted = admit(&plan, &["192.0.2.1".to_owned()]);
            assert_eq!(admitted.is_err(), refused, "{follow}");
            // A host that only one side allows is not led to.
            assert!(admit(&plan, &[]).is_ok());
        }
    }

    #[test]
    fn gauges_of_another_host_count_in_both_bounds() {
        let (there, here) = ("http://192.0.2.1/metrics", "http://127.0.0.1/metrics");
        let (second, often) = (Nanos::from_secs(1), Nanos::from_millis(10));
        let minute = Nanos::from_secs(60);
        for (end, sources, refused) in [
            (minute, vec![gauges(there, second)], None),
            (minute, vec![gauges(there, often)], Some("100 requests/s")),
            // Two that are within the bound by themselves.
            (
                minute,
                vec![gauges(there, often * 3); 2],
                Some("67 requests/s"),
            ),
            (
                minute + second,
                vec![gauges(there, second)],
                Some("for 61s"),
            ),
            // This machine's are nobody's concern.
            (minute + second, vec![gauges(here, often)], None),
            (
                minute,
                vec![gauges(here, often), gauges(there, second)],
                None,
            ),
        ] {
            let plan = plan(end, sources);
            let admitted = admit(&plan, &["192.0.2.1".to_owned()]).map(|_| ());
            match (admitted, refused) {
                (Ok(()), None) => {}
                (Err(error), Some(told)) => {
                    assert_eq!(error.exit_code(), 2);
                    assert!(error.to_string().contains(told), "{error}");
                }
                (admitted, _) => panic!("{admitted:?} for {:?}", plan.gauges),
            }
        }
    }
}
