//! A run as it lies in its directory: its header and its summary.

use std::collections::BTreeMap;

use sha2::{Digest as _, Sha256};

use crate::analysis::find::FORMAT;
use crate::analysis::{Findings, Validity, Verdict};
use crate::named::named;
use crate::plan::Plan;
use crate::record::{Backend, Header, MachineFacts};

/// A run that lies in a directory.
#[derive(Debug, Clone)]
pub struct StoredRun {
    /// Its directory, as it was named.
    pub directory: String,
    /// What it says of itself; none where that is missing or damaged.
    pub header: Option<Header>,
    /// Its summary, likewise.
    pub findings: Option<Findings>,
    /// Why one of the two cannot be read, in a sentence.
    pub damage: Option<String>,
}

named! {
    /// What came out of a run.
    pub enum RunVerdict {
        /// Every expectation held.
        Passed = "passed",
        /// One did not.
        Failed = "failed",
        /// The measurement is invalid: nothing is judged.
        Invalid = "invalid",
        /// It did not reach its planned end, or nobody has reported it yet.
        Incomplete = "incomplete",
        /// Its header or its summary cannot be read.
        Damaged = "damaged",
    }
}

impl StoredRun {
    /// What came out of it.
    pub fn verdict(&self) -> RunVerdict {
        match &self.findings {
            _ if self.damage.is_some() => RunVerdict::Damaged,
            None => RunVerdict::Incomplete,
            Some(findings) if !findings.complete => RunVerdict::Incomplete,
            Some(findings) => match (findings.measurement.validity, findings.verdict) {
                (Validity::Invalid, _) | (_, Verdict::Invalid) => RunVerdict::Invalid,
                (_, Verdict::Passed) => RunVerdict::Passed,
                (_, Verdict::Failed) => RunVerdict::Failed,
            },
        }
    }

    /// When it was started, in milliseconds since 1970 UTC; none where nobody knows.
    pub fn started_wall_ms(&self) -> Option<u64> {
        let header = self.header.as_ref();
        header.map(|it| it.started_wall_ms).filter(|at| *at > 0)
    }

    /// How it was made; none where nobody knows.
    pub fn origin(&self) -> Option<Origin> {
        let header = self.header.as_ref()?;
        Some(Origin {
            scenario: header.plan.scenario.clone(),
            seed: header.plan.seed,
            backend: header.backend,
            machine: header.machine.clone(),
            version: header.version.clone(),
            plan: PlanMarks::of(&header.plan),
        })
    }
}

/// The content of a `summary.json`.
///
/// # Errors
///
/// Where it is damaged, or of another version: in a clause.
pub fn read_summary(bytes: &[u8]) -> Result<Findings, String> {
    #[derive(serde::Deserialize)]
    struct Format {
        format: u32,
    }
    let damaged =
        |cause: serde_json::Error| format!("it is damaged in line {}: {cause}", cause.line());
    let Format { format } = serde_json::from_slice(bytes).map_err(damaged)?;
    if format != FORMAT {
        return Err(format!(
            "it is of format {format}, and this version reads format {FORMAT}"
        ));
    }
    serde_json::from_slice(bytes).map_err(damaged)
}

/// How a run was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// The scenario's short name.
    pub scenario: String,
    /// The seed.
    pub seed: u64,
    /// Which backend.
    pub backend: Backend,
    /// On what.
    pub machine: MachineFacts,
    /// By which version of threadbare.
    pub version: String,
    /// What it did.
    pub plan: PlanMarks,
}

impl Origin {
    /// Whether both ran on the same machine: as many processors of the same name, and as
    /// much memory, to a sixteenth, which kernels count differently. Simulated runs ran on
    /// none, and a kernel that was updated is a change like any other.
    pub(super) fn same_machine(&self, other: &Self) -> bool {
        let (own, its) = (&self.machine, &other.machine);
        let apart = own.memory_bytes.abs_diff(its.memory_bytes);
        let simulated = self.backend == Backend::Sim;
        self.backend == other.backend
            && (simulated
                || own.cores == its.cores
                    && own.processor == its.processor
                    && apart <= own.memory_bytes.max(its.memory_bytes) / 16)
    }
}

/// Keys of a plan that change no figure: who is told what, and the seed, since runs of
/// several seeds are one series.
const WITHOUT_EFFECT: [&str; 6] = ["seed", "title", "claim", "source", "story", "expectations"];

/// What of a plan decides its figures, key by key, as digests.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PlanMarks(BTreeMap<String, [u8; 32]>);

impl PlanMarks {
    /// Those of this plan.
    pub fn of(plan: &Plan) -> Self {
        let value = serde_json::to_value(plan).expect("run.json holds every plan as JSON");
        let keys = value.as_object().into_iter().flatten();
        let deciding = keys.filter(|(key, _)| !WITHOUT_EFFECT.contains(&key.as_str()));
        Self(
            deciding
                .map(|(key, value)| (key.clone(), Sha256::digest(value.to_string()).into()))
                .collect(),
        )
    }

    /// The keys in which the two differ.
    pub fn differing<'a>(&'a self, other: &'a Self) -> Vec<&'a str> {
        let mut keys: Vec<&str> = self
            .0
            .keys()
            .chain(other.0.keys())
            .map(String::as_str)
            .collect();
        keys.sort_unstable();
        keys.dedup();
        keys.retain(|key| self.0.get(*key) != other.0.get(*key));
        keys
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origin(cores: u32, memory_bytes: u64) -> Origin {
        Origin {
            scenario: "a".into(),
            seed: 1,
            backend: Backend::Live,
            machine: MachineFacts {
                cores,
                memory_bytes,
                ..MachineFacts::default()
            },
            version: "1".into(),
            plan: PlanMarks::default(),
        }
    }

    #[test]
    fn a_machine_is_its_processors_and_its_memory() {
        let own = origin(2, 16_000_000_000);
        assert!(own.same_machine(&origin(2, 16_100_000_000)));
        assert!(!own.same_machine(&origin(2, 32_000_000_000)));
        assert!(!own.same_machine(&origin(4, 16_000_000_000)));
        let simulated = |cores| Origin {
            backend: Backend::Sim,
            ..origin(cores, 0)
        };
        assert!(simulated(2).same_machine(&simulated(8)));
        assert!(!simulated(2).same_machine(&own));
    }

    #[test]
    fn a_seed_and_a_title_are_no_other_plan() {
        let plan = Plan::default();
        let marks = PlanMarks::of(&plan);
        let retold = Plan {
            seed: 9,
            title: "another".into(),
            ..plan.clone()
        };
        assert_eq!(PlanMarks::of(&retold), marks);
        let mut faster = plan;
        faster.load.connections = 3;
        faster.scenario = "b".into();
        assert_eq!(
            marks.differing(&PlanMarks::of(&faster)),
            ["load", "scenario"]
        );
    }
}
