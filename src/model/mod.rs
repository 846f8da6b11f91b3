//! Policies as pure state machines that are told the time.
//!
//! Nothing here performs I/O, reads a clock or owns a thread: a machine is told
//! `now` and what happened, and answers what to do and when to ask it again.
//! Randomness is passed in. That is what lets the live backend and the
//! simulator share retries, monitors, releases and arrivals instead of writing
//! them twice. Only *policies* live here: live workers are threads that block.

mod action;
mod admission;
mod alert;
mod arrivals;
mod backoff;
mod balancer;
mod breaker;
mod bulkhead;
mod clause;
mod client;
mod distribution;
mod expectation;
pub mod fault;
mod fleet;
mod gauge;
mod hook;
mod level;
mod load;
mod monitor;
mod outcome;
mod patience;
mod probes;
mod process_fault;
mod proxied;
mod queue;
pub mod redact;
mod release;
mod replay;
mod retry_budget;
mod role_cache;
mod safety;
pub mod secret;
mod shape;
mod slowness;
mod standing;
mod story;
mod surge;
mod target;
mod url;
mod words;
mod work;

pub use action::{
    Action, ActionName, Cause, ClientsAction, FleetAction, ProxyAction, ServiceAction,
    TargetAction, Trigger, When, first, restarted,
};
pub use admission::Admission;
pub use alert::{Alert, AlertChange, AlertRule, Signal};
pub use arrivals::{ArrivalProcess, Arrivals};
pub use backoff::{Backoff, Jitter};
pub use balancer::RoundRobin;
pub use breaker::{Breaker, BreakerPolicy, Pass, Trip};
pub use bulkhead::Bulkhead;
pub use client::{
    AttemptOutcome, Client, ClientPolicy, FailureKind, Next, Operation, RetryOn, Retryable,
    Terminal,
};
pub use distribution::Distribution;
pub use expectation::{Bound, Expectation, Figure, RecoveryRule, Unit};
pub use fleet::{
    Crew, Denial, FleetOrder, FleetSpec, Handler, HandlerStep, IdentitySpec, JobKind, NOT_RUNNING,
    Responder, RestartOrder, Role, Stage, Unverified, Verification, applied_later, each,
    instance_name,
};
pub use gauge::{
    Absent, Expression, ExpressionError, GaugePlace, GaugeSource, GaugeUrl, Malformed, PRESETS,
    Page, Preset, Reading, Roles, Series, Value,
};
pub use hook::{Call, Called, ExpectedAnswer, Hook, HookKind};
pub use level::{Level, LevelReading};
pub use load::{ClosedLoop, Drive, Load, MixEntry, Pacing, Request};
pub use monitor::{Monitor, MonitorPolicy};
pub use outcome::Outcome;
pub use patience::{Patience, TIME_LEFT_HEADER, time_left_ms};
pub use probes::Probes;
pub use process_fault::{Limits, ProcessFault, ProcessSelector};
pub use proxied::{Breakage, Front, HostPort, Proxied};
pub use queue::{Order, Queue, QueuePolicy, QueuedJob};
pub use release::{
    CheckResult, Document, KNOWN_SETTINGS, Refusal, Release, ReleasePolicy, Settings,
};
pub use replay::{Replay, ReplayError};
pub use retry_budget::{RetryBudget, RetryBudgetPolicy};
pub use role_cache::RoleCache;
pub use safety::Safety;
pub use shape::Shape;
pub use slowness::{SlowPart, Slowness};
pub use standing::{ATTEMPT_HEADER, FIRST_TRY, Probed, Standing};
pub use story::Story;
pub use surge::{Surge, surges};
pub use target::{Command, Origin, Ready, Site, TargetSpec};
pub use url::Url;
pub use words::{IncidentVerdict, SourceName, SustainingEffect};
pub use work::{
    Content, Expected, HttpWork, OperationKind, Part, RowOrder, Rows, Source, Step, Table, Template,
};

use clause::clause;
