//! A base and a candidate in turns, in one go: the noise of the machine hits both.

use std::path::{Path, PathBuf};

use super::sets::digest;
use crate::analysis::Validity;
use crate::analysis::compare::{Comparison, ComparisonVerdict, Digest, Options, compare};
use crate::clock;
use crate::error::{Error, Result};
use crate::plan::Plan;
use crate::run;

/// Rounds before it is looked at whether it can be told.
const FIRST_LOOK: u32 = 4;
/// Rounds from one look to the next: each order once.
const STEP: u32 = 2;

/// What is run in turns.
pub(crate) struct Turns<'a> {
    /// The plan of the base.
    pub base: &'a Plan,
    /// That of the candidate.
    pub candidate: &'a Plan,
    /// Rounds at most; in each, both run once.
    pub rounds: u32,
    /// How runs are watched; where they land is `out`, or a new directory.
    pub options: &'a run::Options,
    /// How they are compared.
    pub judged: Options,
}

/// Runs both in turns until it can be told, or every round was run; the comparison and
/// where its runs lie.
///
/// # Errors
///
/// As a run, where one fails or is interrupted.
pub(crate) fn ab(turns: &Turns<'_>) -> Result<(Comparison, PathBuf)> {
    let directory = turns.options.out.clone().unwrap_or_else(|| {
        let stamp = clock::stamp(clock::wall_millis());
        Path::new("reports").join(format!("ab-{stamp}"))
    });
    let judged = Options {
        // Each look has its part of the chance of a false alarm.
        alarm: turns.judged.alarm / f64::from(looks(turns.rounds)),
        ..turns.judged.clone()
    };
    let (mut base, mut candidate) = (Vec::new(), Vec::new());
    let mut left_out = Vec::new();
    let mut comparison = None;
    for round in 1..=turns.rounds {
        match pair(turns, &directory, round)? {
            Ok((a, b)) => {
                base.push(a);
                candidate.push(b);
            }
            Err(why) => left_out.push(format!("round {round} is left out: {why}")),
        }
        if is_look(round, turns.rounds) && !base.is_empty() {
            let found = compare(&base, &candidate, &judged);
            let told = !matches!(
                found.verdict,
                ComparisonVerdict::CannotTell | ComparisonVerdict::NotComparable
            );
            comparison = Some(found);
            if told {
                break;
            }
        }
    }
    let mut comparison = comparison.ok_or_else(|| {
        Error::failed(format!("no round can be compared; {}", left_out.join("; ")))
    })?;
    comparison.left_out = left_out;
    Ok((comparison, directory))
}

/// Whether it is looked after this round.
const fn is_look(round: u32, rounds: u32) -> bool {
    round == rounds || (round >= FIRST_LOOK && (round - FIRST_LOOK).is_multiple_of(STEP))
}

/// How often it is looked at most.
fn looks(rounds: u32) -> u32 {
    let looks = (1..=rounds).filter(|round| is_look(*round, rounds)).count();
    u32::try_from(looks).unwrap_or(u32::MAX).max(1)
}

/// One round: both once, in the order that the last round had not; why it does not count.
fn pair(
    turns: &Turns<'_>,
    directory: &Path,
    round: u32,
) -> Result<std::result::Result<(Digest, Digest), String>> {
    let mut order = [("base", turns.base), ("candidate", turns.candidate)];
    if round.is_multiple_of(2) {
        order.reverse();
    }
    let mut found = Vec::new();
    for (side, plan) in order {
        run::say(format!("round {round} of {}, {side}: ", turns.rounds))?;
        let out = directory.join(format!("round-{round:02}-{side}"));
        let mut plan = Plan {
            // The same arrivals for both, and others in each round.
            seed: plan.seed.wrapping_add(u64::from(round) - 1),
            ..plan.clone()
        };
        for expectation in &mut plan.expectations {
            // A run that is cut off cannot be compared.
            expectation.abort = false;
        }
        let options = run::Options {
            out: Some(out.clone()),
            quiet: true,
            ..turns.options.clone()
        };
        let findings = run::live(plan, &options)?;
        if findings.measurement.validity == Validity::Invalid {
            let why = findings.measurement.reasons.join(" ");
            return Ok(Err(format!(
                "the measurement of the {side} is invalid: {why}"
            )));
        }
        found.push((side, digest(&out)?));
    }
    found.sort_by_key(|(side, _)| *side);
    let mut found = found.into_iter().map(|(_, digest)| digest);
    match (found.next(), found.next()) {
        (Some(base), Some(candidate)) => Ok(Ok((base, candidate))),
        _ => Err(Error::failed("a round without two runs".to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_looked_after_both_orders_and_at_the_end() {
        let looked = |rounds| {
            let all = (1..=rounds).filter(|round| is_look(*round, rounds));
            all.collect::<Vec<_>>()
        };
        assert_eq!(looked(1), [1]);
        assert_eq!(looked(3), [3]);
        assert_eq!(looked(7), [4, 6, 7]);
        assert_eq!(looked(10), [4, 6, 8, 10]);
        assert_eq!(looks(10), 4);
    }
}
