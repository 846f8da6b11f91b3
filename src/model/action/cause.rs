//! What can begin an incident.

use super::super::SlowPart;
use super::super::fault::FleetFaultKind;

/// What can begin an incident, and goes on until something ends it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// A configuration was pushed.
    Push,
    /// A part of the fleet became slow.
    Slow(SlowPart),
    /// Instances or processes were paused.
    Pause,
    /// Instances were lost.
    Loss,
    /// Processes were killed.
    Kill,
    /// What processes may use was limited.
    Limit,
    /// A fault of the fleet acts.
    Broken(FleetFaultKind),
    /// What passes a proxy was broken.
    Fault,
    /// Workers were held from outside.
    Occupation,
    /// Others injected something, and told the run.
    Outside,
    /// The load rose above that of the baseline. No action: the load does it.
    Surge,
}

impl Cause {
    /// Every cause.
    pub(crate) fn all() -> impl Iterator<Item = Self> {
        let alone = [
            Self::Push,
            Self::Pause,
            Self::Loss,
            Self::Kill,
            Self::Limit,
            Self::Fault,
            Self::Occupation,
            Self::Outside,
            Self::Surge,
        ];
        let slowed = SlowPart::ALL.map(|(part, _)| Self::Slow(part));
        let broken = FleetFaultKind::ALL.map(|(kind, _)| Self::Broken(kind));
        slowed.into_iter().chain(alone).chain(broken)
    }

    /// What sentences call it, without an article.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Push => "push",
            Self::Slow(SlowPart::Application) => "slowdown of the application",
            Self::Slow(SlowPart::Database) => "slowdown of the database",
            Self::Slow(SlowPart::Identity) => "slowdown of the identity service",
            Self::Pause => "pause",
            Self::Loss => "loss of instances",
            Self::Kill => "kill",
            Self::Limit => "limit",
            Self::Broken(kind) => kind.cause(),
            Self::Fault => "fault",
            Self::Occupation => "occupation",
            Self::Outside => "injection from outside",
            Self::Surge => "surge",
        }
    }
}
