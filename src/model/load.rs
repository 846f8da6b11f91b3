//! What users do: how many operations, of which kinds, how patiently.
//!
//! Parameters only. That they live here, and not with the plan, lets the
//! scenario language and the plan speak of one load with one list of requests.

use serde::{Deserialize, Serialize};

use super::{ArrivalProcess, ClientPolicy, Expected, Replay, Role, Shape, Tracing};
use crate::named::named;
use crate::units::Nanos;

/// What users do: when, what and how patiently.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Load {
    /// How arrivals are spread.
    pub process: ArrivalProcess,
    /// How the rate goes from each instant on; the first is at zero.
    pub rate: Vec<(Nanos, Shape)>,
    /// Recorded times, in place of arrivals at a rate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replay: Option<Replay>,
    /// What operations ask for, with weights.
    pub mix: Vec<MixEntry>,
    /// How clients behave at the start.
    pub client: ClientPolicy,
    /// Connections at most; past it operations wait for one.
    pub connections: u32,
    /// Operations that may wait for a connection; one more is shed.
    pub backlog: u32,
    /// How the generator goes about it.
    #[serde(default)]
    pub drive: Drive,
    /// What requests say of the traces that they belong to, where they do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace: Option<Tracing>,
}

/// No rate and no kinds of operations; all else as in a scenario that says nothing
/// about it.
impl Default for Load {
    fn default() -> Self {
        Self {
            process: ArrivalProcess::Poisson,
            rate: Vec::new(),
            replay: None,
            mix: Vec::new(),
            client: ClientPolicy::default(),
            connections: Self::CONNECTIONS_LEAST,
            backlog: Self::BACKLOG,
            drive: Drive::default(),
            trace: None,
        }
    }
}

impl Load {
    /// Connections that every load may use, where nothing else is said.
    pub(crate) const CONNECTIONS_LEAST: u32 = 1024;
    /// Operations that may wait for a connection, where nothing else is said: a
    /// second's worth of a load of a thousand.
    pub(crate) const BACKLOG: u32 = 1024;
}

/// How the generator offers a load.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Drive {
    /// Users who wait for each answer, in place of arrivals at a rate.
    pub closed: Option<ClosedLoop>,
    /// Operations at most; none: as many as the time allows.
    pub operations: Option<u64>,
    /// Whether each request gets a connection of its own.
    pub fresh_connections: bool,
    /// How closely sends follow their intended starts.
    pub pacing: Pacing,
    /// Threads that share the load, each with its own connections.
    pub threads: u32,
}

impl Default for Drive {
    fn default() -> Self {
        Self {
            closed: None,
            operations: None,
            fresh_connections: false,
            pacing: Pacing::default(),
            threads: 1,
        }
    }
}

/// A closed loop: each user starts an operation a think time after the last has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClosedLoop {
    /// Users, each with one operation at a time.
    pub users: u32,
    /// Pause between an operation's end and the user's next.
    pub think: Nanos,
}

named! {
    /// How closely sends follow their intended starts, and what that costs.
    #[derive(Default)]
    pub enum Pacing {
        /// Spins for the last microseconds before an arrival.
        Precise = "precise",
        /// A kernel timer for each arrival.
        #[default]
        Balanced = "balanced",
        /// What is due is gathered for up to a millisecond: arrivals are due on ticks.
        Thrifty = "thrifty",
    }
}

/// One kind of operation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MixEntry {
    /// Its share of the operations is weight / sum of weights.
    pub weight: u32,
    /// What it asks for.
    pub request: Request,
    /// The role of the user who asks.
    pub role: Role,
    /// Whether the right answer is a refusal (403).
    pub refused: bool,
}

impl MixEntry {
    /// What it is called: its request, who makes it, and whether that is to be refused.
    pub fn name(&self) -> String {
        let refused = if self.refused { ", refused" } else { "" };
        format!("{} as {}{refused}", self.request.word(), self.role.word())
    }

    /// What the answer's status must be.
    pub fn expected(&self) -> Expected {
        if self.refused {
            Expected::statuses(403..=403)
        } else {
            Expected::default()
        }
    }
}

/// The requests that the built-in fleet's API knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Request {
    /// `GET /projects/{project}/tasks`
    ListTasks,
    /// `POST /projects/{project}/tasks`
    CreateTask,
    /// `PATCH /tasks/{task}`
    UpdateTask,
    /// `POST /projects/{project}/close`
    CloseProject,
}

named!(Request {
    ListTasks = "list tasks",
    CreateTask = "create task",
    UpdateTask = "update task",
    CloseProject = "close project",
});

impl Request {
    /// The least role that it is allowed to.
    pub(crate) const fn least_role(self) -> Role {
        match self {
            Self::ListTasks => Role::Viewer,
            Self::CreateTask | Self::UpdateTask => Role::Contributor,
            Self::CloseProject => Role::Manager,
        }
    }

    /// Whether it may be made twice (RFC 9110, section 9.2.2).
    pub const fn idempotent(self) -> bool {
        matches!(self, Self::ListTasks)
    }
}
