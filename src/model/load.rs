//! What users do: how many operations, of which kinds, how patiently.
//!
//! Parameters only. That they live here, and not with the plan, lets the
//! scenario language and the plan speak of one load with one list of requests.

use serde::{Deserialize, Serialize};

use super::{ArrivalProcess, ClientPolicy, Role};
use crate::units::{Nanos, Rate};

/// What users do: when, what and how patiently.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Load {
    /// How arrivals are spread.
    pub process: ArrivalProcess,
    /// Rate in force from each instant on; the first is at zero.
    pub rate: Vec<(Nanos, Rate)>,
    /// What operations ask for, with weights.
    pub mix: Vec<MixEntry>,
    /// How clients behave at the start.
    pub client: ClientPolicy,
    /// Connections at most; past it operations wait for one.
    pub connections: u32,
    /// Operations that may wait for a connection; one more is shed.
    pub backlog: u32,
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
    /// Whether the answer is to be a refusal (403).
    pub refused: bool,
}

/// The requests that the embedded fleet's API knows.
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

impl Request {
    /// All requests with the names that scenario files use.
    pub const ALL: [(Self, &'static str); 4] = [
        (Self::ListTasks, "list tasks"),
        (Self::CreateTask, "create task"),
        (Self::UpdateTask, "update task"),
        (Self::CloseProject, "close project"),
    ];

    /// The name that scenario files use.
    #[must_use]
    pub fn name(self) -> &'static str {
        Self::ALL
            .iter()
            .find(|(request, _)| *request == self)
            .map_or("", |(_, name)| name)
    }
}
