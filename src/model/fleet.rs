//! What the embedded fleet is made of: its parameters, with nothing running.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::{Distribution, QueuePolicy};
use crate::units::{Nanos, UnitError};

/// The embedded fleet's parameters.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FleetSpec {
    /// Instances behind the balancer, each a process.
    pub instances: u32,
    /// Workers of each instance, each a thread.
    pub workers: u32,
    /// The job queue in front of them.
    pub queue: QueuePolicy,
    /// The identity service that authorization calls.
    pub identity: IdentitySpec,
    /// Time a worker blocks on the application's own part, before authorization.
    pub application: Distribution,
    /// Time a worker blocks on the way to the database and back, which `SQLite`
    /// in the same process does not have; the queries themselves are real and
    /// come on top.
    pub database: Distribution,
    /// Users, spread evenly over the roles.
    pub users: u32,
    /// Projects that tasks belong to.
    pub projects: u32,
    /// Tasks at the start.
    pub tasks: u32,
    /// Time a new instance takes before it listens.
    pub boot: Nanos,
}

impl FleetSpec {
    /// How many users have this role: they are 0 to n − 1, in turn over the roles.
    #[must_use]
    pub const fn users_of(&self, role: Role) -> u32 {
        (self.users + Role::COUNT - 1 - role as u32) / Role::COUNT
    }

    /// The user at this place among those of the role.
    #[must_use]
    pub const fn user_of(&self, role: Role, place: u32) -> u32 {
        place * Role::COUNT + role as u32
    }

    /// The user as whom monitors take the authorization path: one past the others.
    #[must_use]
    pub const fn service_user(&self) -> u32 {
        self.users
    }
}

/// The identity service's parameters.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct IdentitySpec {
    /// Time one verification takes when the caller knows the user's roles already.
    pub latency: Distribution,
    /// Verifications at a time; more wait their turn inside the service.
    pub capacity: u32,
    /// How many times longer a verification takes for a user whose roles the
    /// calling instance does not hold yet (a cold role cache).
    pub cold_factor: f64,
}

/// What a user may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// May list.
    Viewer,
    /// May also create and update tasks.
    Contributor,
    /// May also close projects.
    Manager,
}

impl Role {
    /// How many there are.
    const COUNT: u32 = 3;
    /// All roles, from the least to the most allowed.
    pub const ALL: [Self; 3] = [Self::Viewer, Self::Contributor, Self::Manager];

    /// The role's name as scenario files and the database write it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Contributor => "contributor",
            Self::Manager => "manager",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Role {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        Self::ALL
            .into_iter()
            .find(|role| role.name() == text)
            .ok_or_else(|| UnitError::new(text, "a role: viewer, contributor or manager"))
    }
}

/// Whether the handler waits for the verification it starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verification {
    /// It does.
    #[default]
    Awaited,
    /// It does not: the verification becomes a job of its own on the same
    /// workers, and the handler goes on without its result.
    Detached,
}

/// What a handler makes of a verification whose result it does not have: the
/// three outcomes of a missing await.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unverified {
    /// No result is no permission: it answers 500.
    #[default]
    Deny,
    /// A promise is truthy: everyone gets in.
    Allow,
    /// The response is never sent.
    Hang,
}
