//! Exhausted workers and missing readings, in words.
//!
//! The fleet's instances are known by time integrals, and a target's gauges by point
//! samples: what is said of the one is not said of the other. Time that was exhausted is
//! added up, since three half seconds are no window from the first to the last.

use super::expectations::decimal;
use super::findings::ExhaustionWindow;
use super::sentences::{Teller, percent};
use crate::units::counted;

/// Windows that fill this share of the time from the first to the last are one stretch.
const UNBROKEN: f64 = 0.9;

/// Windows of one source, or of some together.
struct Windows<'a>(Vec<&'a ExhaustionWindow>);

impl Windows<'_> {
    fn seconds(&self) -> f64 {
        self.0.iter().map(|window| window.seconds()).sum()
    }

    fn longest_s(&self) -> f64 {
        let lengths = self.0.iter().map(|window| window.seconds());
        lengths.fold(0.0, f64::max)
    }

    fn begin_s(&self) -> f64 {
        let begins = self.0.iter().map(|window| window.from_s);
        begins.fold(f64::INFINITY, f64::min)
    }

    fn end_s(&self) -> f64 {
        self.0.iter().map(|window| window.to_s).fold(0.0, f64::max)
    }
}

impl<'a> Teller<'a> {
    /// Each source of windows, in the order in which it was first exhausted.
    fn exhausted_sources(&self, point_samples: bool) -> Vec<(String, Windows<'a>)> {
        let mut sources: Vec<(String, Windows<'a>)> = Vec::new();
        let all = self.findings.exhaustion.iter();
        for window in all.filter(|window| window.point_samples == point_samples) {
            let name = window.instance.to_string();
            match sources.iter_mut().find(|(known, _)| *known == name) {
                Some((_, windows)) => windows.0.push(window),
                None => sources.push((name, Windows(vec![window]))),
            }
        }
        sources
    }

    /// When workers were exhausted: of the fleet, or else by a target's own gauges.
    pub(super) fn exhaustion(&self) -> Option<String> {
        self.incident().trigger_s.or(self.incident().impact_s)?;
        let fleet = self.exhausted_sources(false);
        if !fleet.is_empty() {
            return Some(self.exhausted_fleet(&fleet));
        }
        let gauges = self.exhausted_sources(true);
        if !gauges.is_empty() {
            let told = gauges
                .iter()
                .map(|(name, own)| self.exhausted_gauges(name, own));
            return Some(told.collect::<Vec<_>>().join(" "));
        }
        let (phase, most) = self
            .findings
            .phases_since_trigger()
            .filter_map(|phase| Some((phase, phase.saturation?)))
            .max_by(|(_, one), (_, other)| one.total_cmp(other))?;
        Some(format!(
            "No instance was exhausted: workers were at most {} busy, in the phase `{}`.",
            percent(most),
            phase.name
        ))
    }

    fn exhausted_fleet(&self, sources: &[(String, Windows<'a>)]) -> String {
        let instances = self.findings.instances;
        let all = counted(instances, "instance");
        let who = match sources {
            [(name, _)] if instances == 1 => format!("{name} was"),
            [(name, _)] => format!("1 of {all} ({name}) was"),
            _ if sources.len() as u64 == instances => format!("All {all} were"),
            _ => format!("{} of {all} were", sources.len()),
        };
        let together = Windows(sources.iter().flat_map(|(_, own)| own.0.clone()).collect());
        let (from, to) = (self.at(together.begin_s()), self.at(together.end_s()));
        let most = sources.iter().map(|(_, own)| own.seconds());
        let most = most.fold(0.0, f64::max);
        let longest = decimal(together.longest_s(), 1);
        if most >= UNBROKEN * (together.end_s() - together.begin_s()) {
            return format!(
                "{who} exhausted between {from} and {to}; the longest unbroken stretch was \
                 {longest} s."
            );
        }
        format!(
            "{who} exhausted for at most {} s in all, between {from} and {to}; the longest \
             unbroken stretch was {longest} s.",
            decimal(most, 1)
        )
    }

    fn exhausted_gauges(&self, name: &str, own: &Windows<'a>) -> String {
        let before = self.incident().trigger_s.or(self.incident().impact_s);
        let already = if before.is_some_and(|at| own.begin_s() + self.findings.interval_s < at) {
            ", from before the incident on"
        } else {
            ""
        };
        let where_ = match own.0.len() {
            1 => format!(
                "from {} to {}",
                self.at(own.begin_s()),
                self.at(own.end_s())
            ),
            many => format!(
                "for {} s in all, in {many} stretches between {} and {} (longest {} s)",
                decimal(own.seconds(), 1),
                self.at(own.begin_s()),
                self.at(own.end_s()),
                decimal(own.longest_s(), 1)
            ),
        };
        format!(
            "By its own gauges `{name}` had no free worker and jobs waiting {where_}{already}: \
             point samples."
        )
    }

    /// Gauges of the target that had no value for a while.
    pub(super) fn gaps(&self) -> Option<String> {
        let gaps = &self.findings.gauge_gaps;
        let mut names: Vec<&_> = gaps.iter().map(|gap| &gap.source).collect();
        names.dedup();
        let told = names.into_iter().map(|name| {
            let own = || gaps.iter().filter(|gap| gap.source == *name);
            let seconds: f64 = own().map(|gap| gap.to_s - gap.from_s).sum();
            let first = own().map(|gap| gap.from_s).next().unwrap_or_default();
            let count = counted(own().count() as u64, "gap");
            let unanswered: f64 = own().map(|gap| gap.unanswered_s).sum();
            let why = if unanswered > 0.0 {
                format!(
                    "the target serves them itself, and for {} s of that it answered nobody, so \
                     they have a value only when it is free.",
                    decimal(unanswered, 1)
                )
            } else {
                "what was then is unknown.".to_owned()
            };
            format!(
                "The gauges of `{name}` have no value for {} s in all ({count}, the first at \
                 {}): {why}",
                decimal(seconds, 1),
                self.at(first)
            )
        });
        let told: Vec<String> = told.collect();
        (!told.is_empty()).then(|| told.join(" "))
    }
}
