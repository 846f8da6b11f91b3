//! What the conductor and the parts of the fleet tell each other.
//!
//! A part reads one line of JSON from its standard input, its configuration
//! with the control token in it (an argument would be visible to everyone on
//! the machine), and answers with one line, an [`StartReport`]. Everything after
//! goes through its control listener.

use std::net::SocketAddr;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::model::fault::FaultSet;
use crate::model::{BalancerSpec, FleetSpec, IdentitySpec, Settings, Slowness};
use crate::record::{BalancerCounters, Counters, Histogram, IdentityCounters, InstanceCounters};

/// What every part is told.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Common {
    /// The part's name: `instance-1`, `balancer`, `identity`.
    pub name: String,
    /// The token that its control listener demands.
    pub token: String,
    /// The seed of its random streams.
    pub seed: u64,
}

/// What an instance is told.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct InstanceConfig {
    #[serde(flatten)]
    pub common: Common,
    /// The fleet's parameters.
    pub spec: FleetSpec,
    /// How many processes of the fleet were started before it: keeps its
    /// random streams apart from those of the process that it replaces.
    pub launch: u32,
    /// Whether it holds every user's roles already.
    pub warm: bool,
    /// The settings in force.
    pub settings: Settings,
    /// What is slow.
    pub slow: Slowness,
    /// The faults that act on it.
    pub faults: FaultSet,
    /// How often its roles have been forgotten.
    pub forgotten: u64,
    /// Where the identity service listens.
    pub identity: SocketAddr,
    /// The database file.
    pub database: PathBuf,
}

/// What the balancer is told.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct BalancerConfig {
    #[serde(flatten)]
    pub common: Common,
    /// Where it listens.
    pub listen: SocketAddr,
    /// The instances in rotation.
    pub members: Vec<Member>,
    /// How it chooses, and whether it checks them.
    pub spec: BalancerSpec,
    /// Places for instances; some may be empty.
    pub places: u32,
}

/// An instance in rotation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Member {
    /// Its place in the fleet.
    pub index: usize,
    /// Where it listens.
    pub address: SocketAddr,
}

/// What the identity service is told.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct IdentityConfig {
    #[serde(flatten)]
    pub common: Common,
    /// Its parameters.
    pub spec: IdentitySpec,
    /// Verifications that wait or run at most; each is a connection.
    pub verifications_max: u32,
}

/// How a process ends that crashes by a fault: as with a panic, and told from one.
pub(super) const CRASHED: i32 = 102;

/// A part's one line on its standard output; one that crashes by a fault says a second,
/// its last [`Reading`].
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum StartReport {
    /// It serves.
    Ready {
        /// Where its service listens.
        address: SocketAddr,
        /// Where its control listener listens.
        control: SocketAddr,
    },
    /// It does not, and ends.
    Failed {
        /// Why, in one sentence.
        sentence: String,
        /// Whether the environment is to blame (a port taken).
        unfit: bool,
    },
}

/// The counters of a part, by what counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum PartCounters {
    Instance(InstanceCounters),
    Balancer(BalancerCounters),
    Identity(IdentityCounters),
}

impl From<PartCounters> for Counters {
    fn from(counters: PartCounters) -> Self {
        match counters {
            PartCounters::Instance(counters) => Self::Instance(counters),
            PartCounters::Balancer(counters) => Self::Balancer(counters),
            PartCounters::Identity(counters) => Self::Identity(counters),
        }
    }
}

/// What a part's gauges read at an instant: everything since it began to serve,
/// except the maxima, which start afresh at every mark.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Reading {
    /// The counters.
    pub counters: PartCounters,
    /// How long jobs waited for a worker, since the beginning.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queue_wait: Option<Histogram>,
}

impl Reading {
    /// A reading of counters alone.
    pub(super) fn of(counters: PartCounters) -> Self {
        Self {
            counters,
            queue_wait: None,
        }
    }
}

/// Settings and what is slow, as they are put to an instance.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct SettingsPut {
    /// Which put of the fleet it is, from 1 on. One that comes late, after a
    /// later one, changes nothing.
    pub order: u64,
    /// The settings.
    pub settings: Settings,
    /// What is slow.
    pub slow: Slowness,
    /// The faults that act on it.
    pub faults: FaultSet,
    /// How often its roles have been forgotten: where it is more than before, they are.
    pub forgotten: u64,
}

/// The faults that act, as they are put to the identity service and the balancer.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct FaultsPut {
    pub faults: FaultSet,
}

/// What is slow, as it is put to the identity service.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(super) struct SlowPut {
    pub slow: Slowness,
}

/// The balancer's members, as they are put to it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Members {
    pub members: Vec<Member>,
}

/// The balancer's admission share, as it is put to it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct AdmissionShare {
    pub share: crate::units::Ratio,
}

/// What the identity service answers to a verification.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(super) struct Verified {
    /// What a verification takes of itself, the wait for a slot not counted.
    pub took_ns: u64,
    /// What it would have taken, had the caller held the user's roles.
    pub warm_ns: u64,
}
