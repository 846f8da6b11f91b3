//! Which runs are points of a series, and what the series shows.
//!
//! The newest run that can be judged says what the series is of: its plan and its machine.
//! Runs of another plan or machine, runs that are invalid or incomplete, and runs without
//! the figure are left out, each with its reason, since a series of unlike things changes
//! wherever their mixture does. Who knows better includes them by name.

use serde::Serialize;

use super::detector::{ChangePoint, Detector, Sensitivity};
use super::figure::{NamedFigure, Reading, Unit};
use super::moments::Moments;
use super::stored::{Origin, RunVerdict, StoredRun};
use crate::model::Direction;
use crate::named::named;
use crate::record::{Backend, MachineFacts, printable};

/// Runs below which nothing is said. Three on each side of a change are the fewest that
/// show how much either side scatters; at a significance of 0.001 they tell a change of
/// seven standard deviations.
pub const RUNS_MIN: usize = 6;

/// The version of the format of a trend.
const FORMAT: u32 = 1;

/// A run that may become a point.
#[derive(Debug, Clone)]
pub struct Candidate {
    /// Its directory, as it was named.
    pub run: String,
    /// When it was started, in milliseconds since 1970 UTC.
    pub started_wall_ms: Option<u64>,
    /// How it was made.
    pub origin: Option<Origin>,
    /// What came out of it.
    pub verdict: RunVerdict,
    /// Why it is damaged, incomplete or invalid, in a clause.
    pub problem: Option<String>,
    /// The figure.
    pub value: Reading,
}

named! {
    /// Why a run is no point of a series.
    pub enum WhyLeftOut {
        /// Its header or its summary cannot be read, or nobody knows when it was started.
        Damaged = "damaged",
        /// It did not reach its planned end, or nobody has reported it yet.
        Incomplete = "incomplete",
        /// Its measurement is invalid.
        Invalid = "invalid",
        /// It did something else.
        Plan = "plan",
        /// It ran on another machine.
        Machine = "machine",
        /// It does not have the figure.
        NoValue = "no value",
    }
}

/// A run that is no point.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LeftOut {
    /// Its directory, as it was named.
    pub run: String,
    /// In a word.
    pub why: WhyLeftOut,
    /// In a clause: "its plan differs in `load`".
    pub reason: String,
}

/// A point of a series.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Point {
    /// The directory of its run, as it was named.
    pub run: String,
    /// When that was started, in milliseconds since 1970 UTC.
    pub started_wall_ms: u64,
    /// Its seed.
    pub seed: u64,
    /// The figure, in its unit.
    pub value: f64,
}

named! {
    /// What a series shows.
    pub enum Shown {
        /// It changed at least once.
        Changed = "changed",
        /// No change is large and sure enough.
        NoChange = "no change shown",
        /// There are too few runs.
        CannotTell = "cannot tell",
    }
}

named! {
    /// What a change means to users.
    pub enum Effect {
        /// The figure became worse.
        Worse = "worse",
        /// It became better.
        Better = "better",
        /// It is a figure of which neither can be said.
        Neither = "neither",
    }
}

/// Where a series changed: from the change before it, or the beginning, to the next one,
/// or the end.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Change {
    /// The first run behind it.
    pub run: String,
    /// When that was started, in milliseconds since 1970 UTC.
    pub started_wall_ms: u64,
    /// Its place among the points, from 0.
    pub index: usize,
    /// Points before it.
    pub runs_before: usize,
    /// Their mean, in the unit of the figure.
    pub mean_before: f64,
    /// Points from it on.
    pub runs_after: usize,
    /// Their mean.
    pub mean_after: f64,
    /// (after − before) / before; null where the mean before it is zero.
    pub change: Option<f64>,
    /// The probability that the means differ so much by chance.
    pub p_value: f64,
    /// What it means to users.
    pub effect: Effect,
    /// What else was new in that run, such as the kernel; empty where nothing was.
    pub beside: Vec<String>,
}

/// A figure over many runs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Trend {
    /// The version of this format: 1.
    pub format: u32,
    /// The figure, with its phase.
    pub figure: String,
    /// What its values are in.
    pub unit: Unit,
    /// What it shows.
    pub shown: Shown,
    /// How many points are needed to show anything.
    pub runs_needed: usize,
    /// The scenario of the points; null where there is none.
    pub scenario: Option<String>,
    /// Their backend.
    pub backend: Option<Backend>,
    /// Their machine: that of the newest.
    pub machine: Option<MachineFacts>,
    /// The largest probability of chance that counts as a change.
    pub significance: f64,
    /// The least share by which a figure changes.
    pub magnitude: f64,
    /// Runs in a window of the detection.
    pub window: usize,
    /// Where it changed, in the order of time.
    pub changes: Vec<Change>,
    /// The share by which the means of two halves of so many points, with this spread, would
    /// have to differ for the test to show it; null unless no change is shown.
    pub least_change: Option<f64>,
    /// Its points, in the order of time.
    pub points: Vec<Point>,
    /// The runs that are none.
    pub left_out: Vec<LeftOut>,
}

impl Candidate {
    /// The run as a point of a series of this figure.
    pub fn of(run: &StoredRun, figure: &NamedFigure) -> Self {
        let verdict = run.verdict();
        let findings = run.findings.as_ref();
        let problem = match verdict {
            RunVerdict::Damaged => run.damage.clone(),
            RunVerdict::Incomplete if findings.is_none() => Some(no_summary(&run.directory)),
            RunVerdict::Incomplete => Some("it did not reach its planned end".into()),
            RunVerdict::Invalid => findings
                .and_then(|it| it.measurement.reasons.first().cloned())
                .or_else(|| Some("its measurement is invalid".into())),
            RunVerdict::Passed | RunVerdict::Failed => None,
        };
        Self {
            run: run.directory.clone(),
            started_wall_ms: run.started_wall_ms(),
            origin: run.origin(),
            verdict,
            problem,
            value: findings.map_or_else(
                || Err(no_summary(&run.directory)),
                |findings| figure.read(findings),
            ),
        }
    }

    /// Why it cannot be judged, if so.
    fn unfit(&self, include: &[WhyLeftOut]) -> Option<WhyLeftOut> {
        let why = match self.verdict {
            _ if self.origin.is_none() || self.started_wall_ms.is_none() => WhyLeftOut::Damaged,
            RunVerdict::Damaged => WhyLeftOut::Damaged,
            RunVerdict::Incomplete => WhyLeftOut::Incomplete,
            RunVerdict::Invalid => WhyLeftOut::Invalid,
            RunVerdict::Passed | RunVerdict::Failed => return None,
        };
        (!include.contains(&why)).then_some(why)
    }

    /// Why it is not comparable with this one, if so.
    fn unlike(&self, newest: &Origin, include: &[WhyLeftOut]) -> Option<(WhyLeftOut, String)> {
        let own = self.origin.as_ref()?;
        let reason = match own.plan.differing(&newest.plan)[..] {
            [] => None,
            _ if own.scenario != newest.scenario => {
                Some(format!("it is of the scenario `{}`", own.scenario))
            }
            ref keys => Some(format!("its plan differs in `{}`", keys.join("`, `"))),
        };
        let plan = reason.map(|reason| (WhyLeftOut::Plan, reason));
        let machine = (!own.same_machine(newest)).then(|| {
            let reason = match (own.backend, newest.backend) {
                (Backend::Sim, Backend::Live) => "it is simulated".into(),
                (Backend::Live, Backend::Sim) => "it is live, and the newest is simulated".into(),
                _ => format!("it is of another machine: {}", machine_text(&own.machine)),
            };
            (WhyLeftOut::Machine, reason)
        });
        let mut reasons = plan.into_iter().chain(machine);
        reasons.find(|(why, _)| !include.contains(why))
    }

    fn left_out(&self, newest: Option<&Origin>, include: &[WhyLeftOut]) -> Option<LeftOut> {
        let unfit = self.unfit(include).map(|why| {
            let unknown = || "it has no run.json that tells when it was made".into();
            (why, self.problem.clone().unwrap_or_else(unknown))
        });
        let unlike = || self.unlike(newest?, include);
        let no_value = || Some((WhyLeftOut::NoValue, self.value.clone().err()?));
        let (why, reason) = unfit.or_else(unlike).or_else(no_value)?;
        Some(LeftOut {
            run: self.run.clone(),
            why,
            reason: printable(&reason).into_owned(),
        })
    }

    fn point(self) -> Option<(Point, Origin)> {
        let origin = self.origin?;
        let point = Point {
            run: self.run,
            started_wall_ms: self.started_wall_ms?,
            seed: origin.seed,
            value: self.value.ok()?,
        };
        Some((point, origin))
    }
}

fn no_summary(directory: &str) -> String {
    format!("it has no summary: `threadbare report {directory}` writes one")
}

/// A machine in a few words.
fn machine_text(machine: &MachineFacts) -> String {
    let gigabytes = machine.memory_bytes as f64 / f64::from(1 << 30);
    let (cores, processor) = (machine.cores, &machine.processor);
    format!("{cores} cores of {processor}, {gigabytes:.0} GiB")
}

impl Trend {
    /// What these runs show of a figure, whatever order they come in.
    pub fn of(
        mut runs: Vec<Candidate>,
        figure: &NamedFigure,
        sensitivity: Sensitivity,
        include: &[WhyLeftOut],
    ) -> Self {
        runs.sort_by(|one, other| {
            let key = |it: &Candidate| (it.started_wall_ms, it.run.clone());
            key(one).cmp(&key(other))
        });
        let fit = runs.iter().rev().find(|it| it.unfit(include).is_none());
        let newest = fit.and_then(|it| it.origin.clone());
        let (mut points, mut origins, mut left_out) = (Vec::new(), Vec::new(), Vec::new());
        for run in runs {
            if let Some(left) = run.left_out(newest.as_ref(), include) {
                left_out.push(left);
            } else if let Some((point, origin)) = run.point() {
                points.push(point);
                origins.push(origin);
            }
        }
        let sensitivity = Sensitivity {
            least: match figure.unit() {
                Unit::Share => SHARE_LEAST,
                _ => sensitivity.least,
            },
            ..sensitivity
        };
        let found = found(&points, sensitivity);
        let changes = found
            .iter()
            .map(|change| told(change, figure, &points, &origins));
        let changes: Vec<Change> = changes.collect();
        let shown = match changes.len() {
            _ if points.len() < RUNS_MIN => Shown::CannotTell,
            0 => Shown::NoChange,
            _ => Shown::Changed,
        };
        Self {
            format: FORMAT,
            figure: figure.to_string(),
            unit: figure.unit(),
            shown,
            runs_needed: RUNS_MIN,
            scenario: newest.as_ref().map(|it| it.scenario.clone()),
            backend: newest.as_ref().map(|it| it.backend),
            machine: newest.map(|it| it.machine),
            significance: sensitivity.significance,
            magnitude: sensitivity.magnitude,
            window: sensitivity.window,
            least_change: least_change(shown, &points, sensitivity),
            changes,
            points,
            left_out,
        }
    }

    /// Whether one of so many newest points began a change for the worse.
    pub fn worse_within(&self, newest: usize) -> bool {
        let first = self.points.len().saturating_sub(newest);
        let mut changes = self.changes.iter();
        changes.any(|change| change.effect == Effect::Worse && change.index >= first)
    }
}

/// Shares that lie less far apart do not differ in practice: a tenth of a per cent, as in a
/// comparison. One error among many runs without any is no change.
const SHARE_LEAST: f64 = 0.001;

/// The changes of points that are enough to have some.
fn found(points: &[Point], sensitivity: Sensitivity) -> Vec<ChangePoint> {
    if points.len() < RUNS_MIN {
        return Vec::new();
    }
    let mut detector = Detector::new(sensitivity);
    for point in points {
        detector.push(point.value);
    }
    detector.changes()
}

fn told(found: &ChangePoint, figure: &NamedFigure, points: &[Point], origins: &[Origin]) -> Change {
    let (before, after) = (found.before.mean(), found.after.mean());
    let higher = after > before;
    let effect = match figure.worse() {
        Direction::Neither => Effect::Neither,
        Direction::Higher if higher => Effect::Worse,
        Direction::Lower if !higher => Effect::Worse,
        _ => Effect::Better,
    };
    let point = &points[found.index];
    Change {
        run: point.run.clone(),
        started_wall_ms: point.started_wall_ms,
        index: found.index,
        runs_before: found.before.count(),
        mean_before: before,
        runs_after: found.after.count(),
        mean_after: after,
        change: (before != 0.0).then(|| after / before - 1.0),
        p_value: found.p_value,
        effect,
        beside: beside(&origins[found.index - 1], &origins[found.index]),
    }
}

/// What differs between two runs of one series.
fn beside(before: &Origin, after: &Origin) -> Vec<String> {
    let facts = [
        ("kernel", &before.machine.kernel, &after.machine.kernel),
        ("threadbare", &before.version, &after.version),
    ];
    let differ = facts.into_iter().filter(|(_, one, other)| one != other);
    let mut differ: Vec<String> = differ
        .map(|(what, one, other)| printable(&format!("{what} {one} → {other}")).into_owned())
        .collect();
    let keys = before.plan.differing(&after.plan);
    if !keys.is_empty() {
        differ.push(format!("plan: `{}`", keys.join("`, `")));
    }
    if !before.same_machine(after) {
        differ.push(format!("machine: {}", machine_text(&after.machine)));
    }
    differ
}

fn least_change(shown: Shown, points: &[Point], sensitivity: Sensitivity) -> Option<f64> {
    let values: Vec<f64> = points.iter().map(|point| point.value).collect();
    let moments = Moments::of(&values);
    let apart = moments.least_apart(sensitivity.significance)?;
    let share = (shown == Shown::NoChange && moments.mean() > 0.0).then(|| apart / moments.mean());
    share.map(|share| share.max(sensitivity.magnitude))
}
