//! Monitors one by one, where there are several: whose probes failed, and whose did not.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::findings::{Findings, Phase};
use super::sentences::percent;
use super::series::middle;
use crate::model::SourceName;
use crate::record::{Counters, ProbeCounters, Record};
use crate::units::{Nanos, counted};

/// Fewer probes than this say nothing of a monitor.
const PROBES_MIN: u64 = 3;
/// A monitor of which this share of the probes failed is red; one of which none did is green.
const RED_FROM: f64 = 0.5;

/// Probes of one `[[monitor]]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ProbeFigures {
    /// What the monitor is called.
    pub monitor: String,
    /// The path that it requests, without its query.
    pub probe: String,
    /// Probes that ended.
    pub probes: u64,
    /// Of them: those that were not answered as expected, or not in time.
    pub failed: u64,
}

impl ProbeFigures {
    fn failed_share(&self) -> f64 {
        if self.probes == 0 {
            return 0.0;
        }
        self.failed as f64 / self.probes as f64
    }
}

/// Of each monitor between two edges of the buckets; empty where there are not several.
pub(super) fn between(record: &Record, from: Nanos, to: Nanos) -> Vec<ProbeFigures> {
    let monitors = &record.header.plan.monitors;
    let mut all = vec![ProbeCounters::default(); monitors.len()];
    let mut any = false;
    for sample in &record.samples {
        if let Counters::Probes(counters) = &sample.counters
            && (from..to).contains(&middle(&sample))
        {
            let own = |place: &usize| SourceName::of_monitor(*place) == sample.source;
            if let Some(place) = (0..all.len()).find(own) {
                all[place].merge(counters);
                any = true;
            }
        }
    }
    if !any {
        return Vec::new();
    }
    // A session ends badly in any case, and is no probe.
    let probing = monitors.iter().zip(all);
    let probing = probing.filter(|(monitor, _)| monitor.reconnects.is_none());
    let figures = probing.map(|(monitor, counters)| {
        let ProbeCounters {
            ended_well,
            ended_badly,
        } = counters;
        ProbeFigures {
            monitor: monitor.name.clone(),
            probe: monitor.probe.split('?').next().unwrap_or_default().into(),
            probes: ended_well.saturating_add(ended_badly),
            failed: ended_badly,
        }
    });
    figures.collect()
}

/// Of the phase in which one monitor was red while another stayed green, the two.
pub(super) fn sentence(findings: &Findings) -> Option<String> {
    let apart = findings.phases.iter().filter_map(apart);
    let (phase, red, green) =
        apart.max_by(|one, other| one.1.failed_share().total_cmp(&other.1.failed_share()))?;
    Some(format!(
        "The monitors disagree: in the phase `{}` {} of {} of `{}` ({}) failed ({}), and none of \
         {} of `{}` ({}). The first needs what is short there, and the second does not.",
        phase.name,
        red.failed,
        counted(red.probes, "probe"),
        red.monitor,
        red.probe,
        percent(red.failed_share()),
        green.probes,
        green.monitor,
        green.probe,
    ))
}

/// The reddest monitor of a phase and a green one, where there are both.
fn apart(phase: &Phase) -> Option<(&Phase, &ProbeFigures, &ProbeFigures)> {
    let enough = || {
        let probes = phase.probes.iter();
        probes.filter(|it| it.probes >= PROBES_MIN)
    };
    let red = enough().max_by(|one, other| one.failed_share().total_cmp(&other.failed_share()))?;
    let green = enough().find(|it| it.failed == 0)?;
    (red.failed_share() >= RED_FROM).then_some((phase, red, green))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn phase(counts: &[(u64, u64)]) -> Phase {
        let probes = counts.iter().enumerate();
        let probes = probes.map(|(place, (probes, failed))| ProbeFigures {
            monitor: place.to_string(),
            probe: "/".into(),
            probes: *probes,
            failed: *failed,
        });
        Phase {
            probes: probes.collect(),
            ..Phase::default()
        }
    }

    fn names(counts: &[(u64, u64)]) -> Option<(String, String)> {
        let phase = phase(counts);
        let (_, red, green) = apart(&phase)?;
        Some((red.monitor.clone(), green.monitor.clone()))
    }

    #[test]
    fn one_that_fails_beside_one_that_does_not_is_told() {
        let told = |red: &str, green: &str| Some((red.to_owned(), green.to_owned()));
        // The reddest, and a green one.
        assert_eq!(names(&[(10, 0), (10, 6), (10, 9)]), told("2", "0"));
        // Half of them is enough.
        assert_eq!(names(&[(10, 5), (10, 0)]), told("0", "1"));
    }

    #[test]
    fn monitors_that_agree_are_not() {
        // None fails, and both do.
        assert_eq!(names(&[(10, 0), (10, 0)]), None);
        assert_eq!(names(&[(10, 9), (10, 8)]), None);
        // One of them now and then.
        assert_eq!(names(&[(10, 4), (10, 0)]), None);
        // Too few to say so.
        assert_eq!(names(&[(10, 9), (2, 0)]), None);
        assert_eq!(names(&[]), None);
    }
}
