//! Progress of simulations, once a second: how far virtual time has come, or
//! how many of many are done.

use std::io::Write;
use std::sync::Mutex;

use crate::clock::Clock;
use crate::plan::Plan;
use crate::units::Nanos;

/// Between two lines.
const EVERY: Nanos = Nanos::from_secs(1);

/// Says how far a simulation has come; of a short one it says nothing.
#[derive(Debug)]
pub(crate) struct Simulation {
    clock: Clock,
    end: Nanos,
    /// Whether one line is rewritten in place, since the output is a terminal.
    in_place: bool,
    quiet: bool,
    told: Nanos,
}

impl Simulation {
    /// About a simulation of this plan that begins now.
    pub(crate) fn new(plan: &Plan, terminal_width: Option<usize>, quiet: bool) -> Self {
        Self {
            clock: Clock::start(),
            end: plan.end,
            in_place: terminal_width.is_some(),
            quiet,
            told: Nanos::ZERO,
        }
    }

    /// So far it has come. That it cannot be written ends nothing.
    pub(crate) fn reached(&mut self, mut out: impl Write, reached: Nanos, events: u64) {
        let now = self.clock.now();
        if self.quiet || now < self.told + EVERY {
            return;
        }
        self.told = now;
        let (start, end) = if self.in_place {
            ("\r\x1b[K", "")
        } else {
            ("", "\n")
        };
        let _ = write!(
            out,
            "{start}simulated {:.0} of {:.0} s, {:.1} million events, {:.1} million/s{end}",
            reached.as_secs_f64(),
            self.end.as_secs_f64(),
            events as f64 / 1e6,
            events as f64 / 1e6 / now.as_secs_f64()
        )
        .and_then(|()| out.flush());
    }

    /// Nothing more is to come.
    pub(crate) fn clear(&self, mut out: impl Write) {
        if self.in_place && self.told > Nanos::ZERO {
            let _ = write!(out, "\r\x1b[K").and_then(|()| out.flush());
        }
    }
}

/// Says how many of many simulations are done; any thread may tell it.
#[derive(Debug)]
pub(crate) struct Trials {
    clock: Clock,
    in_place: bool,
    quiet: bool,
    told: Mutex<Nanos>,
}

impl Trials {
    /// About simulations that begin now.
    pub(crate) fn new(terminal_width: Option<usize>, quiet: bool) -> Self {
        Self {
            clock: Clock::start(),
            in_place: terminal_width.is_some(),
            quiet,
            told: Mutex::new(Nanos::ZERO),
        }
    }

    /// So many of so many are done. That it cannot be written ends nothing.
    pub(crate) fn done(&self, mut out: impl Write, done: usize, all: usize) {
        let now = self.clock.now();
        // Who finds another one telling leaves it to that one.
        let Ok(mut told) = self.told.try_lock() else {
            return;
        };
        if self.quiet || now < *told + EVERY {
            return;
        }
        *told = now;
        let (start, end) = if self.in_place {
            ("\r\x1b[K", "")
        } else {
            ("", "\n")
        };
        let _ = write!(out, "{start}simulated {done} of {all} variants{end}")
            .and_then(|()| out.flush());
    }

    /// Nothing more is to come.
    pub(crate) fn clear(&self, mut out: impl Write) {
        if self.in_place && !self.quiet {
            let _ = write!(out, "\r\x1b[K").and_then(|()| out.flush());
        }
    }
}
