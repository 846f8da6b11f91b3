//! Where a series changed: E-divisive with means, in windows, with Student's t-test in
//! place of permutations, as in M. Fleming et al., "Hunter: Using Change Point Detection to
//! Hunt for Performance Regressions" (arXiv 2301.03034), and in Apache Otava, which it
//! became.
//!
//! Windows of a bounded number of runs are divided as long as the two sides differ at a
//! relaxed significance; each begins half a window behind the one before, or where that
//! one found its last change. Then of all divisions the one that is most likely chance is
//! taken back, and the two neighbours are tested anew, until all that are left are
//! significant and large enough. A t-test needs no random numbers, so the same series has
//! the same changes; and the relaxed first pass finds a change that another one masks.
//!
//! **A run that is appended costs the same, however many there are.** A window that lies
//! wholly in the series never changes again, so what it found is kept as the sums of the
//! stretches between its divisions, and only what is behind the last such window is looked
//! at again: less than a window. Joining two stretches joins their sums, so taking
//! divisions back reads no run either; it goes over the divisions alone. The state is
//! exact: asked after each run it answers as if it had been given the series anew, which
//! Otava's does not always (its `test_incremental_otava` expects a change that is none of
//! the whole series).

use super::divide::divide;
use super::moments::Moments;

/// How much of a change is a change.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sensitivity {
    /// Runs in a window; at least 2. Two changes within half of one may be taken for one.
    pub window: usize,
    /// The largest probability that a change is chance, above 0 and below 0.5.
    pub significance: f64,
    /// The share by which the smaller of two means must be exceeded by the other; 0: any.
    pub magnitude: f64,
    /// How far two means must lie apart besides, in the figure's own unit; 0: not at all.
    pub least: f64,
}

impl Default for Sensitivity {
    /// Window and significance are those of Otava; a change of less than 5 % is of no
    /// practical consequence in most services.
    fn default() -> Self {
        Self {
            window: 50,
            significance: 0.001,
            magnitude: 0.05,
            least: 0.0,
        }
    }
}

impl Sensitivity {
    /// The significance of the first pass: ten times as much, as in Otava, or twice where
    /// that would say nothing.
    fn relaxed(&self) -> f64 {
        match self.significance {
            ..0.05 => 10.0 * self.significance,
            ..0.5 => 2.0 * self.significance,
            most => most,
        }
    }
}

/// A change: the runs from the one before it, or the beginning, to the next, or the end.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ChangePoint {
    /// The first run behind it, counted from 0.
    pub index: usize,
    /// What was before it.
    pub before: Moments,
    /// What is from it on.
    pub after: Moments,
    /// The probability that the two differ so much by chance.
    pub p_value: f64,
}

impl ChangePoint {
    /// By which share the smaller mean is exceeded by the larger; 1 where one is zero.
    pub fn magnitude(&self) -> f64 {
        magnitude(&self.before, &self.after)
    }
}

fn magnitude(before: &Moments, after: &Moments) -> f64 {
    let beyond = |base: f64, other: f64| match base {
        0.0 => 0.0,
        _ => (other / base - 1.0).abs(),
    };
    let (before, after) = (before.mean(), after.mean());
    beyond(before, after).max(beyond(after, before))
}

/// What is known of a series so far; takes one run after the other.
#[derive(Debug, Clone)]
pub struct Detector {
    sensitivity: Sensitivity,
    /// The runs between two divisions, of all windows that lie wholly in the series.
    closed: Vec<Moments>,
    /// From the last of these divisions to the next window.
    open: Moments,
    /// The runs from the next window on: less than one.
    pending: Vec<f64>,
}

impl Detector {
    /// Of a series that has not begun.
    pub fn new(sensitivity: Sensitivity) -> Self {
        Self {
            sensitivity,
            closed: Vec::new(),
            open: Moments::default(),
            pending: Vec::new(),
        }
    }

    /// Appends a run; looks at one window at most.
    pub fn push(&mut self, value: f64) {
        self.pending.push(value);
        if self.pending.len() >= self.sensitivity.window.max(2) {
            let begin = self.pass(0);
            self.pending.drain(..begin);
        }
    }

    /// How many runs are looked at again when the next one comes: fewer than a window has.
    pub const fn pending(&self) -> usize {
        self.pending.len()
    }

    /// Where the series changed, in its order.
    pub fn changes(&self) -> Vec<ChangePoint> {
        let mut all = self.clone();
        let mut begin = 0;
        while begin < all.pending.len() {
            begin = all.pass(begin);
        }
        all.closed.push(all.open);
        merged(all.closed, &self.sensitivity)
    }

    /// Divides the window that begins here, in the pending runs, and gives the place at
    /// which the next begins, up to which all is taken over.
    fn pass(&mut self, begin: usize) -> usize {
        let window = self.sensitivity.window.max(2);
        let end = self.pending.len().min(begin + window);
        let divisions = divisions(&self.pending[begin..end], self.sensitivity.relaxed());
        let last = divisions.last().map_or(0, |last| begin + last);
        let next = last.max(begin + window / 2).min(self.pending.len());
        let mut from = begin;
        for division in divisions {
            self.take(from, begin + division);
            from = begin + division;
            self.closed.push(std::mem::take(&mut self.open));
        }
        self.take(from, next);
        next
    }

    fn take(&mut self, from: usize, to: usize) {
        self.open = self.open.joined(Moments::of(&self.pending[from..to]));
    }
}

/// The places at which these values differ from those before, in order.
fn divisions(values: &[f64], significance: f64) -> Vec<usize> {
    let mut edges = vec![0, values.len()];
    while let Some((place, at)) = best(values, &edges) {
        let [before, after] = [edges[place]..at, at..edges[place + 1]];
        let [before, after] = [before, after].map(|part| Moments::of(&values[part]));
        if before.p_value(&after) > significance {
            break;
        }
        edges.insert(place + 1, at);
    }
    edges.pop();
    edges.split_off(1.min(edges.len()))
}

/// The best division of any stretch between two edges, and which stretch it is.
fn best(values: &[f64], edges: &[usize]) -> Option<(usize, usize)> {
    let mut best: Option<(f64, usize, usize)> = None;
    for (place, ends) in edges.windows(2).enumerate() {
        let Some(division) = divide(&values[ends[0]..ends[1]]) else {
            continue;
        };
        if best.is_none_or(|(most, ..)| division.difference > most) {
            best = Some((division.difference, place, ends[0] + division.at));
        }
    }
    best.map(|(_, place, at)| (place, at))
}

/// The divisions between these stretches that are left when those that are likely chance,
/// and then those that are small, have been taken back one by one.
fn merged(mut stretches: Vec<Moments>, sensitivity: &Sensitivity) -> Vec<ChangePoint> {
    let test = |stretches: &[Moments], at: usize| stretches[at].p_value(&stretches[at + 1]);
    let last = stretches.len().saturating_sub(1);
    let mut p_values: Vec<f64> = (0..last).map(|at| test(&stretches, at)).collect();
    while let Some(weakest) = weakest(&stretches, &p_values, sensitivity) {
        let behind = stretches.remove(weakest + 1);
        stretches[weakest] = stretches[weakest].joined(behind);
        p_values.remove(weakest);
        for at in weakest.saturating_sub(1)..p_values.len().min(weakest + 1) {
            p_values[at] = test(&stretches, at);
        }
    }
    let mut index = 0;
    let sides = stretches.windows(2).zip(p_values);
    let point = |(sides, p_value): (&[Moments], f64)| {
        index += sides[0].count();
        ChangePoint {
            index,
            before: sides[0],
            after: sides[1],
            p_value,
        }
    };
    sides.map(point).collect()
}

/// The division to be taken back next; none where all may stay.
fn weakest(stretches: &[Moments], p_values: &[f64], sensitivity: &Sensitivity) -> Option<usize> {
    let places = || (0..p_values.len()).rev();
    // Of equals `max_by` takes the last and `min_by` the first; the first is meant.
    let chance = places().max_by(|one, other| p_values[*one].total_cmp(&p_values[*other]))?;
    if p_values[chance] >= sensitivity.significance {
        return Some(chance);
    }
    let size = |at: usize| {
        let (before, after) = (&stretches[at], &stretches[at + 1]);
        let apart = (before.mean() - after.mean()).abs();
        if apart < sensitivity.least {
            0.0
        } else {
            magnitude(before, after)
        }
    };
    let places = 0..p_values.len();
    let least = places.min_by(|one, other| size(*one).total_cmp(&size(*other)))?;
    (size(least) <= sensitivity.magnitude).then_some(least)
}
