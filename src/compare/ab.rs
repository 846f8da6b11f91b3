//! A base and a candidate in turns, in one go: the noise of the machine hits both.
//!
//! A round counts where both of its runs do. What is left out must not decide: a candidate
//! that is at its worst in the rounds that are invalid would look better without them.

use std::path::{Path, PathBuf};

use super::series::{InSeries, Series, why_ended, within_the_line};
use super::sets::digest;
use crate::analysis::compare::{Comparison, ComparisonVerdict, Digest, Options, compare};
use crate::clock;
use crate::error::{Error, Result};
use crate::plan::Plan;
use crate::run;

/// Rounds before it is looked at whether it can be told.
const FIRST_LOOK: u32 = 4;
/// Rounds from one look to the next: each order once.
const STEP: u32 = 2;
/// Of so many rounds at most one may be left out.
const LEFT_OUT_OF: usize = 3;

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

/// What turns came to.
pub(crate) struct InTurns {
    /// The comparison of the rounds that count.
    pub comparison: Comparison,
    /// Where the runs lie.
    pub directory: PathBuf,
    /// What ended them before their time: the exit code of a signal, or a failure.
    pub ended: Option<Result<i32>>,
}

/// One of the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Side {
    Base,
    Candidate,
}

impl Side {
    const fn word(self) -> &'static str {
        match self {
            Self::Base => "base",
            Self::Candidate => "candidate",
        }
    }
}

/// What a round came to.
enum Round {
    Counts(Box<(Digest, Digest)>),
    LeftOut(LeftOut),
    Ends(Result<i32>),
}

/// A round that does not count.
struct LeftOut {
    /// Why, in one sentence.
    sentence: String,
    /// Whose measurement was invalid; none where the round could not be run.
    invalid: Option<Side>,
}

/// The rounds so far.
#[derive(Default)]
struct Rounds {
    base: Vec<Digest>,
    candidate: Vec<Digest>,
    left_out: Vec<LeftOut>,
}

impl Rounds {
    /// Why nothing is judged by what was left; none where it is.
    fn unjudged(&self, anyway: bool) -> Option<String> {
        let (counted, left_out) = (self.base.len(), self.left_out.len());
        let invalid = |side| self.left_out.iter().any(|it| it.invalid == Some(side));
        if counted == 0 {
            Some("no round counts".to_owned())
        } else if anyway {
            None
        } else if left_out * LEFT_OUT_OF > counted + left_out {
            let all = counted + left_out;
            Some(format!(
                "{left_out} of {all} rounds are left out, which is more than a third"
            ))
        } else if invalid(Side::Candidate) && !invalid(Side::Base) {
            let why = "only measurements of the candidate are invalid, so its worst rounds may \
                       be those that are left out";
            Some(why.to_owned())
        } else {
            None
        }
    }

    /// The rounds that count, held against each other.
    fn compared(&self, judged: &Options) -> Comparison {
        let mut comparison = compare(&self.base, &self.candidate, judged);
        let left_out = self.left_out.iter().map(|it| it.sentence.clone());
        comparison.left_out = left_out.collect();
        if let Some(why) = self.unjudged(judged.anyway) {
            withhold(&mut comparison, why);
        }
        comparison
    }

    /// Whether no more rounds, of so many at most, could make them comparable.
    fn hopeless(&self, comparison: &Comparison, rounds: u32, anyway: bool) -> bool {
        let too_many =
            self.left_out.len() * LEFT_OUT_OF > usize::try_from(rounds).unwrap_or(usize::MAX);
        let obstacle = !self.base.is_empty() && !comparison.obstacles.is_empty();
        !anyway && (too_many || obstacle)
    }
}

/// Takes back what a comparison says.
pub(super) fn withhold(comparison: &mut Comparison, why: String) {
    comparison.verdict = ComparisonVerdict::NotComparable;
    comparison.reason = why;
    for figure in &mut comparison.figures {
        figure.verdict = ComparisonVerdict::NotComparable;
        figure.p = None;
        figure.p_of_table = None;
    }
}

/// Runs both in turns until it can be told or never could be, or every round was run.
///
/// # Errors
///
/// Where the first round cannot be run, or a run cannot be read.
pub(crate) fn ab(turns: &Turns<'_>) -> Result<InTurns> {
    let directory = turns.options.out.clone().unwrap_or_else(|| {
        let stamp = clock::stamp(clock::wall_millis());
        Path::new("reports").join(format!("ab-{stamp}"))
    });
    let judged = Options {
        looks: looks(turns.rounds),
        ..turns.judged.clone()
    };
    // Both must be possible once.
    let mut series = Series::begin(2)?;
    let mut rounds = Rounds::default();
    let mut ended = None;
    for round in 1..=turns.rounds {
        match pair(&mut series, turns, &directory, round)? {
            Round::Counts(both) => {
                rounds.base.push(both.0);
                rounds.candidate.push(both.1);
            }
            Round::LeftOut(left_out) => rounds.left_out.push(left_out),
            Round::Ends(why) => {
                ended = Some((round - 1, why));
                break;
            }
        }
        let found = rounds.compared(&judged);
        let told = !matches!(
            found.verdict,
            ComparisonVerdict::CannotTell | ComparisonVerdict::NotComparable
        );
        let over = rounds.hopeless(&found, turns.rounds, judged.anyway);
        if over || (told && is_look(round, turns.rounds)) {
            break;
        }
    }
    finished(&rounds, &judged, turns, directory, ended)
}

/// What the rounds came to; `ended`: after how many, and by what they were ended.
fn finished(
    rounds: &Rounds,
    judged: &Options,
    turns: &Turns<'_>,
    directory: PathBuf,
    ended: Option<(u32, Result<i32>)>,
) -> Result<InTurns> {
    let mut comparison = rounds.compared(judged);
    let ended = match ended {
        // Where nothing was run the failure says it all.
        Some((0, Err(error))) => return Err(error),
        Some((after, why)) => {
            let (all, told) = (turns.rounds, why_ended(&why));
            let sentence = format!("ended after {after} of {all} rounds: {told}");
            withhold(&mut comparison, sentence);
            Some(why)
        }
        None => None,
    };
    Ok(InTurns {
        comparison,
        directory,
        ended,
    })
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

/// One round: both once, in the order that the last round had not.
fn pair(series: &mut Series, turns: &Turns<'_>, directory: &Path, round: u32) -> Result<Round> {
    let mut order = [Side::Base, Side::Candidate];
    if round.is_multiple_of(2) {
        order.reverse();
    }
    let mut found = Vec::new();
    for side in order {
        let word = side.word();
        run::say(format!("round {round} of {}, {word}: ", turns.rounds))?;
        let out = directory.join(format!("round-{round:02}-{word}"));
        let plan = plan_of(turns, side, round);
        let options = run::Options {
            out: Some(out.clone()),
            quiet: true,
            ..turns.options.clone()
        };
        let left_out = |why: String, invalid| {
            Round::LeftOut(LeftOut {
                sentence: format!("round {round} is left out: {why}"),
                invalid,
            })
        };
        match series.run(&within_the_line, || run::live(plan, &options)) {
            InSeries::Counts(_) => found.push((side, digest(&out)?)),
            InSeries::Invalid(why) => {
                let why = format!("the measurement of the {word} is invalid: {why}");
                return Ok(left_out(why, Some(side)));
            }
            InSeries::Unfit(why) => {
                run::say("left out\n")?;
                let why = format!("the {word} could not be run: {why}");
                return Ok(left_out(why, None));
            }
            InSeries::Ends(why) => return Ok(Round::Ends(why)),
        }
    }
    found.sort_by_key(|(side, _)| *side);
    let mut found = found.into_iter().map(|(_, digest)| digest);
    match (found.next(), found.next()) {
        (Some(base), Some(candidate)) => Ok(Round::Counts(Box::new((base, candidate)))),
        _ => Err(Error::failed("a round without two runs".to_owned())),
    }
}

/// What a side runs in a round: the base's seed for both, so that both have the same
/// arrivals, and others in each round.
fn plan_of(turns: &Turns<'_>, side: Side, round: u32) -> Plan {
    let plan = match side {
        Side::Base => turns.base,
        Side::Candidate => turns.candidate,
    };
    let mut plan = Plan {
        seed: turns.base.seed.wrapping_add(u64::from(round) - 1),
        ..plan.clone()
    };
    for expectation in &mut plan.expectations {
        // A run that is cut off cannot be compared.
        expectation.abort = false;
    }
    plan
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

    fn sample() -> Digest {
        digest(Path::new("reports/sample-missing-await")).unwrap()
    }

    fn rounds(of: &Digest, counted: usize, invalid: &[Option<Side>]) -> Rounds {
        let left_out = invalid.iter().map(|invalid| LeftOut {
            sentence: "round 1 is left out: it was".into(),
            invalid: *invalid,
        });
        Rounds {
            base: vec![of.clone(); counted],
            candidate: vec![of.clone(); counted],
            left_out: left_out.collect(),
        }
    }

    #[test]
    fn what_is_left_out_does_not_decide() {
        const BASE: Option<Side> = Some(Side::Base);
        const CANDIDATE: Option<Side> = Some(Side::Candidate);
        let sample = sample();
        for (counted, left_out, anyway, unjudged) in [
            (4, &[][..], false, ""),
            // a candidate that jams the load
            (9, &[CANDIDATE], false, "only measurements of the candidate"),
            (9, &[CANDIDATE], true, ""),
            // a machine that jams it hits both
            (8, &[CANDIDATE, BASE], false, ""),
            (9, &[BASE], false, ""),
            // a busy moment before a round
            (9, &[None], false, ""),
            (2, &[None], false, ""),
            (3, &[None, None], false, "2 of 5 rounds are left out"),
            (3, &[None, None], true, ""),
            (0, &[BASE], false, "no round counts"),
            (0, &[CANDIDATE], true, "no round counts"),
        ] {
            let why = rounds(&sample, counted, left_out).unjudged(anyway);
            let why = why.unwrap_or_default();
            let fits = why.starts_with(unjudged) && why.is_empty() == unjudged.is_empty();
            assert!(fits, "{counted} {left_out:?}: {why}");
        }
    }

    #[test]
    fn no_round_is_no_comparison_and_has_files_all_the_same() {
        for anyway in [false, true] {
            let options = Options {
                anyway,
                ..Options::default()
            };
            let none = rounds(&sample(), 0, &[Some(Side::Candidate)]).compared(&options);
            assert_eq!(none.verdict, ComparisonVerdict::NotComparable);
            assert_eq!(none.reason, "no round counts");
            assert_eq!(none.left_out, ["round 1 is left out: it was"]);
            let folder = tempfile::tempdir().unwrap();
            let page = crate::compare::write(folder.path(), &none, false).unwrap();
            let page = std::fs::read_to_string(page).unwrap();
            assert!(page.contains("round 1 is left out: it was"), "{page}");
            let summary = std::fs::read_to_string(folder.path().join("comparison.md")).unwrap();
            assert!(
                summary.contains("- round 1 is left out: it was"),
                "{summary}"
            );
        }
    }

    #[test]
    fn what_can_never_be_compared_ends_after_the_first_round() {
        let options = Options::default();
        let alike = rounds(&sample(), 1, &[]);
        assert!(!alike.hopeless(&alike.compared(&options), 10, false));
        let mut other = rounds(&sample(), 1, &[]);
        other.candidate[0].machine.cores += 1;
        let compared = other.compared(&options);
        assert!(other.hopeless(&compared, 10, false));
        assert!(!other.hopeless(&compared, 10, true));
        // A round that was left out is no obstacle, and four of ten are too many.
        let none = rounds(&sample(), 0, &[None]);
        assert!(!none.hopeless(&none.compared(&options), 10, false));
        let many = rounds(&sample(), 1, &[None; 4]);
        assert!(many.hopeless(&many.compared(&options), 10, false));
    }

    #[test]
    fn both_sides_have_the_seed_of_the_base_and_each_round_the_next() {
        let [base, candidate] = [1, 7].map(|seed| Plan {
            seed,
            ..Plan::default()
        });
        let options = run::Options::default();
        let turns = Turns {
            base: &base,
            candidate: &candidate,
            rounds: 3,
            options: &options,
            judged: Options::default(),
        };
        let seeds = [1, 3].map(|round| {
            [Side::Base, Side::Candidate].map(|side| plan_of(&turns, side, round).seed)
        });
        assert_eq!(seeds, [[1, 1], [3, 3]]);
    }
}
