//! What of a run is compared: a few blocks of counts and histograms for each stretch, and
//! what says whether it may be compared at all. A baseline file keeps this and no more.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::blocks::Blocks;
use crate::analysis::observation;
use crate::analysis::phases::Stretch;
use crate::analysis::series::series;
use crate::analysis::{Findings, Validity};
use crate::plan::{Figure, Plan};
use crate::record::{Backend, MachineFacts, Record};
use crate::units::Nanos;

/// A run, as far as it is compared.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Digest {
    /// Where it was read from.
    pub name: String,
    /// The version of threadbare that wrote it.
    pub version: String,
    /// Which backend.
    pub backend: Backend,
    /// When it was started, in milliseconds since 1970 UTC.
    pub started_wall_ms: u64,
    /// On what.
    pub machine: MachineFacts,
    /// What makes it again.
    pub command: String,
    /// What was carried out.
    pub plan: Plan,
    /// Whether it came to its planned end.
    pub complete: bool,
    /// Why its measurement is invalid; empty where it is valid.
    pub invalid: Vec<String>,
    /// The whole run without its warm-up, then each phase where there are several.
    pub(super) stretches: Vec<Blocks>,
    /// Figures of the whole incident, in seconds.
    pub(super) incident: Vec<RunPoint>,
}

/// A figure of which a run has one value.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct RunPoint {
    /// Which.
    pub figure: Figure,
    /// Its value.
    pub value: f64,
}

impl Digest {
    /// That of a record and what was found in it.
    pub fn of(name: &str, record: &Record, findings: &Findings) -> Self {
        let series = series(record);
        let whole = Stretch::whole(observation::observation(record, &series));
        let mut stretches = vec![Blocks::of(&series, &whole)];
        if findings.phases.len() > 1 {
            let phases = findings.phases.iter().map(|phase| Stretch {
                name: phase.name.clone(),
                from: Nanos::from_secs_f64(phase.from_s),
                to: Nanos::from_secs_f64(phase.to_s),
            });
            stretches.extend(phases.map(|stretch| Blocks::of(&series, &stretch)));
        }
        let incident = &findings.incident;
        let points = [
            (
                Figure::RecoveryAfterRollback,
                incident.recovery_after_rollback_s,
            ),
            (
                Figure::RecoveryAfterTriggerOff,
                incident.recovery_after_trigger_off_s,
            ),
            (Figure::TimeToDetect, incident.time_to_detect_s),
            (Figure::TimeToRecover, incident.time_to_recover_s),
        ];
        let points = points.into_iter();
        let header = &record.header;
        Self {
            name: name.to_owned(),
            version: header.version.clone(),
            backend: header.backend,
            started_wall_ms: header.started_wall_ms,
            machine: header.machine.clone(),
            command: header.command.clone(),
            plan: header.plan.clone(),
            complete: findings.complete,
            invalid: match findings.measurement.validity {
                Validity::Valid => Vec::new(),
                Validity::Invalid => findings.measurement.reasons.clone(),
            },
            stretches,
            incident: points
                .filter_map(|(figure, value)| value.map(|value| RunPoint { figure, value }))
                .collect(),
        }
    }

    /// What decides which operation is due when.
    pub(super) fn schedule(&self) -> BTreeMap<String, serde_json::Value> {
        let plan = serde_json::to_value(&self.plan).unwrap_or_default();
        let parts = [
            "/load/process",
            "/load/rate",
            "/load/replay",
            "/load/mix",
            "/load/drive",
            "/warm_up",
            "/end",
            "/interval",
            "/kinds",
            "/requests",
        ];
        let parts = parts.iter().filter_map(|path| {
            let key = path.trim_start_matches('/').replace('/', ".");
            Some((key, plan.pointer(path)?.clone()))
        });
        parts.collect()
    }

    /// Whether it had the same arrivals as another: then its blocks pair with the other's.
    pub(super) fn pairs_with(&self, other: &Self) -> bool {
        self.plan.seed == other.plan.seed
            && self.plan.load.drive.closed.is_none()
            && self.schedule() == other.schedule()
    }

    /// A figure of the whole incident, in seconds; none where it was not seen.
    pub(super) fn point(&self, figure: Figure) -> Option<f64> {
        let mut points = self.incident.iter();
        points
            .find(|point| point.figure == figure)
            .map(|point| point.value)
    }

    /// The stretch of this name; the whole run has none.
    pub(super) fn stretch(&self, name: &str) -> Option<&Blocks> {
        self.stretches.iter().find(|blocks| blocks.name == name)
    }
}
