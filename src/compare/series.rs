//! Runs one after the other that are looked at together: which of them count, and what ends
//! them all.
//!
//! One rule for runs in turns, repeated runs and variants. A signal ends the whole series,
//! also one that comes between two runs, when no run listens. An invalid measurement says
//! nothing of the target, and a machine that is busy for a moment nothing of the runs before
//! it: both are left out, with the reason. Where not even the first can be run, or one fails,
//! no other would do better.
//!
//! Each waits for some minutes where other programs use the whole CPU: a run that is refused
//! takes no time, so that one busy moment would refuse all that are left. Where that was in
//! vain, none waits until one could be run again.

use crate::analysis::{EndedBy, Findings, Validity};
use crate::error::{EXIT_SIGNAL_BASE, Kind, Result};
use crate::live::{Interrupt, too_busy};
use crate::record::signal_name;
use crate::run;

/// How often it is looked at most whether the CPU is free, 300 ms each time: five minutes.
const LOOKS_MAX: u32 = 1_000;

/// A series of runs.
pub(crate) struct Series {
    /// Listens from the first run to the end.
    interrupt: Interrupt,
    /// Whether the last wait for the CPU was in vain, and no run was possible since.
    in_vain: bool,
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
            in_vain: false,
            needed,
        })
    }

    /// Makes the next run, unless a signal came in the meantime; `tell` is told when it waits.
    pub(crate) fn run(
        &mut self,
        tell: &dyn Fn(&str),
        run: impl FnOnce() -> Result<Findings>,
    ) -> InSeries {
        if !self.in_vain {
            let ended = || self.interrupt.signal().is_some();
            self.in_vain = !wait_until_free(&mut too_busy, &ended, tell);
        }
        if let Some(signal) = self.interrupt.signal() {
            return InSeries::Ends(Ok(EXIT_SIGNAL_BASE + signal));
        }
        let needed = self.needed > 0;
        self.needed = self.needed.saturating_sub(1);
        let came = came_to(run(), needed);
        self.in_vain &= matches!(came, InSeries::Unfit(_));
        came
    }
}

/// Waits until other programs leave some of the CPU, for [`LOOKS_MAX`] looks at most. `busy`
/// looks: the share of the CPU that they use, where that is too much for a run. Whether they
/// do.
fn wait_until_free(
    busy: &mut dyn FnMut() -> Option<f64>,
    ended: &dyn Fn() -> bool,
    tell: &dyn Fn(&str),
) -> bool {
    for look in 0..LOOKS_MAX {
        if ended() {
            return true;
        }
        let Some(share) = busy() else { return true };
        if look == 0 {
            tell(&format!(
                "waiting, for 5 minutes at most: other programs or virtual machines use {:.0} % \
                 of the CPU",
                share * 100.0
            ));
        }
    }
    false
}

/// Says that a run waits where the line that its result ends has begun.
pub(super) fn within_the_line(text: &str) {
    // Nobody may read it: then it is not said.
    let _ = run::say(format!("({text}) "));
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
    fn a_run_waits_for_the_cpu_as_long_as_it_is_busy_and_no_longer_than_it_may() {
        use std::cell::Cell;
        let told = Cell::new(0);
        let looks = Cell::new(0);
        let wait = |busy_for: u32, ends_after: u32| {
            told.set(0);
            looks.set(0);
            let free = wait_until_free(
                &mut || {
                    looks.set(looks.get() + 1);
                    (looks.get() <= busy_for).then_some(0.97)
                },
                &|| looks.get() >= ends_after,
                &|text| {
                    assert!(text.contains("use 97 % of the CPU"), "{text}");
                    told.set(told.get() + 1);
                },
            );
            (looks.get(), told.get(), free)
        };
        assert_eq!(wait(0, u32::MAX), (1, 0, true));
        assert_eq!(wait(7, u32::MAX), (8, 1, true));
        // A signal ends the wait, and the CPU may never be free.
        assert_eq!(wait(u32::MAX, 3), (3, 1, true));
        assert_eq!(wait(u32::MAX, u32::MAX), (LOOKS_MAX, 1, false));
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
