//! What differences come to: a verdict for each figure, and one for all.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::blocks::{FIGURES, Pool};
use super::changes::{Change, changes, obstacles};
use super::differences::{BETWEEN_RUNS, DRAWS, Difference, Sides, Way};
use super::picture::Picture;
use super::rows::{doubt_what_lost_its_tail, incident, missing};
use super::{Digest, Options};
use crate::analysis::student;
use crate::model::Unit;
use crate::plan::Figure;
use crate::record::MachineFacts;

/// The version of this format.
const FORMAT: u32 = 1;
/// A share of operations up to which a difference does not matter in practice, beside the
/// bound: a tenth of a per cent.
const SHARE_BOUND: f64 = 0.001;

/// What a comparison came to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Comparison {
    /// The version of this format: 1.
    pub format: u32,
    /// What the candidate is held against.
    pub base: ComparisonSide,
    /// What is held against it.
    pub candidate: ComparisonSide,
    /// The verdict of the whole table.
    pub verdict: ComparisonVerdict,
    /// Why, in one sentence.
    pub reason: String,
    /// Why the two cannot be compared, one sentence each; empty where they can.
    pub obstacles: Vec<String>,
    /// Rounds that do not count, and why, one sentence each; empty where all do.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left_out: Vec<String>,
    /// How the intervals were found.
    pub method: Method,
    /// What the two did differently.
    pub changed: Vec<Change>,
    /// Each figure.
    pub figures: Vec<FigureComparison>,
    /// How the response times of both were spread.
    pub picture: Picture,
}

/// One side of a comparison.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ComparisonSide {
    /// Its runs.
    pub runs: Vec<String>,
    /// Their seeds.
    pub seeds: Vec<u64>,
    /// Operations that were scheduled in what is compared.
    pub operations: u64,
    /// What makes its first run again; empty where that is not known.
    pub command: String,
    /// The machine of its first run.
    pub machine: MachineFacts,
}

/// How intervals were found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Method {
    /// In one sentence.
    pub sentence: String,
    /// Whether runs or blocks of the same arrivals were held against each other.
    pub paired: bool,
    /// What was drawn: `runs` or `blocks`.
    pub unit: String,
    /// How many of the base.
    pub base_units: usize,
    /// How many of the candidate.
    pub candidate_units: usize,
    /// Draws with replacement; 0 where Student's t was taken of whole runs.
    pub draws: usize,
    /// Their seed.
    pub seed: u64,
    /// The chance of a false alarm anywhere in the table (Holm).
    pub alarm: f64,
    /// The share of intervals that hold the true difference.
    #[serde(default = "confidence_of_one_look")]
    pub confidence: f64,
    /// The allowance for what differs from run to run, as a standard deviation of a run's
    /// figure; null where the runs themselves show it.
    pub between_runs: Option<f64>,
}

/// The share of intervals that hold the truth, where it is looked at once.
const CONFIDENCE: f64 = 0.95;

const fn confidence_of_one_look() -> f64 {
    CONFIDENCE
}

/// Whoever looks several times and stops when something is shown has several chances to be
/// wrong, so each look has an equal part of them.
fn confidence(options: &Options) -> f64 {
    1.0 - (1.0 - CONFIDENCE) / f64::from(options.looks.max(1))
}

/// A figure of both sides.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct FigureComparison {
    /// Its name.
    pub figure: String,
    /// The phase; null for the whole run.
    pub phase: Option<String>,
    /// Its unit: `s`, `share`, `/s` or empty.
    pub unit: String,
    /// Of the base; null where it has none.
    pub base: Option<f64>,
    /// Of the candidate, likewise.
    pub candidate: Option<f64>,
    /// The candidate's against the base's: 0.1 is a tenth more. Of a share, the difference
    /// of the shares.
    pub difference: Option<f64>,
    /// The lower end of its confidence interval: 95 %, or more where it is looked at several
    /// times (`method.confidence`).
    pub low: Option<f64>,
    /// The upper end.
    pub high: Option<f64>,
    /// A difference of less than this does not matter in practice.
    pub bound: Option<f64>,
    /// The chance of such a difference where there is none, for this figure alone.
    pub p: Option<f64>,
    /// The same for the whole table (Holm).
    pub p_of_table: Option<f64>,
    /// The verdict.
    pub verdict: ComparisonVerdict,
    /// Why it cannot be told; empty where it can.
    pub why: String,
}

/// What a comparison says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ComparisonVerdict {
    /// A difference to the worse was shown, which may matter in practice.
    Worse,
    /// One to the better.
    Better,
    /// Any difference is smaller than what matters in practice.
    NoDifferenceShown,
    /// The interval is too wide to tell.
    CannotTell,
    /// The two were not measured alike.
    NotComparable,
}

impl ComparisonVerdict {
    /// In words.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Worse => "worse",
            Self::Better => "better",
            Self::NoDifferenceShown => "no difference shown",
            Self::CannotTell => "cannot tell",
            Self::NotComparable => "not comparable",
        }
    }
}

/// Holds two runs, or two sets of runs, against each other.
pub fn compare(base: &[Digest], candidate: &[Digest], options: &Options) -> Comparison {
    let obstacles = obstacles(base, candidate);
    let sides = Sides::new(base, candidate);
    let (pool_a, pool_b) = sides.pools("");
    let comparable = obstacles.is_empty() || options.anyway;
    let mut figures = Vec::new();
    for stretch in stretches(base, candidate) {
        figures.extend(of_stretch(&sides, &stretch, options, comparable));
    }
    figures.extend(incident(&sides, options, comparable));
    holm(&mut figures);
    for figure in &mut figures {
        judge(figure, options);
    }
    doubt_what_lost_its_tail(&mut figures);
    figures.extend(missing(base, candidate, comparable));
    let changed = match (base.first(), candidate.first()) {
        (Some(base), Some(candidate)) => changes(base, candidate),
        _ => Vec::new(),
    };
    let (verdict, reason) = whole(&figures, &obstacles, comparable);
    Comparison {
        format: FORMAT,
        base: side(base, &pool_a),
        candidate: side(candidate, &pool_b),
        verdict,
        reason,
        obstacles,
        left_out: Vec::new(),
        method: method(&sides, (&pool_a, &pool_b), options),
        changed,
        figures,
        picture: Picture::of(&pool_a.response(), &pool_b.response()),
    }
}

/// The whole run, and the phases that every run has.
pub(super) fn stretches(base: &[Digest], candidate: &[Digest]) -> Vec<String> {
    let Some(first) = base.first() else {
        return Vec::new();
    };
    let names = first.stretches.iter().map(|blocks| blocks.name.clone());
    let in_all = |name: &String| {
        base.iter()
            .chain(candidate)
            .all(|run| run.stretch(name).is_some())
    };
    names.filter(in_all).collect()
}

fn side(runs: &[Digest], pool: &Pool<'_>) -> ComparisonSide {
    let first = runs.first();
    ComparisonSide {
        runs: runs.iter().map(|run| run.name.clone()).collect(),
        seeds: runs.iter().map(|run| run.plan.seed).collect(),
        operations: pool.scheduled(),
        command: first.map(|run| run.command.clone()).unwrap_or_default(),
        machine: first.map(|run| run.machine.clone()).unwrap_or_default(),
    }
}

/// The figures that are looked at in the whole run, and in a phase.
fn looked_at(figure: Figure, stretch: &str) -> bool {
    stretch.is_empty()
        || matches!(
            figure,
            Figure::ResponseP50 | Figure::ResponseP99 | Figure::ErrorShare | Figure::Goodput
        )
}

fn of_stretch(
    sides: &Sides<'_>,
    stretch: &str,
    options: &Options,
    comparable: bool,
) -> Vec<FigureComparison> {
    let (base, candidate) = sides.pools(stretch);
    let differences = sides.differences(stretch, options);
    let rows = FIGURES.iter().zip(differences).zip(sides.untold(stretch));
    let rows = rows.filter(|((figure, _), _)| looked_at(**figure, stretch));
    rows.map(|((figure, difference), untold)| {
        let moved = (base.lag(*figure) - candidate.lag(*figure)).abs();
        let difference = match untold {
            Some(why) => Err(why),
            None => difference,
        };
        let mut row = row(*figure, stretch, difference, moved, options);
        if !comparable {
            row.verdict = ComparisonVerdict::NotComparable;
            row.p = None;
        }
        row
    })
    .collect()
}

pub(super) fn row(
    figure: Figure,
    stretch: &str,
    difference: Result<Difference, String>,
    lag_moved: f64,
    options: &Options,
) -> FigureComparison {
    let unit = match figure.unit() {
        Unit::Seconds => "s",
        Unit::Share => "share",
        Unit::PerSecond => "/s",
        Unit::Number | Unit::Word => "",
    };
    let mut row = FigureComparison {
        figure: figure.word().to_owned(),
        phase: (!stretch.is_empty()).then(|| stretch.to_owned()),
        unit: unit.to_owned(),
        base: None,
        candidate: None,
        difference: None,
        low: None,
        high: None,
        bound: None,
        p: None,
        p_of_table: None,
        verdict: ComparisonVerdict::CannotTell,
        why: String::new(),
    };
    let found = match difference {
        Ok(found) => found,
        Err(why) => {
            row.why = why;
            return row;
        }
    };
    let reach = student::reach(confidence(options), found.freedom) * found.error;
    let [estimate, low, high] = [
        found.estimate,
        found.estimate - reach,
        found.estimate + reach,
    ]
    .map(|value| match figure.unit() {
        Unit::Share => value,
        _ => value.exp_m1(),
    });
    row.base = Some(found.base);
    row.candidate = Some(found.candidate);
    row.difference = Some(estimate);
    row.low = Some(low);
    row.high = Some(high);
    let bound = options.bounds.of(figure);
    row.bound = Some(match figure.unit() {
        Unit::Share => (bound * found.base).max(SHARE_BOUND),
        // What the generator's own lag changed by is not the target's.
        Unit::Seconds => bound + lag_moved / found.base,
        _ => bound,
    });
    row.p = Some(chance(found.estimate, found.error, found.freedom));
    row
}

/// The chance of such an estimate where there is no difference.
fn chance(estimate: f64, error: f64, freedom: usize) -> f64 {
    if error > 0.0 {
        student::beyond(estimate / error, freedom)
    } else if estimate == 0.0 {
        1.0
    } else {
        0.0
    }
}

/// Holm's step-down: chances of the whole table.
fn holm(figures: &mut [FigureComparison]) {
    let mut places: Vec<usize> = (0..figures.len())
        .filter(|it| figures[*it].p.is_some())
        .collect();
    let p = |figures: &[FigureComparison], place: usize| figures[place].p.unwrap_or(1.0);
    places.sort_by(|a, b| p(figures, *a).total_cmp(&p(figures, *b)));
    let mut most = 0.0f64;
    for (rank, place) in places.iter().enumerate() {
        let scaled = p(figures, *place) * (places.len() - rank) as f64;
        most = most.max(scaled.min(1.0));
        figures[*place].p_of_table = Some(most);
    }
}

fn judge(row: &mut FigureComparison, options: &Options) {
    let (Some(difference), Some(low), Some(high), Some(bound), Some(p)) =
        (row.difference, row.low, row.high, row.bound, row.p_of_table)
    else {
        return;
    };
    // Less goodput is worse, and of everything else more.
    let worse_up = row.figure != Figure::Goodput.word();
    let (worse, far) = if worse_up {
        (difference > 0.0, if difference > 0.0 { high } else { low })
    } else {
        (difference < 0.0, if difference < 0.0 { low } else { high })
    };
    let shown = p <= options.alarm / f64::from(options.looks.max(1));
    row.verdict = if shown && far.abs() >= bound {
        if worse {
            ComparisonVerdict::Worse
        } else {
            ComparisonVerdict::Better
        }
    } else if low > -bound && high < bound {
        ComparisonVerdict::NoDifferenceShown
    } else {
        row.why = "the interval reaches past what matters: more or longer runs would tell".into();
        ComparisonVerdict::CannotTell
    };
}

/// Figures without which the whole cannot be told.
fn is_headline(row: &FigureComparison) -> bool {
    let name = row.figure.as_str();
    let headline = [Figure::ResponseP99, Figure::ErrorShare, Figure::Goodput];
    row.phase.is_none() && headline.iter().any(|figure| figure.word() == name)
}

fn whole(
    figures: &[FigureComparison],
    obstacles: &[String],
    comparable: bool,
) -> (ComparisonVerdict, String) {
    if !comparable {
        return (ComparisonVerdict::NotComparable, obstacles.join("; "));
    }
    let named = |verdict| {
        let rows = figures.iter().filter(|row| row.verdict == verdict);
        let names = rows.map(|row| match &row.phase {
            Some(phase) => format!("{} in {phase}", row.figure),
            None => row.figure.clone(),
        });
        names.collect::<Vec<_>>()
    };
    let worse = named(ComparisonVerdict::Worse);
    if !worse.is_empty() {
        return (
            ComparisonVerdict::Worse,
            format!("worse: {}", worse.join(", ")),
        );
    }
    if !figures.iter().any(is_headline) {
        let reason = "cannot tell: nothing was measured in both".to_owned();
        return (ComparisonVerdict::CannotTell, reason);
    }
    let untold = figures.iter().filter(|row| is_headline(row));
    let untold = untold.filter(|row| row.verdict == ComparisonVerdict::CannotTell);
    let untold: Vec<&str> = untold.map(|row| row.figure.as_str()).collect();
    if !untold.is_empty() {
        let reason = format!(
            "cannot tell: {}; more or longer runs would",
            untold.join(", ")
        );
        return (ComparisonVerdict::CannotTell, reason);
    }
    let better = named(ComparisonVerdict::Better);
    if !better.is_empty() {
        return (
            ComparisonVerdict::Better,
            format!("better: {}", better.join(", ")),
        );
    }
    let reason = "any difference of goodput, errors and p99 is smaller than what matters";
    (ComparisonVerdict::NoDifferenceShown, reason.to_owned())
}

fn method(sides: &Sides<'_>, pools: (&Pool<'_>, &Pool<'_>), options: &Options) -> Method {
    let runs = matches!(sides.way, Way::PairsOfRuns | Way::Runs);
    let paired = matches!(sides.way, Way::PairsOfRuns | Way::PairsOfBlocks);
    let (base_units, candidate_units) = if runs {
        (sides.base.len(), sides.candidate.len())
    } else {
        (pools.0.len(), pools.1.len())
    };
    let sentence = match sides.way {
        Way::PairsOfRuns => "Student's t of the differences of runs with the same seed",
        Way::Runs => "Welch's t of the figures of whole runs",
        Way::PairsOfBlocks => {
            "bootstrap of blocks of equal length by intended start, those with the same \
             arrivals in pairs"
        }
        Way::Blocks => "bootstrap of blocks of equal length by intended start",
    };
    Method {
        sentence: sentence.to_owned(),
        paired,
        unit: if runs { "runs" } else { "blocks" }.to_owned(),
        base_units,
        candidate_units,
        draws: if runs { 0 } else { DRAWS },
        seed: options.seed,
        alarm: options.alarm,
        confidence: confidence(options),
        between_runs: sides.allows().then_some(BETWEEN_RUNS),
    }
}
