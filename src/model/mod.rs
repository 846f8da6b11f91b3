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
mod autoscaler;
mod backoff;
mod balancer;
mod breaker;
mod bulkhead;
mod clause;
mod client;
mod client_words;
mod content;
mod cookies;
mod distribution;
mod expectation;
mod failure;
pub mod fault;
mod figure;
mod fleet;
mod gauge;
mod hook;
mod level;
mod limit_trigger;
mod line;
mod load;
mod loopback;
mod monitor;
mod on_call;
mod outcome;
mod patience;
mod people;
mod probes;
mod process_fault;
mod proxied;
mod queue;
#[cfg(not(feature = "testing"))]
pub(crate) mod redact;
#[cfg(feature = "testing")]
pub mod redact;
mod redirect;
mod release;
mod replay;
mod retry_budget;
mod role_cache;
mod safety;
#[cfg(not(feature = "testing"))]
pub(crate) mod secret;
#[cfg(feature = "testing")]
pub mod secret;
mod shape;
mod slowness;
mod standing;
mod statuses;
mod story;
mod surge;
mod target;
mod trace;
mod url;
mod variant;
mod window;
mod words;
mod work;

pub use action::{
    Action, ActionName, Cause, ClientsAction, FleetAction, OutsideAction, ProxyAction,
    ServiceAction, TargetAction, Trigger, When,
};
pub(crate) use action::{first, restarted};
pub(crate) use admission::Admission;
pub(crate) use alert::{Alert, AlertChange};
pub use alert::{AlertRule, Signal};
pub use arrivals::ArrivalProcess;
#[cfg(not(feature = "testing"))]
pub(crate) use arrivals::Arrivals;
#[cfg(feature = "testing")]
pub use arrivals::Arrivals;
pub use autoscaler::AutoscalerSpec;
pub(crate) use autoscaler::{Autoscaler, ScalingDecision, ScalingStep};
pub use backoff::{Backoff, Jitter};
pub use balancer::{BalancerChoice, BalancerSpec, HealthSpec};
pub(crate) use balancer::{Chooser, Health};
pub use breaker::BreakerPolicy;
pub(crate) use breaker::{Breaker, Pass};
pub(crate) use bulkhead::Bulkhead;
pub(crate) use client::{AttemptOutcome, Client, FailureKind, Next, Operation, Terminal};
pub use client::{ClientPolicy, RetryOn, Retryable};
pub use client_words::client_words;
pub use content::Content;
pub use distribution::Distribution;
pub use expectation::{Bound, Expectation, FailuresOf, Figure, RecoveryRule, Scope, Unit, Word};
pub(crate) use failure::example;
pub use failure::{FailureCause, Unanswered};
pub use figure::Direction;
pub(crate) use fleet::{
    Crew, DatabaseFate, Denial, FleetOrder, Handler, JobKind, NOT_RUNNING, PEERS_MAX, PeerMap,
    PeerThreads, Responder, RestartOrder, Stage, Unverified, Verification, applied_later, each,
    instance_name,
};
pub use fleet::{FleetSpec, IdentitySpec, PeersSpec, PoolSpec, Role, TelemetrySpec};
pub use gauge::{Expression, ExpressionError, GaugePlace, GaugeSource, GaugeUrl, Preset, Roles};
pub(crate) use gauge::{Malformed, PRESETS, Page, Reading, Series, Value};
pub(crate) use hook::frames_otherwise;
pub use hook::{Call, Called, ExpectedAnswer, Hook, HookKind};
pub(crate) use level::{Level, LevelReading};
pub use limit_trigger::{Disturbance, LimitTrigger};
pub(crate) use line::Line;
pub use load::{ClosedLoop, Drive, Load, MixEntry, Pacing, Request};
pub(crate) use loopback::{is_loopback, names_loopback};
pub(crate) use monitor::Monitor;
pub use monitor::MonitorPolicy;
pub(crate) use on_call::{OnCall, OnCallDeed};
pub use on_call::{OnCallPolicy, OnCallStep};
pub use outcome::Outcome;
pub(crate) use patience::{Patience, TIME_LEFT_HEADER, time_left_ms};
pub use people::{
    GameOrder, GameRole, NAME_MAX, Offer, Ordered, Person, Question, Reported, TEXT_MAX,
};
pub(crate) use probes::Probes;
pub use process_fault::{Limits, ProcessFault, ProcessSelector};
pub use proxied::{Breakage, Front, HostPort, Proxied};
pub(crate) use queue::Queue;
pub use queue::{Order, QueuePolicy};
pub use redirect::{Elsewhere, FollowFrom, HttpOrigin, NotFollowed, Redirected, host_of};
pub(crate) use release::{Document, KNOWN_SETTINGS, Refusal, Release, Settings, TELEMETRY_SETTING};
pub use release::{ReleasePolicy, Telemetry};
pub use replay::Replay;
pub(crate) use retry_budget::RetryBudget;
pub use retry_budget::RetryBudgetPolicy;
pub(crate) use role_cache::RoleCache;
pub use safety::Safety;
pub use shape::Shape;
pub use slowness::SlowPart;
pub(crate) use slowness::Slowness;
pub(crate) use standing::{ATTEMPT_HEADER, FIRST_TRY, Probed, Standing};
pub use statuses::Statuses;
pub use story::Story;
pub(crate) use surge::{Surge, surges};
pub use target::{Command, Origin, Ready, Site, TargetSpec};
pub use trace::{TraceId, Tracing};
pub use url::Url;
pub use variant::Variant;
pub use window::{Anchor, Moment, Point, Window};
pub use words::{IncidentVerdict, SourceName, SustainingEffect};
pub use work::{
    CheckFailure, Expected, HttpWork, Learnt, OperationKind, Part, Pattern, RowOrder, Rows, Source,
    Step, Table, Template,
};

use clause::clause;
