//! Figures by name: how each is called, what it means, and which way it becomes worse.
//!
//! One table for all who ask for a figure by name: expectations, bounds of a comparison,
//! trends. Nothing is measured here.

use super::{Figure, Scope, Unit};
use crate::named::suggest;

/// Which way a figure becomes worse.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// A higher value is worse.
    Higher,
    /// A lower value is worse.
    Lower,
    /// Neither is.
    Neither,
}

impl Figure {
    /// What figures are also called.
    pub const SHORT: [(Self, &'static str); 6] = [
        (Self::ResponseP50, "p50"),
        (Self::ResponseP90, "p90"),
        (Self::ResponseP99, "p99"),
        (Self::ResponseP999, "p99.9"),
        (Self::ErrorShare, "errors"),
        (Self::OfferedRate, "offered load"),
    ];

    /// Every name and its figure, the short ones last.
    pub(crate) fn names() -> impl Iterator<Item = (Self, &'static str)> {
        Self::ALL.into_iter().chain(Self::SHORT)
    }

    /// The figure of this name among those that `fit`.
    ///
    /// # Errors
    ///
    /// There is none: a clause with the name that was most likely meant.
    pub(crate) fn named(name: &str, fit: impl Fn(Self) -> bool) -> Result<Self, String> {
        let mut names = Self::names().filter(|(figure, _)| fit(*figure));
        if let Some((figure, _)) = names.find(|(_, own)| *own == name) {
            return Ok(figure);
        }
        let all = Self::ALL.into_iter().filter(|(figure, _)| fit(*figure));
        let all: Vec<&str> = all.map(|(_, own)| own).collect();
        Err(format!(
            "there is no figure `{name}`; {}",
            suggest(name, &all)
        ))
    }

    /// Whether it is a time of single operations, attempts or jobs, which summaries state
    /// in milliseconds.
    pub(crate) fn is_latency(self) -> bool {
        self.unit() == Unit::Seconds && self.scope() == Scope::Window
    }

    /// Which way it becomes worse.
    pub const fn worse(self) -> Direction {
        match self {
            Self::Goodput | Self::GoodputShare => Direction::Lower,
            Self::OfferedRate | Self::IncidentVerdict | Self::Sustaining => Direction::Neither,
            _ => Direction::Higher,
        }
    }

    /// What it is, in a few words.
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::RecoveryAfterRollback => "rollback applied → recovered",
            Self::RecoveryAfterTriggerOff => "trigger off → recovered",
            Self::RecoveryAfterLastAction => "last action → recovered",
            Self::TimeToDetect => "impact → first alert",
            Self::TimeToAcknowledge => "impact → looked at by somebody on call",
            Self::TimeToMitigate => "impact → half of the baseline's goodput",
            Self::TimeToRecover => "impact → recovered",
            Self::IncidentVerdict => "how the incident ended",
            Self::Sustaining => "what kept service down",
            Self::GoodputShare => "goodput / offered rate",
            Self::ErrorShare => "operations that ended without success / that ended",
            Self::Saturation => "busy worker-time / worker-time",
            Self::AttemptsPerOperation => "users' attempts / first tries",
            Self::QueueDepthMax => "most jobs that waited",
            Self::OfferedRate => "operations per second that were scheduled",
            Self::Goodput => "operations per second that succeeded",
            Self::ResponseP50 => "median of the response time",
            Self::OverAllP99 => "99th percentile over all operations, also those without success",
            Self::ServiceP50 => "median of the service time",
            Self::ResponseP90 | Self::ServiceP90 => "its 90th percentile",
            Self::ResponseP99 | Self::ServiceP99 => "its 99th percentile",
            Self::ResponseP999 | Self::ServiceP999 => "its 99.9th percentile",
            Self::FirstByteP99 => "send → first byte of the answer, 99th percentile",
            Self::ConnectP99 => "time to connect, 99th percentile",
            Self::QueueWaitP99 => "wait of jobs for a worker, 99th percentile",
            Self::ZombieShare => "busy worker-time for callers who had gone / busy worker-time",
            Self::WronglyAllowed => "operations that should have been refused",
            Self::ExhaustedInstances => "instances without a free worker while jobs waited",
            Self::RejectedRollbacks => "rollbacks that were refused",
            Self::Failures => "users' attempts that failed",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_figure_is_found_by_each_of_its_names_and_suggested_where_it_fits() {
        for (figure, name) in Figure::names() {
            assert_eq!(Figure::named(name, |_| true), Ok(figure));
        }
        let timed = |name: &str| Figure::named(name, Figure::is_latency).unwrap_err();
        assert!(timed("reponse p99").ends_with("did you mean `response p99`?"));
        assert!(timed("goodput").contains("there are: `response p50`"));
    }
}
