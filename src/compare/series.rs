//! Runs one after the other that are looked at together: which of them count, and what ends
//! them all.
//!
//! One rule for runs in turns, repeated runs and variants. A signal ends the whole series,
//! also one that comes between two runs, when no run listens. An invalid measurement says
//! nothing of the target, and a machine that is busy for a moment nothing of the runs before
//! it: both are left out, with the reason. Where not even the first can be run, or one fails,
//! no other would do better.

use crate::analysis::{EndedBy, Findings, Validity};
use crate::error::{EXIT_SIGNAL_BASE, Kind, Result};
use crate::live::Interrupt;
use crate::record::signal_name;

/// A series of runs.
pub(crate) struct Series {
    /// Listens from the first run to the end.
    interrupt: Interrupt,
    /// Runs that must be possible before one may be left out.
    needed: u32,
}

/// What a run of a series came to.
pub(crate) enum InSeries {
    /// It counts.
    Counts(Box<Findings>),
    /// Its measurement is invalid, and why.
    Invalid(String),
    /// It could not be begun or carried on here and now, and why.
    Unfit(String),
    /// No other follows: the exit code of what a signal ended, or what failed.
    Ends(Result<i32>),
}

impl Series {
    /// Begins one in which so many runs must be possible before one may be left out.
    ///
    /// # Errors
    ///
    /// Where signals cannot be listened for.
    pub(crate) fn begin(needed: u32) -> Result<Self> {
        Ok(Self {
            interrupt: Interrupt::listen(|| {})?,
            needed,
        })
    }

    /// Makes the next run, unless a signal came in the meantime.
    pub(crate) fn run(&mut self, run: impl FnOnce() -> Result<Findings>) -> InSeries {
        if let Some(signal) = self.interrupt.signal() {
            return InSeries::Ends(Ok(EXIT_SIGNAL_BASE + signal));
        }
        let needed = self.needed > 0;
        self.needed = self.needed.saturating_sub(1);
        came_to(run(), needed)
    }
}

/// What a run came to; `needed`: whether it must be possible.
fn came_to(run: Result<Findings>, needed: bool) -> InSeries {
    match run {
        Ok(findings) if findings.ending.by == EndedBy::Interrupted => {
            InSeries::Ends(Ok(findings.exit_code()))
        }
        Ok(findings) if findings.measurement.validity == Validity::Invalid => {
            InSeries::Invalid(findings.measurement.reasons.join(" "))
        }
        Ok(findings) => InSeries::Counts(Box::new(findings)),
        Err(error) if error.kind() == Kind::Unfit && !needed => InSeries::Unfit(error.to_string()),
        Err(error) => InSeries::Ends(Err(error)),
    }
}

/// Why a series ended before its time, in a clause.
pub(super) fn why_ended(ended: &Result<i32>) -> String {
    match ended {
        Ok(code) => format!("interrupted by {}", signal_name(code - EXIT_SIGNAL_BASE)),
        Err(error) => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Error;

    fn word(run: Result<Findings>, needed: bool) -> &'static str {
        match came_to(run, needed) {
            InSeries::Counts(_) => "counts",
            InSeries::Invalid(_) => "invalid",
            InSeries::Unfit(_) => "unfit",
            InSeries::Ends(Ok(143)) => "ended by a signal",
            InSeries::Ends(Ok(_)) => "ended by something",
            InSeries::Ends(Err(_)) => "failed",
        }
    }

    fn found(change: impl FnOnce(&mut Findings)) -> Findings {
        let text = include_str!("../../reports/sample-missing-await/summary.json");
        let mut findings: Findings = serde_json::from_str(text).unwrap();
        change(&mut findings);
        findings
    }

    #[test]
    fn a_run_counts_is_left_out_or_ends_the_series() {
        let interrupted = |findings: &mut Findings| {
            findings.ending.by = EndedBy::Interrupted;
            findings.ending.exit_code = Some(143);
            // What was cut off may look invalid too.
            findings.measurement.validity = Validity::Invalid;
        };
        let invalid = |findings: &mut Findings| {
            findings.measurement.validity = Validity::Invalid;
        };
        for needed in [true, false] {
            assert_eq!(word(Ok(found(|_| {})), needed), "counts");
            assert_eq!(word(Ok(found(invalid)), needed), "invalid");
            assert_eq!(word(Ok(found(interrupted)), needed), "ended by a signal");
            assert_eq!(word(Err(Error::failed("a disk is full")), needed), "failed");
        }
        // A busy moment ends nothing that has begun.
        assert_eq!(word(Err(Error::unfit("the CPU is busy")), true), "failed");
        assert_eq!(word(Err(Error::unfit("the CPU is busy")), false), "unfit");
    }

    #[test]
    fn why_a_series_ended_is_a_clause() {
        assert_eq!(why_ended(&Ok(143)), "interrupted by SIGTERM");
        assert_eq!(
            why_ended(&Err(Error::failed("a disk is full"))),
            "a disk is full"
        );
    }
}
